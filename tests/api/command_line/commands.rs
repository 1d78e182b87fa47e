//! What the commands do.

use causerie::{config, graphql};
use futures_util::future::join_all;
use serde_json::json;
use tempfile::TempDir;

use super::run;
use crate::support::{Client, Process, SECRET, TestDatabase, TestServer, on_both_databases};

#[tokio::test]
async fn the_schema_is_printed_as_it_is_committed() {
    let committed = include_str!("../../../schema.graphql");
    assert!(graphql::sdl() == committed, "the schema has changed: look at the change with `make schema`");
    let directory = TempDir::new().unwrap();
    assert!(run(directory.path(), &[], &["schema"]).await.printed() == committed);
}

#[tokio::test]
async fn the_configuration_is_printed_as_it_is_committed() {
    let committed = include_str!("../../../docs/configuration.md");
    assert!(
        config::markdown() == committed,
        "the settings have changed: look at the change with `make configuration`"
    );
    let directory = TempDir::new().unwrap();
    assert!(run(directory.path(), &[], &["configuration"]).await.printed() == committed);
}

#[tokio::test]
async fn help_is_there_and_tells_of_the_environment() {
    let directory = TempDir::new().unwrap();
    let help = run(directory.path(), &[], &["--help"]).await.printed();
    for command in ["serve", "migrate", "schema", "configuration", "token"] {
        assert!(help.contains(command), "{help}");
    }
    let help =
        run(directory.path(), &[("CAUSERIE_AUTH_SECRET", SECRET)], &["serve", "--help"]).await.printed();
    for name in ["CAUSERIE_LISTEN", "DATABASE_URL", "CAUSERIE_AUTH_SECRET", "CAUSERIE_ASSISTANT_URL", "--dev"]
    {
        assert!(help.contains(name), "{name}");
    }
    assert!(!help.contains(SECRET));
    let version = run(directory.path(), &[], &["--version"]).await.printed();
    assert_eq!(version, format!("causerie {}\n", env!("CARGO_PKG_VERSION")));
}

on_both_databases! {
    async fn migrations_go_up_and_down_and_tell_where_they_are(database) {
        let migrate = async |arguments: &[&str]| {
            let environment = [("DATABASE_URL", database.url())];
            run(database.directory(), &environment, &[&["migrate"], arguments].concat()).await.printed()
        };
        let states = |printed: &str| -> Vec<String> {
            printed.lines().map(|line| line.split(' ').next().unwrap().to_owned()).collect()
        };
        let pending = states(&migrate(&["status"]).await);
        let count = pending.len();
        assert!(count >= 1 && pending.iter().all(|state| state == "pending"), "{pending:?}");
        // A look writes nothing.
        assert!(states(&migrate(&["status"]).await).iter().all(|state| state == "pending"));

        assert_eq!(states(&migrate(&["up"]).await), vec!["applied"; count]);
        assert_eq!(states(&migrate(&["up"]).await), vec!["applied"; count]);
        let server = TestServer::start(&database).await;
        let id = server.user("ann").start("hello").await;
        server.stop().await;

        let down = migrate(&["down", "--steps", &(count - 1).to_string()]).await;
        assert_eq!(states(&down).iter().filter(|state| *state == "applied").count(), 1);
        assert_eq!(states(&migrate(&["up"]).await), vec!["applied"; count]);
        let server = TestServer::start(&database).await;
        assert_eq!(server.user("ann").messages(&id).await.len(), 2, "later steps hold nothing that cannot be made anew");
        server.stop().await;

        let all = migrate(&["down", "--steps", &count.to_string()]).await;
        assert_eq!(states(&all), vec!["pending"; count]);
        assert_eq!(states(&migrate(&["up"]).await), vec!["applied"; count]);
        assert_eq!(database.number("SELECT count(*) FROM message").await, 0);
    }

    async fn a_server_that_does_not_migrate_waits_until_somebody_has(database) {
        let server = Process::start(&database, &["--no-migrate"]).await;
        let ann = server.user("ann");
        assert_eq!(ann.get("/readyz").send().await.unwrap().status(), 503);
        assert_eq!(ann.get("/healthz").send().await.unwrap().status(), 200);
        let environment = [("DATABASE_URL", database.url())];
        run(database.directory(), &environment, &["migrate", "up"]).await.printed();
        // It looks from time to time.
        while ann.get("/readyz").send().await.unwrap().status() != 200 {
            tokio::task::yield_now().await;
        }
        ann.start("hello").await;
    }

    async fn a_token_is_good_for_the_server_with_the_same_secret(database) {
        let server = Process::start(&database, &["--auth-issuer", "us", "--auth-audience", "chat"]).await;
        let token = async |arguments: &[&str]| {
            let arguments = [&["token", "--user", "zoë"], arguments].concat();
            let printed = run(database.directory(), &[("CAUSERIE_AUTH_SECRET", SECRET)], &arguments).await.printed();
            Client::new(server.url(), Some(printed.trim_end().to_owned()))
        };
        let query = "{ viewer { id } }";
        let good = token(&["--auth-issuer", "us", "--auth-audience", "chat"]).await;
        assert_eq!(good.data(query, json!({})).await["viewer"]["id"], "zoë");
        let foreign = token(&["--auth-issuer", "them", "--auth-audience", "chat"]).await;
        assert_eq!(foreign.run(query, json!({})).await.status, 401);
        let hour = token(&["--auth-issuer", "us", "--auth-audience", "chat", "--ttl", "1h"]).await;
        assert_eq!(hour.run(query, json!({})).await.status, 200);
        for user in ["", "a\u{7}b", &"x".repeat(256)] {
            let arguments = ["token", "--user", user];
            let ran = run(database.directory(), &[("CAUSERIE_AUTH_SECRET", SECRET)], &arguments).await;
            ran.assert_refused("user id");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: make api"]
async fn servers_that_start_together_on_an_empty_database_all_serve() {
    let database = TestDatabase::postgres().await;
    let servers = join_all((0..5).map(|_| Process::start(&database, &[]))).await;
    let id = servers[0].user("ann").start("hello").await;
    for server in &servers {
        let ann = server.user("ann");
        assert_eq!(ann.get("/readyz").send().await.unwrap().status(), 200);
        ann.send("hello", json!({ "conversationId": id })).await;
    }
    assert_eq!(servers[4].user("ann").messages(&id).await.len(), 12);
}
