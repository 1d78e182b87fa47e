//! Public mock providers, as `tests/clients/assistant/run.mjs` starts them: what others believe providers do.

use std::env;

use serde_json::{Value, json};

use super::*;

async fn ask(server: &str, change: impl FnOnce(Options) -> Options, said: &str) -> Outcome {
    let url = env::var(server)
        .unwrap_or_else(|_| panic!("{server} is not set: run tests/clients/assistant/run.mjs"));
    let options = Options {
        key: Some("any".to_owned()),
        retry_delay: Duration::from_millis(200),
        ..Options::new(url, "gpt-4o")
    };
    let assistant = OpenAi::new(change(options)).expect("options");
    Outcome::of(assistant.reply(prompt(&[(Speaker::System, "Be kind."), (Speaker::User, said)]))).await
}

#[tokio::test]
#[ignore = "needs servers: run tests/clients/assistant/run.mjs"]
async fn aimock_is_understood() {
    let ask = |said| ask("AIMOCK_URL", |options| options, said);
    let outcome = ask("text").await;
    assert_eq!(outcome.text, "Grüße, 世界 👩‍👩‍👧😀!\n\n- one\n- two");
    assert_eq!((outcome.finish, outcome.model.as_deref()), (Some(FinishReason::Stop), Some("gpt-4o")));
    assert!(outcome.usage.is_some_and(|usage| usage.output_tokens > Some(0)));

    let outcome = ask("tools").await;
    let calls: Vec<_> = outcome.calls.iter().map(|call| (&*call.name, &*call.arguments)).collect();
    assert_eq!(calls, [("weather", r#"{"city":"Nîmes"}"#), ("time", "{}")]);
    assert_eq!((&*outcome.text, outcome.finish), ("Let me see.", Some(FinishReason::ToolCalls)));

    let outcome = ask("reasoning").await;
    assert_eq!((&*outcome.reasoning, &*outcome.text), ("They greet me.", "Hello"));
    assert_eq!(ask("slow").await.text, "Hello");

    let outcome = ask("truncated").await;
    assert_eq!(outcome.code(), Some((FailureCode::Truncated, true)));
    assert!(outcome.text.starts_with("Hel"));
    assert_eq!(ask("unavailable").await.code(), Some((FailureCode::AssistantUnavailable, true)));
}

#[tokio::test]
#[ignore = "needs servers: run tests/clients/assistant/run.mjs"]
async fn llmock_finds_the_client_well_behaved() {
    let limits = |options| Options { next_token_timeout: Duration::from_millis(300), ..options };
    assert!(ask("LLMOCK_URL", limits, "a first word").await.text.contains("a first word"));

    for (said, behaviour, code) in [
        ("limited", json!({ "type": "fail", "status": 429, "retry_after": 1, "times": 2 }), None),
        ("overloaded", json!({ "type": "fail", "status": 503, "times": 2 }), None),
        ("slow", json!({ "type": "slow_first_token", "seconds": 0.5 }), None),
        ("refused", json!({ "type": "fail", "status": 401 }), Some(FailureCode::AssistantRejected)),
        ("invalid", json!({ "type": "fail", "status": 422 }), Some(FailureCode::AssistantRejected)),
        (
            "dropped",
            json!({ "type": "stream_fault", "kind": "disconnect", "after_chunks": 3 }),
            Some(FailureCode::Truncated),
        ),
        (
            "cut",
            json!({ "type": "stream_fault", "kind": "truncate", "after_chunks": 3 }),
            Some(FailureCode::Truncated),
        ),
        (
            "broken",
            json!({ "type": "stream_fault", "kind": "malformed", "after_chunks": 3 }),
            Some(FailureCode::AssistantUnavailable),
        ),
        (
            "stalled",
            json!({ "type": "stream_fault", "kind": "stall", "after_chunks": 3, "stall_seconds": 5 }),
            Some(FailureCode::AssistantTimeout),
        ),
    ] {
        admin("scenario", Some(json!({ "behaviors": [behaviour] }))).await;
        let said = format!("{said}: one two three four five six seven");
        let outcome = ask("LLMOCK_URL", limits, &said).await;
        assert_eq!(outcome.failure.as_ref().map(|failure| failure.code), code, "{outcome:?}");
        if code.is_none() {
            assert!(outcome.text.contains(&said), "{outcome:?}");
        }
    }

    // llmock wants streams that broke after the first token to be asked for again. Here that is the user's choice:
    // they have seen the text, and the failure says that it broke off.
    let broken = ["gave_up", "truncated_stream_accepted", "malformed_chunk_ignored"];
    let verdict = admin("verdict", None).await;
    let findings = verdict["findings"].as_array().expect("findings");
    let others: Vec<_> =
        findings.iter().filter(|finding| !broken.iter().any(|code| finding["code"] == *code)).collect();
    assert!(others.is_empty(), "{others:#?}");
    assert_eq!((findings.len(), &verdict["faults_injected"]), (broken.len(), &json!(10)), "{verdict:#}");
}

/// Speaks to llmock itself.
async fn admin(path: &str, body: Option<Value>) -> Value {
    let url = format!("{}/_llmock/{path}", env::var("LLMOCK_URL").expect("LLMOCK_URL"));
    let client = reqwest::Client::builder().tls_certs_only([]).no_proxy().build().expect("a client");
    let request = match body {
        Some(body) => client.post(url).json(&body),
        None => client.get(url),
    };
    let answer = request.send().await.and_then(reqwest::Response::error_for_status).expect("an answer");
    answer.json().await.expect("JSON")
}
