//! A board with a systemd of its own: namespaces over a temporary overlay of this machine's files.

use crate::units::judged::{name, units};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Timeout for systemd to boot and for units to change state; booting takes a second or two.
const BOOT_MAX: Duration = Duration::from_secs(60);

/// Where a board finds its units and leaves its files.
enum Storage<'a> {
    /// The units of systemd/ are installed, and all files are temporary.
    Units(&'a Path),
    /// The folder has what the board writes, and `boot`, which becomes its boot partition.
    Card(&'a Path),
}

pub struct Board {
    unshare: Child,
    /// The first process of the namespaces.
    first: u32,
    cgroup: PathBuf,
    _units: Option<TempDir>,
}

impl Board {
    /// Boots a systemd with the units of systemd/ and no network. Returns `None` and prints the reason if that is not possible here.
    pub fn boot() -> Option<Board> {
        let folder = tempfile::tempdir().unwrap();
        for unit in units() {
            fs::copy(&unit, folder.path().join(name(&unit))).unwrap();
            if name(&unit).ends_with(".service") {
                let more = folder.path().join(format!("{}.d", name(&unit)));
                fs::create_dir(&more).unwrap();
                fs::write(more.join("strict.conf"), "[Service]\nSystemCallErrorNumber=kill\n").unwrap();
            }
        }
        let booted = Board::try_boot(&Storage::Units(folder.path()), None);
        let mut board =
            booted.map_err(|why| println!("skipped: no systemd can be started here: {why}")).ok()?;
        board._units = Some(folder);
        Some(board)
    }

    /// Boots a systemd with the files of this card in a network namespace.
    ///
    /// # Errors
    /// The reason why this machine cannot do it.
    pub fn of_card(card: &Path, namespace: &str) -> Result<Board, String> {
        Board::try_boot(&Storage::Card(card), Some(namespace))
    }

    fn try_boot(storage: &Storage, namespace: Option<&str>) -> Result<Board, String> {
        if !rustix::process::geteuid().is_root() {
            return Err("not root".into());
        }
        for needed in ["/lib/systemd/systemd", "/usr/bin/unshare", "/usr/bin/nsenter", "/bin/systemctl"] {
            if !Path::new(needed).exists() {
                return Err(format!("there is no {needed}"));
            }
        }
        let (kind, folder) = match storage {
            Storage::Units(folder) => ("units", folder),
            Storage::Card(folder) => ("card", folder),
        };
        let cgroup = own_cgroup(namespace.unwrap_or("alone"))?;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hosts/units/boot.sh");
        let enter = format!("echo $$ > {}/cgroup.procs && exec \"$0\" \"$@\"", cgroup.display());
        let log = folder.join("boot.log");
        let file = fs::File::create(&log).unwrap();
        let network: Vec<&str> = namespace.map_or(vec![], |name| vec!["ip", "netns", "exec", name]);
        let unshare = Command::new("sh")
            .args(["-c", &enter])
            .args(&network)
            .args(["unshare", "--mount", "--pid", "--fork", "--kill-child", "--uts", "--ipc", "--cgroup"])
            .args(if namespace.is_none() { &["--net"][..] } else { &[] })
            .arg(script)
            .arg(binary())
            .arg(kind)
            .arg(folder)
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .map_err(|error| error.to_string())?;
        let mut board = Board { unshare, first: 0, cgroup, _units: None };
        let began = Instant::now();
        loop {
            let said = fs::read_to_string(&log).unwrap_or_default();
            if let Some(status) = board.unshare.try_wait().unwrap() {
                return Err(format!("it ended with {status}: {said}"));
            }
            board.find_first();
            if board.first != 0 && board.run("systemctl is-system-running").1.trim() == "running" {
                return Ok(board);
            }
            if began.elapsed() > BOOT_MAX {
                let (_, jobs) = board.run("systemctl list-jobs; systemctl --failed --no-legend");
                return Err(format!("not running after {BOOT_MAX:?}: {said}{jobs}"));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn find_first(&mut self) {
        let unshare = self.unshare.id();
        let children = fs::read_to_string(format!("/proc/{unshare}/task/{unshare}/children"));
        let first = children.ok().and_then(|children| children.split_whitespace().next()?.parse().ok());
        let is_systemd = |pid: &u32| {
            fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.trim() == "systemd")
        };
        self.first = first.filter(is_systemd).unwrap_or(0);
    }

    pub fn output(&self, line: &str, input: &str) -> Output {
        let mut child = Command::new("nsenter")
            .args(["-t", &self.first.to_string(), "-m", "-p", "-n", "-u", "-i", "-C", "-r", "-w", "--"])
            .args(["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "SYSTEMD_PAGER="])
            .args(["timeout", "60", "sh", "-c", line])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // The command may not read its input.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    }

    /// Runs a command line as root in the namespaces; returns exit code and output.
    pub fn run(&self, line: &str) -> (i32, String) {
        let output = self.output(line, "");
        let text = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&text).into_owned())
    }

    #[track_caller]
    pub fn typed(&self, line: &str) -> String {
        let (code, said) = self.run(line);
        assert_eq!(code, 0, "{line}: {said}\n{}", self.journal());
        said
    }

    pub fn journal(&self) -> String {
        self.run("journalctl --no-pager -o short-monotonic -n 200").1
    }

    pub fn shows(&self, unit: &str, property: &str) -> String {
        self.typed(&format!("systemctl show --value -p {property} {unit}")).trim().to_string()
    }

    #[track_caller]
    pub fn awaits(&self, what: &str, line: &str, wanted: impl Fn(&str) -> bool) -> String {
        let began = Instant::now();
        loop {
            let (_, said) = self.run(line);
            if wanted(&said) {
                return said;
            }
            assert!(began.elapsed() < BOOT_MAX, "{what}: {said}\n{}", self.journal());
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        let _ = self.unshare.kill();
        let _ = self.unshare.wait();
        // The cgroups become empty in a moment.
        let began = Instant::now();
        while remove_cgroup(&self.cgroup).is_err() && began.elapsed() < Duration::from_secs(5) {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Returns the binary under test.
fn binary() -> PathBuf {
    let other = std::env::var_os("RIBBIT_UNITS_BINARY").map(PathBuf::from);
    let binary = other.unwrap_or_else(|| env!("CARGO_BIN_EXE_ribbit").into());
    binary.canonicalize().unwrap_or_else(|error| panic!("{}: {error}", binary.display()))
}

/// Creates the cgroup that this systemd uses as its root.
fn own_cgroup(name: &str) -> Result<PathBuf, String> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    let mount = mounts.lines().find(|line| line.split(' ').nth(2) == Some("cgroup2"));
    let mount = mount.and_then(|line| line.split(' ').nth(1)).ok_or("cgroup2 is not mounted")?;
    let own = PathBuf::from(mount).join(format!("ribbit-units-{}-{name}", std::process::id()));
    fs::create_dir(&own).map_err(|error| format!("{}: {error}", own.display()))?;
    Ok(own)
}

fn remove_cgroup(folder: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            remove_cgroup(&path)?;
        }
    }
    fs::remove_dir(folder)
}
