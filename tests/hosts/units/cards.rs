//! Three boards from blank cards: the files of `ribbit image-files` are copied to their boot partitions, the power is switched on, and
//! no one types anything. Each board is a systemd in namespaces with a cable of its own, whose files outlive it.

use crate::group::{native, tell, turn};
use crate::units::board::Board;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;
use testkit::network::Network;
use testkit::status_json::Status;
use testkit::timeouts::awaited_within;

/// Time limit until boards have found each other.
const FOUND_MAX: std::time::Duration = std::time::Duration::from_secs(120);
/// Number of the host that is the operator's computer.
const DESK: usize = 3;

/// Steps of cloud-init at each start; without it, those that it would run.
const CLOUD_INIT: &str = "if command -v cloud-init >/dev/null; then \
     cloud-init --force --file /boot/firmware/user-data single --name bootcmd --frequency always; \
     else sh /boot/firmware/ribbit/first-boot.sh; fi";
/// Steps of a board with an older system at its first start.
const FIRST_RUN: &str = "sh /boot/firmware/firstrun.sh";

/// Boards, switched on or off, and the operator's computer.
struct Table {
    network: Network,
    folder: TempDir,
    boards: Vec<Option<Board>>,
}

impl Table {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes the package and the files for the cards, and copies them to the boot partitions.
    fn prepare(&self) {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR"));
        // The binary of the tests is large, so the package has a script in its place.
        let pack = r#"
            target=$(uname -m)-unknown-linux-musl
            mkdir -p ribbit-0/bin/$target ribbit-0/completions ribbit-0/man
            cp -r "$0/systemd" "$0/packaging/etc" "$0/packaging/install.sh" ribbit-0
            printf '#!/bin/sh\nexec /usr/bin/ribbit "$@"\n' >ribbit-0/bin/$target/ribbit
            touch ribbit-0/completions/ribbit ribbit-0/completions/_ribbit ribbit-0/completions/ribbit.fish ribbit-0/man/ribbit.1.gz
            (cd ribbit-0 && find . -type f ! -name SHA256SUMS -exec sha256sum {} + >SHA256SUMS)
            tar -czf ribbit.tar.gz ribbit-0
            "$1" image-files --of 3 --to cards --package ribbit.tar.gz --name pond
            for board in 1 2 3; do
              mkdir -p disk$board
              cp -r cards/board$board disk$board/boot
              echo "root=/dev/mmcblk0p2 rootwait $(cat cards/board$board/ribbit/cmdline.txt)" >disk$board/boot/cmdline.txt
            done"#;
        let mut shell = Command::new("sh");
        shell.args(["-euc", pack]).arg(sources).arg(native()).current_dir(self.folder.path());
        let output = shell.output().expect("a shell");
        assert!(output.status.success(), "{output:?}");
    }

    /// Switches a board on, and runs this line as its system does.
    ///
    /// # Errors
    /// The reason why this machine cannot do it.
    fn switch_on(&mut self, at: usize, line: &str) -> Result<(), String> {
        let board = Board::of_card(&self.path(&format!("disk{}", at + 1)), &self.network.name(at))?;
        let (code, said) = board.run(line);
        let log = fs::read_to_string(self.path(&format!("disk{}/boot/ribbit/first-boot.log", at + 1)));
        assert_eq!(code, 0, "{said}\n{}", log.unwrap_or_default());
        self.boards[at] = Some(board);
        Ok(())
    }

    fn switch_off(&mut self, at: usize) {
        self.boards[at] = None;
    }

    fn board(&self, at: usize) -> &Board {
        self.boards[at].as_ref().expect("it is on")
    }

