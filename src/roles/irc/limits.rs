//! Limits of the IRC role. Those of its listener and connections are in [`crate::common::service::limits`], those of its requests in
//! [`crate::operations::limits`].

use crate::common::rate_limit::Rate;
use ribbit_state::limits::{ROOM_PAGE_MAX, ROOMS_PER_PERSON_MAX};
use std::time::Duration;

/// Time for the TLS handshake.
pub(super) const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);
/// Size of the queue of encrypted bytes of a connection.
pub(super) const TLS_BUFFER_BYTES_MAX: usize = 64 * 1024;
/// Time in which a client has to log in.
pub(super) const REGISTRATION_DEADLINE: Duration = Duration::from_secs(60);
/// Maximum number of log-in attempts on one connection. Those of an address are limited as for the pages.
pub(super) const LOG_INS_MAX: u32 = 3;
/// Rate of lines on a connection. A client that sends more of them is read more slowly.
pub(super) const LINES: Rate = Rate { burst: 100, every: Duration::from_millis(100) };
/// Maximum number of lines that are read ahead while one is being served.
pub(super) const INPUTS_QUEUED_MAX: usize = 64;
/// Time without a line after which the client is asked for a sign of life.
pub(super) const IDLE: Duration = Duration::from_secs(120);
/// Time in which the client has to answer.
pub(super) const PONG_DEADLINE: Duration = Duration::from_secs(60);
/// Size of the lines that are collected before they are written, in bytes.
pub(super) const OUTPUT_BYTES: usize = 16 * 1024;

/// Time in which the line that is being served is completed when the role is stopped. Shorter than the time that all connections have.
pub(super) const STOP_PATIENCE: Duration = Duration::from_secs(2);

/// Maximum number of open channels on a connection.
pub(super) const CHANNELS_MAX: usize = ROOMS_PER_PERSON_MAX;
/// Maximum number of channels in one JOIN or PART.
pub(super) const CHANNELS_AT_ONCE_MAX: usize = 20;
/// Maximum number of recipients of one PRIVMSG or NOTICE.
pub(super) const RECIPIENTS_MAX: usize = 4;
/// Maximum number of names in one USERHOST or ISON.
pub(super) const NAMES_AT_ONCE_MAX: usize = 5;
/// Maximum size of the names in one line of a list of members, in bytes.
pub(super) const NAMES_BYTES_MAX: usize = 380;
/// Maximum number of reads for a page of a history, behind messages that are not shown. Each read has up to `HISTORY_MAX` messages.
pub(super) const HISTORY_READS_MAX: u32 = 40;
/// Maximum number of messages in an answer to CHATHISTORY, and of those that are replayed when a channel is joined.
pub(super) const HISTORY_MAX: usize = 40;
/// Maximum number of pages of talks that are searched for CHATHISTORY TARGETS.
pub(super) const TALK_PAGES_MAX: usize = 4;
/// Maximum number of messages said on a connection whose events have not arrived yet.
pub(super) const OWN_LINES_MAX: usize = 1_024;
/// Pause before what was missed is read again when the servers did not answer.
pub(super) const AGAIN_PAUSE: Duration = Duration::from_secs(1);

// A search in the history reads one message more than it answers.
const _: () = assert!(HISTORY_MAX < ROOM_PAGE_MAX);
