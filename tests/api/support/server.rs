//! A server in the test's own process, on a real socket.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use causerie::assistant::{Assistant, Catalog, DEFAULT_ID, Echo, Profile};
use causerie::auth::{self, Authenticator, ClaimRules, Secret, Source, UserId};
use causerie::chat::{Limits, resume_steps};
use causerie::database::{Database, statistics, wal_checkpoint};
use causerie::http::{App, Parts};
use causerie::reply::{self, Replies};
use causerie::signal::{Hub, Postgres, Signals};
use causerie::{admission, graphql, http, index, receipts, trash};
use sea_orm::Statement;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{Client, TestDatabase};

/// The secret that test servers share.
pub const SECRET: &str = "a secret of tests that is long enough";

/// Something that watches the statements of a server.
pub type Observer = Arc<dyn Fn(&Statement) + Send + Sync>;

/// How a test server differs from the default one.
pub struct Settings {
    pub assistant: Arc<dyn Assistant>,
    /// Which assistants there are, if not that one alone.
    pub catalog: Option<Catalog>,
    pub replies: reply::Options,
    pub message_chars: usize,
    pub user_queued: u32,
    /// When deleted conversations are erased; by default no pass begins during a test.
    pub trash: trash::Options,
    /// What is called with each statement before it runs.
    pub observer: Option<Observer>,
    /// When old receipts are erased; by default no pass begins during a test.
    pub receipts: receipts::Options,
    /// How often PostgreSQL's young tables are looked at; by default not during a test.
    pub statistics: Duration,
    /// How wake-ups travel, if not as the database has it.
    pub signals: Option<Arc<dyn Signals>>,
    pub auth: auth::Options,
    pub drain: Duration,
    /// How requests are served.
    pub http: http::Options,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            assistant: Arc::new(Echo::new(Duration::ZERO)),
            catalog: None,
            replies: reply::Options {
                lease: Duration::from_secs(2),
                checkpoint: Duration::from_millis(50),
                ..reply::Options::default()
            },
            message_chars: Limits::default().message_chars,
            user_queued: Limits::default().user_queued,
            trash: trash::Options { keep: Duration::from_hours(720), period: Duration::from_hours(1) },
            observer: None,
            receipts: receipts::Options { keep: Duration::from_hours(720), period: Duration::from_hours(1) },
            statistics: Duration::from_hours(1),
            signals: None,
            auth: auth::Options::new(Source::Secret(Secret::new(SECRET).unwrap())),
            drain: Duration::from_secs(5),
            http: http::Options {
                // Tests send as fast as they can, all of them from one address.
                limits: admission::Limits { user_rate: 0, address_rate: 0, ..admission::Limits::default() },
                ..http::Options::default()
            },
        }
    }
}

/// A running server. Dropping it ends it without ceremony.
pub struct TestServer {
    url: String,
    database: Database,
    replies: Replies,
    statements: Arc<Mutex<Vec<Statement>>>,
    shutdown: CancellationToken,
    drained: CancellationToken,
    task: JoinHandle<()>,
    _files: Arc<TempDir>,
}

impl TestServer {
    /// A server as it is by default.
    pub async fn start(database: &TestDatabase) -> Self {
        Self::with(database, Settings::default()).await
    }

