//! What requests cost in statements: it does not grow with the page, the conversation or the account.

mod growth;
mod large;
mod ledger;
mod metadata;
mod plans;
mod rows;
mod statements;
mod statistics;

use serde_json::json;

pub use self::plans::assert_indexed;
pub use self::rows::Filler;
use crate::support::Client;

/// Starts a conversation without messages, and returns its id.
pub async fn create(client: &Client) -> String {
    let create = "mutation { createConversation(input: {}) { conversation { id } } }";
    let data = client.data(create, json!({})).await;
    data["createConversation"]["conversation"]["id"].as_str().unwrap().to_owned()
}
