//! Users on the host of the web role that post continuously during faults. In the end every acknowledged croak must be there
//! once, in its author's order, on every backend.

use crate::group::{Group, PAGES, backend, tell};
use std::time::{Duration, Instant};
use testkit::writers::{Writers, feed_of, session_of};

/// Usual number of users.
pub const PEOPLE: usize = 4;

/// Pause between two posts of a user: short enough to see gaps, long enough to leave two cores time for the cluster.
const PACE: Duration = Duration::from_millis(40);

/// Time limit until all users are served again: far more than needed, far less than TCP takes on its own.
const AGAIN_MAX: Duration = Duration::from_secs(10);

/// The users of one test.
pub struct People {
    writers: Writers,
    /// Time limit after a fault until all users are served again.
    again_max: Duration,
}

impl People {
    /// Signs up the usual users and lets them start posting.
    pub fn arrive() -> People {
        People::who_wait(PEOPLE, AGAIN_MAX)
    }

    /// Does the same for another number of users and another time limit, for slow clusters.
    pub fn who_wait(count: usize, again_max: Duration) -> People {
        let writers = Writers::at_pace(PAGES, count, PACE);
        writers.await_progress();
        People { writers, again_max }
    }

    /// Begins a fault, waits, ends it, and waits until all users are served and all members are in sync. Prints the cost.
    #[track_caller]
    pub fn meanwhile(
        &self,
        group: &mut Group,
        what: &str,
        time: Duration,
        begin: impl FnOnce(&mut Group),
        end: impl FnOnce(&mut Group),
    ) {
        let began = Instant::now();
        begin(group);
        std::thread::sleep(time);
        end(group);
        let lasted = began.elapsed();
        self.writers.await_progress_within(self.again_max);
        let healed = group.await_together();
        let gap = self.writers.gap_since(began);
        tell(&format!(
            "fault: {what}, {:.1} s: no request was answered for {:.2} s; all members back {:.1} s after its end",
            lasted.as_secs_f64(),
            gap.as_secs_f64(),
            healed.as_secs_f64()
        ));
    }

    /// Stops the users and checks that every acknowledged croak is on every backend.
    #[track_caller]
    pub fn leave(self, group: &mut Group, backends: &[String]) {
        let mut written = self.writers.stop();
        group.await_whole();
        written.judge_pages();
        let session = session_of(&written.reader);
        for address in backends {
            let feed = feed_of(address, &group.keys(), session);
            written.judge(&feed.into_iter().map(|(_, text)| text).collect::<Vec<_>>());
        }
        group.verify();
        group.nobody_gave_up();
        let acknowledged = written.acknowledged();
        tell(&format!("acknowledged: {acknowledged}, each there once, in order, on every backend"));
    }
}

/// Returns the addresses of the three backends of [`crate::group::usual`].
pub fn all_backends() -> Vec<String> {
    (1..=3).map(backend).collect()
}
