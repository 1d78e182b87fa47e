//! Injecting faults: when, into what, and how all recovers.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::database::{Database, Network, Traffic};
use crate::fault::{Fault, deck, first};
use crate::fleet::ServerSlot;
use crate::recovery;
use crate::settings::{LEASE, TAKEOVER_SLACK};
use crate::world::World;

/// How long servers may need to find a database again that has come back, before they are asked whether they have.
const RECOVERY: Duration = Duration::from_millis(2500);

/// How much longer a run takes at most that has not seen yet what it is to see.
const OVERTIME: Duration = Duration::from_mins(1);

/// How long the network is slow.
const SLOW: Duration = Duration::from_secs(6);

/// Makes faults for as long as the settings say, on a slow machine for longer, and then lets everything recover. One
/// server at least is always whole, as somebody has to take over, unless it is the only one.
pub async fn inject_faults(
    world: &Arc<World>,
    slots: Vec<ServerSlot>,
    database: &Database,
) -> Vec<ServerSlot> {
    let (settings, fleet, journal) = (&world.settings, &world.fleet, &world.journal);
    let mut chance = settings.chance("injector");
    let end = Instant::now() + Duration::from_secs(settings.seconds);
    let last = end + OVERTIME;
    let least = if settings.servers > 1 { 2 } else { 1 };
    let mut whole = slots;
    let mut broken: JoinSet<ServerSlot> = JoinSet::new();
    // Even the shortest run has these.
    let mut faults = first(&settings.faults);
    sleep(Duration::from_millis(800)).await;
    while Instant::now() < end || (journal.missing().is_some() && Instant::now() < last) {
        while let Some(slot) = broken.try_join_next() {
            whole.push(slot.unwrap());
        }
        for slot in &mut whole {
            fleet.check(slot);
        }
        let Some(fault) = faults.pop() else {
            faults.extend(deck(&settings.faults));
            chance.shuffle(&mut faults);
            continue;
        };
        match (fault, database) {
            (Fault::Kill | Fault::Freeze | Fault::Renew, _) => {
                while whole.len() < least {
                    whole.push(broken.join_next().await.unwrap().unwrap());
                }
                let slot = whole.swap_remove(chance.usize(0..whole.len()));
                broken.spawn(break_server(world.clone(), slot, fault, chance.fork()));
                if settings.servers == 1 {
                    // Nobody else takes over: it waits for a lease until it does, and then is to have time to write.
                    whole.push(broken.join_next().await.unwrap().unwrap());
                    sleep(LEASE + TAKEOVER_SLACK + Duration::from_millis(chance.u64(1000..4000))).await;
                }
            }
            (fault, Database::Postgres(network)) => {
                let disturbance = journal.disturb();
                // To stop must not take longer because the database is away.
                if fault != Fault::Restart && fault != Fault::Latency && whole.len() > 1 {
                    let slot = whole.swap_remove(chance.usize(0..whole.len()));
                    broken.spawn(break_server(world.clone(), slot, Fault::Renew, chance.fork()));
                }
                let urls: Vec<_> = whole.iter().map(|slot| slot.url().to_owned()).collect();
                if let Err(error) = break_database(world, fault, network, &urls, &mut chance).await {
                    journal.violation(&format!("the run itself is broken: {error}"));
                }
                let back = std::time::Instant::now();
                sleep(RECOVERY).await;
                recovery::check(world, &urls, back).await;
                journal.calm(disturbance);
            }
            (_, Database::Sqlite(_)) => {}
        }
        sleep(Duration::from_millis(chance.u64(200..1600))).await;
    }
    while let Some(slot) = broken.join_next().await {
        whole.push(slot.unwrap());
    }
    whole
}

/// Does something to one server, and brings it back.
async fn break_server(
    world: Arc<World>,
    mut slot: ServerSlot,
    fault: Fault,
    mut chance: fastrand::Rng,
) -> ServerSlot {
    let (fleet, time) = (&world.fleet, Duration::from_millis(chance.u64(0..1500)));
    match fault {
        Fault::Kill => fleet.kill(&mut slot, time).await,
        Fault::Freeze => fleet.freeze(&mut slot, LEASE + Duration::from_millis(300) + time).await,
        _ => {
            sleep(time).await;
            fleet.renew(&mut slot).await;
        }
    }
    slot
}

/// Does something to the database, or to the way to it, until a primary can be reached again.
async fn break_database(
    world: &World,
    fault: Fault,
    network: &Network,
    urls: &[String],
    chance: &mut fastrand::Rng,
) -> Result<(), String> {
    world.journal.count(fault.counted());
    let longer_than_lease = LEASE + Duration::from_millis(chance.u64(500..3000));
    match fault {
        Fault::BlackHole => {
            let (to, from) = match chance.u8(0..4) {
                0 => (Traffic::Held, Traffic::Flowing),
                1 => (Traffic::Flowing, Traffic::Held),
                _ => (Traffic::Held, Traffic::Held),
            };
            network.proxy.set_traffic(to, from);
            sleep(longer_than_lease).await;
            // What was sent arrives late, or never: then the connections are of no use, but nobody is told.
            if chance.bool() {
                world.journal.count("black holes that took the connections");
                network.proxy.lose_connections();
            }
            network.proxy.set_traffic(Traffic::Flowing, Traffic::Flowing);
        }
        Fault::Latency => {
            let least = Duration::from_millis(chance.u64(20..80));
            let slow = Traffic::Delayed(least, least + Duration::from_millis(20));
            network.proxy.set_traffic(slow, slow);
            join(sleep(SLOW), recovery::send_slowly(world, urls)).await;
            network.proxy.set_traffic(Traffic::Flowing, Traffic::Flowing);
        }
        Fault::FailOver => {
            network.cluster.add_standby().await?;
            sleep(Duration::from_millis(chance.u64(500..2000))).await;
            let is_silent = chance.bool();
            if is_silent {
                world.journal.count("fail-overs that nobody was told of");
                network.proxy.set_traffic(Traffic::Held, Traffic::Held);
            }
            network.cluster.kill().await?;
            network.cluster.promote().await?;
            network.follow_primary();
            if is_silent {
                network.proxy.lose_connections();
                network.proxy.set_traffic(Traffic::Flowing, Traffic::Flowing);
            }
        }
        _ => {
            let crashes = fault != Fault::Restart || chance.bool();
            let pause = match fault {
                Fault::Restart => Duration::ZERO,
                // Longer than requests are patient.
                Fault::Outage => Duration::from_millis(chance.u64(1000..5500)),
                _ => longer_than_lease,
            };
            network.cluster.stop(if crashes { "immediate" } else { "fast" }).await?;
            sleep(pause).await;
            while let Err(error) = network.cluster.start().await {
                eprintln!("the database does not start, again: {error}");
                sleep(Duration::from_millis(500)).await;
            }
        }
    }
    Ok(())
}
