//! Protection of the pages: requests from other sites, host names, proxies, and rate limits.

use ribbit_roles::common::network::Network;
use ribbit_roles::web::limits::{
    CONNECTIONS_MAX, CONNECTIONS_PER_ADDRESS_MAX, CREATIONS, LIVE_STREAMS_PER_ADDRESS_MAX, LOG_INS, POSTS,
};
use ribbit_roles::web::routes::{ROUTES, RequestBody, RouteAccess};
use ribbit_state::Code;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::net::TcpStream;
use testkit::http::{Browser, Reply, exchange};
use testkit::site::{Site, own_address};

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

/// Starts a site behind a proxy on this machine.
fn site_behind_a_proxy() -> Site {
    Site::start_with(|options| options.trusted_proxies = vec![Network::parse("127.0.0.1").unwrap()])
}

/// Posts a form through that proxy, for a client with this address.
fn post_for(browser: &mut Browser, person: &str, path: &str, form: &str) -> Reply {
    browser.send("POST", path, &[FORM, ("X-Forwarded-For", person)], form)
}

/// Checks each row of the route table against the running site.
#[test]
fn every_route_has_the_access_and_the_body_of_its_row() {
    let site = Site::start();
    let mut stranger = Browser::new(&site.address);
    for row in ROUTES {
        let path = row.path.replace("{name}", "ada").replace("{id}", "6");
        let foreign = stranger.send("GET", &path, &[("Sec-Fetch-Site", "cross-site")], "");
        assert_eq!(foreign.status == 403, row.access == RouteAccess::OwnPages, "{path}: {}", foreign.body);
        let leads_to_login = (foreign.status, foreign.header("location")) == (303, Some("/login"));
        // The start page is open to everyone, and redirects there too.
        assert_eq!(leads_to_login, row.access == RouteAccess::Session, "{path}");
        let posted = stranger.send("POST", &path, &[("Content-Type", "application/json")], "{}");
        let expected = match row.body {
            RequestBody::Form => 415,
            RequestBody::None => 405,
        };
        assert_eq!(posted.status, expected, "{path}");
        let wrong = stranger.send("DELETE", &path, &[], "");
        assert_eq!((wrong.status, wrong.header("allow")), (405, Some(row.body.methods())), "{path}");
    }
}

