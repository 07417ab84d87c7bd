//! Parsers of single flag values: member names, times, sizes, paths, host names.
//!
//! The error of every parser is a sentence for the user; clap prints it behind the flag and the value.

use crate::common::defaults::{POSTS_PER_MINUTE_MAX, POSTS_PER_MINUTE_MIN};
use ribbit_state::limits::LEASE_MS_MAX;
use ribbit_state::{MemberName, TreePath};
use std::time::Duration;

/// Shortest lease that an ordinary machine can renew in time.
const LEASE_MIN: Duration = Duration::from_secs(2);

/// Parses a member's name: `backend-2`, `coordinator-1`; outside the home region with its number, `backend-2@3`.
///
/// # Errors
/// A message if the text is not a member's name.
pub fn member(text: &str) -> Result<MemberName, String> {
    text.parse().map_err(|()| "expected a member's name, such as backend-2 or coordinator-1".to_string())
}

/// Parses a heartbeat interval between 100 ms and 60 s: `250ms`, `1s`.
///
/// # Errors
/// A message if the text is not a time, or out of range.
pub fn heartbeat(text: &str) -> Result<Duration, String> {
    let millis = text.strip_suffix("ms").and_then(|digits| digits.parse().ok()).map(Duration::from_millis);
    match millis.map_or_else(|| span(text), Ok)? {
        time if (Duration::from_millis(100)..=Duration::from_secs(60)).contains(&time) => Ok(time),
        _ => Err("expected between 100ms and 60s".to_string()),
    }
}

/// Parses a time in seconds, or with a unit: `10`, `10s`, `2m`, `1h`.
///
/// # Errors
/// A message if the text is not a whole number with one of these units.
pub fn span(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let seconds = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3_600,
        _ => 0,
    };
    // `parse` would accept a sign.
    let plain = seconds > 0 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = plain.then(|| digits.parse::<u64>().ok()?.checked_mul(seconds)).flatten();
    let expected = || "expected a time, such as 10s or 2m".to_string();
    number.map(Duration::from_secs).ok_or_else(expected)
}

/// Parses an interval between 1 s and a day.
///
/// # Errors
/// A message if the text is not a time, or out of range.
pub fn every(text: &str) -> Result<Duration, String> {
    match span(text)? {
        time if (1..=24 * 3_600).contains(&time.as_secs()) => Ok(time),
        _ => Err("expected between 1s and 24h".to_string()),
    }
}

/// Parses a lease, `2s` to `5m`: long enough for an election and a busy machine.
///
/// # Errors
/// A message if the text is not a time, or out of range.
pub fn lease(text: &str) -> Result<Duration, String> {
    match span(text)? {
        time if (LEASE_MIN..=Duration::from_millis(LEASE_MS_MAX.into())).contains(&time) => Ok(time),
        _ => Err("expected between 2s and 5m".to_string()),
    }
}

/// Parses a path of the lock namespace: `/jobs/backup`.
///
/// # Errors
/// A message if the path is relative or malformed.
pub fn tree_path(text: &str) -> Result<TreePath, String> {
    match text.parse::<TreePath>() {
        Err(_) if !text.starts_with('/') => Err(format!("a path starts with a slash: /{text}")),
        Err(denied) => Err(denied.code.text().to_string()),
        Ok(path) => Ok(path),
    }
}

/// Parses a host name as browsers send it: `frogs.example.org`.
///
/// # Errors
/// A message if a label is empty or has other characters than letters, digits, `-` and `_`.
pub fn host(text: &str) -> Result<String, String> {
    let valid = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    match text.split('.').all(valid) {
        true => Ok(text.to_string()),
        false => Err("expected a host name without a port, such as frogs.example.org".to_string()),
    }
}

/// Parses a host name or an IP address for a certificate.
///
/// # Errors
/// A message if the text is neither.
pub fn host_or_address(text: &str) -> Result<String, String> {
    match text.parse::<std::net::IpAddr>() {
        Ok(address) => Ok(address.to_string()),
        Err(_) => host(text).map_err(|_| "expected a host name or an IP address, without a port".to_string()),
    }
}

/// Parses the contact of `security.txt`: a `mailto:`, `https://` or `tel:` URI.
///
/// # Errors
/// A message if the text is not such a URI in ASCII.
pub fn contact(text: &str) -> Result<String, String> {
    let rest = ["mailto:", "https://", "tel:"].into_iter().find_map(|scheme| text.strip_prefix(scheme));
    match rest.filter(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_graphic())) {
        Some(_) => Ok(text.to_string()),
        None => Err("expected mailto:security@example.org, https://… or tel:…".to_string()),
    }
}

