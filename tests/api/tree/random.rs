//! Thousands of random operations on the server and on the model, with the same answers.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use causerie::auth::{UserId, Viewer};
use causerie::chat::{
    ActivateMessage, Change, ChangeCursor, Chat, Choice, CountedPage, DeleteMessage, EditMessage,
    ForkConversation, Limits, LongColumns, MessageColumns, Metadata, OnBusy, PathPage, PositionRange,
    RegenerateReply, SendMessage, SiblingGroup, SiblingKey, SiblingPage, Slice,
};
use causerie::entity::{conversation, message};
use causerie::memory::Memory;
use chrono::{DateTime, Utc};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use sea_orm::DatabaseConnection;
use tokio::runtime::Handle;
use uuid::Uuid;

use super::model::{Node, Thread};
use super::soundness;
use crate::support::{TestDatabase, TestServer, on_both_databases};

/// What is done, and to which of the messages that are there.
#[derive(Clone, Debug)]
enum Step {
    Start,
    Send(Index),
    Edit(Index),
    Regenerate(Index),
    Activate(Index),
    Delete(Index),
    Fork(Index),
}

fn steps() -> impl Strategy<Value = Vec<(Step, bool)>> {
    let step = prop_oneof![
        1 => Just(Step::Start),
        5 => any::<Index>().prop_map(Step::Send),
        4 => any::<Index>().prop_map(Step::Edit),
        4 => any::<Index>().prop_map(Step::Regenerate),
        5 => any::<Index>().prop_map(Step::Activate),
        3 => any::<Index>().prop_map(Step::Delete),
        1 => any::<Index>().prop_map(Step::Fork),
    ];
    prop::collection::vec((step, prop::bool::weighted(0.3)), 1..50)
}

/// A user with a device that follows all changes, and the model of what they should see.
struct World<'t> {
    chat: Chat,
    raw: &'t DatabaseConnection,
    threads: Vec<Thread>,
    serial: u32,
    keys: u32,
    /// The conversation of the last step.
    touched: usize,
    synced: Option<ChangeCursor>,
    device: HashMap<Uuid, Arc<message::Model>>,
}

type Check = Result<(), TestCaseError>;

