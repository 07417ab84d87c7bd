//! Version and build of this program, as set by `build.rs`.

/// Version: `0.1.0`.
pub const SHORT: &str = env!("CARGO_PKG_VERSION");
/// Commit and target: `1a2b3c4d, aarch64-unknown-linux-musl`.
pub const BUILT: &str = env!("RIBBIT_BUILT");
/// Version, commit and target: `0.1.0 (1a2b3c4d, aarch64-unknown-linux-musl)`.
pub const LONG: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("RIBBIT_BUILT"), ")");
