//! Descriptions of services and messages in the form of `descriptor.proto`, for reflection. Pure.
//!
//! A file contains the messages that its methods name, and those inside them.

use super::message::{EnumFacts, FieldFacts, FieldKind, FileFacts, Message, MessageFacts, messages};
use super::service::{ServiceFacts, full_name};
use std::collections::{BTreeMap, BTreeSet};

const FILE: FileFacts = FileFacts { name: "google/protobuf/descriptor.proto", package: "google.protobuf" };

messages! { FILE:
    FileDescriptor = "FileDescriptorProto" {
        name: String = 1,
        package: String = 2,
        dependency: Vec<String> = 3,
        message_type: Vec<MessageDescriptor> = 4,
        enum_type: Vec<EnumDescriptor> = 5,
        service: Vec<ServiceDescriptor> = 6,
        syntax: String = 12,
    }
    MessageDescriptor = "DescriptorProto" {
        name: String = 1,
        field: Vec<FieldDescriptor> = 2,
        enum_type: Vec<EnumDescriptor> = 4,
    }
    FieldDescriptor = "FieldDescriptorProto" {
        name: String = 1,
        number: i32 = 3,
        label: i32 = 4,
        r#type: i32 = 5,
        type_name: String = 6,
    }
    EnumDescriptor = "EnumDescriptorProto" {
        name: String = 1,
        value: Vec<EnumValueDescriptor> = 2,
    }
    EnumValueDescriptor = "EnumValueDescriptorProto" {
        name: String = 1,
        number: i32 = 2,
    }
    ServiceDescriptor = "ServiceDescriptorProto" {
        name: String = 1,
        method: Vec<MethodDescriptor> = 2,
    }
    MethodDescriptor = "MethodDescriptorProto" {
        name: String = 1,
        input_type: String = 2,
        output_type: String = 3,
        client_streaming: bool = 5,
        server_streaming: bool = 6,
    }
}

/// Described file.
#[derive(Debug)]
pub(super) struct DescribedFile {
    pub(super) name: &'static str,
    pub(super) dependencies: BTreeSet<&'static str>,
    /// Full names of its services, methods, messages and enumerations.
    pub(super) symbols: BTreeSet<String>,
    pub(super) bytes: Vec<u8>,
}

/// Messages and enumerations of a file, by name.
#[derive(Default)]
struct Contents {
    messages: BTreeMap<&'static str, &'static MessageFacts>,
    enums: BTreeMap<&'static str, &'static EnumFacts>,
    dependencies: BTreeSet<&'static str>,
}

/// Returns the files that declare these services.
pub(super) fn files_of(services: &[ServiceFacts]) -> Vec<DescribedFile> {
    let mut files: BTreeMap<&'static FileFacts, Contents> = BTreeMap::new();
    for service in services {
        files.entry(service.file).or_default();
        for (_, method) in &service.methods {
            add(&mut files, service.file, method.input);
            add(&mut files, service.file, method.output);
        }
    }
    files.iter().map(|(file, contents)| file_of(file, contents, services)).collect()
}

/// Adds a message that a file uses, and those inside it.
fn add(
    files: &mut BTreeMap<&'static FileFacts, Contents>,
    user: &'static FileFacts,
    message: &'static MessageFacts,
) {
    depend(files, user, message.file);
    let known = files.entry(message.file).or_default().messages.insert(message.name, message);
    if known.is_some() {
        return;
    }
    for field in message.fields {
        match field.kind {
            FieldKind::Message(inner) => add(files, message.file, inner),
            FieldKind::Enum(inner) => {
                depend(files, message.file, inner.file);
                files.entry(inner.file).or_default().enums.insert(inner.name, inner);
            }
            FieldKind::Int64 | FieldKind::Int32 | FieldKind::Bool | FieldKind::String | FieldKind::Bytes => {}
        }
    }
}

