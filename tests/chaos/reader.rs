//! Following replies, with many departures and returns.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::api::{Trouble, Way};
use crate::events::{Events, Said};
use crate::journal::Read;
use crate::parts::{CALL, Parts, REASONING, TEXT, name_of};
use crate::world::{self, World};

const EVENTS: &str = "__typename
    ... on ReplyRequested { cursor reply { id } }
    ... on ReplyStarted { cursor attempt }
    ... on ReplyReasoning { cursor text }
    ... on ReplyText { cursor text }
    ... on ReplyToolCall { cursor toolCall { id callId } }
    ... on ReplyRestarted { cursor attempt }
    ... on ReplyEnded { cursor message: reply {
      id status content parts { kind: __typename ... on TextPart { text } ... on ReasoningPart { text }
        ... on ToolCall { id callId } } } }";

/// How long a client waits for a server to begin, and for a silent one.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long the last visit may take in all.
const LAST_PATIENCE: Duration = Duration::from_secs(30);

/// How a visit ended.
enum Left {
    /// The reply has ended.
    Ended,
    /// The reader, or the server, has gone.
    Early,
    /// There is no such reply.
    Gone,
}

/// Follows a reply until it ends or the run does.
pub fn spawn(world: &Arc<World>, mut read: Read, mut chance: fastrand::Rng) {
    let tasks = world.tasks.clone();
    let world = world.clone();
    tasks.spawn(async move {
        let mut visits = 0;
        while !world.resting.is_cancelled() {
            let events = if chance.bool() { usize::MAX } else { chance.usize(0..8) };
            let left = tokio::select! {
                left = visit(&world, &mut read, &mut chance, events) => left,
                () = world.resting.cancelled() => Left::Early,
            };
            visits += 1;
            match left {
                // Somebody who comes back later still gets what became of it, and no word twice.
                Left::Ended if chance.u8(0..4) > 0 => break,
                Left::Gone => break,
                Left::Ended | Left::Early => sleep(Duration::from_millis(chance.u64(0..400))).await,
            }
        }
        world.journal.add("returns of readers", visits - 1);
        world.journal.read().push(read);
    });
}

/// Follows the reply to its end once more, when no server dies any longer.
pub async fn finish(world: &World, read: &mut Read, chance: &mut fastrand::Rng) {
    let began = Instant::now();
    loop {
        match visit(world, read, chance, usize::MAX).await {
            Left::Ended | Left::Gone => return,
            Left::Early if began.elapsed() > LAST_PATIENCE => {
                world.journal.violation(&format!("reply {} cannot be read to its end", read.reply));
                return;
            }
            Left::Early => {}
        }
    }
}

/// A way to go on with a reply: the operation, its field, and its variables.
fn operation(read: &Read, chance: &mut fastrand::Rng) -> (String, &'static str, Value) {
    match &read.request {
        Some((field, input)) if chance.bool() => {
            let (first, rest) = field.split_at(1);
            let kind = format!("{}{rest}Input", first.to_uppercase());
            let operation = format!(
                "subscription Again($input: {kind}!, $after: String) {{
                   {field}(input: $input, after: $after) {{ {EVENTS} }} }}"
            );
            // Without a cursor it begins anew.
            let after = read.cursor.as_ref().filter(|_| chance.u8(0..4) > 0);
            (operation, field, json!({ "input": input, "after": after }))
        }
        _ => {
            let operation = format!(
                "subscription Progress($id: ID!, $after: String) {{
                   replyProgress(messageId: $id, after: $after) {{ {EVENTS} }} }}"
            );
            (operation, "replyProgress", json!({ "id": read.reply, "after": read.cursor }))
        }
    }
}

/// What REST wants to go on with a reply: the body of its request, its key and the last event. `None` if the reply was
/// not asked for as REST asks. Without the last event a reply that has failed would be begun again.
fn question(read: &Read) -> Option<(Value, (&str, &str))> {
    let (field, input) = read.request.as_ref()?;
    let is_plain = *field == "sendMessage" && input["onBusy"] == "ENQUEUE";
    let question = json!({ "message": input["content"], "conversation_id": input["conversationId"],
        "assistant_id": input["assistantId"] });
    is_plain.then_some((question, (input["idempotencyKey"].as_str()?, read.cursor.as_deref()?)))
}

