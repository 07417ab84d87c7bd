//! Detection of the end of a process by its peers (`roles/node/process_ends`): its connections close and new ones are refused,
//! or another process answers in its place. Some reports are wrong: a firewall may refuse connections to a process that runs.

use super::disk::Death;
use super::world::{Event, World, trace};
use ribbit_replica::Input;
use ribbit_state::RaftId;

/// Usual maximum delay of a report, in virtual milliseconds. The kernel closes the connections of a dead process.
const NOTICED_WITHIN: u64 = 8;

/// Probability of a late report, per thousand.
const LATE: u64 = 100;
/// Maximum delay of a late report, in virtual milliseconds.
const LATE_MAX: u64 = 400;

impl World {
    /// Schedules the reports to the peers of a node whose process has ended. A power cut closes no connection, so it causes no
    /// report before the next process of the node has started.
    pub fn notice_end(&mut self, node: usize, death: Death) {
        if death == Death::PowerCut {
            return;
        }
        let id = self.raft_id(node);
        for peer in (0..self.nodes.len()).filter(|peer| *peer != node) {
            let cut = self.network.is_cut(node, peer) || self.network.is_cut(peer, node);
            if self.nodes[peer].running.is_none() || cut {
                continue;
            }
            let late = self.random.permille(LATE);
            let after = self.random.between(0, if late { LATE_MAX } else { NOTICED_WITHIN });
            let life = self.nodes[peer].life;
            self.at(self.now + after, Event::Ended { node: peer, life, id });
        }
    }

    /// Reports to a node that the process of a member has ended, unless the node has restarted since.
    pub fn ended(&mut self, node: usize, life: u64, id: RaftId) {
        if self.nodes[node].life != life {
            return;
        }
        let Some(running) = &self.nodes[node].running else { return };
        let status = running.core.status();
        self.faults.ends_of_leaders += u64::from(status.leader == Some(id) && !status.leads);
        trace!(self, "node {node} notices that the process of member {id} has ended");
        self.feed(node, Input::ProcessEnded(id));
    }

    /// Reports to some nodes, or all, that the process of the leader has ended, although it runs.
    pub fn report_false_end(&mut self) {
        let Some(leader) = self.leader() else { return };
        let id = self.raft_id(leader);
        let share = [200, 500, 1_000][self.random.between(0, 3) as usize];
        let wrong: Vec<usize> = (0..self.nodes.len()).filter(|_| self.random.permille(share)).collect();
        trace!(self, "nodes {wrong:?} believe that the process of member {id} has ended");
        self.faults.false_ends += 1;
        wrong.into_iter().for_each(|node| self.feed(node, Input::ProcessEnded(id)));
    }
}
