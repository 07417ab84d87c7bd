//! Times in tags: `2026-11-30T15:04:05.123Z`.

use time::{Date, Month, OffsetDateTime, Time};

/// Latest time that has this form, 9999-12-31T23:59:59.999Z.
const LATEST_MS: u64 = 253_402_300_799_999;

/// Returns a wall-clock time in milliseconds since 1970 as tags have it. Later times than `LATEST_MS` are shown as that.
pub fn format(wall_ms: u64) -> String {
    let nanos = i128::from(wall_ms.min(LATEST_MS)) * 1_000_000;
    let at = OffsetDateTime::from_unix_timestamp_nanos(nanos).expect("a time of four digits");
    let (hour, minute, second, milli) = at.time().as_hms_milli();
    let (year, month, day) = (at.year(), u8::from(at.month()), at.day());
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

/// Parses a time of a tag, with or without a fraction of the second. `None` if it is malformed or before 1970.
pub fn parse(text: &str) -> Option<u64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let mut date = date.splitn(3, '-');
    let mut next = |digits: usize| number(date.next()?, digits);
    let (year, month, day) = (next(4)?, next(2)?, next(2)?);
    let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
    let date = Date::from_calendar_date(i32::try_from(year).ok()?, month, u8::try_from(day).ok()?).ok()?;
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let mut time = time.splitn(3, ':');
    let mut next = || u8::try_from(number(time.next()?, 2)?).ok();
    // A leap second counts as the one before it.
    let time = Time::from_hms(next()?, next()?, next()?.min(59)).ok()?;
    let thousandths: String = fraction.chars().chain("00".chars()).take(3).collect();
    let millis = number(&thousandths, 3)?;
    let seconds = u64::try_from(date.with_time(time).assume_utc().unix_timestamp()).ok()?;
    seconds.checked_mul(1_000)?.checked_add(u64::from(millis))
}

/// Parses a number of exactly this many digits.
fn number(text: &str, digits: usize) -> Option<u32> {
    let fits = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    fits.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_go_both_ways() {
        for (wall_ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_796_051_045_123, "2026-11-30T15:04:05.123Z"),
            (951_782_400_007, "2000-02-29T00:00:00.007Z"),
        ] {
            assert_eq!((format(wall_ms).as_str(), parse(text)), (text, Some(wall_ms)));
        }
        assert_eq!(format(u64::MAX), "9999-12-31T23:59:59.999Z");
        assert_eq!(parse("2000-02-29T00:00:00Z"), Some(951_782_400_000));
        assert_eq!(parse("2000-02-29T00:00:00.5Z"), Some(951_782_400_500));
        for wrong in
            ["", "Z", "2000-02-30T00:00:00Z", "2000-02-29", "2000-2-29T0:0:0Z", "1969-12-31T23:59:59Z"]
        {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
