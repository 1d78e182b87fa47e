//! Clients who do not behave.

use std::fmt::Write;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::Tally;
use super::line::{Line, request};
use crate::world::User;

/// How long an attacker holds what it has.
const HOLD: Duration = Duration::from_secs(10);

/// The pause between two bytes of who sends slowly.
const DRIBBLE: Duration = Duration::from_millis(250);

/// How many requests a slow reader sends before it waits.
const PIPELINED: usize = 200;

/// How many messages somebody stores before asking for them.
const HOARD: usize = 200;

/// Much to write.
const EXPLORE: &str = "{ __schema { types { name description fields { name description } } } }";

/// A way to hurt.
#[derive(Clone, Copy, Debug)]
pub(super) enum Attack {
    /// Asks for much, and reads nothing.
    SlowReader,
    /// Connects, and says nothing.
    Silence,
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
    /// Sends bodies that are far too large.
    Oversized,
    /// Sends tokens that are none, as fast as it can.
    Tokens,
    /// Starts conversations, far more than anybody would.
    Flood,
}

/// Each attack, how many of its attackers there are, and how long they rest between two strikes.
const ATTACKS: [(Attack, usize, Duration); 12] = [
    (Attack::SlowReader, 20, Duration::from_millis(100)),
    (Attack::Silence, 200, Duration::from_millis(100)),
    (Attack::SilentSocket, 60, Duration::from_millis(100)),
    (Attack::Head, 60, Duration::from_millis(100)),
    (Attack::Body, 60, Duration::from_millis(100)),
    (Attack::Bomb, 4, Duration::from_millis(100)),
    (Attack::Explorer, 2, Duration::from_millis(20)),
    (Attack::Hoarder, 4, Duration::from_millis(20)),
    (Attack::Searcher, 4, Duration::from_millis(20)),
    (Attack::Oversized, 2, Duration::from_millis(200)),
    (Attack::Tokens, 2, Duration::from_millis(2)),
    (Attack::Flood, 1, Duration::from_millis(50)),
];

impl Attack {
    /// Every attacker's attack, or of those the ones with these names, between commas.
    pub(super) fn all(only: Option<&str>) -> impl Iterator<Item = Self> {
        let attacks = ATTACKS.into_iter().filter(move |(attack, ..)| {
            only.is_none_or(|only| only.split(',').any(|name| attack.name() == name))
        });
        attacks.flat_map(|(attack, count, _)| std::iter::repeat_n(attack, count))
    }

