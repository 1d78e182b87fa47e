//! Errors as providers report them, in statuses, bodies and events, and what to make of them.

use std::time::Duration;

use serde_json::Value;

use crate::assistant::{Failure, FailureCode};

/// Why one try failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TryError {
    pub(super) failure: Failure,
    pub(super) retry: Retry,
    /// What the provider reported, for the log of a developer.
    pub(super) details: Option<String>,
}

/// Whether another try makes sense within the same attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Retry {
    Never,
    /// After the pause that the provider asks for, if it does.
    After(Option<Duration>),
}

impl TryError {
    pub(super) fn new(code: FailureCode, retryable: bool, message: impl Into<String>) -> Self {
        Self {
            failure: Failure { code, message: message.into(), retryable },
            retry: Retry::Never,
            details: None,
        }
    }

    pub(super) fn unavailable(message: &str) -> Self {
        Self::new(FailureCode::AssistantUnavailable, true, message).with_retry()
    }

    /// Lets the provider be asked again, unless something has been shown.
    pub(super) fn with_retry(self) -> Self {
        Self { retry: Retry::After(None), ..self }
    }
}

/// An error as a provider reports it. Its text is the provider's: it is never shown.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct ProviderError {
    status: Option<u16>,
    /// Codes and types, in lower case.
    codes: String,
    message: String,
}

impl ProviderError {
    /// Reads a response whose status is an error.
    pub(super) fn from_response(status: u16, body: &[u8]) -> Self {
        let report = match serde_json::from_slice::<Value>(body) {
            Ok(value) => Self::from_json(&value),
            Err(_) => Self::from_text(&String::from_utf8_lossy(body)),
        };
        Self { status: Some(status), ..report }
    }

    /// Reads an event that is known to be an error.
    pub(super) fn from_event(data: &str) -> Self {
        serde_json::from_str::<Value>(data)
            .map_or_else(|_| Self::from_text(data), |value| Self::from_json(&value))
    }

    /// Looks for an error in what should be a chunk.
    pub(super) fn find(value: &Value) -> Option<Self> {
        let error = &value["error"];
        let none = error.is_null()
            || *error == Value::Bool(false)
            || error.as_str().is_some_and(str::is_empty)
            || error.as_object().is_some_and(serde_json::Map::is_empty);
        (!none || value["object"] == "error").then(|| Self::from_json(value))
    }

    /// What to make of it.
    pub(super) fn to_try_error(&self) -> TryError {
        TryError { details: Some(format!("{} {}", self.codes, self.message)), ..self.classify() }
    }

    fn classify(&self) -> TryError {
        use FailureCode::{
            AssistantRateLimited, AssistantRejected, AssistantTimeout, AssistantUnavailable, ContentFiltered,
            ContextTooLong,
        };
        let has = |codes: &[&str]| codes.iter().any(|code| self.codes.contains(code));
        let status = self.status.unwrap_or(0);
        let number = if status == 0 { String::new() } else { format!(" (HTTP status {status})") };
        if self.is_context_overflow() {
            return TryError::new(
                ContextTooLong,
                false,
                "The conversation is longer than the assistant can read.",
            );
        }
        if has(&["content_filter", "content_policy"]) {
            let message = "The content filter of the assistant's provider refused the conversation.";
            return TryError::new(ContentFiltered, false, message);
        }
        if status == 402
            || has(&["insufficient_quota", "insufficient_credit", "insufficient_balance", "billing"])
        {
            let message = format!("The account at the assistant's provider has no credit left{number}.");
            return TryError::new(AssistantRejected, false, message);
        }
        let rejected = |why: &str| TryError::new(AssistantRejected, false, format!("{why}{number}."));
        match status {
            401 | 403 => rejected("The assistant's provider refused this server's key"),
            404 => rejected("The assistant's provider does not know the model or the address"),
            429 => TryError::new(
                AssistantRateLimited,
                true,
                format!("The assistant's provider is rate limiting requests{number}."),
            )
            .with_retry(),
            408 | 504 | 524 => TryError::new(
                AssistantTimeout,
                true,
                format!("The assistant took too long to answer{number}."),
            )
            .with_retry(),
            409 | 500.. => {
                let message =
                    format!("The assistant's provider reported an internal error or is overloaded{number}.");
                TryError::new(AssistantUnavailable, true, message).with_retry()
            }
            300..400 => rejected("The assistant's address answered with a redirect, which is not followed"),
            400.. => rejected("The assistant's provider refused the request"),
            _ if has(&["rate_limit", "ratelimit", "too_many_requests", "throttl"]) => TryError::new(
                AssistantRateLimited,
                true,
                "The assistant's provider is rate limiting requests.",
            )
            .with_retry(),
            _ if has(&["invalid_request", "authentication", "permission", "not_found"]) => {
                rejected("The assistant's provider refused the request")
            }
            _ => TryError::new(AssistantUnavailable, true, "The assistant reported an error.").with_retry(),
        }
    }

