//! The command line from outside: the real binary, its exit codes and its files.

use assert_cmd::Command;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;
use std::time::Duration;
use tempfile::TempDir;

/// Timeout of every command here.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Returns a command in a folder of its own, without ribbit's variables in its environment.
fn ribbit(folder: &TempDir) -> Command {
    let mut command = Command::cargo_bin("ribbit").unwrap();
    for (key, _) in std::env::vars_os() {
        if key.to_string_lossy().starts_with("RIBBIT_") {
            command.env_remove(key);
        }
    }
    command.env_remove("RUST_LOG").current_dir(folder.path()).timeout(TIMEOUT);
    command
}

fn run(folder: &TempDir, line: &str) -> (i32, String) {
    ended(&ribbit(folder).args(line.split_whitespace()).output().unwrap())
}

fn ended(output: &Output) -> (i32, String) {
    let text = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    (output.status.code().unwrap_or(-1), String::from_utf8(text).unwrap())
}

/// A server started with a low soft limit raises it.
#[test]
fn a_server_takes_the_file_descriptors_it_needs() {
    let folder = folder();
    assert_eq!(run(&folder, "init --coordinator 127.0.0.1:1").0, 0);
    let script = "ulimit -Sn 200; exec \"$0\" balancer --listen 127.0.0.1:0 --coordinator 127.0.0.1:1";
    let mut child = std::process::Command::new("sh")
        .args(["-c", script, assert_cmd::cargo::cargo_bin("ribbit").to_str().unwrap()])
        .current_dir(folder.path())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let limits = |which: usize| {
        let text = fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
        let line = text.lines().find(|line| line.starts_with("Max open files")).unwrap();
        let word = line.split_whitespace().nth(which).unwrap();
        word.parse().unwrap_or(u64::MAX)
    };
    let begin = std::time::Instant::now();
    // Until the shell has lowered it, the limit is that of this process.
    let is_lowered = || fs::read(format!("/proc/{}/comm", child.id())).unwrap().starts_with(b"ribbit");
    while !is_lowered() && begin.elapsed() < TIMEOUT {
        std::thread::sleep(Duration::from_millis(5));
    }
    let wanted = limits(4).min(4_096);
    while limits(3) < wanted && begin.elapsed() < TIMEOUT {
        std::thread::sleep(Duration::from_millis(20));
    }
    let soft = limits(3);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(soft >= wanted, "{soft}");
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn every_command_has_help_with_examples() {
    let folder = folder();
    let commands =
        ["up", "init", "backend", "coordinator", "balancer", "client web", "status", "members", "bench"];
    let more = ["member remove", "member drain", "member undrain", "transfer", "shell", "lock"];
    let directory = ["health", "watch", "balancer read", "balancer write", "balancer down", "balancer left"];
    for command in commands.into_iter().chain(more).chain(directory) {
        let (code, text) = run(&folder, &format!("{command} --help"));
        assert_eq!(code, 0, "{command}");
        assert!(text.contains("Examples:") && text.contains(&format!("ribbit {command}")), "{text}");
        assert!(text.contains("RIBBIT_"), "{text}");
    }
    let (code, text) = run(&folder, "--help");
    assert!(code == 0 && text.contains("ribbit up") && text.contains("Exit codes"), "{text}");
}

#[test]
fn the_version_names_commit_and_target() {
    let folder = folder();
    let short = format!("ribbit {}", env!("CARGO_PKG_VERSION"));
    assert_eq!(run(&folder, "-V"), (0, format!("{short}\n")));
    let (code, text) = run(&folder, "--version");
    let built = text.strip_prefix(&format!("{short} (")).and_then(|rest| rest.strip_suffix(")\n"));
    let (commit, target) = built.and_then(|built| built.split_once(", ")).unwrap();
    assert!(code == 0 && !commit.is_empty(), "{text}");
    assert!(target.starts_with(std::env::consts::ARCH) && target.contains("-linux-"), "{text}");
}

#[test]
fn wrong_usage_exits_2() {
    let folder = folder();
    for line in [
        "",
        "frog",
        "client frog",
        "client --json",
        "client dm",
        "client feed --limit many",
        "client -u ada feed",
        "user",
        "user registration ajar",
        "backend",
        "backend --id two",
        "backend --id 0",
        "up --backends 0",
        "up --restart sometimes",
        "up --ephemeral --data-dir x",
        "up --web nowhere",
        "init",
        "init --coordinator board1",
        "status --server a:1,b",
        "bench --op nap",
        "member",
        "member remove",
        "member drain 2",
        "transfer frog-1",
        "balancer frog",
        "balancer left frog",
        "balancer --listen 127.0.0.1:0 read",
        "lock",
        "lock /jobs/it",
        "lock jobs/it -- true",
        "lock /jobs/it --lease 1s -- true",
        "lock /jobs/it --wait soon -- true",
        "shell frog",
        "shell cat jobs",
        "up --evict-after soon",
        "backend --id 1 --evict-after 0",
    ] {
        let (code, text) = run(&folder, line);
        assert_eq!(code, 2, "ribbit {line}: {text}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "and leaves nothing behind");
}

#[test]
fn an_unreachable_cluster_exits_3_and_names_the_address() {
    let folder = folder();
    let (code, text) = run(&folder, "status --server 127.0.0.1:1 --json");
    assert_eq!(code, 3);
    assert!(text.starts_with("ribbit: ") && text.contains("127.0.0.1:1"), "{text}");
    let (code, text) = run(&folder, "status");
    assert!(code == 3 && text.contains("ribbit-data"), "{code}: {text}");
    let (code, text) = run(&folder, "client feed --server 127.0.0.1:1");
    assert!(code == 3 && text.contains("127.0.0.1:1"), "{code}: {text}");
    // Commands for operators need the cluster file.
    for verb in ["user list", "member drain backend-1", "shell"] {
        let (code, text) = run(&folder, &format!("{verb} --server 127.0.0.1:1"));
        assert!(code == 78 && text.contains("--cluster-file"), "{verb}: {code}: {text}");
    }
    let (code, text) = run(&folder, "init --coordinator 127.0.0.1:1 --cluster-file cluster");
    assert_eq!(code, 0, "{text}");
    // The result of `health` goes to standard output.
    let output = ribbit(&folder).args(["health", "--server", "127.0.0.1:1"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.code() == Some(3) && text.starts_with("DOWN.\nNo server answers.\n  On the boards"),
        "{text}"
    );
    assert!(output.stderr.is_empty());
    for verb in ["balancer read", "balancer write", "balancer down 127.0.0.1:2", "balancer left 7"] {
        let (code, text) = run(&folder, &format!("{verb} --server 127.0.0.1:1"));
        assert!(code == 3 && text.contains("127.0.0.1:1"), "{verb}: {code}: {text}");
    }
    for verb in [
        "watch",
        "watch --once",
        "members",
        "member remove backend-1 --cluster-file cluster",
        "member drain backend-1 --cluster-file cluster",
        "transfer backend-1 --cluster-file cluster",
        "user list --cluster-file cluster",
    ] {
        let (code, text) = run(&folder, &format!("{verb} --server 127.0.0.1:1"));
        assert!(code == 3 && text.contains("127.0.0.1:1"), "{verb}: {code}: {text}");
    }
    for verb in [
        "shell --cluster-file cluster --server 127.0.0.1:1 ls",
        "lock --cluster-file cluster --server 127.0.0.1:1 /jobs/it -- true",
    ] {
        let (code, text) = run(&folder, verb);
        assert!(code == 3 && text.contains("127.0.0.1:1"), "{verb}: {code}: {text}");
    }
    let (code, text) = run(&folder, "bench --server 127.0.0.1:1 --seconds 1");
    assert_eq!(code, 3, "{text}");
}

#[test]
fn init_creates_a_secret_file_once_and_prints_the_next_steps() {
    let folder = folder();
    let file = folder.path().join("ribbit-data/cluster.ribbit");
    let (code, text) = run(&folder, "init --name frogs --coordinator board1:9000,board2:9001");
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("ribbit coordinator --id 1 --found"), "{text}");
    assert!(text.contains("ribbit backend --id 1"), "{text}");
    assert_eq!(mode(&file), 0o600);
    let made = fs::read_to_string(&file).unwrap();
    assert!(made.contains("NAME=frogs\n") && made.contains("COORDINATORS=board1:9000,board2:9001\n"));
    let key = made.lines().find_map(|line| line.strip_prefix("KEY=")).unwrap();
    assert!(!text.contains(key), "the secret key is not printed");

    let (code, text) = run(&folder, "init --coordinator board3:9000");
    assert!(code == 1 && text.contains("exists"), "{code}: {text}");
    assert_eq!(fs::read_to_string(&file).unwrap(), made);

    let (code, _) = run(&folder, "init --coordinator board3:9000 --cluster-file other.ribbit");
    assert_eq!((code, mode(&folder.path().join("other.ribbit"))), (0, 0o600));
    assert_ne!(fs::read_to_string(folder.path().join("other.ribbit")).unwrap(), made);
}

#[test]
fn the_cluster_file_may_be_a_systemd_credential() {
    let folder = folder();
    let credentials = folder.path().join("credentials");
    fs::create_dir(&credentials).unwrap();
    let (code, text) = run(&folder, "init --coordinator a:1 --cluster-file credentials/cluster.ribbit");
    assert_eq!(code, 0, "{text}");
    let key = |mode: u32| {
        fs::set_permissions(credentials.join("cluster.ribbit"), fs::Permissions::from_mode(mode)).unwrap();
        ended(&ribbit(&folder).arg("key").env("CREDENTIALS_DIRECTORY", &credentials).output().unwrap())
    };
    let (code, public) = key(0o400);
    assert!(code == 0 && text.contains(&format!("--public-key {}", public.trim())), "{code}: {public}");
    // The mask of its access list appears in place of the group's bits.
    assert_eq!(key(0o440), (0, public));
    let (code, text) = key(0o444);
    assert!(code == 78 && text.contains("others can open"), "{code}: {text}");
    // Elsewhere the group must have no access.
    fs::set_permissions(credentials.join("cluster.ribbit"), fs::Permissions::from_mode(0o440)).unwrap();
    let (code, text) = run(&folder, "key --cluster-file credentials/cluster.ribbit");
    assert!(code == 78 && text.contains("others can open"), "{code}: {text}");
}

#[test]
fn a_missing_cluster_file_is_reported_with_advice() {
    let folder = folder();
    for line in ["backend --id 1", "coordinator --id 1 --found", "balancer", "status --cluster-file none"] {
        let (code, text) = run(&folder, line);
        assert!(code == 78 && text.contains("ribbit init"), "{line}: {code}: {text}");
    }
}

#[test]
fn a_cluster_file_that_others_can_open_is_refused_with_advice() {
    let folder = folder();
    assert_eq!(run(&folder, "init --coordinator board1:9000").0, 0);
    let file = folder.path().join("ribbit-data/cluster.ribbit");
    for open in [0o644, 0o660, 0o604] {
        fs::set_permissions(&file, fs::Permissions::from_mode(open)).unwrap();
        let (code, text) = run(&folder, "backend --id 1");
        assert_eq!(code, 78, "{text}");
        assert!(text.contains("chmod 600 ribbit-data/cluster.ribbit"), "{text}");
    }
}

#[test]
fn a_damaged_cluster_file_is_named() {
    let folder = folder();
    let file = folder.path().join("broken");
    fs::write(&file, "NAME=frogs\nKEY=short\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let (code, text) = run(&folder, "backend --id 1 --cluster-file broken");
    assert!(code == 78 && text.contains("broken is not a cluster file"), "{code}: {text}");
}

/// The error of `status` names the address it tried, which shows the source of the value.
#[test]
fn a_flag_overrides_the_environment_and_that_overrides_the_file() {
    let folder = folder();
    let file = folder.path().join("conf");
    fs::write(&file, "# where\nRIBBIT_SERVER=\"127.0.0.1:1,\\\n127.0.0.1:2\"\nRIBBIT_ID=7\nOTHER=x\n")
        .unwrap();
    let asked = |line: &str, environment: Option<&str>| {
        let mut command = ribbit(&folder);
        command.args(line.split_whitespace());
        command.envs(environment.map(|value| ("RIBBIT_SERVER", value)));
        let (code, text) = ended(&command.output().unwrap());
        assert_eq!(code, 3, "{text}");
        text
    };
    let text = asked("status --config conf", None);
    assert!(text.contains("127.0.0.1:1, 127.0.0.1:2 "), "{text}");
    assert!(asked("--config=conf status", Some("127.0.0.1:3")).contains("127.0.0.1:3 "));
    assert!(asked("status --config conf --server 127.0.0.1:4", Some("127.0.0.1:3")).contains("127.0.0.1:4 "));
    // A folder on the command line overrides servers from the environment or the file.
    let text = asked("status --data-dir elsewhere --config conf", Some("127.0.0.1:3"));
    assert!(text.contains("elsewhere"), "{text}");
    let mut command = ribbit(&folder);
    command.arg("status").env("RIBBIT_CONFIG", &file);
    assert!(ended(&command.output().unwrap()).1.contains("127.0.0.1:2"));
}

#[test]
fn an_error_in_the_config_file_is_named_with_its_line() {
    let folder = folder();
    let file = folder.path().join("conf");
    for (text, line, words) in [
        ("RIBBIT_ID=1\n\nRIBBIT_FROG=1\n", 3, "RIBBIT_FROG"),
        ("\nRIBBIT_ID=0\n", 2, "RIBBIT_ID"),
        ("RIBBIT_FOUND=perhaps\nRIBBIT_ID=1\n", 1, "RIBBIT_FOUND"),
        ("RIBBIT_ID=1\nRIBBIT_COORDINATOR=a:1,b\n", 2, "RIBBIT_COORDINATOR"),
        ("RIBBIT_ID\n", 1, "KEY=VALUE"),
        ("RIBBIT_ID='1\n", 1, "quote"),
        ("RIBBIT_CONFIG=other\n", 1, "RIBBIT_CONFIG"),
    ] {
        fs::write(&file, text).unwrap();
        let (code, said) = run(&folder, "backend --config conf");
        assert_eq!(code, 78, "{text:?}: {said}");
        assert!(said.starts_with(&format!("ribbit: conf:{line}: ")) && said.contains(words), "{said}");
    }
    let (code, said) = run(&folder, "backend --config nowhere");
    assert!(code == 78 && said.contains("nowhere"), "{said}");
    // An error on the command line is reported as such.
    fs::write(&file, "RIBBIT_ID=1\nRIBBIT_COORDINATOR=a:1\n").unwrap();
    assert_eq!(run(&folder, "backend --config conf --coordinator x").0, 2);
}

#[test]
fn a_taken_web_port_is_named_with_the_flag() {
    let folder = folder();
    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = holder.local_addr().unwrap();
    let (code, text) = run(&folder, &format!("up --data-dir d --web {address}"));
    assert!(code == 1 && text.contains(&address.to_string()) && text.contains("--web"), "{code}: {text}");
}

/// Started without the required capabilities.
#[test]
fn a_balancer_without_capabilities_says_what_it_needs() {
    let folder = folder();
    assert_eq!(run(&folder, "init --coordinator 127.0.0.1:1").0, 0);
    let words = "balancer --listen 127.0.0.1:0 --floating 192.0.2.50/24 --interface lo";
    let binary = assert_cmd::cargo::cargo_bin("ribbit");
    // If the test runs as root, root without these two capabilities.
    let mut command = match rustix::process::geteuid().is_root() {
        true => {
            let mut command = Command::new("setpriv");
            let sets = ["--bounding-set", "--inh-caps"].map(|set| [set, "-net_admin,-net_raw"]);
            command.args(sets.concat()).arg(binary);
            command
        }
        false => Command::new(binary),
    };
    command.args(words.split(' ')).current_dir(folder.path()).timeout(TIMEOUT);
    let (code, said) = match command.output() {
        Ok(output) => ended(&output),
        Err(error) => return println!("skipped: setpriv cannot be run: {error}"),
    };
    assert_eq!(code, 78, "{said}");
    let needs = "needs CAP_NET_ADMIN and CAP_NET_RAW: start the unit ribbit-balancer-floating.service";
    assert!(said.contains(needs), "{said}");
}
