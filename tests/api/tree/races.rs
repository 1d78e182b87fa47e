//! Operations against one another, on two servers.

use serde_json::json;

use super::{ACTIVATE, DELETE, EDIT, FORK, REGENERATE, act, edit, id, soundness, try_do};
use crate::support::{Answer, Client, TestDatabase, TestServer, on_both_databases};

/// Enough for each of a pair to come first now and then.
const ROUNDS: usize = 6;

/// Two servers on one database, and a client at each, of the same user.
async fn two_servers(database: &TestDatabase) -> ([TestServer; 2], Client, Client) {
    let servers = [TestServer::start(database).await, TestServer::start(database).await];
    let ann = servers[0].user("ann");
    let there = ann.at(servers[1].url());
    (servers, ann, there)
}

/// No rule is broken, and no reply is left without an end.
async fn assert_sound(database: &TestDatabase) {
    let raw = database.raw().await;
    assert_eq!(soundness::broken(&raw, "ann").await, Vec::<String>::new());
    raw.close().await.unwrap();
    let unfinished = "SELECT COUNT(*) FROM message WHERE status IN ('QUEUED', 'GENERATING')";
    assert_eq!(database.number(unfinished).await, 0);
}

fn input(number: usize) -> serde_json::Value {
    json!({ "content": format!("edit {number}") })
}

/// The code of an error that a race may bring; none is as good.
fn assert_one_of(answer: &Answer, allowed: &[&str]) {
    if answer.body.get("errors").is_some() {
        let code = answer.code();
        assert!(allowed.contains(&code.as_str()), "{}", answer.body);
    }
}

