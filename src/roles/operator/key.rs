//! `ribbit key`: prints the cluster's public key, with which clients authenticate its servers.

use crate::common::cluster_file::ClusterFile;
use crate::common::failure::Failure;
use crate::common::options::KeyOptions;
use crate::common::output;

/// Prints the public key.
///
/// # Errors
/// 78: the cluster file is missing or malformed.
pub fn run(options: &KeyOptions) -> Result<(), Failure> {
    let keys = ClusterFile::read(&options.cluster_file)?.keys();
    if let Some(public) = keys.public() {
        output::line(&public.to_string());
    }
    Ok(())
}
