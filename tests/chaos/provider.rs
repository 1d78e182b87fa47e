//! The provider behind the servers' assistant. No two of its texts are alike, so that a text tells which request
//! it was written for, and a mixture of two shows.

use std::convert::Infallible;
use std::fmt::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::sleep;

use crate::assistants;
use crate::parts::{CALL, Parts, REASONING, TEXT};

/// What was asked for once, and what was said to it.
#[derive(Clone, Debug)]
pub struct Work {
    /// The last thing that the user had said, or several that no reply stands between.
    pub said: String,
    /// The whole text, if nobody stops it.
    pub text: String,
    /// All that is said, its tool calls by the names that are given them here.
    pub parts: Parts,
    /// How many tokens the prompt is said to have, which are no other's, and the text.
    pub input: i64,
    pub output: i64,
    /// Who was asked.
    pub model: String,
    /// Whether it is a title.
    pub is_title: bool,
}

/// How a text comes.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// As it happens: 0.02 to 7 seconds, and one text in twenty breaks off.
    Random,
    /// So many words, with such a pause before each, and the time at which each was said. To somebody who says
    /// [`HOLD`] one word, and then nothing.
    Timed(usize, Duration),
    /// Says what was said, at once. To somebody who begins with [`SLOWLY`] a word a second, for minutes.
    Prompt,
}

/// What a text says that is to be answered by silence.
pub const HOLD: &str = "hold";

/// What a text begins with that is to be answered slowly.
pub const SLOWLY: &str = "slowly";

/// How many words a slow answer has.
const SLOW_WORDS: usize = 600;

/// A word, what is thought before it, and the tool that is called after it.
#[derive(Clone, Debug, Default)]
struct Word {
    text: String,
    reasoning: Option<String>,
    call: Option<String>,
}

/// The words of a text, the pause before each, and how many of them come.
struct Script {
    words: Vec<Word>,
    pause: Duration,
    last: usize,
    timed: bool,
    /// The number of the work, and who was asked.
    number: usize,
    model: String,
}

/// What is asked for.
struct Request {
    said: String,
    model: String,
    is_title: bool,
}

impl Request {
    fn read(request: &Value) -> Self {
        let turns = request["messages"].as_array().map_or(&[][..], Vec::as_slice);
        let content = |turn: &Value| turn["content"].as_str().unwrap_or_default().to_owned();
        let last = |role: &str| turns.iter().rev().find(|turn| turn["role"] == role).map(content);
        Self {
            said: last("user").unwrap_or_default(),
            model: request["model"].as_str().unwrap_or_default().to_owned(),
            is_title: last("system").is_some_and(|text| text.starts_with("You name conversations")),
        }
    }
}

/// A provider that listens until the process ends.
#[derive(Clone, Debug)]
pub struct Provider(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    address: String,
    pace: Pace,
    chance: Mutex<fastrand::Rng>,
    works: Mutex<Vec<Work>>,
}

impl Provider {
    /// Starts to listen.
    pub async fn start(chance: fastrand::Rng, pace: Pace) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/v1", listener.local_addr().unwrap());
        let inner = Inner { address, pace, chance: Mutex::new(chance), works: Mutex::default() };
        let provider = Self(Arc::new(inner));
        let router = Router::new().route("/v1/chat/completions", post(complete)).with_state(provider.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        provider
    }

    /// The base address of its API.
    pub fn url(&self) -> &str {
        &self.0.address
    }

    /// Everything that it was asked, in order.
    pub fn works(&self) -> Vec<Work> {
        self.0.works.lock().unwrap().clone()
    }