#[test]
fn other_sites_can_neither_send_forms_nor_load_private_data() {
    let site = Site::start();
    let mut ada = Browser::new(&site.address);
    let elsewhere = "http://evil.example";
    let neighbour = "http://127.0.0.1:9";
    let foreign = [
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
        ("Origin", elsewhere),
        ("Origin", neighbour),
        ("Origin", "null"),
    ];
    // Also without a session: another site must not log the browser in to an account.
    let forms = [
        ("/create", "name=A&username=mallory&email=a%40b&password=password"),
        ("/login", "username=ada&password=password"),
        ("/reset/07070707070707070707070707070707", "new-password=frogs+in+reeds"),
        ("/logout", ""),
        ("/main", "post=gotcha"),
        ("/manage", "username=ada&choice=add"),
        ("/messages/ada", "message=gotcha"),
        ("/rooms", "room=gotcha"),
        ("/rooms/pond", "message=gotcha"),
        ("/rooms/pond/settings", "choice=leave"),
        ("/rooms/pond/members", "choice=invite&username=ada"),
        ("/settings", "choice=profile&name=gotcha&email=a%40b"),
        ("/settings/feeds", "choice=make&of=feed"),
        ("/invitations", "choice=make&uses=1&days=7&room="),
        ("/croak/6", ""),
        ("/keep-away", "username=ada&choice=block"),
        ("/report", "person=ada&words=gotcha"),
        ("/like", "croak=6&choice=add"),
        ("/share", "croak=6&choice=add"),
        ("/pin", "croak=6&choice=add"),
        ("/dismiss", "announcement=6"),
        ("/delete", "password=password"),
        ("/admin/reports", "report=6&choice=nothing"),
        ("/admin/people/ada", "choice=suspend"),
        ("/admin/requests", "asked=ada&choice=approve"),
        ("/admin/invitations", "choice=make&uses=1&days=7&room="),
        ("/admin/rooms/pond", "request=1.1"),
        ("/admin/members/backend-1", "change=remove&alive=yes"),
        ("/admin/site", "choice=texts&name=gotcha"),
        ("/oauth/authorize", "client_id=9&choice=allow"),
        ("/oauth/authorize/", "client_id=9&choice=allow"),
        ("/register", "Username=mallory&Password=password"),
        ("/post", "status=gotcha"),
        ("/follow", "username=ada"),
    ];
    let matches = |pattern: &str, path: &str| {
        let fixed = pattern.split('{').next().unwrap();
        pattern == path || pattern.contains('{') && path.starts_with(fixed) && path != fixed
    };
    for row in ROUTES.iter().filter(|row| row.body == RequestBody::Form) {
        assert!(forms.iter().any(|(path, _)| matches(row.path, path)), "no form for {}", row.path);
    }
    ada.join("ada");
    let asked = site.group.asked().len();
    for (path, form) in forms {
        for header in foreign {
            let page = ada.send("POST", path, &[FORM, header], form);
            page.says(403, "from another site");
        }
    }
    let loads = [("Sec-Fetch-Site", "cross-site"), ("Origin", elsewhere), ("Referer", neighbour)];
    let own = ROUTES.iter().filter(|row| row.access == RouteAccess::OwnPages).map(|row| row.path);
    let own: Vec<&str> = own.map(|path| if path == "/shown" { "/shown?feed=1" } else { path }).collect();
    assert!(own.len() >= 3, "{own:?}");
    for path in own {
        for header in loads {
            let refused = ada.send("GET", path, &[header], "");
            assert_eq!(
                (refused.status, refused.body.as_str()),
                (403, "this was requested by another site"),
                "{path} {header:?}"
            );
        }
    }
    assert_eq!(site.group.asked().len(), asked, "nothing of that reached the group");
    let own = [FORM, ("Sec-Fetch-Site", "same-origin")];
    ada.send("POST", "/main", &own, "post=mine").leads_to("/main");
    // A program sends neither header.
    ada.send("POST", "/main", &[FORM], "post=mine+too").leads_to("/main");
    let referer = format!("http://{}/messages/bob", site.address);
    assert_eq!(ada.send("GET", "/shown?feed=1", &[("Referer", &referer)], "").status, 200);
    assert_eq!(ada.send("GET", "/export", &[("Sec-Fetch-Site", "none")], "").status, 200);
}

#[test]
fn an_unknown_host_name_is_refused_with_the_flag_that_allows_it() {
    let site = Site::start_with(|options| options.hosts = vec!["frogs.example.org".into()]);
    let ask = |host: &str| {
        exchange(&site.address, format!("GET /about HTTP/1.1\r\n{host}Connection: close\r\n\r\n").as_bytes())
    };
    for ours in ["localhost", "127.0.0.1:80", "[::1]", "board1", "Frogs.Example.ORG:8080"] {
        ask(&format!("Host: {ours}\r\n")).says(200, "<h1>About</h1>");
    }
    let stranger = ask("Host: evil.example\r\n");
    stranger.says(421, "<h1>Wrong site name</h1>");
    stranger.says(
        421,
        "This site is not set up for the name evil.example. To allow it, start the web pages with",
    );
    stranger.says(421, "--host evil.example");
    assert!(!stranger.body.contains("<script>"));
    for unclear in ["", "Host: a\r\nHost: a\r\n", "Host: a\r\nHost: b\r\n", "Host: <b>\r\n", "Host:\r\n"] {
        assert_eq!(ask(unclear).status, 400, "{unclear:?}");
    }
    for two_hosts in ["Host: a\r\nHost: a\r\n", "Host: a\r\nHost: b\r\n"] {
        ask(two_hosts).says(400, "<h1>Bad request</h1>");
        ask(two_hosts).says(400, "The request has to name exactly one host.");
    }
    let absolute = |line: &str| exchange(&site.address, format!("{line}\r\nHost: a\r\n\r\n").as_bytes());
    assert_eq!(absolute("GET http://b/about HTTP/1.1").status, 400);
    assert_eq!(absolute("GET http://a/nothing HTTP/1.1\r\nConnection: close").status, 404);
}

