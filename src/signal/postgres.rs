//! Signals between servers that share a PostgreSQL database, by `LISTEN` and `NOTIFY`.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::future::BoxFuture;
use sea_orm::sqlx::postgres::{PgConnectOptions, PgListener, PgNotification, PgPoolOptions};
use sea_orm::sqlx::{Acquire, ConnectOptions, Connection, Error, PgConnection, query, query_scalar};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Channel, Hub, Listener, Signals, Subscription, TEXT_BYTES, Topic};
use crate::database::Address;
use crate::outage::Outage;

const CHANNEL: &str = "causerie";

/// How many bytes a notification has at most: PostgreSQL refuses a payload of 8,000 bytes. A text has its channel before
/// it.
const PAYLOAD_BYTES: usize = TEXT_BYTES + 64;

/// How many signals are sent by one statement.
const SIGNALS: usize = 1000;

/// How long signals gather before they are sent by one statement. Each statement is a transaction of its own and
/// wakes every server; in a trial, gathering doubled the sends a second at 16 senders.
const GATHER: Duration = Duration::from_millis(5);

/// How many signals may wait to be sent. Further ones are dropped.
const QUEUE_LENGTH: usize = 4096;

/// How long to wait before connecting again.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// How long connecting, or one statement, may take. A machine that has vanished closes no connection, and a proxy in
/// between may still acknowledge what is sent to it.
const TIMEOUT: Duration = Duration::from_secs(3);

/// How long the listening connection may be idle before it is checked.
const CHECK_AFTER: Duration = Duration::from_secs(2);

/// How long a stopping server may take to send its last signals.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// Wakes listeners in all servers on one database.
#[derive(Debug)]
pub struct Postgres {
    hub: Hub,
    outgoing: mpsc::Sender<QueuedSignal>,
}

#[derive(Debug)]
enum QueuedSignal {
    Topic(Topic),
    Text(Channel, String),
    /// A caller that waits for the signals before it.
    Flush(oneshot::Sender<()>),
}

impl Postgres {
    /// Starts to listen and to send, on two connections of its own, until `shutdown`.
    ///
    /// # Errors
    /// If `address` is not PostgreSQL's. If the database is unavailable, connecting is tried again.
    pub fn start(address: &Address, shutdown: &CancellationToken) -> Result<Self, Error> {
        // A notification need not survive a crash of the database, so its commit need not wait for the disk.
        let options: PgConnectOptions = address.url().parse::<PgConnectOptions>()?;
        let options = options.application_name("causerie-signals").options([("synchronous_commit", "off")]);
        // The library would log each statement, and warn of slow ones; late signals do no harm.
        let options = options.disable_statement_logging();
        let hub = Hub::default();
        let (outgoing, incoming) = mpsc::channel(QUEUE_LENGTH);
        tokio::spawn(until(shutdown.clone(), receive(options.clone(), hub.clone())));
        tokio::spawn(until(shutdown.clone(), forward(options, incoming)));
        Ok(Self { hub, outgoing })
    }
}

impl Signals for Postgres {
    fn send(&self, topic: Topic) {
        self.hub.send(topic);
        // If the queue is full, the database is unavailable or slow, and listeners read it from time to time.
        let _ = self.outgoing.try_send(QueuedSignal::Topic(topic));
    }

    fn listen(&self, topic: Topic) -> Listener {
        self.hub.listen(topic)
    }

    fn publish(&self, channel: Channel, text: String) {
        let _ = self.outgoing.try_send(QueuedSignal::Text(channel, text));
    }

    fn subscribe(&self, channel: Channel) -> Subscription {
        self.hub.subscribe(channel)
    }

    fn flush(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            let flush = async {
                let (done, sent) = oneshot::channel();
                if self.outgoing.send(QueuedSignal::Flush(done)).await.is_ok() {
                    let _ = sent.await;
                }
            };
            let _ = timeout(FLUSH_TIMEOUT, flush).await;
        })
    }
}

async fn until(shutdown: CancellationToken, work: impl Future<Output = ()>) {
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = work => {}
    }
}

/// Runs `work` for [`TIMEOUT`] at most.
async fn limited<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    timeout(TIMEOUT, work).await.unwrap_or_else(|_| Err(Error::Io(std::io::ErrorKind::TimedOut.into())))
}

