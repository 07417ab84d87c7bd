//! The roles: each wires the layers below and holds no rules of its own.
//!
//! - [`failure`]: how a role ends, and the exit codes
//! - [`options`]: what a role is told, validated

pub mod failure;
pub mod options;

pub mod balancer;
pub mod node;
pub mod web;
