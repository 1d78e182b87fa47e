//! The provider behind the servers' assistant. No two of its texts are alike, so that a text tells which request
//! it was written for, and a mixture of two shows.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

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

/// What was asked for once, and what was said to it.
#[derive(Clone, Debug)]
pub struct Work {
    /// The last thing that the user had said, or several that no reply stands between.
    pub said: String,
    /// The whole text, if nobody stops it.
    pub text: String,
}

/// How a text comes.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// As it happens: 0.02 to 7 seconds, and one text in twenty breaks off.
    Random,
    /// So many words, with such a pause before each.
    Even(usize, Duration),
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

    /// The words to say, the pause before each, and whether they break off before their end.
    fn compose(&self, said: String) -> (Vec<String>, Duration, bool) {
        let mut works = self.0.works.lock().unwrap();
        let mut chance = self.0.chance.lock().unwrap();
        let number = works.len();
        let (count, pause) = match self.0.pace {
            // Some are still being written when a frozen server comes back to life.
            Pace::Random if chance.u8(0..7) == 0 => {
                (chance.usize(60..90), Duration::from_millis(chance.u64(50..80)))
            }
            Pace::Random => {
                (chance.usize(3..40), Duration::from_millis(chance.u64(1..11) * chance.u64(1..12)))
            }
            Pace::Even(count, pause) => (count, pause),
        };
        let owner = said.split(':').next().unwrap_or_default();
        let mut pieces = vec![format!("#{number} for {owner}:")];
        pieces.extend(
            (1..=count).map(|word| format!(" {number}.{word}{}", ["", "é", "→", "🙂"][chance.usize(0..4)])),
        );
        let breaks = matches!(self.0.pace, Pace::Random) && chance.u8(0..20) == 0;
        works.push(Work { said, text: pieces.concat() });
        (pieces, pause, breaks)
    }
}

async fn complete(State(provider): State<Provider>, Json(request): Json<Value>) -> Response {
    let turns = request["messages"].as_array().cloned().unwrap_or_default();
    let said = turns.iter().rev().find(|turn| turn["role"] == "user");
    let said = said.and_then(|turn| turn["content"].as_str()).unwrap_or_default().to_owned();
    let (words, pause, breaks) = provider.compose(said);
    let last = if breaks { words.len() / 2 } else { words.len() };
    let chunks = stream::unfold(0, move |index| {
        let word = words.get(index).filter(|_| index < last).cloned();
        async move {
            let delta = match word {
                Some(word) => {
                    sleep(pause).await;
                    json!({ "index": 0, "delta": { "content": word }, "finish_reason": null })
                }
                None if breaks || index > last => return None,
                None => json!({ "index": 0, "delta": {}, "finish_reason": "stop" }),
            };
            let chunk =
                json!({ "id": "c", "object": "chat.completion.chunk", "model": "chaos", "choices": [delta] });
            Some((Ok::<_, Infallible>(Bytes::from(format!("data: {chunk}\n\n"))), index + 1))
        }
    });
    ([(CONTENT_TYPE, "text/event-stream")], Body::from_stream(chunks)).into_response()
}
