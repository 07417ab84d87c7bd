//! A gRPC server over HTTP/2 without encryption, for the protocols of two older systems.
//!
//! ```text
//!   [`server`]: HTTP/2, paths, deadlines ──▶ [`service`]: tables of methods ──▶ handlers of a protocol
//!        │                                        │
//!   [`call`]: messages of a call             [`message`]: structs, codecs, facts ──▶ [`descriptors`] ──▶ [`reflection`]
//!        │                                        │
//!   [`framing`], [`status`]                  [`wire`]: Protocol Buffers
//! ```
//!
//! A protocol declares its messages with `messages!`, its methods with `methods!`, and calls [`serve`] for each connection. Health and
//! reflection are added here. [`limits`] has every limit. See decision 32 for why no library does this.
//!
//! Not here: what a method does.

pub(super) mod call;
mod descriptors;
pub mod framing;
mod health;
pub mod limits;
pub mod message;
mod reflection;
mod server;
pub(super) mod service;
pub(super) mod status;
pub mod wire;

use super::operations::GatewayOperations;
use crate::common::service::connection::Connection;
use health::Health;
use reflection::Reflection;
use service::{Api, Routes, ServiceFacts, describe};
use std::sync::Arc;

/// Serves the calls of one connection to the services of `routes`, until it ends.
pub(super) async fn serve<H: Send + Sync>(
    connection: Connection,
    routes: Routes<H>,
    operations: Arc<GatewayOperations>,
) {
    server::serve(connection, with_common_services(routes, operations)).await;
}

/// Adds health and reflection.
fn with_common_services<H: Send + Sync>(
    routes: Routes<H>,
    operations: Arc<GatewayOperations>,
) -> Vec<Box<dyn Api>> {
    let mut facts = describe(routes.services);
    let services = facts.iter().map(ServiceFacts::full_name).collect();
    facts.extend(describe(health::SERVICES));
    facts.extend(describe(reflection::SERVICES));
    let health = Routes { host: Arc::new(Health { services, operations }), services: health::SERVICES };
    let reflection = Routes { host: Arc::new(Reflection::new(facts)), services: reflection::SERVICES };
    vec![Box::new(routes), Box::new(health), Box::new(reflection)]
}
