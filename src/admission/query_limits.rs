//! The bounds on a query.

use clap::{Args, value_parser};

use crate::options;

/// The bounds on a query. What is above one of them is refused as `GRAPHQL_VALIDATION_FAILED`, or as
/// `GRAPHQL_PARSE_FAILED` where the text alone is too much; `extensions.limit` and `extensions.maximum` say which
/// bound it was.
#[derive(Args, Clone, Copy, Debug, PartialEq, Eq)]
#[group(skip)]
pub struct QueryLimits {
    /// A document may have at most this many tokens: names, numbers, strings and punctuation. A longer one is refused with
    /// `GRAPHQL_PARSE_FAILED`.
    #[arg(long = "max-query-tokens", env = "CAUSERIE_MAX_QUERY_TOKENS", value_name = "NUMBER",
        default_value_t = 5000, value_parser = value_parser!(u64).range(1..=1_000_000))]
    pub tokens: u64,
    /// A query may select at most this many fields and fragments; a fragment counts wherever it is spread. A larger query
    /// is refused with `GRAPHQL_VALIDATION_FAILED`.
    #[arg(long = "max-query-size", env = "CAUSERIE_MAX_QUERY_SIZE", value_name = "NUMBER",
        default_value_t = 2000, value_parser = value_parser!(u64).range(1..=1_000_000))]
    pub size: u64,
    /// A query may nest at most this many selection sets, those of fragments included. A deeper query is refused with
    /// `GRAPHQL_VALIDATION_FAILED`.
    #[arg(long = "max-query-depth", env = "CAUSERIE_MAX_QUERY_DEPTH", value_name = "NUMBER",
        default_value_t = 25, value_parser = value_parser!(u64).range(1..=100))]
    pub depth: u64,
    /// A query may have at most this many aliases; those of a fragment count wherever it is spread. A query with more is
    /// refused with `GRAPHQL_VALIDATION_FAILED`.
    #[arg(
        long = "max-query-aliases",
        env = "CAUSERIE_MAX_QUERY_ALIASES",
        value_name = "NUMBER",
        default_value_t = 100
    )]
    pub aliases: u64,
    /// A query may have at most this many directives; those of a fragment count wherever it is spread. A query with more is
    /// refused with `GRAPHQL_VALIDATION_FAILED`.
    #[arg(
        long = "max-query-directives",
        env = "CAUSERIE_MAX_QUERY_DIRECTIVES",
        value_name = "NUMBER",
        default_value_t = 100
    )]
    pub directives: u64,
    /// A query may cost at most this much. A field costs 1, a page of a list of the viewer's 10, a snippet 50, a mutation
    /// 200, a search 1000 and 200 more for each further word, the schema 2000; what is below a page costs as many times
    /// as `first` or `last` say, or as a page has items by default. A more expensive query is refused with
    /// `GRAPHQL_VALIDATION_FAILED`.
    #[arg(
        long = "max-query-complexity",
        env = "CAUSERIE_MAX_QUERY_COMPLEXITY",
        value_name = "NUMBER",
        default_value_t = 20_000
    )]
    pub complexity: u64,
}

impl Default for QueryLimits {
    fn default() -> Self {
        options::defaults()
    }
}
