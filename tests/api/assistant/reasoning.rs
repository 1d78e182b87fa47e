//! Reasoning is told apart from the answer, however a provider sends it, and keeps its place among text and calls.

use serde_json::{Value, json};

use super::*;

/// An event with a delta of these fields.
fn delta(delta: impl Into<Value>) -> String {
    format!("data: {}\n\n", json!({ "choices": [{ "index": 0, "delta": delta.into() }] }))
}

fn call(arguments: &str) -> String {
    let function = json!({ "name": "clock", "arguments": arguments });
    delta(json!({ "tool_calls": [{ "index": 0, "id": "call_0", "function": function }] }))
}

async fn of(events: &[String]) -> Outcome {
    stream(&events.iter().map(String::as_str).collect::<Vec<_>>()).await
}

#[tokio::test]
async fn it_comes_in_fields_in_parts_and_in_tags() {
    for events in [
        vec![
            delta(json!({ "reasoning_content": "Hm, " })),
            delta(json!({ "reasoning_content": "so." })),
            text("Yes"),
        ],
        vec![delta(json!({ "reasoning": "Hm, " })), delta(json!({ "reasoning": "so.", "content": "Yes" }))],
        // The same under both names, beside text that is none.
        vec![
            delta(json!({ "reasoning": "Hm, so.", "reasoning_content": "Hm, so.", "content": "" })),
            text("Yes"),
        ],
        vec![delta(json!({ "content": [
            { "type": "thinking", "thinking": [{ "type": "text", "text": "Hm, " }, { "type": "text", "text": "so." }] },
            { "type": "text", "text": "Yes" },
        ] }))],
        vec![delta(json!({ "content": [{ "type": "thinking", "thinking": "Hm, so." }] })), text("Yes")],
        vec![text("<think>\nHm, "), text("so.\n</thi"), text("nk>\n\nYes")],
        vec![text("\n<think>Hm, so.</think>Yes")],
    ] {
        let outcome = of(&[events.clone(), vec![finish("stop"), DONE.to_owned()]].concat()).await;
        assert_eq!((&*outcome.reasoning, &*outcome.text), ("Hm, so.", "Yes"), "{events:?}");
        assert_eq!(outcome.order, ["reasoning", "text"], "{events:?}");
        assert_eq!(outcome.finish, Some(FinishReason::Stop));
    }
    let message = json!({ "reasoning_content": "Hm, so.", "content": "Yes" });
    let body =
        json!({ "choices": [{ "index": 0, "message": message, "finish_reason": "stop" }] }).to_string();
    let outcome = play(Script::answer(200, "content-type: application/json\r\n", &body)).await;
    assert_eq!((&*outcome.reasoning, &*outcome.text), ("Hm, so.", "Yes"));
}

#[tokio::test]
async fn it_takes_turns_with_text() {
    let think = |text: &str| delta(json!({ "reasoning_content": text }));
    let outcome = of(&[think("a"), text("b"), think("c"), text("d"), finish("stop")]).await;
    assert_eq!(outcome.order, ["reasoning", "text", "reasoning", "text"]);
    assert_eq!((&*outcome.reasoning, &*outcome.text), ("ac", "bd"));
}

#[tokio::test]
async fn reasoning_alone_is_no_answer() {
    for events in [vec![delta(json!({ "reasoning": "Hm" }))], vec![text("<think>Hm")]] {
        let outcome = of(&[events, vec![finish("stop")]].concat()).await;
        assert_eq!(outcome.code(), Some((FailureCode::Empty, true)));
        assert_eq!(outcome.reasoning, "Hm");
    }
}

#[tokio::test]
async fn after_the_first_reasoning_the_provider_is_not_asked_again() {
    let scripts = vec![
        Script::stream([delta(json!({ "reasoning": "Hm" }))]),
        Script::stream([text("Yes"), finish("stop")]),
    ];
    let provider = Provider::start(scripts);
    let outcome = Outcome::of(start(options(&provider))).await;
    assert_eq!((outcome.code(), &*outcome.reasoning), (Some((FailureCode::Truncated, true)), "Hm"));
}

#[tokio::test]
async fn who_writes_on_after_a_call_has_carried_it_out_and_who_does_not_waits() {
    let (before, after) = (text("Let me see."), text(" It is noon."));
    for (events, order, expected) in [
        (
            vec![before.clone(), call("{}"), after.clone(), finish("stop")],
            vec!["text", "call", "text"],
            FinishReason::Stop,
        ),
        (
            vec![call("{}"), delta(json!({ "reasoning": "Hm" })), after.clone(), DONE.to_owned()],
            vec!["call", "reasoning", "text"],
            FinishReason::Stop,
        ),
        (vec![before.clone(), call("{}"), finish("stop")], vec!["text", "call"], FinishReason::ToolCalls),
        (
            vec![before.clone(), call("{}"), text("\n"), finish("tool_calls")],
            vec!["text", "call"],
            FinishReason::ToolCalls,
        ),
        (
            vec![call("{}"), after.clone(), finish("tool_calls")],
            vec!["call", "text"],
            FinishReason::ToolCalls,
        ),
        // The call is not whole when the text comes.
        (vec![call("{\"x\":"), after.clone(), finish("stop")], vec!["text", "call"], FinishReason::Stop),
    ] {
        let outcome = of(&events).await;
        assert_eq!((outcome.finish, &outcome.order), (Some(expected), &order), "{events:?}");
        assert_eq!(outcome.calls.len(), 1);
    }
}

#[tokio::test]
async fn a_reply_in_too_many_parts_is_cut_off() {
    let turns = (0..501).flat_map(|_| [delta(json!({ "reasoning": "a" })), text("b")]);
    let outcome = of(&turns.chain([finish("stop")]).collect::<Vec<_>>()).await;
    assert_eq!(outcome.code(), Some((FailureCode::Truncated, false)));
    assert_eq!(outcome.text.len(), 500);
}
