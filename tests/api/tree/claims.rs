//! Steps that a lost server has left are taken by one server, and those that fail do not keep others from theirs.

use sea_orm::ConnectionTrait;

use crate::support::{Settings, TestDatabase, TestServer, on_both_databases};

/// More than one pass continues.
const FAILING: usize = 16;

const UNDER_WAY: &str = "SELECT COUNT(*) FROM conversation WHERE step_at IS NOT NULL";

/// Leaves the conversation `title` as a server does that was lost on this day while it set the path to `target`.
async fn leave(database: &TestDatabase, title: &str, day: u32, target: &str) {
    let raw = database.raw().await;
    let left = format!(
        "UPDATE conversation SET step_at = '2026-01-{day:02}T00:00:00.000+00:00', path_target_id = ({target})
         WHERE title = '{title}'"
    );
    raw.execute_unprepared(&left).await.unwrap();
    raw.close().await.unwrap();
}

on_both_databases! {
    async fn conversations_whose_steps_fail_do_not_keep_another_from_its_steps(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let missing = if database.is_postgres() { "gen_random_uuid()" } else { "randomblob(16)" };
        for number in 0..FAILING {
            ann.start(&format!("failing {number}")).await;
        }
        ann.start("good").await;
        for number in 0..FAILING {
            leave(&database, &format!("failing {number}"), 1, &format!("SELECT {missing}")).await;
        }
        // It was left later, so the others come first.
        leave(&database, "good", 2, "SELECT id FROM message WHERE content = 'good' AND role = 'USER'").await;
        let good = format!("{UNDER_WAY} AND title = 'good'");
        database.becomes(&good, 0).await;
        assert_eq!(database.number(UNDER_WAY).await, i64::try_from(FAILING).unwrap());
    }
}

/// On SQLite there is one server, and its writes come one after another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: make api"]
async fn a_server_that_comes_too_late_takes_no_step() {
    let database = TestDatabase::postgres().await;
    let (claim, look) = ("UPDATE \"conversation\" SET \"step_at\"", "step_at IS NOT NULL");
    // In the future, as though the other server were always at work.
    let taken = "UPDATE conversation SET step_at = '2100-01-01T00:00:00.000+00:00' WHERE title = 'good'";
    let observer = Some(database.just_before(claim, taken));
    let server = TestServer::with(&database, Settings { observer, ..Settings::default() }).await;
    server.user("ann").start("good").await;
    leave(&database, "good", 1, "SELECT id FROM message WHERE content = 'good' AND role = 'USER'").await;
    // The next look comes when all that was found before is done.
    server.has_run(&[claim, look]).await;
    assert_eq!(database.number(UNDER_WAY).await, 1, "the steps are the other server's");
}
