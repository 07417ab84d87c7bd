//! Whole groups as people run them: the real binary, processes of their own, real sockets, and `kill -9`.
//!
//! - [`pond`]: a group on a temporary folder, and the ways to break it
//! - [`writers`]: people who croak all the time, and what must have become of it
//! - [`preload`]: a wall clock and a disk that tests move and break
//! - [`pages`]: what stands on a page; [`pty`]: a terminal
//! - one module a promise: [`people`], [`letters`], [`races`], [`hostile`], [`belonging`], [`failover`], [`following`], [`power`], [`status`],
//!   [`stopped`], [`moved`], [`away`], [`lost`], [`differs`], [`scrub`], [`quota`], [`full`], [`failing`],
//!   [`recover`], [`rolled_back`], [`earlier_build`], [`backup`], [`verify`], [`harmed`], [`secrets`], [`clock`], [`masters`], [`sites`], [`members`], [`minority`], [`directory`], [`doctor`], [`even`], [`metrics`], [`watch`],
//!   [`verbs`], [`verbs_failing`], [`users`], [`chat`], [`wire`], and [`browser`] for
//!   the eyes
//!
//! Each group is seven processes, so one test runs at a time, whatever `--test-threads` says.
//! `RIBBIT_POWER_CUTS=20` cuts the power more often than the five times of a plain run.

#[path = "../support/driver.rs"]
#[allow(dead_code)] // What only other tests do with it.
mod driver;
#[path = "../support/http.rs"]
#[allow(dead_code)]
mod http;
#[path = "../support/patience.rs"]
mod patience;
#[path = "../support/status.rs"]
mod status_json;

mod away;
mod backup;
mod belonging;
mod browser;
mod chat;
mod clock;
mod demo;
mod differs;
mod directory;
mod doctor;
mod earlier_build;
mod even;
mod failing;
mod failover;
mod following;
mod full;
mod harmed;
mod hostile;
mod letters;
mod limits;
mod locks;
mod log_tail;
mod lost;
mod masters;
mod members;
mod metrics;
mod minority;
mod moved;
mod pages;
mod passwords;
mod people;
mod pond;
mod power;
mod preload;
mod pty;
mod quota;
mod races;
mod recover;
mod rolled_back;
mod scrub;
mod secrets;
mod sessions;
mod shell;
mod sites;
mod status;
mod stopped;
mod terminal;
mod users;
mod verbs;
mod verbs_failing;
mod verify;
mod watch;
mod wire;
mod writers;
