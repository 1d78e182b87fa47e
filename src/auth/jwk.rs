//! Published keys: JSON Web Keys (RFC 7517, 7518, 8037).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::signature::RsaPublicKeyComponents;
use serde::Deserialize;
use serde_json::Value;

use super::{
    algorithm::Algorithm,
    keys::{Key, KeySet, Material},
};

/// Sizes of RSA moduli that are accepted, in bits.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

/// The members of a JWK that matter for checking signatures.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    kid: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
}

/// Reads a key set. Keys that cannot check a signature here are left out: an issuer may publish others, and new
/// kinds, beside them. The error is for text that is no key set at all.
pub(super) fn parse(json: &[u8]) -> Result<KeySet, String> {
    let document: Document = serde_json::from_slice(json).map_err(|_| "it is not a JSON Web Key Set")?;
    let mut keys = Vec::new();
    for (index, value) in document.keys.into_iter().enumerate() {
        match serde_json::from_value::<Jwk>(value).map_err(|_| "it is malformed").and_then(key) {
            Ok(key) => keys.push(key),
            Err(reason) => tracing::debug!(index, reason, "key of the key set left out"),
        }
    }
    Ok(KeySet::new(keys))
}

fn key(jwk: Jwk) -> Result<Key, &'static str> {
    if jwk.usage.as_deref().is_some_and(|usage| usage != "sig") {
        return Err("it is not for signatures");
    }
    if jwk
        .key_ops
        .as_ref()
        .is_some_and(|operations| !operations.iter().any(|operation| operation == "verify"))
    {
        return Err("it is not for checking signatures");
    }
    let material = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
        ("OKP", Some("Ed25519")) => Material::Ed25519(coordinate(jwk.x.as_deref(), 32)?),
        ("EC", Some("P-256")) => Material::P256(point(&jwk, 32)?),
        ("EC", Some("P-384")) => Material::P384(point(&jwk, 48)?),
        ("RSA", _) => Material::Rsa(rsa(&jwk)?),
        // `oct` as well: a secret that is published is none.
        _ => return Err("its type or curve is not supported"),
    };
    let algorithm = match jwk.alg.as_deref() {
        None => None,
        Some(name) => {
            let algorithm = Algorithm::named(name).ok_or("its algorithm is not supported")?;
            if algorithm.family() != material.family() {
                return Err("its algorithm does not fit its type");
            }
            Some(algorithm)
        }
    };
    Ok(Key { kid: jwk.kid, algorithm, material })
}

fn bytes(member: Option<&str>) -> Result<Vec<u8>, &'static str> {
    let text = member.ok_or("a member is missing")?;
    URL_SAFE_NO_PAD.decode(text).map_err(|_| "a member is not base64url")
}

fn coordinate(member: Option<&str>, length: usize) -> Result<Vec<u8>, &'static str> {
    let bytes = bytes(member)?;
    if bytes.len() == length { Ok(bytes) } else { Err("a coordinate has the wrong length") }
}

/// The uncompressed form of a point (SEC 1, 2.3.3). Whether it lies on the curve is seen when it is used.
fn point(jwk: &Jwk, length: usize) -> Result<Vec<u8>, &'static str> {
    let mut point = vec![4];
    point.extend(coordinate(jwk.x.as_deref(), length)?);
    point.extend(coordinate(jwk.y.as_deref(), length)?);
    Ok(point)
}

fn rsa(jwk: &Jwk) -> Result<RsaPublicKeyComponents<Vec<u8>>, &'static str> {
    let (n, e) = (integer(jwk.n.as_deref())?, integer(jwk.e.as_deref())?);
    let leading = n.first().map_or(0, |byte| byte.leading_zeros() as usize);
    if !RSA_BITS.contains(&(n.len() * 8 - leading)) {
        return Err("its modulus has fewer than 2048 or more than 8192 bits");
    }
    Ok(RsaPublicKeyComponents { n, e })
}

