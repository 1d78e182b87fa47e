//! What was said before is kept from one reply to the next, in servers that need not have it: whatever is done, and
//! wherever, the assistant is shown what is in the database.

use std::cell::Cell;
use std::time::Duration;

use causerie::assistant::{Failure, FailureCode, Speaker};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use tokio::runtime::Handle;

use crate::support::{
    Client, ScriptedAssistant, ScriptedAttempt, Settings, TestDatabase, TestServer, on_both_databases,
};

/// What is done to the only conversation.
#[derive(Clone, Debug)]
enum Deed {
    Send,
    Edit(Index),
    Regenerate(Index),
    Retry(Index),
    Delete(Index),
    Instruct { all: bool, what: Option<&'static str> },
}

/// How a reply ends.
#[derive(Clone, Copy, Debug)]
enum End {
    Complete,
    Failed,
    Stopped,
    /// It is complete, and says nothing.
    Silent,
}

/// A deed, the server that it is done at, and how the reply ends that it asks for.
type Step = (Deed, usize, End);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let instruct =
        (any::<bool>(), prop_oneof![Just(None), Just(Some("Be brief.")), Just(Some("In French."))]);
    let deed = prop_oneof![
        12 => Just(Deed::Send),
        1 => any::<Index>().prop_map(Deed::Edit),
        1 => any::<Index>().prop_map(Deed::Regenerate),
        2 => any::<Index>().prop_map(Deed::Retry),
        1 => any::<Index>().prop_map(Deed::Delete),
        1 => instruct.prop_map(|(all, what)| Deed::Instruct { all, what }),
    ];
    let end = prop_oneof![
        12 => Just(End::Complete), 1 => Just(End::Failed), 1 => Just(End::Stopped), 1 => Just(End::Silent)
    ];
    // Often the next turn is at the server that has the turn before.
    let at = prop_oneof![4 => Just(0), 2 => Just(1), 1 => Just(2)];
    prop::collection::vec((deed, at, end), 1..25)
}

/// One user at all servers.
struct World<'s> {
    servers: &'s [(TestServer, ScriptedAssistant)],
    user: String,
    conversation: Option<String>,
    /// Those for all conversations, and for this one.
    instructions: [Option<&'static str>; 2],
    said: usize,
}

impl World<'_> {
    /// Does it, and returns what the assistant was shown and what it should have been.
    async fn act(&mut self, (deed, at, end): &Step) -> Option<[Vec<(Speaker, String)>; 2]> {
        let (server, script) = &self.servers[*at];
        let ann = server.user(&self.user);
        let path = match &self.conversation {
            Some(id) => ann.messages(id).await,
            None => Vec::new(),
        };
        let pick = |which: &Index, role: &str| {
            let of_role: Vec<&Value> = path.iter().filter(|message| message["role"] == role).collect();
            if of_role.is_empty() { None } else { Some(which.get(&of_role)["id"].clone()) }
        };
        self.said += 1;
        let text = format!("{} {}", self.said, "word ".repeat(self.said % 40));
        let (mutation, input) = match deed {
            Deed::Send => ("SendMessage", json!({ "conversationId": self.conversation, "content": text })),
            Deed::Edit(which) => {
                ("EditMessage", json!({ "messageId": pick(which, "USER")?, "content": text }))
            }
            Deed::Regenerate(which) => ("RegenerateReply", json!({ "messageId": pick(which, "ASSISTANT")? })),
            Deed::Retry(which) => {
                let id = pick(which, "ASSISTANT")?;
                let reply = path.iter().find(|message| message["id"] == id)?;
                if reply["status"] == "COMPLETE" {
                    return None;
                }
                ("RetryReply", json!({ "messageId": id }))
            }
            Deed::Delete(which) => {
                let input = json!({ "messageId": pick(which, "USER")? });
                run(&ann, "DeleteMessage", input, "__typename").await;
                return None;
            }
            Deed::Instruct { all: true, what } => {
                run(&ann, "ConfigureViewer", json!({ "instructions": what }), "__typename").await;
                self.instructions[0] = *what;
                return None;
            }
            Deed::Instruct { all: false, what } => {
                let input = json!({ "conversationId": self.conversation.as_ref()?, "instructions": what });
                run(&ann, "UpdateConversation", input, "__typename").await;
                self.instructions[1] = *what;
                return None;
            }
        };
        let mut input = input;
        input["awaitReply"] = false.into();
        let asked =
            run(&ann, mutation, input, "reply { id position conversation { id } }").await["reply"].take();
        let conversation = asked["conversation"]["id"].as_str().unwrap().to_owned();
        let attempt = script.next().await;
        let path = ann.messages(&conversation).await;
        self.conversation = Some(conversation);
        let shown = attempt.prompt.turns.iter().map(|turn| (turn.speaker, turn.content.clone())).collect();
        let before = asked["position"].as_u64().unwrap() - 1;
        let expected = self.expected(&path[..usize::try_from(before).unwrap()]);
        let id = asked["id"].as_str().unwrap();
        end_reply(&ann, &attempt, id, &format!("You said: {text}"), *end).await;
        Some([shown, expected])
    }

    /// What is to be shown of a path.
    fn expected(&self, path: &[Value]) -> Vec<(Speaker, String)> {
        let mut turns: Vec<(Speaker, String)> = Vec::new();
        let instructions: Vec<&str> = self.instructions.into_iter().flatten().collect();
        if !instructions.is_empty() {
            turns.push((Speaker::System, instructions.join("\n\n")));
        }
        for message in path {
            let content = message["content"].as_str().unwrap();
            let speaker = if message["role"] == "USER" { Speaker::User } else { Speaker::Assistant };
            if content.is_empty() || message["status"] == "FAILED" {
                continue;
            }
            match turns.last_mut() {
                Some((last, said)) if *last == speaker => *said = format!("{said}\n\n{content}"),
                _ => turns.push((speaker, content.to_owned())),
            }
        }
        turns
    }
}

