//! The pages over HTTPS with real sockets, and certificate files.

use ribbit_roles::web::arguments::TlsFiles;
use rustix::process::{Pid, Signal, kill_process};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};
use testkit::http::{Reply, exchange};
use testkit::site::Site;
use testkit::tls::{Made, ask, connect, connect_speaking, make};
use testkit::web_process::{Pages, refused};

/// Returns a site with HTTPS and its certificate. The folder holds the files as long as it exists.
fn secure_site() -> (Site, Made, tempfile::TempDir) {
    let (made, folder) = (make(2100), tempfile::tempdir().unwrap());
    let site = Site::start_with(|options| options.tls = Some(made.write(folder.path())));
    (site, made, folder)
}

fn get(site: &Site, made: &Made, path: &str, headers: &str) -> Reply {
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{headers}\r\n", site.address);
    ask(&site.address, made, &request)
}

fn post(site: &Site, made: &Made, path: &str, headers: &str, form: &str) -> Reply {
    let head = format!("POST {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{headers}", site.address);
    let kind = "Content-Type: application/x-www-form-urlencoded";
    ask(&site.address, made, &format!("{head}{kind}\r\nContent-Length: {}\r\n\r\n{form}", form.len()))
}

#[test]
fn a_person_joins_croaks_and_reads_live_over_https() {
    let (site, made, _folder) = secure_site();
    get(&site, &made, "/login", "").says(200, "Log in");
    let form = "name=Ada&username=ada&email=a%40b&password=password";
    post(&site, &made, "/create", "", form).leads_to("/main?note=welcome");
    let login = post(&site, &made, "/login", "", "username=ada&password=password");
    login.leads_to("/main");
    let cookies: Vec<&str> = login
        .headers
        .iter()
        .filter(|(name, _)| name == "set-cookie")
        .map(|(_, line)| line.as_str())
        .collect();
    assert_eq!(cookies.len(), 2, "{cookies:?}");
    for cookie in &cookies {
        assert!(cookie.starts_with("__Host-se") && cookie.contains("; Secure"), "{cookie}");
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    }
    assert!(login.header("strict-transport-security").is_none(), "there may be other things on this machine");
    let pairs: Vec<&str> = cookies.iter().map(|cookie| cookie.split(';').next().unwrap()).collect();
    let cookie = format!("Cookie: {}\r\n", pairs.join("; "));

    let mut live = connect(&site.address, &made).unwrap();
    live.write_all(format!("GET /live HTTP/1.0\r\nHost: a\r\n{cookie}\r\n").as_bytes()).unwrap();
    let mut live = BufReader::new(live);
    let mut wait_for = |words: &str| {
        let mut line = String::new();
        while !line.contains(words) {
            line.clear();
            assert!(live.read_line(&mut line).unwrap() > 0, "the stream ended before {words:?}");
        }
    };
    wait_for("event: beat");
    let origin = format!("{cookie}Origin: https://{}\r\n", site.address);
    post(&site, &made, "/main", &origin, "post=over+the+wall").leads_to("/main");
    wait_for("over the wall");
    get(&site, &made, "/main", &cookie).says(200, "over the wall");
    // An unencrypted page may come from anyone, although its address looks right.
    let foreign = format!("{cookie}Origin: http://{}\r\n", site.address);
    post(&site, &made, "/main", &foreign, "post=gotcha").says(403, "from another site");
    // So may a cookie from an unencrypted connection.
    let plain = format!("Cookie: {}\r\n", pairs.join("; ").replace("__Host-", ""));
    get(&site, &made, "/main", &plain).leads_to("/login");
    let began = Instant::now();
    site.stop();
    let mut rest = String::new();
    live.read_to_string(&mut rest).unwrap();
    assert!(began.elapsed() < Duration::from_secs(3), "a stop ends a live stream: {:?}", began.elapsed());
}

#[test]
fn a_connection_is_kept_and_a_large_body_refused_as_over_http() {
    let (site, made, _folder) = secure_site();
    let mut stream = connect(&site.address, &made).unwrap();
    for _ in 0..3 {
        stream.write_all(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        let mut answer = [0; 2048];
        let mut filled = 0;
        while !answer[..filled].ends_with(b"\r\n\r\nok") {
            let bytes = stream.read(&mut answer[filled..]).unwrap();
            assert!(bytes > 0, "{}", String::from_utf8_lossy(&answer[..filled]));
            filled += bytes;
        }
    }
    drop(stream);
    let head = "POST /login HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n";
    let body = "a".repeat(1024 * 1024);
    let reply = ask(&site.address, &made, &format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()));
    assert_eq!(reply.status, 413);
}

