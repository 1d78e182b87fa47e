//! Lists in every order and with every filter, page by page, as a simple model has them.

use std::collections::BTreeMap;

use causerie::search;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use super::{rename, titles, update};
use crate::support::{Client, TestDatabase, TestServer, on_both_databases};

const ORDERS: [&str; 7] = [
    "UPDATED_AT_DESC",
    "UPDATED_AT_ASC",
    "CREATED_AT_DESC",
    "CREATED_AT_ASC",
    "TITLE_ASC",
    "TITLE_DESC",
    "PINNED_FIRST",
];

const STATES: [&str; 3] = ["ACTIVE", "ARCHIVED", "TRASHED"];

/// Titles that are easily confused, and one conversation without any.
const TITLES: [&str; 14] = [
    "Apple",
    "apple",
    "ÁPPLE pie",
    "banana",
    "Banana",
    "100%",
    "100 %",
    "a_b",
    "aXb",
    r"c\d",
    "長い話",
    "長い",
    "Ωmega",
    "",
];

const PAGE: &str = "query($filter: ConversationFilter, $order: ConversationOrder, $first: Int, $after: String, $last: Int,
    $before: String) {
  conversations(filter: $filter, orderBy: $order, first: $first, after: $after, last: $last, before: $before) {
    totalCount
    nodes { id title updatedAt }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  } }";

/// A conversation as the model knows it.
#[derive(Clone, Debug)]
struct Known {
    id: String,
    title: String,
    pinned: bool,
    state: &'static str,
    updated_at: String,
    created_at: String,
}

impl Known {
    /// What `order` goes by.
    fn key(&self, order: &str) -> (bool, String, String) {
        let title = search::plain(&self.title);
        match order {
            "UPDATED_AT_DESC" | "UPDATED_AT_ASC" => (false, self.updated_at.clone(), self.id.clone()),
            "CREATED_AT_DESC" | "CREATED_AT_ASC" => (false, self.created_at.clone(), self.id.clone()),
            "PINNED_FIRST" => (self.pinned, self.updated_at.clone(), self.id.clone()),
            _ => (false, title, self.id.clone()),
        }
    }
}

/// A list that is asked for.
#[derive(Clone, Debug)]
struct ListQuery {
    order: &'static str,
    states: Option<Vec<&'static str>>,
    pinned: Option<bool>,
    part: Option<&'static str>,
    since: Option<usize>,
    size: usize,
    backwards: bool,
}

