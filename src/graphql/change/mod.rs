//! Changes, as a list and as a stream.

mod event;
mod event_plan;
mod feed;

pub(super) use self::event::ChangeEvent;
pub(super) use self::event_plan::ChangeEventPlan;
pub(super) use self::feed::{ChangeQueries, ChangeRequest, ChangeSubscriptions, follow};
