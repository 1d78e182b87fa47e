//! How to call a provider.

use std::fmt;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::Deserialize;

use crate::options;

/// How to call an OpenAI-compatible provider; [`Options::new`] has defaults that suit most.
#[derive(Args, Clone)]
#[group(skip)]
pub struct Options {
    /// The provider's address: its base with or without `/v1`, or the full path of `/chat/completions`.
    /// `https`, or `http` to this machine.
    #[arg(skip)]
    pub url: String,
    /// The provider's key, sent as a bearer token; local servers need none.
    #[arg(skip)]
    pub key: Option<String>,
    /// The model's name at the provider.
    #[arg(skip)]
    pub model: String,
    /// Allows `http` to other machines, where anybody on the way can read the key and the conversations.
    #[arg(skip)]
    pub allow_plaintext: bool,
    /// A reply may have at most this many tokens. The provider decides unless given.
    #[arg(long = "assistant-max-tokens", env = "CAUSERIE_ASSISTANT_MAX_TOKENS", value_name = "NUMBER")]
    pub max_tokens: Option<u32>,
    /// The field of a request that carries `--assistant-max-tokens`.
    #[arg(
        long = "assistant-max-tokens-field",
        env = "CAUSERIE_ASSISTANT_MAX_TOKENS_FIELD",
        value_name = "FIELD",
        default_value = "max_tokens"
    )]
    pub max_tokens_field: MaxTokensField,
    /// The role under which instructions are sent.
    #[arg(
        long = "assistant-system-role",
        env = "CAUSERIE_ASSISTANT_SYSTEM_ROLE",
        value_name = "ROLE",
        default_value = "system"
    )]
    pub system_role: SystemRole,
    /// Do not ask for the number of tokens used (`stream_options`): some providers, such as Mistral, refuse requests with
    /// that field.
    #[arg(long = "assistant-no-usage", env = "CAUSERIE_ASSISTANT_NO_USAGE")]
    pub no_usage: bool,
    /// Connecting to the provider may take at most this long.
    #[arg(long = "assistant-connect-timeout", env = "CAUSERIE_ASSISTANT_CONNECT_TIMEOUT",
        value_name = "DURATION", default_value = "10s", value_parser = humantime::parse_duration)]
    pub connect_timeout: Duration,
    /// The first token must arrive within this time, counted anew in each try. A busy provider, a model that is being loaded
    /// or one that thinks in silence may need minutes.
    #[arg(long = "assistant-first-token-timeout", env = "CAUSERIE_ASSISTANT_FIRST_TOKEN_TIMEOUT",
        value_name = "DURATION", default_value = "10m", value_parser = humantime::parse_duration)]
    pub first_token_timeout: Duration,
    /// After the first token, the provider may be silent for at most this long.
    #[arg(long = "assistant-idle-timeout", env = "CAUSERIE_ASSISTANT_IDLE_TIMEOUT", value_name = "DURATION",
        default_value = "2m", value_parser = humantime::parse_duration)]
    pub next_token_timeout: Duration,
    /// After the first token: the longest time without an event, whatever keeps the connection alive.
    #[arg(skip = Duration::from_mins(5))]
    pub event_timeout: Duration,
    /// The longest time for the whole reply, tries and pauses included.
    #[arg(skip = Duration::from_mins(30))]
    pub total_timeout: Duration,
    /// Further tries after the first when the provider is overloaded or cannot be reached; only until the
    /// first token, as every token may be billed and shown.
    #[arg(skip = 2_u32)]
    pub max_retries: u32,
    /// The pause before the first retry; it doubles with each, up to 30 s, and is shortened at random by up to half.
    #[arg(skip = Duration::from_millis(500))]
    pub retry_delay: Duration,
    /// The longest pause that a provider may ask for (`Retry-After`). If it asks for more, the reply fails at
    /// once: an earlier try would only be refused.
    #[arg(skip = Duration::from_mins(1))]
    pub max_retry_after: Duration,
}

impl Options {
    /// The defaults for a model of a provider: no key, and `http` to this machine alone.
    pub fn new(url: impl Into<String>, model: impl Into<String>) -> Self {
        Self { url: url.into(), model: model.into(), ..options::defaults() }
    }

    /// Bounds each duration to a year, which no clock overflows.
    pub(super) fn bounded(mut self) -> Self {
        for duration in [
            &mut self.connect_timeout,
            &mut self.first_token_timeout,
            &mut self.next_token_timeout,
            &mut self.event_timeout,
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

/// The role under which instructions are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum SystemRole {
    /// What every provider knows.
    System,
    /// What newer models of OpenAI prefer.
    Developer,
}

/// The field of a request that limits the tokens of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum MaxTokensField {
    /// What most providers know.
    MaxTokens,
    /// What the reasoning models of OpenAI insist on.
    MaxCompletionTokens,
}
