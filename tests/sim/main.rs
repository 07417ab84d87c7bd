//! The simulator's seeds ([`seeds`], [`disks`]), damaged stores ([`damage`]) and tests of a single member on a simulated disk ([`replica`]).

// A test that cannot go on may panic where it stands.
#![allow(clippy::unwrap_used)]

mod damage;
mod disks;
mod replica;
mod seeds;
