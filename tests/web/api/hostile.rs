//! Wrong types, unknown ids, other people's ids and huge numbers.

use super::{json, three};

const NUMBERS: [&str; 9] = [
    "0",
    "-1",
    "x",
    "",
    "1.5",
    "18446744073709551615",
    "18446744073709551616",
    "99999999999999999999999999",
    "%00",
];

#[test]
fn ids_of_nothing_are_not_found_by_any_call() {
    let (_site, [mut ada, _, _]) = three();
    for id in NUMBERS.iter().filter(|id| !id.is_empty()) {
        for (method, path) in [
            ("GET", "accounts/ID"),
            ("GET", "accounts/ID/statuses"),
            ("GET", "accounts/ID/followers"),
            ("GET", "accounts/ID/following"),
            ("POST", "accounts/ID/follow"),
            ("POST", "accounts/ID/unfollow"),
            ("POST", "accounts/ID/mute"),
            ("POST", "accounts/ID/unblock"),
            ("GET", "statuses/ID"),
            ("GET", "statuses/ID/context"),
            ("GET", "statuses/ID/source"),
            ("GET", "statuses/ID/favourited_by"),
            ("GET", "statuses/ID/reblogged_by"),
            ("POST", "statuses/ID/favourite"),
            ("POST", "statuses/ID/unreblog"),
            ("POST", "statuses/ID/pin"),
            ("DELETE", "statuses/ID"),
            ("GET", "notifications/ID"),
            ("POST", "conversations/ID/read"),
        ] {
            ada.refused(method, &path.replace("ID", id), &[], 404, "");
        }
        let ok = ada.send("POST", &format!("v1/notifications/{id}/dismiss"), &[], &[]);
        assert_eq!(ok.status, 200, "{id}: {}", ok.body);
    }
}

#[test]
fn cursors_and_limits_may_be_anything() {
    let (_site, [mut ada, bob, _]) = three();
    ada.say("quak");
    ada.post(&format!("accounts/{}/follow", bob.id), &[]);
    let own = ada.id.clone();
    for list in [
        "timelines/home",
        "timelines/public",
        "timelines/tag/pond",
        "favourites",
        "notifications",
        "conversations",
        "mutes",
        "blocks",
        "accounts/OWN/statuses",
        "accounts/OWN/followers",
        "accounts/OWN/following",
    ] {
        for number in NUMBERS {
            for name in ["max_id", "since_id", "min_id", "limit", "offset"] {
                let path = format!("v1/{}?{name}={number}", list.replace("OWN", &own));
                let reply = ada.send("GET", &path, &[], &[]);
                assert_eq!(reply.status, 200, "{path}: {}", reply.body);
                assert!(json(&reply).is_array(), "{path}");
            }
        }
    }
    for number in NUMBERS {
        let found = ada.get(&format!("v2/search?q=quak&limit={number}&offset={number}"));
        assert!(found["statuses"].is_array(), "{found}");
    }
    let many: String = (0..60).map(|number| format!("id[]={number}&")).collect();
    ada.refused("GET", &format!("accounts/relationships?{many}"), &[], 422, "at most 40");
}

#[test]
fn bodies_of_wrong_types_are_refused() {
    let (_site, [mut ada, _, _]) = three();
    let long = format!("{{\"status\":\"{}\"}}", "x".repeat(63 * 1024));
    for body in [
        "{",
        "[1,2]",
        "\"text\"",
        "null",
        "7",
        "{\"status\":null}",
        "{\"status\":{\"a\":1}}",
        "{\"status\":\"x\",\"visibility\":7}",
        "{\"status\":\"x\",\"in_reply_to_id\":\"y\"}",
        "{\"status\":\"x\",\"media_ids\":[1]}",
        "{\"status\":\"x\",\"poll\":{\"options\":[\"a\"]}}",
        &"[".repeat(9_000),
        &long,
        "\0\u{1}",
    ] {
        let bearer = format!("Bearer {}", ada.token);
        let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
        let reply = ada.http.send("POST", "/api/v1/statuses", &headers, body);
        assert!(
            (400..500).contains(&reply.status),
            "{} {}: {}",
            reply.status,
            &body[..body.len().min(60)],
            reply.body
        );
        assert!(json(&reply)["error"].is_string(), "{}", reply.body);
    }
    assert_eq!(super::ids(&ada.get("timelines/home")), Vec::<String>::new());
}
