//! A published key set that is not there, late, too large, elsewhere or nonsense.

use std::time::{Duration, Instant};

use axum::http::StatusCode;
use causerie::auth::{Authenticator, Options, Rejection};
use url::Url;

use super::{
    claims,
    issuer::{Answer, Issuer, soon},
    key_set,
    live::{AT_ONCE, NEVER, ada, keys, options, start},
    signer::Signer,
    user,
};

#[tokio::test]
async fn without_any_keys_it_is_not_the_tokens_fault() {
    let signer = Signer::new("EdDSA", "k1");
    let token = signer.token(&claims("ada"));
    let issuer = Issuer::start(Answer::Status(StatusCode::SERVICE_UNAVAILABLE)).await;
    let patient = start(&issuer, NEVER).await;
    for _ in 0..20 {
        assert_eq!(user(&patient, &token).await, Err(Rejection::KeysUnavailable));
    }
    assert_eq!(issuer.requests(), 1, "failures count as fetches");
    assert_eq!(user(&patient, "garbage").await, Err(Rejection::Invalid), "no key would make it good");

    let eager = start(&issuer, AT_ONCE).await;
    assert_eq!(user(&eager, &token).await, Err(Rejection::KeysUnavailable));
    issuer.set(keys(&[&signer]));
    assert_eq!(user(&eager, &token).await, Ok(ada()));
}

#[tokio::test]
async fn the_last_good_keys_stay_while_the_endpoint_is_down() {
    let known = Signer::new("EdDSA", "k1");
    let token = known.token(&claims("ada"));
    let unknown = Signer::new("EdDSA", "k2").token(&claims("ada"));
    let mut issuer = Issuer::start(keys(&[&known])).await;
    let authenticator = start(&issuer, AT_ONCE).await;
    for answer in [
        Answer::Status(StatusCode::INTERNAL_SERVER_ERROR),
        Answer::Status(StatusCode::NOT_FOUND),
        Answer::Status(StatusCode::NO_CONTENT),
        Answer::Failed(StatusCode::BAD_GATEWAY, key_set(&[])),
        Answer::Text("<html>maintenance</html>"),
        Answer::Text("{\"error\":\"maintenance\"}"),
        Answer::Text(""),
    ] {
        issuer.set(answer);
        let before = issuer.requests();
        assert_eq!(user(&authenticator, &unknown).await, Err(Rejection::Invalid));
        assert!(issuer.requests() > before);
        assert_eq!(user(&authenticator, &token).await, Ok(ada()));
    }
    issuer.stop().await;
    assert_eq!(user(&authenticator, &unknown).await, Err(Rejection::Invalid));
    assert_eq!(user(&authenticator, &token).await, Ok(ada()));
}

#[tokio::test]
async fn slow_answers_are_given_up() {
    let signer = Signer::new("EdDSA", "k1");
    let token = signer.token(&claims("ada"));
    for slow in [Answer::Silence, Answer::Trickle] {
        let issuer = Issuer::start(slow).await;
        let options = Options { fetch_timeout: Duration::from_millis(100), ..options(&issuer.url, AT_ONCE) };
        let began = Instant::now();
        let authenticator = soon(Authenticator::new(options)).await.unwrap();
        assert_eq!(soon(user(&authenticator, &token)).await, Err(Rejection::KeysUnavailable));
        assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
        issuer.set(keys(&[&signer]));
        assert_eq!(user(&authenticator, &token).await, Ok(ada()));
    }
}

#[tokio::test]
async fn large_answers_are_refused() {
    let signer = Signer::new("EdDSA", "k1");
    let token = signer.token(&claims("ada"));
    let set = key_set(&[&signer]);
    let room = (1 << 20) - set.to_string().len();
    for (spaces, expected) in [
        (room, Ok(ada())),
        (room + 1, Err(Rejection::KeysUnavailable)),
        (64 << 20, Err(Rejection::KeysUnavailable)),
    ] {
        let issuer = Issuer::start(Answer::Padded(spaces, set.clone())).await;
        let authenticator = start(&issuer, NEVER).await;
        assert_eq!(user(&authenticator, &token).await, expected, "{spaces}");
    }
}

#[tokio::test]
async fn redirections_are_not_followed() {
    let signer = Signer::new("EdDSA", "k1");
    let elsewhere = Issuer::start(keys(&[&signer])).await;
    let issuer = Issuer::start(Answer::Redirect(elsewhere.url.clone())).await;
    let authenticator = start(&issuer, AT_ONCE).await;
    assert_eq!(user(&authenticator, &signer.token(&claims("ada"))).await, Err(Rejection::KeysUnavailable));
    assert_eq!(elsewhere.requests(), 0);
}

#[tokio::test]
async fn addresses_are_checked_at_start() {
    for (address, reason) in
        [("http://issuer.invalid/jwks", "plain http"), ("ftp://127.0.0.1/jwks", "https://")]
    {
        let error = Authenticator::new(options(&Url::parse(address).unwrap(), NEVER)).await.unwrap_err();
        assert!(error.contains(reason), "{error}");
    }
    // Nobody listens there, or the name does not exist: no reason not to start.
    let mut issuer = Issuer::start(keys(&[])).await;
    issuer.stop().await;
    let authenticator = start(&issuer, NEVER).await;
    let token = Signer::new("EdDSA", "k1").token(&claims("ada"));
    assert_eq!(user(&authenticator, &token).await, Err(Rejection::KeysUnavailable));
}
