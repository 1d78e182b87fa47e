//! Numbers of a provider's that cannot be: an estimate counts, and the log says so.

use serde_json::json;

use super::{check_sums, entries};
use crate::assistant::{Provider, Script};
use crate::support::{Process, on_both_databases};

/// What the provider says, and the entry that follows: of 9 tokens by estimate in the prompt, and of 1 in the answer.
const CASES: [(&str, &str); 6] = [
    (r#"{"prompt_tokens":20,"completion_tokens":2}"#, "settled 20/0/2 40000 "),
    (r#"{"prompt_tokens":-5,"completion_tokens":2}"#, "settled estimated 9/0/2 29000 "),
    (r#"{"prompt_tokens":20,"completion_tokens":99999999999}"#, "settled estimated 20/0/2 40000 "),
    (r#"{"prompt_tokens":1e300,"completion_tokens":-1e300}"#, "settled estimated 9/0/2 29000 "),
    (r#"{"prompt_tokens":20.5,"completion_tokens":2}"#, "settled estimated 9/0/2 29000 "),
    (
        r#"{"prompt_tokens":20,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":21}}"#,
        "settled 20/0/2 40000 ",
    ),
];

on_both_databases! {
    async fn they_are_estimated_and_logged(database) {
        let scripts = CASES.map(|(usage, _)| {
            let choice = r#"{"index":0,"delta":{"content":"Hello."},"finish_reason":"stop"}"#;
            Script::stream([format!("data: {{\"choices\":[{choice}],\"usage\":{usage}}}\n\ndata: [DONE]\n\n")])
        });
        let provider = Provider::start(scripts.to_vec());
        let file = format!(
            "default = \"one\"\n[[assistant]]\nid = \"one\"\nurl = \"{}\"\nmodel = \"m\"\n
            price = {{ input = 1.0, output = 10.0 }}\n",
            provider.url()
        );
        let path = database.directory().join("assistants.toml");
        std::fs::write(&path, file).unwrap();
        let server = Process::logging(&database, &["--log", "warn", "--assistants", path.to_str().unwrap()]).await;
        let ann = server.user("ann");
        for (usage, _) in CASES {
            let sent = ann.send("sixteen letters!", json!({})).await;
            assert_eq!(sent["reply"]["status"], "COMPLETE", "{usage}");
        }
        let found = entries(&database).await;
        for ((usage, entry), found) in CASES.iter().zip(&found) {
            assert!(found.starts_with(&format!("REPLY {entry}")), "{usage}: {found}");
        }
        check_sums(&database).await;
        let log = server.stop_with_log().await;
        let told = log.lines().filter(|line| line.contains("numbers that cannot be")).count();
        assert_eq!(told, CASES.len() - 1, "{log}");
    }
}
