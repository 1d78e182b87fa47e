//! What a search costs one user when others have written a lot: `cargo bench --bench search -- [MESSAGES]`.
//!
//! Runs on SQLite, and on PostgreSQL where `TEST_POSTGRES_URL` leads to a cluster.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "a measurement that fails should say so, and print what it finds"
)]

mod fill;
mod measure;

use causerie::database::{Address, Database};
use sea_orm::{ConnectionTrait, DbBackend};
use uuid::Uuid;

/// How many messages the one user has.
const OWN: usize = 2_000;

/// How many messages others have, unless the command line says otherwise.
const OTHERS: usize = 1_000_000;

#[tokio::main]
async fn main() {
    let number = std::env::args().skip(1).find_map(|argument| argument.parse().ok());
    let others = number.unwrap_or(OTHERS);
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}?mode=rwc", directory.path().join("bench.db").display());
    compare(&url, others).await;
    if let Ok(cluster) = std::env::var("TEST_POSTGRES_URL") {
        let name = format!("bench_{}", Uuid::now_v7().simple());
        let administration = sea_orm::Database::connect(&cluster).await.unwrap();
        administration.execute_unprepared(&format!("CREATE DATABASE {name}")).await.unwrap();
        let mut url = url::Url::parse(&cluster).unwrap();
        url.set_path(&name);
        compare(url.as_str(), others).await;
        administration.execute_unprepared(&format!("DROP DATABASE {name} WITH (FORCE)")).await.unwrap();
    }
}

/// Measures the same searches before and after others have written.
async fn compare(url: &str, others: usize) {
    let database = Database::connect(Address::parse(url).unwrap(), 4).await.unwrap();
    database.migrate_up().await.unwrap_or_else(|error| panic!("{error:?}"));
    let raw = sea_orm::Database::connect(url).await.unwrap();
    let name = if database.backend() == DbBackend::Postgres { "PostgreSQL" } else { "SQLite" };

    fill::own(&database, OWN).await;
    raw.execute_unprepared("ANALYZE").await.unwrap();
    let alone = measure::searches(&database).await;
    let filling = std::time::Instant::now();
    fill::others(&raw, others).await;
    raw.execute_unprepared("ANALYZE").await.unwrap();
    println!("\n{name}: {OWN} messages of one user; {others} of others, stored in {:.0?}", filling.elapsed());
    let among = measure::searches(&database).await;

    println!("{:<28} {:>6} {:>12} {:>12} {:>7}", "query", "hits", "alone", "among others", "ratio");
    for (before, after) in alone.iter().zip(&among) {
        assert_eq!(before.hits, after.hits, "others' messages change nothing");
        let ratio = after.time.as_secs_f64() / before.time.as_secs_f64();
        println!(
            "{:<28} {:>6} {:>12.2?} {:>12.2?} {ratio:>7.2}",
            before.query, before.hits, before.time, after.time
        );
    }
    println!("{}", measure::plan(&database, &raw).await);
    raw.close().await.unwrap();
    database.close().await;
}
