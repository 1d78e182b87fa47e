//! Queries and subscriptions that are compiled answer as the library does, byte for byte.

mod random;
mod subscriptions;

use causerie::admission::{Limits, QueryLimits};
use causerie::assistant::{
    Catalog, DEFAULT_ID, Delta, FinishReason, Profile, Range, Settable, ToolCall, Usage,
};
use causerie::http::Options;
use serde_json::{Value, json};

use self::random::{Documents, LIBRARY_ONLY};
use crate::support::{Client, ScriptedAssistant, Settings, TestDatabase, TestServer, on_both_databases};

/// How many random queries are compared.
const QUERIES: u64 = 300;

on_both_databases! {
    async fn any_query_is_answered_as_the_library_answers_it(database) {
        let world = World::new(&database).await;
        let types = world.ann.data(random::INTROSPECTION, Value::Null).await["__schema"]["types"].take();
        let (mut data, mut errors) = (0, 0);
        for seed in 0..QUERIES {
            // Most queries are of what can be compiled; the others are of the whole schema.
            let without: &[&str] = if seed % 4 == 0 { &[] } else { LIBRARY_ONLY };
            let query = Documents::new(&types, &world.ids, &world.cursors, without, seed).query();
            // A condition, even one that always holds, is for the library; it is behind everything that has a place.
            let compiled = text(&world.ann, &query.replace("$condition", "")).await;
            let resolved = text(&world.ann, &query.replace("$condition", "@include(if: true)")).await;
            let [answer, other] = [&compiled, &resolved].map(|text| serde_json::from_str::<Value>(text).unwrap());
            // Of several fields of the query that fail, the library reports the one that was first this time.
            let is_race = answer["data"].is_null() && other["data"].is_null();
            assert!(compiled == resolved || is_race, "seed {seed}: {query}\n{compiled}\n{resolved}");
            data += usize::from(!answer["data"].is_null());
            errors += usize::from(!answer["errors"].is_null());
        }
        assert!(data > 100 && errors > 20, "{data} with data, {errors} with errors");
    }

    async fn variables_have_their_defaults_and_may_be_null_or_omitted(database) {
        let world = World::new(&database).await;
        let query = "query($first: Int = 1, $last: Int, $states: [ConversationState!] = [ACTIVE], $pinned: Boolean, $title: String = \"q\") {
          conversations(first: $first, last: $last, filter: { states: $states, pinned: $pinned, titleContains: $title }) {
            totalCount nodes { id title messages(last: $last) { nodes { id content } } } } last: __typename $condition }";
        let texts = [Value::Null, json!("Question"), json!("nothing")];
        let (mut data, mut errors) = (0, 0);
        for variables in [
            json!({}),
            json!({ "first": null }),
            json!({ "first": 2 }),
            json!({ "first": null, "last": 2 }),
            json!({ "first": 2, "last": 1 }),
            json!({ "first": 101 }),
            json!({ "pinned": true }),
            json!({ "pinned": false, "first": null }),
            json!({ "states": null }),
            json!({ "states": ["ARCHIVED", "ACTIVE"], "first": null }),
            json!({ "states": "TRASHED" }),
        ] {
            for title in texts.iter().map(Some).chain([None]) {
                let mut variables = variables.clone();
                if let Some(title) = title {
                    variables["title"] = title.clone();
                }
                let [compiled, resolved] = both(&world.ann, query, &variables).await;
                assert_eq!(compiled, resolved, "{variables}");
                let answer: Value = serde_json::from_str(&compiled).unwrap();
                data += usize::from(!answer["data"].is_null());
                errors += usize::from(!answer["errors"].is_null());
            }
        }
        assert!(data > 15 && errors > 5, "{data} with data, {errors} with errors");
    }

    async fn an_answer_that_is_too_large_fails_as_the_librarys(database) {
        let world = World::new(&database).await;
        let (mut whole, mut failed) = (0, 0);
        for answer_bytes in (1000..16_000).step_by(500) {
            let limits = Limits { answer_bytes, user_rate: 0, address_rate: 0, ..Limits::default() };
            let http = Options { limits, ..Options::default() };
            let server = TestServer::with(&database, Settings { http, ..Settings::default() }).await;
            let query = "query($id: ID!) { messages(conversationId: $id) { nodes { id a: content b: content metadata } } last: __typename $condition }";
            let variables = json!({ "id": world.ids[15] });
            let [compiled, resolved] = both(&server.user("ann"), query, &variables).await;
            assert_eq!(compiled, resolved, "{answer_bytes}");
            let is_failure = compiled.contains("ANSWER_TOO_LARGE");
            whole += usize::from(!is_failure);
            failed += usize::from(is_failure);
        }
        assert!(whole > 2 && failed > 2, "{whole} whole, {failed} failed");
    }

    async fn thousands_of_pages_are_read(database) {
        let query_limits = QueryLimits { complexity: 10_000_000, ..QueryLimits::default() };
        let limits = Limits { query: query_limits, user_rate: 0, address_rate: 0, ..Limits::default() };
        let http = Options { limits, ..Options::default() };
        let server = TestServer::with(&database, Settings { http, ..Settings::default() }).await;
        let ann = server.user("ann");
        for _ in 0..100 {
            ann.start("hello").await;
        }
        let pages: String =
            (1..=90).fold(String::new(), |text, first| format!("{text} a{first}: messages(first: {first}) {{ totalCount nodes {{ position }} }}"));
        let query = format!("query {{ conversations(first: 100) {{ nodes {{ {pages} }} }} }}");
        server.take_statements();
        let nodes = ann.data(&query, Value::Null).await["conversations"]["nodes"].take();
        // The list, which nobody counts, and 9,000 pages.
        let statements = server.take_statements();
        assert_eq!(statements.len(), 10);
        assert!(!statements[0].sql.contains("COUNT("), "{}", statements[0].sql);
        assert_eq!(nodes.as_array().unwrap().len(), 100);
        for node in nodes.as_array().unwrap() {
            for first in 1..=90 {
                let page = &node[format!("a{first}")];
                assert_eq!(page["totalCount"], 2);
                assert_eq!(page["nodes"].as_array().unwrap().len(), first.min(2));
            }
        }
    }

    async fn what_messages_need_beside_their_rows_takes_a_statement_for_each_kind(database) {
        let server = TestServer::start(&database).await;
        let (ann, eve) = (server.user("ann"), server.user("eve"));
        let id = ann.start("hello").await;
        let sent = ann.send("again", json!({ "conversationId": id })).await;
        let edit = "mutation($id: ID!) { editMessage(input: { messageId: $id, content: \"anew\" }) { message { id } } }";
        let edited = ann.data(edit, json!({ "id": sent["message"]["id"] })).await["editMessage"]["message"]["id"].take();
        let query = "query($id: ID!) { conversation(id: $id) { messages { nodes { content siblingIndex siblingCount
          previousVersionId nextVersionId siblings { totalCount nodes { id content } }
          parent { content parent { content } } conversation { unreadCount lastMessage { id } } } } } }";
        server.take_statements();
        let opened = ann.data(query, json!({ "id": id })).await["conversation"]["messages"]["nodes"].take();
        // The page; places, siblings, parents and conversations; the conversations' last messages, and what is unread. The
        // parents of parents are known by then.
        assert_eq!(server.take_statements().len(), 7);
        let third = &opened[2];
        assert_eq!(third["siblingIndex"], 1);
        assert_eq!(third["siblingCount"], 2);
        assert_eq!(third["previousVersionId"], sent["message"]["id"]);
        assert_eq!(third["siblings"]["nodes"][1], json!({ "id": edited, "content": "anew" }));
        assert_eq!(third["parent"]["parent"], json!({ "content": "hello" }));
        assert_eq!(third["conversation"]["unreadCount"], 1);
        assert_eq!(opened[0]["parent"], Value::Null);
        let node = "query($id: ID!) { node(id: $id) { __typename ... on Message { siblingCount content } } }";
        assert_eq!(ann.data(node, json!({ "id": edited })).await["node"]["siblingCount"], 2);
        assert_eq!(eve.data(node, json!({ "id": edited })).await["node"], Value::Null);
    }

    async fn the_settings_of_a_list_take_one_statement_and_the_viewers_another(database) {
        let server = TestServer::start(&database).await;
        let (ann, eve) = (server.user("ann"), server.user("eve"));
        let mut ids = Vec::new();
        for number in 0..3 {
            let id = ann.start("hello").await;
            let input = json!({ "conversationId": id, "assistantId": DEFAULT_ID, "instructions": format!("no. {number}") });
            let update = "mutation($input: UpdateConversationInput!) { updateConversation(input: $input) { __typename } }";
            ann.data(update, json!({ "input": input })).await;
            ids.push(id);
        }
        let plain = ann.start("plain").await;
        let query = "{ viewer { assistantId assistant { id } instructions } assistants { id isDefault }
          conversations { nodes { id assistantId assistant { name } instructions parameters { temperature } } } }";
        server.take_statements();
        let data = ann.data(query, Value::Null).await;
        assert_eq!(server.take_statements().len(), 3, "the list, what is chosen for its conversations, and by the viewer");
        assert_eq!(data["viewer"], json!({ "assistantId": null, "assistant": null, "instructions": null }));
        assert_eq!(data["assistants"], json!([{ "id": DEFAULT_ID, "isDefault": true }]));
        let nodes = data["conversations"]["nodes"].as_array().unwrap();
        let shown = |id: &str| nodes.iter().find(|node| node["id"] == id).unwrap();
        for (number, id) in ids.iter().enumerate() {
            let (id, node) = (id.as_str(), shown(id));
            assert_eq!(*node, json!({ "id": id, "assistantId": DEFAULT_ID, "assistant": { "name": DEFAULT_ID },
                "instructions": format!("no. {number}"), "parameters": null }));
        }
        assert_eq!(shown(&plain)["assistant"], Value::Null);
        let other = "query($id: ID!) { conversation(id: $id) { instructions } }";
        assert_eq!(eve.data(other, json!({ "id": ids[0] })).await["conversation"], Value::Null);
    }

    async fn a_conversation_and_its_pages_take_one_statement(database) {
        let server = TestServer::start(&database).await;
        let (ann, eve) = (server.user("ann"), server.user("eve"));
        let id = ann.start("hello").await;
        ann.send("again", json!({ "conversationId": id })).await;
        let query = "query($id: ID!) { conversation(id: $id) { id title lastMessage { content }
          messages(first: 2) { totalCount nodes { ...Shown } } newest: messages { edges { cursor node { id } } } } }
          fragment Shown on Message { __typename id parts { ... on TextPart { text } } }";
        server.take_statements();
        let opened = ann.data(query, json!({ "id": id })).await["conversation"].take();
        assert_eq!(server.take_statements().len(), 1);
        assert_eq!(opened["messages"]["totalCount"], 4);
        assert_eq!(opened["messages"]["nodes"][1]["parts"][0]["text"], "This is causerie's development assistant. You wrote:\n\nhello");
        assert_eq!(opened["newest"]["edges"].as_array().unwrap().len(), 4);
        assert_eq!(eve.data(query, json!({ "id": id })).await["conversation"], Value::Null);
    }
}

