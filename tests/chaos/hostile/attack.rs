//! Clients who do not behave.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::Tally;
use crate::api::Api;
use crate::world::User;

/// A way to hurt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attack {
    /// Asks for much, and reads nothing.
    SlowReader,
    /// Connects, and says nothing.
    Silence,
    /// Opens as many connections from one address as it can, and says nothing.
    Crowd,
    /// Opens a WebSocket, and does not introduce itself.
    SilentSocket,
    /// Sends a head byte by byte.
    Head,
    /// Sends a body byte by byte.
    Body,
    /// Sends queries that grow as they are read.
    Bomb,
    /// Explores the schema over and over: the dearest query that is within the limits.
    Explorer,
    /// Has stored much, and asks for as much of it at once as the limits allow.
    Hoarder,
    /// Searches for what is everywhere, as often in one query as the limits allow.
    Searcher,
    /// Asks for what takes seconds, many times at once, and goes away before the answer.
    Abandoner,
    /// Searches texts in which it is hard to choose what to show.
    Snippets,
    /// Shows one branch of a long conversation, and then another one.
    Activator,
    /// Copies a long conversation, and deletes the copy from its first message on.
    Forker,
    /// Sends bodies that are far too large.
    Oversized,
    /// Sends tokens that are none, as fast as it can.
    Tokens,
    /// Asks whether the server is ready, as fast as it can.
    Readiness,
    /// Starts conversations, far more than anybody would.
    Flood,
    /// Begins replies that take minutes, as many in one request as the limits allow.
    Replies,
}

/// Each attack, its name, how many of its attackers there are, and how long they rest between two strikes, in
/// milliseconds.
const ATTACKS: [(Attack, &str, usize, u64); 19] = [
    (Attack::SlowReader, "slow readers", 20, 100),
    (Attack::Silence, "silent connections", 200, 100),
    (Attack::Crowd, "crowds of connections", 1, 100),
    (Attack::SilentSocket, "silent sockets", 60, 100),
    (Attack::Head, "slow heads", 60, 100),
    (Attack::Body, "slow bodies", 60, 100),
    (Attack::Bomb, "query bombs", 4, 100),
    (Attack::Explorer, "introspections", 2, 20),
    (Attack::Hoarder, "large answers", 4, 20),
    (Attack::Searcher, "searches", 4, 20),
    (Attack::Abandoner, "abandoned searches", 1, 20),
    (Attack::Snippets, "snippets", 1, 100),
    (Attack::Activator, "long activations", 1, 100),
    (Attack::Forker, "long forks and deletions", 1, 100),
    (Attack::Oversized, "oversized bodies", 2, 200),
    (Attack::Tokens, "token storms", 2, 2),
    (Attack::Readiness, "readiness loops", 40, 10),
    (Attack::Flood, "floods of messages", 1, 50),
    (Attack::Replies, "floods of replies", 1, 100),
];

/// Somebody who attacks.
#[derive(Debug)]
pub(super) struct Attacker {
    pub(super) attack: Attack,
    name: &'static str,
    rest: Duration,
    /// Which attacker it is.
    pub(super) number: usize,
    pub(super) user: User,
    /// Its address.
    pub(super) from: Ipv4Addr,
    /// The server's.
    pub(super) url: String,
    pub(super) api: Api,
    /// The messages that the attack is about.
    pub(super) messages: Vec<String>,
}

impl Attacker {
    /// Every attack's attackers, or of those with these names, between commas.
    ///
    /// # Errors
    /// If there is no attack of such a name.
    pub(super) fn all(only: Option<&str>, url: &str) -> Result<Vec<Self>, String> {
        let names = || ATTACKS.map(|(_, name, ..)| name);
        let unknown = only.into_iter().flat_map(|only| only.split(',')).find(|name| !names().contains(name));
        if let Some(unknown) = unknown {
            return Err(format!("{unknown} is not known: there are {}", names().join(", ")));
        }
        let chosen = |name: &str| only.is_none_or(|only| only.split(',').any(|one| one == name));
        let attacks = ATTACKS.into_iter().filter(|(_, name, ..)| chosen(name));
        let each = attacks.flat_map(|(attack, name, count, rest)| {
            std::iter::repeat_n((attack, name, Duration::from_millis(rest)), count)
        });
        let attackers = each.enumerate().map(|(number, (attack, name, rest))| {
            let first = u32::from(Ipv4Addr::new(127, 0, 16, 1));
            let from = Ipv4Addr::from(first + u32::try_from(number).unwrap());
            let (user, api, url) = (User::new(1000 + number), Api::from(from), url.to_owned());
            Self { attack, name, rest, number, user, from, url, api, messages: Vec::new() }
        });
        Ok(attackers.collect())
    }

    /// Stores what is to be asked for later, as fast as it is let.
    ///
    /// # Errors
    /// If the database does not take it.
    pub(super) async fn prepare(mut self, database: String) -> Result<Self, String> {
        match self.attack {
            Attack::Hoarder => self.send(&"hoard ".repeat(5000), 200).await,
            Attack::Searcher => self.send(&"hoard ".repeat(50), 200).await,
            Attack::Abandoner => self.fork(&"one of so many words ".repeat(1400), 30, 60).await,
            Attack::Snippets => {
                let text = format!("{}{} b", "a ".repeat(15_700), "y".repeat(300));
                self.send(&text, 100).await;
            }
            Attack::Activator | Attack::Forker => self.messages = self.lengthen(&database).await?.to_vec(),
            _ => {}
        }
        Ok(self)
    }

    /// Strikes again and again until `end`.
    pub(super) async fn go_on(self, tally: Arc<Tally>, end: CancellationToken) {
        // They do not all come in the same instant.
        let mut chance = fastrand::Rng::with_seed(self.number as u64);
        sleep(Duration::from_millis(chance.u64(0..2000))).await;
        let strikes = async {
            for serial in 0.. {
                let outcomes = self.strike(serial).await.unwrap_or_else(|_| vec!["closed".to_owned()]);
                for outcome in &outcomes {
                    tally.count(self.name, outcome);
                }
                sleep(self.rest).await;
            }
        };
        tokio::select! {
            () = strikes => {}
            () = end.cancelled() => {}
        }
    }
}
