//! How large a query may be: as large as its bound it passes, and one more is refused, in every way to ask.

use serde_json::{Value, json};

use super::{Socket, Way, Ways, read_until, stream};
use crate::support::{Process, TestDatabase};

/// Writes a request of which a bound counts exactly this many.
type Document = fn(u64) -> Value;

/// A bound, and what is bounded by it.
struct Bound {
    flag: &'static str,
    /// What its refusals call it.
    limit: &'static str,
    code: &'static str,
    /// A value that keeps documents short.
    small: u64,
    documents: &'static [Document],
}

const PARSE: &str = "GRAPHQL_PARSE_FAILED";
const VALIDATION: &str = "GRAPHQL_VALIDATION_FAILED";

const BOUNDS: [Bound; 6] = [
    Bound {
        flag: "--max-query-tokens",
        limit: "number of tokens",
        code: PARSE,
        small: 32,
        documents: &[tokens],
    },
    Bound {
        flag: "--max-query-size",
        limit: "size",
        code: VALIDATION,
        small: 9,
        documents: &[names, spread_names],
    },
    Bound {
        flag: "--max-query-depth",
        limit: "depth",
        code: VALIDATION,
        small: 4,
        documents: &[inline_fragments, parents, chained_fragments],
    },
    Bound {
        flag: "--max-query-aliases",
        limit: "number of aliases",
        code: VALIDATION,
        small: 5,
        documents: &[aliases, spread_aliases],
    },
    Bound {
        flag: "--max-query-directives",
        limit: "number of directives",
        code: VALIDATION,
        small: 5,
        documents: &[directives, spread_directives],
    },
    Bound {
        flag: "--max-query-complexity",
        limit: "complexity",
        code: VALIDATION,
        small: 1000,
        documents: &[pages, last_pages, pages_by_variable, default_pages],
    },
];

fn query(text: impl Into<String>) -> Value {
    json!({ "query": text.into() })
}

fn repeat(count: u64, text: &str) -> String {
    text.repeat(usize::try_from(count).unwrap())
}

/// Nine tokens each, of which only two count as size; the rest by one.
fn tokens(count: u64) -> Value {
    let (nodes, rest) = ((count - 2) / 9, (count - 2) % 9);
    query(format!("{{ {} {} }}", repeat(nodes, "node(id: \"x\") { id } "), repeat(rest, "__typename ")))
}

fn names(count: u64) -> Value {
    query(format!("{{ {} }}", repeat(count, "__typename ")))
}

/// A fragment with `part` that is spread twice, and `part` itself where the number is odd.
fn spread(count: u64, part: impl Fn(u64) -> String) -> Value {
    let within: String = (0..count / 2).map(&part).collect();
    let beside: String = (0..count % 2).map(|_| part(count)).collect();
    query(format!("{{ ...f ...f {beside} }} fragment f on Query {{ {within} }}"))
}

fn spread_names(count: u64) -> Value {
    spread(count - 2, |_| "__typename ".to_owned())
}

fn inline_fragments(depth: u64) -> Value {
    query(format!("{}{{ __typename{}", repeat(depth - 1, "{ ... "), repeat(depth, " }")))
}

fn parents(depth: u64) -> Value {
    let (above, below) = (repeat(depth - 2, "{ parent "), repeat(depth, " }"));
    query(format!("{{ message(id: \"x\") {above}{{ id{below}"))
}

fn chained_fragments(depth: u64) -> Value {
    let next = |number| format!("fragment f{number} on Query {{ ...f{} }} ", number + 1);
    let chain: String = (1..depth - 1).map(next).collect();
    query(format!("{{ ...f1 }} {chain} fragment f{} on Query {{ __typename }}", depth - 1))
}

fn alias(number: u64) -> String {
    format!("a{number}: __typename ")
}

fn aliases(count: u64) -> Value {
    query(format!("{{ {} }}", (0..count).map(alias).collect::<String>()))
}

fn spread_aliases(count: u64) -> Value {
    spread(count, alias)
}

const DIRECTIVE: &str = "__typename @skip(if: false) ";

fn directives(count: u64) -> Value {
    query(format!("{{ {} }}", repeat(count, DIRECTIVE)))
}

fn spread_directives(count: u64) -> Value {
    spread(count, |_| DIRECTIVE.to_owned())
}

/// What pages within pages of `outer` cost: the items of the inner ones, and names beside them for what is left.
fn within_pages(cost: u64, outer: u64) -> (u64, String) {
    let fixed = 2 * outer + 10;
    ((cost - fixed) / (2 * outer), repeat((cost - fixed) % (2 * outer), "__typename "))
}

fn pages(cost: u64) -> Value {
    let (inner, rest) = within_pages(cost, 100);
    query(format!(
        "{{ conversations(first: 100) {{ nodes {{ messages(first: {inner}) {{ nodes {{ id }} }} }} }} {rest} }}"
    ))
}

/// A `first` that is null takes nothing away from `last`.
fn last_pages(cost: u64) -> Value {
    let (inner, rest) = within_pages(cost, 100);
    query(format!(
        "{{ conversations(first: null, last: 100) {{ nodes {{ messages(last: {inner}) {{ nodes {{ id }} }} }} }} {rest} }}"
    ))
}

