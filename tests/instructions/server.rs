//! A server and its client in one process, on an SQLite file.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use causerie::assistant::{Assistant, Catalog, DEFAULT_ID, Delta, Echo, Failure, Profile, Prompt};
use causerie::auth::{self, Authenticator, ClaimRules, Secret, Source, UserId};
use causerie::chat::Limits;
use causerie::database::{Address, Database};
use causerie::http::{App, Parts};
use causerie::reply::{self, Replies};
use causerie::signal::Hub;
use causerie::{admission, graphql, http};
use futures_util::stream::{self, BoxStream, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::client::Client;
use crate::piece::Piece;

const SECRET: &str = "a secret of counts that is long enough";
const USER: &str = "the one";

/// How many conversations there are, and how many messages the first of them has.
const CONVERSATIONS: usize = 21;
const MESSAGES: usize = 60;

/// What a message says: quotes and line breaks are written otherwise in JSON.
const TEXT: &str = "I would like to plan the week: first the shopping, then a call with \"Anna\" about the journey,\nand at \
    last the report for work. Could you remind me on Thursday at nine? I forget the small things, so a short list helps.";

/// Rounds before those that count: they fill caches and connect.
const WARM: u64 = 5;

/// An assistant that says a word each time that it is told to.
#[derive(Debug)]
struct Prompted(Mutex<Option<UnboundedReceiver<()>>>);

impl Assistant for Prompted {
    fn reply(&self, _: Prompt) -> BoxStream<'static, Result<Delta, Failure>> {
        let told = self.0.lock().unwrap().take().unwrap();
        stream::unfold(told, async |mut told| {
            told.recv().await.map(|()| (Ok(Delta::Text("words ".to_owned())), told))
        })
        .boxed()
    }
}

/// Fills a new file.
pub(crate) fn fill(database: &str) {
    let echo = Arc::new(Echo::new(Duration::ZERO));
    serve(database, echo, move |address, _| {
        let mut client = client(address);
        let mut send = |conversation: Value, content: &str| {
            let mut document = Piece::Send.request(&conversation);
            document["query"] = json!(
                "mutation($input: SendMessageInput!) { sendMessage(input: $input) { conversation { id } reply { status } } }"
            );
            document["variables"]["input"]["content"] = json!(content);
            let request = client.prepare(&document, "application/json");
            let mut answer: Value = serde_json::from_slice(client.ask(&request)).unwrap();
            assert_eq!(answer["data"]["sendMessage"]["reply"]["status"], "COMPLETE", "{answer}");
            answer["data"]["sendMessage"]["conversation"]["id"].take()
        };
        for _ in 0..CONVERSATIONS {
            send(Value::Null, TEXT);
        }
        // The last one is first in the list.
        let conversation = send(Value::Null, TEXT);
        for _ in 1..MESSAGES / 2 {
            send(conversation.clone(), TEXT);
        }
    });
}

/// Starts a server, and has a piece done `rounds` times.
pub(crate) fn run(piece: Piece, rounds: u64, database: &str) {
    if piece == Piece::Word {
        let (tell, told) = unbounded_channel();
        let assistant = Arc::new(Prompted(Mutex::new(Some(told))));
        serve(database, assistant, move |address, quiet| words(address, quiet, &tell, rounds));
    } else {
        let echo = Arc::new(Echo::new(Duration::ZERO));
        serve(database, echo, move |address, quiet| requests(address, quiet, piece, rounds));
    }
}

fn requests(address: SocketAddr, quiet: impl FnOnce(), piece: Piece, rounds: u64) {
    if piece != Piece::Send {
        quiet();
    }
    let mut client = client(address);
    let list = client.prepare(&Piece::List.request(&Value::Null), "application/json");
    let listed: Value = serde_json::from_slice(client.ask(&list)).unwrap();
    let conversation = &listed["data"]["conversations"]["edges"][0]["node"]["id"];
    let request = client.prepare(&piece.request(conversation), "application/json");
    for _ in 0..WARM + rounds {
        assert!(!client.ask(&request).starts_with(b"{\"errors\""));
    }
    let answer: Value = serde_json::from_slice(client.ask(&request)).unwrap();
    assert!(answer.get("errors").is_none(), "{answer}");
    if let Some(edges) = answer["data"]["conversation"]["messages"]["edges"].as_array() {
        assert_eq!(edges.len(), if piece == Piece::Open { 50 } else { 10 });
    }
}

fn words(address: SocketAddr, quiet: impl FnOnce(), tell: &UnboundedSender<()>, rounds: u64) {
    let mut client = client(address);
    let request = client.prepare(&Piece::Word.request(&Value::Null), "text/event-stream");
    client.send(&request);
    client.read_until(b"\r\n\r\n");
    let mut quiet = Some(quiet);
    for _ in 0..WARM + rounds {
        tell.send(()).unwrap();
        let end = client.read_until(b"words ");
        client.forget(end);
        // The reply is being written now.
        if let Some(quiet) = quiet.take() {
            quiet();
        }
    }
}

fn client(address: SocketAddr) -> Client {
    let secret = Secret::new(SECRET).unwrap();
    let user = UserId::new(USER).unwrap();
    Client::connect(address, auth::mint(&secret, &ClaimRules::default(), &user, Duration::from_hours(1)))
}

/// Runs a server on one thread, and `work` on another, until that is done. The second argument of `work` has the server
/// look no more for replies to write, which it does by the clock.
fn serve(
    database: &str,
    assistant: Arc<dyn Assistant>,
    work: impl FnOnce(SocketAddr, Box<dyn FnOnce() + Send>) + Send + 'static,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        // A file that is there was filled by this program.
        let fresh = !Path::new(database).exists();
        let address = Address::parse(&format!("sqlite://{database}?mode=rwc")).unwrap();
        let database = Database::connect(address, 4).await.unwrap();
        if fresh {
            database.migrate_up().await.unwrap();
        }
        // Nothing is done by the clock while the rounds are counted.
        let hour = Duration::from_hours(1);
        let options = reply::Options {
            checkpoint: hour,
            lease: 4 * hour,
            timeout: 4 * hour,
            ..reply::Options::default()
        };
        let catalog = Catalog::of(Profile::new(DEFAULT_ID, assistant));
        let replies = Replies::start(database.clone(), Arc::new(Hub::default()), Arc::new(catalog), options);
        let limits = admission::Limits { user_rate: 0, address_rate: 0, ..admission::Limits::default() };
        let app = App::new(Parts {
            schema: graphql::schema(),
            authenticator: Authenticator::new(auth::Options::new(Source::Secret(
                Secret::new(SECRET).unwrap(),
            )))
            .await
            .unwrap(),
            database,
            replies: replies.clone(),
            limits: Limits::default(),
            dev_users: Vec::new(),
            options: http::Options { limits, ..http::Options::default() },
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let here = Handle::current();
        let quiet = move || drop(here.spawn(async move { replies.drain(hour).await }));
        let (done, end) = oneshot::channel();
        let client = thread::spawn(move || {
            work(address, Box::new(quiet));
            drop(done);
        });
        tokio::spawn(http::serve(app, listener, CancellationToken::new(), Duration::ZERO));
        let _: Result<(), _> = end.await;
        client.join().unwrap();
    });
}
