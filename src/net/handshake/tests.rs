//! Handshakes over real sockets, and manipulation of them on the way.

use super::*;
use crate::frame::{read, write};
use crate::key_ring::{ClusterKey, KeyRing};
use crate::limits::{RECORD_BYTES_MAX, REKEY_RECORDS};
use async_net::TcpListener;
use smol::future::zip;
use std::net::Shutdown;

const CLUSTER: ClusterId = ClusterId(7);

fn cluster(key: u8) -> Keys {
    Keys::of_cluster(CLUSTER, &[key; 32])
}

/// Connects and accepts over TCP, and returns the results of the dialler and of the acceptor.
async fn meet(
    plane: Plane,
    dialler: &Keys,
    acceptor: &Keys,
) -> (Result<Channel, FrameError>, Result<Channel, FrameError>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let accepting = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        match read_opening(&mut stream).await? {
            Opening::Ribbit(arrival) => Ok(accept(stream, arrival, acceptor).await?.channel),
            Opening::Http => Err(FrameError::NotRibbit),
        }
    };
    zip(connect(&address, plane, dialler), accepting).await
}

#[test]
fn prefaces_are_decoded_and_invalid_ones_refused() {
    let preface = Preface { plane: Plane::Control, cluster: Some(CLUSTER), key: 0 };
    assert_eq!(Preface::parse(&preface.to_bytes()).unwrap(), preface);
    let unknown = Preface { cluster: None, ..preface };
    assert_eq!(Preface::parse(&unknown.to_bytes()).unwrap(), unknown);
    let with = |at: usize, byte: u8| {
        let mut bytes = preface.to_bytes();
        bytes[at] = byte;
        Preface::parse(&bytes)
    };
    assert!(matches!(with(0, b'R'), Err(FrameError::NotRibbit)));
    assert!(matches!(with(6, 2), Err(FrameError::OtherVersion(2))));
    assert!(matches!(with(7, 0), Err(FrameError::Malformed)));
}

#[test]
fn both_sides_can_talk_on_every_plane_for_which_they_have_the_keys() {
    let pinned = Keys::pinned(cluster(1).public().unwrap());
    use Plane::{Client, Control, Directory, Peer, Snapshot, Status};
    for plane in [Peer, Client, Control, Snapshot, Status, Directory] {
        for dialler in [cluster(1), pinned.clone()] {
            if plane.is_closed() && dialler.cluster().is_none() {
                let one = smol::block_on(connect("127.0.0.1:1", plane, &dialler));
                assert!(matches!(one, Err(FrameError::NoKey)), "{plane:?}: {one:?}");
                continue;
            }
            let (one, other) = smol::block_on(meet(plane, &dialler, &cluster(1)));
            let (mut one, mut other) = (one.unwrap(), other.unwrap());
            smol::block_on(async {
                write(&mut one.writer, &"over there".to_string()).await.unwrap();
                assert_eq!(read::<String, _>(&mut other.reader, 64).await.unwrap(), "over there");
                write(&mut other.writer, &"and back".to_string()).await.unwrap();
                assert_eq!(read::<String, _>(&mut one.reader, 64).await.unwrap(), "and back");
            });
        }
    }
}

#[test]
fn a_side_with_another_key_is_refused() {
    for plane in [Plane::Peer, Plane::Control, Plane::Snapshot] {
        let (one, other) = smol::block_on(meet(plane, &cluster(1), &cluster(2)));
        assert!(matches!(one, Err(FrameError::OtherKey)), "{plane:?}: {one:?}");
        assert!(matches!(other, Err(FrameError::OtherKey)), "{plane:?}: {other:?}");
    }
    let pinned = Keys::pinned(cluster(1).public().unwrap());
    for dialler in [cluster(1), pinned] {
        let (one, _) = smol::block_on(meet(Plane::Client, &dialler, &cluster(2)));
        assert!(matches!(one, Err(FrameError::Mistrusted(_))), "{one:?}");
    }
}

#[test]
fn the_error_for_another_cluster_names_both_clusters() {
    let elsewhere = Keys::of_cluster(ClusterId(8), &[1; 32]);
    for plane in [Plane::Peer, Plane::Client] {
        let (one, other) = smol::block_on(meet(plane, &cluster(1), &elsewhere));
        assert!(
            matches!(one, Err(FrameError::OtherCluster { theirs: ClusterId(8), ours: CLUSTER })),
            "{one:?}"
        );
        let words = other.unwrap_err().to_string();
        assert!(words.contains(&CLUSTER.to_string()) && words.contains(&ClusterId(8).to_string()), "{words}");
    }
}

