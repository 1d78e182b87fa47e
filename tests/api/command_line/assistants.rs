//! `--assistants`: a file is read on start, or refused in one line.

use serde_json::json;
use tempfile::TempDir;

use super::run;
use crate::support::{Process, SECRET, TestDatabase};

const FILE: &str = "default = \"one\"\n[[assistant]]\nid = \"one\"\nurl = \"echo\"\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_offers_what_its_file_says() {
    let database = TestDatabase::sqlite();
    let path = database.directory().join("assistants.toml");
    std::fs::write(&path, format!("{FILE}[[assistant]]\nid = \"two\"\nurl = \"echo\"\n")).unwrap();
    let server = Process::start(&database, &["--assistants", path.to_str().unwrap()]).await;
    let ann = server.user("ann");
    let all = ann.data("{ assistants { id isDefault } }", json!({})).await;
    assert_eq!(
        all["assistants"],
        json!([{ "id": "one", "isDefault": true }, { "id": "two", "isDefault": false }])
    );
    ann.send("hello", json!({ "assistantId": "two" })).await;
    assert_eq!(server.stop().await, Some(0));
}

#[tokio::test]
async fn what_is_wrong_with_a_file_is_said_in_one_line() {
    let directory = TempDir::new().unwrap();
    let serve = async |file: Option<&str>, more: &[&str]| {
        if let Some(file) = file {
            std::fs::write(directory.path().join("a.toml"), file).unwrap();
        }
        let arguments = [&["serve", "--listen", "127.0.0.1:0", "--assistants", "a.toml"], more].concat();
        run(directory.path(), &[("CAUSERIE_AUTH_SECRET", SECRET)], &arguments).await
    };
    serve(None, &[]).await.assert_refused("the assistants file a.toml: No such file");
    for (more, said) in [
        ("key = \"sk-secret\"", "line 5: unknown field `key`"),
        ("price = { input = -1.0, output = 1.0 }", "line 5: invalid value"),
        ("[[assistant]]\nid = \"one\"\nurl = \"echo\"", "`one` is there twice"),
        ("[[assistant]]\nid = \"b\"\nreplaced_by = \"b\"", "replaced by itself"),
        ("url = \"echo\"", "line 5: duplicate key"),
    ] {
        let ran = serve(Some(&format!("{FILE}{more}\n")), &[]).await;
        ran.assert_refused(said);
        assert!(!ran.stderr.contains("sk-secret"), "{}", ran.stderr);
    }
    serve(Some("default = \"none\""), &[]).await.assert_refused("the default `none` is not among");
    let long = format!("{FILE}instructions = \"{}\"\n", "x".repeat(21));
    serve(Some(&long), &["--max-instructions-chars", "20"])
        .await
        .assert_refused("`instructions` must have 1 to 20");
    for other in ["--title-model=m", "--context-tokens=9", "--no-reasoning", "--assistant-system-prompt=x"] {
        serve(Some(FILE), &[other]).await.assert_refused("cannot be used with");
    }
}
