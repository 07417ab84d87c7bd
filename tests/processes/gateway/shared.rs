//! What all protocols of the gateway have in common: flags, the status, and stopping.

use super::Gateway;
use crate::test_cluster::{TestCluster, awaited};

#[test]
fn flags_that_do_not_fit_are_refused_with_the_way_out() {
    let pond = TestCluster::empty();
    for (flags, words) in [
        (&[][..], "no protocol to serve: pass at least one of --ribbit-tcp"),
        (
            &["--ribbit-tcp", "8084"],
            "--ribbit-tcp takes 2 to 4 ports, for example --ribbit-tcp 8084,8081,8082,8083",
        ),
        (&["--ribbit-tcp", "8084,frogs"], "expected HOST:PORT"),
        (&["--ribbit-tcp", "0,0", "--advertise", "frogs=a:1"], "frogs is not the flag of a protocol"),
    ] {
        let (code, said) = pond.typed(&[&["client", "gateway"], flags].concat());
        assert!(code == 2 && said.contains(words), "{flags:?}: {code} {said}");
    }
    let (code, said) = pond.typed(&["client", "gateway", "--ribbit-tcp", "0,0"]);
    assert!(code == 3 && said.contains("no cluster found"), "{code} {said}");
}

#[test]
fn the_status_shows_running_gateways() {
    let pond = TestCluster::start();
    let mut first = Gateway::start(&pond, &["--ribbit-tcp", "0,0"]);
    let second = Gateway::start(&pond, &["--ribbit-tcp", "0,0"]);
    let shown =
        |pid: u32| pond.typed(&["status"]).1.contains(&format!("-{pid} serves ribbit-tcp=127.0.0.1:"));
    awaited("both are shown", || (shown(first.pid()) && shown(second.pid())).then_some(()));
    let taken = format!("{},0", first.address("ribbit-tcp", 0));
    let (code, said) = pond.typed(&["client", "gateway", "--ribbit-tcp", &taken]);
    assert!(
        code == 1 && said.contains("the port is taken; choose another with --ribbit-tcp"),
        "{code} {said}"
    );
    first.stop();
    assert!(!shown(first.pid()), "a gateway that stops is gone at once");
    drop(second);
    let none = || pond.typed(&["status", "--json"]).1.contains("\"gateways\":[]");
    awaited("one that was killed is gone soon", || none().then_some(()));
}
