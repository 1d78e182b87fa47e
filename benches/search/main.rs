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
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend};
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
    let url = |name: &str| format!("sqlite://{}?mode=rwc", directory.path().join(name).display());
    compare([&url("alone.db"), &url("among.db")], others).await;
    let Ok(cluster) = std::env::var("TEST_POSTGRES_URL") else {
        println!("\nPostgreSQL: NOT MEASURED, TEST_POSTGRES_URL is not set; scripts/with-postgres sets it");
        return;
    };
    let administration = sea_orm::Database::connect(&cluster).await.unwrap();
    let run = async |sql: String| administration.execute_unprepared(&sql).await.unwrap();
    let names = ["alone", "among"].map(|name| format!("{name}_{}", Uuid::now_v7().simple()));
    for name in &names {
        run(format!("CREATE DATABASE {name}")).await;
    }
    let urls = names.clone().map(|name| {
        let mut url = url::Url::parse(&cluster).unwrap();
        url.set_path(&name);
        url.to_string()
    });
    compare([&urls[0], &urls[1]], others).await;
    for name in &names {
        run(format!("DROP DATABASE {name} WITH (FORCE)")).await;
    }
}

/// Measures the same searches of one user where nobody else has written, and where others have; in turn, so that
/// whatever else the machine does weighs on both.
async fn compare(urls: [&str; 2], others: usize) {
    let [(alone, ..), (among, raw, others)] = [store(urls[0], 0).await, store(urls[1], others).await];
    let name = if among.backend() == DbBackend::Postgres { "PostgreSQL" } else { "SQLite" };
    println!("\n{name}: {OWN} messages of one user; {others} of others");
    println!("{:<28} {:>6} {:>12} {:>12} {:>7}", "query", "hits", "alone", "among others", "ratio");
    for query in measure::QUERIES {
        let [before, after] = measure::search([&alone, &among], query).await;
        assert_eq!(before.hits, after.hits, "others' messages change nothing");
        let ratio = after.time.as_secs_f64() / before.time.as_secs_f64();
        println!("{query:<28} {:>6} {:>12.2?} {:>12.2?} {ratio:>7.2}", before.hits, before.time, after.time);
    }
    println!("{}", measure::plan(&among, &raw).await);
}

/// A database with the one user's messages, and at least `others` of others; and how many they are.
async fn store(url: &str, others: usize) -> (Database, DatabaseConnection, usize) {
    let database = Database::connect(Address::parse(url).unwrap(), 4).await.unwrap();
    database.migrate_up().await.unwrap_or_else(|error| panic!("{error:?}"));
    let raw = sea_orm::Database::connect(url).await.unwrap();
    fill::own(&database, OWN).await;
    let others = if others > 0 { fill::others(&raw, others).await } else { 0 };
    raw.execute_unprepared("ANALYZE").await.unwrap();
    (database, raw, others)
}
