//! What is done to a member's port, and to the balancer's.

use super::raid::Raid;
use ribbit::net::frame::{Plane, preface};
use ribbit::net::limits::FRAME_BYTES_MAX;
use ribbit::replica::random::Random;
use smol::io::{AsyncReadExt, AsyncWriteExt};

/// More than a member takes.
const MANY: usize = 2_500;

pub fn garbage(raid: &Raid) {
    raid.each(64, async |number| {
        let mut random = Random(number as u64);
        while raid.goes_on() {
            let bytes: Vec<u8> = (0..1_000).map(|_| random.draw() as u8).collect();
            say(raid, number, &bytes).await;
        }
    });
}

/// A frame of four gigabytes, says its length.
pub fn giant_lengths(raid: &Raid) {
    let bytes = [&preface(Plane::Client)[..], &[0xff; 64]].concat();
    raid.each(64, async |number| {
        while raid.goes_on() {
            say(raid, number, &bytes).await;
        }
    });
}

/// The longest frame there may be, but for its last byte: held in memory until its time is over.
pub fn half_frames(raid: &Raid) {
    let length = u32::try_from(FRAME_BYTES_MAX).expect("a frame is short").to_le_bytes();
    let bytes = [&preface(Plane::Client)[..], &length, &vec![7; FRAME_BYTES_MAX - 1]].concat();
    raid.each(MANY, async |number| {
        while raid.goes_on() {
            say(raid, number, &bytes).await;
        }
    });
}

pub fn idle(raid: &Raid) {
    raid.each(MANY, async |number| {
        while raid.goes_on() {
            say(raid, number, &preface(Plane::Client)).await;
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
