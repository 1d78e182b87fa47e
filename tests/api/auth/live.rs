//! A key set that is published, and rotated.

use std::time::{Duration, Instant};

use axum::http::StatusCode;
use causerie::auth::{Authenticator, Options, Rejection, Source};
use futures_util::future::join_all;
use serde_json::json;
use url::Url;

use super::{
    claims,
    issuer::{Answer, Issuer, soon},
    key_set,
    signer::Signer,
    user,
};

/// Every token may cause a fetch.
pub(super) const AT_ONCE: Duration = Duration::ZERO;
/// No token causes a fetch after the one at the start.
pub(super) const NEVER: Duration = Duration::from_hours(24);

/// An authenticator's options for the key set at `url`.
pub(super) fn options(url: &Url, refetch_interval: Duration) -> Options {
    Options { refetch_interval, ..Options::new(Source::JwksUrl(url.clone())) }
}

pub(super) async fn start(issuer: &Issuer, refetch_interval: Duration) -> Authenticator {
    Authenticator::new(options(&issuer.url, refetch_interval)).await.unwrap()
}

pub(super) fn keys(signers: &[&Signer]) -> Answer {
    Answer::Keys(key_set(signers))
}

pub(super) fn ada() -> String {
    "ada".into()
}

#[tokio::test]
async fn new_keys_are_fetched_and_retired_ones_go() {
    let (old, new) = (Signer::new("EdDSA", "old"), Signer::new("ES256", "new"));
    let (old_token, new_token) = (old.token(&claims("ada")), new.token(&claims("ada")));
    let issuer = Issuer::start(keys(&[&old])).await;
    let authenticator = start(&issuer, AT_ONCE).await;
    assert_eq!(user(&authenticator, &old_token).await, Ok(ada()));
    assert_eq!(issuer.requests(), 1, "known keys need no fetch");

    issuer.set(keys(&[&old, &new]));
    assert_eq!(user(&authenticator, &new_token).await, Ok(ada()));
    assert_eq!(user(&authenticator, &old_token).await, Ok(ada()));
    assert_eq!(issuer.requests(), 2);

    issuer.set(keys(&[&new]));
    let stranger = Signer::new("EdDSA", "stranger").token(&claims("ada"));
    assert_eq!(user(&authenticator, &stranger).await, Err(Rejection::Invalid));
    assert_eq!(user(&authenticator, &old_token).await, Err(Rejection::Invalid), "no longer published");
    assert_eq!(user(&authenticator, &new_token).await, Ok(ada()));
}

#[tokio::test]
async fn a_token_without_kid_may_be_of_a_new_key() {
    let (old, new) = (Signer::new("EdDSA", "old"), Signer::new("EdDSA", "new"));
    let issuer = Issuer::start(keys(&[&old])).await;
    let authenticator = start(&issuer, AT_ONCE).await;
    issuer.set(keys(&[&old, &new]));
    let token = new.token_with(&json!({"alg": "EdDSA"}), &claims("ada"));
    assert_eq!(user(&authenticator, &token).await, Ok(ada()));
    assert_eq!(issuer.requests(), 2);
}

#[tokio::test]
async fn what_no_fetch_can_mend_causes_none() {
    let signer = Signer::new("RS256", "k1");
    let issuer = Issuer::start(keys(&[&signer])).await;
    let authenticator = start(&issuer, AT_ONCE).await;
    let good = signer.token(&claims("ada"));
    for token in [
        "not a token".to_owned(),
        format!("{}AAAA", &good[..good.len() - 4]),
        Signer::hmac("HS256", &signer.public_bytes()).token(&claims("ada")),
        Signer::hmac("HS256", b"?").token_with(&json!({"alg": "none", "kid": "k9"}), &claims("ada")),
        signer.token_with(&json!({"alg": "PS256", "kid": "k1"}), &claims("ada")),
        signer.token(&json!({"sub": "ada", "exp": 1})),
        signer.token(&json!({"exp": 1})),
    ] {
        assert!(user(&authenticator, &token).await.is_err(), "{token}");
    }
    assert_eq!(issuer.requests(), 1);
}

