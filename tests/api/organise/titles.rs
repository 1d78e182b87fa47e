//! Titles: first words at once, something better after the first reply, and the user's word above all.

use causerie::assistant::{Catalog, DEFAULT_ID, Failure, FailureCode, Profile, TitleAssistant};
use serde_json::{Value, json};

use super::{changes, conversation, cursor, delete, keep, rename, titles, update};
use crate::support::{
    Client, ScriptedAssistant, ScriptedAttempt, Settings, TestDatabase, TestServer, on_both_databases,
};

/// A server whose title model is in the test's hands.
async fn titled(database: &TestDatabase) -> (TestServer, ScriptedAssistant) {
    let (writer, script) = ScriptedAssistant::new();
    let mut settings = Settings::default();
    let titles = TitleAssistant { assistant_id: DEFAULT_ID.to_owned(), writer };
    let catalog = Catalog::of(Profile::new(DEFAULT_ID, settings.assistant.clone()));
    settings.catalog = Some(catalog.with_titles(Some(titles)));
    (TestServer::with(database, settings).await, script)
}

fn answer(attempt: &ScriptedAttempt, title: &str) {
    attempt.say(title);
    attempt.finish();
}

async fn becomes(client: &Client, id: &str, title: &str) {
    while conversation(client, id).await["title"] != title {}
}

/// Gives a title, and returns the conversation's once the server has done with it what it does.
async fn tried(server: &TestServer, attempt: &ScriptedAttempt, title: &str, id: &str) -> Value {
    server.take_all_statements();
    answer(attempt, title);
    let is_title = |sql: &str| sql.starts_with("UPDATE \"conversation\"") && sql.contains("\"title_key\" = ");
    while !server.take_all_statements().iter().any(|statement| is_title(&statement.sql)) {}
    // One user's writes are in order: this one comes after the title's.
    update(&server.user("ann"), id, json!({ "pinned": true })).await["title"].take()
}

