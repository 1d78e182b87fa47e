//! Whether those who look see what they look for: a small story in which all is well, and then each promise broken
//! once. Every run begins with it, as a checker that sees nothing would let everything pass.

use std::sync::Arc;
use std::time::{Duration, Instant};

use causerie::entity::conversation::{self, TitleOrigin};
use causerie::entity::message::{self, Part, Role, Status, ToolCall};
use uuid::Uuid;

use crate::checker::Checker;
use crate::fleet::Fleet;
use crate::journal::{Cause, Fate, Journal, Read, Replica, SeenMessage, Sent, Stored};
use crate::ledger::{Day, Entry, Ledger};
use crate::parts::{CALL, Parts, TEXT};
use crate::provider::Work;
use crate::recovery;
use crate::sampler::{Row, Sampler};
use crate::settings::LEASE;
use crate::world::name_of;

/// A message, its reply, and what everybody was told of them.
struct Story {
    conversation: conversation::Model,
    messages: Vec<message::Model>,
    sent: Sent,
    read: Read,
    replica: Replica,
}

/// Later than anything may come.
const LONG_AGO: Duration = Duration::from_secs(30);

/// What breaks a promise, and a part of what the checker must say of it.
type Case = (&'static str, fn(&mut Story), &'static str);

const CASES: [Case; 15] = [
    ("a message is lost", |story| drop(story.messages.drain(..)), "is there 0 times"),
    ("a message is there twice", Story::duplicate, "is there 2 times"),
    ("a reply is lost", |story| drop(story.messages.pop()), "was acknowledged"),
    ("a refused message is there", |story| story.sent.fate = Fate::Refused, "was refused, and is there"),
    ("a message nobody sent", |story| story.messages[0].content.push('!'), "nobody sent"),
    ("a reply never ends", |story| story.messages[1].status = Status::Generating, "for ever"),
    ("a reply lacks words", |story| story.messages[1].content.truncate(3), "no text of the assistant's"),
    ("a reply lacks a part", |story| story.messages[1].parts.0.truncate(1), "no parts of the assistant's"),
    ("a reader lacks a part", |story| story.read.parts.pop(), "has the parts"),
    ("a reader lacks words", |story| story.read.text.truncate(3), "a reader of reply"),
    ("a path has a gap", |story| story.messages[1].position = 3, "has at 2"),
    ("a device misses an event", |story| story.replica.messages.clear(), "changes say of message"),
    ("a device shows another path", |story| story.replica.lasts.clear(), "changes show"),
    ("a device missed a name", |story| story.replica.conversations.clear(), "changes say of conversation"),
    ("a device has what is gone", Story::delete, "which is not there"),
];

/// Makes sure of it.
///
/// # Errors
/// What was not seen, or seen though it was not there.
pub async fn run() -> Result<(), String> {
    expect("all is well", &check(|_| {}), None)?;
    for (what, break_promise, said) in CASES {
        expect(what, &check(break_promise), Some(said))?;
    }
    expect(
        "a reply restarted though its server lives",
        &restart(|_, _| {}, 1),
        Some("though its server lives"),
    )?;
    expect("a reply of a dead server restarted", &restart(|fleet, _| fleet.die(0, Instant::now()), 1), None)?;
    expect("a reply given away", &restart(|_, _| {}, 2), None)?;
    expect("two replies run", &neglect(true, Duration::ZERO), Some("two replies run in"))?;
    expect("a dead server's reply stays", &neglect(false, LONG_AGO), Some("was not taken over in time"))?;
    expect("a dead server's reply waits", &neglect(false, LEASE), None)?;
    ledger_self_test()?;
    let busy = |_: &Fleet, journal: &Journal| {
        journal.disturbed(Cause::Machine, ago(LEASE), Instant::now());
    };
    expect("a reply restarted on a machine without time", &restart(busy, 1), None)?;
    let journal = Journal::default();
    recovery::until(&journal, "a server served", ago(LONG_AGO), async || true).await;
    expect("a server serves late", &journal, Some("passed before a server served"))?;
    let journal = Journal::default();
    recovery::until(&journal, "a server served", Instant::now(), async || true).await;
    expect("a server serves at once", &journal, None)?;
    calm_self_test()
}

/// Disturbances that overlap, or began before, are left out once, and as far as they reach.
fn calm_self_test() -> Result<(), String> {
    let (journal, now) = (Journal::default(), Instant::now());
    let at = |seconds: u64| now + Duration::from_secs(seconds);
    for (from, to) in [(8, 12), (15, 20), (0, 3), (9, 10), (18, 40)] {
        journal.disturbed(Cause::Database, at(from), at(to));
    }
    let calm = journal.calm_within(at(2), at(30));
    let expected = Duration::from_secs(5 + 3);
    if calm == expected { Ok(()) } else { Err(format!("the calm took {calm:?}, not {expected:?}")) }
}

/// An instant of the past.
fn ago(time: Duration) -> Instant {
    Instant::now().checked_sub(time).unwrap_or_else(Instant::now)
}

