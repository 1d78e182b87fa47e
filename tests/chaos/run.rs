//! A run from beginning to end.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream;
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::api::Api;
use crate::checker::Checker;
use crate::database::Database;
use crate::device::Device;
use crate::fault;
use crate::fleet::{DRAIN, Fleet};
use crate::injector::inject_faults;
use crate::journal::Journal;
use crate::ledger::Ledger;
use crate::provider::{Pace, Provider};
use crate::sampler::Sampler;
use crate::settings::{LEASE, Settings};
use crate::world::{User, World};
use crate::{assistants, follower, reader, self_test};

/// How long what is under way may take to end once no fault is made any more.
const SETTLING: Duration = Duration::from_mins(1);

/// How much longer than its faults a run takes at most. One that takes longer has failed.
const REST: Duration = Duration::from_mins(4);

/// How many last readers come at once.
const LAST_READERS: usize = 12;

const UNDER_WAY: &str = "SELECT count(*) FROM message WHERE status IN ('GENERATING', 'QUEUED')";

/// Makes a run and prints its figures. Returns how many promises were broken.
///
/// # Errors
/// If the run cannot be made.
pub async fn run(settings: Settings) -> Result<usize, String> {
    println!(
        "chaos: seed {}, {} s, {}, {} servers, {} users with two devices each",
        settings.seed,
        settings.seconds,
        if settings.sqlite { "SQLite" } else { "PostgreSQL" },
        settings.servers,
        settings.users
    );
    self_test::run().await?;
    let journal = Arc::new(Journal::new(fault::needed(&settings.faults)));
    let limit = Duration::from_secs(settings.seconds) + REST;
    match timeout(limit, break_and_check(settings, journal.clone())).await {
        Ok(result) => result?,
        Err(_) => journal.violation(&format!("the run did not end within {} s", limit.as_secs())),
    }
    print!("{}", journal.report());
    Ok(journal.violations())
}

async fn break_and_check(settings: Settings, journal: Arc<Journal>) -> Result<(), String> {
    let began = Instant::now();
    let stage = |name: &str| println!("chaos: {:>4} s: {name}", began.elapsed().as_secs());
    let provider = Provider::start(settings.chance("provider"), Pace::Random).await;
    let logs = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("chaos-{}", settings.seed));
    let _ = std::fs::remove_dir_all(&logs);
    std::fs::create_dir_all(&logs).map_err(|error| format!("{}: {error}", logs.display()))?;
    println!("chaos: the servers' logs are in {}", logs.display());
    let database = if settings.sqlite { Database::sqlite(&logs) } else { Database::postgres().await? };
    let assistants = assistants::write(&logs, provider.url(), settings.servers, settings.seconds)?;
    let fleet = Arc::new(Fleet::new(database.url(), arguments(assistants), logs, journal.clone()));
    let mut posts = Vec::new();
    for place in 0..settings.servers {
        posts.push(fleet.start(place).await);
    }
    let world = Arc::new(World {
        settings: settings.clone(),
        api: Api::new(),
        fleet: fleet.clone(),
        journal: journal.clone(),
        users: (0..settings.users).map(User::new).collect(),
        prober: User::new(settings.users),
        ending: CancellationToken::new(),
        resting: CancellationToken::new(),
        tasks: TaskTracker::new(),
    });
    let enough = CancellationToken::new();
    let sampler = Sampler::new(fleet.clone(), journal.clone());
    let sampler = tokio::spawn(sampler.watch(database.connect().await?, enough.clone()));
    let mut devices = people(&world);

    stage("faults");
    let mut posts = inject_faults(&world, posts, &database).await;

    stage("the devices end what they have begun");
    world.ending.cancel();
    let all = async { while devices.join_next().await.is_some() {} };
    if timeout(SETTLING, all).await.is_err() {
        journal.violation("a device waits for ever");
    }
    stage("the replies end");
    let connection = database.connect().await?;
    settle(&connection, &journal).await;
    enough.cancel();
    let _ = sampler.await;
    stage("the readers rest");
    world.resting.cancel();
    world.tasks.close();
    if timeout(SETTLING, world.tasks.wait()).await.is_err() {
        journal.violation("a reader waits for ever");
    }
    stage("everybody comes once more");
    finish(&world).await;
    stage("the servers stop");
    for post in &mut posts {
        fleet.stop(post).await;
    }
    stage("all logs are compared with the rows");
    let checker = Checker::read(&connection, &journal, provider.works()).await;
    let checker = checker.map_err(|error| error.to_string())?;
    checker.check();
    let ledger = Ledger::read(&connection).await.map_err(|error| error.to_string())?;
    ledger.check(&journal, &provider.works(), &checker.complete(), assistants::limit(settings.seconds));
    check_logs(&fleet, &journal);
    if let Some(missing) = journal.missing() {
        journal.violation(&format!("the run proves nothing: {missing}: 0"));
    }
    stage("the end");
    Ok(())
}

