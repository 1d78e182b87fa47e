//! What hostile clients cost the others: one server as it is by default, clients who behave, and, after a quiet time,
//! as many as can be thought of who do not. Everybody has an address of their own on the loopback network.

mod attack;
mod crew;
mod document;
mod guest;
mod hoard;
mod line;
mod settings;
mod strike;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

pub use self::crew::{ARGUMENT as ATTACKERS, attack};
use self::crew::{Crew, Outcomes};
use self::guest::Guest;
use self::settings::Settings;
use crate::database::Cluster;
use crate::provider::{Pace, Provider};
use crate::server::{self, Limits, Server};

/// How many clients behave.
const GUESTS: usize = 8;

/// How often the server's memory is looked at.
const LOOK: Duration = Duration::from_millis(200);

/// What a server may hold at most, whatever comes.
const MEMORY: u64 = 512 * 1024 * 1024;

/// What the attackers were answered, by attack.
#[derive(Debug, Default)]
struct Tally(Mutex<BTreeMap<&'static str, BTreeMap<String, u64>>>);

impl Tally {
    fn count(&self, attack: &'static str, outcome: &str) {
        *self.0.lock().unwrap().entry(attack).or_default().entry(outcome.to_owned()).or_default() += 1;
    }

    fn outcomes(&self) -> Outcomes {
        let tally = self.0.lock().unwrap();
        tally.iter().map(|(attack, outcomes)| ((*attack).to_owned(), outcomes.clone())).collect()
    }
}

/// The attacks whose queries were refused by validation, bombs aside.
fn invalid(outcomes: &Outcomes) -> Vec<&str> {
    let invalid = outcomes.iter().filter(|(attack, outcomes)| {
        *attack != "query bombs" && outcomes.keys().any(|name| name.ends_with("GRAPHQL_VALIDATION_FAILED"))
    });
    invalid.map(|(attack, _)| attack.as_str()).collect()
}

/// When requests began, and how long they took, in microseconds.
#[derive(Debug, Default)]
struct Times(Mutex<Vec<(Instant, u64)>>);

impl Times {
    /// Notes that a request, begun then, has ended.
    fn add(&self, began: Instant) {
        let time = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.0.lock().unwrap().push((began, time));
    }

    /// Those since the last call.
    fn take(&self) -> Vec<u64> {
        self.take_begun_before(Instant::now())
    }

    /// Those since the last call; those that began later are forgotten.
    fn take_begun_before(&self, limit: Instant) -> Vec<u64> {
        let times = std::mem::take(&mut *self.0.lock().unwrap());
        times.into_iter().filter(|(began, _)| *began < limit).map(|(_, time)| time).collect()
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
        Cluster::find().await?.url()
    };
    let log = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("hostile.log");
    let provider = Provider::start(fastrand::Rng::with_seed(1), Pace::Prompt).await;
    let arguments = ["--assistant-url", provider.url(), "--assistant-model", "prompt", "--log", "error"];
    let mut server = Server::start(&database, Limits::Default, &arguments.map(str::to_owned), &log).await?;

    let mut crew = Crew::prepare(server.url(), &database, settings.only.as_deref()).await?;

    let (times, end) = (Arc::new(Times::default()), CancellationToken::new());
    let mut guests = JoinSet::new();
    guests.spawn(guest::probe(server.url().to_owned(), end.clone()));
    for number in 0..GUESTS {
        let guest = Guest::new(number, server.url(), times.clone())?;
        guests.spawn(guest.stay(end.clone()));
    }
    // What comes first is slower, whoever else is there.
    watch(&server, Duration::from_secs(2)).await;
    times.take();
    let quiet_memory = watch(&server, Duration::from_secs((settings.seconds / 4).max(3))).await;
    let quiet = percentiles(&times.take());

    crew.begin().await?;
    // What they may do at once, and then what they may do all the time.
    let mut memory = 0;
    let mut quarters = Vec::new();
    for _ in 0..4 {
        memory = memory.max(watch(&server, Duration::from_millis(settings.seconds * 250)).await);
        quarters.push(times.take());
    }
    let over = Instant::now();
    let outcomes = crew.cease().await?;
    end.cancel();
    let mut lost = Vec::new();
    for losses in guests.join_all().await {
        lost.extend(losses);
    }
    // Whoever then still waited for an answer counts too, and most of all.
    quarters[3].extend(times.take_begun_before(over));
    let hard = percentiles(&quarters.concat());

    let kind = if settings.sqlite { "SQLite" } else { "PostgreSQL" };
    println!("hostile: one server, {}, {kind}, {} s of attack", server::build(), settings.seconds);
    for (name, (count, half, most)) in [("quiet", quiet), ("attacked", hard)] {
        println!("  {name:>9}: {count} requests of others; p50 {} ms, p99 {} ms", tenths(half), tenths(most));
    }
    let quarters = quarters.iter().map(|times| format!("{} ms", tenths(percentiles(times).2)));
    println!("  p99 of each quarter: {}", quarters.collect::<Vec<_>>().join(", "));
    let ratio = hard.2 * 1000 / quiet.2.max(1);
    let slower = ratio > u64::from(settings.ratio) * 1000;
    let verdict = if slower { ", which is too much" } else { "" };
    println!("  p99 is {} times what it was{verdict}", tenths(ratio));
    println!("  memory: at most {} MB, {} MB when it was quiet", memory >> 20, quiet_memory >> 20);
    for (attack, outcomes) in &outcomes {
        let outcomes: Vec<_> = outcomes.iter().map(|(outcome, count)| format!("{outcome} {count}")).collect();
        println!("  {attack}: {}", outcomes.join(", "));
    }
    // They would measure nothing: only bombs are to be refused for what they are.
    let invalid = invalid(&outcomes);
    for attack in &invalid {
        println!("  {attack}: the query is not within the limits");
    }
    println!("  losses: {}", lost.len());
    lost.iter().take(10).for_each(|loss| println!("    {loss}"));
    let ended = server.ended();
    if let Some(status) = ended {
        println!("  the server has ended: {status}");
    }
    server.kill().await;
    let faults = [memory > MEMORY, slower, ended.is_some()];
    Ok(lost.len() + invalid.len() + faults.into_iter().filter(|fault| *fault).count())
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
