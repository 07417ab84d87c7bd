//! Folders of a systemd unit, and the creation of a cluster by a one-shot unit.

use crate::units::heard::{Supervisor, cluster, free_port, ribbit};
use std::fs;
use testkit::timeouts::awaited;

#[test]
fn data_is_stored_in_the_state_directory() {
    let (credentials, _) = cluster();
    let state = tempfile::tempdir().unwrap();
    let mut supervisor = Supervisor::new();
    let mut command = ribbit(&format!("backend --id 7 --listen 127.0.0.1:{}", free_port()));
    let folders = format!("{}:/nonexistent", state.path().display());
    command.current_dir("/").env("STATE_DIRECTORY", folders).env("CREDENTIALS_DIRECTORY", credentials.path());
    let _backend = supervisor.start(command, credentials.path());
    supervisor.hears("READY=1");
    assert!(state.path().join("backend-7/store.redb").exists());

    // A flag takes precedence.
    let told = ribbit(&format!("key --data-dir {}", credentials.path().display()))
        .env("STATE_DIRECTORY", state.path())
        .output()
        .unwrap();
    assert!(told.status.success(), "{told:?}");
}

#[test]
fn temporary_data_is_stored_in_the_runtime_directory() {
    let runtime = tempfile::tempdir().unwrap();
    let mut supervisor = Supervisor::new();
    let mut command = ribbit("up --ephemeral --backends 1 --coordinators 0 --web 127.0.0.1:0");
    command.env("RUNTIME_DIRECTORY", runtime.path());
    let mut up = supervisor.start(command, runtime.path());
    supervisor.hears("READY=1");
    let within = || {
        fs::read_dir(runtime.path()).unwrap().filter(|entry| entry.as_ref().unwrap().path().is_dir()).count()
    };
    assert_eq!(within(), 1);
    up.signal(rustix::process::Signal::TERM);
    assert_eq!(up.ended().code(), Some(0), "{}", up.said());
    assert_eq!(within(), 0, "removed on exit");
}

#[test]
fn a_cluster_is_created_once_and_never_beside_a_running_one() {
    let (folder, port) = cluster();
    let found = |data_dir: &std::path::Path| {
        let output = ribbit("coordinator --id 1 --found-only --cluster-file")
            .arg(folder.path().join("cluster.ribbit"))
            .arg("--data-dir")
            .arg(data_dir)
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, said) = found(folder.path());
    assert!(code == Some(0) && said.contains("founding history"), "{said}");
    let (code, said) = found(folder.path());
    assert!(code == Some(0) && said.contains("nothing to found"), "{said}");

    // The regular start does not create a cluster.
    let mut supervisor = Supervisor::new();
    let mut command = ribbit("coordinator --id 1");
    command.arg("--data-dir").arg(folder.path());
    let coordinator = supervisor.start(command, folder.path());
    supervisor.hears("STATUS=coordinator-1 leads");
    assert!(coordinator.said().contains(&format!("0.0.0.0:{port}")), "{}", coordinator.said());

    // A second coordinator finds the first one and refuses.
    let elsewhere = tempfile::tempdir().unwrap();
    let output = ribbit("coordinator --id 2 --found-only --cluster-file")
        .arg(folder.path().join("cluster.ribbit"))
        .arg("--data-dir")
        .arg(elsewhere.path())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && said.contains("belongs to history"), "{said}");

    // While the coordinator runs, its store is locked.
    let (code, said) = found(folder.path());
    assert!(code == Some(78) && said.contains("running already"), "{said}");
    drop(coordinator);
    awaited("the store is free", || (found(folder.path()).0 == Some(0)).then_some(()));
}
