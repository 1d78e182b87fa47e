//! What must not be told.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::subscriber::DefaultGuard;
use tracing_subscriber::filter::LevelFilter;

use super::*;

/// Everything that is logged by this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn start() -> (Self, DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(LevelFilter::TRACE)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn neither_key_nor_address_nor_content_is_told() {
    let (log, _guard) = Log::start();
    let echoed =
        r#"{"error":{"message":"Incorrect API key provided: sk-verysecret","code":"invalid_api_key"}}"#;
    let mut told = Vec::new();
    for script in [
        Script::answer(401, "", echoed),
        Script::answer(500, "", "sk-verysecret"),
        Script::stream([&*text("Hello"), &format!("data: {echoed}\n\n")]),
        Script::answer(200, "", "data: Hello? sk-verysecret\n\n"),
        Script::silent(),
        Script::open([text("Hello")]),
        Script::stream([&*text("Hello"), DONE]),
    ] {
        let provider = Provider::start(vec![script]);
        let options = Options {
            key: Some("sk-verysecret".to_owned()),
            url: format!("{}/v1?token=alsosecret", provider.url()),
            max_retries: 0,
            ..options(&provider)
        };
        let outcome = Outcome::of(start(options.clone())).await;
        told.push(format!("{:?} {options:?} {:?}", outcome.failure, OpenAi::new(options.clone())));
    }
    let (log, told) = (log.text(), told.concat());
    assert!(!told.contains("127.0.0.1"), "{told}");
    assert!(log.contains("reported an error") && log.contains("[redacted]"), "{log}");
    for secret in ["verysecret", "alsosecret", "Hello"] {
        assert!(!log.contains(secret) && !told.contains(secret), "{secret}: {log} {told}");
    }
}

#[tokio::test]
async fn a_prompt_that_was_silently_shortened_is_warned_of() {
    let words = "a few words ".repeat(2000);
    for (read, warned) in [(2000, true), (6000, false)] {
        let (log, _guard) = Log::start();
        let used = format!("data: {{\"choices\":[],\"usage\":{{\"prompt_tokens\":{read}}}}}\n\n");
        let provider = Provider::start(vec![Script::stream([&*text("Hello"), &finish("stop"), &used, DONE])]);
        let assistant = OpenAi::new(options(&provider)).expect("options");
        Outcome::of(assistant.reply(prompt(&[(Speaker::User, &words)]))).await;
        assert_eq!(log.text().contains("WARN"), warned, "{read}: {}", log.text());
        assert!(!log.text().contains("few words"));
    }
}
