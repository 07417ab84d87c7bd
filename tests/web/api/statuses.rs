//! Statuses: posting, threads, likes, shares, direct messages, and deletion.

use super::{ids, json as parsed, only, text, three};
use serde_json::json;

#[test]
fn a_status_is_posted_once_for_each_key() {
    let (_site, [mut ada, mut bob, _]) = three();
    let mut post = |key: &str, words: &str| {
        let reply = ada.send("POST", "v1/statuses", &[("Idempotency-Key", key)], &[("status", words)]);
        (reply.status, parsed(&reply))
    };
    let (_, first) = post("one", "quak");
    assert_eq!(post("one", "quak").1["id"], first["id"]);
    let (_, second) = post("two", "quak");
    assert_ne!(second["id"], first["id"]);
    let (status, refused) = post("two", "another text");
    assert_eq!(status, 422, "{refused}");
    assert_eq!(ids(&ada.get("timelines/home")), [text(&second["id"]), text(&first["id"])]);
    // The key is one session's alone.
    let reply = bob.send("POST", "v1/statuses", &[("Idempotency-Key", "one")], &[("status", "quak")]);
    assert_ne!(parsed(&reply)["id"], first["id"]);
}

/// A key is that of the status that was made, as Mastodon keeps it. What was refused has made none.
#[test]
fn a_refusal_uses_no_key_up() {
    let (_site, [mut ada, mut bob, _]) = three();
    let mut post = |fields: &[(&str, &str)]| {
        let reply = ada.send("POST", "v1/statuses", &[("Idempotency-Key", "one")], fields);
        (reply.status, parsed(&reply))
    };
    let long = "quak ".repeat(40);
    for _ in 0..2 {
        assert_eq!(post(&[("status", &long)]).0, 422);
    }
    let (status, posted) = post(&[("status", "quak")]);
    assert_eq!(status, 200, "{posted}");
    assert_eq!(post(&[("status", "quak")]).1["id"], posted["id"]);
    // The same words again, once what stood against them is gone.
    let letter = [("status", "@bob are you there?"), ("visibility", "direct")];
    let ada_id = posted["account"]["id"].as_str().unwrap().to_string();
    bob.post(&format!("accounts/{ada_id}/block"), &[]);
    let send = |ada: &mut super::ApiClient| {
        let reply = ada.send("POST", "v1/statuses", &[("Idempotency-Key", "two")], &letter);
        (reply.status, parsed(&reply))
    };
    assert_eq!(send(&mut ada).0, 403);
    bob.post(&format!("accounts/{ada_id}/unblock"), &[]);
    let (status, sent) = send(&mut ada);
    assert_eq!(status, 200, "{sent}");
    assert_eq!(send(&mut ada).1["id"], sent["id"]);
}

#[test]
fn a_thread_is_read_from_each_of_its_statuses() {
    let (_site, [mut ada, mut bob, _]) = three();
    let root = ada.say("who is at the pond?");
    let reply = bob.post("statuses", &[("status", "I am"), ("in_reply_to_id", &root)]);
    assert_eq!(
        (&reply["in_reply_to_id"], &reply["in_reply_to_account_id"], &reply["mentions"][0]["acct"]),
        (&json!(root), &json!(ada.id), &json!("ada"))
    );
    let reply = text(&reply["id"]);
    let last = text(&ada.post("statuses", &[("status", "@bob me too"), ("in_reply_to_id", &reply)])["id"]);
    let around = bob.get(&format!("statuses/{reply}/context"));
    assert_eq!(
        (ids(&around["ancestors"]), ids(&around["descendants"])),
        (vec![root.clone()], vec![last.clone()])
    );
    let below = bob.get(&format!("statuses/{root}/context"));
    assert_eq!(ids(&below["descendants"]), [reply.clone(), last]);
    assert_eq!(bob.get(&format!("statuses/{root}"))["replies_count"], 1);
    assert_eq!(bob.get(&format!("statuses/{root}/source"))["text"], "who is at the pond?");
    bob.refused("POST", "statuses", &[("status", "hm"), ("in_reply_to_id", "7777777")], 404, "no such croak");
}

#[test]
fn likes_and_shares_are_done_and_undone() {
    let (_site, [mut ada, mut bob, mut carl]) = three();
    let id = ada.say("rain");
    let path = |act: &str| format!("statuses/{id}/{act}");
    for _ in 0..2 {
        let liked = bob.post(&path("favourite"), &[]);
        assert_eq!((&liked["favourited"], &liked["favourites_count"]), (&json!(true), &json!(1)));
    }
    assert_eq!(only(&carl.get(&path("favourited_by"))), bob.id);
    assert_eq!(only(&bob.get("favourites")), id);
    let share = carl.post(&path("reblog"), &[]);
    let share_id = text(&share["id"]);
    assert_eq!((&share["reblog"]["id"], &share["reblog"]["reblogged"]), (&json!(id), &json!(true)));
    assert_eq!(carl.post(&path("reblog"), &[])["id"], share["id"]);
    assert_eq!(bob.get(&format!("statuses/{share_id}"))["account"]["acct"], "carl");
    let several = bob.get(&format!("statuses?id[]={id}&id[]={share_id}&id[]=7777777"));
    assert_eq!(ids(&several), [id.clone(), share_id.clone()]);
    // The id of the share stands for the croak.
    assert_eq!(
        ada.get(&format!("statuses/{share_id}/context")),
        json!({ "ancestors": [], "descendants": [] })
    );
    assert_eq!(bob.post(&format!("statuses/{share_id}/unfavourite"), &[])["id"], json!(id));
    assert_eq!(only(&ada.get(&path("reblogged_by"))), carl.id);
    bob.post(&format!("accounts/{}/follow", carl.id), &[]);
    let home = bob.get("timelines/home");
    assert_eq!((&home[0]["id"], &home[0]["reblog"]["id"]), (&json!(share_id), &json!(id)));
    assert_eq!(carl.post(&path("unreblog"), &[])["reblogged"], false);
    assert_eq!(ids(&bob.get("timelines/home")), Vec::<String>::new());
    carl.refused("GET", &format!("statuses/{share_id}"), &[], 404, "no such croak");
    ada.refused("POST", &path("reblog"), &[], 422, "another person's croak");
    assert_eq!(ada.post(&path("pin"), &[])["pinned"], true);
    assert_eq!(only(&bob.get(&format!("accounts/{}/statuses?pinned=true", ada.id))), id);
    assert_eq!(ada.post(&path("unpin"), &[])["pinned"], false);
    bob.refused("POST", &path("pin"), &[], 403, "not yours");
}

