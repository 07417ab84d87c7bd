//! Small things as people type them: members' names, spans of time, sizes.

use super::flags::{POSTS_PER_MINUTE_MAX, POSTS_PER_MINUTE_MIN};
use ribbit_state::limits::LEASE_MS_MAX;
use ribbit_state::{MemberName, TreePath};
use std::time::Duration;

/// The shortest lease that one can hold with an ordinary machine.
const LEASE_MIN: Duration = Duration::from_secs(2);

/// `backend-2`, `coordinator-1`; in another cluster than the home `backend-2@3`.
///
/// # Errors
/// What is wrong, for people.
pub fn member(text: &str) -> Result<MemberName, String> {
    text.parse().map_err(|()| "expected a member's name, like backend-2 or coordinator-1".to_string())
}

/// A span between the shortest and the longest heartbeat: `250ms`, `1s`.
///
/// # Errors
/// What is wrong, for people.
pub fn heartbeat(text: &str) -> Result<Duration, String> {
    let thousandths =
        text.strip_suffix("ms").and_then(|digits| digits.parse().ok()).map(Duration::from_millis);
    match thousandths.map_or_else(|| span(text), Ok)? {
        time if (Duration::from_millis(100)..=Duration::from_secs(60)).contains(&time) => Ok(time),
        _ => Err("expected between 100ms and 60s".to_string()),
    }
}

/// Seconds, or with a unit: `10`, `10s`, `2m`, `1h`.
///
/// # Errors
/// What is wrong, for people.
pub fn span(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let seconds = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3_600,
        _ => 0,
    };
    // `parse` would take a sign.
    let plain = seconds > 0 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = plain.then(|| digits.parse::<u64>().ok()?.checked_mul(seconds)).flatten();
    let expected = || "expected a span of time, like 10s or 2m".to_string();
    number.map(Duration::from_secs).ok_or_else(expected)
}

/// A lease that an election and a busy board leave time for: `2s` to `5m`.
///
/// # Errors
/// What is wrong, for people.
pub fn lease(text: &str) -> Result<Duration, String> {
    match span(text)? {
        time if (LEASE_MIN..=Duration::from_millis(LEASE_MS_MAX.into())).contains(&time) => Ok(time),
        _ => Err("expected between 2s and 5m".to_string()),
    }
}

/// A path of the lock namespace: `/jobs/backup`.
///
/// # Errors
/// What is wrong, for people.
pub fn place(text: &str) -> Result<TreePath, String> {
    match text.parse::<TreePath>() {
        Err(_) if !text.starts_with('/') => Err(format!("a path begins with a slash, like /{text}")),
        Err(denied) => Err(denied.code.words().to_string()),
        Ok(path) => Ok(path),
    }
}

/// A machine's name, as browsers write it: `frogs.example.org`.
///
/// # Errors
/// What is wrong, for people.
pub fn host(text: &str) -> Result<String, String> {
    let sound = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    match text.split('.').all(sound) {
        true => Ok(text.to_string()),
        false => Err("expected a name without a port, like frogs.example.org".to_string()),
    }
}

/// A name, or an address, as a certificate has it.
///
/// # Errors
/// What is wrong, for people.
pub fn host_or_address(text: &str) -> Result<String, String> {
    match text.parse::<std::net::IpAddr>() {
        Ok(address) => Ok(address.to_string()),
        Err(_) => host(text).map_err(|_| "expected a name or an address, without a port".to_string()),
    }
}

/// Where people can be written to, as `security.txt` says it.
///
/// # Errors
/// What is wrong, for people.
pub fn contact(text: &str) -> Result<String, String> {
    let rest = ["mailto:", "https://", "tel:"].into_iter().find_map(|scheme| text.strip_prefix(scheme));
    match rest.filter(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_graphic())) {
        Some(_) => Ok(text.to_string()),
        None => Err("expected mailto:somebody@example.org, https://… or tel:…".to_string()),
    }
}

/// Bytes, plainly or with a unit: `1048576`, `500MB` (a thousand thousand), `2GiB` (1024 times 1024 times 1024).
///
/// # Errors
/// What is wrong, for people.
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
    number.ok_or_else(|| "expected a number of bytes, like 500MB or 2GiB".to_string())
}

/// As [`size`], and no less than an empty store takes.
///
/// # Errors
/// What is wrong, for people.
pub fn disk_quota(text: &str) -> Result<u64, String> {
    match size(text)? {
        size if size >= 1 << 16 => Ok(size),
        _ => Err("expected at least 64KiB".to_string()),
    }
}

/// As [`span`], within the bounds between which a silent voter may be replaced: sooner, a hiccup would cost a seat;
/// later, it loses its seat anyway.
///
/// # Errors
/// What is wrong, for people.
pub fn evict_after(text: &str) -> Result<Duration, String> {
    let (min, max) = (Duration::from_secs(1), Duration::from_secs(600));
    match span(text)? {
        span if (min..=max).contains(&span) => Ok(span),
        _ => Err("expected 1s to 10m".to_string()),
    }
}

/// 0, or enough that nobody waits longer than a refusal says.
///
/// # Errors
/// What is wrong, for people.
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
    use ribbit_state::{HOME, Role};

    #[test]
    fn names_of_members() {
        let backend = MemberName { role: Role::Backend, site: HOME, id: 2 };
        assert_eq!((member("backend-2"), backend.to_string().as_str()), (Ok(backend), "backend-2"));
        assert_eq!(member("coordinator-17"), Ok(MemberName { role: Role::Coordinator, site: HOME, id: 17 }));
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
        assert!(place("jobs").is_err_and(|words| words.contains("/jobs")) && place("/a/..").is_err());
        assert!(evict_after("1s").is_ok() && evict_after("10m").is_ok());
        assert!(evict_after("0").is_err() && evict_after("11m").is_err());
    }
}