/// A number without its leading zeros, which some issuers send and `ring` refuses.
fn integer(member: Option<&str>) -> Result<Vec<u8>, &'static str> {
    let bytes = bytes(member)?;
    Ok(bytes.iter().skip_while(|byte| **byte == 0).copied().collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(jwk: Value) -> Option<Key> {
        serde_json::from_value::<Jwk>(jwk).ok().and_then(|jwk| key(jwk).ok())
    }

    fn encoded(length: usize) -> String {
        URL_SAFE_NO_PAD.encode(vec![0xa5; length])
    }

    /// `base` with the members of `changes`; `null` takes one away.
    fn with(base: &Value, changes: &Value) -> Value {
        let mut jwk = base.clone();
        for (name, value) in changes.as_object().unwrap() {
            if value.is_null() {
                jwk.as_object_mut().unwrap().remove(name);
            } else {
                jwk[name] = value.clone();
            }
        }
        jwk
    }

    #[test]
    fn what_can_be_used() {
        let okp = json!({"kty": "OKP", "crv": "Ed25519", "x": encoded(32)});
        let p256 = json!({"kty": "EC", "crv": "P-256", "x": encoded(32), "y": encoded(32)});
        let p384 = json!({"kty": "EC", "crv": "P-384", "x": encoded(48), "y": encoded(48)});
        let rsa = json!({"kty": "RSA", "n": encoded(256), "e": "AQAB"});
        for base in [&okp, &p256, &p384, &rsa] {
            assert!(read(base.clone()).is_some(), "{base}");
            for change in [
                json!({"use": "sig"}),
                json!({"kid": "k"}),
                json!({"key_ops": ["sign", "verify"]}),
                json!({"use": "sig", "x5c": ["…"], "nbf": 1, "ext": true}),
            ] {
                assert!(read(with(base, &change)).is_some(), "{base} with {change}");
            }
            for change in [
                json!({"use": "enc"}),
                json!({"key_ops": ["encrypt"]}),
                json!({"kty": "oct", "k": encoded(32)}),
                json!({"kty": "AKP"}),
                json!({"kty": null}),
                json!({"kid": 7}),
                json!({"alg": "HS256"}),
                json!({"alg": "none"}),
                json!({"alg": "RSA-OAEP"}),
                json!({"alg": "ES512"}),
            ] {
                assert!(read(with(base, &change)).is_none(), "{base} with {change}");
            }
        }
        assert!(read(with(&okp, &json!({"alg": "Ed25519"}))).is_some());
        assert!(read(with(&okp, &json!({"alg": "EdDSA"}))).is_some());
        for (base, change) in [
            (&okp, json!({"crv": "X25519"})),
            (&okp, json!({"crv": "Ed448", "x": encoded(57)})),
            (&okp, json!({"x": encoded(31)})),
            (&okp, json!({"x": null})),
            (&okp, json!({"x": format!("{}=", encoded(32))})),
            (&okp, json!({"alg": "ES256"})),
            (&p256, json!({"crv": "secp256k1"})),
            (&p256, json!({"crv": "P-521"})),
            (&p256, json!({"y": encoded(33)})),
            (&p256, json!({"y": null})),
            (&p256, json!({"alg": "ES384"})),
            (&p384, json!({"alg": "ES256"})),
            (&rsa, json!({"n": encoded(128)})),
            (&rsa, json!({"n": encoded(255)})),
            (&rsa, json!({"n": encoded(1025)})),
            (&rsa, json!({"n": ""})),
            (&rsa, json!({"e": null})),
            (&rsa, json!({"alg": "EdDSA"})),
        ] {
            assert!(read(with(base, &change)).is_none(), "{base} with {change}");
        }
    }

    #[test]
    fn leading_zeros_of_rsa_numbers_are_no_part_of_them() {
        let n = [vec![0], vec![0xa5; 256]].concat();
        let key = read(json!({"kty": "RSA", "n": URL_SAFE_NO_PAD.encode(&n), "e": "AAEAAQ"})).unwrap();
        let Material::Rsa(components) = key.material else { panic!("an RSA key") };
        assert_eq!((components.n.len(), components.e), (256, vec![1, 0, 1]));
        let padded = [vec![0; 200], vec![0xa5; 128]].concat();
        assert!(read(json!({"kty": "RSA", "n": URL_SAFE_NO_PAD.encode(padded), "e": "AQAB"})).is_none());
    }

    #[test]
    fn sets() {
        let good = json!({"kty": "OKP", "crv": "Ed25519", "x": encoded(32)});
        let set = |value: Value| parse(value.to_string().as_bytes()).map(|keys| keys.len());
        assert_eq!(set(json!({"keys": [good]})), Ok(1));
        assert_eq!(set(json!({"keys": [good, 1, null, {}, {"kty": "EC"}, good], "more": 1})), Ok(2));
        assert_eq!(set(json!({"keys": []})), Ok(0));
        assert!(set(json!({"keys": {}})).is_err());
        assert!(set(json!({"error": "down"})).is_err());
        assert!(set(json!([good])).is_err());
        assert!(parse(b"<html>").is_err());
    }
}
