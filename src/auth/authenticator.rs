//! The one who checks tokens.

use std::{fmt, path::Path, sync::Arc};

use chrono::Utc;

use super::{
    claims::ClaimRules,
    endpoint::{Endpoint, MAX_BYTES},
    jwk,
    jwks::LiveKeys,
    keys::KeySet,
    known::{self, KnownTokens},
    options::{Options, Source},
    rejection::{Cause, Rejection},
    token::{MAX_BYTES as MAX_TOKEN_BYTES, Token},
    viewer::Viewer,
};

/// Checks tokens. Cheap to clone; all clones share the keys, and the last one dropped ends their refreshing.
#[derive(Clone)]
pub struct Authenticator(Arc<Inner>);

struct Inner {
    keys: Keys,
    rules: ClaimRules,
    known: KnownTokens,
}

enum Keys {
    Fixed(KeySet),
    Live(LiveKeys),
}

impl Keys {
    /// A number that changes whenever they may have.
    fn generation(&self) -> u64 {
        match self {
            Self::Fixed(_) => 0,
            Self::Live(keys) => keys.generation(),
        }
    }
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
        Ok(Self(Arc::new(Inner { keys, rules: options.claims, known: KnownTokens::new() })))
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

    async fn check(&self, text: &str) -> Result<Viewer, Cause> {
        if text.len() > MAX_TOKEN_BYTES {
            return Err(Cause::TooLarge);
        }
        let Inner { keys, rules, known } = &*self.0;
        // Asked first: keys that change meanwhile make the token unknown again.
        let (hash, generation) = (known::hash(text), keys.generation());
        if let Some(viewer) = known.get(&hash, generation, Utc::now()) {
            return Ok(viewer);
        }
        let token = Token::parse(text)?;
        match keys {
            Keys::Fixed(keys) => keys.verify(&token)?,
            Keys::Live(keys) => keys.verify(&token).await?,
        }
        let claims = token.claims()?;
        let viewer = rules.check(&claims, Utc::now())?;
        known.add(hash, generation, viewer.clone());
        Ok(viewer)
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
