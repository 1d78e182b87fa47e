use super::*;

const COMMON: Common =
    Common { timeout: Duration::from_mins(1), allow_plaintext: false, instructions_chars: 50 };

fn error(text: &str) -> String {
    parse(text, COMMON).map(|_| ()).expect_err(text)
}

/// A file whose assistant `a` has `keys` beside what it must have.
fn with(keys: &str) -> String {
    format!("default = \"a\"\n[[assistant]]\nid = \"a\"\nurl = \"echo\"\n{keys}\n")
}

#[test]
fn a_file_is_read_with_all_that_it_says() {
    let text = r#"
        default = "fast"
        currency = "EUR"
        titles = "old"
        [[assistant]]
        id = "fast"
        name = "Fast"
        description = "For most."
        url = "http://127.0.0.1:1/v1"
        model = "small-1"
        instructions = "Be kind."
        plans = ["free", "pro"]
        context_tokens = 1000
        no_reasoning = true
        temperature = { minimum = 0.0, maximum = 1.5, default = 0.7 }
        top_p = { minimum = 0.1, maximum = 1.0 }
        max_tokens = { minimum = 1, maximum = 500 }
        reasoning_efforts = ["low", "high"]
        price = { input = 0.25, cached_input = 0.03, output = 2.0 }
        max_tokens_field = "max_completion_tokens"
        system_role = "developer"
        no_usage = true
        connect_timeout = "1s"
        first_token_timeout = "2s"
        idle_timeout = "3s"
        [[assistant]]
        id = "old"
        replaced_by = "older"
        [[assistant]]
        id = "older"
        replaced_by = "fast"
        [[assistant]]
        id = "deep"
        url = "echo"
        plans = ["pro"]
        price = "reported"
        [[quota]]
        plan = "free"
        assistant = "old"
        period = "day"
        replies = 50
    "#;
    let catalog = parse(text, COMMON).unwrap();
    let ids = |plan| catalog.offered_to(plan).map(|profile| profile.id.as_str()).collect::<Vec<_>>();
    assert_eq!((ids("free"), ids("pro"), ids("other")), (vec!["fast"], vec!["fast", "deep"], vec![]));
    let fast = catalog.find("old").unwrap();
    assert_eq!((fast.id.as_str(), fast.name.as_str(), fast.context_tokens), ("fast", "Fast", 1000));
    assert_eq!(fast.settable.temperature.unwrap().default, Some(0.7));
    assert!(catalog.find_for("deep", "free").is_none() && catalog.find("none").is_none());
    assert_eq!(catalog.titles().unwrap().assistant_id, "fast");
    assert_eq!((catalog.currency(), catalog.ledger().quotas[0].assistant.as_deref()), ("EUR", Some("fast")));
    let choices: serde_json::Value = serde_json::from_str(&catalog.choices("free", None)).unwrap();
    assert_eq!(
        serde_json::to_value(&fast.settable).unwrap()["temperature"],
        serde_json::json!({ "minimum": 0.0, "maximum": 1.5, "default": 0.7 })
    );
    let fast = serde_json::json!({
        "id": "fast",
        "set": { "temperature": 0.7 },
        "settable": fast.settable,
        "terms": { "context": 1000, "input_price": 250.0, "output_price": 2000.0, "reported": false },
    });
    assert_eq!(choices, serde_json::json!({ "": fast, "fast": fast, "old": fast, "older": fast }));
    assert_eq!(catalog.choices("other", None), "{}");
}

