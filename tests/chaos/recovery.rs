//! Whether all is well again soon after a trouble.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::{join, join_all};
use serde_json::json;
use tokio::time::sleep;

use crate::events::Said;
use crate::journal::{Journal, Sent};
use crate::world::{User, World};
use crate::writing::{self, SEND};

/// How soon every server must read, write, and hear of the others again once a primary can be reached.
pub const SOON: Duration = Duration::from_secs(10);

/// How long a server is asked again for the sake of the figure.
const AT_LAST: Duration = Duration::from_secs(20);

/// How long one request may take meanwhile.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long a message may take to a database that is far away.
const SLOW_PATIENCE: Duration = Duration::from_secs(15);

/// How soon another server's write must be heard of: a feed that hears nothing looks by itself, but later.
const HEARD: Duration = Duration::from_secs(2);

const PAUSE: Duration = Duration::from_millis(100);

const CREATE: &str = "mutation Create($title: String!) {
  createConversation(input: { title: $title }) { conversation { id title } } }";
const CURSOR: &str = "{ viewer { changeCursor } }";
const FOLLOW: &str = "subscription Follow($since: String) {
  changes(since: $since) { ... on ConversationChanged { conversation { title } } } }";

/// Sends a message at each of these servers while the database is far away: it takes longer, but it is taken.
pub async fn send_slowly(world: &World, urls: &[String]) {
    join_all(urls.iter().map(|url| async move {
        let serial = fastrand::u64(..);
        let content = format!("@user-{}:{serial} says something", world.prober.number);
        let key = format!("prober-{serial}");
        let input = json!({ "content": content, "idempotencyKey": key, "awaitReply": false });
        let began = Instant::now();
        let answer = world.run(&world.prober, url, SEND, json!({ "input": input }), SLOW_PATIENCE).await;
        world.journal.time("a message took to a database far away", began.elapsed());
        if let Err(trouble) = &answer {
            world
                .journal
                .violation(&format!("with a database far away a message was not taken: {trouble:?}"));
        }
        let fate = writing::fate(&answer, "sendMessage", true);
        world.journal.sent(&key, Sent { user: world.prober.number, content, fate });
    }))
    .await;
}

/// Asks every one of these servers until it serves again, from when on it should.
pub async fn check(world: &Arc<World>, urls: &[String], since: Instant) {
    let all = urls.iter().enumerate().map(|(place, url)| {
        let other = urls.get((place + 1) % urls.len()).filter(|other| *other != url);
        async move {
            write(world, url, since).await;
            if let Some(other) = other {
                hear(world, url, other, since).await;
            }
        }
    });
    join_all(all).await;
}

/// Reads and writes at a server until it works.
async fn write(world: &World, url: &str, since: Instant) {
    until(&world.journal, "a server read and wrote again", since, async || {
        create(world, url, &title_of(&world.prober)).await
    })
    .await;
}

/// Writes at `other` until somebody who follows at `url` hears of it at once.
async fn hear(world: &World, url: &str, other: &str, since: Instant) {
    until(&world.journal, "a server heard of another one's writes again", since, async || {
        try_to_hear(world, url, other).await.is_some()
    })
    .await;
}

/// Tries again and again. It must have worked soon.
pub async fn until(journal: &Journal, what: &'static str, since: Instant, attempt: impl AsyncFn() -> bool) {
    while !attempt().await {
        if since.elapsed() > AT_LAST {
            journal.violation(&format!("{} s passed before {what}, and more", AT_LAST.as_secs()));
            return;
        }
        sleep(PAUSE).await;
    }
    journal.time(what, since.elapsed());
    if since.elapsed() > SOON {
        journal.violation(&format!("{} s passed before {what}", since.elapsed().as_secs()));
    }
}

/// Starts a conversation.
async fn create(world: &World, url: &str, title: &str) -> bool {
    world.run(&world.prober, url, CREATE, json!({ "title": title }), PATIENCE).await.is_ok()
}

fn title_of(user: &User) -> String {
    format!("@user-{} {}", user.number, fastrand::u64(..))
}

async fn try_to_hear(world: &World, url: &str, other: &str) -> Option<()> {
    let user = &world.prober;
    let cursor = world.run(user, url, CURSOR, json!({}), PATIENCE).await.ok()?;
    let since = json!({ "since": cursor["viewer"]["changeCursor"] });
    let mut stream = world.api.subscribe(url, &user.token, FOLLOW, since, PATIENCE).await.ok()?;
    let title = title_of(user);
    let hear = async {
        loop {
            match stream.next(HEARD + PATIENCE).await {
                Ok(Said::Data(data)) if data["changes"]["conversation"]["title"] == *title => {
                    return Some(Instant::now());
                }
                Ok(Said::Data(_)) => {}
                _ => return None,
            }
        }
    };
    let write = async {
        // The follower has begun.
        sleep(PAUSE).await;
        create(world, other, &title).await.then(Instant::now)
    };
    let (heard, written) = join(hear, write).await;
    (heard?.saturating_duration_since(written?) < HEARD).then_some(())
}
