//! Which documents are served, to whom, and to which pages.

use causerie::admission::Limits;
use causerie::admission::{QueryLimits, hash};
use causerie::http::{Introspection, Options, TrustedDocuments};
use serde_json::json;

use super::{QUERY, Way, Ways, limited, with_options};
use crate::support::{Client, TestDatabase};

const SCHEMA: &str = "{ __schema { queryType { name } } }";

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
            let mut ways = Ways::of(&client).await;
            for way in Way::ALL {
                for query in [
                    SCHEMA,
                    "{ __type(name: \"Query\") { name } }",
                    "{ ...f } fragment f on Query { s: __schema { types { name } } }",
                ] {
                    let told = ways.query(way, query).await;
                    if may {
                        told.data();
                    } else {
                        assert_eq!(told.code(), "GRAPHQL_VALIDATION_FAILED", "{introspection:?}");
                    }
                }
                assert_eq!(ways.query(way, "{ __typename }").await.data()["__typename"], "Query");
                let unknown = ways.query(way, "{ conversatio }").await.body;
                let message = unknown["errors"][0]["message"].as_str().unwrap();
                assert!(!message.contains("conversations"), "nothing is suggested: {message}");
            }
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
        let mut ways = Ways::of(&server.user("ann")).await;
        let persisted = json!({ "persistedQuery": { "version": 1, "sha256Hash": "viewer-1" } });
        for way in Way::ALL {
            for good in [
                json!({ "documentId": "viewer-1" }),
                json!({ "extensions": persisted }),
                json!({ "query": QUERY }),
                json!({ "query": "{ __typename }", "documentId": "viewer-1" }),
            ] {
                assert_eq!(
                    ways.ask(way, &good).await.data(),
                    &json!({ "viewer": { "id": "ann" } }),
                    "{good}"
                );
            }
            for (bad, code) in [
                (json!({ "query": "{ __typename }" }), "PERSISTED_QUERY_ONLY"),
                (json!({ "query": SCHEMA }), "PERSISTED_QUERY_ONLY"),
                (json!({ "documentId": "viewer-2" }), "PERSISTED_QUERY_NOT_FOUND"),
            ] {
                assert_eq!(ways.ask(way, &bad).await.code(), code);
            }
        }
    }
    for bad in ["", "[]", "{}", "{\"a\": 7}", "{\"a\": \"{\"}", "{\"operations\": [{\"id\": \"a\"}]}"] {
        std::fs::write(&path, bad).unwrap();
        let error = TrustedDocuments::read(&path, &QueryLimits::default()).unwrap_err();
        assert!(error.contains("documents.json"), "{error}");
    }
}

#[tokio::test]
async fn a_document_that_was_sent_once_may_be_named_by_its_hash() {
    let server = with_options(&TestDatabase::sqlite(), Options::default()).await;
    let mut ways = Ways::of(&server.user("ann")).await;
    for (number, way) in Way::ALL.into_iter().enumerate() {
        let query = format!("{{ viewer {{ id }} }} # {number}");
        let name = hash(&query).iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        let extensions = json!({ "persistedQuery": { "version": 1, "sha256Hash": name } });
        let named = json!({ "extensions": extensions });
        assert_eq!(ways.ask(way, &named).await.code(), "PERSISTED_QUERY_NOT_FOUND");
        let wrong = json!({ "query": QUERY, "extensions": extensions });
        assert_eq!(ways.ask(way, &wrong).await.code(), "BAD_USER_INPUT");
        ways.ask(way, &json!({ "query": query, "extensions": extensions })).await.data();
        for other in Way::ALL {
            for known in
                [&named, &json!({ "documentId": name }), &json!({ "documentId": format!("sha256:{name}") })]
            {
                assert_eq!(ways.ask(other, known).await.data()["viewer"]["id"], "ann");
            }
        }
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
    let stranger = Client::new(client.url(), Some("nonsense".to_owned()));
    let post = |client: &Client| client.post("/graphql").json(&json!({ "query": QUERY }));
    let by_get = client.get("/graphql?query={__typename}");
    for (request, status) in [
        (post(&client), 200),
        (post(&client).header("accept", "text/event-stream"), 200),
        (by_get, 200),
        // What went wrong is to be read, too.
        (post(&stranger), 401),
        (client.post("/graphql").body("x"), 415),
    ] {
        let answer = request.header("origin", app).send().await.unwrap();
        assert_eq!(answer.status(), status);
        assert_eq!(answer.headers()["access-control-allow-origin"], app);
        assert!(answer.headers()["access-control-expose-headers"].to_str().unwrap().contains("retry-after"));
        assert!(answer.headers().get("access-control-allow-credentials").is_none());
    }

    let options = Options { cors_origins: vec!["*".parse().unwrap()], ..Options::default() };
    let open = with_options(&TestDatabase::sqlite(), options).await;
    assert_eq!(preflight(&open.anonymous(), "/graphql", evil).await.0.as_deref(), Some("*"));
}
