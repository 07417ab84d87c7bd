//! Names of streams: what a client may follow, and which events and permissions belong to it. Pure.

use ribbit_state::caches::words::tag_named;
use ribbit_state::{TokenHash, Topic};

/// A stream that a client follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum StreamName {
    /// The client's feed and notifications.
    User,
    /// The client's notifications alone.
    UserNotification,
    /// Croaks of everyone. There are no other sites, so the local ones are all.
    Public { local: bool },
    /// Croaks of everyone with a tag.
    Hashtag { local: bool, tag: String },
    /// The client's conversations.
    Direct,
}

impl StreamName {
    /// Returns the stream of this name. `tag` is the parameter of streams of tags, with or without its `#`.
    pub(super) fn parse(name: &str, tag: Option<&str>) -> Option<StreamName> {
        let tagged = |local| Some(StreamName::Hashtag { local, tag: tag_named(tag?)? });
        match name {
            "user" => Some(StreamName::User),
            "user:notification" => Some(StreamName::UserNotification),
            "public" => Some(StreamName::Public { local: false }),
            "public:local" => Some(StreamName::Public { local: true }),
            "hashtag" => tagged(false),
            "hashtag:local" => tagged(true),
            "direct" => Some(StreamName::Direct),
            _ => None,
        }
    }

    /// Returns the stream at a path below `/api/v1/streaming/`.
    pub(super) fn at_path(path: &str, tag: Option<&str>) -> Option<StreamName> {
        StreamName::parse(&path.replace('/', ":"), tag)
    }

    /// Returns the name as a message of a WebSocket lists it, with the tag behind it.
    pub(super) fn parts(&self) -> Vec<&str> {
        match self {
            StreamName::User => vec!["user"],
            StreamName::UserNotification => vec!["user:notification"],
            StreamName::Public { local: false } => vec!["public"],
            StreamName::Public { local: true } => vec!["public:local"],
            StreamName::Hashtag { local: false, tag } => vec!["hashtag", tag],
            StreamName::Hashtag { local: true, tag } => vec!["hashtag:local", tag],
            StreamName::Direct => vec!["direct"],
        }
    }

    /// Returns the events that the stream is made from.
    pub(super) fn topic(&self, session: TokenHash) -> Topic {
        match self {
            StreamName::User | StreamName::UserNotification | StreamName::Direct => Topic::feed(session),
            StreamName::Public { .. } | StreamName::Hashtag { .. } => {
                Topic::Feed { session, croaks: Vec::new(), everyone: true }
            }
        }
    }

    /// Returns true if the stream has statuses, and not notifications alone.
    pub(super) fn has_statuses(&self) -> bool {
        !matches!(self, StreamName::UserNotification)
    }

    /// Returns true if the stream has notifications.
    pub(super) fn has_notifications(&self) -> bool {
        matches!(self, StreamName::User | StreamName::UserNotification)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_known_by_name_and_by_path() {
        for (name, path) in [
            ("user", "user"),
            ("user:notification", "user/notification"),
            ("public", "public"),
            ("public:local", "public/local"),
            ("hashtag", "hashtag"),
            ("hashtag:local", "hashtag/local"),
            ("direct", "direct"),
        ] {
            let stream = StreamName::parse(name, Some("Rain")).unwrap();
            assert_eq!(StreamName::at_path(path, Some("#rain")), Some(stream.clone()));
            assert_eq!(stream.parts()[0], name);
        }
        for name in ["", "list", "User", "public:remote", "user/notification/"] {
            assert_eq!(StreamName::parse(name, None), None, "{name}");
        }
    }

    #[test]
    fn a_stream_of_a_tag_needs_one_tag() {
        for (tag, folded) in [("rain", "rain"), ("#Rain", "rain"), ("RAIN", "rain")] {
            let stream = StreamName::parse("hashtag", Some(tag)).unwrap();
            assert_eq!(stream.parts(), ["hashtag", folded]);
        }
        for wrong in [None, Some(""), Some("#"), Some("two tags"), Some("a#b"), Some("!")] {
            assert_eq!(StreamName::parse("hashtag", wrong), None, "{wrong:?}");
        }
    }
}
