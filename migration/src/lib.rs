//! The schema of the database, one file a step.
pub use sea_orm_migration::prelude::*;
