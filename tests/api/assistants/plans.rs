//! A plan sees its own assistants, and those of others are as if they did not exist.

use serde_json::{Value, json};

use super::{FILE, configure, of_plan, offering, send, update};
use crate::support::{Client, on_both_databases};

async fn listed(client: &Client) -> Vec<Value> {
    let all = client.data("{ assistants { id } }", json!({})).await;
    all["assistants"].as_array().unwrap().iter().map(|it| it["id"].clone()).collect()
}

on_both_databases! {
    async fn assistants_are_listed_in_the_order_of_the_file(database) {
        let server = offering(&database, FILE).await;
        assert_eq!(listed(&server.user("ann")).await, ["fast", "slow"]);
        assert_eq!(listed(&of_plan(&server, "ann", "free")).await, ["fast", "slow"]);
        assert_eq!(listed(&of_plan(&server, "ann", "pro")).await, ["fast", "slow", "deep"]);
        let query = "{ assistants { __typename id name description isDefault contextTokens
            temperature { minimum maximum default } topP { minimum } maxTokens { minimum maximum default }
            reasoningEfforts price { currency input cachedInput output } } }";
        server.take_statements();
        let all = server.user("ann").data(query, json!({})).await;
        assert_eq!(server.take_statements().len(), 0);
        assert_eq!(all["assistants"], json!([
            { "__typename": "Assistant", "id": "fast", "name": "Fast", "description": "For most.", "isDefault": true,
                "contextTokens": 8192, "temperature": { "minimum": 0.0, "maximum": 1.5, "default": 0.7 }, "topP": null,
                "maxTokens": { "minimum": 1, "maximum": 100, "default": null }, "reasoningEfforts": ["low", "high"],
                "price": { "currency": "USD", "input": "0.25", "cachedInput": "0.03", "output": "2" } },
            { "__typename": "Assistant", "id": "slow", "name": "slow", "description": null, "isDefault": false,
                "contextTokens": 8192, "temperature": { "minimum": 0.0, "maximum": 1.0, "default": null }, "topP": null,
                "maxTokens": null, "reasoningEfforts": [], "price": null },
        ]));
        assert_eq!(server.anonymous().code("{ assistants { id } }", json!({})).await, "UNAUTHENTICATED");
        let instructions = "{ __type(name: \"Assistant\") { fields { name } } }";
        let fields = server.user("ann").data(instructions, json!({})).await.to_string();
        assert!(!fields.contains("nstructions"), "no API shows those of the operator");
    }

    async fn anothers_plans_assistant_is_as_one_that_does_not_exist(database) {
        let server = offering(&database, FILE).await;
        let free = of_plan(&server, "ann", "free");
        let seen = async |id: &str| {
            let node = free.run("query($id: ID!) { node(id: $id) { id } }", json!({ "id": id })).await.body;
            let sent = free.try_send("hello", json!({ "assistantId": id })).await.body;
            (node.to_string(), sent.to_string())
        };
        assert_eq!(seen("deep").await, seen("none").await);
        let pro = of_plan(&server, "ann", "pro");
        let node = pro.data("{ node(id: \"deep\") { id ... on Assistant { name } } }", json!({})).await;
        assert_eq!(node["node"], json!({ "id": "deep", "name": "deep" }));
        assert_eq!(send(&pro, json!({ "assistantId": "deep" })).await.1["assistantId"], "deep");
    }

    async fn who_leaves_a_plan_is_not_answered_by_another_assistant_instead(database) {
        let server = offering(&database, FILE).await;
        let (pro, free) = (of_plan(&server, "ann", "pro"), of_plan(&server, "ann", "free"));
        let (conversation, reply) = send(&pro, json!({ "content": "/fail", "assistantId": "deep" })).await;
        assert_eq!((&reply["assistant"]["id"], &reply["status"]), (&json!("deep"), &json!("FAILED")));
        configure(&pro, json!({ "assistantId": "deep" })).await;
        let titled = json!({ "conversationId": conversation });
        assert_eq!(free.try_send("hello", titled.clone()).await.code(), "NOT_FOUND");
        assert_eq!(free.try_send("hello", json!({})).await.code(), "NOT_FOUND", "nor for the viewer's choice");
        let retry = "mutation($id: ID!) { retryReply(input: { messageId: $id }) { reply { assistantId } } }";
        assert_eq!(free.code(retry, json!({ "id": reply["id"] })).await, "NOT_FOUND");
        let query = "query($id: ID!) { viewer { assistantId assistant { id } } conversation(id: $id) {
            assistantId assistant { id } lastMessage { assistantId assistant { id } } } }";
        let gone = json!({ "assistantId": "deep", "assistant": null });
        let shown = free.data(query, json!({ "id": conversation })).await;
        assert_eq!((&shown["viewer"], &shown["conversation"]["lastMessage"]), (&gone, &gone));
        assert_eq!(shown["conversation"]["assistant"], json!(null));
        configure(&free, json!({ "assistantId": null })).await;
        update(&free, &conversation, json!({ "assistantId": null })).await;
        assert_eq!(send(&free, titled).await.1["assistantId"], "fast", "once the choice is taken back");
        assert_eq!(pro.data(retry, json!({ "id": reply["id"] })).await["retryReply"]["reply"]["assistantId"], "deep");
    }

    async fn a_plan_without_the_default_assistant_has_to_choose(database) {
        let file = FILE.replace("default = \"fast\"", "default = \"deep\"");
        let server = offering(&database, &file).await;
        let free = of_plan(&server, "ann", "free");
        assert_eq!(free.try_send("hello", json!({})).await.code(), "NOT_FOUND");
        assert_eq!(send(&free, json!({ "assistantId": "fast" })).await.1["assistantId"], "fast");
        assert_eq!(send(&of_plan(&server, "ann", "pro"), json!({})).await.1["assistantId"], "deep");
    }
}
