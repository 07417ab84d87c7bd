//! ribbit: epoll, in place of the crate `polling`. Linux alone.
//!
//! A wait is one system call. `polling` makes five: it sets a timerfd and registers it again before each wait, and after it reads
//! the eventfd and registers that again, whether or not anyone has notified. The price is that a wait ends on a whole
//! millisecond, never before its timeout.

use rustix::buffer::spare_capacity;
use rustix::event::{epoll, eventfd, EventfdFlags, Timespec};
use std::io;
use std::os::unix::io::{BorrowedFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Key of the eventfd that ends a wait.
const NOTIFY_KEY: u64 = u64::MAX;
/// Number of events that one wait takes.
const EVENTS_MAX: usize = 1024;

/// After a longer time a wait ends as if with its timeout: the timers are looked at, and the next wait begins.
const TIMEOUT_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Readiness that a source waits for, or that has occurred.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) key: usize,
    pub(crate) readable: bool,
    pub(crate) writable: bool,
}

impl Event {
    pub(crate) fn none(key: usize) -> Event {
        Event {
            key,
            readable: false,
            writable: false,
        }
    }
}

/// The events of one wait.
pub(crate) struct Events(Vec<epoll::Event>);

// SAFETY: what makes an event of the kernel not `Send` is that its data may be a pointer. Here it is a number (`new_u64`).
unsafe impl Send for Events {}

impl Events {
    pub(crate) fn new() -> Events {
        Events(Vec::with_capacity(EVENTS_MAX))
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Event> + '_ {
        self.0.iter().map(|event| {
            let flags = event.flags;
            Event {
                key: event.data.u64() as usize,
                readable: flags.intersects(READABLE),
                writable: flags.intersects(WRITABLE),
            }
        })
    }
}

// An end and an error wake up readers as well as writers.
const READABLE: epoll::EventFlags = epoll::EventFlags::IN
    .union(epoll::EventFlags::HUP)
    .union(epoll::EventFlags::ERR)
    .union(epoll::EventFlags::PRI);
const WRITABLE: epoll::EventFlags = epoll::EventFlags::OUT
    .union(epoll::EventFlags::HUP)
    .union(epoll::EventFlags::ERR);

fn flags(interest: Event) -> epoll::EventFlags {
    let mut flags = epoll::EventFlags::ONESHOT;
    if interest.readable {
        flags |= READABLE;
    }
    if interest.writable {
        flags |= WRITABLE;
    }
    flags
}

#[derive(Debug)]
pub(crate) struct Poller {
    epoll: OwnedFd,
    /// Level-triggered and always registered. It is read only when it has ended a wait.
    notifier: OwnedFd,
    /// Whether the notifier is written and not read.
    notified: AtomicBool,
}

impl Poller {
    pub(crate) fn new() -> io::Result<Poller> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let notifier = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let key = epoll::EventData::new_u64(NOTIFY_KEY);
        epoll::add(&epoll, &notifier, key, epoll::EventFlags::IN)?;
        Ok(Poller {
            epoll,
            notifier,
            notified: AtomicBool::new(false),
        })
    }

    /// Registers a source. It emits nothing before it is modified.
    ///
    /// # Safety
    ///
    /// `fd` must be open.
    pub(crate) unsafe fn add(&self, fd: RawFd, interest: Event) -> io::Result<()> {
        // SAFETY: the caller promises it.
        let fd = unsafe { BorrowedFd::borrow_raw(fd) };
        let key = epoll::EventData::new_u64(interest.key as u64);
        Ok(epoll::add(&self.epoll, fd, key, flags(interest))?)
    }

    /// Says for what a source waits. It emits one event, and must be modified again for the next.
    pub(crate) fn modify(&self, fd: BorrowedFd<'_>, interest: Event) -> io::Result<()> {
        let key = epoll::EventData::new_u64(interest.key as u64);
        Ok(epoll::modify(&self.epoll, fd, key, flags(interest))?)
    }

    pub(crate) fn delete(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        Ok(epoll::delete(&self.epoll, fd)?)
    }

    /// Waits for events, a notification or the timeout. Returns the number of events.
    pub(crate) fn wait(&self, events: &mut Events, timeout: Option<Duration>) -> io::Result<usize> {
        // rustix takes a longer one to a system call that Linux has from 5.11 on.
        let timeout = timeout.map(|timeout| timeout.min(TIMEOUT_MAX));
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        epoll::wait(&self.epoll, spare_capacity(&mut events.0), timeout.as_ref())?;
        let notification = events.0.iter().position(|event| event.data.u64() == NOTIFY_KEY);
        if let Some(at) = notification {
            events.0.swap_remove(at);
            let _ = rustix::io::read(&self.notifier, &mut [0; 8]);
            // In this order: who notifies in between is served by the end of this wait.
            self.notified.store(false, Ordering::SeqCst);
        }
        Ok(events.0.len())
    }

    /// Ends the current wait, or else the next.
    pub(crate) fn notify(&self) -> io::Result<()> {
        if !self.notified.swap(true, Ordering::SeqCst) {
            rustix::io::write(&self.notifier, &1_u64.to_ne_bytes())?;
        }
        Ok(())
    }
}
