//! Every text is a search: none is an error of an engine, and none reaches an engine as anything but words.

use serde_json::json;

use super::{SEARCH, count, page};
use crate::support::{TestServer, on_both_databases};

on_both_databases! {
    async fn no_text_is_an_error(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        ann.start("a b c or and not near 手").await;
        let repeated = [("a", 10_000), ("a ", 5_000), ("\"", 10_000), ("手", 10_000), ("手 ", 5_000), ("-a ", 3_333),
            ("\"a\" ", 2_500), ("a* ", 3_333), ("(", 10_000), ("' OR ", 2_000), ("é", 10_000), ("\u{FDFA}", 10_000),
            ("🎂", 10_000), ("\u{300}", 10_000), ("\0", 10_000)];
        let mut queries: Vec<String> = repeated.iter().map(|(text, times)| text.repeat(*times)).collect();
        queries.push((0..10_000).map(|n| char::from_u32(0x4E00 + n).unwrap()).collect());
        let numbers = (0..1_999).map(|n| format!("{n:04}")).collect::<Vec<_>>().join(" ");
        queries.push(format!("\"{numbers}\""));
        queries.push(numbers);
        queries.extend([
            "\0", "a\0b", "\"", "\"\"", "\"a", "a\"", "'", "''", "a'b", "a''b", "\\", "\\'", "a\\", "a:b", "a:*", ":*",
            "*", "**", "a**", "^a", "a NOT b", "NOT a", "AND", "OR OR OR", "NEAR(a b, 5)", "NEAR", "tokens:a", "{a b}: c",
            "a & b", "a | !b", "!a", "a <-> b", "a <2> b", "<->", "()", "((((", "a)", "%", "_", "%%", "$1", "$2", "?", "?1",
            ":a", "@a", "-", "--", "-- a", "/* a */", ";", "a; DROP TABLE message", "' OR 1=1 --", "\" OR \"", "\u{FEFF}a",
            "a\u{202E}b", "\u{FFFD}", "\u{10FFFF}", "\u{E000}", "\r\n\t", "[a-z]+", "(?i)a", "{}", "{{a}}", "null", "\u{1F1E9}",
        ].map(str::to_owned));
        for query in queries {
            let answer = ann.run(SEARCH, json!({ "query": query })).await;
            let shown: String = query.chars().take(40).collect();
            assert_eq!(answer.body.get("errors"), None, "{shown:?}");
        }
        assert!(count(&ann, "a b").await > 0, "everything is still there");
    }

    async fn operators_of_engines_are_words(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        ann.start("alpha or beta").await;
        ann.start("alpha gamma").await;
        assert_eq!(super::texts(&ann, "alpha OR beta").await, ["alpha or beta"]);
        assert_eq!(super::texts(&ann, "alpha NOT gamma").await, Vec::<String>::new());
        assert_eq!(super::texts(&ann, "alpha & gamma").await, ["alpha gamma"]);
        assert_eq!(super::texts(&ann, "alpha | beta").await, ["alpha or beta"]);
        assert_eq!(super::texts(&ann, "tokens:alpha").await, Vec::<String>::new());
        assert_eq!(super::texts(&ann, "al%").await, Vec::<String>::new());
    }

    async fn what_asks_for_nothing_finds_nothing(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        ann.start("anything").await;
        for query in ["", " ", "\"\"", "?!", "-", "*"] {
            let page = page(&ann, query, json!({})).await;
            assert_eq!(page["nodes"], json!([]), "{query:?}");
            assert_eq!(page["pageInfo"]["hasNextPage"], false);
        }
        let long = "a".repeat(10_001);
        assert_eq!(ann.code(SEARCH, json!({ "query": long })).await, "BAD_USER_INPUT");
        assert_eq!(ann.code(SEARCH, json!({ "query": "a", "first": 101 })).await, "BAD_USER_INPUT");
        assert_eq!(ann.code(SEARCH, json!({ "query": "a", "after": "nonsense" })).await, "BAD_USER_INPUT");
        assert_eq!(server.anonymous().code(SEARCH, json!({ "query": "a" })).await, "UNAUTHENTICATED");
    }
}
