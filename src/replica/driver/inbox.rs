//! The inbox of the Raft task: a queue with one reader.
//!
//! It wakes the reader with no lock held. A channel wakes its reader while it holds its own lock, and a reader on another
//! thread then waits for that lock first. That costs two more thread switches per message to a sleeping reader, and the
//! task of a follower sleeps between any two messages.
//!
//! Not here: the meaning of a message (`drive`), and handling of a refused one (its sender).

use crate::limits::INBOX_MAX;
use atomic_waker::AtomicWaker;
use concurrent_queue::ConcurrentQueue;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

/// Reason why a message was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// `INBOX_MAX` messages are waiting.
    Full,
    /// The task has ended.
    Closed,
}

struct Queue<M> {
    queue: ConcurrentQueue<M>,
    reader: AtomicWaker,
}

/// Sending end of the queue. Clones send to the same queue.
pub(super) struct Inbox<M>(Arc<Queue<M>>);

/// Receiving end of the queue. When it is dropped, the queue refuses further messages.
pub(super) struct Messages<M>(Arc<Queue<M>>);

impl<M> Clone for Inbox<M> {
    fn clone(&self) -> Inbox<M> {
        Inbox(self.0.clone())
    }
}

/// Creates a queue and returns both ends.
pub(super) fn inbox<M>() -> (Inbox<M>, Messages<M>) {
    let shared = Arc::new(Queue { queue: ConcurrentQueue::unbounded(), reader: AtomicWaker::new() });
    (Inbox(shared.clone()), Messages(shared))
}

impl<M> Inbox<M> {
    /// Sends a message, unless `INBOX_MAX` are waiting. Concurrent senders may exceed the bound by a few messages.
    ///
    /// # Errors
    /// [`Refused::Full`] at the bound, [`Refused::Closed`] when the Raft task has ended.
    pub(crate) fn offer(&self, message: M) -> Result<(), Refused> {
        if self.0.queue.len() >= INBOX_MAX && !self.0.queue.is_closed() {
            return Err(Refused::Full);
        }
        self.put(message)
    }

    /// Sends a message regardless of the bound: for the few threads of the replica that have a bounded number of messages
    /// in the queue.
    ///
    /// # Errors
    /// [`Refused::Closed`] when the Raft task has ended.
    pub fn put(&self, message: M) -> Result<(), Refused> {
        // An unbounded queue refuses only when it is closed.
        self.0.queue.push(message).map_err(|_| Refused::Closed)?;
        self.0.reader.wake();
        Ok(())
    }
}

impl<M> Messages<M> {
    /// Returns the next message, if one is waiting.
    pub(crate) fn next_waiting(&self) -> Option<M> {
        self.0.queue.pop().ok()
    }

    /// Waits for the next message.
    pub async fn next(&self) -> M {
        poll_fn(|context| {
            if let Some(message) = self.next_waiting() {
                return Poll::Ready(message);
            }
            self.0.reader.register(context.waker());
            // A message may have arrived before the waker was registered.
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
    fn concurrent_senders_deliver_each_message_once_and_in_order() {
        // An interpreter runs each thread step by step.
        const EACH: u32 = if cfg!(miri) { 60 } else { 20_000 };
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
            let (sender, number): (usize, u32) = smol::future::block_on(messages.next());
            assert_eq!(number, expected[sender], "in the order of each sender");
            expected[sender] += 1;
        }
        senders.into_iter().for_each(|sender| sender.join().unwrap());
        assert!(messages.next_waiting().is_none());
    }

    #[test]
    fn a_full_or_closed_inbox_refuses_messages() {
        let (inbox, messages) = inbox();
        (0..INBOX_MAX).for_each(|number| inbox.offer(number).unwrap());
        assert_eq!(inbox.offer(0), Err(Refused::Full));
        assert_eq!(inbox.put(INBOX_MAX), Ok(()), "results of the store exceed the bound");
        assert_eq!(messages.next_waiting(), Some(0));
        drop(messages);
        assert_eq!((inbox.offer(0), inbox.put(0)), (Err(Refused::Closed), Err(Refused::Closed)));
    }
}
