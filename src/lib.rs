//! causerie: a self-hosted GraphQL server for chat with an assistant.
//!
//! Dependencies point one way, `http → admission → graphql → chat → entity`, with [`reply`] beside [`chat`]:
//!
//! - [`config`]: the only reader of flags and environment
//! - [`http`]: router, GraphQL over HTTP, REST, pages, health
//! - [`admission`]: whether a request may run, before anything of it does
//! - [`graphql`]: names, shapes and documentation of the API
//! - [`chat`]: what a viewer may do: every query and every rule
//! - [`reply`]: the life of a reply: lease, checkpoints, takeover
//! - [`assistant`]: who writes replies
//! - [`trash`], [`receipts`]: erasing what was deleted long enough ago, and what is too old to be repeated
//! - [`auth`]: bearer token → viewer
//! - [`search`]: the words of texts, and the index of them
//! - [`signal`]: wake-ups between servers
//! - [`database`]: connecting and transactions
//! - [`entity`]: rows, one file a table
//! - [`memory`]: how many bytes of text are held
//! - [`error`]: what can go wrong, and how much of it a client is told

pub mod admission;
pub mod assistant;
pub mod auth;
mod background;
mod blocking;
pub mod chat;
mod concurrency;
pub mod config;
pub mod database;
pub mod entity;
pub mod error;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod graphql;
pub mod http;
pub mod memory;
mod outage;
mod outbound;
mod random;
mod rate;
pub mod receipts;
pub mod reply;
pub mod search;
pub mod signal;
pub mod trash;
