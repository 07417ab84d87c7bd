//! Messages of the gRPC chat, as `proto/chat.proto` has them. Pure.

use crate::gateway::grpc::message::{FileFacts, messages};

/// The protocol has no package.
pub(crate) const FILE: FileFacts = FileFacts { name: "chat.proto", package: "" };

/// Status of a reply.
pub mod status {
    pub const SUCCESS: i32 = 0;
    pub const FAILURE: i32 = 1;
    pub const SUCCESS_WITH_DATA: i32 = 2;
}

messages! { FILE:
    LoginRequest = "LoginRequest" { user: String = 1 }
    LoginReply = "LoginReply" { status: i32 = 1, errormessage: String = 2, user: String = 3 }
    LogoutRequest = "LogoutRequest" { user: String = 1 }
    LogoutReply = "LogoutReply" { status: i32 = 1, errormessage: String = 2, user: String = 3 }
    DeleteRequest = "DeleteRequest" { user: String = 1 }
    DeleteReply = "DeleteReply" { status: i32 = 1, errormessage: String = 2, user: String = 3 }
    ListRequest = "ListRequest" { args: String = 1 }
    ListReply = "ListReply" {
        status: i32 = 1,
        errormessage: String = 2,
        wildcard: String = 3,
        user: Vec<String> = 4,
    }
    SendRequest = "SendRequest" { user: String = 1, message: String = 2, target: String = 3 }
    SendReply = "SendReply" {
        status: i32 = 1,
        errormessage: String = 2,
        user: String = 3,
        message: String = 4,
        target: String = 5,
    }
    GetRequest = "GetRequest" { user: String = 1 }
    GetReply = "GetReply" { status: i32 = 1, errormessage: String = 2, message: Vec<ChatMessage> = 3 }
    ChatMessage = "SingleMessage" { sender: String = 1, message: String = 2, receiver: String = 3 }
    BackupRequest = "BackupRequest" {}
    BackupReply = "BackupReply" { status: i32 = 1, errormessage: String = 2, serverinfo: Vec<ServerAddress> = 3 }
    ServerAddress = "ServerInfo" { host: String = 1, port: String = 2 }
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
        let [ada, bob, hi] = ["ada", "bob", "hi"].map(str::to_string);
        let send = SendRequest { user: ada.clone(), message: hi.clone(), target: bob.clone() };
        golden(&send, b"\n\x03ada\x12\x02hi\x1a\x03bob");
        let message = ChatMessage { sender: bob, message: hi, receiver: ada };
        let reply = GetReply {
            status: status::SUCCESS_WITH_DATA,
            errormessage: String::new(),
            message: vec![message, ChatMessage::default()],
        };
        golden(&reply, b"\x08\x02\x1a\x0e\n\x03bob\x12\x02hi\x1a\x03ada\x1a\x00");
        let server = ServerAddress { host: "127.0.0.1".to_string(), port: "50052".to_string() };
        let backups = BackupReply { serverinfo: vec![server], ..Default::default() };
        golden(&backups, b"\x1a\x12\n\t127.0.0.1\x12\x0550052");
        golden(&LoginReply::default(), b"");
    }
}
