//! People: accounts, relations, lists of people, and the client's own account.

use super::{ids, link, only, text, three};
use serde_json::json;
use testkit::http::Browser;

#[test]
fn an_account_is_read_by_its_id_and_its_name() {
    let (site, [mut ada, bob, _]) = three();
    let account = ada.get(&format!("accounts/{}", bob.id));
    assert_eq!((&account["acct"], &account["display_name"]), (&json!("bob"), &json!("bob")));
    assert_eq!(account["url"], format!("http://{}/@bob", site.address));
    for acct in ["bob", "%40Bob", &format!("bob%40{}", site.address)] {
        assert_eq!(ada.get(&format!("accounts/lookup?acct={acct}"))["id"], bob.id.as_str());
    }
    ada.refused("GET", "accounts/lookup?acct=nobody", &[], 404, "no user with that name");
    ada.refused("GET", "accounts/lookup?acct=bob%40elsewhere", &[], 404, "no user");
    ada.refused("GET", "accounts/lookup", &[], 404, "no user");
    ada.refused("GET", "accounts/99999999", &[], 404, "no user");
    assert_eq!(only(&ada.get("accounts/search?q=bo")), bob.id);
    assert_eq!(ids(&ada.get("accounts/search?q=bo&following=true")), Vec::<String>::new());
    let several = ada.get(&format!("accounts?id[]={}&id[]={}&id[]=7777777", bob.id, ada.id));
    assert_eq!(ids(&several), [bob.id.clone(), ada.id.clone()]);
}

/// Clients in the browser are pages of other sites.
#[test]
fn pictures_are_loadable_by_pages_of_others() {
    let (site, [mut ada, bob, _]) = three();
    let account = ada.get(&format!("accounts/{}", bob.id));
    let instance = ada.get("instance");
    for picture in [&account["avatar"], &account["header"], &account["header_static"], &instance["thumbnail"]]
    {
        let picture = text(picture);
        let path = picture.strip_prefix(&format!("http://{}", site.address)).expect("a picture of this site");
        let reply = Browser::new(&site.address).get(path);
        assert_eq!((reply.status, reply.header("cross-origin-resource-policy")), (200, Some("cross-origin")));
    }
}

#[test]
fn relations_change_and_are_listed() {
    let (_site, [mut ada, mut bob, carl]) = three();
    let path = |id: &str, act: &str| format!("accounts/{id}/{act}");
    // Doing it twice changes nothing.
    for _ in 0..2 {
        assert_eq!(ada.post(&path(&bob.id, "follow"), &[])["following"], true);
    }
    let relations = bob.get(&format!("accounts/relationships?id[]={}&id[]={}", ada.id, carl.id));
    assert_eq!((&relations[0]["followed_by"], &relations[1]["followed_by"]), (&json!(true), &json!(false)));
    assert_eq!(only(&bob.get(&path(&bob.id, "followers"))), ada.id);
    assert_eq!(only(&bob.get(&path(&ada.id, "following"))), bob.id);
    ada.post(&path(&carl.id, "follow"), &[]);
    let (page, links) = ada.got(&format!("accounts/{}/following?limit=1", ada.id));
    assert_eq!(only(&page), bob.id);
    let next = link(&links, "next").expect("another page");
    assert_eq!(only(&ada.get(&format!("accounts/{}/following?{next}", ada.id))), carl.id);
    for _ in 0..2 {
        assert_eq!(ada.post(&path(&bob.id, "unfollow"), &[])["following"], false);
    }
    assert_eq!(ada.post(&path(&bob.id, "mute"), &[])["muting"], true);
    assert_eq!(only(&ada.get("mutes")), bob.id);
    assert_eq!(ada.post(&path(&bob.id, "unmute"), &[])["muting"], false);
    assert_eq!(ada.post(&path(&bob.id, "block"), &[])["blocking"], true);
    assert_eq!(only(&ada.get("blocks")), bob.id);
    bob.refused("POST", &path(&ada.id, "follow"), &[], 403, "has blocked you");
    assert_eq!(ada.post(&path(&bob.id, "unblock"), &[])["blocking"], false);
    let own = ada.id.clone();
    ada.refused("POST", &path(&own, "follow"), &[], 422, "your own account");
    ada.refused("POST", "accounts/7777777/block", &[], 404, "no user");
}

#[test]
fn the_own_account_is_changed_and_read() {
    let (_site, [mut ada, mut bob, _]) = three();
    let fields = [
        ("display_name", "Ada L."),
        ("note", "frogs & #ponds"),
        ("source[privacy]", "private"),
        ("fields_attributes[0][name]", "Site"),
        ("fields_attributes[0][value]", "https://pond.example"),
    ];
    let reply = ada.send("PATCH", "v1/accounts/update_credentials", &[], &fields);
    assert_eq!(reply.status, 200, "{}", reply.body);
    let own = ada.get("accounts/verify_credentials");
    assert_eq!((&own["display_name"], &own["source"]["privacy"]), (&json!("Ada L."), &json!("private")));
    assert_eq!(own["source"]["fields"][0]["value"], "https://pond.example");
    let seen = bob.get(&format!("accounts/{}", ada.id));
    assert!(text(&seen["note"]).contains("frogs &amp; <a href="), "{seen}");
    assert!(text(&seen["fields"][0]["value"]).starts_with("<a href=\"https://pond.example\""), "{seen}");
    assert_eq!(ada.get("preferences")["posting:default:visibility"], "private");
    assert_eq!(ada.post("statuses", &[("status", "hi")])["visibility"], "private");
    for (field, value, words) in [
        ("display_name", "", "1 to 64"),
        ("note", &"x".repeat(201), "200"),
        ("locked", "true", "no locked accounts"),
        ("avatar", "data", "draws its avatars"),
        ("source[privacy]", "direct", "public, unlisted or private"),
        ("fields_attributes[0][value]", "frogs", "addresses"),
    ] {
        ada.refused("PATCH", "accounts/update_credentials", &[(field, value)], 422, words);
    }
    let unchanged = ada.send("PATCH", "v1/accounts/update_credentials", &[], &[]);
    assert_eq!(unchanged.status, 200, "{}", unchanged.body);
}

#[test]
fn reports_reach_the_operators() {
    let (site, [mut ada, mut bob, _]) = three();
    let id = ada.say("rude");
    let report =
        bob.post("reports", &[("account_id", &ada.id), ("status_ids[]", &id), ("comment", "it is rude")]);
    assert_eq!(
        (&report["comment"], &report["target_account"]["acct"]),
        (&json!("it is rude"), &json!("ada"))
    );
    bob.post("reports", &[("account_id", &ada.id)]);
    let ribbit_state::Page::Reports { reports, .. } =
        site.group.read(&ribbit_state::query::OperatorQuery::Reports { after: None }.into())
    else {
        panic!("reports")
    };
    assert_eq!(reports.iter().map(|one| one.words.as_str()).collect::<Vec<_>>(), ["it is rude", ""]);
    assert_eq!(reports[0].text, "rude");
    let carl_id = bob.id.clone();
    bob.refused(
        "POST",
        "reports",
        &[("account_id", &carl_id), ("status_ids[]", &id)],
        422,
        "not of the account",
    );
    bob.refused("POST", "reports", &[], 404, "no user");
}
