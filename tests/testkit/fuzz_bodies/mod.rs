//! Bodies of the fuzz targets. Each passes bytes from outside to the functions that a process would call with them, and
//! asserts what has to hold for all bytes. None may panic, run for long or take much memory (libFuzzer watches the last two;
//! see fuzz/run).
//!
//! - `handshake`, `frames`, `protocol`, `raft`, `mdns`: what comes over the network
//! - `rules`: commands and questions that can be said there; `asks`: the same put to a real store
//! - `records`, `journal`, `store`, `snapshots`: files on this disk, or from another member's
//! - `forms`, `pages`: from a browser, and back to one
//! - `api`: from programs of others
//! - `chat`, `commas`, `gob`, `grpc`: from clients of older systems; `irc`: from IRC clients
//! - `shell`, `terminal`, `typed`, `files`, `names`: what people type, in lines, flags, files and patterns
//!
//! Not here: whether an answer is the right one. That is the tests' to know.

pub mod api;
pub mod asks;
pub mod chat;
pub mod commas;
pub mod files;
pub mod forms;
pub mod frames;
pub mod gob;
pub mod grpc;
pub mod handshake;
pub mod irc;
pub mod journal;
pub mod mdns;
pub mod memory;
pub mod names;
pub mod pages;
pub mod protocol;
pub mod raft;
pub mod records;
pub mod rules;
pub mod shell;
pub mod snapshots;
pub mod store;
pub mod terminal;
pub mod typed;

/// A target: its name, that of its corpus, and what it does.
pub type Target = (&'static str, fn(&[u8]));

/// All targets, by name.
pub const TARGETS: &[Target] = &[
    ("api", api::run),
    ("asks", asks::run),
    ("chat", chat::run),
    ("commas", commas::run),
    ("files", files::run),
    ("forms", forms::run),
    ("frames", frames::run),
    ("gob", gob::run),
    ("grpc", grpc::run),
    ("handshake", handshake::run),
    ("irc", irc::run),
    ("journal", journal::run),
    ("mdns", mdns::run),
    ("names", names::run),
    ("pages", pages::run),
    ("protocol", protocol::run),
    ("raft", raft::run),
    ("records", records::run),
    ("rules", rules::run),
    ("shell", shell::run),
    ("snapshots", snapshots::run),
    ("store", store::run),
    ("terminal", terminal::run),
    ("typed", typed::run),
];

/// Bytes that are taken from the front, for targets whose input has parts. At the end there are zeros.
pub struct Parts<'a>(pub &'a [u8]);

impl<'a> Parts<'a> {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or_default()
    }

    pub fn number(&mut self) -> u32 {
        let bytes = self.take(4);
        u32::from_le_bytes(std::array::from_fn(|at| bytes.get(at).copied().unwrap_or_default()))
    }

    pub fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// A part with its length before it, in two bytes.
    pub fn part(&mut self) -> &'a [u8] {
        let length = usize::from(self.byte()) | usize::from(self.byte()) << 8;
        self.take(length)
    }

    /// Picks an item of a list.
    pub fn of<'b, T>(&mut self, several: &'b [T]) -> &'b T {
        &several[usize::from(self.byte()) % several.len()]
    }
}

/// A part as [`Parts::part`] reads it.
pub fn part(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).expect("a part of a seed is short");
    [&length.to_le_bytes(), bytes].concat()
}
