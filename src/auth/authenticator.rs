//! The one who checks tokens.

use std::{fmt, path::Path, sync::Arc};

use chrono::Utc;

use super::{
    claims::ClaimRules,
    endpoint::{Endpoint, MAX_BYTES},
    jwk,
    jwks::LiveKeys,
    keys::KeySet,
    options::{Options, Source},
    rejection::{Cause, Rejection},
    token::Token,
    viewer::Viewer,
};

/// Checks tokens. Cheap to clone; all clones share the keys, and the last one dropped ends their refreshing.
#[derive(Clone)]
pub struct Authenticator(Arc<Inner>);

struct Inner {
    keys: Keys,
    rules: ClaimRules,
}

enum Keys {
    Fixed(KeySet),
    Live(LiveKeys),
}

impl Authenticator {
    /// Reads or fetches the keys. To be called inside a Tokio runtime.
    ///
    /// A key set that cannot be fetched now is only logged: tokens are [`Rejection::KeysUnavailable`] until it
    /// can. The error, one readable line without secrets, is for options that can never work.
    pub async fn new(options: Options) -> Result<Self, String> {
        if options.claims.user_claim.is_empty() {
            return Err("the user claim needs a name".into());
        }
        let keys = match &options.source {
            Source::Secret(secret) => Keys::Fixed(KeySet::of_secret(secret)),
            Source::JwksFile(path) => Keys::Fixed(read(path).await?),
            Source::JwksUrl(url) => {
                Keys::Live(LiveKeys::start(Endpoint::new(url, &options)?, &options).await)
            }
        };
        Ok(Self(Arc::new(Inner { keys, rules: options.claims })))
    }

    /// Who sent this token: the part of an `Authorization` header after `Bearer`.
    ///
    /// Waits for the issuer, at most the fetch timeout, when the token names an unknown key.
    pub async fn authenticate(&self, token: &str) -> Result<Viewer, Rejection> {
        self.check(token).await.map_err(|cause| {
            tracing::debug!(%cause, "token refused");
            cause.into()
        })
    }

    async fn check(&self, token: &str) -> Result<Viewer, Cause> {
        let token = Token::parse(token)?;
        match &self.0.keys {
            Keys::Fixed(keys) => keys.verify(&token)?,
            Keys::Live(keys) => keys.verify(&token).await?,
        }
        let claims = token.claims()?;
        self.0.rules.check(&claims, Utc::now())
    }
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticator").field("rules", &self.0.rules).finish_non_exhaustive()
    }
}

async fn read(path: &Path) -> Result<KeySet, String> {
    let wrong = |reason: &dyn fmt::Display| format!("the JWKS file {}: {reason}", path.display());
    let bytes = tokio::fs::read(path).await.map_err(|error| wrong(&error))?;
    if bytes.len() > MAX_BYTES {
        return Err(wrong(&"it is too large"));
    }
    let keys = jwk::parse(&bytes).map_err(|reason| wrong(&reason))?;
    if keys.len() == 0 {
        return Err(wrong(&"it has no key that can be used (Ed25519, P-256, P-384, RSA from 2048 bits)"));
    }
    Ok(keys)
}
