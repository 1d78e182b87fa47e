//! How long searches take.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use causerie::assistant::{Catalog, DEFAULT_ID, Echo, Profile};
use causerie::auth::{UserId, Viewer};
use causerie::chat::{Chat, Limits, SearchFilter, Slice};
use causerie::database::{Database, now};
use causerie::memory::Memory;
use causerie::reply::{Options, Replies};
use causerie::signal::Hub;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};

use crate::fill::USER;

/// Words that everybody has in nearly every message, and rarer ones.
pub const QUERIES: &[&str] = &[
    "word1",
    "word40 word70",
    "word99*",
    "word4321",
    "\"word1 word2\"",
    "word3 -word1",
    "烤鸭 word55",
    "absent",
];

/// How often each search is run.
const RUNS: usize = 41;

/// How long to wait after each, as a multiple of what it took.
const REST: u32 = 8;

/// What a search took.
pub struct Measured {
    pub hits: usize,
    /// The median.
    pub time: Duration,
}

/// Runs a search as the API does, a page of 20 hits with their rows, in each database in turn.
pub async fn search(databases: [&Database; 2], query: &str) -> [Measured; 2] {
    let chats = databases.map(chat);
    let mut times = [vec![], vec![]];
    for _ in 0..RUNS {
        for (chat, times) in chats.iter().zip(&mut times) {
            let start = Instant::now();
            page(chat, query, 20).await;
            let took = start.elapsed();
            times.push(took);
            // A user rests after a search: the next one would wait.
            tokio::time::sleep(REST * took).await;
        }
    }
    let hits = [page(&chats[0], query, 10_000).await, page(&chats[1], query, 10_000).await];
    let [alone, among] = times.map(|mut times| {
        times.sort_unstable();
        times[RUNS / 2]
    });
    [Measured { hits: hits[0], time: alone }, Measured { hits: hits[1], time: among }]
}

/// The plan of a search for two words, as the database tells it.
pub async fn plan(database: &Database, raw: &DatabaseConnection) -> String {
    let seen: Arc<Mutex<Vec<Statement>>> = Arc::default();
    let mut observed = database.clone();
    let sink = seen.clone();
    observed.observe(move |statement| sink.lock().unwrap().push(statement.clone()));
    page(&chat(&observed), "word40 word70", 20).await;
    let mut statement = seen.lock().unwrap()[0].clone();
    let (explain, column) = match statement.db_backend {
        DbBackend::Postgres => ("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) ", 0),
        _ => ("EXPLAIN QUERY PLAN ", 3),
    };
    statement.sql.insert_str(0, explain);
    let rows = raw.query_all_raw(statement).await.unwrap();
    let line =
        |row: &sea_orm::QueryResult| format!("  {}\n", row.try_get_by_index::<String>(column).unwrap());
    rows.iter().map(line).collect()
}

async fn page(chat: &Chat, query: &str, limit: u64) -> usize {
    let slice = Slice { after: None, before: None, limit, from_end: false };
    let page = chat.search(query, &SearchFilter::default(), slice, false).await;
    page.unwrap_or_else(|error| panic!("{error:?}")).items.len()
}

fn chat(database: &Database) -> Chat {
    let assistant = Arc::new(Echo::new(Duration::ZERO));
    let catalog = Arc::new(Catalog::of(Profile::new(DEFAULT_ID, assistant)));
    let replies = Replies::start(database.clone(), Arc::new(Hub::default()), catalog, Options::default());
    let viewer = Viewer::new(UserId::new(USER).unwrap(), now() + Duration::from_hours(24));
    Chat::new(
        database.clone(),
        replies,
        Limits::default(),
        viewer,
        Memory::new(usize::MAX).budget(USER, usize::MAX),
    )
}
