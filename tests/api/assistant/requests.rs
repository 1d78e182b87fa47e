//! What a provider is sent.

use causerie::assistant::openai::{MaxTokensField, SystemRole};
use serde_json::json;

use super::provider::Request;
use super::*;

/// The request that `change`d options lead to.
async fn request(change: impl FnOnce(Options) -> Options) -> Request {
    let mut provider = Provider::start(vec![Script::stream([&*text("Hello"), DONE])]);
    let assistant = OpenAi::new(change(options(&provider))).expect("options");
    let turns = [
        (Speaker::System, "Be kind."),
        (Speaker::User, "Hello?"),
        (Speaker::Assistant, "Hello."),
        (Speaker::User, "How are \"you\"? 😀"),
    ];
    let outcome = Outcome::of(assistant.reply(prompt(&turns))).await;
    assert_eq!(outcome.text, "Hello");
    provider.request().await
}

#[tokio::test]
async fn the_least_is_sent() {
    let request = request(|options| options).await;
    assert!(request.head.starts_with("post /v1/chat/completions http/1.1\r\n"), "{}", request.head);
    assert!(request.head.contains("\r\ncontent-type: application/json\r\n"), "{}", request.head);
    assert!(!request.head.contains("authorization"), "{}", request.head);
    let body = json!({
        "model": "a-model",
        "messages": [
            { "role": "system", "content": "Be kind." },
            { "role": "user", "content": "Hello?" },
            { "role": "assistant", "content": "Hello." },
            { "role": "user", "content": "How are \"you\"? 😀" },
        ],
        "stream": true,
        "stream_options": { "include_usage": true },
    });
    assert_eq!(request.body, body);
}

#[tokio::test]
async fn strict_providers_can_be_suited() {
    let plain = request(|options| Options { no_usage: true, max_tokens: Some(9), ..options }).await;
    assert_eq!((plain.body.get("stream_options"), &plain.body["max_tokens"]), (None, &json!(9)));

    let newer = request(|options| Options {
        system_role: SystemRole::Developer,
        max_tokens: Some(9),
        max_tokens_field: MaxTokensField::MaxCompletionTokens,
        ..options
    })
    .await;
    assert_eq!(newer.body["messages"][0]["role"], "developer");
    assert_eq!((newer.body.get("max_tokens"), &newer.body["max_completion_tokens"]), (None, &json!(9)));
}

#[tokio::test]
async fn the_address_is_completed_and_keeps_its_query() {
    for (suffix, path) in [
        ("", "/v1/chat/completions"),
        ("/", "/v1/chat/completions"),
        ("/v1", "/v1/chat/completions"),
        ("/api/v1/", "/api/v1/chat/completions"),
        ("/x/chat/completions?api-version=2", "/x/chat/completions?api-version=2"),
    ] {
        let request = request(|options| Options { url: format!("{}{suffix}", options.url), ..options }).await;
        assert!(request.head.starts_with(&format!("post {path} http")), "{suffix}: {}", request.head);
    }
}

#[tokio::test]
async fn the_key_is_sent_as_a_bearer_token() {
    let request = request(|options| Options { key: Some(" sk-1\n".to_owned()), ..options }).await;
    assert!(request.head.contains("\r\nauthorization: bearer sk-1\r\n"), "{}", request.head);
    let request = self::request(|options| Options { key: Some(String::new()), ..options }).await;
    assert!(!request.head.contains("authorization"), "{}", request.head);
}

#[test]
fn options_that_cannot_work_are_refused_in_words() {
    let refuse = |options: Options| OpenAi::new(options).expect_err("an error");
    assert!(refuse(Options::new("http://api.example/v1", "m")).contains("use https"));
    assert!(refuse(Options::new("nonsense", "m")).contains("not one"));
    assert!(refuse(Options::new("https://api.example", " ")).contains("model"));
    let error =
        refuse(Options { key: Some("sk-1\n2".to_owned()), ..Options::new("https://api.example", "m") });
    assert!(error.contains("key") && !error.contains("sk-1"), "{error}");

    let plain = Options { allow_plaintext: true, ..Options::new("http://api.example/v1", "m") };
    assert!(OpenAi::new(plain).is_ok());
}

#[tokio::test]
async fn limits_without_end_are_allowed() {
    let endless = |options| Options {
        connect_timeout: Duration::MAX,
        first_token_timeout: Duration::MAX,
        next_token_timeout: Duration::MAX,
        event_timeout: Duration::MAX,
        total_timeout: Duration::MAX,
        ..options
    };
    request(endless).await;
}
