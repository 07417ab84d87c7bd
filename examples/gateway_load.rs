//! Loads a gateway with the clients of one older system. `benches/gateway` runs it.
//!
//! ```text
//!   ribbit-tcp  each connection posts as a user of its own, one connection a post
//!   sns         each pair: one posts into its timeline, the other follows it and waits for the post
//!   chat        each pair: one sends, and waits for the reply; the other receives
//!   chirper     each connection posts under a session of its own, one connection a post
//!   grpc-chat   each pair: one sends, the other takes its messages now and then
//!   idle        so many clients of the gRPC chat wait for messages that do not come
//! ```
//!
//! Prints one line: messages, and messages a second.

use clap::Parser;
use smol::future::block_on;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use testkit::chat_client::ChatClient;
use testkit::chirper_client;
use testkit::grpc::{GrpcChannel, fields, text};

#[derive(Debug, Parser)]
struct Options {
    /// ribbit-tcp, sns, chat, chirper, grpc-chat or idle
    protocol: String,
    /// Address of the protocol's last port, HOST:PORT
    address: String,
    #[arg(long, default_value_t = 64)]
    connections: usize,
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
}

/// Number of messages after which a client of the gRPC chat takes its own.
const TAKEN_EVERY: u64 = 20;
/// Number of messages that a writer sends beyond the newest one that its reader has seen.
const AHEAD: u64 = 32;
const PASSWORD: &str = "password1";
const CHIRPER_LOG_IN: i64 = 1;
const CHIRPER_REGISTER: i64 = 3;
const CHIRPER_POST: i64 = 7;

/// Sends one message and returns when it is answered, and an earlier one is shown where the protocol shows them by itself.
type Act = Box<dyn FnMut(u64) + Send>;

