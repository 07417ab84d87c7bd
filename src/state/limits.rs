//! Bounds of the rules. Limits of sockets, queues and disks are in `net::limits`, `replica::limits` and `db::limits`.

/// Maximum length of a croak, in characters (Unicode scalar values, CRLF counted as one).
pub const CROAK_CHARS_MAX: usize = 100;
/// Maximum length of the mention that a reply begins with, in characters: an `@`, a user name and a space.
pub const REPLY_MENTION_CHARS_MAX: usize = USERNAME_CHARS_MAX + 2;
/// Maximum length of a user name, in characters of a-z 0-9 _ -, folded to lower case.
pub const USERNAME_CHARS_MAX: usize = 32;
/// Maximum length of a display name, in characters.
pub const NAME_CHARS_MAX: usize = 64;
/// Maximum length of the text that a person writes about themselves, in characters counted as in a croak.
pub const BIO_CHARS_MAX: usize = 200;
/// Maximum number of links on a profile.
pub const PROFILE_LINKS_MAX: usize = 4;
/// Maximum length of a link on a profile, in bytes.
pub const LINK_BYTES_MAX: usize = 256;
/// Maximum length of the name of the device that opened a session, in characters.
pub const DEVICE_CHARS_MAX: usize = 64;
/// Maximum length of the sentence on the first page, in characters.
pub const WELCOME_CHARS_MAX: usize = 200;
/// Maximum length of an email address, in characters.
pub const EMAIL_CHARS_MAX: usize = 254;
/// Minimum length of a password, in characters.
pub const PASSWORD_CHARS_MIN: usize = 8;
/// Maximum length of a password, in characters.
pub const PASSWORD_CHARS_MAX: usize = 256;

