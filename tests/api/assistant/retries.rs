//! When a provider is asked again, and when not.

use std::time::Instant;

use super::*;

fn hello() -> Script {
    Script::stream([&*text("Hello"), &finish("stop"), DONE])
}

#[tokio::test]
async fn a_provider_in_trouble_is_asked_again_before_the_first_token() {
    let error = "data: {\"error\":{\"code\":502,\"message\":\"x\"}}\n\n";
    for trouble in [
        Script::answer(408, "", ""),
        Script::answer(409, "", ""),
        Script::answer(429, "", "x"),
        Script::answer(500, "", ""),
        Script::answer(503, "content-type: text/html\r\n", "<html>"),
        Script::silent(),
        Script::open([": hello\n\n"]),
        Script::stream([error]),
        Script::stream([finish("error")]),
    ] {
        let mut provider = Provider::start(vec![trouble.clone(), trouble.clone(), hello()]);
        let outcome = Outcome::of(start(options(&provider))).await;
        assert_eq!((&*outcome.text, provider.requests().await), ("Hello", 3), "{trouble:?}");
    }
}

#[tokio::test]
async fn tries_have_an_end() {
    let mut provider = Provider::start(vec![Script::answer(503, "", ""); 3]);
    let outcome = Outcome::of(start(options(&provider))).await;
    assert_eq!(outcome.code(), Some((FailureCode::AssistantUnavailable, true)));
    assert_eq!(provider.requests().await, 3);
}

#[tokio::test]
async fn a_refusal_is_final() {
    for refusal in [
        Script::answer(400, "", ""),
        Script::answer(401, "retry-after: 0\r\n", ""),
        Script::answer(402, "", ""),
        Script::answer(403, "", ""),
        Script::answer(404, "", ""),
        Script::answer(422, "", ""),
        Script::answer(429, "", r#"{"error":{"type":"insufficient_quota","code":"insufficient_quota"}}"#),
        Script::answer(500, "", r#"{"error":{"message":"the context window is full"}}"#),
        // Billed and empty: whether to pay again is not decided here.
        Script::stream([&*finish("stop"), DONE]),
    ] {
        let mut provider = Provider::start(vec![refusal.clone(), hello()]);
        assert!(Outcome::of(start(options(&provider))).await.failure.is_some());
        assert_eq!(provider.requests_so_far(), 1, "{refusal:?}");
    }
}

#[tokio::test]
async fn nothing_is_asked_twice_after_the_first_token() {
    let error = "data: {\"error\":{\"code\":502,\"message\":\"x\"}}\n\n";
    let thought = "data: {\"choices\":[{\"delta\":{\"reasoning_content\":\"hm\"}}]}\n\n";
    let call = "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"function\":{\"name\":\"f\"}}]}}]}\n\n";
    for begun in [&*text("Hel"), thought, call] {
        for script in [Script::open([begun]), Script::stream([begun, error])] {
            let mut provider = Provider::start(vec![script, hello()]);
            assert!(Outcome::of(start(options(&provider))).await.failure.is_some());
            assert_eq!(provider.requests_so_far(), 1, "{begun}");
        }
    }
}

#[tokio::test]
async fn the_pause_asked_for_is_kept() {
    for header in ["retry-after: 0.1\r\n", "retry-after-ms: 100\r\nretry-after: 50\r\n"] {
        let provider = Provider::start(vec![Script::answer(429, header, ""), hello()]);
        let begun = Instant::now();
        assert_eq!(Outcome::of(start(options(&provider))).await.text, "Hello");
        assert!(begun.elapsed() >= Duration::from_millis(100), "{header}");
    }
    let past = "retry-after: Fri, 02 Jan 2026 03:04:05 GMT\r\n";
    let provider = Provider::start(vec![Script::answer(503, past, ""), hello()]);
    assert_eq!(Outcome::of(start(options(&provider))).await.text, "Hello");
}

#[tokio::test]
async fn a_pause_longer_than_allowed_fails_at_once() {
    let begun = Instant::now();
    for header in ["retry-after: 61\r\n", "retry-after: Fri, 01 Jan 2100 00:00:00 GMT\r\n"] {
        let mut provider = Provider::start(vec![Script::answer(429, header, ""), hello()]);
        let outcome = Outcome::of(start(options(&provider))).await;
        assert_eq!(outcome.code(), Some((FailureCode::AssistantRateLimited, true)));
        assert_eq!(provider.requests_so_far(), 1);
    }
    let mut provider = Provider::start(vec![Script::answer(429, "retry-after: 59\r\n", ""), hello()]);
    let outcome =
        Outcome::of(start(Options { total_timeout: Duration::from_secs(30), ..options(&provider) })).await;
    assert_eq!(outcome.code(), Some((FailureCode::AssistantRateLimited, true)));
    assert_eq!(provider.requests_so_far(), 1, "the pause would end after the time for the whole reply");
    assert!(begun.elapsed() < Duration::from_secs(5));
}
