//! Commands for the people who run a cluster. Each of them ends by itself.
//!
//! - [`init`], [`key`]: a new cluster file, and its key; [`invite_board`]: codes with which new servers get it
//! - [`image_files`]: files for blank cards, from which boards found a cluster by themselves
//! - [`status`] (also as `members`), [`health`], [`watch`], [`doctor`]: the state of the cluster and of this machine
//! - [`notify`]: a program that is run when the health changes
//! - [`member`]: drains, removes and transfers members; [`recover`]: a new history from one store
//! - [`upgrade`]: brings the members to another version
//! - [`backup`], [`restore`]: everything in a file, and back; [`age`] encrypts it; [`verify`]: compares the rows of all members;
//!   [`pinned`] and [`progress`] help them
//! - [`user`]: accounts of people; [`audit`]: what operators have done
//! - [`directory`]: `balancer read`, `write`, `down` and `left`, which ask a balancer
//! - [`bench`]: measures a running cluster

mod age;
pub(crate) mod audit;
pub(crate) mod backup;
pub(crate) mod bench;
pub(crate) mod directory;
pub(crate) mod doctor;
pub(crate) mod health;
pub(crate) mod image_files;
pub(crate) mod init;
pub(crate) mod invite_board;
pub(crate) mod key;
pub(crate) mod member;
pub(crate) mod notify;
pub(crate) mod pinned;
pub(crate) mod progress;
pub(crate) mod recover;
pub(crate) mod restore;
pub(crate) mod status;
pub(crate) mod upgrade;
pub(crate) mod user;
pub(crate) mod verify;
pub(crate) mod watch;
