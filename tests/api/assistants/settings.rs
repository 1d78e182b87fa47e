//! What a user has chosen for a conversation, and for all of them.

use serde_json::{Value, json};

use super::{CONFIGURE, FILE, UPDATE, configure, offering, send, update};
use crate::support::on_both_databases;

const CURSOR: &str = "{ viewer { changeCursor } }";

on_both_databases! {
    async fn what_is_omitted_stays_and_null_takes_it_back(database) {
        let server = offering(&database, FILE).await;
        let ann = server.user("ann");
        let (conversation, _) = send(&ann, json!({})).await;
        let all = json!({ "assistantId": "slow", "instructions": " In French. ", "parameters": { "temperature": 1 } });
        let shown = update(&ann, &conversation, all.clone()).await;
        assert_eq!((&shown["assistantId"], &shown["instructions"]), (&json!("slow"), &json!("In French.")));
        assert_eq!(update(&ann, &conversation, all).await["revision"], shown["revision"], "nothing differs");
        let kept = update(&ann, &conversation, json!({ "title": "Talk" })).await;
        assert_eq!((&kept["assistantId"], &kept["instructions"]), (&json!("slow"), &json!("In French.")));
        assert_ne!(kept["revision"], shown["revision"]);
        let less = update(&ann, &conversation, json!({ "instructions": null })).await;
        assert_eq!((&less["assistantId"], &less["instructions"]), (&json!("slow"), &json!(null)));
        assert_eq!(less["parameters"]["temperature"], 1.0);

        let viewer = configure(&ann, json!({ "instructions": "Be brief." })).await;
        assert_eq!((&viewer["assistantId"], &viewer["instructions"]), (&json!(null), &json!("Be brief.")));
        let viewer = configure(&ann, json!({ "assistantId": "slow" })).await;
        assert_eq!((&viewer["assistantId"], &viewer["instructions"]), (&json!("slow"), &json!("Be brief.")));
        let revision = database.number("SELECT revision FROM viewer_setting").await;
        configure(&ann, json!({ "assistantId": "slow", "instructions": "Be brief." })).await;
        assert_eq!(database.number("SELECT revision FROM viewer_setting").await, revision, "nothing differs");
        let none = configure(&ann, json!({ "assistantId": null, "instructions": null })).await;
        assert_eq!((&none["assistantId"], &none["instructions"]), (&json!(null), &json!(null)));
    }

    async fn a_conversation_is_created_with_its_choices(database) {
        let server = offering(&database, FILE).await;
        let ann = server.user("ann");
        let create = "mutation($input: CreateConversationInput!) { createConversation(input: $input) { conversation {
            id assistantId instructions parameters { temperature maxTokens } } } }";
        let choices = json!({ "assistantId": "old", "instructions": " In French. ", "parameters": { "temperature": 1 } });
        let made = ann.data(create, json!({ "input": choices })).await["createConversation"]["conversation"].take();
        assert_eq!((&made["assistantId"], &made["instructions"]), (&json!("slow"), &json!("In French.")));
        assert_eq!(made["parameters"], json!({ "temperature": 1.0, "maxTokens": null }));
        let (_, reply) = send(&ann, json!({ "conversationId": made["id"] })).await;
        assert_eq!((&reply["assistantId"], &reply["parameters"]["temperature"]), (&json!("slow"), &json!(1.0)));
        let none = json!({ "assistantId": null, "instructions": null, "parameters": {}, "idempotencyKey": "key" });
        let plain = ann.data(create, json!({ "input": none })).await["createConversation"]["conversation"].take();
        assert_eq!(
            (&plain["assistantId"], &plain["instructions"], &plain["parameters"]),
            (&json!(null), &json!(null), &json!(null))
        );
        assert_eq!(database.number("SELECT count(*) FROM conversation_setting").await, 1, "nothing is chosen for it");
        for (wrong, code, field) in [
            (json!({ "assistantId": "deep" }), "NOT_FOUND", json!(null)),
            (json!({ "parameters": { "temperature": 1.6 } }), "BAD_USER_INPUT", json!("input.parameters.temperature")),
            (json!({ "assistantId": "slow", "parameters": { "maxTokens": 1 } }), "BAD_USER_INPUT",
                json!("input.parameters.maxTokens")),
            (json!({ "instructions": " " }), "BAD_USER_INPUT", json!("input.instructions")),
            (json!({ "assistantId": "slow", "idempotencyKey": "key" }), "IDEMPOTENCY_MISMATCH", json!(null)),
        ] {
            let answer = ann.run(create, json!({ "input": wrong })).await;
            assert_eq!(answer.code(), code, "{wrong}");
            assert_eq!(answer.body["errors"][0]["extensions"]["field"], field, "{wrong}");
        }
        assert_eq!(database.number("SELECT count(*) FROM conversation").await, 2, "nothing was stored");
    }

    async fn instructions_are_bounded(database) {
        let server = offering(&database, FILE).await;
        let ann = server.user("ann");
        let (conversation, _) = send(&ann, json!({})).await;
        for (instructions, code) in [
            ("é".repeat(8000), None),
            ("é".repeat(8001), Some("BAD_USER_INPUT")),
            ("  ".to_owned(), Some("BAD_USER_INPUT")),
            ("a\0b".to_owned(), Some("BAD_USER_INPUT")),
        ] {
            for (query, mut input) in [(UPDATE, json!({ "conversationId": conversation })), (CONFIGURE, json!({}))] {
                input["instructions"] = instructions.as_str().into();
                let answer = ann.run(query, json!({ "input": input })).await;
                match code {
                    None => drop(answer.data()),
                    Some(code) => {
                        assert_eq!(answer.code(), code);
                        assert_eq!(answer.body["errors"][0]["extensions"]["field"], "input.instructions");
                    }
                }
            }
        }
    }

    async fn other_devices_learn_of_it_by_the_conversation(database) {
        let server = offering(&database, FILE).await;
        let ann = server.user("ann");
        let (conversation, _) = send(&ann, json!({})).await;
        let since = ann.data(CURSOR, json!({})).await["viewer"]["changeCursor"].take();
        update(&ann, &conversation, json!({ "instructions": "In French." })).await;
        let changes = "query($since: String) { changes(since: $since) { nodes {
            ... on ConversationChanged { conversation { id instructions } } } } }";
        let changes = ann.data(changes, json!({ "since": since })).await["changes"]["nodes"].take();
        assert_eq!(changes, json!([{ "conversation": { "id": conversation, "instructions": "In French." } }]));
    }

    async fn a_copy_of_a_conversation_has_its_choices(database) {
        let server = offering(&database, FILE).await;
        let ann = server.user("ann");
        let (conversation, reply) = send(&ann, json!({ "assistantId": "slow", "parameters": { "temperature": 1 } })).await;
        update(&ann, &conversation, json!({ "instructions": "In French." })).await;
        let fork = "mutation($id: ID!) { forkConversation(input: { messageId: $id }) { conversation { id
            assistantId instructions lastMessage { assistantId parameters { temperature } } } } }";
        let mut copy = ann.data(fork, json!({ "id": reply["id"] })).await["forkConversation"]["conversation"].take();
        let id = copy["id"].take();
        assert_eq!(copy, json!({ "id": null, "assistantId": "slow", "instructions": "In French.",
            "lastMessage": { "assistantId": "slow", "parameters": { "temperature": 1.0 } } }));
        update(&ann, &conversation, json!({ "assistantId": "fast" })).await;
        assert_eq!(send(&ann, json!({ "conversationId": id })).await.1["assistantId"], "slow");
    }

    async fn the_choices_of_a_page_are_read_in_one_statement(database) {
        let server = offering(&database, FILE).await;
        let ann = server.user("ann");
        for _ in 0..3 {
            let (conversation, _) = send(&ann, json!({ "assistantId": "slow" })).await;
            update(&ann, &conversation, json!({ "instructions": "In French." })).await;
        }
        server.take_statements();
        let list = "{ viewer { assistantId assistant { id } instructions } conversations { nodes {
            assistantId assistant { id } instructions parameters { temperature } } } }";
        let answer = ann.data(list, json!({})).await;
        assert_eq!(server.take_statements().len(), 3, "the list, its choices, and the viewer's");
        let nodes = answer["conversations"]["nodes"].as_array().unwrap();
        let each = json!({ "assistantId": "slow", "assistant": { "id": "slow" }, "instructions": "In French.", "parameters": null });
        assert_eq!(nodes, &vec![each; 3]);
    }

    async fn the_usual_send_takes_as_many_statements_whatever_is_chosen(database) {
        let server = offering(&database, FILE).await;
        let ann = server.user("ann");
        let (conversation, _) = send(&ann, json!({})).await;
        let count = async |input: Value| {
            server.take_statements();
            send(&ann, input).await;
            // By the clock a running reply is stored, and a reply may end before anybody waits for it.
            let by_chance = ["FROM json", "status IN ('QUEUED', 'GENERATING')"];
            let mut run: Vec<String> =
                server.take_statements().into_iter().map(|statement| statement.sql).collect();
            run.retain(|sql| !by_chance.iter().any(|part| sql.contains(part)));
            run.len()
        };
        let usual = count(json!({ "conversationId": conversation })).await;
        assert_eq!(count(json!({ "conversationId": conversation, "assistantId": "slow" })).await, usual);
        configure(&ann, json!({ "assistantId": "slow", "instructions": "Be brief." })).await;
        update(&ann, &conversation, json!({ "assistantId": "fast", "instructions": "In French." })).await;
        assert_eq!(count(json!({ "conversationId": conversation })).await, usual);
    }
}
