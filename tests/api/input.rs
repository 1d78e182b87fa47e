//! What texts may be, to the character, and what is said when they are not.

use serde_json::{Value, json};

use crate::support::{Answer, Settings, TestServer, on_both_databases};

const CREATE: &str = "mutation($title: String) {
  createConversation(input: { title: $title }) { conversation { id title messageCount lastMessage { id } } }
}";

const RENAME: &str = "mutation($id: ID!, $title: String!) {
  updateConversation(input: { conversationId: $id, title: $title }) { conversation { title } }
}";

/// Texts that some layer or other might spoil.
const TEXTS: &[&str] = &[
    "zoë, 東京, עברית, हिन्दी",
    "👩‍👩‍👧‍👦 e\u{301} \u{200f}right to left\u{200e}",
    "\u{feff}marked\u{fffd}\u{ffff}\u{10ffff}\u{7f}\u{1}",
    "line\r\nline\n\ttab 'quoted' \"twice\" \\ \\u0000 %s $1 ? ; -- DROP TABLE message",
    "{\"json\": [null]} <script>alert(1)</script> ${x} {{y}}",
];

on_both_databases! {
    async fn texts_come_back_as_they_were_sent(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        for text in TEXTS {
            let sent = ann.send(text, json!({})).await;
            assert_eq!(sent["message"]["content"], *text);
            assert!(sent["reply"]["content"].as_str().unwrap().ends_with(text), "{text}");
            let messages = ann.messages(sent["conversation"]["id"].as_str().unwrap()).await;
            assert_eq!(messages[0]["content"], *text);
        }
        let title = "zoë 東京 👩‍👩‍👧‍👦 '\"\\ $1 ?";
        let created = ann.data(CREATE, json!({ "title": title })).await;
        assert_eq!(created["createConversation"]["conversation"]["title"], title);
    }

    async fn content_is_trimmed_and_limited_in_characters(database) {
        let server = TestServer::with(&database, Settings { message_chars: 10, ..Settings::default() }).await;
        let ann = server.user("ann");
        for (content, stored) in [
            ("0123456789", "0123456789"),
            ("長長長長長長長長長長", "長長長長長長長長長長"),
            ("🦜🦜🦜🦜🦜🦜🦜🦜🦜🦜", "🦜🦜🦜🦜🦜🦜🦜🦜🦜🦜"),
            (" \n\u{3000}0123456789\t ", "0123456789"),
            ("x", "x"),
        ] {
            assert_eq!(ann.send(content, json!({})).await["message"]["content"], stored, "{content:?}");
        }
        for content in ["01234567890", "長長長長長長長長長長長", "", " \n\u{3000}", "a\0b", "\0"] {
            assert_refused(&ann.try_send(content, json!({})).await, "`content`");
        }
        assert_eq!(database.number("SELECT count(*) FROM message").await, 10);
        assert_eq!(database.number("SELECT count(*) FROM conversation").await, 5);
    }

    async fn a_long_message_is_stored_whole(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let longest = "🦜".repeat(32_000);
        let sent = ann.send(&longest, json!({})).await;
        assert_eq!(sent["message"]["content"], longest);
        assert!(sent["reply"]["content"].as_str().unwrap().ends_with(&longest));
        assert_refused(&ann.try_send(&"x".repeat(32_001), json!({})).await, "at most 32000 characters");
        // What fits no message of any kind does not even get to the rules.
        let answer = ann.post("/graphql").json(&json!({ "query": "x".repeat(2_000_000) })).send().await.unwrap();
        assert_eq!(answer.status(), 413);
        assert_eq!(answer.json::<Value>().await.unwrap()["errors"][0]["extensions"]["code"], "PAYLOAD_TOO_LARGE");
    }

    async fn titles_are_trimmed_and_limited(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let id = ann.start("What is a causerie?").await;
        let rename = async |title: &str| ann.run(RENAME, json!({ "id": id, "title": title })).await;
        for (title, stored) in [("  Talk ", "Talk".to_owned()), (&"é".repeat(200), "é".repeat(200))] {
            let renamed = rename(title).await.data();
            assert_eq!(renamed["updateConversation"]["conversation"]["title"], stored);
            let created = ann.data(CREATE, json!({ "title": title })).await;
            assert_eq!(created["createConversation"]["conversation"]["title"], stored);
        }
        for title in ["", "  ", &"é".repeat(201), "a\nb", "a\0b", "a\u{9f}b", "\u{7f}"] {
            assert_refused(&rename(title).await, "`title`");
            assert_refused(&ann.run(CREATE, json!({ "title": title })).await, "`title`");
        }
        assert_eq!(ann.code(RENAME, json!({ "id": "nonsense", "title": "Talk" })).await, "NOT_FOUND");

        let untitled = ann.data(CREATE, json!({})).await["createConversation"]["conversation"].take();
        assert_eq!(untitled["title"], Value::Null);
        assert_eq!(untitled["messageCount"], 0);
        assert_eq!(untitled["lastMessage"], Value::Null);
    }

    async fn keys_are_limited_in_length_and_letters(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        for key in ["k", " ", "a key ~!", &"k".repeat(128)] {
            ann.send("hello", json!({ "idempotencyKey": key })).await;
        }
        for key in ["", &"k".repeat(129), "é", "a\nb", "a\0", "\u{7f}", "🦜"] {
            assert_refused(&ann.try_send("hello", json!({ "idempotencyKey": key })).await, "`idempotencyKey`");
        }
    }

    async fn an_id_in_another_spelling_names_nothing(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let id = ann.start("hello").await;
        let simple = id.replace('-', "");
        for other in [&id.to_uppercase(), &simple, &format!("{{{id}}}"), &format!("urn:uuid:{id}"), &format!(" {id}"), "", "0", "é\0"] {
            let query = "query($id: ID!) {
              conversation(id: $id) { id } message(id: $id) { id } node(id: $id) { id }
              messages(conversationId: $id) { totalCount nodes { id } }
            }";
            let data = ann.data(query, json!({ "id": other })).await;
            let nothing = json!({
                "conversation": null, "message": null, "node": null, "messages": { "totalCount": 0, "nodes": [] },
            });
            assert_eq!(data, nothing, "{other:?}");
            let answer = ann.try_send("hello", json!({ "conversationId": other })).await;
            assert_eq!(answer.code(), "NOT_FOUND", "{other:?}");
        }
    }

    async fn an_error_names_the_argument_that_it_is_about(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let long = "x".repeat(201);
        let object = |field: &str, value: Value| json!({ "input": { "content": "hello", field: value } });
        let send = "mutation($input: SendMessageInput!) { sendMessage(input: $input) { message { id } } }";
        for (query, variables, field) in [
            ("{ conversations(first: 101) { nodes { id } } }", json!({}), "first"),
            ("{ conversations(first: 1, last: 1) { nodes { id } } }", json!({}), "last"),
            ("{ conversations(after: \"x\") { nodes { id } } }", json!({}), "after"),
            ("query($long: String) { conversations(filter: { titleContains: $long }) { nodes { id } } }", json!({ "long": long }), "filter.titleContains"),
            ("{ changes(since: \"x\") { nodes { __typename } } }", json!({}), "since"),
            ("query($long: String!) { search(query: $long) { nodes { conversation { id } } } }", json!({ "long": "x".repeat(10_001) }), "query"),
            (send, object("content", " ".into()), "input.content"),
            (send, object("idempotencyKey", "".into()), "input.idempotencyKey"),
            (send, object("metadata", json!([])), "input.metadata"),
            // What does not fit a variable's type is refused with the variable's name.
            (send, object("content", 1.into()), "$input.content"),
            ("query($first: Int) { conversations(first: $first) { nodes { id } } }", json!({ "first": "x" }), "$first"),
        ] {
            let answer = ann.run(query, variables).await;
            let extensions = json!({ "code": "BAD_USER_INPUT", "field": field });
            assert_eq!(answer.body["errors"][0]["extensions"], extensions, "{}", answer.body);
        }
    }

    async fn every_refusal_has_a_code_and_no_word_of_the_database(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        for (query, variables, code) in [
            ("{ viewer { id }", json!({}), "GRAPHQL_PARSE_FAILED"),
            ("", json!({}), "GRAPHQL_PARSE_FAILED"),
            ("{ nothing }", json!({}), "GRAPHQL_VALIDATION_FAILED"),
            ("{ viewer }", json!({}), "GRAPHQL_VALIDATION_FAILED"),
            ("{ conversation { id } }", json!({}), "GRAPHQL_VALIDATION_FAILED"),
            ("query A { viewer { id } } query B { viewer { id } }", json!({}), "OPERATION_RESOLUTION_FAILURE"),
            ("{ conversations(first: 101) { nodes { id } } }", json!({}), "BAD_USER_INPUT"),
            ("{ conversations(after: \"x\") { nodes { id } } }", json!({}), "BAD_USER_INPUT"),
            (RENAME, json!({ "id": "x", "title": "" }), "NOT_FOUND"),
        ] {
            let answer = ann.run(query, variables).await;
            assert_eq!(answer.code(), code, "{query}: {}", answer.body);
            assert_has_no_word_of_the_database(&answer.body);
        }
        let surrogate = ann.post("/graphql").header("content-type", "application/json");
        let surrogate = surrogate.body(r#"{"query":"{ conversation(id: \"\ud800\") { id } }"}"#).send().await.unwrap();
        assert_eq!(surrogate.status(), 400);

        // A fault of ours: what the database says of it goes to the log, and nowhere else.
        let id = ann.start("hello").await;
        let raw = database.raw().await;
        sea_orm::ConnectionTrait::execute_unprepared(&raw, "ALTER TABLE message RENAME TO lost").await.unwrap();
        for answer in [
            ann.try_send("hello", json!({ "conversationId": id })).await,
            ann.run("query($id: ID!) { messages(conversationId: $id) { nodes { id } } }", json!({ "id": id })).await,
            ann.run("query($id: ID!) { conversation(id: $id) { title lastMessage { id } } }", json!({ "id": id })).await,
        ] {
            assert_eq!(answer.code(), "INTERNAL_SERVER_ERROR");
            assert_eq!(answer.status, 200);
            assert_has_no_word_of_the_database(&answer.body);
        }
        let rest = ann.post("/api/ann/chat").json(&json!({ "message": "hello" })).send().await.unwrap();
        assert_eq!(rest.status(), 500);
        assert_has_no_word_of_the_database(&rest.json().await.unwrap());
    }
}

#[track_caller]
fn assert_refused(answer: &Answer, part: &str) {
    assert_eq!(answer.code(), "BAD_USER_INPUT");
    assert!(answer.is_without_data(), "{}", answer.body);
    let message = answer.body["errors"][0]["message"].as_str().unwrap();
    assert!(message.contains(part), "{message}");
    let field = answer.body["errors"][0]["extensions"]["field"].as_str().unwrap();
    let name = field.strip_prefix("input.").unwrap_or(field);
    assert!(message.contains(&format!("`{name}`")), "{field}: {message}");
}

#[track_caller]
fn assert_has_no_word_of_the_database(body: &Value) {
    let text = body.to_string().to_lowercase();
    for word in [
        "select ",
        "insert into",
        "sql",
        " table",
        " relation",
        "constraint",
        "database",
        "postgres",
        "column \"",
    ] {
        assert!(!text.contains(word), "{word} in {text}");
    }
}
