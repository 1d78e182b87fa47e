//! Signals between servers that share a PostgreSQL database, by `LISTEN` and `NOTIFY`.

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

/// How long signals gather before they are sent in one notification. Each notification is a transaction of its own and
/// wakes every server; in a trial, gathering doubled the sends a second at 16 senders.
const GATHER: Duration = Duration::from_millis(5);

/// How many signals may wait to be sent. Further ones are dropped.
const QUEUE_LENGTH: usize = 4096;

/// How long to wait before connecting again.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// How long connecting, or one statement, may take. A machine that has vanished closes no connection, and a proxy in
/// between may still acknowledge what is sent to it.
const TIMEOUT: Duration = Duration::from_secs(3);

/// How long the listening connection may be idle before it is checked.
const CHECK_AFTER: Duration = Duration::from_secs(2);

/// How long a stopping server may take to send its last signals.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// Wakes listeners in all servers on one database.
#[derive(Debug)]
pub struct Postgres {
    hub: Hub,
    outgoing: mpsc::Sender<QueuedSignal>,
}

#[derive(Debug)]
enum QueuedSignal {
    Topic(Topic),
    /// A caller that waits for the signals before it.
    Flush(oneshot::Sender<()>),
}

impl Postgres {
    /// Starts to listen and to send, on two connections of its own, until `shutdown`.
    ///
    /// # Errors
    /// If `address` is not PostgreSQL's. If the database is unavailable, connecting is tried again.
    pub fn start(address: &Address, shutdown: &CancellationToken) -> Result<Self, Error> {
        // A notification need not survive a crash of the database, so its commit need not wait for the disk.
        let options: PgConnectOptions = address.url().parse::<PgConnectOptions>()?;
        let options = options.application_name("causerie-signals").options([("synchronous_commit", "off")]);
        // The library would log each statement, and warn of slow ones; late signals do no harm.
        let options = options.disable_statement_logging();
        let hub = Hub::default();
        let (outgoing, incoming) = mpsc::channel(QUEUE_LENGTH);
        tokio::spawn(until(shutdown.clone(), receive(options.clone(), hub.clone())));
        tokio::spawn(until(shutdown.clone(), forward(options, incoming)));
        Ok(Self { hub, outgoing })
    }
}

impl Signals for Postgres {
    fn send(&self, topic: Topic) {
        self.hub.send(topic);
        // If the queue is full, the database is unavailable or slow, and listeners read it from time to time.
        let _ = self.outgoing.try_send(QueuedSignal::Topic(topic));
    }

    fn listen(&self, topic: Topic) -> Listener {
        self.hub.listen(topic)
    }

    fn flush(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            let flush = async {
                let (done, sent) = oneshot::channel();
                if self.outgoing.send(QueuedSignal::Flush(done)).await.is_ok() {
                    let _ = sent.await;
                }
            };
            let _ = timeout(FLUSH_TIMEOUT, flush).await;
        })
    }
}

async fn until(shutdown: CancellationToken, work: impl Future<Output = ()>) {
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = work => {}
    }
}

/// Runs `work` for [`TIMEOUT`] at most.
async fn limited<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    timeout(TIMEOUT, work).await.unwrap_or_else(|_| Err(Error::Io(std::io::ErrorKind::TimedOut.into())))
}

/// Waits for signals, and for those that come within [`GATHER`] of the first one. Returns whether there are any: not
/// once nobody sends any more.
async fn gather(incoming: &mut mpsc::Receiver<QueuedSignal>, gathered: &mut Vec<QueuedSignal>) -> bool {
    if incoming.recv_many(gathered, TOPICS_PER_NOTIFICATION).await == 0 {
        return false;
    }
    if gathered.len() < TOPICS_PER_NOTIFICATION {
        sleep(GATHER).await;
    }
    while gathered.len() < TOPICS_PER_NOTIFICATION
        && let Ok(signal) = incoming.try_recv()
    {
        gathered.push(signal);
    }
    true
}

/// Sends the topics that have gathered as one notification.
async fn forward(options: PgConnectOptions, mut incoming: mpsc::Receiver<QueuedSignal>) {
    // A pool would ping the connection without a time limit before closing it.
    let mut connection: Option<PgConnection> = None;
    let mut gathered = Vec::new();
    while gather(&mut incoming, &mut gathered).await {
        // Dropping the senders at the end of the loop tells the waiting callers.
        let (mut topics, mut flushed) = (HashSet::new(), Vec::new());
        for outgoing in gathered.drain(..) {
            match outgoing {
                QueuedSignal::Topic(topic) => drop(topics.insert(topic)),
                QueuedSignal::Flush(done) => flushed.push(done),
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
    let outage = Outage::of("signals between servers");
    let mut lost = None;
    loop {
        match listen(&options, &mut lost).await {
            Ok(mut listener) => {
                // Signals before this were missed.
                hub.wake_all();
                let error = dispatch(&mut listener, &hub, &outage).await;
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
        // Dropping a listener sends `UNLISTEN` and waits for the answer without a limit. It is given a new connection
        // for that, and the old one is closed at once.
        let replacement = limited(PgConnection::connect_with(options)).await?;
        if let Some(mut lost) = lost.take()
            && let Ok(connection) = limited(lost.acquire()).await
        {
            *connection = replacement;
        }
    }
    // The library's listener needs a pool. It has none of the two limits, for the reason given in `database::connect`.
    let pool = PgPoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None);
    let pool = pool.connect_lazy_with(options.clone());
    let mut listener = limited(PgListener::connect_with(&pool)).await?;
    // `receive` reconnects with a time limit; the library would reconnect without one.
    listener.eager_reconnect(false);
    match limited(listener.listen(CHANNEL)).await {
        Ok(()) => Ok(listener),
        Err(error) => {
            *lost = Some(listener);
            Err(error)
        }
    }
}

/// Wakes listeners for each notification until the connection is lost.
async fn dispatch(listener: &mut PgListener, hub: &Hub, outage: &Outage) -> Error {
    loop {
        match next(listener).await {
            Ok(Some(notification)) => decode(notification.payload()).for_each(|topic| hub.send(topic)),
            Ok(None) => {}
            Err(error) => return error,
        }
        outage.succeeded();
    }
}

/// Waits for the next notification. If there is none for [`CHECK_AFTER`], checks that the database answers and has not
/// become a standby, which sends no notifications.
async fn next(listener: &mut PgListener) -> Result<Option<PgNotification>, Error> {
    match timeout(CHECK_AFTER, listener.try_recv()).await {
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
            Topic::Claimable => writeln!(text, "o"),
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
        ("o", "") => Some(Topic::Claimable),
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
        topics.extend([Topic::Claimable, Topic::Backlog, Topic::of_user("ann")]);
        let payload = encode(&topics);
        assert!(payload.len() < 7_000, "{}", payload.len());
        assert_eq!(decode(&payload).collect::<HashSet<_>>(), topics);
    }

    #[test]
    fn what_a_newer_server_says_is_passed_over() {
        let topics: Vec<_> = decode("x1\no\n\nrnonsense\nu\né\nuff\n").collect();
        assert_eq!(topics, [Topic::Claimable, Topic::User(0xff)]);
    }
}
