//! The clock by which leases expire.

use std::time::Duration;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use sea_orm::DbBackend;
use sea_orm::sea_query::{Expr, SimpleExpr};

/// The clock that leases expire by. On PostgreSQL it is the database's own, as the clocks of servers may differ.
#[derive(Clone, Copy, Debug)]
pub struct Clock(pub(super) DbBackend);

impl Clock {
    /// The present, as an expression.
    #[must_use]
    pub fn now(self) -> SimpleExpr {
        self.in_future(Duration::ZERO)
    }

    /// The instant `duration` from now, as an expression.
    #[must_use]
    pub fn in_future(self, duration: Duration) -> SimpleExpr {
        self.at(TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX))
    }

    /// The instant `duration` before now, as an expression.
    #[must_use]
    pub fn ago(self, duration: Duration) -> SimpleExpr {
        self.at(-TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX))
    }

    fn at(self, duration: TimeDelta) -> SimpleExpr {
        match self.0 {
            DbBackend::Postgres => Expr::cust_with_values(
                "clock_timestamp() + $1 * interval '1 millisecond'",
                [duration.num_milliseconds()],
            ),
            _ => Expr::value(now() + duration),
        }
    }
}

/// The present in whole milliseconds, the precision that both databases and the API keep.
#[must_use]
pub fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(3)
}

/// Clamps `instant` to what both databases can store and compare: years of four digits from 1970 on.
#[must_use]
pub fn storable(instant: DateTime<Utc>) -> DateTime<Utc> {
    let latest = DateTime::from_timestamp(253_402_300_799, 0).unwrap_or(DateTime::UNIX_EPOCH);
    instant.clamp(DateTime::UNIX_EPOCH, latest)
}
