//! Grouping of messages in conversations and rooms: consecutive messages of one author on one day form a group.
//!
//! Days are those of UTC. The script groups again by the days of the reader's own time zone.

use super::super::time;

/// Place of a message in its list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BubblePlace {
    /// True if the message before is by another author, or of another day.
    pub first: bool,
    /// Day in UTC; empty if the time is not known.
    day: String,
    /// The day in words, if it begins with this message.
    pub day_begins: Option<String>,
}

impl BubblePlace {
    /// Returns the place of a message that stands alone.
    pub(super) fn alone(wall_ms: u64) -> BubblePlace {
        BubblePlace { first: true, day: time::date(wall_ms).unwrap_or_default(), day_begins: None }
    }

    /// Returns the place of a message behind another one. `same` is true if both have the same author.
    pub(super) fn behind(self, before: Option<&BubblePlace>, same: bool, wall_ms: u64) -> BubblePlace {
        let new_day = before.is_none_or(|before| before.day != self.day);
        let day_begins = time::day(wall_ms).filter(|_| new_day);
        BubblePlace { first: new_day || !same, day_begins, ..self }
    }
}