impl World<'_> {
    fn next_serial(&mut self) -> u32 {
        self.serial += 1;
        self.serial
    }

    /// One of all messages there are: its conversation and its serial.
    fn pick(&self, index: Index, replies: Option<bool>) -> Option<(usize, u32)> {
        let all: Vec<(usize, u32)> = self
            .threads
            .iter()
            .enumerate()
            .flat_map(|(thread, it)| {
                it.nodes.iter().map(move |(serial, node)| (thread, *serial, node.is_reply))
            })
            .filter(|(_, _, is_reply)| replies.is_none_or(|wanted| wanted == *is_reply))
            .map(|(thread, serial, _)| (thread, serial))
            .collect();
        (!all.is_empty()).then(|| all[index.index(all.len())])
    }

    /// Has the chat do `step`, twice with the same key if `repeat`, and the model too.
    async fn step(&mut self, step: Step, repeat: bool) -> Check {
        self.keys += 1;
        let key = repeat.then(|| format!("key {}", self.keys));
        match step {
            Step::Start => self.send(None, key).await?,
            Step::Send(index) => {
                let thread =
                    if self.threads.is_empty() { None } else { Some(index.index(self.threads.len())) };
                self.send(thread, key).await?;
            }
            Step::Edit(index) => {
                let Some(target) = self.pick(index, Some(false)) else { return Ok(()) };
                Box::pin(self.edit(target, key)).await?;
            }
            Step::Regenerate(index) => {
                let Some(target) = self.pick(index, Some(true)) else { return Ok(()) };
                self.regenerate(target, key).await?;
            }
            Step::Activate(index) => {
                let Some((thread, serial)) = self.pick(index, None) else { return Ok(()) };
                self.touched = thread;
                let thread = &mut self.threads[thread];
                let message_id = thread.nodes[&serial].id;
                let request = ActivateMessage { message_id, idempotency_key: key };
                for _ in 0..=u8::from(repeat) {
                    let done = self.chat.activate_message(request.clone()).await.unwrap();
                    prop_assert!(done.message.active && done.message.id == message_id);
                }
                thread.activate(serial);
            }
            Step::Delete(index) => {
                let Some((thread, serial)) = self.pick(index, None) else { return Ok(()) };
                self.touched = thread;
                let thread = &mut self.threads[thread];
                let message_id = thread.nodes[&serial].id;
                let request = DeleteMessage { message_id, idempotency_key: key };
                thread.delete(serial);
                for _ in 0..=u8::from(repeat) {
                    let done = self.chat.delete_message(request.clone()).await.unwrap();
                    prop_assert_eq!(done.conversation.id, thread.id);
                    prop_assert_eq!(
                        done.conversation.last_position,
                        i64::try_from(thread.shown.len()).unwrap()
                    );
                }
            }
            Step::Fork(index) => {
                let Some(target) = self.pick(index, None) else { return Ok(()) };
                self.fork(target, key).await?;
            }
        }
        Ok(())
    }

    async fn send(&mut self, thread: Option<usize>, key: Option<String>) -> Check {
        let request = SendMessage {
            conversation_id: thread.map(|thread| self.threads[thread].id),
            content: format!("message {}", self.keys),
            idempotency_key: key.clone(),
            on_busy: OnBusy::Reject,
            metadata: Metadata::default(),
            choice: Choice::default(),
        };
        let sent = self.chat.send(request.clone()).await.unwrap();
        let reply = self.chat.reply_ended(sent.reply.id).await.unwrap();
        if key.is_some() {
            let again = self.chat.send(request).await.unwrap();
            prop_assert_eq!((again.message.id, again.reply.id), (sent.message.id, sent.reply.id));
        }
        let thread = thread.unwrap_or_else(|| {
            self.threads.push(Thread { id: sent.conversation.id, ..Thread::default() });
            self.threads.len() - 1
        });
        let parent = self.threads[thread].shown.last().copied();
        self.add_turn(thread, parent, &sent.message, &reply);
        Ok(())
    }

    async fn edit(&mut self, (thread, serial): (usize, u32), key: Option<String>) -> Check {
        let old = self.threads[thread].nodes[&serial].clone();
        let request = EditMessage {
            message_id: old.id,
            content: format!("message {}", self.keys),
            idempotency_key: key.clone(),
            on_busy: OnBusy::Reject,
            metadata: Metadata::default(),
            choice: Choice::default(),
        };
        let sent = self.chat.edit_message(request.clone()).await.unwrap();
        let reply = self.chat.reply_ended(sent.reply.id).await.unwrap();
        if key.is_some() {
            let again = self.chat.edit_message(request).await.unwrap();
            prop_assert_eq!((again.message.id, again.reply.id), (sent.message.id, sent.reply.id));
        }
        self.add_turn(thread, old.parent, &sent.message, &reply);
        Ok(())
    }

    fn add_turn(
        &mut self,
        thread: usize,
        parent: Option<u32>,
        message: &message::Model,
        reply: &message::Model,
    ) {
        let (asked, answered) = (self.next_serial(), self.next_serial());
        let node = |row: &message::Model, parent, is_reply| Node {
            id: row.id,
            parent,
            is_reply,
            content: row.content.clone(),
        };
        self.touched = thread;
        self.threads[thread].add(asked, node(message, parent, false));
        self.threads[thread].add(answered, node(reply, Some(asked), true));
    }

    async fn regenerate(&mut self, (thread, serial): (usize, u32), key: Option<String>) -> Check {
        let old = self.threads[thread].nodes[&serial].clone();
        let request = RegenerateReply {
            message_id: old.id,
            idempotency_key: key.clone(),
            on_busy: OnBusy::Reject,
            metadata: Metadata::default(),
            choice: Choice::default(),
        };
        let done = self.chat.regenerate_reply(request.clone()).await.unwrap();
        let reply = self.chat.reply_ended(done.reply.id).await.unwrap();
        if key.is_some() {
            let again = self.chat.regenerate_reply(request).await.unwrap();
            prop_assert_eq!(again.reply.id, reply.id);
        }
        self.touched = thread;
        let serial = self.next_serial();
        let node = Node { id: reply.id, parent: old.parent, is_reply: true, content: reply.content };
        self.threads[thread].add(serial, node);
        Ok(())
    }

    async fn fork(&mut self, (thread, serial): (usize, u32), key: Option<String>) -> Check {
        let original = self.threads[thread].clone();
        let request = ForkConversation {
            message_id: original.nodes[&serial].id,
            idempotency_key: key.clone(),
            metadata: Metadata::default(),
        };
        let fork = self.chat.fork_conversation(request.clone()).await.unwrap();
        if key.is_some() {
            prop_assert_eq!(self.chat.fork_conversation(request).await.unwrap().id, fork.id);
        }
        let copies = self.shown(fork.id).await;
        let mut copy = Thread { id: fork.id, ..Thread::default() };
        let way = original.way_to(Some(serial));
        prop_assert_eq!(copies.len(), way.len());
        let mut parent = None;
        for (row, original) in copies.iter().zip(way.iter().map(|serial| &original.nodes[serial])) {
            prop_assert_eq!(&row.content, &original.content);
            let serial = self.next_serial();
            copy.add(serial, Node { id: row.id, parent, ..original.clone() });
            parent = Some(serial);
        }
        self.touched = self.threads.len();
        self.threads.push(copy);
        Ok(())
    }

    /// The active path of a conversation, whose length the page tells as well.
    async fn shown(&self, conversation: Uuid) -> Vec<Arc<message::Model>> {
        let slice = Slice::new(Some(100), None, None, None).unwrap();
        let page = PathPage { conversation, slice };
        let CountedPage { page, total } =
            self.chat.path_pages(&[page], MessageColumns::ALL).await.unwrap().remove(&page).unwrap();
        assert_eq!(page.items.len(), usize::try_from(total).unwrap());
        page.items
    }

    /// What a client can read of the conversation last touched, and what its device has heard of them all, is as the
    /// model says, and the database breaks no rule.
    async fn check(&mut self) -> Check {
        prop_assert_eq!(soundness::broken(self.raw, self.chat.viewer().id()).await, Vec::<String>::new());
        let slice = Slice::new(Some(100), None, None, None).unwrap();
        let ids = |rows: &[Arc<message::Model>]| rows.iter().map(|row| row.id).collect::<Vec<_>>();
        if let Some(thread) = self.threads.get(self.touched) {
            prop_assert_eq!(ids(&self.shown(thread.id).await), thread.ids(&thread.shown));
            let parents =
                thread.nodes.values().map(|node| node.parent.map(|parent| thread.nodes[&parent].id));
            let siblings: Vec<SiblingPage> = parents
                .map(|parent| SiblingPage { group: SiblingGroup { conversation: thread.id, parent }, slice })
                .collect();
            let found = self.chat.sibling_pages(&siblings).await.unwrap();
            let places: Vec<SiblingKey> = thread
                .nodes
                .values()
                .zip(&siblings)
                .map(|(node, page)| SiblingKey { group: page.group, id: node.id })
                .collect();
            let ranks = self.chat.sibling_ranks(&places).await.unwrap();
            for (((serial, node), page), place) in thread.nodes.iter().zip(&siblings).zip(&places) {
                let expected = thread.siblings(*serial);
                let expected_ids = thread.ids(&expected);
                let CountedPage { page, total } = &found[page];
                prop_assert_eq!(ids(&page.items), expected_ids.clone(), "siblings of {:?}", node);
                prop_assert_eq!(*total, i64::try_from(expected.len()).unwrap());
                let index = expected.iter().position(|other| other == serial).unwrap();
                let rank = ranks[place];
                let numbers = [index, expected.len()].map(|number| i64::try_from(number).unwrap());
                prop_assert_eq!([rank.index, rank.count], numbers, "rank of {:?}", node);
                let previous = index.checked_sub(1).map(|index| expected_ids[index]);
                prop_assert_eq!([rank.previous, rank.next], [previous, expected_ids.get(index + 1).copied()]);
            }
            // The branch to one of the messages, each time another.
            if let Some(serial) = thread.nodes.keys().nth(self.keys as usize % thread.nodes.len().max(1)) {
                let way = thread.way_to(Some(*serial));
                let span = PositionRange::of(thread.id, i64::try_from(way.len()).unwrap(), &slice);
                let branch = self.chat.branch(thread.nodes[serial].id, span).await.unwrap();
                prop_assert_eq!(ids(&branch), thread.ids(&way));
            }
        }
        self.sync().await
    }

    /// The device works out by itself which messages are on the path, from its last one on.
    async fn follow_path(&mut self, conversation: &conversation::Model) {
        let last = PathPage::last_message(conversation.id);
        let last = self.chat.path_pages(&[last], MessageColumns::ALL).await.unwrap().remove(&last);
        let mut path = HashSet::new();
        let mut next = last.and_then(|mut last| last.page.items.pop()).map(|row| row.id);
        while let Some(id) = next {
            path.insert(id);
            next = self.device[&id].parent_id;
        }
        for row in self.device.values_mut().filter(|row| row.conversation_id == conversation.id) {
            Arc::make_mut(row).active = path.contains(&row.id);
        }
    }

    /// The device that hears of changes only knows what there is, and which of it is shown.
    async fn sync(&mut self) -> Check {
        let mut moved = HashMap::new();
        loop {
            let page = self.chat.changes(self.synced, 7, LongColumns::ALL).await.unwrap();
            for change in page.items {
                self.synced = Some(change.cursor());
                match change {
                    Change::Message(row, _) => drop(self.device.insert(row.id, row)),
                    Change::DeletedMessage(row) => drop(self.device.remove(&row.id)),
                    Change::ActivePath(row) => drop(moved.insert(row.id, row)),
                    Change::Conversation(_) | Change::Restored(_) => {}
                }
            }
            if !page.has_next {
                break;
            }
        }
        for conversation in moved.into_values() {
            self.follow_path(&conversation).await;
        }
        let known: BTreeMap<Uuid, (bool, &str)> =
            self.device.values().map(|row| (row.id, (row.active, row.content.as_str()))).collect();
        let expected: BTreeMap<Uuid, (bool, &str)> = self
            .threads
            .iter()
            .flat_map(|thread| thread.nodes.iter().map(move |(serial, node)| (thread, serial, node)))
            .map(|(thread, serial, node)| (node.id, (thread.shown.contains(serial), node.content.as_str())))
            .collect();
        prop_assert_eq!(known, expected);
        Ok(())
    }
}

