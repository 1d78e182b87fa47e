//! The only reader of flags and environment.

mod http;
mod secret;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use url::Url;

pub use self::http::{HttpArgs, LimitArgs};
use crate::assistant::{Assistant, Echo, OpenAi, openai};
use crate::auth::{self, ClaimRules, Secret, Source};
use crate::chat::Limits;
use crate::database::Address;
use crate::reply;

/// A self-hosted GraphQL server for chat with an assistant.
///
/// It keeps conversations in an SQLite file or in PostgreSQL, has an OpenAI-compatible assistant answer them,
/// and shows each user their own and nothing else. Every flag has an environment variable; a flag wins.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Subcommand)]
pub enum Command {
    /// Serve the API.
    Serve(Box<Serve>),
    /// Bring the database to another version of its schema, or tell which one it has.
    Migrate {
        /// The database.
        #[command(flatten)]
        database: DatabaseArgs,
        /// Where to.
        #[command(subcommand)]
        direction: Direction,
    },
    /// Print the GraphQL schema.
    Schema,
    /// Print a token for a user, signed with the shared secret, or with the secret of `serve --dev`.
    Token {
        /// The user's id: 1 to 255 characters, none of them a control character.
        #[arg(long, value_name = "ID")]
        user: String,
        /// How long the token is good for.
        #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = humantime::parse_duration)]
        ttl: Duration,
        /// Whose tokens are accepted.
        #[command(flatten)]
        auth: AuthArgs,
        /// The database, beside which `serve --dev` keeps its secret.
        #[command(flatten)]
        database: DatabaseArgs,
    },
}

/// Where to migrate to.
#[derive(Subcommand)]
pub enum Direction {
    /// Apply what is missing.
    Up,
    /// Take steps back, and with them all that they hold.
    Down {
        /// How many steps.
        #[arg(long, default_value_t = 1)]
        steps: u32,
    },
    /// List the steps and which of them are applied.
    Status,
}

/// How to serve.
#[derive(Args)]
pub struct Serve {
    /// The address and port to listen on; port 0 takes a free one.
    #[arg(long, env = "CAUSERIE_LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// For development: accept tokens of a secret that is made once and kept beside the database, print one
    /// for user `dev`, and open GraphiQL signed in. Listens on loopback only.
    #[arg(long)]
    pub dev: bool,
    /// The database.
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// How many connections to the database to hold at most.
    #[arg(long, env = "CAUSERIE_DATABASE_CONNECTIONS", value_name = "NUMBER", default_value_t = 12,
        value_parser = clap::value_parser!(u32).range(2..=1000))]
    pub database_connections: u32,
    /// Do not migrate on start: refuse to be ready until somebody else has.
    #[arg(long, env = "CAUSERIE_NO_MIGRATE")]
    pub no_migrate: bool,
    /// Whose tokens are accepted.
    #[command(flatten)]
    pub auth: AuthArgs,
    /// Who writes replies.
    #[command(flatten)]
    pub assistant: AssistantArgs,
    /// How replies are written.
    #[command(flatten)]
    pub reply: ReplyArgs,
    /// Who may come, and how much anybody may take.
    #[command(flatten)]
    pub http: HttpArgs,
    /// How many characters a message may have.
    #[arg(long, help_heading = "Conversations", env = "CAUSERIE_MAX_MESSAGE_CHARS", value_name = "NUMBER", default_value_t = 32_000,
        value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub max_message_chars: u32,
    /// How many replies of one user may wait for their turn, whichever servers were asked for them.
    #[arg(
        long,
        help_heading = "Conversations",
        env = "CAUSERIE_MAX_USER_QUEUED",
        value_name = "NUMBER",
        default_value_t = 500
    )]
    pub max_user_queued: u32,
    /// For how many days a deleted conversation can be restored; then it is erased for good. With 0 it is erased at
    /// once.
    #[arg(long, help_heading = "Conversations", env = "CAUSERIE_TRASH_DAYS", value_name = "NUMBER", default_value_t = 30,
        value_parser = clap::value_parser!(u32).range(0..=36_500))]
    pub trash_days: u32,
    /// For how many days a request with an idempotency key can be repeated; then the key may begin another one.
    #[arg(long, help_heading = "Conversations", env = "CAUSERIE_RECEIPT_DAYS", value_name = "NUMBER", default_value_t = 30,
        value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub receipt_days: u32,
    /// How long replies and requests in flight may take to end when the server is told to stop.
    #[arg(long, help_heading = "Operation", env = "CAUSERIE_DRAIN", value_name = "DURATION", default_value = "20s",
        value_parser = humantime::parse_duration)]
    pub drain: Duration,
    /// Allow the assistant and the JWKS endpoint to be reached without TLS on other machines.
    #[arg(long, help_heading = "Operation", env = "CAUSERIE_ALLOW_PLAINTEXT")]
    pub allow_plaintext: bool,
    /// How log lines look.
    #[arg(
        long,
        help_heading = "Operation",
        env = "CAUSERIE_LOG_FORMAT",
        value_name = "FORMAT",
        default_value = "text"
    )]
    pub log_format: LogFormat,
    /// What is logged: `error`, `warn`, `info`, `debug`, `trace`, or a filter such as `info,causerie=debug`.
    /// Libraries log nothing at `trace`: it would be all that they carry.
    #[arg(
        long,
        help_heading = "Operation",
        env = "CAUSERIE_LOG",
        value_name = "FILTER",
        default_value = "info"
    )]
    pub log: String,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The database.
