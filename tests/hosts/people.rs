//! People on the host of the web role who croak all the time while a fault goes on, and what must be there in the end:
//! every croak that was acknowledged, once, in its author's order, on every backend.

use crate::group::{Group, PAGES, backend, tell};
use crate::writers::{Writers, feed_of, session_of};
use std::time::{Duration, Instant};

pub const PEOPLE: usize = 4;
/// So many that a gap shows, and so few that two cores have time for the rest.
const PACE: Duration = Duration::from_millis(40);
/// Far more than it takes, far less than TCP takes by itself.
const AGAIN_MAX: Duration = Duration::from_secs(10);

pub struct People {
    writers: Writers,
    /// After a fault has ended everybody is answered again within this.
    again_max: Duration,
}

impl People {
    pub fn arrive() -> People {
        People::who_wait(PEOPLE, AGAIN_MAX)
    }

    /// So many, where everything is slow.
    pub fn who_wait(count: usize, again_max: Duration) -> People {
        let writers = Writers::at_pace(PAGES, count, PACE);
        writers.await_progress();
        People { writers, again_max }
    }

    /// Begins something, waits, ends it, and waits until all is well again and everybody goes on. Prints what it cost.
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
            "fault: {what}, {:.1} s: nobody was answered for {:.2} s; all back {:.1} s after its end",
            lasted.as_secs_f64(),
            gap.as_secs_f64(),
            healed.as_secs_f64()
        ));
    }

    /// Lets them finish, and looks for everything that was acknowledged.
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

/// The three of [`crate::group::usual`].
pub fn all_backends() -> Vec<String> {
    (1..=3).map(backend).collect()
}
