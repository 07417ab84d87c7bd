//! Messages of Tiny SNS, as `proto/sns.proto` has them. Pure.

use crate::gateway::grpc::message::{FileFacts, enumeration, messages};

pub(crate) const FILE: FileFacts = FileFacts { name: "sns.proto", package: "SNS" };
const TIMESTAMP_FILE: FileFacts =
    FileFacts { name: "google/protobuf/timestamp.proto", package: "google.protobuf" };

messages! { TIMESTAMP_FILE:
    Timestamp = "Timestamp" { seconds: i64 = 1, nanos: i32 = 2 }
}

messages! { FILE:
    Empty = "Empty" {}
    ClientId = "ID" { id: i32 = 1 }
    ServerInfo = "ServerInfo" {
        serverid: i32 = 1,
        clusterid: i32 = 2,
        hostname: String = 3,
        port: String = 4,
        r#type: String = 5,
        registered: bool = 6,
        changed: bool = 7,
    }
    Request = "Request" {
        username: String = 1,
        arguments: Vec<String> = 2,
        timestamp: Option<Timestamp> = 3,
        message: Option<Post> = 4,
        from_server: bool = 5,
    }
    Reply = "Reply" { msg: String = 1, status: ReplyStatus = 2 }
    ListReply = "ListReply" {
        all_users: Vec<String> = 1,
        followers: Vec<String> = 2,
        following: Vec<String> = 3,
        status: ReplyStatus = 4,
    }
    Post = "Message" { username: String = 1, msg: String = 2, timestamp: Option<Timestamp> = 3 }
}

enumeration! { FILE:
    /// Result of a request.
    ReplyStatus = "Status" {
        Success = "SUCCESS" = 0,
        AlreadyExists = "ALREADY_EXISTS" = 1,
        NotExists = "NOT_EXISTS" = 2,
        InvalidUsername = "INVALID_USERNAME" = 3,
        NotAFollower = "NOT_A_FOLLOWER" = 4,
        Invalid = "INVALID" = 5,
        Unknown = "UNKNOWN" = 6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::grpc::message::Message;

    /// Asserts that a message has these bytes, which Google's implementation writes for it.
    fn golden<M: Message + PartialEq + std::fmt::Debug>(message: &M, bytes: &[u8]) {
        assert_eq!(String::from_utf8_lossy(&message.encode()), String::from_utf8_lossy(bytes));
        assert_eq!(&M::decode(bytes).unwrap(), message);
    }

    #[test]
    fn messages_have_their_bytes() {
        golden(&Empty {}, b"");
        golden(&ClientId { id: 0 }, b"");
        golden(&ClientId { id: 300 }, b"\x08\xac\x02");
        golden(&ClientId { id: -1 }, b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
        let info = ServerInfo {
            serverid: 1,
            clusterid: 2,
            hostname: "ipv4:10.0.0.1:10000,10.0.0.2".to_string(),
            port: "10000".to_string(),
            r#type: "master".to_string(),
            registered: true,
            changed: true,
        };
        golden(
            &info,
            b"\x08\x01\x10\x02\x1a\x1cipv4:10.0.0.1:10000,10.0.0.2\"\x0510000*\x06master0\x018\x01",
        );
        let timestamp = |seconds, nanos| Some(Timestamp { seconds, nanos });
        let post =
            Post { username: "ada".to_string(), msg: "h\u{e9}".to_string(), timestamp: timestamp(1, 0) };
        let request = Request {
            username: "ada".to_string(),
            arguments: vec!["bob".to_string(), String::new()],
            timestamp: timestamp(1_700_000_000, 5),
            message: Some(post),
            from_server: false,
        };
        golden(
            &request,
            b"\n\x03ada\x12\x03bob\x12\x00\x1a\x08\x08\x80\xe2\xcf\xaa\x06\x10\x05\"\x0e\n\x03ada\x12\x03h\xc3\xa9\x1a\x02\x08\x01",
        );
        let reply = |msg: &str, status| Reply { msg: msg.to_string(), status };
        golden(&reply("Successfully followed bob", ReplyStatus::Success), b"\n\x19Successfully followed bob");
        golden(&reply("no", ReplyStatus::Invalid), b"\n\x02no\x10\x05");
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        let list = ListReply {
            all_users: names(&["ada", "bob"]),
            followers: names(&["bob"]),
            following: Vec::new(),
            status: ReplyStatus::Success,
        };
        golden(&list, b"\n\x03ada\n\x03bob\x12\x03bob");
    }

    #[test]
    fn a_post_that_was_cut_inside_a_character_is_read() {
        let post = Post::decode(b"\n\x03ada\x12\x03hi\xc3").unwrap();
        assert_eq!(post.msg, "hi\u{fffd}");
    }

    #[test]
    fn fields_that_are_unknown_or_come_twice_are_no_error() {
        assert_eq!(ClientId::decode(b"\x08\x01\x7a\x02hi\x08\x02").unwrap(), ClientId { id: 2 });
        assert!(ClientId::decode(b"\n\x01\x01").is_err(), "a string in place of a number");
    }
}
