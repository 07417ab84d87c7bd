//! Clients that contend for one lock, each under a lease of its own, and write a file that the lock's fencing token guards,
//! as `ribbit lock` does (`roles/locks`).
//!
//! ```text
//!   Open ──▶ Acquire … ──▶ holds: guarded writes ──▶ Release, Close, or silence
//!     └── renewed every quarter of its length ── not confirmed for half of it ──▶ lost: it no longer counts as a holder
//! ```
//!
//! Checked: no two clients count as holders at the same time, the fencing token rises with each grant, and a
//! write under an older token is never accepted after one under a newer token.
//!
//! Their machines are awake and their clocks are right. What a holder that slept writes is the guard's to refuse: some write
//! under a token that they have lost.

use super::client::Client;
use super::random::Random;
use super::world::{Event, World, trace};
use ribbit_state::command::Guard;
use ribbit_state::path::TreePath;
use ribbit_state::{Code, Command, LeaseCommand, LogIndex, Outcome, Reply, TokenHash, TreeCommand};
use std::collections::BTreeMap;

/// Lengths of leases, in virtual milliseconds: short ones, so that leases end while a fault lasts.
const LENGTHS: [u64; 4] = [1_000, 1_000, 1_500, 3_000];
/// Number of operations under one grant.
const WRITES_MAX: u64 = 12;

/// A lease as its owner knows it.
#[derive(Debug, Clone, Copy)]
pub struct HeldLease {
    token: TokenHash,
    opened: LogIndex,
    length: u64,
    /// Time until which it is good, by the last confirmed renewal.
    good_until: u64,
    lost: bool,
    /// The owner has stopped renewing it.
    silent: bool,
}

/// State of a contender.
#[derive(Debug, Default)]
pub struct Contender {
    lease: Option<HeldLease>,
    /// Fencing token of the grant.
    fence: Option<LogIndex>,
    /// Fencing token of an earlier grant.
    old_fence: Option<LogIndex>,
    writes_left: u64,
    opened: u64,
    /// Length of the lease that it is opening, and since when.
    opening: (u64, u64),
    /// The node that renewed last, the one that is asked now, the number of the newest attempt to renew, and when it was sent.
    renews_at: Option<usize>,
    asked: Option<usize>,
    attempt: u64,
    sent_at: u64,
}

/// Grants and guarded writes, as the contenders were told of them.
#[derive(Debug, Default)]
pub struct Grants {
    /// Fencing token of each accepted write, by its index.
    written: BTreeMap<LogIndex, LogIndex>,
    /// Fencing token of the newest grant whose client held the lock when it was told.
    newest: LogIndex,
}

fn path(text: &str) -> TreePath {
    text.parse().expect("a path")
}

fn lock() -> TreePath {
    path("/jobs/lock")
}

impl Contender {
    /// Returns true while no other client can hold the lock.
    fn holds(&self, now: u64) -> bool {
        self.fence.is_some() && self.lease.is_some_and(|lease| !lease.lost && now < lease.good_until)
    }

    fn expire(&mut self, now: u64) -> bool {
        let Some(lease) = &mut self.lease else { return false };
        let lost = !lease.lost && now >= lease.good_until;
        lease.lost |= lost;
        lost
    }

    /// Returns the next operation.
    pub fn next(&mut self, number: usize, now: u64, random: &mut Random) -> Command {
        self.expire(now);
        match self.lease.filter(|lease| !lease.lost && !lease.silent) {
            None => {
                self.old_fence = self.fence.take().or(self.old_fence);
                self.lease = None;
                if let Some(fence) = self.old_fence.filter(|_| random.permille(300)) {
                    return write(number, fence);
                }
                self.opened += 1;
                let length = LENGTHS[random.between(0, LENGTHS.len() as u64) as usize];
                self.opening = (length, now);
                let mut token = [0xc0 + number as u8; 32];
                token[..8].copy_from_slice(&self.opened.to_le_bytes());
                let description = format!("contender {number}");
                Command::Lease(LeaseCommand::Open {
                    token: TokenHash(token),
                    description,
                    lease_ms: Some(length as u32),
                })
            }
            Some(lease) => match self.fence {
                None => TreeCommand::Acquire { path: lock(), lease: lease.token, content: Vec::new() }.into(),
                Some(fence) if self.writes_left > 0 => {
                    self.writes_left -= 1;
                    write(number, fence)
                }
                Some(_) => self.give_up(lease.token, random),
            },
        }
    }

    fn give_up(&mut self, lease: TokenHash, random: &mut Random) -> Command {
        // It counts as a holder no more once it asks.
        self.old_fence = self.fence.take();
        match random.between(0, 3) {
            0 => TreeCommand::Release { path: lock(), lease }.into(),
            1 => Command::Lease(LeaseCommand::Close { token: lease }),
            _ => {
                if let Some(lease) = &mut self.lease {
                    lease.silent = true;
                }
                TreeCommand::Touch { path: path("/jobs/bell"), lease: None }.into()
            }
        }
    }
}

fn write(number: usize, fence: LogIndex) -> Command {
    let (content, guard) = (format!("{number} {fence}").into_bytes(), Some(Guard { lock: lock(), fence }));
    TreeCommand::Write { path: path("/jobs/file"), content, append: false, lease: None, guard }.into()
}

