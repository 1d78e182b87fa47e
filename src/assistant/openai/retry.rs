//! How long to pause before another try.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{HeaderMap, HeaderName, RETRY_AFTER};

use crate::random::fraction;

/// The longest pause that is not asked for by the provider.
const MAX_DELAY: Duration = Duration::from_secs(30);

/// The pause that an answer asks for: `retry-after-ms`, or `Retry-After` in seconds or as a date.
pub(super) fn asked(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = |name: HeaderName| headers.get(name)?.to_str().ok().map(str::trim);
    if let Some(milliseconds) =
        text(HeaderName::from_static("retry-after-ms")).and_then(|text| text.parse().ok())
        && let Ok(pause) = Duration::try_from_secs_f64(f64::max(milliseconds, 0.0) / 1000.0)
    {
        return Some(pause);
    }
    let after = text(RETRY_AFTER)?;
    if let Ok(seconds) = after.parse() {
        return Duration::try_from_secs_f64(f64::max(seconds, 0.0)).ok();
    }
    let date = DateTime::parse_from_rfc2822(after).ok()?;
    Some((date.to_utc() - now).to_std().unwrap_or_default())
}

/// The pause before retry number `retry`, counted from 0: `delay`, doubled each time, less up to a half at random
/// so that many replies that failed together do not come back together.
pub(super) fn delay(delay: Duration, retry: u32) -> Duration {
    let longest = delay.saturating_mul(1 << retry.min(16)).min(MAX_DELAY);
    longest.mul_f64(1.0 - fraction() / 2.0)
}

/// A pause that was asked for, and up to a tenth more, for the same reason.
pub(super) fn spread(asked: Duration) -> Duration {
    asked.mul_f64(1.0 + fraction() / 10.0)
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    #[test]
    fn the_pause_asked_for_is_read_in_each_of_its_forms() {
        let now = Utc.with_ymd_and_hms(2026, 1, 2, 3, 4, 5).unwrap();
        for (headers, expected) in [
            (&[("retry-after", "2")][..], Some(2000)),
            (&[("retry-after", " 0.5 ")], Some(500)),
            (&[("retry-after", "-1")], Some(0)),
            (&[("retry-after", "Fri, 02 Jan 2026 03:04:35 GMT")], Some(30_000)),
            (&[("retry-after", "Fri, 02 Jan 2026 03:04:00 GMT")], Some(0)),
            (&[("retry-after-ms", "250"), ("retry-after", "9")], Some(250)),
            (&[("retry-after-ms", "soon"), ("retry-after", "9")], Some(9000)),
            (&[("retry-after", "later")], None),
            (&[("retry-after", "inf")], None),
            (&[("retry-after", "1e300")], None),
            (&[], None),
        ] {
            let map = headers
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), value.parse().expect("value")));
            assert_eq!(asked(&map.collect(), now), expected.map(Duration::from_millis), "{headers:?}");
        }
    }

    #[test]
    fn pauses_double_up_to_a_limit_and_are_shortened_by_up_to_half() {
        for (retry, longest) in [(0, 1), (1, 2), (3, 8), (5, 30), (u32::MAX, 30)] {
            let pause = delay(Duration::from_secs(1), retry);
            let longest = Duration::from_secs(longest);
            assert!(pause >= longest / 2 && pause <= longest, "{retry}: {pause:?}");
        }
        assert_eq!(delay(Duration::MAX, 3).max(MAX_DELAY), MAX_DELAY);
        assert!(spread(MAX_DELAY) >= MAX_DELAY);
    }
}
