//! What happened, as everybody in the run tells it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use crate::parts::Parts;

/// More violations than this are counted only.
const SHOWN: usize = 30;

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
    pub parts: Parts,
    pub cursor: Option<String>,
    pub reply: String,
    /// The request for the reply, which may be repeated: its field, and its input with the key.
    pub request: Option<(&'static str, serde_json::Value)>,
}

/// A message as `changes` told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenMessage {
    pub conversation: String,
    pub status: String,
    pub content: String,
    pub position: i64,
    pub parent: Option<String>,
}

/// What a device has learnt from `changes`.
#[derive(Clone, Debug, Default)]
pub struct Replica {
    pub user: usize,
    pub cursor: Option<String>,
    /// Titles.
    pub conversations: HashMap<String, Option<String>>,
    pub messages: HashMap<String, SeenMessage>,
    /// The last message of each conversation's active path.
    pub lasts: HashMap<String, Option<String>>,
    /// Conversations that came back from the trash: their messages were not told of, but read.
    pub restored: HashSet<String>,
    /// Of these, those whose messages are still to be read.
    pub unread: HashSet<String>,
}

impl Replica {
    /// The active path of a conversation, last message first, as a device works it out; `None` if it does not know one
    /// of the messages.
    pub fn path(&self, conversation: &str) -> Option<Vec<&str>> {
        let (mut path, mut next) = (Vec::new(), self.lasts.get(conversation)?.as_deref());
        while let Some(id) = next {
            next = self.messages.get(id)?.parent.as_deref();
            path.push(id);
        }
        Some(path)
    }
}

/// What may make times prove nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The database was away, slow or silent.
    Database,
    /// This machine had no time for the run.
    Machine,
}

/// A time in which times prove nothing.
#[derive(Clone, Copy, Debug)]
struct Disturbance {
    cause: Cause,
    from: Instant,
    /// None while it lasts.
    to: Option<Instant>,
}

impl Disturbance {
    fn overlaps(&self, from: Instant, to: Instant) -> bool {
        self.from <= to && self.to.is_none_or(|end| end >= from)
    }
}

/// What happened.
#[derive(Debug, Default)]
pub struct Journal {
    /// What a run must have seen to prove anything.
    needed: Vec<&'static str>,
    counts: Mutex<BTreeMap<&'static str, u64>>,
    longest: Mutex<BTreeMap<&'static str, Duration>>,
    violations: Mutex<Vec<String>>,
    /// By idempotency key.
    sent: Mutex<HashMap<String, Sent>>,
    read: Mutex<Vec<Read>>,
    replicas: Mutex<Vec<Replica>>,
    disturbances: Mutex<Vec<Disturbance>>,
}

impl Journal {
    /// A journal of a run that proves nothing unless it has seen each of these.
    pub fn new(needed: Vec<&'static str>) -> Self {
        Self { needed, ..Self::default() }
    }

    pub fn count(&self, what: &'static str) {
        self.add(what, 1);
    }

    pub fn add(&self, what: &'static str, number: u64) {
        *self.counts.lock().unwrap().entry(what).or_default() += number;
    }

    /// Something without which the run proves nothing, and which has not been seen yet.
    pub fn missing(&self) -> Option<&'static str> {
        let counts = self.counts.lock().unwrap();
        let seen = |needed: &&&str| counts.get(**needed).is_some_and(|count| *count > 0);
        self.needed.iter().find(|needed| !seen(needed)).copied()
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

    /// From now on the database is away, slow or silent; returns the name to give to [`Self::calm`].
    pub fn disturb(&self) -> usize {
        let mut disturbances = self.disturbances.lock().unwrap();
        disturbances.push(Disturbance { cause: Cause::Database, from: Instant::now(), to: None });
        disturbances.len() - 1
    }

    /// The end of a disturbance.
    pub fn calm(&self, disturbance: usize) {
        self.disturbances.lock().unwrap()[disturbance].to = Some(Instant::now());
    }

    /// Notes a disturbance that is over.
    pub fn disturbed(&self, cause: Cause, from: Instant, to: Instant) {
        self.disturbances.lock().unwrap().push(Disturbance { cause, from, to: Some(to) });
    }

    /// Since when nothing has disturbed, if nothing does at `now`: since `from` at the earliest.
    pub fn calm_since(&self, from: Instant, now: Instant) -> Option<Instant> {
        let disturbances = self.disturbances.lock().unwrap();
        let mut since = from;
        for disturbance in disturbances.iter().filter(|disturbance| disturbance.overlaps(from, now)) {
            since = since.max(disturbance.to?);
        }
        Some(since)
    }

    /// How much of the time between two instants nothing has disturbed.
    pub fn calm_within(&self, from: Instant, to: Instant) -> Duration {
        let disturbances = self.disturbances.lock().unwrap();
        let mut disturbed: Vec<_> = disturbances
            .iter()
            .filter(|disturbance| disturbance.overlaps(from, to))
            .map(|disturbance| (disturbance.from.max(from), disturbance.to.unwrap_or(to).min(to)))
            .collect();
        disturbed.sort_unstable();
        let (mut calm, mut since) = (Duration::ZERO, from);
        for (begin, end) in disturbed {
            calm += begin.saturating_duration_since(since);
            since = since.max(end);
        }
        calm + to.saturating_duration_since(since)
    }

    /// When the first of the database's disturbances between two instants began; the first instant if there was none.
    pub fn trouble_since(&self, from: Instant, to: Instant) -> Instant {
        let disturbances = self.disturbances.lock().unwrap();
        let database =
            disturbances.iter().filter(|one| one.cause == Cause::Database && one.overlaps(from, to));
        database.map(|one| one.from).fold(from, Instant::min)
    }

    /// The longest time in which this machine had no time for the run, of those between two instants.
    pub fn longest_stall(&self, from: Instant, to: Instant) -> Duration {
        let disturbances = self.disturbances.lock().unwrap();
        let stalls = disturbances.iter().filter(|one| one.cause == Cause::Machine && one.overlaps(from, to));
        stalls.filter_map(|one| Some(one.to? - one.from)).max().unwrap_or_default()
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
