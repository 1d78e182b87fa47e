//! All servers of a run, what is done to them, and when.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::time::sleep;
use uuid::Uuid;

use crate::journal::Journal;
use crate::server::{Limits, Server};

/// How long a server that was told to stop gives its replies.
pub const DRAIN: Duration = Duration::from_secs(1);

/// How long a stopping server may take in all, whatever becomes of the database meanwhile: its drain, and a few seconds
/// for handing over and for ending its requests.
const STOP_PATIENCE: Duration = Duration::from_secs(7);

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
    lifetimes: Mutex<Vec<Lifetime>>,
}

/// What is known of one process.
#[derive(Clone, Debug)]
struct Lifetime {
    born: (u64, u64),
    /// Since when it is known.
    since: Instant,
    /// When it was without life; without an end if it is dead.
    absences: Vec<(Instant, Option<Instant>)>,
    /// Whether it was told to stop, and hands its replies over.
    leaving: bool,
}

impl Lifetime {
    /// Whether it was never without life from one instant to the other.
    fn was_there(&self, from: Instant, to: Instant) -> bool {
        !self.absences.iter().any(|(left, back)| *left <= to && back.is_none_or(|back| back >= from))
    }
}

/// A server in its place.
#[derive(Debug)]
pub struct ServerSlot {
    place: usize,
    life: usize,
    server: Server,
}

impl Fleet {
    pub fn new(database: String, arguments: Vec<String>, logs: PathBuf, journal: Arc<Journal>) -> Self {
        let (starting, urls, lifetimes) = Default::default();
        Self { database, arguments, logs, journal, starting, urls, lifetimes }
    }

    /// Starts a server, again and again while the database is away. `{place}` in its arguments is its place.
    pub async fn start(&self, place: usize) -> ServerSlot {
        let _one = self.starting.lock().await;
        let log = self.logs.join(format!("server-{place}.log"));
        let own = |argument: &String| argument.replace("{place}", &place.to_string());
        let arguments: Vec<String> = self.arguments.iter().map(own).collect();
        loop {
            match Server::start(&self.database, Limits::None, &arguments, &log).await {
                Ok(server) => {
                    let mut urls = self.urls.lock().unwrap();
                    if urls.len() <= place {
                        urls.resize(place + 1, String::new());
                    }
                    server.url().clone_into(&mut urls[place]);
                    return ServerSlot { place, life: self.note(server.born, Instant::now()), server };
                }
                Err(_) => sleep(Duration::from_millis(100)).await,
            }
        }
    }

    /// Notes a process that made its name up between two instants, in Unix milliseconds, and lives since a third one.
    /// Returns its number.
    pub fn note(&self, born: (u64, u64), since: Instant) -> usize {
        let mut lifetimes = self.lifetimes.lock().unwrap();
        lifetimes.push(Lifetime { born, since, absences: Vec::new(), leaving: false });
        lifetimes.len() - 1
    }

    /// The address of any server, perhaps a dead one; not `but` if there is another.
    pub fn any(&self, chance: &mut fastrand::Rng, but: Option<&str>) -> String {
        let urls = self.urls.lock().unwrap();
        let others: Vec<&String> = urls.iter().filter(|url| but != Some(url)).collect();
        chance.choice(others).unwrap_or(&urls[0]).clone()
    }

    /// `kill -9`, and a new one after `pause`.
    pub async fn kill(&self, slot: &mut ServerSlot, pause: Duration) {
        self.journal.count("kills");
        self.die(slot.life, Instant::now());
        slot.server.kill().await;
        sleep(pause).await;
        *slot = self.start(slot.place).await;
    }

    /// No life for so long.
    pub async fn freeze(&self, slot: &mut ServerSlot, time: Duration) {
        self.journal.count("freezes");
        self.die(slot.life, Instant::now());
        slot.server.signal("STOP").await;
        sleep(time).await;
        slot.server.signal("CONT").await;
        self.revive(slot.life);
    }

    /// SIGTERM, and a new one once it has gone, as a rolling update does. It must go as promised.
    pub async fn renew(&self, slot: &mut ServerSlot) {
        self.journal.count("graceful stops");
        self.stop(slot).await;
        *slot = self.start(slot.place).await;
    }

    /// SIGTERM, to the end.
    pub async fn stop(&self, slot: &mut ServerSlot) {
        self.lifetimes.lock().unwrap()[slot.life].leaving = true;
        let began = Instant::now();
        slot.server.signal("TERM").await;
        let status = slot.server.wait(STOP_PATIENCE).await;
        self.journal.time("time to a graceful stop", began.elapsed());
        self.die(slot.life, Instant::now());
        match status {
            None => {
                self.journal.violation("a server that was told to stop did not");
                slot.server.kill().await;
            }
            Some(status) if !status.success() => {
                self.journal.violation(&format!("a server that was told to stop ended with {status}"));
            }
            Some(_) => {}
        }
    }

    /// Whether the server has ended though nobody told it to.
    pub fn check(&self, slot: &mut ServerSlot) {
        if let Some(status) = slot.server.ended() {
            self.journal.violation(&format!("a server ended by itself: {status}"));
        }
    }

    /// Notes that a process is without life from an instant on.
    pub fn die(&self, life: usize, from: Instant) {
        self.lifetimes.lock().unwrap()[life].absences.push((from, None));
    }

    /// Notes that it has come back to life.
    fn revive(&self, life: usize) {
        if let Some(absence) = self.lifetimes.lock().unwrap()[life].absences.last_mut() {
            absence.1 = Some(Instant::now());
        }
    }

    /// Since when the server that holds leases under `name` has been without life, if it is at `now`.
    pub fn absent_since(&self, name: Uuid, now: Instant) -> Option<Instant> {
        let lifetimes = self.lifetimes.lock().unwrap();
        let life = lifetime_of(&lifetimes, name)?;
        let absence = life.absences.iter().find(|(from, to)| *from <= now && to.is_none_or(|to| now < to))?;
        Some(absence.0)
    }

    /// Whether the server that holds leases under `name` has lived from one instant to the other, and had no reason to
    /// give its replies away.
    pub fn lived(&self, name: Uuid, from: Instant, to: Instant) -> bool {
        let lifetimes = self.lifetimes.lock().unwrap();
        lifetime_of(&lifetimes, name).is_some_and(|life| !life.leaving && life.was_there(from, to))
    }

    /// Whether there was a server from one instant to the other that could take replies over.
    pub fn anybody_lived(&self, from: Instant, to: Instant) -> bool {
        let lifetimes = self.lifetimes.lock().unwrap();
        lifetimes.iter().any(|life| !life.leaving && life.since <= from && life.was_there(from, to))
    }

    /// Where the servers' logs are.
    pub fn logs(&self) -> &PathBuf {
        &self.logs
    }
}

fn lifetime_of(lifetimes: &[Lifetime], name: Uuid) -> Option<&Lifetime> {
    let (seconds, nanoseconds) = name.get_timestamp()?.to_unix();
    let time = seconds * 1000 + u64::from(nanoseconds) / 1_000_000;
    lifetimes.iter().find(|life| (life.born.0..=life.born.1).contains(&time))
}

impl ServerSlot {
    /// The address that it serves.
    pub fn url(&self) -> &str {
        self.server.url()
    }
}
