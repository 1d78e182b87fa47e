//! What an [`Authenticator`](super::Authenticator) is made from.

use std::{fmt, path::PathBuf, time::Duration};

use clap::Args;
use ring::hmac;
use url::Url;

use super::claims::ClaimRules;
use crate::options::read_secret;

/// How tokens are checked.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the keys come from.
    pub source: Source,
    /// What the claims must say.
    pub claims: ClaimRules,
    /// Allows a JWKS address of plain `http` on another host; without it only loopback may go unencrypted.
    pub allow_plaintext: bool,
    /// The least time between two fetches of a live key set, successful or not. Default 30 s.
    pub refetch_interval: Duration,
    /// How often a live key set is fetched when no token asks for it, so that withdrawn keys go. Default 10 min.
    pub refresh_interval: Duration,
    /// The longest a fetch may take, from connecting to the last byte. Default 5 s.
    pub fetch_timeout: Duration,
}

impl Options {
    /// The defaults for `source`.
    #[must_use]
    pub fn new(source: Source) -> Self {
        Self {
            source,
            claims: ClaimRules::default(),
            allow_plaintext: false,
            refetch_interval: Duration::from_secs(30),
            refresh_interval: Duration::from_mins(10),
            fetch_timeout: Duration::from_secs(5),
        }
    }
}

/// Where keys come from: one issuer, one source.
#[derive(Clone)]
pub enum Source {
    /// A secret shared with the issuer: HS256 and nothing else.
    Secret(Secret),
    /// A key set (RFC 7517) that the issuer publishes and may change at any time: public keys only.
    JwksUrl(Url),
    /// A key set in a file, read once: public keys only.
    JwksFile(PathBuf),
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret(secret) => f.debug_tuple("Secret").field(secret).finish(),
            // An address may carry a password or a key in its user, path or query.
            Self::JwksUrl(url) => {
                f.debug_tuple("JwksUrl").field(&url.origin().ascii_serialization()).finish()
            }
            Self::JwksFile(path) => f.debug_tuple("JwksFile").field(path).finish(),
        }
    }
}

/// Whose tokens are accepted, as the operator says it: one of the secret, the JWKS URL and the JWKS file.
#[derive(Args)]
#[command(next_help_heading = "Authentication")]
#[group(skip)]
pub struct IssuerOptions {
    /// The secret shared with the issuer of HS256 tokens, at least 32 bytes. Better given by the environment.
    #[arg(long, env = "CAUSERIE_AUTH_SECRET", value_name = "SECRET", hide_env_values = true,
        value_parser = |text: &str| Secret::new(text))]
    auth_secret: Option<Secret>,
    /// A file that holds the secret shared with the issuer.
    #[arg(long, env = "CAUSERIE_AUTH_SECRET_FILE", value_name = "FILE", conflicts_with = "auth_secret")]
    auth_secret_file: Option<PathBuf>,
    /// Where the issuer publishes its keys, for `EdDSA`, ES256, ES384, RS256 to RS512 and PS256 to PS512.
    #[arg(long, env = "CAUSERIE_AUTH_JWKS_URL", value_name = "URL", hide_env_values = true)]
    auth_jwks_url: Option<Url>,
    /// A file with the issuer's keys, read on start.
    #[arg(long, env = "CAUSERIE_AUTH_JWKS_FILE", value_name = "FILE")]
    auth_jwks_file: Option<PathBuf>,
    /// What the claims must say.
    #[command(flatten)]
    pub claims: ClaimRules,
}

impl IssuerOptions {
    /// Where its keys come from; `None` if nothing says it, and an error if two do: the tokens of the weaker source would
    /// speak for the users of the other.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn source(&self) -> Result<Option<Source>, String> {
        match (self.secret()?, &self.auth_jwks_url, &self.auth_jwks_file) {
            (None, None, None) => Ok(None),
            (Some(secret), None, None) => Ok(Some(Source::Secret(secret))),
            (None, Some(url), None) => Ok(Some(Source::JwksUrl(url.clone()))),
            (None, None, Some(file)) => Ok(Some(Source::JwksFile(file.clone()))),
            _ => {
                Err("tokens come from one issuer: set one of the secret, the JWKS address and the JWKS file"
                    .into())
            }
        }
    }

    /// The secret shared with the issuer, if there is one.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn secret(&self) -> Result<Option<Secret>, String> {
        match &self.auth_secret_file {
            Some(path) => read_secret("--auth-secret-file", path, |text| Secret::new(text)).map(Some),
            None => Ok(self.auth_secret.clone()),
        }
    }
}

/// A secret shared with the issuer: at least 32 bytes, used as they are. Its `Debug` shows nothing of it.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// The fewest bytes that HS256 may have (RFC 7518, 3.2).
    pub const MIN_BYTES: usize = 32;

    /// Checks the length; the error does not repeat the secret.
    pub fn new(secret: impl Into<String>) -> Result<Self, String> {
        let secret = secret.into();
        if secret.len() < Self::MIN_BYTES {
            let (least, length) = (Self::MIN_BYTES, secret.len());
            return Err(format!("the shared secret needs at least {least} bytes, it has {length}"));
        }
        Ok(Self(secret))
    }

    pub(super) fn key(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, self.0.as_bytes())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::parse;

    #[test]
    fn secrets_have_32_bytes_and_are_not_shown() {
        let error = Secret::new("s".repeat(31)).unwrap_err();
        assert!(error.contains("at least 32 bytes, it has 31"), "{error}");
        let secret = Secret::new("swordfish-swordfish-swordfish-32").unwrap();
        let debug = format!("{:?}", Options::new(Source::Secret(secret)));
        assert!(!debug.contains("swordfish"), "{debug}");
    }

    #[test]
    fn addresses_are_shown_without_credentials() {
        let url = Url::parse("https://user:swordfish@issuer.example/swordfish?key=swordfish").unwrap();
        let debug = format!("{:?}", Source::JwksUrl(url));
        assert_eq!(debug, r#"JwksUrl("https://issuer.example")"#);
    }

    #[test]
    fn one_source() {
        let secret = "--auth-secret=swordfish-swordfish-swordfish-32";
        let url = "--auth-jwks-url=https://issuer.example/jwks";
        let file = "--auth-jwks-file=jwks.json";
        let source = |flags: &[&str]| parse::<IssuerOptions>(flags).unwrap().source();
        assert!(source(&[]).unwrap().is_none());
        assert!(matches!(source(&[secret]), Ok(Some(Source::Secret(_)))));
        assert!(matches!(source(&[url]), Ok(Some(Source::JwksUrl(_)))));
        assert!(matches!(source(&[file]), Ok(Some(Source::JwksFile(_)))));
        for flags in [&[secret, url][..], &[secret, file], &[url, file], &[secret, url, file]] {
            assert!(source(flags).is_err(), "{flags:?}");
        }
    }
}
