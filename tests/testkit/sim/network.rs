//! The network: messages that are lost, late, doubled or cut off, and snapshots on links of their own.

use super::world::{Event, World, trace};
use raft_message::{Kind, kind};
use ribbit_db::snapshot::{Chunk, SnapshotHead, SnapshotReader, SnapshotSum, SnapshotWriter};
use ribbit_db::{DbError, Disk};
use ribbit_net::peer::PeerTalk;
use ribbit_replica::{Input, RaftMessage, convert, describe_snapshot};
use ribbit_state::{RaftId, Request};
use std::collections::BTreeMap;

pub enum Body {
    Raft {
        /// Sending member. Links belong to members, and the node may have become another member meanwhile.
        sender: RaftId,
        bytes: Vec<u8>,
    },
    Forward(Vec<Request>),
    Snapshot(Box<Parcel>),
    /// About leases.
    Talk(PeerTalk),
}

/// A snapshot on its way.
pub struct Parcel {
    sender: RaftId,
    to: RaftId,
    /// The life of the sender's process.
    life: u64,
    message: Vec<u8>,
    head: SnapshotHead,
    chunks: Vec<Chunk>,
    sum: SnapshotSum,
}

/// Links, from node to node.
#[derive(Default)]
pub struct Network {
    /// Cut until then.
    cut: BTreeMap<(usize, usize), u64>,
    /// When the newest message of an ordered link arrives.
    last: BTreeMap<(usize, usize), u64>,
}

impl Network {
    pub fn cut(&mut self, from: usize, to: usize, until: u64) {
        let end = self.cut.entry((from, to)).or_insert(0);
        *end = until.max(*end);
    }
    /// Heals a link unless it was cut again meanwhile.
    pub fn heal(&mut self, from: usize, to: usize, now: u64) {
        if self.cut.get(&(from, to)).is_some_and(|until| *until <= now) {
            self.cut.remove(&(from, to));
        }
    }
    /// Heals a link, however long it was to be cut.
    pub fn heal_now(&mut self, from: usize, to: usize) {
        self.cut.remove(&(from, to));
    }
    pub fn heal_all(&mut self) {
        self.cut.clear();
    }
    pub fn is_cut(&self, from: usize, to: usize) -> bool {
        self.cut.contains_key(&(from, to))
    }
}

/// Properties of the Raft engine's messages that the simulator needs; it must not name their types.
mod raft_message {
    use super::RaftMessage;

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Kind {
        Vote,
        Acknowledgement,
        Other,
    }

    pub fn kind(message: &RaftMessage) -> Kind {
        match format!("{:?}", message.msg_type()).as_str() {
            "MsgRequestVoteResponse" if !message.reject => Kind::Vote,
            "MsgAppendResponse" if !message.reject => Kind::Acknowledgement,
            _ => Kind::Other,
        }
    }
}

impl World {
    fn delay(&mut self) -> u64 {
        let usual = self.random.between(0, self.plan.delay_max);
        if self.faulty && self.random.permille(self.plan.late) { self.random.between(5, 400) } else { usual }
    }

    /// When what is sent now arrives.
    pub fn arrival(&mut self, from: usize, to: usize) -> u64 {
        let mut arrives = self.now + self.delay();
        if self.plan.ordered_links {
            let last = self.network.last.entry((from, to)).or_insert(0);
            arrives = arrives.max(*last);
            *last = arrives;
        }
        arrives
    }

    pub fn loses(&mut self, from: usize, to: usize) -> bool {
        let loses = self.network.is_cut(from, to) || (self.faulty && self.random.permille(self.plan.loss));
        self.faults.lost += u64::from(loses);
        loses
    }

    pub fn send(&mut self, from: usize, message: &RaftMessage) {
        let Some(&to) = self.raft_ids.get(&message.to) else { return };
        let (sender, bytes) = (message.from, convert::message_to_bytes(message));
        self.note(bytes.len() as u64);
        self.trace.note("send", &[from as u64, to as u64], &bytes);
        if self.watch.messages {
            trace!(self, "{from} → {to} {:?} {message:?}", message.msg_type());
        }
        self.die_after(from, kind(message));
        if self.loses(from, to) {
            return;
        }
        let arrives = self.arrival(from, to);
        if self.faulty && !self.plan.ordered_links && self.random.permille(self.plan.doubled) {
            self.faults.doubled += 1;
            let later = arrives + self.random.between(0, 50);
            self.at(later, Event::Deliver { from, to, body: Body::Raft { sender, bytes: bytes.clone() } });
        }
        self.at(arrives, Event::Deliver { from, to, body: Body::Raft { sender, bytes } });
    }