    fn name(self) -> &'static str {
        match self {
            Self::SlowReader => "slow readers",
            Self::Silence => "silent connections",
            Self::SilentSocket => "silent sockets",
            Self::Head => "slow heads",
            Self::Body => "slow bodies",
            Self::Bomb => "query bombs",
            Self::Explorer => "introspections",
            Self::Hoarder => "large answers",
            Self::Searcher => "searches",
            Self::Oversized => "oversized bodies",
            Self::Tokens => "token storms",
            Self::Flood => "floods of messages",
        }
    }

    /// Stores what is to be asked for later, as fast as it is let.
    pub(super) async fn prepare(self, number: usize, url: String) {
        let content = match self {
            Self::Hoarder => "hoard ".repeat(5000),
            Self::Searcher => "hoard ".repeat(50),
            _ => return,
        };
        let (user, from) = origin(number);
        let query =
            format!("mutation {{ sendMessage(input: {{ content: \"{content}\" }}) {{ reply {{ id }} }} }}");
        let request = request(Some(&user.token), &json!({ "query": query }).to_string());
        let mut stored = 0;
        while stored < HOARD {
            let Ok(mut line) = Line::open(&url, from).await else { continue };
            if line.write(request.as_bytes()).await.is_ok() && line.status().await == "200" {
                stored += 1;
            } else {
                sleep(Duration::from_millis(100)).await;
            }
        }
    }

    /// Strikes again and again until `end`.
    pub(super) async fn go_on(self, number: usize, url: String, tally: Arc<Tally>, end: CancellationToken) {
        let pause =
            ATTACKS.iter().find(|(attack, ..)| attack.name() == self.name()).map(|(.., pause)| *pause);
        let (user, from) = origin(number);
        // They do not all come in the same instant.
        let mut chance = fastrand::Rng::with_seed(number as u64);
        sleep(Duration::from_millis(chance.u64(0..2000))).await;
        let strikes = async {
            for serial in 0.. {
                let outcome = self.strike(&url, from, &user, serial).await;
                tally.count(self.name(), &outcome.unwrap_or_else(|_| "closed".to_owned()));
                sleep(pause.unwrap_or_default()).await;
            }
        };
        tokio::select! {
            () = strikes => {}
            () = end.cancelled() => {}
        }
    }

    async fn strike(self, url: &str, from: Ipv4Addr, user: &User, serial: usize) -> std::io::Result<String> {
        let mut line = Line::open(url, from).await?;
        match self {
            Self::SlowReader => {
                let query = json!({ "query": EXPLORE });
                let request = request(Some(&user.token), &query.to_string());
                // Once neither side's buffers take any more, the server waits, and so does this.
                let pour = async {
                    for _ in 0..PIPELINED {
                        line.write(request.as_bytes()).await?;
                    }
                    sleep(HOLD).await;
                    std::io::Result::Ok(())
                };
                let _ = tokio::time::timeout(HOLD, pour).await;
                Ok("held".to_owned())
            }
            Self::Silence => {
                sleep(HOLD).await;
                Ok("held".to_owned())
            }
            Self::SilentSocket => {
                line.write(
                    b"GET /graphql HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                      sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\
                      sec-websocket-protocol: graphql-transport-ws\r\n\r\n",
                )
                .await?;
                let status = line.status().await;
                sleep(HOLD).await;
                Ok(status)
            }
            Self::Head => {
                line.write(b"POST /graphql HTTP/1.1\r\nhost: localhost\r\nx-slow: ").await?;
                dribble(&mut line).await
            }
            Self::Body => {
                line.write(
                    b"POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
                      content-length: 100000\r\n\r\n{\"query\": \"",
                )
                .await?;
                dribble(&mut line).await
            }
            Self::Bomb => {
                let token = serial.is_multiple_of(2).then_some(user.token.as_str());
                let body = json!({ "query": bomb(serial % 4) }).to_string();
                line.write(request(token, &body).as_bytes()).await?;
                Ok(line.status().await)
            }
            Self::Explorer => {
                line.write(request(Some(&user.token), &json!({ "query": EXPLORE }).to_string()).as_bytes())
                    .await?;
                Ok(line.status().await)
            }
            Self::Hoarder => {
                let query = if serial.is_multiple_of(2) { texts() } else { rows() };
                line.write(request(Some(&user.token), &json!({ "query": query }).to_string()).as_bytes())
                    .await?;
                Ok(line.status().await)
            }
            Self::Searcher => {
                let mut query = "{".to_owned();
                for alias in 0..9 {
                    let _ = write!(
                        query,
                        " a{alias}: search(query: \"hoard\", first: 50) {{ nodes {{ snippet {{ text }} }} }}"
                    );
                }
                query.push('}');
                line.write(request(Some(&user.token), &json!({ "query": query }).to_string()).as_bytes())
                    .await?;
                Ok(line.status().await)
            }
            Self::Oversized => {
                let size = if serial.is_multiple_of(2) { 3_000_000 } else { 10_000_000_000_u64 };
                let head = format!(
                    "POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {size}\r\n\r\n"
                );
                line.write(head.as_bytes()).await?;
                let chunk = vec![b' '; 65_536];
                for _ in 0..40 {
                    if line.write(&chunk).await.is_err() {
                        break;
                    }
                }
                Ok(line.status().await)
            }
            Self::Tokens => {
                let forged = format!("eyJhbGciOiJIUzI1NiJ9.{}.{}", "A".repeat(400), "B".repeat(43));
                let token = match serial % 3 {
                    0 => forged,
                    1 => format!("{}x", user.token),
                    _ => "A".repeat(6000),
                };
                line.write(request(Some(&token), r#"{"query":"{ viewer { id } }"}"#).as_bytes()).await?;
                Ok(line.status().await)
            }
            Self::Flood => {
                let content = "and another thing ".repeat(50);
                let query = format!(
                    "mutation {{ sendMessage(input: {{ content: \"{content}\", awaitReply: false }}) {{ reply {{ id }} }} }}"
                );
                line.write(request(Some(&user.token), &json!({ "query": query }).to_string()).as_bytes())
                    .await?;
                Ok(line.status().await)
            }
        }
    }
}

/// Who the attacker of this number is, and where.
fn origin(number: usize) -> (User, Ipv4Addr) {
    let first = u32::from(Ipv4Addr::new(127, 0, 16, 1));
    (User::new(1000 + number), Ipv4Addr::from(first + u32::try_from(number).unwrap()))
}

/// Sends one byte after the other until the server has enough of it.
async fn dribble(line: &mut Line) -> std::io::Result<String> {
    for _ in 0..HOLD.as_millis() / DRIBBLE.as_millis() {
        line.write(b"a").await?;
        sleep(DRIBBLE).await;
    }
    Ok("held".to_owned())
}

/// Few rows, their texts many times.
fn texts() -> String {
    let mut query = "{ conversations(first: 90) { nodes { messages(first: 2) { nodes {".to_owned();
    for alias in 0..90 {
        let _ = write!(query, " a{alias}: content");
    }
    query + " } } } } }"
}

/// As many rows as one query may read, nearly nothing of each.
fn rows() -> String {
    let mut query = "{".to_owned();
    for alias in 0..30 {
        let _ = write!(
            query,
            " a{alias}: conversations(first: 100) {{ nodes {{ messages(first: 2) {{ nodes {{ id }} }} }} }}"
        );
    }
    query + " }"
}

/// A query that is little to send and much to read.
fn bomb(kind: usize) -> String {
    match kind {
        0 => {
            let mut query = "{ ...F0 }".to_owned();
            for level in 0..40 {
                let next = level + 1;
                let _ = write!(query, " fragment F{level} on Query {{ ...F{next} ...F{next} }}");
            }
            query + " fragment F40 on Query { viewer { id } }"
        }
        1 => format!("{}id{}", "{ viewer ".repeat(2000), "}".repeat(2000)),
        2 => {
            let mut query = "{".to_owned();
            for alias in 0..5000 {
                let _ = write!(query, " a{alias}: viewer {{ id }}");
            }
            query + " }"
        }
        _ => {
            let pages = "conversations(first: 100) { nodes { messages(first: 100) { nodes { conversation { ";
            format!("{{ {}id{} }}", pages.repeat(5), " } } } } }".repeat(5))
        }
    }
}
