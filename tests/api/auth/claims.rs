//! Claims: who, until when, from whom and for whom.

use std::time::Duration;

use causerie::auth::{ClaimRules, Rejection, Secret, UserId, mint};
use chrono::Utc;
use serde_json::{Value, json};

use super::{SECRET, claims, signer::Signer, user, with_secret};

fn signed(claims: &Value) -> String {
    Signer::hmac("HS256", SECRET.as_bytes()).token_with(&json!({"alg": "HS256"}), claims)
}

#[tokio::test]
async fn time() {
    let authenticator = with_secret(ClaimRules::default()).await;
    let now = Utc::now().timestamp();
    let invalid = || Err(Rejection::Invalid);
    let ok = || Ok("ada".to_owned());
    // What depends on the running clock keeps a few seconds from the edge; the unit tests stand on it.
    for (exp, expected) in [
        (json!(now + 1), ok()),
        (json!(now - 20), ok()),
        (json!(now - 30), Err(Rejection::Expired)),
        (json!(now - 31), Err(Rejection::Expired)),
        (json!(0), Err(Rejection::Expired)),
        (json!(format!("{}", now + 900)), invalid()),
        (json!(null), invalid()),
    ] {
        let token = signed(&json!({"sub": "ada", "exp": exp}));
        assert_eq!(user(&authenticator, &token).await, expected, "exp {exp}");
    }
    assert_eq!(user(&authenticator, &signed(&json!({"sub": "ada"}))).await, invalid(), "no exp");
    for (nbf, expected) in
        [(json!(now), ok()), (json!(now + 30), ok()), (json!(now + 40), invalid()), (json!("0"), invalid())]
    {
        let token = signed(&json!({"sub": "ada", "exp": now + 900, "nbf": nbf}));
        assert_eq!(user(&authenticator, &token).await, expected, "nbf {nbf}");
    }
}

#[tokio::test]
async fn an_expired_token_of_somebody_else_is_not_called_expired() {
    let rules = ClaimRules { issuer: Some("https://us.example".into()), ..ClaimRules::default() };
    let authenticator = with_secret(rules).await;
    let expired = |iss: &str| json!({"sub": "ada", "exp": 1, "iss": iss});
    assert_eq!(user(&authenticator, &signed(&expired("https://us.example"))).await, Err(Rejection::Expired));
    assert_eq!(
        user(&authenticator, &signed(&expired("https://them.example"))).await,
        Err(Rejection::Invalid)
    );
    let forged = Signer::hmac("HS256", &[7; 32]).token(&expired("https://us.example"));
    assert_eq!(user(&authenticator, &forged).await, Err(Rejection::Invalid));
}

#[tokio::test]
async fn the_viewer_knows_when_it_ends() {
    let authenticator = with_secret(ClaimRules::default()).await;
    let exp = Utc::now().timestamp() + 900;
    let viewer = authenticator.authenticate(&signed(&json!({"sub": "ada", "exp": exp}))).await.unwrap();
    assert_eq!(viewer.expires_at().timestamp(), exp);
}

#[tokio::test]
async fn issuer_and_audience() {
    let exp = Utc::now().timestamp() + 900;
    let rules = ClaimRules {
        issuer: Some("https://us.example".into()),
        audience: Some("chat".into()),
        ..ClaimRules::default()
    };
    let authenticator = with_secret(rules).await;
    for (iss, aud, good) in [
        (json!("https://us.example"), json!("chat"), true),
        (json!("https://us.example"), json!(["mail", "chat"]), true),
        (json!("https://us.example/"), json!("chat"), false),
        (json!("https://them.example"), json!("chat"), false),
        (json!(["https://us.example"]), json!("chat"), false),
        (json!(null), json!("chat"), false),
        (json!("https://us.example"), json!("mail"), false),
        (json!("https://us.example"), json!(["mail"]), false),
        (json!("https://us.example"), json!([]), false),
        (json!("https://us.example"), json!(null), false),
    ] {
        let token = signed(&json!({"sub": "ada", "exp": exp, "iss": iss, "aud": aud}));
        let expected = if good { Ok("ada".into()) } else { Err(Rejection::Invalid) };
        assert_eq!(user(&authenticator, &token).await, expected, "{iss} {aud}");
    }
    assert_eq!(
        user(&authenticator, &signed(&json!({"sub": "ada", "exp": exp}))).await,
        Err(Rejection::Invalid)
    );
}

