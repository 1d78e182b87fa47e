//! All servers of a run, what is done to them, and when.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::time::sleep;
use uuid::Uuid;

use crate::journal::Journal;
use crate::server::Server;

/// How long a server that was told to stop gives its replies.
pub const DRAIN: Duration = Duration::from_secs(1);

/// How long a stopping server may take in all: its drain, handing over, and ending its requests.
const STOP_PATIENCE: Duration = Duration::from_secs(12);

/// All servers of a run. There is a place for each; a restarted one takes its predecessor's.
#[derive(Debug)]
pub struct Fleet {
    database: String,
    arguments: Vec<String>,
    logs: PathBuf,
    journal: Arc<Journal>,
    /// Servers start one after another, so that the time in a name tells whose it is.
    starting: tokio::sync::Mutex<()>,
    urls: Mutex<Vec<String>>,
    lives: Mutex<Vec<Life>>,
}

/// What is known of one process.
#[derive(Clone, Debug)]
struct Life {
    born: (u64, u64),
    /// When it was without life; without an end if it is dead.
    absences: Vec<(Instant, Option<Instant>)>,
}

/// A server in its place.
#[derive(Debug)]
pub struct Post {
    place: usize,
    life: usize,
    server: Server,
}

impl Fleet {
    pub fn new(database: String, arguments: Vec<String>, logs: PathBuf, journal: Arc<Journal>) -> Self {
        let (starting, urls, lives) = Default::default();
        Self { database, arguments, logs, journal, starting, urls, lives }
    }

    /// Starts a server, again and again while the database is away.
    pub async fn start(&self, place: usize) -> Post {
        let _one = self.starting.lock().await;
        let log = self.logs.join(format!("server-{place}.log"));
        loop {
            match Server::start(&self.database, &self.arguments, &log).await {
                Ok(server) => {
                    let mut urls = self.urls.lock().unwrap();
                    if urls.len() <= place {
                        urls.resize(place + 1, String::new());
                    }
                    server.url().clone_into(&mut urls[place]);
                    let mut lives = self.lives.lock().unwrap();
                    lives.push(Life { born: server.born, absences: Vec::new() });
                    return Post { place, life: lives.len() - 1, server };
                }
                Err(_) => sleep(Duration::from_millis(100)).await,
            }
        }
    }

    /// The address of any server, perhaps a dead one; not `but` if there is another.
    pub fn any(&self, chance: &mut fastrand::Rng, but: Option<&str>) -> String {
        let urls = self.urls.lock().unwrap();
        let others: Vec<&String> = urls.iter().filter(|url| but != Some(url)).collect();
        chance.choice(others).unwrap_or(&urls[0]).clone()
    }

    /// `kill -9`, and a new one after `pause`.
    pub async fn kill(&self, post: &mut Post, pause: Duration) {
        self.journal.count("kills");
        self.leave(post, None);
        post.server.kill().await;
        sleep(pause).await;
        *post = self.start(post.place).await;
    }

    /// No life for so long.
    pub async fn freeze(&self, post: &mut Post, time: Duration) {
        self.journal.count("freezes");
        let began = Instant::now();
        self.leave(post, None);
        post.server.signal("STOP").await;
        sleep(time).await;
        post.server.signal("CONT").await;
        self.lives.lock().unwrap()[post.life].absences.pop();
        self.leave(post, Some((began, Instant::now())));
    }

    /// SIGTERM, and a new one once it has gone, as a rolling update does. It must go as promised.
    pub async fn renew(&self, post: &mut Post) {
        self.journal.count("graceful stops");
        self.stop(post).await;
        *post = self.start(post.place).await;
    }

    /// SIGTERM, to the end.
    pub async fn stop(&self, post: &mut Post) {
        post.server.signal("TERM").await;
        let status = post.server.wait(STOP_PATIENCE).await;
        self.leave(post, None);
        match status {
            None => {
                self.journal.violation("a server that was told to stop did not");
                post.server.kill().await;
            }
            Some(status) if !status.success() => {
                self.journal.violation(&format!("a server that was told to stop ended with {status}"));
            }
            Some(_) => {}
        }
    }

    /// Whether the server has ended though nobody told it to.
    pub fn check(&self, post: &mut Post) {
        if let Some(status) = post.server.ended() {
            self.journal.violation(&format!("a server ended by itself: {status}"));
        }
    }

    fn leave(&self, post: &Post, absence: Option<(Instant, Instant)>) {
        let absence = absence.map_or((Instant::now(), None), |(from, to)| (from, Some(to)));
        self.lives.lock().unwrap()[post.life].absences.push(absence);
    }

    /// Since when the server that holds leases under `name` has been without life, if it is at `now`.
    pub fn absent_since(&self, name: Uuid, now: Instant) -> Option<Instant> {
        let (seconds, nanoseconds) = name.get_timestamp()?.to_unix();
        let time = seconds * 1000 + u64::from(nanoseconds) / 1_000_000;
        let lives = self.lives.lock().unwrap();
        let life = lives.iter().find(|life| (life.born.0..=life.born.1).contains(&time))?;
        let absence = life.absences.iter().find(|(from, to)| *from <= now && to.is_none_or(|to| now < to))?;
        Some(absence.0)
    }

    /// Where the servers' logs are.
    pub fn logs(&self) -> &PathBuf {
        &self.logs
    }
}
