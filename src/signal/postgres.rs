//! Wake-ups between servers that share a PostgreSQL database, by `LISTEN` and `NOTIFY`.

use std::collections::HashSet;
use std::fmt::Write;
use std::time::Duration;

use sea_orm::sqlx::postgres::{PgConnectOptions, PgListener, PgPool, PgPoolOptions};
use sea_orm::sqlx::{ConnectOptions, Error, query};
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Hub, Listener, Signals, Topic};
use crate::database::Address;

const CHANNEL: &str = "causerie";

/// PostgreSQL refuses a payload of 8,000 bytes; a topic takes at most 38.
const TOPICS_PER_NOTIFICATION: usize = 100;

/// Wake-ups that wait to be sent. When it is full the newest are dropped: they are only wake-ups.
const BACKLOG: usize = 4096;

/// How long to wait before the connection is tried again.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// Wakes listeners of all servers on one database.
#[derive(Debug)]
pub struct Postgres {
    hub: Hub,
    outgoing: mpsc::Sender<Topic>,
}

impl Postgres {
    /// Starts to listen and to send, on two connections of its own, until `shutdown`.
    ///
    /// # Errors
    /// If `address` is not PostgreSQL's. A database that is away is no error: it is tried again and again.
    pub fn start(address: &Address, shutdown: &CancellationToken) -> Result<Self, Error> {
        // Nobody relies on a notification that outlives a crash of the database, so its commit need not wait
        // for the disk.
        let options: PgConnectOptions = address.url().parse::<PgConnectOptions>()?;
        let options = options.application_name("causerie-signals").options([("synchronous_commit", "off")]);
        // The library would log each statement, and warn of slow ones: a late wake-up is nobody's worry.
        let options = options.disable_statement_logging();
        // Without the two limits, as in `database::connect`.
        let pool = PgPoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None);
        let pool = |options| pool.clone().connect_lazy_with(options);
        let hub = Hub::default();
        let (outgoing, incoming) = mpsc::channel(BACKLOG);
        tokio::spawn(until(shutdown.clone(), receive(pool(options.clone()), hub.clone())));
        tokio::spawn(until(shutdown.clone(), forward(pool(options), incoming)));
        Ok(Self { hub, outgoing })
    }
}

impl Signals for Postgres {
    fn send(&self, topic: Topic) {
        self.hub.send(topic);
        // A full backlog means that the database is away or slow: readers look for themselves meanwhile.
        let _ = self.outgoing.try_send(topic);
    }

    fn listen(&self, topic: Topic) -> Listener {
        self.hub.listen(topic)
    }
}

async fn until(shutdown: CancellationToken, work: impl Future<Output = ()>) {
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = work => {}
    }
}

/// Sends what has gathered since the last notification as one.
async fn forward(pool: PgPool, mut incoming: mpsc::Receiver<Topic>) {
    let mut gathered = Vec::new();
    while incoming.recv_many(&mut gathered, TOPICS_PER_NOTIFICATION).await > 0 {
        let topics: HashSet<Topic> = gathered.drain(..).collect();
        let notify = query("SELECT pg_notify($1, $2)").bind(CHANNEL).bind(encode(&topics));
        if let Err(error) = notify.execute(&pool).await {
            tracing::debug!(%error, "a signal was lost");
            sleep(RETRY_PAUSE).await;
        }
    }
}

/// Wakes this server's listeners when any server sends.
async fn receive(pool: PgPool, hub: Hub) {
    loop {
        match listen(&pool, &hub).await {
            Ok(()) => tracing::debug!("the listening connection was lost"),
            Err(error) => tracing::debug!(%error, "cannot listen for signals"),
        }
        // Whatever was signalled meanwhile was missed.
        hub.wake_all();
        sleep(RETRY_PAUSE).await;
    }
}

async fn listen(pool: &PgPool, hub: &Hub) -> Result<(), Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    hub.wake_all();
    while let Some(notification) = listener.try_recv().await? {
        decode(notification.payload()).for_each(|topic| hub.send(topic));
    }
    Ok(())
}

fn encode(topics: &HashSet<Topic>) -> String {
    topics.iter().fold(String::new(), |mut text, topic| {
        let _ = match topic {
            Topic::Reply(id) => writeln!(text, "r{}", id.simple()),
            Topic::Stop(id) => writeln!(text, "s{}", id.simple()),
            Topic::User(hash) => writeln!(text, "u{hash:x}"),
            Topic::Orphans => writeln!(text, "o"),
            Topic::Backlog => writeln!(text, "b"),
        };
        text
    })
}

fn decode(payload: &str) -> impl Iterator<Item = Topic> {
    payload.lines().filter_map(|line| match line.split_at_checked(1)? {
        ("r", id) => Uuid::try_parse(id).ok().map(Topic::Reply),
        ("s", id) => Uuid::try_parse(id).ok().map(Topic::Stop),
        ("u", hash) => u64::from_str_radix(hash, 16).ok().map(Topic::User),
        ("o", "") => Some(Topic::Orphans),
        ("b", "") => Some(Topic::Backlog),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_survive_the_journey_and_fit() {
        let mut topics: HashSet<_> = (0..97).map(|_| Topic::Reply(Uuid::now_v7())).collect();
        topics.extend([Topic::Orphans, Topic::Backlog, Topic::of_user("ann")]);
        let payload = encode(&topics);
        assert!(payload.len() < 7_000, "{}", payload.len());
        assert_eq!(decode(&payload).collect::<HashSet<_>>(), topics);
    }

    #[test]
    fn what_a_newer_server_says_is_passed_over() {
        let topics: Vec<_> = decode("x1\no\n\nrnonsense\nu\né\nuff\n").collect();
        assert_eq!(topics, [Topic::Orphans, Topic::User(0xff)]);
    }
}
