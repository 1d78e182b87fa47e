//! Search against a simple search in memory, on random texts and queries.

use causerie::database::Database;
use causerie::entity::message::{Role, Status};
use causerie::entity::{conversation, message};
use causerie::index::index_message;
use causerie::search::Folded;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use sea_orm::{EntityTrait, IntoActiveModel};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use uuid::Uuid;

use super::page;
use crate::support::{Client, TestDatabase, TestServer};

/// A word or phrase of a query.
#[derive(Clone, Debug)]
struct Term {
    text: String,
    quoted: bool,
    prefix: bool,
    excluded: bool,
}

impl Term {
    fn render(&self) -> String {
        let sign = if self.excluded { "-" } else { "" };
        let quote = if self.quoted { "\"" } else { "" };
        let star = if self.prefix { "*" } else { "" };
        format!("{sign}{quote}{}{quote}{star}", self.text)
    }

    /// Whether the words of `text` have those of this term one after another. `None` if it has no words.
    fn is_in(&self, text: &str) -> Option<bool> {
        let (term, text) = (Folded::of(&self.text), Folded::of(text));
        let term: Vec<&str> = term.parts().collect();
        let text: Vec<&str> = text.parts().collect();
        let last = term.len().checked_sub(1)?;
        let fits = |index: usize, part: &str| {
            let wanted = term[index];
            let (starts, ends) = if wanted.is_ascii() {
                (true, index < last || !self.prefix)
            } else {
                (index > 0, index < last)
            };
            match (starts, ends) {
                (true, true) => part == wanted,
                (true, false) => part.starts_with(wanted),
                (false, true) => part.ends_with(wanted),
                (false, false) => part.contains(wanted),
            }
        };
        Some(
            text.windows(term.len())
                .any(|window| window.iter().enumerate().all(|(index, part)| fits(index, part))),
        )
    }
}

fn is_hit(terms: &[Term], text: &str) -> bool {
    terms.iter().all(|term| term.is_in(text).is_none_or(|is_in| is_in != term.excluded))
}

fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => prop::sample::select(&["a", "A", "ab", "abc", "Á", "b", "ba"][..]),
        3 => prop::sample::select(&["手", "机", "手机", "机手机", "한", "ก้", "が", "🎂"][..]),
        4 => prop::sample::select(&[" ", " ", ", ", "\n", "-", "'"][..]),
    ];
    prop::collection::vec(piece, 1..14).prop_map(|pieces| pieces.concat())
}

fn term() -> impl Strategy<Value = Term> {
    let word = "[aAáb]{1,3}|手|机|手机|机手|한|ก้|が|🎂|a手|手a|a'b|机-手";
    let phrase = "([abÁ]{1,2}|手|机|手机|[ ,-]){1,5}";
    let flags = || (any::<bool>(), prop::bool::weighted(0.2));
    prop_oneof![
        (word, flags()).prop_map(|(text, (prefix, excluded))| Term { text, quoted: false, prefix, excluded }),
        (phrase, flags()).prop_map(|(text, (prefix, excluded))| Term {
            text,
            quoted: true,
            prefix,
            excluded
        }),
    ]
}

type Case = (Vec<String>, Vec<Vec<Term>>);

fn case() -> impl Strategy<Value = Case> {
    (prop::collection::vec(text(), 1..30), prop::collection::vec(prop::collection::vec(term(), 1..4), 8))
}

/// Stores the texts as messages of one conversation.
async fn store(database: &Database, user: &str, texts: &[String]) {
    database
        .write(user, (user.to_owned(), texts.to_vec()), |write, (user, texts)| {
            Box::pin(async move {
                let (now, revision) = (write.now, write.revision);
                let conversation = conversation::Model {
                    user_id: user.clone(),
                    id: Uuid::now_v7(),
                    last_position: i64::try_from(texts.len()).unwrap(),
                    metadata: "{}".to_owned(),
                    created_at: now,
                    updated_at: now,
                    revision,
                    ..conversation::Model::default()
                };
                let conversation_id = conversation.id;
                conversation::Entity::insert(conversation.into_active_model())
                    .exec_without_returning(&**write)
                    .await?;
                let mut parent_id = None;
                for (position, text) in (1..).zip(texts) {
                    let row = message::Model {
                        user_id: user.clone(),
                        id: Uuid::now_v7(),
                        conversation_id,
                        parent_id,
                        position,
                        active: true,
                        role: Role::User,
                        status: Status::Complete,
                        content: text.clone(),
                        metadata: "{}".to_owned(),
                        created_at: now,
                        finished_at: Some(now),
                        created_revision: revision,
                        revision,
                        ..message::Model::default()
                    };
                    let id = row.id;
                    parent_id = Some(id);
                    message::Entity::insert(row.into_active_model()).exec_without_returning(&**write).await?;
                    index_message(write, user, id, text).await?;
                }
                Ok(())
            })
        })
        .await
        .expect("the corpus can be stored");
}

/// All hits, in pages of an odd size.
async fn search(client: &Client, query: &str) -> Vec<String> {
    let (mut found, mut after) = (Vec::new(), Value::Null);
    loop {
        let page = page(client, query, json!({ "first": 7, "after": after })).await;
        let nodes = page["nodes"].as_array().unwrap();
        found.extend(nodes.iter().map(|node| node["message"]["content"].as_str().unwrap().to_owned()));
        if page["pageInfo"]["hasNextPage"] == false {
            return found;
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
}

fn compare(database: &TestDatabase, runtime: &Runtime, cases: u32) {
    let server = runtime.block_on(TestServer::start(database));
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let compare = |(texts, queries): Case| {
        runtime.block_on(async {
            let user = Uuid::now_v7().to_string();
            store(server.database(), &user, &texts).await;
            let client = server.user(&user);
            for terms in &queries {
                let query = terms.iter().map(Term::render).collect::<Vec<_>>().join(" ");
                let mut found = search(&client, &query).await;
                let asks = terms.iter().any(|term| term.is_in("").is_some());
                let mut expected: Vec<String> = texts
                    .iter()
                    .filter(|text| asks && !Folded::of(text).as_str().is_empty())
                    .cloned()
                    .collect();
                expected.retain(|text| is_hit(terms, text));
                found.sort();
                expected.sort();
                prop_assert_eq!(found, expected, "{:?} in {:?}", query, texts);
            }
            Ok(())
        })
    };
    if let Err(error) = TestRunner::new(config).run(&case(), compare) {
        panic!("{error}");
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

#[test]
fn search_equals_a_simple_search_sqlite() {
    compare(&TestDatabase::sqlite(), &runtime(), 32);
}

#[test]
#[ignore = "needs PostgreSQL: make api"]
fn search_equals_a_simple_search_postgres() {
    let runtime = runtime();
    compare(&runtime.block_on(TestDatabase::postgres()), &runtime, 12);
}