#[test]
fn log_ins_from_one_address_are_rate_limited() {
    let site = site_behind_a_proxy();
    let mut mallory = Browser::new(&site.address);
    let form = "username=nobody&password=guess";
    for _ in 0..LOG_INS.burst {
        post_for(&mut mallory, "203.0.113.7", "/login", form).refuses(Code::NoSuchUser);
    }
    // A token may have been refilled meanwhile.
    let refused = (0..10)
        .map(|_| post_for(&mut mallory, "203.0.113.7", "/login", form))
        .find(|page| page.status == 429)
        .expect("there is an end to it");
    refused.says(429, "Too many requests came from your address.");
    refused.says(429, "value=\"nobody\"");
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=LOG_INS.every.as_secs()).contains(&wait), "{wait}");
    // A forged entry does not help: the right-most one counts.
    post_for(&mut mallory, "8.8.8.8, 203.0.113.7", "/login", form);
    let passwords = "choice=password&password=guess&new-password=long+enough";
    let others = post_for(&mut mallory, "203.0.113.8", "/login", form);
    others.refuses(Code::NoSuchUser);
    // Other password checks count too; other writes do not.
    let mut ada = Browser::new(&site.address);
    ada.join("ada");
    let tries = || (0..10).map(|_| post_for(&mut ada.clone(), "203.0.113.7", "/settings", passwords).status);
    assert!(tries().any(|status| status == 429));
    post_for(&mut ada, "203.0.113.7", "/main", "post=still+here").leads_to("/main");
}

#[test]
fn accounts_and_croaks_from_one_address_are_rate_limited_and_the_text_is_kept() {
    let site = site_behind_a_proxy();
    let mut ada = Browser::new(&site.address);
    let create = |n: u32| format!("name=A&username=frog-{n}&email=a%40b&password=password");
    for n in 0..CREATIONS.burst {
        let page = post_for(&mut ada, "fd00::7", "/create", &create(n));
        page.leads_to("/main?note=welcome");
    }
    // The same IPv6 network.
    let refused = post_for(&mut ada, "fd00::8", "/create", &create(99));
    refused.says(429, "value=\"frog-99\"");
    // An invalid form takes no token, and does not wait for one.
    post_for(&mut ada, "fd00::7", "/create", "username=a+b").says(422, "Use 1 to 32 characters");

    ada.join("ada");
    let refused = (0..POSTS.burst * 4)
        .map(|n| post_for(&mut ada, "203.0.113.7", "/main", &format!("post=croak+{n}")))
        .find(|page| page.status == 429)
        .expect("there is an end to it");
    refused.says(429, "</textarea>");
    assert!(refused.body.contains("\ncroak "), "the text is kept: {}", refused.body);
    assert_eq!(refused.requests().len(), 1, "and so is the request: {}", refused.body);
    post_for(&mut ada, "203.0.113.8", "/messages/frog-1", "message=hello").leads_to("/messages/frog-1");
}

#[test]
fn this_machine_is_not_rate_limited() {
    let site = Site::start();
    let mut ada = Browser::new(&site.address);
    for _ in 0..LOG_INS.burst + 10 {
        // The header of a proxy that is not trusted has no effect.
        post_for(&mut ada, "203.0.113.7", "/login", "username=nobody&password=x").refuses(Code::NoSuchUser);
    }
}

