//! The assistants that the servers offer, from which devices choose.

use std::path::Path;

/// The file of one server. In that of the first one, `fast` has replaced `old`, as during a rolling update.
fn file(url: &str, place: usize, limit: i64) -> String {
    let old = if place == 0 {
        "replaced_by = \"fast\"".to_owned()
    } else {
        format!("url = \"{url}\"\nmodel = \"old\"\nprice = {{ input = 2.0, output = 20.0 }}")
    };
    format!(
        r#"
default = "fast"
titles = "fast"
[[assistant]]
id = "fast"
url = "{url}"
model = "fast"
price = {{ input = 1.0, output = 10.0 }}
[[assistant]]
id = "slow"
url = "{url}"
model = "slow"
price = "reported"
[[assistant]]
id = "old"
{old}
[[quota]]
assistant = "slow"
period = "day"
replies = {limit}
[[quota]]
period = "month"
cost = 1000000.0
"#
    )
}

/// The ids that devices choose from.
pub const IDS: [&str; 3] = ["fast", "slow", "old"];

/// How many replies of `slow` a user may have on a day of a run of so many seconds: fewer than are asked for.
pub fn limit(seconds: u64) -> i64 {
    i64::try_from(3 + seconds / 8).unwrap_or(i64::MAX)
}

/// Writes a file for each of `servers`. Returns its path, in which `{place}` stands for the server's number.
///
/// # Errors
/// If one cannot be written.
pub fn write(directory: &Path, url: &str, servers: usize, seconds: u64) -> Result<String, String> {
    let path = directory.join("assistants-{place}.toml").display().to_string();
    for place in 0..servers {
        let text = file(url, place, limit(seconds));
        let own = path.replace("{place}", &place.to_string());
        std::fs::write(&own, text).map_err(|error| format!("{own}: {error}"))?;
    }
    Ok(path)
}

/// What the provider says that an answer has cost, if it does.
pub fn reported_cost(model: &str, input: i64, output: i64) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "the numbers are small")]
    let units = |billionths: i64| billionths as f64 / 1e9;
    (model == "slow").then(|| units(input * 3000 + output * 7000))
}

/// What tokens cost, in billionths, when `model` is asked.
pub fn cost(model: &str, input: i64, output: i64) -> i64 {
    match model {
        "slow" => input * 3000 + output * 7000,
        "old" => input * 2000 + output * 20_000,
        _ => input * 1000 + output * 10_000,
    }
}

/// The models that answer for an assistant.
pub fn models(assistant: &str) -> &'static [&'static str] {
    match assistant {
        "fast" => &["fast"],
        "slow" => &["slow"],
        "old" => &["old", "fast"],
        _ => &[],
    }
}
