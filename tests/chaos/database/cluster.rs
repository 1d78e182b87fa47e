//! The PostgreSQL cluster of the run, which is to be restarted under everybody's feet, and its standby.

use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::connect;

/// How long a standby may take to have all that its primary has.
const CATCHING_UP: Duration = Duration::from_secs(30);

/// How long one of PostgreSQL's programs may take.
const PROGRAM_LIMIT: Duration = Duration::from_secs(90);

const PORTS_TRIED: usize = 100;

/// How often a standby looks for a primary that went away, and where it may not look for standbys of its own.
const STANDBY: &str = "wal_retrieve_retry_interval = '200ms'\nsynchronous_standby_names = ''\n";

/// A running cluster, and a new database in it.
#[derive(Debug)]
pub struct Cluster {
    url: url::Url,
    programs: PathBuf,
    /// Who may start it, if it is not who runs this.
    owner: Option<(u32, u32)>,
    primary: Mutex<Node>,
    standby: Mutex<Option<Node>>,
}

/// One server of the cluster.
#[derive(Clone, Debug)]
struct Node {
    data: PathBuf,
    port: u16,
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
            primary: Mutex::new(Node { data, port: url.port().unwrap_or(5432) }),
            standby: Mutex::default(),
            url,
            programs: programs.into(),
            owner: (theirs.uid() != mine).then(|| (theirs.uid(), theirs.gid())),
        })
    }

    /// The address of the database.
    pub fn url(&self) -> String {
        self.url_by(self.port())
    }

    /// The address of the database if `port` leads to it.
    pub fn url_by(&self, port: u16) -> String {
        let mut url = self.url.clone();
        let _ = url.set_port(Some(port));
        url.into()
    }

    /// The primary's port.
    pub fn port(&self) -> u16 {
        self.primary.lock().unwrap().port
    }

    /// A pool of connections past all rules of the server.
    ///
    /// # Errors
    /// If the database is away.
    pub async fn connect(&self) -> Result<DatabaseConnection, String> {
        connect(&self.url()).await
    }

    /// Stops the primary: `fast` ends all sessions, `immediate` is as good as a crash.
    ///
    /// # Errors
    /// If it does not stop.
    pub async fn stop(&self, mode: &str) -> Result<(), String> {
        let primary = self.primary.lock().unwrap().clone();
        self.control(&primary, &["stop", "-m", mode]).await
    }

    /// Starts the primary where it was.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn start(&self) -> Result<(), String> {
        let primary = self.primary.lock().unwrap().clone();
        self.start_node(&primary).await
    }

    /// Gives the primary a standby without which it acknowledges no commit from then on.
    ///
    /// # Errors
    /// If there can be none.
    pub async fn add_standby(&self) -> Result<(), String> {
        let port = free_port().await?;
        let name = format!("standby_{port}");
        let data = self.primary.lock().unwrap().data.with_file_name(&name);
        let standby = Node { data, port };
        let mut source = self.url.clone();
        let _ = source.set_port(Some(self.port()));
        source.set_path("postgres");
        source.query_pairs_mut().append_pair("application_name", &name);
        let directory = standby.data.display().to_string();
        let arguments = ["-D", &directory, "-R", "-X", "stream", "-c", "fast", "--no-sync", "-d"];
        self.run("pg_basebackup", &[&arguments[..], &[source.as_str()]].concat()).await?;
        let settings = standby.data.join("postgresql.auto.conf");
        let settings = std::fs::File::options().append(true).open(settings);
        settings
            .and_then(|mut file| file.write_all(STANDBY.as_bytes()))
            .map_err(|error| format!("{directory}: {error}"))?;
        self.start_node(&standby).await?;
        *self.standby.lock().unwrap() = Some(standby);
        let connection = self.connect().await?;
        let names = format!("ALTER SYSTEM SET synchronous_standby_names = '\"{name}\"'");
        for sql in [names.as_str(), "SELECT pg_reload_conf()"] {
            connection.execute_unprepared(sql).await.map_err(|error| error.to_string())?;
        }
        let began = Instant::now();
        while began.elapsed() < CATCHING_UP {
            let state =
                "SELECT coalesce(max(sync_state), '') FROM pg_stat_replication WHERE state = 'streaming'";
            if text(&connection, state).await? == "sync" {
                // Commits wait for it once the checkpointer has heard of it.
                let checkpoint = connection.execute_unprepared("CHECKPOINT").await;
                checkpoint.map_err(|error| error.to_string())?;
                return connection.close().await.map_err(|error| error.to_string());
            }
            sleep(Duration::from_millis(50)).await;
        }
        Err("the standby does not catch up".to_owned())
    }

    /// `kill -9` for the primary and all its processes: its machine is no more.
    ///
    /// # Errors
    /// If it does not run.
    pub async fn kill(&self) -> Result<(), String> {
        let primary = self.primary.lock().unwrap().clone();
        let file = primary.data.join("postmaster.pid");
        let file = std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        let postmaster = file.lines().next().unwrap_or_default().to_owned();
        // It must not start new ones meanwhile.
        signal("STOP", std::slice::from_ref(&postmaster)).await?;
        let mut all = children(&postmaster);
        all.push(postmaster);
        signal("KILL", &all).await
    }

    /// Makes the standby the primary, and removes what is left of the old one, which must be dead.
    ///
    /// # Errors
    /// If there is no standby, or it cannot be promoted.
    pub async fn promote(&self) -> Result<(), String> {
        let standby = self.standby.lock().unwrap().take().ok_or("there is no standby")?;
        self.control(&standby, &["promote"]).await?;
        let old = std::mem::replace(&mut *self.primary.lock().unwrap(), standby);
        let _ = std::fs::remove_dir_all(old.data);
        Ok(())
    }

    async fn start_node(&self, node: &Node) -> Result<(), String> {
        let log = node.data.with_file_name("restarts.log");
        let options = format!("-p {}", node.port);
        self.control(node, &["start", "-o", &options, "-l", &log.to_string_lossy()]).await
    }

    async fn control(&self, node: &Node, arguments: &[&str]) -> Result<(), String> {
        let data = node.data.to_string_lossy();
        self.run("pg_ctl", &[arguments, &["-w", "-s", "-D", &data]].concat()).await
    }

    async fn run(&self, program: &str, arguments: &[&str]) -> Result<(), String> {
        let mut command = Command::new(self.programs.join(program));
        command.args(arguments).current_dir("/");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Some((user, group)) = self.owner {
            command.uid(user).gid(group);
        }
        let status = timeout(PROGRAM_LIMIT, command.kill_on_drop(true).status()).await;
        let status = status.map_err(|_| format!("{program} {} does not end", arguments[0]))?;
        let status = status.map_err(|error| format!("{program}: {error}"))?;
        if status.success() { Ok(()) } else { Err(format!("{program} {}: {status}", arguments[0])) }
    }
}