/// Maximum number of accounts that one account may follow. Bounds the memory of a feed read.
pub(crate) const FRIENDS_MAX: usize = 4_096;
/// Maximum number of sessions per account. Opening another drops the oldest.
pub(crate) const SESSIONS_PER_ACCOUNT_MAX: usize = 32;
/// Lifetime of a session, in milliseconds of cluster age since the log-in (30 days).
pub const SESSION_AGE_MS_MAX: u64 = 30 * 24 * 3600 * 1000;
/// Time for which the check of a password permits changes that need a role, in milliseconds of cluster age (ten minutes).
pub const CONFIRMATION_AGE_MS_MAX: u64 = 10 * 60 * 1000;
/// Lifetime of an app's session, in milliseconds of cluster age since the log-in (366 days). A program cannot enter a password
/// again, and the person may end its session under Settings.
pub const APP_SESSION_AGE_MS_MAX: u64 = 366 * 24 * 3600 * 1000;
/// Maximum number of registered apps. Registering another drops the one that was not used for longest.
pub const APPS_MAX: usize = 1_000;
/// Maximum length of an app's name, in characters: it is the device of the app's sessions.
pub const APP_NAME_CHARS_MAX: usize = DEVICE_CHARS_MAX;
/// Maximum number of redirect addresses of an app.
pub const REDIRECTS_MAX: usize = 8;
/// Maximum length of an app's redirect addresses together, in bytes.
pub const REDIRECT_BYTES_MAX: usize = 2_048;
/// Lifetime of an authorisation code, in milliseconds of cluster age (ten minutes).
pub const APP_CODE_AGE_MS_MAX: u64 = 10 * 60 * 1000;
/// Maximum number of authorisation codes per account. Making another drops the oldest.
pub(crate) const APP_CODES_PER_ACCOUNT_MAX: usize = 8;
/// Lifetime of a link to set a new password, in milliseconds of cluster age (one day).
pub const RESET_LINK_AGE_MS_MAX: u64 = 24 * 3600 * 1000;
/// Lifetime of the link of an account that nothing else opens, in milliseconds of cluster age (30 days), because
/// the links of a class are handed out over some weeks.
pub const FIRST_LINK_AGE_MS_MAX: u64 = 30 * 24 * 3600 * 1000;
/// Maximum number of people who wait for the approval of their account.
pub(crate) const JOIN_REQUESTS_MAX: usize = 500;
/// Maximum number of people who wait for approval in a page of a list.
pub(crate) const JOIN_REQUESTS_PAGE_MAX: usize = 100;
/// Maximum number of invitations that are stored, with those that are over and were not replaced yet.
pub const INVITATIONS_MAX: usize = 1_000;
/// Maximum number of invitations of one account.
pub const INVITATIONS_PER_PERSON_MAX: usize = 20;
/// Maximum number of accounts that one invitation creates.
pub const INVITATION_USES_MAX: u16 = 1_000;
/// Maximum lifetime of an invitation, in milliseconds of cluster age (366 days).
pub const INVITATION_MS_MAX: u64 = 366 * 24 * 3600 * 1000;
/// Maximum number of invitations in a page of a list.
pub(crate) const INVITATIONS_PAGE_MAX: usize = 100;
const _: () = assert!(INVITATIONS_PER_PERSON_MAX <= INVITATIONS_PAGE_MAX, "a person's fit a page");
/// Number of join codes that are stored, with those that are over and were not replaced yet. One letter of a code names it.
pub const JOIN_CODE_SLOTS: usize = 32;
/// Number of wrong tries that end a join code.
pub const JOIN_CODE_TRIES: u8 = 3;
/// Maximum lifetime of a join code, in milliseconds of cluster age (30 days).
pub const JOIN_CODE_MS_MAX: u64 = 30 * 24 * 3600 * 1000;
/// Maximum number of feed addresses of one account.
pub const FEED_ADDRESSES_MAX: usize = 16;
/// Maximum number of announcements that are shown at once.
pub const ANNOUNCEMENTS_MAX: usize = 5;
/// Maximum length of an announcement, in characters.
pub const ANNOUNCEMENT_CHARS_MAX: usize = 500;
/// Maximum lifetime of an announcement that ends by itself, in milliseconds of cluster age (366 days).
pub const ANNOUNCEMENT_MS_MAX: u64 = 366 * 24 * 3600 * 1000;
/// Maximum number of acts of operators in the audit log. The oldest go.
pub(crate) const AUDIT_ROWS_MAX: u64 = 10_000;
/// Maximum number of refused acts in the audit log. The oldest go.
pub(crate) const REFUSED_ACTS_MAX: u64 = 1_000;
/// Maximum length of the detail of an act, in characters.
pub const AUDIT_DETAIL_CHARS_MAX: usize = 120;
/// Maximum number of acts in a page: even the longest texts fit one frame.
pub const AUDIT_PAGE_MAX: usize = 100;
/// Maximum number of acts among which the newest backup is looked for.
pub(crate) const NEWEST_ACTS_MAX: usize = 1_000;
/// Number up to which accounts are counted.
pub const PEOPLE_COUNTED_MAX: usize = 2_000;
/// Maximum length of the name under which an operator's program acts, in bytes.
pub const OPERATOR_BYTES_MAX: usize = 64;
/// Maximum number of croaks in a page of a feed.
pub const FEED_PAGE_MAX: usize = 50;
/// Maximum number of replies in a page of a thread.
pub const REPLIES_PAGE_MAX: usize = 20;
/// Maximum number of replies that a thread shows below each reply.
pub const NESTED_REPLIES_MAX: usize = 4;
/// Maximum number of croaks that a thread shows above the requested one.
pub const ANCESTORS_MAX: usize = 20;
/// Maximum number of accounts that are listed for the likes or shares of a croak; all are counted.
pub const REACTIONS_LISTED_MAX: usize = 100;
/// Maximum number of croaks that are looked at for one page of everyone's croaks.
pub(crate) const EVERYONE_ROWS_MAX: usize = 1_000;
/// Maximum number of croaks that one query may name.
pub const CROAKS_NAMED_MAX: usize = FEED_PAGE_MAX;
/// Maximum number of profiles that one query may name. Each is counted anew.
pub const PROFILES_NAMED_MAX: usize = 40;
/// Maximum number of user names that one query may contain.
pub const PERSONS_NAMED_MAX: usize = 100;
/// Maximum number of people in a page of a list.
pub(crate) const PEOPLE_PAGE_MAX: usize = 100;