fn arguments(assistants: String) -> Vec<String> {
    let text = |time: Duration| format!("{}ms", time.as_millis());
    let arguments = [
        ("--assistants", assistants),
        ("--reply-lease", text(LEASE)),
        ("--reply-checkpoint", "100ms".to_owned()),
        ("--reply-attempts", "3".to_owned()),
        ("--drain", text(DRAIN)),
        ("--log", "info".to_owned()),
    ];
    arguments.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]).collect()
}

/// Two devices for each user, and somebody who follows the user's changes on each.
fn people(world: &Arc<World>) -> JoinSet<()> {
    let mut devices = JoinSet::new();
    for number in 0..world.settings.users * 2 {
        let user = number / 2;
        let chance = world.settings.chance(&format!("device {number}"));
        devices.spawn(Device { world: world.clone(), user, number, chance, written: 0 }.live());
        follower::spawn(world, user, world.settings.chance(&format!("follower {number}")));
    }
    devices
}

/// Waits until no reply is under way.
async fn settle(connection: &DatabaseConnection, journal: &Journal) {
    let began = Instant::now();
    loop {
        let statement = Statement::from_string(connection.get_database_backend(), UNDER_WAY);
        let row = connection.query_one_raw(statement).await;
        let left: Option<i64> = row.ok().flatten().and_then(|row| row.try_get_by_index(0).ok());
        if left == Some(0) {
            journal.time("time until all replies had ended", began.elapsed());
            return;
        }
        if began.elapsed() > SETTLING {
            journal.violation(&format!("{left:?} replies do not end"));
            return;
        }
        sleep(Duration::from_millis(50)).await;
    }
}

/// Everybody comes once more, and reads to the end.
async fn finish(world: &World) {
    let mut replicas = std::mem::take(&mut *world.journal.replicas());
    for (index, replica) in replicas.iter_mut().enumerate() {
        follower::finish(world, replica, &mut world.settings.chance(&format!("last follower {index}"))).await;
    }
    *world.journal.replicas() = replicas;
    let reads = std::mem::take(&mut *world.journal.read());
    let reads: Vec<_> = stream::iter(reads.into_iter().enumerate())
        .map(|(index, mut read)| async move {
            reader::finish(world, &mut read, &mut world.settings.chance(&format!("last reader {index}")))
                .await;
            read
        })
        .buffer_unordered(LAST_READERS)
        .collect()
        .await;
    world.journal.add("readers", reads.len() as u64);
    *world.journal.read() = reads;
}

/// A server that meets what it did not expect says so in its log.
fn check_logs(fleet: &Fleet, journal: &Journal) {
    for entry in std::fs::read_dir(fleet.logs()).unwrap().flatten() {
        let log = std::fs::read_to_string(entry.path()).unwrap_or_default();
        let surprises = log.lines().filter(|line| line.contains("ERROR") || line.contains("panicked"));
        surprises.for_each(|line| journal.violation(&format!("{}: {line}", entry.path().display())));
    }
}