#[test]
fn a_whole_request_with_nothing_behind_it_is_answered_over_https() {
    let (site, made, _folder) = secure_site();
    let form = "username=ada&password=password";
    let head = "Host: a\r\nContent-Type: application/x-www-form-urlencoded\r\n";
    for (request, status) in [
        ("GET /status HTTP/1.1\r\nHost: a\r\n\r\n".to_string(), 200),
        (format!("POST /login HTTP/1.1\r\n{head}Content-Length: {}\r\n\r\n{form}", form.len()), 422),
        ("nonsense\r\n\r\n".to_string(), 400),
    ] {
        let mut stream = connect(&site.address, &made).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        stream.conn.send_close_notify();
        stream.flush().unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        testkit::http::parse(&answer).says(status, "</html>");
    }
}

#[test]
fn http_on_the_https_port_is_redirected_and_forms_are_refused() {
    let (site, _made, _folder) = secure_site();
    let lead =
        |line: &str| exchange(&site.address, format!("{line}\r\nConnection: close\r\n\r\n").as_bytes());
    let led = lead("GET /main?before=7 HTTP/1.1\r\nHost: frogs:8443");
    assert_eq!((led.status, led.header("location")), (307, Some("https://frogs:8443/main?before=7")));
    assert!(led.header("content-security-policy").is_some() && led.header("set-cookie").is_none());
    lead("GET / HTTP/1.1\r\nHost: evil.example").says(421, "evil.example");
    lead("GET / HTTP/1.1").says(400, "has to name exactly one host");
    lead("POST /login HTTP/1.1\r\nHost: a\r\nContent-Length: 0").says(403, "Put https:// in front");
    exchange(&site.address, b"POST /login HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na=b")
        .says(403, "nothing was changed");
}

/// Returns a port that was free a moment ago.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn a_port_of_http_beside_leads_to_https() {
    let (made, folder, port) = (make(2100), tempfile::tempdir().unwrap(), free_port());
    let site = Site::start_with(|options| {
        options.tls = Some(made.write(folder.path()));
        options.http = Some(format!("127.0.0.1:{port}"));
    });
    get(&site, &made, "/login", "").says(200, "Log in");
    let secure = site.address.rsplit(':').next().unwrap();
    let beside = format!("127.0.0.1:{port}");
    let mut browser = testkit::http::Browser::new(&beside);
    let led = browser.get("/@ada");
    assert_eq!(
        (led.status, led.header("location")),
        (307, Some(&*format!("https://127.0.0.1:{secure}/@ada")))
    );
    browser.post("/login", &[("username", "ada")]).says(403, "nothing was changed");
    site.stop();
    assert!(TcpStream::connect(&beside).is_err(), "it stops with the pages");
}

#[test]
fn browsers_are_told_to_use_https_alone_where_that_was_asked_for() {
    let (made, folder) = (make(2100), tempfile::tempdir().unwrap());
    let site = Site::start_with(|options| {
        options.tls = Some(made.write(folder.path()));
        options.hsts_days = Some(30);
    });
    for path in ["/login", "/style.css", "/nothing", "/main"] {
        let told = get(&site, &made, path, "");
        assert_eq!(told.header("strict-transport-security"), Some("max-age=2592000"), "{path}");
    }
    // Without encryption it would have no meaning (RFC 6797, 7.2).
    let plain = exchange(&site.address, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert_eq!(plain.header("strict-transport-security"), None);
}

#[test]
fn old_phones_are_let_in_where_that_was_asked_for() {
    let livez = "GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let (site, made, _folder) = secure_site();
    assert!(connect_speaking(&site.address, &made, &[&rustls::version::TLS12]).is_err());
    let (made, folder) = (make(2100), tempfile::tempdir().unwrap());
    let site = Site::start_with(|options| {
        options.tls = Some(TlsFiles { tls12: true, ..made.write(folder.path()) });
    });
    let mut stream = connect_speaking(&site.address, &made, &[&rustls::version::TLS12]).unwrap();
    let suite = format!("{:?}", stream.conn.negotiated_cipher_suite().unwrap().suite());
    assert!(suite.contains("ECDHE") && (suite.contains("GCM") || suite.contains("POLY1305")), "{suite}");
    stream.write_all(livez.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("\r\n\r\nok"), "{answer}");
    // Clients that support the newer version use it.
    let stream = connect(&site.address, &made).unwrap();
    assert_eq!(stream.conn.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_3));
}

