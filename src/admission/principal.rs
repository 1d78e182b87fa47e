//! Who is counted.

use std::net::IpAddr;

use crate::auth::{UserId, Viewer};

/// A user, or an address that nobody has signed in from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// Whoever has this id.
    User(UserId),
    /// An address of IPv4, or a network of IPv6.
    Address(IpAddr),
}

impl Principal {
    /// The viewer, or without one the address.
    #[must_use]
    pub fn new(viewer: Option<&Viewer>, address: IpAddr) -> Self {
        match viewer {
            Some(viewer) => Self::User(viewer.user_id().clone()),
            None => Self::Address(network(address)),
        }
    }

    /// A text that stands for nobody else.
    pub(super) fn key(&self) -> String {
        match self {
            Self::User(id) => format!("user {}", id.as_str()),
            Self::Address(address) => format!("address {address}"),
        }
    }
}

/// One customer of IPv6 has a whole network of addresses.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) >> 64 << 64).into()),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_of_ipv6_count_as_one() {
        let network = |address: &str| network(address.parse().unwrap()).to_string();
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(network("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(network("192.0.2.7"), "192.0.2.7");
    }
}
