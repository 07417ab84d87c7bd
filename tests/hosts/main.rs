//! Groups across machines: network namespaces are the hosts, with a cable each to a switch, and what happens to
//! machines and networks happens to them. Root only; elsewhere each test is skipped with a printed reason.
//!
//! - [`network`]: hosts, cables, and the ways to break them
//! - [`group`]: who runs where; power cuts
//! - [`people`]: who croaks meanwhile, what a fault costs them, and what must be there in the end
//! - a module a kind of fault: [`cables`], [`island`], [`wires`], [`delay`] (with [`relay`]), [`moved`], [`power`], [`floating`], [`counted`], [`newcomers`], [`leases`]; [`boards`]: some of it again, with emulated processors
//!
//! One group at a time, whatever `--test-threads` says. `cargo test --test hosts -- --nocapture` shows what each fault cost.

#[path = "../support/http.rs"]
#[allow(dead_code)] // What only other tests do with it.
mod http;
#[path = "../support/network.rs"]
#[allow(dead_code)]
mod network;
#[path = "../processes/pages.rs"]
#[allow(dead_code)]
mod pages;
#[path = "../support/patience.rs"]
mod patience;
#[path = "../support/status.rs"]
#[allow(dead_code)]
mod status_json;
#[path = "../support/writers.rs"]
#[allow(dead_code)]
mod writers;

mod boards;
mod cables;
mod counted;
mod delay;
mod floating;
mod group;
mod island;
mod leases;
mod moved;
mod newcomers;
mod people;
mod power;
mod relay;
mod wires;
