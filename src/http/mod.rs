//! Everything that speaks HTTP.

pub mod graphiql;
pub mod home;
