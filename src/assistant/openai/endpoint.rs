//! The address of `/chat/completions`, from what an operator may write.

use url::Url;

use crate::outbound::is_exposed;

/// Where requests go.
#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    pub(super) url: Url,
}

impl Endpoint {
    /// Completes `address`; the error says what to change, and does not repeat the address.
    pub(super) fn parse(address: &str, allow_plaintext: bool) -> Result<Self, String> {
        let mut url = Url::parse(address.trim())
            .map_err(|error| format!("the assistant's URL is not one: {error}; write https://host/v1"))?;
        match url.scheme() {
            "https" => {}
            "http" if !is_exposed(&url) || allow_plaintext => {}
            "http" => {
                return Err(
                    "the assistant's URL is plain http to another machine, where anybody on the way can \
                            read the key and the conversations; use https, or allow plaintext"
                        .to_owned(),
                );
            }
            scheme => return Err(format!("the assistant's URL must be https, not {scheme}")),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(
                "the assistant's URL holds a name or a password; give the key in its own setting".to_owned()
            );
        }
        url.set_fragment(None);
        url.set_path(&complete(url.path()));
        Ok(Self { url })
    }
}

/// Adds what is missing between a base path and `/chat/completions`.
fn complete(path: &str) -> String {
    let path = path.trim_end_matches('/');
    if path.ends_with("/chat/completions") {
        return path.to_owned();
    }
    // Some bases go on after their version: `/v1beta/openai`.
    let versioned = path.split('/').any(|part| {
        part.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    });
    let version = if versioned { "" } else { "/v1" };
    format!("{path}{version}/chat/completions")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_with_or_without_version_and_slash_is_completed() {
        for (address, completed) in [
            ("https://api.example", "https://api.example/v1/chat/completions"),
            ("https://api.example/", "https://api.example/v1/chat/completions"),
            ("https://api.example/v1", "https://api.example/v1/chat/completions"),
            ("https://api.example/v1/", "https://api.example/v1/chat/completions"),
            ("https://api.example/v1/chat/completions", "https://api.example/v1/chat/completions"),
            ("https://api.example/v1/chat/completions/", "https://api.example/v1/chat/completions"),
            ("https://api.example/chat/completions", "https://api.example/chat/completions"),
            ("https://api.example/api", "https://api.example/api/v1/chat/completions"),
            ("https://api.example/api/paas/v4", "https://api.example/api/paas/v4/chat/completions"),
            ("https://api.example/v1beta/openai/", "https://api.example/v1beta/openai/chat/completions"),
            ("https://api.example/vendor", "https://api.example/vendor/v1/chat/completions"),
            (
                "https://api.example/v1?api-version=1#x",
                "https://api.example/v1/chat/completions?api-version=1",
            ),
            (" http://localhost:11434 ", "http://localhost:11434/v1/chat/completions"),
        ] {
            let endpoint = Endpoint::parse(address, false);
            assert_eq!(
                endpoint.map(|endpoint| endpoint.url.to_string()),
                Ok(completed.to_owned()),
                "{address}"
            );
        }
    }

    #[test]
    fn plain_http_goes_to_this_machine_only() {
        for address in ["http://localhost:1", "http://x.localhost", "http://127.0.0.9:1", "http://[::1]:1"] {
            assert!(Endpoint::parse(address, false).is_ok(), "{address}");
        }
        for address in [
            "http://api.example",
            "http://localhost.example",
            "http://10.0.0.1",
            "http://0.0.0.0",
            "http://[::]",
        ] {
            let error = Endpoint::parse(address, false).expect_err(address);
            assert!(error.contains("use https"), "{error}");
            assert!(Endpoint::parse(address, true).is_ok(), "{address}");
        }
    }

    #[test]
    fn addresses_that_cannot_be_called_are_refused_without_being_repeated() {
        for (address, said) in [
            ("", "not one"),
            ("api.example/v1", "not one"),
            ("ftp://api.example", "must be https, not ftp"),
            ("https://user:secret@api.example/v1", "own setting"),
            ("https://secret@api.example/v1", "own setting"),
        ] {
            let error = Endpoint::parse(address, true).expect_err(address);
            assert!(error.contains(said), "{address}: {error}");
            assert!(!error.contains("secret") && !error.contains("example"), "{error}");
        }
    }
}
