//! What the verifier of tokens promises of any bytes.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::DateTime;
use ring::hmac;

use super::claims::ClaimRules;
use super::jwk;
use super::keys::KeySet;
use super::options::Secret;
use super::rejection::Cause;
use super::token::Token;
use super::viewer::Viewer;

/// Everybody may know it: it guards nothing.
const SECRET: &str = "a secret of the fuzzers, known to all";

/// Public keys whose private halves nobody has kept; the corpus has a token of each.
const KEYS: &[u8] = include_bytes!("fuzz.json");

/// Seconds since 1970 at which tokens are looked at.
const NOW: i64 = 1_800_000_000;

static SHARED: LazyLock<Option<KeySet>> =
    LazyLock::new(|| Secret::new(SECRET).ok().map(|secret| KeySet::of_secret(&secret)));
static PUBLIC: LazyLock<Option<KeySet>> = LazyLock::new(|| jwk::parse(KEYS).ok());

/// Reads the bytes as a token, signed with a secret or a published key, and as a key set.
///
/// # Panics
/// If a token passes that the secret did not sign, or that two issuers signed, or that was altered.
pub fn token(bytes: &[u8]) {
    let _ = jwk::parse(bytes);
    let text = String::from_utf8_lossy(bytes);
    let (shared, public) = (check(SHARED.as_ref(), &text), check(PUBLIC.as_ref(), &text));
    assert!(shared.is_err() || public.is_err(), "a token is of two issuers");
    if shared.is_ok() {
        assert!(is_signed(&text), "a token passes that the secret did not sign");
    }
    let (Ok(viewer), keys) = (match shared {
        Ok(_) => (shared, SHARED.as_ref()),
        Err(_) => (public, PUBLIC.as_ref()),
    }) else {
        return;
    };
    assert!((1..=255).contains(&viewer.id().chars().count()), "a user's id of no good length");
    for (index, character) in text.char_indices() {
        let mut altered = text.clone().into_owned();
        let other = if character == 'A' { "B" } else { "A" };
        altered.replace_range(index..index + character.len_utf8(), other);
        assert!(check(keys, &altered).is_err(), "an altered token passes");
        assert!(check(keys, &text[..index]).is_err(), "a part of a token passes");
    }
}

fn check(keys: Option<&KeySet>, text: &str) -> Result<Viewer, Cause> {
    let token = Token::parse(text)?;
    keys.ok_or(Cause::NoKeys)?.verify(&token)?;
    let now = DateTime::from_timestamp(NOW, 0).ok_or(Cause::Expiry)?;
    let claims = token.claims()?;
    ClaimRules::default().check(&claims, now)
}

/// Whether the token is signed with the secret, found out in the plainest way.
fn is_signed(text: &str) -> bool {
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    text.rsplit_once('.').is_some_and(|(signed, signature)| {
        signature == URL_SAFE_NO_PAD.encode(hmac::sign(&key, signed.as_bytes()))
    })
}
