//! The wire format of IRC, pure: bytes in, messages out; lines in, bytes out.
//!
//! ```text
//!   bytes ──▶ Lines ──▶ Message::parse            Line ──▶ Line::encode ──▶ bytes
//!   text of a croak or message ──▶ pieces ──▶ one Line each
//! ```
//!
//! - [`lines`]: bytes into lines, bounded; [`message`]: a line from a client; [`line`]: a line to a client, with its tags
//! - [`pieces`]: texts that are longer than a line; [`clock`]: times in tags; [`sasl`]: the payload of SASL PLAIN

pub mod clock;
pub mod line;
pub mod lines;
pub mod message;
pub mod pieces;
pub mod sasl;
