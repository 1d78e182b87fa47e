//! What the documents name exists: links, paths, commands, flags, variables of the environment, and names in the code.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use causerie::config::Cli;
use clap::{Command, CommandFactory};

use super::page::{Page, root};

/// Where names are looked for.
const SOURCES: [&str; 12] = [
    "Cargo.toml",
    "Makefile",
    "benches",
    "examples",
    "fuzz/fuzz_targets",
    "migration",
    "schema.graphql",
    "scripts",
    "src",
    "tests",
    "web/chat/src",
    "web/graphiql/src",
];

/// What there is to be named.
struct Known {
    /// The files and folders at the root.
    entries: HashSet<String>,
    /// The targets of the Makefile.
    targets: HashSet<String>,
    flags: HashSet<String>,
    words: HashSet<String>,
    sources: String,
}

impl Known {
    fn read() -> Self {
        let mut files = Vec::new();
        for source in SOURCES {
            gather(&root().join(source), &mut files);
        }
        // Not this test's own examples of what is not there.
        files.retain(|file| !file.ends_with(file!()));
        let sources: String = files.iter().filter_map(|file| fs::read_to_string(file).ok()).collect();
        let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
        let targets = makefile.lines().filter_map(|line| Some(line.split_once(':')?.0));
        let entries = fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().file_name());
        let mut flags: HashSet<String> =
            words(&sources, "-").filter_map(|word| word.strip_prefix("--")).map(str::to_owned).collect();
        add_flags(&Cli::command(), &mut flags);
        Self {
            entries: entries
                .filter_map(|name| name.into_string().ok())
                .filter(|name| name != "target")
                .collect(),
            targets: targets.map(str::to_owned).collect(),
            flags,
            words: words(&sources, "").map(str::to_owned).collect(),
            sources,
        }
    }

    /// What `page` names that is not there.
    fn complaints(&self, page: &Page) -> Vec<String> {
        let mut complaints = Vec::new();
        for (path, anchor) in page.links() {
            let folder = page.path.parent().unwrap_or(Path::new(""));
            let target = folder.join(path);
            let exists = if path.is_empty() {
                page.has_anchor(anchor)
            } else {
                root().join(&target).exists() && (anchor.is_empty() || Page::read(&target).has_anchor(anchor))
            };
            if !exists {
                complaints.push(format!("a link to {path}#{anchor}").trim_end_matches('#').to_owned());
            }
        }
        for span in page.spans() {
            self.check_command(span, true, &mut complaints);
            self.check_symbols(span, &mut complaints);
        }
        for (language, code) in &page.blocks {
            for line in code.lines().filter(|_| ["sh", "ini"].contains(&language.as_str())) {
                let line = line.split(" # ").next().unwrap_or_default();
                let is_ours = line.split_whitespace().any(|word| ["causerie", "make"].contains(&word));
                self.check_command(line, is_ours, &mut complaints);
            }
        }
        complaints
    }

    /// Looks for paths, targets of the Makefile, variables of the environment, and, if the command `is_ours`, flags.
    fn check_command(&self, text: &str, is_ours: bool, complaints: &mut Vec<String>) {
        let mut before = "";
        for word in text.split_whitespace() {
            let word = word.trim_matches(|c| "'\"(),;".contains(c));
            if before == "make" && !word.contains('=') && !self.targets.contains(word) {
                complaints.push(format!("make {word}"));
            }
            before = word;
            let first = word.split('/').next().unwrap_or_default();
            let is_path = word.contains('/') && self.entries.contains(first);
            if is_path && !root().join(word).exists() && !root().join(format!("{word}.rs")).exists() {
                complaints.push(word.to_owned());
            }
        }
        for word in words(text, "-") {
            let unknown = match word.strip_prefix("--") {
                Some(flag) => is_ours && !self.flags.contains(flag),
                None => word.starts_with("CAUSERIE_") && !self.words.contains(word),
            };
            if unknown {
                complaints.push(word.to_owned());
            }
        }
    }

    /// Looks for names in the code and in the schema. Words of all small letters are not looked for, but after `::`.
    fn check_symbols(&self, span: &str, complaints: &mut Vec<String>) {
        let is_symbol = |word: &&str| {
            let letters = word.chars().filter(|c| c.is_alphabetic()).count();
            letters > 3 && (word.contains('_') || word.chars().any(char::is_uppercase)) && !word.contains('-')
        };
        for word in words(span, "-").filter(is_symbol).filter(|word| !self.words.contains(*word)) {
            complaints.push(word.to_owned());
        }
        for (before, after) in span.match_indices("::").map(|(at, _)| span.split_at(at)) {
            let owner = words(before, "").last().unwrap_or_default();
            let name = words(after, "").next().unwrap_or_default();
            let kinds = ["fn", "struct", "enum", "trait", "type", "const", "mod"];
            let is_variant = || self.sources.contains(&format!("{owner}::{name}"));
            if !is_variant() && !kinds.iter().any(|kind| self.sources.contains(&format!("{kind} {name}"))) {
                complaints.push(format!("{owner}::{name}"));
            }
        }
    }
}

