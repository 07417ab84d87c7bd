//! Clients of Tiny SNS and of the gRPC chat with Google's implementation of gRPC and stubs generated from `proto/`, in `clients/`.
//! They ask this test to kill servers.

use super::Gateway;
use crate::test_cluster::TestCluster;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Returns the Python that has `grpcio`, if there is one.
fn python() -> Option<PathBuf> {
    testkit::python::with("grpcio, grpcio-tools and grpcio-reflection", "RIBBIT_GRPC_PYTHON", "grpc")
}

/// Runs a client until it has passed. `please` does what it asks for.
#[track_caller]
fn run(python: &Path, client: &str, arguments: &[String], mut please: impl FnMut(&str)) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(python);
    command.arg(folder.join("tests/processes/gateway/clients").join(client)).arg(folder.join("proto"));
    command.args(arguments);
    testkit::python::until_passed(command, |what| {
        please(what);
        "done".to_string()
    });
}

/// Kills the leading backend, or another one, once all are there.
fn kill(pond: &TestCluster, what: &str) {
    pond.await_whole();
    let leader = pond.await_leading_backend();
    let backends = ["backend-1", "backend-2", "backend-3"];
    let follower = backends.iter().find(|name| **name != leader).expect("three backends");
    pond.kill(&[if what == "kill leader" { leader.as_str() } else { follower }]);
}

#[test]
fn a_client_of_tiny_sns_with_generated_stubs() {
    let Some(python) = python() else { return };
    let pond = TestCluster::start();
    let flags = ["--names-without-password", "--sns", "0,0"];
    let mut first = Gateway::start(&pond, &flags);
    let second = Gateway::start(&pond, &flags);
    let coordinators = [&first, &second].map(|gateway| gateway.address("sns", 0).to_string());
    run(&python, "tiny_sns.py", &coordinators, |what| match what {
        "kill gateway" => first.kill(),
        what => kill(&pond, what),
    });
}

#[test]
fn a_client_of_the_chat_with_generated_stubs() {
    let Some(python) = python() else { return };
    let pond = TestCluster::start();
    let flags = ["--names-without-password", "--grpc-chat", "0"];
    let mut gateways = [Gateway::start(&pond, &flags), Gateway::start(&pond, &flags)];
    let address = gateways[0].address("grpc-chat", 0).to_string();
    run(&python, "chat.py", &[address], |what| match what {
        "kill gateway" => gateways[0].kill(),
        what => kill(&pond, what),
    });
}