    /// The worst moment to die is just after a promise.
    fn die_after(&mut self, node: usize, kind: Kind) {
        let chance = match kind {
            Kind::Vote => self.plan.dies_after_vote,
            Kind::Acknowledgement => self.plan.dies_after_ack,
            Kind::Other => 0,
        };
        if self.faulty && self.random.permille(chance) {
            let life = self.nodes[node].life;
            let soon = self.now + self.random.between(0, 4);
            self.at(soon, Event::Dies { node, life });
        }
    }

    pub fn forward(&mut self, from: usize, to: RaftId, requests: Vec<Request>) {
        let Some(&to) = self.raft_ids.get(&to) else { return };
        let bytes = postcard::to_allocvec(&requests).expect("requests are plain data");
        self.trace.note("forward", &[from as u64, to as u64], &bytes);
        if !self.loses(from, to) {
            let arrives = self.arrival(from, to);
            self.at(arrives, Event::Deliver { from, to, body: Body::Forward(requests) });
        }
    }

    pub fn send_snapshot(&mut self, node: usize, mut message: RaftMessage) {
        let life = self.nodes[node].life;
        let Some(&to) = self.raft_ids.get(&message.to) else {
            // The address of that member is not known yet.
            return self.feed(node, Input::SnapshotSent { to: message.to, complete: false });
        };
        let Some(running) = &self.nodes[node].running else { return };
        let mut reader = SnapshotReader::new(&running.writer.store().reader()).expect("a good disk");
        let head = reader.head().clone();
        let mut chunks = Vec::new();
        while let Some(chunk) = reader.next_chunk().expect("a good disk") {
            chunks.push(chunk);
        }
        let sum = reader.sum();
        describe_snapshot(&mut message, &head);
        trace!(self, "node {node} sends node {to} a snapshot at {}", head.applied.index);
        self.trace.note("snapshot", &[node as u64, to as u64, head.applied.index, sum.digest], &[]);
        self.faults.snapshots += 1;
        let arrives = self.now + self.random.between(5, 300);
        if self.loses(node, to) || (self.faulty && self.random.permille(100)) {
            return self.at(arrives, Event::SnapshotSent { node, life, to: message.to, complete: false });
        }
        let (sender, receiver) = (message.from, message.to);
        let message = convert::message_to_bytes(&message);
        let body =
            Body::Snapshot(Box::new(Parcel { sender, to: receiver, life, message, head, chunks, sum }));
        self.at(arrives, Event::Deliver { from: node, to, body });
    }

    pub fn snapshot_sent(&mut self, node: usize, life: u64, to: RaftId, complete: bool) {
        if self.nodes[node].life == life {
            self.feed(node, Input::SnapshotSent { to, complete });
        }
    }

    pub fn deliver(&mut self, from: usize, to: usize, body: Body) {
        let cut = self.network.is_cut(from, to);
        self.faults.lost += u64::from(cut);
        match body {
            Body::Snapshot(parcel) => {
                let taken = !cut && self.take_snapshot(to, &parcel);
                // The receiver's last word may be lost too.
                let complete = taken && !(self.faulty && self.random.permille(100));
                let Parcel { to, life, .. } = *parcel;
                self.at(self.now + 3, Event::SnapshotSent { node: from, life, to, complete });
            }
            _ if cut => {}
            Body::Raft { sender, bytes } => self.receive(sender, to, &bytes),
            Body::Forward(requests) => self.feed(to, Input::Forwarded(requests)),
            Body::Talk(talk) => self.hear_of_lease(to, from, talk),
        }
    }

    fn take_snapshot(&mut self, to: usize, parcel: &Parcel) -> bool {
        let disk = self.nodes[to].disk.clone();
        // It may be another member by now.
        if self.raft_id(to) != parcel.to {
            return false;
        }
        let Some(running) = &mut self.nodes[to].running else { return false };
        if running.incoming_busy {
            return false;
        }
        if write_incoming(&disk, parcel).is_err() {
            self.crash_inside(to);
            return false;
        }
        running.incoming_busy = true;
        self.receive(parcel.sender, to, &parcel.message);
        true
    }
}

fn write_incoming(disk: &dyn Disk, parcel: &Parcel) -> Result<(), DbError> {
    let mut writer = SnapshotWriter::begin(disk, &parcel.head)?;
    for chunk in &parcel.chunks {
        writer.write_chunk(chunk)?;
    }
    writer.finish(parcel.sum)
}
