//! Replies, likes, shares, threads and the croaks of everyone on the pages, without a script.

use testkit::http::Browser;
use testkit::site::Site;
use testkit::stream::Stream;

/// Returns the id of the first croak on a page.
fn first_croak(page: &str) -> String {
    page.split("id=\"croak-").nth(1).unwrap().split('"').next().unwrap().to_string()
}

fn three(site: &Site) -> [Browser; 3] {
    ["ada", "bob", "carl"].map(|name| {
        let mut browser = Browser::new(&site.address);
        browser.join(name);
        browser
    })
}

#[test]
fn a_croak_is_answered_in_its_thread() {
    let site = Site::start();
    let [mut ada, mut bob, _] = three(&site);
    ada.croak("who is at the pond?");
    let id = first_croak(&ada.get("/main").body);
    bob.get(&format!("/croak/{id}")).says(200, &format!("name=\"reply_to\" value=\"{id}\""));
    let posted = bob.post("/main", &[("post", "I am"), ("reply_to", &id), ("audience", "everyone")]);
    assert!(posted.header("location").unwrap().starts_with(&format!("/croak/{id}#croak-")), "{posted:?}");
    let thread = ada.get(&format!("/croak/{id}"));
    thread.says(200, "<a href=\"/@ada\">@ada</a> I am");
    let reply = first_croak(thread.body.split("id=\"post\"").nth(1).unwrap());
    // The reply's own page has the croak above it. Deleted, the croak leaves a gap.
    bob.get(&format!("/croak/{reply}")).says(200, "who is at the pond?");
    ada.post(&format!("/croak/{id}"), &[]).leads_to("/main?note=taken-back");
    bob.get(&format!("/croak/{reply}")).says(200, "This croak was deleted or is not for you.");
    // A reply that is refused comes back with its text and the croak that it answers.
    let refused = ada.post("/main", &[("post", &"x".repeat(101)), ("reply_to", &reply)]);
    refused.says(422, &format!("name=\"reply_to\" value=\"{reply}\""));
    assert!(refused.body.contains(&"x".repeat(101)));
    bob.post("/main", &[("post", "too late"), ("reply_to", &id)]).says(422, "There is no such croak");
}

/// The markup of a live croak is made once for all its readers.
#[test]
fn a_share_arrives_without_what_one_reader_did_with_the_croak() {
    let site = Site::start();
    let [mut ada, mut bob, mut carl] = three(&site);
    carl.post("/manage", &[("username", "bob"), ("choice", "add")]);
    ada.croak("rain, at last");
    let id = first_croak(&ada.get("/main").body);
    carl.post("/like", &[("croak", &id), ("choice", "add")]);
    let mut live = Stream::open(&carl, "/live", None);
    bob.post("/share", &[("croak", &id), ("choice", "add")]);
    let told = live.croaks("rain, at last");
    assert!(!told.data.contains("aria-pressed=\"true\""), "{told:?}");
    assert!(told.data.contains("1 like"), "{told:?}");
}

#[test]
fn a_like_and_a_share_are_counted_and_taken_back() {
    let site = Site::start();
    let [mut ada, mut bob, mut carl] = three(&site);
    carl.post("/manage", &[("username", "bob"), ("choice", "add")]);
    ada.croak("rain, at last");
    let id = first_croak(&ada.get("/main").body);
    let everyone = format!("/everyone#croak-{id}");
    let fields = |choice| [("croak", id.as_str()), ("choice", choice), ("back", "/everyone")];
    bob.post("/like", &fields("add")).leads_to(&everyone);
    bob.post("/like", &fields("add")).leads_to(&everyone);
    ada.get("/main").says(200, &format!("href=\"/croak/{id}/likes\" aria-label=\"1 like\""));
    ada.get(&format!("/croak/{id}/likes")).says(200, "@bob");
    bob.get("/everyone").says(200, &format!("value=\"{id}\" aria-pressed=\"true\">Like"));
    assert!(!carl.get("/main").body.contains("rain, at last"));
    bob.post("/share", &fields("add")).leads_to(&everyone);
    carl.get("/main").says(200, "shared</p>");
    carl.get("/main").says(200, "rain, at last");
    ada.get(&format!("/croak/{id}/shares")).says(200, "@bob");
    ada.post("/share", &fields("add")).says(422, "another person&#39;s croak");
    bob.post("/share", &fields("remove")).leads_to(&everyone);
    bob.post("/like", &fields("remove")).leads_to(&everyone);
    assert!(!carl.get("/main").body.contains("rain, at last"));
    ada.get(&format!("/croak/{id}/likes")).says(200, "Nobody yet.");
    // Only this site's lists are returned to.
    for back in ["//evil.example", "https://evil.example/", "/main?note=deleted&x", "/delete"] {
        let liked = carl.post("/like", &[("croak", &id), ("choice", "add"), ("back", back)]);
        liked.leads_to(&format!("/croak/{id}#croak-{id}"));
    }
    for wrong in [vec![("croak", "7777"), ("choice", "add")], vec![("choice", "add")]] {
        carl.post("/like", &wrong).says(404, "Croak not found");
    }
}

#[test]
fn a_croak_for_followers_is_hidden_from_everyone_else_on_every_page() {
    let site = Site::start();
    let [mut ada, mut bob, mut carl] = three(&site);
    bob.post("/manage", &[("username", "ada"), ("choice", "add")]);
    ada.post("/main", &[("post", "only for you"), ("audience", "followers")]).leads_to("/main");
    ada.croak("for all");
    let id = first_croak(ada.get("/main").body.split("for all").nth(1).unwrap());
    bob.get("/main").says(200, "only for you");
    bob.get("/@ada").says(200, "followers only");
    for page in ["/main", "/everyone", "/@ada"] {
        assert!(!carl.get(page).body.contains("only for you"), "{page}");
    }
    carl.get("/everyone").says(200, "for all");
    for page in ["", "/likes", "/shares"] {
        carl.get(&format!("/croak/{id}{page}")).says(404, "Croak not found");
        bob.get(&format!("/croak/{id}{page}")).says(200, "<h1>");
    }
    carl.post("/main", &[("post", "hm"), ("reply_to", &id)]).says(422, "There is no such croak");
    carl.post("/like", &[("croak", &id), ("choice", "add")]).says(404, "Croak not found");
    bob.post("/share", &[("croak", &id), ("choice", "add")]).says(422, "can be shared");
}
