//! What the fuzz targets share: their bodies, and a member on the bench of tests/replica for them.
//!
//! The bodies are compiled twice: here, under libFuzzer, and in tests/corpora.rs, which replays the corpora with the
//! stable toolchain. Both roots declare the same modules.

pub mod bodies;
#[allow(dead_code)]
#[path = "../../tests/sim/disk/mod.rs"]
mod disk;
#[allow(dead_code)]
#[path = "../../tests/sim/random.rs"]
mod random;
#[allow(dead_code)]
#[path = "../../tests/replica/rig.rs"]
mod rig;
#[allow(dead_code)]
#[path = "../../tests/sim/trace.rs"]
mod trace;

/// Lets a panic of redb over a damaged store pass: a real process takes it for damage.
/// Every other panic ends the fuzzer.
pub fn let_damage_be_said() {
    let ending = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !ribbit_db::is_damage(panic) {
            ending(panic);
        }
    }));
}