#[tokio::test]
async fn a_flood_of_unknown_keys_fetches_nothing_within_the_interval() {
    let known = Signer::new("EdDSA", "k1");
    let issuer = Issuer::start(keys(&[&known])).await;
    let authenticator = start(&issuer, NEVER).await;
    let stranger = Signer::new("EdDSA", "k2");
    let flood = (0..500).map(|number| {
        let header = json!({"alg": "EdDSA", "kid": format!("unknown {number}")});
        let token = stranger.token_with(&header, &claims("ada"));
        let authenticator = authenticator.clone();
        async move { user(&authenticator, &token).await }
    });
    assert!(join_all(flood).await.into_iter().all(|result| result == Err(Rejection::Invalid)));
    assert_eq!(issuer.requests(), 1, "the fetch at the start");
    assert_eq!(user(&authenticator, &known.token(&claims("ada"))).await, Ok(ada()));
}

#[tokio::test]
async fn fetches_resume_after_the_interval_and_never_come_faster() {
    let interval = Duration::from_millis(200);
    let issuer = Issuer::start(keys(&[&Signer::new("EdDSA", "k1")])).await;
    let began = Instant::now();
    let authenticator = start(&issuer, interval).await;
    let late = Signer::new("EdDSA", "k2");
    let token = late.token(&claims("ada"));
    issuer.set(Answer::Status(StatusCode::INTERNAL_SERVER_ERROR));
    let refused = async {
        while issuer.requests() < 3 {
            assert_eq!(user(&authenticator, &token).await, Err(Rejection::Invalid));
            tokio::task::yield_now().await;
        }
    };
    soon(refused).await;
    assert!(began.elapsed() >= interval * 2, "the third fetch came after {:?}", began.elapsed());
    issuer.set(keys(&[&late]));
    let accepted = async {
        while user(&authenticator, &token).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    soon(accepted).await;
    assert!(began.elapsed() >= interval * 3, "failures count as well: {:?}", began.elapsed());
    assert_eq!(issuer.requests(), 4);
}

#[tokio::test]
async fn simultaneous_tokens_share_one_fetch() {
    let (old, new) = (Signer::new("EdDSA", "old"), Signer::new("EdDSA", "new"));
    let issuer = Issuer::start(keys(&[&old])).await;
    let authenticator = start(&issuer, AT_ONCE).await;
    issuer.set(Answer::Gated(key_set(&[&new])));
    let token = new.token(&claims("ada"));
    let waiting = join_all((0..100).map(|_| user(&authenticator, &token)));
    let gate = async {
        issuer.asked(2).await;
        // Who needs no new key does not wait for it.
        assert_eq!(user(&authenticator, &old.token(&claims("ada"))).await, Ok(ada()));
        issuer.open();
    };
    let (results, ()) = tokio::join!(waiting, gate);
    assert!(results.into_iter().all(|result| result == Ok(ada())));
    assert_eq!(issuer.requests(), 2);
}

#[tokio::test]
async fn a_fetch_outlives_the_request_that_began_it() {
    let (old, new) = (Signer::new("EdDSA", "old"), Signer::new("EdDSA", "new"));
    let issuer = Issuer::start(keys(&[&old])).await;
    let authenticator = start(&issuer, AT_ONCE).await;
    issuer.set(Answer::Gated(key_set(&[&new])));
    let token = new.token(&claims("ada"));
    tokio::select! {
        result = user(&authenticator, &token) => panic!("the gate is closed, yet {result:?}"),
        () = issuer.asked(2) => {}
    }
    issuer.open();
    assert_eq!(user(&authenticator, &token).await, Ok(ada()));
    assert_eq!(issuer.requests(), 2, "the first request's fetch went on without it");
}

#[tokio::test]
async fn an_issuer_may_withdraw_every_key() {
    let signer = Signer::new("EdDSA", "k1");
    let issuer = Issuer::start(keys(&[&signer])).await;
    let authenticator = start(&issuer, AT_ONCE).await;
    issuer.set(keys(&[]));
    let unknown = Signer::new("EdDSA", "k2").token(&claims("ada"));
    assert_eq!(user(&authenticator, &unknown).await, Err(Rejection::Invalid));
    assert_eq!(user(&authenticator, &signer.token(&claims("ada"))).await, Err(Rejection::Invalid));
}

#[tokio::test]
async fn withdrawn_keys_go_without_being_asked_about() {
    let signer = Signer::new("EdDSA", "k1");
    let token = signer.token(&claims("ada"));
    let issuer = Issuer::start(keys(&[&signer])).await;
    let options = Options { refresh_interval: Duration::ZERO, ..options(&issuer.url, AT_ONCE) };
    let authenticator = Authenticator::new(options).await.unwrap();
    issuer.set(keys(&[&Signer::new("EdDSA", "k2")]));
    // A token of a known key never causes a fetch, so only the refresher can end this.
    let gone = async {
        while user(&authenticator, &token).await == Ok(ada()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    soon(gone).await;
}
