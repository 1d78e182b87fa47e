//! Which address a request comes from.

use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use ipnet::IpNet;

use super::App;
use super::connection::Peer;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Proxies whose word on the address of a client counts: an address, or a network such as `10.0.0.0/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrustedProxy(IpNet);

impl FromStr for TrustedProxy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let address = text.parse::<IpAddr>().map(IpNet::from);
        let network = address.or_else(|_| text.parse::<IpNet>());
        network.map(Self).map_err(|_| "it must be an address or a network such as 10.0.0.0/8".to_owned())
    }
}

impl TrustedProxy {
    /// Whether it is one of `proxies` that has `address`.
    pub(super) fn has(proxies: &[Self], address: IpAddr) -> bool {
        let address = address.to_canonical();
        proxies.iter().any(|proxy| proxy.0.contains(&address))
    }
}

/// The address that a request is counted under.
#[derive(Clone, Copy, Debug)]
pub(super) struct Client(pub(super) IpAddr);

/// Finds the request's address, and refuses what comes from it too often.
pub(super) async fn admit(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<Peer>().map(|peer| peer.address.ip());
    let peer = peer.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let address = client(peer, request.headers(), &app.0.options.trusted_proxies);
    if let Err(exceeded) = app.0.admission.rates.check_rate(address) {
        return exceeded.into_response();
    }
    request.extensions_mut().insert(Client(address));
    next.run(request).await
}

/// The last address in the chain that no trusted proxy has. What stands before it anybody may have written.
fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[TrustedProxy]) -> IpAddr {
    let mut client = peer.to_canonical();
    let values: Vec<&[u8]> = headers.get_all(FORWARDED_FOR).iter().map(HeaderValue::as_bytes).collect();
    let hops = values.iter().rev().flat_map(|value| value.rsplit(|byte| *byte == b','));
    for hop in hops {
        if !TrustedProxy::has(trusted, client) {
            break;
        }
        match read(hop.trim_ascii()) {
            Some(address) => client = address.to_canonical(),
            None => break,
        }
    }
    client
}

/// Reads an address, with or without a port.
fn read(hop: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(hop).ok()?;
    let with_port = text.parse::<std::net::SocketAddr>().map(|address| address.ip());
    text.trim_matches(['[', ']']).parse().or(with_port).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_trusted_proxies_are_believed() {
        let trusted: Vec<TrustedProxy> =
            ["10.0.0.0/8", "192.0.2.1", "fd00::/8"].iter().map(|it| it.parse().unwrap()).collect();
        let found = |peer: &str, forwarded: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in forwarded {
                headers.append(FORWARDED_FOR, HeaderValue::from_bytes(value.as_bytes()).unwrap());
            }
            client(peer.parse().unwrap(), &headers, &trusted).to_string()
        };
        assert_eq!(found("198.51.100.1", &[]), "198.51.100.1");
        assert_eq!(found("198.51.100.1", &["203.0.113.9"]), "198.51.100.1", "anybody can write a header");
        assert_eq!(found("10.1.2.3", &["203.0.113.9"]), "203.0.113.9");
        assert_eq!(found("10.1.2.3", &["1.2.3.4, 203.0.113.9"]), "203.0.113.9", "the client wrote 1.2.3.4");
        assert_eq!(found("10.1.2.3", &["203.0.113.9, 192.0.2.1"]), "203.0.113.9");
        assert_eq!(
            found("10.1.2.3", &["203.0.113.9", "192.0.2.1"]),
            "203.0.113.9",
            "two headers are one list"
        );
        assert_eq!(found("10.1.2.3", &["203.0.113.9:4711"]), "203.0.113.9");
        assert_eq!(found("fd00::1", &["[2001:db8::1]:4711"]), "2001:db8::1");
        assert_eq!(found("::ffff:10.1.2.3", &["203.0.113.9"]), "203.0.113.9");
        assert_eq!(found("10.1.2.3", &["203.0.113.9, unknown"]), "10.1.2.3");
        assert_eq!(found("10.1.2.3", &["\u{e9}, 203.0.113.9"]), "203.0.113.9", "one hop cannot be read");
        assert_eq!(found("10.1.2.3", &["203.0.113.9, \u{e9}"]), "10.1.2.3");
        assert_eq!(found("10.1.2.3", &[]), "10.1.2.3");
        assert!("10.0.0.0/33".parse::<TrustedProxy>().is_err());
    }
}
