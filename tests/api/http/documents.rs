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
async fn queries_are_bounded_at_each_limit() {
    let query = QueryLimits { tokens: 40, size: 9, depth: 3, aliases: 2, directives: 2, complexity: 58 };
    let server = limited(&TestDatabase::sqlite(), Limits { query, ..Limits::default() }).await;
    let ann = server.user("ann");
    let names = |count: usize| vec!["__typename"; count].join(" ");
    let cases = [
        ("number of tokens", format!("{{ {} }}", names(38)), false),
        ("number of tokens", format!("{{ {} }}", names(39)), true),
        ("size", format!("{{ {} }}", names(9)), false),
        ("size", format!("{{ {} }}", names(10)), true),
        ("size", format!("{{ ...f ...f }} fragment f on Query {{ {} }}", names(3)), false),
        ("size", format!("{{ ...f ...f }} fragment f on Query {{ {} }}", names(4)), true),
        ("depth", "{ viewer { conversations(first: 1) { totalCount } } }".to_owned(), false),
        ("depth", "{ viewer { conversations(first: 1) { nodes { id } } } }".to_owned(), true),
        ("depth", "{ ... { viewer { ...f } } } fragment f on Viewer { id }".to_owned(), true),
        ("number of aliases", "{ a: __typename b: __typename }".to_owned(), false),
        ("number of aliases", "{ a: __typename b: __typename c: __typename }".to_owned(), true),
        ("number of directives", "{ __typename @skip(if: false) @include(if: true) }".to_owned(), false),
        ("number of directives", "{ ...f @skip(if: false) ...f @skip(if: false) } fragment f on Query { __typename @include(if: true) }".to_owned(), true),
        ("complexity", "{ conversations(first: 24) { nodes { id } } }".to_owned(), false),
        ("complexity", "{ conversations(first: 25) { nodes { id } } }".to_owned(), true),
        ("complexity", "{ conversations(last: 25) { nodes { id } } }".to_owned(), true),
        ("complexity", "{ conversations { nodes { id title } } }".to_owned(), true),
    ];
    let mut socket = Socket::signed_in(&ann).await;
    for (limit, query, refused) in cases {
        // Where the number of tokens is the question, the size is another one.
        let body = post(&ann, json!({ "query": query })).await;
        let found = body["errors"][0]["extensions"]["limit"].as_str().unwrap_or_default();
        assert_eq!(found == limit, refused, "{query}: {body}");
        let last = socket.run("1", &query).await;
        let found = last[0]["payload"][0]["extensions"]["limit"].as_str().unwrap_or_default();
        assert_eq!(found == limit, refused, "{query}: {last:?}");
    }
    let variables = json!({ "query": "query Q($n: Int) { conversations(first: $n) { nodes { id } } }", "variables": { "n": 25 } });
    assert_eq!(post(&ann, variables).await["errors"][0]["extensions"]["limit"], "complexity");
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
