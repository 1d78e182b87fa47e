//! An assistant in the file.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Deserializer, de};
use uuid::Uuid;

use super::Common;
use crate::assistant::openai::{self, MaxTokensField, SystemRole};
use crate::assistant::profile::CONTEXT_TOKENS;
use crate::assistant::range::Range;
use crate::assistant::{Assistant, Echo, OpenAi, Profile, Settable};
use crate::options::read_secret;
use crate::usage::Price;

/// How many characters an id has at most.
const ID_CHARS: usize = 64;

/// How many words for efforts, and plans, an assistant may have.
const MAX_WORDS: usize = 32;

/// How many characters a name, a description and other words have at most.
const NAME_CHARS: usize = 100;
const DESCRIPTION_CHARS: usize = 1000;

/// One `[[assistant]]`. What is a flag without a file is a key here.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    pub(super) id: String,
    pub(super) replaced_by: Option<String>,
    name: Option<String>,
    description: Option<String>,
    url: Option<String>,
    key_env: Option<String>,
    key_file: Option<PathBuf>,
    model: Option<String>,
    instructions: Option<String>,
    plans: Option<Vec<String>>,
    context_tokens: Option<u32>,
    #[serde(default)]
    no_reasoning: bool,
    temperature: Option<Range<f64>>,
    top_p: Option<Range<f64>>,
    max_tokens: Option<Range<i32>>,
    #[serde(default)]
    reasoning_efforts: Vec<String>,
    price: Option<Price>,
    max_tokens_field: Option<MaxTokensField>,
    system_role: Option<SystemRole>,
    #[serde(default)]
    no_usage: bool,
    #[serde(default, deserialize_with = "duration")]
    connect_timeout: Option<Duration>,
    #[serde(default, deserialize_with = "duration")]
    first_token_timeout: Option<Duration>,
    #[serde(default, deserialize_with = "duration")]
    idle_timeout: Option<Duration>,
    #[serde(default, deserialize_with = "duration")]
    echo_delay: Option<Duration>,
}

fn duration<'d, D: Deserializer<'d>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(deserializer)?;
    humantime::parse_duration(&text).map(Some).map_err(de::Error::custom)
}

impl Entry {
    /// The error about this assistant.
    pub(super) fn wrong(&self, error: &str) -> String {
        format!("the assistant `{}`: {error}", self.id)
    }

