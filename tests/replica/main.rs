//! Tests of a single member: peers that send invalid messages, a disk that stalls, and a kill at the worst moment. The test
//! plays the peers; the disk is the simulator's.

#![allow(clippy::unwrap_used)]

mod behind;
#[allow(dead_code)]
#[path = "../sim/disk/mod.rs"]
mod disk;
mod driven;
mod following;
mod gathering;
mod handover;
mod hostile;
#[path = "../sim/random.rs"]
mod random;
mod rig;
mod slow;
mod stalled;
#[allow(dead_code)]
#[path = "../sim/trace.rs"]
mod trace;
