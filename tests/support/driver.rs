//! A real browser: Chromium without a screen, told what to do through chromedriver (the WebDriver protocol).

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Whether there is no browser to test with. Says why, past what the test harness swallows.
pub fn missing() -> bool {
    let lacks = |program: &&str| Command::new(program).arg("--version").output().is_err();
    let Some(program) = ["chromium", "chromedriver"].into_iter().find(lacks) else { return false };
    let _ = writeln!(std::io::stderr(), "skipped: {program} is not installed");
    true
}

pub struct Driver {
    process: Child,
    /// HOST:PORT of chromedriver.
    address: String,
    session: String,
    _profile: tempfile::TempDir,
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Ends Chromium; chromedriver itself stays until it is told.
        self.request("DELETE", &format!("/session/{}", self.session), Value::Null);
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// It takes a port that is free on IPv4, and ends when somebody has the same one on IPv6.
const STARTS_MAX: u32 = 5;

/// chromedriver and its port, or nothing when it has ended.
fn started() -> Option<(Child, String)> {
    let mut command = Command::new("chromedriver");
    command.arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null());
    let mut process = command.spawn().expect("chromedriver starts");
    let stdout = process.stdout.take().expect("piped");
    let port = BufReader::new(stdout)
        .lines()
        .map_while(Result::ok)
        .find_map(|line| Some(line.split_once("successfully on port ")?.1.trim_matches('.').to_string()));
    if port.is_none() {
        let _ = process.wait();
    }
    Some((process, port?))
}

impl Driver {
    pub fn start() -> Driver {
        let (process, port) = (0..STARTS_MAX).find_map(|_| started()).expect("chromedriver says its port");
        let profile = tempfile::tempdir().expect("a temporary folder");
        let mut driver = Driver {
            process,
            address: format!("127.0.0.1:{port}"),
            session: String::new(),
            _profile: profile,
        };
        driver.open();
        driver
    }

