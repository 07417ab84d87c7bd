//! Replies, likes, shares and threads as verbs, in JSON and at the prompt.

use crate::followed_output::FollowedOutput;
use crate::test_cluster::{TestCluster, send};
use crate::verbs::CliUser;
use rustix::process::Signal;
use serde_json::{Value, json};

/// Returns the `ids` and texts of some lines.
fn said(lines: &[Value]) -> Vec<(&Value, &str)> {
    lines.iter().map(|line| (&line["id"], line["text"].as_str().unwrap_or("gap"))).collect()
}

#[test]
fn a_croak_is_answered_liked_and_shared_in_scripts() {
    let pond = TestCluster::start();
    let (ada, bob, carl) =
        (CliUser::called(&pond, "ada"), CliUser::called(&pond, "bob"), CliUser::called(&pond, "carl"));
    carl.runs(&pond, &["add", "bob"]).succeeds();
    let id = ada.runs(&pond, &["post", "rain, at last", "--json"]).lines()[0]["id"].clone();
    let number = id.to_string();
    let reply = bob.runs_with(&pond, &["reply", &number, "-", "--json"], "I am at the pond\n").lines();
    assert_eq!(reply[0]["reply_to"], id);
    let reply = reply[0]["id"].clone();
    let liked = json!({ "id": id, "liked": true });
    assert_eq!(bob.runs(&pond, &["like", &number, "--json"]).lines(), std::slice::from_ref(&liked));
    assert_eq!(bob.runs(&pond, &["like", &number, "--json"]).lines(), [liked]);
    let shared = json!({ "id": id, "shared": true });
    assert_eq!(bob.runs(&pond, &["share", &number, "--json"]).lines(), [shared]);

    let thread = ada.runs(&pond, &["thread", &number, "--json"]).lines();
    assert_eq!(said(&thread), [(&id, "rain, at last"), (&reply, "@ada I am at the pond")]);
    assert_eq!(
        (&thread[0]["likes"], &thread[0]["shares"], &thread[0]["replies"]),
        (&json!(1), &json!(1), &json!(1))
    );
    let feed = carl.runs(&pond, &["feed", "--json"]).lines();
    let by_bob = feed.iter().find(|line| line["id"] == id).expect("the share of bob");
    assert_eq!(by_bob["share"]["by"]["username"], "bob");
    assert!(
        carl.runs(&pond, &["feed"])
            .succeeds()
            .contains(&format!("#{number}  @ada  rain, at last  (shared by @bob)"))
    );
    let everyone = carl.runs(&pond, &["everyone", "--json"]).lines();
    assert_eq!(said(&everyone), [(&id, "rain, at last"), (&reply, "@ada I am at the pond")]);

    bob.runs(&pond, &["share", &number, "--undo"]).succeeds();
    bob.runs(&pond, &["like", &number, "--undo"]).succeeds();
    assert!(!carl.runs(&pond, &["feed"]).succeeds().contains("rain, at last"));
    ada.runs(&pond, &["share", &number]).fails(1, "only another person's croak");
    ada.runs(&pond, &["uncroak", &number]).succeeds();
    let thread = ada.runs(&pond, &["thread", &reply.to_string(), "--json"]).lines();
    assert_eq!(said(&thread), [(&Value::Null, "gap"), (&reply, "@ada I am at the pond")]);
    bob.runs(&pond, &["reply", &number, "anyone?"]).fails(1, "no such croak");
    bob.runs(&pond, &["like", &number]).fails(1, "no such croak");

    // The same at the prompt, and for followers only.
    let secret = format!("/reply {reply} see you\n/like {reply}\n/share {reply}\n/everyone\n");
    let out = carl.runs_with(&pond, &[], &secret);
    assert_eq!(out.code, 0, "{out:?}");
    assert!(
        out.out.contains("@bob see you") && out.out.contains(&format!("you like croak {reply}")),
        "{out:?}"
    );
    ada.runs(&pond, &["reply", &reply.to_string(), "--audience", "followers", "just for you"]).succeeds();
    let dora = CliUser::called(&pond, "dora");
    assert!(!dora.runs(&pond, &["everyone"]).succeeds().contains("just for you"));
    assert!(bob.runs(&pond, &["thread", &reply.to_string()]).succeeds().contains("(followers only)"));
    let only =
        dora.runs(&pond, &["post", "--audience", "followers", "near the pond", "--json"]).lines()[0]["id"]
            .to_string();
    bob.runs(&pond, &["thread", &only]).fails(1, "no such croak");
    bob.runs(&pond, &["add", "dora"]).succeeds();
    assert!(bob.runs(&pond, &["feed"]).succeeds().contains("near the pond  (followers only)"));
}

#[test]
fn the_prompt_sets_an_audience_and_keeps_people_away() {
    let pond = TestCluster::start();
    let (ada, bob) = (CliUser::called(&pond, "ada"), CliUser::called(&pond, "bob"));
    let script =
        "/audience\n/post for all\n/audience followers\n/post for few\n/mute @bob\n/block bob\n/unmute bob\n";
    let out = ada.runs_with(&pond, &[], script).succeeds();
    let expected = "your settings decide who sees what you post from here\nposted\n\
                    your followers and the people you mention see what you post from here\nposted\n\
                    muted @bob\nblocked @bob\nunmuted @bob\n";
    assert_eq!(out, expected);
    assert!(ada.runs(&pond, &["feed"]).succeeds().contains("for few  (followers only)"));
    bob.runs(&pond, &["add", "ada"]).fails(1, "(668)");
    assert_eq!(ada.runs_with(&pond, &[], "/unblock bob\n").succeeds(), "unblocked @bob\n");
    bob.runs(&pond, &["add", "ada"]).succeeds();
}

/// A share is newer than the croak that it shares. Before the fix, a reader whose newest entry was a share was told everything
/// since that croak once more.
#[test]
fn a_follower_is_told_once_of_what_came_before_a_share() {
    let pond = TestCluster::start();
    let (ada, bob) = (CliUser::called(&pond, "ada"), CliUser::called(&pond, "bob"));
    let carl = CliUser::called(&pond, "carl");
    let posted = carl.runs(&pond, &["post", "--json", "to be shared"]).lines();
    let shared = posted[0]["id"].to_string();
    bob.runs(&pond, &["add", "ada"]).succeeds();
    ada.runs(&pond, &["post", "zero"]).succeeds();
    let following = FollowedOutput::of_feed(&pond, &bob, &[]);
    assert_eq!(following.await_heard(1), ["zero"]);
    // The reader sees both at once.
    send(following.child.id(), Signal::STOP);
    ada.runs(&pond, &["post", "one"]).succeeds();
    ada.runs(&pond, &["share", &shared]).succeeds();
    send(following.child.id(), Signal::CONT);
    assert_eq!(following.await_heard(3), ["zero", "one", "to be shared"]);
    ada.runs(&pond, &["post", "two"]).succeeds();
    assert_eq!(following.await_heard(4), ["zero", "one", "to be shared", "two"]);
}
