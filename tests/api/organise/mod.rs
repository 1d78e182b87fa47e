//! Keeping conversations in order: pins, archive, trash, lists, titles, feedback, what is unread.

mod bulk;
mod feedback;
mod filter;
mod list;
mod metadata;
mod moment;
mod pins;
mod purge;
mod repeats;
mod titles;
mod trash;
mod unended;
mod unread;
mod update;

use std::time::Duration;

use causerie::trash::Options;
use serde_json::{Value, json};

use crate::support::{Answer, Client, Settings, TestDatabase, TestServer};

/// What a conversation shows of how it is kept.
const KEPT: &str = "id title state pinnedAt archivedAt deletedAt metadata unreadCount messageCount updatedAt";

/// A mutation that takes a conversation's id alone.
fn mutation(name: &str) -> String {
    format!(
        "mutation($id: ID!) {{ {name}(input: {{ conversationId: $id }}) {{ conversation {{ {KEPT} }} }} }}"
    )
}

/// Does `name` with a conversation, and returns it.
async fn keep(client: &Client, name: &str, id: &str) -> Value {
    client.data(&mutation(name), json!({ "id": id })).await[name]["conversation"].take()
}

/// Changes a conversation, and returns it.
async fn update(client: &Client, id: &str, input: Value) -> Value {
    try_update(client, id, input).await.data()["updateConversation"]["conversation"].take()
}

/// As [`update`], for what may fail.
async fn try_update(client: &Client, id: &str, mut input: Value) -> Answer {
    let query = format!(
        "mutation($input: UpdateConversationInput!) {{
           updateConversation(input: $input) {{ conversation {{ revision {KEPT} }} }} }}"
    );
    input["conversationId"] = id.into();
    client.run(&query, json!({ "input": input })).await
}

/// The code with which `name` fails for a conversation.
async fn refused(client: &Client, name: &str, id: &str) -> String {
    client.code(&mutation(name), json!({ "id": id })).await
}

async fn conversation(client: &Client, id: &str) -> Value {
    let query = format!("query($id: ID!) {{ conversation(id: $id) {{ {KEPT} }} }}");
    client.data(&query, json!({ "id": id })).await["conversation"].take()
}

async fn delete(client: &Client, id: &str) {
    let query =
        "mutation($id: ID!) { deleteConversation(input: { conversationId: $id }) { deletedConversationId } }";
    client.data(query, json!({ "id": id })).await;
}

async fn rename(client: &Client, id: &str, title: &str) {
    update(client, id, json!({ "title": title })).await;
}

/// The titles of a list with `arguments`, first to last.
async fn titles(client: &Client, arguments: &str) -> Vec<String> {
    let query = format!("{{ conversations(first: 100, {arguments}) {{ nodes {{ title }} }} }}");
    let data = client.data(&query, json!({})).await;
    let nodes = data["conversations"]["nodes"].as_array().unwrap();
    nodes.iter().map(|node| node["title"].as_str().unwrap_or("").to_owned()).collect()
}

/// The changes since a cursor, as "type: what", and the last one's cursor.
async fn changes(client: &Client, since: &Value) -> (Vec<String>, Value) {
    let query = "query($since: String) { changes(since: $since, first: 100) {
      pageInfo { endCursor }
      nodes {
        __typename
        ... on ConversationChanged { conversation { title } }
        ... on ConversationRestored { conversation { title } }
        ... on ConversationDeleted { conversationId }
        ... on MessageChanged { message { content } }
        ... on MessageDeleted { messageId }
      } } }";
    let mut page = client.data(query, json!({ "since": since })).await["changes"].take();
    let show = |node: &Value| {
        let what = node["conversation"]["title"].as_str().or(node["message"]["content"].as_str());
        format!("{}: {}", node["__typename"].as_str().unwrap(), what.unwrap_or_default())
    };
    let shown = page["nodes"].as_array().unwrap().iter().map(show).collect();
    let end = page["pageInfo"]["endCursor"].take();
    (shown, if end.is_null() { since.clone() } else { end })
}

async fn cursor(client: &Client) -> Value {
    client.data("{ viewer { changeCursor } }", json!({})).await["viewer"]["changeCursor"].take()
}

/// A server that erases what was deleted at once.
async fn eraser(database: &TestDatabase) -> TestServer {
    let trash = Options { keep: Duration::ZERO, period: Duration::from_millis(20) };
    TestServer::with(database, Settings { trash, ..Settings::default() }).await
}