#[test]
fn a_failed_handshake_is_cut_off() {
    let (site, made, _folder) = secure_site();
    // Nothing, half a handshake, and garbage that begins like a handshake.
    let mut mute = TcpStream::connect(&site.address).unwrap();
    let mut half = TcpStream::connect(&site.address).unwrap();
    half.write_all(&[22, 3, 1, 2, 0, 1]).unwrap();
    let mut nonsense = TcpStream::connect(&site.address).unwrap();
    nonsense.write_all(&[22, 3, 1, 0, 4, 9, 9, 9, 9]).unwrap();
    let mut garbage = TcpStream::connect(&site.address).unwrap();
    garbage.write_all(&[0xff; 64]).unwrap();
    let began = Instant::now();
    let mut rest = Vec::new();
    for stream in [&mut nonsense, &mut garbage, &mut mute, &mut half] {
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        // End of stream or reset, not a timeout.
        if let Err(error) = stream.read_to_end(&mut rest) {
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}");
        }
    }
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    assert_eq!(get(&site, &made, "/livez", "").body, "ok");
}

#[test]
fn a_slow_head_is_not_waited_for_behind_the_keys_either() {
    let (site, made, _folder) = secure_site();
    let mut slow = connect(&site.address, &made).unwrap();
    slow.write_all(b"GET /livez HT").unwrap();
    let mut rest = Vec::new();
    let _ = slow.read_to_end(&mut rest);
    assert!(rest.is_empty());
    assert_eq!(get(&site, &made, "/livez", "").body, "ok");
}

/// Runs `ribbit web-cert` in a folder. Returns its exit code and output.
fn web_cert(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_ribbit"));
    let output = command.arg("web-cert").args(arguments).current_dir(folder).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

fn made_in(folder: &Path) -> (Made, TlsFiles) {
    let (cert, key) = (folder.join("web.pem"), folder.join("web.key"));
    let cert_pem = std::fs::read_to_string(&cert).unwrap();
    let key_pem = std::fs::read_to_string(&key).unwrap();
    let der = CertificateDer::from_pem_slice(cert_pem.as_bytes()).unwrap();
    (Made { der, cert_pem, key_pem }, TlsFiles { cert, key, key_is_credential: false, tls12: false })
}

#[test]
fn a_certificate_is_made_served_and_renewed() {
    let folder = tempfile::tempdir().unwrap();
    let names = ["localhost", "board1.local", "192.168.7.1"];
    let (code, said) = web_cert(folder.path(), &names);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("web.pem: the certificate, for localhost, board1.local, 192.168.7.1, until 20"),
        "{said}"
    );
    assert!(said.contains("ribbit web-cert --renew --cert web.pem --key web.key localhost"), "{said}");
    let (first, files) = made_in(folder.path());
    assert_eq!(std::fs::metadata(&files.key).unwrap().permissions().mode() & 0o777, 0o600);
    let listen = files.clone();
    let site = Site::start_with(|options| options.tls = Some(listen));
    let livez = "GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    assert_eq!(ask(&site.address, &first, livez).body, "ok");

    // Existing files are only overwritten on request, and then the key stays.
    let (code, said) = web_cert(folder.path(), &names);
    assert!(code == Some(1) && said.contains("already exists; --renew"), "{code:?} {said}");
    assert_eq!(made_in(folder.path()).0.cert_pem, first.cert_pem);
    assert_eq!(web_cert(folder.path(), &["--renew", "--days", "30", "localhost"]).0, Some(0));
    let (second, _) = made_in(folder.path());
    assert!(second.cert_pem != first.cert_pem && second.key_pem == first.key_pem);
    let site = Site::start_with(|options| options.tls = Some(files));
    assert_eq!(ask(&site.address, &second, livez).body, "ok");

    for (arguments, code, words) in [
        (&["--days", "398"][..], 2, "397"),
        (&["https://board1"], 2, "a host name or an IP address, without a port"),
        (&["--renew", "--key", "none.key"], 1, "cannot read the key none.key"),
        (&["--renew", "--key", "web.pem"], 1, "web.pem is not a key in PEM"),
        (&["--cert", "nowhere/web.pem", "--key", "other.key"], 1, "cannot write nowhere/web.pem"),
    ] {
        let (is, said) = web_cert(folder.path(), arguments);
        assert!(is == Some(code) && said.contains(words), "{arguments:?}: {is:?} {said}");
    }
}

