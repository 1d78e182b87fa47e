//! What tests share: databases, servers, clients, and an assistant that says what a test tells it to.

mod assistant;
mod client;
mod database;
mod events;
mod process;
mod proxy;
mod server;

pub use self::assistant::{ScriptedAssistant, ScriptedAttempt};
pub use self::client::{Answer, Client, without_ids};
pub use self::database::TestDatabase;
pub use self::events::Events;
pub use self::process::{Process, causerie};
pub use self::proxy::Proxy;
pub use self::server::{SECRET, Settings, TestServer, is_sweep, token_for};

/// Runs each test on a new SQLite database and on a new PostgreSQL database.
///
/// The PostgreSQL half is ignored unless it is asked for, as `make api` and `make test` do.
macro_rules! on_both_databases {
    ($($(#[$meta:meta])* async fn $name:ident($database:ident) $body:block)+) => {$(
        mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                super::$name(crate::support::TestDatabase::sqlite()).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            #[ignore = "needs PostgreSQL: make api"]
            async fn postgres() {
                super::$name(crate::support::TestDatabase::postgres().await).await;
            }
        }

        $(#[$meta])*
        async fn $name($database: crate::support::TestDatabase) $body
    )+};
}
pub(crate) use on_both_databases;
