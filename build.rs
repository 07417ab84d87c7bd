//! Passes `--icf=all` to the linker of release builds for x86-64 glibc.
//!
//! The flag makes the linker keep one of several identical functions. Generic code makes many of them: a hundredth of the
//! binary. Rust brings a linker that knows the flag along for this target.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let is = |name: &str, wanted: &str| env::var(name).is_ok_and(|value| value == wanted);
    if is("PROFILE", "release") && is("TARGET", "x86_64-unknown-linux-gnu") {
        println!("cargo::rustc-link-arg-bins=-Wl,--icf=all");
    }
}