/// The words of `text`: letters, digits, underscores, and what is `also` part of one.
fn words<'t>(text: &'t str, also: &'t str) -> impl Iterator<Item = &'t str> {
    text.split(move |c: char| !(c.is_alphanumeric() || c == '_' || also.contains(c)))
        .filter(|word| !word.is_empty())
}

fn add_flags(command: &Command, flags: &mut HashSet<String>) {
    flags.extend(["help".to_owned(), "version".to_owned()]);
    flags.extend(command.get_arguments().filter_map(|argument| argument.get_long()).map(str::to_owned));
    for subcommand in command.get_subcommands() {
        add_flags(subcommand, flags);
    }
}

/// Gathers the files at and below `path`.
fn gather(path: &Path, files: &mut Vec<PathBuf>) {
    if path.is_dir() {
        if !path.ends_with("node_modules") {
            for entry in fs::read_dir(path).unwrap() {
                gather(&entry.unwrap().path(), files);
            }
        }
    } else {
        files.push(path.to_owned());
    }
}

fn documents() -> Vec<PathBuf> {
    let mut files = Vec::new();
    gather(&root().join("docs"), &mut files);
    files.extend(
        ["README.md", "SECURITY.md", "CHANGELOG.md", "tests/clients/README.md"].map(|name| root().join(name)),
    );
    files.retain(|file| file.extension().is_some_and(|extension| extension == "md"));
    files.iter().map(|file| file.strip_prefix(root()).unwrap().to_owned()).collect()
}

#[test]
fn what_the_documents_name_exists() {
    let known = Known::read();
    let mut complaints = Vec::new();
    for path in documents() {
        let found = known.complaints(&Page::read(&path));
        complaints.extend(found.iter().map(|name| format!("{}: {name}", path.display())));
    }
    assert!(complaints.is_empty(), "these do not exist:\n{}", complaints.join("\n"));
}

#[test]
fn what_does_not_exist_is_found() {
    let known = Known::read();
    for (text, named) in [
        ("See [it](docs/nowhere.md).", "a link to docs/nowhere.md"),
        ("See [it](#nowhere).", "a link to #nowhere"),
        ("See [it](SECURITY.md#nowhere).", "a link to SECURITY.md#nowhere"),
        ("It is in `src/nowhere.rs`.", "src/nowhere.rs"),
        ("Run `make nowhere`.", "make nowhere"),
        ("Set `--no-such-flag`.", "--no-such-flag"),
        ("Set `CAUSERIE_NO_SUCH_VARIABLE`.", "CAUSERIE_NO_SUCH_VARIABLE"),
        ("It is a `NoSuchType`.", "NoSuchType"),
        ("Ask `noSuchField`.", "noSuchField"),
        ("Call `Chat::no_such_function`.", "Chat::no_such_function"),
        ("```sh\nmake nowhere\n```", "make nowhere"),
        ("```sh\nA=b causerie serve --no-such-flag\n```", "--no-such-flag"),
        ("```ini\nCAUSERIE_NO_SUCH_VARIABLE=1\n```", "CAUSERIE_NO_SUCH_VARIABLE"),
    ] {
        let complaints = known.complaints(&Page::parse(Path::new("README.md"), text));
        assert!(complaints.contains(&named.to_owned()), "{text} {complaints:?}");
    }
    let good = "# Title\n\n[It](#title), [it](docs/guide.md#a-tour) and `src/`, `make run`, `--listen`, `Chat::send`, `sendMessage`.";
    let complaints = known.complaints(&Page::parse(Path::new("README.md"), good));
    assert!(complaints.is_empty(), "{complaints:?}");
}
