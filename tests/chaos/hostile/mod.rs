//! What hostile clients cost the others: one server as it is by default, clients who behave, and, after a quiet time,
//! as many as can be thought of who do not. Everybody has an address of their own on the loopback network.

mod attack;
mod guest;
mod line;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use self::attack::Attack;
use self::guest::Guest;
use crate::cluster::Cluster;
use crate::server::Server;

/// How many clients behave.
const GUESTS: usize = 8;

/// How often the server's memory is looked at.
const LOOK: Duration = Duration::from_millis(200);

/// What a server may hold at most, whatever comes.
const MEMORY: u64 = 512 * 1024 * 1024;

/// The defaults, which the servers of other runs do without.
const LIMITS: [&str; 12] = [
    "--user-rate",
    "50",
    "--address-rate",
    "200",
    "--max-user-requests",
    "250",
    "--max-user-sockets",
    "50",
    "--max-user-subscriptions",
    "500",
    "--max-subscriptions",
    "100",
];

/// How a run goes.
struct Settings {
    seconds: u64,
    sqlite: bool,
    /// The names of the only attacks, between commas, if not all of them are made.
    only: Option<String>,
}

impl Settings {
    fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut settings = Self { seconds: 120, sqlite: false, only: None };
        while let Some(flag) = arguments.next() {
            match flag.as_str() {
                "--sqlite" => settings.sqlite = true,
                "--only" => settings.only = Some(arguments.next().ok_or("--only has no value")?),
                "--seconds" => {
                    let text = arguments.next().ok_or("--seconds has no value")?;
                    settings.seconds = text.parse().map_err(|_| format!("seconds: {text} is no number"))?;
                }
                _ => return Err(format!("{flag} is not known: there are --seconds, --sqlite, --only")),
            }
        }
        Ok(settings)
    }
}

/// What the attackers were answered, by attack.
#[derive(Debug, Default)]
struct Tally(Mutex<BTreeMap<&'static str, BTreeMap<String, u64>>>);

impl Tally {
    fn count(&self, attack: &'static str, outcome: &str) {
        *self.0.lock().unwrap().entry(attack).or_default().entry(outcome.to_owned()).or_default() += 1;
    }
}

/// How long requests took, in microseconds.
#[derive(Debug, Default)]
struct Times(Mutex<Vec<u64>>);

impl Times {
    fn add(&self, time: Duration) {
        self.0.lock().unwrap().push(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    /// Those since the last call.
    fn take(&self) -> Vec<u64> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

/// The number of requests, and the times that a half, and 99 of 100, were within.
fn percentiles(times: &[u64]) -> (usize, u64, u64) {
    let mut times = times.to_vec();
    times.sort_unstable();
    let at = |share: usize| times.get(times.len().saturating_sub(1) * share / 100).copied().unwrap_or(0);
    (times.len(), at(50), at(99))
}

/// Makes a run and prints its figures. Returns how many promises were broken.
///
/// # Errors
/// If the run cannot be made.
pub async fn run(arguments: impl Iterator<Item = String>) -> Result<usize, String> {
    let settings = Settings::read(arguments)?;
    let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
    let database = if settings.sqlite {
        format!("sqlite://{}?mode=rwc", directory.path().join("hostile.db").display())
    } else {
        Cluster::find().await?.url().to_owned()
    };
    let log = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("hostile.log");
    let arguments = LIMITS.iter().chain(&["--log", "error"]).map(|text| (*text).to_owned());
    let mut server = Server::start(&database, &arguments.collect::<Vec<_>>(), &log).await?;

    let mut preparing = JoinSet::new();
    for (number, attack) in Attack::all(settings.only.as_deref()).enumerate() {
        preparing.spawn(attack.prepare(number, server.url().to_owned()));
    }
    preparing.join_all().await;

    let (times, end) = (Arc::new(Times::default()), CancellationToken::new());
    let mut guests = JoinSet::new();
    for number in 0..GUESTS {
        let guest = Guest::new(number, server.url(), times.clone())?;
        guests.spawn(guest.stay(end.clone()));
    }
    // What comes first is slower, whoever else is there.
    watch(&server, Duration::from_secs(2)).await;
    times.take();
    let quiet_memory = watch(&server, Duration::from_secs((settings.seconds / 4).max(3))).await;
    let quiet = percentiles(&times.take());

    let (tally, ceasing) = (Arc::new(Tally::default()), CancellationToken::new());
    let mut attackers = JoinSet::new();
    for (number, attack) in Attack::all(settings.only.as_deref()).enumerate() {
        attackers.spawn(attack.go_on(number, server.url().to_owned(), tally.clone(), ceasing.clone()));
    }
    // What they may do at once, and then what they may do all the time.
    let mut memory = 0;
    let mut quarters = Vec::new();
    for _ in 0..4 {
        memory = memory.max(watch(&server, Duration::from_millis(settings.seconds * 250)).await);
        quarters.push(times.take());
    }
    let hard = percentiles(&quarters.concat());
    ceasing.cancel();
    attackers.join_all().await;
    end.cancel();
    let mut lost = Vec::new();
    for losses in guests.join_all().await {
        lost.extend(losses);
    }

    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    let kind = if settings.sqlite { "SQLite" } else { "PostgreSQL" };
    println!("hostile: one server, {profile} build, {kind}, {} s of attack", settings.seconds);
    for (name, (count, half, most)) in [("quiet", quiet), ("attacked", hard)] {
        println!("  {name:>9}: {count} requests of others; p50 {} ms, p99 {} ms", tenths(half), tenths(most));
    }
    let quarters = quarters.iter().map(|times| format!("{} ms", tenths(percentiles(times).2)));
    println!("  p99 of each quarter: {}", quarters.collect::<Vec<_>>().join(", "));
    println!("  p99 is {} times what it was", tenths(hard.2 * 1000 / quiet.2.max(1)));
    println!("  memory: at most {} MB, {} MB when it was quiet", memory >> 20, quiet_memory >> 20);
    for (attack, outcomes) in tally.0.lock().unwrap().iter() {
        let outcomes: Vec<_> = outcomes.iter().map(|(outcome, count)| format!("{outcome} {count}")).collect();
        println!("  {attack}: {}", outcomes.join(", "));
    }
    println!("  losses: {}", lost.len());
    lost.iter().take(10).for_each(|loss| println!("    {loss}"));
    let ended = server.ended();
    if let Some(status) = ended {
        println!("  the server has ended: {status}");
    }
    server.kill().await;
    Ok(lost.len() + usize::from(memory > MEMORY) + usize::from(ended.is_some()))
}

/// Lets time pass. Returns the most memory that was held meanwhile, in bytes.
async fn watch(server: &Server, time: Duration) -> u64 {
    let (began, mut most) = (Instant::now(), 0);
    while began.elapsed() < time {
        sleep(LOOK).await;
        most = most.max(server.memory());
    }
    most
}

/// Thousandths, with one digit of them.
fn tenths(thousandths: u64) -> String {
    format!("{}.{}", thousandths / 1000, thousandths % 1000 / 100)
}
