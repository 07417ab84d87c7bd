//! All limits of the web role: connections, sizes, timeouts and rates.

pub use crate::common::address_rates::{CREATIONS, LOG_INS, MARKS, POSTS};
use std::time::Duration;

/// Maximum number of open connections, without live streams. Beyond it new connections are refused with 503.
pub const CONNECTIONS_MAX: usize = 512;
/// Maximum number of new connections that wait in the kernel to be accepted.
pub const ACCEPT_BACKLOG: i32 = 512;
/// Maximum number of connections from one address other than this machine's: half of all, so that others have room. A school class
/// behind one address fits.
pub const CONNECTIONS_PER_ADDRESS_MAX: usize = CONNECTIONS_MAX / 2;
/// Number of connections from which none is kept open between requests, so that slots are free again after each answer.
pub const KEEP_ALIVE_CONNECTIONS_MAX: usize = CONNECTIONS_MAX / 8 * 7;
/// Maximum number of connections that are finished here and wait for their browsers to close. Beyond it they are closed at once.
pub const LINGERING_MAX: usize = CONNECTIONS_MAX;
/// Maximum number of names that `/complete` returns.
pub const COMPLETIONS_MAX: usize = 8;
/// Maximum number of pages of followed people or followers that are read to find names in them.
pub const PEOPLE_PAGES_COMPARED_MAX: usize = 10;
/// Maximum number of threads that serve connections. Each has a connection to the cluster.
pub const THREADS_MAX: usize = 4;
/// Maximum size of a request head, and of data that is read ahead, in bytes.
pub const HEAD_BYTES_MAX: usize = 32 * 1024;
/// Maximum number of header lines of a request.
pub const HEADERS_MAX: usize = 64;
/// Maximum size of a posted form, in bytes.
pub const FORM_BYTES_MAX: usize = 64 * 1024;

/// Maximum size of the body of a call of the API, in bytes.
pub const API_BODY_BYTES_MAX: usize = 64 * 1024;

/// Timeout of a TLS handshake.
pub const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(5);
/// Maximum size of encrypted data that waits to be sent on one connection, in bytes.
pub const TLS_BUFFER_BYTES_MAX: usize = 32 * 1024;
/// Maximum number of successful reads in a row before other tasks have a turn.
pub const READS_IN_A_ROW_MAX: u32 = 64;
/// Timeout of a request head after its first byte, and of the first byte on a new connection.
pub const HEAD_DEADLINE: Duration = Duration::from_secs(3);
/// Timeout of a connection between requests.
pub const IDLE_DEADLINE: Duration = Duration::from_secs(30);
/// Timeout of a write that the browser does not take.
pub const WRITE_STALL: Duration = Duration::from_secs(5);
/// Time after a complete head by which the browser must have taken the whole answer. Live streams are exempt.
pub const TAKEN_DEADLINE: Duration = Duration::from_secs(30);
/// Time from a complete head to the answer. The promise is four seconds; the rest is for the network.
pub const ANSWER_DEADLINE: Duration = Duration::from_millis(3_800);
/// Part of [`ANSWER_DEADLINE`] that is reserved for rendering the page.
pub const PAGE_MARGIN: Duration = Duration::from_millis(100);
/// Time from a complete head by which a form must have arrived.
pub const BODY_DEADLINE: Duration = Duration::from_secs(2);
/// Timeout of a linearizable read where an older state would do.
pub const NEWEST_DEADLINE: Duration = Duration::from_secs(1);
/// Timeout of the reads for a requested page.
pub const READ_DEADLINE: Duration = Duration::from_millis(3_000);
/// Time for which a process knows which announcements there are, before a page asks again.
pub const ANNOUNCEMENTS_AGE_MAX: Duration = Duration::from_secs(2);
/// Timeout of the reads for the rest of a page that comes back after a refusal.
pub const AROUND_DEADLINE: Duration = Duration::from_millis(800);
/// Maximum age of a position of the log from which a new request id counts. The ids of requests are remembered for longer.
pub const POSITION_AGE_MAX: Duration = Duration::from_secs(5);
/// Timeout of `/readyz`.
pub const READY_DEADLINE: Duration = Duration::from_secs(1);
/// Shortest time between two surveys of the cluster, for any number of browsers.
pub const SURVEY_EVERY: Duration = Duration::from_secs(1);
/// Timeout of the read of recent events.
pub const HISTORY_DEADLINE: Duration = Duration::from_secs(1);
/// Value of `Retry-After` with a 503, in seconds.
pub const RETRY_AFTER_SECONDS: &str = "2";
/// Value of `Retry-After` after a rate limit of the cluster, in seconds; the texts of those codes say the same.
pub const HASTE_SECONDS: &str = "10";