async fn text(client: &Client, query: &str) -> String {
    text_with(client, query, &Value::Null).await
}

async fn text_with(client: &Client, query: &str, variables: &Value) -> String {
    let body = json!({ "query": query, "variables": variables });
    client.post("/graphql").json(&body).send().await.unwrap().text().await.unwrap()
}

/// The answers to a query, compiled and by the library.
async fn both(client: &Client, query: &str, variables: &Value) -> [String; 2] {
    let compiled = text_with(client, &query.replace("$condition", ""), variables).await;
    let resolved = text_with(client, &query.replace("$condition", "@include(if: true)"), variables).await;
    [compiled, resolved]
}

/// What queries find: conversations and messages in all states.
struct World {
    _server: TestServer,
    ann: Client,
    /// Ids of conversations and messages, and of what there is not.
    ids: Vec<String>,
    cursors: Vec<String>,
}

impl World {
    async fn new(database: &TestDatabase) -> Self {
        let (assistant, script) = ScriptedAssistant::new();
        let temperature = Some(Range { minimum: 0.0, maximum: 1.5, default: Some(0.7) });
        let settable = Settable { temperature, ..Settable::default() };
        let catalog = Catalog::of(Profile { settable, ..Profile::new(DEFAULT_ID, assistant) });
        let server =
            TestServer::with(database, Settings { catalog: Some(catalog), ..Settings::default() }).await;
        let (ann, eve) = (server.user("ann"), server.user("eve"));
        let mut ids = Vec::new();
        for number in 0..4 {
            ids.extend(converse(&ann, &script, number).await);
        }
        // One whose reply is under way, with nothing of it written.
        let running = ann.send("Wait \"for\"\n\u{1f642} it", json!({ "awaitReply": false })).await;
        ids.push(running["conversation"]["id"].as_str().unwrap().to_owned());
        ids.push(running["reply"]["id"].as_str().unwrap().to_owned());
        let _attempt = script.next().await;
        let foreign = eve.send("mine", json!({ "awaitReply": false })).await;
        ids.push(foreign["conversation"]["id"].as_str().unwrap().to_owned());
        ids.extend(["nonsense".to_owned(), uuid::Uuid::nil().to_string()]);
        let create = r#"mutation { createConversation(input: { title: "Äpfel & \"Birnen\"" }) { conversation { id } } }"#;
        let empty = ann.data(create, Value::Null).await;
        ids.push(empty["createConversation"]["conversation"]["id"].as_str().unwrap().to_owned());
        organise(&ann, &ids).await;
        let cursors = cursors(&ann, &ids[0]).await;
        Self { _server: server, ann, ids, cursors }
    }
}

