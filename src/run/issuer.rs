//! Whose tokens are accepted, and tokens for development.

use std::time::Duration;

use causerie::auth::{self, IssuerOptions, Source, UserId, mint};
use causerie::config::Serve;
use causerie::database;
use causerie::http::pages::DevUser;

use super::dev;

/// Whom `serve --dev` signs in: the developer, and others to see that users do not see each other.
const DEV_USERS: [&str; 3] = ["dev", "alice", "bob"];

/// How long the tokens of `serve --dev` are good for.
const DEV_TOKEN_TTL: Duration = Duration::from_hours(24 * 30);

/// How tokens are checked, and with `--dev` the developer and others with their tokens.
pub(super) fn options(serve: &Serve) -> Result<(auth::Options, Vec<DevUser>), String> {
    let claims = &serve.issuer.claims;
    let (source, dev_users) = match serve.issuer.source()? {
        source if serve.dev => {
            let secret = match source {
                Some(Source::Secret(secret)) => secret,
                Some(_) => return Err("--dev makes its own tokens: leave out the JWKS settings".to_owned()),
                None => dev::secret(&serve.database.address()?)?,
            };
            let sign_in = |id: &str| {
                let token = mint(&secret, claims, &UserId::new(id)?, DEV_TOKEN_TTL);
                Ok(DevUser { id: id.to_owned(), token })
            };
            let users = DEV_USERS.into_iter().map(sign_in).collect::<Result<_, String>>()?;
            (Source::Secret(secret), users)
        }
        Some(source) => (source, Vec::new()),
        None => {
            return Err("nothing says whose tokens to accept: set CAUSERIE_AUTH_JWKS_URL, \
                        CAUSERIE_AUTH_JWKS_FILE or CAUSERIE_AUTH_SECRET, or use `causerie serve --dev` to try it out"
                .to_owned());
        }
    };
    let allow_plaintext = serve.operation.allow_plaintext;
    let options = auth::Options { claims: claims.clone(), allow_plaintext, ..auth::Options::new(source) };
    Ok((options, dev_users))
}

/// A token for `user`, good for `ttl`.
pub(super) fn token(
    user: &str,
    ttl: Duration,
    issuer: &IssuerOptions,
    database: &database::Options,
) -> Result<String, String> {
    let user = UserId::new(user)?;
    let secret = match issuer.secret()? {
        Some(secret) => secret,
        None => dev::existing_secret(&database.address()?)?.ok_or(
            "there is no secret to sign with: set CAUSERIE_AUTH_SECRET, or start `causerie serve --dev` here once",
        )?,
    };
    Ok(mint(&secret, &issuer.claims, &user, ttl))
}
