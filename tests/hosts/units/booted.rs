//! The units under a real systemd, which is started in namespaces of its own over a temporary overlay of this machine's files.
//! It runs the units of systemd/ with the binary of this build. A system call that the units do not allow kills its process
//! here; on a real machine it would fail with an error.
//!
//! `RIBBIT_UNITS_BINARY=dist/x86_64-unknown-linux-musl/ribbit` tests another build, such as one for a package.
//!
//! Needs root, systemd, overlayfs and cgroup2; skipped with the reason if one is missing. Nothing outlives the test: the
//! namespaces end with their first process, and that ends with its parent.

use crate::units::board::Board;
use std::time::{Duration, Instant};
use testkit::timeouts::awaited;

const ALL: [&str; 5] = [
    "ribbit-coordinator@1.service",
    "ribbit-backend@1.service",
    "ribbit-backend@2.service",
    "ribbit-balancer.service",
    "ribbit-web.service",
];

#[test]
fn a_board_runs_them_as_they_are() {
    let Some(board) = Board::boot() else { return };

    // Without a cluster file the unit fails with a message.
    let (code, said) = board.run("systemctl start ribbit-backend@1");
    assert!(code != 0 && said.contains("ribbit-backend@1"), "{said}");

    // The commands that `init` prints, without `sudo`, since the test runs as root.
    board.typed("mkdir -p /etc/ribbit");
    let init = "ribbit init --coordinator 127.0.0.1:9000 --cluster-file /etc/ribbit/cluster.ribbit";
    let said = board
        .typed(init)
        .replace("sudo ", "")
        .replace("enable --now ribbit-backend@1", "enable --now ribbit-backend@{1,2}");
    let steps =
        said.lines().map(str::trim).filter(|line| line.contains("systemctl") || line.starts_with("echo"));
    let steps: Vec<&str> = steps.collect();
    assert_eq!(steps.len(), 6, "{said}");
    let began = Instant::now();
    for step in steps {
        board.typed(&format!("bash -c '{step}'"));
    }
    println!("five units were ready after {:?}", began.elapsed());
    board.awaits("whole", "ribbit status --json", |said| {
        said.matches("\"voter\":true").count() == 3 && said.matches("\"in_sync\":true").count() == 3
    });

    clients_are_served(&board);
    older_clients_are_served(&board);
    irc_clients_are_served(&board);
    units_have_no_unneeded_privileges(&board);
    killed_processes_are_restarted(&board);
    stuck_processes_are_ended_by_the_watchdog(&board);
    pages_use_https(&board);
    the_floating_address_is_held(&board);
    backups_are_made(&board);
    a_changed_user_id_keeps_its_files(&board);
    a_long_start_is_not_a_failed_start(&board);
    // No system call was refused by the filter: its process would have been killed.
    let journal = board.typed("journalctl --no-pager");
    assert!(!journal.contains("SYS"), "{journal}");
}

fn clients_are_served(board: &Board) {
    for unit in ALL {
        assert_eq!(board.shows(unit, "ActiveState"), "active", "{unit}");
    }
    for (unit, words) in [
        (ALL[0], "coordinator-1 "),
        (ALL[1], "backend-1 "),
        (ALL[3], "2 backends serve people"),
        (ALL[4], "serving pages on http://"),
    ] {
        board.awaits(unit, &format!("systemctl show --value -p StatusText {unit}"), |said| {
            said.contains(words)
        });
    }
    let said = board.typed("systemctl status ribbit-backend@1 --no-pager");
    println!(
        "{}",
        said.lines().filter(|line| line.contains("Status:") || line.contains("Active:")).collect::<String>()
    );
    let created =
        board.output("ribbit client create ada --email ada@pond --server 127.0.0.1:8081", "croak, croak\n");
    assert!(created.status.success(), "{created:?}");
    board.typed("ribbit client post --server 127.0.0.1:8081 Under systemd");
    // Root's commands use the installed cluster by default, and never in place of another one that was named.
    assert_eq!(
        board.typed("ribbit key"),
        board.typed("ribbit key --cluster-file /etc/ribbit/cluster.ribbit")
    );
    board.typed("ribbit user list");
    assert_eq!(board.run("ribbit status --data-dir /nonexistent").0, 3);
    assert_eq!(board.run("ribbit user list --data-dir /nonexistent").0, 3);
    // The port opened by systemd.
    let page = board.typed("bash -c 'exec 3<>/dev/tcp/127.0.0.1/80; printf \"GET /health HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n\" >&3; cat <&3'");
    assert!(page.contains(" 200 "), "{page}");
}