fn flags(files: &TlsFiles) -> [String; 4] {
    let path = |path: &Path| path.display().to_string();
    ["--tls-cert".into(), path(&files.cert), "--tls-key".into(), path(&files.key)]
}

#[test]
fn a_new_certificate_is_loaded_on_sighup_and_an_invalid_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (make(2100), make(2100));
    let files = first.write(folder.path());
    let flags = flags(&files);
    let pages = Pages::start(&flags.each_ref().map(String::as_str));
    let livez = "GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    assert_eq!(ask(&pages.address, &first, livez).body, "ok");
    assert!(connect(&pages.address, &second).is_err(), "somebody else's certificate");
    let pid = Pid::from_raw(i32::try_from(pages.id()).unwrap()).unwrap();

    second.write(folder.path());
    kill_process(pid, Signal::HUP).unwrap();
    pages.says("certificate reloaded");
    assert_eq!(ask(&pages.address, &second, livez).body, "ok");

    // The key of another certificate.
    std::fs::write(&files.cert, &first.cert_pem).unwrap();
    kill_process(pid, Signal::HUP).unwrap();
    pages.says("keeping the old certificate");
    assert_eq!(ask(&pages.address, &second, livez).body, "ok");
}

#[test]
fn an_expired_certificate_is_served_with_a_warning_in_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let files = make(2020).write(folder.path());
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_ribbit"));
    command.args(testkit::web_process::ARGUMENTS).args(flags(&files)).stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let said: Vec<String> = lines.take(2).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(said[0].contains("warn") && said[0].contains("expired"), "{said:?}");
    assert!(said[1].contains("serving pages on https://"), "{said:?}");
}

#[test]
fn an_invalid_certificate_file_is_named_with_the_fix() {
    let folder = tempfile::tempdir().unwrap();
    let made = make(2100);
    let files = made.write(folder.path());
    let good = flags(&files);
    let [_, cert, _, key] = &good;
    let other = folder.path().join("other");
    let other = other.to_str().unwrap();
    let write = |text: &str| {
        std::fs::write(other, text).unwrap();
        std::fs::set_permissions(other, std::fs::Permissions::from_mode(0o600)).unwrap();
    };
    let both = |cert: &str, key: &str, words: &[&str]| {
        let (code, said) = refused(&["--tls-cert", cert, "--tls-key", key]);
        assert_eq!(code, Some(78), "{said}");
        for words in words {
            assert!(said.contains(words), "no {words:?} in {said}");
        }
        assert!(!said.contains(made.key_pem.lines().nth(1).unwrap()), "the key is told: {said}");
    };
    both("/nonexistent", key, &["cannot read the certificate /nonexistent"]);
    both(cert, "/nonexistent", &["cannot read the key /nonexistent"]);
    both(key, cert, &["contains no certificate", "swapped?"]);
    write("nothing here");
    both(other, key, &[other, "contains no certificate"]);
    both(cert, other, &[other, "contains no key"]);
    write(&make(2100).key_pem);
    both(cert, other, &[other, "does not belong to the certificate in", cert]);
    write("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n");
    both(cert, other, &["passphrase", "openssl pkey"]);
    write(&made.key_pem.replace("END PRIVATE", "END SOMETHING"));
    both(cert, other, &["is not a key in PEM"]);
    write(&made.cert_pem.replace('M', "N"));
    both(other, key, &[other]);
    for mode in [0o644, 0o640, 0o604] {
        std::fs::set_permissions(key, std::fs::Permissions::from_mode(mode)).unwrap();
        both(cert, key, &["other users can open the key", &format!("chmod 600 {key}")]);
    }
    for (flag, file, missing) in [("--tls-cert", cert, "--tls-key"), ("--tls-key", key, "--tls-cert")] {
        let (code, said) = refused(&[flag, file]);
        assert!(code == Some(2) && said.contains(&format!("requires {missing}")), "{code:?} {said}");
    }
}

#[test]
fn a_credential_of_systemd_may_be_the_groups_and_not_the_worlds() {
    let folder = tempfile::tempdir().unwrap();
    let files = make(2100).write(folder.path());
    let start = |mode| {
        std::fs::set_permissions(&files.key, std::fs::Permissions::from_mode(mode)).unwrap();
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_ribbit"));
        command.args(testkit::web_process::ARGUMENTS).args(flags(&files));
        command.env("CREDENTIALS_DIRECTORY", folder.path());
        command
    };
    drop(Pages::spawn(start(0o440)));
    let refused = start(0o444).output().unwrap();
    assert_eq!(refused.status.code(), Some(78));
}
