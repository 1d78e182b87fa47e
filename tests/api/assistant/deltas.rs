//! What the pieces of a reply may look like.

use super::*;

/// An event with one choice.
fn choice(choice: &str) -> String {
    format!("data: {{\"choices\":[{choice}]}}\n\n")
}

fn delta(delta: &str) -> String {
    choice(&format!("{{\"index\":0,\"delta\":{delta}}}"))
}

#[tokio::test]
async fn fields_may_be_absent_null_empty_or_unknown() {
    for odd in [
        delta(r#"{"role":"assistant","content":null}"#),
        delta(r#"{"role":null,"content":"","tool_calls":null,"refusal":null,"function_call":null}"#),
        delta(r#"{"tool_calls":[],"reasoning_content":null,"audio":{"x":1}}"#),
        delta(r#"{"content":7,"tool_calls":{"x":1}}"#),
        delta("null"),
        choice("{}"),
        choice("null"),
        choice(r#"{"index":0,"finish_reason":null,"logprobs":null}"#),
        choice(r#"{"index":1,"delta":{"content":"another version"}}"#),
        "data: {\"id\":null,\"created\":99999999999999999999,\"model\":null,\"x_new\":[]}\n\n".to_owned(),
    ] {
        let outcome = stream(&[&odd, &text("Hel"), &odd, &text("lo"), &finish("stop"), DONE]).await;
        assert_eq!((&*outcome.text, outcome.finish), ("Hello", Some(FinishReason::Stop)), "{odd}");
        assert_eq!((outcome.calls.len(), outcome.model, outcome.usage), (0, None, None), "{odd}");
    }
}

#[tokio::test]
async fn text_may_come_in_parts_and_a_refusal_is_text() {
    let outcome = stream(&[
        &delta(r#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},{"type":"text","text":"Hel"}]}"#),
        &delta(r#"{"content":[{"type":"text","text":"lo"}]}"#),
        DONE,
    ])
    .await;
    assert_eq!(outcome.text, "Hello");
    assert_eq!(stream(&[&delta(r#"{"refusal":"No."}"#), DONE]).await.text, "No.");
}

#[tokio::test]
async fn nul_does_not_reach_the_database() {
    let outcome = stream(&[
        "data: {\"model\":\"m\\u0000\",\"choices\":[]}\n\n",
        &text("a\0b"),
        &delta(r#"{"tool_calls":[{"id":"\u0000i","function":{"name":"f\u0000","arguments":"\u0000"}}]}"#),
        DONE,
    ])
    .await;
    assert!(!format!("{outcome:?}").contains("\\0"), "{outcome:?}");
    assert_eq!((&*outcome.text, outcome.model.as_deref()), ("ab", Some("m")));
}

#[tokio::test]
async fn the_model_is_told_once_and_shortened() {
    let model = |name: &str| {
        format!("data: {{\"model\":\"{name}\",\"choices\":[{{\"delta\":{{\"content\":\"x\"}}}}]}}\n\n")
    };
    let outcome = stream(&[&model(""), &model("first"), &model("second"), DONE]).await;
    assert_eq!(outcome.model.as_deref(), Some("first"));
    let outcome = stream(&[&model(&"é".repeat(1000)), DONE]).await;
    assert_eq!(outcome.model.map(|name| name.chars().count()), Some(255));
}

#[tokio::test]
async fn fragments_of_tool_calls_become_whole_calls_after_the_text() {
    let call = |id: &str, name: &str, arguments: &str| ToolCall {
        call_id: id.to_owned(),
        name: name.to_owned(),
        arguments: arguments.to_owned(),
    };
    let fragment = |call: &str| delta(&format!("{{\"tool_calls\":[{call}]}}"));
    let a = fragment(r#"{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}"#);
    for (events, expected) in [
        (
            vec![
                a.clone(),
                fragment(r#"{"index":0,"id":null,"function":{"name":null,"arguments":"{\"x\":"}}"#),
                fragment(r#"{"index":0,"id":"","function":{"name":"","arguments":"1}"}}"#),
            ],
            vec![call("a", "f", "{\"x\":1}")],
        ),
        (
            vec![a.clone(), fragment(r#"{"index":0,"id":"b","function":{"name":"g","arguments":"[]"}}"#)],
            vec![call("a", "f", "{}"), call("b", "g", "[]")],
        ),
        (
            vec![a.clone(), fragment(r#"{"index":1,"id":"b","function":{"name":"g","arguments":"{"}}"#)],
            vec![call("a", "f", "{}"), call("b", "g", "{")],
        ),
        (
            vec![fragment(
                r#"{"id":"a","function":{"name":"f","arguments":{"x":1}}},{"id":"b","function":{"name":"g"}}"#,
            )],
            vec![call("a", "f", "{\"x\":1}"), call("b", "g", "{}")],
        ),
    ] {
        for reason in ["tool_calls", "stop", "function_call"] {
            let mut all = vec![text("Let me see.")];
            all.extend(events.clone());
            // Some repeat the reason with the tokens used: calls come once all the same.
            all.extend([finish(reason), finish(reason), DONE.to_owned()]);
            let all: Vec<&str> = all.iter().map(String::as_str).collect();
            let outcome = stream(&all).await;
            assert_eq!(outcome.calls, expected, "{all:?}");
            assert_eq!((&*outcome.text, outcome.finish), ("Let me see.", Some(FinishReason::ToolCalls)));
        }
    }
}

#[tokio::test]
async fn a_call_alone_is_a_reply_and_gets_an_id() {
    for event in [
        delta(r#"{"tool_calls":[{"function":{"name":"f","arguments":"{}"}}]}"#),
        delta(r#"{"function_call":{"name":"f","arguments":"{}"}}"#),
    ] {
        let outcome = stream(&[&event, &finish("stop"), DONE]).await;
        assert_eq!((&*outcome.calls[0].name, outcome.calls.len()), ("f", 1));
        assert!(outcome.calls[0].call_id.starts_with("call_") && outcome.calls[0].call_id.len() > 10);
        assert_eq!(outcome.finish, Some(FinishReason::ToolCalls));
    }
}

#[tokio::test]
async fn calls_of_a_reply_that_broke_off_are_not_made() {
    let call =
        delta(r#"{"tool_calls":[{"id":"a","function":{"name":"delete","arguments":"{\"path\":\"/"}}]}"#);
    let outcome = stream(&[&call]).await;
    assert_eq!((outcome.calls.len(), outcome.code()), (0, Some((FailureCode::Truncated, true))));
}

#[tokio::test]
async fn calls_written_as_text_are_text() {
    let written = "<tool_call>{\"name\":\"f\",\"arguments\":{}}</tool_call>";
    let outcome = stream(&[&text(written), &finish("stop"), DONE]).await;
    assert_eq!((&*outcome.text, outcome.calls.len(), outcome.finish), (written, 0, Some(FinishReason::Stop)));
}

#[tokio::test]
async fn reasoning_is_kept_out_of_the_text() {
    for events in [
        vec![delta(r#"{"reasoning_content":"hm"}"#), text("Hello")],
        vec![delta(r#"{"reasoning":"hm","reasoning_details":[{"text":"hm"}],"content":""}"#), text("Hello")],
        vec![delta(r#"{"reasoning_content":"hm","content":"Hel"}"#), text("lo")],
        vec![text("\n<thi"), text("nk>h"), text("m</th"), text("ink>\n\n"), text("\nHello")],
    ] {
        let mut events: Vec<&str> = events.iter().map(String::as_str).collect();
        events.push(DONE);
        assert_eq!(stream(&events).await.text, "Hello", "{events:?}");
    }
    let outcome = stream(&[&text("Write <think>hm</think>."), DONE]).await;
    assert_eq!(outcome.text, "Write <think>hm</think>.", "further on it is text");
    assert_eq!(stream(&[&text(" <th"), DONE]).await.text, " <th", "half a tag is text");
}
