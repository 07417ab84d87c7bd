//! Timelines with their pages, notifications, markers, search, announcements, and lists that are always empty.

use super::{ids, link, only, text, three};
use ribbit_state::OperatorCommand;
use serde_json::json;

#[test]
fn pages_go_down_and_up_without_gaps_and_doubles() {
    let (_site, [mut ada, _, _]) = three();
    let mut said: Vec<String> = (0..7).map(|number| ada.say(&format!("croak {number}"))).collect();
    said.reverse();
    for list in ["timelines/home", "timelines/public", &format!("accounts/{}/statuses", ada.id)] {
        let (first, links) = ada.got(&format!("{list}?limit=3"));
        assert_eq!(ids(&first), said[..3], "{list}");
        let next = link(&links, "next").expect("an older page");
        let (second, links) = ada.got(&format!("{list}?{next}"));
        assert_eq!(ids(&second), said[3..6], "{list}");
        let next = link(&links, "next").expect("an older page");
        let (last, last_links) = ada.got(&format!("{list}?{next}"));
        assert_eq!(ids(&last), said[6..], "{list}");
        assert_eq!(link(&last_links, "next"), None);
        let previous = link(&links, "prev").expect("a newer page");
        assert_eq!(ids(&ada.get(&format!("{list}?{previous}"))), said[..3], "{list}");
        assert_eq!(ids(&ada.get(&format!("{list}?min_id={}&limit=2", said[6]))), said[4..6], "{list}");
        assert_eq!(ids(&ada.get(&format!("{list}?since_id={}", said[2]))), said[..2], "{list}");
        assert_eq!(ids(&ada.get(&format!("{list}?limit=1000000"))), said, "{list}");
    }
}

#[test]
fn tags_and_words_are_found() {
    let (site, [mut ada, mut bob, _]) = three();
    let id = ada.say("rain at the #Pond");
    ada.say("sun");
    assert_eq!(only(&bob.get("timelines/tag/pond")), id);
    assert_eq!(ids(&bob.get("timelines/tag/pond?all[]=rain")), Vec::<String>::new());
    assert_eq!(ids(&bob.get("timelines/tag/%3F")), Vec::<String>::new());
    let found = bob.get("v2/search?q=rain");
    assert_eq!(only(&found["statuses"]), id);
    assert_eq!((&found["accounts"], &found["hashtags"][0]["name"]), (&json!([]), &json!("rain")));
    let found = bob.get("v2/search?q=ada&type=accounts");
    assert_eq!((ids(&found["accounts"]), &found["statuses"]), (vec![ada.id.clone()], &json!([])));
    let address = format!("http%3A%2F%2F{}%2Fcroak%2F{id}", site.address);
    assert_eq!(ids(&bob.get(&format!("v2/search?q={address}&resolve=true"))["statuses"]), [id]);
    for none in ["", "%3F%21", &"a+".repeat(40)] {
        let found = bob.get(&format!("v2/search?q={none}"));
        assert_eq!((&found["accounts"], &found["statuses"]), (&json!([]), &json!([])), "{none}");
    }
}

#[test]
fn notifications_are_listed_read_and_removed() {
    let (_site, [mut ada, mut bob, mut carl]) = three();
    let id = ada.say("quak");
    bob.post(&format!("accounts/{}/follow", ada.id), &[]);
    bob.post(&format!("statuses/{id}/favourite"), &[]);
    carl.post(&format!("statuses/{id}/reblog"), &[]);
    let reply = text(&carl.post("statuses", &[("status", "yes"), ("in_reply_to_id", &id)])["id"]);
    let told = ada.get("notifications");
    let types: Vec<String> = told.as_array().unwrap().iter().map(|one| text(&one["type"])).collect();
    assert_eq!(types, ["mention", "reblog", "favourite", "follow"]);
    assert_eq!((&told[0]["status"]["id"], &told[1]["status"]["id"]), (&json!(reply), &json!(id)));
    let all = ids(&told);
    assert_eq!(
        ids(&ada.get("notifications?types[]=follow&types[]=reblog")),
        [all[1].clone(), all[3].clone()]
    );
    assert_eq!(ids(&ada.get("notifications?exclude_types[]=follow&limit=2")), all[..2]);
    assert_eq!(ids(&ada.get(&format!("notifications?account_id={}", bob.id))), all[2..]);
    let (_, links) = ada.got("notifications?limit=2");
    let next = link(&links, "next").expect("an older page");
    assert_eq!(ids(&ada.get(&format!("notifications?{next}"))), all[2..]);
    assert_eq!(ada.get("notifications/unread_count")["count"], 4);
    ada.post("markers", &[("notifications[last_read_id]", &all[1]), ("home[last_read_id]", &id)]);
    assert_eq!(ada.get("notifications/unread_count")["count"], 1);
    let markers = ada.get("markers?timeline[]=home&timeline[]=notifications");
    assert_eq!(
        (&markers["home"]["last_read_id"], &markers["notifications"]["last_read_id"]),
        (&json!(id), &json!(all[1]))
    );
    assert_eq!(ada.get(&format!("notifications/{}", all[2]))["type"], "favourite");
    bob.refused("GET", &format!("notifications/{}", all[2]), &[], 404, "no such notification");
    // Another person's is not removed.
    bob.post(&format!("notifications/{}/dismiss", all[2]), &[]);
    ada.post(&format!("notifications/{}/dismiss", all[1]), &[]);
    assert_eq!(ids(&ada.get("notifications")), [all[0].clone(), all[2].clone(), all[3].clone()]);
    ada.post("notifications/clear", &[]);
    assert_eq!(ids(&ada.get("notifications")), Vec::<String>::new());
}

#[test]
fn announcements_are_shown_until_they_are_dismissed() {
    let (site, [mut ada, mut bob, _]) = three();
    site.group.operate(OperatorCommand::Announce { text: "pond <closed>".into(), for_ms: Some(60_000) });
    let shown = ada.get("announcements");
    assert_eq!(shown[0]["content"], "<p>pond &lt;closed&gt;</p>");
    assert!(shown[0]["ends_at"].is_string(), "{shown}");
    ada.post(&format!("announcements/{}/dismiss", text(&shown[0]["id"])), &[]);
    assert_eq!(ids(&ada.get("announcements")), Vec::<String>::new());
    assert_eq!(ids(&bob.get("announcements")).len(), 1);
    ada.refused("POST", "announcements/7777777/dismiss", &[], 404, "no such announcement");
}

#[test]
fn lists_of_what_there_is_none_of_are_empty() {
    let (_site, [mut ada, _, _]) = three();
    for path in [
        "bookmarks",
        "lists",
        "timelines/list/1",
        "custom_emojis",
        "filters",
        "v2/filters",
        "follow_requests",
        "suggestions",
        "v2/suggestions",
        "scheduled_statuses",
        "featured_tags",
        "followed_tags",
        "endorsements",
        "domain_blocks",
        "trends/tags",
        "trends/statuses",
        "trends/links",
    ] {
        assert_eq!(ada.get(path), json!([]), "{path}");
    }
    ada.refused("GET", "polls/1", &[], 404, "no polls");
}
