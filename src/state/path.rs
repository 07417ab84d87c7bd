//! Paths in the lock namespace: `/jobs/backup`.
//!
//! ```text
//!   /jobs/backup  ◀──▶  key bytes  "jobs" 0 "backup" 0        a folder's rows begin with its own key
//! ```
//!
//! Invariants: a path begins with a slash and does not end with one, except for the root, `/`. Each name is one to
//! `PATH_NAME_BYTES_MAX` bytes of UTF-8 without slashes and control characters, and is neither `.` nor `..`. A name in a
//! key therefore contains no byte 0 or 1, and everything below a folder sorts between the folder's key and that key with
//! its last byte raised by one. A path from the wire or the disk is checked when it is decoded.

use super::code::{Code, Denied};
use super::limits::{PATH_BYTES_MAX, PATH_DEPTH_MAX, PATH_NAME_BYTES_MAX};
use super::view::Key;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Path of a node in the namespace.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TreePath(String);

const SEPARATOR: u8 = 0;

impl TreePath {
    pub fn root() -> TreePath {
        TreePath("/".into())
    }

    pub fn is_root(&self) -> bool {
        self.0 == "/"
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Iterates over the names from the root down; none for the root itself.
    pub fn names(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/').filter(|name| !name.is_empty())
    }

    /// Returns the last name, or `/` for the root.
    pub fn name(&self) -> &str {
        self.names().next_back().unwrap_or("/")
    }

    pub fn depth(&self) -> usize {
        self.names().count()
    }

    /// Returns the folder that contains the node, or `None` for the root.
    pub fn parent(&self) -> Option<TreePath> {
        match self.0.rsplit_once('/') {
            _ if self.is_root() => None,
            Some(("", _)) => Some(TreePath::root()),
            Some((parent, _)) => Some(TreePath(parent.into())),
            None => None,
        }
    }

    /// Returns the path of `name` in this folder.
    ///
    /// # Errors
    /// `BadPath` if the name is not valid or the path would be too long or too deep.
    pub fn join(&self, name: &str) -> Result<TreePath, Denied> {
        if self.is_root() { format!("/{name}").parse() } else { format!("{}/{name}", self.0).parse() }
    }

    /// Returns true for `folder` itself and for every path below it.
    pub fn is_within(&self, folder: &TreePath) -> bool {
        folder.is_root()
            || self.0.strip_prefix(&folder.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Returns the range of keys (from, to) of everything below this path, without the path itself.
    pub fn keys_below(&self) -> (Vec<u8>, Vec<u8>) {
        let key = self.bytes();
        let mut from = key.clone();
        from.push(SEPARATOR + 1);
        (from, self.key_behind())
    }

    /// Returns the first key behind this path and everything below it.
    pub(crate) fn key_behind(&self) -> Vec<u8> {
        let mut key = self.bytes();
        match key.last_mut() {
            Some(last) => *last = SEPARATOR + 1,
            None => key.push(u8::MAX),
        }
        key
    }
}

impl FromStr for TreePath {
    type Err = Denied;
    /// Parses a path. A trailing slash and repeated slashes are accepted and dropped.
    fn from_str(text: &str) -> Result<TreePath, Denied> {
        const BAD: Denied = Denied::new(Code::BadPath);
        if !text.starts_with('/') || text.len() > PATH_BYTES_MAX {
            return Err(BAD);
        }
        let mut path = String::with_capacity(text.len());
        for (depth, name) in text.split('/').filter(|name| !name.is_empty()).enumerate() {
            let odd = name.len() > PATH_NAME_BYTES_MAX || name.chars().any(char::is_control);
            if odd || name == "." || name == ".." || depth >= PATH_DEPTH_MAX {
                return Err(BAD);
            }
            path.push('/');
            path.push_str(name);
        }
        Ok(if path.is_empty() { TreePath::root() } else { TreePath(path) })
    }
}

impl TryFrom<String> for TreePath {
    type Error = Denied;
    fn try_from(text: String) -> Result<TreePath, Denied> {
        let path: TreePath = text.parse()?;
        // Only the canonical form, which keys use, is stored and sent.
        if path.0 == text { Ok(path) } else { Err(Denied::new(Code::BadPath)) }
    }
}

impl From<TreePath> for String {
    fn from(path: TreePath) -> String {
        path.0
    }
}

impl fmt::Display for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Key for TreePath {
    fn bytes(&self) -> Vec<u8> {
        self.names().flat_map(|name| name.bytes().chain([SEPARATOR])).collect()
    }
    fn from_bytes(bytes: &[u8]) -> Option<TreePath> {
        let text = std::str::from_utf8(bytes).ok()?;
        let Some(names) = text.strip_suffix('\0') else { return text.is_empty().then(TreePath::root) };
        // A key has one canonical form. Any other bytes that would decode to the same path are damage.
        if names.is_empty() || names.contains('/') {
            return None;
        }
        format!("/{}", names.replace('\0', "/")).try_into().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> TreePath {
        text.parse().unwrap()
    }

    #[test]
    fn sloppy_paths_are_normalised_and_invalid_ones_refused() {
        assert_eq!(path("//a///b/").as_str(), "/a/b");
        assert_eq!((path("/").name(), path("/").parent(), path("/").depth()), ("/", None, 0));
        assert_eq!(path("/a").parent(), Some(TreePath::root()));
        assert_eq!(path("/a/b").parent(), Some(path("/a")));
        assert_eq!(path("/").join("ö").unwrap().as_str(), "/ö");
        let long = format!("/{}", "n".repeat(PATH_NAME_BYTES_MAX + 1));
        let deep = "/a".repeat(PATH_DEPTH_MAX + 1);
        for bad in ["", "a", "/a/../b", "/.", "/a\0b", "/a\nb", &long, &deep, &"/aaaa".repeat(PATH_BYTES_MAX)]
        {
            assert!(bad.parse::<TreePath>().is_err(), "{bad:?}");
        }
        assert!(TreePath::try_from("/a/".to_string()).is_err());
    }

    #[test]
    fn keys_sort_in_tree_order_and_decode() {
        let paths = ["/", "/a", "/a/b", "/a/b/c", "/a/ü", "/a b", "/ab", "/ab/a", "/b"].map(path);
        let keys: Vec<Vec<u8>> = paths.iter().map(Key::bytes).collect();
        assert!(keys.is_sorted(), "{keys:?}");
        for (at, path) in paths.iter().enumerate() {
            assert_eq!(TreePath::from_bytes(&keys[at]).as_ref(), Some(path));
            let (from, to) = path.keys_below();
            for (other, key) in paths.iter().zip(&keys) {
                let below = other.is_within(path) && other != path;
                assert_eq!(below, from <= *key && *key < to, "{other} below {path}");
            }
        }
        assert_eq!(TreePath::from_bytes(b"a"), None);
        assert_eq!(TreePath::from_bytes(b"a\0\0"), None);
        // Found by the fuzzers: these read as the root and as /a/b.
        assert_eq!(TreePath::from_bytes(b"\0"), None);
        assert_eq!(TreePath::from_bytes(b"a/b\0"), None);
    }
}