#[test]
fn the_example_of_the_documentation_is_a_file() {
    let page = include_str!("../../../docs/assistants.md");
    let (_, rest) = page.split_once("```toml\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    // There is no key here.
    let example: Vec<&str> = example.lines().filter(|line| !line.starts_with("key_")).collect();
    let catalog = parse(&example.join("\n"), COMMON).unwrap();
    assert_eq!(catalog.offered_to("pro").count(), 2);
}

#[test]
fn what_is_wrong_is_one_clear_line() {
    for (text, said) in [
        ("default = ", "line 1"),
        ("", "missing field `default`"),
        ("default = \"a\"", "the default `a` is not among its assistants"),
        (&with("modle = \"x\""), "line 5: unknown field `modle`"),
        (&with("key = \"secret\""), "line 5: unknown field `key`"),
        (&with("price = { input = -1.0, output = 1.0 }"), "line 5: invalid value"),
        (&with("price = { input = inf, output = 1.0 }"), "line 5: invalid value"),
        (&with("price = { input = 1.0, output = nan }"), "line 5: invalid value"),
        (&with("price = \"free\""), "line 5: invalid value"),
        (
            &with("temperature = { minimum = 1.0, maximum = 0.5 }"),
            "`a`: `temperature`: from 1 to 0.5 is no range",
        ),
        (&with("temperature = { minimum = nan, maximum = 1.0 }"), "`temperature`: from NaN to 1 is no range"),
        (&with("temperature = { minimum = 0.0, maximum = inf }"), "`temperature`: from 0 to inf is no range"),
        (
            &with("top_p = { minimum = 0.0, maximum = 1.0, default = 2.0 }"),
            "its default 2 is not from 0 to 1",
        ),
        (&with("max_tokens = { minimum = 0, maximum = 5 }"), "`max_tokens`: from 0 to 5 is no range"),
        (&with("context_tokens = 0"), "`context_tokens` must be at least 1"),
        (&with("connect_timeout = \"soon\""), "line 5"),
        (&with("instructions = \"\""), "`instructions` must have 1 to 50 characters"),
        (&with("[[assistant]]\nid = \"a\"\nurl = \"echo\""), "the assistant `a` is there twice"),
        (&with("[[assistant]]\nid = \"A\"\nurl = \"echo\""), "the id `A` must have"),
        (&with("[[assistant]]\nid = \"0197b1d0-0000-7000-8000-000000000000\""), "be no UUID"),
        (
            &with("[[assistant]]\nid = \"b\"\nreplaced_by = \"c\""),
            "`b` is replaced by `c`, which is not there",
        ),
        (
            &with(
                "[[assistant]]\nid = \"b\"\nreplaced_by = \"c\"\n[[assistant]]\nid = \"c\"\nreplaced_by = \"b\"",
            ),
            "`b` is replaced by itself in the end",
        ),
        (&with("[[assistant]]\nid = \"b\"\nreplaced_by = \"b\""), "`b` is replaced by itself in the end"),
        (&with("[[assistant]]\nid = \"b\"\nreplaced_by = \"a\"\nmodel = \"m\""), "`b`: it is replaced"),
        (&with("[[assistant]]\nid = \"b\""), "`b`: it needs a `url`"),
        (&with("[[assistant]]\nid = \"b\"\nurl = \"https://h\""), "`b`: it needs a `model`"),
        (
            &with("[[assistant]]\nid = \"b\"\nurl = \"http://h.example\"\nmodel = \"m\""),
            "`b`: the assistant's URL is plain http",
        ),
        (
            &with(
                "[[assistant]]\nid = \"b\"\nurl = \"https://h\"\nmodel = \"m\"\nkey_env = \"NOT_SET_ANYWHERE\"",
            ),
            "`b`: the environment variable `NOT_SET_ANYWHERE`, its `key_env`, is not set",
        ),
        (&with("[[quota]]\nperiod = \"day\""), "a quota needs a limit"),
        (&with("[[quota]]\nperiod = \"day\"\nreplies = 1\nassistant = \"b\""), "quota, `b` is not among"),
        (&format!("titles = \"b\"\n{}", with("")), "the assistant for titles, `b` is not among"),
        (&format!("currency = \"dollars\"\n{}", with("")), "`currency` must be a code"),
    ] {
        let error = error(text);
        assert!(error.contains(said), "{text}: {error}");
        assert!(!error.contains('\n') && !error.contains("secret"), "{error}");
    }
}