/// A port that no connection takes while nobody listens there: the system gives them ports from 32768 on.
async fn free_port() -> Result<u16, String> {
    for _ in 0..PORTS_TRIED {
        let port = fastrand::u16(10_000..30_000);
        if TcpListener::bind(("127.0.0.1", port)).await.is_ok() {
            return Ok(port);
        }
    }
    Err("no port is free".to_owned())
}

/// The processes that a process has started.
fn children(parent: &str) -> Vec<String> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let parent_of = |path: &Path| {
        let stat = std::fs::read_to_string(path.join("stat")).ok()?;
        // The name stands in brackets, and may hold anything.
        stat.rsplit(") ").next()?.split(' ').nth(1).map(str::to_owned)
    };
    let children = processes.filter(|process| parent_of(&process.path()).as_deref() == Some(parent));
    children.filter_map(|process| process.file_name().into_string().ok()).collect()
}

async fn signal(name: &str, processes: &[String]) -> Result<(), String> {
    let status = Command::new("kill").arg(format!("-{name}")).args(processes).stderr(Stdio::null()).status();
    // One of them may have ended by itself.
    status.await.map(drop).map_err(|error| format!("kill: {error}"))
}

async fn text(connection: &DatabaseConnection, sql: &str) -> Result<String, String> {
    let statement = Statement::from_string(DbBackend::Postgres, sql);
    let row = connection.query_one_raw(statement).await.map_err(|error| error.to_string())?;
    let row = row.ok_or_else(|| format!("{sql}: no row"))?;
    row.try_get_by_index(0).map_err(|error| error.to_string())
}
