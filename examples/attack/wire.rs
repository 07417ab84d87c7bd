//! Attacks on the port of a member and of the balancer.

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

/// Number of connections; more than a member accepts.
const MANY: usize = 2_500;
/// Number of subscriptions; as many as a member accepts.
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

/// First message of a client connection, with a public key without a known private key: the server computes its part.
fn opening(raid: &Raid, plane: Plane) -> Vec<u8> {
    let preface = Preface { plane, cluster: Some(raid.cluster), key: 0 }.to_bytes();
    [&preface[..], &[9; 32]].concat()
}

/// Sends handshakes and nothing after them: each costs the server two curve operations.
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

/// Sends the longest possible record without its last byte: the server holds it in memory until its timeout.
pub fn half_records(raid: &Raid) {
    let length = u16::try_from(RECORD_BYTES_MAX + 16).expect("a record's length").to_le_bytes();
    let bytes = [&opening(raid, Plane::Client)[..], &length, &vec![7; RECORD_BYTES_MAX + 15]].concat();
    raid.each(MANY, async |number| {
        while raid.goes_on() {
            say(raid, number, &bytes).await;
        }
    });
}

/// Sends unauthenticated records on planes that need the cluster key from the first byte on.
pub fn strangers(raid: &Raid) {
    let preface = Preface { plane: Plane::Peer, cluster: Some(raid.cluster), key: 0 }.to_bytes();
    let bytes = [&preface[..], &[9; 48], &[7; 1_000]].concat();
    raid.each(64, async |number| {
        while raid.goes_on() {
            say(raid, number, &bytes).await;
        }
    });
}

/// Opens connections with a complete handshake and sends nothing.
pub fn idle(raid: &Raid) {
    raid.each(MANY, async |number| {
        while raid.goes_on() {
            say(raid, number, &opening(raid, Plane::Client)).await;
        }
    });
}

/// Subscribes to a feed with one croak per second and reads nothing. Each stream is a valid connection.
pub fn never_read(raid: &Raid) {
    raid.each(STREAMS, async |_| {
        while raid.goes_on() {
            let Ok(mut channel) = handshake::connect(&raid.target, Plane::Client, &raid.keys).await else {
                Timer::after(Duration::from_millis(100)).await;
                continue;
            };
            raid.hold();
            let cursor = Token { history: raid.history, index: 1 };
            let wanted = Topic::feed(raid.session);
            let ask = AskFrame { tag: 1, deadline_ms: 1_000, ask: Ask::Subscribe { cursor, wanted } };
            if frame::write(&mut channel.writer, &ask).await.is_ok() {
                // Until the server closes the connection, which shows only at the end of an unread socket.
                Timer::after(Duration::from_secs(5)).await;
            }
            raid.let_go();
            raid.count();
        }
    });
}

/// Sends half of a preface.
pub fn half_open(raid: &Raid) {
    raid.each(MANY, async |number| {
        while raid.goes_on() {
            say(raid, number, b"ribb").await;
        }
    });
}

/// Sends bytes and reads until the server closes the connection.
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
