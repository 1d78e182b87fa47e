//! Which assistants write, as the operator says it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, value_parser};

use super::profile::{CONTEXT_TOKENS, DEFAULT_ID, Profile};
use super::{Assistant, Catalog, Common, Echo, OpenAi, TitleAssistant, file, openai};
use crate::options::read_secret;

/// Which assistants write.
#[derive(Args)]
#[command(next_help_heading = "Assistant")]
#[group(skip)]
pub struct Options {
    /// A file in TOML with several assistants, from which users choose, their prices and quotas; see
    /// `docs/assistants.md`. It is read on start, and takes the place of the other settings of this section.
    #[arg(long, env = "CAUSERIE_ASSISTANTS", value_name = "FILE", conflicts_with_all = [
        "assistant_url", "assistant_key", "assistant_key_file", "assistant_model", "title_model", "max_tokens",
        "max_tokens_field", "system_role", "no_usage", "connect_timeout", "first_token_timeout", "next_token_timeout",
        "echo_delay", "assistant_system_prompt", "context_tokens", "no_reasoning",
    ])]
    assistants: Option<PathBuf>,
    /// The base address of an OpenAI-compatible API. Without it the built-in `echo` repeats what is said.
    #[arg(
        long,
        env = "CAUSERIE_ASSISTANT_URL",
        value_name = "URL",
        requires = "assistant_model",
        hide_env_values = true
    )]
    assistant_url: Option<String>,
    /// The key for that API, if it needs one. Better given by the environment.
    #[arg(long, env = "CAUSERIE_ASSISTANT_KEY", value_name = "KEY", hide_env_values = true)]
    assistant_key: Option<String>,
    /// A file that holds the key for that API.
    #[arg(long, env = "CAUSERIE_ASSISTANT_KEY_FILE", value_name = "FILE", conflicts_with = "assistant_key")]
    assistant_key_file: Option<PathBuf>,
    /// The model that writes replies.
    #[arg(long, env = "CAUSERIE_ASSISTANT_MODEL", value_name = "NAME")]
    assistant_model: Option<String>,
    /// A model of the same API, best a small and quick one, that is shown how a conversation begins and gives it a better
    /// title. Without it a title is the first words of the first message. What a user has named is never renamed.
    #[arg(long, env = "CAUSERIE_TITLE_MODEL", value_name = "NAME", requires = "assistant_url")]
    title_model: Option<String>,
    /// How to call the API.
    #[command(flatten)]
    openai: openai::Options,
    /// `echo` waits for this long before each word.
    #[arg(long, env = "CAUSERIE_ECHO_DELAY", value_name = "DURATION", default_value = "0s",
        value_parser = humantime::parse_duration)]
    echo_delay: Duration,
    /// Instructions that the assistant is shown before every conversation.
    #[arg(long, env = "CAUSERIE_ASSISTANT_SYSTEM_PROMPT", value_name = "TEXT")]
    assistant_system_prompt: Option<String>,
    /// The assistant is shown at most this many tokens of a conversation, by estimate: the newest messages.
    #[arg(long, env = "CAUSERIE_CONTEXT_TOKENS", value_name = "NUMBER",
        default_value_t = CONTEXT_TOKENS, value_parser = value_parser!(u32).range(1..=10_000_000))]
    context_tokens: u32,
    /// Leave out the reasoning of models that show it. It is neither stored nor streamed.
    #[arg(long, env = "CAUSERIE_NO_REASONING")]
    no_reasoning: bool,
}

impl Options {
    /// The assistants that the server offers: those of the file, or one that the other settings describe.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn catalog(&self, common: Common) -> Result<Catalog, String> {
        if let Some(path) = &self.assistants {
            return file::read(path, common);
        }
        file::check_text(
            "--assistant-system-prompt",
            self.assistant_system_prompt.as_deref(),
            common.instructions_chars,
        )?;
        let profile = Profile {
            instructions: self.assistant_system_prompt.clone(),
            context_tokens: self.context_tokens,
            no_reasoning: self.no_reasoning,
            ..Profile::new(DEFAULT_ID, self.writer(common)?)
        };
        Ok(Catalog::of(profile).with_titles(self.title_assistant(common)?))
    }

    fn writer(&self, common: Common) -> Result<Arc<dyn Assistant>, String> {
        let Common { timeout: total_timeout, allow_plaintext, .. } = common;
        Ok(match self.provider(self.assistant_model.as_ref())? {
            Some(options) => {
                Arc::new(OpenAi::new(openai::Options { allow_plaintext, total_timeout, ..options })?)
            }
            None => Arc::new(Echo::new(self.echo_delay)),
        })
    }

    fn title_assistant(&self, common: Common) -> Result<Option<TitleAssistant>, String> {
        let Some(options) = self.provider(self.title_model.as_ref())? else { return Ok(None) };
        let writer = Arc::new(OpenAi::new(common.of_titles(options))?);
        Ok(Some(TitleAssistant { assistant_id: DEFAULT_ID.to_owned(), writer }))
    }

    /// How to call `model`, if there is an API to call.
    fn provider(&self, model: Option<&String>) -> Result<Option<openai::Options>, String> {
        let (Some(url), Some(model)) = (&self.assistant_url, model) else { return Ok(None) };
        let key = match &self.assistant_key_file {
            Some(path) => Some(read_secret("--assistant-key-file", path, |key| Ok(key.to_owned()))?),
            None => self.assistant_key.clone(),
        };
        Ok(Some(openai::Options { url: url.clone(), model: model.clone(), key, ..self.openai.clone() }))
    }
}
