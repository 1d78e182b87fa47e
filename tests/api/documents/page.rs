//! A document, taken apart.

use std::fs;
use std::path::{Path, PathBuf};

/// The root of the repository.
pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A document, taken apart.
pub(super) struct Page {
    /// Its path, from the root.
    pub(super) path: PathBuf,
    /// The text outside of blocks of code.
    pub(super) prose: String,
    /// The blocks of code, each with its language.
    pub(super) blocks: Vec<(String, String)>,
}

impl Page {
    pub(super) fn read(path: &Path) -> Self {
        let text = fs::read_to_string(root().join(path))
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self::parse(path, &text)
    }

    pub(super) fn parse(path: &Path, text: &str) -> Self {
        let (mut prose, mut blocks, mut open) = (String::new(), Vec::new(), None);
        for line in text.lines() {
            open = match (open.take(), line.strip_prefix("```")) {
                (None, Some(language)) => Some((language.to_owned(), String::new())),
                (None, None) => {
                    prose += line;
                    prose.push('\n');
                    None
                }
                (Some(block), Some(_)) => {
                    blocks.push(block);
                    None
                }
                (Some((language, code)), None) => Some((language, format!("{code}{line}\n"))),
            };
        }
        assert!(open.is_none(), "{}: a block of code has no end", path.display());
        Self { path: path.to_owned(), prose, blocks }
    }

    /// What stands in backticks.
    pub(super) fn spans(&self) -> impl Iterator<Item = &str> {
        self.prose.split("\n\n").flat_map(|paragraph| paragraph.split('`').skip(1).step_by(2))
    }

    /// Where the links lead to that stay in the repository: a path from this document, and a heading.
    pub(super) fn links(&self) -> impl Iterator<Item = (&str, &str)> {
        let targets = self.prose.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0));
        targets
            .filter(|target| !target.contains("://"))
            .map(|target| target.split_once('#').unwrap_or((target, "")))
    }

    /// Whether a link can lead to a heading by the name `anchor`.
    pub(super) fn has_anchor(&self, anchor: &str) -> bool {
        let mut headings = self.prose.lines().filter(|line| line.starts_with('#'));
        headings.any(|line| {
            let title = line.trim_start_matches('#').trim().to_lowercase();
            let kept = title.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            kept.map(|c| if c == ' ' { '-' } else { c }).eq(anchor.chars())
        })
    }
}
