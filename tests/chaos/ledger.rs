//! Whether the ledger holds what the provider has served, once all is quiet.

use std::collections::{BTreeMap, HashMap};

use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr, FromQueryResult, Statement};
use uuid::Uuid;

use crate::journal::Journal;
use crate::provider::Work;

/// A request to the provider, as the ledger has it.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Entry {
    pub user_id: String,
    pub reply_id: Uuid,
    pub purpose: String,
    pub assistant_id: String,
    pub day: String,
    pub settled: i64,
    pub estimated: i64,
    pub input: i64,
    pub output: i64,
    pub reserved_tokens: i64,
}

/// What the ledger says of a day.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Day {
    pub user_id: String,
    pub assistant_id: String,
    pub day: String,
    pub replies: i64,
    pub input: i64,
    pub output: i64,
    pub reserved_replies: i64,
    pub reserved_tokens: i64,
}

/// All that the ledger says.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    pub entries: Vec<Entry>,
    pub days: Vec<Day>,
}

const ENTRIES: &str = "
SELECT user_id, reply_id, purpose, assistant_id, CAST(day AS TEXT) AS day,
    CAST(CASE WHEN settled THEN 1 ELSE 0 END AS BIGINT) AS settled,
    CAST(CASE WHEN estimated THEN 1 ELSE 0 END AS BIGINT) AS estimated, input, output, reserved_tokens
FROM usage_entry";

const DAYS: &str = "
SELECT user_id, assistant_id, CAST(day AS TEXT) AS day, replies, input, output, reserved_replies, reserved_tokens
FROM usage_day";

impl Ledger {
    /// Reads all rows.
    ///
    /// # Errors
    /// If the database is away.
    pub async fn read(connection: &DatabaseConnection) -> Result<Self, DbErr> {
        let backend = connection.get_database_backend();
        let rows = async |sql: &str| connection.query_all_raw(Statement::from_string(backend, sql)).await;
        let entries = rows(ENTRIES)
            .await?
            .iter()
            .map(|row| Entry::from_query_result(row, ""))
            .collect::<Result<_, _>>()?;
        let days =
            rows(DAYS).await?.iter().map(|row| Day::from_query_result(row, "")).collect::<Result<_, _>>()?;
        Ok(Self { entries, days })
    }

    /// Notes whatever is not as the provider has served it. `complete` are the numbers of the works that complete replies
    /// hold.
    pub fn check(&self, journal: &Journal, works: &[Work], complete: &[usize]) {
        self.check_sums(journal);
        let mut charged: HashMap<usize, usize> = HashMap::new();
        for entry in &self.entries {
            if entry.settled == 0 {
                journal.violation(&format!("the reservation of reply {} is open for ever", entry.reply_id));
            } else if entry.estimated == 1 {
                journal.count("requests charged by estimate");
            } else {
                journal.count("requests charged as served");
                let found = works.iter().position(|work| work.input == entry.input);
                match found.filter(|number| works[*number].output == entry.output) {
                    Some(number) => *charged.entry(number).or_default() += 1,
                    None => journal.violation(&format!("nobody has served {entry:?}")),
                }
            }
        }
        for (number, count) in &charged {
            if *count > 1 {
                journal.violation(&format!("answer {number} of the provider is charged {count} times"));
            }
        }
        for number in complete.iter().filter(|number| !charged.contains_key(number)) {
            journal.violation(&format!("answer {number} of the provider is complete, and not charged"));
        }
    }

    /// The sums of the days are those of the entries, and nothing is reserved.
    fn check_sums(&self, journal: &Journal) {
        let mut sums: BTreeMap<[&str; 3], [i64; 5]> = BTreeMap::new();
        for entry in &self.entries {
            let reply = i64::from(entry.purpose == "REPLY");
            let more = match entry.settled {
                0 => [0, 0, 0, reply, entry.reserved_tokens],
                _ => [reply, entry.input, entry.output, 0, 0],
            };
            let sum = sums.entry([&entry.user_id, &entry.day, &entry.assistant_id]).or_default();
            sum.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
        }
        let days = self.days.iter().map(|day| {
            let key = [day.user_id.as_str(), day.day.as_str(), day.assistant_id.as_str()];
            (key, [day.replies, day.input, day.output, day.reserved_replies, day.reserved_tokens])
        });
        let days: BTreeMap<_, _> = days.filter(|(_, sums)| sums.iter().any(|sum| *sum != 0)).collect();
        if days != sums {
            journal.violation(&format!("the days say {days:?}, the entries {sums:?}"));
        }
    }
}