fn older_clients_are_served(board: &Board) {
    // Without a protocol the unit fails for good.
    let (code, _) = board.run("systemctl start ribbit-gateway");
    assert_ne!(code, 0);
    board.awaits("given up", "systemctl show -p ActiveState,ExecMainStatus ribbit-gateway", |said| {
        said.contains("ActiveState=failed") && said.contains("ExecMainStatus=2")
    });
    board.typed("bash -c 'echo RIBBIT_RIBBIT_TCP=8084,8091 > /etc/ribbit/gateway.conf'");
    board.typed("systemctl start ribbit-gateway");
    board.awaits("serving", "systemctl show --value -p StatusText ribbit-gateway", |said| {
        said.contains("serving ribbit-tcp on 127.0.0.1:8084")
    });
    let named = board.typed("bash -c 'exec 3<>/dev/tcp/127.0.0.1/8084; printf read >&3; cat <&3'");
    assert_eq!(named.trim(), "8091");
    let log_in = "bash -c 'exec 3<>/dev/tcp/127.0.0.1/8091; printf \"login,ada,croak, croak\" >&3; cat <&3'";
    assert_eq!(board.typed(log_in).trim(), "200");
    board.awaits("registered", "ribbit status", |said| said.contains("serves ribbit-tcp=127.0.0.1:8084"));
    board.typed("systemctl stop ribbit-gateway");
}

fn irc_clients_are_served(board: &Board) {
    board.typed("systemctl start ribbit-irc");
    board.awaits("serving", "systemctl show --value -p StatusText ribbit-irc", |said| {
        said.contains("serving irc://127.0.0.1:6667")
    });
    let lines = "PASS ada:croak, croak\\r\\nNICK ada\\r\\nUSER ada 0 * ada\\r\\nJOIN &feed\\r\\nQUIT\\r\\n";
    let log_in = format!("bash -c 'exec 3<>/dev/tcp/127.0.0.1/6667; printf \"{lines}\" >&3; cat <&3'");
    let said = board.typed(&log_in);
    assert!(said.contains(" 001 ada ") && said.contains("Under systemd"), "{said}");
    board.typed("systemctl stop ribbit-irc");
}

fn units_have_no_unneeded_privileges(board: &Board) {
    for unit in ALL {
        let pid = board.shows(unit, "MainPID");
        let status = board.typed(&format!("cat /proc/{pid}/status"));
        let field = |name: &str| {
            let line = status
                .lines()
                .find(|line| line.starts_with(name))
                .unwrap_or_else(|| panic!("{name}: {status}"));
            line.split_whitespace().nth(1).unwrap_or_default().to_string()
        };
        assert_ne!(field("Uid:"), "0", "{unit}");
        let caps = [field("CapEff:"), field("CapBnd:"), field("CapPrm:")];
        assert!(caps.iter().all(|it| it.trim_matches('0').is_empty()), "{unit}: {caps:?}");
        assert_eq!((field("Seccomp:"), field("NoNewPrivs:")), ("2".into(), "1".into()), "{unit}");
    }
    // Only root and the unit can read the data.
    let (code, _) = board.run("setpriv --reuid 65534 --clear-groups ls /var/lib/ribbit/");
    assert_ne!(code, 0);
    assert!(board.typed("ls /var/lib/ribbit/").contains("backend-2"));
    // The web process has no cluster key.
    let pid = board.shows("ribbit-web.service", "MainPID");
    let (_, environment) = board.run(&format!("tr '\\0' '\\n' < /proc/{pid}/environ"));
    assert!(
        !environment.contains("CREDENTIALS_DIRECTORY") && environment.contains("NOTIFY_SOCKET"),
        "{environment}"
    );
}

