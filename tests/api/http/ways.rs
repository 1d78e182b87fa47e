//! One question in every way that a server can be asked, and the form that each way gives to the answer.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;

use super::Socket;
use crate::support::Client;

/// A way to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// By POST, for `application/graphql-response+json`.
    Post,
    /// By GET, for `application/json`.
    Get,
    /// By POST, for a stream of events.
    Events,
    /// By POST, for a stream of parts. Only subscriptions are answered so.
    Parts,
    /// On a WebSocket.
    Socket,
}

impl Way {
    pub const ALL: [Self; 4] = [Self::Post, Self::Get, Self::Events, Self::Socket];
    /// What a mutation may come by.
    pub const WRITING: [Self; 3] = [Self::Post, Self::Events, Self::Socket];
    /// What a subscription may come by.
    pub const STREAMS: [Self; 3] = [Self::Events, Self::Parts, Self::Socket];
}

/// All ways of one client to its server. The socket is the same one throughout: a refusal must not close it.
pub struct Ways {
    client: Client,
    socket: Socket,
    asked: usize,
}

/// What was answered.
#[derive(Debug)]
pub struct Told {
    way: Way,
    /// Of HTTP: a socket has none.
    pub status: Option<u16>,
    retry_after: Option<String>,
    pub body: Value,
}

impl Ways {
    pub async fn of(client: &Client) -> Self {
        let mut socket = Socket::open(client.url()).await;
        socket.init(client.token()).await;
        assert_eq!(socket.message().await["type"], "connection_ack");
        Self { client: client.clone(), socket, asked: 0 }
    }

    /// Runs a query.
    pub async fn query(&mut self, way: Way, query: &str) -> Told {
        self.ask(way, &json!({ "query": query })).await
    }

    /// Sends a request that has one answer, and checks that the answer has its way's form.
    pub async fn ask(&mut self, way: Way, fields: &Value) -> Told {
        self.asked += 1;
        let told = async {
            if way == Way::Socket { self.ask_socket(fields).await } else { self.ask_http(way, fields).await }
        };
        timeout(Duration::from_secs(20), told).await.expect("the answer has no end")
    }

    async fn ask_http(&self, way: Way, fields: &Value) -> Told {
        let request = match way {
            Way::Get => self.client.get(&path(fields)).header("accept", "application/json"),
            Way::Events => self.client.post("/graphql").header("accept", "text/event-stream").json(fields),
            Way::Parts => self.client.post("/graphql").header("accept", APOLLO).json(fields),
            _ => self.client.post("/graphql").header("accept", GRAPHQL).json(fields),
        };
        let response = request.send().await.unwrap();
        let header = |name| response.headers().get(name).map(|it| it.to_str().unwrap().to_owned());
        let (status, retry_after) = (response.status().as_u16(), header("retry-after"));
        let kind = header("content-type").unwrap();
        let text = response.text().await.unwrap();
        let is_stream = kind.starts_with("text/event-stream");
        let body = if is_stream {
            only_event(&text)
        } else if kind == PARTS {
            only_part(&text)
        } else {
            serde_json::from_str(&text).unwrap()
        };
        match (way, status) {
            (Way::Post, 200 | 400) => {
                assert!(kind.starts_with(GRAPHQL), "{kind}");
                assert_eq!(status == 200, body.get("data").is_some(), "{body}");
            }
            (Way::Get, 200) => assert!(kind.starts_with("application/json"), "{kind}"),
            (Way::Events, 200) => assert!(is_stream, "{kind}: {body}"),
            (Way::Parts, 200) => assert_eq!(kind, PARTS, "{body}"),
            _ => {
                assert_eq!(kind, "application/json", "{status}: what HTTP itself refuses is plain JSON");
                assert_eq!(body.get("data"), None);
            }
        }
        Told { way, status: Some(status), retry_after, body }
    }

    async fn ask_socket(&mut self, fields: &Value) -> Told {
        let messages = self.socket.ask(&self.asked.to_string(), fields).await;
        let kinds: Vec<_> = messages.iter().map(|message| message["type"].as_str().unwrap()).collect();
        let payload = messages[0]["payload"].clone();
        let body = match kinds.as_slice() {
            ["next", "complete"] => payload,
            ["error"] => json!({ "errors": payload }),
            other => panic!("{other:?} is no answer to one request"),
        };
        Told { way: Way::Socket, status: None, retry_after: None, body }
    }
}