/// Waits for signals, and for those that come within [`GATHER`] of the first one. Returns whether there are any: not
/// once nobody sends any more.
async fn gather(incoming: &mut mpsc::Receiver<QueuedSignal>, gathered: &mut Vec<QueuedSignal>) -> bool {
    if incoming.recv_many(gathered, SIGNALS).await == 0 {
        return false;
    }
    if gathered.len() < SIGNALS {
        sleep(GATHER).await;
    }
    while gathered.len() < SIGNALS
        && let Ok(signal) = incoming.try_recv()
    {
        gathered.push(signal);
    }
    true
}

/// Sends the signals that have gathered by one statement.
async fn forward(options: PgConnectOptions, mut incoming: mpsc::Receiver<QueuedSignal>) {
    // A pool would ping the connection without a time limit before closing it.
    let mut connection: Option<PgConnection> = None;
    let mut gathered = Vec::new();
    while gather(&mut incoming, &mut gathered).await {
        // Dropping the senders at the end of the loop tells the waiting callers.
        let (mut topics, mut texts, mut flushed) = (HashSet::new(), Vec::new(), Vec::new());
        for outgoing in gathered.drain(..) {
            match outgoing {
                QueuedSignal::Topic(topic) => drop(topics.insert(topic)),
                QueuedSignal::Text(channel, text) => texts.push((channel, text)),
                QueuedSignal::Flush(done) => flushed.push(done),
            }
        }
        let payloads = encode(&topics, &texts);
        if payloads.is_empty() {
            continue;
        }
        let sent = limited(async {
            let connection = match &mut connection {
                Some(connection) => connection,
                none => none.insert(PgConnection::connect_with(&options).await?),
            };
            let notify = query("SELECT pg_notify($1, payload) FROM unnest($2) AS payload");
            notify.bind(CHANNEL).bind(payloads).execute(connection).await
        });
        if let Err(error) = sent.await {
            tracing::debug!(%error, "a signal was lost");
            connection = None;
            sleep(RETRY_PAUSE).await;
        }
    }
}

/// Wakes this server's listeners when any server sends.
async fn receive(options: PgConnectOptions, hub: Hub) {
    let outage = Outage::of("signals between servers");
    let mut lost = None;
    loop {
        match listen(&options, &mut lost).await {
            Ok(mut listener) => {
                // Signals before this were missed.
                hub.wake_all();
                let error = dispatch(&mut listener, &hub, &outage).await;
                outage.failed(error);
                lost = Some(listener);
            }
            Err(error) => outage.failed(error),
        }
        sleep(RETRY_PAUSE).await;
    }
}

/// Listens on a new connection, in place of the one that was `lost`.
async fn listen(options: &PgConnectOptions, lost: &mut Option<PgListener>) -> Result<PgListener, Error> {
    if lost.is_some() {
        // Dropping a listener sends `UNLISTEN` and waits for the answer without a limit. It is given a new connection
        // for that, and the old one is closed at once.
        let replacement = limited(PgConnection::connect_with(options)).await?;
        if let Some(mut lost) = lost.take()
            && let Ok(connection) = limited(lost.acquire()).await
        {
            *connection = replacement;
        }
    }
    // The library's listener needs a pool. It has none of the two limits, for the reason given in `database::connect`.
    let pool = PgPoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None);
    let pool = pool.connect_lazy_with(options.clone());
    let mut listener = limited(PgListener::connect_with(&pool)).await?;
    // `receive` reconnects with a time limit; the library would reconnect without one.
    listener.eager_reconnect(false);
    match limited(listener.listen(CHANNEL)).await {
        Ok(()) => Ok(listener),
        Err(error) => {
            *lost = Some(listener);
            Err(error)
        }
    }
}

/// Wakes listeners for each notification until the connection is lost.
async fn dispatch(listener: &mut PgListener, hub: &Hub, outage: &Outage) -> Error {
    loop {
        match next(listener).await {
            Ok(Some(notification)) => decode(notification.payload()).for_each(|received| match received {
                Received::Topic(topic) => hub.send(topic),
                Received::Text(channel, text) => hub.deliver(channel, text),
            }),
            Ok(None) => {}
            Err(error) => return error,
        }
        outage.succeeded();
    }
}