/// Number of newest croaks whose authors are kept in memory. Older ones are found through the index by author.
pub const RING_CROAKS: usize = 64 * 1024;
/// Number of newest follow changes that are kept in memory. A feed that was read before them is read anew from the rows.
pub(crate) const FOLLOW_CHANGES_KEPT: usize = 4 * 1024;
/// Maximum size of the timelines of active readers together, in bytes. With one window, one of 200 friends has up to 12 KB, one of 1 000 up to 20.
pub(crate) const TIMELINES_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Maximum number of croaks in one window of a timeline.
pub(crate) const TIMELINE_WINDOW_MAX: usize = 576;
/// Number of pages that are searched ahead when a reader turns to an older page.
pub(crate) const FEED_AHEAD_PAGES: usize = 9;
/// Maximum number of croaks that one `IndexCroaks` command moves into the index by author.
pub(crate) const INDEX_STEP: usize = 1_024;
/// Maximum number of rows that one `Sweep` command removes of a deleted account.
pub(crate) const SWEEP_STEP: usize = 256;

/// Number of newest requests that are always in the deduplication window, however old.
pub(crate) const DEDUP_REQUESTS_MIN: usize = 16 * 1024;
/// Maximum number of requests in the deduplication window, however young.
pub(crate) const DEDUP_REQUESTS_MAX: usize = 512 * 1024;
/// Milliseconds of cluster age that a request stays in the deduplication window between these two bounds.
pub(crate) const DEDUP_AGE_MS: u64 = 60_000;
/// Number of requests that expire in one step, so that a step rewrites few pages.
pub(crate) const EXPIRE_STEP: usize = 256;

/// Maximum length of a direct message, in characters counted as in a croak.
pub const MESSAGE_CHARS_MAX: usize = 1_000;
/// Maximum number of unread messages of one account, from all senders together.
pub const WAITING_MAX: u32 = 1_000;
/// Maximum number of unread messages from one sender, so that no single account fills a mailbox.
pub(crate) const WAITING_PER_TALK_MAX: u32 = 200;
/// Milliseconds within which the same message through another server is the same one, see `SendAgain`.
pub const REPEATED_SEND_MS: u64 = 5_000;
/// Maximum number of messages of a talk that are compared with a repeated one.
pub(crate) const REPEATED_SEND_COMPARED: usize = 8;
/// Maximum number of messages in a page of a talk: even the longest texts fit one frame.
pub const TALK_PAGE_MAX: usize = 50;
/// Maximum number of talks in a page of a list.
pub const TALKS_PAGE_MAX: usize = 50;
/// Value at which counting unread croaks stops; shown as "100 or more".
pub const UNREAD_CROAKS_MAX: u32 = 100;
/// Maximum number of notices of one account. The oldest go.
pub const NOTICES_MAX: u32 = 500;
/// Maximum number of notices that one account has made for another, so that no single account fills the list.
pub(crate) const NOTICES_PER_PAIR_MAX: usize = 50;
/// Maximum number of notices in a page: even the longest texts fit one frame.
pub const NOTICES_PAGE_MAX: usize = 50;
/// Maximum number of accounts that one account may mute.
pub const MUTES_MAX: usize = 1_000;
/// Maximum number of accounts that one account may block.
pub const BLOCKS_MAX: usize = 1_000;
/// Maximum number of reports that are not decided yet.
pub const REPORTS_MAX: usize = 1_000;
/// Maximum number of undecided reports of one account, so that no single account fills the queue.
pub(crate) const REPORTS_PER_PERSON_MAX: usize = 20;
/// Maximum number of reports in a page: even the longest texts fit one frame.
pub const REPORTS_PAGE_MAX: usize = 20;
/// Maximum length of the words of a report, in characters.
pub const REPORT_CHARS_MAX: usize = 500;
/// Maximum number of croaks whose counts a live subscriber receives beside those of its feed: all those of the longest page.
pub const COUNTED_CROAKS_MAX: usize = 128;
const _: () = assert!(ANCESTORS_MAX + 1 + REPLIES_PAGE_MAX * (1 + NESTED_REPLIES_MAX) <= COUNTED_CROAKS_MAX);
/// Maximum number of mentions in one text that notify the person mentioned. Bounds the event, too.
pub const MENTIONS_NOTIFIED_MAX: usize = 10;
/// Maximum length of a pattern of user names, in characters.
pub const GLOB_CHARS_MAX: usize = 64;
/// Maximum number of user names that are compared with a pattern for one page.
pub(crate) const NAMES_COMPARED_MAX: usize = 4_096;
/// Maximum number of words and tags of a search.
pub(crate) const SEARCH_TERMS_MAX: usize = 8;
/// Maximum number of croaks that one search looks at.
pub(crate) const SEARCH_ROWS_MAX: usize = 4_096;
/// Maximum number of blocks of croaks that one search looks into.
pub(crate) const SEARCH_PARTS_MAX: usize = 64;
/// Maximum number of people that a search lists.
pub(crate) const SEARCH_PEOPLE_MAX: usize = 20;
/// Maximum number of blocks of the search index, of 64 croaks and about 540 bytes each: a million croaks in 9 MB.
pub(crate) const SEARCH_BLOCKS_MAX: usize = 16 * 1_024;
/// Value at which counting the croaks of an account stops.
pub const CROAKS_COUNT_MAX: usize = 4_096;
/// Value at which counting followers stops.
pub const FOLLOWERS_COUNT_MAX: usize = 4_096;