fn depend(
    files: &mut BTreeMap<&'static FileFacts, Contents>,
    user: &'static FileFacts,
    used: &'static FileFacts,
) {
    if user != used {
        files.entry(user).or_default().dependencies.insert(used.name);
    }
}

fn file_of(file: &'static FileFacts, contents: &Contents, services: &[ServiceFacts]) -> DescribedFile {
    let own: Vec<_> = services.iter().filter(|service| service.file == file).collect();
    let enums = contents.enums.values();
    let in_package = |name: &str| full_name(file.package, name);
    let mut symbols = BTreeSet::new();
    for service in &own {
        let name = service.full_name();
        symbols.extend(service.methods.iter().map(|(method, _)| format!("{name}.{method}")));
        symbols.insert(name);
    }
    symbols.extend(contents.messages.keys().map(|name| in_package(name)));
    symbols.extend(contents.enums.values().map(|facts| in_package(&local_name(facts))));
    let described = FileDescriptor {
        name: file.name.to_string(),
        package: file.package.to_string(),
        dependency: contents.dependencies.iter().map(ToString::to_string).collect(),
        message_type: contents.messages.values().map(|facts| message_of(facts, contents)).collect(),
        enum_type: enums.filter(|facts| facts.inside.is_none()).map(|facts| enum_of(facts)).collect(),
        service: own.iter().map(|service| service_of(service)).collect(),
        syntax: "proto3".to_string(),
    };
    DescribedFile {
        name: file.name,
        dependencies: contents.dependencies.clone(),
        symbols,
        bytes: described.encode(),
    }
}

fn message_of(facts: &MessageFacts, contents: &Contents) -> MessageDescriptor {
    let inside = contents.enums.values().filter(|inner| inner.inside == Some(facts.name));
    MessageDescriptor {
        name: facts.name.to_string(),
        field: facts.fields.iter().map(field_of).collect(),
        enum_type: inside.map(|inner| enum_of(inner)).collect(),
    }
}

fn field_of(facts: &FieldFacts) -> FieldDescriptor {
    let (kind, type_name) = match facts.kind {
        FieldKind::Int64 => (3, String::new()),
        FieldKind::Int32 => (5, String::new()),
        FieldKind::Bool => (8, String::new()),
        FieldKind::String => (9, String::new()),
        FieldKind::Message(inner) => (11, type_name(inner.file, inner.name)),
        FieldKind::Bytes => (12, String::new()),
        FieldKind::Enum(inner) => (14, type_name(inner.file, &local_name(inner))),
    };
    FieldDescriptor {
        name: facts.name.to_string(),
        number: facts.number.cast_signed(),
        // Repeated, or optional as all others.
        label: if facts.repeated { 3 } else { 1 },
        r#type: kind,
        type_name,
    }
}

fn enum_of(facts: &EnumFacts) -> EnumDescriptor {
    let value =
        |(name, number): &(&str, i32)| EnumValueDescriptor { name: (*name).to_string(), number: *number };
    EnumDescriptor { name: facts.name.to_string(), value: facts.values.iter().map(value).collect() }
}

fn service_of(facts: &ServiceFacts) -> ServiceDescriptor {
    let methods = facts.methods.iter().map(|(name, method)| MethodDescriptor {
        name: (*name).to_string(),
        input_type: type_name(method.input.file, method.input.name),
        output_type: type_name(method.output.file, method.output.name),
        client_streaming: method.asks_streaming,
        server_streaming: method.answers_streaming,
    });
    ServiceDescriptor { name: facts.name.to_string(), method: methods.collect() }
}

/// Returns the name of an enumeration without its package.
fn local_name(facts: &EnumFacts) -> String {
    facts.inside.map_or_else(|| facts.name.to_string(), |message| format!("{message}.{}", facts.name))
}

/// Returns a name as fields refer to it.
fn type_name(file: &FileFacts, name: &str) -> String {
    format!(".{}", full_name(file.package, name))
}
