//! Issuers' private keys.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    hmac,
    rand::SystemRandom,
    rsa,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
        EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512,
        RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding,
    },
};
use serde_json::{Value, json};

/// PKCS#8, made for these tests with `openssl genpkey -algorithm RSA` and `openssl pkcs8 -topk8 -outform DER`; it
/// protects nothing.
const RSA_2048: &[u8] = include_bytes!("rsa_2048.pk8");

/// Every algorithm with public keys.
pub(super) const ALGORITHMS: [&str; 10] =
    ["EdDSA", "Ed25519", "ES256", "ES384", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"];

pub(super) const RSA_ALGORITHMS: [&str; 6] = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"];

/// Every name that a header may be given to mislead.
pub(super) const NAMES: [&str; 19] = [
    "none", "None", "", "HS256", "HS384", "HS512", "EdDSA", "Ed25519", "Ed448", "ES256", "ES256K", "ES384",
    "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512",
];

enum PrivateKey {
    Ed25519(Ed25519KeyPair),
    Ecdsa(EcdsaKeyPair),
    Rsa(Box<rsa::KeyPair>),
    Secret(hmac::Key),
}

/// A private key and how its tokens are labelled.
pub(super) struct Signer {
    key: PrivateKey,
    pub(super) algorithm: &'static str,
    pub(super) kid: &'static str,
}

impl Signer {
    /// A key for `algorithm`: a new one, but for RSA, where making one takes too long.
    pub(super) fn new(algorithm: &'static str, kid: &'static str) -> Self {
        let random = SystemRandom::new();
        let ecdsa = |curve: &'static EcdsaSigningAlgorithm| {
            let document = EcdsaKeyPair::generate_pkcs8(curve, &random).unwrap();
            PrivateKey::Ecdsa(EcdsaKeyPair::from_pkcs8(curve, document.as_ref(), &random).unwrap())
        };
        let key = match algorithm {
            "EdDSA" | "Ed25519" => {
                let document = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
                PrivateKey::Ed25519(Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap())
            }
            "ES256" => ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING),
            "ES384" => ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING),
            _ => PrivateKey::Rsa(Box::new(rsa::KeyPair::from_pkcs8(RSA_2048).unwrap())),
        };
        Self { key, algorithm, kid }
    }

    /// A signer with a shared secret; `algorithm` is HS256, HS384 or HS512.
    pub(super) fn hmac(algorithm: &'static str, secret: &[u8]) -> Self {
        let hash = match algorithm {
            "HS384" => hmac::HMAC_SHA384,
            "HS512" => hmac::HMAC_SHA512,
            _ => hmac::HMAC_SHA256,
        };
        Self { key: PrivateKey::Secret(hmac::Key::new(hash, secret)), algorithm, kid: "secret" }
    }

    /// The public half, as an issuer publishes it.
    pub(super) fn jwk(&self) -> Value {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let mut jwk = match &self.key {
            PrivateKey::Ed25519(_) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": encode(&self.public_bytes())})
            }
            PrivateKey::Ecdsa(_) => {
                let point = self.public_bytes();
                let (x, y) = point[1..].split_at(point.len() / 2);
                let crv = if x.len() == 32 { "P-256" } else { "P-384" };
                json!({"kty": "EC", "crv": crv, "x": encode(x), "y": encode(y)})
            }
            PrivateKey::Rsa(key) => {
                let public: rsa::PublicKeyComponents<Vec<u8>> = key.public().into();
                json!({"kty": "RSA", "n": encode(&public.n), "e": encode(&public.e)})
            }
            PrivateKey::Secret(_) => panic!("a secret has no public half"),
        };
        jwk["alg"] = json!(self.algorithm);
        jwk["kid"] = json!(self.kid);
        jwk
    }

    /// The public half, free to check every algorithm that it can.
    pub(super) fn jwk_without_alg(&self) -> Value {
        let mut jwk = self.jwk();
        jwk.as_object_mut().unwrap().remove("alg");
        jwk
    }

    /// The public half as bytes: a point, or an RSA key in DER.
    pub(super) fn public_bytes(&self) -> Vec<u8> {
        match &self.key {
            PrivateKey::Ed25519(key) => key.public_key().as_ref().to_vec(),
            PrivateKey::Ecdsa(key) => key.public_key().as_ref().to_vec(),
            PrivateKey::Rsa(key) => key.public().as_ref().to_vec(),
            PrivateKey::Secret(_) => panic!("a secret has no public half"),
        }
    }

    /// A token as the issuer makes it.
    pub(super) fn token(&self, claims: &Value) -> String {
        self.token_with(&json!({"alg": self.algorithm, "kid": self.kid}), claims)
    }

    /// A token under a header of one's own; what is signed is right for that header.
    pub(super) fn token_with(&self, header: &Value, claims: &Value) -> String {
        self.sign(self.algorithm, header, claims)
    }

    /// A token signed with `algorithm`, whatever the header says.
    pub(super) fn sign(&self, algorithm: &str, header: &Value, claims: &Value) -> String {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let signed =
            format!("{}.{}", encode(header.to_string().as_bytes()), encode(claims.to_string().as_bytes()));
        let message = signed.as_bytes();
        let random = SystemRandom::new();
        let signature = match &self.key {
            PrivateKey::Ed25519(key) => key.sign(message).as_ref().to_vec(),
            PrivateKey::Ecdsa(key) => key.sign(&random, message).unwrap().as_ref().to_vec(),
            PrivateKey::Rsa(key) => {
                let padding: &'static dyn RsaEncoding = match algorithm {
                    "RS256" => &RSA_PKCS1_SHA256,
                    "RS384" => &RSA_PKCS1_SHA384,
                    "RS512" => &RSA_PKCS1_SHA512,
                    "PS256" => &RSA_PSS_SHA256,
                    "PS384" => &RSA_PSS_SHA384,
                    "PS512" => &RSA_PSS_SHA512,
                    other => panic!("RSA does not sign {other}"),
                };
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(padding, &random, message, &mut signature).unwrap();
                signature
            }
            PrivateKey::Secret(key) => hmac::sign(key, message).as_ref().to_vec(),
        };
        format!("{signed}.{}", encode(&signature))
    }
}
