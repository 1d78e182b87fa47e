//! Following all that changes for a user, with departures and returns, live and in pages.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::api::{Trouble, Way};
use crate::events::Said;
use crate::journal::{Replica, SeenMessage};
use crate::world::World;

macro_rules! event {
    () => {
        "__typename
        ... on ConversationChanged { cursor conversation { id title lastMessage { id } } }
        ... on ConversationRestored { cursor conversation { id title lastMessage { id } } }
        ... on ActivePathChanged { cursor conversation { id title lastMessage { id } } }
        ... on ConversationDeleted { cursor conversationId }
        ... on MessageDeleted { cursor messageId }
        ... on MessageChanged { cursor message { id status content position parent { id } conversation { id } } }"
    };
}

const LIVE: &str = concat!(
    "subscription Changes($since: String) { changes(since: $since, replyText: true) { ",
    event!(),
    " ... on ReplyProgressed { cursor messageId event {
        __typename
        ... on ReplyText { text }
        ... on ReplyEnded { message: reply { id status content position parent { id } conversation { id } } }
    } } } }"
);
const PAGE: &str = concat!(
    "query Changes($since: String, $first: Int) { changes(since: $since, first: $first) {
       nodes { ",
    event!(),
    " } pageInfo { hasNextPage } } }"
);

/// What came back with a conversation.
const PATH: &str = "query Path($id: ID!, $after: String) {
  messages(conversationId: $id, first: 100, after: $after) {
    nodes { id status content position parent { id } conversation { id } } pageInfo { hasNextPage endCursor } } }";

/// How long a client waits for a server.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long the last catching up may take in all.
const LAST_PATIENCE: Duration = Duration::from_secs(30);

/// Follows until the run comes to rest.
pub fn spawn(world: &Arc<World>, user: usize, mut chance: fastrand::Rng) {
    let mut replica = Replica { user, ..Replica::default() };
    let tasks = world.tasks.clone();
    let world = world.clone();
    tasks.spawn(async move {
        while !world.resting.is_cancelled() {
            world.journal.count("returns of followers");
            let _ = read_restored(&world, &mut replica, &mut chance).await;
            if chance.u8(0..3) == 0 {
                let first = chance.u8(1..8);
                while let Ok(true) = page(&world, &mut replica, &mut chance, first).await {}
            } else {
                let events = chance.usize(1..60);
                tokio::select! {
                    () = live(&world, &mut replica, &mut chance, events) => {}
                    () = world.resting.cancelled() => {}
                }
            }
            sleep(Duration::from_millis(chance.u64(0..600))).await;
        }
        world.journal.replicas().push(replica);
    });
}

/// Catches up with everything, when nothing changes any longer.
pub async fn finish(world: &World, replica: &mut Replica, chance: &mut fastrand::Rng) {
    let began = Instant::now();
    loop {
        let all = async {
            let more = page(world, replica, chance, 50).await?;
            read_restored(world, replica, chance).await?;
            Ok::<_, Trouble>(more)
        };
        match all.await {
            Ok(false) => return,
            Ok(true) => {}
            Err(_) if began.elapsed() > LAST_PATIENCE => {
                world.journal.violation(&format!("user {} cannot catch up", replica.user));
                return;
            }
            Err(_) => sleep(Duration::from_millis(100)).await,
        }
    }
}

/// Takes one page; tells whether there is more.
async fn page(
    world: &World,
    replica: &mut Replica,
    chance: &mut fastrand::Rng,
    first: u8,
) -> Result<bool, Trouble> {
    let url = world.fleet.any(chance, None);
    let variables = json!({ "since": replica.cursor, "first": first });
    let data = world.run(&world.users[replica.user], &url, PAGE, variables, PATIENCE).await?;
    let nodes = data["changes"]["nodes"].as_array().cloned().unwrap_or_default();
    // A restoration, and a change of the path, has a place of its own, beside that of the conversation's last change.
    let rows: HashSet<(&str, Option<&str>)> =
        nodes.iter().map(|event| (row_of(event), event["__typename"].as_str())).collect();
    if rows.len() != nodes.len() {
        world.journal.violation(&format!("a page of changes holds a row twice: {nodes:?}"));
    }
    for event in &nodes {
        take(world, replica, event);
    }
    Ok(data["changes"]["pageInfo"]["hasNextPage"] == true)
}

