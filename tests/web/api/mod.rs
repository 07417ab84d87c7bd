//! The Mastodon client API over real sockets.

mod streaming;
mod tokens;
