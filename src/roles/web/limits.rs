//! Every number that bounds the web role: connections, bytes, waits, and how often one address may try something.

use crate::common::rate_limit::Rate;
use std::time::Duration;

/// Browsers' connections at once, those of live streams not counted. Beyond them a newcomer is told to come back.
pub const CONNECTIONS_MAX: usize = 512;
/// The same from one address other than this machine's: half of them are left for everybody else. A school class behind
/// one address has room.
pub const CONNECTIONS_PER_ADDRESS_MAX: usize = CONNECTIONS_MAX / 2;
/// Above this many connections none is kept open between requests: the other places turn around with each answer.
pub const KEEP_ALIVE_CONNECTIONS_MAX: usize = CONNECTIONS_MAX / 8 * 7;
/// Connections that have ended here, and wait for their browsers to close them. Beyond them no more wait.
pub const LINGERING_MAX: usize = CONNECTIONS_MAX;
/// Bytes of a request's head, and of what is read ahead.
pub const HEAD_BYTES_MAX: usize = 32 * 1024;
/// Header lines of a request.
pub const HEADERS_MAX: usize = 64;
/// Bytes of a posted form.
pub const FORM_BYTES_MAX: usize = 64 * 1024;

/// A new connection has agreed on keys by then, where it is encrypted.
pub const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(5);
/// What is encrypted and not sent yet, of one connection.
pub const TLS_BUFFER_BYTES_MAX: usize = 32 * 1024;
/// Reads that find something, one after the other, before others have their turn.
pub const READS_IN_A_ROW_MAX: u32 = 64;
/// A request's head must be complete this long after its first byte; a new connection must send one by then.
pub const HEAD_DEADLINE: Duration = Duration::from_secs(3);
/// A connection without a request is kept open this long.
pub const IDLE_DEADLINE: Duration = Duration::from_secs(30);
/// An answer that the browser does not take for this long ends the connection.
pub const WRITE_STALL: Duration = Duration::from_secs(5);
/// An answer must have been taken this long after the head was complete, however it trickles. Live streams go on.
pub const TAKEN_DEADLINE: Duration = Duration::from_secs(30);
/// From a complete head to the answer: people are promised four seconds, the rest is for the way.
pub const ANSWER_DEADLINE: Duration = Duration::from_millis(3_800);
/// What is kept of the answer's deadline for making the page.
pub const PAGE_MARGIN: Duration = Duration::from_millis(100);
/// A form must have arrived by then.
pub const BODY_DEADLINE: Duration = Duration::from_secs(2);
/// What a page may wait for that is only asked for, not sent.
pub const READ_DEADLINE: Duration = Duration::from_millis(3_000);
/// What a page that comes back after a refusal may wait for the rest of what it shows.
pub const AROUND_DEADLINE: Duration = Duration::from_millis(800);
/// `/readyz` answers within this.
pub const READY_DEADLINE: Duration = Duration::from_secs(1);
/// How the group is, is asked at most this often, for however many browsers.
pub const SURVEY_EVERY: Duration = Duration::from_secs(1);
/// What happened lately is told within this, or not at all.
pub const HISTORY_DEADLINE: Duration = Duration::from_secs(1);
/// What `Retry-After` says with a 503.
pub const RETRY_AFTER_SECONDS: &str = "2";
/// The same, for who was too fast: what the words of those codes say.
pub const HASTE_SECONDS: &str = "10";

/// After an answer that left a part of the request unread, this much more is read and dropped, so that the
/// answer arrives before the connection is reset.
pub const LINGER_BYTES_MAX: usize = 16 * 1024 * 1024;
pub const LINGER: Duration = Duration::from_secs(1);
/// What `/.well-known/security.txt` says holds this long from whenever it is read; less than a year, as RFC 9116 asks.
pub const SECURITY_TEXT_DAYS: u64 = 180;
/// When the role is stopped, requests under way have this long to be answered.
pub const STOP_DEADLINE: Duration = Duration::from_secs(4);
/// A listener that cannot accept (no file descriptors left) tries again after this.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// People who take everything that is theirs at once.
pub const EXPORTS_MAX: usize = 8;
/// One page of what they take has to be read within this.
pub const EXPORT_PAGE_DEADLINE: Duration = Duration::from_secs(10);
/// All of it has to be taken within this, so that nobody holds a place by reading slowly.
pub const EXPORT_DEADLINE: Duration = Duration::from_secs(600);
/// Live streams at once. Beyond them a browser is told to come back, and does.
pub const LIVE_STREAMS_MAX: usize = 1_200;
/// The same for one address other than this machine's.
pub const LIVE_STREAMS_PER_ADDRESS_MAX: usize = LIVE_STREAMS_MAX / 4;
/// A stream with nothing to tell says so this often.
pub const LIVE_BEAT: Duration = Duration::from_secs(10);
/// A browser that lost its stream comes back after this.
pub const LIVE_RETRY: Duration = Duration::from_secs(1);
/// A croak that is told has to be read within this.
pub const LIVE_READ_DEADLINE: Duration = Duration::from_secs(3);
/// Croaks that are kept as they were told, for the others who follow their authors.
pub const LIVE_READINGS_MAX: usize = 64;
/// What the kernel keeps of a stream that its browser does not take; what follows waits where it happened.
pub const LIVE_SEND_BUFFER_BYTES: usize = 32 * 1024;
/// A browser that was cut off, whose machine acknowledges nothing, is given up after this.
pub const LIVE_SILENCE: Duration = Duration::from_secs(30);

/// Addresses whose tries are counted.
pub const ADDRESSES_MAX: usize = 4096;
/// Passwords tried from one address: a class of thirty logs in at once and mistypes; then thirty a minute.
pub const LOG_INS: Rate = Rate { burst: 60, every: Duration::from_secs(2) };
/// Accounts made from one address: a class at once, then ten in ten minutes.
pub const CREATIONS: Rate = Rate { burst: 40, every: Duration::from_secs(60) };
/// Croaks, messages and the like from one address: five a second, over any longer time.
pub const POSTS: Rate = Rate { burst: 150, every: Duration::from_millis(200) };
/// What pages say by themselves, that they were shown.
pub const MARKS: Rate = Rate { burst: 300, every: Duration::from_millis(100) };

const _: () = assert!(LIVE_BEAT.as_secs() <= 15);
const _: () = assert!(BODY_DEADLINE.as_millis() < ANSWER_DEADLINE.as_millis());
const _: () = assert!(READ_DEADLINE.as_millis() < ANSWER_DEADLINE.as_millis());
