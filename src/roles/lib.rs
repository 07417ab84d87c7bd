//! The roles: each wires the layers below and holds no rules of its own.
//!
//! - [`balancer`]: splices people's connections to the backends
//! - [`failure`]: how a role ends, and the exit codes
//! - [`node`]: backend and coordinator
//! - [`options`]: what a role is told, validated
//! - [`cli`]: flags, environment and configuration file in, options out
//! - [`descriptors`]: as many files and sockets as a server needs
//! - [`start`]: logging and the one match that runs a role; [`stop`]: when it has to end
//! - [`up`]: a whole group on one machine; [`demo`]: what happens to one, played for people
//! - [`directory`]: `balancer read`, `write`, `down` and `left`, which ask a balancer
//! - [`init`], [`doctor`], [`status`] (also as `members`), [`health`], [`watch`], [`member`], [`bench`] (with [`histogram`]), [`recover`]: commands that come to an
//!   end by themselves
//! - [`backup`], [`restore`]: everything in a file, and back; [`verify`]: whether the members have the same, row by row;
//!   [`pinned`] and [`progress`] help them
//! - [`shell`] and [`lock`]: the lock namespace from outside; both use [`namespace`] and [`lease`]
//! - [`editor`]: a line of a terminal while it is typed
//! - [`key`]: `ribbit key`; [`known`]: servers' keys, as they were first seen
//! - files: [`cluster_file`] and [`ports`], in the syntax of [`env_file`], written by [`write_file`]
//! - [`address`]: HOST:PORT as people type it; [`address_book`]: where members were last reached
//! - [`process`]: what a process can tell of itself
//! - [`systemd`]: what is heard from a supervisor, and said to it
//! - [`output`]: standard output; [`log_lines`]: standard error, for which nobody waits
//! - [`web`]: pages for browsers
//! - [`user`]: people's accounts, for those who run the group
//! - [`person`]: a person at a terminal ([`terminal`]) or in a script ([`client`])

pub mod address;
pub mod address_book;
pub mod backup;
pub mod balancer;
pub mod bench;
pub mod cli;
pub mod client;
pub mod client_server;
pub mod cluster_file;
pub mod demo;
pub mod descriptors;
pub mod directory;
pub mod doctor;
pub mod editor;
pub mod env_file;
pub mod failure;
pub mod health;
pub mod histogram;
pub mod init;
pub mod key;
pub mod known;
pub mod lease;
pub mod lock;
pub mod log_lines;
pub mod member;
pub mod namespace;
pub mod network;
pub mod node;
pub mod options;
pub mod output;
pub mod panics;
pub mod person;
pub mod pinned;
pub mod ports;
pub mod process;
pub mod progress;
pub mod recover;
pub mod restore;
pub mod shell;
pub mod start;
pub mod status;
pub mod stop;
pub mod systemd;
pub mod terminal;
pub mod up;
pub mod user;
pub mod verify;
pub mod watch;
pub mod web;
pub mod write_file;