#[derive(Debug, Args)]
pub struct DatabaseArgs {
    /// `sqlite://path?mode=rwc` or `postgres://user:password@host/name`.
    #[arg(long, env = "DATABASE_URL", value_name = "URL", default_value = "sqlite://causerie.db?mode=rwc",
        hide_env_values = true, value_parser = Address::parse)]
    pub database_url: Address,
    /// A file with that address instead.
    #[arg(long, env = "DATABASE_URL_FILE", value_name = "FILE", conflicts_with = "database_url")]
    pub database_url_file: Option<PathBuf>,
}

impl DatabaseArgs {
    /// The database's address.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn address(&self) -> Result<Address, String> {
        match &self.database_url_file {
            Some(path) => secret::read("--database-url-file", path, Address::parse),
            None => Ok(self.database_url.clone()),
        }
    }
}

/// Whose tokens are accepted. One of the secret, the JWKS URL and the JWKS file is needed, or `--dev`.
#[derive(Debug, Args)]
#[command(next_help_heading = "Authentication")]
pub struct AuthArgs {
    /// The secret shared with the issuer of HS256 tokens, at least 32 bytes. Better given by the environment.
    #[arg(long, env = "CAUSERIE_AUTH_SECRET", value_name = "SECRET", hide_env_values = true,
        value_parser = |text: &str| Secret::new(text))]
    pub auth_secret: Option<Secret>,
    /// A file with that secret instead.
    #[arg(long, env = "CAUSERIE_AUTH_SECRET_FILE", value_name = "FILE", conflicts_with = "auth_secret")]
    pub auth_secret_file: Option<PathBuf>,
    /// Where the issuer publishes its keys, for `EdDSA`, ES256, ES384, RS256 to RS512 and PS256 to PS512.
    #[arg(long, env = "CAUSERIE_AUTH_JWKS_URL", value_name = "URL", hide_env_values = true)]
    pub auth_jwks_url: Option<Url>,
    /// A file with the issuer's keys, read on start.
    #[arg(long, env = "CAUSERIE_AUTH_JWKS_FILE", value_name = "FILE")]
    pub auth_jwks_file: Option<PathBuf>,
    /// What the claim `iss` must be. Not checked unless given.
    #[arg(long, env = "CAUSERIE_AUTH_ISSUER", value_name = "TEXT")]
    pub auth_issuer: Option<String>,
    /// What the claim `aud` must be or hold. Not checked unless given.
    #[arg(long, env = "CAUSERIE_AUTH_AUDIENCE", value_name = "TEXT")]
    pub auth_audience: Option<String>,
    /// The claim with the user's id; `user.id` is the claim `id` within the claim `user`.
    #[arg(long, env = "CAUSERIE_AUTH_USER_CLAIM", value_name = "CLAIM", default_value = "sub")]
    pub auth_user_claim: String,
}

