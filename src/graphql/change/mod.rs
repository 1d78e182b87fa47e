//! Changes, as a list and as a stream.

mod event;
mod feed;

pub(super) use self::feed::{ChangeQueries, ChangeSubscriptions};
