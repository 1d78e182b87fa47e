//! A subscription that writes is judged as the mutation of the same name.

use causerie::admission::{Limits, QueryLimits};
use causerie::http::Options;
use serde_json::{Value, json};

use super::subscription;
use crate::http::{APOLLO, Socket};
use crate::support::{Client, Settings, TestDatabase, TestServer, on_both_databases};

async fn limited(database: &TestDatabase, limits: Limits) -> TestServer {
    let http = Options { limits, ..Options::default() };
    TestServer::with(database, Settings { http, ..Settings::default() }).await
}

async fn get(client: &Client, query: &str, accept: &str) -> (u16, Value) {
    let path: String = url::form_urlencoded::byte_serialize(query.as_bytes()).collect();
    let response =
        client.get(&format!("/graphql?query={path}")).header("accept", accept).send().await.unwrap();
    assert_eq!(response.headers()["allow"], "POST");
    (response.status().as_u16(), response.json().await.unwrap())
}

on_both_databases! {
    async fn it_is_refused_by_get_and_without_a_stream(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        for field in ["sendMessage", "editMessage", "regenerateReply", "retryReply"] {
            let rest = match field {
                "sendMessage" => "content: \"hello\"",
                "editMessage" => "content: \"hello\", messageId: \"x\"",
                _ => "messageId: \"x\"",
            };
            let plain = format!("subscription {{ {field}(input: {{ {rest}, idempotencyKey: \"one\" }}) {{ __typename }} }}");
            let hidden = format!(
                "subscription {{ ...F }} fragment F on Subscription {{ ... on Subscription {{ changes: {field}(input: {{ {rest}, idempotencyKey: \"one\" }}) {{ __typename }} }} }}"
            );
            for query in [plain, hidden] {
                for accept in ["text/event-stream", APOLLO] {
                    let (status, body) = get(&ann, &query, accept).await;
                    assert_eq!((status, &body["errors"][0]["extensions"]["code"]), (405, &json!("METHOD_NOT_ALLOWED")));
                }
                let request = ann.post("/graphql").header("accept", "application/json").json(&json!({ "query": query }));
                let body: Value = request.send().await.unwrap().json().await.unwrap();
                assert_eq!(body["errors"][0]["extensions"]["code"], "BAD_REQUEST", "JSON is no stream");
            }
        }
        assert_eq!(database.number("SELECT count(*) FROM message").await, 0);
    }

    async fn it_costs_what_its_mutation_costs(database) {
        let query = QueryLimits { complexity: 200, ..QueryLimits::default() };
        let server = limited(&database, Limits { query, user_rate: 0, address_rate: 0, ..Limits::default() }).await;
        let ann = server.user("ann");
        let mut socket = Socket::signed_in(&ann).await;
        for (number, operation) in ["mutation", "subscription"].into_iter().enumerate() {
            let query = format!("{operation} {{ sendMessage(input: {{ content: \"hello\", idempotencyKey: \"one\" }}) {{ __typename }} }}");
            let told = socket.run(&number.to_string(), &query).await;
            let extensions = json!({ "code": "GRAPHQL_VALIDATION_FAILED", "limit": "complexity", "maximum": 200 });
            assert_eq!(told[0]["payload"][0]["extensions"], extensions, "{told:?}");
        }
    }

    async fn it_is_one_of_its_users_requests_until_it_is_stored(database) {
        let server = limited(&database, Limits { user_requests: 1, user_rate: 0, address_rate: 0, ..Limits::default() }).await;
        let ann = server.user("ann");
        ann.start("hello").await;
        let blocker = super::repeats::block(&database).await;
        let input = json!({ "content": "hello", "idempotencyKey": "one" });
        let mut events = ann.subscribe(&subscription("sendMessage"), json!({ "input": input })).await;
        assert_eq!(ann.run("{ __typename }", json!({})).await.status, 429);
        super::repeats::unblock(blocker).await;
        assert_eq!(events.next().await.unwrap()["sendMessage"]["__typename"], "ReplyRequested");
        ann.data("{ __typename }", json!({})).await;
    }
}
