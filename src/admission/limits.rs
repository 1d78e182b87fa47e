//! The bounds on a query.

/// The bounds on a query. What is above one of them is refused as `GRAPHQL_VALIDATION_FAILED`, or as
/// `GRAPHQL_PARSE_FAILED` where the text alone is too much; `extensions.limit` and `extensions.maximum` say which
/// bound it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueryLimits {
    /// How many tokens the text may have: names, numbers, strings and punctuation.
    pub tokens: u64,
    /// How many fields and fragments it may select, a fragment counted wherever it is spread.
    pub size: u64,
    /// How many selection sets may lie within each other, those of fragments included.
    pub depth: u64,
    /// How many aliases it may have, a fragment's counted wherever it is spread.
    pub aliases: u64,
    /// How many directives it may have, a fragment's counted wherever it is spread.
    pub directives: u64,
    /// How much it may cost: each field costs 1, a page of a list of the viewer's 10, a mutation 200, and a search
    /// 1,000, and 200 more for each further word, a
    /// snippet 50, the schema 2,000; and what is below a page costs as often as `first` or `last` say, or as often as a page has items by
    /// default.
    pub complexity: u64,
}

impl Default for QueryLimits {
    fn default() -> Self {
        Self { tokens: 5000, size: 2000, depth: 25, aliases: 100, directives: 100, complexity: 20_000 }
    }
}