on_both_databases! {
    async fn the_first_reply_brings_a_better_title(database) {
        let (server, script) = titled(&database).await;
        let ann = server.user("ann");
        let sent = ann.send("What shall I cook tonight?", json!({})).await;
        let id = sent["conversation"]["id"].as_str().unwrap();
        assert_eq!(sent["conversation"]["title"], "What shall I cook tonight?");
        let attempt = script.next().await;
        let shown = &attempt.prompt.turns.last().unwrap().content;
        assert!(shown.starts_with("User: What shall I cook tonight?\n\nAssistant: This is"), "{shown}");
        let before = conversation(&ann, id).await;
        let since = cursor(&ann).await;
        answer(&attempt, "\"Dinner ideas.\"\n");
        becomes(&ann, id, "Dinner ideas").await;
        let after = conversation(&ann, id).await;
        assert_eq!(after["updatedAt"], before["updatedAt"], "it is no activity");
        assert_eq!(changes(&ann, &since).await.0, ["ConversationChanged: Dinner ideas"]);
        assert_eq!(titles(&ann, "filter: { titleContains: \"DINNER\" }").await, ["Dinner ideas"]);
        let found = ann.data("{ search(query: \"dinner\") { nodes { message { id } } } }", json!({})).await;
        assert_eq!(found["search"]["nodes"].as_array().unwrap().len(), 1);
        // Nobody is asked again: the next one to be asked is about another conversation.
        ann.send("more", json!({ "conversationId": id })).await;
        ann.send("another", json!({})).await;
        assert!(script.next().await.prompt.turns[1].content.starts_with("User: another"));
    }

    async fn a_title_does_not_outlive_the_message_that_the_model_was_shown(database) {
        let (server, script) = titled(&database).await;
        let ann = server.user("ann");
        let erase = "mutation($id: ID!) { deleteMessage(input: { messageId: $id }) { conversation { title } } }";
        let sent = ann.send("secret plans", json!({})).await;
        let id = sent["conversation"]["id"].as_str().unwrap();
        answer(&script.next().await, "Conspiracy");
        becomes(&ann, id, "Conspiracy").await;
        let erased = ann.data(erase, json!({ "id": sent["message"]["id"] })).await;
        assert_eq!(erased["deleteMessage"]["conversation"]["title"], Value::Null);
        assert!(titles(&ann, "filter: { titleContains: \"conspiracy\" }").await.is_empty());

        // Nor does one that comes later.
        let sent = ann.send("more plans", json!({})).await;
        let id = sent["conversation"]["id"].as_str().unwrap();
        let attempt = script.next().await;
        ann.data(erase, json!({ "id": sent["message"]["id"] })).await;
        ann.send("harmless chat", json!({ "conversationId": id })).await;
        assert_eq!(tried(&server, &attempt, "Conspiracy", id).await, "harmless chat");
    }

    async fn what_the_user_has_named_stays(database) {
        let (server, script) = titled(&database).await;
        let other = TestServer::start(&database).await;
        let ann = server.user("ann");
        let id = ann.start("while the model thinks").await;
        let attempt = script.next().await;
        rename(&other.user("ann"), &id, "Mine").await;
        let (_, since) = changes(&ann, &Value::Null).await;
        assert_eq!(tried(&server, &attempt, "The model's", &id).await, "Mine");
        assert_eq!(changes(&ann, &since).await.0, ["ConversationChanged: Mine"], "which is the pin");
        let create = "mutation { createConversation(input: { title: \"From the start\" }) { conversation { id } } }";
        let named = ann.data(create, json!({})).await["createConversation"]["conversation"]["id"].take();
        ann.send("hello", json!({ "conversationId": named })).await;
        ann.send("asked about", json!({})).await;
        assert!(script.next().await.prompt.turns[1].content.starts_with("User: asked about"), "nobody asks about what has a name");
        assert_eq!(conversation(&ann, named.as_str().unwrap()).await["title"], "From the start");
    }

    async fn of_two_servers_the_first_word_counts(database) {
        let (one, first) = titled(&database).await;
        let (two, second) = titled(&database).await;
        let id = one.user("ann").start("hello").await;
        let slow = first.next().await;
        two.user("ann").send("more", json!({ "conversationId": id })).await;
        let quick = second.next().await;
        assert!(quick.prompt.turns[1].content.contains("User: more"));
        answer(&quick, "Quick");
        becomes(&one.user("ann"), &id, "Quick").await;
        assert_eq!(tried(&one, &slow, "Slow", &id).await, "Quick");
    }

    async fn a_model_that_fails_is_asked_again_after_the_next_replies_and_then_no_more(database) {
        let (server, script) = titled(&database).await;
        let ann = server.user("ann");
        let id = ann.start("hello").await;
        let failure = Failure { code: FailureCode::AssistantUnavailable, message: "Away.".to_owned(), retryable: true };
        script.next().await.send(Err(failure));
        ann.send("two", json!({ "conversationId": id })).await;
        answer(&script.next().await, "\"\"");
        ann.send("three", json!({ "conversationId": id })).await;
        let rambling = script.next().await;
        rambling.say(&"blah ".repeat(1000));
        rambling.dropped().await;
        becomes(&ann, &id, &("blah ".repeat(15) + "blah…").replace("blah blah…", "blah…")).await;
        ann.send("four", json!({ "conversationId": id })).await;
        ann.start("another").await;
        assert!(script.next().await.prompt.turns[1].content.starts_with("User: another"));
    }

    async fn titles_are_requested_for_two_conversations_of_a_user_and_sixteen_in_all_at_once(database) {
        let (server, script) = titled(&database).await;
        let mut requested: Vec<(usize, ScriptedAttempt, String)> = Vec::new();
        let mut beyond = Vec::new();
        for number in 0..9 {
            let user = server.user(&format!("user {number}"));
            for _ in 0..3 {
                let id = user.start("hello").await;
                if requested.len() < 16 && requested.iter().filter(|(of, ..)| *of == number).count() < 2 {
                    requested.push((number, script.next().await, id));
                } else {
                    beyond.push((number, id));
                }
            }
        }
        assert_eq!((requested.len(), beyond.len()), (16, 11));
        // Once there is room, the next reply of a conversation asks for its title, and nobody has asked before.
        let (number, attempt, id) = requested.remove(0);
        answer(&attempt, "Found");
        becomes(&server.user("user 0"), &id, "Found").await;
        let (of, waiting) = beyond.remove(0);
        assert_eq!((number, of), (0, 0));
        server.user("user 0").send("more", json!({ "conversationId": waiting })).await;
        let prompt = script.next().await.prompt;
        assert!(prompt.turns[1].content.contains("User: more"), "{prompt:?}");
    }

    async fn a_deleted_conversation_gets_no_title_and_a_stopping_server_waits_for_none(database) {
        let (server, script) = titled(&database).await;
        let ann = server.user("ann");
        let id = ann.start("hello").await;
        let attempt = script.next().await;
        delete(&ann, &id).await;
        server.take_all_statements();
        answer(&attempt, "Too late");
        while !server.take_all_statements().iter().any(|statement| statement.sql.contains("\"title_key\" = ")) {}
        let other = ann.start("waiting").await;
        let attempt = script.next().await;
        server.stop().await;
        attempt.dropped().await;
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        assert_eq!(conversation(&ann, &other).await["title"], "waiting");
        assert_eq!(keep(&ann, "restoreConversation", &id).await["title"], "hello");
    }

    async fn a_conversation_without_a_title_takes_the_first_messages_words(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let create = "mutation { createConversation(input: {}) { conversation { id title } } }";
        let created = ann.data(create, json!({})).await["createConversation"]["conversation"].take();
        assert_eq!(created["title"], Value::Null);
        let id = created["id"].as_str().unwrap();
        let sent = ann.send("First words", json!({ "conversationId": id })).await;
        assert_eq!(sent["conversation"]["title"], "First words");
        ann.send("Other words", json!({ "conversationId": id })).await;
        assert_eq!(titles(&ann, "filter: { titleContains: \"first\" }").await, ["First words"]);
        let found = ann.data("{ search(query: \"first\", filter: { scope: TITLES }) { nodes { conversation { id } } } }", json!({})).await;
        assert_eq!(found["search"]["nodes"][0]["conversation"]["id"], id);
    }
}
