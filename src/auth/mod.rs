//! Bearer token → [`Viewer`].
//!
//! An [`Authenticator`] is made once from [`Options`] and asked for each token. It accepts signed JSON Web
//! Tokens (JWS compact form) from one issuer, whose keys are a shared secret, a key set in a file, or a key set
//! that the issuer publishes and rotates.
//!
//! - `token` takes a token apart; `claims` holds its claims to the rules, those of `required_claim`
//!   among them; `mint` makes one.
//! - `keys` checks signatures, and `known` keeps whose tokens were found to be good; `jwk` reads published keys;
//!   `endpoint` fetches them once; `jwks` keeps them current.
//! - `options`, `rejection` and `viewer` are what callers see besides the [`Authenticator`].
//!
//! Nothing here knows of chat, of HTTP requests to this server, or of GraphQL.

mod algorithm;
mod authenticator;
mod claims;
mod endpoint;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod jwk;
mod jwks;
mod keys;
mod known;
mod mint;
mod object;
mod options;
mod rejection;
mod required_claim;
mod token;
mod viewer;

pub use authenticator::Authenticator;
pub use claims::{ClaimRules, LEEWAY};
pub use mint::mint;
pub use options::{IssuerOptions, Options, Secret, Source};
pub use rejection::Rejection;
pub use required_claim::RequiredClaim;
pub use viewer::{UserId, Viewer};
