//! Everything that speaks HTTP: GraphQL, REST, pages and health.

mod access;
mod bearer;
pub mod graphiql;
mod graphql;
mod health;
pub mod home;
mod problem;
mod rest;
mod serve;

use std::sync::Arc;

use axum::Router;
use axum::http::Method;
use axum::middleware;

pub use self::serve::serve;
use crate::auth::{Authenticator, Viewer};
use crate::chat::{Chat, Limits};
use crate::database::Database;
use crate::graphql::Schema;
use crate::reply::Replies;

/// What requests are answered from. Cloning it is cheap.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// The parts of an [`App`].
pub struct Parts {
    /// The executable schema.
    pub schema: Schema,
    /// Who checks tokens.
    pub authenticator: Authenticator,
    /// The rows.
    pub database: Database,
    /// The replies that this server writes or waits for.
    pub replies: Replies,
    /// The bounds on what a viewer may store.
    pub limits: Limits,
    /// What the GraphiQL page opens with.
    pub page: graphiql::Page,
}

impl App {
    /// An app of these parts.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// `viewer`'s conversations: the only way from a request to rows.
    fn chat(&self, viewer: Viewer) -> Chat {
        Chat::new(self.0.database.clone(), self.0.replies.clone(), self.0.limits, viewer)
    }

    /// All routes.
    pub fn router(&self) -> Router {
        Router::new()
            .merge(graphql::router())
            .merge(rest::router())
            .merge(health::router())
            .with_state(self.clone())
            .merge(graphiql::router(self.0.page.clone()))
            .merge(home::router())
            .fallback(async || problem::not_found())
            .method_not_allowed_fallback(async |method: Method| problem::method_not_allowed(&method))
            .layer(middleware::from_fn(access::log))
    }
}
