//! How requests are served.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use url::Url;

use super::address::TrustedProxy;
use super::cors::Origin;
use crate::admission::Limits;
use crate::admission::TrustedDocuments;
use crate::options;

/// How requests are served.
#[derive(Args, Debug)]
#[command(next_help_heading = "HTTP")]
#[group(skip)]
pub struct Options {
    /// An origin whose pages may use the API, such as `https://app.example`; `*` for all. May be given several
    /// times, or as a list with commas. None unless given.
    #[arg(long = "cors-origin", env = "CAUSERIE_CORS_ORIGIN", value_name = "ORIGIN", value_delimiter = ',')]
    pub cors_origins: Vec<Origin>,
    /// Whether pages of this machine may use the API too, on whichever port: for development.
    #[arg(skip)]
    pub local_origins: bool,
    /// A proxy whose `X-Forwarded-For` is believed: an address, or a network such as `10.0.0.0/8`. May be given
    /// several times, or as a list with commas. None unless given.
    #[arg(
        long = "trusted-proxy",
        env = "CAUSERIE_TRUSTED_PROXY",
        value_name = "NETWORK",
        value_delimiter = ','
    )]
    pub trusted_proxies: Vec<TrustedProxy>,
    /// Where the chat page sends people for a token: an `http` or `https` URL. It gets `return_to`, the page's address, and
    /// `state` as query parameters, and must lead back there with `token` and the same `state` in the fragment. Without
    /// it, the page asks for a token to be pasted.
    #[arg(long, env = "CAUSERIE_PAGE_SIGN_IN", value_name = "URL", value_parser = sign_in_url)]
    pub page_sign_in: Option<Url>,
    /// Who may read the schema by introspection. `__typename` is always possible.
    #[arg(long, env = "CAUSERIE_INTROSPECTION", value_name = "WHO", default_value = "on")]
    pub introspection: Introspection,
    /// A file with the only documents that are served: a JSON object from names to texts, as `relay-compiler` and
    /// `graphql-codegen` write it, or Apollo's manifest. Clients send the name, or the text.
    #[arg(long = "trusted-documents", env = "CAUSERIE_TRUSTED_DOCUMENTS", value_name = "FILE")]
    pub trusted_documents_file: Option<PathBuf>,
    /// If given, the only documents that are served.
    #[arg(skip)]
    pub trusted_documents: Option<TrustedDocuments>,
    /// How much anybody may take.
    #[command(flatten)]
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        options::defaults()
    }
}

impl Options {
    /// Reads the file of trusted documents, if there is one.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn load(mut self) -> Result<Self, String> {
        if let Some(path) = &self.trusted_documents_file {
            self.trusted_documents = Some(TrustedDocuments::read(path, &self.limits.query)?);
        }
        Ok(self)
    }
}

/// An address that a browser may be sent to.
fn sign_in_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    url.ok_or_else(|| "it must be a URL such as https://app.example/sign-in".to_owned())
}

/// Who may read the schema by introspection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Introspection {
    /// Everybody.
    On,
    /// Users with a valid token.
    SignedIn,
    /// Nobody.
    Off,
}
