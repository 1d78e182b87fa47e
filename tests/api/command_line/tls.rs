//! TLS to PostgreSQL: with `sslmode=verify-full` a server talks to nobody who cannot prove to be the one of the address.

use std::path::{Path, PathBuf};

use sea_orm::{ConnectionTrait, DbBackend, Statement};
use serde_json::json;

use super::run;
use crate::support::{Process, SECRET, TestDatabase};

/// The connections of the servers on this database, with TLS and without.
const WITH_TLS: &str = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
    WHERE datname = current_database() AND application_name LIKE 'causerie%' AND ssl";
const WITHOUT_TLS: &str = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
    WHERE datname = current_database() AND application_name LIKE 'causerie%' AND NOT ssl";

/// Where `scripts/with-postgres` has put the certificates.
async fn certificates(database: &TestDatabase) -> PathBuf {
    let connection = database.raw().await;
    let sql = Statement::from_string(DbBackend::Postgres, "SHOW ssl_cert_file");
    let row = connection.query_one_raw(sql).await.unwrap().unwrap();
    let certificate: String = row.try_get_by_index(0).unwrap();
    Path::new(&certificate).parent().unwrap().to_owned()
}

/// The database at `host`, whose certificate is to be of `authority`, or else of one that everybody trusts.
fn verified(database: &TestDatabase, host: &str, authority: Option<&Path>) -> String {
    let mut url = url::Url::parse(database.url()).unwrap();
    url.set_host(Some(host)).unwrap();
    url.set_query(Some("sslmode=verify-full"));
    if let Some(authority) = authority {
        url.query_pairs_mut().append_pair("sslrootcert", authority.to_str().unwrap());
    }
    url.into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: make api"]
async fn all_connections_are_verified() {
    let database = TestDatabase::postgres().await;
    let authority = certificates(&database).await.join("authority.crt");
    let by_tls = database.at(verified(&database, "localhost", Some(&authority)));
    let migrated = run(database.directory(), &[("DATABASE_URL", by_tls.url())], &["migrate", "up"]).await;
    assert!(migrated.printed().starts_with("applied "));

    let server = Process::start(&by_tls, &[]).await;
    let ann = server.user("ann");
    assert_eq!(ann.send("hello", json!({})).await["reply"]["status"], "COMPLETE");
    // The pool's, and two for wake-ups.
    assert!(database.number(WITH_TLS).await >= 3);
    assert_eq!(database.number(WITHOUT_TLS).await, 0);
    assert_eq!(server.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: make api"]
async fn who_cannot_prove_who_they_are_is_refused_in_one_line() {
    let database = TestDatabase::postgres().await;
    let directory = certificates(&database).await;
    let [right, other, missing] =
        ["authority.crt", "other-authority.crt", "missing.crt"].map(|name| directory.join(name));
    for (host, authority, part) in [
        ("localhost", Some(&other), "invalid peer certificate: UnknownIssuer"),
        ("localhost", None, "invalid peer certificate: UnknownIssuer"),
        ("127.0.0.1", Some(&right), "certificate not valid for name \"127.0.0.1\""),
        ("localhost", Some(&missing), "missing.crt: No such file or directory"),
    ] {
        let url = verified(&database, host, authority.map(PathBuf::as_path));
        let environment = [("CAUSERIE_AUTH_SECRET", SECRET), ("DATABASE_URL", url.as_str())];
        for arguments in [&["serve", "--listen", "127.0.0.1:0"][..], &["migrate", "status"]] {
            run(database.directory(), &environment, arguments).await.assert_refused(part);
        }
    }
    assert_eq!(database.number(WITH_TLS).await, 0);
}
