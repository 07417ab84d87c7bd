//! Secrets of a whole run (passwords, tokens, keys) appear only where they must: not in logs at any level, in command lines,
//! on a member's disk, in a backup or in a saved copy of the namespace.

use crate::test_cluster::TestCluster;
use crate::verbs::{CliUser, ran};
use blake2::Blake2sMac256;
use blake2::digest::{KeyInit, Mac};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Passwords typed by users, without characters that are encoded differently somewhere.
const PASSWORDS: [&str; 7] = [
    "frogsInTheReeds7391",
    "toadsAreNotFrogs5512",
    "newtsUnderLeaves8824",
    "operatorsGaveThis1907",
    "salamandersSign6240",
    "eftsAreYoungNewts3358",
    "treefrogsClimbAtDusk4465",
];

/// A secret in all its encodings.
struct Needle {
    what: String,
    shapes: Vec<Vec<u8>>,
}

impl Needle {
    fn text(what: &str, text: &str) -> Needle {
        Needle::of(what.to_string(), text.as_bytes())
    }

    /// Encodes bytes raw, in hexadecimal, in base64 and as a list of numbers.
    fn of(what: String, bytes: &[u8]) -> Needle {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        // Without the end, which depends on padding.
        let base64 = base64(&bytes[..bytes.len() - bytes.len() % 3]);
        let numbers: Vec<String> = bytes.iter().take(12).map(u8::to_string).collect();
        let texts = [
            hex.to_uppercase(),
            base64.replace('+', "-").replace('/', "_"),
            base64,
            hex,
            numbers.join(", "),
            numbers.join(","),
        ];
        let mut shapes: Vec<Vec<u8>> = texts.into_iter().map(String::into_bytes).collect();
        shapes.push(bytes.to_vec());
        Needle { what, shapes }
    }

    fn is_in(&self, hay: &[u8]) -> bool {
        self.shapes.iter().any(|shape| contains(hay, shape))
    }
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let letter = |number: u32| char::from(LETTERS[(number & 63) as usize]);
    let four = |three: &[u8]| {
        let number = u32::from(three[0]) << 16 | u32::from(three[1]) << 8 | u32::from(three[2]);
        [18, 12, 6, 0].map(|shift| letter(number >> shift))
    };
    bytes.chunks_exact(3).flat_map(four).collect()
}

/// Searches for the first byte before comparing the rest, because logs are long.
fn contains(hay: &[u8], wanted: &[u8]) -> bool {
    let (Some((&first, _)), true) = (wanted.split_first(), hay.len() >= wanted.len()) else { return false };
    let mut at = 0;
    while let Some(found) = hay[at..=hay.len() - wanted.len()].iter().position(|byte| *byte == first) {
        if hay[at + found..].starts_with(wanted) {
            return true;
        }
        at += found + 1;
        if at > hay.len() - wanted.len() {
            return false;
        }
    }
    false
}

fn unhex(text: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal");
    (0..text.len()).step_by(2).map(byte).collect()
}

/// Reads all files in a folder.
fn files(folder: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        match entry.path() {
            path if path.is_dir() => files(&path, found),
            path => found.push((path.display().to_string(), fs::read(&path).expect("a file"))),
        }
    }
}

/// Returns the cluster key and the keys derived from it.
fn keys(pond: &TestCluster) -> Vec<Needle> {
    let text = fs::read_to_string(pond.folder().join("cluster.ribbit")).expect("a cluster file");
    let key = unhex(text.lines().find_map(|line| line.strip_prefix("KEY=")).expect("a key"));
    let derived = |name: &[u8]| {
        let mut mac = <Blake2sMac256 as KeyInit>::new_from_slice(&key).expect("a key");
        mac.update(name);
        mac.finalize().into_bytes().to_vec()
    };
    vec![
        Needle::of("the members' key".into(), &derived(b"ribbit members 1")),
        Needle::of("the servers' private key".into(), &derived(b"ribbit servers 1")),
        Needle::of("the key of seals".into(), &derived(b"ribbit seals 1")),
        Needle::of("the cluster's key".into(), &key),
    ]
}

