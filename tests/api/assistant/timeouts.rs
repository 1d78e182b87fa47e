//! How long a provider may take, and how soon it is told to stop.

use super::*;

const SHORT: Duration = Duration::from_millis(60);
const TICK: Duration = Duration::from_millis(5);

#[tokio::test]
async fn the_first_token_may_take_its_time_but_not_for_ever() {
    let role = "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n";
    for script in [
        Script::silent().hold(),
        Script::open([role]).hold(),
        Script::open([""]).repeat(":\n\n", TICK),
        Script::open([role]).repeat("data: {\"choices\":[]}\n\n", TICK),
    ] {
        let mut provider = Provider::start(vec![script.clone()]);
        let outcome = Outcome::of(start(Options { first_token_timeout: SHORT, ..options(&provider) })).await;
        let failure = outcome.failure.expect("a failure");
        assert_eq!((failure.code, failure.retryable), (FailureCode::AssistantTimeout, true), "{script:?}");
        assert_eq!(failure.message, "The assistant did not begin to answer within 60ms.");
        provider.request().await;
        provider.closed().await;
    }

    // The other limits do not count yet.
    let script = Script::open([role]).wait(SHORT).send(&(text("Hello") + DONE));
    let provider = Provider::start(vec![script]);
    let patient = Options { next_token_timeout: SHORT / 2, event_timeout: SHORT / 2, ..options(&provider) };
    assert_eq!(Outcome::of(start(patient)).await.text, "Hello");
}

#[tokio::test]
async fn silence_after_the_first_token_is_noticed_with_and_without_keepalives() {
    for (script, idle, silence, message) in [
        (
            Script::open([text("Hello")]).hold(),
            SHORT,
            SHORT * 100,
            "The assistant sent nothing more for 60ms.",
        ),
        (
            Script::open([text("Hello")]).repeat(":\n\n", TICK),
            SHORT * 100,
            SHORT,
            "The assistant sent no event for 60ms.",
        ),
    ] {
        let mut provider = Provider::start(vec![script]);
        let limits = Options { next_token_timeout: idle, event_timeout: silence, ..options(&provider) };
        let outcome = Outcome::of(start(limits)).await;
        let failure = outcome.failure.expect("a failure");
        assert_eq!((failure.code, failure.retryable), (FailureCode::AssistantTimeout, true));
        assert_eq!((&*failure.message, &*outcome.text), (message, "Hello"));
        provider.request().await;
        provider.closed().await;
    }
}

#[tokio::test]
async fn a_slow_but_steady_reply_is_not_cut() {
    let mut script = Script::open([""]);
    for _ in 0..8 {
        script = script.send(&text("tick ")).wait(SHORT);
    }
    let provider = Provider::start(vec![script.send(DONE)]);
    let limits = Options { next_token_timeout: SHORT * 6, event_timeout: SHORT * 6, ..options(&provider) };
    assert_eq!(Outcome::of(start(limits)).await.text, "tick ".repeat(8));
}

#[tokio::test]
async fn a_reply_that_never_ends_is_ended() {
    let provider = Provider::start(vec![Script::open([""]).repeat(&text("more "), TICK)]);
    let outcome = Outcome::of(start(Options { total_timeout: SHORT * 5, ..options(&provider) })).await;
    assert_eq!(outcome.code(), Some((FailureCode::AssistantTimeout, true)));
    assert!(outcome.text.starts_with("more more"));

    let provider = Provider::start(vec![Script::silent().hold()]);
    let outcome = Outcome::of(start(Options { total_timeout: SHORT, ..options(&provider) })).await;
    assert_eq!(outcome.code(), Some((FailureCode::AssistantTimeout, true)));
}

#[tokio::test]
async fn a_connection_left_open_after_the_end_holds_nothing_up() {
    for last in [&*finish("stop"), DONE] {
        let mut provider = Provider::start(vec![Script::open([&*text("Hello"), last]).hold()]);
        let outcome = Outcome::of(start(Options { next_token_timeout: SHORT, ..options(&provider) })).await;
        assert_eq!((&*outcome.text, outcome.finish), ("Hello", Some(FinishReason::Stop)));
        provider.request().await;
        provider.closed().await;
    }
}

#[tokio::test]
async fn text_is_passed_on_as_it_comes() {
    let provider = Provider::start(vec![Script::open([text("Hello")]).hold()]);
    let mut stream = start(options(&provider));
    assert_eq!(stream.next().await, Some(Ok(Delta::Text("Hello".to_owned()))));
}

#[tokio::test]
async fn a_dropped_stream_closes_its_connection_at_once() {
    let mut provider = Provider::start(vec![Script::open([text("Hello")]).repeat(&text("more "), TICK)]);
    let mut stream = start(options(&provider));
    stream.next().await.expect("a step").expect("text");
    drop(stream);
    provider.request().await;
    provider.closed().await;

    for script in
        [Script::silent().hold(), Script::open([":\n\n"]).hold(), Script::open([text("Hello")]).hold()]
    {
        let mut provider = Provider::start(vec![script]);
        let reading = tokio::spawn(Outcome::of(start(options(&provider))));
        provider.request().await;
        reading.abort();
        provider.closed().await;
    }
}

#[tokio::test]
async fn a_stream_dropped_in_a_pause_asks_no_more() {
    let mut provider =
        Provider::start(vec![Script::answer(503, "retry-after: 50\r\n", ""), Script::silent()]);
    let reading = tokio::spawn(Outcome::of(start(options(&provider))));
    provider.request().await;
    reading.abort();
    assert!(reading.await.expect_err("cancelled").is_cancelled());
    assert_eq!(provider.requests_so_far(), 0);
}
