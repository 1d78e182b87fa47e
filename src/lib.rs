//! causerie: a self-hosted GraphQL server for chat with an assistant.

pub mod assistant;
pub mod auth;
pub mod http;
