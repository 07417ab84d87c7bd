//! The roles: each wires the layers below and holds no rules of its own.
//!
//! - [`balancer`]: splices people's connections to the backends
//! - [`failure`]: how a role ends, and the exit codes
//! - [`node`]: backend and coordinator
//! - [`options`]: what a role is told, validated
//! - [`web`]: pages for browsers

pub mod balancer;
pub mod failure;
pub mod node;
pub mod options;
pub mod web;