fn killed_processes_are_restarted(board: &Board) {
    let before = board.shows(ALL[1], "MainPID");
    board.typed(&format!("kill -9 {before}"));
    board.awaits("back", &format!("systemctl show -p MainPID,ActiveState,NRestarts {}", ALL[1]), |said| {
        said.contains("NRestarts=1")
            && said.contains("ActiveState=active")
            && !said.contains(&format!("MainPID={before}\n"))
    });
    // A failure that a restart cannot fix is not retried.
    board.typed("mkdir -p /run/systemd/system/ribbit-balancer.service.d");
    board.typed("printf '[Service]\\nEnvironment=RIBBIT_CLUSTER_FILE=/nonexistent\\n' > /run/systemd/system/ribbit-balancer.service.d/x.conf");
    let (code, _) = board.run("systemctl daemon-reload; systemctl restart ribbit-balancer");
    assert_ne!(code, 0);
    board.awaits("given up", "systemctl show -p ActiveState,ExecMainStatus ribbit-balancer", |said| {
        said.contains("ActiveState=failed") && said.contains("ExecMainStatus=78")
    });
    board.typed("rm /run/systemd/system/ribbit-balancer.service.d/x.conf; systemctl daemon-reload; systemctl restart ribbit-balancer");
}

fn stuck_processes_are_ended_by_the_watchdog(board: &Board) {
    let unit = ALL[2];
    let more = "/run/systemd/system/ribbit-backend@2.service.d";
    board.typed(&format!("mkdir -p {more}"));
    board.typed(&format!(
        "printf '[Service]\\nWatchdogSec=2\\nEnvironment=RIBBIT_TEST_STUCK_MS=1500\\n' > {more}/x.conf"
    ));
    board.typed(&format!("systemctl daemon-reload; systemctl restart {unit}"));
    board.awaits("ended by the watchdog", &format!("journalctl --no-pager -u {unit}"), |said| {
        said.contains("Watchdog timeout") && said.contains("aborted by SIGABRT") && said.contains("sockets-1")
    });
    board.typed(&format!("rm {more}/x.conf; systemctl daemon-reload; systemctl restart {unit}"));
    assert_eq!(board.shows(unit, "ActiveState"), "active");
}

fn pages_use_https(board: &Board) {
    let unit = ALL[4];
    // Without a certificate, a reload does nothing and does not end the process.
    let before = board.shows(unit, "MainPID");
    board.typed(&format!("systemctl reload {unit}"));
    board.awaits("heard", &format!("journalctl --no-pager -u {unit}"), |said| {
        said.contains("there is no certificate to read again")
    });
    assert_eq!(board.shows(unit, "MainPID"), before);

    let made = rcgen::generate_simple_self_signed(["board1".to_string()]).unwrap();
    for (file, text) in [("cert.pem", made.cert.pem()), ("key.pem", made.signing_key.serialize_pem())] {
        let put = board.output(&format!("install -m 600 /dev/stdin /etc/ribbit/{file}"), &text);
        assert!(put.status.success(), "{put:?}");
    }
    let more = format!("/run/systemd/system/{unit}.d");
    let loaded = "LoadCredential=cert.pem:/etc/ribbit/cert.pem\\nLoadCredential=key.pem:/etc/ribbit/key.pem";
    board.typed(&format!("mkdir -p {more}; printf '[Service]\\n{loaded}\\n' > {more}/tls.conf"));
    let at = format!("/run/credentials/{unit}");
    board.typed(&format!("cp /etc/ribbit/web.conf /etc/ribbit/web.before; printf 'RIBBIT_TLS_CERT={at}/cert.pem\\nRIBBIT_TLS_KEY={at}/key.pem\\n' >> /etc/ribbit/web.conf"));
    board.typed(&format!("systemctl daemon-reload; systemctl restart {unit}"));
    board.awaits(unit, &format!("systemctl show --value -p StatusText {unit}"), |said| {
        said.contains("https://")
    });
    board.typed(&format!("rm {more}/tls.conf; mv /etc/ribbit/web.before /etc/ribbit/web.conf; systemctl daemon-reload; systemctl restart {unit}"));
}