/// An attacker in between changes the plane, the cluster or the key of the dialler.
#[test]
fn a_handshake_that_was_changed_on_the_way_fails() {
    smol::block_on(async {
        for at in [7, HEAD_BYTES, PREFACE_BYTES - 1, PREFACE_BYTES, PREFACE_BYTES + 31] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap().to_string();
            let accepting = async {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut bytes = [0; PREFACE_BYTES + KEY];
                stream.read_exact(&mut bytes).await.unwrap();
                // The plane from client to status, the cluster from unknown to known, or the key of the dialler.
                bytes[at] = if at == 7 { Plane::Status as u8 } else { bytes[at] ^ 1 };
                let (head, first) = bytes.split_at(PREFACE_BYTES);
                let mut preface = Preface::parse(head.try_into().unwrap()).unwrap();
                let own = cluster(1).open(preface.key).unwrap();
                let answered = answer(preface, first, &own, CLUSTER);
                let Ok((_, second, _)) = answered else { return };
                // The attacker undoes the change in the answer.
                preface = Preface { plane: Plane::Client, cluster: Some(CLUSTER), key: 0 };
                stream.write_all(&[&preface.to_bytes()[..], &second].concat()).await.unwrap();
            };
            let pinned = Keys::pinned(cluster(1).public().unwrap());
            let (one, ()) = zip(connect(&address, Plane::Client, &pinned), accepting).await;
            assert!(one.is_err(), "byte {at} was changed");
        }
    });
}

#[test]
fn another_version_is_answered_with_this_version() {
    smol::block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let accepting = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            read_opening(&mut stream).await
        };
        let dialling = async {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(b"ribbit\x02\x02").await.unwrap();
            let mut answer = [0; HEAD_BYTES];
            stream.read_exact(&mut answer).await.unwrap();
            answer
        };
        let (accepted, answer) = zip(accepting, dialling).await;
        assert!(matches!(accepted, Err(FrameError::OtherVersion(2))), "{accepted:?}");
        assert_eq!(answer[6], WIRE_VERSION);
    });
}

#[test]
fn long_and_many_records_arrive_in_order_over_new_keys() {
    smol::block_on(async {
        let (one, other) = meet(Plane::Peer, &cluster(1), &cluster(1)).await;
        let (mut one, mut other) = (one.unwrap(), other.unwrap());
        let long = vec![9u8; 5 * RECORD_BYTES_MAX];
        let rounds = 2 * REKEY_RECORDS + 3;
        let writing = async {
            write(&mut one.writer, &long).await.unwrap();
            for number in 0..rounds {
                write(&mut one.writer, &number).await.unwrap();
            }
            one.writer.socket().shutdown(Shutdown::Write).unwrap();
        };
        let reading = async {
            assert_eq!(read::<Vec<u8>, _>(&mut other.reader, 1 << 20).await.unwrap(), long);
            for number in 0..rounds {
                assert_eq!(read::<u32, _>(&mut other.reader, 64).await.unwrap(), number);
            }
            assert!(matches!(read::<u32, _>(&mut other.reader, 64).await, Err(FrameError::Closed)));
            assert!(other.reader.is_empty());
        };
        zip(writing, reading).await;
    });
}

#[test]
fn only_a_balancer_with_the_cluster_key_can_name_the_client_address() {
    // The key of the balancer, the byte of its statement that is changed, and whether the statement is accepted.
    let somewhere: IpAddr = "192.0.2.7".parse().unwrap();
    for (keys, changed, believed) in [
        (1, None, true),
        (2, None, false),
        (1, Some(HEAD_BYTES + 15), false),
        (1, Some(HEAD_BYTES + 16), false),
    ] {
        smol::block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap().to_string();
            let carrying = async {
                let prologue = Preface { plane: Plane::Client, cluster: None, key: 0 };
                let mut state = Side::Dialler.build(Plane::Client, &prologue.to_bytes(), None);
                let first = written(&mut state, &[]).unwrap();
                let seal = cluster(keys).seal(&sealed_bytes(somewhere, &first)).unwrap();
                let mut bytes = [&PROXY_HEAD[..], &address_bytes(somewhere), &seal].concat();
                if let Some(at) = changed {
                    bytes[at] ^= 1;
                }
                bytes.extend(prologue.to_bytes());
                bytes.extend(first);
                let mut stream = TcpStream::connect(address).await.unwrap();
                stream.write_all(&bytes).await.unwrap();
                stream
            };
            let accepting = async {
                let (mut stream, _) = listener.accept().await.unwrap();
                let Opening::Ribbit(arrival) = read_opening(&mut stream).await.unwrap() else { panic!() };
                accept(stream, arrival, &cluster(1)).await
            };
            let (accepted, _stream) = zip(accepting, carrying).await;
            match accepted {
                Ok(accepted) => assert!(believed && accepted.from == somewhere, "{keys} {changed:?}"),
                Err(error) => assert!(!believed && matches!(error, FrameError::OtherKey), "{error:?}"),
            }
        });
    }
}

