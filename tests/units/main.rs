//! ribbit under systemd: the protocol against a socket of our own, the units against systemd's own judgement, and both
//! together under a systemd that is started for the test.
//!
//! - [`heard`]: a supervisor that only listens, and the process that speaks to it
//! - [`notify`]: READY, STATUS, STOPPING, signs of life; [`sockets`]: a port that was open before; [`folders`]: where things
//!   are kept, and founding for once
//! - [`judged`]: what `systemd-analyze` says of the files in systemd/; [`booted`]: the units started, killed, stuck and started
//!   anew; [`late`]: a network that comes after the member. Each skipped with a printed reason where it cannot be done

#![allow(clippy::unwrap_used)]

#[path = "../support/patience.rs"]
#[allow(dead_code)]
mod patience;

mod booted;
mod folders;
mod heard;
mod judged;
mod late;
mod notify;
mod sockets;
