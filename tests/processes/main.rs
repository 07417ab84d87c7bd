//! Whole clusters as operators run them: the real binary, separate processes, real sockets and SIGKILL.
//!
//! - Helpers: [`pond`], a test cluster in a temporary folder; [`writers`], users who post under load; [`preload`], a wall clock
//!   and a disk under the control of a test; [`pages`], the content of web pages; [`pty`], a terminal.
//! - Users: [`people`], [`letters`], [`sessions`], [`passwords`], [`limits`], [`races`], [`following`], [`hostile`], [`browser`].
//! - Command line: [`verbs`], [`verbs_failing`], [`chat`], [`terminal`], [`shell`], [`locks`], [`users`], [`import`], [`audit`], [`watch`], [`demo`].
//! - Older clients: [`gateway`]; IRC clients: [`irc`].
//! - New boards: [`image_files`], [`joining`].
//! - Membership and failures: [`belonging`], [`failover`], [`power`], [`stopped`], [`moved`], [`away`], [`members`], [`masters`],
//!   [`sites`], [`minority`], [`directory`], [`even`].
//! - Disks and stores: [`lost`], [`differs`], [`scrub`], [`quota`], [`full`], [`failing`], [`log_tail`], [`harmed`],
//!   [`rolled_back`], [`earlier_build`], [`upgrade`], [`versions`], [`recover`], [`backup`], [`verify`].
//! - Operation and security: [`status`], [`notify`], [`metrics`], [`doctor`], [`clock`], [`wire`], [`secrets`], [`key_rotation`].
//!
//! Each cluster has seven processes, so one test runs at a time, regardless of `--test-threads`. `RIBBIT_POWER_CUTS=20` raises
//! the number of power cuts from five.

// A test that cannot go on may panic where it stands.
#![allow(clippy::unwrap_used)]

mod api;
mod audit;
mod away;
mod backup;
mod belonging;
mod browser;
mod chat;
mod cli;
mod clock;
mod conversation;
mod demo;
mod differs;
mod directory;
mod doctor;
mod each_write;
mod earlier_build;
mod encrypted_backup;
mod even;
mod failing;
mod failover;
mod faults;
mod fleet;
mod followed_output;
mod following;
mod full;
mod gateway;
mod harmed;
mod hostile;
mod image_files;
mod import;
mod irc;
mod joining;
mod keep_away;
mod key_rotation;
mod letters;
mod limits;
mod locks;
mod log_tail;
mod lost;
mod masters;
mod mastodon;
mod members;
mod metrics;
mod minority;
mod moved;
mod notify;
mod packaging;
mod passwords;
mod people;
mod power;
mod preload;
mod pty;
mod quota;
mod races;
mod recover;
mod reset;
mod rolled_back;
mod rooms;
mod scrub;
mod secrets;
mod sessions;
mod shell;
mod sites;
mod soak;
mod status;
mod stopped;
mod streaming;
mod terminal;
mod test_cluster;
mod up;
mod upgrade;
mod users;
mod verbs;
mod verbs_failing;
mod verify;
mod versions;
mod watch;
mod wire;
mod writers;
