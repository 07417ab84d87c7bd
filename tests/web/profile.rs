//! Profiles and settings of people: profiles, pictures, the pinned croak, the usual audience, and the sections of the settings.

use ribbit_state::Code;
use testkit::http::{Browser, Reply};
use testkit::site::Site;

/// Returns the paths of the pictures on a page, each once.
fn pictures(page: &Reply) -> Vec<String> {
    let mut paths: Vec<String> = page
        .body
        .split("src=\"/avatar/")
        .skip(1)
        .map(|rest| format!("/avatar/{}", rest.split('"').next().unwrap()))
        .collect();
    paths.sort();
    paths.dedup();
    paths
}

#[test]
fn a_profile_shows_its_text_links_and_numbers() {
    let site = Site::start();
    let (mut ada, mut bob) = (Browser::new(&site.address), Browser::new(&site.address));
    ada.join("ada");
    bob.join("bob");
    let links = "https://pond.example/a?b=1\r\n\r\n http://frogs.example ";
    let fields =
        [("choice", "profile"), ("name", "Ada <L>"), ("bio", "Frogs & @bob\r\n#rain"), ("links", links)];
    ada.post("/settings", &fields).leads_to("/settings?note=saved");
    ada.croak("one");
    let page = bob.get("/@ada");
    let bio = "<p class=\"bio\" dir=\"auto\">Frogs &#38; <a href=\"/@bob\">@bob</a>\n<a href=\"/tag/rain\">#rain</a></p>";
    page.says(200, bio);
    let link = "<a href=\"http://frogs.example\" rel=\"nofollow noopener\">http://frogs.example</a>";
    page.says(200, link);
    page.says(200, "1 croak · 0 following · 0 followers");
    assert!(!page.body.contains("Edit profile"));
    let own = ada.get("/settings");
    own.says(200, "Frogs &#38; @bob\n#rain</textarea>");
    own.says(200, "https://pond.example/a?b=1\nhttp://frogs.example</textarea>");
    // A form that lacks a field leaves it as it is.
    ada.post("/settings", &[("choice", "account"), ("email", "ada@new")]).leads_to("/settings?note=saved");
    bob.get("/@ada").says(200, bio);
    // What was typed comes back with a refusal.
    let wrong = ada.post("/settings", &[("choice", "profile"), ("bio", &"x".repeat(201)), ("links", "a.b")]);
    wrong.says(422, "Write up to 200 characters.");
    wrong.says(422, "addresses that begin with http:// or https://");
    wrong.says(422, "a.b</textarea>");
    bob.post("/keep-away", &[("username", "ada"), ("choice", "block")]);
    let hidden = bob.get("/@ada");
    assert!(!hidden.body.contains("Frogs") && !hidden.body.contains("pond.example"), "{}", hidden.body);
}

#[test]
fn pictures_are_drawn_from_names_or_chosen_and_kept_by_browsers() {
    let site = Site::start();
    let (mut ada, mut bob) = (Browser::new(&site.address), Browser::new(&site.address));
    ada.join("ada");
    bob.join("bob");
    ada.post("/manage", &[("username", "bob"), ("choice", "add")]);
    bob.croak("one, @ada");
    for path in ["/main", "/everyone", "/@bob", "/people", "/manage", "/notifications"] {
        assert!(pictures(&ada.get(path)).contains(&"/avatar/bob.svg".to_string()), "{path}");
    }
    let fields = [("choice", "profile"), ("frog", "winking"), ("colour", "teal")];
    bob.post("/settings", &fields).leads_to("/settings?note=saved");
    for path in ["/main", "/everyone", "/@bob", "/people", "/manage", "/notifications"] {
        let shown = pictures(&ada.get(path));
        assert!(shown.contains(&"/avatar/teal.winking.svg".to_string()), "{path}: {shown:?}");
    }
    bob.get("/settings").says(200, "value=\"winking\" checked");
    bob.post("/settings", &[("choice", "profile"), ("frog", "drawn"), ("colour", "teal")]);
    assert_eq!(pictures(&ada.get("/@bob")), ["/avatar/bob.svg"]);
    // Anyone may load them, also without a session, and a browser that has one is told so.
    let mut nobody = Browser::new(&site.address);
    let drawn = nobody.get("/avatar/bob.svg");
    drawn.says(200, "<svg xmlns=");
    assert_eq!(drawn.header("content-type"), Some("image/svg+xml"));
    assert_eq!(drawn.header("cache-control"), Some("max-age=86400"));
    assert!(drawn.header("set-cookie").is_none());
    let tag = drawn.header("etag").unwrap().to_string();
    let same = nobody.send("GET", "/avatar/bob.svg", &[("If-None-Match", &tag)], "");
    assert_eq!((same.status, same.body.as_str()), (304, ""));
    let other = nobody.get("/avatar/no-such-person.svg");
    assert!(other.status == 200 && other.body != drawn.body, "a picture does not tell who exists");
    for wrong in
        ["/avatar/bob", "/avatar/.svg", "/avatar/teal.svg.svg", "/avatar/%3Csvg%3E.svg", "/avatar/Bob.svg"]
    {
        assert_eq!(nobody.get(wrong).status, 404, "{wrong}");
    }
}

