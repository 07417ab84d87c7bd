//! Wall-clock times for display, in UTC. Reads no clock.

use time::OffsetDateTime;

/// Earliest time that is shown, 2020-01-01T00:00:00Z: a board without a battery starts in 1970 until its clock is set.
const KNOWN_FROM_MS: u64 = 1_577_836_800_000;
/// Latest time that is shown, 9999-12-31T23:59:59Z: later years do not fit the format.
const KNOWN_TO_MS: u64 = 253_402_300_799_999;

/// A time in both forms that `<time>` needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisplayTime {
    /// `2026-07-01T09:05:00Z`
    pub machine: String,
    /// `2026-07-01 09:05 UTC`
    pub people: String,
}

impl DisplayTime {
    /// Returns the time of day: `09:05 UTC`.
    pub fn of_day(&self) -> &str {
        self.people.split_once(' ').map_or("", |(_, of_day)| of_day)
    }
}

/// A time as a page shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelativeTime {
    pub at: DisplayTime,
    /// `3 minutes ago`; `None` if the clocks of the recording and the displaying server disagree.
    pub ago: Option<String>,
}

/// Returns a time and how long before `now_ms` it was. `None` if the clock that recorded it was not set.
pub fn when(wall_ms: u64, now_ms: u64) -> Option<RelativeTime> {
    let at = shown(wall_ms)?;
    Some(RelativeTime { at, ago: ago(wall_ms, now_ms) })
}

/// Maximum difference between two clocks in milliseconds; beyond it they disagree.
const AHEAD_MS_MAX: u64 = 60_000;
/// Units with their lengths in seconds. `script/times.js` has the same table.
const UNITS: [(u64, &str); 5] =
    [(365 * 86_400, "year"), (30 * 86_400, "month"), (86_400, "day"), (3_600, "hour"), (60, "minute")];

/// Returns how long before `now_ms` a time was. `None` if one of the clocks was not set, or the two disagree.
pub fn ago(wall_ms: u64, now_ms: u64) -> Option<String> {
    let known = KNOWN_FROM_MS..=KNOWN_TO_MS;
    if !known.contains(&wall_ms) || now_ms < KNOWN_FROM_MS || wall_ms > now_ms + AHEAD_MS_MAX {
        return None;
    }
    Some(seconds_ago(now_ms.saturating_sub(wall_ms) / 1000))
}

/// Returns a time that was this many seconds ago, in words: `3 minutes ago`.
pub(crate) fn seconds_ago(seconds: u64) -> String {
    let Some((unit, name)) = UNITS.iter().find(|(unit, _)| seconds >= *unit) else {
        return "just now".to_string();
    };
    let count = seconds / unit;
    format!("{count} {name}{} ago", if count == 1 { "" } else { "s" })
}

/// Returns the time `wall_ms` milliseconds after 1970. `None` if the clock that recorded it was not set.
pub fn shown(wall_ms: u64) -> Option<DisplayTime> {
    if !(KNOWN_FROM_MS..=KNOWN_TO_MS).contains(&wall_ms) {
        return None;
    }
    let at = OffsetDateTime::from_unix_timestamp(i64::try_from(wall_ms / 1000).ok()?).ok()?;
    let (year, month, day) = (at.year(), u8::from(at.month()), at.day());
    let (hour, minute, second) = at.to_hms();
    Some(DisplayTime {
        machine: format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"),
        people: format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02} UTC"),
    })
}

/// Returns the day in UTC: `2024-02-29`. `None` if the clock that recorded it was not set.
pub fn date(wall_ms: u64) -> Option<String> {
    shown(wall_ms).map(|shown| shown.machine.chars().take("2024-02-29".len()).collect())
}

/// Returns a time in UTC as Chirper shows it: `Nov 9 2026: 7:13 pm`. Empty if the clock that recorded it was not set.
pub fn twelve_hour(wall_ms: u64) -> String {
    let known = shown(wall_ms).and_then(|_| i64::try_from(wall_ms / 1000).ok());
    let Some(Ok(at)) = known.map(OffsetDateTime::from_unix_timestamp) else { return String::new() };
    let month: String = at.month().to_string().chars().take(3).collect();
    let (hour, half) = (at.hour() % 12, if at.hour() < 12 { "am" } else { "pm" });
    let hour = if hour == 0 { 12 } else { hour };
    format!("{month} {} {}: {hour}:{:02} {half}", at.day(), at.year(), at.minute())
}

