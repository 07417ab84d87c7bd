//! Fuzz targets. Their bodies are in the package `ribbit-testkit`, because `tests/formats/corpora.rs` replays the corpora
//! with the stable toolchain.

pub use testkit::fuzz_bodies as bodies;

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
