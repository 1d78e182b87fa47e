//! A page, its count and its `pageInfo` are of one moment, whatever others do meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use super::{delete, keep};
use crate::support::{Settings, TestServer, on_both_databases};

const PAGE: &str = "query($after: String, $filter: ConversationFilter) {
  conversations(first: 100, after: $after, filter: $filter) {
    totalCount nodes { id } pageInfo { hasNextPage hasPreviousPage } } }";

on_both_databases! {
    async fn a_page_and_its_count_agree_while_conversations_are_deleted_and_restored(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let mut ids = Vec::new();
        for number in 0..20 {
            ids.push(ann.start(&format!("number {number}")).await);
        }
        let ends = Arc::new(AtomicBool::new(false));
        let writing = {
            let (ann, ends) = (ann.clone(), ends.clone());
            tokio::spawn(async move {
                while !ends.load(Ordering::Relaxed) {
                    for id in &ids {
                        delete(&ann, id).await;
                    }
                    for id in &ids {
                        keep(&ann, "restoreConversation", id).await;
                    }
                }
            })
        };
        let mut seen = std::collections::BTreeSet::new();
        // Until it has been read at many different lengths.
        for _ in 0..2000 {
            let list = ann.data(PAGE, json!({})).await["conversations"].take();
            let length = list["nodes"].as_array().unwrap().len();
            assert_eq!(list["totalCount"], length);
            assert_eq!(list["pageInfo"], json!({ "hasNextPage": false, "hasPreviousPage": false }));
            seen.insert(length);
            if seen.len() > 12 {
                break;
            }
        }
        ends.store(true, Ordering::Relaxed);
        writing.await.unwrap();
        assert!(seen.len() > 5, "{seen:?}");
    }

    async fn nothing_comes_between_the_page_and_its_count(database) {
        // Before each statement that reads the list, another device deletes a conversation.
        let other = TestServer::start(&database).await;
        let (reads, mut wanted) = tokio::sync::mpsc::unbounded_channel::<std::sync::mpsc::Sender<()>>();
        let observer = Arc::new(move |statement: &sea_orm::Statement| {
            let is_list = statement.sql.starts_with("SELECT") && statement.sql.contains("\"conversation\"");
            if is_list {
                let (done, wait) = std::sync::mpsc::channel();
                if reads.send(done).is_ok() {
                    let _ = tokio::task::block_in_place(|| wait.recv());
                }
            }
        });
        let server = TestServer::with(&database, Settings { observer: Some(observer), ..Settings::default() }).await;
        let mut ids = Vec::new();
        for number in 0..8 {
            ids.push(other.user("ann").start(&format!("number {number}")).await);
        }
        let deleting = {
            let ann = other.user("ann");
            tokio::spawn(async move {
                let mut statements = 0;
                while let Some(done) = wanted.recv().await {
                    if let Some(id) = ids.pop() {
                        delete(&ann, &id).await;
                    }
                    statements += 1;
                    let _ = done.send(());
                }
                statements
            })
        };
        let list = server.user("ann").data(PAGE, json!({})).await["conversations"].take();
        assert_eq!(list["totalCount"], list["nodes"].as_array().unwrap().len());
        drop(server);
        deleting.abort();
    }

    async fn what_is_gone_on_the_other_side_of_a_cursor_is_no_previous_page(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let mut ids = Vec::new();
        for number in 0..3 {
            ids.push(ann.start(&format!("number {number}")).await);
        }
        let first = "{ conversations(first: 1) { pageInfo { endCursor } } }";
        let after = ann.data(first, json!({})).await["conversations"]["pageInfo"]["endCursor"].take();
        let page = async |after: &Value| ann.data(PAGE, json!({ "after": after })).await["conversations"]["pageInfo"].take();
        assert_eq!(page(&after).await["hasPreviousPage"], true);
        delete(&ann, &ids[2]).await;
        assert_eq!(page(&after).await["hasPreviousPage"], false);
        ann.start("newer").await;
        assert_eq!(page(&after).await["hasPreviousPage"], true);
    }
}
