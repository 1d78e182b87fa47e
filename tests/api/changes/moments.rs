//! What an answer is made of may be deleted while it is made: it is then there or not, and never half.

use std::sync::{Arc, Mutex};

use sea_orm::ConnectionTrait;
use serde_json::json;

use crate::support::{Settings, TestServer, on_both_databases};

/// Where a request is, that is to meet with a deletion after its messages were read and before their conversations are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Off,
    Armed,
    MessagesRead,
}

on_both_databases! {
    async fn a_conversation_that_is_deleted_in_between_spoils_no_answer(database) {
        let stage = Arc::new(Mutex::new(Stage::Off));
        let (url, seen) = (database.url().to_owned(), stage.clone());
        let observer = move |statement: &sea_orm::Statement| {
            if !format!("{:?}", statement.values).contains(r#""ann""#) {
                return;
            }
            let mut stage = seen.lock().unwrap();
            if *stage == Stage::Armed && statement.sql.contains("message") {
                *stage = Stage::MessagesRead;
            } else if *stage == Stage::MessagesRead && statement.sql.contains(r#"FROM "conversation" WHERE"#) {
                let url = url.clone();
                // The observer is not asynchronous, and the server must not go on before.
                std::thread::spawn(move || set_deleted(&url, "created_at")).join().unwrap();
                *stage = Stage::Off;
            }
        };
        let settings = Settings { observer: Some(Arc::new(observer)), ..Settings::default() };
        let server = TestServer::with(&database, settings).await;
        let ann = server.user("ann");
        let sent = ann.send("ephemeral", json!({})).await;
        let variables = json!({ "id": sent["conversation"]["id"], "message": sent["message"]["id"] });
        for query in [
            "{ answer: changes(first: 100) { nodes {
               ... on ConversationChanged { conversation { id lastMessage { id } } }
               ... on MessageChanged { message { id conversation { id title } } } } } }",
            "query($message: ID!) { answer: message(id: $message) { id conversation { id messages { totalCount } } } }",
            "query($id: ID!) { answer: messages(conversationId: $id) { nodes { conversation { title } parent { id } } } }",
            "{ answer: search(query: \"ephemeral\") { nodes { message { conversation { title } } snippet { text } } } }",
        ] {
            *stage.lock().unwrap() = Stage::Armed;
            let answer = ann.run(query, variables.clone()).await.data();
            assert!(answer["answer"].is_object(), "{query}: {answer}");
            assert_eq!(*stage.lock().unwrap(), Stage::Off, "{query}");
            let gone = ann.data("query($message: ID!) { message(id: $message) { id } }", variables.clone()).await;
            assert_eq!(gone, json!({ "message": null }));
            let url = database.url().to_owned();
            std::thread::spawn(move || set_deleted(&url, "NULL")).join().unwrap();
        }
    }
}

fn set_deleted(url: &str, instant: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut options = sea_orm::ConnectOptions::new(url);
        options.idle_timeout(None).max_lifetime(None);
        let connection = sea_orm::Database::connect(options).await.unwrap();
        let sql = format!("UPDATE conversation SET deleted_at = {instant}");
        connection.execute_unprepared(&sql).await.unwrap();
        connection.close().await.unwrap();
    });
}