#[test]
fn the_pictures_of_a_first_visit_are_small() {
    let site = Site::start();
    let mut ada = Browser::new(&site.address);
    ada.join("ada");
    for number in 0..10 {
        let name = format!("frog-{number}");
        let mut frog = Browser::new(&site.address);
        frog.join(&name);
        frog.croak("quak");
    }
    let page = ada.get("/everyone");
    let loaded = pictures(&page);
    assert_eq!(loaded.len(), 10);
    let pictures: usize = loaded.iter().map(|path| ada.get(path).body.len()).sum();
    let shared: usize =
        ["/style.css", "/script.js", "/favicon.svg"].map(|path| ada.get(path).body.len()).iter().sum();
    println!("{} + {shared} + {pictures} bytes", page.body.len());
    assert!(pictures <= 10 * 900, "{pictures}");
}

#[test]
fn a_pinned_croak_is_first_on_the_profile_until_it_is_taken_down() {
    let site = Site::start();
    let (mut ada, mut bob) = (Browser::new(&site.address), Browser::new(&site.address));
    ada.join("ada");
    bob.join("bob");
    ada.croak("first");
    ada.croak("second");
    let page = ada.get("/@ada");
    let ids: Vec<String> = page
        .body
        .split("id=\"croak-")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap().to_string())
        .collect();
    let (second, first) = (ids[0].clone(), ids[1].clone());
    let pin = |browser: &mut Browser, croak: &str, choice: &str| {
        browser.post("/pin", &[("croak", croak), ("choice", choice), ("back", "/@ada")])
    };
    pin(&mut ada, &first, "add").leads_to(&format!("/@ada#croak-{first}"));
    let shown = bob.get("/@ada");
    shown.says(200, "<p class=\"fresh\">Pinned</p>");
    assert!(shown.body.find(">first<") < shown.body.find(">second<"), "{}", shown.body);
    assert_eq!(shown.body.matches(">first<").count(), 1);
    ada.get("/main").says(200, ">Unpin</button>");
    pin(&mut bob, &first, "add").refuses(Code::NotYours);
    pin(&mut ada, &second, "remove");
    bob.get("/@ada").says(200, "Pinned");
    ada.post(&format!("/croak/{first}"), &[]).leads_to("/main?note=taken-back");
    let shown = bob.get("/@ada");
    assert!(!shown.body.contains("Pinned") && shown.body.contains(">second<"), "{}", shown.body);
    pin(&mut ada, &first, "add").says(404, "Croak not found");
    ada.get("/pin").leads_to("/main");
}

#[test]
fn the_usual_audience_is_that_of_croaks_that_name_none() {
    let site = Site::start();
    let (mut ada, mut bob) = (Browser::new(&site.address), Browser::new(&site.address));
    ada.join("ada");
    bob.join("bob");
    let chosen = "<option value=\"followers\" selected>";
    assert!(!ada.get("/main").body.contains(chosen));
    let fields = [("choice", "privacy"), ("audience", "followers")];
    ada.post("/settings", &fields).leads_to("/settings?note=saved");
    ada.get("/settings").says(200, chosen);
    for path in ["/main", "/everyone"] {
        ada.get(path).says(200, chosen);
    }
    // An older form has no field for it.
    ada.post("/main", &[("post", "for friends")]).leads_to("/main");
    ada.post("/main", &[("post", "for all"), ("audience", "everyone")]).leads_to("/main");
    let page = bob.get("/everyone");
    assert!(page.body.contains("for all") && !page.body.contains("for friends"), "{}", page.body);
}

#[test]
fn sessions_have_the_name_of_their_device_and_the_day_of_their_last_use() {
    let site = Site::start();
    let mut ada = Browser::new(&site.address);
    ada.join("ada");
    let mut phone = Browser::new(&site.address);
    let agent = "Mozilla/5.0 (Android 14; Mobile; rv:133.0) Gecko/133.0 Firefox/133.0 <script>";
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    let log_in = "username=ada&password=password";
    phone.send("POST", "/login", &[form, ("User-Agent", agent)], log_in).leads_to("/main");
    let page = ada.get("/settings");
    page.says(200, "<b><bdi>Firefox on Android</bdi></b><br>");
    page.says(200, "<b><bdi>Browser</bdi></b> (this one)");
    page.says(200, "Last used ");
    for section in ["Profile", "Account", "Privacy", "Where you're logged in", "Danger zone"] {
        page.says(200, &format!("{section}</h2>"));
    }
}
