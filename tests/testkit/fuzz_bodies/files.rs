//! Files that people may write by hand: environment files, ports files, cluster files.

use ribbit_roles::common::cluster_file::ClusterFile;
use ribbit_roles::common::env_file;

pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match env_file::parse(&text) {
        Ok(entries) => {
            let pairs = || entries.iter().map(|entry| (&entry.key, &entry.value));
            let written = env_file::format(pairs());
            let again = env_file::parse(&written).expect("what is written can be read");
            assert!(again.iter().map(|entry| (&entry.key, &entry.value)).eq(pairs()), "{written}");
        }
        Err(error) => assert!(error.line >= 1 && error.line <= text.matches('\n').count() + 1),
    }
    if let Ok(cluster) = ClusterFile::parse(&text) {
        let again = ClusterFile::parse(&cluster.to_text());
        assert!(again.as_ref() == Ok(&cluster), "{again:?}");
    }
}