on_both_databases! {
    async fn random_operations_do_what_the_model_says(database) {
        agree(&database).await;
    }
}

async fn agree(database: &TestDatabase) {
    let server = TestServer::start(database).await;
    let raw = database.raw().await;
    let users = AtomicU32::new(0);
    let mut runner = TestRunner::new(Config {
        // PROPTEST_CASES asks for more.
        cases: if std::env::var_os("PROPTEST_CASES").is_some() { Config::default().cases } else { 40 },
        failure_persistence: None,
        ..Config::default()
    });
    let result = tokio::task::block_in_place(|| {
        runner.run(&steps(), |steps| {
            let user = UserId::new(&format!("user {}", users.fetch_add(1, Ordering::Relaxed))).unwrap();
            let viewer = Viewer::new(user, DateTime::<Utc>::MAX_UTC);
            let limits = Limits { message_chars: 1000, ..Limits::default() };
            let share = Memory::new(usize::MAX).budget("", usize::MAX);
            let (database, replies) = (server.database().clone(), server.replies().clone());
            let mut world = World {
                chat: Chat::new(database, replies, limits, viewer, share),
                raw: &raw,
                threads: Vec::new(),
                serial: 0,
                keys: 0,
                touched: 0,
                synced: None,
                device: HashMap::new(),
            };
            Handle::current().block_on(async {
                for (step, repeat) in steps {
                    Box::pin(world.step(step, repeat)).await?;
                    world.check().await?;
                }
                Ok(())
            })
        })
    });
    result.unwrap();
}