    /// A server that differs.
    pub async fn with(test_database: &TestDatabase, settings: Settings) -> Self {
        let statements = Arc::<Mutex<Vec<Statement>>>::default();
        let mut database = test_database.connect().await;
        let seen = statements.clone();
        database.observe(move |statement| {
            seen.lock().unwrap().push(statement.clone());
            if let Some(observer) = &settings.observer {
                observer(statement);
            }
        });
        let shutdown = CancellationToken::new();
        let drained = CancellationToken::new();
        let signals: Arc<dyn Signals> = match settings.signals {
            Some(signals) => signals,
            None if test_database.is_postgres() => {
                Arc::new(Postgres::start(database.address(), &drained).unwrap())
            }
            None => Arc::new(Hub::default()),
        };
        tokio::spawn(index::catch_up(database.clone(), signals.clone(), shutdown.clone()));
        let assistant = settings.assistant;
        let catalog = settings.catalog.unwrap_or_else(|| Catalog::of(Profile::new(DEFAULT_ID, assistant)));
        let replies = Replies::start(database.clone(), signals, Arc::new(catalog), settings.replies);
        trash::start(database.clone(), replies.clone(), settings.trash, shutdown.clone());
        receipts::start(database.clone(), settings.receipts, shutdown.clone());
        statistics::keep(database.clone(), settings.statistics, shutdown.clone());
        wal_checkpoint::keep(&database, wal_checkpoint::PERIOD, shutdown.clone());
        let limits = Limits {
            message_chars: settings.message_chars,
            user_queued: settings.user_queued,
            trash: settings.trash,
            ..Limits::default()
        };
        resume_steps(database.clone(), replies.clone(), limits, shutdown.clone());
        let app = App::new(Parts {
            schema: graphql::schema(),
            authenticator: Authenticator::new(settings.auth).await.unwrap(),
            database: database.clone(),
            replies: replies.clone(),
            limits,
            dev_users: Vec::new(),
            options: settings.http,
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let serving = http::serve(app, listener, shutdown.clone(), settings.drain);
        let task = tokio::spawn(async move { serving.await.unwrap() });
        let files = test_database.files();
        Self { url, database, replies, statements, shutdown, drained, task, _files: files }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn database(&self) -> &Database {
        &self.database
    }

    pub fn replies(&self) -> &Replies {
        &self.replies
    }

    /// A client of the user with this id.
    pub fn user(&self, id: &str) -> Client {
        Client::new(&self.url, Some(token_for(id)))
    }

    /// A client without a token.
    pub fn anonymous(&self) -> Client {
        Client::new(&self.url, None)
    }

    /// The statements run since the last call, without those that no request asks for.
    pub fn take_statements(&self) -> Vec<Statement> {
        self.take_all_statements()
            .into_iter()
            .filter(|statement| !is_sweep(statement) && !is_look(statement))
            .collect()
    }

    /// The statements run since the last call.
    pub fn take_all_statements(&self) -> Vec<Statement> {
        std::mem::take(&mut *self.statements.lock().unwrap())
    }

    /// Waits until statements that contain these have run, in this order.
    pub async fn has_run(&self, parts: &[&str]) {
        let run = async {
            let mut parts = parts.iter().peekable();
            while parts.peek().is_some() {
                for statement in self.take_all_statements() {
                    parts.next_if(|part| statement.sql.contains(**part));
                }
                tokio::task::yield_now().await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(30), run).await;
        assert!(waited.is_ok(), "{parts:?} do not run");
    }

    /// Asks the server to stop, as SIGTERM does, and waits until it has.
    pub async fn stop(mut self) {
        self.shutdown.cancel();
        (&mut self.task).await.unwrap();
        self.drained.cancel();
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.shutdown.cancel();
        self.drained.cancel();
        self.task.abort();
    }
}

/// Whether it is the sweep for expired leases, which runs by the clock, that asks for a statement.
pub fn is_sweep(statement: &Statement) -> bool {
    ["\"lease_until\" <", "message AS queued"].iter().any(|part| statement.sql.contains(part))
}

/// Whether something that is not asked for looks for work: a reply whether it is to stop, the index of the search
/// whether it has a backlog, the trash whether it is to be emptied.
fn is_look(statement: &Statement) -> bool {
    let parts = [
        "stop_requested_at IS NOT NULL FROM json",
        "FROM search_backlog",
        "erased_at IS NULL",
        "\"step_at\" <",
    ];
    parts.iter().any(|part| statement.sql.contains(part))
}

/// A token of the user with this id, good for an hour.
pub fn token_for(id: &str) -> String {
    let rules = ClaimRules::default();
    let secret = Secret::new(SECRET).unwrap();
    auth::mint(&secret, &rules, &UserId::new(id).unwrap(), Duration::from_hours(1))
}
