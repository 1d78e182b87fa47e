//! Which key of a set checks a token, and which sets are of use.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use causerie::auth::Rejection;
use serde_json::json;

use super::{SECRET, claims, signer::Signer, user, with_file, with_keys};

#[tokio::test]
async fn another_key_of_the_same_kind_is_refused() {
    for algorithm in ["EdDSA", "ES256", "ES384"] {
        let authenticator = with_keys(&[&Signer::new(algorithm, "k1")]).await;
        let stranger = Signer::new(algorithm, "k1");
        for header in [
            json!({"alg": algorithm, "kid": "k1"}),
            json!({"alg": algorithm, "kid": "k2"}),
            json!({"alg": algorithm}),
            json!({"alg": algorithm, "kid": "k1", "jwk": stranger.jwk()}),
        ] {
            let token = stranger.token_with(&header, &claims("ada"));
            assert_eq!(user(&authenticator, &token).await, Err(Rejection::Invalid), "{header}");
        }
    }
}

#[tokio::test]
async fn the_kid_chooses_among_many_keys() {
    let signers: Vec<Signer> = ["k1", "k2", "k3"]
        .into_iter()
        .flat_map(|kid| ["EdDSA", "ES256"].map(|name| Signer::new(name, kid)))
        .collect();
    let authenticator = with_keys(&signers.iter().collect::<Vec<_>>()).await;
    for signer in &signers {
        for header in [json!({"alg": signer.algorithm, "kid": signer.kid}), json!({"alg": signer.algorithm})]
        {
            let token = signer.token_with(&header, &claims("ada"));
            assert_eq!(user(&authenticator, &token).await, Ok("ada".into()), "{header}");
        }
        for kid in ["k1", "k2", "k3", "k4", ""].into_iter().filter(|kid| *kid != signer.kid) {
            let token = signer.token_with(&json!({"alg": signer.algorithm, "kid": kid}), &claims("ada"));
            assert_eq!(
                user(&authenticator, &token).await,
                Err(Rejection::Invalid),
                "{} as {kid}",
                signer.kid
            );
        }
    }
}

#[tokio::test]
async fn a_key_without_kid_checks_any_token() {
    let signer = Signer::new("EdDSA", "k1");
    let mut jwk = signer.jwk();
    jwk.as_object_mut().unwrap().remove("kid");
    let authenticator = with_file(&json!({"keys": [jwk]}).to_string()).await.unwrap();
    assert_eq!(user(&authenticator, &signer.token(&claims("ada"))).await, Ok("ada".into()));
}

#[tokio::test]
async fn a_token_without_kid_tries_so_many_keys_only() {
    let signers: Vec<Signer> = (0..33).map(|_| Signer::new("EdDSA", "k1")).collect();
    let authenticator = with_keys(&signers.iter().collect::<Vec<_>>()).await;
    let header = json!({"alg": "EdDSA"});
    assert_eq!(
        user(&authenticator, &signers[31].token_with(&header, &claims("ada"))).await,
        Ok("ada".into())
    );
    let too_far = signers[32].token_with(&header, &claims("ada"));
    assert_eq!(user(&authenticator, &too_far).await, Err(Rejection::Invalid));
}

#[tokio::test]
async fn key_files_must_be_of_use() {
    let signer = Signer::new("ES256", "k1");
    let mut other_use = signer.jwk();
    other_use["use"] = json!("enc");
    let secret = json!({"kty": "oct", "k": URL_SAFE_NO_PAD.encode(SECRET), "alg": "HS256"});
    for (text, reason) in [
        (String::new(), "not a JSON Web Key Set"),
        ("{}".into(), "not a JSON Web Key Set"),
        (signer.jwk().to_string(), "not a JSON Web Key Set"),
        (json!({"keys": []}).to_string(), "no key that can be used"),
        (json!({"keys": [other_use, secret]}).to_string(), "no key that can be used"),
        (" ".repeat(2 << 20), "too large"),
    ] {
        let error = with_file(&text).await.unwrap_err();
        assert!(error.contains(reason) && error.contains("jwks.json"), "{error}");
    }
    // One key of use is enough, whatever stands beside it.
    let mixed = json!({"keys": [{"kty": "oct", "k": URL_SAFE_NO_PAD.encode(SECRET)}, signer.jwk(), 7]});
    let authenticator = with_file(&mixed.to_string()).await.unwrap();
    assert_eq!(user(&authenticator, &signer.token(&claims("ada"))).await, Ok("ada".into()));
    let forged =
        Signer::hmac("HS256", SECRET.as_bytes()).token_with(&json!({"alg": "HS256"}), &claims("ada"));
    assert_eq!(user(&authenticator, &forged).await, Err(Rejection::Invalid), "a published secret is none");
}
