//! A document, parsed and validated once.

use std::fmt;

use apollo_compiler::ast;
use apollo_compiler::executable::ExecutableDocument as TypedDocument;
use apollo_compiler::parser::Parser;
use apollo_compiler::validation::{DiagnosticList, Valid};
use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, OperationDefinition, OperationType,
};
use async_graphql::{Name, Pos, ServerError, Variables};

use super::cost::Cost;
use super::executable::executable;
use super::operation::Operation;
use super::query_limits::QueryLimits;
use super::refusal::{error, invalid};
use super::schema::schema;
use super::{size, subscription, tokens, validation, variables};
use crate::error::Code;
use crate::graphql::Compiled;

/// A document that was parsed. `Debug` does not show it: it may hold what users wrote.
pub(super) struct Document {
    pub(super) tokens: u64,
    pub(super) bytes: usize,
    /// What the library executes.
    executable: ExecutableDocument,
    /// What its cost is taken from, or the rules that it breaks.
    typed: Result<Valid<TypedDocument>, Vec<ServerError>>,
    /// The operations that are executed without the library, by their names.
    compiled: Vec<(Option<Name>, Compiled)>,
}

impl fmt::Debug for Document {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Document").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl Document {
    /// Parses `text`, unless it is too much, and then looks whether it is within `limits` and breaks no rule.
    ///
    /// # Errors
    /// `GRAPHQL_PARSE_FAILED`, with at most 20 characters of the text. What else is wrong is told when the document is
    /// asked for its [errors](Document::errors).
    pub(super) fn parse(text: &str, limits: &QueryLimits) -> Result<Self, ServerError> {
        let tokens = tokens::count(text, limits.tokens)?;
        let document = Parser::new().parse_ast(text, "query.graphql");
        let document = document.map_err(|broken| explain(&broken.errors, text))?;
        let mut executable = executable(&document, text);
        let typed = check(&document, &mut executable, limits);
        let compiled = if typed.is_ok() { compile(&executable, tokens) } else { Vec::new() };
        Ok(Self { tokens, bytes: text.len(), executable, typed, compiled })
    }

    /// The operation as it was compiled, if it was.
    pub(super) fn compiled(&self, operation: &Operation) -> Option<&Compiled> {
        let name = operation.name.as_deref();
        self.compiled.iter().find(|(own, _)| own.as_deref() == name).map(|(_, compiled)| compiled)
    }

    /// The bounds that it is above, and the rules that it breaks.
    pub(super) fn errors(&self) -> &[ServerError] {
        self.typed.as_ref().err().map_or(&[], Vec::as_slice)
    }

    /// What it costs with these variables.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn cost(&self, variables: &Variables) -> Result<Cost, Vec<ServerError>> {
        self.typed.as_ref().map(|typed| Cost::of(typed, variables)).map_err(Clone::clone)
    }

    /// Checks the variables of `operation`, and forgets those that it has no use for.
    ///
    /// # Errors
    /// `BAD_USER_INPUT`, with the variable's name.
    pub(super) fn check_variables(
        &self,
        operation: &Operation,
        given: &mut Variables,
    ) -> Result<(), ServerError> {
        let found = self.find(operation.name.as_deref());
        found.map_or(Ok(()), |(_, found)| variables::check(&found.variable_definitions, given))
    }

    /// A copy for the library to execute.
    pub(super) fn executable(&self) -> ExecutableDocument {
        self.executable.clone()
    }

    /// The operation called `name`, or the only one.
    ///
    /// # Errors
    /// `OPERATION_RESOLUTION_FAILURE` if there is no such operation, or more than one.
    pub(super) fn select(&self, name: Option<&str>) -> Result<Operation, ServerError> {
        if let Some((name, operation)) = self.find(name) {
            let writes = match operation.ty {
                OperationType::Query => false,
                OperationType::Mutation => true,
                OperationType::Subscription => subscription::writes(operation),
            };
            return Ok(Operation { name: name.map(str::to_owned), kind: operation.ty, writes });
        }
        let message = match name {
            None if self.executable.operations.iter().len() > 1 => {
                "The document has several operations: say which with `operationName`."
            }
            None => "The document has no operation.",
            Some(_) => "The document has no operation of this name.",
        };
        Err(Code::OperationNotFound.error(message))
    }

    fn find(&self, name: Option<&str>) -> Option<(Option<&str>, &OperationDefinition)> {
        match (&self.executable.operations, name) {
            (DocumentOperations::Single(operation), None) => Some((None, &operation.node)),
            (DocumentOperations::Single(_), Some(_)) => None,
            (DocumentOperations::Multiple(named), None) if named.len() > 1 => None,
            (DocumentOperations::Multiple(named), name) => {
                let mut named = named.iter();
                let (name, operation) =
                    named.find(|(own, _)| name.is_none_or(|name| name == own.as_str()))?;
                Some((Some(name), &operation.node))
            }
        }
    }
}