/// Begins to read on in some way. Tells also what was asked for, and by which field events come.
async fn begin(
    world: &World,
    read: &Read,
    chance: &mut fastrand::Rng,
) -> (String, &'static str, Result<Events, Trouble>) {
    let user = &world.users[read.user];
    let url = world.fleet.any(chance, None);
    if let Some((question, last)) = question(read).filter(|_| chance.bool()) {
        let url = format!("{url}/api/{}/chat", world::name_of(read.user));
        let events = world.api.chat(&url, &user.token, &question, last, PATIENCE).await;
        return (url, "chat", events);
    }
    let (operation, field, variables) = operation(read, chance);
    let way = [Way::Events, Way::Parts, Way::Socket][chance.usize(0..3)];
    let events = world.api.stream((&url, &user.token), (&operation, variables), way, PATIENCE).await;
    (operation, field, events)
}

/// Follows the reply for at most so many events, from where the reader was.
async fn visit(world: &World, read: &mut Read, chance: &mut fastrand::Rng, events: usize) -> Left {
    let (operation, field, stream) = begin(world, read, chance).await;
    let mut stream = match stream {
        Ok(stream) => stream,
        Err(trouble) => return left_by(world, read, &operation, &trouble),
    };
    let counted = match &stream {
        Events::Socket(_) => "events read on sockets",
        Events::Body(_) if field == "chat" => "events read by REST",
        Events::Body(_) => "events read in bodies",
    };
    for _ in 0..events {
        let data = match stream.next(PATIENCE).await {
            Ok(Said::Data(data)) => data,
            Ok(Said::Complete | Said::Silence) => return Left::Early,
            Err(trouble) => return left_by(world, read, &operation, &trouble),
        };
        world.journal.count(counted);
        world.check_owner(&world.users[read.user], &data);
        if take(world, read, &data[field]) {
            return Left::Ended;
        }
    }
    Left::Early
}

/// Notes an event; tells whether it was the last one.
fn take(world: &World, read: &mut Read, event: &Value) -> bool {
    read.cursor = event["cursor"].as_str().map(str::to_owned);
    match event["__typename"].as_str() {
        Some("ReplyRequested") => {
            world.journal.count("requests repeated by readers");
            if event["reply"]["id"] != read.reply.as_str() {
                world.journal.violation(&format!("a repeated request: {event}, and not {}", read.reply));
            }
            read.text.clear();
            read.parts.clear();
            false
        }
        Some("ReplyStarted") => {
            if !read.parts.is_empty() {
                world.journal.violation("a reply that has parts starts");
            }
            false
        }
        Some("ReplyReasoning") => {
            world.journal.count("pieces of reasoning read");
            read.parts.push(REASONING, event["text"].as_str().unwrap_or_default());
            false
        }
        Some("ReplyText") => {
            let text = event["text"].as_str().unwrap_or_default();
            if text.is_empty() {
                world.journal.violation("an event of text without text");
            }
            read.text += text;
            read.parts.push(TEXT, text);
            false
        }
        Some("ReplyToolCall") => {
            world.journal.count("tool calls read");
            read.parts.push(CALL, &name_of(&event["toolCall"]));
            false
        }
        Some("ReplyRestarted") => {
            world.journal.count("restarts seen by readers");
            read.text.clear();
            read.parts.clear();
            false
        }
        Some("ReplyEnded") => {
            check_end(world, read, &event["message"]);
            true
        }
        _ => {
            world.journal.violation(&format!("no event of a reply: {event}"));
            false
        }
    }
}

/// What was read is what the end says. REST says the text and the tool calls only.
fn check_end(world: &World, read: &Read, message: &Value) {
    let content = message["content"].as_str().unwrap_or_default();
    if content != read.text {
        let what = format!("reply {}: a reader has {:?}, its end says {content:?}", read.reply, read.text);
        world.journal.violation(&what);
    }
    let fits = match message["calls"].as_array() {
        Some(calls) => read.parts.texts(CALL) == calls.iter().map(name_of).collect::<Vec<_>>(),
        None => read.parts == Parts::of(&message["parts"]),
    };
    if !fits {
        let what = format!("reply {}: a reader has {:?}, its end says {message}", read.reply, read.parts);
        world.journal.violation(&what);
    }
}

fn left_by(world: &World, read: &Read, operation: &str, trouble: &Trouble) -> Left {
    world.check_trouble(trouble, operation);
    match trouble {
        Trouble::Refused(code) if code == "NOT_FOUND" => {
            let known = world.users[read.user].known.lock().unwrap();
            // Whatever was above a deleted message went with it: which that was, the rows tell in the end.
            if !known.deleted.contains(&read.conversation) && known.removed.is_empty() {
                world.journal.violation(&format!("reply {} is gone", read.reply));
            }
            Left::Gone
        }
        _ => Left::Early,
    }
}
