//! How a run goes.

/// How a run goes.
pub(super) struct Settings {
    /// How long the attack takes.
    pub(super) seconds: u64,
    pub(super) sqlite: bool,
    /// The names of the only attacks, between commas, if not all of them are made.
    pub(super) only: Option<String>,
    /// How many times what it was the 99th percentile of the others may be.
    pub(super) ratio: u32,
}

impl Settings {
    /// Reads `--seconds 120`, `--sqlite`, `--only "token storms,snippets"` and `--ratio 2`.
    ///
    /// # Errors
    /// A sentence for whoever started it.
    pub(super) fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut settings = Self { seconds: 120, sqlite: false, only: None, ratio: 2 };
        while let Some(flag) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{flag} has no value"));
            let number = |text: String| -> Result<u32, String> {
                text.parse().map_err(|_| format!("{flag}: {text} is no number"))
            };
            match flag.as_str() {
                "--sqlite" => settings.sqlite = true,
                "--only" => settings.only = Some(value()?),
                "--seconds" => settings.seconds = number(value()?)?.into(),
                "--ratio" => settings.ratio = number(value()?)?,
                _ => {
                    return Err(format!(
                        "{flag} is not known: there are --seconds, --sqlite, --only, --ratio"
                    ));
                }
            }
        }
        Ok(settings)
    }
}
