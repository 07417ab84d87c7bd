//! Each kind of write of a person, done once although the leader is killed as it is made.

use crate::test_cluster::TestCluster;
use crate::verbs::{CliUser, ran};
use serde_json::Value;

/// Returns the values of a field in some lines.
fn field<'a>(lines: &'a [Value], name: &str) -> Vec<&'a Value> {
    lines.iter().map(|line| &line[name]).collect()
}

#[test]
fn each_kind_of_write_is_done_once_although_the_leader_is_killed() {
    let pond = TestCluster::start();
    let [ada, bob, carl] = ["ada", "bob", "carl"].map(|name| CliUser::called(&pond, name));
    let posted = |user: &CliUser, text| {
        user.runs(&pond, &["post", text, "--json"]).lines()[0]["id"].as_u64().expect("an id").to_string()
    };
    let (croak, own) = (posted(&ada, "rain, at last"), posted(&bob, "wet feet"));
    for (user, arguments) in [
        (&bob, &["reply", &croak, "at the pond"][..]),
        (&bob, &["like", &croak]),
        (&bob, &["share", &croak]),
        (&bob, &["add", "ada"]),
        (&bob, &["pin", &own]),
        (&bob, &["dm", "ada", "swim?"]),
        (&bob, &["mute", "carl"]),
        (&ada, &["block", "carl"]),
        (&carl, &["report", "@bob", "--words", "too wet"]),
        (&ada, &["profile", "--bio", "frogs and engines"]),
        (&ada, &["room-create", "reeds"]),
        (&bob, &["room-join", "reeds"]),
        (&bob, &["say", "reeds", "hello"]),
        (&ada, &["room-rank", "reeds", "bob", "moderator"]),
        (&ada, &["room-set", "reeds", "--topic", "newts"]),
    ] {
        let leader = pond.await_leading_backend();
        pond.kill(&[&leader]);
        let done = user.runs(&pond, arguments);
        assert_eq!(done.code, 0, "{arguments:?}: {done:?}");
        pond.await_whole();
    }
    let thread = ada.runs(&pond, &["thread", &croak, "--json"]).lines();
    assert_eq!(thread.len(), 2, "{thread:?}");
    let counts = ["likes", "shares", "replies"].map(|count| thread[0][count].as_u64());
    assert_eq!(counts, [Some(1); 3], "{thread:?}");
    let mut told = ada.runs(&pond, &["notifications", "--json"]).lines();
    told.retain(|notice| notice["kind"] != "mention");
    let mut kinds: Vec<String> = field(&told, "kind").iter().map(ToString::to_string).collect();
    kinds.sort();
    assert_eq!(kinds, ["\"follow\"", "\"like\"", "\"reply\"", "\"share\""]);
    assert_eq!(field(&ada.runs(&pond, &["inbox", "--json"]).lines(), "text"), ["swim?"]);
    assert_eq!(field(&bob.runs(&pond, &["muted", "--json"]).lines(), "username"), ["carl"]);
    assert_eq!(field(&ada.runs(&pond, &["blocked", "--json"]).lines(), "username"), ["carl"]);
    let reports = ran(pond.plain(&["user", "reports", "--json"]), "").lines();
    assert_eq!(field(&reports, "words"), ["too wet"]);
    assert!(ada.runs(&pond, &["profile"]).succeeds().contains("frogs and engines"));
    assert!(ada.runs(&pond, &["profile", "bob"]).succeeds().contains("wet feet"));
    let said = ada.runs(&pond, &["room", "reeds", "--json"]).lines();
    assert_eq!(field(&said, "text"), ["hello"]);
    let members = ada.runs(&pond, &["room-members", "reeds", "--json"]).lines();
    let ranks: Vec<_> = members.iter().map(|member| (&member["username"], &member["standing"])).collect();
    assert_eq!(members.len(), 2, "{members:?}");
    assert!(ranks.contains(&(&"bob".into(), &"moderator".into())), "{ranks:?}");
    assert!(ada.runs(&pond, &["rooms"]).succeeds().contains("newts"));
}
