//! Commands for the people who run a cluster. Each of them ends by itself.
//!
//! - [`init`], [`key`]: a new cluster file, and its key
//! - [`status`] (also as `members`), [`health`], [`watch`], [`doctor`]: the state of the cluster and of this machine
//! - [`member`]: drains, removes and transfers members; [`recover`]: a new history from one store
//! - [`backup`], [`restore`]: everything in a file, and back; [`verify`]: compares the rows of all members;
//!   [`pinned`] and [`progress`] help them
//! - [`user`]: accounts of people
//! - [`directory`]: `balancer read`, `write`, `down` and `left`, which ask a balancer
//! - [`bench`]: measures a running cluster

pub mod backup;
pub mod bench;
pub mod directory;
pub mod doctor;
pub mod health;
pub mod init;
pub mod key;
pub mod member;
pub mod pinned;
pub mod progress;
pub mod recover;
pub mod restore;
pub mod status;
pub mod user;
pub mod verify;
pub mod watch;
