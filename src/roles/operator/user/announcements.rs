//! `user announce`, `announcements` and `withdraw`: announcements of operators.

use super::Operator;
use crate::client::arguments::OutputArgs;
use crate::client::session::request_error::RequestError;
use crate::client::verbs::{VerbError, say, usage};
use clap::Args;
use ribbit_replica::wall_ms;
use ribbit_state::limits::ANNOUNCEMENT_MS_MAX;
use ribbit_state::{LogIndex, OperatorCommand, Page, Query, Reply};
use ribbit_ui::announcements;
use serde_json::json;
use time::{Date, Month, PrimitiveDateTime, Time};

/// Arguments of `user announce`.
#[derive(Debug, Args)]
pub(crate) struct AnnounceArgs {
    /// Text, up to 500 characters
    #[arg(value_name = "TEXT", required = true)]
    pub text: Vec<String>,
    /// Time for which it is shown (90m, 12h, 3d), or the day or minute in UTC at which it ends (2026-12-24, 2026-12-24T18:00)
    /// [default: until it is withdrawn]
    #[arg(long, value_name = "DURATION or TIME", value_parser = until)]
    pub until: Option<Until>,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of `user withdraw`.
#[derive(Debug, Args)]
pub(crate) struct WithdrawArgs {
    /// Id of the announcement, as shown by `user announcements`
    #[arg(value_name = "ID")]
    pub announcement: LogIndex,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// End of an announcement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// After this many milliseconds.
    After(u64),
    /// At this wall-clock time, in milliseconds since 1970.
    At(u64),
}

impl Until {
    /// Returns the time that is left, or `None` if it is over or longer than an announcement may last.
    fn left_ms(self, now_ms: u64) -> Option<u64> {
        let left = match self {
            Until::After(ms) => ms,
            Until::At(at) => at.checked_sub(now_ms)?,
        };
        (1..=ANNOUNCEMENT_MS_MAX).contains(&left).then_some(left)
    }
}

/// Parses a duration or a time.
fn until(text: &str) -> Result<Until, String> {
    let expected =
        || "expected a duration such as 90m, 12h or 3d, or a time such as 2026-12-24T18:00".to_string();
    duration_ms(text).map(Until::After).or_else(|| time_ms(text).map(Until::At)).ok_or_else(expected)
}

pub(super) fn duration_ms(text: &str) -> Option<u64> {
    let unit = match text.chars().last()? {
        'm' => 60_000,
        'h' => 3_600_000,
        'd' => 86_400_000,
        _ => return None,
    };
    number::<u64>(&text[..text.len() - 1])?.checked_mul(unit)
}

fn time_ms(text: &str) -> Option<u64> {
    let text = text.strip_suffix('Z').unwrap_or(text);
    let (day, of_day) = text.split_once(['T', ' ']).unwrap_or((text, "00:00"));
    let mut parts = day.splitn(3, '-');
    let year = number(parts.next()?)?;
    let month = Month::try_from(number::<u8>(parts.next()?)?).ok()?;
    let date = Date::from_calendar_date(year, month, number(parts.next()?)?).ok()?;
    let (hour, minute) = of_day.split_once(':')?;
    let of_day = Time::from_hms(number(hour)?, number(minute)?, 0).ok()?;
    let seconds = PrimitiveDateTime::new(date, of_day).assume_utc().unix_timestamp();
    u64::try_from(seconds).ok()?.checked_mul(1_000)
}

/// Parses digits; `parse` alone would accept a sign.
fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

impl Operator {
    pub(super) async fn announce(&self, arguments: AnnounceArgs) -> Result<(), VerbError> {
        let AnnounceArgs { text, until, output } = arguments;
        let for_ms = match until {
            None => None,
            Some(until) => match until.left_ms(wall_ms()) {
                Some(left) => Some(left),
                None => return Err(usage("--until has to be in the future, and at most 366 days away")),
            },
        };
        let command = OperatorCommand::Announce { text: text.join(" "), for_ms };
        let Reply::Announced { announcement } = self.write(command.into()).await? else {
            return Err(RequestError::unexpected().into());
        };
        match output.json {
            true => say(&json!({ "id": announcement }).to_string()),
            false => say(&format!("announced as {announcement}")),
        }
    }

    /// Lists the announcements, oldest first.
    pub(super) async fn announcements(&self, json: bool) -> Result<(), VerbError> {
        let Page::Announcements(items) = self.read(Query::Announcements, true).await? else {
            return Err(RequestError::unexpected().into());
        };
        items.iter().rev().try_for_each(|item| match json {
            true => say(&announcements::json(item)),
            false => say(&announcements::line(item)),
        })
    }

    pub(super) async fn withdraw(&self, arguments: WithdrawArgs) -> Result<(), VerbError> {
        let announcement = arguments.announcement;
        self.write(OperatorCommand::WithdrawAnnouncement { announcement }.into()).await?;
        match arguments.output.json {
            true => say(&json!({ "id": announcement, "withdrawn": true }).to_string()),
            false => say(&format!("withdrew announcement {announcement}")),
        }
    }
}

/// Text below the flags in `--help`.
pub(super) const ANNOUNCE_HELP: &str = "\
It is shown on every page until a person dismisses it, and in the terminal. At
most five are shown at once. A duration counts while the cluster is running.

Examples:
  ribbit user announce 'The pond is drained on Friday'
  ribbit user announce --until 3d 'Regatta on Sunday at ten'
  ribbit user announce --until 2026-12-24T18:00 --json 'We close at six'
    {\"id\":N}";

/// Text below the flags in `--help`.
pub(super) const ANNOUNCEMENTS_HELP: &str = "\
Examples:
  ribbit user announcements
  ribbit user announcements --json
    {\"id\":N,\"text\":\"…\",\"time\":\"…\",\"left_s\":N or null}";

/// Text below the flags in `--help`.
pub(super) const WITHDRAW_HELP: &str = "\
Examples:
  ribbit user withdraw 1234";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_a_duration_or_a_time() {
        assert_eq!(until("90m"), Ok(Until::After(5_400_000)));
        assert_eq!(until("3d"), Ok(Until::After(259_200_000)));
        assert_eq!(until("1970-01-02"), Ok(Until::At(86_400_000)));
        assert_eq!(until("1970-01-01T00:01Z"), Ok(Until::At(60_000)));
        for wrong in ["", "3", "+3d", "d", "2026-13-01", "2026-02-30", "2026-12-24T25:00", "tomorrow"] {
            assert!(until(wrong).is_err(), "{wrong}");
        }
        assert_eq!(Until::At(5_000).left_ms(2_000), Some(3_000));
        assert_eq!(Until::At(5_000).left_ms(5_000), None);
        assert_eq!(Until::After(ANNOUNCEMENT_MS_MAX + 1).left_ms(0), None);
    }
}
