//! What fields need beside the rows that they are of, which is known only once those are read.
//!
//! A plan is first walked without writing: each field that needs something which has not been read names it. What all fields
//! have named is then read, a statement for each kind, and the plan is walked again, until nothing is missing. So there are as
//! few statements as a document has levels of such fields.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;

use uuid::Uuid;

use super::arguments::{Arguments, Inputs};
use super::compiler::Needs;
use super::json::{Json, Written};
use super::nodes::{ConversationNode, MessageNode};
use super::read::read_beside;
use super::request::{Beside, paging};
use crate::chat::{Chat, CountedPage, SiblingGroup, SiblingKey, SiblingPage, SiblingRank, Slice};
use crate::entity::{conversation, conversation_setting, message, viewer_setting};
use crate::error::Error;
use crate::graphql::shared::SiblingCursor;

/// The fields of a plan that need something.
#[derive(Default)]
pub(super) struct PlannedLoads {
    /// How many there are.
    pub(super) count: usize,
    /// The arguments of those with pages of siblings.
    pub(super) siblings: Vec<Arguments>,
    /// What those with a conversation need of it.
    pub(super) conversations: Vec<Needs>,
}

/// The same, with the variables of a request.
pub(super) struct Loads {
    siblings: Vec<Slice<i64>>,
    conversations: Vec<Beside>,
}

impl Loads {
    /// `None` if an argument is wrong, or depends on the row.
    pub(super) fn new(planned: &PlannedLoads, inputs: &Inputs<'_>) -> Option<Self> {
        let slice = |arguments: &Arguments| {
            paging(arguments, None, inputs)?.slice(|cursor: SiblingCursor| Some(cursor.revision)).ok()
        };
        let beside = |needs: &Needs| Beside::new(needs, None, inputs);
        Some(Self {
            siblings: planned.siblings.iter().map(slice).collect::<Option<_>>()?,
            conversations: planned.conversations.iter().map(beside).collect::<Option<_>>()?,
        })
    }
}

/// A conversation that a field needs: by the field's index among those with one, and the conversation's id.
type ConversationKey = (usize, Uuid);

/// What was read; `None` is what there is not.
type Known<K, T> = HashMap<K, Result<Option<T>, Error>>;

/// What there is of something that a field needs.
pub(super) enum Lookup<T> {
    /// It is not known: it was named now, as the plan is only walked.
    Named,
    Found(T),
    /// There is no such thing.
    Missing,
}

/// What was read for the fields of an answer.
pub(super) struct Loaded {
    loads: Arc<Loads>,
    ranks: Known<SiblingKey, SiblingRank>,
    siblings: Known<SiblingPage, CountedPage<MessageNode>>,
    messages: Known<Uuid, MessageNode>,
    conversations: Known<ConversationKey, ConversationNode>,
    settings: Known<Uuid, conversation_setting::Model>,
    own_settings: Known<(), viewer_setting::Model>,
}

/// What fields have named that was not read.
#[derive(Default)]
pub(super) struct Wanted {
    ranks: HashSet<SiblingKey>,
    siblings: HashSet<SiblingPage>,
    messages: HashSet<Uuid>,
    /// With the row, if that is known.
    conversations: HashMap<ConversationKey, Option<Arc<conversation::Model>>>,
    /// The conversations whose settings are.
    settings: HashSet<Uuid>,
    /// Whether the viewer's settings are.
    own_settings: bool,
}

impl Wanted {
    fn is_empty(&self) -> bool {
        self.ranks.is_empty()
            && self.siblings.is_empty()
            && self.messages.is_empty()
            && self.conversations.is_empty()
            && self.settings.is_empty()
            && !self.own_settings
    }
}

