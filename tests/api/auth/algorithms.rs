//! Every algorithm, and every confusion of one with another.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use causerie::auth::{ClaimRules, Rejection};
use serde_json::json;

use super::{
    SECRET, claims,
    signer::{ALGORITHMS, NAMES, RSA_ALGORITHMS, Signer},
    user, with_file, with_keys, with_secret,
};

fn same_key(one: &str, other: &str) -> bool {
    let edwards = |name: &str| name == "EdDSA" || name == "Ed25519";
    one == other || edwards(one) && edwards(other)
}

#[tokio::test]
async fn every_algorithm_is_accepted() {
    for algorithm in ALGORITHMS {
        let signer = Signer::new(algorithm, "k1");
        let authenticator = with_keys(&[&signer]).await;
        let claims = claims("ada");
        for header in [
            json!({"alg": algorithm, "kid": "k1"}),
            json!({"alg": algorithm}),
            json!({"alg": algorithm, "typ": "JWT", "kid": "k1", "jku": "http://127.0.0.1/", "x": [1]}),
        ] {
            let token = signer.token_with(&header, &claims);
            assert_eq!(user(&authenticator, &token).await, Ok("ada".into()), "{header}");
        }
    }
}

#[tokio::test]
async fn both_names_of_ed25519_mean_the_same_key() {
    for published in [json!("EdDSA"), json!("Ed25519"), json!(null)] {
        let signer = Signer::new("EdDSA", "k1");
        let mut jwk = signer.jwk();
        jwk["alg"] = published.clone();
        let authenticator = with_file(&json!({"keys": [jwk]}).to_string()).await.unwrap();
        for sent in ["EdDSA", "Ed25519"] {
            let token = signer.token_with(&json!({"alg": sent, "kid": "k1"}), &claims("ada"));
            assert_eq!(user(&authenticator, &token).await, Ok("ada".into()), "{sent} with {published}");
        }
    }
}

#[tokio::test]
async fn the_key_fixes_the_algorithm_not_the_header() {
    for algorithm in ALGORITHMS {
        let signer = Signer::new(algorithm, "k1");
        for jwk in [signer.jwk(), signer.jwk_without_alg()] {
            let authenticator = with_file(&json!({"keys": [jwk]}).to_string()).await.unwrap();
            for name in NAMES.into_iter().filter(|name| !same_key(name, algorithm)) {
                for header in [json!({"alg": name, "kid": "k1"}), json!({"alg": name})] {
                    let token = signer.token_with(&header, &claims("ada"));
                    assert_eq!(
                        user(&authenticator, &token).await,
                        Err(Rejection::Invalid),
                        "{algorithm} as {name}"
                    );
                }
            }
        }
    }
}

#[tokio::test]
async fn an_rsa_key_with_an_algorithm_checks_no_other() {
    let signer = Signer::new("RS256", "k1");
    let strict = with_keys(&[&signer]).await;
    let open = with_file(&json!({"keys": [signer.jwk_without_alg()]}).to_string()).await.unwrap();
    for algorithm in RSA_ALGORITHMS {
        // Rightly signed and labelled, so only the key's own `alg` stands against it.
        let token = signer.sign(algorithm, &json!({"alg": algorithm, "kid": "k1"}), &claims("ada"));
        let expected = if algorithm == "RS256" { Ok("ada".into()) } else { Err(Rejection::Invalid) };
        assert_eq!(user(&strict, &token).await, expected, "{algorithm}");
        assert_eq!(user(&open, &token).await, Ok("ada".into()), "{algorithm}");
    }
}

#[tokio::test]
async fn public_keys_are_no_secrets() {
    for algorithm in ALGORITHMS {
        let signer = Signer::new(algorithm, "k1");
        for jwk in [signer.jwk(), signer.jwk_without_alg()] {
            let authenticator = with_file(&json!({"keys": [jwk]}).to_string()).await.unwrap();
            let member = |name: &str| jwk[name].as_str().unwrap_or_default().to_owned();
            let bytes = signer.public_bytes();
            let pem = format!(
                "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
                STANDARD.encode(&bytes)
            );
            let secrets = [
                bytes,
                pem.into_bytes(),
                jwk.to_string().into_bytes(),
                member("x").into_bytes(),
                URL_SAFE_NO_PAD.decode(member("x")).unwrap(),
                member("n").into_bytes(),
                URL_SAFE_NO_PAD.decode(member("n")).unwrap(),
                Vec::new(),
            ];
            for secret in secrets {
                for name in ["HS256", "HS384", "HS512"] {
                    let forger = Signer::hmac(name, &secret);
                    for header in [json!({"alg": name, "kid": "k1"}), json!({"alg": name})] {
                        let token = forger.token_with(&header, &claims("ada"));
                        assert_eq!(user(&authenticator, &token).await, Err(Rejection::Invalid), "{header}");
                    }
                    // The other way round: a HMAC as the signature of the key's own algorithm.
                    let token = forger.token_with(&json!({"alg": algorithm, "kid": "k1"}), &claims("ada"));
                    assert_eq!(user(&authenticator, &token).await, Err(Rejection::Invalid), "{algorithm}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_shared_secret_means_hs256_only() {
    let authenticator = with_secret(ClaimRules::default()).await;
    let ok = Ok("ada".to_owned());
    let good = Signer::hmac("HS256", SECRET.as_bytes());
    for header in [json!({"alg": "HS256"}), json!({"alg": "HS256", "kid": "any", "typ": "JWT"})] {
        assert_eq!(user(&authenticator, &good.token_with(&header, &claims("ada"))).await, ok, "{header}");
    }
    for name in NAMES.into_iter().filter(|name| *name != "HS256") {
        let token = good.token_with(&json!({"alg": name}), &claims("ada"));
        assert_eq!(user(&authenticator, &token).await, Err(Rejection::Invalid), "{name}");
    }
    for name in ["HS384", "HS512"] {
        let token = Signer::hmac(name, SECRET.as_bytes()).token(&claims("ada"));
        assert_eq!(user(&authenticator, &token).await, Err(Rejection::Invalid), "{name}");
    }
    for algorithm in ALGORITHMS {
        let token = Signer::new(algorithm, "k1").token(&claims("ada"));
        assert_eq!(user(&authenticator, &token).await, Err(Rejection::Invalid), "{algorithm}");
    }
    for secret in ["", &SECRET[1..], &format!("{SECRET} ")] {
        let token = Signer::hmac("HS256", secret.as_bytes()).token(&claims("ada"));
        assert_eq!(user(&authenticator, &token).await, Err(Rejection::Invalid), "{secret:?}");
    }
}