fn expect(what: &str, journal: &Journal, said: Option<&str>) -> Result<(), String> {
    let report = journal.report();
    let seen = said.map_or(journal.violations() == 0, |said| report.contains(said));
    if seen { Ok(()) } else { Err(format!("the checker is broken. When {what}, it says:\n{report}")) }
}

fn check(break_promise: impl Fn(&mut Story)) -> Journal {
    let mut story = Story::new();
    break_promise(&mut story);
    let journal = Journal::default();
    journal.sent("key", story.sent);
    journal.read().push(story.read);
    journal.replicas().push(story.replica);
    let works = vec![Work {
        said: "@user-0: hello".to_owned(),
        text: "#0 for you".to_owned(),
        parts: parts("call 0.0"),
        input: 1,
        output: 1,
        model: "fast".to_owned(),
        is_title: false,
    }];
    Checker::of(&journal, works, vec![story.conversation], story.messages, Vec::new()).check();
    journal
}

/// A ledger that is sound, and then with each fault once.
fn ledger_self_test() -> Result<(), String> {
    let work = |number: i64| Work {
        said: String::new(),
        text: String::new(),
        parts: Parts::default(),
        input: 100 + number,
        output: 7,
        model: "fast".to_owned(),
        is_title: false,
    };
    let entry = |purpose: &str, estimated: i64, input: i64| Entry {
        user_id: name_of(0),
        reply_id: Uuid::nil(),
        purpose: purpose.to_owned(),
        assistant_id: "fast".to_owned(),
        chosen: "fast".to_owned(),
        day: "2026-11-22".to_owned(),
        settled: 1,
        estimated,
        input,
        output: 7,
        cost: Some(input * 1000 + 70_000),
        reserved_tokens: 50,
        reserved_cost: Some(50_000),
    };
    let sound = Ledger {
        entries: vec![entry("REPLY", 1, 3), entry("RESTART", 0, 101)],
        days: vec![Day {
            user_id: name_of(0),
            assistant_id: "fast".to_owned(),
            day: "2026-11-22".to_owned(),
            replies: 1,
            input: 104,
            output: 14,
            cost: 244_000,
            reserved_replies: 0,
            reserved_tokens: 0,
            reserved_cost: 0,
        }],
    };
    let check = |break_it: fn(&mut Ledger), complete: usize| {
        let (mut ledger, journal) = (sound.clone(), Journal::default());
        break_it(&mut ledger);
        ledger.check(&journal, &[work(0), work(1)], &[complete], 50);
        journal
    };
    expect("a ledger is sound", &check(|_| {}, 1), None)?;
    expect(
        "a reservation is open",
        &check(|ledger| ledger.entries[0].settled = 0, 1),
        Some("is open for ever"),
    )?;
    expect("a day is wrong", &check(|ledger| ledger.days[0].input += 1, 1), Some("the days say"))?;
    expect(
        "a cost is not that of its price",
        &check(|ledger| ledger.entries[1].cost = Some(1), 1),
        Some("nobody has served"),
    )?;
    expect(
        "an estimate has no price",
        &check(|ledger| ledger.entries[0].cost = None, 1),
        Some("no price fits"),
    )?;
    expect(
        "another model has answered",
        &check(
            |ledger| {
                let entry = &mut ledger.entries[1];
                (entry.assistant_id, entry.chosen) = ("slow".to_owned(), "slow".to_owned());
            },
            1,
        ),
        Some("was answered by fast"),
    )?;
    expect(
        "a quota is passed",
        &check(
            |ledger| {
                ledger.days[0].assistant_id = "slow".to_owned();
                ledger.days[0].replies = 51;
            },
            1,
        ),
        Some("was passed"),
    )?;
    expect(
        "a title is a reply",
        &check(|ledger| ledger.entries[1].purpose = "TITLE".to_owned(), 1),
        Some("nobody has served"),
    )?;
    expect(
        "something stays reserved",
        &check(|ledger| ledger.days[0].reserved_tokens = 1, 1),
        Some("the days say"),
    )?;
    expect(
        "an answer is charged twice",
        &check(
            |ledger| {
                let again = ledger.entries[1].clone();
                ledger.entries.push(again);
            },
            1,
        ),
        Some("is charged 2 times"),
    )?;
    expect(
        "what nobody served is charged",
        &check(|ledger| ledger.entries[1].output = 6, 1),
        Some("nobody has served"),
    )?;
    expect("an answer is not charged", &check(|_| {}, 0), Some("is complete, and not charged"))
}

/// A reply of one server is seen as the next attempt of another one, which may be restarted so often.
fn restart(before: impl Fn(&Fleet, &Journal), restarts_left: i32) -> Journal {
    let journal = Arc::new(Journal::default());
    let fleet = Arc::new(Fleet::new(String::new(), Vec::new(), std::path::PathBuf::new(), journal.clone()));
    let (old, new) = (Uuid::now_v7(), Uuid::now_v7());
    let born = old.get_timestamp().map_or(0, |time| time.to_unix().0 * 1000);
    fleet.note((born, born + 1000), ago(LONG_AGO));
    before(&fleet, &journal);
    let row = Row {
        id: Uuid::now_v7(),
        place: (name_of(0), Uuid::now_v7()),
        attempt: 1,
        restarts_left: 2,
        owner: old,
    };
    let mut sampler = Sampler::new(fleet, journal.clone());
    sampler.see(vec![row.clone()], Instant::now(), Instant::now());
    sampler.see(vec![Row { attempt: 2, restarts_left, owner: new, ..row }], Instant::now(), Instant::now());
    drop(sampler);
    Arc::into_inner(journal).unwrap_or_default()
}

