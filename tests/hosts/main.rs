//! Clusters across machines. The hosts are network namespaces, each with a cable to a switch, and suffer the faults of
//! machines and networks. Needs root; elsewhere each test is skipped with a printed reason.
//!
//! - [`network`]: hosts, cables, and the ways to break them
//! - [`group`]: the processes on each host; power cuts
//! - [`people`]: users that post during a fault, what the fault costs them, and the check of what they posted
//! - one module per kind of fault: [`cables`], [`island`], [`wires`], [`delay`] (with [`relay`]), [`moved`], [`power`],
//!   [`floating`], [`counted`], [`newcomers`], [`leases`], [`discovery`],
//!   [`blank`]
//! - [`boards`]: some faults again with emulated processors
//!
//! One cluster runs at a time, independent of `--test-threads`. `cargo test --test hosts -- --nocapture` prints the cost of
//! each fault.

// A test that cannot go on may panic where it stands.
#![allow(clippy::unwrap_used)]

mod blank;
mod boards;
mod cables;
mod counted;
mod delay;
mod discovery;
mod floating;
mod group;
mod island;
mod leases;
mod moved;
mod newcomers;
mod people;
mod power;
mod relay;
mod units;
mod wires;