/// Waits for the next notification. If there is none for [`CHECK_AFTER`], checks that the database answers and has not
/// become a standby, which sends no notifications.
async fn next(listener: &mut PgListener) -> Result<Option<PgNotification>, Error> {
    match timeout(CHECK_AFTER, listener.try_recv()).await {
        Ok(Ok(None)) => Err(Error::Io(std::io::ErrorKind::ConnectionAborted.into())),
        Ok(received) => received,
        Err(_) => {
            let ask = query_scalar("SELECT pg_is_in_recovery()").fetch_one(listener);
            if limited(ask).await? {
                Err(Error::Protocol("it has become a standby".to_owned()))
            } else {
                Ok(None)
            }
        }
    }
}

/// What another server has sent.
#[derive(Debug, PartialEq, Eq)]
enum Received<'p> {
    Topic(Topic),
    Text(Channel, &'p str),
}

/// The payloads of as few notifications as these take, a line each. Texts keep their order.
fn encode(topics: &HashSet<Topic>, texts: &[(Channel, String)]) -> Vec<String> {
    let topics = topics.iter().map(|topic| match topic {
        Topic::Reply(id) => format!("r{}\n", id.simple()),
        Topic::Stored(id) => format!("g{}\n", id.simple()),
        Topic::Stop(id) => format!("s{}\n", id.simple()),
        Topic::User(hash) => format!("u{hash:x}\n"),
        Topic::Claimable => "o\n".to_owned(),
        Topic::Backlog => "b\n".to_owned(),
    });
    let texts = texts.iter().map(|(channel, text)| match channel {
        Channel::Readers(id) => format!("R{} {text}\n", id.simple()),
        Channel::Words(id) => format!("W{} {text}\n", id.simple()),
    });
    let mut payloads: Vec<String> = Vec::new();
    for line in topics.chain(texts) {
        match payloads.last_mut().filter(|payload| payload.len() + line.len() <= PAYLOAD_BYTES) {
            Some(payload) => payload.push_str(&line),
            None => payloads.push(line),
        }
    }
    payloads
}

fn decode(payload: &str) -> impl Iterator<Item = Received<'_>> {
    payload.lines().filter_map(|line| {
        let (kind, rest) = line.split_at_checked(1)?;
        let (id, text) = rest.split_once(' ').unwrap_or((rest, ""));
        let id = || Uuid::try_parse(id).ok();
        Some(match kind {
            "r" => Received::Topic(Topic::Reply(id()?)),
            "g" => Received::Topic(Topic::Stored(id()?)),
            "s" => Received::Topic(Topic::Stop(id()?)),
            "u" => Received::Topic(Topic::User(u64::from_str_radix(rest, 16).ok()?)),
            "o" if rest.is_empty() => Received::Topic(Topic::Claimable),
            "b" if rest.is_empty() => Received::Topic(Topic::Backlog),
            "R" => Received::Text(Channel::Readers(id()?), text),
            "W" => Received::Text(Channel::Words(id()?), text),
            _ => return None,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_survive_the_journey_and_fit() {
        let mut topics: HashSet<_> = (0..400).map(|_| Topic::Reply(Uuid::now_v7())).collect();
        topics.extend([Topic::Claimable, Topic::Backlog, Topic::of_user("ann"), Topic::Stop(Uuid::now_v7())]);
        topics.insert(Topic::Stored(Uuid::now_v7()));
        let (words, readers) = (Channel::Words(Uuid::now_v7()), Channel::Readers(Uuid::now_v7()));
        let mut texts = vec![(readers, "1 2 3".to_owned()), (words, String::new())];
        texts.extend((0..9).map(|number| (words, number.to_string().repeat(TEXT_BYTES / (number + 1)))));
        let payloads = encode(&topics, &texts);
        assert!(payloads.iter().all(|payload| payload.len() < 8_000));
        assert!(payloads.len() < 10, "{}", payloads.len());
        let (mut told, mut heard) = (HashSet::new(), Vec::new());
        for received in payloads.iter().flat_map(|payload| decode(payload)) {
            match received {
                Received::Topic(topic) => drop(told.insert(topic)),
                Received::Text(channel, text) => heard.push((channel, text.to_owned())),
            }
        }
        assert_eq!((told, heard), (topics, texts));
    }

    #[test]
    fn what_a_newer_server_says_is_passed_over() {
        let topics: Vec<_> = decode("x1\no\n\nrnonsense\nW1 a\nu\né\nuff\n").collect();
        assert_eq!(topics, [Received::Topic(Topic::Claimable), Received::Topic(Topic::User(0xff))]);
    }
}