/// A conversation with two replies, the second of which ends in a way of its own; its id, and those of its messages.
async fn converse(ann: &Client, script: &ScriptedAssistant, number: usize) -> Vec<String> {
    let first = ann.send(&format!("Question {number}"), json!({ "awaitReply": false })).await;
    let conversation = first["conversation"]["id"].clone();
    let attempt = script.next().await;
    attempt.reason("Let me \"think\".\t");
    attempt.say("Text \u{0}\u{7f}\u{2028} </script> \\ ");
    attempt.send(Ok(Delta::Usage(Usage {
        input_tokens: Some(7),
        output_tokens: (number > 0).then_some(8),
        ..Usage::default()
    })));
    attempt.send(Ok(Delta::Model("gpt \"4\"".to_owned())));
    attempt.send(Ok(Delta::Finish(FinishReason::Length)));
    attempt.close();
    let mut ids = vec![conversation.as_str().unwrap().to_owned()];
    let ended = async |reply: &Value| {
        let query = "query($id: ID!) { message(id: $id) { status } }";
        loop {
            let message = ann.data(query, json!({ "id": reply })).await["message"].take();
            if !["QUEUED", "GENERATING"].contains(&message["status"].as_str().unwrap()) {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    ended(&first["reply"]["id"]).await;
    let input = json!({ "conversationId": conversation, "awaitReply": false, "metadata": { "b": [1, 2.5e3, null], "a": "ü" } });
    let second = ann.send(&format!("more {}", "long ".repeat(200 * number)), input).await;
    let attempt = script.next().await;
    match number {
        0 => {
            let call = ToolCall {
                call_id: "call_0".to_owned(),
                name: "search".to_owned(),
                arguments: "{\"q\": \"x\"}".to_owned(),
            };
            attempt.send(Ok(Delta::ToolCall(call)));
            attempt.say("after");
            attempt.finish();
        }
        // An empty reply has failed.
        1 => attempt.finish(),
        _ => {
            attempt.say("fine");
            attempt.finish();
        }
    }
    ended(&second["reply"]["id"]).await;
    for sent in [&first, &second] {
        ids.push(sent["message"]["id"].as_str().unwrap().to_owned());
        ids.push(sent["reply"]["id"].as_str().unwrap().to_owned());
    }
    ids
}

/// Pins, archives, deletes, rates and labels some.
async fn organise(ann: &Client, ids: &[String]) {
    let update =
        "mutation($input: UpdateConversationInput!) { updateConversation(input: $input) { __typename } }";
    for input in [
        json!({ "conversationId": ids[0], "pinned": true, "metadata": { "z": { "k": "\u{e9}\"" }, "a": [1.5, -3, true, null] } }),
        json!({ "conversationId": ids[5], "archived": true, "title": "Archived" }),
        json!({ "conversationId": ids[0], "assistantId": DEFAULT_ID, "parameters": { "temperature": 1.25 } }),
        json!({ "conversationId": ids[15], "instructions": "Speak \"French\"." }),
    ] {
        ann.data(update, json!({ "input": input })).await;
    }
    let configure =
        "mutation($input: ConfigureViewerInput!) { configureViewer(input: $input) { __typename } }";
    ann.data(configure, json!({ "input": { "assistantId": DEFAULT_ID, "instructions": "Be\nbrief." } }))
        .await;
    let delete = "mutation($id: ID!) { deleteConversation(input: { conversationId: $id }) { __typename } }";
    ann.data(delete, json!({ "id": ids[10] })).await;
    let rate = "mutation($id: ID!) { rateReply(input: { messageId: $id, rating: DOWN, comment: \"bad \\\"one\\\"\" }) {
      __typename } }";
    ann.data(rate, json!({ "id": ids[2] })).await;
}

/// Cursors of lists of conversations and messages, and what is none.
async fn cursors(ann: &Client, conversation: &str) -> Vec<String> {
    let query = "query($id: ID!) { conversations { edges { cursor } } titles: conversations(orderBy: TITLE_ASC) { edges { cursor } }
      conversation(id: $id) { messages { edges { cursor } } } }";
    let data = ann.data(query, json!({ "id": conversation })).await;
    let lists = [&data["conversations"], &data["titles"], &data["conversation"]["messages"]];
    let edges = lists.into_iter().flat_map(|list| list["edges"].as_array().unwrap());
    let mut cursors: Vec<String> = edges.map(|edge| edge["cursor"].as_str().unwrap().to_owned()).collect();
    cursors.push("bm9uZQ".to_owned());
    cursors
}
