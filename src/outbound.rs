//! Calling other services over HTTP: one client for all, and one rule of what may go without TLS.

use std::net::IpAddr;

use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder};
use url::{Host, Url};

/// Whether a host is this machine, by its name or address alone: `localhost` and what ends with `.localhost` (RFC
/// 6761), 127.0.0.0/8, `::1`, and IPv4 addresses of that range written as IPv6.
pub(crate) fn is_loopback<S: AsRef<str>>(host: &Host<S>) -> bool {
    match host {
        Host::Domain(name) => {
            let name = name.as_ref().to_ascii_lowercase();
            name == "localhost" || name.ends_with(".localhost")
        }
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => IpAddr::from(*address).to_canonical().is_loopback(),
    }
}

/// Whether `url` leads to this machine.
pub(crate) fn leads_to_loopback(url: &Url) -> bool {
    url.host().is_some_and(|host| is_loopback(&host))
}

/// Whether what is sent to `url` could be read on its way: it leads to another machine, without TLS.
pub(crate) fn is_exposed(url: &Url) -> bool {
    url.scheme() != "https" && !leads_to_loopback(url)
}

/// A client for requests to `url`, with TLS or without it as `url` says.
///
/// The first call in a process makes `ring` the process's provider of cryptography, unless there is one.
pub(crate) fn client(url: &Url) -> ClientBuilder {
    // Fails if the process has chosen already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder()
        .user_agent(concat!("causerie/", env!("CARGO_PKG_VERSION")))
        // A redirect could carry secrets elsewhere, or bring answers from there.
        .redirect(Policy::none());
    let client = match url.scheme() {
        "https" => client.https_only(true),
        // Needs no certificates: a small container may have none.
        _ => client.tls_certs_only([]),
    };
    if leads_to_loopback(url) { client.no_proxy() } else { client }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_known_by_its_names_and_addresses() {
        for own in [
            "http://localhost:1",
            "http://x.LOCALHOST",
            "http://127.0.0.1",
            "http://127.9.9.9/x",
            "http://[::1]:3000",
            "http://[::ffff:127.0.0.1]",
        ] {
            assert!(leads_to_loopback(&own.parse().unwrap()), "{own}");
        }
        for other in [
            "http://localhost.example",
            "http://127.0.0.1.example",
            "http://127.0.0.1@issuer.example",
            "http://10.0.0.1",
            "http://0.0.0.0",
            "http://[::]",
        ] {
            let other: Url = other.parse().unwrap();
            assert!(!leads_to_loopback(&other) && is_exposed(&other), "{other}");
        }
        assert!(!is_exposed(&"https://issuer.example".parse().unwrap()));
    }
}
