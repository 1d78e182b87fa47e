//! What the options of all parts have in common: how values are read, and where defaults come from.
//!
//! Each part declares its options once, on the struct that it reads them from: the flag, its environment variable, its
//! default, its bounds and its documentation. [`config`](crate::config) puts them together.

use std::fs;
use std::ops::RangeBounds;
use std::path::Path;
use std::time::Duration;

use clap::builder::{Resettable, TypedValueParser};
use clap::{Args, Command, value_parser};

/// The defaults of `T`, as its flags declare them; the environment is left out.
#[expect(clippy::expect_used, reason = "a test of each command line reads the same defaults")]
pub(crate) fn defaults<T: Args>() -> T {
    parse(&[]).expect("no option is required, and each default is valid")
}

/// Reads flags of `T` alone; the environment is left out.
pub(crate) fn parse<T: Args>(arguments: &[&str]) -> Result<T, clap::Error> {
    let command = T::augment_args(Command::new("options").no_binary_name(true));
    let command = command.mut_args(|arg| arg.env(Resettable::Reset));
    T::from_arg_matches(&command.try_get_matches_from(arguments)?)
}

/// Reads a whole number of `range`.
pub(crate) fn size(range: impl RangeBounds<i64>) -> impl TypedValueParser<Value = usize> {
    value_parser!(u32).range(range).map(|number| number as usize)
}

/// Reads a whole number of days of `range`.
pub(crate) fn days(range: impl RangeBounds<i64>) -> impl TypedValueParser<Value = Duration> {
    value_parser!(u32).range(range).map(|days| Duration::from_hours(24) * days)
}

/// Reads a duration of at least `minimum`.
pub(crate) fn at_least(minimum: Duration) -> impl Fn(&str) -> Result<Duration, String> + Clone {
    move |text| {
        let duration = humantime::parse_duration(text).map_err(|error| error.to_string())?;
        if duration < minimum {
            return Err(format!("it must be at least {}", humantime::format_duration(minimum)));
        }
        Ok(duration)
    }
}

/// Reads the secret in the file that `flag` names; the line break at its end is not part of it.
///
/// # Errors
/// A sentence for the operator, with the names of the flag and the file and nothing of what is in it.
pub(crate) fn read_secret<T>(
    flag: &str,
    path: &Path,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Result<T, String> {
    let text = fs::read_to_string(path).map_err(|error| error.to_string());
    let secret = text.and_then(|text| match text.trim_end_matches(['\n', '\r']) {
        "" => Err("it is empty".to_owned()),
        secret => parse(secret),
    });
    secret.map_err(|error| format!("{flag}: {}: {error}", path.display()))
}
