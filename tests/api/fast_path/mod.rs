//! Usual writes are one statement on PostgreSQL, and no different from the transactions that they stand for.

mod contention;
mod lost;
mod revision_gate;
mod same_rows;
