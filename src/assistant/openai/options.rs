//! How to call a provider.

use std::fmt;
use std::time::Duration;

/// How to call an OpenAI-compatible provider; [`Options::new`] has defaults that suit most.
#[derive(Clone)]
pub struct Options {
    /// The provider's address: its base with or without `/v1`, or the full path of `/chat/completions`.
    /// `https`, or `http` to this machine.
    pub url: String,
    /// The provider's key, sent as a bearer token; local servers need none.
    pub key: Option<String>,
    /// The model's name at the provider.
    pub model: String,
    /// Allows `http` to other machines, where anybody on the way can read the key and the conversations.
    pub allow_plaintext: bool,
    /// The role under which the system prompt is sent.
    pub system_role: SystemRole,
    /// The most tokens that a reply may have; the provider decides if `None`.
    pub max_tokens: Option<u32>,
    /// The request's field for `max_tokens`.
    pub max_tokens_field: MaxTokensField,
    /// Asks for the tokens used (`stream_options`). Turn it off for providers that refuse unknown fields,
    /// such as Mistral.
    pub ask_for_usage: bool,
    /// The longest wait for a connection.
    pub connect_timeout: Duration,
    /// The longest wait for the first token, counted anew in each try. A busy provider, a model that is being
    /// loaded or one that thinks in silence may well need minutes.
    pub first_token_timeout: Duration,
    /// After the first token: the longest time without a single byte.
    pub idle_timeout: Duration,
    /// After the first token: the longest time without an event, whatever keeps the connection alive.
    pub silence_timeout: Duration,
    /// The longest time for the whole reply, tries and pauses included.
    pub total_timeout: Duration,
    /// Further tries after the first when the provider is overloaded or cannot be reached; only until the
    /// first token, as every token may be billed and shown.
    pub max_retries: u32,
    /// The pause before the first retry; it doubles with each, up to 30 s, and is shortened at random by up to half.
    pub retry_delay: Duration,
    /// The longest pause that a provider may ask for (`Retry-After`). If it asks for more, the reply fails at
    /// once: an earlier try would only be refused.
    pub max_retry_after: Duration,
}

impl Options {
    /// The defaults: no key; 10 s to connect, 10 min to the first token, then 2 min idle and 5 min silent,
    /// 30 min in all; 2 retries, the first after half a second, pauses of up to a minute.
    pub fn new(url: impl Into<String>, model: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            key: None,
            model: model.into(),
            allow_plaintext: false,
            system_role: SystemRole::System,
            max_tokens: None,
            max_tokens_field: MaxTokensField::MaxTokens,
            ask_for_usage: true,
            connect_timeout: Duration::from_secs(10),
            first_token_timeout: Duration::from_mins(10),
            idle_timeout: Duration::from_mins(2),
            silence_timeout: Duration::from_mins(5),
            total_timeout: Duration::from_mins(30),
            max_retries: 2,
            retry_delay: Duration::from_millis(500),
            max_retry_after: Duration::from_mins(1),
        }
    }

    /// Bounds each duration to a year, which no clock overflows.
    pub(super) fn bounded(mut self) -> Self {
        for duration in [
            &mut self.connect_timeout,
            &mut self.first_token_timeout,
            &mut self.idle_timeout,
            &mut self.silence_timeout,
            &mut self.total_timeout,
            &mut self.retry_delay,
            &mut self.max_retry_after,
        ] {
            *duration = (*duration).min(Duration::from_hours(365 * 24));
        }
        self
    }
}

impl fmt::Debug for Options {
    /// Leaves out the key, and the address, whose query may hold another.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("key", &self.key.as_ref().map(|_| "[redacted]"))
            .field("model", &self.model)
            .field("system_role", &self.system_role)
            .field("max_tokens", &self.max_tokens)
            .field("max_retries", &self.max_retries)
            .finish_non_exhaustive()
    }
}

/// The role under which the system prompt is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SystemRole {
    /// `system`, which every provider knows.
    #[default]
    System,
    /// `developer`, as newer models of OpenAI call it.
    Developer,
}

/// The request's field that limits the tokens of a reply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MaxTokensField {
    /// `max_tokens`, which most providers know.
    #[default]
    MaxTokens,
    /// `max_completion_tokens`, which the reasoning models of OpenAI ask for.
    MaxCompletionTokens,
}
