//! Minimal browser: HTTP over a socket with cookies and forms. One connection per request.

use ribbit_state::{Code, Denied};
use ribbit_ui::words::refusal;
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Number of attempts to send a form to busy servers. Each attempt takes as long as the server's timeout.
const BUSY_MAX: u32 = 10;

#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    /// Header names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    /// Returns the request ids of the page's forms, in order.
    pub fn requests(&self) -> Vec<String> {
        self.body
            .split("name=\"request\" value=\"")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap_or_default().to_string())
            .collect()
    }

    /// Asserts a redirect from a POST to a GET of `path`.
    #[track_caller]
    pub fn leads_to(&self, path: &str) {
        assert_eq!((self.status, self.header("location")), (303, Some(path)), "{}", self.body);
    }

    /// Asserts a form that comes back with the text of a refusal.
    #[track_caller]
    pub fn refuses(&self, code: Code) {
        let words = refusal(Denied::new(code)).replace('\'', "&#39;");
        self.says(422, &words);
    }

    /// Asserts the status, and a text somewhere in the body.
    #[track_caller]
    pub fn says(&self, status: u16, words: &str) {
        assert_eq!(self.status, status, "{}", self.body);
        assert!(self.body.contains(words), "no {words:?} in {}", self.body);
    }
}

/// Sends bytes and reads the answer until the other side closes the connection.
pub fn exchange(address: &str, bytes: &[u8]) -> Reply {
    try_exchange(address, bytes).expect("the web role answers")
}

/// Sends bytes like [`exchange`], but returns an error when the web process is dead or dies meanwhile.
pub fn try_exchange(address: &str, bytes: &[u8]) -> io::Result<Reply> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    // The server may have answered and closed the connection before reading everything.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    try_parse(&answer).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

pub fn parse(answer: &[u8]) -> Reply {
    try_parse(answer).unwrap_or_else(|| panic!("no answer: {:?}", String::from_utf8_lossy(answer)))
}

/// Parses an answer; returns `None` when the head is incomplete.
fn try_parse(answer: &[u8]) -> Option<Reply> {
    let text = String::from_utf8_lossy(answer).into_owned();
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_string()))
        .collect();
    Some(Reply { status, headers, body: body.to_string() })
}

#[derive(Clone)]
pub struct Browser {
    pub address: String,
    pub cookies: BTreeMap<String, String>,
}

impl Browser {
    pub fn new(address: &str) -> Browser {
        Browser { address: address.to_string(), cookies: BTreeMap::new() }
    }

    pub fn get(&mut self, path: &str) -> Reply {
        self.send("GET", path, &[], "")
    }

    pub fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Reply {
        self.try_post(path, fields).expect("the web role answers")
    }

    /// Posts a form like [`Browser::post`], but returns an error when the web process is dead or dies meanwhile.
    pub fn try_post(&mut self, path: &str, fields: &[(&str, &str)]) -> io::Result<Reply> {
        let form: String = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.try_send("POST", path, &[("Content-Type", "application/x-www-form-urlencoded")], &form)
    }

    pub fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        self.try_send(method, path, headers, body).expect("the web role answers")
    }

    /// Sends a request like [`Browser::send`], but returns an error when the web process is dead or dies meanwhile.
    pub fn try_send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> io::Result<Reply> {
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.address);
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        if !self.cookies.is_empty() {
            let cookies: Vec<_> =
                self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            head += &format!("Cookie: {}\r\n", cookies.join("; "));
        }
        if method == "POST" {
            head += &format!("Content-Length: {}\r\n", body.len());
        }
        let reply = try_exchange(&self.address, format!("{head}\r\n{body}").as_bytes())?;
        for (_, line) in reply.headers.iter().filter(|(name, _)| name == "set-cookie") {
            assert!(line.contains("HttpOnly") && line.contains("SameSite=Lax") && line.contains("Path=/"));
            let (name, value) = line.split(';').next().and_then(|pair| pair.split_once('=')).expect("a pair");
            if line.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_string(), value.to_string());
            }
        }
        Ok(reply)
    }

    /// Creates an account and logs in.
    pub fn join(&mut self, username: &str) {
        let fields = [("name", username), ("email", "a@b"), ("username", username), ("password", "password")];
        let reply = self.post_until_taken("/create", &fields);
        if self.cookies.keys().any(|name| name.ends_with("session")) {
            return reply.leads_to("/main?note=welcome");
        }
        // The servers were too busy to hash the password once more.
        reply.leads_to(&format!("/login?created={username}"));
        self.post_until_taken("/login", &[("username", username), ("password", "password")])
            .leads_to("/main");
    }

    /// Posts a form with a password, and repeats it while the servers are busy: in an emulator or beside other load, hashing
    /// takes seconds.
    pub fn post_until_taken(&mut self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let mut reply = self.post(path, fields);
        for _ in 0..BUSY_MAX {
            if reply.status != 503 {
                break;
            }
            // A log-in has no request id: a repetition opens another session.
            let request = reply.requests().first().cloned();
            let request = request.as_deref().map(|request| ("request", request));
            reply = self.post(path, &fields.iter().copied().chain(request).collect::<Vec<_>>());
        }
        reply
    }

    pub fn croak(&mut self, text: &str) {
        self.post("/main", &[("post", text)]).leads_to("/main");
    }
}
