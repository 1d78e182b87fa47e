//! What goes wrong before and within a stream.

use super::*;

#[tokio::test]
async fn errors_before_the_stream_are_told_apart_in_every_shape() {
    for (status, body, code, retryable) in [
        (
            401,
            r#"{"error":{"message":"x","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}"#,
            FailureCode::AssistantRejected,
            false,
        ),
        (402, r#"{"error":{"message":"x","code":402}}"#, FailureCode::AssistantRejected, false),
        (404, r#"{"object":"error","message":"x"}"#, FailureCode::AssistantRejected, false),
        (
            422,
            r#"{"object":"error","message":{"detail":[{"msg":"x"}]}}"#,
            FailureCode::AssistantRejected,
            false,
        ),
        (422, r#"{"detail":[{"msg":"x"}]}"#, FailureCode::AssistantRejected, false),
        (400, r#"{"error":"x"}"#, FailureCode::AssistantRejected, false),
        (
            400,
            r#"{"error":{"code":"context_length_exceeded","message":"x"}}"#,
            FailureCode::ContextTooLong,
            false,
        ),
        (
            400,
            r#"{"error":{"code":400,"message":"x","type":"exceed_context_size_error"}}"#,
            FailureCode::ContextTooLong,
            false,
        ),
        (
            429,
            r#"{"error":{"code":"insufficient_quota","message":"x"}}"#,
            FailureCode::AssistantRejected,
            false,
        ),
        (429, "x", FailureCode::AssistantRateLimited, true),
        (502, "<html><h1>Bad Gateway</h1></html>", FailureCode::AssistantUnavailable, true),
        (500, "", FailureCode::AssistantUnavailable, true),
    ] {
        let outcome = play(Script::answer(status, "", body)).await;
        assert_eq!(outcome.code(), Some((code, retryable)), "{status} {body}");
    }
}

#[tokio::test]
async fn errors_within_the_stream_keep_the_text_and_give_the_reason() {
    let hello = text("Hello");
    for (event, code, retryable) in [
        (r#"data: {"error":{"message":"x","type":"server_error"}}"#, FailureCode::AssistantUnavailable, true),
        (r#"data: {"error":{"message":"x","code":429}}"#, FailureCode::AssistantRateLimited, true),
        (
            r#"data: {"id":"1","error":{"code":"server_error","message":"x"},"choices":[{"index":0,"delta":{"content":"no"},"finish_reason":"error"}]}"#,
            FailureCode::AssistantUnavailable,
            true,
        ),
        (
            r#"data: {"object":"error","message":"x","type":"BadRequestError","code":400}"#,
            FailureCode::AssistantRejected,
            false,
        ),
        ("event: error\ndata: {\"code\":500,\"details\":\"x\"}", FailureCode::AssistantUnavailable, true),
        ("event: error\ndata: something broke", FailureCode::AssistantUnavailable, true),
        (
            r#"error: {"code":500,"message":"x","type":"server_error"}"#,
            FailureCode::AssistantUnavailable,
            true,
        ),
        (
            r#"error: {"code":400,"message":"x","type":"exceed_context_size_error"}"#,
            FailureCode::ContextTooLong,
            false,
        ),
    ] {
        let outcome = stream(&[&hello, event, "\n\n", DONE]).await;
        assert_eq!(outcome.code(), Some((code, retryable)), "{event}");
        assert_eq!(outcome.text, "Hello", "{event}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let mut elsewhere = Provider::start(vec![Script::stream([DONE])]);
    let headers = format!("location: {}\r\n", elsewhere.url());
    let outcome = play(Script::answer(307, &headers, "")).await;
    assert_eq!(outcome.code(), Some((FailureCode::AssistantRejected, false)));
    assert_eq!(elsewhere.requests_so_far(), 0);
}

#[tokio::test]
async fn an_error_whose_body_does_not_end_is_told_by_its_status() {
    let endless = "x".repeat(70_000);
    let script = Script::raw(format!("HTTP/1.1 401 X\r\ncontent-length: 1000000\r\n\r\n{endless}")).hold();
    let outcome = tokio::time::timeout(Duration::from_secs(2), play(script)).await.expect("no wait for more");
    assert_eq!(outcome.code(), Some((FailureCode::AssistantRejected, false)));
}

#[tokio::test]
async fn a_provider_that_is_not_there_is_unavailable() {
    let outcome = Outcome::of(start(options(&Provider::start(Vec::new())))).await;
    assert_eq!(outcome.code(), Some((FailureCode::AssistantUnavailable, true)));
}
