//! Test rig: a core and its writer. The test decides when the disk carries out the jobs.

use crate::sim::disk::SimDisk;
use raft::eraftpb::{Message, MessageType};
use ribbit_db::{Configuration, Identity, Store};
use ribbit_replica::Now;
use ribbit_replica::limits::TICK_MS;
use ribbit_replica::{Core, CoreOptions, Input, Output, StoreJob, Writer};
use ribbit_state::rows::Member;
use ribbit_state::{ClusterId, Command, HistoryId, RaftId, Request, RequestId, Role};

pub const ME: RaftId = 1;

pub struct Rig {
    pub core: Core,
    pub writer: Writer,
    pub waiting: Vec<StoreJob>,
    now_ms: u64,
}

impl Rig {
    /// Returns a new member of a cluster with these voters and learners, on an empty disk.
    pub fn founded(voters: &[RaftId], learners: &[RaftId]) -> Rig {
        Rig::of(voters, members_of(voters, learners), Vec::new())
    }

    /// Returns the same, with this number of applied entries kept in the log.
    pub fn keeping(entries: u64, voters: &[RaftId]) -> Rig {
        let mut store = members_of(voters, &[]);
        store.set_log_keep_entries(entries);
        Rig::of(voters, store, Vec::new())
    }

    /// Returns the same, with this list of members.
    pub fn among(voters: &[RaftId], learners: &[RaftId], members: Vec<(RaftId, Member)>) -> Rig {
        Rig::of(voters, members_of(voters, learners), members)
    }

    fn of(voters: &[RaftId], store: Store, members: Vec<(RaftId, Member)>) -> Rig {
        let loaded = store.loaded().expect("a good disk");
        let reader = store.reader();
        let writer = Writer::new(store);
        let options = CoreOptions {
            me: ME,
            role: Role::Backend,
            seed: 7,
            campaign: voters == [ME],
            evict_ticks: 2_000,
        };
        let core = Core::new(options, reader, &loaded, members).expect("a good store");
        Rig { core, writer, waiting: Vec::new(), now_ms: 1 }
    }

    /// Polls the core. Jobs wait until `store`; the other outputs are returned.
    pub fn poll(&mut self) -> Vec<Output> {
        let now = Now { wall_ms: self.now_ms, monotonic_ms: self.now_ms };
        let mut others = Vec::new();
        for output in self.core.poll(now) {
            match output {
                Output::Store(job) => self.waiting.push(job),
                other => others.push(other),
            }
        }
        others
    }

    pub fn feed(&mut self, input: Input) -> Vec<Output> {
        self.core.feed(input);
        self.poll()
    }

    /// Lets 25 milliseconds pass.
    pub fn tick(&mut self) -> Vec<Output> {
        self.now_ms += 25;
        self.feed(Input::Ticks(25 / TICK_MS))
    }

    /// Carries out all waiting jobs.
    pub fn store(&mut self) -> Vec<Output> {
        let mut outputs = Vec::new();
        while !self.waiting.is_empty() {
            let jobs = std::mem::take(&mut self.waiting);
            let done = self.writer.apply(&jobs).expect("a good disk");
            outputs.extend(self.feed(Input::Applied(done)));
            let done = self.writer.append(jobs).expect("a good disk");
            outputs.extend(self.feed(Input::Stored(done)));
        }
        outputs
    }

    /// Makes the member lead, with the votes of these voters.
    pub fn elect(&mut self, others: &[RaftId]) {
        for _ in 0..200 {
            let mut outputs = self.tick();
            outputs.extend(self.store());
            while let Some(output) = outputs.pop() {
                let Output::Send(request) = output else { continue };
                let answer = match request.msg_type() {
                    MessageType::MsgRequestPreVote => MessageType::MsgRequestPreVoteResponse,
                    MessageType::MsgRequestVote => MessageType::MsgRequestVoteResponse,
                    _ => continue,
                };
                if others.contains(&request.to) {
                    let mut message = message(answer, request.to);
                    message.term = request.term;
                    outputs.extend(self.feed(Input::Message { from: request.to, message }));
                    outputs.extend(self.store());
                }
            }
            if self.core.status().leads {
                return;
            }
        }
        panic!("the member was not elected");
    }
}

pub fn message(kind: MessageType, from: RaftId) -> Message {
    let mut message = Message::new();
    message.set_msg_type(kind);
    message.from = from;
    message.to = ME;
    message
}

pub fn request(number: u128) -> Request {
    Request { id: RequestId(number), submitted_at: 0, origin: None, command: Command::IndexCroaks }
}

pub fn sent(outputs: &[Output]) -> impl Iterator<Item = &Message> {
    outputs.iter().filter_map(|output| match output {
        Output::Send(message) => Some(message),
        _ => None,
    })
}

/// Returns the store of a new member of a cluster with these voters and learners, on an empty disk.
pub fn members_of(voters: &[RaftId], learners: &[RaftId]) -> Store {
    let mut store = Store::open(SimDisk::default()).expect("an empty disk opens");
    let identity = Identity {
        cluster: ClusterId(1),
        history: HistoryId(2),
        raft_id: ME,
        role: Role::Backend,
        region: 1,
        id: 1,
    };
    let configuration =
        Configuration { voters: voters.to_vec(), learners: learners.to_vec(), ..Configuration::default() };
    store.identify(identity, Some(&configuration)).expect("a good disk");
    store
}
