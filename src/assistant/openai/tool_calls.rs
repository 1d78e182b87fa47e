//! Puts tool calls together from their fragments.

use uuid::Uuid;

use crate::assistant::ToolCall;

/// The most calls in one reply; further ones are dropped.
const MAX_CALLS: usize = 128;

/// A piece of a call, as providers send it: everything may be missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fragment {
    pub(super) index: Option<u64>,
    pub(super) id: Option<String>,
    pub(super) name: Option<String>,
    pub(super) arguments: String,
}

impl Fragment {
    /// The memory that it needs.
    pub(super) fn bytes(&self) -> usize {
        let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        length(&self.id) + length(&self.name) + self.arguments.len()
    }
}

/// The calls of one reply, in the order in which they began.
#[derive(Debug, Default)]
pub(super) struct ToolCalls {
    calls: Vec<Call>,
}

#[derive(Debug)]
struct Call {
    index: Option<u64>,
    id: Option<String>,
    name: String,
    arguments: String,
}

impl ToolCalls {
    pub(super) fn is_empty(&self) -> bool {
        self.calls.iter().all(|call| call.name.is_empty())
    }

    /// Adds a fragment to the call that it belongs to, or starts a new one.
    pub(super) fn add(&mut self, fragment: Fragment) {
        let clean = |text: String| if text.contains('\0') { text.replace('\0', "") } else { text };
        let id = fragment.id.map(clean).filter(|id| !id.is_empty());
        let name = fragment.name.map(clean).filter(|name| !name.is_empty());
        let arguments = clean(fragment.arguments);
        let place = self.place(fragment.index, id.as_deref(), name.is_some());
        let Some(place) = place else {
            if self.calls.len() < MAX_CALLS {
                self.calls.push(Call {
                    index: fragment.index,
                    id,
                    name: name.unwrap_or_default(),
                    arguments,
                });
            }
            return;
        };
        let call = &mut self.calls[place];
        if id.is_some() {
            call.id = id;
        }
        if let Some(name) = name {
            call.name = name;
        }
        call.arguments.push_str(&arguments);
    }

    /// The calls, whole. A call without a name could not be carried out and is left out.
    pub(super) fn finish(self) -> impl Iterator<Item = ToolCall> {
        self.calls.into_iter().filter(|call| !call.name.is_empty()).map(|call| ToolCall {
            id: call.id.unwrap_or_else(|| format!("call_{}", Uuid::now_v7().simple())),
            name: call.name,
            arguments: if call.arguments.trim().is_empty() { "{}".to_owned() } else { call.arguments },
        })
    }