impl AuthArgs {
    /// How tokens are checked; `None` if nothing says whose are accepted.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn options(&self, allow_plaintext: bool) -> Result<Option<auth::Options>, String> {
        let source =
            Source::from_settings(self.secret()?, self.auth_jwks_url.clone(), self.auth_jwks_file.clone())?;
        Ok(source.map(|source| auth::Options {
            claims: self.claims(),
            allow_plaintext,
            ..auth::Options::new(source)
        }))
    }

    /// The secret shared with the issuer, if there is one.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn secret(&self) -> Result<Option<Secret>, String> {
        match &self.auth_secret_file {
            Some(path) => secret::read("--auth-secret-file", path, |text| Secret::new(text)).map(Some),
            None => Ok(self.auth_secret.clone()),
        }
    }

    /// What a token's claims must say.
    #[must_use]
    pub fn claims(&self) -> ClaimRules {
        ClaimRules {
            issuer: self.auth_issuer.clone(),
            audience: self.auth_audience.clone(),
            user_claim: self.auth_user_claim.clone(),
        }
    }
}

/// Who writes replies.
#[derive(Args)]
#[command(next_help_heading = "Assistant")]
pub struct AssistantArgs {
    /// The base address of an OpenAI-compatible API. Without it the built-in `echo` repeats what is said.
    #[arg(
        long,
        env = "CAUSERIE_ASSISTANT_URL",
        value_name = "URL",
        requires = "assistant_model",
        hide_env_values = true
    )]
    pub assistant_url: Option<String>,
    /// The key for that API, if it wants one. Better given by the environment.
    #[arg(long, env = "CAUSERIE_ASSISTANT_KEY", value_name = "KEY", hide_env_values = true)]
    pub assistant_key: Option<Key>,
    /// A file with that key instead.
    #[arg(long, env = "CAUSERIE_ASSISTANT_KEY_FILE", value_name = "FILE", conflicts_with = "assistant_key")]
    pub assistant_key_file: Option<PathBuf>,
    /// The model to ask.
    #[arg(long, env = "CAUSERIE_ASSISTANT_MODEL", value_name = "NAME")]
    pub assistant_model: Option<String>,
    /// A model of the same API, best a small and quick one, that gives conversations better titles after their first
    /// reply: it is shown how they begin. Without it a title is the first message's first words. What a user has
    /// named is never renamed.
    #[arg(long, env = "CAUSERIE_TITLE_MODEL", value_name = "NAME", requires = "assistant_url")]
    pub title_model: Option<String>,
    /// Instructions that the assistant sees before every conversation.
    #[arg(long, env = "CAUSERIE_ASSISTANT_SYSTEM_PROMPT", value_name = "TEXT")]
    pub assistant_system_prompt: Option<String>,
    /// How many tokens of a conversation the assistant is shown at most, by estimate: the newest messages.
    #[arg(long, env = "CAUSERIE_CONTEXT_TOKENS", value_name = "NUMBER", default_value_t = 8192,
        value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub context_tokens: u32,
    /// How many tokens a reply may have. Not limited unless given.
    #[arg(long, env = "CAUSERIE_ASSISTANT_MAX_TOKENS", value_name = "NUMBER")]
    pub assistant_max_tokens: Option<u32>,
    /// The name that the API has for that limit.
    #[arg(
        long,
        env = "CAUSERIE_ASSISTANT_MAX_TOKENS_FIELD",
        value_name = "FIELD",
        default_value = "max_tokens"
    )]
    pub assistant_max_tokens_field: MaxTokensField,
    /// The role under which the API takes instructions.
    #[arg(long, env = "CAUSERIE_ASSISTANT_SYSTEM_ROLE", value_name = "ROLE", default_value = "system")]
    pub assistant_system_role: SystemRole,
    /// Do not ask for token counts: some APIs refuse the request's field for it.
    #[arg(long, env = "CAUSERIE_ASSISTANT_NO_USAGE")]
    pub assistant_no_usage: bool,
    /// How long connecting may take.
    #[arg(long, env = "CAUSERIE_ASSISTANT_CONNECT_TIMEOUT", value_name = "DURATION", default_value = "10s",
        value_parser = humantime::parse_duration)]
    pub assistant_connect_timeout: Duration,
    /// How long the first word may take; a model that has to be loaded takes minutes.
    #[arg(long, env = "CAUSERIE_ASSISTANT_FIRST_TOKEN_TIMEOUT", value_name = "DURATION", default_value = "10m",
        value_parser = humantime::parse_duration)]
    pub assistant_first_token_timeout: Duration,
    /// How long the assistant may be silent between words.
    #[arg(long, env = "CAUSERIE_ASSISTANT_IDLE_TIMEOUT", value_name = "DURATION", default_value = "2m",
        value_parser = humantime::parse_duration)]
    pub assistant_idle_timeout: Duration,
    /// How long `echo` waits between words.
    #[arg(long, env = "CAUSERIE_ECHO_DELAY", value_name = "DURATION", default_value = "0s",
        value_parser = humantime::parse_duration)]
    pub echo_delay: Duration,
}

