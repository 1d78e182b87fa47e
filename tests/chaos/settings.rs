//! What a run is made of.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::fault::{self, Fault};

/// How long a server may be silent before its replies are taken over. Short, so that much happens in little time.
pub const LEASE: Duration = Duration::from_secs(2);

/// How much longer than the lease a takeover may take.
pub const TAKEOVER_SLACK: Duration = Duration::from_secs(2);

const NUMBERS: [&str; 4] = ["seed", "seconds", "servers", "users"];

/// What a run is made of.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Makes the choices of a run the same again; its timing is the machine's.
    pub seed: u64,
    /// How long faults are made.
    pub seconds: u64,
    /// How many servers there are, at least 2; 1 on SQLite.
    pub servers: usize,
    /// How many users there are; each has two devices.
    pub users: usize,
    /// Whether the database is an SQLite file.
    pub sqlite: bool,
    /// What goes wrong.
    pub faults: Vec<Fault>,
}

impl Settings {
    /// Reads `CHAOS_SEED`, `CHAOS_SECONDS`, `CHAOS_SERVERS` and `CHAOS_USERS`, and `--seed 1` and so on, which win;
    /// `--sqlite`; and `--only kill,black-hole`.
    ///
    /// # Errors
    /// A sentence for whoever started it.
    pub fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut given = BTreeMap::new();
        let mut sqlite = false;
        while let Some(flag) = arguments.next() {
            let name = flag.strip_prefix("--").unwrap_or_default();
            if name == "sqlite" {
                sqlite = true;
            } else if name == "only" || NUMBERS.contains(&name) {
                given
                    .insert(name.to_owned(), arguments.next().ok_or_else(|| format!("{flag} has no value"))?);
            } else {
                let known = NUMBERS.join(", --");
                return Err(format!("{flag} is not known: there are --{known}, --sqlite, --only"));
            }
        }
        let number = |name: &str, default: u64| -> Result<u64, String> {
            let variable = || std::env::var(format!("CHAOS_{}", name.to_uppercase())).ok();
            let value = given.get(name).cloned().or_else(variable);
            value.map_or(Ok(default), |text| text.parse().map_err(|_| format!("{name}: {text} is no number")))
        };
        let size = |name: &str, default: u64, least: usize| -> Result<usize, String> {
            let size = usize::try_from(number(name, default)?).unwrap_or(usize::MAX);
            if size < least { Err(format!("{name} must be at least {least}")) } else { Ok(size) }
        };
        Ok(Self {
            seed: number("seed", u64::from(std::process::id()))?,
            seconds: number("seconds", 60)?,
            servers: if sqlite { 1 } else { size("servers", 3, 2)? },
            users: size("users", 5, 2)?,
            sqlite,
            faults: fault::chosen(given.get("only").map(String::as_str), sqlite)?,
        })
    }

    /// The source of chance of one actor.
    #[must_use]
    pub fn chance(&self, actor: &str) -> fastrand::Rng {
        let mixed = actor.bytes().fold(self.seed ^ 0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        fastrand::Rng::with_seed(mixed)
    }
}
