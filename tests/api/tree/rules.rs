//! What each operation does, and refuses to do.

use serde_json::{Value, json};

use super::{ACTIVATE, BRANCH, DELETE, EDIT, FORK, REGENERATE, act, contents, edit, id, try_do};
use crate::support::{Client, TestServer, on_both_databases};

/// A conversation of two turns: its id, and the ids of its four messages.
async fn two_turns(client: &Client) -> (String, Vec<String>) {
    let first = client.send("one", json!({})).await;
    let conversation = id(&first["conversation"]);
    let second = client.send("two", json!({ "conversationId": conversation })).await;
    let ids = [&first["message"], &first["reply"], &second["message"], &second["reply"]];
    (conversation, ids.into_iter().map(id).collect())
}

async fn path(client: &Client, conversation: &str) -> Vec<String> {
    client.messages(conversation).await.iter().map(id).collect()
}

const CHANGES: &str = "query($since: String) { changes(since: $since, first: 100) { nodes {
  __typename
  ... on ActivePathChanged { conversation { id } }
  ... on MessageChanged { message { id active } }
  ... on MessageDeleted { messageId conversationId }
} pageInfo { endCursor } } }";

/// The changes of messages and paths since a cursor, in words, and the next cursor.
async fn changes(client: &Client, since: &Value) -> (Vec<(String, String)>, Value) {
    let mut page = client.data(CHANGES, json!({ "since": since })).await["changes"].take();
    let said = page["nodes"].as_array().unwrap().iter().filter_map(|change| match &change["__typename"] {
        kind if kind == "MessageDeleted" => {
            Some((change["messageId"].as_str().unwrap().to_owned(), "deleted".to_owned()))
        }
        kind if kind == "ActivePathChanged" => Some((id(&change["conversation"]), "moved".to_owned())),
        kind if kind == "MessageChanged" => {
            let active = change["message"]["active"] == true;
            Some((id(&change["message"]), if active { "shown" } else { "hidden" }.to_owned()))
        }
        _ => None,
    });
    (said.collect(), page["pageInfo"]["endCursor"].take())
}

