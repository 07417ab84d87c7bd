//! The lock namespace from outside: `ribbit shell` and `ribbit lock`. Both use [`namespace`] and [`lease`].

pub(crate) mod lease;
pub mod lock;
pub(crate) mod namespace;
pub mod shell;
