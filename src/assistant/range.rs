//! What a parameter may be set to.

use std::fmt::Display;

use serde::{Deserialize, Serialize};

/// From where to where a parameter may be set, and what it is unless it is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Range<T> {
    /// The lowest value.
    pub minimum: T,
    /// The highest value.
    pub maximum: T,
    /// What is sent unless the user sets it; without it nothing is, and the model decides.
    pub default: Option<T>,
}

impl<T: Copy + Display + PartialOrd> Range<T> {
    /// Whether `value` is within it.
    pub(super) fn contains(&self, value: T) -> bool {
        self.minimum <= value && value <= self.maximum
    }

    /// Checks that it is one, from `least` on.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub(super) fn check(&self, least: T) -> Result<(), String> {
        let Self { minimum, maximum, default } = self;
        // A number that is none is neither less nor more.
        if !(least <= *minimum && minimum <= maximum) || format!("{maximum}") == "inf" {
            return Err(format!("from {minimum} to {maximum} is no range of numbers from {least} on"));
        }
        match default.filter(|default| !self.contains(*default)) {
            Some(default) => Err(format!("its default {default} is not from {minimum} to {maximum}")),
            None => Ok(()),
        }
    }
}
