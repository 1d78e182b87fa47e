//! Tokens that expire while a socket or stream is open.

use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep_until};

use super::{FOREVER, Frame, QUERY, Socket, read_until, stream, token_for};
use crate::support::{Client, TestServer, on_both_databases};

const SHORT: Duration = Duration::from_secs(2);
const LONG: Duration = Duration::from_hours(1);

fn renewal(token: &str) -> serde_json::Value {
    json!({ "type": "ping", "payload": { "authorization": format!("Bearer {token}") } })
}

on_both_databases! {
    async fn an_expired_token_closes_its_socket(database) {
        let server = TestServer::start(&database).await;
        let ann = Client::new(server.url(), Some(token_for("ann", SHORT)));
        let started = Instant::now();
        let mut socket = Socket::signed_in(&ann).await;
        socket.subscribe("1", FOREVER).await;
        assert_eq!(socket.closed().await, 4401);
        assert!(started.elapsed() > SHORT / 2, "not before its time");
    }

    async fn an_expired_token_ends_its_stream(database) {
        let server = TestServer::start(&database).await;
        let ann = Client::new(server.url(), Some(token_for("ann", SHORT)));
        let mut response = stream(&ann, FOREVER).await;
        let text = read_until(&mut response, "event: complete\ndata: \n\n").await;
        assert!(text.contains("\"UNAUTHENTICATED\""), "{text}");
        assert!(response.chunk().await.unwrap().is_none());
    }

    async fn a_ping_with_a_new_token_keeps_everything_going(database) {
        let server = TestServer::start(&database).await;
        let ann = Client::new(server.url(), Some(token_for("ann", SHORT)));
        let expiry = Instant::now() + SHORT;
        let mut socket = Socket::signed_in(&ann).await;
        socket.subscribe("1", FOREVER).await;
        socket.send(renewal(&token_for("ann", LONG))).await;
        assert_eq!(socket.next().await, Frame::Message(json!({ "type": "pong" })));
        sleep_until(expiry + Duration::from_millis(200)).await;
        server.user("ann").start("Is anybody there?").await;
        let message = socket.message().await;
        assert_eq!((&message["type"], &message["id"]), (&json!("next"), &json!("1")));
        assert_eq!(socket.run("2", QUERY).await.last().unwrap()["type"], "complete");
    }

    async fn nobody_can_become_somebody_else(database) {
        let server = TestServer::start(&database).await;
        let mut socket = Socket::signed_in(&server.user("ann")).await;
        socket.send(renewal(&token_for("bob", LONG))).await;
        assert_eq!(socket.closed().await, 4403);

        let mut anonymous = Socket::open(server.url()).await;
        anonymous.init(None).await;
        anonymous.message().await;
        anonymous.send(renewal(&token_for("bob", LONG))).await;
        assert_eq!(anonymous.closed().await, 4403);

        let mut socket = Socket::signed_in(&server.user("ann")).await;
        socket.send(renewal("nonsense")).await;
        assert_eq!(socket.closed().await, 4401);
    }
}
