//! The PostgreSQL cluster of the run, which is to be restarted under everybody's feet.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use sea_orm::{ConnectOptions, ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use tokio::process::Command;
use uuid::Uuid;

/// A running cluster, and a new database in it.
#[derive(Debug)]
pub struct Cluster {
    url: String,
    port: u16,
    programs: PathBuf,
    data: PathBuf,
    /// Who may start it, if it is not who runs this.
    owner: Option<(u32, u32)>,
}

impl Cluster {
    /// The cluster that `TEST_POSTGRES_URL` leads to, as superuser.
    ///
    /// # Errors
    /// A sentence that tells what is missing.
    pub async fn find() -> Result<Self, String> {
        let url = std::env::var("TEST_POSTGRES_URL")
            .map_err(|_| "TEST_POSTGRES_URL is not set; scripts/with-postgres sets it".to_owned())?;
        let mut url = url::Url::parse(&url).map_err(|error| format!("TEST_POSTGRES_URL: {error}"))?;
        let connection = connect(url.as_str()).await?;
        let data = PathBuf::from(text(&connection, "SHOW data_directory").await?);
        let programs = text(&connection, "SELECT setting FROM pg_config WHERE name = 'BINDIR'").await?;
        let name = format!("chaos_{}", Uuid::now_v7().simple());
        let create = format!("CREATE DATABASE {name}");
        connection.execute_unprepared(&create).await.map_err(|error| error.to_string())?;
        connection.close().await.map_err(|error| error.to_string())?;
        url.set_path(&name);
        let mine = std::fs::metadata("/proc/self").map_err(|error| error.to_string())?.uid();
        let theirs = std::fs::metadata(&data).map_err(|error| format!("{}: {error}", data.display()))?;
        Ok(Self {
            port: url.port().unwrap_or(5432),
            url: url.into(),
            programs: programs.into(),
            data,
            owner: (theirs.uid() != mine).then(|| (theirs.uid(), theirs.gid())),
        })
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// A pool of connections past all rules of the server.
    ///
    /// # Errors
    /// If the database is away.
    pub async fn connect(&self) -> Result<DatabaseConnection, String> {
        connect(&self.url).await
    }

    /// Stops the cluster: `fast` ends all sessions, `immediate` is as good as a crash.
    ///
    /// # Errors
    /// If it does not stop.
    pub async fn stop(&self, mode: &str) -> Result<(), String> {
        self.control(&["stop", "-m", mode]).await
    }

    /// Starts the cluster where it was.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn start(&self) -> Result<(), String> {
        let log = self.data.with_file_name("restarts.log");
        let options = format!("-p {}", self.port);
        self.control(&["start", "-o", &options, "-l", &log.to_string_lossy()]).await
    }

    async fn control(&self, arguments: &[&str]) -> Result<(), String> {
        let mut command = Command::new(self.programs.join("pg_ctl"));
        command
            .args(arguments)
            .args(["-w", "-s", "-D"])
            .arg(&self.data)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if let Some((user, group)) = self.owner {
            command.uid(user).gid(group);
        }
        let status = command.status().await.map_err(|error| format!("pg_ctl: {error}"))?;
        if status.success() { Ok(()) } else { Err(format!("pg_ctl {}: {status}", arguments[0])) }
    }
}

async fn connect(url: &str) -> Result<DatabaseConnection, String> {
    let mut options = ConnectOptions::new(url);
    let patience = Duration::from_secs(2);
    options.max_connections(4).acquire_timeout(patience).connect_timeout(patience).sqlx_logging(false);
    // Without the two limits, as in the server.
    options.idle_timeout(None).max_lifetime(None);
    sea_orm::Database::connect(options).await.map_err(|error| error.to_string())
}

async fn text(connection: &DatabaseConnection, sql: &str) -> Result<String, String> {
    let statement = Statement::from_string(DbBackend::Postgres, sql);
    let row = connection.query_one_raw(statement).await.map_err(|error| error.to_string())?;
    let row = row.ok_or_else(|| format!("{sql}: no row"))?;
    row.try_get_by_index(0).map_err(|error| error.to_string())
}
