//! Which documents are served, to whom, and to which pages.

use causerie::graphql::QueryLimits;
use causerie::http::{Introspection, Limits, Options, TrustedDocuments};
use serde_json::{Value, json};

use super::{QUERY, Socket, code, limited, with_options};
use crate::support::{Client, TestDatabase};

const SCHEMA: &str = "{ __schema { queryType { name } } }";

async fn post(client: &Client, body: Value) -> Value {
    client.post("/graphql").json(&body).send().await.unwrap().json().await.unwrap()
}

#[tokio::test]
async fn the_schema_may_be_closed_to_some_or_all() {
    for (introspection, to_users, to_strangers) in [
        (Introspection::On, true, true),
        (Introspection::SignedIn, true, false),
        (Introspection::Off, false, false),
    ] {
        let options = Options { introspection, ..Options::default() };
        let server = with_options(&TestDatabase::sqlite(), options).await;
        for (client, may) in [(server.user("ann"), to_users), (server.anonymous(), to_strangers)] {
            for query in [
                SCHEMA,
                "{ __type(name: \"Query\") { name } }",
                "{ ...f } fragment f on Query { s: __schema { types { name } } }",
            ] {
                let body = post(&client, json!({ "query": query })).await;
                assert_eq!(body.get("errors").is_none(), may, "{introspection:?}: {body}");
                if !may {
                    assert_eq!(body["errors"][0]["extensions"]["code"], "GRAPHQL_VALIDATION_FAILED");
                }
            }
            assert_eq!(
                post(&client, json!({ "query": "{ __typename }" })).await["data"]["__typename"],
                "Query"
            );
            let unknown = post(&client, json!({ "query": "{ conversatio }" })).await;
            let message = unknown["errors"][0]["message"].as_str().unwrap();
            assert!(!message.contains("conversations"), "nothing is suggested: {message}");
        }
    }
}

#[tokio::test]
async fn trusted_documents_are_the_only_ones() {
    let database = TestDatabase::sqlite();
    let path = database.directory().join("documents.json");
    for file in [
        json!({ "viewer-1": QUERY }),
        json!({ "format": "apollo-persisted-query-manifest", "version": 1,
                "operations": [{ "id": "viewer-1", "name": "Q", "type": "query", "body": QUERY }] }),
    ] {
        std::fs::write(&path, file.to_string()).unwrap();
        let trusted_documents = Some(TrustedDocuments::read(&path, &QueryLimits::default()).unwrap());
        let server = with_options(&database, Options { trusted_documents, ..Options::default() }).await;
        let ann = server.user("ann");
        let persisted = json!({ "persistedQuery": { "version": 1, "sha256Hash": "viewer-1" } });
        for good in [
            json!({ "documentId": "viewer-1" }),
            json!({ "extensions": persisted }),
            json!({ "query": QUERY }),
            json!({ "query": "{ __typename }", "documentId": "viewer-1" }),
        ] {
            let body = post(&ann, good.clone()).await;
            assert_eq!(body, json!({ "data": { "viewer": { "id": "ann" } } }), "{good}");
        }
        for (bad, code) in [
            (json!({ "query": "{ __typename }" }), "PERSISTED_QUERY_ONLY"),
            (json!({ "query": SCHEMA }), "PERSISTED_QUERY_ONLY"),
            (json!({ "documentId": "viewer-2" }), "PERSISTED_QUERY_NOT_FOUND"),
        ] {
            assert_eq!(post(&ann, bad).await["errors"][0]["extensions"]["code"], code);
        }
        let mut socket = Socket::signed_in(&ann).await;
        assert_eq!(code(&socket.run("1", "{ __typename }").await[0]), "PERSISTED_QUERY_ONLY");
    }
    for bad in ["", "[]", "{}", "{\"a\": 7}", "{\"a\": \"{\"}", "{\"operations\": [{\"id\": \"a\"}]}"] {
        std::fs::write(&path, bad).unwrap();
        let error = TrustedDocuments::read(&path, &QueryLimits::default()).unwrap_err();
        assert!(error.contains("documents.json"), "{error}");
    }
}

#[tokio::test]
async fn pages_of_other_sites_may_read_only_where_they_are_let() {
    let preflight = async |client: &Client, path: &str, origin: &str| {
        let request =
            reqwest::Client::new().request(reqwest::Method::OPTIONS, format!("{}{path}", client.url()));
        let request = request.header("origin", origin).header("access-control-request-method", "POST");
        let response = request
            .header("access-control-request-headers", "authorization,content-type")
            .send()
            .await
            .unwrap();
        let header = |name| response.headers().get(name).map(|it| it.to_str().unwrap().to_owned());
        (header("access-control-allow-origin"), header("access-control-allow-headers"))
    };
    let (app, evil) = ("https://app.example", "https://evil.example");
    let closed = limited(&TestDatabase::sqlite(), Limits::default()).await;
    assert_eq!(preflight(&closed.anonymous(), "/graphql", app).await, (None, None));

    let cors_origins = vec![app.parse().unwrap(), "http://localhost:3000".parse().unwrap()];
    let server = with_options(&TestDatabase::sqlite(), Options { cors_origins, ..Options::default() }).await;
    let client = server.user("ann");
    for path in ["/graphql", "/api/ann/chat"] {
        let (origin, headers) = preflight(&client, path, app).await;
        assert_eq!(origin.as_deref(), Some(app));
        assert_eq!(headers.as_deref(), Some("authorization,content-type"));
        assert_eq!(preflight(&client, path, evil).await.0, None);
    }
    assert_eq!(preflight(&client, "/graphiql", app).await.0, None, "pages are not the API");
    let answer =
        client.post("/graphql").header("origin", app).json(&json!({ "query": QUERY })).send().await.unwrap();
    assert_eq!(answer.headers()["access-control-allow-origin"], app);
    assert!(answer.headers().get("access-control-allow-credentials").is_none());
}
