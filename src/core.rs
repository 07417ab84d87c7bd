//! The lower layers of ribbit: the rules, the store, the wire, consensus. A package of their own (core/Cargo.toml): every croak
//! goes through them, so they are optimised for speed where the rest is for size. `lib.rs` has the map.

pub mod db;
pub mod net;
pub mod replica;
pub mod state;