#[test]
fn a_password_form_on_an_unencrypted_connection_has_a_warning() {
    const WARNING: &str = "This connection is not encrypted";
    let site = site_behind_a_proxy();
    let mut ada = Browser::new(&site.address);
    for path in ["/login", "/create"] {
        assert!(!ada.get(path).body.contains(WARNING), "on the machine itself nobody reads along");
        let far = [("X-Forwarded-For", "203.0.113.7")];
        ada.send("GET", path, &far, "").says(200, WARNING);
        let encrypted = [far[0], ("X-Forwarded-Proto", "https")];
        assert!(!ada.send("GET", path, &encrypted, "").body.contains(WARNING));
    }
    // Also when the form comes back refused.
    post_for(&mut ada, "203.0.113.7", "/login", "username=nobody&password=x").says(422, WARNING);
    let https = [FORM, ("X-Forwarded-For", "203.0.113.7"), ("X-Forwarded-Proto", "https")];
    ada.join("ada");
    let login = ada.send("POST", "/login", &https, "username=ada&password=password");
    let cookie = login.header("set-cookie").unwrap();
    assert!(cookie.starts_with("__Host-session=") && cookie.contains("; Secure"), "{cookie}");

    let open = Site::start();
    let mut bob = Browser::new(&open.address);
    let said = [("X-Forwarded-For", "203.0.113.7"), ("X-Forwarded-Proto", "https")];
    assert!(!bob.send("GET", "/login", &said, "").body.contains(WARNING), "nobody is trusted here");
    bob.join("bob");
    let login = bob.send("POST", "/login", &[FORM, said[1]], "username=bob&password=password");
    assert!(login.header("set-cookie").unwrap().starts_with("session="));
}

#[test]
fn one_address_cannot_take_all_connections() {
    let Some(own) = own_address() else { return println!("skipped: this machine has no network") };
    let site = Site::start_with(|options| options.listen = "0.0.0.0:0".into());
    let port = site.address.rsplit(':').next().unwrap();
    let (far, near) = (format!("{own}:{port}"), format!("127.0.0.1:{port}"));
    let mut many: Vec<TcpStream> =
        (0..CONNECTIONS_PER_ADDRESS_MAX).map(|_| TcpStream::connect(&far).unwrap()).collect();
    let refused = exchange(&far, b"");
    refused.says(503, "The server is full right now");
    assert_eq!(Browser::new(&near).get("/livez").body, "ok", "others have places left");
    many.clear();
    // Its slots are free again once the closed connections are noticed.
    let mut far = Browser::new(&far);
    let came_back = (0..200).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        far.try_send("GET", "/livez", &[], "").is_ok_and(|reply| reply.status == 200)
    });
    assert!(came_back);
    const { assert!(CONNECTIONS_PER_ADDRESS_MAX < CONNECTIONS_MAX) };
    far.get("/login").says(200, "This connection is not encrypted");
}

#[test]
fn one_address_cannot_take_all_live_streams() {
    // Both ends of each stream and of its subscription are in this process, as are other tests.
    let descriptors = 6 * LIVE_STREAMS_PER_ADDRESS_MAX as u64 + 2_000;
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    if maximum.is_some_and(|maximum| maximum < descriptors) {
        return println!("skipped: this machine allows too few file descriptors");
    }
    setrlimit(Resource::Nofile, Rlimit { current: Some(descriptors), maximum }).unwrap();
    let site = site_behind_a_proxy();
    let mut ada = Browser::new(&site.address);
    ada.join("ada");
    let cookies: Vec<_> = ada.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let open = |person: &str| {
        use std::io::{Read, Write};
        let mut stream = TcpStream::connect(&site.address).unwrap();
        let head = format!(
            "GET /live HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {person}\r\nCookie: {}\r\n\r\n",
            cookies.join("; ")
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut status = [0; 12];
        stream.read_exact(&mut status).unwrap();
        (String::from_utf8_lossy(&status[9..]).into_owned(), stream)
    };
    let streams: Vec<_> = (0..LIVE_STREAMS_PER_ADDRESS_MAX).map(|_| open("203.0.113.7")).collect();
    assert!(streams.iter().all(|(status, _)| status == "200"));
    assert_eq!(open("203.0.113.7").0, "503");
    assert_eq!(open("203.0.113.8").0, "200");
}