    fn open(&mut self) {
        let mut arguments: Vec<String> = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
        ]
        .map(str::to_string)
        .into();
        arguments.push(format!("--user-data-dir={}", self._profile.path().display()));
        let capabilities = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL" },
        } } });
        let opened = self.request("POST", "/session", capabilities);
        self.session = opened["sessionId"].as_str().expect("a session").to_string();
    }

    fn request(&self, method: &str, path: &str, body: Value) -> Value {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            self.address,
            body.len()
        );
        let mut stream = TcpStream::connect(&self.address).expect("chromedriver listens");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
        stream.write_all(format!("{head}{body}").as_bytes()).expect("chromedriver reads");
        let mut reader = BufReader::new(stream);
        let mut length = 0;
        loop {
            // chromedriver leaves the connection open: what it says of the length counts.
            let mut line = String::new();
            reader.read_line(&mut line).expect("chromedriver answers");
            match line.trim().to_ascii_lowercase().split_once("content-length:") {
                Some((_, bytes)) => length = bytes.trim().parse().expect("a length"),
                None if line.trim().is_empty() => break,
                None => {}
            }
        }
        let mut answer = vec![0; length];
        reader.read_exact(&mut answer).expect("chromedriver answers");
        let mut answer: Value = serde_json::from_slice(&answer).expect("chromedriver answers in JSON");
        answer["value"].take()
    }

    /// A command of this session; panics on what chromedriver calls an error.
    #[track_caller]
    fn call(&self, method: &str, path: &str, body: Value) -> Value {
        let answer = self.request(method, &format!("/session/{}{path}", self.session), body);
        assert!(answer.get("error").is_none(), "{method} {path}: {answer}");
        answer
    }

    #[track_caller]
    pub fn go(&self, url: &str) {
        self.call("POST", "/url", json!({ "url": url }));
    }

    /// The path of the page that is open, with its query.
    pub fn path(&self) -> String {
        let url = self.call("GET", "/url", Value::Null);
        let url = url.as_str().expect("an address");
        url.splitn(4, '/').nth(3).map(|path| format!("/{path}")).unwrap_or_default()
    }

    #[track_caller]
    fn find(&self, selector: &str) -> String {
        let found = self.call("POST", "/element", json!({ "using": "css selector", "value": selector }));
        let id = found.as_object().and_then(|object| object.values().next()).and_then(Value::as_str);
        id.expect("an element").to_string()
    }

    #[track_caller]
    pub fn type_into(&self, selector: &str, text: &str) {
        let element = self.find(selector);
        self.call("POST", &format!("/element/{element}/value"), json!({ "text": text }));
    }

    #[track_caller]
    pub fn clear(&self, selector: &str) {
        let element = self.find(selector);
        self.call("POST", &format!("/element/{element}/clear"), json!({}));
    }

    /// Clicks what leads to another page, and waits until that page is there: loaded, or put in place by the script.
    #[track_caller]
    pub fn click(&self, selector: &str) {
        self.leads_away(|| self.press(selector));
    }

    /// Clicks, and waits for nothing.
    #[track_caller]
    pub fn press(&self, selector: &str) {
        let element = self.find(selector);
        self.call("POST", &format!("/element/{element}/click"), json!({}));
    }

    /// Does what leads to another page, and waits until that page is there.
    #[track_caller]
    pub fn leads_away(&self, act: impl FnOnce()) {
        self.run("document.querySelector('main').isOld = true");
        act();
        self.awaits(
            "let main = document.querySelector('main');
                     return main && !main.isOld && document.readyState == 'complete'",
        );
    }

    /// Waits until a script says so.
    #[track_caller]
    pub fn awaits(&self, script: &str) {
        let came = (0..3_000).any(|_| {
            std::thread::sleep(Duration::from_millis(10));
            self.run(script) == true
        });
        assert!(came, "never came: {script}\n{}", self.text("body"));
    }

    /// Presses keys, wherever the focus is: text, or a key by its WebDriver code.
    pub fn keys(&self, keys: &[&str]) {
        let strokes: Vec<Value> = keys
            .iter()
            .flat_map(|key| ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key })))
            .collect();
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": strokes });
        self.call("POST", "/actions", json!({ "actions": [keyboard] }));
    }

    /// Clicks twice, as fast as a hand can.
    #[track_caller]
    pub fn press_twice(&self, selector: &str) {
        let element = json!({ "element-6066-11e4-a52e-4f735466cecf": self.find(selector) });
        let mut strokes =
            vec![json!({ "type": "pointerMove", "duration": 0, "origin": element, "x": 0, "y": 0 })];
        for _ in 0..2 {
            strokes.push(json!({ "type": "pointerDown", "button": 0 }));
            strokes.push(json!({ "type": "pointerUp", "button": 0 }));
        }
        let mouse = json!({ "type": "pointer", "id": "mouse", "actions": strokes });
        self.call("POST", "/actions", json!({ "actions": [mouse] }));
    }

    /// What this browser keeps of the site.
    pub fn cookies(&self) -> std::collections::BTreeMap<String, String> {
        let cookies = self.call("GET", "/cookie", Value::Null);
        let pair = |cookie: &Value| {
            Some((cookie["name"].as_str()?.to_string(), cookie["value"].as_str()?.to_string()))
        };
        cookies.as_array().expect("a list").iter().filter_map(pair).collect()
    }

    pub fn back(&self) {
        self.call("POST", "/back", json!({}));
    }

    /// The words on the page, as laid out.
    #[track_caller]
    pub fn text(&self, selector: &str) -> String {
        let element = self.find(selector);
        let text = self.call("GET", &format!("/element/{element}/text"), Value::Null);
        text.as_str().expect("text").to_string()
    }

    pub fn run(&self, script: &str) -> Value {
        self.call("POST", "/execute/sync", json!({ "script": script, "args": [] }))
    }

    /// A script that calls `arguments[0]` with what it found.
    pub fn run_async(&self, script: &str) -> Value {
        self.call("POST", "/execute/async", json!({ "script": script, "args": [] }))
    }

    fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.call("POST", "/goog/cdp/execute", json!({ "cmd": command, "params": parameters }))
    }

    /// Scripts of pages do not run from now on; what is run through here does.
    pub fn without_scripts(&self) {
        self.devtools("Emulation.setScriptExecutionDisabled", json!({ "value": true }));
    }

    /// How wide the window is, in CSS pixels, and whether the person likes it dark.
    pub fn look(&self, width: u32, dark: bool) {
        let size = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", size);
        let scheme = if dark { "dark" } else { "light" };
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.devtools("Emulation.setEmulatedMedia", media);
    }

    /// The page as a PNG, in base64.
    pub fn picture(&self) -> String {
        let taken = self.devtools("Page.captureScreenshot", json!({ "captureBeyondViewport": true }));
        taken["data"].as_str().expect("a picture").to_string()
    }

    /// What the browser found wrong since this was last asked.
    pub fn complaints(&self) -> Vec<String> {
        let log = self.call("POST", "/se/log", json!({ "type": "browser" }));
        let entries = log.as_array().cloned().unwrap_or_default();
        let severe = entries.iter().filter(|entry| entry["level"] == "SEVERE");
        // Its own pages, of the network's errors say, are not ours.
        let ours = |message: &String| !message.starts_with("chrome://");
        severe.filter_map(|entry| Some(entry["message"].as_str()?.to_string())).filter(ours).collect()
    }
}
