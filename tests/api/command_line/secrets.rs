//! Secrets in files: what is in them is used, and told to nobody.

use std::fs;
use std::process::Stdio;

use tempfile::TempDir;

use super::run;
use crate::assistant::{Provider, Script};
use crate::support::{Client, Process, SECRET, causerie, on_both_databases};

const SERVE: &[&str] = &["serve", "--listen", "127.0.0.1:0"];

/// The settings that are secrets: as they are, in a file, and each by its environment.
const SETTINGS: [[&str; 4]; 3] = [
    ["--auth-secret", "CAUSERIE_AUTH_SECRET", "--auth-secret-file", "CAUSERIE_AUTH_SECRET_FILE"],
    ["--database-url", "DATABASE_URL", "--database-url-file", "DATABASE_URL_FILE"],
    ["--assistant-key", "CAUSERIE_ASSISTANT_KEY", "--assistant-key-file", "CAUSERIE_ASSISTANT_KEY_FILE"],
];

/// What is needed beside one of them for a server to start.
const OTHERS: [&str; 6] = [
    "--auth-secret",
    SECRET,
    "--assistant-url=http://127.0.0.1:1/v1",
    "--assistant-model=m",
    "--database-url",
    "sqlite://causerie.db?mode=rwc",
];

/// [`OTHERS`] without what `setting` gives.
fn without(setting: &str) -> Vec<&'static str> {
    let place = OTHERS.iter().position(|other| *other == setting);
    let given = |index: usize| place.is_none_or(|place| index != place && index != place + 1);
    OTHERS.into_iter().enumerate().filter(|(index, _)| given(*index)).map(|(_, other)| other).collect()
}

on_both_databases! {
    async fn a_server_finds_all_of_them_in_files(database) {
        let file = |name: &str, content: &str| {
            let path = database.directory().join(name);
            fs::write(&path, content).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let key = "sk-swordfish";
        let echoed = format!("{{\"error\":{{\"message\":\"{key} is not known here\"}}}}");
        // A line break at the end is the editor's, not the secret's.
        let files = [
            file("secret", &format!("{SECRET}\n")),
            file("address", &format!("{}\r\n", database.url())),
            file("key", &format!("{key}\n\n")),
        ];
        let password = url::Url::parse(database.url()).unwrap().password().unwrap_or(SECRET).to_owned();
        for by_flag in [true, false] {
            let mut provider = Provider::start(vec![Script::answer(401, "", &echoed)]);
            let mut command = causerie(database.directory());
            command.args(SERVE).args(["--log", "trace", "--assistant-model", "m", "--assistant-url", &provider.url()]);
            for ([.., flag, environment], path) in SETTINGS.iter().zip(&files) {
                if by_flag {
                    command.args([flag, &path.as_str()]);
                } else {
                    command.env(environment, path);
                }
            }
            command.stderr(Stdio::piped());
            let (server, printed) = Process::of(command, "database ").await;
            server.user("ann").start("hello").await;
            let request = provider.request().await;
            assert!(request.head.contains(&format!("authorization: bearer {key}\r\n")), "{}", request.head);
            let log = server.stop_with_log().await;
            assert!(log.contains("[redacted]"), "what the provider said is in the log: {log}");
            for secret in [SECRET, key, password.as_str()] {
                assert!(!log.contains(secret) && !printed.concat().contains(secret));
            }
        }
        assert_eq!(database.number("SELECT count(*) FROM message").await, 4);

        let environment = [("DATABASE_URL_FILE", files[1].as_str())];
        let states = run(database.directory(), &environment, &["migrate", "status"]).await.printed();
        assert!(states.starts_with("applied "), "{states}");
        let server = Process::start(&database, &[]).await;
        let arguments = ["token", "--user", "ann", "--auth-secret-file", &files[0]];
        let token = run(database.directory(), &[], &arguments).await.printed();
        let ann = Client::new(server.url(), Some(token.trim_end().to_owned()));
        assert_eq!(ann.data("{ viewer { id } }", serde_json::json!({})).await["viewer"]["id"], "ann");
    }
}

#[tokio::test]
async fn a_file_without_a_secret_is_refused_by_the_name_of_its_flag() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("file");
    let refused = async |setting: usize, by_flag: bool, part: &str| {
        let [given, _, flag, environment] = SETTINGS[setting];
        let mut arguments = [SERVE, &without(given)].concat();
        let mut variables = vec![];
        if by_flag {
            arguments.extend([flag, "file"]);
        } else {
            variables.push((environment, "file"));
        }
        let ran = run(directory.path(), &variables, &arguments).await;
        ran.assert_refused(&format!("{flag}: file: "));
        ran.assert_refused(part);
        assert!(!ran.stderr.contains("swordfish"), "{}", ran.stderr);
    };
    for setting in 0..SETTINGS.len() {
        for by_flag in [true, false] {
            refused(setting, by_flag, "No such file").await;
            for empty in ["", "\n", "\r\n\n"] {
                fs::write(&path, empty).unwrap();
                refused(setting, by_flag, "it is empty").await;
            }
            fs::write(&path, b"swordfish\xff").unwrap();
            refused(setting, by_flag, "UTF-8").await;
            fs::remove_file(&path).unwrap();
        }
        fs::create_dir(&path).unwrap();
        refused(setting, true, "directory").await;
        fs::remove_dir(&path).unwrap();
    }
    for (setting, content, part) in [
        (0, "swordfish\n", "at least 32 bytes, it has 9"),
        (1, "swordfish\n", "sqlite: or postgres:"),
        (1, "postgres://ann:swordfish@127.0.0.1:port/chat\n", "port"),
    ] {
        fs::write(&path, content).unwrap();
        refused(setting, true, part).await;
    }
    fs::write(&path, "sword\u{7}fish").unwrap();
    let arguments = [SERVE, &OTHERS, &["--assistant-key-file", "file"]].concat();
    let ran = run(directory.path(), &[], &arguments).await;
    ran.assert_refused("the assistant's key");
    assert!(!ran.stderr.contains("sword") && !ran.stderr.contains("fish"), "{}", ran.stderr);
}