impl Loaded {
    /// Reads all that `walk` names.
    pub(super) async fn all(
        chat: &Chat,
        loads: Arc<Loads>,
        walk: impl Fn(&mut Json<'_>) -> Written + Send,
    ) -> Box<Self> {
        let mut loaded = Box::new(Self {
            loads,
            ranks: HashMap::new(),
            siblings: HashMap::new(),
            messages: HashMap::new(),
            conversations: HashMap::new(),
            settings: HashMap::new(),
            own_settings: HashMap::new(),
        });
        loop {
            let wanted = Json::named(chat, &loaded, &walk);
            if wanted.is_empty() {
                return loaded;
            }
            loaded.read(chat, wanted).await;
        }
    }

    async fn read(&mut self, chat: &Chat, wanted: Wanted) {
        let Wanted { ranks, siblings, messages, conversations, settings, own_settings } = wanted;
        if !ranks.is_empty() {
            let keys: Vec<_> = ranks.into_iter().collect();
            let read = chat.sibling_ranks(&keys).await;
            note(&mut self.ranks, keys, read);
        }
        if !siblings.is_empty() {
            let keys: Vec<_> = siblings.into_iter().collect();
            let read = chat.sibling_pages(&keys).await;
            note(&mut self.siblings, keys, read);
        }
        if !messages.is_empty() {
            let keys: Vec<_> = messages.into_iter().collect();
            let read = chat.messages_by_id(&keys).await;
            let by_id = |rows: Vec<MessageNode>| rows.into_iter().map(|row| (row.id, row)).collect();
            note(&mut self.messages, keys, read.map(by_id));
        }
        if !conversations.is_empty() {
            self.read_conversations(chat, conversations).await;
        }
        if !settings.is_empty() {
            let keys: Vec<_> = settings.into_iter().collect();
            let read = chat.conversation_settings(&keys).await;
            let by_id = |rows: Vec<conversation_setting::Model>| {
                rows.into_iter().map(|row| (row.conversation_id, row)).collect()
            };
            note(&mut self.settings, keys, read.map(by_id));
        }
        if own_settings {
            self.own_settings.insert((), chat.viewer_settings().await);
        }
    }

    /// Reads the rows of conversations that are not known, and what is needed of each.
    async fn read_conversations(
        &mut self,
        chat: &Chat,
        wanted: HashMap<ConversationKey, Option<Arc<conversation::Model>>>,
    ) {
        let unknown: HashSet<Uuid> =
            wanted.iter().filter(|(_, row)| row.is_none()).map(|((_, id), _)| *id).collect();
        let unknown: Vec<Uuid> = unknown.into_iter().collect();
        let read = if unknown.is_empty() { Ok(Vec::new()) } else { chat.conversations_by_id(&unknown).await };
        let read = read.map(|rows| rows.into_iter().map(|row| (row.id, row)).collect::<HashMap<_, _>>());
        let mut nodes: Vec<(ConversationKey, Result<Option<ConversationNode>, Error>)> = Vec::new();
        for (key, row) in wanted {
            let row = match (row, &read) {
                (Some(row), _) => Ok(Some(row)),
                (None, Ok(rows)) => Ok(rows.get(&key.1).cloned()),
                (None, Err(error)) => Err(error.clone()),
            };
            nodes.push((key, row.map(|row| row.map(ConversationNode::of))));
        }
        let loads = &self.loads;
        let beside = nodes.iter_mut().filter_map(|((index, _), node)| {
            let node = node.as_mut().ok()?.as_mut()?;
            Some((node, loads.conversations.get(*index)?))
        });
        read_beside(chat, beside.collect()).await;
        self.conversations.extend(nodes);
    }
}

/// Notes what was read of these keys.
fn note<K: Copy + Eq + Hash, T>(known: &mut Known<K, T>, keys: Vec<K>, read: Result<HashMap<K, T>, Error>) {
    match read {
        Ok(mut read) => known.extend(keys.into_iter().map(|key| (key, Ok(read.remove(&key))))),
        Err(error) => known.extend(keys.into_iter().map(|key| (key, Err(error.clone())))),
    }
}

impl<'c> Json<'c> {
    /// What there is of `key`.
    fn loaded<K: Eq + Hash + 'c, T>(
        &mut self,
        key: K,
        known: fn(&Loaded) -> &Known<K, T>,
        want: impl FnOnce(&mut Wanted, K),
    ) -> Result<Lookup<&'c T>, Error> {
        let read = self.loaded.and_then(|loaded| known(loaded).get(&key));
        match (read, &mut self.wanted) {
            (Some(Ok(read)), _) => Ok(read.as_ref().map_or(Lookup::Missing, Lookup::Found)),
            (Some(Err(error)), _) => Err(error.clone()),
            (None, Some(wanted)) => {
                want(wanted, key);
                Ok(Lookup::Named)
            }
            (None, None) => Err(Error::Internal("what a field needs was not read".to_owned())),
        }
    }

    /// The place of a message among its siblings; `None` while it is not read.
    pub(crate) fn rank(&mut self, row: &message::Model) -> Result<Option<SiblingRank>, Error> {
        let want = |wanted: &mut Wanted, key| _ = wanted.ranks.insert(key);
        Ok(match self.loaded(SiblingKey::of(row), |loaded| &loaded.ranks, want)? {
            Lookup::Named => None,
            Lookup::Found(rank) => Some(*rank),
            Lookup::Missing => Some(SiblingRank::ALONE),
        })
    }

    /// A page of the siblings of a message, for the field that has this index; `None` while it is not read.
    pub(super) fn siblings(
        &mut self,
        index: usize,
        row: &message::Model,
    ) -> Result<Option<CountedPage<MessageNode>>, Error> {
        let slice = self.loaded.and_then(|loaded| loaded.loads.siblings.get(index).copied());
        let slice = slice.ok_or_else(|| Error::Internal("a page of siblings has no place".to_owned()))?;
        let key = SiblingPage { group: SiblingGroup::of(row), slice };
        let want = |wanted: &mut Wanted, key| _ = wanted.siblings.insert(key);
        Ok(match self.loaded(key, |loaded| &loaded.siblings, want)? {
            Lookup::Named => None,
            Lookup::Found(page) => Some(page.clone()),
            Lookup::Missing => Some(CountedPage::empty()),
        })
    }

    /// What is chosen for a conversation.
    pub(super) fn settings(
        &mut self,
        conversation: Uuid,
    ) -> Result<Lookup<&'c conversation_setting::Model>, Error> {
        let want = |wanted: &mut Wanted, key| _ = wanted.settings.insert(key);
        self.loaded(conversation, |loaded| &loaded.settings, want)
    }

    /// What the viewer has chosen for all conversations.
    pub(super) fn own_settings(&mut self) -> Result<Lookup<&'c viewer_setting::Model>, Error> {
        self.loaded((), |loaded| &loaded.own_settings, |wanted, ()| wanted.own_settings = true)
    }

    /// The message with this id.
    pub(super) fn message(&mut self, id: Uuid) -> Result<Lookup<&'c MessageNode>, Error> {
        self.loaded(id, |loaded| &loaded.messages, |wanted, key| _ = wanted.messages.insert(key))
    }

    /// The conversation with this id, for the field that has this index. Its `row` is read unless it is known.
    pub(super) fn conversation(
        &mut self,
        index: usize,
        id: Uuid,
        row: Option<&Arc<conversation::Model>>,
    ) -> Result<Lookup<&'c ConversationNode>, Error> {
        let want = |wanted: &mut Wanted, key| drop(wanted.conversations.insert(key, row.cloned()));
        self.loaded((index, id), |loaded| &loaded.conversations, want)
    }
}