/// Takes so many events, or fewer.
async fn live(world: &World, replica: &mut Replica, chance: &mut fastrand::Rng, events: usize) {
    let user = &world.users[replica.user];
    let url = world.fleet.any(chance, None);
    let variables = json!({ "since": replica.cursor });
    let way = [Way::Events, Way::Parts, Way::Socket][chance.usize(0..3)];
    let stream = world.api.stream((&url, &user.token), (LIVE, variables), way, PATIENCE).await;
    let mut stream = match stream {
        Ok(stream) => stream,
        Err(trouble) => return world.check_trouble(&trouble, LIVE),
    };
    for _ in 0..events {
        match stream.next(PATIENCE).await {
            Ok(Said::Data(data)) => {
                world.check_owner(user, &data);
                take(world, replica, &data["changes"]);
            }
            Err(trouble) => return world.check_trouble(&trouble, LIVE),
            Ok(Said::Complete | Said::Silence) => return,
        }
    }
}

/// Reads the messages of the conversations that came back.
async fn read_restored(
    world: &World,
    replica: &mut Replica,
    chance: &mut fastrand::Rng,
) -> Result<(), Trouble> {
    for id in replica.unread.clone() {
        let mut after = Value::Null;
        loop {
            let url = world.fleet.any(chance, None);
            let variables = json!({ "id": id, "after": after });
            let user = &world.users[replica.user];
            let mut data = world.run(user, &url, PATH, variables, PATIENCE).await?;
            let mut page = data["messages"].take();
            for message in page["nodes"].as_array().into_iter().flatten() {
                let id = message["id"].as_str().unwrap_or_default().to_owned();
                replica.messages.insert(id, seen(message));
            }
            if page["pageInfo"]["hasNextPage"] != true {
                break;
            }
            after = page["pageInfo"]["endCursor"].take();
        }
        replica.unread.remove(&id);
    }
    Ok(())
}

fn seen(message: &Value) -> SeenMessage {
    let text = |field: &str| message[field].as_str().unwrap_or_default().to_owned();
    SeenMessage {
        conversation: message["conversation"]["id"].as_str().unwrap_or_default().to_owned(),
        status: text("status"),
        content: text("content"),
        position: message["position"].as_i64().unwrap_or(0),
        parent: message["parent"]["id"].as_str().map(str::to_owned),
    }
}

/// The id of the row that an event is of.
fn row_of(event: &Value) -> &str {
    [&event["conversation"]["id"], &event["conversationId"], &event["message"]["id"], &event["messageId"]]
        .into_iter()
        .find_map(Value::as_str)
        .unwrap_or_default()
}

fn take(world: &World, replica: &mut Replica, event: &Value) {
    world.journal.count("changes followed");
    replica.cursor = event["cursor"].as_str().map(str::to_owned);
    let id = row_of(event).to_owned();
    match event["__typename"].as_str() {
        Some("ConversationChanged") => take_conversation(replica, id, event),
        Some("ActivePathChanged") => {
            world.journal.count("changes of paths followed");
            take_conversation(replica, id, event);
        }
        Some("ConversationRestored") => {
            world.journal.count("restorations followed");
            take_conversation(replica, id.clone(), event);
            // What became of them in the trash nobody was told.
            replica.messages.retain(|_, message| message.conversation != id);
            replica.restored.insert(id.clone());
            replica.unread.insert(id);
        }
        Some("ConversationDeleted") => {
            replica.conversations.remove(&id);
            replica.lasts.remove(&id);
            replica.unread.remove(&id);
            replica.messages.retain(|_, message| message.conversation != id);
        }
        Some("MessageDeleted") => drop(replica.messages.remove(&id)),
        Some("MessageChanged") => {
            replica.messages.insert(id, seen(&event["message"]));
        }
        Some("ReplyProgressed") => take_progress(world, replica, &id, &event["event"]),
        _ => world.journal.violation(&format!("no change: {event}")),
    }
}

/// Takes an event of a reply, of which a change has told before.
fn take_progress(world: &World, replica: &mut Replica, id: &str, event: &Value) {
    let user = replica.user;
    let Some(message) = replica.messages.get_mut(id) else {
        let what = format!("user {user} was told of reply {id} only by its text: {event}");
        return world.journal.violation(&what);
    };
    match event["__typename"].as_str() {
        Some("ReplyText") => message.content += event["text"].as_str().unwrap_or_default(),
        Some("ReplyRestarted") => message.content.clear(),
        Some("ReplyEnded") => {
            world.journal.count("replies followed to their end");
            let ended = seen(&event["message"]);
            if ended.content != message.content {
                let (has, is) = (&message.content, &ended.content);
                let what = format!("user {user} followed reply {id} to {has:?}, its end says {is:?}");
                world.journal.violation(&what);
            }
            *message = ended;
        }
        _ => {}
    }
}

fn take_conversation(replica: &mut Replica, id: String, event: &Value) {
    let conversation = &event["conversation"];
    let text = |value: &Value| value.as_str().map(str::to_owned);
    replica.lasts.insert(id.clone(), text(&conversation["lastMessage"]["id"]));
    replica.conversations.insert(id, text(&conversation["title"]));
}