#[tokio::test]
async fn a_secret_and_a_file_with_another_are_not_both_meant() {
    let directory = TempDir::new().unwrap();
    let good = ["swordfish-swordfish-swordfish-32", "postgres://u:swordfish@127.0.0.1:1/d", "swordfish"];
    for ([flag, environment, file_flag, file_environment], secret) in SETTINGS.into_iter().zip(good) {
        fs::write(directory.path().join("file"), secret).unwrap();
        for (variables, arguments) in [
            (vec![], vec![flag, secret, file_flag, "file"]),
            (vec![(environment, secret)], vec![file_flag, "file"]),
            (vec![(file_environment, "file")], vec![flag, secret]),
            (vec![(environment, secret), (file_environment, "file")], vec![]),
        ] {
            let arguments = [SERVE, &without(flag), &arguments].concat();
            let ran = run(directory.path(), &variables, &arguments).await;
            for part in [flag, file_flag, "cannot be used with"] {
                ran.assert_refused(part);
            }
            assert!(!ran.stderr.contains("swordfish"), "{}", ran.stderr);
        }
    }
}

#[tokio::test]
async fn help_shows_no_secret_of_the_environment() {
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join("file"), "swordfish").unwrap();
    let mut variables = vec![
        ("CAUSERIE_AUTH_SECRET", "swordfish-swordfish-swordfish-32"),
        ("DATABASE_URL", "postgres://u:swordfish@127.0.0.1:1/d"),
        ("CAUSERIE_ASSISTANT_KEY", "swordfish"),
        ("CAUSERIE_ASSISTANT_URL", "https://u:swordfish@assistant.example/"),
        ("CAUSERIE_AUTH_JWKS_URL", "https://u:swordfish@issuer.example/jwks"),
    ];
    variables.extend(SETTINGS.map(|[.., file]| (file, "file")));
    for command in [&["serve"][..], &["token"], &["migrate"], &["migrate", "up"], &["schema"], &[]] {
        for help in ["--help", "-h"] {
            let printed = run(directory.path(), &variables, &[command, &[help]].concat()).await.printed();
            assert!(!printed.contains("swordfish"), "{command:?}: {printed}");
            assert_eq!(
                printed.contains("CAUSERIE_AUTH_SECRET_FILE=file"),
                matches!(command, ["serve" | "token"])
            );
        }
    }
}
