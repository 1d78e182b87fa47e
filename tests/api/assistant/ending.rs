//! Where a reply ends, and what follows its last word.

use super::*;

#[tokio::test]
async fn a_reply_ends_with_a_reason_or_with_done() {
    let (hello, stop) = (text("Hello"), finish("stop"));
    for events in [&[&*hello, &stop, DONE][..], &[&hello, &stop], &[&hello, DONE]] {
        let outcome = stream(events).await;
        assert_eq!((&*outcome.text, outcome.finish), ("Hello", Some(FinishReason::Stop)), "{events:?}");
    }
}

#[tokio::test]
async fn a_reply_with_neither_is_truncated_and_keeps_its_text() {
    let hello = text("Hello");
    let cut = &finish("stop")[..40];
    for script in [
        Script::stream([&*hello]),
        Script::open([&*hello]),
        Script::open([&*hello, cut]),
        Script::stream([&*hello, cut]),
        Script::stream([&*hello, "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}}\n\n"]),
    ] {
        let outcome = play(script.clone()).await;
        assert_eq!(outcome.code(), Some((FailureCode::Truncated, true)), "{script:?}");
        assert_eq!((&*outcome.text, outcome.usage), ("Hello", None), "{script:?}");
    }
}

#[tokio::test]
async fn a_connection_that_breaks_after_the_reason_spoils_nothing() {
    let outcome = play(Script::open([text("Hello"), finish("stop")])).await;
    assert_eq!((&*outcome.text, outcome.finish), ("Hello", Some(FinishReason::Stop)));
}

#[tokio::test]
async fn nonsense_and_errors_after_the_reason_spoil_nothing() {
    for late in
        ["data: {broken\n\n", "data: {\"error\":{\"message\":\"x\"}}\n\n", "event: error\ndata: x\n\n"]
    {
        let outcome = stream(&[&text("Hello"), &finish("stop"), late, DONE]).await;
        assert_eq!(outcome.finish, Some(FinishReason::Stop), "{late}");
    }
}

#[tokio::test]
async fn the_tokens_used_follow_the_reason_in_many_shapes() {
    let used =
        r#""usage":{"prompt_tokens":3,"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":2}}"#;
    for choices in [
        r#""choices":[],"#,
        r#""choices":null,"#,
        "",
        r#""choices":[{"index":0,"delta":{"content":""},"finish_reason":"stop"}],"#,
    ] {
        let last = format!("data: {{{choices}{used}}}\n\n");
        let outcome = stream(&[&text("Hello"), &finish("stop"), &last, DONE]).await;
        let usage = Usage {
            input_tokens: Some(3),
            output_tokens: Some(4),
            cached_input_tokens: Some(2),
            ..Usage::default()
        };
        assert_eq!((outcome.usage, outcome.finish), (Some(usage), Some(FinishReason::Stop)), "{last}");
    }
}

#[tokio::test]
async fn cumulative_usage_is_not_added_up_and_nothing_is_unknown() {
    let chunk = |usage: &str| format!("data: {{\"choices\":[],\"usage\":{usage}}}\n\n");
    let (hello, stop) = (text("Hello"), finish("stop"));
    let outcome = stream(&[
        &chunk(r#"{"prompt_tokens":3,"completion_tokens":1}"#),
        &hello,
        &chunk(r#"{"prompt_tokens":3,"completion_tokens":2}"#),
        &stop,
        &chunk("null"),
        DONE,
    ])
    .await;
    let usage = Usage { input_tokens: Some(3), output_tokens: Some(2), ..Usage::default() };
    assert_eq!(outcome.usage, Some(usage));

    for nothing in ["{}", "null", "[]", r#"{"prompt_tokens":null}"#] {
        assert_eq!(stream(&[&hello, &stop, &chunk(nothing), DONE]).await.usage, None, "{nothing}");
    }
    let cached = chunk(r#"{"prompt_tokens":3,"prompt_cache_hit_tokens":1}"#);
    let usage = Usage { input_tokens: Some(3), cached_input_tokens: Some(1), ..Usage::default() };
    assert_eq!(stream(&[&hello, &stop, &cached]).await.usage, Some(usage));
}

#[tokio::test]
async fn every_reason_has_a_meaning() {
    for (reason, expected) in [
        ("stop", FinishReason::Stop),
        ("STOP", FinishReason::Stop),
        ("eos_token", FinishReason::Stop),
        ("end_turn", FinishReason::Stop),
        ("length", FinishReason::Length),
        ("content_filter", FinishReason::ContentFilter),
        // No tool is called.
        ("tool_calls", FinishReason::Stop),
        ("function_call", FinishReason::Stop),
        ("something_new", FinishReason::Other),
    ] {
        assert_eq!(stream(&[&text("Hello"), &finish(reason), DONE]).await.finish, Some(expected), "{reason}");
    }
    // An empty reason is none.
    assert_eq!(stream(&[&text("Hello"), &finish("")]).await.code(), Some((FailureCode::Truncated, true)));
}

#[tokio::test]
async fn some_reasons_are_failures() {
    for reason in ["error", "insufficient_system_resource"] {
        let outcome = stream(&[&text("Hello"), &finish(reason), DONE]).await;
        assert_eq!(outcome.code(), Some((FailureCode::AssistantUnavailable, true)), "{reason}");
        assert_eq!(outcome.text, "Hello");
    }
}

#[tokio::test]
async fn a_reply_without_a_word_is_a_failure() {
    for (events, code, retryable) in [
        (vec![finish("stop")], FailureCode::Empty, true),
        (vec![text(""), text("\n"), finish("stop")], FailureCode::Empty, true),
        (vec![DONE.to_owned()], FailureCode::Empty, true),
        (vec![text("<think>hm"), finish("length")], FailureCode::Empty, true),
        (vec![finish("tool_calls")], FailureCode::Empty, true),
        (vec![finish("content_filter")], FailureCode::ContentFiltered, false),
    ] {
        let events: Vec<&str> = events.iter().map(String::as_str).collect();
        assert_eq!(stream(&events).await.code(), Some((code, retryable)), "{events:?}");
    }
}