/// Maximum number of rooms of a cluster.
pub const ROOMS_MAX: usize = 1_000;
/// Maximum number of members of a room.
pub const ROOM_MEMBERS_MAX: usize = 1_000;
/// Maximum number of rooms that one person is in.
pub const ROOMS_PER_PERSON_MAX: usize = 100;
/// Maximum number of rooms that an operator puts a new account into.
pub const ROOMS_AT_CREATION_MAX: usize = 32;
/// Maximum number of names in a page of rooms for operators.
pub(crate) const ROOM_NAMES_PAGE_MAX: usize = 500;
/// Maximum number of people who are invited to one room or were removed from it.
pub(crate) const ROOM_GUESTS_MAX: usize = 1_000;
/// Maximum number of invitations of one person.
pub const ROOM_INVITATIONS_MAX: usize = 100;
/// Maximum number of messages that are kept in all rooms together. Beyond it the oldest of the largest room go.
pub const ROOM_MESSAGES_MAX: usize = 100_000;
/// Maximum number of rooms that are looked at for one command: also closed ones, which are not swept yet.
pub(crate) const ROOMS_SCANNED_MAX: usize = 2 * ROOMS_MAX;
/// Number of messages that go at once, so that the largest room is looked for once in as many messages.
pub(crate) const ROOM_TRIM_STEP: usize = 64;
/// Maximum number of rooms that one `Sweep` command takes a deleted account out of.
pub(crate) const ROOM_SWEEP_STEP: usize = 8;
/// Maximum length of a room's topic, in characters.
pub const TOPIC_CHARS_MAX: usize = 200;
/// Maximum number of messages in a page of a room: even the longest texts fit one frame.
pub const ROOM_PAGE_MAX: usize = 50;
/// Maximum number of rooms in a page of open rooms.
pub const OPEN_ROOMS_PAGE_MAX: usize = 50;
/// Maximum number of rooms on a page for operators, each with its owner.
pub(crate) const ROOMS_LISTED_MAX: usize = 20;
/// Maximum number of people in a page of a room's members.
pub const ROOM_MEMBERS_PAGE_MAX: usize = 100;
/// Value at which counting the unread messages of a room stops; shown as "100 or more".
pub const UNREAD_ROOM_MESSAGES_MAX: u32 = 100;

/// Newest rules level that this version understands.
pub const RULES_LEVEL: u32 = 1;
/// Rules level that every released version understands.
pub const FIRST_RULES_LEVEL: u32 = 1;

