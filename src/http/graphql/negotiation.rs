//! Which media types go in and out.

use async_graphql::parser::types::OperationType;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

use crate::error::Code;
use crate::http::problem::problem;

/// The media type of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MediaType {
    /// `application/json`: what clients of before the specification expect; its status is 200 for any answer to
    /// a well-formed request.
    Json,
    /// `application/graphql-response+json`: its status tells a request that was refused from one that was run.
    GraphqlResponse,
}

impl MediaType {
    /// The value of `Content-Type`.
    pub(super) fn header(self) -> &'static str {
        match self {
            Self::Json => "application/json; charset=utf-8",
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
        }
    }
}

/// How well the client likes each media type, in thousandths. At least one of them is above 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Accepted {
    json: u16,
    graphql: u16,
    events: u16,
    /// Whether the newer type is named before the older one.
    prefers_graphql: bool,
}

/// What the client accepts; `application/json` when it does not say.
pub(super) fn accepted(headers: &HeaderMap) -> Result<Accepted, Response> {
    let accept: Vec<&str> =
        headers.get_all(ACCEPT).iter().map(|value| value.to_str().unwrap_or_default()).collect();
    Accepted::read(&accept.join(",")).ok_or_else(|| {
        let message = "`Accept` names no type that this server returns: application/json, application/graphql-response+json or text/event-stream.";
        problem(Code::NotAcceptable, message)
    })
}

impl Accepted {
    fn read(accept: &str) -> Option<Self> {
        if accept.trim().is_empty() {
            return Some(Self { json: 1000, graphql: 0, events: 0, prefers_graphql: false });
        }
        // The most specific range that fits a type says how well it is liked.
        let quality = |wanted: &str| {
            let any = wanted.split_once('/').map_or("", |(kind, _)| kind);
            let ranges = accept.split(',').filter_map(read_range);
            let fitting = ranges.filter_map(|(range, quality)| {
                let specificity = match range.split_once('/') {
                    Some(("*", "*")) => 0,
                    Some((kind, "*")) if kind == any => 1,
                    _ if range == wanted => 2,
                    _ => return None,
                };
                Some((specificity, quality))
            });
            fitting.max_by_key(|(specificity, _)| *specificity).map_or(0, |(_, quality)| quality)
        };
        let accepted = Self {
            json: quality("application/json"),
            graphql: quality("application/graphql-response+json"),
            events: quality("text/event-stream"),
            prefers_graphql: names_graphql_response(accept),
        };
        (accepted.json > 0 || accepted.graphql > 0 || accepted.events > 0).then_some(accepted)
    }

    /// The media type for the answer to an operation; `None` for a stream of events. Subscriptions are streamed
    /// whenever the client takes streams at all, everything else only if it likes them best.
    pub(super) fn media_type(self, kind: OperationType) -> Option<MediaType> {
        let best = self.json.max(self.graphql);
        if self.events > best || (kind == OperationType::Subscription && self.events > 0) {
            return None;
        }
        // Named at the same quality, the newer type is the one that the client went out of its way to name.
        let graphql = self.graphql > self.json || (self.graphql == self.json && self.prefers_graphql);
        Some(if graphql { MediaType::GraphqlResponse } else { MediaType::Json })
    }
}

fn names_graphql_response(accept: &str) -> bool {
    let mut ranges = accept.split(',').filter_map(read_range).map(|(range, _)| range);
    ranges.find(|range| range.starts_with("application/") && !range.ends_with("/*"))
        == Some("application/graphql-response+json".to_owned())
}

/// A media range in lower case, without its parameters, and its quality in thousandths.
fn read_range(text: &str) -> Option<(String, u16)> {
    let mut parts = text.split(';').map(str::trim);
    let range = parts.next().filter(|range| range.contains('/'))?.to_ascii_lowercase();
    let mut quality = 1000;
    for parameter in parts {
        let Some((name, value)) = parameter.split_once('=') else { continue };
        match name.trim().to_ascii_lowercase().as_str() {
            "q" => quality = read_quality(value.trim())?,
            "charset" if !is_utf8(value) => return None,
            _ => {}
        }
    }
    Some((range, quality))
}

