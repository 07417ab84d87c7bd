//! Log entries read for followers that are far behind. Reading takes its time: what comes back may be of a log that was
//! cut or overwritten meanwhile, for a leader that leads no longer, or for a process that has died.

use super::world::{Event, World, trace};
use ribbit_replica::{Fetch, Fetched, Input};

/// Pending log read, with the life and the term of its process at the time of the request.
pub struct Reading {
    pub node: usize,
    pub life: u64,
    pub fetch: Fetch,
    term: u64,
    /// Result of the read, once it is complete.
    read: Option<Fetched>,
}

impl World {
    pub fn fetch(&mut self, node: usize, fetch: Fetch) {
        let Some(running) = &self.nodes[node].running else { return };
        let term = running.core.status().term;
        let reading = Reading { node, life: self.nodes[node].life, fetch, term, read: None };
        self.trace.note("fetch", &[node as u64, fetch.low, fetch.high, fetch.bytes_max], &[]);
        self.faults.fetches += 1;
        let reads = self.now + self.reading_takes();
        self.at(reads, Event::Reads(Box::new(reading)));
    }

    /// A card takes as long to read as it likes, sometimes.
    fn reading_takes(&mut self) -> u64 {
        match self.faulty && self.fetch_random.permille(self.plan.late_reads) {
            true => self.fetch_random.between(300, 5_000),
            false => self.fetch_random.between(0, 6),
        }
    }

    /// A thread reads: not the one that has asked, and not when it has asked.
    pub fn reads(&mut self, mut reading: Box<Reading>) {
        let node = reading.node;
        if reading.life != self.nodes[node].life {
            self.faults.fetches_for_the_dead += 1;
            return;
        }
        let Some(running) = &self.nodes[node].running else { return };
        let Fetch { low, high, bytes_max } = reading.fetch;
        let reader = running.writer.store().reader();
        if reading.read.is_none() {
            let entries = reader.entries(low, high, bytes_max).expect("a live store can be read");
            reading.read = Some(Fetched { low, entries });
            let comes_back = self.now + self.reading_takes();
            return self.at(comes_back, Event::Reads(reading));
        }
        let status = running.core.status();
        let now = reader.entries(low, high, bytes_max).expect("a live store can be read");
        let Some(fetched) = reading.read.take() else { return };
        let led = status.leads && status.term == reading.term;
        let cut = now.is_empty() || now != fetched.entries;
        self.faults.fetches_for_no_leader += u64::from(!led);
        self.faults.fetches_of_another_log += u64::from(cut);
        trace!(
            self,
            "node {node} has read {} entries from {low}, leads {led}, cut {cut}",
            fetched.entries.len()
        );
        self.feed(node, Input::Fetched(fetched));
    }
}
