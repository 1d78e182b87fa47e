//! A change of the active path is one change, however many messages join the path and leave it.

use serde_json::{Value, json};

use crate::support::{Client, TestServer, on_both_databases};

const TURNS: usize = 40;

macro_rules! event {
    () => {
        "__typename
        ... on ConversationChanged { cursor conversation { id } }
        ... on ActivePathChanged { cursor conversation { id messageCount lastMessage { id } } }
        ... on MessageChanged { cursor message { id content status active parent { id } } }
        ... on MessageDeleted { cursor messageId }"
    };
}

const PAGE: &str =
    concat!("query($since: String) { changes(since: $since, first: 100) { nodes { ", event!(), " } } }");
const LIVE: &str = concat!("subscription($since: String) { changes(since: $since) { ", event!(), " } }");

const ACTIVATE: &str = "mutation($id: ID!) { activateMessage(input: { messageId: $id }) {
  conversation { lastMessage { id } } message { id active } } }";
const EDIT: &str = "mutation($id: ID!) {
  editMessage(input: { messageId: $id, content: \"again\" }) { message { id } reply { id } } }";
const MARK: &str = "mutation($id: ID!, $message: ID!) {
  markRead(input: { conversationId: $id, upToMessageId: $message }) { conversation { id } } }";
const RENAME: &str = "mutation($id: ID!) {
  updateConversation(input: { conversationId: $id, title: \"new\" }) { conversation { id } } }";

async fn cursor(client: &Client) -> Value {
    client.data("{ viewer { changeCursor } }", json!({})).await["viewer"]["changeCursor"].take()
}

/// What a page says, which is what a stream says.
async fn changes(client: &Client, since: &Value) -> Vec<Value> {
    let mut page = client.data(PAGE, json!({ "since": since })).await["changes"]["nodes"].take();
    let page = page.as_array_mut().map(std::mem::take).unwrap();
    let mut stream = client.subscribe(LIVE, json!({ "since": since })).await;
    for event in &page {
        assert_eq!(stream.next().await.unwrap()["changes"], *event);
    }
    page
}

fn kinds(changes: &[Value]) -> Vec<&str> {
    changes.iter().map(|change| change["__typename"].as_str().unwrap()).collect()
}

on_both_databases! {
    async fn another_version_of_a_long_conversation_is_one_event(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let first = ann.send("hello", json!({})).await;
        let (conversation, message) = (&first["conversation"]["id"], &first["message"]["id"]);
        for _ in 1..TURNS {
            ann.send("hello", json!({ "conversationId": conversation })).await;
        }
        let since = cursor(&ann).await;
        let edited = ann.data(EDIT, json!({ "id": message })).await;
        let told = changes(&ann, &since).await;
        assert_eq!(kinds(&told), ["ActivePathChanged", "MessageChanged", "MessageChanged"]);
        assert_eq!(told[0]["conversation"]["messageCount"], 2);
        let mut written = [&told[1], &told[2]].map(|change| change["message"]["id"].clone());
        let mut ids = ["message", "reply"].map(|new| edited["editMessage"][new]["id"].clone());
        written.sort_by_key(Value::to_string);
        ids.sort_by_key(Value::to_string);
        assert_eq!(written, ids);

        let since = cursor(&ann).await;
        let shown = ann.data(ACTIVATE, json!({ "id": message })).await["activateMessage"].take();
        assert_eq!(shown["message"], json!({ "id": message, "active": true }));
        let told = changes(&ann, &since).await;
        assert_eq!(kinds(&told), ["ActivePathChanged"]);
        assert_eq!(told[0]["conversation"]["messageCount"], 2 * TURNS);
        assert_eq!(told[0]["conversation"]["lastMessage"], shown["conversation"]["lastMessage"]);
        // It was 83 events of about 2 KB each.
        let bytes = told[0].to_string().len();
        assert!(bytes < 500, "{bytes} bytes");

        // Activating what is shown changes no path.
        let since = cursor(&ann).await;
        ann.data(ACTIVATE, json!({ "id": message })).await;
        assert_eq!(kinds(&changes(&ann, &since).await), ["ConversationChanged"]);
    }

    async fn a_change_of_the_path_is_told_however_the_conversation_changed_since(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let first = ann.send("hello", json!({})).await;
        let (conversation, message) = (&first["conversation"]["id"], &first["message"]["id"]);
        ann.data(EDIT, json!({ "id": message })).await;
        let since = cursor(&ann).await;
        ann.data(ACTIVATE, json!({ "id": message })).await;
        let at_once = changes(&ann, &since).await[0].take();
        for number in 0..25 {
            ann.start(&format!("another {number}")).await;
        }
        ann.data(RENAME, json!({ "id": conversation })).await;
        ann.data(MARK, json!({ "id": conversation, "message": first["reply"]["id"] })).await;
        let told = changes(&ann, &since).await;
        assert_eq!((kinds(&told)[0], &told[0]["cursor"]), ("ActivePathChanged", &at_once["cursor"]));
        let later = &told.last().unwrap()["conversation"]["id"];
        assert_eq!((*kinds(&told).last().unwrap(), later), ("ConversationChanged", conversation));
        // Who has heard of it does not hear of it again.
        assert!(!kinds(&changes(&ann, &at_once["cursor"]).await).contains(&"ActivePathChanged"));
    }

    async fn what_only_grows_or_shrinks_at_its_end_has_no_event_of_its_path(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let first = ann.send("hello", json!({})).await;
        let conversation = &first["conversation"]["id"];
        let since = cursor(&ann).await;
        let second = ann.send("more", json!({ "conversationId": conversation })).await;
        let told = changes(&ann, &since).await;
        assert_eq!(kinds(&told), ["ConversationChanged", "MessageChanged", "MessageChanged"]);
        assert!(told[1..].iter().all(|change| change["message"]["active"] == true), "{told:?}");
        let since = cursor(&ann).await;
        let delete = "mutation($id: ID!) { deleteMessage(input: { messageId: $id }) { deletedMessageId } }";
        ann.data(delete, json!({ "id": second["message"]["id"] })).await;
        let told = changes(&ann, &since).await;
        assert_eq!(kinds(&told), ["ConversationChanged", "MessageDeleted", "MessageDeleted"]);
    }
}
