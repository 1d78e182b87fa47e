//! The parts of a message: text, reasoning and tool calls, in the order in which they came.

mod life;
mod reading;
mod room;
mod storage;

use causerie::assistant::{Delta, FinishReason, ToolCall};
use causerie::reply;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Client, ScriptedAssistant, ScriptedAttempt, Settings, TestDatabase, TestServer};

const MESSAGE: &str = "query($id: ID!) { message(id: $id) {
  id status content progressCursor finishReason failure { code message retryable }
  parts {
    __typename
    ... on TextPart { text }
    ... on ReasoningPart { text startedAt finishedAt }
    ... on ToolCall { id callId name arguments }
  } } }";
const PROGRESS: &str = "subscription($id: ID!, $after: String) { replyProgress(messageId: $id, after: $after) {
  __typename
  ... on ReplyStarted { cursor attempt } ... on ReplyReasoning { cursor text } ... on ReplyText { cursor text }
  ... on ReplyToolCall { cursor toolCall { id callId name arguments } }
  ... on ReplyRestarted { cursor attempt } ... on ReplyEnded { cursor message: reply { status content } } } }";

async fn scripted(database: &TestDatabase, replies: reply::Options) -> (TestServer, ScriptedAssistant) {
    let (assistant, script) = ScriptedAssistant::new();
    let server = TestServer::with(database, Settings { assistant, replies, ..Settings::default() }).await;
    (server, script)
}

/// Options with which nothing is taken over, and little time passes before a checkpoint.
fn options() -> reply::Options {
    Settings::default().replies
}

/// Sends without waiting, and returns the reply's id and what writes it.
async fn ask(client: &Client, script: &ScriptedAssistant) -> (Value, ScriptedAttempt) {
    let sent = client.send("Tell me", json!({ "awaitReply": false })).await;
    (sent["reply"]["id"].clone(), script.next().await)
}

async fn message(client: &Client, id: &Value) -> Value {
    client.data(MESSAGE, json!({ "id": id })).await["message"].take()
}

async fn ended(server: &TestServer, user: &str, id: &Value) {
    let id: Uuid = id.as_str().unwrap().parse().unwrap();
    server.replies().wait_for_end(user, id).await.unwrap();
}

/// The message, once its content is this.
async fn with_content(client: &Client, id: &Value, content: &str) -> Value {
    loop {
        let message = message(client, id).await;
        if message["content"] == content {
            return message;
        }
    }
}

fn call(call_id: &str) -> Delta {
    Delta::ToolCall(ToolCall {
        call_id: call_id.to_owned(),
        name: "clock".to_owned(),
        arguments: r#"{"zone":"UTC"}"#.to_owned(),
    })
}

/// Ends the reply with this reason.
fn finish(attempt: &ScriptedAttempt, reason: FinishReason) {
    attempt.send(Ok(Delta::Finish(reason)));
    attempt.close();
}

/// The parts in short: what they say, or of a tool call its `callId`; reasoning is in brackets.
fn outline(message: &Value) -> Vec<String> {
    let part = |part: &Value| match part["__typename"].as_str().unwrap() {
        "TextPart" => part["text"].as_str().unwrap().to_owned(),
        "ReasoningPart" => format!("[{}]", part["text"].as_str().unwrap()),
        _ => format!("call {}", part["callId"].as_str().unwrap()),
    };
    message["parts"].as_array().unwrap().iter().map(part).collect()
}
