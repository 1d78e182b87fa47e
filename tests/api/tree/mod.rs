//! The tree of a conversation's messages, and the active path through it.

mod claims;
mod cost;
mod long;
mod model;
mod races;
mod random;
mod replies;
mod rules;
mod siblings;
mod soundness;

use serde_json::{Value, json};

use crate::support::{Answer, Client};

const EDIT: &str = "mutation($input: EditMessageInput!) { editMessage(input: $input) {
  conversation { id messageCount }
  message { id role status content position active parent { id } siblingIndex siblingCount }
  reply { id role status content position active parent { id } }
} }";
const REGENERATE: &str = "mutation($input: RegenerateReplyInput!) { regenerateReply(input: $input) {
  conversation { id messageCount }
  reply { id role status content position active parent { id } siblingIndex siblingCount }
} }";
const ACTIVATE: &str = "mutation($input: ActivateMessageInput!) { activateMessage(input: $input) {
  conversation { id messageCount } message { id active } } }";
const DELETE: &str = "mutation($input: DeleteMessageInput!) { deleteMessage(input: $input) {
  deletedMessageId conversation { id messageCount } } }";
const FORK: &str = "mutation($input: ForkConversationInput!) { forkConversation(input: $input) {
  conversation { id title messageCount } } }";
const BRANCH: &str = "query($id: ID!, $leaf: ID, $first: Int, $after: String, $last: Int, $before: String) {
  conversation(id: $id) {
    messages(leafId: $leaf, first: $first, after: $after, last: $last, before: $before) {
      totalCount nodes { id content position } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    } } }";

/// One of the operations on a message; what else it needs is in `input`.
async fn try_do(client: &Client, operation: &str, message: &str, mut input: Value) -> Answer {
    input["messageId"] = message.into();
    client.run(operation, json!({ "input": input })).await
}

/// As [`try_do`], for what must succeed. Returns the payload.
async fn act(client: &Client, operation: &str, message: &str, input: Value) -> Value {
    let data = try_do(client, operation, message, input).await.data();
    let Value::Object(fields) = data else { panic!("data is an object") };
    fields.into_iter().next().expect("the operation has one field").1
}

async fn edit(client: &Client, message: &str, content: &str) -> Value {
    act(client, EDIT, message, json!({ "content": content })).await
}

fn id(value: &Value) -> String {
    value["id"].as_str().unwrap().to_owned()
}

/// The contents of the active path of a conversation, or of another branch.
async fn contents(client: &Client, conversation: &str, leaf: Option<&str>) -> Vec<String> {
    let data = client.data(BRANCH, json!({ "id": conversation, "leaf": leaf, "first": 100 })).await;
    let nodes = data["conversation"]["messages"]["nodes"].as_array().unwrap();
    nodes.iter().map(|node| node["content"].as_str().unwrap().to_owned()).collect()
}
