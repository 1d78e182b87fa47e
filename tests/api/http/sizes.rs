//! How large a request and its errors may be.

use futures_util::stream;
use reqwest::Body;
use serde_json::{Value, json};

use super::{Frame, Socket, Way, Ways};
use crate::support::{Process, TestDatabase};

const QUERY: &str = "{ __typename }";

/// `object` as JSON of this many bytes: the text in `pad` is as long as it takes.
fn padded(object: &Value, pad: &str, bytes: usize) -> Value {
    let mut object = object.clone();
    *object.pointer_mut(pad).unwrap() = "".into();
    let left = bytes - object.to_string().len();
    *object.pointer_mut(pad).unwrap() = "x".repeat(left).into();
    assert_eq!(object.to_string().len(), bytes);
    object
}

const BODY: usize = 2048;

#[tokio::test]
async fn bodies() {
    let database = TestDatabase::sqlite();
    let server = Process::start(&database, &["--max-body", &BODY.to_string()]).await;
    let ann = server.user("ann");
    let mut ways = Ways::of(&ann).await;
    let query = |bytes| padded(&json!({ "query": QUERY, "unknown": "" }), "/unknown", bytes);
    for way in [Way::Post, Way::Events] {
        ways.ask(way, &query(BODY)).await.data();
        let refused = ways.ask(way, &query(BODY + 1)).await;
        assert_eq!((refused.status, refused.code()), (Some(413), "PAYLOAD_TOO_LARGE"));
    }
    let message = |bytes| padded(&json!({ "message": "" }), "/message", bytes);
    for (bytes, status) in [(BODY, 200), (BODY + 1, 413)] {
        // Without a length that could be looked at beforehand.
        let text = query(bytes).to_string();
        let (start, end) = text.split_at(BODY / 2);
        let pieces = [start.to_owned(), end.to_owned()].map(Ok::<_, std::io::Error>);
        let request = ann.post("/graphql").header("content-type", "application/json");
        let response = request.body(Body::wrap_stream(stream::iter(pieces))).send().await.unwrap();
        assert_eq!(response.status(), status);

        let response = ann.post("/api/ann/chat").json(&message(bytes)).send().await.unwrap();
        assert_eq!(response.status(), status);
        let body: Value = response.json().await.unwrap();
        assert_eq!(body["errors"][0]["extensions"]["code"] == "PAYLOAD_TOO_LARGE", status == 413, "{body}");
    }
}

#[tokio::test]
async fn messages_of_a_socket() {
    let database = TestDatabase::sqlite();
    let server = Process::start(&database, &["--max-body", &BODY.to_string()]).await;
    let message = |bytes| {
        let payload = json!({ "query": QUERY, "unknown": "" });
        padded(&json!({ "type": "subscribe", "id": "1", "payload": payload }), "/payload/unknown", bytes)
    };
    for frames in [1, 3] {
        let mut socket = Socket::signed_in(&server.user("ann")).await;
        socket.send_in_frames(&message(BODY), frames).await;
        assert_eq!(socket.message().await["type"], "next");
        assert_eq!(socket.message().await["type"], "complete");
        socket.send_in_frames(&message(BODY + 1), frames).await;
        assert_eq!(socket.next().await, Frame::Closed(1009), "in {frames} frames");
    }
}

/// Asks for what has this many errors, each in a field of its own: unknown ones, or ones that fail.
fn mistakes(count: usize, conversation: Option<&str>) -> String {
    let field = |number| match conversation {
        Some(id) => {
            format!("f{number}: conversation(id: \"{id}\") {{ messages(first: 101) {{ totalCount }} }} ")
        }
        None => format!("f{number} "),
    };
    format!("{{ {} }}", (0..count).map(field).collect::<String>())
}

#[tokio::test]
async fn errors_of_one_answer() {
    for (flags, most) in [(&["--max-errors", "3"][..], 3), (&[], 5)] {
        let database = TestDatabase::sqlite();
        let server = Process::start(&database, flags).await;
        let ann = server.user("ann");
        let conversation = ann.start("hello").await;
        let mut ways = Ways::of(&ann).await;
        for way in Way::ALL {
            for conversation in [None, Some(conversation.as_str())] {
                for (count, omitted) in [(most, None), (most + 2, Some(json!({ "omittedErrors": 2 })))] {
                    let body = ways.query(way, &mistakes(count, conversation)).await.body;
                    assert_eq!(body["errors"].as_array().unwrap().len(), most, "by {way:?}: {body}");
                    assert_eq!(body.get("data").is_some(), conversation.is_some());
                    // A socket's `error` has room for errors and for nothing else.
                    let can_tell = way != Way::Socket || conversation.is_some();
                    assert_eq!(body.get("extensions"), omitted.as_ref().filter(|_| can_tell), "by {way:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn what_an_error_repeats() {
    const CHARS: usize = 300;
    let database = TestDatabase::sqlite();
    let server = Process::start(&database, &[]).await;
    let mut ways = Ways::of(&server.user("ann")).await;
    let fragment = "f".repeat(200);
    let query =
        |name: usize| format!("{{ ...{fragment} }} fragment {fragment} on {} {{ id }}", "T".repeat(name));
    for way in Way::ALL {
        let mut message = async |name| {
            let body = ways.query(way, &query(name)).await.body;
            assert!(body.to_string().len() < 2 * CHARS, "{body}");
            body["errors"][0]["message"].as_str().unwrap().to_owned()
        };
        let shortest = message(1).await;
        assert!(shortest.contains(&fragment), "{shortest}");
        let name = 1 + CHARS - shortest.chars().count();
        let longest = message(name).await;
        assert_eq!(longest.chars().count(), CHARS);
        assert!(!longest.ends_with('…'), "{longest}");
        let cut = message(name + 1).await;
        assert_eq!(cut.chars().count(), CHARS + 1);
        assert!(cut.ends_with('…'), "{cut}");
    }
}
