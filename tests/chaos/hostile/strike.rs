//! What attackers do.

use std::io;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use tokio::time::{sleep, timeout};

use super::attack::{Attack, Attacker};
use super::document::{EXPLORE, bomb, exclusions, replies, rows, searches, texts};
use super::line::{Line, request};
use crate::api::Trouble;

/// How long an attacker holds what it has.
const HOLD: Duration = Duration::from_secs(10);

/// The pause between two bytes of who sends slowly.
const DRIBBLE: Duration = Duration::from_millis(250);

/// How many requests a slow reader sends before it waits.
const PIPELINED: usize = 200;

/// How many connections a crowd opens at most, how many of them at once, and the pause between.
const CROWD: usize = 10_000;
const CROWD_BATCH: usize = 100;
const CROWD_PAUSE: Duration = Duration::from_millis(30);

/// How many searches are abandoned at once, and when.
const ABANDONED: usize = 14;
const ABANDONED_AFTER: Duration = Duration::from_millis(250);

/// How many searches for snippets are made at once.
const SNIPPETS: usize = 10;

/// How many requests that begin replies are made at once.
const FLOODS: usize = 8;

/// How often one connection asks whether the server is ready, and the pause between.
const LOOKS: usize = 200;
const LOOK_PAUSE: Duration = Duration::from_millis(10);

/// How long a long conversation may take.
const PATIENCE: Duration = Duration::from_mins(1);

const FORK: &str = "mutation($id: ID!) { forkConversation(input: { messageId: $id }) {
  conversation { messages(first: 1) { nodes { id } } } } }";
const DELETE: &str = "mutation($id: ID!) { deleteMessage(input: { messageId: $id }) { deletedMessageId } }";