/// Parses a number of bytes, plain or with a decimal or binary unit: `1048576`, `500MB`, `2GiB`.
///
/// # Errors
/// A message if the text is not a whole number with one of these units.
pub fn size(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit: u64 = match &text[digits.len()..] {
        "" | "B" => 1,
        "kB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "TB" => 1_000_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => 0,
    };
    let plain = unit > 0 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = plain.then(|| digits.parse::<u64>().ok()?.checked_mul(unit)).flatten();
    number.ok_or_else(|| "expected a size, such as 500MB or 2GiB".to_string())
}

/// Parses a [`size`] of at least 64 KiB, which an empty store needs.
///
/// # Errors
/// A message if the text is not a size, or too small.
pub fn disk_quota(text: &str) -> Result<u64, String> {
    match size(text)? {
        size if size >= 1 << 16 => Ok(size),
        _ => Err("expected at least 64KiB".to_string()),
    }
}

/// Parses the silence after which a voter may be replaced, `1s` to `10m`. A shorter time would cost a voter its seat for
/// a hiccup; after a longer one it loses its seat anyway.
///
/// # Errors
/// A message if the text is not a time, or out of range.
pub fn evict_after(text: &str) -> Result<Duration, String> {
    let (min, max) = (Duration::from_secs(1), Duration::from_secs(600));
    match span(text)? {
        span if (min..=max).contains(&span) => Ok(span),
        _ => Err("expected between 1s and 10m".to_string()),
    }
}

/// Parses a rate limit: 0, or at least [`POSTS_PER_MINUTE_MIN`], so that no client waits longer than a refusal says.
///
/// # Errors
/// A message if the text is not such a number.
pub fn posts_per_minute(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(0) => Ok(0),
        Ok(number) if (POSTS_PER_MINUTE_MIN..=POSTS_PER_MINUTE_MAX).contains(&number) => Ok(number),
        _ => Err(format!("expected 0, or {POSTS_PER_MINUTE_MIN} to {POSTS_PER_MINUTE_MAX}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ribbit_state::{HOME_REGION, Role};

    #[test]
    fn names_of_members() {
        let backend = MemberName { role: Role::Backend, region: HOME_REGION, id: 2 };
        assert_eq!((member("backend-2"), backend.to_string().as_str()), (Ok(backend), "backend-2"));
        assert_eq!(
            member("coordinator-17"),
            Ok(MemberName { role: Role::Coordinator, region: HOME_REGION, id: 17 })
        );
        for wrong in
            ["", "2", "backend", "backend-", "backend-x", "backend-+2", "backend-02", "frog-1", "Backend-2"]
        {
            assert!(member(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn sizes() {
        let known = ["7", "7B", "2kB", "500MB", "1TB", "1KiB", "2GiB"].map(|text| size(text).unwrap());
        assert_eq!(known, [7, 7, 2_000, 500_000_000, 1_000_000_000_000, 1_024, 2 << 30]);
        for wrong in ["", "GB", "-1", "+1MB", "1.5GB", "2 GiB", "2gb", "2G", "99999999999999GiB"] {
            assert!(size(wrong).is_err(), "{wrong:?}");
        }
        assert!(disk_quota("64KiB").is_ok() && disk_quota("64kB").is_err());
    }

    #[test]
    fn spans_of_time() {
        let seconds = |text: &str| span(text).map(|span| span.as_secs());
        assert_eq!(
            [seconds("10"), seconds("10s"), seconds("2m"), seconds("1h")],
            [10, 10, 120, 3_600].map(Ok)
        );
        for wrong in [
            "",
            "s",
            "-1",
            "+1",
            "1.5s",
            "10 s",
            "10ms",
            "10d",
            "99999999999999999999",
            "9999999999999999999h",
        ] {
            assert!(span(wrong).is_err(), "{wrong:?}");
        }
        assert!(lease("1s").is_err() && lease("2s").is_ok() && lease("5m").is_ok() && lease("301").is_err());
        assert!(tree_path("jobs").is_err_and(|words| words.contains("/jobs")) && tree_path("/a/..").is_err());
        assert!(evict_after("1s").is_ok() && evict_after("10m").is_ok());
        assert!(evict_after("0").is_err() && evict_after("11m").is_err());
    }

    #[test]
    fn the_default_of_evict_after_is_that_of_the_replica() {
        use crate::common::defaults::EVICT_AFTER;
        use ribbit_replica::limits::{EVICT_TICKS, TICK_MS};
        assert_eq!(evict_after(EVICT_AFTER), Ok(Duration::from_millis(EVICT_TICKS * TICK_MS)));
    }
}
