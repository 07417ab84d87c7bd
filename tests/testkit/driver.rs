//! Headless Chromium, controlled through chromedriver (the WebDriver protocol).

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Returns true if there is no browser. Prints the reason in a way that the test harness does not capture.
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
        // Ends Chromium; chromedriver keeps running until it is killed.
        self.request("DELETE", &format!("/session/{}", self.session), Value::Null);
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Number of attempts to start chromedriver: it picks a port that is free on IPv4, and exits if the port is used on IPv6.
const STARTS_MAX: u32 = 5;

/// Starts chromedriver and returns its address, or `None` if it has exited.
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
            // As on a phone; a picture would be narrower than its window by the bar.
            "--hide-scrollbars",
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
            // chromedriver leaves the connection open, so the content length ends the answer.
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

    /// Sends a command of this session; panics on an error of chromedriver.
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

    /// Returns the path and query of the open page.
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

    /// Clicks an element that opens another page, and waits until that page is loaded or inserted by the script.
    #[track_caller]
    pub fn click(&self, selector: &str) {
        self.leads_away(|| self.press(selector));
    }

    /// Clicks an element without waiting. Opens the menu that it is in, and scrolls it away from the bar at the bottom.
    #[track_caller]
    pub fn press(&self, selector: &str) {
        let menu = format!("document.querySelector({selector:?})?.closest('details:not([open])')");
        self.run(&format!("{menu}?.querySelector('summary').click()"));
        self.run(&format!("document.querySelector({selector:?})?.scrollIntoView({{ block: 'center' }})"));
        let element = self.find(selector);
        self.call("POST", &format!("/element/{element}/click"), json!({}));
    }

    /// Runs an action that opens another page, and waits for that page.
    #[track_caller]
    pub fn leads_away(&self, act: impl FnOnce()) {
        self.run("document.querySelector('main').isOld = true");
        act();
        self.awaits(
            "let main = document.querySelector('main');
                     return main && !main.isOld && document.readyState == 'complete'",
        );
    }

    /// Waits until a script returns true.
    #[track_caller]
    pub fn awaits(&self, script: &str) {
        let came = (0..3_000).any(|_| {
            std::thread::sleep(Duration::from_millis(10));
            self.run(script) == true
        });
        assert!(came, "never came: {script}\n{}", self.text("body"));
    }

    /// Sends keys to the focused element: text, or keys by their WebDriver codes.
    pub fn keys(&self, keys: &[&str]) {
        let strokes: Vec<Value> = keys
            .iter()
            .flat_map(|key| ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key })))
            .collect();
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": strokes });
        self.call("POST", "/actions", json!({ "actions": [keyboard] }));
    }

    /// Clicks twice in quick succession.
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

    /// Returns the cookies of the site.
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

    /// Returns the visible text of an element.
    #[track_caller]
    pub fn text(&self, selector: &str) -> String {
        let element = self.find(selector);
        let text = self.call("GET", &format!("/element/{element}/text"), Value::Null);
        text.as_str().expect("text").to_string()
    }

    pub fn run(&self, script: &str) -> Value {
        self.call("POST", "/execute/sync", json!({ "script": script, "args": [] }))
    }

    /// Runs a script that calls `arguments[0]` with its result.
    pub fn run_async(&self, script: &str) -> Value {
        self.call("POST", "/execute/async", json!({ "script": script, "args": [] }))
    }

    fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.call("POST", "/goog/cdp/execute", json!({ "cmd": command, "params": parameters }))
    }

    /// Disables the scripts of pages. Scripts run through this driver still work.
    pub fn without_scripts(&self) {
        self.devtools("Emulation.setScriptExecutionDisabled", json!({ "value": true }));
    }

    /// Sets the time zone of the pages that are opened from now on.
    pub fn live_in(&self, zone: &str) {
        self.devtools("Emulation.setTimezoneOverride", json!({ "timezoneId": zone }));
    }

    /// Sets the size of the window in CSS pixels.
    pub fn resize(&self, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", size);
    }

    /// Sets the width of the window in CSS pixels and the preferred colour scheme.
    pub fn look(&self, width: u32, dark: bool) {
        self.resize(width, 900);
        let scheme = if dark { "dark" } else { "light" };
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.devtools("Emulation.setEmulatedMedia", media);
    }

    /// Returns a screenshot of the window as base64-encoded PNG.
    pub fn picture(&self) -> String {
        let taken = self.devtools("Page.captureScreenshot", json!({}));
        taken["data"].as_str().expect("a picture").to_string()
    }

    /// Returns a screenshot of the page from its top, also of what is below the window, as base64-encoded PNG.
    pub fn picture_of_page(&self, width: u32, height_max: u32, scale: f64) -> String {
        let height = self.run("return document.documentElement.scrollHeight").as_u64().expect("a number");
        let clip = json!({ "x": 0, "y": 0, "width": width, "height": height.min(height_max.into()), "scale": scale });
        let wanted = json!({ "captureBeyondViewport": true, "clip": clip });
        let taken = self.devtools("Page.captureScreenshot", wanted);
        taken["data"].as_str().expect("a picture").to_string()
    }

    /// Returns the browser's error messages since the last call.
    pub fn complaints(&self) -> Vec<String> {
        let log = self.call("POST", "/se/log", json!({ "type": "browser" }));
        let entries = log.as_array().cloned().unwrap_or_default();
        let severe = entries.iter().filter(|entry| entry["level"] == "SEVERE");
        // Messages about the browser's own pages, such as network errors, do not count.
        let ours = |message: &String| !message.starts_with("chrome://");
        severe.filter_map(|entry| Some(entry["message"].as_str()?.to_string())).filter(ours).collect()
    }
}
