//! How many statements a request takes.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::create;
use super::rows::Filler;
use crate::support::{Client, ScriptedAssistant, Settings, TestServer, on_both_databases};

const LIST: &str = "{
  conversations(first: 20) {
    nodes { id title messageCount lastMessage { content } messages(last: 5) { nodes { content } } }
  }
}";

const COUNTED_LIST: &str = "{ conversations(first: 20) { totalCount nodes { id } } }";

const OPEN: &str = "query($id: ID!) {
  conversation(id: $id) {
    title
    messages(last: 50) { totalCount pageInfo { hasPreviousPage } nodes { id role content } }
  }
}";

const MESSAGES: &str = "query($id: ID!) { messages(conversationId: $id, last: 50) { nodes { id content } } }";

const RELATIONS: &str = "query($id: ID!) {
  messages(conversationId: $id, last: 50) {
    nodes { id content parent { id content parent { id } } conversation { id title } }
  }
}";

const SEARCH: &str = "{
  search(query: \"hello\", first: 20) { nodes { conversation { title } message { content } snippet { text } } }
}";

const CHANGES: &str = "{
  changes(first: 20) {
    nodes {
      ... on ConversationChanged { conversation { title } }
      ... on MessageChanged { message { content } }
    }
  }
}";

on_both_databases! {
    async fn reading_takes_as_many_statements_whatever_is_there(database) {
        let server = TestServer::start(&database).await;
        let (few, many) = (server.user("few"), server.user("many"));
        let filler = Filler::of(&database).await;
        few.send("hello", json!({})).await;
        let small = create(&few).await;
        filler.messages("few", &small, 1, 10).await;
        join_all((0..40).map(|_| many.send("hello", json!({})))).await;
        let large = create(&many).await;
        filler.messages("many", &large, 2, 100_000).await;
        filler.analyze().await;

        let cost = async |client: &Client, query: &str, id: &str| {
            server.take_statements();
            let data = client.data(query, json!({ "id": id })).await;
            (server.take_statements().len(), data)
        };
        for (path, statements) in [("conversations?limit=20", 1), ("conversations/$id/messages?limit=50", 1)] {
            for (client, user, id) in [(&few, "few", &small), (&many, "many", &large)] {
                server.take_statements();
                let path = format!("/api/{user}/{}", path.replace("$id", id));
                assert_eq!(client.get(&path).send().await.unwrap().status(), 200);
                assert_eq!(server.take_statements().len(), statements, "{path}");
            }
        }
        for (query, statements) in [(LIST, 2), (COUNTED_LIST, 1), (OPEN, 1), (MESSAGES, 1), (RELATIONS, 3), (SEARCH, 1), (CHANGES, 1)] {
            let (in_small, _) = cost(&few, query, &small).await;
            let (in_large, data) = cost(&many, query, &large).await;
            assert_eq!((in_small, in_large), (statements, statements), "{query}");
            // Something was read, and it is the right end.
            match query {
                LIST => assert_eq!(data["conversations"]["nodes"][0]["lastMessage"]["content"], "message 100000"),
                COUNTED_LIST => assert_eq!(data["conversations"]["totalCount"], 41),
                OPEN => {
                    let messages = &data["conversation"]["messages"];
                    assert_eq!(messages["totalCount"], 100_000);
                    assert_eq!(messages["nodes"][49]["content"], "message 100000");
                }
                SEARCH => assert_eq!(data["search"]["nodes"].as_array().unwrap().len(), 20),
                CHANGES => assert_eq!(data["changes"]["nodes"].as_array().unwrap().len(), 20),
                _ => {
                    let nodes = data["messages"]["nodes"].as_array().unwrap();
                    assert_eq!(nodes.len(), 50);
                    assert_eq!(nodes[0]["content"], "message 99951");
                    if query == RELATIONS {
                        assert_eq!(nodes[0]["parent"]["content"], "message 99950");
                    }
                }
            }
        }
    }

    async fn sending_takes_as_many_statements_whatever_was_said_before(database) {
        let (assistant, script) = ScriptedAssistant::new();
        let mut settings = Settings { assistant, ..Settings::default() };
        // Nothing by the clock: checkpoints are not what is counted here.
        settings.replies.lease = std::time::Duration::from_hours(3);
        settings.replies.checkpoint = std::time::Duration::from_hours(1);
        let server = TestServer::with(&database, settings).await;
        let filler = Filler::of(&database).await;
        // On PostgreSQL a usual send is one statement, and so is a usual end. Otherwise they are transactions, with one
        // statement to make a text findable.
        let is_postgres = database.is_postgres();
        let index = 1;
        let write = |statements: usize| if is_postgres { 1 } else { statements };
        let end = if is_postgres { 1 } else { 5 + index };
        for (user, space, count) in [("few", 1, 10), ("many", 2, 100_000)] {
            let client = server.user(user);
            // Without a title its first message would give it one.
            let create = r#"mutation { createConversation(input: { title: "long" }) { conversation { id } } }"#;
            let created = client.data(create, json!({})).await;
            let conversation = created["createConversation"]["conversation"]["id"].as_str().unwrap().to_owned();
            filler.messages(user, &conversation, space, count).await;

            // The conversation is read for the assistant once: with the send, if that is one statement and the conversation
            // is not long. What follows is known then.
            let read = usize::from(!is_postgres || count > 128);
            for (input, statements) in [
                (json!({ "conversationId": conversation }), write(7 + index) + read),
                (json!({ "conversationId": conversation, "idempotencyKey": "first" }), write(8 + index)),
                (json!({}), write(6 + 2 * index)),
                (json!({ "idempotencyKey": "second" }), write(7 + 2 * index)),
            ] {
                let mut input = input;
                input["awaitReply"] = false.into();
                server.take_statements();
                let sent = send(&client, &input).await;
                let attempt = script.next().await;
                let run = server.take_statements();
                assert_eq!(run.len(), statements, "{user}: {input}: {run:#?}");

                if input.get("idempotencyKey").is_some() {
                    assert_eq!(send(&client, &input).await["message"], sent["message"]);
                    let run = server.take_statements();
                    assert_eq!(run.len(), 5 + usize::from(is_postgres), "{user}: a retry of {input}: {run:#?}");
                }

                attempt.say("Hello yourself.");
                attempt.finish();
                let id = sent["reply"]["id"].as_str().unwrap();
                wait_for_end(&client, id).await;
                let ending: Vec<_> = server
                    .take_statements()
                    .into_iter()
                    .filter(|statement| !statement.sql.starts_with("SELECT"))
                    .collect();
                assert_eq!(ending.len(), end, "{user}: the end of a reply");
            }

            // One request from its arrival to the whole reply: whoever waits is given the row that was stored. On a busy
            // machine the reply may have ended before anybody waits.
            let (exact, mut counts) = (write(7 + index) + end, Vec::new());
            while counts.len() < 10 || !counts.contains(&exact) && counts.len() < 100 {
                server.take_statements();
                let input = json!({ "conversationId": conversation });
                let (sent, ()) = tokio::join!(send(&client, &input), async {
                    let attempt = script.next().await;
                    attempt.say("Hello yourself.");
                    attempt.finish();
                });
                assert_eq!(sent["reply"]["content"], "Hello yourself.");
                counts.push(server.take_statements().len());
            }
            let is_read_at_most = counts.iter().all(|count| (exact..=exact + 1).contains(count));
            assert!(is_read_at_most && counts.contains(&exact), "{user}: a message with its reply: {counts:?}");

            // Following it from the request to the end takes no more, as this server writes it.
            let (exact, mut counts) = (write(8 + index) + end, Vec::new());
            while counts.len() < 10 || !counts.contains(&exact) && counts.len() < 100 {
                let key = format!("followed by {user}, {}", counts.len());
                let input = json!({ "conversationId": conversation, "content": "hello", "idempotencyKey": key });
                server.take_statements();
                follow(&client, &script, &input).await;
                counts.push(server.take_statements().len());
            }
            let is_read_at_most = counts.iter().all(|count| (exact..=exact + 2).contains(count));
            assert!(is_read_at_most && counts.contains(&exact), "{user}: a reply that is followed: {counts:?}");
        }
    }
}

