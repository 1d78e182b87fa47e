//! Tells inline reasoning from the answer.

use std::mem;

const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";

/// Splits a text that begins with one `<think>…</think>` into reasoning and answer, both without the white space around
/// the tags. Tags further on are text.
#[derive(Debug, Default)]
pub(super) struct ThinkSplitter {
    phase: Phase,
    /// What may still turn out to be part of a tag, or white space before one.
    held: String,
}

/// What is known of a text: first the reasoning, then the answer. Either may be empty.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Split {
    pub(super) reasoning: String,
    pub(super) answer: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// Nothing but white space and the beginning of a tag has come.
    #[default]
    Start,
    /// Between the opening tag and the first word of the reasoning.
    Before,
    /// Within the reasoning.
    Inside,
    /// Between the closing tag and the first word of the answer.
    After,
    Answer,
}

impl ThinkSplitter {
    /// Takes more of the raw text and returns what is known now.
    pub(super) fn push(&mut self, text: &str) -> Split {
        self.held.push_str(text);
        let mut split = Split::default();
        if self.phase == Phase::Start {
            let begun = self.held.trim_start();
            if let Some(inside) = begun.strip_prefix(OPEN) {
                self.held = inside.to_owned();
                self.phase = Phase::Before;
            } else if !OPEN.starts_with(begun) {
                self.phase = Phase::Answer;
            }
        }
        if self.phase == Phase::Before {
            self.held = self.held.trim_start().to_owned();
            if !self.held.is_empty() {
                self.phase = Phase::Inside;
            }
        }
        if self.phase == Phase::Inside {
            if let Some((reasoning, answer)) = self.held.split_once(CLOSE) {
                reasoning.trim_end().clone_into(&mut split.reasoning);
                self.held = answer.to_owned();
                self.phase = Phase::After;
            } else {
                let tail = self.held.len().saturating_sub(CLOSE.len() - 1);
                let known = self.held[..self.held.floor_char_boundary(tail)].trim_end().len();
                split.reasoning = self.held.drain(..known).collect();
            }
        }
        if self.phase == Phase::After {
            self.held = self.held.trim_start().to_owned();
            if !self.held.is_empty() {
                self.phase = Phase::Answer;
            }
        }
        if self.phase == Phase::Answer {
            split.answer = mem::take(&mut self.held);
        }
        split
    }

    /// Takes the end of the raw text and returns what was held back.
    pub(super) fn finish(&mut self) -> Split {
        let held = mem::take(&mut self.held);
        match self.phase {
            Phase::Start => Split { answer: held, ..Split::default() },
            Phase::Inside => Split { reasoning: held.trim_end().to_owned(), ..Split::default() },
            Phase::Before | Phase::After | Phase::Answer => Split::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split<'a>(pieces: impl IntoIterator<Item = &'a str>) -> (String, String) {
        let mut think = ThinkSplitter::default();
        let mut splits: Vec<Split> = pieces.into_iter().map(|piece| think.push(piece)).collect();
        splits.push(think.finish());
        let reasoning = splits.iter().map(|split| split.reasoning.as_str()).collect();
        (reasoning, splits.iter().map(|split| split.answer.as_str()).collect())
    }

    #[test]
    fn reasoning_at_the_start_is_told_apart_however_it_is_cut() {
        for (raw, reasoning, answer) in [
            ("<think>hm</think>Hello", "hm", "Hello"),
            ("\n<think>\nhm, <b>  </thin >😀\n</think>\n\nHello\n", "hm, <b>  </thin >😀", "Hello\n"),
            ("<think></think>\n", "", ""),
            ("<think> \n</think>Hello", "", "Hello"),
            ("<think>never closed </think", "never closed </think", ""),
            ("<think>a</think>b<think>c</think>", "a", "b<think>c</think>"),
            ("Hello <think>x</think>", "", "Hello <think>x</think>"),
            ("  Hello", "", "  Hello"),
            ("<thinking> is a word", "", "<thinking> is a word"),
            ("<th", "", "<th"),
            (" \n", "", " \n"),
            ("", "", ""),
        ] {
            let expected = (reasoning.to_owned(), answer.to_owned());
            assert_eq!(split([raw]), expected, "{raw:?}");
            let characters: Vec<String> = raw.chars().map(String::from).collect();
            assert_eq!(split(characters.iter().map(String::as_str)), expected, "{raw:?} by characters");
        }
    }

    #[test]
    fn long_reasoning_is_passed_on_at_once() {
        let mut think = ThinkSplitter::default();
        think.push("<think>");
        for _ in 0..1000 {
            assert_eq!(think.push("€uros and more").answer, "");
            assert!(think.held.len() < 2 * CLOSE.len());
        }
    }
}
