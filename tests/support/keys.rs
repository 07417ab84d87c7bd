//! The keys of the clusters that tests play.

use ribbit_net::keys::{KEY_BYTES, Keys};
use ribbit_state::ClusterId;

/// Of a cluster's own processes.
pub fn keys_of(cluster: ClusterId) -> Keys {
    Keys::of_cluster(cluster, &[1; KEY_BYTES])
}

/// Of the one cluster that there is in most tests.
#[allow(dead_code)] // Some play several.
pub fn keys() -> Keys {
    keys_of(ClusterId(1))
}
