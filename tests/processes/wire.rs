//! Encryption and server authentication between clients and servers.

use crate::test_cluster::{TestCluster, keys};
use crate::verbs::{CliUser, Ran, ran};
use ribbit_state::sync::MutexExt;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A proxy in front of a server that records all bytes and can switch to another server.
struct Tap {
    address: String,
    server: Arc<Mutex<String>>,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Tap {
    fn before(server: String) -> Tap {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound").to_string();
        let (server, heard) = (Arc::new(Mutex::new(server)), Arc::new(Mutex::new(Vec::new())));
        let tap = Tap { address, server: server.clone(), heard: heard.clone() };
        // All threads end with the test process.
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let server = server.locked().clone();
                let Ok(server) = TcpStream::connect(server) else { continue };
                for (from, to) in [(&client, &server), (&server, &client)] {
                    let (from, to) = (from.try_clone().expect("open"), to.try_clone().expect("open"));
                    let heard = heard.clone();
                    std::thread::spawn(move || carry(from, to, &heard));
                }
            }
        });
        tap
    }

    fn turn_to(&self, server: String) {
        *self.server.locked() = server;
    }

    /// Returns true if these bytes have passed.
    fn has_heard(&self, bytes: &[u8]) -> bool {
        let heard = self.heard.locked();
        heard.windows(bytes.len()).any(|window| window == bytes)
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, heard: &Mutex<Vec<u8>>) {
    let mut buffer = [0; 8_192];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        heard.locked().extend_from_slice(&buffer[..read]);
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

/// Runs a verb of a user who knows only an address of the cluster.
fn stranger(user: &CliUser, pond: &TestCluster, arguments: &[&str], input: &str) -> Ran {
    let mut command = user.command(pond, arguments);
    command.env_remove("RIBBIT_DATA_DIR").current_dir(user.home());
    ran(command, input)
}

#[test]
fn who_listens_on_the_way_hears_nothing_that_was_said() {
    let pond = TestCluster::start();
    let tap = Tap::before(pond.address("BALANCER"));
    let ada = CliUser::new();
    let to = ["--server", &tap.address];
    let create = [&["create", "ada-lovelace", "--full-name", "Ada", "--email", "ada@pond.example"], &to[..]];
    stranger(&ada, &pond, &create.concat(), "correct horse battery\n").succeeds();
    stranger(&ada, &pond, &[&["post", "a very private frog"], &to[..]].concat(), "").succeeds();
    let feed = stranger(&ada, &pond, &[&["feed"], &to[..]].concat(), "").succeeds();
    assert!(feed.contains("a very private frog"), "{feed}");
    assert!(tap.has_heard(b"ribbit"), "something passed");
    for secret in ["ada-lovelace", "ada@pond", "correct horse", "private frog"] {
        assert!(!tap.has_heard(secret.as_bytes()), "{secret} passed as it is");
    }
}

#[test]
fn servers_are_known_by_the_key_that_was_given_or_by_the_first_that_was_met() {
    let mut pond = TestCluster::start();
    let tap = Tap::before(pond.address("BALANCER"));
    let ada = CliUser::new();
    let key = ran(pond.ribbit(&["key"]), "").succeeds();
    assert_eq!(key.trim(), keys().public().expect("a cluster has one").to_string());
    let create = |key: &[&str], username: &str| {
        let words = ["create", username, "--full-name", username, "--email", "a@b", "--server", &tap.address];
        stranger(&ada, &pond, &[&words[..], key].concat(), "password\n")
    };
    let wrong = "0".repeat(64);
    create(&["--public-key", &wrong], "ada").fails(3, "which is not this cluster's");
    create(&["--public-key", key.trim()], "ada").succeeds();
    // A given key is not stored. Without one, the first key seen is stored and pinned.
    create(&[], "bob").succeeds();
    let known = std::fs::read_to_string(ada.home().join("ribbit/servers")).expect("the key is pinned");
    assert_eq!(known.split(' ').collect::<Vec<_>>()[..1], [tap.address.as_str()], "{known}");
    assert!(known.trim_end().ends_with(key.trim()), "{known}");

    // Another server answers at the address.
    pond.stop();
    pond.wipe();
    pond.up(&[]);
    tap.turn_to(pond.address("BALANCER"));
    let words = ["login", "bob", "--server", &tap.address];
    let refused = stranger(&ada, &pond, &words, "password\n");
    assert!(refused.code == 3 && refused.err.contains("HAS CHANGED"), "{refused:?}");
    assert!(refused.err.contains("line 1 of") && refused.err.contains(key.trim()), "{refused:?}");
    // After the pinned key is removed, as the message advises, the new key is accepted.
    std::fs::write(ada.home().join("ribbit/servers"), "").expect("a file");
    stranger(&ada, &pond, &words, "password\n").fails(1, "601");
}

#[test]
fn who_runs_the_group_has_its_cluster_file() {
    let pond = TestCluster::start();
    let nobody = CliUser::new();
    let server = pond.address("BACKEND_1");
    let run = |words: &[&str]| {
        let mut command = pond.plain(words);
        command.env_remove("RIBBIT_DATA_DIR").env("XDG_CONFIG_HOME", nobody.home());
        command.current_dir(nobody.home()).args(["--server", &server]);
        ran(command, "")
    };
    // The status is public.
    assert!(run(&["status"]).succeeds().contains("backend-1"));
    for words in
        [&["user", "list"][..], &["member", "drain", "backend-2"], &["shell"], &["transfer", "backend-2"]]
    {
        run(words).fails(78, "--cluster-file");
    }
    // The cluster file of another cluster, or of this one with another key.
    let folder = pond.folder().join("cluster.ribbit");
    let text = std::fs::read_to_string(&folder).expect("a cluster file");
    let line = |name: &str| text.lines().find(|line| line.starts_with(name)).expect("it has one").to_string();
    let other = |name: &str| {
        text.replace(&line(name), &format!("{name}{}", "7".repeat(line(name).len() - name.len())))
    };
    let elsewhere = nobody.home().join("cluster");
    for (name, words) in [("CLUSTER=", "is of cluster"), ("KEY=", "which is not this cluster's")] {
        write_private(&elsewhere, &other(name));
        let refused = run(&["user", "list", "--cluster-file", &elsewhere.display().to_string()]);
        assert!(refused.code == 3 && refused.err.contains(words), "{name}: {refused:?}");
    }
}

fn write_private(path: &std::path::Path, text: &str) {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).expect("a file");
}