fn pages_by_variable(cost: u64) -> Value {
    let (inner, rest) = within_pages(cost, 100);
    let text = format!(
        "query Q($outer: Int, $inner: Int = {inner}, $none: Int) {{
           conversations(first: $none, last: $outer) {{ nodes {{ messages(first: $inner) {{ nodes {{ id }} }} }} }} {rest}
         }}"
    );
    json!({ "query": text, "variables": { "outer": 100, "none": null } })
}

fn default_pages(cost: u64) -> Value {
    let (inner, rest) = within_pages(cost, 20);
    query(format!(
        "{{ conversations {{ nodes {{ messages(first: {inner}) {{ nodes {{ id }} }} }} }} {rest} }}"
    ))
}

/// Asks for as much as may be, and for more.
async fn check(ways: &mut Ways, bound: &Bound, maximum: u64, document: Document) {
    for way in Way::ALL {
        ways.ask(way, &document(maximum)).await.data();
        ways.ask(way, &document(maximum + 1)).await.assert_too_large(bound.code, bound.limit, maximum);
    }
}

#[tokio::test]
async fn each_bound_is_where_its_flag_puts_it() {
    for bound in BOUNDS {
        let database = TestDatabase::sqlite();
        let server = Process::start(&database, &[bound.flag, &bound.small.to_string()]).await;
        let mut ways = Ways::of(&server.user("ann")).await;
        for document in bound.documents {
            check(&mut ways, &bound, bound.small, *document).await;
        }
    }
}

#[tokio::test]
async fn each_bound_is_what_the_documentation_says_unless_it_is_set() {
    let documentation = causerie::config::markdown();
    let database = TestDatabase::sqlite();
    let server = Process::start(&database, &[]).await;
    let mut ways = Ways::of(&server.user("ann")).await;
    for bound in BOUNDS {
        let row =
            documentation.lines().find(|line| line.starts_with(&format!("| `{}` |", bound.flag))).unwrap();
        let default = row.split('|').nth(3).unwrap().trim().trim_matches('`').parse().unwrap();
        check(&mut ways, &bound, default, bound.documents[0]).await;
    }
}

#[tokio::test]
async fn bounds_that_no_flag_moves() {
    let bounds: [(&str, &str, u64, Document); 4] = [
        (PARSE, "longest name", 256, |length| query(format!("{{ {}: __typename }}", repeat(length, "a")))),
        (PARSE, "nesting of brackets", 64, inline_fragments),
        (VALIDATION, "number of introspections", 4, |count| {
            query(format!("{{ {} }}", repeat(count, "__schema { queryType { name } } ")))
        }),
        (VALIDATION, "depth of introspection", 2, |depth| {
            let (above, below) = (repeat(depth, "fields { type { "), repeat(depth, " } }"));
            query(format!("{{ __schema {{ types {{ {above} name {below} }} }} }}"))
        }),
    ];
    let database = TestDatabase::sqlite();
    let server = Process::start(&database, &["--max-query-depth", "100"]).await;
    let mut ways = Ways::of(&server.user("ann")).await;
    for (code, limit, maximum, document) in bounds {
        let bound = Bound { flag: "", limit, code, small: maximum, documents: &[] };
        check(&mut ways, &bound, maximum, document).await;
    }
}

#[tokio::test]
async fn one_operation_does_not_make_another_look_cheap() {
    let database = TestDatabase::sqlite();
    let server = Process::start(&database, &["--max-query-complexity", "800"]).await;
    let mut ways = Ways::of(&server.user("ann")).await;
    let run = |size: &str| {
        let cheap = (0..20).map(|number| {
            format!("query Cheap{number}($n: Int = 1) {{ conversations(first: $n) {{ totalCount }} }} ")
        });
        let run = format!(
            "query Run($n: Int{size}) {{ conversations(first: $n) {{ nodes {{ messages(first: $n) {{ nodes {{ id }} }} }} }} }}"
        );
        json!({ "query": format!("{}{run}", cheap.collect::<String>()), "operationName": "Run" })
    };
    for way in Way::ALL {
        ways.ask(way, &run(" = 5")).await.data();
        for expensive in [" = 100", ""] {
            ways.ask(way, &run(expensive)).await.assert_too_large(VALIDATION, "complexity", 800);
        }
    }
}

#[tokio::test]
async fn a_subscription_is_bounded_before_it_begins() {
    let database = TestDatabase::sqlite();
    let server = Process::start(&database, &["--max-query-aliases", "3"]).await;
    let ann = server.user("ann");
    let follow =
        |count| format!("subscription {{ changes {{ {} }} }}", (0..count).map(alias).collect::<String>());
    let mut ways = Ways::of(&ann).await;
    for way in Way::STREAMS {
        let told = ways.query(way, &follow(4)).await;
        told.assert_too_large(VALIDATION, "number of aliases", 3);
    }
    let mut socket = Socket::signed_in(&ann).await;
    socket.subscribe("1", &follow(3)).await;
    let mut events = stream(&ann, &follow(3)).await;
    read_until(&mut events, ":\n\n").await;
    ann.start("hello").await;
    assert_eq!(socket.message().await["type"], "next");
    let event = read_until(&mut events, "event: next").await;
    assert!(!event.contains("errors"), "{event}");
}
