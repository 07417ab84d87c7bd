//! Other people's clients, unchanged: the PyPI library `irc`, irssi in a pty, and weechat-headless. Each in one room with our own client,
//! and with a leader that dies while it talks. A client that is not installed is skipped with a printed line.

use super::IrcServer;
use crate::pty::Terminal;
use crate::test_cluster::{TestCluster, awaited};
use crate::verbs::CliUser;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use testkit::irc_client::IrcClient;
use testkit::python;

/// Lines that a client says while the leader dies.
const LINES: u32 = 10;

/// Prints that a client is missing. Not captured by the test harness.
fn skipped(what: &str) {
    let _ = writeln!(std::io::stderr(), "skipped: {what}");
}

/// Returns true if a program is installed.
fn installed(program: &str) -> bool {
    let found = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    found.is_ok_and(|status| status.success())
}

/// A cluster with ada and bob in the room pond.
fn with_a_room() -> (TestCluster, CliUser, IrcServer) {
    let pond = TestCluster::start();
    let (ada, bob) = (CliUser::called(&pond, "ada"), CliUser::called(&pond, "bob"));
    ada.runs(&pond, &["room-create", "pond"]).succeeds();
    bob.runs(&pond, &["room-join", "pond"]).succeeds();
    ada.runs(&pond, &["say", "pond", "said before"]).succeeds();
    let server = IrcServer::start(&pond, &[]);
    (pond, ada, server)
}

/// Says lines with `say`, kills the leader in between, and asserts that bob gets each once, in order.
#[track_caller]
fn says_lines(pond: &TestCluster, bob: &mut IrcClient, mut say: impl FnMut(&str)) {
    for number in 0..LINES {
        say(&format!("line {number}"));
        if number == LINES / 2 {
            pond.kill_leader();
        }
    }
    for number in 0..LINES {
        let line = bob.awaits("PRIVMSG #pond :line");
        assert_eq!(line, format!(":ada!ada@ribbit PRIVMSG #pond :line {number}"));
    }
}

#[test]
fn the_python_library() {
    let Some(python) = python::with("the library irc", "RIBBIT_IRC_PYTHON", "irc") else { return };
    let (pond, ada, server) = with_a_room();
    let (host, port) = server.address.split_once(':').expect("HOST:PORT");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/processes/irc/clients/library.py");
    let mut command = Command::new(python);
    command.arg(script).args([host, port]);
    python::until_passed(command, |what| {
        match what {
            "kill leader" => pond.kill_leader(),
            "say from a verb" => {
                ada.runs(&pond, &["say", "pond", "said with a verb"]).succeeds();
            }
            other => panic!("the library asks for {other}"),
        }
        "done".to_string()
    });
}

#[test]
fn irssi_in_a_terminal() {
    if !installed("irssi") {
        return skipped("irssi is not installed");
    }
    let (pond, _, server) = with_a_room();
    let mut bob = IrcClient::log_in(&server.address, "bob", "");
    bob.ask("JOIN #pond");
    let (host, port) = server.address.split_once(':').expect("HOST:PORT");
    let home = tempfile::tempdir().expect("a folder");
    // The test types faster than people: no question whether it pastes, and no pause after five lines.
    let settings = "settings = { \"irc/core\" = { cmds_max_at_once = \"100\"; }; \"fe-text\" = { paste_verify_line_count = \"0\"; }; };";
    fs::write(home.path().join("config"), settings).expect("it can be written");
    let mut command = Command::new("irssi");
    command.arg("--home").arg(home.path()).args(["--connect", host, "--port", port]);
    command.args(["--nick", "ada", "--password", "ada:password"]).env("TERM", "xterm").env("LANG", "C.UTF-8");
    let mut irssi = Terminal::of(command);
    irssi.await_text("Welcome to ribbit, ada");
    irssi.press("/join #pond\r");
    irssi.await_text("said before");
    irssi.press("hello from irssi\r");
    assert_eq!(bob.awaits("PRIVMSG"), ":ada!ada@ribbit PRIVMSG #pond :hello from irssi");
    bob.send("PRIVMSG #pond :hello to irssi");
    irssi.await_text("hello to irssi");
    irssi.press("/topic Frogs only\r");
    assert_eq!(bob.awaits("TOPIC"), ":irc.ribbit TOPIC #pond :Frogs only");
    irssi.press("/me waves\r");
    assert_eq!(bob.awaits("PRIVMSG"), ":ada!ada@ribbit PRIVMSG #pond :\u{1}ACTION waves\u{1}");
    irssi.press("/msg bob privately\r");
    assert_eq!(bob.awaits("PRIVMSG"), ":ada!ada@ribbit PRIVMSG bob :privately");
    says_lines(&pond, &mut bob, |line| irssi.press(&format!("{line}\r")));
    // A conversation has a window of its own.
    irssi.press("/query bob\r");
    bob.send("PRIVMSG ada :and back");
    irssi.await_text("and back");
    irssi.press("/quit\r");
    assert_eq!(irssi.ended(), 0);
}

