//! The assistants that a server offers.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use serde_json::json;

use super::{Assistant, Common, Parameters, Profile, file};
use crate::usage::{Ledger, Quota, Terms};

/// The assistants that a server offers, in the operator's order. It never changes while the server runs.
#[derive(Clone, Debug)]
pub struct Catalog {
    profiles: Vec<Arc<Profile>>,
    /// What each id leads to: its assistant, or the one that has replaced it.
    by_id: HashMap<String, Arc<Profile>>,
    default: Arc<Profile>,
    titles: Option<TitleAssistant>,
    currency: String,
    /// What usage is counted by.
    ledger: Arc<Ledger>,
    /// For each plan that the operator names what its users may choose; for all others the last.
    choices: (HashMap<String, Arc<str>>, Arc<str>),
}

/// Who makes titles.
#[derive(Clone, Debug)]
pub struct TitleAssistant {
    /// The id of the assistant that pays for it.
    pub assistant_id: String,
    /// Who writes them. It is given no instructions but those for titles.
    pub writer: Arc<dyn Assistant>,
}

/// What a catalog is made of.
#[derive(Debug)]
pub(super) struct Parts {
    /// At least one.
    pub(super) profiles: Vec<Profile>,
    /// Which ids were replaced, and by which of the profiles.
    pub(super) replaced: Vec<(String, String)>,
    /// The id of the default one.
    pub(super) default: String,
    pub(super) titles: Option<TitleAssistant>,
    pub(super) currency: String,
    pub(super) quotas: Vec<Quota>,
}

impl Catalog {
    /// A catalog of one assistant.
    #[must_use]
    pub fn of(profile: Profile) -> Self {
        let profile = Arc::new(profile);
        let by_id = HashMap::from([(profile.id.clone(), profile.clone())]);
        Self::finish(vec![profile.clone()], by_id, profile)
    }

    /// The assistants that the text of a file describes.
    ///
    /// # Errors
    /// A sentence for the operator, without a key.
    pub fn parse(text: &str, common: Common) -> Result<Self, String> {
        file::parse(text, common)
    }

    /// The catalog of these parts; `None` if they have no default.
    pub(super) fn new(parts: Parts) -> Option<Self> {
        let profiles: Vec<_> = parts.profiles.into_iter().map(Arc::new).collect();
        let mut by_id: HashMap<_, _> =
            profiles.iter().map(|profile| (profile.id.clone(), profile.clone())).collect();
        for (id, successor) in parts.replaced {
            if let Some(profile) = by_id.get(&successor).cloned() {
                by_id.insert(id, profile);
            }
        }
        let default = by_id.get(&parts.default)?.clone();
        let catalog = Self::finish(profiles, by_id, default);
        let catalog = catalog.with_quotas(parts.quotas);
        Some(Self { titles: parts.titles, currency: parts.currency, ..catalog })
    }

    fn finish(
        profiles: Vec<Arc<Profile>>,
        by_id: HashMap<String, Arc<Profile>>,
        default: Arc<Profile>,
    ) -> Self {
        let plans: Vec<String> =
            profiles.iter().filter_map(|profile| profile.plans.clone()).flatten().collect();
        let mut catalog = Self {
            profiles,
            by_id,
            default,
            titles: None,
            currency: "USD".to_owned(),
            ledger: Arc::default(),
            choices: (HashMap::new(), "{}".into()),
        };
        catalog.ledger = Arc::new(Ledger { assistants: catalog.terms(), ..Ledger::default() });
        // The plan without a name is nobody's: it stands for those that the operator does not name.
        let other = catalog.choices_of("", None).into();
        let named =
            plans.into_iter().map(|plan| (plan.clone(), catalog.choices_of(&plan, None).into())).collect();
        catalog.choices = (named, other);
        catalog
    }

    /// The same with someone who makes titles.
    #[must_use]
    pub fn with_titles(self, titles: Option<TitleAssistant>) -> Self {
        Self { titles, ..self }
    }

    /// The same with limits on what may be used.
    #[must_use]
    pub fn with_quotas(self, quotas: Vec<Quota>) -> Self {
        let ledger = Ledger { quotas, ..Ledger::clone(&self.ledger) };
        Self { ledger: Arc::new(ledger), ..self }
    }

    /// What the ledger needs to know of each assistant.
    fn terms(&self) -> HashMap<String, Terms> {
        let terms =
            |profile: &Profile| Terms { price: profile.price, context_tokens: profile.context_tokens };
        self.by_id.iter().map(|(id, profile)| (id.clone(), terms(profile))).collect()
    }

    /// The assistant with this id, or the one that has replaced it.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<&Arc<Profile>> {
        self.by_id.get(id)
    }

    /// As [`Self::find`], if users of `plan` may choose it.
    #[must_use]
    pub fn find_for(&self, id: &str, plan: &str) -> Option<&Arc<Profile>> {
        self.find(id).filter(|profile| profile.is_for(plan))
    }

    /// The assistants that users of `plan` may choose, in the operator's order.
    pub fn offered_to(&self, plan: &str) -> impl Iterator<Item = &Arc<Profile>> {
        self.profiles.iter().filter(move |profile| profile.is_for(plan))
    }

    /// The assistant of those who choose none. Not every plan may use it.
    #[must_use]
    pub fn default_profile(&self) -> &Arc<Profile> {
        &self.default
    }

    /// Who makes titles, if anybody.
    #[must_use]
    pub fn titles(&self) -> Option<&TitleAssistant> {
        self.titles.as_ref()
    }

    /// What prices are in.
    #[must_use]
    pub fn currency(&self) -> &str {
        &self.currency
    }

    /// What usage is counted by.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// What users of `plan` may choose, as a JSON object for a statement: of each id, and of none as `""`, the `id` of who
    /// then answers, the parameters that are `set` unless somebody sets them, those that are `settable`, and the `terms` of
    /// the ledger. Those are left out that may not be `asked` to write in this way.
    #[must_use]
    pub fn choices(&self, plan: &str, asked: Option<&Parameters>) -> Cow<'_, str> {
        match asked {
            // It is made once for each plan.
            None => Cow::Borrowed(self.choices.0.get(plan).unwrap_or(&self.choices.1)),
            Some(asked) => Cow::Owned(self.choices_of(plan, Some(asked))),
        }
    }

    fn choices_of(&self, plan: &str, asked: Option<&Parameters>) -> String {
        let mut choices = serde_json::Map::new();
        let named = self.by_id.iter().map(|(id, profile)| (id.as_str(), profile));
        for (id, profile) in named.chain([("", &self.default)]) {
            let settable = &profile.settable;
            if profile.is_for(plan) && asked.is_none_or(|asked| settable.check(asked).is_ok()) {
                let choice = json!({
                    "id": profile.id, "set": settable.defaults(), "settable": settable,
                    "terms": self.ledger.terms(&profile.id),
                });
                choices.insert(id.to_owned(), choice);
            }
        }
        serde_json::Value::Object(choices).to_string()
    }
}