/// A key that its `Debug` does not show.
#[derive(Clone)]
pub struct Key(String);

impl std::str::FromStr for Key {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Key(…)")
    }
}

/// The role under which the API takes instructions.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum SystemRole {
    /// What most APIs know.
    System,
    /// What OpenAI's newer models prefer.
    Developer,
}

/// The name that the API has for the limit of tokens.
#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum MaxTokensField {
    /// What most APIs know.
    MaxTokens,
    /// What OpenAI's newer models insist on.
    MaxCompletionTokens,
}

impl AssistantArgs {
    /// The assistant; `timeout` bounds one attempt in all.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn assistant(&self, timeout: Duration, allow_plaintext: bool) -> Result<Arc<dyn Assistant>, String> {
        let (Some(url), Some(model)) = (&self.assistant_url, &self.assistant_model) else {
            return Ok(Arc::new(Echo::new(self.echo_delay)));
        };
        Ok(Arc::new(OpenAi::new(self.provider(url, model, timeout, allow_plaintext)?)?))
    }

    /// Who makes titles, if anybody.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn title_assistant(&self, allow_plaintext: bool) -> Result<Option<Arc<dyn Assistant>>, String> {
        let (Some(url), Some(model)) = (&self.assistant_url, &self.title_model) else { return Ok(None) };
        // A title that takes longer is no longer wanted, and one that fails is not missed.
        let options = openai::Options {
            max_retries: 1,
            ..self.provider(url, model, Duration::from_mins(1), allow_plaintext)?
        };
        Ok(Some(Arc::new(OpenAi::new(options)?)))
    }

    fn provider(
        &self,
        url: &str,
        model: &str,
        timeout: Duration,
        allow_plaintext: bool,
    ) -> Result<openai::Options, String> {
        let key = match &self.assistant_key_file {
            Some(path) => Some(secret::read("--assistant-key-file", path, |text| Ok(text.to_owned()))?),
            None => self.assistant_key.as_ref().map(|key| key.0.clone()),
        };
        Ok(openai::Options {
            key,
            allow_plaintext,
            system_role: match self.assistant_system_role {
                SystemRole::System => openai::SystemRole::System,
                SystemRole::Developer => openai::SystemRole::Developer,
            },
            max_tokens: self.assistant_max_tokens,
            max_tokens_field: match self.assistant_max_tokens_field {
                MaxTokensField::MaxTokens => openai::MaxTokensField::MaxTokens,
                MaxTokensField::MaxCompletionTokens => openai::MaxTokensField::MaxCompletionTokens,
            },
            ask_for_usage: !self.assistant_no_usage,
            connect_timeout: self.assistant_connect_timeout,
            first_token_timeout: self.assistant_first_token_timeout,
            idle_timeout: self.assistant_idle_timeout,
            total_timeout: timeout,
            ..openai::Options::new(url, model)
        })
    }
}

