//! Bearer tokens: which are accepted, for whom, and with which keys.

mod algorithms;
mod better_auth;
mod claims;
mod http;
mod issuer;
mod key_sets;
mod live;
mod logs;
mod outages;
mod signer;
mod tokens;

use std::path::PathBuf;

use causerie::auth::{Authenticator, ClaimRules, Options, Rejection, Secret, Source};
use chrono::Utc;
use serde_json::{Value, json};
use signer::Signer;
use tempfile::TempDir;

const SECRET: &str = "a shared secret of 32 bytes, or more";

/// Claims of a token of `sub` that is good for a while.
fn claims(sub: &str) -> Value {
    json!({"sub": sub, "exp": Utc::now().timestamp() + 900})
}

fn key_set(signers: &[&Signer]) -> Value {
    json!({"keys": signers.iter().map(|signer| signer.jwk()).collect::<Vec<_>>()})
}

fn shared_secret() -> Source {
    Source::Secret(Secret::new(SECRET).unwrap())
}

async fn with_secret(rules: ClaimRules) -> Authenticator {
    Authenticator::new(Options { claims: rules, ..Options::new(shared_secret()) }).await.unwrap()
}

/// An authenticator with the keys of a file that holds `text`.
async fn with_file(text: &str) -> Result<Authenticator, String> {
    let directory = TempDir::new().unwrap();
    let path: PathBuf = directory.path().join("jwks.json");
    std::fs::write(&path, text).unwrap();
    Authenticator::new(Options::new(Source::JwksFile(path))).await
}

async fn with_keys(signers: &[&Signer]) -> Authenticator {
    with_file(&key_set(signers).to_string()).await.unwrap()
}

/// Who `token` stands for.
async fn user(authenticator: &Authenticator, token: &str) -> Result<String, Rejection> {
    authenticator.authenticate(token).await.map(|viewer| viewer.id().to_owned())
}
