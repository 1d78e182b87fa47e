//! What is reserved for a reply, and what counts once it has ended.

use std::time::Duration;

use causerie::assistant::{Delta, Failure, FailureCode, Usage};
use causerie::trash;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use super::{
    ask, catalog, check_sums, days, ended, entries, finish, price, server, server_with_titles, used,
};
use crate::support::{ScriptedAssistant, Settings, TestServer, on_both_databases};

const STOP: &str = "mutation($id: ID!) { stopReply(input: { messageId: $id }) { reply { status } } }";

fn failure(code: FailureCode) -> Failure {
    Failure { code, message: "It has failed.".to_owned(), retryable: true }
}

on_both_databases! {
    async fn a_reply_is_reserved_when_it_is_asked_for_and_settled_when_it_ends(database) {
        let (server, script, _) = server(&database, &[]).await;
        let ann = server.user("ann");
        // Four tokens of text, four for the turn, and 1024 for the reply.
        let first = ask(&ann, "sixteen letters!", json!({})).await;
        assert_eq!(entries(&database).await, ["REPLY open 9/0/0 ? of 1033 10249000"]);
        assert_eq!(days(&database).await, ["0: 0/0/0 0 reserved 1: 1033 10249000"]);

        finish(&script.next().await, used(1000, 400, 7));
        let reply = ended(&ann, &first).await;
        assert_eq!(
            reply["usage"],
            json!({ "inputTokens": 1000, "cachedInputTokens": 400, "outputTokens": 7, "estimated": false, "cost": "0.00087" })
        );
        assert_eq!(entries(&database).await, ["REPLY settled 1000/400/7 870000 of 1033 10249000"]);
        assert_eq!(days(&database).await, ["1: 1000/400/7 870000 reserved 0: 0 0"]);

        // What the last reply took in and wrote is expected again, and the new text.
        let next = ask(&ann, "more", json!({ "conversationId": first["conversation"]["id"] })).await;
        assert_eq!(entries(&database).await[1], "REPLY open 1012/0/0 ? of 2036 11252000");
        finish(&script.next().await, used(1020, 0, 9));
        ended(&ann, &next).await;
        assert_eq!(days(&database).await, ["2: 2020/400/16 1980000 reserved 0: 0 0"]);
        check_sums(&database).await;
    }

    async fn what_a_provider_does_not_tell_is_estimated(database) {
        let (server, script, _) = server(&database, &[]).await;
        let ann = server.user("ann");
        let sent = ask(&ann, "sixteen letters!", json!({})).await;
        let attempt = script.next().await;
        attempt.say("word word word word ");
        let id = &sent["reply"]["id"];
        while ann.messages(sent["conversation"]["id"].as_str().unwrap()).await[1]["content"] == "" {
            tokio::task::yield_now().await;
        }
        assert_eq!(ann.data(STOP, json!({ "id": id })).await["stopReply"]["reply"]["status"], "STOPPED");
        let reply = ended(&ann, &sent).await;
        assert_eq!(
            reply["usage"],
            json!({ "inputTokens": 9, "cachedInputTokens": null, "outputTokens": 5, "estimated": true, "cost": "0.000059" })
        );
        assert_eq!(entries(&database).await, ["REPLY settled estimated 9/0/5 59000 of 1033 10249000"]);

        // Numbers that cannot be are not believed.
        let sent = ask(&ann, "sixteen letters!", json!({})).await;
        finish(&script.next().await, used(u64::MAX, 0, 4_000_000_000));
        assert_eq!(ended(&ann, &sent).await["usage"]["estimated"], true);
        assert_eq!(entries(&database).await[1], "REPLY settled estimated 9/0/2 29000 of 1033 10249000");
        check_sums(&database).await;
    }

    async fn what_was_not_begun_leaves_nothing(database) {
        let (server, script, _) = server(&database, &[]).await;
        let ann = server.user("ann");
        let running = ask(&ann, "one", json!({})).await;
        let attempt = script.next().await;
        let to = json!({ "conversationId": running["conversation"]["id"] });
        let queued = [ask(&ann, "two", to.clone()).await, ask(&ann, "three", to.clone()).await];
        assert_eq!(entries(&database).await.len(), 3);

        ann.data(STOP, json!({ "id": queued[0]["reply"]["id"] })).await;
        assert_eq!(entries(&database).await.len(), 2, "a reply that is stopped in the queue");
        check_sums(&database).await;
        let delete = "mutation($id: ID!) { deleteMessage(input: { messageId: $id }) { deletedMessageId } }";
        ann.data(delete, json!({ "id": queued[1]["message"]["id"] })).await;
        assert_eq!(entries(&database).await.len(), 1, "one that is deleted there");
        check_sums(&database).await;
        let mut interrupting = to.clone();
        interrupting["onBusy"] = "INTERRUPT".into();
        ask(&ann, "four", to).await;
        ask(&ann, "five", interrupting).await;
        assert_eq!(entries(&database).await.len(), 2, "one that is interrupted there");
        check_sums(&database).await;
        attempt.dropped().await;
        finish(&script.next().await, used(1, 0, 1));

        // And one whose provider has refused it.
        let refused = ask(&ann, "six", json!({})).await;
        let attempt = script.next().await;
        attempt.send(Err(failure(FailureCode::AssistantRejected)));
        attempt.close();
        assert_eq!(ended(&ann, &refused).await["usage"], Value::Null);
        let entries = entries(&database).await;
        assert_eq!(entries.len(), 2, "{entries:?}");
        check_sums(&database).await;
    }

    async fn a_reply_that_is_tried_again_counts_again(database) {
        let (server, script, _) = server(&database, &[]).await;
        let ann = server.user("ann");
        let sent = ask(&ann, "sixteen letters!", json!({})).await;
        let attempt = script.next().await;
        attempt.say("So far.");
        attempt.send(Ok(Delta::Usage(used(100, 0, 3))));
        attempt.send(Err(failure(FailureCode::AssistantUnavailable)));
        attempt.close();
        ended(&ann, &sent).await;
        let retry = "mutation($id: ID!) { retryReply(input: { messageId: $id, awaitReply: false }) { reply { status } } }";
        ann.data(retry, json!({ "id": sent["reply"]["id"] })).await;
        assert_eq!(entries(&database).await[1], "REPLY open 107/0/0 ? of 1131 10347000");
        finish(&script.next().await, used(100, 0, 5));
        ended(&ann, &sent).await;
        assert_eq!(days(&database).await, ["2: 200/0/8 280000 reserved 0: 0 0"]);
        check_sums(&database).await;
    }

    async fn a_deleted_reply_is_settled_by_its_deletion(database) {
        let (server, script, _) = server(&database, &[]).await;
        let ann = server.user("ann");
        let sent = ask(&ann, "sixteen letters!", json!({})).await;
        let attempt = script.next().await;
        attempt.say("eight le");
        let conversation = sent["conversation"]["id"].as_str().unwrap();
        while ann.messages(conversation).await[1]["content"] == "" {
            tokio::task::yield_now().await;
        }
        let delete = "mutation($id: ID!) { deleteMessage(input: { messageId: $id }) { deletedMessageId } }";
        ann.data(delete, json!({ "id": sent["message"]["id"] })).await;
        assert_eq!(entries(&database).await, ["REPLY settled estimated 9/0/2 29000 of 1033 10249000"]);
        attempt.dropped().await;

        // A conversation's replies end, wherever it is.
        let sent = ask(&ann, "sixteen letters!", json!({})).await;
        let attempt = script.next().await;
        let delete = "mutation($id: ID!) { deleteConversation(input: { conversationId: $id }) { deletedConversationId } }";
        ann.data(delete, json!({ "id": sent["conversation"]["id"] })).await;
        attempt.dropped().await;
        database.becomes("SELECT count(*) FROM usage_entry WHERE NOT settled", 0).await;
        assert_eq!(days(&database).await[0].split(' ').next(), Some("2:"));
        check_sums(&database).await;
    }

    async fn a_reply_that_is_erased_with_its_conversation_is_settled(database) {
        let (assistant, script) = ScriptedAssistant::new();
        let catalog = catalog(assistant, price(), &[]);
        // Erased as soon as it is deleted, while its server does not hear that it is to stop.
        let trash = trash::Options { keep: Duration::ZERO, period: Duration::from_millis(20) };
        let mut settings = Settings { catalog: Some(catalog), trash, ..Settings::default() };
        settings.replies.lease = Duration::from_mins(10);
        settings.replies.checkpoint = Duration::from_mins(1);
        let server = TestServer::with(&database, settings).await;
        let ann = server.user("ann");
        let sent = ask(&ann, "sixteen letters!", json!({})).await;
        let _attempt = script.next().await;
        // As if another server had it.
        let taken = "UPDATE message SET lease_owner = id WHERE status = 'GENERATING'";
        database.raw().await.execute_unprepared(taken).await.unwrap();
        let delete = "mutation($id: ID!) { deleteConversation(input: { conversationId: $id }) { deletedConversationId } }";
        ann.data(delete, json!({ "id": sent["conversation"]["id"] })).await;
        database.becomes("SELECT count(*) FROM message", 0).await;
        assert_eq!(entries(&database).await, ["REPLY settled estimated 9/0/0 9000 of 1033 10249000"]);
        check_sums(&database).await;
    }

    async fn a_title_is_settled_beside_its_reply(database) {
        let (server, script, titles) = server_with_titles(&database).await;
        let ann = server.user("ann");
        let sent = ask(&ann, "sixteen letters!", json!({})).await;
        finish(&script.next().await, used(10, 0, 1));
        ended(&ann, &sent).await;
        let title = titles.next().await;
        title.say("A greeting");
        title.send(Ok(Delta::Usage(Usage { input_tokens: Some(50), output_tokens: Some(2), ..Usage::default() })));
        title.close();
        database.becomes("SELECT count(*) FROM usage_entry WHERE settled", 2).await;
        assert_eq!(entries(&database).await[1], "TITLE settled 50/0/2 70000 of 0 ?");
        assert_eq!(days(&database).await, ["1: 60/0/3 90000 reserved 0: 0 0"]);
        check_sums(&database).await;
    }

    async fn a_reply_whose_end_the_database_has_lost_is_charged_again_after_its_title(database) {
        let (server, script, titles) = server_with_titles(&database).await;
        let ann = server.user("ann");
        let sent = ask(&ann, "sixteen letters!", json!({})).await;
        finish(&script.next().await, used(10, 0, 1));
        ended(&ann, &sent).await;
        finish(&titles.next().await, used(50, 0, 2));
        database.becomes("SELECT count(*) FROM usage_entry WHERE settled", 2).await;
        // As after a fail-over to a standby that was behind.
        let raw = database.raw().await;
        for lost in [
            "UPDATE usage_entry SET settled = FALSE WHERE purpose = 'REPLY'",
            "UPDATE message SET status = 'GENERATING', lease_owner = id, lease_until = created_at,
                finished_at = NULL WHERE role = 'ASSISTANT'",
        ] {
            raw.execute_unprepared(lost).await.unwrap();
        }
        finish(&script.next().await, used(10, 0, 3));
        ended(&ann, &sent).await;
        let entries = entries(&database).await;
        assert_eq!(entries.len(), 3, "{entries:?}");
        assert!(entries[2].starts_with("RESTART settled 10/0/3 "), "{entries:?}");
    }
}
