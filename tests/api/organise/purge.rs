//! Erasing what was deleted long enough ago.

use std::time::Duration;

use causerie::trash::Options;
use serde_json::{Value, json};

use super::{changes, cursor, delete, eraser, refused, titles, update};
use crate::support::{Settings, TestDatabase, TestServer, on_both_databases};

async fn erased(database: &TestDatabase, count: i64) {
    while database.number("SELECT count(*) FROM conversation WHERE erased_at IS NOT NULL").await < count {}
}

on_both_databases! {
    async fn nothing_is_left_but_a_tombstone_and_the_keys(database) {
        let server = TestServer::start(&database).await;
        let (ann, bob) = (server.user("ann"), server.user("bob"));
        let sent = ann.send("secret words", json!({ "idempotencyKey": "once", "metadata": { "a": "secret" } })).await;
        let id = sent["conversation"]["id"].as_str().unwrap();
        update(&ann, id, json!({ "metadata": { "a": "secret" }, "instructions": "secret" })).await;
        let edit = "mutation($id: ID!) { editMessage(input: { messageId: $id, content: \"secret edit\", idempotencyKey: \"edit\" }) { message { id } } }";
        ann.data(edit, json!({ "id": sent["message"]["id"] })).await;
        let gone = ann.send("secret and deleted", json!({ "conversationId": id })).await;
        let remove = "mutation($id: ID!) { deleteMessage(input: { messageId: $id }) { deletedMessageId } }";
        ann.data(remove, json!({ "id": gone["message"]["id"] })).await;
        ann.start("kept").await;
        bob.start("kept too").await;
        let since = cursor(&ann).await;
        delete(&ann, id).await;

        let second = eraser(&database).await;
        let _third = eraser(&database).await;
        erased(&database, 1).await;
        assert_eq!(database.number("SELECT count(*) FROM message").await, 4, "the messages of what is kept");
        assert_eq!(database.number("SELECT count(*) FROM deleted_message").await, 0);
        for text in ["SELECT count(*) FROM conversation_setting",
            "SELECT count(*) FROM conversation WHERE title LIKE '%secret%' OR metadata LIKE '%secret%' OR title_key LIKE '%secret%'",
            "SELECT count(*) FROM message_search WHERE text LIKE '%secret%'",
            "SELECT count(*) FROM title_search WHERE text LIKE '%secret%'",
            "SELECT count(*) FROM receipt WHERE request_digest IS NOT NULL"] {
            assert_eq!(database.number(text).await, 0, "{text}");
        }
        assert_eq!(changes(&ann, &since).await.0, ["ConversationDeleted: "], "who was away learns of it still");
        let again = ann.try_send("secret words", json!({ "idempotencyKey": "once" })).await;
        assert_eq!(again.code(), "NOT_FOUND", "a late retry does not bring it back");
        assert_eq!(refused(&ann, "restoreConversation", id).await, "NOT_FOUND");
        assert_eq!(titles(&ann, "filter: { states: [TRASHED] }").await, Vec::<String>::new());
        assert_eq!(titles(&second.user("ann"), "filter: {}").await, ["kept"]);
        assert_eq!(titles(&bob, "filter: {}").await, ["kept too"]);
    }

    async fn however_often_a_row_was_changed_no_receipt_of_that_is_left_to_clear(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let sent = ann.send("one", json!({ "idempotencyKey": "send" })).await;
        let (id, message, reply) = (&sent["conversation"]["id"], &sent["message"]["id"], &sent["reply"]["id"]);
        let changes = [
            "updateConversation(input: { conversationId: $id, title: \"a\", idempotencyKey: \"1\" }) { conversation { id } }",
            "updateMessageMetadata(input: { messageId: $message, metadata: { a: 1 }, idempotencyKey: \"2\" }) { message { id } }",
            "rateReply(input: { messageId: $reply, rating: UP, idempotencyKey: \"3\" }) { reply { id } }",
            "stopReply(input: { messageId: $reply, idempotencyKey: \"4\" }) { reply { id } }",
        ];
        let run = async |change: &str| {
            let ids = [("$id", id), ("$message", message), ("$reply", reply)];
            let change = ids.iter().fold(change.to_owned(), |change, (name, id)| change.replace(name, &id.to_string()));
            ann.run(&format!("mutation {{ {change} }}"), json!({})).await
        };
        for change in changes {
            run(change).await.data();
        }
        let named = "SELECT count(*) FROM receipt WHERE message_id IS NOT NULL OR conversation_id IS NOT NULL";
        assert_eq!(database.number(named).await, 1, "the receipt of the message that was sent");
        assert_eq!(database.number("SELECT count(*) FROM receipt").await, 5);
        delete(&ann, id.as_str().unwrap()).await;
        for change in changes {
            assert_eq!(run(change).await.code(), "NOT_FOUND", "{change}");
        }
    }

    async fn a_conversation_that_cannot_be_erased_does_not_keep_the_others(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let (stuck, free) = (ann.start("stuck").await, ann.start("free").await);
        let raw = database.raw().await;
        let statements: &[&str] = if database.is_postgres() {
            &["CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'stuck'; END $$",
              "CREATE TRIGGER refuse BEFORE DELETE ON message FOR EACH ROW WHEN (OLD.content = 'stuck') EXECUTE FUNCTION refuse()"]
        } else {
            &["CREATE TRIGGER refuse BEFORE DELETE ON message WHEN OLD.content = 'stuck' BEGIN SELECT RAISE(ABORT, 'stuck'); END"]
        };
        for sql in statements {
            sea_orm::ConnectionTrait::execute_unprepared(&raw, sql).await.unwrap();
        }
        raw.close().await.unwrap();
        delete(&ann, &stuck).await;
        delete(&ann, &free).await;
        // One pass only: it meets both.
        let once = Options { keep: Duration::ZERO, period: Duration::from_millis(500) };
        let _eraser = TestServer::with(&database, Settings { trash: once, ..Settings::default() }).await;
        erased(&database, 1).await;
        assert_eq!(database.number("SELECT count(*) FROM message").await, 2, "those of the one that is stuck");

        let raw = database.raw().await;
        let release = if database.is_postgres() { "DROP TRIGGER refuse ON message" } else { "DROP TRIGGER refuse" };
        sea_orm::ConnectionTrait::execute_unprepared(&raw, release).await.unwrap();
        raw.close().await.unwrap();
        // It need not wait as it would for a server that was lost.
        database.becomes("SELECT count(*) FROM conversation WHERE erased_at IS NULL", 0).await;
    }

    async fn what_is_due_cannot_be_restored_though_it_is_still_there(database) {
        let server = TestServer::start(&database).await;
        let strict = Options { keep: Duration::ZERO, period: Duration::from_hours(1) };
        let strict = TestServer::with(&database, Settings { trash: strict, ..Settings::default() }).await;
        let id = server.user("ann").start("one").await;
        delete(&server.user("ann"), &id).await;
        assert_eq!(refused(&strict.user("ann"), "restoreConversation", &id).await, "NOT_FOUND");
        assert_eq!(titles(&strict.user("ann"), "filter: { states: [TRASHED] }").await, Vec::<String>::new());
        assert_eq!(titles(&server.user("ann"), "filter: { states: [TRASHED] }").await, ["one"]);
        super::keep(&server.user("ann"), "restoreConversation", &id).await;
    }

    async fn what_is_not_due_stays(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let (young, old) = (ann.start("young").await, ann.start("old").await);
        delete(&ann, &young).await;
        delete(&ann, &old).await;
        let raw = database.raw().await;
        let ago = if database.is_postgres() { "now() - interval '2 days'" } else { "'2020-01-01T00:00:00.500+00:00'" };
        sea_orm::ConnectionTrait::execute_unprepared(&raw, &format!("UPDATE conversation SET deleted_at = {ago} WHERE title = 'old'")).await.unwrap();
        raw.close().await.unwrap();
        let day = Options { keep: Duration::from_hours(24), period: Duration::from_millis(20) };
        let _daily = TestServer::with(&database, Settings { trash: day, ..Settings::default() }).await;
        erased(&database, 1).await;
        assert_eq!(titles(&ann, "filter: { states: [TRASHED] }").await, ["young"]);
        assert_eq!(database.number("SELECT count(*) FROM message").await, 2);
        assert_eq!(super::keep(&ann, "restoreConversation", &young).await["title"], "young");
    }

    async fn long_conversations_go_in_batches_and_an_unfinished_erasure_goes_on(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let sent = ann.send("first", json!({ "idempotencyKey": "k" })).await;
        let id = sent["conversation"]["id"].as_str().unwrap();
        for number in 0..120 {
            ann.send(&format!("message {number}"), json!({ "conversationId": id })).await;
        }
        for number in 0..5 {
            let edit = "mutation($id: ID!, $content: String!) { editMessage(input: { messageId: $id, content: $content }) { message { id } } }";
            ann.data(edit, json!({ "id": sent["message"]["id"], "content": format!("edit {number}") })).await;
        }
        delete(&ann, id).await;
        // As a server leaves it that dies in the middle, a while ago.
        let raw = database.raw().await;
        let ago = if database.is_postgres() { "now() - interval '10 minutes'" } else { "'2020-01-01T00:00:00.500+00:00'" };
        for sql in [
            format!("UPDATE conversation SET erasing_at = {ago}, title = NULL, title_origin = NULL, title_key = ''"),
            "DELETE FROM message WHERE position > 200".to_owned(),
        ] {
            sea_orm::ConnectionTrait::execute_unprepared(&raw, &sql).await.unwrap();
        }
        raw.close().await.unwrap();
        assert_eq!(refused(&ann, "restoreConversation", id).await, "NOT_FOUND", "it is past help");
        let _eraser = eraser(&database).await;
        erased(&database, 1).await;
        assert_eq!(database.number("SELECT count(*) FROM message").await, 0);
        assert_eq!(ann.try_send("first", json!({ "idempotencyKey": "k" })).await.code(), "NOT_FOUND");
        let node = ann.data("query($id: ID!) { node(id: $id) { id } }", json!({ "id": id })).await;
        assert_eq!(node["node"], Value::Null);
    }

    async fn what_was_started_without_a_message_leaves_no_digest_either(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let create = "mutation { createConversation(input: { title: \"secret\", idempotencyKey: \"once\" }) { conversation { id } } }";
        let created = ann.data(create, json!({})).await;
        delete(&ann, created["createConversation"]["conversation"]["id"].as_str().unwrap()).await;
        let _eraser = eraser(&database).await;
        erased(&database, 1).await;
        assert_eq!(database.number("SELECT count(*) FROM receipt WHERE request_digest IS NOT NULL").await, 0);
        assert_eq!(ann.code(create, json!({})).await, "NOT_FOUND", "a late retry does not bring it back");
    }
}

/// On SQLite there is one server, and its writes come one after another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: make api"]
async fn what_is_restored_at_the_last_moment_stays() {
    let database = TestDatabase::postgres().await;
    let server = TestServer::start(&database).await;
    let ann = server.user("ann");
    let id = ann.start("one").await;
    delete(&ann, &id).await;
    let (mark, look) = ("UPDATE \"conversation\" SET \"erasing_at\"", "erased_at IS NULL");
    let trash = Options { keep: Duration::ZERO, period: Duration::from_millis(20) };
    let observer = Some(database.just_before(mark, "UPDATE conversation SET deleted_at = NULL"));
    let eraser = TestServer::with(&database, Settings { trash, observer, ..Settings::default() }).await;
    eraser.has_run(&[look, mark, look]).await;
    assert_eq!(titles(&ann, "filter: {}").await, ["one"]);
    assert_eq!(ann.messages(&id).await.len(), 2);
}