on_both_databases! {
    async fn an_edit_makes_a_version_and_keeps_the_old_one(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let (conversation, old) = two_turns(&ann).await;
        let (_, since) = changes(&ann, &Value::Null).await;
        let edited = edit(&ann, &old[0], "  uno ").await;
        let (message, reply) = (&edited["message"], &edited["reply"]);
        assert_eq!((message["content"].as_str(), message["position"].as_i64()), (Some("uno"), Some(1)));
        assert_eq!(message["siblingIndex"], 1);
        assert_eq!(message["siblingCount"], 2);
        assert_eq!(reply["status"], "COMPLETE");
        assert_eq!(reply["parent"]["id"], message["id"]);
        assert_eq!(edited["conversation"]["messageCount"], 2);
        assert_eq!(path(&ann, &conversation).await, [id(message), id(reply)]);
        let branch = contents(&ann, &conversation, Some(&old[3])).await;
        assert_eq!((branch.len(), branch[0].as_str(), branch[2].as_str()), (4, "one", "two"));
        // Another device learns that the path is another, and of the new messages.
        let (said, since) = changes(&ann, &since).await;
        let told = |messages: [&Value; 2]| {
            let shown = messages.map(|message| (id(message), "shown".to_owned()));
            [&[(conversation.clone(), "moved".to_owned())], &shown[..]].concat()
        };
        assert_eq!(said, told([message, reply]));
        // A version off the path is edited as well: the path is led to where it hangs.
        let deep = edit(&ann, &old[2], "dos").await;
        assert_eq!(path(&ann, &conversation).await, [old[0].clone(), old[1].clone(), id(&deep["message"]), id(&deep["reply"])]);
        let (said, since) = changes(&ann, &since).await;
        assert_eq!(said, told([&deep["message"], &deep["reply"]]));
        // Where nothing leaves the path, nothing is said of it.
        let next = ann.send("three", json!({ "conversationId": conversation })).await;
        let (said, _) = changes(&ann, &since).await;
        assert_eq!(said, told([&next["message"], &next["reply"]])[1..]);
    }

    async fn a_regeneration_makes_a_version_of_the_reply_alone(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let (conversation, old) = two_turns(&ann).await;
        let done = act(&ann, REGENERATE, &old[1], json!({})).await;
        let reply = &done["reply"];
        assert_eq!((reply["parent"]["id"].as_str(), reply["status"].as_str()), (Some(old[0].as_str()), Some("COMPLETE")));
        assert_eq!((reply["siblingIndex"].as_i64(), reply["siblingCount"].as_i64()), (Some(1), Some(2)));
        assert_eq!(done["conversation"]["messageCount"], 2);
        assert_eq!(path(&ann, &conversation).await, [old[0].clone(), id(reply)]);
        let again = act(&ann, REGENERATE, &old[3], json!({})).await;
        let expected = [&old[0], &old[1], &old[2], &id(&again["reply"])].map(Clone::clone);
        assert_eq!(path(&ann, &conversation).await, expected);
    }

    async fn an_activation_leads_on_to_the_newest_message_below(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let (conversation, old) = two_turns(&ann).await;
        act(&ann, REGENERATE, &old[1], json!({})).await;
        act(&ann, ACTIVATE, &old[1], json!({})).await;
        assert_eq!(path(&ann, &conversation).await, old);
        let third = ann.send("three", json!({ "conversationId": conversation })).await;
        let uno = edit(&ann, &old[0], "uno").await;
        // Below the first version it is the third turn that is newest, though the regeneration is the newer sibling.
        let shown = act(&ann, ACTIVATE, &old[0], json!({})).await;
        assert_eq!(shown["message"]["active"], true);
        assert_eq!(shown["conversation"]["messageCount"], 6);
        let mut expected = old.clone();
        expected.extend([id(&third["message"]), id(&third["reply"])]);
        assert_eq!(path(&ann, &conversation).await, expected);
        act(&ann, ACTIVATE, &id(&uno["reply"]), json!({})).await;
        assert_eq!(path(&ann, &conversation).await, [id(&uno["message"]), id(&uno["reply"])]);
    }

    async fn a_deletion_takes_what_hangs_below_and_shows_the_nearest_version(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let (conversation, old) = two_turns(&ann).await;
        let second = edit(&ann, &old[0], "uno").await;
        let third = edit(&ann, &old[0], "eins").await;
        let (_, since) = changes(&ann, &Value::Null).await;
        // On the path: the version before is shown.
        let deleted = act(&ann, DELETE, &id(&third["message"]), json!({})).await;
        assert_eq!(deleted["deletedMessageId"], third["message"]["id"]);
        assert_eq!(path(&ann, &conversation).await, [id(&second["message"]), id(&second["reply"])]);
        let (said, since) = changes(&ann, &since).await;
        assert_eq!((said.len(), &said[0]), (3, &(conversation.clone(), "moved".to_owned())));
        for gone in [id(&third["message"]), id(&third["reply"])] {
            assert!(said.contains(&(gone.clone(), "deleted".to_owned())));
            let look = ann.data("query($id: ID!) { message(id: $id) { id } node(id: $id) { id } }", json!({ "id": gone })).await;
            assert_eq!(look, json!({ "message": null, "node": null }));
        }
        // Without one before, the one after.
        act(&ann, ACTIVATE, &old[0], json!({})).await;
        let (_, since) = changes(&ann, &since).await;
        act(&ann, DELETE, &old[0], json!({})).await;
        assert_eq!(path(&ann, &conversation).await, [id(&second["message"]), id(&second["reply"])]);
        let (said, _) = changes(&ann, &since).await;
        assert_eq!(said.iter().filter(|(_, what)| what == "deleted").count(), 4);
        // Without any, the path ends before; and then the conversation is empty, but there. That is told by the deletion.
        let left = act(&ann, DELETE, &id(&second["reply"]), json!({})).await;
        assert_eq!(left["conversation"]["messageCount"], 1);
        let left = act(&ann, DELETE, &id(&second["message"]), json!({})).await;
        assert_eq!(left["conversation"]["messageCount"], 0);
        assert_eq!(path(&ann, &conversation).await, Vec::<String>::new());
        assert_eq!(ann.send("again", json!({ "conversationId": conversation })).await["message"]["position"], 1);
    }

    async fn a_deletion_off_the_path_leaves_the_path_alone(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let (conversation, old) = two_turns(&ann).await;
        let edited = edit(&ann, &old[2], "dos").await;
        act(&ann, DELETE, &old[2], json!({})).await;
        let expected = [old[0].clone(), old[1].clone(), id(&edited["message"]), id(&edited["reply"])];
        assert_eq!(path(&ann, &conversation).await, expected);
        assert_eq!(contents(&ann, &conversation, Some(&old[3])).await, Vec::<String>::new());
    }

    async fn a_fork_is_a_conversation_of_its_own(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let (conversation, old) = two_turns(&ann).await;
        edit(&ann, &old[2], "dos").await;
        let before = ann.messages(&conversation).await;
        // Of a branch that is not shown, and of a part of it only.
        let fork = act(&ann, FORK, &old[2], json!({})).await["conversation"].take();
        assert_eq!((fork["title"].as_str(), fork["messageCount"].as_i64()), (Some("one"), Some(3)));
        let copies = ann.messages(&id(&fork)).await;
        let said: Vec<_> = copies.iter().map(|copy| copy["content"].clone()).collect();
        assert_eq!(said, [json!("one"), before[1]["content"].clone(), json!("two")]);
        for (index, copy) in copies.iter().enumerate() {
            assert!(!old.contains(&id(copy)), "a copy is another message");
            let parent = index.checked_sub(1).map_or(Value::Null, |before| copies[before]["id"].clone());
            assert_eq!((&copy["parent"]["id"], &copy["position"]), (&parent, &json!(index + 1)));
        }
        let list = ann.data("{ conversations { nodes { id } } }", json!({})).await;
        assert_eq!(list["conversations"]["nodes"][0]["id"], fork["id"], "the newest activity is the fork");
        // Both live on, each for itself.
        ann.send("three", json!({ "conversationId": id(&fork) })).await;
        act(&ann, DELETE, &id(&copies[0]), json!({})).await;
        assert_eq!(ann.messages(&conversation).await, before);
    }

    async fn a_branch_is_read_in_pages_without_being_shown(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let (conversation, old) = two_turns(&ann).await;
        edit(&ann, &old[2], "dos").await;
        let shown = path(&ann, &conversation).await;
        let mut seen = Vec::new();
        let mut after = Value::Null;
        loop {
            let variables = json!({ "id": conversation, "leaf": old[3], "first": 1, "after": after });
            let page = ann.data(BRANCH, variables).await["conversation"]["messages"].take();
            assert_eq!(page["totalCount"], 4);
            assert_eq!(page["pageInfo"]["hasPreviousPage"], !seen.is_empty());
            seen.extend(page["nodes"].as_array().unwrap().iter().map(id));
            after = page["pageInfo"]["endCursor"].clone();
            if page["pageInfo"]["hasNextPage"] == false {
                break;
            }
        }
        assert_eq!(seen, old);
        let variables = json!({ "id": conversation, "leaf": old[2], "last": 2 });
        let page = ann.data(BRANCH, variables).await["conversation"]["messages"].take();
        assert_eq!(page["nodes"].as_array().unwrap().iter().map(id).collect::<Vec<_>>(), old[1..3]);
        assert_eq!((&page["pageInfo"]["hasPreviousPage"], &page["pageInfo"]["hasNextPage"]), (&json!(true), &json!(false)));
        assert_eq!(path(&ann, &conversation).await, shown, "reading shows nothing");
        // A message of another conversation, of somebody else, or of nobody is no leaf here.
        let other = ann.send("elsewhere", json!({})).await;
        let foreign = server.user("bob").send("bob's", json!({})).await;
        for leaf in [id(&other["reply"]), id(&foreign["reply"]), "nonsense".to_owned()] {
            assert_eq!(contents(&ann, &conversation, Some(&leaf)).await, Vec::<String>::new());
        }
    }

    async fn repeated_requests_find_what_the_first_one_made(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let (conversation, old) = two_turns(&ann).await;
        let cases = [
            (EDIT, 0, json!({ "content": "uno" })),
            (REGENERATE, 3, json!({})),
            (ACTIVATE, 0, json!({})),
            (FORK, 3, json!({})),
            (DELETE, 2, json!({})),
        ];
        for (number, (operation, target, input)) in cases.into_iter().enumerate() {
            let keyed = |key: &str| { let mut input = input.clone(); input["idempotencyKey"] = key.into(); input };
            let key = format!("key {number}");
            let first = act(&ann, operation, &old[target], keyed(&key)).await;
            let (shown, count) = (path(&ann, &conversation).await, ann.data("{ conversations { totalCount } }", json!({})).await);
            assert_eq!(act(&ann, operation, &old[target], keyed(&key)).await, first, "{operation}");
            assert_eq!(path(&ann, &conversation).await, shown);
            assert_eq!(ann.data("{ conversations { totalCount } }", json!({})).await, count);
            // The same key for another message, or for another operation.
            assert_eq!(try_do(&ann, operation, &old[1], keyed(&key)).await.code(), "IDEMPOTENCY_MISMATCH");
            let send = ann.try_send("one", json!({ "idempotencyKey": key })).await;
            assert_eq!(send.code(), "IDEMPOTENCY_MISMATCH", "keys are one set");
            // Another user's keys are another set.
            let bob = server.user("bob");
            assert_eq!(try_do(&bob, operation, &old[target], keyed(&key)).await.code(), "NOT_FOUND");
        }
    }

    async fn a_late_retry_does_not_bring_back_what_was_deleted(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let input = json!({ "idempotencyKey": "k" });
        let sent = ann.send("one", input.clone()).await;
        act(&ann, DELETE, &id(&sent["message"]), json!({})).await;
        assert_eq!(ann.try_send("one", input.clone()).await.code(), "NOT_FOUND");
        assert_eq!(database.number("SELECT COUNT(*) FROM message").await, 0);
        let digests = "SELECT COUNT(*) FROM receipt WHERE request_digest IS NOT NULL";
        assert_eq!(database.number(digests).await, 0, "nothing is left that the text could be told from");
    }

    async fn what_is_not_the_viewers_or_not_of_the_kind_is_not_found(database) {
        let server = TestServer::start(&database).await;
        let (ann, bob) = (server.user("ann"), server.user("bob"));
        let (conversation, old) = two_turns(&ann).await;
        let before = ann.messages(&conversation).await;
        let missing = "01890a5d-ac96-774b-bcce-b302099a8057";
        for operation in [EDIT, REGENERATE, ACTIVATE, DELETE, FORK] {
            let input = if operation == EDIT { json!({ "content": "x" }) } else { json!({}) };
            let foreign = try_do(&bob, operation, &old[usize::from(operation == REGENERATE)], input.clone()).await;
            assert_eq!(foreign.code(), "NOT_FOUND", "{operation}");
            for nothing in [missing, "nonsense"] {
                assert_eq!(try_do(&bob, operation, nothing, input.clone()).await.body["errors"], foreign.body["errors"]);
            }
        }
        assert_eq!(try_do(&ann, EDIT, &old[1], json!({ "content": "x" })).await.code(), "NOT_FOUND");
        assert_eq!(try_do(&ann, REGENERATE, &old[0], json!({})).await.code(), "NOT_FOUND");
        assert_eq!(try_do(&ann, EDIT, &old[0], json!({ "content": " " })).await.code(), "BAD_USER_INPUT");
        let key = json!({ "content": "x", "idempotencyKey": "" });
        assert_eq!(try_do(&ann, EDIT, &old[0], key).await.code(), "BAD_USER_INPUT");
        assert_eq!(ann.messages(&conversation).await, before);
    }
}
