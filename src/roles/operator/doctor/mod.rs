//! `ribbit doctor`: diagnoses this machine and its connections to the cluster, and prints what to do about each problem.
//!
//! ```text
//!   board    clock, files and their modes ─┐
//!   disk     syncs, space, stores ─────────┼─▶ findings ──▶ rated and worded by `ribbit_ui::doctor`
//!   network  ports, members, builds ───────┘
//! ```
//!
//! It works if no process runs and if no file exists: a check that is not possible is a finding as well. It changes nothing,
//! except for a small file in the data folder that it writes and removes.

pub(crate) mod arguments;
mod board;
mod disk;
mod network;

use crate::common::failure::{Exit, Failure};
use crate::common::output;
use arguments::DoctorOptions;
use ribbit_ui::doctor::{Severity, worst};

/// Runs all checks and prints their findings.
///
/// # Errors
/// 1: a problem has to be fixed. 5: there are warnings only. Both have been printed, so the failure has no message.
pub(crate) async fn run(options: &DoctorOptions) -> Result<(), Failure> {
    let mut findings = vec![board::clock()];
    let (board, local) = board::look(options);
    findings.extend(board);
    findings.extend(disk::look(options, &local));
    findings.extend(network::ports(options, &local).await);
    findings.extend(network::members(&local).await);
    output::line(&if options.json {
        ribbit_ui::doctor::json(&findings)
    } else {
        ribbit_ui::doctor::words(&findings)
    });
    match worst(&findings) {
        Severity::Ok => Ok(()),
        Severity::Warning => Err(Failure::said(Exit::Degraded)),
        Severity::Bad => Err(Failure::said(Exit::Refused)),
    }
}
