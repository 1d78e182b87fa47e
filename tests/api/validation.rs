//! Documents that the specification forbids are refused as a whole, and those that it allows are not. The library's own
//! rules had each of these wrong, or made too much of them.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Client, TestDatabase, TestServer, on_both_databases};

const FORBIDDEN: &[&str] = &[
    // Fields that cannot be merged: below, and in fragments on several types.
    "{ viewer { a: id } viewer { a: __typename } }",
    "{ node(id: \"x\") { ... on Message { x: content } ... on Conversation { x: messageCount } } }",
    "{ a: conversation(id: \"x\") { id } a: conversation(id: \"y\") { id } }",
    // Variables in places that do not take them.
    "query($id: Int) { node(id: $id) { id } }",
    "query($on: Boolean) { viewer @include(if: $on) { id } }",
    "query($first: [Int]) { conversations(first: $first) { totalCount } }",
    // What `__typename` has not.
    "{ __typename @nothing }",
    "{ __typename(x: 1) }",
    "{ __typename { id } }",
    "{ viewer { id @skip } }",
    // Values that are none of their type.
    "{ conversations(filter: []) { totalCount } }",
    "{ conversations(first: 3000000000) { totalCount } }",
    "{ conversations(orderBy: \"TITLE_ASC\") { totalCount } }",
    "{ conversations(filter: { updatedSince: \"yesterday\" }) { totalCount } }",
    "query($since: DateTime = 5) { conversations(filter: { updatedSince: $since }) { totalCount } }",
    "query($order: ConversationOrder = \"TITLE_ASC\") { conversations(orderBy: $order) { totalCount } }",
    "query($first: Int = 3000000000) { conversations(first: $first) { totalCount } }",
    // What is not used, or not there.
    "query($never: Int) { __typename }",
    "{ __typename } fragment Unused on Viewer { id }",
    "query($first: Int @nothing) { conversations(first: $first) { totalCount } }",
    "query Q() { __typename }",
    "{ viewer { ...on } } fragment on on Viewer { id }",
];

const ALLOWED: &[&str] = &[
    "query($on: Boolean! = true) { __typename @include(if: $on) }",
    "query($on: Boolean = true) { viewer @include(if: $on) { id } }",
    "{ viewer { a: id a: id } viewer { b: id } }",
    "{ node(id: \"x\") { ... on Message { x: id } ... on Conversation { x: id } } }",
    "{ conversations(filter: null, first: null, last: 3, orderBy: TITLE_ASC) { totalCount } }",
    "{ conversations(filter: { updatedSince: \"2026-01-01T00:00:00Z\" }) { totalCount } }",
    "{ node(id: 5) { id } }",
    "{ node(id: \"\\u{1F600} \\uD83D\\uDE00\") { id } }",
    "{ __schema { types { isOneOf } } }",
];

