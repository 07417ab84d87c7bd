//! Replay of the fuzzing corpora with the bodies of `fuzz/`, on the stable toolchain and without libFuzzer. All assertions of
//! the bodies apply.
//!
//! Files named `found-…` are inputs that once triggered a bug. See fuzz/run to search for more.

use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// Maximum size of all corpora together, because they are part of the repository and this test reads them all.
const CORPORA_BYTES_MAX: u64 = 300 * 1024;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus")
}

fn inputs(target: &str) -> Vec<PathBuf> {
    let folder = fs::read_dir(corpus().join(target)).unwrap_or_else(|error| panic!("{target}: {error}"));
    folder.map(|file| file.unwrap().path()).collect()
}

fn replay(target: &str) {
    let (_, run) = testkit::fuzz_bodies::TARGETS.iter().find(|(name, _)| *name == target).unwrap();
    let inputs = inputs(target);
    assert!(!inputs.is_empty(), "{target} has no corpus");
    for path in inputs {
        let input = fs::read(&path).unwrap();
        let went = catch_unwind(AssertUnwindSafe(|| run(&input)));
        assert!(went.is_ok(), "{} triggers a bug", path.display());
    }
}

/// Defines a test per target, so that targets run in parallel and a failure names its target.
macro_rules! replayed {
    ($($target:ident)*) => {
        $(#[test]
        fn $target() {
            replay(stringify!($target));
        })*
        const REPLAYED: &[&str] = &[$(stringify!($target)),*];
    };
}

replayed! { api asks chat commas files forms frames gob grpc handshake irc journal mdns names pages protocol raft records rules shell snapshots store terminal typed }

#[test]
fn every_target_is_replayed_and_every_corpus_has_one() {
    let targets: BTreeSet<String> =
        testkit::fuzz_bodies::TARGETS.iter().map(|(name, _)| name.to_string()).collect();
    assert_eq!(targets, REPLAYED.iter().map(ToString::to_string).collect());
    let folders =
        fs::read_dir(corpus()).unwrap().map(|folder| folder.unwrap().file_name().into_string().unwrap());
    assert_eq!(targets, folders.collect());
    let sources = fs::read_dir(corpus().join("../fuzz_targets")).unwrap();
    let binaries =
        sources.map(|file| file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_string());
    assert_eq!(targets, binaries.collect());
}

#[test]
fn the_corpora_stay_small() {
    let inputs = testkit::fuzz_bodies::TARGETS.iter().flat_map(|(name, _)| inputs(name));
    let bytes: u64 = inputs.map(|input| fs::metadata(input).unwrap().len()).sum();
    assert!(bytes <= CORPORA_BYTES_MAX, "{bytes} bytes");
}
