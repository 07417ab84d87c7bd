//! Who may see what through the API. The rules decide it, in one place (`who_sees_what.rs` beside them); this table shows that no
//! call goes around them.

use super::{ApiClient, ids, text, three};
use testkit::http::Browser;

/// Relation between the reader, who is bob, and the author, who is ada.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    Strangers,
    Follows,
    Mutes,
    Blocks,
    Blocked,
    AuthorDeleted,
}
use Relation::*;

/// Calls through which the reader meets the croak.
#[derive(Debug, Default, PartialEq, Eq)]
struct Met {
    home: bool,
    public: bool,
    tag: bool,
    search: bool,
    profile: bool,
    pinned: bool,
    status: bool,
    /// The thread, and the lists of those who like or shared it.
    around: bool,
    /// In the thread of the croak that it answers.
    below: bool,
    notification: bool,
    favourite: bool,
    reply: bool,
}

const ALL: Met = Met {
    home: true,
    public: true,
    tag: true,
    search: true,
    profile: true,
    pinned: true,
    status: true,
    around: true,
    below: true,
    notification: true,
    favourite: true,
    reply: true,
};

fn expected(relation: Relation, for_followers: bool) -> Met {
    // A croak for followers is not among everyone's, and this one mentions no person.
    let seen = Met { public: !for_followers, notification: !for_followers, ..ALL };
    match relation {
        Follows => seen,
        Strangers if !for_followers => Met { home: false, ..seen },
        Mutes if !for_followers => {
            Met { home: false, public: false, tag: false, search: false, notification: false, ..seen }
        }
        Strangers | Mutes | Blocks | Blocked | AuthorDeleted => Met::default(),
    }
}

fn relate(relation: Relation, ada: &mut ApiClient, bob: &mut ApiClient, site_address: &str) {
    let path = |id: &str, act: &str| format!("accounts/{id}/{act}");
    match relation {
        Strangers => {}
        Follows => drop(bob.post(&path(&ada.id, "follow"), &[])),
        Mutes => drop(bob.post(&path(&ada.id, "mute"), &[])),
        Blocks => drop(bob.post(&path(&ada.id, "block"), &[])),
        Blocked => drop(ada.post(&path(&bob.id, "block"), &[])),
        AuthorDeleted => {
            let mut browser = Browser::new(site_address);
            browser.post_until_taken("/login", &[("username", "ada"), ("password", "password")]);
            browser.post_until_taken("/delete", &[("password", "password")]);
        }
    }
}

fn met(bob: &mut ApiClient, author: &str, root: &str, id: &str) -> Met {
    let lists = |bob: &mut ApiClient, path: &str| ids(&bob.get(path)).iter().any(|listed| listed == id);
    let is_found = |bob: &mut ApiClient, method: &str, path: &str| {
        let status = bob.send(method, &format!("v1/{path}"), &[], &[]).status;
        assert!([200, 404].contains(&status), "{path}: {status}");
        status == 200
    };
    let profile = |bob: &mut ApiClient, query: &str| {
        let reply = bob.send("GET", &format!("v1/accounts/{author}/statuses{query}"), &[], &[]);
        reply.status == 200 && ids(&super::json(&reply)).iter().any(|listed| listed == id)
    };
    let notifications = bob.get("notifications");
    let around = ["context", "favourited_by", "reblogged_by", "source"];
    let around: Vec<bool> =
        around.iter().map(|part| is_found(bob, "GET", &format!("statuses/{id}/{part}"))).collect();
    assert!(around.iter().all(|found| *found == around[0]), "{around:?}");
    let found = bob.get("v2/search?q=thunder");
    let below = bob.get(&format!("statuses/{root}/context"));
    let reply = [("status", "yes"), ("in_reply_to_id", id)];
    Met {
        home: lists(bob, "timelines/home"),
        public: lists(bob, "timelines/public"),
        tag: lists(bob, "timelines/tag/storm"),
        search: ids(&found["statuses"]).iter().any(|listed| listed == id),
        profile: profile(bob, ""),
        pinned: profile(bob, "?pinned=true"),
        status: is_found(bob, "GET", &format!("statuses/{id}")),
        around: around[0],
        below: ids(&below["descendants"]).iter().any(|listed| listed == id),
        notification: notifications.as_array().unwrap().iter().any(|one| one["status"]["id"] == id),
        favourite: is_found(bob, "POST", &format!("statuses/{id}/favourite")),
        reply: bob.send("POST", "v1/statuses", &[], &reply).status == 200,
    }
}

#[test]
fn a_reader_meets_a_croak_through_exactly_the_calls_of_their_relation() {
    for for_followers in [false, true] {
        for relation in [Strangers, Follows, Mutes, Blocks, Blocked, AuthorDeleted] {
            let (site, [mut ada, mut bob, mut carl]) = three();
            let root = carl.say("how is the weather?");
            relate(
                if relation == AuthorDeleted { Strangers } else { relation },
                &mut ada,
                &mut bob,
                &site.address,
            );
            let (words, visibility) = match for_followers {
                true => ("thunder #storm", "private"),
                false => ("thunder #storm @bob", "public"),
            };
            let fields = [("status", words), ("visibility", visibility), ("in_reply_to_id", root.as_str())];
            let id = text(&ada.post("statuses", &fields)["id"]);
            ada.post(&format!("statuses/{id}/pin"), &[]);
            if relation == AuthorDeleted {
                relate(relation, &mut ada, &mut bob, &site.address);
            }
            let got = met(&mut bob, &ada.id, &root, &id);
            assert_eq!(
                got,
                expected(relation, for_followers),
                "{relation:?}, for followers: {for_followers}"
            );
        }
    }
}
