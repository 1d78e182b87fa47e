//! What must not be in the log.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

use causerie::auth::{Authenticator, ClaimRules, Options, Source};
use serde_json::json;
use tracing_subscriber::{EnvFilter, fmt::MakeWriter};

use super::{
    SECRET, claims,
    issuer::{Answer, Issuer},
    key_set,
    signer::Signer,
    user, with_secret,
};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn neither_tokens_nor_secrets_nor_users_are_logged() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new("causerie=trace"))
        .with_ansi(false)
        .with_writer(log.clone())
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);

    let signer = Signer::new("EdDSA", "kid-swordfish");
    let good = signer.token(&claims("user-swordfish"));
    let expired = signer.token(&json!({"sub": "user-swordfish", "exp": 1}));
    let foreign = Signer::new("EdDSA", "kid-swordfish").token(&claims("user-swordfish"));
    let unknown = Signer::new("EdDSA", "other-swordfish").token(&claims("user-swordfish"));
    let secret = Signer::hmac("HS256", SECRET.as_bytes()).token(&claims("user-swordfish"));
    let tokens = [good.as_str(), &expired, &foreign, &unknown, &secret, "malformed-swordfish"];

    let mut issuer = Issuer::start(Answer::Keys(key_set(&[&signer]))).await;
    let mut url = issuer.url.clone();
    url.set_query(Some("key=swordfish"));
    let options =
        Options { refetch_interval: std::time::Duration::ZERO, ..Options::new(Source::JwksUrl(url)) };
    let live = Authenticator::new(options).await.unwrap();
    let fixed = with_secret(ClaimRules::default()).await;
    for answer in [Answer::Keys(key_set(&[])), Answer::Text("swordfish"), Answer::Keys(key_set(&[&signer]))] {
        for token in tokens {
            let _ = user(&live, token).await;
            let _ = user(&fixed, token).await;
        }
        issuer.set(answer);
    }
    issuer.stop().await;
    let _ = user(&live, &unknown).await;
    tracing::debug!("{live:?} {fixed:?}");

    drop(guard);
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    for expected in
        ["token refused", "it has expired", "cannot be fetched", "no key that can be used", "no connection"]
    {
        assert!(text.contains(expected), "the log works: {expected} in {text}");
    }
    for token in tokens {
        for part in token.split('.').filter(|part| !part.is_empty()) {
            assert!(!text.contains(part), "{part} in {text}");
        }
    }
    assert!(!text.contains("swordfish"), "{text}");
    assert!(!text.contains(SECRET), "{text}");
    for line in text.lines().filter(|line| !line.contains(" DEBUG ")) {
        assert!(!line.contains("127.0.0.1"), "addresses are for debugging: {line}");
    }
}
