//! What the log tells, and what it never does: no token, no text of a user's, no user id, no value of a statement.

use std::time::Duration;

use futures_util::future::join_all;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::http::Socket;
use crate::support::{Client, Process, Proxy, SECRET, TestDatabase, on_both_databases, token_for};

/// In every text of this user's.
const PRIVATE: &str = "swordfish";

const USER: &str = "swordfish/user 🦜";

on_both_databases! {
    async fn nothing_private_is_logged_however_much_is(database) {
        let server = Process::logging(&database, &["--log", "trace", "--log-format", "json"]).await;
        let token = talk(&server, &database).await;
        let log = server.stop_with_log().await;
        assert_tells_nothing(&log, &database, &token);

        // The log was there to be looked at.
        let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let requests: Vec<_> = lines.iter().filter(|line| line["message"] == "request" && line.get("ms").is_some()).collect();
        let of_operation = |name: &str| requests.iter().find(|line| line["operation"] == name).copied();
        let line = of_operation("Send").expect("a named operation is logged by its name");
        assert_eq!(line["status"], 200);
        assert_eq!(line["route"], "/graphql");
        assert_eq!(line["user"].as_str().unwrap().len(), 12);
        assert!(line["ms"].is_u64() && line["id"].is_string(), "{line}");
        assert!(requests.iter().any(|line| line["route"] == "/api/{user_id}/chat" && line["status"] == 502));
        assert!(requests.iter().any(|line| line["status"] == 401 && line.get("user").is_none_or(Value::is_null)));
        assert!(lines.iter().any(|line| line["level"] == "ERROR" && line["message"] == "internal error"), "{log}");
    }

    async fn lines_for_people_tell_no_more(database) {
        let server = Process::logging(&database, &["--log", "debug"]).await;
        let token = talk(&server, &database).await;
        let log = server.stop_with_log().await;
        assert_tells_nothing(&log, &database, &token);
        assert!(log.lines().any(|line| line.contains("INFO") && line.contains("operation=\"Send\"")), "{log}");
    }
}

#[track_caller]
fn assert_tells_nothing(log: &str, database: &TestDatabase, token: &str) {
    let password = url::Url::parse(database.url()).unwrap().password().unwrap_or(SECRET).to_owned();
    let parts = token.split('.').filter(|part| !part.is_empty());
    for secret in parts.chain([PRIVATE, "🦜", SECRET, password.as_str()]) {
        let line = log.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret} is in the log");
    }
}

/// Does everything that may be done, and everything that may go wrong. Returns the token.
async fn talk(server: &Process, database: &TestDatabase) -> String {
    let token = token_for(USER);
    let client = Client::new(server.url(), Some(token.clone()));
    let sent = client.send("swordfish content", json!({ "idempotencyKey": "swordfish key" })).await;
    let id = &sent["conversation"]["id"];
    client.send("swordfish content", json!({ "idempotencyKey": "swordfish key" })).await;
    client.send("/fail", json!({ "conversationId": id })).await;

    for (query, variables) in [
        (
            "mutation { createConversation(input: { title: \"swordfish title\" }) { conversation { id } } }",
            json!({}),
        ),
        (
            "query($id: ID!) { conversation(id: $id) { title messages { nodes { content } } } }",
            json!({ "id": id }),
        ),
        ("{ search(query: \"swordfish\") { nodes { snippet { text } } } }", json!({})),
        ("{ viewer { id } changes { nodes { __typename } } }", json!({})),
        // What goes wrong: in the document, in the values, in the rules.
        ("{ swordfish }", json!({})),
        ("{ viewer(swordfish: \"swordfish\") }", json!({})),
        ("swordfish \"swordfish", json!({})),
        (
            "{ conversation(id: \"swordfish\") { id } conversations(after: \"swordfish\") { totalCount } }",
            json!({}),
        ),
        (
            "mutation($id: ID!) { updateConversation(input: { conversationId: $id, title: \"swordfish\\n\" }) { __typename } }",
            json!({ "id": id }),
        ),
        (
            "query Q($swordfish: Int!) { conversations(first: $swordfish) { totalCount } }",
            json!({ "swordfish": "swordfish" }),
        ),
        (
            "mutation { sendMessage(input: { content: \"swordfish\", idempotencyKey: \"swordfish key\" }) { __typename } }",
            json!({}),
        ),
    ] {
        client.run(query, variables).await;
    }
    for path in [
        "/swordfish",
        "/graphql?query=swordfish&variables=swordfish",
        "/api/swordfish/chat",
        "/graphiql?token=swordfish",
    ] {
        client.get(path).send().await.unwrap();
    }
    let user = "/api/swordfish%2Fuser%20%F0%9F%A6%9C/chat";
    for (path, body) in [
        (user, json!({ "message": "swordfish" })),
        (user, json!({ "message": "/fail" })),
        (user, json!({ "message": "swordfish", "conversation_id": "swordfish" })),
        (user, json!({ "swordfish": 1 })),
        ("/api/swordfish/chat", json!({ "message": "swordfish" })),
    ] {
        let request = client
            .post(path)
            .header("X-Request-Id", "swordfish 🦜")
            .header("Idempotency-Key", format!("swordfish {body}"));
        request.json(&body).send().await.unwrap();
    }
    for bad in ["swordfish", &token[1..], &format!("{token}x"), "a.swordfish.c"] {
        let stranger = Client::new(server.url(), Some(bad.to_owned()));
        assert_eq!(stranger.run("{ viewer { id } }", json!({})).await.status, 401);
    }
    follow(&client, &sent["reply"]["id"]).await;
    talk_on_a_socket(&client).await;
    talk_in_http_2(&client).await;

    // A fault of ours, of which the database tells with the values of the row.
    let refuse = if database.is_postgres() {
        "ALTER TABLE message ADD CHECK (content <> 'swordfish refused')"
    } else {
        "CREATE TRIGGER refuse BEFORE INSERT ON message WHEN NEW.content = 'swordfish refused'
         BEGIN SELECT RAISE(ABORT, 'refused'); END"
    };
    database.raw().await.execute_unprepared(refuse).await.unwrap();
    let answer = client.try_send("swordfish refused", json!({ "conversationId": id })).await;
    assert_eq!(answer.code(), "INTERNAL_SERVER_ERROR");
    token
}

