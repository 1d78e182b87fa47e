//! Which other sites' pages may read answers.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::time::Duration;

use axum::http::header::{HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Method};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};
use url::{Host, Url};

/// How long a browser may remember what is allowed.
const MAX_AGE: Duration = Duration::from_hours(1);

/// An origin such as `https://app.example`, or `*` for all. No cookies are involved, so that `*` gives away no more
/// than what the server shows anybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(String);

impl FromStr for Origin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "*" {
            return Ok(Self(text.to_owned()));
        }
        let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        match url.map(|url| url.origin().ascii_serialization()) {
            // Browsers send origins in this form only: no path, no default port, lower case.
            Some(origin) if origin == text => Ok(Self(origin)),
            Some(origin) => Err(format!("did you mean {origin}?")),
            None => Err("it must be an origin such as https://app.example, or *".to_owned()),
        }
    }
}

/// Lets pages of `origins` read what they ask for, and with `local` those of this machine; `None` if that is nobody.
pub(super) fn layer(origins: &[Origin], local: bool) -> Option<CorsLayer> {
    if origins.is_empty() && !local {
        return None;
    }
    let allowed = if origins.iter().any(|origin| origin.0 == "*") {
        AllowOrigin::any()
    } else {
        let listed: Vec<_> =
            origins.iter().filter_map(|origin| HeaderValue::from_str(&origin.0).ok()).collect();
        AllowOrigin::predicate(move |origin, _| listed.contains(origin) || (local && is_local(origin)))
    };
    let exposed = [RETRY_AFTER, WWW_AUTHENTICATE, HeaderName::from_static("x-request-id")];
    Some(
        CorsLayer::new()
            .allow_origin(allowed)
            .allow_methods([Method::GET, Method::POST])
            .allow_headers(AllowHeaders::mirror_request())
            .expose_headers(exposed)
            .max_age(MAX_AGE),
    )
}

/// Whether `origin` is of a page that this machine serves, on whichever port.
fn is_local(origin: &HeaderValue) -> bool {
    let url = origin.to_str().ok().and_then(|text| Some((text, Url::parse(text).ok()?)));
    url.is_some_and(|(text, url)| {
        let host = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address == Ipv4Addr::LOCALHOST,
            Some(Host::Ipv6(address)) => address == Ipv6Addr::LOCALHOST,
            None => false,
        };
        host && matches!(url.scheme(), "http" | "https") && url.origin().ascii_serialization() == text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_this_machine_are_told_from_others() {
        let is_local = |text: &str| is_local(&HeaderValue::from_str(text).unwrap());
        for good in [
            "http://localhost",
            "http://localhost:5173",
            "https://localhost:8443",
            "http://127.0.0.1:3000",
            "http://[::1]:3000",
        ] {
            assert!(is_local(good), "{good}");
        }
        for bad in [
            "null",
            "",
            "localhost",
            "http://localhost.example",
            "http://localhost.",
            "http://example.localhost:3000",
            "http://localhost@example.com",
            "http://127.0.0.1.example:3000",
            "http://127.0.0.2:3000",
            "http://2130706433",
            "http://192.168.0.1:3000",
            "http://[::]:3000",
            "http://[::ffff:127.0.0.1]",
            "http://localhost:5173/",
            "http://LOCALHOST:5173",
            "file://localhost",
            "chrome-extension://localhost",
        ] {
            assert!(!is_local(bad), "{bad}");
        }
    }

    #[test]
    fn origins_are_as_browsers_send_them() {
        for good in ["https://app.example", "http://localhost:3000", "*"] {
            assert!(good.parse::<Origin>().is_ok(), "{good}");
        }
        for bad in ["https://app.example/", "https://App.example", "app.example", "https://a:443", "null", ""]
        {
            assert!(bad.parse::<Origin>().is_err(), "{bad}");
        }
    }
}
