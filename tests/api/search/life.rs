//! The index is true at every commit.

use std::time::Duration;

use causerie::assistant::{Failure, FailureCode};
use causerie::trash;
use sea_orm::ConnectionTrait;
use serde_json::json;

use super::{count, hits, texts, titled};
use crate::support::{ScriptedAssistant, Settings, TestServer, on_both_databases};

on_both_databases! {
    async fn a_reply_is_found_once_it_has_ended(database) {
        let (assistant, script) = ScriptedAssistant::new();
        let server = TestServer::with(&database, Settings { assistant, ..Settings::default() }).await;
        let ann = server.user("ann");
        let sent = ann.send("question", json!({ "awaitReply": false })).await;
        assert_eq!(count(&ann, "question").await, 2, "the message and the title, at once");
        let attempt = script.next().await;
        attempt.say("the wisest answer");
        assert_eq!(count(&ann, "wisest").await, 0);
        attempt.finish();
        let reply = sent["reply"]["id"].as_str().unwrap();
        server.replies().wait_for_end("ann", reply.parse().unwrap()).await.unwrap();
        let hits = hits(&ann, "\"wisest answer\"", json!({})).await;
        assert_eq!(hits.len(), 1);
        assert_eq!(hits[0]["message"]["id"], reply);
        assert_eq!(hits[0]["conversation"]["id"], sent["conversation"]["id"]);
    }

    async fn a_reply_written_anew_is_found_by_its_last_words_only(database) {
        let (assistant, script) = ScriptedAssistant::new();
        let server = TestServer::with(&database, Settings { assistant, ..Settings::default() }).await;
        let ann = server.user("ann");
        let sent = ann.send("question", json!({ "awaitReply": false })).await;
        let reply = sent["reply"]["id"].as_str().unwrap();
        let first = script.next().await;
        first.say("outdated");
        let fail = Failure { code: FailureCode::AssistantRejected, message: "no more".to_owned(), retryable: true };
        first.send(Err(fail));
        server.replies().wait_for_end("ann", reply.parse().unwrap()).await.unwrap();
        assert_eq!(count(&ann, "outdated").await, 1);
        let retry = "mutation ($id: ID!) { retryReply(input: { messageId: $id, awaitReply: false }) { reply { id } } }";
        ann.data(retry, json!({ "id": reply })).await;
        assert_eq!(count(&ann, "outdated").await, 0);
        let second = script.next().await;
        second.say("renewed");
        second.finish();
        server.replies().wait_for_end("ann", reply.parse().unwrap()).await.unwrap();
        assert_eq!((count(&ann, "outdated").await, count(&ann, "renewed").await), (0, 1));
    }

    async fn a_title_is_found_as_it_now_is(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let id = titled(&ann, "Old name").await;
        assert_eq!(hits(&ann, "old", json!({})).await[0]["message"], json!(null));
        let rename = "mutation ($id: ID!) {
            updateConversation(input: { conversationId: $id, title: \"New name\" }) { conversation { title } }
        }";
        ann.data(rename, json!({ "id": id })).await;
        assert_eq!((count(&ann, "old").await, count(&ann, "new").await), (0, 1));
    }

    async fn what_is_deleted_is_not_found(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let id = ann.start("ephemeral").await;
        ann.start("lasting").await;
        assert_eq!(count(&ann, "ephemeral").await, 3);
        let delete = "mutation ($id: ID!) { deleteConversation(input: { conversationId: $id }) { deletedConversationId } }";
        ann.data(delete, json!({ "id": id })).await;
        assert_eq!(count(&ann, "ephemeral").await, 0);
        assert_eq!(count(&ann, "-zzz").await, 3, "not even by what it does not say");
        // Once the rows are erased, by whatever statement, their entries are too.
        let raw = database.raw().await;
        for erase in [
            "DELETE FROM message WHERE conversation_id IN (SELECT id FROM conversation WHERE deleted_at IS NOT NULL)",
            "DELETE FROM conversation WHERE deleted_at IS NOT NULL",
        ] {
            raw.execute_unprepared(erase).await.unwrap();
        }
        raw.close().await.unwrap();
        for (table, left) in [("message_search", 2), ("title_search", 1)] {
            assert_eq!(database.number(&format!("SELECT count(*) FROM {table}")).await, left);
        }
        if !database.is_postgres() {
            for (table, left) in [("message_token", 2), ("title_token", 1)] {
                assert_eq!(database.number(&format!("SELECT count(*) FROM {table}_docsize")).await, left);
            }
        }
    }

    async fn what_is_erased_leaves_nothing_in_the_index(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let id = ann.start("ephemeral").await;
        ann.start("lasting").await;
        let delete = "mutation ($id: ID!) { deleteConversation(input: { conversationId: $id }) { deletedConversationId } }";
        ann.data(delete, json!({ "id": id })).await;
        let at_once = trash::Options { keep: Duration::ZERO, period: Duration::from_millis(20) };
        let _eraser = TestServer::with(&database, Settings { trash: at_once, ..Settings::default() }).await;
        while database.number("SELECT count(*) FROM conversation WHERE erased_at IS NOT NULL").await == 0 {}
        let mut left = vec![("message_search", 2), ("title_search", 1)];
        if !database.is_postgres() {
            left.extend([("message_token_docsize", 2), ("title_token_docsize", 1)]);
        }
        for (table, left) in left {
            assert_eq!(database.number(&format!("SELECT count(*) FROM {table}")).await, left, "{table}");
        }
    }

    async fn what_is_rolled_back_is_not_found(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        ann.start("kept").await;
        let result: Result<(), _> = server.database().write("ann", (), |write, ()| {
            Box::pin(causerie::index::index_message(write, "ann", uuid::Uuid::now_v7(), "never"))
        }).await;
        assert!(result.is_err(), "an entry needs its message");
        assert_eq!(count(&ann, "never").await, 0);
    }

    async fn a_text_of_more_tokens_than_an_entry_holds_is_stored_and_found(database) {
        let (assistant, _script) = ScriptedAssistant::new();
        let settings = Settings { message_chars: 1_000_000, assistant, ..Settings::default() };
        let server = TestServer::with(&database, settings).await;
        let ann = server.user("ann");
        let text = (0..22_000).map(|number| format!("{number:040}")).collect::<Vec<_>>().join(" ");
        ann.send(&text, json!({ "awaitReply": false })).await;
        assert!(texts(&ann, &format!("{:040}", 77)).await == [text], "at its beginning");
    }

    async fn a_search_is_one_statement_however_long_the_page(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        for _ in 0..12 {
            ann.start("again and again").await;
        }
        for first in [1, 10, 36] {
            server.take_statements();
            let page = super::page(&ann, "again", json!({ "first": first })).await;
            assert_eq!(page["nodes"].as_array().unwrap().len(), first);
            assert_eq!(server.take_statements().len(), 1, "{first} hits");
        }
    }
}