/// Ends a reply, which says `text` if it is complete, and waits until that is stored.
async fn end_reply(client: &Client, attempt: &ScriptedAttempt, id: &str, text: &str, end: End) {
    match end {
        End::Complete => {
            attempt.say(text);
            attempt.finish();
        }
        End::Silent => attempt.finish(),
        End::Failed => {
            attempt.say("But");
            let message = "No.".to_owned();
            let code = FailureCode::AssistantRejected;
            attempt.send(Err(Failure { code, message, retryable: false }));
            attempt.close();
        }
        End::Stopped => {
            attempt.say("Well");
            run(client, "StopReply", json!({ "messageId": id }), "__typename").await;
        }
    }
    let query = "query($id: ID!) { message(id: $id) { status } }";
    while client.data(query, json!({ "id": id })).await["message"]["status"] == "GENERATING" {
        tokio::task::yield_now().await;
    }
}

/// Runs a mutation by the name of its input.
async fn run(client: &Client, name: &str, input: Value, fields: &str) -> Value {
    let field = name[..1].to_lowercase() + &name[1..];
    let query = format!("mutation($input: {name}Input!) {{ {field}(input: $input) {{ {fields} }} }}");
    client.data(&query, json!({ "input": input })).await[field].take()
}

async fn start(database: &TestDatabase, history_bytes: usize) -> (TestServer, ScriptedAssistant) {
    let (assistant, script) = ScriptedAssistant::new();
    let mut settings = Settings { assistant, ..Settings::default() };
    settings.replies.history_bytes = history_bytes;
    // No server takes over what another one is slow to write.
    settings.replies.checkpoint = Duration::from_mins(1);
    settings.replies.lease = Duration::from_mins(10);
    (TestServer::with(database, settings).await, script)
}

fn is_history(sql: &str) -> bool {
    sql.contains("span (upper")
}

