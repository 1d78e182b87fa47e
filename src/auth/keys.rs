//! Keys, and whether one of them signed a token.

use ring::{
    hmac,
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RsaPublicKeyComponents, UnparsedPublicKey,
    },
};

use super::{
    algorithm::{Algorithm, Family},
    options::Secret,
    rejection::Cause,
    token::Token,
};

/// The most signatures checked for one token, so that a large key set and a token without `kid` stay cheap.
const MAX_TRIES: usize = 32;

/// What a key is made of.
pub(super) enum Material {
    Secret(hmac::Key),
    Ed25519(Vec<u8>),
    /// An uncompressed point.
    P256(Vec<u8>),
    /// An uncompressed point.
    P384(Vec<u8>),
    Rsa(RsaPublicKeyComponents<Vec<u8>>),
}

impl Material {
    pub(super) fn family(&self) -> Family {
        match self {
            Self::Secret(_) => Family::Secret,
            Self::Ed25519(_) => Family::Ed25519,
            Self::P256(_) => Family::P256,
            Self::P384(_) => Family::P384,
            Self::Rsa(_) => Family::Rsa,
        }
    }

    fn signed(&self, token: &Token<'_>) -> bool {
        let (message, signature) = (token.signed, token.signature.as_slice());
        let verified = match self {
            Self::Secret(key) => hmac::verify(key, message, signature),
            Self::Ed25519(key) => UnparsedPublicKey::new(&ED25519, key).verify(message, signature),
            Self::P256(key) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key).verify(message, signature)
            }
            Self::P384(key) => {
                UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, key).verify(message, signature)
            }
            Self::Rsa(key) => match token.algorithm.rsa() {
                Some(parameters) => key.verify(parameters, message, signature),
                None => return false,
            },
        };
        verified.is_ok()
    }
}

/// A key and what it may be used for.
pub(super) struct Key {
    pub(super) kid: Option<String>,
    /// The one algorithm that the issuer allows; `None`: all that [`Material`] can do.
    pub(super) algorithm: Option<Algorithm>,
    pub(super) material: Material,
}

impl Key {
    /// The key decides, not the token: a public key is never a secret, and a key made for one algorithm checks
    /// no other.
    fn accepts(&self, algorithm: Algorithm) -> bool {
        self.material.family() == algorithm.family() && self.algorithm.is_none_or(|only| only == algorithm)
    }

    /// A key or a token without `kid` does not narrow the choice.
    fn may_be_named(&self, kid: Option<&str>) -> bool {
        match (self.kid.as_deref(), kid) {
            (Some(own), Some(kid)) => own == kid,
            _ => true,
        }
    }
}

/// The keys of one issuer.
pub(super) struct KeySet(Vec<Key>);

impl KeySet {
    pub(super) fn new(keys: Vec<Key>) -> Self {
        Self(keys)
    }

    pub(super) fn of_secret(secret: &Secret) -> Self {
        let material = Material::Secret(secret.key());
        Self(vec![Key { kid: None, algorithm: Some(Algorithm::Hs256), material }])
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether one of the keys signed the token.
    ///
    /// The error is [`Cause::UnknownKey`] when newer keys might do better: the token's `kid` names none of
    /// these, or it has no `kid` and none of these signed it.
    pub(super) fn verify(&self, token: &Token<'_>) -> Result<(), Cause> {
        let kid = token.kid.as_deref();
        let mut candidates =
            self.0.iter().filter(|key| key.accepts(token.algorithm) && key.may_be_named(kid)).take(MAX_TRIES);
        if candidates.any(|key| key.material.signed(token)) {
            return Ok(());
        }
        let named = kid.is_some() && self.0.iter().any(|key| key.kid.as_deref() == kid);
        Err(if named { Cause::Signature } else { Cause::UnknownKey })
    }
}
