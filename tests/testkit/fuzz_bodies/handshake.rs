//! The handshake over real sockets with a peer that has no key. The accepting side sends nothing that is not sealed for its
//! peer, and the dialling side does not accept the peer as a server of the cluster.

use ribbit_net::channel::Channel;
use ribbit_net::frame::{FrameError, Plane};
use ribbit_net::handshake::{self, Accepted, Opening, Preface};
use ribbit_net::join_code::JoinCode;
use ribbit_net::joining::{self, Knock};
use ribbit_net::keys::{KEY_BYTES, Keys};
use ribbit_state::ClusterId;
use smol::future::zip;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::net::{TcpListener, TcpStream};
use std::net::{Ipv4Addr, Shutdown};
use std::sync::LazyLock;

static KEYS: LazyLock<Keys> = LazyLock::new(|| Keys::of_cluster(ClusterId(1), &[1; KEY_BYTES]));

thread_local! {
    static LISTENER: TcpListener = smol::block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
}

pub fn run(data: &[u8]) {
    let Some((kind, bytes)) = data.split_first() else { return };
    LISTENER.with(|listener| {
        smol::block_on(async {
            match kind % 5 {
                0 => acceptor(listener, bytes).await,
                1 => dialler(listener, bytes).await,
                2 => records(listener, bytes).await,
                3 => joiner(listener, bytes).await,
                _ => member(listener, bytes).await,
            }
        });
    });
}

fn address(listener: &TcpListener) -> String {
    listener.local_addr().expect("it listens").to_string()
}

/// Accepts a connection from a peer that sends these bytes.
async fn acceptor(listener: &TcpListener, bytes: &[u8]) {
    let (mut theirs, ours) = both(listener).await;
    // Who accepts may hang up at any byte.
    let _ = theirs.write_all(bytes).await;
    let _ = theirs.shutdown(Shutdown::Write);
    let Ok(Accepted { channel, from, .. }) = accepted(ours).await else { return };
    assert_eq!(from, Ipv4Addr::LOCALHOST, "where somebody comes from is nobody's to say who has no key");
    let Channel { mut reader, .. } = channel;
    let got = reader.read(&mut [0; 64]).await;
    assert!(!got.is_ok_and(|length| length > 0), "nobody has sealed anything for it");
}

async fn both(listener: &TcpListener) -> (TcpStream, TcpStream) {
    let (theirs, ours) = zip(TcpStream::connect(address(listener)), listener.accept()).await;
    (theirs.expect("it listens"), ours.expect("somebody dialled").0)
}

async fn accepted(mut ours: TcpStream) -> Result<Accepted, FrameError> {
    match handshake::read_opening(&mut ours).await? {
        Opening::Ribbit(arrival) => handshake::accept(ours, arrival, &KEYS).await,
        Opening::Http => Err(FrameError::NotRibbit),
    }
}

fn plane_of(byte: u8) -> Plane {
    Plane::of_number(1 + byte % 6).expect("there are six")
}

/// These bytes come from who was dialled: it is none of ours.
async fn dialler(listener: &TcpListener, bytes: &[u8]) {
    let (kind, bytes) = bytes.split_first().map_or((0, bytes), |(kind, rest)| (*kind, rest));
    let address = address(listener);
    let answering = async {
        let (mut stream, _) = listener.accept().await.expect("somebody dials");
        let _ = stream.write_all(bytes).await;
        let _ = stream.shutdown(Shutdown::Write);
        // All bytes of the dialling side are read before this end closes.
        let mut heard = [0; 256];
        while stream.read(&mut heard).await.is_ok_and(|length| length > 0) {}
    };
    let (dialled, ()) = zip(handshake::connect(&address, plane_of(kind), &KEYS), answering).await;
    assert!(dialled.is_err(), "nobody but a server can answer");
}

fn code() -> JoinCode {
    KEYS.join_code(KEYS.id().tag, 7, 19).expect("this key has the tag")
}

/// These bytes are the answers to a server that asks to join. Their sender does not know the code.
async fn joiner(listener: &TcpListener, bytes: &[u8]) {
    let address = address(listener);
    let answering = async {
        let (mut stream, _) = listener.accept().await.expect("somebody dials");
        let _ = stream.write_all(bytes).await;
        let _ = stream.shutdown(Shutdown::Write);
        let mut heard = [0; 256];
        while stream.read(&mut heard).await.is_ok_and(|length| length > 0) {}
    };
    let (got, ()) = zip(joining::fetch(&address, &code()), answering).await;
    assert!(got.is_err(), "no files without the code");
}

/// These bytes come from a server that asks to join without knowing the code.
async fn member(listener: &TcpListener, bytes: &[u8]) {
    let (mut theirs, mut ours) = both(listener).await;
    let preface = Preface { plane: Plane::Join, cluster: None, key: 0 };
    let _ = theirs.write_all(&[&preface.to_bytes()[..], bytes].concat()).await;
    let _ = theirs.shutdown(Shutdown::Write);
    let Ok(Opening::Ribbit(arrival)) = handshake::read_opening(&mut ours).await else { return };
    let Ok(knock) = Knock::read(ours, arrival, &KEYS).await else { return };
    let Ok(meeting) = knock.meet(code()).await else { return };
    assert!(!meeting.is_proven(), "nothing was proven");
}

/// Connects two genuine ends, and replaces what one of them sends by these bytes.
async fn records(listener: &TcpListener, bytes: &[u8]) {
    let (kind, bytes) = bytes.split_first().map_or((0, bytes), |(kind, rest)| (*kind, rest));
    let address = address(listener);
    let accepting = async { accepted(listener.accept().await.expect("somebody dials").0).await };
    let (dialled, accepted) = zip(handshake::connect(&address, plane_of(kind), &KEYS), accepting).await;
    // A machine that is very busy may take longer than a handshake may.
    let (Ok(dialled), Ok(Accepted { channel: Channel { mut reader, .. }, .. })) = (dialled, accepted) else {
        return;
    };
    let mut socket = dialled.writer.socket().clone();
    let _ = socket.write_all(bytes).await;
    let _ = socket.shutdown(Shutdown::Write);
    let got = reader.read(&mut [0; 64]).await;
    assert!(!got.is_ok_and(|length| length > 0), "nobody has sealed anything for it");
}
