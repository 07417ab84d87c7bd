//! The Mastodon client API over real sockets.

mod tokens;
