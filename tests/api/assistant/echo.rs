//! The development assistant.

use causerie::assistant::Echo;

use super::*;

async fn echo(said: &str) -> Outcome {
    let turns = [(Speaker::User, "Hi"), (Speaker::Assistant, "Hello there."), (Speaker::User, said)];
    Outcome::of(Echo::new(Duration::ZERO).reply(prompt(&turns))).await
}

#[tokio::test]
async fn it_says_what_it_is_and_repeats_every_character() {
    for said in ["Hello?", "  two  spaces\n\n\tand lines\r\n ", "世界 😀", &"long ".repeat(6400), "/fail now"]
    {
        let outcome = echo(said).await;
        assert!(outcome.text.contains("development assistant"), "{}", outcome.text);
        assert!(outcome.text.ends_with(&format!("\n\n{said}")), "{}", outcome.text);
        assert_eq!((outcome.model.as_deref(), outcome.finish), (Some("echo"), Some(FinishReason::Stop)));
        assert_eq!(outcome, echo(said).await, "the same every time");
    }
}

#[tokio::test]
async fn it_counts_words_as_tokens() {
    let usage = echo("one two").await.usage.expect("usage");
    assert_eq!((usage.input_tokens, usage.output_tokens), (Some(5), Some(9)));
}

#[tokio::test]
async fn it_streams_word_by_word_with_a_pause_before_each() {
    let begun = tokio::time::Instant::now();
    let echo = Echo::new(Duration::from_millis(3));
    let steps: Vec<_> = echo.reply(prompt(&[(Speaker::User, "a b c")])).collect().await;
    let words = steps.iter().filter(|step| matches!(step, Ok(Delta::Text(_)))).count();
    assert_eq!(words, 10);
    assert!(begun.elapsed() >= Duration::from_millis(30));
}

#[tokio::test]
async fn it_fails_and_calls_tools_when_asked() {
    let failed = echo("/fail").await;
    assert_eq!(failed.code(), Some((FailureCode::AssistantUnavailable, true)));
    assert!(!failed.text.is_empty());

    let called = echo("/tool").await;
    assert_eq!((&*called.calls[0].name, called.calls.len()), ("echo", 1));
    assert_eq!((called.text.is_empty(), called.finish), (false, Some(FinishReason::ToolCalls)));
}
