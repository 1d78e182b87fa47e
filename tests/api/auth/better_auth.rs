//! Tokens of other people's programs: a Better Auth server, and the `jose` library.
//!
//! They need Node and the packages of `tests/clients/better-auth`, so they run only where they are asked for, as
//! `make api` does.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Lines, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

use causerie::auth::{Authenticator, ClaimRules, Options, Rejection, Secret, Source};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::{user, with_file};

const DIRECTORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/better-auth");

/// A line of `issuer.mjs`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    issuers: Vec<Issuer>,
    shared_secret: SharedSecret,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Issuer {
    algorithm: String,
    jwks_url: String,
    iss: String,
    aud: String,
    user: String,
    token: String,
}

#[derive(Deserialize)]
struct SharedSecret {
    secret: String,
    user: String,
    token: String,
}

/// The line of `signatures.mjs`.
#[derive(Deserialize)]
struct Signatures {
    jwks: Value,
    tokens: BTreeMap<String, String>,
}

/// A running script; it ends when this is dropped.
struct Script {
    child: Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
}

impl Script {
    fn start(name: &str) -> Self {
        let mut child = Command::new("node")
            .arg(name)
            .current_dir(DIRECTORY)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node runs");
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, input, output }
    }

    fn read<T: for<'de> Deserialize<'de>>(&mut self) -> T {
        let line = self.output.next().expect("a line of JSON; is `npm ci` done?").unwrap();
        serde_json::from_str(&line).unwrap()
    }

    fn send_line(&mut self) {
        self.input.as_mut().unwrap().write_all(b"\n").unwrap();
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        self.input = None;
        let _ = self.child.wait();
    }
}

#[tokio::test]
#[ignore = "needs Node and the packages of tests/clients/better-auth: make api"]
async fn better_auth_is_an_issuer() {
    let mut script = Script::start("issuer.mjs");
    let report: Report = script.read();
    let mut authenticators = Vec::new();
    for issuer in &report.issuers {
        let rules = ClaimRules {
            issuer: Some(issuer.iss.clone()),
            audience: Some(issuer.aud.clone()),
            ..ClaimRules::default()
        };
        let options = Options {
            claims: rules,
            refetch_interval: Duration::ZERO,
            ..Options::new(Source::JwksUrl(Url::parse(&issuer.jwks_url).unwrap()))
        };
        let authenticator = Authenticator::new(options).await.unwrap();
        for other in &report.issuers {
            let own = issuer.algorithm == other.algorithm;
            let expected = if own { Ok(issuer.user.clone()) } else { Err(Rejection::Invalid) };
            let case = format!("a token of {} at {}", other.algorithm, issuer.algorithm);
            assert_eq!(user(&authenticator, &other.token).await, expected, "{case}");
        }
        let viewer = authenticator.authenticate(&issuer.token).await.unwrap();
        let left = viewer.expires_at() - chrono::Utc::now();
        assert!((800..=900).contains(&left.num_seconds()), "{left}");
        authenticators.push(authenticator);
    }

    script.send_line();
    let rotated: Report = script.read();
    for ((authenticator, old), new) in authenticators.iter().zip(&report.issuers).zip(&rotated.issuers) {
        assert_eq!(user(authenticator, &new.token).await, Ok(old.user.clone()), "{}", old.algorithm);
        assert_eq!(user(authenticator, &old.token).await, Err(Rejection::Invalid), "{}", old.algorithm);
    }
}

#[tokio::test]
#[ignore = "needs Node and the packages of tests/clients/better-auth: make api"]
async fn better_auth_shares_a_secret() {
    let mut script = Script::start("issuer.mjs");
    let SharedSecret { secret, user: id, token } = script.read::<Report>().shared_secret;
    let with_claim = async |name: &str| {
        let rules = ClaimRules { user_claim: name.into(), ..ClaimRules::default() };
        let source = Source::Secret(Secret::new(&secret).unwrap());
        Authenticator::new(Options { claims: rules, ..Options::new(source) }).await.unwrap()
    };
    assert_eq!(user(&with_claim("user.id").await, &token).await, Ok(id));
    assert_eq!(user(&with_claim("sub").await, &token).await, Err(Rejection::Invalid));
}

#[tokio::test]
#[ignore = "needs Node and the packages of tests/clients/better-auth: make api"]
async fn every_algorithm_as_another_library_has_it() {
    let mut script = Script::start("signatures.mjs");
    let Signatures { jwks, tokens } = script.read();
    let authenticator = with_file(&jwks.to_string()).await.unwrap();
    assert_eq!(tokens.len(), 10);
    for (algorithm, token) in tokens {
        assert_eq!(user(&authenticator, &token).await, Ok("ada".into()), "{algorithm}");
    }
}
