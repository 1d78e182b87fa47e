//! The documents are true: what they name exists, and what they show happens.

mod names;
mod page;
mod tour;
