//! Which conversations have which metadata.
//!
//! A table has a digest of each value of each conversation's metadata, with the keys that lead to it. It is written when
//! metadata change and at no other time: an index on the conversations' own rows would be paid by every message that is
//! sent.

use std::collections::BTreeSet;

use ring::digest::{self, SHA256};
use sea_orm::{EntityTrait, Set, Value as Bound};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{Chat, Metadata};
use crate::database::Write;
use crate::entity::conversation;
use crate::entity::conversation_metadata::{ActiveModel, Entity};
use crate::error::Error;

/// How many values the metadata of a conversation may have.
const MAX_VALUES: usize = 64;

/// How many values a filter may have.
const MAX_FILTER_VALUES: usize = 10;

/// How many rows one statement inserts or deletes.
const ROWS: usize = 4000;

// As a table, since SQLite has no lists of pairs. Without the list of conversations PostgreSQL would read the whole table:
// of 204,000 entries that took 129 ms, and 13 with it, for 4,000 of them.
const DELETE: &str = "
DELETE FROM conversation_metadata
WHERE user_id = $1 AND conversation_id IN ({conversations}) AND (conversation_id, entry) IN (VALUES {pairs})";

/// A digest of a value and of the keys that lead to it.
pub(super) type Entry = Vec<u8>;

/// Metadata that a list is limited to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetadataFilter(pub(super) Vec<Entry>);

impl MetadataFilter {
    /// The filter for metadata that contain `value`: an object of at most 10 values, within the bounds of
    /// [`Metadata::new`]. The items of its arrays are neither arrays nor objects.
    ///
    /// # Errors
    /// [`Error::BadUserInput`] says what it is not.
    pub fn new(value: &Value) -> Result<Self, Error> {
        let object = Metadata::read(Metadata::new(value)?.as_str());
        let mut collector = Collector { of_filter: true, ..Collector::default() };
        collector.object(&mut Vec::new(), &object);
        if collector.has_nested_items {
            let message = "The arrays in `metadata` must not contain arrays or objects: their items cannot be searched.";
            return Err(Error::input("metadata", message));
        }
        if collector.entries.len() > MAX_FILTER_VALUES {
            let message = format!("`metadata` must have at most {MAX_FILTER_VALUES} values to search for.");
            return Err(Error::input("metadata", message));
        }
        Ok(Self(collector.entries.into_iter().collect()))
    }
}

/// The entries of the metadata of a conversation.
fn entries(metadata: &str) -> BTreeSet<Entry> {
    let mut collector = Collector::default();
    collector.object(&mut Vec::new(), &Metadata::read(metadata));
    collector.entries
}

/// Collects the entries of an object.
#[derive(Default)]
struct Collector {
    entries: BTreeSet<Entry>,
    /// Whether they are of a filter, which needs no entries for objects and arrays that are not empty.
    of_filter: bool,
    /// Whether an array has arrays or objects in it.
    has_nested_items: bool,
}

impl Collector {
    fn object<'v>(&mut self, path: &mut Vec<&'v str>, object: &'v Map<String, Value>) {
        for (key, value) in object {
            path.push(key);
            match value {
                Value::Object(inner) => {
                    if !self.of_filter || inner.is_empty() {
                        self.add(path, "object", &Value::Null);
                    }
                    self.object(path, inner);
                }
                Value::Array(items) => {
                    if !self.of_filter || items.is_empty() {
                        self.add(path, "array", &Value::Null);
                    }
                    for item in items {
                        if item.is_array() || item.is_object() {
                            self.has_nested_items = true;
                        } else {
                            self.add(path, "item", item);
                        }
                    }
                }
                scalar => self.add(path, "value", scalar),
            }
            path.pop();
        }
    }

    fn add(&mut self, path: &[&str], kind: &str, value: &Value) {
        let text = serde_json::json!([path, kind, normalized(value)]).to_string();
        self.entries.insert(digest::digest(&SHA256, text.as_bytes()).as_ref()[..16].to_vec());
    }
}

/// A number that is whole in one form, so that 1 and 1.0 are the same.
fn normalized(value: &Value) -> Value {
    const LARGEST: f64 = 9_007_199_254_740_992.0;
    match value.as_f64() {
        #[expect(clippy::cast_possible_truncation, reason = "it is whole and within 53 bits")]
        Some(number) if value.is_f64() && number.fract() == 0.0 && number.abs() <= LARGEST => {
            Value::from(number as i64)
        }
        _ => value.clone(),
    }
}

