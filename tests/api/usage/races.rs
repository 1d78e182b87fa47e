//! However many requests race, no more is used than a quota allows.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{ask, catalog, check_sums, ended, finish, price, used};
use crate::support::{Answer, Client, ScriptedAssistant, Settings, TestServer, on_both_databases};

/// What a request for a reply asks.
#[derive(Clone, Copy, Debug)]
enum By {
    SendAnew,
    Send,
    Edit,
    Regenerate,
    Retry,
}

impl By {
    /// What the request of this number asks. Only one retries the reply: others would find it as they want it.
    fn of(number: usize) -> Self {
        match number % 4 {
            _ if number == 4 => Self::Retry,
            0 => Self::SendAnew,
            1 => Self::Send,
            2 => Self::Edit,
            _ => Self::Regenerate,
        }
    }
}

/// Asks for a reply, of rows that are there.
async fn request(client: &Client, by: By, there: &Value, stopped: &Value, number: usize) -> Answer {
    let key = format!("key {number}");
    let (name, more) = match by {
        By::SendAnew => ("sendMessage", json!({ "content": "race" })),
        By::Send => {
            ("sendMessage", json!({ "content": "race", "conversationId": there["conversation"]["id"] }))
        }
        By::Edit => ("editMessage", json!({ "content": "race", "messageId": there["message"]["id"] })),
        By::Regenerate => ("regenerateReply", json!({ "messageId": there["reply"]["id"] })),
        By::Retry => ("retryReply", json!({ "messageId": stopped["reply"]["id"] })),
    };
    let mut input = more;
    input["idempotencyKey"] = key.into();
    input["awaitReply"] = false.into();
    let kind = format!("{}{}Input", name[..1].to_uppercase(), &name[1..]);
    let query = format!("mutation($input: {kind}!) {{ {name}(input: $input) {{ reply {{ id }} }} }}");
    client.run(&query, json!({ "input": input })).await
}

on_both_databases! {
    async fn of_fifty_requests_with_room_for_one_one_is_carried_out(database) {
        let quotas = [json!({ "period": "day", "replies": 4 })];
        let mut servers = Vec::new();
        let mut scripts = Vec::new();
        for _ in 0..=usize::from(database.is_postgres()) {
            let (writer, script) = ScriptedAssistant::new();
            let catalog = catalog(writer, price(), &quotas);
            let settings = Settings { catalog: Some(catalog), ..Settings::default() };
            servers.push(TestServer::with(&database, settings).await);
            scripts.push(script);
        }
        let ann = servers[0].user("ann");
        let there = ask(&ann, "there", json!({})).await;
        finish(&scripts[0].next().await, used(1, 0, 1));
        ended(&ann, &there).await;
        let stopped = ask(&ann, "stopped", json!({})).await;
        let attempt = scripts[0].next().await;
        let stop = "mutation($id: ID!) { stopReply(input: { messageId: $id }) { reply { status } } }";
        ann.data(stop, json!({ "id": stopped["reply"]["id"] })).await;
        attempt.dropped().await;
        // It stays under way, so that what is reserved counts as well.
        ask(&ann, "running", json!({})).await;
        let count = "SELECT (SELECT count(*) FROM message) + (SELECT count(*) FROM conversation)
            + (SELECT count(*) FROM receipt)";
        let before = database.number(count).await;
        let entries = database.number("SELECT count(*) FROM usage_entry").await;

        let requests = (0..50).map(|number| {
            let client = servers[number % servers.len()].user("ann");
            let (there, stopped) = (&there, &stopped);
            async move { (number, request(&client, By::of(number), there, stopped, number).await) }
        });
        let answers = join_all(requests).await;
        let (stored, refused): (Vec<_>, Vec<_>) =
            answers.into_iter().partition(|(_, answer)| answer.body.get("errors").is_none());
        assert_eq!(stored.len(), 1, "{stored:?}");
        for (number, answer) in refused {
            assert_eq!(answer.code(), "QUOTA_EXCEEDED", "{number}: {}", answer.body);
        }
        let made = match By::of(stored[0].0) {
            // A conversation, two messages, and a receipt.
            By::SendAnew => 4,
            By::Send | By::Edit => 3,
            By::Regenerate => 2,
            By::Retry => 1,
        };
        assert_eq!(database.number(count).await, before + made);
        assert_eq!(database.number("SELECT count(*) FROM usage_entry").await, entries + 1);
        check_sums(&database).await;
    }
}