#[test]
fn a_record_that_was_changed_repeated_or_cut_ends_the_connection() {
    smol::block_on(async {
        for harm in ["changed", "repeated", "left out", "cut", "endless", "empty"] {
            let (one, other) = meet(Plane::Peer, &cluster(1), &cluster(1)).await;
            let (one, mut other) = (one.unwrap(), other.unwrap());
            // The dialler encrypts the records, and they are sent to the acceptor changed.
            let (mut first, mut second) = (Vec::new(), Vec::new());
            one.writer.seal_for_tests(b"\x04\0\0\0wait", &mut first);
            one.writer.seal_for_tests(b"\x04\0\0\0more", &mut second);
            let bytes = match harm {
                "changed" => {
                    first[10] ^= 1;
                    first
                }
                "repeated" => [first.clone(), first].concat(),
                "left out" => second,
                "cut" => first[..9].to_vec(),
                "endless" => vec![0xff; 64],
                _ => vec![16, 0],
            };
            let mut raw = one.writer.socket().clone();
            raw.write_all(&bytes).await.unwrap();
            raw.shutdown(Shutdown::Write).unwrap();
            let mut got = frame::read_bytes(&mut other.reader, 64).await;
            if harm == "repeated" {
                assert_eq!(got.unwrap(), b"wait");
                got = frame::read_bytes(&mut other.reader, 64).await;
            }
            let kind = match got {
                Err(FrameError::Io(error)) => error.kind(),
                // A truncated record is an unexpected end.
                Err(FrameError::Closed) if harm == "cut" => continue,
                other => panic!("{harm}: {other:?}"),
            };
            assert_eq!(kind, std::io::ErrorKind::InvalidData, "{harm}");
        }
    });
}

fn ring(accepts_old: bool) -> Keys {
    let first = KeyRing::first([1; 32]);
    let next = first.with(&ClusterKey { generation: 2, secret: [2; 32] }).unwrap();
    Keys::of_ring(CLUSTER, if accepts_old { next } else { next.settled() })
}

#[test]
fn members_talk_while_their_key_is_replaced() {
    // The steps of a rotation: only the old key, both, only the new one. Members are at most one step apart.
    let steps = || [cluster(1), ring(true), ring(false)];
    for (at, dialler) in steps().iter().enumerate() {
        for (other, acceptor) in steps().iter().enumerate() {
            let one = smol::block_on(dialled(dialler, acceptor));
            assert_eq!(one.is_ok(), at.abs_diff(other) < 2, "{at} {other}: {one:?}");
        }
    }
}

/// Connects to an acceptor that accepts again and again, since the dialler may try two keys.
async fn dialled(dialler: &Keys, acceptor: &Keys) -> Result<Channel, FrameError> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let accepting = async {
        let mut kept = Vec::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let Opening::Ribbit(arrival) = read_opening(&mut stream).await.unwrap() else { panic!() };
            kept.push(accept(stream, arrival, acceptor).await);
        }
    };
    smol::future::or(connect(&address, Plane::Peer, dialler), accepting).await
}

#[test]
fn a_client_with_the_old_key_learns_the_new_one_when_the_rotation_is_complete() {
    let (old, new) = (cluster(1).public().unwrap(), cluster(2).public().unwrap());
    let pinned = Keys::pinned(old);
    smol::block_on(async {
        let (one, _) = meet(Plane::Client, &pinned, &ring(true)).await;
        assert!(one.is_ok());
        assert_eq!(pinned.public(), Some(old), "some servers may not have the new key yet");
        let (one, _) = meet(Plane::Client, &pinned, &ring(false)).await;
        assert!(one.is_ok());
        assert_eq!(pinned.public(), Some(new));
        let (one, _) = meet(Plane::Client, &pinned, &ring(true)).await;
        assert!(one.is_ok(), "a server that has not noticed the end yet");
        assert_eq!(pinned.public(), Some(new));
        let (one, _) = meet(Plane::Client, &pinned, &cluster(1)).await;
        assert!(matches!(one, Err(FrameError::Mistrusted(_))), "the old key opens nothing any more: {one:?}");
    });
}

#[test]
fn a_connection_under_the_old_key_is_noticed_when_that_is_refused() {
    smol::block_on(async {
        let acceptor = ring(true);
        let tag = cluster(1).public().unwrap().tag();
        let late = async {
            smol::Timer::after(std::time::Duration::from_millis(50)).await;
            false
        };
        let refused = async {
            acceptor.refused(tag).await;
            true
        };
        assert!(!smol::future::or(refused, late).await);
        let settled = acceptor.ring().unwrap().settled();
        let settling = async { acceptor.adopt(settled) };
        zip(acceptor.refused(tag), settling).await;
    });
}
