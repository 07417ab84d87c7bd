//! The exchange over real sockets, between sides with the same code and with different ones.

use super::*;
use crate::handshake::Opening;
use async_net::TcpListener;
use ribbit_state::{ClusterId, Code};
use smol::future::zip;
use std::net::Ipv4Addr;

fn keys() -> Keys {
    Keys::of_cluster(ClusterId(7), &[1; KEY_BYTES])
}

fn code(nonce: u128) -> JoinCode {
    keys().join_code(keys().id().tag, nonce, 19).unwrap()
}

fn files() -> JoinFiles {
    JoinFiles { cluster_file: "NAME=frogs\n".into(), members: vec!["board1:10001".into()] }
}

async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

async fn knock(listener: &TcpListener) -> Result<Knock, FrameError> {
    let (mut stream, _) = listener.accept().await.unwrap();
    match handshake::read_opening(&mut stream).await? {
        Opening::Ribbit(arrival) => Knock::read(stream, arrival, &keys()).await,
        Opening::Http => Err(FrameError::NotRibbit),
    }
}

/// Lets a joiner with one code meet a member with another. The member gives the files if the joiner proves its code.
fn meet(joiner: JoinCode, member: JoinCode) -> (Result<JoinFiles, JoinError>, bool) {
    smol::block_on(async {
        let (listener, address) = listener().await;
        let answering = async {
            let knock = knock(&listener).await.unwrap();
            assert_eq!((knock.slot(), knock.from()), (19, IpAddr::from(Ipv4Addr::LOCALHOST)));
            let meeting = knock.meet(member).await.unwrap();
            let is_proven = meeting.is_proven();
            match is_proven {
                true => meeting.give(&files()).await.unwrap(),
                false => {
                    let denied = Denied::new(Code::JoinCodeWrong);
                    meeting.refuse(JoinAnswer::Refused(denied)).await.unwrap();
                }
            }
            is_proven
        };
        zip(fetch(&address, &joiner), answering).await
    })
}

#[test]
fn the_right_code_gets_the_files_and_a_wrong_one_is_noticed() {
    let (got, proven) = meet(code(1), code(1));
    assert!(proven && got.is_ok_and(|got| got == files()));
    let (got, proven) = meet(code(2), code(1));
    assert!(!proven);
    assert!(matches!(got, Err(JoinError::Refused(Denied { code: Code::JoinCodeWrong, .. }))));
}

/// A member that does not know the code claims that the proof was right, and sends a proof of its own.
#[test]
fn an_impostor_without_the_code_is_noticed_before_its_files_are_read() {
    let got = smol::block_on(async {
        let (listener, address) = listener().await;
        let answering = async {
            let mut meeting = knock(&listener).await.unwrap().meet(code(2)).await.unwrap();
            assert!(!meeting.is_proven());
            let proof = vec![9; PROOF_BYTES];
            frame::write(&mut meeting.stream, &JoinAnswer::Message(proof)).await.unwrap();
            let denied = meeting.give(&files()).await;
            assert!(matches!(denied, Err(FrameError::Malformed)), "the files are for a proven code only");
        };
        zip(fetch(&address, &code(1)), answering).await.0
    });
    assert!(matches!(got, Err(JoinError::Impostor)));
}

/// The proof covers what both sides said before it: one in between that changes any of it is noticed.
#[test]
fn what_is_changed_on_the_way_ends_the_exchange() {
    for (side, at) in [(0, 8), (0, PREFACE_BYTES), (0, PREFACE_BYTES + 9), (1, 8), (1, PREFACE_BYTES + 20)] {
        let (got, proven) = smol::block_on(async {
            let (listener, address) = listener().await;
            let (between, entrance) = self::listener().await;
            let answering = async {
                let meeting = knock(&listener).await.ok()?.meet(code(1)).await.ok()?;
                let is_proven = meeting.is_proven();
                match is_proven {
                    true => meeting.give(&files()).await.ok()?,
                    false => {
                        meeting.refuse(JoinAnswer::Refused(Denied::new(Code::JoinCodeWrong))).await.ok()?;
                    }
                }
                Some(is_proven)
            };
            let forwarding = async {
                let (joiner, _) = between.accept().await.unwrap();
                let member = TcpStream::connect(&address).await.unwrap();
                let up = forward(joiner.clone(), member.clone(), (side == 0).then_some(at));
                let down = forward(member, joiner, (side == 1).then_some(at));
                zip(up, down).await;
            };
            let (got, (proven, ())) = zip(fetch(&entrance, &code(1)), zip(answering, forwarding)).await;
            (got, proven)
        });
        assert!(got.is_err(), "{side} {at}");
        assert_ne!(proven, Some(true), "{side} {at}");
    }
}

/// Copies bytes one way, and changes the one at `at`.
async fn forward(mut from: TcpStream, mut to: TcpStream, at: Option<usize>) {
    let (mut buffer, mut seen) = ([0; 512], 0);
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        if let Some(at) = at.and_then(|at| at.checked_sub(seen)).filter(|at| *at < length) {
            buffer[at] ^= 1;
        }
        seen += length;
        if to.write_all(&buffer[..length]).await.is_err() {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Both);
    let _ = from.shutdown(std::net::Shutdown::Both);
}

#[test]
fn debug_shows_no_code() {
    assert_eq!(format!("{:?}", code(1)), "JoinCode K…");
}