#[test]
fn no_secret_of_a_run_is_found_where_it_need_not_be() {
    let mut pond = TestCluster::empty();
    pond.environment = vec![("RUST_LOG", "trace".into())];
    pond.up(&["--backends", "2", "--coordinators", "1"]);
    let [first, wrong, second, given, typed, again, renewed] = PASSWORDS;
    let mut needles: Vec<Needle> = PASSWORDS.iter().map(|it| Needle::text(it, it)).collect();
    let mut heard: Vec<(String, Vec<u8>)> = Vec::new();

    // Actions in a browser.
    let mut ada = pond.browser();
    let form = |password| {
        [("name", "Ada"), ("email", "ada@example.org"), ("username", "ada"), ("password", password)]
    };
    ada.post("/create", &form(first)).leads_to("/main?note=welcome");
    let refused = ada.post("/login", &[("username", "ada"), ("password", wrong)]);
    heard.push(("the page of a wrong password".into(), refused.body.into_bytes()));
    ada.post("/login", &[("username", "ada"), ("password", first)]).leads_to("/main");
    needles.push(Needle::of("a browser's token".into(), &unhex(&ada.cookies["session"])));
    ada.croak("a croak that everyone may read");
    // A feed address, which is shown once.
    let made = ada.post("/settings/feeds", &[("choice", "make"), ("of", "")]);
    let secret = made.body.split_once("/feed/").and_then(|(_, rest)| rest.split_once(".atom"));
    let secret = secret.expect("an address").0.to_string();
    needles.push(Needle::text("a feed address", &secret));
    needles.push(Needle::of("the bytes of a feed address".into(), &unhex(&secret)));
    pond.browser().get(&format!("/feed/{secret}.atom")).says(200, "a croak that everyone may read");
    pond.browser().get(&format!("/feed/{secret}")).says(404, "there is no feed");
    // Actions in a script.
    let bob = CliUser::new();
    let mut said = |what: &str, ran: crate::verbs::Ran| {
        heard.push((what.to_string(), [ran.out.as_bytes(), ran.err.as_bytes()].concat()));
        ran.code
    };
    let create = ["create", "bob", "--full-name", "Bob", "--email", "bob@example.org"];
    assert_eq!(said("create", bob.runs_with(&pond, &create, &format!("{typed}\n"))), 0);
    let kept = fs::read_to_string(&bob.kept()[0]).expect("a session");
    let token = kept.lines().find_map(|line| line.strip_prefix("TOKEN=")).expect("a token");
    needles.push(Needle::of("a script's token".into(), &unhex(token)));
    assert_eq!(said("password", bob.runs_with(&pond, &["passwd"], &format!("{typed}\n{second}\n"))), 0);
    assert_eq!(said("login", bob.runs_with(&pond, &["login", "bob"], &format!("{again}\n"))), 1);
    assert_eq!(said("post", bob.runs(&pond, &["post", "hello"])), 0);
    assert_eq!(said("message", bob.runs(&pond, &["dm", "ada", "hello"])), 0);
    assert_eq!(said("feed", bob.runs(&pond, &["feed"])), 0);
    let passwd = ran(pond.plain(&["user", "passwd", "bob"]), &format!("{given}\n"));
    assert_eq!(said("user passwd", passwd), 0);
    // A one-time link, which is shown to the operator alone.
    let link = ran(pond.plain(&["user", "reset", "bob", "--json"]), "");
    let code = link.out.split('"').nth(3).expect("a code").to_string();
    said("user reset", crate::verbs::Ran { out: String::new(), ..link });
    needles.push(Needle::text("the code of a link", &code));
    needles.push(Needle::of("the bytes of a code".into(), &unhex(&code)));
    pond.browser().get(&format!("/reset/{code}")).says(200, "bob");
    assert_eq!(said("reset", bob.runs_with(&pond, &["reset", "bob"], &format!("{code}\n{renewed}\n"))), 0);
    // A join code, which is shown to the operator alone.
    let join = ran(pond.plain(&["invite-board", "--json"]), "");
    let code = join.out.split('"').nth(3).expect("a code").to_string();
    said("invite-board", crate::verbs::Ran { out: String::new(), ..join });
    needles.push(Needle::text("a join code", &code));
    needles.push(Needle::text("a join code", &code.replace('-', "")));
    // Actions of an operator.
    let saved = tempfile::tempdir().expect("a temporary folder");
    let (dump, file) = (saved.path().join("dump"), saved.path().join("backup"));
    let (dump, file) = (dump.to_str().expect("text"), file.to_str().expect("text"));
    let mut joined = pond.plain(&["init"]);
    joined.env("RIBBIT_JOIN", format!("{code}@{}", pond.address("COORDINATOR_1")));
    joined.env("RIBBIT_DATA_DIR", saved.path());
    assert_eq!(said("init", ran(joined, "")), 0);
    let verbs: [&[&str]; 11] = [
        &["invite-board", "--list"],
        &["status"],
        &["members", "--json"],
        &["health"],
        &["verify"],
        &["backup", file],
        &["user", "list"],
        &["audit", "--json"],
        &["key"],
        &["bench", "--op", "lock", "--clients", "2", "--seconds", "1"],
        &["shell", "save", "/", dump],
    ];
    for words in verbs {
        let code = said(&words.join(" "), ran(pond.plain(words), ""));
        assert_eq!(code, 0, "{words:?}");
    }
    needles.extend(keys(&pond));

    for pid in pond.pids().values() {
        let words = fs::read(format!("/proc/{pid}/cmdline")).expect("a process of ours");
        heard.push((format!("the command line of {pid}"), words));
    }
    for part in ["BACKEND_1", "COORDINATOR_1"] {
        for page in ["/metrics", "/health"] {
            let page = testkit::http::Browser::new(&pond.address(part)).get(page);
            heard.push((format!("a page of {part}"), page.body.into_bytes()));
        }
    }
    heard.push(("what up has said".into(), pond.said().join("\n").into_bytes()));
    pond.stop();
    files(pond.folder(), &mut heard);
    files(saved.path(), &mut heard);

    // The search really covers the data.
    let of = |name: &str| {
        &heard.iter().find(|(what, _)| what.starts_with('/') && what.ends_with(name)).expect("it is there").1
    };
    assert!(
        contains(of("/backup"), b"a croak that everyone may read") && contains(of("/backup"), b"$argon2id$")
    );
    assert!(contains(of("said.log"), b" debug ") && contains(of("said.log"), b"backend-2"));
    assert!(heard.iter().any(|(what, hay)| what.contains("backend-1/") && contains(hay, b"ada@example.org")));

    for (what, hay) in &heard {
        for needle in &needles {
            let belongs = needle.what == "the cluster's key" && what.ends_with("/cluster.ribbit");
            assert_eq!(needle.is_in(hay), belongs, "{} in {what}", needle.what);
        }
    }
    let bytes: usize = heard.iter().map(|(_, hay)| hay.len()).sum();
    println!("{} secrets, {} places, {bytes} bytes", needles.len(), heard.len());
}

/// Returns all files and folders below a folder with their modes.
fn modes(folder: &Path) -> Vec<(PathBuf, u32)> {
    let mut found = Vec::new();
    for path in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        let metadata = fs::symlink_metadata(&path).expect("it is there");
        found.push((path.clone(), metadata.permissions().mode() & 0o777));
        if metadata.is_dir() {
            found.extend(modes(&path));
        }
    }
    found
}

/// Bug: `store.redb` and the log were readable by every user of the machine.
#[test]
fn everything_in_a_data_folder_is_its_owners_alone() {
    let mut pond = TestCluster::start();
    pond.await_whole();
    pond.browser().join("ada");
    let modes = modes(pond.folder());
    assert!(modes.iter().any(|(path, _)| path.ends_with("backend-1/store.redb")), "{modes:?}");
    // Files written by the test itself do not count.
    let ours = modes.iter().filter(|(path, _)| !path.ends_with("said.log"));
    let wide: Vec<_> = ours.filter(|(_, mode)| mode & 0o077 != 0).collect();
    assert!(wide.is_empty(), "{wide:?}");
    pond.stop();
}
