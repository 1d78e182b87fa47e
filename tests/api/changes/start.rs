//! One query may select the change cursor beside everything else: what is written while it reads is missed by nobody who
//! goes on from that cursor.

use std::sync::{Arc, Mutex};

use sea_orm::ConnectionTrait;
use serde_json::json;

use crate::support::{Settings, TestServer, on_both_databases};

const QUERIES: [&str; 3] = [
    "{ conversations(first: 100) { nodes { id title messages(last: 5) { nodes { content } } } } viewer { changeCursor } }",
    "{ viewer { changeCursor } conversations(first: 100) { nodes { id title messages(last: 5) { nodes { content } } } } }",
    "query { ...all ...me } fragment me on Query { viewer { ... { changeCursor again: changeCursor } } }
     fragment all on Query { viewer { conversations(first: 100) { nodes { title messages(last: 5) { nodes { content } } } } }
       conversations(first: 100) { nodes { id title } } }",
];

/// Reads of a query after which somebody writes.
const READS: usize = 5;

const CHANGES: &str = "query($since: String) { changes(since: $since) { nodes {
  ... on ConversationChanged { conversation { title } } } } }";

on_both_databases! {
    async fn what_is_written_at_any_moment_of_a_query_is_read_or_told_later(database) {
        // Before so many further reads of ann's rows, and with this title.
        let write: Arc<Mutex<Option<(usize, String)>>> = Arc::default();
        let (url, due) = (database.url().to_owned(), write.clone());
        let observer = move |statement: &sea_orm::Statement| {
            let is_anns = format!("{:?}", statement.values).contains(r#""ann""#);
            let is_read = is_anns && statement.sql.contains("SELECT");
            let mut due = due.lock().unwrap();
            match &mut *due {
                Some((0, title)) if is_read => {
                    let (url, title) = (url.clone(), title.clone());
                    *due = None;
                    // The observer is not asynchronous, and the server must not go on before.
                    std::thread::spawn(move || rename(&url, &title)).join().unwrap();
                }
                Some((reads, _)) if is_read => *reads -= 1,
                _ => {}
            }
        };
        let settings = Settings { observer: Some(Arc::new(observer)), ..Settings::default() };
        let server = TestServer::with(&database, settings).await;
        let ann = server.user("ann");
        ann.start("hello").await;
        let mut missed = 0;
        for query in QUERIES {
            for reads in 0..READS {
                let title = format!("after {reads}");
                *write.lock().unwrap() = Some((reads, title.clone()));
                let data = ann.data(query, json!({})).await;
                let was_written = write.lock().unwrap().take().is_none();
                let read = data["conversations"]["nodes"][0]["title"] == *title;
                let since = &data["viewer"]["changeCursor"];
                let later = ann.data(CHANGES, json!({ "since": since })).await["changes"]["nodes"].take();
                let told = later.as_array().unwrap().iter().any(|change| change["conversation"]["title"] == *title);
                assert!(!was_written || read || told, "{query}: a write before read {reads} is lost");
                missed += usize::from(was_written && !read);
            }
        }
        assert!(missed >= QUERIES.len(), "{missed} writes came too late to be read");
    }

    async fn the_cursor_is_read_once_where_it_is_selected(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        ann.start("hello").await;
        let twice = "query Twice { viewer { ...cursor } me: viewer { again: changeCursor ...cursor } } \
                     fragment cursor on Viewer { changeCursor }";
        for (query, statements) in [("{ viewer { id } }", 0), (twice, 1)] {
            server.take_statements();
            ann.data(query, json!({})).await;
            assert_eq!(server.take_statements().len(), statements, "{query}");
        }
    }
}

fn rename(url: &str, title: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut options = sea_orm::ConnectOptions::new(url);
        options.idle_timeout(None).max_lifetime(None);
        let connection = sea_orm::Database::connect(options).await.unwrap();
        for sql in [
            "UPDATE account SET revision = revision + 1 WHERE user_id = 'ann'",
            &format!(
                "UPDATE conversation SET title = '{title}', revision = (
                     SELECT revision FROM account WHERE user_id = 'ann') WHERE user_id = 'ann'"
            ),
        ] {
            connection.execute_unprepared(sql).await.unwrap();
        }
        connection.close().await.unwrap();
    });
}