impl Client {
    /// Returns the contender and its token, if this client is one.
    fn contender(&mut self) -> Option<&mut Contender> {
        self.contender.as_deref_mut()
    }
}

impl World {
    /// Takes the outcome of a contender's write.
    pub fn contended(&mut self, client: usize, command: &Command, index: LogIndex, outcome: &Outcome) {
        let now = self.now;
        let Some(contender) = self.clients[client].contender() else { return };
        match (command, outcome) {
            (Command::Lease(LeaseCommand::Open { token, .. }), Ok(Reply::Leased { lease })) => {
                let ((length, since), silent) = (contender.opening, false);
                let (opened, good_until) = (*lease, since + length / 2);
                let lost = now >= good_until;
                contender.lease = Some(HeldLease { token: *token, opened, length, good_until, lost, silent });
                contender.attempt += 1;
                let attempt = contender.attempt;
                self.at(now.max(since + length / 4), Event::RenewLease { client, attempt });
            }
            (Command::Lease(LeaseCommand::Close { .. }), Ok(_)) => contender.lease = None,
            (Command::Tree(TreeCommand::Acquire { .. }), Ok(Reply::Fenced { fence })) => {
                contender.fence = Some(*fence);
                contender.writes_left = self.random.between(1, WRITES_MAX);
                contender.expire(now);
                if contender.holds(now) {
                    let newest = std::mem::replace(&mut self.grants.newest, *fence);
                    assert!(*fence >= newest, "client {client} holds the lock under {fence}, after {newest}");
                    self.faults.locks_granted += 1;
                }
                trace!(self, "client {client} has the lock under {fence}");
                self.check_holders();
            }
            (Command::Tree(TreeCommand::Write { guard: Some(guard), .. }), outcome) => match outcome {
                Ok(_) => {
                    self.grants.written.insert(index, guard.fence);
                }
                Err(_) => {
                    self.faults.stale_writes_refused += 1;
                    contender.old_fence = contender.old_fence.filter(|fence| *fence != guard.fence);
                    if contender.fence == Some(guard.fence) {
                        contender.fence = None;
                    }
                }
            },
            (Command::Tree(TreeCommand::Acquire { .. }), Err(denied)) if denied.code == Code::LeaseOver => {
                contender.lease = None;
            }
            _ => {}
        }
    }

    /// No two clients count as holders of the lock.
    fn check_holders(&self) {
        let holds = |client: &&Client| client.contender.as_ref().is_some_and(|it| it.holds(self.now));
        let holders: Vec<usize> = self.clients.iter().filter(holds).map(|client| client.number).collect();
        assert!(holders.len() < 2, "clients {holders:?} hold one lock at the same time");
    }

    /// A client renews its lease: at the node that renewed last, or at any.
    pub fn renew_lease(&mut self, client: usize, attempt: u64) {
        let now = self.now;
        let Some(contender) = self.clients[client].contender() else { return };
        if contender.attempt != attempt {
            return;
        }
        self.faults.leases_lost += u64::from(contender.expire(now));
        let Some(lease) = contender.lease.filter(|lease| !lease.lost && !lease.silent) else { return };
        contender.attempt += 1;
        contender.sent_at = now;
        let (attempt, at) = (contender.attempt, contender.renews_at.take());
        // Half of them go to a leader first: when one is cut off from the other members, a client may still reach it.
        let leader = self.leader().filter(|_| self.random.permille(500));
        let members: Vec<usize> = self.raft_ids.values().copied().collect();
        let any = members[self.random.between(0, members.len() as u64) as usize];
        let node = at.or(leader).unwrap_or(any);
        // Unless it is confirmed before, another node is asked.
        self.at(now + lease.length / 8, Event::RenewLease { client, attempt });
        self.at(now, Event::AskToRenew { client, attempt, node });
    }

    /// The renewal reaches a node.
    pub fn ask_to_renew(&mut self, client: usize, attempt: u64, node: usize) {
        let Some(contender) = self.clients[client].contender() else { return };
        let Some(lease) = contender.lease.filter(|_| contender.attempt == attempt) else { return };
        // Taken back when the node does not answer.
        contender.renews_at = None;
        let good = self.renew(node, client, attempt, lease.opened);
        if let Some(contender) = self.clients[client].contender() {
            if let Some(lease) = contender.lease.as_mut().filter(|_| !good) {
                lease.lost = true;
            }
            contender.asked = Some(node);
        }
    }

    /// The leader has confirmed the renewal.
    pub fn lease_renewed(&mut self, client: usize, attempt: u64) {
        let now = self.now;
        let Some(contender) = self.clients[client].contender() else { return };
        if contender.attempt != attempt {
            return;
        }
        contender.expire(now);
        let sent_at = contender.sent_at;
        contender.renews_at = contender.asked;
        let Some(lease) = contender.lease.as_mut().filter(|lease| !lease.lost) else { return };
        lease.good_until = lease.good_until.max(sent_at + lease.length / 2);
        let next = now.max(sent_at + lease.length / 4);
        contender.attempt += 1;
        let attempt = contender.attempt;
        self.check_holders();
        self.at(next, Event::RenewLease { client, attempt });
    }

    /// Accepted writes, in the order of the log, are under tokens that never fall.
    pub fn check_guards(&self) {
        let mut before = 0;
        for (index, fence) in &self.grants.written {
            assert!(*fence >= before, "the write at {index} was accepted under {fence}, after {before}");
            before = *fence;
        }
    }
}
