//! Tests of a single member: peers that send invalid messages, a disk that stalls, and a kill at the worst moment. The test
//! plays the peers; the disk is the simulator's.

mod behind;
mod driven;
mod following;
mod gathering;
mod handover;
mod hostile;
mod late;
mod slow;
mod stalled;
