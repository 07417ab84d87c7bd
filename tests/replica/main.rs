//! One member alone on the bench: what it does when its peers lie, its disk stalls, or it is killed at the worst
//! moment. The peers are played by the test; the disk is the simulator's.

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
