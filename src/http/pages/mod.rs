//! The pages for people: the chat at `/`, and GraphiQL at `/graphiql`. Everything that they load is in the binary.

mod bundle;
mod chat;
mod graphiql;
mod policy;
mod views;

use std::fmt;

use axum::Router;
use url::Url;

/// A user as whom the pages sign in by themselves.
///
/// Only for development: the token is given to every page view that names the server by a loopback address.
#[derive(Clone)]
pub struct DevUser {
    /// The user's id.
    pub id: String,
    /// A bearer token of the user's.
    pub token: String,
}

impl fmt::Debug for DevUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DevUser").field("id", &self.id).field("token", &"…").finish()
    }
}

/// Serves both pages and their assets. A build without a page's files says how to get them.
///
/// The pages sign in as the first of `users`, and the chat can change to the others. Without users, both ask for a
/// token; the chat gets it from `sign_in`, if there is one. All addresses are relative, so that the pages work below any path of a reverse proxy. Cross-origin reading
/// must stay forbidden for these routes.
pub fn router(users: &[DevUser], sign_in: Option<&Url>) -> Router {
    Router::new().merge(chat::router(users, sign_in)).merge(graphiql::router(users))
}