/// A board with the wrong cluster file.
#[test]
fn a_member_with_another_key_of_the_same_cluster_is_kept_out_and_told() {
    let pond = TestCluster::start();
    let text = std::fs::read_to_string(pond.folder().join("cluster.ribbit")).expect("a cluster file");
    let key = text.lines().find(|line| line.starts_with("KEY=")).expect("it has one");
    let folder = tempfile::tempdir().expect("a temporary folder");
    write_private(
        &folder.path().join("cluster.ribbit"),
        &text.replace(key, &format!("KEY={}", "7".repeat(64))),
    );
    let said = folder.path().join("said");
    let mut command = pond.plain(&["backend", "--id", "4", "--listen", "127.0.0.1:0"]);
    command.args(["--coordinator", &pond.address("COORDINATOR_1")]);
    command.env("RIBBIT_DATA_DIR", folder.path()).stderr(std::fs::File::create(&said).expect("a file"));
    let mut child = command.spawn().expect("it starts");
    crate::test_cluster::awaited("it says what is wrong", || {
        let said = std::fs::read_to_string(&said).ok()?;
        said.contains("another key of the same cluster").then_some(())
    });
    child.kill().and_then(|()| child.wait()).expect("it ends");
    assert_eq!(pond.status().members.len(), 5);
}
