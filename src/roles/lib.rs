//! The roles of ribbit: each wires the layers below together and holds no rules of its own.
//!
//! - [`cli`]: flags, environment and configuration file in, one running verb out
//! - servers: [`node`] (backend and coordinator), [`balancer`], [`web`] (pages for browsers), [`gateway`] (older clients)
//! - [`client`]: a person at a terminal or in a script
//! - [`operator`]: commands for the people who run a cluster, each of which ends by itself
//! - [`locks`]: the lock namespace from outside (`ribbit shell`, `ribbit lock`)
//! - [`up`]: a whole cluster on one machine; [`demo`]: failures of such a cluster, played for people
//! - [`operations`]: what the front ends with sessions of their own can do, in ribbit's terms
//! - [`common`]: what several of these use: addresses, files, failures, signals, logging
//!
//! ```text
//!   cli ──▶ { demo ──▶ up, node, balancer, web, gateway ──▶ operations, client, operator, locks } ──▶ common
//! ```

pub mod balancer;
pub mod cli;
pub mod client;
pub mod common;
mod demo;
pub mod gateway;
pub mod irc;
pub mod locks;
mod node;
mod operations;
mod operator;
mod up;
pub mod web;

pub use node::{confirmation, judge, renewals};