/// Maximum number of bytes that are read and dropped after an answer that left a part of the request unread, so that the answer
/// arrives before the connection is reset.
pub const LINGER_BYTES_MAX: usize = 16 * 1024 * 1024;
pub const LINGER: Duration = Duration::from_secs(1);
/// Validity of `/.well-known/security.txt` in days; RFC 9116 asks for less than a year.
pub const SECURITY_TEXT_DAYS: u64 = 180;
/// Time for requests in progress when the role is stopped.
pub const STOP_DEADLINE: Duration = Duration::from_secs(4);
/// Pause before a listener that cannot accept, for example for want of file descriptors, tries again.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Maximum number of exports at once.
pub const EXPORTS_MAX: usize = 8;
/// Timeout of the read of one page of an export.
pub const EXPORT_PAGE_DEADLINE: Duration = Duration::from_secs(10);
/// Maximum duration of an export, so that a slow reader does not hold a slot forever.
pub const EXPORT_DEADLINE: Duration = Duration::from_secs(600);
/// Maximum number of live streams. Beyond it browsers are told to come back later, and do.
pub const LIVE_STREAMS_MAX: usize = 1_200;
/// Maximum number of live streams from one address other than this machine's.
pub const LIVE_STREAMS_PER_ADDRESS_MAX: usize = LIVE_STREAMS_MAX / 4;
/// Maximum number of live streams of the Mastodon API per account.
pub const API_STREAMS_PER_ACCOUNT_MAX: usize = 16;
/// Time for which a stream of the Mastodon API asks again for what an event is about, before it ends.
pub const API_STREAM_PATIENCE: Duration = Duration::from_secs(30);
/// Pause between two of these tries.
pub const API_STREAM_PAUSE: Duration = Duration::from_millis(250);
/// Maximum number of live streams on one WebSocket.
pub const SOCKET_STREAMS_MAX: usize = 8;
/// Maximum size of a message from a WebSocket client, in bytes.
pub const SOCKET_MESSAGE_BYTES_MAX: usize = 4 * 1024;
/// Interval of heartbeats on a live stream.
pub const LIVE_BEAT: Duration = Duration::from_secs(10);
/// Pause after which a browser opens a lost stream again.
pub const LIVE_RETRY: Duration = Duration::from_secs(1);
/// Timeout of the read of a croak for live streams.
pub const LIVE_READ_DEADLINE: Duration = Duration::from_secs(3);
/// Maximum number of rendered croaks kept for the other streams that need them.
pub const LIVE_READINGS_MAX: usize = 64;
/// Size of a live stream's send buffer in the kernel, in bytes. Further events wait in the subscription.
pub const LIVE_SEND_BUFFER_BYTES: usize = 32 * 1024;
/// Time without an acknowledgement after which the kernel closes a live stream's connection.
pub const LIVE_SILENCE: Duration = Duration::from_secs(30);

/// Maximum size of the rendered croaks that are kept for further pages, in bytes: about 6 000 croaks.
pub const CROAKS_KEPT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Maximum number of readers whose newest front page is kept, each of at most 5 KiB beside its croaks.
pub const FRONT_PAGES_KEPT_MAX: usize = 512;

/// Number of newest posts on one of Chirper's pages, at least. They have no further pages.
pub(super) const CHIRPER_POSTS_MIN: usize = 200;
/// Maximum number of people on one of Chirper's pages, rounded up to a page of people.
pub(super) const CHIRPER_PEOPLE_MAX: usize = 1_000;

/// Returns the length of a page as queries take it. `max` is one of the rules' maxima.
pub(super) fn page_len(max: usize) -> u16 {
    u16::try_from(max).expect("a page is short")
}

const _: () = assert!(LIVE_BEAT.as_secs() <= 15);
const _: () = assert!(BODY_DEADLINE.as_millis() < ANSWER_DEADLINE.as_millis());
const _: () = assert!(READ_DEADLINE.as_millis() < ANSWER_DEADLINE.as_millis());
