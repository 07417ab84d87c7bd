//! The reflection service of gRPC (`grpc.reflection.v1` and `v1alpha`), with which tools learn services and messages.
//!
//! A file is answered with those that it depends on.

use super::call::{Replies, Requests, decode};
use super::descriptors::{DescribedFile, files_of};
use super::message::{FileFacts, messages};
use super::service::{Service, ServiceFacts, methods};
use super::status::{Status, StatusCode};
use std::sync::{Arc, OnceLock};

const FILE: FileFacts =
    FileFacts { name: "grpc/reflection/v1/reflection.proto", package: "grpc.reflection.v1" };
const ALPHA_FILE: FileFacts =
    FileFacts { name: "grpc/reflection/v1alpha/reflection.proto", package: "grpc.reflection.v1alpha" };

messages! { FILE:
    ReflectionRequest = "ServerReflectionRequest" {
        host: String = 1,
        file_by_filename: Option<String> = 3,
        file_containing_symbol: Option<String> = 4,
        list_services: Option<String> = 7,
    }
    ReflectionReply = "ServerReflectionResponse" {
        valid_host: String = 1,
        original_request: Option<ReflectionRequest> = 2,
        file_descriptor_response: Option<Files> = 4,
        list_services_response: Option<ServiceList> = 6,
        error_response: Option<ReflectionError> = 7,
    }
    Files = "FileDescriptorResponse" { file_descriptor_proto: Vec<Vec<u8>> = 1 }
    ServiceList = "ListServiceResponse" { service: Vec<ServiceName> = 1 }
    ServiceName = "ServiceResponse" { name: String = 1 }
    ReflectionError = "ErrorResponse" { error_code: i32 = 1, error_message: String = 2 }
}

/// State of the reflection service.
pub(super) struct Reflection {
    services: Vec<ServiceFacts>,
    /// Described when they are asked for.
    files: OnceLock<Vec<DescribedFile>>,
}

pub(super) const SERVICES: &[Service<Reflection>] = &[
    Service {
        file: &FILE,
        name: "ServerReflection",
        methods: methods! {
            "ServerReflectionInfo": stream (ReflectionRequest => ReflectionReply, Reflection::info);
        },
    },
    Service {
        file: &ALPHA_FILE,
        name: "ServerReflection",
        methods: methods! {
            "ServerReflectionInfo": stream (ReflectionRequest => ReflectionReply, Reflection::info);
        },
    },
];

impl Reflection {
    pub(super) fn new(services: Vec<ServiceFacts>) -> Reflection {
        Reflection { services, files: OnceLock::new() }
    }

    fn files(&self) -> &[DescribedFile] {
        self.files.get_or_init(|| files_of(&self.services))
    }

    async fn info(self: Arc<Reflection>, mut requests: Requests, replies: Replies) -> Result<(), Status> {
        while let Some(request) = requests.next().await? {
            replies.send(&self.answer(decode(&request)?)).await?;
        }
        Ok(())
    }

    fn answer(&self, request: ReflectionRequest) -> ReflectionReply {
        let mut reply = ReflectionReply { valid_host: request.host.clone(), ..Default::default() };
        let file = match (&request.list_services, &request.file_by_filename, &request.file_containing_symbol)
        {
            (Some(_), _, _) => {
                let names = self.services.iter().map(|service| ServiceName { name: service.full_name() });
                reply.list_services_response = Some(ServiceList { service: names.collect() });
                reply.original_request = Some(request);
                return reply;
            }
            (_, Some(name), _) => self.files().iter().find(|file| file.name == name),
            (_, _, Some(symbol)) => self.files().iter().find(|file| file.symbols.contains(symbol)),
            (None, None, None) => None,
        };
        match file {
            Some(file) => {
                let mut files = Vec::new();
                self.collect(file, &mut files);
                let bytes = files.iter().map(|file| file.bytes.clone()).collect();
                reply.file_descriptor_response = Some(Files { file_descriptor_proto: bytes });
            }
            None => {
                reply.error_response = Some(ReflectionError {
                    error_code: StatusCode::NotFound as i32,
                    error_message: "There is no such file or name.".to_string(),
                });
            }
        }
        reply.original_request = Some(request);
        reply
    }

    /// Appends a file and those that it depends on.
    fn collect<'a>(&'a self, file: &'a DescribedFile, files: &mut Vec<&'a DescribedFile>) {
        if files.iter().any(|known| known.name == file.name) {
            return;
        }
        files.push(file);
        for dependency in &file.dependencies {
            if let Some(file) = self.files().iter().find(|other| other.name == *dependency) {
                self.collect(file, files);
            }
        }
    }
}
