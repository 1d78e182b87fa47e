//! What replies take and cost: prices, quotas, and the ledger of what was used.

mod amount;
mod price;
mod quota;

pub use self::amount::Amount;
pub use self::price::{Price, Rates, Tokens};
pub use self::quota::{Measure, Period, Quota};
