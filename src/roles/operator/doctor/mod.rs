//! `ribbit doctor`: looks at this board, and from it at the others, and says what is not as it should be and what to type.
//!
//! ```text
//!   board    clock, files and their modes ─┐
//!   disk     syncs, space, stores ─────────┼─▶ findings ──▶ judged and put into words by `ribbit_ui::doctor`
//!   network  ports, members, builds ───────┘
//! ```
//!
//! Works with nothing running, and with nothing there: what cannot be looked at is a finding, too. Changes nothing but for
//! a small file in the data folder that is written and removed.

mod board;
mod disk;
mod network;

use crate::common::failure::{Exit, Failure};
use crate::common::options::DoctorOptions;
use crate::common::output;
use ribbit_ui::doctor::{Verdict, worst};

/// # Errors
/// 5: it works, and something should be looked at; 1: something has to be mended. Everything is said by then.
pub async fn run(options: &DoctorOptions) -> Result<(), Failure> {
    let mut findings = vec![board::clock()];
    let (board, known) = board::look(options);
    findings.extend(board);
    findings.extend(disk::look(options, &known));
    findings.extend(network::ports(options, &known).await);
    findings.extend(network::members(&known).await);
    output::line(&if options.json {
        ribbit_ui::doctor::json(&findings)
    } else {
        ribbit_ui::doctor::words(&findings)
    });
    match worst(&findings) {
        Verdict::Ok => Ok(()),
        Verdict::Warning => Err(Failure::said(Exit::Degraded)),
        Verdict::Bad => Err(Failure::said(Exit::Refused)),
    }
}