impl Chat {
    /// Indexes the metadata of conversations, which are within [`check_values`]: only what differs from the `earlier`
    /// ones is written.
    pub(super) async fn index_metadata(
        &self,
        write: &Write,
        changes: &[IndexChange<'_>],
    ) -> Result<(), Error> {
        let (mut added, mut removed) = (Vec::new(), Vec::new());
        for change in changes {
            let (earlier, now) = (entries(change.earlier), entries(change.now));
            let row = |entry: &Entry| (change.conversation_id, entry.clone());
            added.extend(now.difference(&earlier).map(row));
            removed.extend(earlier.difference(&now).map(row));
        }
        for rows in removed.chunks(ROWS) {
            let mark = |number: usize| format!("${}", 2 * number + 2);
            let is_first = |number: &usize| *number == 0 || rows[*number].0 != rows[*number - 1].0;
            let conversations: Vec<String> = (0..rows.len()).filter(is_first).map(mark).collect();
            let pair = |number: usize| format!("({}, ${})", mark(number), 2 * number + 3);
            let pairs: Vec<String> = (0..rows.len()).map(pair).collect();
            let sql = DELETE.replace("{conversations}", &conversations.join(", "));
            let values = rows.iter().flat_map(|(id, entry)| [Bound::from(*id), Bound::from(entry.clone())]);
            let values = [Bound::from(self.user())].into_iter().chain(values);
            write.run(sql.replace("{pairs}", &pairs.join(", ")), values).await?;
        }
        for rows in added.chunks(ROWS) {
            let rows = rows.iter().map(|(conversation_id, entry)| ActiveModel {
                user_id: Set(self.user().to_owned()),
                conversation_id: Set(*conversation_id),
                entry: Set(entry.clone()),
            });
            Entity::insert_many(rows).exec_without_returning(&**write).await?;
        }
        Ok(())
    }
}

/// The metadata of a conversation, before and after a change.
pub(super) struct IndexChange<'t> {
    pub(super) conversation_id: Uuid,
    pub(super) earlier: &'t str,
    pub(super) now: &'t str,
}

impl<'t> IndexChange<'t> {
    /// The metadata of a new conversation.
    pub(super) fn new(row: &'t conversation::Model) -> Self {
        Self { conversation_id: row.id, earlier: "{}", now: &row.metadata }
    }
}

/// Checks that the metadata of a conversation can be indexed.
///
/// # Errors
/// [`Error::BadUserInput`] if there are more than [`MAX_VALUES`] values.
pub(super) fn check_values(metadata: &Metadata) -> Result<(), Error> {
    if entries(metadata.as_str()).len() <= MAX_VALUES {
        return Ok(());
    }
    let message =
        format!("The `metadata` of a conversation must have at most {MAX_VALUES} different values.");
    Err(Error::input("metadata", message))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// Whether `outer` contains `inner`, as the documentation of the filter says.
    fn contains(outer: &Value, inner: &Value) -> bool {
        match (outer, inner) {
            (Value::Object(outer), Value::Object(inner)) => {
                inner.iter().all(|(key, value)| outer.get(key).is_some_and(|outer| contains(outer, value)))
            }
            (Value::Array(outer), Value::Array(inner)) => inner.iter().all(|item| outer.contains(item)),
            _ => outer == inner,
        }
    }

    fn object(with_nested_items: bool) -> impl Strategy<Value = Value> {
        let scalar = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (0..3i64).prop_map(Value::from),
            "[ab\"]{0,2}".prop_map(Value::from),
        ];
        let items = if with_nested_items {
            prop_oneof![scalar.clone(), Just(json!({})), Just(json!([1]))].boxed()
        } else {
            scalar.clone().boxed()
        };
        let leaf = prop_oneof![scalar, prop::collection::vec(items, 0..3).prop_map(Value::from)];
        let key = "[ab.]{0,1}";
        let inner = leaf.prop_recursive(3, 12, 3, move |inner| {
            prop::collection::btree_map(key, inner, 0..3)
                .prop_map(|map| Value::Object(map.into_iter().collect()))
        });
        prop::collection::btree_map(key, inner, 0..3).prop_map(|map| Value::Object(map.into_iter().collect()))
    }

    proptest! {
        #[test]
        fn metadata_have_the_entries_of_exactly_what_they_contain(outer in object(true), inner in object(false)) {
            let Ok(filter) = MetadataFilter::new(&inner) else { return Ok(()) };
            let found = entries(&outer.to_string());
            prop_assert_eq!(filter.0.iter().all(|entry| found.contains(entry)), contains(&outer, &inner));
        }
    }

    #[test]
    fn numbers_that_are_equal_are_found() {
        for (stored, wanted) in
            [("1", json!(1.0)), ("1.0", json!(1)), ("-0.0", json!(0)), ("1e3", json!(1000))]
        {
            let found = entries(&format!(r#"{{"n":{stored}}}"#));
            let filter = MetadataFilter::new(&json!({ "n": wanted })).unwrap();
            assert!(found.contains(&filter.0[0]), "{stored}");
        }
    }

    #[test]
    fn what_is_indexed_and_what_is_searched_for_have_bounds() {
        let values = |count: usize| Metadata::new(&json!({ "n": (1..count).collect::<Vec<_>>() })).unwrap();
        assert!(check_values(&values(MAX_VALUES)).is_ok() && check_values(&values(MAX_VALUES + 1)).is_err());
        let filter = |count: usize| MetadataFilter::new(&json!({ "n": (0..count).collect::<Vec<_>>() }));
        assert!(filter(MAX_FILTER_VALUES).is_ok() && filter(MAX_FILTER_VALUES + 1).is_err());
        for bad in [json!({ "a": [[1]] }), json!({ "a": { "b": [{}] } }), json!([]), json!("a")] {
            assert!(MetadataFilter::new(&bad).is_err(), "{bad}");
        }
    }
}
