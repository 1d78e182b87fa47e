//! Wake-ups between servers that share a PostgreSQL database, by `LISTEN` and `NOTIFY`.

use std::collections::HashSet;
use std::fmt::Write;
use std::time::Duration;

use futures_util::future::BoxFuture;
use sea_orm::sqlx::postgres::{PgConnectOptions, PgListener, PgNotification, PgPoolOptions};
use sea_orm::sqlx::{Acquire, ConnectOptions, Connection, Error, PgConnection, query, query_scalar};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Hub, Listener, Signals, Topic};
use crate::database::Address;
use crate::outage::Outage;

const CHANNEL: &str = "causerie";

/// PostgreSQL refuses a payload of 8,000 bytes; a topic takes at most 38.
const TOPICS_PER_NOTIFICATION: usize = 100;

/// Wake-ups that wait to be sent. When it is full the newest are dropped: they are only wake-ups.
const BACKLOG: usize = 4096;

/// How long to wait before the connection is tried again.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// How long connecting, or one statement, may take. No socket is waited for longer: a machine that has vanished never
/// says so, and what stands in between may go on to acknowledge what is sent to it.
const LIMIT: Duration = Duration::from_secs(3);

/// How long the listening connection may be silent before the database is asked whether it is still there.
const SILENCE: Duration = Duration::from_secs(2);

/// Wakes listeners of all servers on one database.
#[derive(Debug)]
pub struct Postgres {
    hub: Hub,
    outgoing: mpsc::Sender<Outgoing>,
}

#[derive(Debug)]
enum Outgoing {
    Topic(Topic),
    /// Whoever waits for what was sent before.
    Flush(oneshot::Sender<()>),
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
        let hub = Hub::default();
        let (outgoing, incoming) = mpsc::channel(BACKLOG);
        tokio::spawn(until(shutdown.clone(), receive(options.clone(), hub.clone())));
        tokio::spawn(until(shutdown.clone(), forward(options, incoming)));
        Ok(Self { hub, outgoing })
    }
}

impl Signals for Postgres {
    fn send(&self, topic: Topic) {
        self.hub.send(topic);
        // A full backlog means that the database is away or slow: readers look for themselves meanwhile.
        let _ = self.outgoing.try_send(Outgoing::Topic(topic));
    }

    fn listen(&self, topic: Topic) -> Listener {
        self.hub.listen(topic)
    }

    fn flush(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            let (done, sent) = oneshot::channel();
            if self.outgoing.send(Outgoing::Flush(done)).await.is_ok() {
                let _ = sent.await;
            }
        })
    }
}

async fn until(shutdown: CancellationToken, work: impl Future<Output = ()>) {
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = work => {}
    }
}

/// What `work` comes to, or that it took longer than [`LIMIT`].
async fn limited<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    timeout(LIMIT, work).await.unwrap_or_else(|_| Err(Error::Io(std::io::ErrorKind::TimedOut.into())))
}

/// Sends what has gathered since the last notification as one.
async fn forward(options: PgConnectOptions, mut incoming: mpsc::Receiver<Outgoing>) {
    // Not a pool's: that would ask a connection whether it still works before it lets go of it, without a limit.
    let mut connection: Option<PgConnection> = None;
    let mut gathered = Vec::new();
    while incoming.recv_many(&mut gathered, TOPICS_PER_NOTIFICATION).await > 0 {
        // Whoever waits for them is told by their end.
        let (mut topics, mut flushed) = (HashSet::new(), Vec::new());
        for outgoing in gathered.drain(..) {
            match outgoing {
                Outgoing::Topic(topic) => drop(topics.insert(topic)),
                Outgoing::Flush(done) => flushed.push(done),
            }
        }
        if topics.is_empty() {
            continue;
        }
        let sent = limited(async {
            let connection = match &mut connection {
                Some(connection) => connection,
                none => none.insert(PgConnection::connect_with(&options).await?),
            };
            query("SELECT pg_notify($1, $2)").bind(CHANNEL).bind(encode(&topics)).execute(connection).await
        });
        if let Err(error) = sent.await {
            tracing::debug!(%error, "a signal was lost");
            connection = None;
            sleep(RETRY_PAUSE).await;
        }
    }
}

/// Wakes this server's listeners when any server sends.
async fn receive(options: PgConnectOptions, hub: Hub) {
    let outage = Outage::of("wake-ups between servers");
    let mut lost = None;
    loop {
        match listen(&options, &mut lost).await {
            Ok(mut listener) => {
                // Whatever was signalled before now was missed.
                hub.wake_all();
                let error = hear(&mut listener, &hub, &outage).await;
                outage.failed(error);
                lost = Some(listener);
            }
            Err(error) => outage.failed(error),
        }
        sleep(RETRY_PAUSE).await;
    }
}

/// Listens on a new connection, in place of the one that was `lost`.
async fn listen(options: &PgConnectOptions, lost: &mut Option<PgListener>) -> Result<PgListener, Error> {
    if lost.is_some() {
        // A listener that is dropped takes leave of its machine, and would wait for its answer for ever. So it is given
        // a new connection for that, and the old one is closed at once.
        let farewell = limited(PgConnection::connect_with(options)).await?;
        if let Some(mut lost) = lost.take()
            && let Ok(connection) = limited(lost.acquire()).await
        {
            *connection = farewell;
        }
    }
    // Each listener has a pool of its own, as the library wants one. Without the two limits, as in `database::connect`.
    let pool = PgPoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None);
    let pool = pool.connect_lazy_with(options.clone());
    let mut listener = limited(PgListener::connect_with(&pool)).await?;
    // What is lost is tried again in `receive`, and not in the library, which has no limit.
    listener.eager_reconnect(false);
    match limited(listener.listen(CHANNEL)).await {
        Ok(()) => Ok(listener),
        Err(error) => {
            *lost = Some(listener);
            Err(error)
        }
    }
}

/// Wakes those who are meant, until the connection is lost.
async fn hear(listener: &mut PgListener, hub: &Hub, outage: &Outage) -> Error {
    loop {
        match next(listener).await {
            Ok(Some(notification)) => decode(notification.payload()).for_each(|topic| hub.send(topic)),
            Ok(None) => {}
            Err(error) => return error,
        }
        outage.succeeded();
    }
}

/// The next notification. If there is none for some time, the database is asked whether it is still there, and whether
/// it still is the one that sends notifications: a standby does not.
async fn next(listener: &mut PgListener) -> Result<Option<PgNotification>, Error> {
    match timeout(SILENCE, listener.try_recv()).await {
        Ok(Ok(None)) => Err(Error::Io(std::io::ErrorKind::ConnectionAborted.into())),
        Ok(received) => received,
        Err(_) => {
            let ask = query_scalar("SELECT pg_is_in_recovery()").fetch_one(listener);
            if limited(ask).await? {
                Err(Error::Protocol("it has become a standby".to_owned()))
            } else {
                Ok(None)
            }
        }
    }
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
