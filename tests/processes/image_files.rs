//! `ribbit image-files`. `tests/hosts/units` boots boards from such files.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// A folder with a package, keys for SSH and a password.
struct Desk {
    folder: TempDir,
}

impl Desk {
    fn new() -> Desk {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("ribbit.deb", "!<arch>\ndebian-binary"),
            ("keys.pub", "# mine\nssh-ed25519 AAAA \"ada\" <ada@pond>\n"),
            ("secret", "-----BEGIN OPENSSH PRIVATE KEY-----\n"),
            ("wifi", "it's: \"wet\" \\ #\n"),
        ] {
            fs::write(folder.path().join(name), text).unwrap();
        }
        Desk { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs `ribbit image-files`; returns its exit code and all its output.
    fn run(&self, words: &[&str]) -> (i32, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ribbit"));
        command.arg("image-files").args(words).current_dir(self.folder.path()).stdin(Stdio::null());
        let output = command.output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8(said).unwrap())
    }

    #[track_caller]
    fn runs(&self, words: &[&str]) -> String {
        let (code, said) = self.run(words);
        assert_eq!(code, 0, "{said}");
        said
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }
}

const ALL: [&str; 16] = [
    "--of",
    "3",
    "--to",
    "cards",
    "--package",
    "ribbit.deb",
    "--time-zone",
    "Europe/Vienna",
    "--ssh-key",
    "keys.pub",
    "--wifi-ssid",
    "Pond: \"green\" & café",
    "--wifi-country",
    "AT",
    "--wifi-password-file",
    "wifi",
];

/// Returns all files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path),
        }
    }
    found.sort();
    found
}

#[test]
fn each_board_gets_a_folder_and_all_get_one_cluster_file() {
    let desk = Desk::new();
    let said = desk.runs(&ALL);
    assert!(
        said.contains("cards/board2: ribbit-coordinator@2 ribbit-backend@2 ribbit-balancer ribbit-web\n"),
        "{said}"
    );
    let cluster = desk.read("cards/cluster.ribbit");
    for board in 1..=3 {
        assert_eq!(desk.read(&format!("cards/board{board}/ribbit/cluster.ribbit")), cluster);
        assert_eq!(desk.read(&format!("cards/board{board}/ribbit/ribbit.deb")), desk.read("ribbit.deb"));
        let founds =
            desk.read(&format!("cards/board{board}/ribbit/first-boot.sh")).contains("RIBBIT_FOUND_WITH=3");
        assert_eq!(founds, board == 1);
        assert!(
            desk.read(&format!("cards/board{board}/user-data"))
                .contains(&format!("hostname: \"board{board}\"\n"))
        );
    }
    for folder in ["cards", "cards/board1", "cards/board1/ribbit"] {
        assert_eq!(fs::metadata(desk.path(folder)).unwrap().permissions().mode() & 0o77, 0, "{folder}");
    }
    // The key is in one file only, and no text has the words of the command line unquoted.
    let key = cluster.lines().find_map(|line| line.strip_prefix("KEY=")).unwrap();
    for file in files(&desk.path("cards")) {
        let is_cluster_file = file.ends_with("cluster.ribbit");
        assert_eq!(fs::read_to_string(&file).unwrap().contains(key), is_cluster_file, "{}", file.display());
    }
    // Another run overwrites nothing.
    let before: Vec<String> =
        files(&desk.path("cards")).iter().map(|it| fs::read_to_string(it).unwrap()).collect();
    let (code, said) = desk.run(&ALL);
    assert!(code == 1 && said.contains("cards/board1 is not empty"), "{said}");
    let after: Vec<String> =
        files(&desk.path("cards")).iter().map(|it| fs::read_to_string(it).unwrap()).collect();
    assert_eq!(before, after);
    // The files of one board are made again, the same ones, with the same cluster file.
    fs::rename(desk.path("cards/board2"), desk.path("before")).unwrap();
    desk.runs(&[&ALL[..], &["--board", "2"]].concat());
    let relative = |folder: &str| -> Vec<(PathBuf, String)> {
        let folder = desk.path(folder);
        let texts = files(&folder).into_iter().map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            (path.strip_prefix(&folder).unwrap().to_path_buf(), text)
        });
        texts.collect()
    };
    assert_eq!(relative("before"), relative("cards/board2"));
}

#[test]
fn wrong_input_is_refused_and_leaves_nothing_behind() {
    let desk = Desk::new();
    for (code, words, named) in [
        (2, "--of 0", "0"),
        (2, "--of 10", "10"),
        (2, "--of 3 --board 4", "there is no board 4 of 3"),
        (2, "--of 3 --host Board", "letters a to z"),
        (2, "--of 3 --time-zone ../etc", "a time zone"),
        (2, "--of 3 --wifi-ssid Pond", "--wifi-country"),
        (2, "--of 3 --wifi-ssid Pond --wifi-country Austria", "two letters"),
        (2, "--of 3 --wifi-ssid Pond --wifi-country AT", "no password"),
        (2, "--of 3 --wifi-ssid Pond --wifi-country AT --wifi-password-file ribbit.deb", "8 to 63"),
        (2, "--of 3 --ssh-key secret", "no public keys"),
        (2, "--of 3 --package keys.pub", "no package of ribbit"),
        (1, "--of 3 --package nothing.deb", "nothing.deb"),
    ] {
        let mut words: Vec<&str> = words.split(' ').chain(["--to", "cards"]).collect();
        if !words.contains(&"--package") {
            words.extend(["--package", "ribbit.deb"]);
        }
        let (got, said) = desk.run(&words);
        assert!(got == code && said.contains(named), "{words:?}: {got}: {said}");
    }
    assert!(!desk.path("cards").exists());
}

#[test]
fn cloud_init_and_shells_accept_the_files() {
    let desk = Desk::new();
    desk.runs(&ALL);
    desk.runs(&["--of", "1", "--to", "plain", "--package", "ribbit.deb"]);
    for script in
        ["cards/board1/ribbit/first-boot.sh", "cards/board1/firstrun.sh", "plain/board1/firstrun.sh"]
    {
        let parsed = Command::new("sh").arg("-n").arg(desk.path(script)).status().unwrap();
        assert!(parsed.success(), "{script}");
    }
    for folder in ["cards/board1", "cards/board3", "plain/board1"] {
        let user_data = desk.path(folder).join("user-data");
        let Ok(output) = Command::new("cloud-init").args(["schema", "-c"]).arg(&user_data).output() else {
            println!("skipped: there is no cloud-init");
            return;
        };
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(output.status.success() && !said.contains("rror"), "{said}");
    }
    // cloud-init brings a parser of YAML.
    let read =
        "import sys, json, yaml; print(json.dumps([yaml.safe_load(open(path)) for path in sys.argv[1:]]))";
    let mut python = Command::new("python3");
    python
        .args(["-c", read])
        .args(["user-data", "network-config", "meta-data"].map(|it| desk.path("cards/board1").join(it)));
    let output = python.output().unwrap();
    let parsed: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let (user, network, meta) = (&parsed[0], &parsed[1], &parsed[2]);
    assert_eq!(user["users"][0]["ssh_authorized_keys"][0], "ssh-ed25519 AAAA \"ada\" <ada@pond>");
    assert_eq!((&user["hostname"], &meta["local-hostname"]), (&"board1".into(), &"board1".into()));
    let wifi = &network["wifis"]["wlan0"];
    assert_eq!(wifi["regulatory-domain"], "AT");
    assert_eq!(wifi["access-points"]["Pond: \"green\" & café"]["password"], "it's: \"wet\" \\ #");
}