#[tokio::test]
async fn user_ids() {
    let authenticator = with_secret(ClaimRules::default()).await;
    let exp = Utc::now().timestamp() + 900;
    for good in ["a", "auth0|5f7c8ec7c33c6c004bbafe82", "zoë", "👩‍👩‍👧", " ", &"a".repeat(255), &"🦜".repeat(255)]
    {
        let token = signed(&json!({"sub": good, "exp": exp}));
        assert_eq!(user(&authenticator, &token).await, Ok(good.to_owned()));
    }
    for bad in [
        json!(""),
        json!("a".repeat(256)),
        json!("🦜".repeat(256)),
        json!("a\u{0}b"),
        json!("a\n"),
        json!("\u{7f}"),
        json!("\u{9f}"),
        json!(null),
        json!(1.5),
        json!(["ada"]),
    ] {
        let token = signed(&json!({"sub": bad, "exp": exp}));
        assert_eq!(user(&authenticator, &token).await, Err(Rejection::Invalid), "{bad}");
    }
    assert_eq!(user(&authenticator, &signed(&json!({"exp": exp}))).await, Err(Rejection::Invalid));
}

#[tokio::test]
async fn doubled_claims_are_refused() {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    use ring::hmac;

    let authenticator = with_secret(ClaimRules::default()).await;
    let exp = Utc::now().timestamp() + 900;
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256"}"#);
    let token = |payload: String| {
        let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(payload));
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(hmac::sign(&key, signed.as_bytes())))
    };
    let once = token(format!(r#"{{"sub":"ada","exp":{exp}}}"#));
    let twice = token(format!(r#"{{"sub":"ada","sub":"bob","exp":{exp}}}"#));
    assert_eq!(user(&authenticator, &once).await, Ok("ada".into()));
    assert_eq!(user(&authenticator, &twice).await, Err(Rejection::Invalid));
}

#[tokio::test]
async fn minted_tokens_satisfy_their_own_rules() {
    let secret = Secret::new(SECRET).unwrap();
    let strict = ClaimRules {
        issuer: Some("https://us.example".into()),
        audience: Some("chat".into()),
        user_claim: "user.id".into(),
        required: vec!["token.use=access".parse().unwrap(), "level=2".parse().unwrap()],
        plan_claim: None,
    };
    for rules in [ClaimRules::default(), strict] {
        let authenticator = with_secret(rules.clone()).await;
        let token = mint(&secret, &rules, &UserId::new("zoë 🦜").unwrap(), Duration::from_hours(1));
        let viewer = authenticator.authenticate(&token).await.unwrap();
        assert_eq!(viewer.id(), "zoë 🦜");
        let left = (viewer.expires_at() - Utc::now()).num_seconds();
        assert!((3590..=3600).contains(&left), "{left}");
    }
    let other = Secret::new("another secret, also of 32 bytes or more").unwrap();
    let token = mint(&other, &ClaimRules::default(), &UserId::new("ada").unwrap(), Duration::from_hours(1));
    let authenticator = with_secret(ClaimRules::default()).await;
    assert_eq!(user(&authenticator, &token).await, Err(Rejection::Invalid));
}

#[tokio::test]
async fn a_refresh_token_of_the_same_key_is_refused() {
    let exp = Utc::now().timestamp() + 900;
    let token = |token_use: Value| signed(&json!({"sub": "ada", "exp": exp, "token_use": token_use}));
    let rules = |required: &[&str]| ClaimRules {
        required: required.iter().map(|claim| claim.parse().unwrap()).collect(),
        ..ClaimRules::default()
    };
    let lax = with_secret(ClaimRules::default()).await;
    assert_eq!(user(&lax, &token(json!("refresh"))).await, Ok("ada".into()));
    let strict = with_secret(rules(&["token_use=access"])).await;
    assert_eq!(user(&strict, &token(json!("access"))).await, Ok("ada".into()));
    assert_eq!(user(&strict, &token(json!(["access", "chat"]))).await, Ok("ada".into()));
    for bad in [json!("refresh"), json!(["refresh"]), json!(null), json!(true), json!({"access": true})] {
        assert_eq!(user(&strict, &token(bad.clone())).await, Err(Rejection::Invalid), "{bad}");
    }
    assert_eq!(user(&strict, &signed(&claims("ada"))).await, Err(Rejection::Invalid));

    let both = with_secret(rules(&["token_use=access", "verified=true"])).await;
    let verified =
        |flag: Value| signed(&json!({"sub": "ada", "exp": exp, "token_use": "access", "verified": flag}));
    assert_eq!(user(&both, &verified(json!(true))).await, Ok("ada".into()));
    assert_eq!(user(&both, &verified(json!(false))).await, Err(Rejection::Invalid));
    assert_eq!(user(&both, &token(json!("access"))).await, Err(Rejection::Invalid), "all must hold");
    // An expired refresh token is not told from a forged one.
    let expired = signed(&json!({"sub": "ada", "exp": 1, "token_use": "refresh"}));
    assert_eq!(user(&strict, &expired).await, Err(Rejection::Invalid));
}