/// How replies are written.
#[derive(Args)]
#[command(next_help_heading = "Replies")]
pub struct ReplyArgs {
    /// How often a reply is begun in all before the death of its server makes it fail.
    #[arg(long, env = "CAUSERIE_REPLY_ATTEMPTS", value_name = "NUMBER", default_value_t = 2,
        value_parser = clap::value_parser!(u32).range(1..=100))]
    pub reply_attempts: u32,
    /// How long a server may be silent before another one takes its replies over.
    #[arg(long, env = "CAUSERIE_REPLY_LEASE", value_name = "DURATION", default_value = "10s",
        value_parser = duration_from(Duration::from_secs(1)))]
    pub reply_lease: Duration,
    /// How often the text of a running reply is stored.
    #[arg(long, env = "CAUSERIE_REPLY_CHECKPOINT", value_name = "DURATION", default_value = "250ms",
        value_parser = duration_from(Duration::from_millis(10)))]
    pub reply_checkpoint: Duration,
    /// How long one attempt at a reply may take in all.
    #[arg(long, env = "CAUSERIE_REPLY_TIMEOUT", value_name = "DURATION", default_value = "10m",
        value_parser = duration_from(Duration::from_millis(100)))]
    pub reply_timeout: Duration,
    /// How many replies of one user are written at once, whichever servers write them. More wait for their turn.
    #[arg(long, env = "CAUSERIE_MAX_USER_REPLIES", value_name = "NUMBER", default_value_t = 20,
        value_parser = clap::value_parser!(u32).range(1..))]
    pub max_user_replies: u32,
    /// How many replies this server writes at once, each in at most 4 MiB of memory. More wait for their turn, the users
    /// coming round one by one, or are written by other servers.
    #[arg(long, env = "CAUSERIE_MAX_REPLIES", value_name = "NUMBER", default_value_t = 200,
        value_parser = clap::value_parser!(u32).range(1..))]
    pub max_replies: u32,
}

/// Reads a duration of at least `least`.
fn duration_from(least: Duration) -> impl Fn(&str) -> Result<Duration, String> + Clone {
    move |text| {
        let duration = humantime::parse_duration(text).map_err(|error| error.to_string())?;
        if duration < least {
            return Err(format!("it must be at least {}", humantime::format_duration(least)));
        }
        Ok(duration)
    }
}

impl Serve {
    /// How replies are written.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn replies(&self) -> Result<reply::Options, String> {
        if self.reply.reply_checkpoint > self.reply.reply_lease / 3 {
            return Err("--reply-checkpoint must be at most a third of --reply-lease".to_owned());
        }
        Ok(reply::Options {
            lease: self.reply.reply_lease,
            checkpoint: self.reply.reply_checkpoint,
            timeout: self.reply.reply_timeout,
            attempts: self.reply.reply_attempts,
            user_replies: self.reply.max_user_replies,
            replies: self.reply.max_replies as usize,
            system_prompt: self.assistant.assistant_system_prompt.clone(),
            context_tokens: self.assistant.context_tokens,
            title_assistant: self.assistant.title_assistant(self.allow_plaintext)?,
        })
    }

    /// How long a deleted conversation is kept.
    #[must_use]
    pub fn trash(&self) -> Duration {
        Duration::from_hours(24) * self.trash_days
    }

    /// How long the receipt of a request with an idempotency key is kept.
    #[must_use]
    pub fn receipts(&self) -> Duration {
        Duration::from_hours(24) * self.receipt_days
    }

    /// The bounds on what a viewer may store.
    #[must_use]
    pub fn limits(&self) -> Limits {
        Limits {
            message_chars: self.max_message_chars as usize,
            user_queued: self.max_user_queued,
            trash: self.trash(),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn help_and_debug_show_no_secret() {
        let secret = "swordfish-swordfish-swordfish-32";
        let cli = Cli::parse_from([
            "causerie",
            "serve",
            "--auth-secret",
            secret,
            "--assistant-url=https://user:swordfish@h/",
            "--assistant-model=m",
            "--assistant-key=swordfish",
            "--database-url=postgres://u:swordfish@h/d",
        ]);
        let Command::Serve(serve) = cli.command else { panic!("it was `serve`") };
        let shown = format!("{:?} {:?} {:?}", serve.auth, serve.database, serve.assistant.assistant_key);
        assert!(!shown.contains("swordfish"), "{shown}");
    }
}
