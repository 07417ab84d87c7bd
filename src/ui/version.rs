//! Which ribbit this is, as `build.rs` has settled it.

/// `0.1.0`.
pub const SHORT: &str = env!("CARGO_PKG_VERSION");
/// `1a2b3c4d, aarch64-unknown-linux-musl`: the commit it was built of, and for which target.
pub const BUILT: &str = env!("RIBBIT_BUILT");
/// `0.1.0 (1a2b3c4d, aarch64-unknown-linux-musl)`: both.
pub const LONG: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("RIBBIT_BUILT"), ")");
