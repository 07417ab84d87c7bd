//! Tests of ribbit under systemd: the protocol with a socket of the test, the units with `systemd-analyze`, and both together
//! with a systemd started for the test.
//!
//! - [`heard`]: a fake service manager, and the process that notifies it
//! - [`notify`]: READY, STATUS, STOPPING, keep-alives; [`sockets`]: socket activation; [`folders`]: folders of a unit, and the
//!   unit that creates the cluster
//! - [`judged`]: `systemd-analyze` on the files in systemd/; [`booted`]: the units started, killed, stuck and restarted on a
//!   [`board`]; [`cards`]: three boards from blank cards; [`late`]: a network that comes up after the member. Tests that cannot run here are skipped with a printed reason

mod board;
mod booted;
mod cards;
mod folders;
mod heard;
mod judged;
mod late;
mod notify;
mod sockets;
