//! Reporting usage.

use causerie::database::Address;
use causerie::usage::{Format, Query, Report};

use super::database::{connect, describe};
use super::print;

/// Prints what was used.
pub(super) async fn usage(address: Address, query: &Query, format: Format) -> Result<(), String> {
    if query.until < query.since {
        return Err("--until must not be before --since".to_owned());
    }
    let database = connect(address, 2).await?;
    let report = Report::read(&database, query).await.map_err(|error| describe(&database, &error))?;
    database.close().await;
    print(&report.to_text(format))
}