/// With servers that keep what was said, that keep little of it, and that keep none.
async fn whatever_is_done(database: TestDatabase) {
    let servers = [start(&database, 8 << 20).await, start(&database, 8192).await, start(&database, 0).await];
    let mut runner = TestRunner::new(Config { cases: 24, failure_persistence: None, ..Config::default() });
    let (number, shown) = (Cell::new(0), Cell::new(0));
    let result = tokio::task::block_in_place(|| {
        runner.run(&steps(), |steps| {
            number.set(number.get() + 1);
            let user = format!("user {}", number.get());
            let mut world =
                World { servers: &servers, user, conversation: None, instructions: [None, None], said: 0 };
            Handle::current().block_on(async {
                for step in &steps {
                    if let Some([prompt, expected]) = world.act(step).await {
                        shown.set(shown.get() + 1);
                        prop_assert_eq!(prompt, expected, "{:?}", step);
                    }
                }
                Ok(())
            })
        })
    });
    result.unwrap();
    let statements = servers.iter().flat_map(|(server, _)| server.take_all_statements());
    let read = statements.filter(|statement| is_history(&statement.sql)).count();
    assert!(0 < read && read < shown.get(), "{read} of {}", shown.get());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_assistant_is_shown_what_was_said_whatever_is_done_on_sqlite() {
    whatever_is_done(TestDatabase::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: make api"]
async fn the_assistant_is_shown_what_was_said_whatever_is_done_on_postgres() {
    whatever_is_done(TestDatabase::postgres().await).await;
}

on_both_databases! {
    async fn the_next_turn_of_a_conversation_reads_nothing_of_it(database) {
        let (server, script) = start(&database, 8 << 20).await;
        let ann = server.user("ann");
        let mut conversation = Value::Null;
        for text in ["one", "two", "three"] {
            server.take_statements();
            let input = json!({ "conversationId": conversation });
            let (sent, attempt) = tokio::join!(ann.send(text, input), async {
                let attempt = script.next().await;
                attempt.say("so");
                attempt.finish();
                attempt
            });
            conversation = sent["conversation"]["id"].clone();
            let statements = server.take_statements();
            let read = statements.iter().filter(|statement| is_history(&statement.sql)).count();
            assert_eq!((read, attempt.prompt.turns.last().unwrap().content.as_str()), (0, text));
        }
    }

    async fn what_another_server_has_written_is_read_with_a_send_that_is_one_statement(database) {
        let (first, first_script) = start(&database, 8 << 20).await;
        let (other, script) = start(&database, 8 << 20).await;
        let (ann, there) = (first.user("ann"), other.user("ann"));
        // PostgreSQL looks at 128 messages then.
        for (turns, statements) in [(1, 0), (64, 0), (65, 1)] {
            let mut conversation = Value::Null;
            let mut said: Vec<String> = Vec::new();
            let answer = async |script: &ScriptedAssistant| {
                let attempt = script.next().await;
                attempt.say("so");
                attempt.finish();
                attempt
            };
            for number in 0..turns {
                let text = format!("message {number}");
                let input = json!({ "conversationId": conversation });
                let (sent, _) = tokio::join!(ann.send(&text, input), answer(&first_script));
                conversation = sent["conversation"]["id"].clone();
                said.extend([text, "so".to_owned()]);
            }
            other.take_statements();
            let input = json!({ "conversationId": conversation });
            let (_, attempt) = tokio::join!(there.send("and now?", input), answer(&script));
            let read = other.take_statements().iter().filter(|statement| is_history(&statement.sql)).count();
            assert_eq!(read, if database.is_postgres() { statements } else { 1 }, "after {turns} turns");
            said.push("and now?".to_owned());
            let shown: Vec<&str> = attempt.prompt.turns.iter().map(|turn| turn.content.as_str()).collect();
            assert_eq!(shown, said);
        }
    }

    async fn a_reply_that_is_begun_again_is_shown_as_it_is_now(database) {
        let (server, script) = start(&database, 8 << 20).await;
        let ann = server.user("ann");
        for end in [End::Failed, End::Stopped] {
            let turn = async |conversation: &Value, end: End| {
                let input = json!({ "conversationId": conversation, "awaitReply": false });
                let mut sent = ann.send("hello", input).await;
                end_reply(&ann, &script.next().await, sent["reply"]["id"].as_str().unwrap(), "so", end).await;
                (sent["conversation"]["id"].take(), sent["reply"]["id"].take())
            };
            let (conversation, _) = turn(&Value::Null, End::Complete).await;
            let (_, unfinished) = turn(&conversation, end).await;
            turn(&conversation, End::Complete).await;
            let retry = json!({ "messageId": unfinished, "awaitReply": false });
            run(&ann, "RetryReply", retry, "__typename").await;
            end_reply(&ann, &script.next().await, unfinished.as_str().unwrap(), "at last", End::Complete).await;
            ann.send("and now?", json!({ "conversationId": conversation, "awaitReply": false })).await;
            let attempt = script.next().await;
            let shown: Vec<&str> = attempt.prompt.turns.iter().map(|turn| turn.content.as_str()).collect();
            assert_eq!(shown, ["hello", "so", "hello", "at last", "hello", "so", "and now?"], "{end:?}");
            attempt.finish();
        }
    }
}