/// Maximum number of members (voters and learners) of a cluster.
pub const MEMBERS_MAX: usize = 32;
/// Maximum length of a member's address, in bytes.
pub const ADDRESS_BYTES_MAX: usize = 255;

/// Maximum number of regions. They are numbered from 1, the home region.
pub const REGIONS_MAX: u32 = 50;
/// Maximum length of a path in the namespace, in bytes.
pub const PATH_BYTES_MAX: usize = 512;
/// Maximum length of one name in a path, in bytes.
pub const PATH_NAME_BYTES_MAX: usize = 128;
/// Maximum number of names in a path.
pub const PATH_DEPTH_MAX: usize = 16;
/// Maximum number of nodes (folders, files and locks) in the namespace.
pub(crate) const NODES_MAX: u64 = 65_536;
/// Maximum length of a node's content, in bytes: with its path it fits a request.
pub const NODE_BYTES_MAX: usize = 3_072;
/// Maximum number of nodes per owner: all are removed with its lease, in one command.
pub(crate) const OWNED_NODES_MAX: usize = 64;
/// Maximum number of client leases.
pub const CLIENT_LEASES_MAX: u64 = 1_024;
/// Maximum length of a lease owner's description of itself, in bytes.
pub const LEASE_DESCRIPTION_BYTES_MAX: usize = 120;
/// Shortest lease that a client may request, in milliseconds.
pub const LEASE_MS_MIN: u32 = 1_000;
/// Longest lease that a client may request, in milliseconds.
pub const LEASE_MS_MAX: u32 = 300_000;
/// Maximum number of nodes that one command removes of a folder. Further commands remove the rest.
pub(crate) const REMOVE_STEP: usize = 256;
/// Maximum number of nodes in a page of a listing.
pub const TREE_PAGE_MAX: usize = 500;
/// Size of the paths and contents at which a page of a listing ends, in bytes.
pub(crate) const TREE_PAGE_BYTES_MAX: usize = 128 * 1024;
/// Maximum number of leases in a page.
pub(crate) const LEASES_PAGE_MAX: usize = 256;

/// Maximum length of a request in the log, in bytes. The rules bound texts more tightly, but only when they apply it.
pub const REQUEST_BYTES_MAX: usize = 4_608;

/// Maximum length of a single-line entry before it is trimmed, in bytes.
pub const TYPED_BYTES_MAX: usize = 2_048;

/// Maximum length of a password hash (a PHC string), in bytes.
pub const PASSWORD_HASH_BYTES_MAX: usize = 256;

/// Largest log index that a request may name. No log reaches it.
pub const INDEX_MAX: u64 = 1 << 62;

const _: () = assert!((FEED_AHEAD_PAGES + 1) * (FEED_PAGE_MAX + 1) <= TIMELINE_WINDOW_MAX);
const _: () = assert!(DEDUP_REQUESTS_MIN + EXPIRE_STEP <= DEDUP_REQUESTS_MAX);
const _: () = assert!(PATH_BYTES_MAX + NODE_BYTES_MAX + 256 <= REQUEST_BYTES_MAX);
const _: () = assert!(4 * MESSAGE_CHARS_MAX + 256 <= REQUEST_BYTES_MAX);
const _: () = assert!(
    4 * (NAME_CHARS_MAX + BIO_CHARS_MAX + EMAIL_CHARS_MAX) + PROFILE_LINKS_MAX * LINK_BYTES_MAX + 256
        <= REQUEST_BYTES_MAX
);
const _: () =
    assert!(4 * APP_NAME_CHARS_MAX + LINK_BYTES_MAX + REDIRECT_BYTES_MAX + 256 <= REQUEST_BYTES_MAX);
const _: () = assert!(
    4 * (NAME_CHARS_MAX + EMAIL_CHARS_MAX) + ROOMS_AT_CREATION_MAX * (USERNAME_CHARS_MAX + 1) + 256
        <= REQUEST_BYTES_MAX
);
const _: () = assert!(ROOMS_PER_PERSON_MAX <= ROOM_NAMES_PAGE_MAX);
const _: () = assert!(SWEEP_STEP >= 2, "a sweep removes rows in pairs");
