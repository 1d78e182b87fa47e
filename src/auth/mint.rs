//! Making tokens, for development and for scripts.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::Utc;
use ring::hmac;
use serde_json::{Map, Value, json};

use super::{claims::ClaimRules, options::Secret, viewer::UserId};

/// Makes an HS256 token for `user`, valid from now for `ttl` (whole seconds), that satisfies `rules`.
#[must_use]
pub fn mint(secret: &Secret, rules: &ClaimRules, user: &UserId, ttl: Duration) -> String {
    let now = Utc::now().timestamp().unsigned_abs();
    let mut claims = Map::new();
    claims.insert("iat".into(), now.into());
    claims.insert("exp".into(), now.saturating_add(ttl.as_secs()).into());
    if let Some(issuer) = &rules.issuer {
        claims.insert("iss".into(), issuer.as_str().into());
    }
    if let Some(audience) = &rules.audience {
        claims.insert("aud".into(), audience.as_str().into());
    }
    for claim in &rules.required {
        claim.insert(&mut claims);
    }
    claims.insert(rules.user_claim.clone(), user.as_str().into());

    let header = URL_SAFE_NO_PAD.encode(json!({"alg": "HS256", "typ": "JWT"}).to_string());
    let payload = URL_SAFE_NO_PAD.encode(Value::Object(claims).to_string());
    let signed = format!("{header}.{payload}");
    let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&secret.key(), signed.as_bytes()));
    format!("{signed}.{signature}")
}
