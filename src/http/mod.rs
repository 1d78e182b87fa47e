//! Everything that speaks HTTP: GraphQL, REST, pages and health.

mod access;
mod activity;
mod address;
mod bearer;
mod body;
mod connection;
mod cors;
mod graphql;
mod health;
mod hijack;
mod holding;
mod host;
mod linger;
mod options;
pub mod pages;
mod problem;
mod rest;
mod serve;
mod starting;
mod stream_body;
mod streams;

use std::sync::Arc;

use axum::Router;
use axum::http::Method;
use axum::middleware;
use axum::response::Response;

pub use self::address::TrustedProxy;
pub use self::cors::Origin;
use self::health::Readiness;
pub use self::options::{Introspection, Options};
pub use self::serve::serve;
pub use self::starting::answer_until;
use self::streams::Streams;
use crate::admission::Admission;
pub use crate::admission::TrustedDocuments;
use crate::auth::{Authenticator, Viewer};
use crate::chat::{self, Chat};
use crate::database::Database;
use crate::graphql::Schema;
use crate::memory::MemoryBudget;
use crate::reply::Replies;

/// What requests are answered from. Cloning it is cheap.
#[derive(Clone)]
pub struct App(Arc<Inner>);

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
    pub limits: chat::Limits,
    /// As whom the pages sign in by themselves.
    pub dev_users: Vec<pages::DevUser>,
    /// How requests are served.
    pub options: Options,
}

/// An [`App`]'s parts, and what it makes of them.
struct Inner {
    parts: Parts,
    /// Who judges requests.
    admission: Admission,
    streams: Streams,
    readiness: Readiness,
}

impl std::ops::Deref for Inner {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.parts
    }
}

impl App {
    /// An app of these parts.
    #[must_use]
    pub fn new(mut parts: Parts) -> Self {
        let admission = Admission::new(&parts.options.limits, parts.options.trusted_documents.take());
        Self(Arc::new(Inner {
            parts,
            admission,
            streams: Streams::default(),
            readiness: Readiness::default(),
        }))
    }

    /// `viewer`'s conversations: the only way from a request to rows. What is read is taken out of `budget`.
    fn chat(&self, viewer: Viewer, budget: MemoryBudget) -> Chat {
        Chat::new(self.0.database.clone(), self.0.replies.clone(), self.0.limits, viewer, budget)
    }

    /// All routes.
    pub fn router(&self) -> Router {
        let mut api = Router::new()
            .merge(graphql::router())
            .merge(rest::router())
            .method_not_allowed_fallback(method_not_allowed)
            .layer(middleware::from_fn_with_state(self.clone(), address::admit));
        if let Some(cors) = cors::layer(&self.0.options.cors_origins, self.0.options.local_origins) {
            api = api.layer(cors);
        }
        Router::new()
            .merge(api)
            .merge(health::router())
            .with_state(self.clone())
            .merge(pages::router(&self.0.dev_users, self.0.options.page_sign_in.as_ref()))
            .merge(rest::description())
            .fallback(async || problem::not_found())
            .method_not_allowed_fallback(method_not_allowed)
            .layer(middleware::from_fn(host::check))
            .layer(middleware::from_fn(access::log))
            .layer(middleware::from_fn(rest::detail))
    }
}

async fn method_not_allowed(method: Method) -> Response {
    problem::method_not_allowed(&method)
}
