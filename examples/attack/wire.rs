//! What is done to a member's port, and to the balancer's.

use super::raid::Raid;
use ribbit_net::frame::{self, Plane};
use ribbit_net::handshake::{self, Preface};
use ribbit_net::limits::RECORD_BYTES_MAX;
use ribbit_net::protocol::{Ask, AskFrame};
use ribbit_replica::random::Random;
use ribbit_state::{Token, Topic};
use smol::Timer;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use std::time::Duration;

/// More than a member takes.
const MANY: usize = 2_500;
/// As many as a member takes.
const STREAMS: usize = 1_200;

pub fn garbage(raid: &Raid) {
    raid.each(64, async |number| {
        let mut random = Random(number as u64);
        while raid.goes_on() {
            let bytes: Vec<u8> = (0..1_000).map(|_| random.draw() as u8).collect();
            say(raid, number, &bytes).await;
        }
    });
}

/// How a connection of people begins, with a key that nobody has the other half of: the other side computes its part.
fn opening(raid: &Raid, plane: Plane) -> Vec<u8> {
    let preface = Preface { plane, cluster: Some(raid.cluster) }.to_bytes();
    [&preface[..], &[9; 32]].concat()
}

/// Handshakes and nothing behind them: each costs the other side two curves.
pub fn handshakes(raid: &Raid) {
    raid.each(64, async |number| {
        while raid.goes_on() {
            let Some(mut held) = raid.connect(number).await else { continue };
            if held.stream.write_all(&opening(raid, Plane::Client)).await.is_ok() {
                let _ = held.stream.read(&mut [0; 256]).await;
            }
            raid.count();
        }
    });
}

/// The longest record there may be, but for its last byte: held in memory until its time is over.
pub fn half_records(raid: &Raid) {
    let length = u16::try_from(RECORD_BYTES_MAX + 16).expect("a record's length").to_le_bytes();
    let bytes = [&opening(raid, Plane::Client)[..], &length, &vec![7; RECORD_BYTES_MAX + 15]].concat();
    raid.each(MANY, async |number| {
        while raid.goes_on() {
            say(raid, number, &bytes).await;
        }
    });
}

/// Records that nobody sealed, on planes that want the cluster's key from the first byte on.
pub fn strangers(raid: &Raid) {
    let preface = Preface { plane: Plane::Peer, cluster: Some(raid.cluster) }.to_bytes();
    let bytes = [&preface[..], &[9; 48], &[7; 1_000]].concat();
    raid.each(64, async |number| {
        while raid.goes_on() {
            say(raid, number, &bytes).await;
        }
    });
}

/// Connections that were opened properly and then say nothing.
pub fn idle(raid: &Raid) {
    raid.each(MANY, async |number| {
        while raid.goes_on() {
            say(raid, number, &opening(raid, Plane::Client)).await;
        }
    });
}

/// Follows a feed in which somebody croaks each second, and takes nothing of it. Each stream is an honest connection.
pub fn never_read(raid: &Raid) {
    raid.each(STREAMS, async |_| {
        while raid.goes_on() {
            let Ok(mut channel) = handshake::connect(&raid.target, Plane::Client, &raid.keys).await else {
                Timer::after(Duration::from_millis(100)).await;
                continue;
            };
            raid.hold();
            let cursor = Token { history: raid.history, index: 1 };
            let wanted = Topic::Feed { session: raid.session };
            let ask = AskFrame { tag: 1, deadline_ms: 1_000, ask: Ask::Subscribe { cursor, wanted } };
            if frame::write(&mut channel.writer, &ask).await.is_ok() {
                // Until the other side has had enough: a socket of which nothing is read tells that only by its end.
                Timer::after(Duration::from_secs(5)).await;
            }
            raid.let_go();
            raid.count();
        }
    });
}

/// Half a preface.
pub fn half_open(raid: &Raid) {
    raid.each(MANY, async |number| {
        while raid.goes_on() {
            say(raid, number, b"ribb").await;
        }
    });
}

/// Says something, and reads until the other side hangs up.
async fn say(raid: &Raid, number: usize, bytes: &[u8]) {
    let Some(mut held) = raid.connect(number).await else { return };
    if held.stream.write_all(bytes).await.is_ok() {
        let mut answer = [0; 512];
        while held.stream.read(&mut answer).await.is_ok_and(|length| length > 0) {}
    }
    raid.count();
}

pub fn comes_and_goes(raid: &Raid) {
    raid.each(64, async |number| {
        while raid.goes_on() {
            drop(raid.connect(number).await);
            raid.count();
            smol::future::yield_now().await;
        }
    });
}
