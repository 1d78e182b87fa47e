//! What replies take and cost: prices, quotas, and the ledger of what was used.
//!
//! A request to a model is one entry. It is reserved in the transaction that makes the reply, and settled in the one that
//! ends it; both change the sums of the day as well, by which quotas are checked. One user's transactions run one after
//! another, so no quota is passed however many requests race. Entries hold no content, and outlive their replies.

mod amount;
mod calendar;
mod expectation;
mod ledger;
mod price;
mod quota;
mod quota_usage;
mod report;
mod reservation;
mod settlement;
mod table;

pub use self::amount::Amount;
pub use self::calendar::Calendar;
pub(crate) use self::expectation::{Expectation, REPLY_TOKENS};
pub use self::ledger::{Ledger, Terms};
pub use self::price::{Price, Rates, Tokens};
pub use self::quota::{Measure, Period, Quota};
pub(crate) use self::quota_usage::Spent;
pub use self::quota_usage::{Allowance, Exceeded, QuotaUsage};
pub use self::report::{By, Query, Report, Sums};
pub(crate) use self::reservation::{Asked, RESERVED};
pub(crate) use self::settlement::{
    SETTLED, TitleUsage, UnderWay, Used, cancel, settle, under_way, under_way_sql,
};
pub use self::table::Format;
