//! The Raft task on a disk with blocked reads.

use raft::eraftpb::MessageType;
use redb::{Database, StorageBackend};
use ribbit_db::{Configuration, DbError, Disk, Identity, Store, StoreFile};
use ribbit_replica::{Core, CoreOptions, Envelope, RaftMessage, Replica, Transport, Writer, convert};
use ribbit_state::{ClusterId, HOME_REGION, HistoryId, RaftId, Role};
use smol::channel::{Receiver, Sender};
use std::io;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};
use testkit::rig::{ME, request};
use testkit::sim::disk::SimDisk;

/// Gate that blocks reads while it is shut.
#[derive(Debug, Clone, Default)]
struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    fn set(&self, shut: bool) {
        *self.0.0.lock().unwrap() = shut;
        self.0.1.notify_all();
    }
    fn pass(&self) {
        drop(self.0.1.wait_while(self.0.0.lock().unwrap(), |shut| *shut).unwrap());
    }
}

/// Disk with a gate in front of the reads of its log; writes are not blocked.
struct Gated(SimDisk, Gate);

#[derive(Debug)]
struct GatedLog(Box<dyn StorageBackend>, Gate);

impl StorageBackend for GatedLog {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.1.pass();
        self.0.read(offset, out)
    }
    fn set_len(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }
    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write(offset, bytes)
    }
}

impl Disk for Gated {
    fn open(&self, which: StoreFile) -> Result<Database, DbError> {
        self.0.open(which)
    }
    fn log_segments(&self) -> Result<Vec<u64>, DbError> {
        self.0.log_segments()
    }
    fn open_segment(&self, number: u64) -> Result<Box<dyn StorageBackend>, DbError> {
        Ok(Box::new(GatedLog(self.0.open_segment(number)?, self.1.clone())))
    }
    fn recycle_segment(&self, number: u64, next: u64) -> Result<Box<dyn StorageBackend>, DbError> {
        Ok(Box::new(GatedLog(self.0.recycle_segment(number, next)?, self.1.clone())))
    }
    fn remove_segment(&self, number: u64) -> Result<(), DbError> {
        self.0.remove_segment(number)
    }
    fn discard_incoming(&self) -> Result<(), DbError> {
        self.0.discard_incoming()
    }
    fn promote_incoming(&self) -> Result<(), DbError> {
        self.0.promote_incoming()
    }
}

struct Sent(Sender<RaftMessage>);

impl Transport for Sent {
    fn send(&self, _: RaftId, envelope: Envelope) {
        if let Envelope::Raft(bytes) = envelope {
            let message = convert::message_from_bytes(&bytes).expect("a message");
            self.0.try_send(message).expect("unbounded");
        }
    }
    fn send_snapshot(&self, _: RaftId, _: RaftMessage) -> bool {
        false
    }
}

fn start(gate: &Gate) -> (Replica, Receiver<RaftMessage>) {
    let mut store = Store::open(Gated(SimDisk::default(), gate.clone())).expect("an empty disk opens");
    let (cluster, history, role) = (ClusterId(1), HistoryId(2), Role::Backend);
    let configuration = Configuration { voters: vec![ME, 2, 3], ..Configuration::default() };
    let identity = Identity { cluster, history, raft_id: ME, role, region: HOME_REGION, id: 1 };
    store.identify(identity, Some(&configuration)).expect("a good disk");
    let (loaded, reader) = (store.loaded().expect("a good disk"), store.reader());
    let options = CoreOptions { me: ME, role, seed: 7, campaign: false, evict_ticks: 400 };
    let mut core = Core::new(options, reader, &loaded, Vec::new()).expect("a good store");
    core.set_tail_bytes_max(0);
    let ((sender, sent), (failed, _)) = (smol::channel::unbounded(), smol::channel::bounded(1));
    let (replica, raft) = Replica::start(core, Writer::new(store), Sent(sender), failed).expect("a thread");
    smol::spawn(raft).detach();
    (replica, sent)
}

/// Plays the other members: 2 follows; 3 answers heartbeats, but receives no entries. Returns the number of heartbeats to 3,
/// and the first index of the last append to 3.
async fn play(replica: &Replica, sent: &Receiver<RaftMessage>, until: Instant) -> (usize, Option<u64>) {
    let (mut beats, mut appended) = (0, None);
    while let Some(message) = smol::future::or(async { sent.recv().await.ok() }, async {
        smol::Timer::at(until).await;
        None
    })
    .await
    {
        let mut back = RaftMessage::new();
        (back.from, back.to, back.term) = (message.to, ME, message.term);
        back.set_msg_type(match message.msg_type() {
            MessageType::MsgRequestPreVote => MessageType::MsgRequestPreVoteResponse,
            MessageType::MsgRequestVote => MessageType::MsgRequestVoteResponse,
            MessageType::MsgHeartbeat => MessageType::MsgHeartbeatResponse,
            MessageType::MsgAppend => MessageType::MsgAppendResponse,
            _ => continue,
        });
        beats += usize::from(message.to == 3 && message.msg_type() == MessageType::MsgHeartbeat);
        if message.msg_type() == MessageType::MsgAppend {
            if message.to == 3 {
                appended = message.entries.first().map(|entry| entry.index);
                continue;
            }
            back.index = message.index + message.entries.len() as u64;
        }
        replica.receive(message.to, &convert::message_to_bytes(&back).into());
    }
    (beats, appended)
}

#[test]
fn a_leader_with_blocked_reads_goes_on_leading_and_writing() {
    let gate = Gate::default();
    let (replica, sent) = start(&gate);
    let in_ms = |ms| Instant::now() + Duration::from_millis(ms);
    gate.set(true);
    smol::block_on(async {
        play(&replica, &sent, in_ms(1_500)).await;
        let term = replica.status().term;
        assert!(replica.status().leads);
        let writes = async {
            for number in 0..20 {
                let answer = replica.submit(request(number), in_ms(2_000)).await;
                assert!(answer.is_ok(), "the leader and 2 are a majority: {answer:?}");
            }
        };
        let ((beats, _), ()) = smol::future::zip(play(&replica, &sent, in_ms(3_000)), writes).await;
        assert!(replica.status().leads && replica.status().term == term);
        assert!(beats >= 30, "{beats} heartbeats in three seconds");
        let (_, appended) = play(&replica, &sent, in_ms(500)).await;
        assert_eq!(appended, None, "the entries that 3 needs are only on disk");
        gate.set(false);
        let (_, appended) = play(&replica, &sent, in_ms(1_000)).await;
        assert_eq!(appended, Some(2), "3 is sent the entries that it needs");
        replica.stop();
    });
}