on_both_databases! {
    async fn edits_of_one_message_are_all_there_and_one_is_shown(database) {
        let (_servers, ann, there) = two_servers(&database).await;
        let sent = ann.send("one", json!({})).await;
        let target = id(&sent["message"]);
        for round in 0..ROUNDS {
            let (here, elsewhere) = (input(round), input(round + 100));
            let (first, second) = tokio::join!(
                act(&ann, EDIT, &target, here),
                act(&there, EDIT, &target, elsewhere),
            );
            let count = ann.data("query($id: ID!) { message(id: $id) { siblingCount } }", json!({ "id": target })).await;
            assert_eq!(count["message"]["siblingCount"], 1 + 2 * (round + 1));
            let shown = ann.messages(&id(&sent["conversation"])).await;
            assert!([id(&first["message"]), id(&second["message"])].contains(&id(&shown[0])));
            assert_sound(&database).await;
        }
    }

    async fn one_key_makes_one_version_whichever_servers_are_asked(database) {
        let (_servers, ann, there) = two_servers(&database).await;
        let sent = ann.send("one", json!({})).await;
        let target = id(&sent["message"]);
        for round in 0..ROUNDS {
            let key = json!({ "content": "edited", "idempotencyKey": format!("key {round}") });
            let (first, second) =
                tokio::join!(act(&ann, EDIT, &target, key.clone()), act(&there, EDIT, &target, key));
            assert_eq!(id(&first["message"]), id(&second["message"]));
            assert_eq!(id(&first["reply"]), id(&second["reply"]));
        }
        let count = database.number("SELECT COUNT(*) FROM message").await;
        assert_eq!(count, i64::try_from(2 + 2 * ROUNDS).unwrap());
        assert_sound(&database).await;
    }

    async fn an_edit_against_a_running_reply_waits_for_it(database) {
        let (servers, ann, there) = two_servers(&database).await;
        let conversation = ann.start("zero").await;
        for round in 0..ROUNDS {
            let asked = json!({ "conversationId": conversation, "awaitReply": false });
            let sent = ann.send(&format!("message {round}"), asked).await;
            let (message, reply) = (id(&sent["message"]), id(&sent["reply"]));
            let (edited, again) = tokio::join!(
                edit(&there, &message, "edited"),
                act(&ann, REGENERATE, &reply, json!({})),
            );
            assert_eq!((&edited["reply"]["status"], &again["reply"]["status"]), (&json!("COMPLETE"), &json!("COMPLETE")));
            servers[0].replies().wait_for_end("ann", reply.parse().unwrap()).await.unwrap();
            assert_sound(&database).await;
        }
    }

    async fn an_activation_against_a_send_leaves_one_path(database) {
        let (_servers, ann, there) = two_servers(&database).await;
        let sent = ann.send("one", json!({})).await;
        let conversation = id(&sent["conversation"]);
        let edited = edit(&ann, &id(&sent["message"]), "uno").await;
        let versions = [id(&sent["message"]), id(&edited["message"])];
        for round in 0..ROUNDS {
            let content = format!("more {round}");
            let (_, more) = tokio::join!(
                act(&there, ACTIVATE, &versions[round % 2], json!({})),
                ann.send(&content, json!({ "conversationId": conversation })),
            );
            assert_sound(&database).await;
            let variables = json!({ "id": id(&more["message"]) });
            let ends = ann.data("query($id: ID!) { message(id: $id) { parent { role } } }", variables).await;
            assert_eq!(ends["message"]["parent"]["role"], "ASSISTANT");
        }
    }

    async fn a_deletion_against_a_reply_leaves_no_trace_of_either(database) {
        let (_servers, ann, there) = two_servers(&database).await;
        let conversation = ann.start("zero").await;
        for round in 0..ROUNDS {
            let asked = json!({ "conversationId": conversation, "awaitReply": false });
            let sent = ann.send(&format!("message {round}"), asked).await;
            let (message, reply) = (id(&sent["message"]), id(&sent["reply"]));
            let (_, again, edited) = tokio::join!(
                act(&there, DELETE, &message, json!({})),
                try_do(&ann, REGENERATE, &reply, json!({})),
                try_do(&there, EDIT, &message, input(round)),
            );
            assert_one_of(&again, &["NOT_FOUND"]);
            assert_one_of(&edited, &["NOT_FOUND"]);
            if edited.body.get("errors").is_none() {
                let version = id(&edited.data()["editMessage"]["message"]);
                act(&ann, DELETE, &version, json!({})).await;
            }
            assert_eq!(ann.messages(&conversation).await.len(), 2);
            assert_sound(&database).await;
        }
        assert_eq!(database.number("SELECT COUNT(*) FROM message").await, 2);
    }

    async fn everything_at_once_keeps_every_rule(database) {
        let (_servers, ann, there) = two_servers(&database).await;
        let sent = ann.send("one", json!({})).await;
        let conversation = id(&sent["conversation"]);
        for round in 0..ROUNDS {
            let all = ann.messages(&conversation).await;
            let last = all.last().unwrap();
            let question = id(&all[all.len() - 2]);
            let (answer, asked) = (id(last), json!({ "conversationId": conversation }));
            let interrupt = json!({ "content": "quick", "onBusy": "INTERRUPT" });
            let key = json!({ "content": "keyed", "idempotencyKey": format!("key {round}") });
            let mut answers = Vec::from(<[Answer; 7]>::from(tokio::join!(
                try_do(&ann, EDIT, &question, interrupt),
                try_do(&there, EDIT, &question, key.clone()),
                try_do(&ann, EDIT, &question, key),
                try_do(&there, REGENERATE, &answer, json!({})),
                try_do(&ann, ACTIVATE, &answer, json!({})),
                try_do(&there, FORK, &answer, json!({})),
                ann.try_send("more", asked),
            )));
            if round % 2 == 1 {
                answers.push(try_do(&there, DELETE, &answer, json!({})).await);
            }
            for answer in &answers {
                assert_one_of(answer, &["NOT_FOUND", "CONVERSATION_BUSY"]);
            }
            assert_sound(&database).await;
        }
    }
}
