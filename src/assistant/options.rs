//! Which assistant writes, as the operator says it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::{Assistant, Echo, OpenAi, openai};
use crate::options::read_secret;

/// Which assistant writes.
#[derive(Args)]
#[command(next_help_heading = "Assistant")]
#[group(skip)]
pub struct Options {
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
}

impl Options {
    /// Who writes replies, each attempt in at most `timeout`.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn assistant(&self, timeout: Duration, allow_plaintext: bool) -> Result<Arc<dyn Assistant>, String> {
        Ok(match self.provider(self.assistant_model.as_ref())? {
            Some(options) => {
                Arc::new(OpenAi::new(openai::Options { total_timeout: timeout, allow_plaintext, ..options })?)
            }
            None => Arc::new(Echo::new(self.echo_delay)),
        })
    }

    /// Who makes titles, if anybody.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn title_assistant(&self, allow_plaintext: bool) -> Result<Option<Arc<dyn Assistant>>, String> {
        let Some(options) = self.provider(self.title_model.as_ref())? else { return Ok(None) };
        // A title that takes longer is no longer wanted, and one that fails is not missed.
        let total_timeout = Duration::from_mins(1);
        let options = openai::Options { total_timeout, max_retries: 1, allow_plaintext, ..options };
        Ok(Some(Arc::new(OpenAi::new(options)?)))
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
