//! What the GraphQL library must do, since its versions 7.1 and 7.2 did not: nulls go up as the specification says,
//! and keys keep the order of the query.

use std::time::Duration;

use async_graphql::{EmptyMutation, EmptySubscription, Error, Object, Result, Schema, SimpleObject};
use serde_json::{Value, json};
use tokio::time::sleep;

struct Query;

struct Node(i32);

#[derive(SimpleObject)]
struct Leaf {
    value: i32,
}

#[expect(clippy::unused_async, reason = "the macro wants it")]
#[Object]
impl Query {
    async fn node(&self) -> Option<Node> {
        Some(Node(0))
    }

    async fn nodes(&self) -> Option<Vec<Node>> {
        Some((0..3).map(Node).collect())
    }

    async fn nullable_nodes(&self) -> Vec<Option<Node>> {
        (0..3).map(|number| Some(Node(number))).collect()
    }

    async fn must(&self) -> Result<i32> {
        Err(Error::new("must"))
    }

    async fn slow(&self, ms: u64) -> i32 {
        sleep(Duration::from_millis(ms)).await;
        1
    }

    async fn fine(&self) -> i32 {
        2
    }
}

#[expect(clippy::unused_async, reason = "the macro wants it")]
#[Object]
impl Node {
    async fn number(&self) -> i32 {
        self.0
    }

    /// Fails in the second one of a list.
    async fn odd(&self) -> Result<i32> {
        if self.0 == 1 { Err(Error::new("odd")) } else { Ok(self.0) }
    }

    async fn must(&self) -> Result<i32> {
        Err(Error::new("must"))
    }

    async fn may(&self) -> Option<Result<i32>> {
        Some(Err(Error::new("may")))
    }

    async fn child(&self) -> Node {
        Node(self.0)
    }

    async fn leaf(&self, ms: u64) -> Leaf {
        sleep(Duration::from_millis(ms)).await;
        Leaf { value: self.0 }
    }
}

/// Runs `query`; returns the data and the paths of the errors.
async fn run(query: &str) -> (String, Vec<Value>) {
    let schema = Schema::new(Query, EmptyMutation, EmptySubscription);
    let answer = schema.execute(query).await;
    let paths = answer.errors.iter().map(|error| json!(error.path)).collect();
    (serde_json::to_string(&answer.data).unwrap(), paths)
}

#[tokio::test]
async fn a_failed_field_that_may_be_null_is_null() {
    let (data, paths) = run("{ node { may number } fine }").await;
    assert_eq!(data, r#"{"node":{"may":null,"number":0},"fine":2}"#);
    assert_eq!(paths, [json!(["node", "may"])]);
}

#[tokio::test]
async fn a_failed_field_that_must_be_there_makes_its_object_null() {
    let (data, paths) = run("{ fine node { number must } }").await;
    assert_eq!(data, r#"{"fine":2,"node":null}"#);
    assert_eq!(paths, [json!(["node", "must"])]);

    let (data, paths) = run("{ node { number child { child { must } } } fine }").await;
    assert_eq!(data, r#"{"node":null,"fine":2}"#, "through all objects that must be there");
    assert_eq!(paths, [json!(["node", "child", "child", "must"])]);
}

#[tokio::test]
async fn a_failed_item_makes_its_list_null_unless_items_may_be() {
    let (data, paths) = run("{ nodes { number odd } fine }").await;
    assert_eq!(data, r#"{"nodes":null,"fine":2}"#);
    // The specification wants the field's name too; the library stops at the item.
    assert_eq!(paths, [json!(["nodes", 1])]);

    let (data, paths) = run("{ nullableNodes { number odd } }").await;
    assert_eq!(data, r#"{"nullableNodes":[{"number":0,"odd":0},null,{"number":2,"odd":2}]}"#);
    assert_eq!(paths, [json!(["nullableNodes", 1, "odd"])]);
}

#[tokio::test]
async fn at_the_root_all_data_is_null() {
    let (data, paths) = run("{ fine must }").await;
    assert_eq!(data, "null");
    assert_eq!(paths, [json!(["must"])]);
}

#[tokio::test]
async fn keys_are_in_the_order_of_the_query_however_long_fields_take() {
    let (data, _) = run("{ slow(ms: 20) fine a: slow(ms: 10) b: slow(ms: 0) __typename }").await;
    assert_eq!(data, r#"{"slow":1,"fine":2,"a":1,"b":1,"__typename":"Query"}"#);

    let query = "
        { node { ...Late number } }
        fragment Late on Node { late: leaf(ms: 20) { value } soon: leaf(ms: 0) { value } }";
    let (data, _) = run(query).await;
    assert_eq!(data, r#"{"node":{"late":{"value":0},"soon":{"value":0},"number":0}}"#);

    let (data, _) = run("{ nodes { a: leaf(ms: 10) { value } number } }").await;
    let item = |number: i32| format!(r#"{{"a":{{"value":{number}}},"number":{number}}}"#);
    assert_eq!(data, format!(r#"{{"nodes":[{},{},{}]}}"#, item(0), item(1), item(2)));
}

#[tokio::test]
async fn fields_that_are_asked_for_twice_are_merged() {
    let (data, _) =
        run("{ node { number } fine node { child { number } } node { child { leaf(ms: 0) { value } } } }")
            .await;
    assert_eq!(data, r#"{"node":{"number":0,"child":{"number":0,"leaf":{"value":0}}},"fine":2}"#);
}
