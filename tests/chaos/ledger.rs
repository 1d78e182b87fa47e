//! Whether the ledger holds what the provider has served, once all is quiet.

use std::collections::{BTreeMap, HashMap};

use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr, FromQueryResult, Statement};
use uuid::Uuid;

use crate::assistants;
use crate::journal::Journal;
use crate::provider::Work;

/// A request to the provider, as the ledger has it.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Entry {
    pub user_id: String,
    pub reply_id: Uuid,
    pub purpose: String,
    pub assistant_id: String,
    /// Who was chosen to write the reply: another one, if the server that took the request has replaced it.
    pub chosen: String,
    pub day: String,
    pub settled: i64,
    pub estimated: i64,
    pub input: i64,
    pub output: i64,
    pub cost: Option<i64>,
    pub reserved_tokens: i64,
    pub reserved_cost: Option<i64>,
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
    pub cost: i64,
    pub reserved_replies: i64,
    pub reserved_tokens: i64,
    pub reserved_cost: i64,
}

/// All that the ledger says.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    pub entries: Vec<Entry>,
    pub days: Vec<Day>,
}

const ENTRIES: &str = "
SELECT entry.user_id, entry.reply_id, purpose, entry.assistant_id,
    COALESCE(message.assistant_id, entry.assistant_id) AS chosen, CAST(day AS TEXT) AS day,
    CAST(CASE WHEN settled THEN 1 ELSE 0 END AS BIGINT) AS settled,
    CAST(CASE WHEN estimated THEN 1 ELSE 0 END AS BIGINT) AS estimated, input, output, cost,
    reserved_tokens, reserved_cost
FROM usage_entry AS entry LEFT JOIN message ON message.user_id = entry.user_id AND message.id = entry.reply_id";

const DAYS: &str = "
SELECT user_id, assistant_id, CAST(day AS TEXT) AS day, replies, input, output, cost, reserved_replies,
    reserved_tokens, reserved_cost
FROM usage_day";

impl Entry {
    /// Whether it charges what was served by `work`, at its price.
    fn is_of(&self, work: &Work) -> bool {
        let cost = assistants::cost(&work.model, work.input, work.output);
        let is_title = self.purpose == "TITLE";
        (self.output, self.cost, is_title) == (work.output, Some(cost), work.is_title)
    }

    /// Nobody is answered by another model than the one that was chosen.
    fn check_model(&self, journal: &Journal, work: &Work) {
        let may = [&self.assistant_id, &self.chosen].map(|assistant| assistants::models(assistant));
        if !may.concat().contains(&work.model.as_str()) {
            journal.violation(&format!("{} was answered by {}: {self:?}", self.assistant_id, work.model));
        }
        if self.assistant_id != work.model {
            journal.count("answers of a replacement");
        }
    }

    /// An estimate costs what its tokens cost with one of the models that may have been asked; nobody knows what the
    /// provider would have reported.
    fn check_estimate(&self, journal: &Journal) {
        let models = assistants::models(&self.assistant_id);
        let fits = |model: &&str| {
            *model == "slow" || Some(assistants::cost(model, self.input, self.output)) == self.cost
        };
        if !models.iter().any(fits) {
            journal.violation(&format!("no price fits {self:?}"));
        }
    }
}

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
    /// hold; of `slow` a user may have so many replies on a day.
    pub fn check(&self, journal: &Journal, works: &[Work], complete: &[usize], limit: i64) {
        self.check_sums(journal);
        for day in self.days.iter().filter(|day| day.assistant_id == "slow" && day.replies > limit) {
            journal.violation(&format!("a quota of {limit} was passed: {day:?}"));
        }
        let mut charged: HashMap<usize, usize> = HashMap::new();
        for entry in &self.entries {
            if entry.settled == 0 {
                journal.violation(&format!("the reservation of reply {} is open for ever", entry.reply_id));
            } else if entry.estimated == 1 {
                journal.count("requests charged by estimate");
                entry.check_estimate(journal);
            } else {
                journal.count("requests charged as served");
                let found = works.iter().position(|work| work.input == entry.input);
                match found.filter(|number| entry.is_of(&works[*number])) {
                    Some(number) => {
                        entry.check_model(journal, &works[number]);
                        *charged.entry(number).or_default() += 1;
                    }
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
        let mut sums: BTreeMap<[&str; 3], [i64; 7]> = BTreeMap::new();
        for entry in &self.entries {
            let reply = i64::from(entry.purpose == "REPLY");
            let more = match entry.settled {
                0 => [0, 0, 0, 0, reply, entry.reserved_tokens, entry.reserved_cost.unwrap_or(0)],
                _ => [reply, entry.input, entry.output, entry.cost.unwrap_or(0), 0, 0, 0],
            };
            let sum = sums.entry([&entry.user_id, &entry.day, &entry.assistant_id]).or_default();
            sum.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
        }
        let days = self.days.iter().map(|day| {
            let key = [day.user_id.as_str(), day.day.as_str(), day.assistant_id.as_str()];
            let used = [day.replies, day.input, day.output, day.cost];
            let reserved = [day.reserved_replies, day.reserved_tokens, day.reserved_cost];
            (key, [used[0], used[1], used[2], used[3], reserved[0], reserved[1], reserved[2]])
        });
        let days: BTreeMap<_, _> = days.filter(|(_, sums)| sums.iter().any(|sum| *sum != 0)).collect();
        if days != sums {
            journal.violation(&format!("the days say {days:?}, the entries {sums:?}"));
        }
    }
}
