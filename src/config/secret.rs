//! Secrets that are kept in files.

use std::path::Path;

/// What is in a file, without the line break at its end.
///
/// # Errors
/// A sentence for the operator, with the file's name and nothing of what is in it.
pub(super) fn read(path: &Path) -> Result<String, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let text = text.trim_end_matches(['\n', '\r']);
    if text.is_empty() {
        return Err(format!("{}: it is empty", path.display()));
    }
    Ok(text.to_owned())
}
