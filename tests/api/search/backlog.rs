//! What is older than the index is indexed.

use std::sync::Arc;

use causerie::search::catch_up;
use causerie::signal::Hub;
use tokio_util::sync::CancellationToken;

use super::count;
use crate::support::{TestServer, on_both_databases};

on_both_databases! {
    async fn older_rows_are_indexed(database) {
        let server = TestServer::start(&database).await;
        for user in ["ann", "bob"] {
            for number in 0..12 {
                server.user(user).start(&format!("memory {number}")).await;
            }
        }
        server.stop().await;
        let connection = database.connect().await;
        let steps = connection.migrations().await.unwrap().steps;
        let search = steps.iter().position(|(name, _)| name.ends_with("_search")).unwrap();
        connection.migrate_down(u32::try_from(steps.len() - search).unwrap()).await.unwrap();
        connection.migrate_up().await.unwrap();
        assert_eq!(database.number("SELECT count(*) FROM search_backlog").await, 72);

        // Two servers may start at once.
        let shutdown = CancellationToken::new();
        for _ in 0..2 {
            tokio::spawn(catch_up(connection.clone(), Arc::new(Hub::default()), shutdown.clone()));
        }
        while database.number("SELECT count(*) FROM search_backlog").await > 0 {}
        shutdown.cancel();
        assert_eq!(database.number("SELECT count(*) FROM message_search").await, 48);
        let server = TestServer::start(&database).await;
        for user in ["ann", "bob"] {
            assert_eq!(count(&server.user(user), "memory").await, 36);
        }
    }
}
