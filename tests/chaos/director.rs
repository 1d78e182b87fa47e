//! Who makes the faults.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::cluster::Cluster;
use crate::fleet::{Fleet, Post};
use crate::journal::Journal;
use crate::settings::{LEASE, Settings};

/// How long servers may need to find a database again that has come back.
const RECOVERY: Duration = Duration::from_millis(2500);

/// One fault.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Kill,
    Freeze,
    Renew,
    /// The database restarts at once; whether it crashed.
    Restart(bool),
    /// The database is away for a while.
    Outage,
}

/// Faults in the proportions in which they are dealt.
const DECK: [Fault; 12] = [
    Fault::Kill,
    Fault::Kill,
    Fault::Kill,
    Fault::Freeze,
    Fault::Freeze,
    Fault::Freeze,
    Fault::Freeze,
    Fault::Renew,
    Fault::Renew,
    Fault::Restart(true),
    Fault::Restart(false),
    Fault::Outage,
];

/// Makes faults for as long as the settings say, on a slow machine for longer, and then lets everything recover. One server at least is always
/// whole, as somebody has to take over.
pub async fn direct(
    settings: &Settings,
    fleet: &Arc<Fleet>,
    posts: Vec<Post>,
    cluster: &Cluster,
    journal: &Journal,
) -> Vec<Post> {
    let mut chance = settings.chance("director");
    let time = Duration::from_secs(settings.seconds);
    let (end, last) = (Instant::now() + time, Instant::now() + time * 4);
    let mut whole = posts;
    let mut broken: JoinSet<Post> = JoinSet::new();
    // Even the shortest run has these.
    let mut deck = vec![Fault::Restart(true), Fault::Freeze, Fault::Kill];
    sleep(Duration::from_millis(800)).await;
    while Instant::now() < end || (journal.missing().is_some() && Instant::now() < last) {
        while let Some(post) = broken.try_join_next() {
            whole.push(post.unwrap());
        }
        for post in &mut whole {
            fleet.check(post);
        }
        let Some(fault) = deck.pop() else {
            deck.extend(DECK);
            chance.shuffle(&mut deck);
            continue;
        };
        match fault {
            Fault::Restart(_) | Fault::Outage => {
                let disturbance = journal.disturb();
                shake(fault, cluster, journal, &mut chance).await;
                sleep(RECOVERY).await;
                journal.calm(disturbance);
            }
            Fault::Kill | Fault::Freeze | Fault::Renew => {
                while whole.len() < 2 {
                    whole.push(broken.join_next().await.unwrap().unwrap());
                }
                let mut post = whole.swap_remove(chance.usize(0..whole.len()));
                let (fleet, mut chance) = (fleet.clone(), chance.fork());
                broken.spawn(async move {
                    let time = Duration::from_millis(chance.u64(0..1500));
                    match fault {
                        Fault::Kill => fleet.kill(&mut post, time).await,
                        Fault::Freeze => {
                            fleet.freeze(&mut post, LEASE + Duration::from_millis(300) + time).await;
                        }
                        _ => fleet.renew(&mut post).await,
                    }
                    post
                });
            }
        }
        sleep(Duration::from_millis(chance.u64(200..1600))).await;
    }
    while let Some(post) = broken.join_next().await {
        whole.push(post.unwrap());
    }
    whole
}

async fn shake(fault: Fault, cluster: &Cluster, journal: &Journal, chance: &mut fastrand::Rng) {
    let (mode, pause) = match fault {
        Fault::Restart(true) => ("immediate", 0),
        Fault::Restart(false) => ("fast", 0),
        // Longer than requests are patient.
        _ => ("immediate", chance.u64(1000..5500)),
    };
    journal.count(if pause == 0 { "database restarts" } else { "database outages of seconds" });
    if let Err(error) = cluster.stop(mode).await {
        journal.violation(&format!("the run itself is broken: {error}"));
    }
    sleep(Duration::from_millis(pause)).await;
    while let Err(error) = cluster.start().await {
        eprintln!("the database does not start, again: {error}");
        sleep(Duration::from_millis(500)).await;
    }
}
