//! causerie: a self-hosted GraphQL server for chat with an assistant.
//!
//! Dependencies point one way, `http → admission → graphql → chat → entity`, with [`reply`] beside [`chat`]:
//!
//! - [`config`]: the command line, put together from the options that each part declares
//! - [`http`]: router, GraphQL over HTTP, REST, pages, health
//! - [`admission`]: whether a request may run, before anything of it does
//! - [`graphql`]: names, shapes and documentation of the API
//! - [`chat`]: what a viewer may do: every query and every rule
//! - [`reply`]: the life of a reply: lease, checkpoints, takeover
//! - [`assistant`]: who writes replies, and the catalog of them
//! - [`usage`]: what replies take and cost: prices, quotas and the ledger
//! - [`trash`], [`receipts`]: erasing deleted conversations and old receipts after a while
//! - [`auth`]: bearer token → viewer
//! - [`search`]: what a word is, what a query means
//! - [`index`]: the search index of texts
//! - [`signal`]: wake-ups between servers
//! - [`database`]: the one door for statements: time limits, cancellation, permits, transactions
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
pub mod index;
pub mod memory;
mod options;
mod outage;
mod outbound;
mod random;
mod rate;
pub mod receipts;
pub mod reply;
mod rest;
pub mod search;
pub mod signal;
pub mod trash;
pub mod usage;