/// Follows a reply, which has ended, as an event stream.
async fn follow(client: &Client, reply: &Value) {
    let query = "subscription Follow($id: ID!) {
      replyProgress(messageId: $id) { __typename ... on ReplyText { text } }
    }";
    let body = json!({ "query": query, "variables": { "id": reply } });
    let request = client.post("/graphql").json(&body).header("Accept", "text/event-stream");
    let events = request.send().await.unwrap().text().await.unwrap();
    assert!(events.contains("swordfish content"), "{events}");
}

/// Says on a socket what is private, in each place where a client can.
async fn talk_on_a_socket(client: &Client) {
    let mut socket = Socket::signed_in(client).await;
    let send = "mutation { sendMessage(input: { content: \"swordfish content\" }) { reply { content } } }";
    let answer = socket.run("swordfish id", send).await;
    assert!(answer[0].to_string().contains("swordfish content"), "{answer:?}");
    socket.run("1", "swordfish \"swordfish").await;
    let authorization = format!("Bearer {}", client.token().unwrap());
    for message in [
        json!({ "type": "ping", "payload": { "authorization": authorization, "swordfish": "swordfish" } }),
        json!({ "type": "pong", "payload": { "swordfish": "swordfish" } }),
    ] {
        socket.send(message).await;
    }
    socket.close("swordfish reason").await;
}

/// As much over HTTP/2, from its first byte on.
async fn talk_in_http_2(client: &Client) {
    let http = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let query = "mutation { sendMessage(input: { content: \"swordfish content\" }) { reply { content } } }";
    for path in ["/graphql?swordfish=swordfish", "/api/swordfish/chat"] {
        let request = http.post(format!("{}{path}", client.url())).bearer_auth(client.token().unwrap());
        let response = request.header("X-Swordfish", "swordfish").json(&json!({ "query": query })).send();
        let response = response.await.unwrap();
        assert_eq!(response.version(), reqwest::Version::HTTP_2);
        response.text().await.unwrap();
    }
}

/// An outage is one event, however many requests, replies and background tasks meet it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: make api"]
async fn an_outage_is_told_of_once_and_its_end_too() {
    let database = TestDatabase::postgres().await;
    let proxy = Proxy::to(database.url()).await;
    let arguments = ["--log-format", "json", "--echo-delay", "50ms"];
    let server = Process::logging(&database.behind(&proxy), &arguments).await;
    let ann = server.user("ann");
    for number in 0..5 {
        ann.send(&"word ".repeat(100 + number), json!({ "awaitReply": false })).await;
    }
    proxy.cut();
    let query = "{ conversations { totalCount nodes { lastMessage { content } } } }";
    for _ in 0..2 {
        join_all((0..20).map(|_| ann.run(query, json!({})))).await;
        ann.get("/readyz").send().await.unwrap();
    }
    proxy.mend();
    while ann.run(query, json!({})).await.body.get("errors").is_some() {}
    // Until then it might have been a pause in the outage.
    sleep(Duration::from_secs(7)).await;

    let log = server.stop_with_log().await;
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (service, signals) = ("service", "signals between servers");
    let mut told: Vec<&str> = lines
        .iter()
        .filter(|line| line["level"] != "INFO" || line.to_string().contains("available again"))
        .map(|line| line["message"].as_str().unwrap())
        .collect();
    told.sort_unstable();
    let mut expected: Vec<String> = [service, signals]
        .iter()
        .flat_map(|what| [format!("{what} available again"), format!("{what} unavailable")])
        .collect();
    expected.sort_unstable();
    assert_eq!(told, expected);
}
