//! The attackers' own process. Real attackers have machines of their own; here they share the processors with the server
//! and with the clients who behave. So they run at the lowest priority: what they make others do counts in full, what
//! they do themselves does not.

use std::collections::BTreeMap;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::task::{JoinSet, spawn_blocking};
use tokio_util::sync::CancellationToken;

use super::Tally;
use super::attack::Attacker;

/// The first argument of the process.
pub const ARGUMENT: &str = "hostile-attackers";

/// What an attacker was answered, and how often, by attack.
pub(super) type Outcomes = BTreeMap<String, BTreeMap<String, u64>>;

/// The process, seen from the run that it belongs to. Dropping it kills it.
pub(super) struct Crew {
    _child: Child,
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Crew {
    /// Starts the attackers, and waits until each has stored what its attack needs.
    ///
    /// # Errors
    /// If it cannot be started, or ends.
    pub(super) async fn prepare(server: &str, database: &str, only: Option<&str>) -> Result<Self, String> {
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut command = Command::new("nice");
        command.args(["-n", "19"]).arg(program).args([ARGUMENT, server, database]).args(only);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| error.to_string())?;
        let (Some(orders), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("the attackers' process has no pipes".to_owned());
        };
        let mut crew = Self { _child: child, orders, answers: BufReader::new(answers).lines() };
        crew.answer().await?;
        Ok(crew)
    }

    /// Has the attackers begin.
    ///
    /// # Errors
    /// If the process has ended.
    pub(super) async fn begin(&mut self) -> Result<(), String> {
        self.order().await
    }

    /// Has the attackers cease, and returns what they were answered.
    ///
    /// # Errors
    /// If the process has ended.
    pub(super) async fn cease(mut self) -> Result<Outcomes, String> {
        self.order().await?;
        serde_json::from_str(&self.answer().await?).map_err(|error| error.to_string())
    }

    async fn order(&mut self) -> Result<(), String> {
        self.orders.write_all(b"\n").await.map_err(|error| error.to_string())
    }

    async fn answer(&mut self) -> Result<String, String> {
        let line = self.answers.next_line().await.map_err(|error| error.to_string())?;
        line.ok_or_else(|| "the attackers' process has ended".to_owned())
    }
}

/// The process itself: prepares, and attacks from the first line of its input to the second one.
///
/// # Errors
/// If the attacks cannot be prepared.
pub async fn attack(mut arguments: impl Iterator<Item = String>) -> Result<(), String> {
    let (Some(server), Some(database)) = (arguments.next(), arguments.next()) else {
        return Err("the attackers need the address of a server, and that of its database".to_owned());
    };
    let mut preparing = JoinSet::new();
    for attacker in Attacker::all(arguments.next().as_deref(), &server)? {
        preparing.spawn(attacker.prepare(database.clone()));
    }
    let prepared = preparing.join_all().await.into_iter().collect::<Result<Vec<_>, _>>()?;
    println!("ready");

    wait_for_order().await?;
    let (tally, ceasing) = (std::sync::Arc::new(Tally::default()), CancellationToken::new());
    let mut attackers = JoinSet::new();
    for attacker in prepared {
        attackers.spawn(attacker.go_on(tally.clone(), ceasing.clone()));
    }
    wait_for_order().await?;
    ceasing.cancel();
    attackers.join_all().await;
    println!("{}", serde_json::to_string(&tally.outcomes()).map_err(|error| error.to_string())?);
    Ok(())
}

/// Waits for the next line of the input, or for its end.
async fn wait_for_order() -> Result<(), String> {
    let read = spawn_blocking(|| std::io::stdin().read_line(&mut String::new())).await;
    read.map_err(|error| error.to_string())?.map(|_| ()).map_err(|error| error.to_string())
}
