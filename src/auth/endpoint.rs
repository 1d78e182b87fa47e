//! One fetch of a published key set.

use std::fmt;

use reqwest::{Client, Response};
use url::Url;

use super::{jwk, keys::KeySet, options::Options};
use crate::outbound;

/// The most bytes of a key set; real ones have a few thousand.
pub(super) const MAX_BYTES: usize = 1024 * 1024;

/// Where an issuer publishes its keys.
pub(super) struct Endpoint {
    client: Client,
    url: Url,
}

/// Why a fetch failed; it names neither the address nor anything of the answer.
#[derive(Debug)]
pub(super) enum FetchError {
    Connect,
    Timeout,
    CutOff,
    Status(u16),
    TooLarge,
    Malformed(String),
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect => f.write_str("no connection"),
            Self::Timeout => f.write_str("no complete answer in time"),
            Self::CutOff => f.write_str("the answer was cut off"),
            Self::Status(status) => write!(f, "the answer has status {status}"),
            Self::TooLarge => write!(f, "the answer has more than {MAX_BYTES} bytes"),
            Self::Malformed(reason) => write!(f, "the answer is of no use: {reason}"),
        }
    }
}

impl From<reqwest::Error> for FetchError {
    fn from(error: reqwest::Error) -> Self {
        let error = error.without_url();
        tracing::debug!(?error, "the fetch of the issuer's keys failed");
        if error.is_timeout() {
            Self::Timeout
        } else if error.is_connect() {
            Self::Connect
        } else {
            Self::CutOff
        }
    }
}

impl Endpoint {
    /// Checks the address. The error says what is wrong with it.
    pub(super) fn new(url: &Url, options: &Options) -> Result<Self, String> {
        if !["https", "http"].contains(&url.scheme()) {
            return Err("the JWKS address must begin with https:// (or http://)".into());
        }
        if outbound::is_exposed(url) && !options.allow_plaintext {
            return Err(
                "the JWKS address is plain http to another host: whoever is in between could sign in as \
                        anybody; use https, or allow plaintext"
                    .into(),
            );
        }
        let client = outbound::client(url).timeout(options.fetch_timeout);
        let client = client.build().map_err(|error| format!("the JWKS client cannot be set up: {error}"))?;
        Ok(Self { client, url: url.clone() })
    }

    pub(super) async fn fetch(&self) -> Result<KeySet, FetchError> {
        let response = self.client.get(self.url.clone()).header("accept", "application/json").send().await?;
        if response.status() != 200 {
            return Err(FetchError::Status(response.status().as_u16()));
        }
        jwk::parse(&body(response).await?).map_err(FetchError::Malformed)
    }
}

async fn body(mut response: Response) -> Result<Vec<u8>, FetchError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > MAX_BYTES {
            return Err(FetchError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::super::options::Source;
    use super::*;

    fn refusal(address: &str, allow_plaintext: bool) -> Option<String> {
        let url = Url::parse(address).unwrap();
        let options = Options { allow_plaintext, ..Options::new(Source::JwksUrl(url.clone())) };
        Endpoint::new(&url, &options).err()
    }

    #[test]
    fn plaintext_stays_on_the_machine() {
        for good in [
            "https://issuer.example/jwks",
            "http://localhost:3000/api/auth/jwks",
            "http://127.0.0.1/jwks",
            "http://127.9.9.9/jwks",
            "http://[::1]:3000/jwks",
            "http://[::ffff:127.0.0.1]/jwks",
        ] {
            assert_eq!(refusal(good, false), None, "{good}");
        }
        for bad in [
            "http://issuer.example/jwks",
            "http://127.0.0.1.issuer.example/jwks",
            "http://localhost.issuer.example/jwks",
            "http://192.168.0.1/jwks",
            "http://0.0.0.0/jwks",
            "http://127.0.0.1@issuer.example/jwks",
        ] {
            assert!(refusal(bad, false).is_some_and(|error| error.contains("plain http")), "{bad}");
            assert_eq!(refusal(bad, true), None, "{bad}");
        }
        assert!(refusal("file:///etc/jwks.json", true).is_some_and(|error| error.contains("https://")));
    }
}