    /// Makes up an answer.
    fn compose(&self, request: Request) -> Script {
        let Request { said, model, is_title } = request;
        let mut works = self.0.works.lock().unwrap();
        let mut chance = self.0.chance.lock().unwrap();
        let number = works.len();
        let (count, pause) = match self.0.pace {
            _ if is_title => (0, Duration::from_millis(chance.u64(0..300))),
            // Some are still being written when a frozen server comes back to life.
            Pace::Random if chance.u8(0..7) == 0 => {
                (chance.usize(60..90), Duration::from_millis(chance.u64(50..80)))
            }
            Pace::Random => {
                (chance.usize(3..40), Duration::from_millis(chance.u64(1..11) * chance.u64(1..12)))
            }
            Pace::Timed(..) if said.ends_with(HOLD) => (1, Duration::from_hours(1)),
            Pace::Timed(count, pause) => (count, pause),
            Pace::Prompt if said.starts_with(SLOWLY) => (SLOW_WORDS, Duration::from_secs(1)),
            Pace::Prompt => {
                let words = vec![Word { text: said, ..Word::default() }];
                return Script { words, pause: Duration::ZERO, last: 1, timed: false, number, model };
            }
        };
        let owner = said.split(':').next().unwrap_or_default();
        let timed = matches!(self.0.pace, Pace::Timed(..));
        let word = |index: usize| {
            let text = if index == 0 {
                format!("#{number} for {owner}:")
            } else {
                format!(" {number}.{index}{}", ["", "é", "→", "🙂"][chance.usize(0..4)])
            };
            // Some words are thought over first. A call that nothing follows would wait for its result.
            let reasoning = (!timed && index % 5 == 4).then(|| format!(" ?{text}"));
            let call = (!timed && index % 7 == 3 && index < count).then(|| format!("call {number}.{index}"));
            Word { text, reasoning, call }
        };
        let words: Vec<Word> = if is_title {
            // Nothing that could be a title, so that no device has to learn of one.
            vec![Word { text: "…".to_owned(), ..Word::default() }; 2]
        } else {
            (0..=count).map(word).collect()
        };
        let mut parts = Parts::default();
        for word in &words {
            word.reasoning.iter().for_each(|text| parts.push(REASONING, text));
            parts.push(TEXT, &word.text);
            word.call.iter().for_each(|name| parts.push(CALL, name));
        }
        let text = words.iter().map(|word| word.text.as_str()).collect();
        let [input, output] = usage_of(number, words.len());
        works.push(Work { said, text, parts, input, output, model: model.clone(), is_title });
        let breaks = !timed && chance.u8(0..20) == 0;
        let last = if breaks { words.len() / 2 } else { words.len() };
        Script { last, words, pause, timed, number, model }
    }
}

async fn complete(State(provider): State<Provider>, Json(request): Json<Value>) -> Response {
    let script = Arc::new(provider.compose(Request::read(&request)));
    let chunks = stream::unfold(0, move |index| {
        let script = script.clone();
        async move {
            let delta = match script.words.get(index).filter(|_| index < script.last) {
                Some(word) => {
                    if index > 0 {
                        sleep(script.pause).await;
                    }
                    let mut word = word.clone();
                    if script.timed {
                        let _ = write!(word.text, "@{}", microseconds());
                    }
                    let function = json!({ "name": "look_up", "arguments": "{}" });
                    let call = word.call.map(
                        |id| json!([{ "index": index, "id": id, "type": "function", "function": function }]),
                    );
                    let delta = json!({
                        "content": word.text, "reasoning_content": word.reasoning, "tool_calls": call,
                    });
                    json!({ "index": 0, "delta": delta, "finish_reason": null })
                }
                None if index == script.words.len() => {
                    json!({ "index": 0, "delta": {}, "finish_reason": "stop" })
                }
                None => return None,
            };
            let [input, output] = usage_of(script.number, script.words.len());
            let usage = (index == script.words.len()).then(|| {
                let cost = assistants::reported_cost(&script.model, input, output);
                json!({ "prompt_tokens": input, "completion_tokens": output, "cost": cost })
            });
            let chunk = json!({
                "object": "chat.completion.chunk", "model": script.model, "choices": [delta], "usage": usage,
            });
            Some((Ok::<_, Infallible>(Bytes::from(format!("data: {chunk}\n\n"))), index + 1))
        }
    });
    ([(CONTENT_TYPE, "text/event-stream")], Body::from_stream(chunks)).into_response()
}

/// What the answer with this number, of so many words, is said to have used. No prompt is that long: it is seen whose it is.
fn usage_of(number: usize, words: usize) -> [i64; 2] {
    [100_000 + i64::try_from(number).unwrap_or_default(), i64::try_from(words).unwrap_or_default()]
}

/// Microseconds since 1970.
pub fn microseconds() -> u64 {
    let age = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(age.as_micros()).unwrap_or(u64::MAX)
}
