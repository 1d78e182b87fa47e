//! A database of a test's own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use causerie::database::{Address, Database};
use sea_orm::{ConnectOptions, ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use tempfile::TempDir;
use uuid::Uuid;

use super::Proxy;
use super::server::Observer;

/// A new, empty database. It is gone when this is.
pub struct TestDatabase {
    url: String,
    /// Of an SQLite database: where its file is. Servers hold it as well.
    directory: Arc<TempDir>,
    /// Of a PostgreSQL database: its name, and where to drop it.
    cluster: Option<(String, String)>,
}

impl TestDatabase {
    /// A new SQLite file.
    pub fn sqlite() -> Self {
        let directory = Arc::new(TempDir::new().unwrap());
        let url = format!("sqlite://{}?mode=rwc", directory.path().join("test.db").display());
        Self { url, directory, cluster: None }
    }

    /// A new database in the cluster that `TEST_POSTGRES_URL` leads to. Tests that need it are ignored unless they are
    /// asked for.
    pub async fn postgres() -> Self {
        let cluster = std::env::var("TEST_POSTGRES_URL");
        let cluster =
            cluster.expect("TEST_POSTGRES_URL leads to PostgreSQL, as scripts/with-postgres sets it");
        let name = format!("test_{}", Uuid::now_v7().simple());
        administer(&cluster, &format!("CREATE DATABASE {name}")).await;
        let mut url = url::Url::parse(&cluster).unwrap();
        url.set_path(&name);
        let directory = Arc::new(TempDir::new().unwrap());
        Self { url: url.into(), directory, cluster: Some((cluster, name)) }
    }

    pub fn is_postgres(&self) -> bool {
        self.url.starts_with("postgres")
    }

    /// A new PostgreSQL database, a proxy before it, and the database behind that proxy.
    pub async fn behind_a_proxy() -> (Self, Proxy, Self) {
        let database = Self::postgres().await;
        let proxy = Proxy::to(database.url()).await;
        let behind = database.behind(&proxy);
        (database, proxy, behind)
    }

    /// The same PostgreSQL database by another way.
    #[must_use]
    pub fn behind(&self, proxy: &Proxy) -> Self {
        self.at(proxy.url(&self.url))
    }

    /// The same PostgreSQL database by another address.
    #[must_use]
    pub fn at(&self, url: String) -> Self {
        Self { url, directory: self.directory.clone(), cluster: None }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// A directory that lives as long as the database.
    pub fn directory(&self) -> &std::path::Path {
        self.directory.path()
    }

    /// What keeps the files of the database.
    pub(super) fn files(&self) -> Arc<TempDir> {
        self.directory.clone()
    }

    /// A connection as the server makes one, migrated.
    pub async fn connect(&self) -> Database {
        let database = Database::connect(Address::parse(&self.url).unwrap(), 12).await.unwrap();
        database.migrate_up().await.expect("the database can be migrated");
        database
    }

    /// A connection of its own, past all rules of the server.
    pub async fn raw(&self) -> DatabaseConnection {
        plain(&self.url).await
    }

    /// The first column of the first row of `sql`, which must be a number.
    pub async fn number(&self, sql: &str) -> i64 {
        let connection = self.raw().await;
        let backend = if self.is_postgres() { DbBackend::Postgres } else { DbBackend::Sqlite };
        let row = connection.query_one_raw(Statement::from_string(backend, sql)).await.unwrap().unwrap();
        let number = row.try_get_by_index(0).unwrap();
        connection.close().await.unwrap();
        number
    }
}

impl TestDatabase {
    /// Waits until [`Self::number`] is `wanted`.
    pub async fn becomes(&self, sql: &str, wanted: i64) {
        let wait = async { while self.number(sql).await != wanted {} };
        let waited = tokio::time::timeout(std::time::Duration::from_secs(30), wait).await;
        assert!(waited.is_ok(), "{sql} does not become {wanted}");
    }
}

impl TestDatabase {
    /// What runs `sql`, once, just before the first statement of a server that begins with `statement`: as though another
    /// server were quicker.
    pub fn just_before(&self, statement: &'static str, sql: &'static str) -> Observer {
        let (url, is_done) = (self.url.clone(), AtomicBool::new(false));
        Arc::new(move |next: &Statement| {
            if next.sql.starts_with(statement) && !is_done.swap(true, Ordering::SeqCst) {
                let url = url.clone();
                let run = move || {
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                    runtime.block_on(administer(&url, sql));
                };
                std::thread::spawn(run).join().unwrap();
            }
        })
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let Some((cluster, name)) = self.cluster.take() else { return };
        // The test's runtime may be going down: a thread with one of its own is always possible.
        let drop_it = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(administer(&cluster, &format!("DROP DATABASE {name} WITH (FORCE)")));
        });
        drop(drop_it.join());
    }
}

async fn administer(cluster: &str, sql: &str) {
    let connection = plain(cluster).await;
    connection.execute_unprepared(sql).await.unwrap();
    connection.close().await.unwrap();
}

/// A connection without the pool's limits in time, see `database::connect` in the server.
async fn plain(url: &str) -> DatabaseConnection {
    let mut options = ConnectOptions::new(url);
    options.idle_timeout(None).max_lifetime(None);
    sea_orm::Database::connect(options).await.unwrap()
}
