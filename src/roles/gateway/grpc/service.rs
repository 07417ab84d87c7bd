//! Services: tables of methods, which say what a method takes, answers and does.
//!
//! ```text
//!   path ──▶ Api::method ──▶ Call::Unary      one message in, one out
//!                            Call::Streaming  messages in and out until both sides have ended
//!                            Call::Refused    between servers of the older system
//! ```
//!
//! The server knows an [`Api`] only. [`Routes`] makes one of a table and the state that its handlers work on, so HTTP/2 is in the
//! binary once for all protocols.

use super::call::{Replies, Requests};
use super::message::{FileFacts, MessageFacts};
use super::status::Status;
use bytes::Bytes;
use smol::future::Boxed;
use std::sync::Arc;

/// Service: its name, and its methods.
pub(crate) struct Service<H: 'static> {
    pub(crate) file: &'static FileFacts,
    pub(crate) name: &'static str,
    pub(crate) methods: &'static [Method<H>],
}

/// Row of a service's table.
pub(crate) struct Method<H: 'static> {
    pub(crate) name: &'static str,
    pub(crate) handler: Handler<H>,
}

/// Description of a method's messages, for reflection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MethodFacts {
    pub(crate) input: &'static MessageFacts,
    pub(crate) output: &'static MessageFacts,
    /// The client sends several messages.
    pub(crate) asks_streaming: bool,
    /// The server sends several messages.
    pub(crate) answers_streaming: bool,
}

/// Implementation of a method.
pub(crate) enum Handler<H: 'static> {
    Unary(MethodFacts, fn(Arc<H>, Bytes) -> Boxed<Result<Vec<u8>, Status>>),
    Streaming(MethodFacts, fn(Arc<H>, Requests, Replies) -> Boxed<Result<(), Status>>),
    /// For servers of the older system. It would show or change what belongs to others.
    Refused,
}

/// Rows of a service's table: `"NAME": unary (Request => Reply, function);`, with `stream` in place of `unary` for messages in both
/// directions and `watch` for messages to the client only, or `"NAME": refused;`.
macro_rules! methods {
    ($($name:literal: $kind:ident $(($input:ty => $output:ty, $run:path))?;)*) => {
        &[$($crate::gateway::grpc::service::Method {
            name: $name,
            handler: $crate::gateway::grpc::service::methods!(@ $kind $(($input => $output, $run))?),
        }),*]
    };
    (@ refused) => { $crate::gateway::grpc::service::Handler::Refused };
    (@ unary ($input:ty => $output:ty, $run:path)) => {
        $crate::gateway::grpc::service::Handler::Unary(
            $crate::gateway::grpc::service::methods!(@facts $input, $output, false, false),
            |host, bytes| Box::pin(async move {
                let request = $crate::gateway::grpc::call::decode::<$input>(&bytes)?;
                let reply: $output = $run(host, request).await?;
                Ok($crate::gateway::grpc::message::Message::encode(&reply))
            }),
        )
    };
    (@ stream ($input:ty => $output:ty, $run:path)) => {
        $crate::gateway::grpc::service::Handler::Streaming(
            $crate::gateway::grpc::service::methods!(@facts $input, $output, true, true),
            |host, requests, replies| Box::pin($run(host, requests, replies)),
        )
    };
    (@ watch ($input:ty => $output:ty, $run:path)) => {
        $crate::gateway::grpc::service::Handler::Streaming(
            $crate::gateway::grpc::service::methods!(@facts $input, $output, false, true),
            |host, requests, replies| Box::pin($run(host, requests, replies)),
        )
    };
    (@facts $input:ty, $output:ty, $asks:literal, $answers:literal) => {
        $crate::gateway::grpc::service::MethodFacts {
            input: &<$input as $crate::gateway::grpc::message::Message>::FACTS,
            output: &<$output as $crate::gateway::grpc::message::Message>::FACTS,
            asks_streaming: $asks,
            answers_streaming: $answers,
        }
    };
}
pub(crate) use methods;

/// Method with the state that it works on.
pub(super) enum Call {
    Unary(Box<dyn FnOnce(Bytes) -> Boxed<Result<Vec<u8>, Status>> + Send>),
    Streaming(Box<dyn FnOnce(Requests, Replies) -> Boxed<Result<(), Status>> + Send>),
    Refused,
}

/// Description of a service, for reflection.
#[derive(Debug, Clone)]
pub(super) struct ServiceFacts {
    pub(super) file: &'static FileFacts,
    pub(super) name: &'static str,
    /// Without refused methods.
    pub(super) methods: Vec<(&'static str, MethodFacts)>,
}

impl ServiceFacts {
    /// Returns the name with the package.
    pub(super) fn full_name(&self) -> String {
        full_name(self.file.package, self.name)
    }
}

/// Returns a name with its package, if it has one.
pub(super) fn full_name(package: &str, name: &str) -> String {
    if package.is_empty() { name.to_string() } else { format!("{package}.{name}") }
}

/// Services that a connection offers.
pub(super) trait Api: Send + Sync {
    /// Returns the method at a path, `/PACKAGE.SERVICE/METHOD`.
    fn method(&self, path: &str) -> Option<Call>;
}

/// Services of one table, with the state that their handlers work on.
pub(crate) struct Routes<H: 'static> {
    pub(crate) host: Arc<H>,
    pub(crate) services: &'static [Service<H>],
}

impl<H: Send + Sync> Api for Routes<H> {
    fn method(&self, path: &str) -> Option<Call> {
        let (service, method) = path.strip_prefix('/')?.rsplit_once('/')?;
        let (package, name) = service.rsplit_once('.').unwrap_or(("", service));
        let service = self.services.iter().find(|row| row.file.package == package && row.name == name)?;
        let method = service.methods.iter().find(|row| row.name == method)?;
        let host = self.host.clone();
        Some(match &method.handler {
            Handler::Unary(_, run) => {
                let run = *run;
                Call::Unary(Box::new(move |bytes| run(host, bytes)))
            }
            Handler::Streaming(_, run) => {
                let run = *run;
                Call::Streaming(Box::new(move |requests, replies| run(host, requests, replies)))
            }
            Handler::Refused => Call::Refused,
        })
    }
}

/// Returns the descriptions of services.
pub(super) fn describe<H>(services: &[Service<H>]) -> Vec<ServiceFacts> {
    let methods = |service: &Service<H>| {
        let facts = service.methods.iter().filter_map(|method| match &method.handler {
            Handler::Unary(facts, _) | Handler::Streaming(facts, _) => Some((method.name, *facts)),
            Handler::Refused => None,
        });
        facts.collect()
    };
    let facts = services.iter().map(|service| ServiceFacts {
        file: service.file,
        name: service.name,
        methods: methods(service),
    });
    facts.collect()
}
