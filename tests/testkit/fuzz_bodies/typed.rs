//! Small things as people type them behind flags: names of members, spans, sizes, addresses, places of the namespace.

use ribbit_roles::common::{address, values};
use ribbit_state::TreePath;
use ribbit_state::rows::Key;

pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(name) = values::member(&text) {
        assert_eq!(name.to_string(), text);
    }
    if let Ok(path) = values::tree_path(&text) {
        place(&path);
    }
    let _ = values::heartbeat(&text).map(|span| assert!((100..=60_000).contains(&span.as_millis())));
    let _ = values::lease(&text).map(|span| assert!((2..=300).contains(&span.as_secs())));
    let _ = values::evict_after(&text).map(|span| assert!((1..=600).contains(&span.as_secs())));
    let _ = values::disk_quota(&text).map(|bytes| assert!(bytes >= 1 << 16));
    let _ = values::span(&text);
    if let Ok((host, port)) = address::split(&text) {
        assert_eq!(address::split(&format!("{host}:{port}")), Ok((host, port)));
        assert!(!host.is_empty());
    }
    assert!(address::peer(&text).is_err() || address::listen(&text).is_ok());
    // As bytes of a key they come from a disk.
    if let Some(path) = TreePath::from_bytes(data) {
        assert_eq!(path.bytes(), data);
        place(&path);
    }
}

/// A path has one form, however it was typed, and lies where it says.
fn place(path: &TreePath) {
    assert_eq!(path.as_str().parse::<TreePath>().as_ref(), Ok(path));
    assert_eq!(TreePath::from_bytes(&path.bytes()).as_ref(), Some(path));
    assert!(path.is_root() || !path.as_str().ends_with('/'));
    let Some(parent) = path.parent() else { return assert!(path.is_root()) };
    assert_eq!(parent.join(path.name()).as_ref(), Ok(path));
    let (from, to) = parent.keys_below();
    assert!(from <= path.bytes() && path.bytes() < to && path.is_within(&parent));
}