/// A running weechat-headless, which takes commands from a FIFO and writes logs.
struct WeeChat {
    child: Child,
    folder: tempfile::TempDir,
}

impl WeeChat {
    fn start(address: &str) -> WeeChat {
        let folder = tempfile::tempdir().expect("a folder");
        let server = address.replace(':', "/");
        let sasl = "-sasl_mechanism=plain -sasl_username=ada -sasl_password=password";
        let add = format!("/server add ribbit {server} -nossl {sasl} -nicks=ada -autojoin=#pond,&feed");
        let fifo = folder.path().join("commands");
        let mut command = Command::new("weechat-headless");
        command.arg("--dir").arg(folder.path().join("home"));
        command.args(["-r", &format!("/set fifo.file.path {}", fifo.display())]);
        command.args(["-r", "/fifo enable", "-r", "/set logger.file.flush_delay 0"]);
        command.args(["-r", &add, "-r", "/connect ribbit"]);
        command.env("HOME", folder.path()).env("LANG", "C.UTF-8").stdin(Stdio::null());
        let child = command.stdout(Stdio::null()).spawn().expect("weechat starts");
        awaited("weechat takes commands", || fifo.exists().then_some(()));
        WeeChat { child, folder }
    }

    /// Types something into a buffer.
    fn typed(&self, buffer: &str, text: &str) {
        let fifo = self.folder.path().join("commands");
        let mut fifo = OpenOptions::new().write(true).open(fifo).expect("weechat reads it");
        writeln!(fifo, "irc.{buffer} *{text}").expect("weechat reads it");
    }

    /// Waits for words in the log of a buffer, and returns the log.
    #[track_caller]
    fn shows(&self, buffer: &str, words: &str) -> String {
        awaited(&format!("{buffer} shows {words}"), || {
            let logs = self.folder.path().join("home/logs");
            let file = logs.join(format!("irc.{buffer}.weechatlog"));
            fs::read_to_string(file).ok().filter(|log| log.contains(words))
        })
    }
}

impl Drop for WeeChat {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn weechat_without_a_terminal() {
    if !installed("weechat-headless") {
        return skipped("weechat-headless is not installed");
    }
    let (pond, ada, server) = with_a_room();
    let mut bob = IrcClient::log_in(&server.address, "bob", "");
    bob.ask("JOIN #pond");
    let weechat = WeeChat::start(&server.address);
    weechat.shows("ribbit.#pond", "said before");
    weechat.typed("ribbit.#pond", "hello from weechat");
    assert_eq!(bob.awaits("PRIVMSG"), ":ada!ada@ribbit PRIVMSG #pond :hello from weechat");
    bob.send("PRIVMSG #pond :hello to weechat\r\nPRIVMSG ada :privately");
    weechat.shows("ribbit.#pond", "hello to weechat");
    weechat.shows("ribbit.bob", "privately");
    ada.runs(&pond, &["post", "a croak with a verb"]).succeeds();
    weechat.shows("ribbit.&feed", "a croak with a verb");
    says_lines(&pond, &mut bob, |line| weechat.typed("ribbit.#pond", line));
    let log = weechat.shows("ribbit.#pond", &format!("line {}", LINES - 1));
    for number in 0..LINES {
        assert_eq!(log.matches(&format!("\tline {number}\n")).count(), 1, "{log}");
    }
    weechat.typed("ribbit.#pond", "/quit");
}
