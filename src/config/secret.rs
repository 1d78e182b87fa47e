//! Secrets that are kept in files.

use std::path::Path;

/// What is in the file that `flag` names, without the line break at its end, read by `parse`.
///
/// # Errors
/// A sentence for the operator, with the names of the flag and the file and nothing of what is in it.
pub(super) fn read<T>(
    flag: &str,
    path: &Path,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Result<T, String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string());
    let parsed = text.and_then(|text| match text.trim_end_matches(['\n', '\r']) {
        "" => Err("it is empty".to_owned()),
        text => parse(text),
    });
    parsed.map_err(|error| format!("{flag}: {}: {error}", path.display()))
}
