//! Signatures and headers: every algorithm, good and bad.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use causerie::auth::{ClaimRules, Rejection};
use serde_json::json;

use super::{
    SECRET, claims, key_set,
    signer::{RSA_ALGORITHMS, Signer},
    user, with_file, with_keys, with_secret,
};

const ALGORITHMS: [&str; 10] =
    ["EdDSA", "Ed25519", "ES256", "ES384", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"];

/// Every name that a header may be given to mislead.
const NAMES: [&str; 19] = [
    "none", "None", "", "HS256", "HS384", "HS512", "EdDSA", "Ed25519", "Ed448", "ES256", "ES256K", "ES384",
    "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512",
];

fn same_key(one: &str, other: &str) -> bool {
    let edwards = |name: &str| name == "EdDSA" || name == "Ed25519";
    one == other || edwards(one) && edwards(other)
}

/// `token` with `change` applied to the bytes of its part number `part`.
fn altered(token: &str, part: usize, change: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    let mut bytes = URL_SAFE_NO_PAD.decode(&parts[part]).unwrap();
    change(&mut bytes);
    parts[part] = URL_SAFE_NO_PAD.encode(bytes);
    parts.join(".")
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
async fn altered_tokens_are_refused() {
    for algorithm in ALGORITHMS {
        let signer = Signer::new(algorithm, "k1");
        let authenticator = with_keys(&[&signer]).await;
        let token = signer.token(&claims("ada"));
        let bad = [
            altered(&token, 0, |header| header.push(b' ')),
            altered(&token, 1, |payload| payload[9] ^= 1),
            altered(&token, 1, |payload| payload.push(b' ')),
            altered(&token, 2, |signature| signature[10] ^= 1),
            altered(&token, 2, |signature| *signature.last_mut().unwrap() ^= 1),
            altered(&token, 2, |signature| signature.truncate(signature.len() - 1)),
            altered(&token, 2, |signature| signature.push(0)),
            altered(&token, 2, |signature| signature.fill(0)),
            altered(&token, 2, Vec::clear),
            format!("{token}="),
            format!("{token}."),
            format!("{token} "),
            token.replacen('.', "..", 1),
            token.rsplit_once('.').unwrap().0.to_owned(),
        ];
        for bad in bad {
            assert_eq!(user(&authenticator, &bad).await, Err(Rejection::Invalid), "{algorithm}: {bad}");
        }
        assert_eq!(user(&authenticator, &token).await, Ok("ada".into()));
    }
}

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
async fn the_key_fixes_the_algorithm_not_the_header() {
    for algorithm in ALGORITHMS {
        let signer = Signer::new(algorithm, "k1");
        let authenticator = with_keys(&[&signer]).await;
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

#[tokio::test]
async fn an_rsa_key_with_an_algorithm_checks_no_other() {
    let signer = Signer::new("RS256", "k1");
    let strict = with_keys(&[&signer]).await;
    let mut jwk = signer.jwk();
    jwk.as_object_mut().unwrap().remove("alg");
    let open = with_file(&json!({"keys": [jwk]}).to_string()).await.unwrap();
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
        for with_alg in [true, false] {
            let mut jwk = signer.jwk();
            if !with_alg {
                jwk.as_object_mut().unwrap().remove("alg");
            }
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

#[tokio::test]
async fn unsigned_tokens_are_refused() {
    let encode = |text: String| URL_SAFE_NO_PAD.encode(text);
    let payload = encode(claims("ada").to_string());
    for authenticator in [
        with_secret(ClaimRules::default()).await,
        with_keys(&[&Signer::new("EdDSA", "k1"), &Signer::new("RS256", "k2")]).await,
    ] {
        for name in NAMES {
            for header in
                [json!({"alg": name}), json!({"alg": name, "kid": "k1"}), json!({"alg": [name]}), json!({})]
            {
                let header = encode(header.to_string());
                for token in [
                    format!("{header}.{payload}."),
                    format!("{header}.{payload}"),
                    format!("{header}.{payload}.AA"),
                ] {
                    assert_eq!(user(&authenticator, &token).await, Err(Rejection::Invalid), "{token}");
                }
            }
        }
        for token in ["", ".", "..", "...", "null", "Bearer", "🦜", "a.b.c", "ey..", "\0\0\0"] {
            assert_eq!(user(&authenticator, token).await, Err(Rejection::Invalid), "{token:?}");
        }
    }
}

#[tokio::test]
async fn malformed_headers_are_refused_though_signed() {
    let signer = Signer::hmac("HS256", SECRET.as_bytes());
    let authenticator = with_secret(ClaimRules::default()).await;
    for header in [
        json!({"alg": "HS256", "crit": ["exp"]}),
        json!({"alg": "HS256", "crit": ["b64"], "b64": false}),
        json!({"alg": "HS256", "crit": []}),
        json!({"alg": "HS256", "kid": 1}),
        json!({"typ": "JWT"}),
        json!(["HS256"]),
        json!("HS256"),
    ] {
        let token = signer.token_with(&header, &claims("ada"));
        assert_eq!(user(&authenticator, &token).await, Err(Rejection::Invalid), "{header}");
    }
}

#[tokio::test]
async fn size_is_bounded() {
    let signer = Signer::hmac("HS256", SECRET.as_bytes());
    let authenticator = with_secret(ClaimRules::default()).await;
    let padded = |length: usize| {
        let mut claims = claims("ada");
        claims["padding"] = json!("x".repeat(length));
        signer.token(&claims)
    };
    assert_eq!(user(&authenticator, &padded(12_000)).await, Ok("ada".into()));
    assert_eq!(user(&authenticator, &padded(12_400)).await, Err(Rejection::Invalid));
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
    assert!(!key_set(&[&signer]).to_string().contains("\"d\""));
}