    /// Where the call is that a fragment continues; `None` if the fragment starts one.
    fn place(&self, index: Option<u64>, id: Option<&str>, named: bool) -> Option<usize> {
        let fits = |call: &Call| index.is_none() || call.index.is_none() || call.index == index;
        // Parallel calls may all have index 0, or none: then only the id tells them apart.
        if let Some(id) = id
            && let Some(same) =
                self.calls.iter().rposition(|call| fits(call) && call.id.as_deref() == Some(id))
        {
            return Some(same);
        }
        let latest = self.calls.iter().rposition(fits)?;
        let other = id.is_some() && self.calls[latest].id.is_some();
        let whole = index.is_none() && id.is_none() && named && !self.calls[latest].name.is_empty();
        (!other && !whole).then_some(latest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Piece<'a> = (Option<u64>, Option<&'a str>, Option<&'a str>, &'a str);

    fn whole(pieces: &[Piece<'_>]) -> Vec<(String, String, String)> {
        let mut calls = ToolCalls::default();
        for (index, id, name, arguments) in pieces {
            calls.add(Fragment {
                index: *index,
                id: id.map(str::to_owned),
                name: name.map(str::to_owned),
                arguments: (*arguments).to_owned(),
            });
        }
        calls.finish().map(|call| (call.id, call.name, call.arguments)).collect()
    }

    fn expect(expected: &[(&str, &str, &str)]) -> Vec<(String, String, String)> {
        let owned = |(id, name, arguments): &(&str, &str, &str)| {
            ((*id).to_owned(), (*name).to_owned(), (*arguments).to_owned())
        };
        expected.iter().map(owned).collect()
    }

    #[test]
    fn fragments_are_joined_by_index() {
        for later in [None, Some("")] {
            let pieces: [Piece<'_>; 4] = [
                (Some(0), Some("a"), Some("f"), "{\"x\""),
                (Some(1), Some("b"), Some("g"), ""),
                (Some(0), later, later, ":1}"),
                (Some(1), later, later, "{}"),
            ];
            assert_eq!(whole(&pieces), expect(&[("a", "f", "{\"x\":1}"), ("b", "g", "{}")]), "{later:?}");
        }
    }

    #[test]
    fn a_repeated_id_and_name_start_nothing() {
        let pieces: [Piece<'_>; 2] =
            [(Some(0), Some("a"), Some("f"), "{"), (Some(0), Some("a"), Some("f"), "}")];
        assert_eq!(whole(&pieces), expect(&[("a", "f", "{}")]));
    }

    #[test]
    fn parallel_calls_with_one_index_or_none_are_told_apart_by_their_ids() {
        for index in [None, Some(0)] {
            let pieces: [Piece<'_>; 4] = [
                (index, Some("a"), Some("f"), "{"),
                (index, None, None, "}"),
                (index, Some("b"), Some("f"), "["),
                (index, None, None, "]"),
            ];
            assert_eq!(whole(&pieces), expect(&[("a", "f", "{}"), ("b", "f", "[]")]), "{index:?}");
        }
        let back: [Piece<'_>; 3] = [
            (Some(0), Some("a"), Some("f"), "{"),
            (Some(0), Some("b"), Some("g"), ""),
            (Some(0), Some("a"), None, "}"),
        ];
        assert_eq!(whole(&back), expect(&[("a", "f", "{}"), ("b", "g", "{}")]));
    }

    #[test]
    fn one_id_for_all_does_not_melt_calls_of_different_index() {
        let pieces: [Piece<'_>; 2] =
            [(Some(0), Some("a"), Some("f"), "1"), (Some(1), Some("a"), Some("g"), "2")];
        assert_eq!(whole(&pieces), expect(&[("a", "f", "1"), ("a", "g", "2")]));
    }

    #[test]
    fn whole_calls_with_neither_index_nor_id_stay_apart_and_get_ids() {
        let calls = whole(&[(None, None, Some("f"), "1"), (None, None, Some("g"), "2")]);
        assert_eq!(
            calls.iter().map(|call| (&*call.1, &*call.2)).collect::<Vec<_>>(),
            [("f", "1"), ("g", "2")]
        );
        assert!(calls[0].0.starts_with("call_") && calls[0].0 != calls[1].0);
    }

    #[test]
    fn an_id_or_a_name_that_comes_late_still_counts() {
        let pieces: [Piece<'_>; 3] =
            [(Some(0), None, None, "{"), (Some(0), Some("a"), None, ""), (Some(0), None, Some("f"), "}")];
        assert_eq!(whole(&pieces), expect(&[("a", "f", "{}")]));
    }

    #[test]
    fn no_arguments_are_an_empty_object_and_broken_ones_stay_as_they_are() {
        let pieces: [Piece<'_>; 2] =
            [(Some(0), Some("a"), Some("f"), ""), (Some(1), Some("b"), Some("g"), "{\"x\":")];
        assert_eq!(whole(&pieces), expect(&[("a", "f", "{}"), ("b", "g", "{\"x\":")]));
    }

    #[test]
    fn calls_without_a_name_and_calls_without_end_are_left_out() {
        assert_eq!(whole(&[(Some(0), Some("a"), None, "{}"), (None, None, None, "")]), expect(&[]));
        let ids: Vec<String> = (0..=MAX_CALLS).map(|id| id.to_string()).collect();
        let pieces: Vec<Piece<'_>> = ids.iter().map(|id| (Some(0), Some(&**id), Some("f"), "")).collect();
        assert_eq!(whole(&pieces).len(), MAX_CALLS);
    }
}
