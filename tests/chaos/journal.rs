//! What happened, as everybody in the run tells it.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// More violations than this are counted only.
const SHOWN: usize = 30;

/// What a run must have seen to prove anything.
const NEEDED: [&str; 7] = [
    "messages acknowledged",
    "kills",
    "freezes",
    "database restarts",
    "takeovers seen",
    "returns of readers",
    "changes followed",
];

/// What became of a message that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The server acknowledged it.
    Stored(Stored),
    /// The server refused it, and no attempt is left of which nobody knows.
    Refused,
    /// Nobody knows.
    Unknown,
}

/// The rows that a message has become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    pub conversation: String,
    pub message: String,
    pub reply: String,
}

/// A message that was sent.
#[derive(Clone, Debug)]
pub struct Sent {
    pub user: usize,
    pub content: String,
    pub fate: Fate,
}

/// What a reader has of a reply.
#[derive(Clone, Debug, Default)]
pub struct Read {
    pub user: usize,
    pub conversation: String,
    pub text: String,
    pub cursor: Option<String>,
    pub reply: String,
}

/// A message as `changes` told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenMessage {
    pub conversation: String,
    pub status: String,
    pub content: String,
    pub position: i64,
}

/// What a device has learnt from `changes`.
#[derive(Clone, Debug, Default)]
pub struct Replica {
    pub user: usize,
    pub cursor: Option<String>,
    /// Titles.
    pub conversations: HashMap<String, Option<String>>,
    pub messages: HashMap<String, SeenMessage>,
}

/// What happened.
#[derive(Debug, Default)]
pub struct Journal {
    counts: Mutex<BTreeMap<&'static str, u64>>,
    longest: Mutex<BTreeMap<&'static str, Duration>>,
    violations: Mutex<Vec<String>>,
    /// By idempotency key.
    sent: Mutex<HashMap<String, Sent>>,
    read: Mutex<Vec<Read>>,
    replicas: Mutex<Vec<Replica>>,
    /// When the database was away, or this machine had no time for the run.
    disturbances: Mutex<Vec<(Instant, Option<Instant>)>>,
}

impl Journal {
    pub fn count(&self, what: &'static str) {
        self.add(what, 1);
    }

    pub fn add(&self, what: &'static str, number: u64) {
        *self.counts.lock().unwrap().entry(what).or_default() += number;
    }

    /// Something without which the run proves nothing, and which has not been seen yet.
    pub fn missing(&self) -> Option<&'static str> {
        let counts = self.counts.lock().unwrap();
        NEEDED.into_iter().find(|needed| counts.get(needed).is_none_or(|count| *count == 0))
    }

    /// Keeps the longest of all times of a kind.
    pub fn time(&self, what: &'static str, time: Duration) {
        let mut longest = self.longest.lock().unwrap();
        let known = longest.entry(what).or_default();
        *known = time.max(*known);
    }

    /// A promise was broken.
    pub fn violation(&self, what: &str) {
        self.violations.lock().unwrap().push(what.to_owned());
    }

    pub fn violations(&self) -> usize {
        self.violations.lock().unwrap().len()
    }

    /// Notes what became of a message; what one attempt says must agree with what another said.
    pub fn sent(&self, key: &str, sent: Sent) {
        let mut all = self.sent.lock().unwrap();
        match all.get_mut(key) {
            None => {
                all.insert(key.to_owned(), sent);
            }
            Some(known) => match (&known.fate, &sent.fate) {
                (Fate::Stored(one), Fate::Stored(other)) if one != other => {
                    self.violation(&format!("one key, two messages: {one:?} and {other:?}"));
                }
                (Fate::Stored(_), _) => {}
                (_, Fate::Stored(_)) | (Fate::Refused, Fate::Unknown) => *known = sent,
                _ => {}
            },
        }
    }

    pub fn all_sent(&self) -> HashMap<String, Sent> {
        self.sent.lock().unwrap().clone()
    }

    pub fn read(&self) -> MutexGuard<'_, Vec<Read>> {
        self.read.lock().unwrap()
    }

    pub fn replicas(&self) -> MutexGuard<'_, Vec<Replica>> {
        self.replicas.lock().unwrap()
    }

    /// From now on times prove nothing; returns the name to give to [`Self::calm`].
    pub fn disturb(&self) -> usize {
        let mut disturbances = self.disturbances.lock().unwrap();
        disturbances.push((Instant::now(), None));
        disturbances.len() - 1
    }

    /// The end of a disturbance.
    pub fn calm(&self, disturbance: usize) {
        self.disturbances.lock().unwrap()[disturbance].1 = Some(Instant::now());
    }

    /// Notes a disturbance that is over.
    pub fn disturbed(&self, from: Instant, to: Instant) {
        self.disturbances.lock().unwrap().push((from, Some(to)));
    }

    /// Whether nothing disturbed from one instant to the other.
    pub fn was_calm(&self, from: Instant, to: Instant) -> bool {
        let disturbances = self.disturbances.lock().unwrap();
        !disturbances.iter().any(|(began, ended)| *began <= to && ended.is_none_or(|ended| ended >= from))
    }

    /// The figures, and the violations.
    pub fn report(&self) -> String {
        let mut report = String::new();
        for (what, count) in &*self.counts.lock().unwrap() {
            let _ = writeln!(report, "  {count:>7}  {what}");
        }
        for (what, time) in &*self.longest.lock().unwrap() {
            let _ = writeln!(report, "  {:>5} ms  longest {what}", time.as_millis());
        }
        let violations = self.violations.lock().unwrap();
        let _ = writeln!(report, "  {:>7}  violations", violations.len());
        for violation in violations.iter().take(SHOWN) {
            let _ = writeln!(report, "    - {violation}");
        }
        if violations.len() > SHOWN {
            let _ = writeln!(report, "    … and {} more", violations.len() - SHOWN);
        }
        report
    }
}
