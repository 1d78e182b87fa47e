//! Tool calls are read once there is memory for them, and only those that the reader does not have.

use std::time::Duration;

use causerie::memory::{Memory, MemoryBudget};
use causerie::reply::{ProgressEvent, ReplyPosition};
use futures_util::StreamExt;
use sea_orm::Value as SqlValue;
use tokio::time::timeout;

use super::*;
use crate::support::on_both_databases;

const MEGABYTE: usize = 1024 * 1024;

/// How many bytes of tool calls are read without asking.
const UNASKED: i64 = 32 * 1024;

fn long_call() -> Delta {
    let arguments = format!(r#"{{"text":"{}"}}"#, "wombat ".repeat(60_000));
    Delta::ToolCall(ToolCall { call_id: "long".to_owned(), name: "note".to_owned(), arguments })
}

/// How many bytes of tool calls the statements since the last call were to read at most.
fn asked_for(server: &TestServer) -> i64 {
    let statements = server.take_all_statements();
    let reads = statements.iter().filter(|statement| statement.sql.contains("call_bytes"));
    let bounds = reads.map(|statement| match statement.values.as_ref().unwrap().0.last() {
        Some(SqlValue::Int(Some(bytes))) => i64::from(*bytes),
        other => panic!("{other:?}"),
    });
    bounds.max().expect("the row is read")
}

/// Memory of which nothing is left to ann until what is returned with it is dropped.
fn used_up() -> (MemoryBudget, MemoryBudget) {
    let memory = Memory::new(4 * MEGABYTE);
    let hoard = memory.budget("ann", MEGABYTE);
    hoard.take(MEGABYTE).unwrap();
    (memory.budget("ann", MEGABYTE), hoard)
}

on_both_databases! {
    async fn a_long_tool_call_is_read_once_there_is_memory_for_it(database) {
        let (server, script) = scripted(&database, options()).await;
        let (other, _idle) = scripted(&database, options()).await;
        let ann = server.user("ann");
        let (id, attempt) = ask(&ann, &script).await;
        attempt.say("Let me see.");
        attempt.send(Ok(long_call()));
        attempt.send(Ok(call("short")));
        let loaded = with_content(&ann, &id, "Let me see.").await;
        assert_eq!(outline(&loaded).last().unwrap(), "call short");
        let reply: Uuid = id.as_str().unwrap().parse().unwrap();
        other.take_all_statements();
        for (at, is_other) in [(&server, false), (&other, true)] {
            let (budget, hoard) = used_up();
            let mut events = at.replies().progress("ann", reply, None, budget.clone());
            for _ in 0..2 {
                let (event, _) = events.next().await.unwrap().unwrap();
                assert!(!matches!(event, ProgressEvent::ToolCall(..)), "{event:?}");
                drop(budget.release());
            }
            assert!(timeout(Duration::from_millis(300), events.next()).await.is_err(), "there is no room");
            assert!(!is_other || asked_for(at) <= UNASKED);
            drop(hoard);
            let (event, _) = timeout(Duration::from_secs(20), events.next()).await.unwrap().unwrap().unwrap();
            assert!(matches!(&event, ProgressEvent::ToolCall(1, call) if call.call_id == "long"), "{event:?}");
            // It is in the budget now, once.
            assert!(budget.taken() > MEGABYTE / 4);
            drop(budget.release());
            let (event, _) = events.next().await.unwrap().unwrap();
            assert!(matches!(&event, ProgressEvent::ToolCall(2, call) if call.call_id == "short"), "{event:?}");
        }
        assert!(asked_for(&other) > UNASKED);
    }

    async fn a_tool_call_that_the_reader_has_is_not_read_again(database) {
        let (server, script) = scripted(&database, options()).await;
        let (other, _idle) = scripted(&database, options()).await;
        let ann = server.user("ann");
        let (id, attempt) = ask(&ann, &script).await;
        attempt.send(Ok(long_call()));
        attempt.say("Noted.");
        attempt.send(Ok(call("short")));
        attempt.say("Done.");
        with_content(&ann, &id, "Noted.Done.").await;
        let reply: Uuid = id.as_str().unwrap().parse().unwrap();
        let (budget, _hoard) = used_up();
        let after = ReplyPosition { attempt: 1, text: 3, reasoning: 0, calls: 1 };
        let mut events = other.replies().progress("ann", reply, Some(after), budget.clone());
        other.take_all_statements();
        for expected in ["ed.", "short", "Done."] {
            let next = timeout(Duration::from_secs(20), events.next()).await.expect("there is room for it");
            match next.unwrap().unwrap().0 {
                ProgressEvent::Text(text) => assert_eq!(text, expected),
                ProgressEvent::ToolCall(2, call) => assert_eq!(call.call_id, expected),
                event => panic!("{event:?}"),
            }
            drop(budget.release());
        }
        assert!(asked_for(&other) <= UNASKED);
    }
}
