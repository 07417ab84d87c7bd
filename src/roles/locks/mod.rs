//! The lock namespace from outside: `ribbit shell` and `ribbit lock`. Both use [`namespace`] and [`lease`].

pub mod lease;
pub mod lock;
pub mod namespace;
pub mod shell;
