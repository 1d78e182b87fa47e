//! `causerie usage` tells the operator who has used what.

use chrono::Utc;
use serde_json::{Value, json};

use super::{ask, ended, finish, server, used};
use crate::support::{TestDatabase, causerie, on_both_databases};

/// Runs the command with `arguments`, and returns what it prints, or its complaint.
async fn run(database: &TestDatabase, arguments: &[&str]) -> Result<String, String> {
    let mut command = causerie(database.directory());
    command.arg("usage").args(arguments).env("DATABASE_URL", database.url());
    let output = command.output().await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

on_both_databases! {
    async fn the_operator_reads_who_has_used_what(database) {
        let (server, script, calendar) = server(&database, &[]).await;
        for (user, now, tokens) in [
            ("ann", "2027-05-05T10:00:00Z", 10),
            ("bob, \"the\" other", "2027-05-05T11:00:00Z", 1_000_000),
            ("ann", "2027-05-07T10:00:00Z", 30),
        ] {
            calendar.shift(Utc::now(), now.parse().unwrap());
            let client = server.user(user);
            let sent = ask(&client, "question", json!({})).await;
            finish(&script.next().await, used(tokens, 2, 1));
            ended(&client, &sent).await;
        }
        // One is still under way: it is none of what was used.
        ask(&server.user("ann"), "question", json!({})).await;
        let _running = script.next().await;
        drop(server);

        let csv = async |more: &[&str]| {
            let range = ["--since", "2027-05-01", "--until", "2027-05-31", "--format", "csv"];
            run(&database, &[&range[..], more].concat()).await.unwrap()
        };
        assert_eq!(
            csv(&[]).await,
            "user,requests,replies,input,cached_input,output,estimated,cost\n\
             ann,2,2,40,4,2,0,0.000058\n\
             \"bob, \"\"the\"\" other\",1,1,1000000,2,1,0,1.000009\n"
        );
        assert_eq!(
            csv(&["--by", "day"]).await,
            "day,requests,replies,input,cached_input,output,estimated,cost\n\
             2027-05-05,2,2,1000010,4,2,0,1.000028\n\
             2027-05-07,1,1,30,2,1,0,0.000039\n"
        );
        assert_eq!(
            csv(&["--by", "assistant", "--user", "ann"]).await,
            "assistant,requests,replies,input,cached_input,output,estimated,cost\ndefault,2,2,40,4,2,0,0.000058\n"
        );
        let json = run(
            &database,
            &["--since", "2027-05-06", "--until", "2027-05-31", "--by", "model", "--format", "json"],
        );
        let lines: Value = serde_json::from_str(&json.await.unwrap()).unwrap();
        assert_eq!(
            lines,
            json!([{ "model": null, "requests": 1, "replies": 1, "input": 30, "cached_input": 2, "output": 1,
                "estimated": 0, "cost": "0.000039" }])
        );
        let table = run(&database, &["--since", "2027-05-01", "--until", "2027-05-31"]).await.unwrap();
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 4, "{table}");
        assert!(lines[1].starts_with("ann ") && lines[1].ends_with(" 0.000058"), "{table}");
        assert!(lines[3].starts_with("total ") && lines[3].ends_with(" 1.000067"), "{table}");
        let widths: Vec<usize> = lines.iter().map(|line| line.chars().count()).collect();
        assert!(widths.iter().all(|width| *width == widths[0]), "{table}");

        let wrong = run(&database, &["--since", "2027-05-02", "--until", "2027-05-01"]).await.unwrap_err();
        assert_eq!(wrong.lines().count(), 1, "{wrong}");
        assert!(run(&database, &["--since", "soon", "--until", "later"]).await.is_err());
    }
}
