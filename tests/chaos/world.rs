//! What all actors of a run share.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use causerie::auth::{self, ClaimRules, Secret, UserId};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::api::{Api, Trouble};
use crate::fleet::Fleet;
use crate::journal::Journal;
use crate::server::SECRET;
use crate::settings::Settings;

/// Codes that a server may refuse with while its clients race with each other, or have used up a quota. Any other code is a
/// fault.
const RACES: [&str; 4] = ["NOT_FOUND", "CONVERSATION_BUSY", "INVALID_STATE", "QUOTA_EXCEEDED"];

/// What all actors of a run share.
#[derive(Debug)]
pub struct World {
    pub settings: Settings,
    pub api: Api,
    pub fleet: Arc<Fleet>,
    pub journal: Arc<Journal>,
    pub users: Vec<User>,
    /// Somebody who looks whether servers serve.
    pub prober: User,
    /// Devices do nothing new from now on.
    pub ending: CancellationToken,
    /// Readers and followers come to rest where they are.
    pub resting: CancellationToken,
    /// Readers, followers, and requests that nobody waits for.
    pub tasks: TaskTracker,
}

/// A user, and what the user's devices know together.
#[derive(Debug)]
pub struct User {
    pub number: usize,
    pub token: String,
    pub known: Mutex<Known>,
}

/// What a user's devices know together.
#[derive(Debug, Default)]
pub struct Known {
    /// Conversations that were acknowledged.
    pub conversations: Vec<String>,
    /// The last replies that were asked for.
    pub replies: Vec<String>,
    /// The messages that these answer.
    pub messages: Vec<String>,
    /// Conversations whose deletion was asked for, restored since or not.
    pub deleted: Vec<String>,
    /// Messages whose deletion was asked for, with all below them.
    pub removed: Vec<String>,
}

impl User {
    pub fn new(number: usize) -> Self {
        let (secret, id) = (Secret::new(SECRET).unwrap(), UserId::new(&name_of(number)).unwrap());
        let token = auth::mint(&secret, &ClaimRules::default(), &id, Duration::from_hours(24));
        Self { number, token, known: Mutex::default() }
    }
}

/// The id of a user.
pub fn name_of(number: usize) -> String {
    format!("user-{number}")
}

impl World {
    /// Runs an operation at `url`, and looks whether the answer is `user`'s own.
    ///
    /// # Errors
    /// What became of it.
    pub async fn run(
        &self,
        user: &User,
        url: &str,
        operation: &str,
        variables: Value,
        patience: Duration,
    ) -> Result<Value, Trouble> {
        let result = self.api.run(url, &user.token, operation, variables, patience).await;
        match &result {
            Ok(data) => self.check_owner(user, data),
            Err(trouble) => self.check_trouble(trouble, operation),
        }
        result
    }

    /// A refusal must be one that a race explains.
    pub fn check_trouble(&self, trouble: &Trouble, operation: &str) {
        match trouble {
            Trouble::Refused(code) if !RACES.contains(&code.as_str()) => {
                let operation = operation.split('{').next().unwrap_or_default().trim();
                self.journal.violation(&format!("{operation} was answered {code}"));
            }
            Trouble::Refused(code) if code == "QUOTA_EXCEEDED" => self.journal.count("quotas exceeded"),
            Trouble::Refused(_) => {}
            Trouble::Unavailable => self.journal.count("answers UNAVAILABLE"),
            Trouble::Lost(_) => self.journal.count("requests lost"),
        }
    }

    /// Every text says whose it is: nobody is told another's.
    pub fn check_owner(&self, user: &User, data: &Value) {
        let text = data.to_string();
        let foreign = text.split("@user-").skip(1).find(|rest| {
            let digits = rest.split(|c: char| !c.is_ascii_digit()).next();
            digits.and_then(|digits| digits.parse().ok()) != Some(user.number)
        });
        if let Some(rest) = foreign {
            let theirs: String = rest.chars().take(12).collect();
            self.journal.violation(&format!("user {} was told another's text: @user-{theirs}", user.number));
        }
    }
}
