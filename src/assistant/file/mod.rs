//! The file with a server's assistants.

mod entry;

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use self::entry::Entry;
pub(super) use self::entry::check_text;
use super::catalog::{Catalog, Parts, TitleAssistant};
use super::openai;
use crate::usage::Quota;

/// How many assistants a file may have: `assistants` answers with all of them.
const MAX_ASSISTANTS: usize = 100;

/// What the whole server has for all of its assistants.
#[derive(Clone, Copy, Debug)]
pub struct Common {
    /// An attempt at a reply may take this long.
    pub timeout: Duration,
    /// Whether `http` to other machines is allowed.
    pub allow_plaintext: bool,
    /// How many characters instructions may have.
    pub instructions_chars: usize,
}

impl Common {
    /// How titles are asked for: one that takes longer is no longer wanted, and one that fails is not missed.
    pub(super) fn of_titles(self, options: openai::Options) -> openai::Options {
        let allow_plaintext = self.allow_plaintext;
        openai::Options { total_timeout: Duration::from_mins(1), max_retries: 1, allow_plaintext, ..options }
    }
}

/// What the file says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    default: String,
    #[serde(default = "usd")]
    currency: String,
    titles: Option<String>,
    #[serde(default)]
    assistant: Vec<Entry>,
    #[serde(default)]
    quota: Vec<Quota>,
}

fn usd() -> String {
    "USD".to_owned()
}

/// Reads the assistants in the file at `path`.
///
/// # Errors
/// A sentence for the operator, with the name of the file and without a key.
pub(super) fn read(path: &Path, common: Common) -> Result<Catalog, String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string());
    let catalog = text.and_then(|text| Catalog::parse(&text, common));
    catalog.map_err(|error| format!("the assistants file {}: {error}", path.display()))
}

/// See [`Catalog::parse`].
pub(super) fn parse(text: &str, common: Common) -> Result<Catalog, String> {
    let file: File = toml::from_str(text).map_err(|error| {
        let message = error.message().replace('\n', " ");
        match error.span() {
            Some(span) => format!("line {}: {message}", text[..span.start].matches('\n').count() + 1),
            None => message,
        }
    })?;
    file.into_catalog(common)
}

impl File {
    fn into_catalog(self, common: Common) -> Result<Catalog, String> {
        if self.assistant.len() > MAX_ASSISTANTS {
            return Err(format!("it has more than {MAX_ASSISTANTS} assistants"));
        }
        let is_code = self.currency.len() == 3 && self.currency.bytes().all(|byte| byte.is_ascii_uppercase());
        if !is_code {
            return Err("`currency` must be a code of three capital letters, such as USD".to_owned());
        }
        let mut ids = HashSet::new();
        for entry in &self.assistant {
            entry.check_id()?;
            if !ids.insert(entry.id.as_str()) {
                return Err(format!("the assistant `{}` is there twice", entry.id));
            }
        }
        let replaced = self.replaced()?;
        let end = |id: &str| replaced.get(id).map_or(id, String::as_str).to_owned();
        let missing = |what: &str, id: &str| format!("{what} `{id}` is not among its assistants");
        if !ids.contains(self.default.as_str()) {
            return Err(missing("the default", &self.default));
        }
        for quota in &self.quota {
            quota.check()?;
            if let Some(id) = quota.assistant.as_deref().filter(|id| !ids.contains(id)) {
                return Err(missing("the assistant of a quota,", id));
            }
        }
        let titles = match &self.titles {
            None => None,
            Some(id) => {
                let end = end(id);
                let entry = self.assistant.iter().find(|entry| entry.id == end);
                let entry = entry.ok_or_else(|| missing("the assistant for titles,", id))?;
                let writer = entry.title_writer(common).map_err(|error| entry.wrong(&error))?;
                Some(TitleAssistant { assistant_id: end, writer })
            }
        };
        let entries = self.assistant.into_iter().filter(|entry| entry.replaced_by.is_none());
        let profiles = entries.map(|entry| entry.into_profile(common)).collect::<Result<Vec<_>, _>>()?;
        let quotas = self.quota.into_iter();
        let quotas = quotas.map(|quota| Quota { assistant: quota.assistant.map(|id| end(&id)), ..quota });
        let (default, currency, quotas) = (self.default, self.currency, quotas.collect());
        let replaced = replaced.into_iter().collect();
        let parts = Parts { profiles, replaced, default, titles, currency, quotas };
        Catalog::new(parts).ok_or_else(|| "it has no default".to_owned())
    }

    /// Which ids were replaced, and by which assistant in the end.
    fn replaced(&self) -> Result<HashMap<String, String>, String> {
        let entries: HashMap<_, _> = self.assistant.iter().map(|entry| (entry.id.as_str(), entry)).collect();
        let mut replaced = HashMap::new();
        for entry in self.assistant.iter().filter(|entry| entry.replaced_by.is_some()) {
            entry.check_replaced()?;
            let mut end = entry;
            let mut steps = 0;
            while let Some(next) = &end.replaced_by {
                let wrong = |what: &str| format!("the assistant `{}` is replaced by {what}", entry.id);
                end = entries
                    .get(next.as_str())
                    .ok_or_else(|| wrong(&format!("`{next}`, which is not there")))?;
                steps += 1;
                if steps > entries.len() {
                    return Err(wrong("itself in the end"));
                }
            }
            replaced.insert(entry.id.clone(), end.id.clone());
        }
        Ok(replaced)
    }
}

#[cfg(test)]
mod tests;
