//! Several assistants, from which users choose.

mod choice;
mod parameters;
mod plans;
mod requests;
mod settings;
mod takeover;

use std::time::Duration;

use causerie::assistant::{Catalog, Common};
use causerie::auth::{self, ClaimRules, Secret, UserId};
use serde_json::{Value, json};

use crate::support::{Client, SECRET, Settings, TestDatabase, TestServer};

/// Four assistants: `fast` is the default one and has parameters, `deep` is for the plan `pro`, and `slow` has replaced
/// `old`.
const FILE: &str = r#"
default = "fast"
[[assistant]]
id = "fast"
name = "Fast"
description = "For most."
url = "echo"
temperature = { minimum = 0.0, maximum = 1.5, default = 0.7 }
max_tokens = { minimum = 1, maximum = 100 }
reasoning_efforts = ["low", "high"]
price = { input = 0.25, cached_input = 0.03, output = 2.0 }
[[assistant]]
id = "slow"
url = "echo"
temperature = { minimum = 0.0, maximum = 1.0 }
[[assistant]]
id = "deep"
url = "echo"
plans = ["pro"]
[[assistant]]
id = "old"
replaced_by = "slow"
"#;

const REPLY: &str = "reply { id status content assistantId assistant { id name }
    parameters { temperature topP maxTokens reasoningEffort } failure { code retryable } }";

fn catalog(file: &str) -> Catalog {
    let timeout = Duration::from_mins(1);
    Catalog::parse(file, Common { timeout, allow_plaintext: false, instructions_chars: 8000 }).unwrap()
}

/// A server with the assistants of a file, whose tokens may say the plan.
async fn offering(database: &TestDatabase, file: &str) -> TestServer {
    let mut settings = Settings { catalog: Some(catalog(file)), ..Settings::default() };
    settings.auth.claims.plan_claim = Some("plan".to_owned());
    TestServer::with(database, settings).await
}

/// A client of the user with this id and plan.
fn of_plan(server: &TestServer, id: &str, plan: &str) -> Client {
    let required = vec![format!("plan={plan}").parse().unwrap()];
    let rules = ClaimRules { required, ..ClaimRules::default() };
    let secret = Secret::new(SECRET).unwrap();
    let token = auth::mint(&secret, &rules, &UserId::new(id).unwrap(), Duration::from_hours(1));
    Client::new(server.url(), Some(token))
}

/// Sends with `input` beside the content, and returns the conversation's id and the reply.
async fn send(client: &Client, mut input: Value) -> (Value, Value) {
    if input.get("content").is_none() {
        input["content"] = "hello".into();
    }
    let query = format!(
        "mutation($input: SendMessageInput!) {{ sendMessage(input: $input) {{ conversation {{ id }} {REPLY} }} }}"
    );
    let mut sent = client.data(&query, json!({ "input": input })).await["sendMessage"].take();
    (sent["conversation"]["id"].take(), sent["reply"].take())
}

const UPDATE: &str = "mutation($input: UpdateConversationInput!) { updateConversation(input: $input) {
    conversation { revision assistantId assistant { id } instructions
      parameters { temperature topP maxTokens reasoningEffort } } } }";

/// Changes a conversation, and returns it.
async fn update(client: &Client, conversation: &Value, mut input: Value) -> Value {
    input["conversationId"] = conversation.clone();
    client.data(UPDATE, json!({ "input": input })).await["updateConversation"]["conversation"].take()
}

const CONFIGURE: &str = "mutation($input: ConfigureViewerInput!) { configureViewer(input: $input) {
    viewer { id changeCursor assistantId assistant { id } instructions } } }";

/// Changes what holds for all conversations, and returns the viewer.
async fn configure(client: &Client, input: Value) -> Value {
    client.data(CONFIGURE, json!({ "input": input })).await["configureViewer"]["viewer"].take()
}
