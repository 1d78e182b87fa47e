//! How requests are served.

use super::address::TrustedProxy;
use super::cors::Origin;
use super::limits::Limits;
use crate::admission::TrustedDocuments;

/// How requests are served.
#[derive(Debug, Default)]
pub struct Options {
    /// How much anybody may take.
    pub limits: Limits,
    /// Who may explore the schema.
    pub introspection: Introspection,
    /// If given, the only documents that are served.
    pub trusted_documents: Option<TrustedDocuments>,
    /// Whose `X-Forwarded-For` counts; nobody's by default.
    pub trusted_proxies: Vec<TrustedProxy>,
    /// Which other sites' pages may use the API; none by default.
    pub cors_origins: Vec<Origin>,
}

/// Who may explore the schema by introspection. `__typename` is always possible.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Introspection {
    /// Anybody.
    #[default]
    On,
    /// Whoever has a good token.
    SignedIn,
    /// Nobody.
    Off,
}