const GRAPHQL: &str = "application/graphql-response+json";

/// What Apollo Client accepts for a subscription.
pub const APOLLO: &str = "multipart/mixed;boundary=graphql;subscriptionSpec=1.0,application/graphql-response+json,\
                          application/json;q=0.9";

/// The type of a stream of parts.
pub const PARTS: &str = "multipart/mixed;boundary=\"graphql\";subscriptionSpec=1.0";

fn path(fields: &Value) -> String {
    let fields = fields.as_object().unwrap().iter();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields.map(|(name, value)| (name, text(value))))
        .finish();
    format!("/graphql?{query}")
}

/// The one answer of a stream that has ended, signs of life aside.
fn only_event(text: &str) -> Value {
    let events = text.trim_start_matches(":\n\n").strip_prefix("event: next\ndata: ");
    let json = events.and_then(|rest| rest.strip_suffix("\n\nevent: complete\ndata: \n\n"));
    serde_json::from_str(json.unwrap_or_else(|| panic!("not one answer and the end: {text}"))).unwrap()
}

/// The one answer of a stream of parts that has ended, signs of life aside.
fn only_part(text: &str) -> Value {
    let mut parts = parts(text);
    assert_eq!(parts.len(), 1, "not one answer and the end: {text}");
    parts[0]["payload"].take()
}

/// What the parts of a stream that has ended say, signs of life aside.
pub fn parts(text: &str) -> Vec<Value> {
    let (parts, end) =
        text.rsplit_once("\r\n--graphql--\r\n").unwrap_or_else(|| panic!("not the end: {text}"));
    assert_eq!(end, "");
    let mut parts = parts.split("\r\n--graphql");
    assert_eq!(parts.next(), Some(""), "{text}");
    let contents = parts.map(|part| part.strip_prefix("\r\ncontent-type: application/json\r\n\r\n").unwrap());
    contents.map(|json| serde_json::from_str(json).unwrap()).filter(|part| *part != json!({})).collect()
}

impl Told {
    /// The data; there must be no errors.
    #[track_caller]
    pub fn data(&self) -> &Value {
        assert_eq!(self.body.get("errors"), None, "by {:?}", self.way);
        &self.body["data"]
    }

    /// The code of the only error, which refuses the request.
    #[track_caller]
    pub fn code(&self) -> &str {
        assert_eq!(self.body.get("data"), None, "by {:?}", self.way);
        assert_eq!(self.body["errors"].as_array().map(Vec::len), Some(1), "by {:?}: {}", self.way, self.body);
        self.body["errors"][0]["extensions"]["code"].as_str().unwrap()
    }

    /// The request was too large: more than `maximum` of what `limit` counts.
    #[track_caller]
    pub fn assert_too_large(&self, code: &str, limit: &str, maximum: u64) {
        assert_eq!(self.code(), code, "by {:?}: {}", self.way, self.body);
        let error = &self.body["errors"][0];
        let extensions = json!({ "code": code, "limit": limit, "maximum": maximum });
        assert_eq!(error["extensions"], extensions, "by {:?}", self.way);
        let message = format!("The query is too large: its {limit} must be at most {maximum}.");
        assert_eq!(error["message"], message);
    }

    /// The request has to come again, and is told after how many seconds, wherever the client may look for it.
    #[track_caller]
    pub fn assert_later(&self, status: u16, code: &str) {
        assert_eq!(self.code(), code, "by {:?}: {}", self.way, self.body);
        let seconds = self.body["errors"][0]["extensions"]["retryAfter"].as_u64();
        assert!(seconds.is_some_and(|seconds| seconds >= 1), "by {:?}: {}", self.way, self.body);
        if self.way != Way::Socket {
            assert_eq!(self.status, Some(status), "by {:?}", self.way);
            assert_eq!(self.retry_after, seconds.map(|it| it.to_string()), "by {:?}", self.way);
        }
    }
}