fn list_queries() -> impl Strategy<Value = ListQuery> {
    let parts =
        prop::sample::select(vec!["", "a", "APPLE", "ápple", "%", "_", r"\", "長い", "ω", "zzz", "0 "]);
    (
        prop::sample::select(ORDERS.to_vec()),
        prop::option::weighted(0.8, prop::sample::subsequence(STATES.to_vec(), 0..=3)),
        prop::option::weighted(0.3, any::<bool>()),
        prop::option::weighted(0.4, parts),
        prop::option::weighted(0.3, 0usize..4),
        1usize..7,
        any::<bool>(),
    )
        .prop_map(|(order, states, pinned, part, since, size, backwards)| ListQuery {
            order,
            states,
            pinned,
            part,
            since,
            size,
            backwards,
        })
}

fn instant(second: usize) -> String {
    format!("2026-01-01T00:00:0{second}.500Z")
}

/// Conversations of which several were last active, or started, at the same instant.
async fn fill(database: &TestDatabase, client: &Client) -> Vec<Known> {
    let raw = database.raw().await;
    let mut known = Vec::new();
    for (number, title) in TITLES.iter().enumerate() {
        let create = "mutation($title: String) { createConversation(input: { title: $title }) { conversation { id } } }";
        let title_or_none = (!title.is_empty()).then_some(title);
        let created = client.data(create, json!({ "title": title_or_none })).await;
        let id = created["createConversation"]["conversation"]["id"].as_str().unwrap().to_owned();
        let (pinned, archived, trashed) = (number % 3 == 1, number % 4 == 2, number % 5 == 3);
        if pinned {
            update(client, &id, json!({ "pinned": true })).await;
        }
        if archived {
            update(client, &id, json!({ "archived": true })).await;
        }
        if trashed {
            super::delete(client, &id).await;
        }
        let state = match (trashed, archived) {
            (true, _) => "TRASHED",
            (false, true) => "ARCHIVED",
            (false, false) => "ACTIVE",
        };
        let (updated_at, created_at) = (instant(number * 7 % 4), instant(number * 5 % 3));
        let stored = |instant: &str| instant.replace('Z', "+00:00");
        let own = if database.is_postgres() {
            format!("id = '{id}'")
        } else {
            format!("id = x'{}'", id.replace('-', ""))
        };
        let sql = format!(
            "UPDATE conversation SET updated_at = '{}', created_at = '{}' WHERE {own}",
            stored(&updated_at),
            stored(&created_at),
        );
        assert_eq!(raw.execute_unprepared(&sql).await.unwrap().rows_affected(), 1);
        known.push(Known { id, title: (*title).to_owned(), pinned, state, updated_at, created_at });
    }
    raw.close().await.unwrap();
    known
}

/// What the model says.
fn expected(known: &[Known], query: &ListQuery) -> Vec<String> {
    let mut rows: BTreeMap<_, &Known> = known.iter().map(|row| (row.key(query.order), row)).collect();
    rows.retain(|_, row| {
        query.states.as_ref().map_or(row.state == "ACTIVE", |states| states.contains(&row.state))
            && query.pinned.is_none_or(|pinned| row.pinned == pinned)
            && query.part.is_none_or(|part| search::plain(&row.title).contains(&search::plain(part)))
            && query.since.is_none_or(|since| row.updated_at >= instant(since))
    });
    let ids = rows.into_values().map(|row| row.id.clone());
    if query.order.ends_with("_ASC") { ids.collect() } else { ids.rev().collect() }
}

/// What the server says, page by page.
async fn listed(client: &Client, query: &ListQuery) -> Vec<String> {
    let filter = json!({
        "states": query.states, "pinned": query.pinned, "titleContains": query.part,
        "updatedSince": query.since.map(instant),
    });
    let mut pages: Vec<Vec<String>> = Vec::new();
    let mut place = Value::Null;
    loop {
        let mut variables = json!({ "filter": filter, "order": query.order });
        let (count, cursor) = if query.backwards { ("last", "before") } else { ("first", "after") };
        variables[count] = query.size.into();
        variables[cursor] = place;
        let mut page = client.data(PAGE, variables).await["conversations"].take();
        let ids: Vec<String> = page["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|node| node["id"].as_str().unwrap().to_owned())
            .collect();
        pages.push(ids);
        let (more, next) =
            if query.backwards { ("hasPreviousPage", "startCursor") } else { ("hasNextPage", "endCursor") };
        if page["pageInfo"][more] == false {
            let all = pages.concat().len();
            assert_eq!(page["totalCount"], all, "{query:?}");
            break;
        }
        assert_eq!(pages.last().unwrap().len(), query.size, "a page before the last one is full");
        place = page["pageInfo"][next].take();
    }
    if query.backwards {
        pages.reverse();
    }
    pages.concat()
}

on_both_databases! {
    async fn every_order_and_filter_gives_what_the_model_gives(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let known = fill(&database, &ann).await;
        fill(&database, &server.user("bob")).await;
        let mut runner = TestRunner::deterministic();
        for _ in 0..150 {
            let query = list_queries().new_tree(&mut runner).unwrap().current();
            assert_eq!(listed(&ann, &query).await, expected(&known, &query), "{query:?}");
        }
    }

    async fn a_cursor_is_good_for_its_order_alone(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        ann.start("one").await;
        for order in ORDERS {
            let page = ann.data(PAGE, json!({ "order": order, "first": 1 })).await;
            let cursor = &page["conversations"]["pageInfo"]["endCursor"];
            for other in ORDERS {
                for name in ["after", "before"] {
                    let answer = ann.run(PAGE, json!({ "order": other, name: cursor })).await;
                    if order == other {
                        assert_eq!(answer.data()["conversations"]["nodes"], json!([]));
                    } else {
                        assert_eq!(answer.code(), "BAD_USER_INPUT", "{order} {other}");
                    }
                }
            }
        }
    }

    async fn paging_goes_on_while_others_come_and_go(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let mut ids = Vec::new();
        for title in ["a", "b", "c", "d"] {
            ids.push(ann.start(title).await);
        }
        let page = ann.data(PAGE, json!({ "order": "TITLE_ASC", "first": 2 })).await;
        let end = &page["conversations"]["pageInfo"]["endCursor"];
        super::delete(&ann, &ids[1]).await;
        rename(&ann, &ids[0], "aa").await;
        ann.start("bb").await;
        let page = ann.data(PAGE, json!({ "order": "TITLE_ASC", "first": 9, "after": end })).await;
        let titles: Vec<&str> = page["conversations"]["nodes"].as_array().unwrap().iter().map(|node| node["title"].as_str().unwrap()).collect();
        assert_eq!(titles, ["bb", "c", "d"], "the cursor's own row is gone, and its place is not");
    }

    async fn filters_are_checked(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        ann.start("one").await;
        for bad in [json!({ "titleContains": "x".repeat(201) }), json!({ "titleContains": "a\0" })] {
            assert_eq!(ann.code(PAGE, json!({ "filter": bad })).await, "BAD_USER_INPUT");
        }
        for since in ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999+00:00", "2026-01-01T00:00:00.123456789-07:00"] {
            ann.data(PAGE, json!({ "filter": { "updatedSince": since } })).await;
        }
        assert_eq!(titles(&ann, "filter: { titleContains: \"%' OR 1=1 --\" }").await, Vec::<String>::new());
    }
}