    fn is_context_overflow(&self) -> bool {
        if matches!(self.status, Some(401 | 403 | 404 | 429)) {
            return false;
        }
        let message = self.message.to_lowercase();
        self.status == Some(413)
            || ["context_length", "context_size", "context_window"]
                .iter()
                .any(|code| self.codes.contains(code))
            || ["context length", "context size", "context window", "prompt is too long", "input is too long"]
                .iter()
                .any(|words| message.contains(words))
    }

    fn from_text(text: &str) -> Self {
        Self { status: None, codes: String::new(), message: text.trim().to_owned() }
    }

    fn from_json(value: &Value) -> Self {
        // Gemini wraps its errors in a list.
        let value = value.get(0).unwrap_or(value);
        let error = if value["error"].is_null() { value } else { &value["error"] };
        let codes: Vec<String> =
            [&error["code"], &error["type"], &error["status"], &value["code"], &value["type"]]
                .into_iter()
                .filter(|code| code.is_string() || code.is_number())
                .map(|code| code.as_str().map_or_else(|| code.to_string(), str::to_lowercase))
                .collect();
        let status =
            codes.iter().filter_map(|code| code.parse().ok()).find(|status| (400..600).contains(status));
        let message = [&error["message"], &error["detail"], &error["details"], error]
            .into_iter()
            .find(|message| !message.is_null())
            .map(|message| message.as_str().map_or_else(|| message.to_string(), str::to_owned));
        Self { status, codes: codes.join(" "), message: message.unwrap_or_default() }
    }
}

#[cfg(test)]
mod tests {
    use super::FailureCode::{
        AssistantRateLimited, AssistantRejected, AssistantTimeout, AssistantUnavailable, ContentFiltered,
        ContextTooLong,
    };
    use super::*;