/// The typed tree, if the document is within its bounds and breaks no rule.
fn check(
    document: &ast::Document,
    executable: &mut ExecutableDocument,
    limits: &QueryLimits,
) -> Result<Valid<TypedDocument>, Vec<ServerError>> {
    size::check(document, limits).map_err(|error| vec![error])?;
    let typed = validation::validate(document, schema())?;
    let operations: Box<dyn Iterator<Item = _>> = match &mut executable.operations {
        DocumentOperations::Single(operation) => Box::new(std::iter::once(operation)),
        DocumentOperations::Multiple(named) => Box::new(named.values_mut()),
    };
    for operation in operations.filter(|operation| operation.node.ty == OperationType::Subscription) {
        subscription::flatten(&mut operation.node, &executable.fragments).map_err(|error| vec![error])?;
    }
    if typed.operations.is_empty() {
        return Err(vec![invalid("The document has no operation.", None)]);
    }
    Ok(typed)
}

/// The operations that can be executed without the library. Each takes about as much memory as the document at most.
fn compile(document: &ExecutableDocument, tokens: u64) -> Vec<(Option<Name>, Compiled)> {
    let size = usize::try_from(tokens).unwrap_or(usize::MAX);
    let operations = document.operations.iter().filter_map(|(name, operation)| {
        Some((name.cloned(), Compiled::new(document, &operation.node, size)?))
    });
    operations.collect()
}

/// Says what is wrong in words of ours: the parser's own are for whoever writes parsers.
fn explain(errors: &DiagnosticList, text: &str) -> ServerError {
    let first = errors.iter().next().map(|error| error.to_json());
    let position = first.and_then(|error| Some(*error.locations.first()?));
    let position = position.map(|at| Pos { line: at.line, column: at.column });
    let message = match position.map(|at| tokens::first(rest_at(text, at))) {
        Some(token) if !token.is_empty() => format!("Syntax error: `{token}` is not expected here."),
        _ => "Syntax error: the document ends too early.".to_owned(),
    };
    error(Code::ParseFailed, message, position)
}

