//! A snapshot as another member streams it: what arrives damaged, or adds up to something else, is not finished.

use super::Parts;
use super::memory::MemoryDisk;
use ribbit_db::record::seal;
use ribbit_db::snapshot::{Chunk, SnapshotHead, SnapshotSum, SnapshotWriter};
use ribbit_net::frame;
use ribbit_replica::announces;

pub fn run(data: &[u8]) {
    let mut parts = Parts(data);
    let Ok(head) = postcard::from_bytes::<SnapshotHead>(parts.part()) else { return };
    let _ = announces(&parts.part().to_vec().into(), &head);
    let disk = MemoryDisk::default();
    let Ok(mut writer) = SnapshotWriter::begin(&disk, &head) else { return };
    let mut rows = 0;
    while !parts.is_empty() {
        let kind = parts.byte();
        let chunk = if kind % 2 == 0 {
            // As it stands there: its checksums hardly ever fit.
            frame::decode::<Chunk>(parts.part()).unwrap_or_default()
        } else {
            let (key, row) = (parts.part().to_vec(), parts.part().to_vec());
            vec![(key.clone(), seal(&key, row))]
        };
        rows += chunk.len() as u64;
        if writer.write_chunk(&chunk).is_err() {
            return;
        }
    }
    let sum = SnapshotSum { rows, digest: 0 };
    assert!(writer.finish(sum).is_err(), "nothing adds up to what was made up");
}
