//! Search finds what is there, in any language, on both databases alike, and nothing that is somebody else's or gone.

mod backlog;
mod corpus;
mod filters;
mod hostile;
mod isolation;
mod life;
mod model;
mod paging;
mod snippets;

use serde_json::{Value, json};

use crate::support::Client;

const SEARCH: &str = "
query Search($query: String!, $first: Int, $after: String, $filter: SearchFilter) {
  search(query: $query, first: $first, after: $after, filter: $filter) {
    edges { cursor }
    nodes {
      conversation { id title }
      message { id role content }
      snippet { text startsInside endsInside ranges { start end } }
    }
    pageInfo { hasPreviousPage hasNextPage startCursor endCursor }
  }
}";

/// One page.
async fn page(client: &Client, query: &str, mut arguments: Value) -> Value {
    arguments["query"] = query.into();
    client.data(SEARCH, arguments).await["search"].take()
}

/// All hits, best first.
async fn hits(client: &Client, query: &str, filter: Value) -> Vec<Value> {
    let page = page(client, query, json!({ "first": 100, "filter": filter })).await;
    assert_eq!(page["pageInfo"]["hasNextPage"], false);
    page["nodes"].as_array().unwrap().clone()
}

/// The texts of the user's own messages that are found, in order of the alphabet.
async fn texts(client: &Client, query: &str) -> Vec<String> {
    let hits = hits(client, query, json!({ "role": "USER" })).await;
    let mut texts: Vec<String> =
        hits.iter().map(|hit| hit["message"]["content"].as_str().unwrap().to_owned()).collect();
    texts.sort();
    texts
}

/// How many messages and titles are found.
async fn count(client: &Client, query: &str) -> usize {
    hits(client, query, Value::Null).await.len()
}

/// Starts a conversation without messages, and returns its id.
async fn titled(client: &Client, title: &str) -> String {
    let create = "mutation ($title: String) {
        createConversation(input: { title: $title }) { conversation { id } }
    }";
    let data = client.data(create, json!({ "title": title })).await;
    data["createConversation"]["conversation"]["id"].as_str().unwrap().to_owned()
}