/// The only unit with network capabilities.
fn the_floating_address_is_held(board: &Board) {
    let unit = "ribbit-balancer-floating.service";
    board.typed("ip link add eth0 type veth peer name far && ip addr add 192.168.77.1/24 dev eth0");
    board.typed("ip link set eth0 up && ip link set far up");
    board.typed(
        "printf 'RIBBIT_FLOATING=192.168.77.50/24\\nRIBBIT_INTERFACE=eth0\\n' > /etc/ribbit/floating.conf",
    );
    board.typed(&format!("systemctl start {unit}"));
    board.awaits("the address", "ip -o addr show dev eth0", |said| said.contains("192.168.77.50/"));
    board.awaits("it is said", &format!("systemctl show --value -p StatusText {unit}"), |said| {
        said.contains("holds the floating address")
    });
    assert_eq!(board.shows(ALL[3], "ActiveState"), "inactive", "one of the two");
    let pid = board.shows(unit, "MainPID");
    let status = board.typed(&format!("grep -E 'CapEff|Uid' /proc/{pid}/status"));
    // CAP_NET_ADMIN and CAP_NET_RAW.
    assert!(status.contains("0000000000003000") && !status.contains("Uid:\t0"), "{status}");
    board.typed(&format!("systemctl stop {unit}"));
    let (_, left) = board.run("ip -o addr show dev eth0");
    assert!(!left.contains("192.168.77.50"), "{left}");
    board.typed(&format!("systemctl start {}", ALL[3]));
}

/// A member with a lost store waits for the cluster before it is ready, longer than the start timeout allows.
fn a_long_start_is_not_a_failed_start(board: &Board) {
    let unit = ALL[2];
    board.typed("systemctl stop ribbit.target");
    board.typed("echo tested > /var/lib/private/ribbit/backend-2/lost && chown --reference=/var/lib/private/ribbit /var/lib/private/ribbit/backend-2/lost");
    let more = "/run/systemd/system/ribbit-backend@2.service.d";
    board.typed(&format!(
        "printf '[Service]\\nTimeoutStartSec=2\\n' > {more}/x.conf; systemctl daemon-reload"
    ));
    board.typed(&format!("systemctl start --no-block {unit}"));
    let asked = format!("journalctl --no-pager -u {unit} | tail -n 5");
    board.awaits("it waits", &asked, |said| said.contains("not using the store"));
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(board.shows(unit, "ActiveState"), "activating", "{}", board.journal());
    // Once the cluster is up, the member continues and joins as a new one.
    board.typed(&format!("systemctl start {} {}", ALL[0], ALL[1]));
    board.awaits(unit, &format!("systemctl is-active {unit}"), |said| said.trim() == "active");
    board.typed(&format!("rm {more}/x.conf; systemctl daemon-reload"));
}

fn backups_are_made(board: &Board) {
    board.awaits("a backup", "systemctl start ribbit-backup && ls /var/lib/ribbit-backup/", |said| {
        said.contains(".backup")
    });
    assert_eq!(board.shows("ribbit-backup.service", "Result"), "success");
    board.typed("systemctl start ribbit-backup.timer");
    assert_eq!(board.shows("ribbit-backup.timer", "ActiveState"), "active");
}

fn a_changed_user_id_keeps_its_files(board: &Board) {
    board.typed("systemctl stop ribbit.target || true");
    board.typed(&format!("systemctl stop {} ribbit-web.socket", ALL.join(" ")));
    board.typed("chown -R 64000:64000 /var/lib/private/ribbit");
    board.typed("systemctl start ribbit.target");
    for unit in ALL {
        board.awaits(unit, &format!("systemctl is-active {unit}"), |said| said.trim() == "active");
    }
    let found = awaited("what was written is there", || {
        let (code, said) = board.run("ribbit client feed --server 127.0.0.1:8081");
        (code == 0).then_some(said)
    });
    assert!(found.contains("Under systemd"), "{found}");
    // One command stops all units.
    board.typed("systemctl stop ribbit.target");
    for unit in ALL {
        board.awaits(unit, &format!("systemctl show --value -p ActiveState {unit}"), |said| {
            said.trim() == "inactive"
        });
    }
}
