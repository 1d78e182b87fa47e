//! How a reply is cut into bytes.

use super::*;

#[tokio::test]
async fn comments_and_keepalives_are_not_taken_for_events() {
    let (hello, stop) = (text("Hello"), finish("stop"));
    for silence in [
        ": OPENROUTER PROCESSING\n\n",
        ":\n\n",
        ": keep-alive\n\n",
        "\n\n",
        ":\r\n\r\n",
        "data:\n\n",
        "event: ping\n\n",
        "data: null\n\n",
        "event: ping\ndata: {\"type\":\"ping\"}\n\n",
    ] {
        let outcome = stream(&[silence, &hello, silence, &stop, silence, DONE]).await;
        assert_eq!((&*outcome.text, outcome.finish), ("Hello", Some(FinishReason::Stop)), "{silence:?}");
    }
}

#[tokio::test]
async fn a_stream_may_be_cut_anywhere() {
    let whole = [&*text("Grüße, 世界 😀"), &text("\n\"x\""), &finish("stop"), DONE].concat();
    for ending in ["\n", "\r\n", "\r"] {
        let whole = whole.replace('\n', ending);
        for size in [1, 2, 3, 7, 64, whole.len()] {
            let outcome = play(Script::stream(whole.as_bytes().chunks(size))).await;
            assert_eq!(outcome.text, "Grüße, 世界 😀\n\"x\"", "{ending:?} {size}");
        }
    }
}

#[tokio::test]
async fn data_needs_no_space_and_may_take_several_lines() {
    let outcome = stream(&[
        "data:{\"choices\":\ndata: [{\"delta\":\ndata:{\"content\":\"Hello\"}}]}\n\n",
        "data:[DONE]\n\n",
    ])
    .await;
    assert_eq!((&*outcome.text, outcome.finish), ("Hello", Some(FinishReason::Stop)));
}

#[tokio::test]
async fn the_last_event_may_lack_its_blank_line() {
    let hello = text("Hello");
    for end in ["data: [DONE]\n", "data: [DONE]", finish("stop").trim_end()] {
        assert_eq!(stream(&[&hello, end]).await.finish, Some(FinishReason::Stop), "{end:?}");
    }
}

#[tokio::test]
async fn a_stream_without_chunked_encoding_ends_with_the_connection() {
    let body = [text("Hello"), finish("stop"), DONE.to_owned()].concat();
    let outcome = play(Script::raw(format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{body}"))).await;
    assert_eq!((&*outcome.text, outcome.finish), ("Hello", Some(FinishReason::Stop)));
}

#[tokio::test]
async fn lines_and_replies_without_end_do_not_fill_the_memory() {
    let long = "x".repeat(1 << 20);
    let outcome = stream(&["data: ", &long]).await;
    assert_eq!(outcome.code(), Some((FailureCode::AssistantUnavailable, false)));

    let body = format!("{{{}", " ".repeat(9 << 20));
    let outcome = play(Script::answer(200, "", &body)).await;
    assert_eq!(outcome.code(), Some((FailureCode::AssistantUnavailable, false)));

    let page = text(&long[1024..]);
    let outcome = stream(&[&page, &page, &page, &page, &page]).await;
    assert_eq!(outcome.code(), Some((FailureCode::Truncated, false)));
    assert_eq!(outcome.text.len(), 4 * long[1024..].len(), "what fits is kept");
}

#[tokio::test]
async fn a_whole_completion_as_json_is_a_reply() {
    let completion = r#"{"object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant",
        "content":"<think>hm</think>Hello","reasoning_content":"hm","tool_calls":[{"id":"a","function":{"name":"f","arguments":"{}"}}]},
        "finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":4}}"#;
    for (headers, padding) in [
        ("content-type: application/json\r\n", ""),
        ("content-type: text/event-stream\r\n", ""),
        ("", "\n\n\n\n"),
    ] {
        let outcome = play(Script::answer(200, headers, &format!("{padding}{completion}"))).await;
        assert_eq!(outcome.text, "Hello", "{headers}");
        assert_eq!(outcome.calls.len(), 1);
        assert_eq!(outcome.model.as_deref(), Some("m"));
        assert_eq!(outcome.usage.and_then(|usage| usage.output_tokens), Some(4));
        assert_eq!(outcome.finish, Some(FinishReason::ToolCalls));
    }
}

#[tokio::test]
async fn events_declared_as_json_are_read_all_the_same() {
    let body = [text("Hello"), DONE.to_owned()].concat();
    let outcome = play(Script::answer(200, "content-type: application/json\r\n", &body)).await;
    assert_eq!(outcome.text, "Hello");
}

#[tokio::test]
async fn a_json_error_with_status_200_is_an_error() {
    for body in [r#"{"error":{"message":"x","code":401}}"#, r#"[{"error":{"message":"x","code":401}}]"#] {
        let outcome = play(Script::answer(200, "content-type: application/json\r\n", body)).await;
        assert_eq!(outcome.code(), Some((FailureCode::AssistantRejected, false)), "{body}");
    }
}

#[tokio::test]
async fn what_is_no_completion_at_all_is_a_readable_failure() {
    for (body, code, retryable) in [
        ("<!doctype html><title>Sign in</title>", FailureCode::AssistantRejected, false),
        (r#"{"status":"ok"}"#, FailureCode::AssistantUnavailable, true),
        (r#"{"choices":[]}"#, FailureCode::AssistantUnavailable, true),
        ("data: {not json}\n\n", FailureCode::AssistantUnavailable, true),
        (r#"{"choices":[{"mess"#, FailureCode::Truncated, true),
        ("upstream says hello", FailureCode::Truncated, true),
        ("", FailureCode::Truncated, true),
    ] {
        let outcome = play(Script::answer(200, "", body)).await;
        assert_eq!(outcome.code(), Some((code, retryable)), "{body}");
    }
}