/// `0`, `0.5`, `1.000`: a number from 0 to 1 of at most three decimals, in thousandths.
fn read_quality(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !matches!(whole, "0" | "1") || decimals.len() > 3 || !digits(decimals) {
        return None;
    }
    let thousandths = format!("{whole}{decimals:0<3}").parse::<u16>().ok()?;
    (thousandths <= 1000).then_some(thousandths)
}

/// Checks that the body is JSON in UTF-8, as it is. This is also what keeps other sites' forms out: a browser asks before
/// it sends `application/json` across sites.
pub(in crate::http) fn check_content_type(headers: &HeaderMap) -> Result<(), Response> {
    let text = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut parts = text.split(';').map(str::trim);
    let is_json = parts.next().is_some_and(|range| range.eq_ignore_ascii_case("application/json"));
    let charset = parts
        .filter_map(|parameter| parameter.split_once('='))
        .find_map(|(name, value)| name.trim().eq_ignore_ascii_case("charset").then_some(value));
    let refuse = |message| problem(Code::UnsupportedMediaType, message);
    if !is_json || charset.is_some_and(|charset| !is_utf8(charset)) {
        return Err(refuse("Send a body of the type application/json, in UTF-8."));
    }
    if is_encoded(headers) {
        let refusal = refuse("Send the body as it is, neither compressed nor encoded otherwise.");
        return Err(([(ACCEPT_ENCODING, "identity")], refusal).into_response());
    }
    Ok(())
}

fn is_encoded(headers: &HeaderMap) -> bool {
    let values = headers.get_all(CONTENT_ENCODING).iter();
    let encodings = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    encodings.map(<[u8]>::trim_ascii).any(|it| !it.is_empty() && !it.eq_ignore_ascii_case(b"identity"))
}

fn is_utf8(charset: &str) -> bool {
    let charset = charset.trim().trim_matches('"');
    charset.eq_ignore_ascii_case("utf-8") || charset.eq_ignore_ascii_case("utf8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_gets_what_it_likes_best() {
        use MediaType::{GraphqlResponse, Json};
        let cases = [
            ("", Some(Json)),
            ("*/*", Some(Json)),
            ("application/*", Some(Json)),
            ("application/json", Some(Json)),
            ("APPLICATION/JSON; charset=utf-8", Some(Json)),
            ("application/graphql-response+json", Some(GraphqlResponse)),
            ("application/graphql-response+json, application/json;q=0.9", Some(GraphqlResponse)),
            ("application/graphql-response+json, application/json", Some(GraphqlResponse)),
            ("application/json, application/graphql-response+json", Some(Json)),
            ("application/json;q=0.5, application/graphql-response+json;q=0.6", Some(GraphqlResponse)),
            ("application/json;q=0, */*", Some(GraphqlResponse)),
            ("application/graphql-response+json;q=0.1, application/json;q=1.0", Some(Json)),
            ("text/html", None),
            ("application/json;q=0", None),
            ("application/json;q=7", None),
            ("application/json; charset=latin1", None),
            ("nonsense", None),
        ];
        for (accept, expected) in cases {
            let chosen = Accepted::read(accept).map(|accepted| accepted.media_type(OperationType::Query));
            assert_eq!(chosen, expected.map(Some), "{accept}");
        }
    }

    #[test]
    fn subscriptions_are_streamed() {
        let chosen = |accept| {
            let accepted = Accepted::read(accept).unwrap();
            let is_stream = |kind| accepted.media_type(kind).is_none();
            (is_stream(OperationType::Query), is_stream(OperationType::Subscription))
        };
        assert_eq!(chosen("text/event-stream"), (true, true));
        assert_eq!(chosen("application/json, text/event-stream;q=0.5"), (false, true));
        assert_eq!(chosen("application/json;q=0.5, text/event-stream"), (true, true));
        assert_eq!(
            chosen("application/graphql-response+json, application/json, text/event-stream"),
            (false, true)
        );
        assert_eq!(chosen("*/*"), (false, true));
        assert_eq!(chosen("application/json, text/event-stream;q=0"), (false, false));
        assert_eq!(chosen(""), (false, false));
    }
}
