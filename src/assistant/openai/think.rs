//! Keeps inline reasoning out of the text.

use std::mem;

const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";

/// Drops one `<think>…</think>` at the start of a text, with the white space around it. Tags further on are text.
#[derive(Debug, Default)]
pub(super) struct ThinkFilter {
    phase: Phase,
    /// What may still turn out to be part of a tag.
    held: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// Nothing but white space and the beginning of a tag has come.
    #[default]
    Start,
    /// Between the tags.
    Inside,
    /// Between the closing tag and the first word of the answer.
    After,
    Answer,
}

impl ThinkFilter {
    /// Takes more of the raw text and returns what of the answer is known now; may be empty.
    pub(super) fn push(&mut self, text: &str) -> String {
        self.held.push_str(text);
        if self.phase == Phase::Start {
            let begun = self.held.trim_start();
            if let Some(inside) = begun.strip_prefix(OPEN) {
                self.held = inside.to_owned();
                self.phase = Phase::Inside;
            } else if !OPEN.starts_with(begun) {
                self.phase = Phase::Answer;
            }
        }
        if self.phase == Phase::Inside {
            if let Some((_, answer)) = self.held.split_once(CLOSE) {
                self.held = answer.to_owned();
                self.phase = Phase::After;
            } else {
                let tail = self.held.len().saturating_sub(CLOSE.len() - 1);
                self.held.drain(..self.held.floor_char_boundary(tail));
            }
        }
        if self.phase == Phase::After {
            self.held = self.held.trim_start().to_owned();
            if !self.held.is_empty() {
                self.phase = Phase::Answer;
            }
        }
        if self.phase == Phase::Answer { mem::take(&mut self.held) } else { String::new() }
    }

    /// Takes the end of the raw text and returns what was held back, if it was answer after all.
    pub(super) fn finish(&mut self) -> String {
        if self.phase == Phase::Start { mem::take(&mut self.held) } else { String::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer<'a>(pieces: impl IntoIterator<Item = &'a str>) -> String {
        let mut think = ThinkFilter::default();
        let mut answer: String = pieces.into_iter().map(|piece| think.push(piece)).collect();
        answer.push_str(&think.finish());
        answer
    }

    #[test]
    fn reasoning_at_the_start_is_dropped_however_it_is_cut() {
        for (raw, expected) in [
            ("<think>hm</think>Hello", "Hello"),
            ("\n<think>\nhm, <b> </thin >😀\n</think>\n\nHello\n", "Hello\n"),
            ("<think></think>\n", ""),
            ("<think>never closed </think", ""),
            ("<think>a</think>b<think>c</think>", "b<think>c</think>"),
            ("Hello <think>x</think>", "Hello <think>x</think>"),
            ("  Hello", "  Hello"),
            ("<thinking> is a word", "<thinking> is a word"),
            ("<th", "<th"),
            (" \n", " \n"),
            ("", ""),
        ] {
            assert_eq!(answer([raw]), expected, "{raw:?}");
            let characters: Vec<String> = raw.chars().map(String::from).collect();
            assert_eq!(answer(characters.iter().map(String::as_str)), expected, "{raw:?} by characters");
        }
    }

    #[test]
    fn long_reasoning_is_not_kept() {
        let mut think = ThinkFilter::default();
        think.push("<think>");
        for _ in 0..1000 {
            assert_eq!(think.push("€uros and more"), "");
            assert!(think.held.len() < 2 * CLOSE.len());
        }
    }
}
