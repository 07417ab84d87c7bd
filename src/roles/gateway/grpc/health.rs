//! The health service of gRPC (`grpc.health.v1`), for load balancers and probes.
//!
//! A gateway serves while a server of the cluster answers it. All services of a port are one: it is asked for by no name or by any
//! name of a service there.

use super::call::{Replies, Requests, decode};
use super::message::{FileFacts, enumeration, messages};
use super::service::{Service, methods};
use super::status::{Status, StatusCode};
use crate::gateway::operations::GatewayOperations;
use std::sync::Arc;
use std::time::Duration;

/// Interval at which the health is looked at for a client that watches it.
const WATCH_INTERVAL: Duration = Duration::from_secs(2);

const FILE: FileFacts = FileFacts { name: "grpc/health/v1/health.proto", package: "grpc.health.v1" };

messages! { FILE:
    HealthRequest = "HealthCheckRequest" { service: String = 1 }
    HealthReply = "HealthCheckResponse" { status: Serving = 1 }
}

enumeration! { FILE, in "HealthCheckResponse":
    /// Health of a service.
    Serving = "ServingStatus" {
        Unknown = "UNKNOWN" = 0,
        Yes = "SERVING" = 1,
        No = "NOT_SERVING" = 2,
        NoSuchService = "SERVICE_UNKNOWN" = 3,
    }
}

/// State of the health service.
pub(super) struct Health {
    /// Names of the services of the port.
    pub(super) services: Vec<String>,
    /// Answers whether the cluster is reachable.
    pub(super) operations: Arc<GatewayOperations>,
}

pub(super) const SERVICES: &[Service<Health>] = &[Service {
    file: &FILE,
    name: "Health",
    methods: methods! {
        "Check": unary (HealthRequest => HealthReply, Health::check);
        "Watch": watch (HealthRequest => HealthReply, Health::watch);
    },
}];

impl Health {
    async fn check(self: Arc<Health>, request: HealthRequest) -> Result<HealthReply, Status> {
        match self.status(&request).await {
            Serving::NoSuchService => Err(Status::new(StatusCode::NotFound, "There is no such service.")),
            status => Ok(HealthReply { status }),
        }
    }

    /// Sends the status now, and whenever it has changed.
    async fn watch(self: Arc<Health>, mut requests: Requests, replies: Replies) -> Result<(), Status> {
        let Some(request) = requests.next().await? else { return Ok(()) };
        let request = decode(&request)?;
        let mut shown = None;
        loop {
            let status = self.status(&request).await;
            if shown != Some(status) {
                replies.send(&HealthReply { status }).await?;
                shown = Some(status);
            }
            replies.pause(WATCH_INTERVAL).await?;
        }
    }

    async fn status(&self, request: &HealthRequest) -> Serving {
        let name = &request.service;
        if !name.is_empty() && !self.services.contains(name) {
            return Serving::NoSuchService;
        }
        if self.operations.is_reachable().await { Serving::Yes } else { Serving::No }
    }
}
