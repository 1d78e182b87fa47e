//! Nobody sees anybody else's rows: every place of the API that takes an id, a cursor or a key is found by
//! introspection and called with another user's values. Each answer must be, byte for byte, the one for values
//! that name nothing at all.

mod call;
mod coordinates;
mod world;

use std::collections::BTreeSet;

use serde_json::json;

use self::call::{CALLS, FREE_TEXT, Kind};
use self::world::World;
use crate::support::on_both_databases;

on_both_databases! {
    async fn every_place_that_takes_anothers_value_answers_as_for_one_that_names_nothing(database) {
        let world = World::build(&database).await;
        let before = world.victims_view().await;

        for call in CALLS {
            for kind in call.kinds() {
                let theirs = world.victims(*kind);
                let nothing = world.nothing(*kind);
                assert_eq!(theirs.len(), nothing.len(), "{}", call.place);
                for (their, nothing) in theirs.iter().zip(&nothing) {
                    let answer = call.answer(&world, their).await;
                    let expected = call.answer(&world, nothing).await;
                    assert_eq!(answer, expected, "{} given a {kind:?} of another user", call.place);
                    World::assert_holds_no_secret(&answer, call.place);
                }
            }
        }

        for call in CALLS {
            for kind in call.kinds() {
                for value in world.victims(*kind) {
                    call.assert_needs_a_token(&world, &value).await;
                }
            }
        }

        let vandal = world.user("vandal");
        vandal.start("hello").await;
        let deleted = vandal.data("mutation { deleteAllConversations { deletedCount } }", json!({})).await;
        assert_eq!(deleted["deleteAllConversations"]["deletedCount"], 1, "their own, and nobody else's");

        assert_eq!(world.victims_view().await, before, "the victim's rows have changed");
        // The same calls do something in the right hands, or equal answers would prove nothing.
        world.assert_calls_work_for_the_owner().await;
    }
}

/// What the table of calls lacks, or has too much, compared with the schema.
#[test]
fn the_table_of_calls_knows_every_place() {
    let places = coordinates::of_schema();
    let known: BTreeSet<String> =
        CALLS.iter().map(|call| call.place).chain(FREE_TEXT.iter().copied()).map(str::to_owned).collect();
    let rest = known.iter().filter(|place| place.starts_with('/')).cloned().collect();
    let known = &known - &rest;
    let unknown: Vec<_> = places.difference(&known).collect();
    assert!(
        unknown.is_empty(),
        "{unknown:#?} may take another user's values: add them to CALLS in tests/api/isolation/call.rs, \
         or to FREE_TEXT if they can name nobody's rows"
    );
    let stale: Vec<_> = known.difference(&places).collect();
    assert!(stale.is_empty(), "{stale:#?} are no longer in the schema: take them out of the table");
    let kinds: BTreeSet<Kind> = CALLS.iter().flat_map(call::Call::kinds).copied().collect();
    assert_eq!(kinds.len(), Kind::ALL.len(), "every kind of value is tried somewhere");
}