/// The text from a place on, which is counted from 1, in characters.
fn rest_at(text: &str, at: Pos) -> &str {
    let line = text.split_inclusive('\n').take(at.line.saturating_sub(1)).map(str::len).sum();
    let rest = text.get(line..).unwrap_or_default();
    let column = rest.char_indices().nth(at.column.saturating_sub(1));
    column.map_or("", |(column, _)| &rest[column..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(text: &str) -> Document {
        Document::parse(text, &QueryLimits::default()).unwrap()
    }

    #[test]
    fn the_usual_queries_and_subscriptions_are_compiled() {
        let read = |path: &str| {
            std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
        };
        let guide = read("docs/guide.md");
        let blocks =
            guide.split("```graphql\n").skip(1).map(|rest| rest.split("```").next().unwrap().to_owned());
        let examples = ["list-conversations", "send-and-follow", "follow-changes"]
            .map(|name| read(&format!("web/graphiql/src/examples/{name}.graphql")));
        let readme = "subscription ($input: SendMessageInput!) {
            sendMessage(input: $input) { ... on ReplyText { text } ... on ReplyRestarted { attempt } } }";
        let mut count = 0;
        for text in blocks.chain(examples).chain([readme.to_owned()]) {
            let document = document(&text);
            assert!(document.typed.is_ok(), "{text}");
            assert_eq!(document.compiled.is_empty(), text.contains("mutation"), "{text}");
            count += document.compiled.len();
        }
        assert_eq!(count, 11);
    }

    #[test]
    fn errors_are_in_plain_words_and_short() {
        let message = |text: &str| Document::parse(text, &QueryLimits::default()).unwrap_err().message;
        assert_eq!(message("{ a } }"), "Syntax error: `}` is not expected here.");
        assert_eq!(message("{"), "Syntax error: the document ends too early.");
        assert_eq!(message(""), "Syntax error: the document ends too early.");
        assert_eq!(
            message(&format!("{{ a(b: \u{e9}{}) }}", "x".repeat(200))),
            "Syntax error: `\u{e9}` is not expected here."
        );
        assert!(message(&format!("{{ a }} {}", "x".repeat(200))).len() < 80);
        for text in ["{ a }\n{ b }", "fragment F on Viewer { id }", "{ __typename } type T { a: Int }"] {
            let errors = document(text).errors().to_vec();
            assert!(!errors.is_empty() && errors[0].message.len() < 200, "{text}: {errors:?}");
        }
    }

    #[test]
    fn the_wanted_operation_is_found() {
        let name = |text, name| document(text).select(name).map(|operation| operation.name);
        assert_eq!(name("{ a }", None), Ok(None));
        assert_eq!(name("query A { a }", None), Ok(Some("A".to_owned())));
        assert_eq!(name("query A { a } query B { a }", Some("B")), Ok(Some("B".to_owned())));
        assert!(name("{ a }", Some("A")).is_err());
        assert!(name("query A { a } query B { a }", None).is_err());
        assert!(name("query A { a }", Some("B")).is_err());
        assert_eq!(document("mutation { a }").select(None).unwrap().kind, OperationType::Mutation);
    }

    #[test]
    fn what_clients_ask_for_most_is_compiled_and_what_is_unusual_is_not() {
        let is_compiled = |text: &str| {
            let document = document(text);
            assert_eq!(document.errors(), [], "{text}");
            document.select(None).is_ok_and(|operation| document.compiled(&operation).is_some())
        };
        for text in [
            "{ __typename viewer { id changeCursor conversations(first: 5) { nodes { id } } } }",
            "query L($first: Int = 5) { conversations(first: $first, orderBy: PINNED_FIRST) { totalCount edges { cursor node {
              ...C } } pageInfo { hasNextPage endCursor } } } fragment C on Conversation { id title lastMessage { content } }",
            "query O($id: ID!) { conversation(id: $id) { metadata messages(last: 50) { nodes { ...M ...M } } } }
              fragment M on Message { id role status feedback { comment } failure { code } usage { inputTokens }
              parts { __typename ... on TextPart { text } ... on ToolCall { name } } progressCursor }",
            "query M($id: ID!) { message(id: $id) { ... on Node { id } } messages(conversationId: $id) { totalCount } }",
            "{ node(id: 1) { id } }",
            "{ conversations { nodes { lastMessage { siblingCount } } } }",
        ] {
            assert!(is_compiled(text), "{text}");
        }
        let spread = "...A ".repeat(20);
        let wide = format!("{{ viewer {{ {spread} }} }} fragment A on Viewer {{ {} }}", "id ".repeat(5));
        assert!(is_compiled(&wide), "what is merged takes no room");
        let fragment = "fragment A on Conversation { id title createdAt updatedAt pinnedAt state archivedAt deletedAt revision
          metadata messageCount lastMessage { id role status content model metadata position active createdAt } }";
        let roots: Vec<String> =
            (0..40).map(|number| format!("a{number}: conversation(id: 1) {{ ...A }}")).collect();
        let many = format!("{{ {} }} {fragment}", roots.join(" "));
        for text in [
            "{ viewer { quotas { resetsAt } } }",
            "{ conversations { nodes { id @include(if: true) } } }",
            "mutation { createConversation(input: { title: \"a\" }) { __typename } }",
            "{ __schema { queryType { name } } }",
            &many,
        ] {
            assert!(!is_compiled(text), "{text}");
        }
    }

    #[test]
    fn what_is_executed_is_what_the_library_would_have_read() {
        let text = "query Q($a: Int = 7, $b: [String!]! = \"é\") @d(x: $a) {\n  a: node(id: \"\u{1f600} é\", n: -1.5e3) \
                    { ... @skip(if: true)\n{ x: id(o: {a: [1, A, null, true]}) ...F } }\n} # é\n{ é: id }";
        assert!(Document::parse(text, &QueryLimits::default()).is_err(), "names are ASCII");
        let text = text.replace("{ é: id }", "query R { x }");
        let ours = document(&text).executable();
        let library = async_graphql::parser::parse_query(&text).unwrap();
        // All but where selection sets begin, which nobody is told.
        let print = |document: &ExecutableDocument, name| {
            let DocumentOperations::Multiple(operations) = &document.operations else { unreachable!() };
            let text = format!("{:?}", operations[name]);
            let parts = text.split("selection_set: Positioned { pos: ");
            parts.map(|part| part.trim_start_matches(|it| it != ')')).collect::<String>()
        };
        for name in ["Q", "R"] {
            assert_eq!(print(&ours, name), print(&library, name));
        }
    }

    #[test]
    fn escapes_beyond_the_first_plane_are_read() {
        let text = r#"{ node(id: "\u{1F600} \uD83D\uDE00") { id } }"#;
        assert!(document(text).errors().is_empty());
        let executed = format!("{:?}", document(text).executable());
        assert!(executed.contains("\u{1f600} \u{1f600}"), "{executed}");
    }
}