/// A reply of a server that has been dead for so long is seen while another one lives, and maybe a second reply of the
/// same conversation.
fn neglect(twice: bool, dead: Duration) -> Journal {
    let journal = Arc::new(Journal::default());
    let fleet = Arc::new(Fleet::new(String::new(), Vec::new(), std::path::PathBuf::new(), journal.clone()));
    let owner = Uuid::now_v7();
    let born = owner.get_timestamp().map_or(0, |time| time.to_unix().0 * 1000);
    fleet.note((born, born + 1000), ago(LONG_AGO));
    fleet.note((0, 0), ago(LONG_AGO));
    fleet.die(0, ago(dead));
    let (id, place) = (Uuid::now_v7(), (name_of(0), Uuid::now_v7()));
    let row = Row { id, place, attempt: 1, restarts_left: 2, owner };
    let second = twice.then(|| Row { id: Uuid::now_v7(), ..row.clone() });
    let mut sampler = Sampler::new(fleet, journal.clone());
    sampler.see([row].into_iter().chain(second).collect(), Instant::now(), Instant::now());
    drop(sampler);
    Arc::into_inner(journal).unwrap_or_default()
}

impl Story {
    fn new() -> Self {
        let conversation = conversation_of(name_of(0));
        let question = message_of(&conversation, None, "@user-0: hello");
        let mut reply = message_of(&conversation, Some(question.id), "#0 for you");
        let call = ToolCall { call_id: "call 0.0".to_owned(), name: String::new(), arguments: String::new() };
        reply.parts.0 = vec![Part::Text(reply.content.len()), Part::ToolCall(call)];
        let id = conversation.id.to_string();
        let stored = Stored {
            conversation: id.clone(),
            message: question.id.to_string(),
            reply: reply.id.to_string(),
        };
        let seen = |row: &message::Model| SeenMessage {
            conversation: id.clone(),
            status: "COMPLETE".to_owned(),
            content: row.content.clone(),
            position: row.position,
            parent: row.parent_id.map(|id| id.to_string()),
        };
        Self {
            sent: Sent { user: 0, content: question.content.clone(), fate: Fate::Stored(stored) },
            read: Read {
                conversation: id.clone(),
                text: reply.content.clone(),
                parts: parts(&format!("{} call 0.0", ToolCall::id(reply.id, 1))),
                reply: reply.id.to_string(),
                ..Read::default()
            },
            replica: Replica {
                conversations: [(id.clone(), conversation.title.clone())].into(),
                lasts: [(id.clone(), Some(reply.id.to_string()))].into(),
                messages: [&question, &reply].map(|row| (row.id.to_string(), seen(row))).into(),
                ..Replica::default()
            },
            messages: vec![question, reply],
            conversation,
        }
    }

    fn duplicate(&mut self) {
        let again = message::Model { id: Uuid::now_v7(), active: false, ..self.messages[0].clone() };
        self.messages.push(again);
    }

    fn delete(&mut self) {
        self.conversation.deleted_at = Some(self.conversation.created_at);
    }
}

/// The parts of the reply, whose tool call has this name.
fn parts(call: &str) -> Parts {
    let mut parts = Parts::default();
    parts.push(TEXT, "#0 for you");
    parts.push(CALL, call);
    parts
}

fn conversation_of(user_id: String) -> conversation::Model {
    let now = causerie::database::now();
    conversation::Model {
        user_id,
        id: Uuid::now_v7(),
        title: Some("a title".to_owned()),
        title_key: "a title".to_owned(),
        title_origin: Some(TitleOrigin::User),
        last_position: 2,
        metadata: "{}".to_owned(),
        created_at: now,
        updated_at: now,
        revision: 1,
        ..conversation::Model::default()
    }
}

fn message_of(conversation: &conversation::Model, parent_id: Option<Uuid>, content: &str) -> message::Model {
    let (position, role) = parent_id.map_or((1, Role::User), |_| (2, Role::Assistant));
    message::Model {
        user_id: conversation.user_id.clone(),
        id: Uuid::now_v7(),
        conversation_id: conversation.id,
        parent_id,
        position,
        active: true,
        role,
        status: Status::Complete,
        content: content.to_owned(),
        assistant_id: (role == Role::Assistant).then(|| "default".to_owned()),
        attempt: 1,
        restarts_left: 2,
        metadata: "{}".to_owned(),
        created_at: conversation.created_at,
        finished_at: Some(conversation.created_at),
        created_revision: 1,
        revision: 1,
        ..message::Model::default()
    }
}
