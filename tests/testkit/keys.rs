//! Keys of test clusters.

use ribbit_net::keys::{KEY_BYTES, Keys};
use ribbit_state::ClusterId;

/// Returns the keys of a cluster's own processes.
pub fn keys_of(cluster: ClusterId) -> Keys {
    Keys::of_cluster(cluster, &[1; KEY_BYTES])
}

/// Returns the keys of the default test cluster.
pub fn keys() -> Keys {
    keys_of(ClusterId(1))
}
