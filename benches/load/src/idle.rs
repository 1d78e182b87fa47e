//! Event streams on which nothing happens.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, stdin};

use crate::Outcome;
use crate::client::Connection;

/// Opens `streams` subscriptions of changes, prints a line, and holds them until the input ends.
pub async fn idle(url: &str, tokens: &[String], streams: usize) -> Outcome<Value> {
    let document = json!({ "query": "subscription { changes { __typename } }" });
    let mut held = Vec::with_capacity(streams);
    for number in 0..streams {
        let mut connection = Connection::open(url).await?;
        let events = connection.subscribe(&tokens[number % tokens.len()], &document).await?;
        held.push((connection, events));
    }
    println!("open");
    stdin().read_to_end(&mut Vec::new()).await?;
    Ok(json!({ "streams": held.len() }))
}
