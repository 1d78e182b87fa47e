//! Which media types go in and out.

use async_graphql::parser::types::OperationType;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

use super::framing::Framing;
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

/// The form in which an operation is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// One answer, of this type.
    Single(MediaType),
    /// Any number of answers, told apart like this.
    Stream(Framing),
}

/// How well the client likes each media type, in thousandths. At least one of them is above 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Accepted {
    json: u16,
    graphql: u16,
    events: u16,
    multipart: u16,
    /// Whether the newer type is named before the older one.
    prefers_graphql: bool,
}

/// What the client accepts; `application/json` when it does not say.
pub(super) fn accepted(headers: &HeaderMap) -> Result<Accepted, Response> {
    let accept: Vec<&str> =
        headers.get_all(ACCEPT).iter().map(|value| value.to_str().unwrap_or_default()).collect();
    Accepted::read(&accept.join(",")).ok_or_else(|| {
        let message = "Answers are application/json, application/graphql-response+json, text/event-stream or \
                       multipart/mixed;subscriptionSpec=1.0.";
        problem(Code::NotAcceptable, message)
    })
}

/// Whether the client likes server-sent events better than JSON.
pub(in crate::http) fn prefers_events(headers: &HeaderMap) -> bool {
    accepted(headers)
        .is_ok_and(|accepted| accepted.form(OperationType::Query) == Form::Stream(Framing::Events))
}

impl Accepted {
    fn read(accept: &str) -> Option<Self> {
        if accept.trim().is_empty() {
            return Some(Self { json: 1000, graphql: 0, events: 0, multipart: 0, prefers_graphql: false });
        }
        let ranges: Vec<MediaRange> = accept.split(',').filter_map(MediaRange::read).collect();
        // The most specific range that fits a type says how well it is liked.
        let quality = |wanted: &str| {
            let any = wanted.split_once('/').map_or("", |(kind, _)| kind);
            let fitting = ranges.iter().filter_map(|range| {
                let specificity = match range.name.split_once('/') {
                    Some(("*", "*")) => 0,
                    Some((kind, "*")) if kind == any => 1,
                    _ if range.name == wanted => 2,
                    _ => return None,
                };
                Some((specificity, range.quality))
            });
            fitting.max_by_key(|(specificity, _)| *specificity).map_or(0, |(_, quality)| quality)
        };
        // The same type means other things as well: its protocol must be named.
        let multipart = ranges.iter().filter(|range| range.is_subscription);
        let mut named = ranges.iter().filter(|range| range.names_application());
        let accepted = Self {
            json: quality("application/json"),
            graphql: quality("application/graphql-response+json"),
            events: quality("text/event-stream"),
            multipart: multipart.map(|range| range.quality).max().unwrap_or(0),
            prefers_graphql: named.next().is_some_and(|range| range.name.ends_with("/graphql-response+json")),
        };
        (accepted.json.max(accepted.graphql).max(accepted.stream()) > 0).then_some(accepted)
    }

    fn stream(self) -> u16 {
        self.events.max(self.multipart)
    }

    /// The form of the answer to an operation. Subscriptions are streamed whenever the client takes streams at all; everything
    /// else as events, only if the client likes them best.
    pub(super) fn form(self, kind: OperationType) -> Form {
        let best = self.json.max(self.graphql);
        if kind == OperationType::Subscription && self.stream() > 0 {
            // Who names Apollo's protocol knows no other one.
            let multipart = self.multipart > 0 && self.multipart >= self.events;
            return Form::Stream(if multipart { Framing::Multipart } else { Framing::Events });
        }
        if self.events > best {
            return Form::Stream(Framing::Events);
        }
        // Named at the same quality, the newer type is the one that the client went out of its way to name.
        let graphql = self.graphql > self.json || (self.graphql == self.json && self.prefers_graphql);
        Form::Single(if graphql { MediaType::GraphqlResponse } else { MediaType::Json })
    }
}

/// One of the types, or kinds of types, that a client names.
struct MediaRange {
    /// In lower case, without its parameters.
    name: String,
    /// In thousandths.
    quality: u16,
    /// Whether it is Apollo's protocol for subscriptions.
    is_subscription: bool,
}

impl MediaRange {
    fn read(text: &str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let name = parts.next().filter(|range| range.contains('/'))?.to_ascii_lowercase();
        let (mut quality, mut is_subscription) = (1000, false);
        for parameter in parts {
            let Some((parameter, value)) = parameter.split_once('=') else { continue };
            let value = value.trim();
            match parameter.trim().to_ascii_lowercase().as_str() {
                "q" => quality = read_quality(value)?,
                "charset" if !is_utf8(value) => return None,
                "subscriptionspec" => {
                    is_subscription = name == "multipart/mixed" && value.trim_matches('"') == "1.0";
                }
                _ => {}
            }
        }
        Some(Self { name, quality, is_subscription })
    }

    fn names_application(&self) -> bool {
        self.name.starts_with("application/") && !self.name.ends_with("/*")
    }
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
            ("multipart/mixed;subscriptionSpec=1.0", Some(Json)),
            ("multipart/mixed", None),
            ("multipart/mixed;deferSpec=20220824", None),
            ("multipart/mixed;subscriptionSpec=2.0", None),
            ("multipart/mixed;subscriptionSpec=1.0;q=0", None),
            ("text/html", None),
            ("application/json;q=0", None),
            ("application/json;q=7", None),
            ("application/json; charset=latin1", None),
            ("nonsense", None),
        ];
        for (accept, expected) in cases {
            let chosen = Accepted::read(accept).map(|accepted| accepted.form(OperationType::Query));
            assert_eq!(chosen, expected.map(Form::Single), "{accept}");
        }
    }

    #[test]
    fn subscriptions_are_streamed() {
        use Framing::{Events, Multipart};
        let framing = |accept, kind| match Accepted::read(accept).unwrap().form(kind) {
            Form::Stream(framing) => Some(framing),
            Form::Single(_) => None,
        };
        let cases = [
            ("text/event-stream", Some(Events), Some(Events)),
            ("application/json, text/event-stream;q=0.5", None, Some(Events)),
            ("application/json;q=0.5, text/event-stream", Some(Events), Some(Events)),
            ("application/graphql-response+json, application/json, text/event-stream", None, Some(Events)),
            ("*/*", None, Some(Events)),
            ("application/json, text/event-stream;q=0", None, None),
            ("", None, None),
            // What Apollo Client sends, and what its documentation says.
            (
                "multipart/mixed;boundary=graphql;subscriptionSpec=1.0,application/graphql-response+json,\
                 application/json;q=0.9",
                None,
                Some(Multipart),
            ),
            (
                "multipart/mixed; boundary=\"graphql\"; subscriptionSpec=\"1.0\", application/json",
                None,
                Some(Multipart),
            ),
            ("application/json, multipart/mixed;subscriptionSpec=1.0;q=0.1", None, Some(Multipart)),
            ("multipart/mixed;subscriptionSpec=1.0, */*", None, Some(Multipart)),
            ("multipart/mixed;subscriptionSpec=1.0;q=0.5, text/event-stream", Some(Events), Some(Events)),
        ];
        for (accept, query, subscription) in cases {
            assert_eq!(framing(accept, OperationType::Query), query, "{accept}");
            assert_eq!(framing(accept, OperationType::Subscription), subscription, "{accept}");
        }
    }
}