/// Returns the day in UTC in words: `29 February 2024`. `None` if the clock that recorded it was not set.
pub fn day(wall_ms: u64) -> Option<String> {
    shown(wall_ms)?;
    let at = OffsetDateTime::from_unix_timestamp(i64::try_from(wall_ms / 1000).ok()?).ok()?;
    Some(format!("{} {} {}", at.day(), at.month(), at.year()))
}

/// Returns how many days before `now_ms` a time was, in words: `today`, `3 days ago`. `None` if the clock that recorded it
/// was not set. Days are those of UTC.
pub fn day_ago(wall_ms: u64, now_ms: u64) -> Option<String> {
    const DAY_MS: u64 = 24 * 3_600 * 1_000;
    let day = day(wall_ms)?;
    Some(match (now_ms / DAY_MS).checked_sub(wall_ms / DAY_MS) {
        Some(0) => "today".to_string(),
        Some(1) => "yesterday".to_string(),
        Some(days) if days <= 30 => format!("{days} days ago"),
        _ => format!("on {day}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_become_dates() {
        let day = |days: u64| shown(days * 86_400_000).unwrap().people;
        assert_eq!(day(19_782), "2024-02-29 00:00 UTC");
        assert_eq!(day(20_454), "2026-01-01 00:00 UTC");
        assert_eq!(day(29_220), "2050-01-01 00:00 UTC");
        let shown = shown(1_709_251_199_999).unwrap();
        assert_eq!(shown.machine, "2024-02-29T23:59:59Z");
        assert_eq!(shown.people, "2024-02-29 23:59 UTC");
    }

    #[test]
    fn chirper_counts_hours_to_twelve() {
        assert_eq!(twelve_hour(1_794_251_580_000), "Nov 9 2026: 7:13 pm");
        assert_eq!(twelve_hour(1_794_182_400_000 + 59_999), "Nov 9 2026: 12:00 am");
        assert_eq!(twelve_hour(1_794_182_400_000 + 12 * 3_600_000), "Nov 9 2026: 12:00 pm");
        assert_eq!(twelve_hour(0), "");
        assert_eq!(twelve_hour(u64::MAX), "");
    }

    #[test]
    fn the_time_since_is_told_in_the_largest_unit() {
        let now_ms = KNOWN_FROM_MS + 800 * 86_400_000;
        let ago = |seconds: u64| when(now_ms - seconds * 1000, now_ms).unwrap().ago.unwrap();
        let words =
            [0, 59, 60, 119, 120, 3_599, 7_200, 86_400, 29 * 86_400, 60 * 86_400, 730 * 86_400].map(ago);
        let expected = "just now|just now|1 minute ago|1 minute ago|2 minutes ago|59 minutes ago|2 hours ago|1 day ago|\
                        29 days ago|2 months ago|2 years ago";
        assert_eq!(words.join("|"), expected);
    }

    #[test]
    fn days_since_are_counted_in_utc() {
        const DAY_MS: u64 = 24 * 3_600 * 1_000;
        let now_ms = KNOWN_FROM_MS + 100 * DAY_MS + 1;
        let ago = |days: u64| day_ago(now_ms - days * DAY_MS, now_ms).unwrap();
        assert_eq!([0, 1, 2, 30].map(ago), ["today", "yesterday", "2 days ago", "30 days ago"]);
        assert_eq!(ago(100), "on 1 January 2020");
        assert_eq!(day_ago(now_ms - 2, now_ms).unwrap(), "yesterday");
        assert_eq!(day_ago(now_ms, 0).unwrap(), "on 10 April 2020", "a reader without a clock");
        assert_eq!(day_ago(0, now_ms), None);
    }

    #[test]
    fn the_time_since_is_not_shown_if_clocks_disagree() {
        let at_ms = KNOWN_FROM_MS + 86_400_000;
        assert_eq!(when(at_ms, 0).unwrap().ago, None, "a reader without a clock");
        assert_eq!(when(at_ms, at_ms - 30_000).unwrap().ago.as_deref(), Some("just now"));
        assert_eq!(when(at_ms, at_ms - 61_000).unwrap().ago, None);
        assert_eq!(when(0, at_ms), None);
    }

    #[test]
    fn a_time_from_a_clock_that_was_not_set_is_not_shown() {
        assert_eq!(shown(0), None);
        assert_eq!(shown(KNOWN_FROM_MS - 1), None);
        assert!(shown(KNOWN_FROM_MS).is_some());
        assert!(shown(KNOWN_TO_MS).unwrap().machine.starts_with("9999-12-31"));
        assert_eq!(shown(u64::MAX), None);
    }
}
