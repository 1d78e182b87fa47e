//! Everything that speaks HTTP: GraphQL, REST, pages and health.

mod access;
mod activity;
mod address;
mod bearer;
mod body;
mod connection;
mod cors;
pub mod graphiql;
mod graphql;
mod health;
pub mod home;
mod host;
mod limits;
mod linger;
mod options;
mod problem;
mod rest;
mod serve;
mod starting;
mod streams;
mod traffic;
mod values;
mod weight;

use std::num::NonZeroUsize;
use std::sync::Arc;

use axum::Router;
use axum::http::Method;
use axum::middleware;
use axum::response::Response;

use self::address::Client;
pub use self::address::TrustedProxy;
pub use self::cors::Origin;
pub use self::graphql::TrustedDocuments;
use self::health::Readiness;
pub use self::limits::Limits;
pub use self::options::{Introspection, Options};
pub use self::serve::serve;
pub use self::starting::answer_until;
use self::streams::Streams;
use self::traffic::{Traffic, Who};
use crate::auth::{Authenticator, Viewer};
use crate::chat::{self, Chat};
use crate::concurrency::ConcurrencyLimit;
use crate::database::Database;
use crate::graphql::Schema;
use crate::graphql::guard::Documents;
use crate::memory::{Memory, Share};
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
    /// What the GraphiQL page opens with.
    pub page: graphiql::Page,
    /// How requests are served.
    pub options: Options,
}

/// An [`App`]'s parts, and what it makes of them.
struct Inner {
    parts: Parts,
    documents: Documents,
    streams: Streams,
    traffic: Traffic,
    memory: Memory,
    readiness: Readiness,
    /// Dear queries: one of each user, and no more in all than there are processors.
    dear: Arc<ConcurrencyLimit>,
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
    pub fn new(parts: Parts) -> Self {
        let documents = Documents::new(parts.options.limits.query);
        let traffic = Traffic::new(&parts.options.limits);
        let memory = Memory::new(parts.options.limits.memory_bytes);
        let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let dear = Arc::new(ConcurrencyLimit::new(1, Some(processors.div_ceil(2))));
        Self(Arc::new(Inner {
            parts,
            documents,
            streams: Streams::default(),
            traffic,
            memory,
            readiness: Readiness::default(),
            dear,
        }))
    }

    /// `viewer`'s conversations: the only way from a request to rows. What is read is taken out of `share`.
    fn chat(&self, viewer: Viewer, share: Share) -> Chat {
        Chat::new(self.0.database.clone(), self.0.replies.clone(), self.0.limits, viewer, share)
    }

    /// What a body from `client` may take of this server's memory.
    fn body_share(&self, client: Client) -> Share {
        self.0.memory.share(&Who::new(None, client.0).key(), self.0.options.limits.body_bytes)
    }

    /// What an answer to `who` may take of this server's memory. A large one counts for several requests.
    fn share(&self, who: &Who) -> Share {
        let (traffic, payer) = (self.0.traffic.clone(), who.clone());
        let may = move |steps: usize| traffic.take_more(&payer, steps as u64).is_ok();
        self.0.memory.share_if(&who.key(), self.0.options.limits.answer_bytes, may)
    }

    /// All routes.
    pub fn router(&self) -> Router {
        let mut api = Router::new()
            .merge(graphql::router())
            .merge(rest::router())
            .method_not_allowed_fallback(method_not_allowed)
            .layer(middleware::from_fn_with_state(self.clone(), address::admit));
        if let Some(cors) = cors::layer(&self.0.options.cors_origins) {
            api = api.layer(cors);
        }
        Router::new()
            .merge(api)
            .merge(health::router())
            .with_state(self.clone())
            .merge(graphiql::router(self.0.page.clone()))
            .merge(home::router())
            .fallback(async || problem::not_found())
            .method_not_allowed_fallback(method_not_allowed)
            .layer(middleware::from_fn(host::check))
            .layer(middleware::from_fn(access::log))
    }
}

async fn method_not_allowed(method: Method) -> Response {
    problem::method_not_allowed(&method)
}
