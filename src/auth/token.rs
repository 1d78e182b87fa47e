//! The outside of a token: JWS compact form (RFC 7515).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{algorithm::Algorithm, object::Object, rejection::Cause};

/// The most bytes that are looked at; real tokens have one or two thousand.
pub(super) const MAX_BYTES: usize = 16 * 1024;

/// A token taken apart, not yet checked.
pub(super) struct Token<'t> {
    /// What its `alg` claims; which keys it may be used with is for the key to say.
    pub(super) algorithm: Algorithm,
    pub(super) kid: Option<String>,
    /// The bytes that are signed: header and payload as they were sent.
    pub(super) signed: &'t [u8],
    pub(super) signature: Vec<u8>,
    payload: &'t str,
}

impl<'t> Token<'t> {
    pub(super) fn parse(text: &'t str) -> Result<Self, Cause> {
        if text.len() > MAX_BYTES {
            return Err(Cause::TooLarge);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(Cause::NotCompact)?;
        let (header, payload) = signed.split_once('.').ok_or(Cause::NotCompact)?;
        if payload.contains('.') {
            return Err(Cause::NotCompact);
        }
        let signature = decode(signature)?;

        let header: Object = serde_json::from_slice(&decode(header)?).map_err(|_| Cause::Header)?;
        // RFC 7515, 4.1.11: what must be understood and is not makes the token invalid; we understand none.
        if header.contains_key("crit") {
            return Err(Cause::CriticalHeader);
        }
        let name = header.get("alg").and_then(|alg| alg.as_str()).ok_or(Cause::Header)?;
        let algorithm = Algorithm::named(name).ok_or(Cause::Algorithm)?;
        let kid = match header.get("kid") {
            None => None,
            Some(kid) => Some(kid.as_str().ok_or(Cause::Header)?.to_owned()),
        };
        Ok(Self { algorithm, kid, signed: signed.as_bytes(), signature, payload })
    }

    /// The claims; to be asked for only once the signature has been checked.
    pub(super) fn claims(&self) -> Result<Object, Cause> {
        serde_json::from_slice(&decode(self.payload)?).map_err(|_| Cause::Payload)
    }
}

/// Base64url without padding; neither stray bits nor foreign characters pass, so one token has one spelling.
fn decode(part: &str) -> Result<Vec<u8>, Cause> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Cause::NotCompact)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(header: &str) -> Result<Option<String>, Cause> {
        let text = format!("{}.e30.c2ln", URL_SAFE_NO_PAD.encode(header));
        Token::parse(&text).map(|token| token.kid)
    }

    #[test]
    fn headers() {
        assert_eq!(parse(r#"{"alg":"EdDSA"}"#), Ok(None));
        assert_eq!(
            parse(r#"{"kid":"k1","alg":"Ed25519","typ":"at+jwt","jku":"http://e.vil"}"#),
            Ok(Some("k1".into()))
        );
        assert_eq!(parse(r#"{"alg":"none"}"#), Err(Cause::Algorithm));
        assert_eq!(parse(r#"{"alg":"None"}"#), Err(Cause::Algorithm));
        assert_eq!(parse(r#"{"alg":"HS512"}"#), Err(Cause::Algorithm));
        assert_eq!(parse(r#"{"alg":"hs256"}"#), Err(Cause::Algorithm), "names are case-sensitive");
        assert_eq!(parse(r#"{"alg":["EdDSA"]}"#), Err(Cause::Header));
        assert_eq!(parse(r#"{"typ":"JWT"}"#), Err(Cause::Header));
        assert_eq!(parse(r#"{"alg":"EdDSA","kid":7}"#), Err(Cause::Header));
        assert_eq!(parse(r#"{"alg":"EdDSA","kid":null}"#), Err(Cause::Header));
        assert_eq!(parse(r#"{"alg":"none","alg":"EdDSA"}"#), Err(Cause::Header));
        assert_eq!(parse(r#"{"alg":"EdDSA","x":1,"x":2}"#), Err(Cause::Header));
        assert_eq!(parse(r#"{"alg":"EdDSA","crit":["exp"]}"#), Err(Cause::CriticalHeader));
        assert_eq!(parse(r#"{"alg":"EdDSA","crit":null}"#), Err(Cause::CriticalHeader));
        assert_eq!(parse("[]"), Err(Cause::Header));
        assert_eq!(parse(""), Err(Cause::Header));
    }

    #[test]
    fn form() {
        let cause = |text: &str| Token::parse(text).err();
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"EdDSA"}"#);
        assert_eq!(cause(&format!("{header}.e30.c2ln")), None);
        for bad in [
            String::new(),
            ".".to_owned(),
            "..".to_owned(),
            header.clone(),
            format!("{header}.e30"),
            format!("{header}.e30.c2ln."),
            format!("{header}.e30.c2ln.c2ln"),
            format!("{header}.e30.c2ln.c2ln.c2ln"),
            format!("{header}.e30.c2ln="),
            format!("{header}.e30.c2ln\n"),
            format!(" {header}.e30.c2ln"),
            format!("{header}.e30.c2l+"),
            // The same byte as `YQ`, with bits left over.
            format!("{header}.e30.YR"),
        ] {
            assert!(cause(&bad).is_some(), "{bad:?}");
        }
        let long = "A".repeat(MAX_BYTES);
        assert_eq!(cause(&format!("{header}.e30.{long}")), Some(Cause::TooLarge));
    }

    #[test]
    fn payloads() {
        let claims = |payload: &[u8]| {
            let text = format!("eyJhbGciOiJIUzI1NiJ9.{}.c2ln", URL_SAFE_NO_PAD.encode(payload));
            Token::parse(&text).unwrap().claims().map(|claims| claims.len())
        };
        assert_eq!(claims(br#"{"sub":"a","exp":1}"#), Ok(2));
        assert_eq!(claims(br#"{"sub":"a","sub":"b"}"#), Err(Cause::Payload));
        assert_eq!(claims(br#""text""#), Err(Cause::Payload));
        assert_eq!(claims(b"{\"sub\":\"\xff\"}"), Err(Cause::Payload), "not UTF-8");
        assert_eq!(claims("[".repeat(5000).as_bytes()), Err(Cause::Payload), "deep");
    }
}