    /// Waits until the operator's computer, which has the cluster file and no address, sees this number of voters in sync.
    #[track_caller]
    fn await_voters(&self, voters: usize) {
        awaited_within(FOUND_MAX, "the boards are a cluster", || {
            let mut command = self.network.command(DESK, &native());
            command.args(["status", "--json", "--cluster-file"]).arg(self.path("cards/cluster.ribbit"));
            let output =
                command.current_dir(self.folder.path()).stdin(Stdio::null()).output().expect("it runs");
            let status =
                serde_json::Deserializer::from_slice(&output.stdout).into_iter::<Status>().next()?.ok()?;
            let settled = status.members.iter().filter(|it| it.voter && it.in_sync).count();
            (settled == voters && status.members.len() == voters).then_some(())
        });
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for (at, board) in self.boards.iter().enumerate() {
                let said = board.as_ref().map(|board| {
                    board.run("cat /boot/firmware/ribbit/first-boot.log; journalctl --no-pager -n 60 -u 'ribbit*'").1
                });
                println!("board {} said:\n{}\n", at + 1, said.unwrap_or_default());
            }
        }
    }
}

#[test]
fn three_blank_cards_become_a_cluster_in_any_order() {
    let _turn = turn();
    let network = match Network::make("cards", DESK + 1) {
        Ok(network) => network,
        Err(why) => return tell(&format!("skipped: {why}")),
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut table = Table { network, folder, boards: vec![None, None, None] };
    table.prepare();
    // The founder is switched on first, off, and on again.
    if let Err(why) = table.switch_on(0, CLOUD_INIT) {
        return tell(&format!("skipped: no systemd can be started here: {why}"));
    }
    table.board(0).awaits("it waits", "journalctl --no-pager -u ribbit-coordinator@1", |said| {
        said.contains("to found the cluster with")
    });
    table.switch_off(0);
    let later = format!("{CLOUD_INIT}; systemctl start ribbit.target");
    table.switch_on(0, &later).expect("it started before");
    table.switch_on(2, CLOUD_INIT).expect("a board");
    table.await_voters(3);

    // The second board comes when the others have written, and has an older system, which starts again after its first run.
    let typed =
        "printf 'croak, croak\\n' | ribbit client create ada --email ada@pond --server 127.0.0.1:8081";
    table.board(0).awaits("the balancer serves", "ribbit balancer write --server 127.0.0.1:8081", |said| {
        said.contains("backend")
    });
    table.board(0).typed(typed);
    table.board(0).typed("ribbit client post --server 127.0.0.1:8081 From a blank card");
    table.switch_on(1, FIRST_RUN).expect("a board");
    table.switch_off(1);
    table.switch_on(1, "systemctl start ribbit.target").expect("a board");
    table.await_voters(5);
    let line = fs::read_to_string(table.path("disk2/boot/cmdline.txt")).expect("a file");
    assert_eq!(line, "root=/dev/mmcblk0p2 rootwait\n");

    // What one board was given is read on another, also on its pages.
    let log_in = "printf 'croak, croak\\n' | ribbit client login ada --server 127.0.0.1:8081";
    table.board(1).awaits("the balancer serves", "ribbit balancer read --server 127.0.0.1:8081", |said| {
        said.contains("backend")
    });
    table.board(1).typed(log_in);
    let feed = table.board(1).typed("ribbit client feed --server 127.0.0.1:8081");
    assert!(feed.contains("From a blank card"), "{feed}");
    let page = "bash -c 'exec 3<>/dev/tcp/127.0.0.1/80; printf \"GET / HTTP/1.0\\r\\nHost: ribbit.local\\r\\n\\r\\n\" >&3; cat <&3'";
    for at in 0..3 {
        table.board(at).awaits("pages", page, |said| said.contains(" 200 OK"));
        // The cluster file has left the boot partition, and only root reads it.
        let left = table.board(at).typed("ls /boot/firmware/ribbit");
        assert!(!left.contains("cluster") && !left.contains("erased"), "{left}");
        assert_eq!(table.board(at).typed("stat -c %a%U /etc/ribbit/cluster.ribbit").trim(), "600root");
        assert_eq!(
            table.board(at).run("systemctl list-units --failed --no-legend 'ribbit*'").1,
            "",
            "{}",
            table.board(at).journal()
        );
    }
    // The last board makes the backups.
    table.board(2).typed("systemctl is-enabled ribbit-backup.timer && systemctl start ribbit-backup");
    assert!(table.board(2).typed("ls /var/lib/ribbit-backup/").contains(".backup"));
}