fn main() {
    let Options { protocol, address, connections, seconds } = Options::parse();
    let prepare = match protocol.as_str() {
        "ribbit-tcp" => ribbit_tcp,
        "sns" => sns,
        "chat" => chat,
        "chirper" => chirper,
        "grpc-chat" => grpc_chat,
        "idle" => idle,
        other => panic!("{other} is not a protocol"),
    };
    let in_pairs = matches!(protocol.as_str(), "sns" | "chat" | "grpc-chat");
    let acts = if in_pairs { connections / 2 } else { connections };
    let acts: Vec<Act> = (0..acts).map(|number| prepare(&address, number)).collect();
    let (over, sent, began) = (AtomicBool::new(false), AtomicU64::new(0), Instant::now());
    thread::scope(|scope| {
        for mut act in acts {
            let (over, sent) = (&over, &sent);
            scope.spawn(move || {
                for number in 0.. {
                    if over.load(Ordering::Relaxed) {
                        return;
                    }
                    act(number);
                    sent.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        thread::sleep(Duration::from_secs_f64(seconds));
        over.store(true, Ordering::Relaxed);
    });
    let (sent, took) = (sent.load(Ordering::Relaxed), began.elapsed().as_secs_f64());
    println!(
        "{protocol}: {sent} messages over {connections} connections, {:.0} a second",
        sent as f64 / took
    );
}

/// Sends one request on a connection of its own and returns the answer.
fn one_shot(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("the port accepts");
    stream.write_all(request.as_bytes()).expect("the server reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the server answers");
    answer
}

fn ribbit_tcp(address: &str, number: usize) -> Act {
    let (address, user) = (address.to_string(), format!("tcp{number}"));
    let created = one_shot(&address, &format!("create,{user},Frog,{user}@pond,{PASSWORD}"));
    assert!(created == "200" || created == "607", "{created}");
    assert_eq!(one_shot(&address, &format!("login,{user},{PASSWORD}")), "200");
    Box::new(move |message| {
        assert_eq!(one_shot(&address, &format!("post,message {message},{user}")), "200");
    })
}

fn sns(address: &str, number: usize) -> Act {
    let channel = || block_on(GrpcChannel::connect(address)).expect("a gateway listens");
    let (writes, reads) = (channel(), channel());
    let (writer, reader) = (format!("sns{number}-a"), format!("sns{number}-b"));
    let call = |channel: &GrpcChannel, method: &str, message: &[(u32, &str)]| {
        block_on(channel.call(&format!("/SNS.SNSService/{method}"), &text(message))).expect("it is answered");
    };
    call(&writes, "Login", &[(1, &writer)]);
    call(&reads, "Login", &[(1, &reader)]);
    call(&reads, "Follow", &[(1, &reader), (2, &writer)]);
    let timeline = |channel: &GrpcChannel, name: &str| {
        let mut stream = block_on(channel.open("/SNS.SNSService/Timeline")).expect("a stream");
        block_on(stream.send(&text(&[(1, name)])));
        stream
    };
    let (mut posts, mut shows) = (timeline(&writes, &writer), timeline(&reads, &reader));
    Box::new(move |message| {
        let _open = (&writes, &reads);
        let words = |message: u64| format!("message {message} of {number}");
        block_on(async {
            posts.send(&text(&[(1, &writer), (2, &words(message))])).await;
            let Some(due) = message.checked_sub(AHEAD).map(words) else { return };
            loop {
                let shown = shows.next().await.expect("the stream goes on");
                if fields(&shown).iter().any(|(_, field)| *field == due) {
                    return;
                }
            }
        });
    })
}

fn chat(address: &str, number: usize) -> Act {
    let enter = |name: &str| {
        let mut client = ChatClient::connect(address);
        client.send(&format!("1|{name}"));
        assert_eq!(client.receive().status, 0);
        client
    };
    let (writer, reader) = (format!("chat{number}-a"), format!("chat{number}-b"));
    let (mut writes, mut reads) = (enter(&writer), enter(&reader));
    Box::new(move |message| {
        writes.ask(&format!("3|{reader}|message {message}"), 0, &format!("Message sent to {reader}."));
        if let Some(due) = message.checked_sub(AHEAD) {
            reads.chats(&format!("{writer}|message {due}"));
        }
    })
}

fn chirper(address: &str, number: usize) -> Act {
    let (address, user) = (address.to_string(), format!("chirper{number}"));
    let form = [("Method", "POST"), ("Username", user.as_str()), ("Password", PASSWORD)];
    chirper_client::ask(&address, "", CHIRPER_REGISTER, &form);
    let session = chirper_client::ask(&address, "", CHIRPER_LOG_IN, &form).session;
    assert!(!session.is_empty(), "the log-in was refused");
    Box::new(move |message| {
        let status = format!("message {message}");
        chirper_client::ask(&address, &session, CHIRPER_POST, &[("Status", &status)]);
    })
}

async fn handler(channel: &GrpcChannel, method: &str, message: &[(u32, &str)]) -> Vec<u8> {
    channel.call(&format!("/ClientHandler/{method}"), &text(message)).await.expect("it is answered")
}

fn grpc_chat(address: &str, number: usize) -> Act {
    let channel = || block_on(GrpcChannel::connect(address)).expect("a gateway listens");
    let (writes, reads) = (channel(), channel());
    let (writer, reader) = (format!("grpc{number}a"), format!("grpc{number}b"));
    block_on(handler(&writes, "Login", &[(1, &writer)]));
    block_on(handler(&reads, "Login", &[(1, &reader)]));
    Box::new(move |message| {
        let words = format!("message {message}");
        block_on(async {
            handler(&writes, "Send", &[(1, &writer), (2, &words), (3, &reader)]).await;
            if message % TAKEN_EVERY == TAKEN_EVERY - 1 {
                handler(&reads, "GetMessages", &[(1, &reader)]).await;
            }
        });
    })
}

fn idle(address: &str, number: usize) -> Act {
    let channel = block_on(GrpcChannel::connect(address)).expect("a gateway listens");
    let user = format!("idle{number}");
    block_on(handler(&channel, "Login", &[(1, &user)]));
    Box::new(move |_| drop(block_on(handler(&channel, "GetMessages", &[(1, &user)]))))
}