async fn answer(client: &Client, query: &str) -> (u16, Value) {
    let request = client.post("/graphql").header("accept", "application/graphql-response+json");
    let response = request.json(&json!({ "query": query })).send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

#[tokio::test]
async fn what_the_specification_forbids_is_refused() {
    let server = TestServer::start(&TestDatabase::sqlite()).await;
    let ann = server.user("ann");
    for query in FORBIDDEN {
        let (status, body) = answer(&ann, query).await;
        assert_eq!((status, body.get("data")), (400, None), "{query}: {body}");
        let error = &body["errors"][0];
        let code = error["extensions"]["code"].as_str().unwrap();
        assert!(["GRAPHQL_VALIDATION_FAILED", "GRAPHQL_PARSE_FAILED"].contains(&code), "{query}: {body}");
        let message = error["message"].as_str().unwrap();
        let is_sentence = message.starts_with(char::is_uppercase) && message.ends_with('.');
        assert!(is_sentence && !message.contains("::"), "{query}: {body}");
    }
}

#[tokio::test]
async fn what_the_specification_allows_is_answered() {
    let server = TestServer::start(&TestDatabase::sqlite()).await;
    let ann = server.user("ann");
    for query in ALLOWED {
        let (status, body) = answer(&ann, query).await;
        assert_eq!((status, body.get("errors")), (200, None), "{query}: {body}");
    }
}

#[tokio::test]
async fn subscriptions_have_one_field_under_no_condition() {
    let server = TestServer::start(&TestDatabase::sqlite()).await;
    let ann = server.user("ann");
    for query in [
        "subscription { ...F } fragment F on Subscription { ... @include(if: false) { changes { __typename } } }",
        "subscription { changes { __typename } __typename }",
        "subscription { changes @skip(if: false) { __typename } }",
    ] {
        let request = ann.post("/graphql").header("accept", "text/event-stream");
        let events = request.json(&json!({ "query": query })).send().await.unwrap().text().await.unwrap();
        assert!(
            events.contains("GRAPHQL_VALIDATION_FAILED") && !events.contains("\"data\""),
            "{query}: {events}"
        );
    }
}

on_both_databases! {
    async fn a_mutation_runs_as_a_whole_or_not_at_all(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let mutation = "mutation($text: String) {
          a: createConversation(input: { title: \"one\" }) { conversation { id } }
          b: createConversation(input: { metadata: $text }) { conversation { id } }
        }";
        assert_eq!(ann.code(mutation, json!({ "text": "x" })).await, "GRAPHQL_VALIDATION_FAILED");
        let count = ann.data("{ conversations { totalCount } }", json!({})).await;
        assert_eq!(count["conversations"]["totalCount"], 0);
    }
}

#[tokio::test]
async fn variables_that_are_no_value_of_their_type_refuse_the_request() {
    let server = TestServer::start(&TestDatabase::sqlite()).await;
    let ann = server.user("ann");
    let query = "query($since: DateTime) { conversations(filter: { updatedSince: $since }) { totalCount } }";
    let body = ann.run(query, json!({ "since": "yesterday" })).await.body;
    assert_eq!(body["errors"][0]["extensions"]["code"], "BAD_USER_INPUT", "{body}");
    assert_eq!(body.get("data"), None, "{body}");
    ann.data(query, json!({ "since": "2026-01-01T00:00:00Z" })).await;
}

/// The price of a page is that of the page which is answered, however it is written.
#[tokio::test]
async fn no_spelling_makes_a_large_page_cheap() {
    let server = TestServer::start(&TestDatabase::sqlite()).await;
    let ann = server.user("ann");
    let nested = |page: &str| {
        format!(
            "conversations({page}) {{ nodes {{ messages({page}) {{ nodes {{ siblings({page}) {{ nodes {{ id }} }} }} }} }} }}"
        )
    };
    let large = nested("last: 100");
    assert_eq!(ann.code(&format!("{{ {large} }}"), json!({})).await, "GRAPHQL_VALIDATION_FAILED");
    let (null, variable) = (nested("first: null, last: 100"), nested("first: $none, last: 100"));
    let (first, both, default) = (nested("first: $n"), nested("first: $n, last: 100"), nested("last: $n"));
    for (query, variables) in [
        (format!("{{ {null} }}"), json!({})),
        (format!("query($none: Int) {{ {variable} }}"), json!({})),
        (format!("query($none: Int = 1) {{ {variable} }}"), json!({ "none": null })),
        (format!("query A($n: Int = 1) {{ {first} }} query B($n: Int) {{ {first} }}"), json!({})),
        (format!("query A($n: Int = 1) {{ {both} }} query B($n: Int) {{ {both} }}"), json!({})),
        (format!("query A($n: Int = 1) {{ {default} }} query B($n: Int = 100) {{ {default} }}"), json!({})),
    ] {
        let body = json!({ "query": query, "variables": variables, "operationName": query.contains("query B").then_some("B") });
        let answer: Value = ann.post("/graphql").json(&body).send().await.unwrap().json().await.unwrap();
        assert_eq!(answer["errors"][0]["extensions"]["limit"], "complexity", "{query}: {answer}");
    }
}

#[tokio::test]
async fn metadata_of_many_conversations_cost_more_than_their_other_fields() {
    let server = TestServer::start(&TestDatabase::sqlite()).await;
    let ann = server.user("ann");
    let several = |input: &str| {
        let one = |number: u32| format!("m{number}: updateConversations(input: {input}) {{ __typename }}");
        let all: Vec<String> = (0..4).map(one).collect();
        format!(
            "mutation($ids: [ID!]!, $json: JSON, $input: UpdateConversationsInput!) {{ {} }}",
            all.join(" ")
        )
    };
    let whole = |metadata: &Value| json!({ "conversationIds": vec!["x"; 100], "metadata": metadata });
    for (input, metadata, is_dear) in [
        ("{ conversationIds: $ids, pinned: true }", json!({}), false),
        ("{ conversationIds: $ids, metadata: null }", json!({}), false),
        ("{ conversationIds: $ids, metadata: { a: 1 } }", json!({}), true),
        ("{ conversationIds: $ids, metadata: $json }", json!({}), true),
        ("{ conversationIds: $ids, metadata: $json }", Value::Null, false),
        ("$input", json!({}), true),
        ("$input", Value::Null, false),
    ] {
        let variables = json!({ "ids": vec!["x"; 100], "json": metadata, "input": whole(&metadata) });
        // A variable that is not used is an error of its own.
        let declared =
            ["ids", "json", "input"].into_iter().filter(|name| !input.contains(&format!("${name}")));
        let query = declared.fold(several(input), |query, name| {
            let start = query.find(&format!("${name}:")).unwrap();
            let end = start + query[start..].find([',', ')']).unwrap();
            let end = if query[end..].starts_with(',') { end + 2 } else { end };
            format!("{}{}", &query[..start], &query[end..])
        });
        let answer = ann.run(&query, variables).await.body;
        let is_refused = answer["errors"][0]["extensions"]["limit"] == "complexity";
        assert_eq!(is_refused, is_dear, "{query} {metadata}: {answer}");
        assert!(is_dear || answer.get("errors").is_none(), "{query}: {answer}");
    }
}

/// Each of them was seen to take seconds or gigabytes.
#[tokio::test]
async fn documents_that_break_many_rules_are_refused_soon() {
    let server = TestServer::start(&TestDatabase::sqlite()).await;
    let anyone = server.anonymous();
    let name = "x".repeat(250);
    let arguments = "a: 1 ".repeat(400);
    let nested = format!(
        "{{ {}{name}({arguments}) {}{}}}",
        "... { ".repeat(12),
        format!("{name} ").repeat(1400),
        "}".repeat(12)
    );
    let variables =
        (0..300).fold(String::new(), |text, index| format!("{text} conversation(id: $v{index}) {{ id }}"));
    let operations = (0..300).fold(String::new(), |text, index| format!("{text} query Q{index} {{ ...F }}"));
    let undefined = format!("{operations} fragment F on Query {{ {variables} }}");
    for query in [nested, undefined] {
        let began = Instant::now();
        let (status, body) = answer(&anyone, &query).await;
        assert_eq!((status, body.get("data")), (400, None));
        assert!(body["errors"].as_array().unwrap().len() <= 10);
        // A debug build on a busy machine: it took minutes there.
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    }
}
