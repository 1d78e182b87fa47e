//! What the models are sent, byte for byte.

use serde_json::{Value, json};

use super::{configure, offering, send, update};
use crate::assistant::{Provider, Script};
use crate::support::on_both_databases;

/// A provider that answers `count` requests.
fn provider(count: usize) -> Provider {
    let chunk =
        json!({ "choices": [{ "index": 0, "delta": { "content": "Yes." }, "finish_reason": "stop" }] });
    Provider::start(vec![
        Script::stream([format!("data: {chunk}\n\n"), "data: [DONE]\n\n".to_owned()]);
        count
    ])
}

/// The body of a request to `model` that shows `messages`, each a role and a text, with `rest` after the usual.
fn body(model: &str, messages: &[(&str, &str)], rest: &str) -> String {
    let messages: Vec<String> = messages
        .iter()
        .map(|(role, content)| format!("{{\"role\":\"{role}\",\"content\":{}}}", Value::from(*content)))
        .collect();
    let messages = messages.join(",");
    format!("{{\"model\":\"{model}\",\"messages\":[{messages}],\"stream\":true{rest}}}")
}

const USAGE: &str = ",\"stream_options\":{\"include_usage\":true}";

on_both_databases! {
    async fn each_model_is_sent_what_was_chosen_and_nothing_else(database) {
        let (mut one, mut two) = (provider(3), provider(2));
        let file = format!(
            r#"
            default = "one"
            [[assistant]]
            id = "one"
            url = "{}"
            model = "model-1"
            instructions = "Be kind."
            temperature = {{ minimum = 0.0, maximum = 2.0, default = 0.7 }}
            top_p = {{ minimum = 0.0, maximum = 1.0 }}
            max_tokens = {{ minimum = 1, maximum = 1000 }}
            reasoning_efforts = ["low"]
            [[assistant]]
            id = "two"
            url = "{}"
            model = "model-2"
            max_tokens = {{ minimum = 1, maximum = 1000, default = 9 }}
            max_tokens_field = "max_completion_tokens"
            system_role = "developer"
            no_usage = true
            "#,
            one.url(),
            two.url(),
        );
        let server = offering(&database, &file).await;
        let ann = server.user("ann");
        let (conversation, reply) = send(&ann, json!({ "content": "First?" })).await;
        assert_eq!(reply["content"], "Yes.");
        let first = [("system", "Be kind."), ("user", "First?")];
        assert_eq!(one.request().await.text, body("model-1", &first, &format!("{USAGE},\"temperature\":0.7")));

        configure(&ann, json!({ "instructions": "Be brief." })).await;
        update(&ann, &conversation, json!({ "instructions": "In \"French\"." })).await;
        let asked = json!({ "temperature": 0.25, "topP": 1, "maxTokens": 77, "reasoningEffort": "low" });
        send(&ann, json!({ "conversationId": conversation, "content": "Second?", "parameters": asked })).await;
        let history = [("user", "First?"), ("assistant", "Yes."), ("user", "Second?")];
        let told = [("system", "Be kind.\n\nBe brief.\n\nIn \"French\".")];
        let rest = format!("{USAGE},\"max_tokens\":77,\"temperature\":0.25,\"top_p\":1.0,\"reasoning_effort\":\"low\"");
        assert_eq!(one.request().await.text, body("model-1", &[&told[..], &history].concat(), &rest));

        send(&ann, json!({ "conversationId": conversation, "content": "Third?", "assistantId": "two" })).await;
        let told = [("developer", "Be brief.\n\nIn \"French\".")];
        let more = [("assistant", "Yes."), ("user", "Third?")];
        let shown = [&told[..], &history, &more].concat();
        assert_eq!(two.request().await.text, body("model-2", &shown, ",\"max_completion_tokens\":9"));

        configure(&ann, json!({ "instructions": null, "assistantId": "two" })).await;
        send(&ann, json!({ "content": "Alone?", "parameters": { "maxTokens": 5 } })).await;
        let alone = [("user", "Alone?")];
        assert_eq!(two.request().await.text, body("model-2", &alone, ",\"max_completion_tokens\":5"));
        assert_eq!((one.requests_so_far(), two.requests_so_far()), (0, 0), "nobody was asked besides");
    }

    async fn titles_are_made_by_the_one_that_is_said_without_instructions(database) {
        let (mut one, mut two) = (provider(1), provider(1));
        let file = format!(
            "default = \"one\"\ntitles = \"two\"\n
            [[assistant]]\nid = \"one\"\nurl = \"{}\"\nmodel = \"model-1\"\n
            [[assistant]]\nid = \"two\"\nurl = \"{}\"\nmodel = \"model-2\"\ninstructions = \"Be kind.\"\n",
            one.url(),
            two.url(),
        );
        let server = offering(&database, &file).await;
        let ann = server.user("ann");
        configure(&ann, json!({ "instructions": "Be brief." })).await;
        send(&ann, json!({ "content": "First?" })).await;
        assert_eq!(one.request().await.body["model"], "model-1");
        let title = two.request().await;
        assert_eq!(title.body["model"], "model-2");
        assert!(!title.text.contains("Be kind.") && !title.text.contains("Be brief."), "{}", title.text);
    }
}
