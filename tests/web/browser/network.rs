//! From another machine's point of view: the connection is not encrypted, browsers send fewer headers, and users are warned.

use crate::browser::Visit;
use testkit::site::{Site, own_address};

#[test]
fn where_others_can_read_along_one_is_told_and_everything_works() {
    let Some(own) = own_address() else { return println!("skipped: this machine has no network") };
    if testkit::driver::missing() {
        return;
    }
    let mut site = Site::start_with(|options| options.listen = "0.0.0.0:0".into());
    site.address = site.address.replace("0.0.0.0", &own.to_string());
    let visit = Visit::to(site, true);
    for (path, name) in [("/login", "login-in-the-clear"), ("/create", "create-in-the-clear")] {
        visit.go(path);
        visit.shows(
            path,
            "This connection is not encrypted. Others on this network can read what you type here.",
        );
        visit.look(name);
    }
    // Forms, streams and images, with which the browser only sends `Origin` and `Referer` here.
    visit.join("Ada", "ada");
    visit.fill(&[("post", "over the air")]);
    visit.shows("/main", "over the air");
    visit.driver.run("fetch('/shown?feed=1').then((answer) => { document.title = answer.status; })");
    let status = || visit.driver.run("return document.title").as_str().map(str::to_string);
    while status().as_deref() != Some("200") {
        assert_ne!(status().as_deref(), Some("403"));
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let opened = "return new Promise((done) => { const source = new EventSource('/live'); \
                  source.addEventListener('beat', () => done('told')); source.onerror = () => done('refused'); })";
    assert_eq!(visit.driver.run(opened).as_str(), Some("told"));
}