#[test]
fn a_direct_status_is_a_message_to_each_person_that_it_mentions() {
    let (_site, [mut ada, mut bob, mut carl]) = three();
    let direct = |words: &'static str| [("status", words), ("visibility", "direct")];
    let letter = ada.post("statuses", &direct("@bob meet me"));
    assert_eq!((&letter["visibility"], &letter["mentions"][0]["acct"]), (&json!("direct"), &json!("bob")));
    let letter = text(&letter["id"]);
    let talks = bob.get("conversations");
    assert_eq!((&talks[0]["unread"], &talks[0]["last_status"]["id"]), (&json!(true), &json!(letter)));
    let read = bob.post(&format!("conversations/{}/read", ada.id), &[]);
    assert_eq!(read["unread"], false);
    assert_eq!(bob.get("conversations")[0]["unread"], false);
    // An answer is a message, too, whatever its visibility.
    let answer = text(&bob.post("statuses", &[("status", "yes"), ("in_reply_to_id", &letter)])["id"]);
    let around = ada.get(&format!("statuses/{letter}/context"));
    assert_eq!(only(&around["descendants"]), answer);
    assert_eq!(only(&ada.get(&format!("statuses/{answer}/context"))["ancestors"]), letter);
    ada.post("statuses", &direct("@bob and @carl: hello"));
    assert_eq!(ids(&ada.get("conversations")).len(), 2);
    assert!(text(&carl.get("conversations")[0]["last_status"]["content"]).contains("hello"));
    // Nothing is sent if one of them cannot be written to.
    ada.refused("POST", "statuses", &direct("@bob and @nobody: hello"), 404, "no user");
    assert_eq!(ids(&bob.get(&format!("statuses/{letter}/context"))["descendants"]).len(), 2);
    ada.refused("POST", "statuses", &direct("to whom?"), 422, "needs a recipient");
    for path in ["", "/context", "/source"] {
        carl.refused("GET", &format!("statuses/{letter}{path}"), &[], 404, "no such croak");
    }
    for act in ["favourite", "reblog", "pin"] {
        bob.refused("POST", &format!("statuses/{letter}/{act}"), &[], 422, "not with direct messages");
    }
    assert_eq!(ids(&bob.get(&format!("statuses/{letter}/favourited_by"))), Vec::<String>::new());
    ada.refused("DELETE", &format!("statuses/{letter}"), &[], 422, "cannot be deleted");
    assert_eq!(ids(&carl.get("timelines/public")), Vec::<String>::new());
}

#[test]
fn a_deleted_status_comes_back_with_its_text() {
    let (_site, [mut ada, mut bob, _]) = three();
    let id = ada.say("wrnog");
    bob.refused("DELETE", &format!("statuses/{id}"), &[], 403, "not yours");
    let reply = ada.send("DELETE", &format!("v1/statuses/{id}"), &[], &[]);
    assert_eq!((reply.status, &parsed(&reply)["text"]), (200, &json!("wrnog")));
    ada.refused("GET", &format!("statuses/{id}"), &[], 404, "no such croak");
    ada.refused("DELETE", &format!("statuses/{id}"), &[], 404, "no such croak");
}

#[test]
fn what_ribbit_has_no_notion_of_is_refused_with_a_sentence() {
    let (_site, [mut ada, _, _]) = three();
    for (field, value, words) in [
        ("media_ids[]", "1", "no pictures"),
        ("poll[options][]", "yes", "no polls"),
        ("scheduled_at", "2030-01-01T00:00:00Z", "cannot post later"),
        ("spoiler_text", "ponds", "no content warnings"),
        ("visibility", "limited", "public, unlisted, private or direct"),
    ] {
        ada.refused("POST", "statuses", &[("status", "x"), (field, value)], 422, words);
    }
    ada.refused("POST", "statuses", &[("status", &"x".repeat(101))], 422, "100 characters");
    ada.refused("POST", "statuses", &[], 422, "1 to 100 characters");
    let id = ada.say("quak");
    for (method, path, words) in [
        ("POST", "media".to_string(), "no pictures"),
        ("POST", "v2/media".to_string(), "no pictures"),
        ("POST", format!("statuses/{id}/bookmark"), "no bookmarks"),
        ("PUT", format!("statuses/{id}"), "cannot be changed"),
    ] {
        ada.refused(method, &path, &[], 422, words);
    }
    // Clients send what they have no use for.
    let plain = [("status", "fine"), ("spoiler_text", ""), ("sensitive", "false"), ("language", "en")];
    ada.post("statuses", &plain);
}