/// Sends a message and asks for nothing that takes a statement more.
async fn send(client: &Client, input: &Value) -> Value {
    let query = "mutation($input: SendMessageInput!) {
      sendMessage(input: $input) {
        conversation { id title messageCount } message { id content position } reply { id status content }
      }
    }";
    let mut input = input.clone();
    input["content"] = "hello".into();
    client.data(query, json!({ "input": input })).await["sendMessage"].take()
}

/// Sends a message by the subscription, and reads its reply to the end.
async fn follow(client: &Client, script: &ScriptedAssistant, input: &Value) {
    let query = "subscription($input: SendMessageInput!) { sendMessage(input: $input) {
      __typename ... on ReplyText { text } ... on ReplyEnded { reply { content } }
    } }";
    let mut events = client.subscribe(query, json!({ "input": input })).await;
    let mut attempt = None;
    for kind in ["ReplyRequested", "ReplyStarted", "ReplyText", "ReplyEnded"] {
        let event = events.next().await.expect("the reply goes on")["sendMessage"].take();
        assert_eq!(event["__typename"], kind, "{event}");
        match kind {
            "ReplyStarted" => attempt.insert(script.next().await).say("Hello yourself."),
            "ReplyText" => attempt.take().expect("it was begun").finish(),
            "ReplyEnded" => assert_eq!(event["reply"]["content"], "Hello yourself."),
            _ => {}
        }
    }
}

async fn wait_for_end(client: &Client, message: &str) {
    let query = "query($id: ID!) { message(id: $id) { status } }";
    while client.data(query, json!({ "id": message })).await["message"]["status"] != "COMPLETE" {
        tokio::task::yield_now().await;
    }
}
