//! The time, by which leases go.

use std::time::Duration;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use sea_orm::DbBackend;
use sea_orm::sea_query::{Expr, SimpleExpr};

/// The clock that leases go by: the database's own where servers share one over a network, since their
/// clocks may differ.
#[derive(Clone, Copy, Debug)]
pub struct Clock(pub(super) DbBackend);

impl Clock {
    /// The present, as an expression.
    #[must_use]
    pub fn now(self) -> SimpleExpr {
        self.in_future(Duration::ZERO)
    }

    /// The instant `distance` from now, as an expression.
    #[must_use]
    pub fn in_future(self, distance: Duration) -> SimpleExpr {
        self.at(TimeDelta::from_std(distance).unwrap_or(TimeDelta::MAX))
    }

    /// The instant `distance` before now, as an expression.
    #[must_use]
    pub fn ago(self, distance: Duration) -> SimpleExpr {
        self.at(-TimeDelta::from_std(distance).unwrap_or(TimeDelta::MAX))
    }

    fn at(self, distance: TimeDelta) -> SimpleExpr {
        match self.0 {
            DbBackend::Postgres => Expr::cust_with_values(
                "clock_timestamp() + $1 * interval '1 millisecond'",
                [distance.num_milliseconds()],
            ),
            _ => Expr::value(now() + distance),
        }
    }
}

/// The present in whole milliseconds, the precision that both databases and the API keep.
#[must_use]
pub fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(3)
}
