//! An assistant that does as a test tells it.

use std::sync::{Arc, Mutex};

use causerie::assistant::{Assistant, Delta, Failure, FinishReason, Prompt, Usage};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;

type Item = Result<Delta, Failure>;

/// What a server is given: each reply asked of it becomes a [`ScriptedAttempt`].
#[derive(Debug)]
struct Mock(mpsc::UnboundedSender<ScriptedAttempt>);

/// Where a test waits for replies that are asked for.
pub struct ScriptedAssistant(tokio::sync::Mutex<mpsc::UnboundedReceiver<ScriptedAttempt>>);

/// One reply that was asked for, and what is to be said.
#[derive(Debug)]
pub struct ScriptedAttempt {
    /// What the assistant was shown.
    pub prompt: Prompt,
    deltas: Mutex<Option<mpsc::UnboundedSender<Item>>>,
}

impl ScriptedAssistant {
    /// An assistant for a server, and what tells it what to say.
    pub fn new() -> (Arc<dyn Assistant>, Self) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Arc::new(Mock(sender)), Self(tokio::sync::Mutex::new(receiver)))
    }

    /// Waits for the next reply that is asked for.
    pub async fn next(&self) -> ScriptedAttempt {
        self.0.lock().await.recv().await.expect("the assistant lives as long as its server")
    }
}

impl ScriptedAttempt {
    /// Writes `text`.
    pub fn say(&self, text: &str) {
        self.send(Ok(Delta::Text(text.to_owned())));
    }

    /// Writes reasoning.
    pub fn reason(&self, text: &str) {
        self.send(Ok(Delta::Reasoning(text.to_owned())));
    }

    /// Sends anything.
    pub fn send(&self, item: Item) {
        let deltas = self.deltas.lock().unwrap();
        // The server may have stopped listening: that is what some tests are about.
        let _ = deltas.as_ref().expect("the reply has not ended").send(item);
    }

    /// Ends the reply.
    pub fn finish(&self) {
        self.send(Ok(Delta::Usage(Usage::default())));
        self.send(Ok(Delta::Finish(FinishReason::Stop)));
        self.close();
    }

    /// Says that nothing more comes.
    pub fn close(&self) {
        self.deltas.lock().unwrap().take();
    }

    /// Waits until the server no longer listens.
    pub async fn dropped(&self) {
        let deltas = self.deltas.lock().unwrap().clone();
        if let Some(deltas) = deltas {
            deltas.closed().await;
        }
    }
}

impl Assistant for Mock {
    fn reply(&self, prompt: Prompt) -> BoxStream<'static, Item> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let attempt = ScriptedAttempt { prompt, deltas: Mutex::new(Some(sender)) };
        let _ = self.0.send(attempt);
        UnboundedReceiverStream::new(receiver).boxed()
    }
}