    /// Checks that the id is one, and no other object's either: those have UUIDs.
    pub(super) fn check_id(&self) -> Result<(), String> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let id = &self.id;
        if id.is_empty() || id.len() > ID_CHARS || !id.bytes().all(allowed) || Uuid::try_parse(id).is_ok() {
            return Err(format!(
                "the id `{}` must have 1 to {ID_CHARS} characters, a to z, 0 to 9 and `-`, and be no UUID",
                id.escape_debug()
            ));
        }
        Ok(())
    }

    /// Checks that one that was replaced says nothing else: nothing of it would hold.
    pub(super) fn check_replaced(&self) -> Result<(), String> {
        let is_other = self.url.is_some() || self.model.is_some() || self.instructions.is_some();
        if is_other || self.plans.is_some() || self.price.is_some() || self.name.is_some() {
            return Err(self.wrong("it is replaced, and needs nothing but `id` and `replaced_by`"));
        }
        Ok(())
    }

    /// Who makes titles in its place.
    pub(super) fn title_writer(&self, common: Common) -> Result<Arc<dyn Assistant>, String> {
        self.writer(|options| common.of_titles(options))
    }

    /// Who writes, with what is common to all `options`.
    fn writer(
        &self,
        options: impl FnOnce(openai::Options) -> openai::Options,
    ) -> Result<Arc<dyn Assistant>, String> {
        let url = self.url.as_deref().ok_or("it needs a `url`, or `url = \"echo\"`")?;
        if url == "echo" {
            return Ok(Arc::new(Echo::new(self.echo_delay.unwrap_or_default())));
        }
        let model = self.model.as_deref().ok_or("it needs a `model`")?;
        let usual = openai::Options::new(url, model);
        Ok(Arc::new(OpenAi::new(options(openai::Options {
            key: self.key()?,
            max_tokens_field: self.max_tokens_field.unwrap_or(usual.max_tokens_field),
            system_role: self.system_role.unwrap_or(usual.system_role),
            no_usage: self.no_usage,
            connect_timeout: self.connect_timeout.unwrap_or(usual.connect_timeout),
            first_token_timeout: self.first_token_timeout.unwrap_or(usual.first_token_timeout),
            next_token_timeout: self.idle_timeout.unwrap_or(usual.next_token_timeout),
            ..usual
        }))?))
    }

    fn key(&self) -> Result<Option<String>, String> {
        match (&self.key_env, &self.key_file) {
            (Some(_), Some(_)) => Err("`key_env` and `key_file` exclude each other".to_owned()),
            (Some(name), None) => match std::env::var(name) {
                Ok(key) if !key.trim().is_empty() => Ok(Some(key)),
                _ => Err(format!("the environment variable `{name}`, its `key_env`, is not set")),
            },
            (None, Some(path)) => read_secret("key_file", path, |key| Ok(key.to_owned())).map(Some),
            (None, None) => Ok(None),
        }
    }

    /// The assistant that it describes.
    pub(super) fn into_profile(self, common: Common) -> Result<Profile, String> {
        self.check(common).map_err(|error| self.wrong(&error))?;
        let writer = self.writer(|options| openai::Options {
            total_timeout: common.timeout,
            allow_plaintext: common.allow_plaintext,
            ..options
        });
        let writer = writer.map_err(|error| self.wrong(&error))?;
        Ok(Profile {
            name: self.name.unwrap_or_else(|| self.id.clone()),
            description: self.description,
            plans: self.plans,
            instructions: self.instructions,
            context_tokens: self.context_tokens.unwrap_or(CONTEXT_TOKENS),
            no_reasoning: self.no_reasoning,
            settable: Settable {
                temperature: self.temperature,
                top_p: self.top_p,
                max_tokens: self.max_tokens,
                reasoning_efforts: self.reasoning_efforts,
            },
            price: self.price,
            writer,
            id: self.id,
        })
    }

    fn check(&self, common: Common) -> Result<(), String> {
        let ranges = [("temperature", self.temperature), ("top_p", self.top_p)];
        for (name, range) in ranges.into_iter().filter_map(|(name, range)| Some((name, range?))) {
            range.check(0.0).map_err(|error| format!("`{name}`: {error}"))?;
        }
        if let Some(range) = self.max_tokens {
            range.check(1).map_err(|error| format!("`max_tokens`: {error}"))?;
        }
        if self.context_tokens == Some(0) {
            return Err("`context_tokens` must be at least 1".to_owned());
        }
        check_text("name", self.name.as_deref(), NAME_CHARS)?;
        check_text("description", self.description.as_deref(), DESCRIPTION_CHARS)?;
        check_text("instructions", self.instructions.as_deref(), common.instructions_chars)?;
        for (name, words) in
            [("plans", self.plans.as_ref()), ("reasoning_efforts", Some(&self.reasoning_efforts))]
        {
            let words = words.map_or(&[][..], Vec::as_slice);
            if words.len() > MAX_WORDS {
                return Err(format!("`{name}` has more than {MAX_WORDS} items"));
            }
            for word in words {
                check_text(name, Some(word), NAME_CHARS)?;
            }
        }
        Ok(())
    }
}

/// Checks a text of the operator's: 1 to `limit` characters, without NUL.
pub(in crate::assistant) fn check_text(name: &str, text: Option<&str>, limit: usize) -> Result<(), String> {
    let Some(text) = text else { return Ok(()) };
    let count = text.chars().count();
    if (1..=limit).contains(&count) && !text.contains('\0') {
        return Ok(());
    }
    Err(format!("`{name}` must have 1 to {limit} characters without NUL; it has {count}"))
}
