//! An assistant that does as a test tells it.

use std::sync::{Arc, Mutex};

use causerie::assistant::{Assistant, Delta, Failure, FinishReason, Prompt, Usage};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;

type Item = Result<Delta, Failure>;

/// The assistant: each reply asked of it becomes a [`Puppet`] in the hands of the [`Puppeteer`].
#[derive(Debug)]
struct Stage(mpsc::UnboundedSender<Puppet>);

/// Where a test waits for replies that are asked for.
pub struct Puppeteer(tokio::sync::Mutex<mpsc::UnboundedReceiver<Puppet>>);

/// One reply that was asked for.
#[derive(Debug)]
pub struct Puppet {
    /// What the assistant was shown.
    pub prompt: Prompt,
    strings: Mutex<Option<mpsc::UnboundedSender<Item>>>,
}

impl Puppeteer {
    /// An assistant, and the hand that leads it.
    pub fn new() -> (Arc<dyn Assistant>, Self) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Arc::new(Stage(sender)), Self(tokio::sync::Mutex::new(receiver)))
    }

    /// Waits for the next reply that is asked for.
    pub async fn next(&self) -> Puppet {
        self.0.lock().await.recv().await.expect("the assistant lives as long as its server")
    }
}

impl Puppet {
    /// Writes `text`.
    pub fn say(&self, text: &str) {
        self.send(Ok(Delta::Text(text.to_owned())));
    }

    /// Sends anything.
    pub fn send(&self, item: Item) {
        let strings = self.strings.lock().unwrap();
        // The server may have stopped listening: that is what some tests are about.
        let _ = strings.as_ref().expect("the reply has not ended").send(item);
    }

    /// Ends the reply.
    pub fn finish(&self) {
        self.send(Ok(Delta::Usage(Usage::default())));
        self.send(Ok(Delta::Finish(FinishReason::Stop)));
        self.strings.lock().unwrap().take();
    }

    /// Waits until the server no longer listens.
    pub async fn dropped(&self) {
        let strings = self.strings.lock().unwrap().clone();
        if let Some(strings) = strings {
            strings.closed().await;
        }
    }
}

impl Assistant for Stage {
    fn reply(&self, prompt: Prompt) -> BoxStream<'static, Item> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let puppet = Puppet { prompt, strings: Mutex::new(Some(sender)) };
        let _ = self.0.send(puppet);
        UnboundedReceiverStream::new(receiver).boxed()
    }
}