    #[test]
    fn responses_are_classified_by_status_and_code() {
        for (status, body, code, again) in [
            (
                401,
                r#"{"error":{"message":"Incorrect API key","type":"invalid_request_error","code":"invalid_api_key"}}"#,
                AssistantRejected,
                false,
            ),
            (402, r#"{"error":{"code":402,"message":"Insufficient credits"}}"#, AssistantRejected, false),
            (403, "<html>Forbidden</html>", AssistantRejected, false),
            (404, r#"{"object":"error","message":"no such model","code":404}"#, AssistantRejected, false),
            (400, r#"{"error":{"message":"bad","code":null,"param":null}}"#, AssistantRejected, false),
            (
                422,
                r#"{"object":"error","message":{"detail":[{"msg":"extra fields"}]}}"#,
                AssistantRejected,
                false,
            ),
            (422, r#"{"detail":[{"loc":["body"],"msg":"field required"}]}"#, AssistantRejected, false),
            (307, "", AssistantRejected, false),
            (429, r#"{"error":"slow down"}"#, AssistantRateLimited, true),
            (
                429,
                r#"{"error":{"code":"insufficient_quota","type":"insufficient_quota"}}"#,
                AssistantRejected,
                false,
            ),
            (
                429,
                r#"{"error":{"code":"rate_limit_exceeded","message":"Request too large: prompt is too long"}}"#,
                AssistantRateLimited,
                true,
            ),
            (408, "", AssistantTimeout, true),
            (504, "<html>Gateway Timeout</html>", AssistantTimeout, true),
            (409, "", AssistantUnavailable, true),
            (500, r#"{"detail":"oops"}"#, AssistantUnavailable, true),
            (529, r#"{"error":{"type":"overloaded_error"}}"#, AssistantUnavailable, true),
            (400, r#"{"error":{"code":"context_length_exceeded"}}"#, ContextTooLong, false),
            (
                400,
                r#"{"error":{"code":400,"type":"exceed_context_size_error","message":"x"}}"#,
                ContextTooLong,
                false,
            ),
            (
                400,
                r#"{"object":"error","message":"This model's maximum context length is 10 tokens."}"#,
                ContextTooLong,
                false,
            ),
            (413, "", ContextTooLong, false),
            (400, r#"{"error":{"code":"content_filter","status":400}}"#, ContentFiltered, false),
            (
                400,
                r#"[{"error":{"code":400,"message":"the context window is full"}}]"#,
                ContextTooLong,
                false,
            ),
        ] {
            let error = ProviderError::from_response(status, body.as_bytes()).to_try_error();
            let retry = if again { Retry::After(None) } else { Retry::Never };
            assert_eq!(
                (error.failure.code, error.failure.retryable, error.retry),
                (code, again, retry),
                "{status} {body}"
            );
        }
    }

    #[test]
    fn events_are_classified_by_code() {
        for (data, code, again) in [
            (r#"{"error":{"message":"x","type":"server_error"}}"#, AssistantUnavailable, true),
            (r#"{"error":{"message":"x","code":502}}"#, AssistantUnavailable, true),
            (r#"{"error":{"message":"x","code":"429"}}"#, AssistantRateLimited, true),
            (r#"{"error":{"message":"x","type":"rate_limit_error"}}"#, AssistantRateLimited, true),
            (r#"{"error":{"message":"x","type":"invalid_request_error"}}"#, AssistantRejected, false),
            (r#"{"error":{"code":"context_length_exceeded"}}"#, ContextTooLong, false),
            (r#"{"error":"something broke"}"#, AssistantUnavailable, true),
            (r#"{"object":"error","message":"x","code":400}"#, AssistantRejected, false),
            (r#"{"code":500,"details":"x"}"#, AssistantUnavailable, true),
            ("not JSON", AssistantUnavailable, true),
        ] {
            let error = ProviderError::from_event(data).to_try_error();
            assert_eq!((error.failure.code, error.failure.retryable), (code, again), "{data}");
        }
    }

    #[test]
    fn chunks_without_an_error_are_not_taken_for_one() {
        for chunk in [
            "{}",
            r#"{"error":null}"#,
            r#"{"error":""}"#,
            r#"{"error":{}}"#,
            r#"{"error":false}"#,
            r#"{"object":"chat.completion.chunk"}"#,
            "1",
            "[]",
        ] {
            let value = serde_json::from_str(chunk).expect("JSON");
            assert!(ProviderError::find(&value).is_none(), "{chunk}");
        }
    }

    #[test]
    fn what_the_provider_reported_is_not_shown() {
        for status in [307, 400, 401, 402, 404, 408, 413, 422, 429, 500] {
            let error =
                ProviderError::from_response(status, br#"{"error":{"message":"sk-secret at https://x"}}"#)
                    .to_try_error();
            assert!(!error.failure.message.contains("secret"), "{}", error.failure.message);
            assert!(error.failure.message.ends_with('.'), "{}", error.failure.message);
        }
    }
}