impl Attacker {
    /// Does it once. Returns what came of it, of each connection that matters.
    pub(super) async fn strike(&self, serial: usize) -> io::Result<Vec<String>> {
        let even = serial.is_multiple_of(2);
        let outcome = match self.attack {
            Attack::SlowReader => self.read_slowly().await?,
            Attack::Silence => {
                let _line = self.open().await?;
                sleep(HOLD).await;
                "held".to_owned()
            }
            Attack::Crowd => return Ok(self.crowd().await),
            Attack::SilentSocket => self.upgrade().await?,
            Attack::Head => self.dribble(b"POST /graphql HTTP/1.1\r\nhost: localhost\r\nx-slow: ").await?,
            Attack::Body => {
                self.dribble(
                    b"POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
                      content-length: 100000\r\n\r\n{\"query\": \"",
                )
                .await?
            }
            Attack::Bomb => self.post(even.then_some(&self.user.token), &bomb(serial % 4)).await?,
            Attack::Explorer => self.ask(EXPLORE).await?,
            Attack::Hoarder => self.ask(&if even { texts() } else { rows() }).await?,
            Attack::Searcher => self.ask(&searches()).await?,
            Attack::Abandoner => {
                let query = exclusions();
                return Ok(join_all((0..ABANDONED).map(|_| self.abandon(&query))).await);
            }
            Attack::Snippets => {
                let query = "{ search(query: \"a b\", first: 100) { nodes { snippet { text } } } }";
                return Ok(self.ask_at_once(query, SNIPPETS).await);
            }
            Attack::Activator => {
                let id = &self.messages[usize::from(even)];
                self.ask(&format!(
                    "mutation {{ activateMessage(input: {{ messageId: \"{id}\" }}) {{ message {{ id }} }} }}"
                ))
                .await?
            }
            Attack::Forker => return Ok(self.fork_and_delete().await),
            Attack::Oversized => self.oversize(if even { 3_000_000 } else { 10_000_000_000_u64 }).await?,
            Attack::Tokens => {
                let forged = format!("eyJhbGciOiJIUzI1NiJ9.{}.{}", "A".repeat(400), "B".repeat(43));
                let token = match serial % 3 {
                    0 => forged,
                    1 => format!("{}x", self.user.token),
                    _ => "A".repeat(6000),
                };
                self.post(Some(&token), "{ viewer { id } }").await?
            }
            Attack::Readiness => return self.look().await,
            Attack::Flood => {
                let content = "and another thing ".repeat(50);
                self.ask(&format!(
                    "mutation {{ sendMessage(input: {{ content: \"{content}\", awaitReply: false }}) {{ reply {{ id }} }} }}"
                ))
                .await?
            }
            Attack::Replies => return Ok(self.ask_at_once(&replies(), FLOODS).await),
        };
        Ok(vec![outcome])
    }

    async fn open(&self) -> io::Result<Line> {
        Line::open(&self.url, self.from).await
    }

    /// Sends a query on a new connection as the attacker's user.
    async fn ask(&self, query: &str) -> io::Result<String> {
        self.post(Some(&self.user.token), query).await
    }

    async fn ask_at_once(&self, query: &str, times: usize) -> Vec<String> {
        let all = join_all((0..times).map(|_| self.ask(query))).await;
        all.into_iter().map(|one| one.unwrap_or_else(|_| "closed".to_owned())).collect()
    }

    async fn post(&self, token: Option<&String>, query: &str) -> io::Result<String> {
        let mut line = self.open().await?;
        let body = json!({ "query": query }).to_string();
        line.write(request(token.map(String::as_str), &body).as_bytes()).await?;
        Ok(line.outcome().await)
    }

    async fn abandon(&self, query: &str) -> String {
        let answer = timeout(ABANDONED_AFTER, self.ask(query)).await;
        answer.map_or_else(|_| "left".to_owned(), |answer| answer.unwrap_or_else(|_| "closed".to_owned()))
    }

    /// Asks for much at once. When neither side's buffers take any more, the server waits, and so does this.
    async fn read_slowly(&self) -> io::Result<String> {
        let mut line = self.open().await?;
        let request = request(Some(&self.user.token), &json!({ "query": EXPLORE }).to_string());
        let pour = async {
            for _ in 0..PIPELINED {
                line.write(request.as_bytes()).await?;
            }
            sleep(HOLD).await;
            io::Result::Ok(())
        };
        let _ = timeout(HOLD, pour).await;
        Ok("held".to_owned())
    }

    /// As many connections as one process can have, with some left to everybody else in it.
    async fn crowd(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut outcomes = Vec::new();
        for _ in 0..CROWD.min(open_files() / 2) / CROWD_BATCH {
            for opened in join_all((0..CROWD_BATCH).map(|_| timeout(HOLD, self.open()))).await {
                match opened {
                    Ok(Ok(line)) => {
                        lines.push(line);
                        outcomes.push("opened".to_owned());
                    }
                    Ok(Err(_)) => outcomes.push("refused".to_owned()),
                    Err(_) => outcomes.push("silence".to_owned()),
                }
            }
            sleep(CROWD_PAUSE).await;
        }
        sleep(HOLD).await;
        outcomes
    }

    async fn upgrade(&self) -> io::Result<String> {
        let mut line = self.open().await?;
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

    /// Sends one byte after the other until the server has enough of it.
    async fn dribble(&self, start: &[u8]) -> io::Result<String> {
        let mut line = self.open().await?;
        line.write(start).await?;
        for _ in 0..HOLD.as_millis() / DRIBBLE.as_millis() {
            line.write(b"a").await?;
            sleep(DRIBBLE).await;
        }
        Ok("held".to_owned())
    }

    async fn fork_and_delete(&self) -> Vec<String> {
        let run = async |operation: &str, id: &str| {
            self.api.run(&self.url, &self.user.token, operation, json!({ "id": id }), PATIENCE).await
        };
        let name = |trouble: Trouble| match trouble {
            Trouble::Lost(_) => "silence".to_owned(),
            Trouble::Unavailable => "UNAVAILABLE".to_owned(),
            Trouble::Refused(code) => code,
        };
        let fork = match run(FORK, &self.messages[2]).await {
            Ok(fork) => fork,
            Err(trouble) => return vec![format!("fork {}", name(trouble))],
        };
        let first = &fork["forkConversation"]["conversation"]["messages"]["nodes"][0]["id"];
        let deleted = run(DELETE, first.as_str().unwrap_or_default()).await;
        let deleted =
            deleted.map_or_else(|trouble| format!("deletion {}", name(trouble)), |_| "deleted".to_owned());
        vec!["forked".to_owned(), deleted]
    }

    async fn oversize(&self, size: u64) -> io::Result<String> {
        let mut line = self.open().await?;
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

    async fn look(&self) -> io::Result<Vec<String>> {
        let mut line = self.open().await?;
        let mut outcomes = Vec::new();
        for _ in 0..LOOKS {
            line.write(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\n\r\n").await?;
            outcomes.push(line.outcome().await);
            sleep(LOOK_PAUSE).await;
        }
        Ok(outcomes)
    }
}

/// How many files this process may have open.
fn open_files() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(1024)
}
