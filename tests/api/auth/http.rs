//! What a client is answered for its token, or for none.

use chrono::Utc;
use reqwest::StatusCode;
use reqwest::header::WWW_AUTHENTICATE;
use serde_json::{Value, json};

use super::claims;
use super::signer::Signer;
use crate::support::{Client, SECRET, TestServer, on_both_databases, token_for};

const VIEWER: &str = "{ viewer { id } }";

fn signer() -> Signer {
    Signer::hmac("HS256", SECRET.as_bytes())
}

/// What a request of the viewer with this header is answered.
async fn answer(server: &TestServer, authorization: &[&str]) -> (StatusCode, Option<String>, Value) {
    let mut request = server.anonymous().post("/graphql").json(&json!({ "query": VIEWER }));
    for value in authorization {
        request = request.header("Authorization", *value);
    }
    let response = request.send().await.unwrap();
    let challenge = response.headers().get(WWW_AUTHENTICATE).map(|value| value.to_str().unwrap().to_owned());
    (response.status(), challenge, response.json().await.unwrap())
}

on_both_databases! {
    async fn without_a_token_there_is_the_schema_and_nothing_else(database) {
        let server = TestServer::start(&database).await;
        let anonymous = server.anonymous();
        let id = server.user("ann").start("hello").await;

        let explore = "{ __typename __schema { types { name fields { name } } } __type(name: \"Message\") { name } }";
        let schema = anonymous.data(explore, json!({})).await;
        assert_eq!(schema["__typename"], "Query");
        assert_eq!(schema["__type"]["name"], "Message");
        for query in [
            VIEWER,
            "{ __typename viewer { id } }",
            "{ conversations { totalCount } }",
            "query($id: ID!) { conversation(id: $id) { id } }",
            "query($id: ID!) { messages(conversationId: $id) { totalCount } }",
            "query($id: ID!) { node(id: $id) { id } }",
            "mutation { sendMessage(input: { content: \"hello\" }) { reply { id } } }",
            "mutation { createConversation(input: {}) { conversation { id } } }",
            // Not even what is wrong with a request is told.
            "mutation { sendMessage(input: { content: \"\" }) { reply { id } } }",
            "{ conversations(first: 101) { totalCount } }",
        ] {
            let answer = anonymous.run(query, json!({ "id": id })).await;
            assert_eq!(answer.status, 200, "{query}");
            assert_eq!(answer.code(), "UNAUTHENTICATED", "{query}");
            let fields = answer.body["data"].as_object();
            assert!(fields.is_none_or(|fields| fields.values().all(Value::is_null)), "{query}");
        }
        let rest = anonymous.post("/api/ann/chat").json(&json!({ "message": "hello" })).send().await.unwrap();
        assert_eq!(rest.status(), 401);
        assert_eq!(rest.headers()[WWW_AUTHENTICATE], "Bearer");
        assert_eq!(database.number("SELECT count(*) FROM message").await, 2);
    }

    async fn a_bad_token_is_refused_without_a_word_of_why(database) {
        let server = TestServer::start(&database).await;
        let good = token_for("ann");
        let (signed, _) = good.rsplit_once('.').unwrap();
        let expired = json!({ "sub": "ann", "exp": Utc::now().timestamp() - 31 });
        let expired_of_stranger =
            Signer::hmac("HS256", b"another secret that is long enough").token(&expired);
        let bad = [
            "garbage".to_owned(),
            "a.b.c".to_owned(),
            format!("{signed}."),
            format!("{signed}.AAAA"),
            good[1..].to_owned(),
            format!("{good}.{good}"),
            Signer::hmac("HS256", b"another secret that is long enough").token(&claims("ann")),
            signer().token(&claims("")),
            signer().token(&json!({ "sub": "ann" })),
            signer().token(&json!({ "exp": Utc::now().timestamp() + 900 })),
            signer().token_with(&json!({ "alg": "none" }), &claims("ann")),
            expired_of_stranger,
        ];
        let mut answers: Vec<Value> = Vec::new();
        for token in &bad {
            let (status, challenge, body) = answer(&server, &[&format!("Bearer {token}")]).await;
            assert_eq!(status, 401, "{token}");
            assert_eq!(challenge.as_deref(), Some("Bearer"), "{token}");
            assert_eq!(body["errors"][0]["extensions"]["code"], "UNAUTHENTICATED", "{token}");
            assert_eq!(body.get("data"), None, "{token}");
            answers.push(body);
        }
        assert!(answers.iter().all(|body| *body == answers[0]), "{answers:#?}");
        assert_eq!(answers[0]["errors"][0]["message"], "The token is not valid.");

        let (status, challenge, body) = answer(&server, &[&format!("Bearer {}", signer().token(&expired))]).await;
        assert_eq!((status, challenge.as_deref()), (StatusCode::UNAUTHORIZED, Some("Bearer")));
        assert_eq!(body["errors"][0]["message"], "The token has expired.");

        // A query by GET, a health check and the endpoint for REST are no way around.
        let client = Client::new(server.url(), Some("garbage".to_owned()));
        assert_eq!(client.get("/graphql?query=%7B__typename%7D").send().await.unwrap().status(), 401);
        let rest = client.post("/api/ann/chat").json(&json!({ "message": "hello" })).send().await.unwrap();
        assert_eq!(rest.status(), 401);
        assert_eq!(rest.headers()[WWW_AUTHENTICATE], "Bearer");
        assert_eq!(client.get("/healthz").send().await.unwrap().status(), 200);
    }

    async fn headers_are_read_as_http_has_them(database) {
        let server = TestServer::start(&database).await;
        let good = token_for("zoë 🦜");
        for scheme in ["Bearer", "bearer", "BEARER", "bEaReR"] {
            let (status, _, body) = answer(&server, &[&format!("{scheme} {good}")]).await;
            assert_eq!((status, &body["data"]["viewer"]["id"]), (StatusCode::OK, &json!("zoë 🦜")), "{scheme}");
        }
        let bearer = format!("Bearer {good}");
        for headers in [
            &[bearer.as_str(), bearer.as_str()][..],
            &[bearer.as_str(), "Basic YTpi"],
            &["Basic YTpi"],
            &["Bearer"],
            &["Bearer "],
            &[""],
            &[good.as_str()],
            &[&format!("{bearer}, {bearer}")],
        ] {
            let (status, challenge, body) = answer(&server, headers).await;
            assert_eq!(status, 401, "{headers:?}");
            assert_eq!(challenge.as_deref(), Some("Bearer"), "{headers:?}");
            assert_eq!(body["errors"][0]["extensions"]["code"], "UNAUTHENTICATED", "{headers:?}");
        }
    }
}
