//! What waits for the Raft task: one queue, one reader.
//!
//! The reader is woken with no lock held. A channel wakes it within its own lock, which is the first thing that a reader on
//! another thread then waits for: two more switches of threads for each message to somebody who slept, and a follower's
//! task sleeps between all of them.
//!
//! Not here: what a message means (drive), and what the sender of a refused one does.

use crate::replica::limits::INBOX_MAX;
use atomic_waker::AtomicWaker;
use concurrent_queue::ConcurrentQueue;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

/// Why a message was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    Full,
    /// The task has ended.
    Closed,
}

struct Shared<M> {
    queue: ConcurrentQueue<M>,
    reader: AtomicWaker,
}

/// Where messages are put. Clones are the same inbox.
pub(super) struct Inbox<M>(Arc<Shared<M>>);

/// The reader's end: when it goes, nothing is taken any more.
pub(super) struct Messages<M>(Arc<Shared<M>>);

impl<M> Clone for Inbox<M> {
    fn clone(&self) -> Inbox<M> {
        Inbox(self.0.clone())
    }
}

pub(super) fn inbox<M>() -> (Inbox<M>, Messages<M>) {
    let shared = Arc::new(Shared { queue: ConcurrentQueue::unbounded(), reader: AtomicWaker::new() });
    (Inbox(shared.clone()), Messages(shared))
}

impl<M> Inbox<M> {
    /// Puts a message in, unless `INBOX_MAX` wait (a few more where several threads look at once).
    pub fn offer(&self, message: M) -> Result<(), Refused> {
        if self.0.queue.len() >= INBOX_MAX && !self.0.queue.is_closed() {
            return Err(Refused::Full);
        }
        self.put(message)
    }

    /// Puts a message in, however many wait: for those few threads that do not begin anything else before it is read.
    pub fn put(&self, message: M) -> Result<(), Refused> {
        // A queue without a bound refuses only once it is closed.
        self.0.queue.push(message).map_err(|_| Refused::Closed)?;
        self.0.reader.wake();
        Ok(())
    }
}

impl<M> Messages<M> {
    pub fn next_waiting(&self) -> Option<M> {
        self.0.queue.pop().ok()
    }

    pub async fn next(&self) -> M {
        poll_fn(|context| {
            if let Some(message) = self.next_waiting() {
                return Poll::Ready(message);
            }
            self.0.reader.register(context.waker());
            // One may have come before there was anybody to wake.
            self.next_waiting().map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }
}

impl<M> Drop for Messages<M> {
    fn drop(&mut self) {
        self.0.queue.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn each_message_comes_once_whoever_sleeps() {
        const EACH: u32 = 20_000;
        let (inbox, messages) = inbox();
        let senders: Vec<_> = (0..2)
            .map(|sender| {
                let inbox = inbox.clone();
                thread::spawn(move || {
                    for number in 0..EACH {
                        while inbox.offer((sender, number)) == Err(Refused::Full) {
                            thread::yield_now();
                        }
                    }
                })
            })
            .collect();
        let mut expected = [0; 2];
        for _ in 0..2 * EACH {
            let (sender, number): (usize, u32) = smol::block_on(messages.next());
            assert_eq!(number, expected[sender], "in the order of each sender");
            expected[sender] += 1;
        }
        senders.into_iter().for_each(|sender| sender.join().unwrap());
        assert!(messages.next_waiting().is_none());
    }

    #[test]
    fn a_full_inbox_refuses_and_a_closed_one_too() {
        let (inbox, messages) = inbox();
        (0..INBOX_MAX).for_each(|number| inbox.offer(number).unwrap());
        assert_eq!(inbox.offer(0), Err(Refused::Full));
        assert_eq!(inbox.put(INBOX_MAX), Ok(()), "the store's own word comes through");
        assert_eq!(messages.next_waiting(), Some(0));
        drop(messages);
        assert_eq!((inbox.offer(0), inbox.put(0)), (Err(Refused::Closed), Err(Refused::Closed)));
    }
}
