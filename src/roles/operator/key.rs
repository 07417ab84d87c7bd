//! `ribbit key`: the cluster's public key, for those who want to know that they talk to its servers.

use crate::common::cluster_file::ClusterFile;
use crate::common::failure::Failure;
use crate::common::options::KeyOptions;
use crate::common::output;

/// # Errors
/// 78: there is no cluster file, or it is wrong.
pub fn run(options: &KeyOptions) -> Result<(), Failure> {
    let keys = ClusterFile::read(&options.cluster_file)?.keys();
    if let Some(public) = keys.public() {
        output::line(&public.to_string());
    }
    Ok(())
}
