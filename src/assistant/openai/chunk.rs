//! Reads a provider's chunks leniently, and joins the fragments of tool calls: what is missing, null, empty or of an unknown
//! kind is ignored.

use serde::de::IgnoredAny;
use serde_json::Value;
use uuid::Uuid;

use crate::assistant::{ToolCall, Usage};
use crate::usage::Amount;

/// The most tool calls in one reply; further ones are dropped.
const MAX_CALLS: usize = 128;

/// What one chunk says, or a whole completion.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    pub(super) model: Option<String>,
    pub(super) usage: Option<Usage>,
    /// Text and reasoning, in order.
    pub(super) pieces: Vec<Piece>,
    pub(super) fragments: Vec<Fragment>,
    /// Lower case, not empty.
    pub(super) finish: Option<String>,
    /// There is a choice to be read, be it empty.
    pub(super) choice: bool,
}

/// A piece of a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Raw text; may still hold inline reasoning.
    Text(String),
    /// Reasoning in a field of its own.
    Reasoning(String),
}

impl Chunk {
    pub(super) fn read(value: &Value) -> Self {
        let mut chunk =
            Self { model: string(&value["model"]), usage: usage(&value["usage"]), ..Self::default() };
        let choices = value["choices"].as_array().map_or(&[][..], Vec::as_slice);
        // One completion is asked for; were there more, they would be other versions of the same text.
        let Some(choice) = choices.iter().find(|choice| choice["index"].as_u64().unwrap_or(0) == 0) else {
            return chunk;
        };
        chunk.choice = true;
        chunk.finish = string(&choice["finish_reason"]).map(|reason| reason.to_ascii_lowercase());
        let delta = if choice["delta"].is_object() { &choice["delta"] } else { &choice["message"] };
        // Some send the same under both names.
        let reasoning = ["reasoning_content", "reasoning"].iter().find_map(|field| string(&delta[field]));
        chunk.pieces.extend(reasoning.map(Piece::Reasoning));
        chunk.content(&delta["content"]);
        chunk.content(&delta["refusal"]);
        let calls = delta["tool_calls"].as_array().map_or(&[][..], Vec::as_slice);
        chunk.fragments.extend(calls.iter().map(|call| {
            let index = call["index"].as_u64();
            Fragment { index, id: string(&call["id"]), ..function(&call["function"]) }
        }));
        if delta["function_call"].is_object() {
            chunk.fragments.push(Fragment { index: Some(0), ..function(&delta["function_call"]) });
        }
        chunk
    }

    /// Whether the chunk holds a token, of whatever sort.
    pub(super) fn has_token(&self) -> bool {
        !self.pieces.is_empty() || !self.fragments.is_empty()
    }

    /// Takes text, or a list of parts of which some are text and some reasoning.
    fn content(&mut self, content: &Value) {
        self.pieces.extend(string(content).map(Piece::Text));
        for part in content.as_array().into_iter().flatten() {
            match part["type"].as_str() {
                Some("text") => self.pieces.extend(string(&part["text"]).map(Piece::Text)),
                Some("thinking") => {
                    let thoughts = part["thinking"].as_array().into_iter().flatten();
                    let thoughts = thoughts.chain([&part["thinking"]]);
                    let texts =
                        thoughts.filter_map(|thought| string(&thought["text"]).or_else(|| string(thought)));
                    self.pieces.extend(texts.map(Piece::Reasoning));
                }
                _ => {}
            }
        }
    }
}

impl Piece {
    pub(super) fn len(&self) -> usize {
        let (Self::Text(text) | Self::Reasoning(text)) = self;
        text.len()
    }
}

/// A string that says something.
fn string(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// The part of a tool call that names the function, without index and id.
fn function(function: &Value) -> Fragment {
    let arguments = match &function["arguments"] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        // Some send the arguments as an object instead of as its text.
        value => value.to_string(),
    };
    Fragment { name: string(&function["name"]), arguments, ..Fragment::default() }
}

/// The tokens used, if any number is given.
fn usage(usage: &Value) -> Option<Usage> {
    let cached = &usage["prompt_tokens_details"]["cached_tokens"];
    let used = Usage {
        input_tokens: tokens(&usage["prompt_tokens"]),
        output_tokens: tokens(&usage["completion_tokens"]),
        // The second name is DeepSeek's.
        cached_input_tokens: tokens(cached).or_else(|| tokens(&usage["prompt_cache_hit_tokens"])),
        // OpenRouter's.
        cost: usage["cost"].as_f64().and_then(Amount::of_units).map(Amount::billionths),
        ..Usage::default()
    };
    (used != Usage::default()).then_some(used)
}

/// A number of tokens. One that cannot be, such as a negative one, is the largest there is, which nobody believes.
fn tokens(number: &Value) -> Option<u64> {
    number.as_number().map(|number| number.as_u64().unwrap_or(u64::MAX))
}

/// A piece of a tool call, as providers send it: everything may be missing.
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

/// The calls of one reply that are not passed on yet, in the order in which they began.
#[derive(Debug, Default)]
pub(super) struct ToolCalls {
    calls: Vec<Call>,
    /// How many were passed on.
    taken: usize,
}

#[derive(Debug)]
struct Call {
    index: Option<u64>,
    id: Option<String>,
    name: String,
    arguments: String,
}

impl Call {
    fn finish(self) -> ToolCall {
        ToolCall {
            call_id: self.id.unwrap_or_else(|| format!("call_{}", Uuid::now_v7().simple())),
            name: self.name,
            arguments: if self.arguments.trim().is_empty() { "{}".to_owned() } else { self.arguments },
        }
    }
}

impl ToolCalls {
    /// Adds a fragment to the call that it belongs to, or starts a new one.
    pub(super) fn add(&mut self, fragment: Fragment) {
        let clean = |text: String| if text.contains('\0') { text.replace('\0', "") } else { text };
        let id = fragment.id.map(clean).filter(|id| !id.is_empty());
        let name = fragment.name.map(clean).filter(|name| !name.is_empty());
        let arguments = clean(fragment.arguments);
        let Some(index) = self.continued(fragment.index, id.as_deref(), name.is_some()) else {
            if self.taken + self.calls.len() < MAX_CALLS {
                self.calls.push(Call {
                    index: fragment.index,
                    id,
                    name: name.unwrap_or_default(),
                    arguments,
                });
            }
            return;
        };
        let call = &mut self.calls[index];
        if id.is_some() {
            call.id = id;
        }
        if let Some(name) = name {
            call.name = name;
        }
        call.arguments.push_str(&arguments);
    }

    /// Takes out the first calls, as far as their arguments are whole.
    pub(super) fn take_whole(&mut self) -> Vec<ToolCall> {
        let is_whole = |call: &Call| {
            !call.name.is_empty() && serde_json::from_str::<IgnoredAny>(&call.arguments).is_ok()
        };
        let whole = self.calls.iter().take_while(|call| is_whole(call)).count();
        self.taken += whole;
        self.calls.drain(..whole).map(Call::finish).collect()
    }

    /// The calls, whole. A call without a name could not be carried out and is left out.
    pub(super) fn finish(self) -> Vec<ToolCall> {
        self.calls.into_iter().filter(|call| !call.name.is_empty()).map(Call::finish).collect()
    }

    /// The call that a fragment continues; `None` if the fragment starts one.
    fn continued(&self, index: Option<u64>, id: Option<&str>, named: bool) -> Option<usize> {
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
        calls.finish().into_iter().map(|call| (call.call_id, call.name, call.arguments)).collect()
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
