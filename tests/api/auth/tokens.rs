//! The outside of tokens: altered, unsigned, malformed, large.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use causerie::auth::{ClaimRules, Rejection};
use serde_json::json;

use super::{
    SECRET, claims,
    signer::{ALGORITHMS, NAMES, Signer},
    user, with_keys, with_secret,
};

/// `token` with `change` applied to the bytes of its part number `part`.
fn altered(token: &str, part: usize, change: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    let mut bytes = URL_SAFE_NO_PAD.decode(&parts[part]).unwrap();
    change(&mut bytes);
    parts[part] = URL_SAFE_NO_PAD.encode(bytes);
    parts.join(".")
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
