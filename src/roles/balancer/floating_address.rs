//! Floating address: an IPv4 address that one of several balancers holds. The holder is the balancer that holds its lock in
//! the replicated namespace.
//!
//! ```text
//!   look: interface up, address not here, lock free ──▶ lease, lock /floating/ADDR ──▶ ARP probe: not in use elsewhere
//!     ▲                                                                                        │
//!     │                                     add, with a lifetime of a second ──▶ announce, five times ◀┘
//!     │                                                  ▲      │
//!     │                                                  └──────┘ with every renewal of the lease
//!     └── remove, close the lease ◀── the lease is lost, the interface is down, this balancer ends
//! ```
//!
//! - **At most one holder.** A holder gives up at half of the lease ([`crate::locks::lease`]), and the next one gets the lock
//!   after all of it. A holder that is killed or stopped (SIGSTOP, starved) cannot remove the address, but its kernel does:
//!   the address has a lifetime of a second, which ends before the lease. A new holder first probes the network and does not
//!   take the address while any other machine answers for it, including machines outside the cluster.
//! - One gap remains. A process that is stopped between checking its lease and refreshing the address refreshes it when it
//!   resumes, and notices directly afterwards. The address is gone at most a second later.
//! - If the machine already has an address in the same network, the floating address is added with a prefix of 32 bits. It
//!   then does not become the machine's source address, and removing it does not remove the machine's own address.
//! - All of it runs in sequence on a thread of its own. The kernel has one lock for all address changes, and connections must
//!   not wait for it.
//!
//! Not here: IPv6. Connections through a dead holder are lost; clients reconnect.

use super::board::Board;
use super::limits::{
    FLOATING_ANNOUNCE_AFTER_MS, FLOATING_GLANCE_MAX, FLOATING_LEASE, FLOATING_LEFTOVER_MAX,
    FLOATING_LIFETIME_S, FLOATING_LOOK_EVERY, FLOATING_PROBE_WAIT, FLOATING_PROBES, FLOATING_RENEW_EVERY,
    FLOATING_RENEW_MAX,
};
use crate::balancer::arguments::FloatingOptions;
use crate::common::failure::{Exit, Failure};
use crate::common::machine::host_name;
use crate::locks::lease::{HeldLease, RenewalTimes};
use crate::locks::namespace::{Namespace, floating_path};
use ribbit_net::keys::Keys;
use ribbit_net::lan::address::{self, InterfaceAddress};
use ribbit_net::lan::arp::{Ether, Mac, format_mac};
use ribbit_net::lan::{self, Interface};
use ribbit_state::sync::MutexExt;
use ribbit_state::{Code, Denied, Reply, TreeCommand, TreePath};
use smol::Timer;
use smol::channel::{self, Receiver, Sender};
use smol::future::FutureExt;
use std::convert::Infallible;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Checks that this process has the capabilities to hold an address.
///
/// # Errors
/// `Configuration` when it lacks one, or when they cannot be read.
pub(crate) fn allowed() -> Result<(), Failure> {
    match lan::missing_capabilities() {
        Ok(lacking) if lacking.is_empty() => Ok(()),
        Ok(lacking) => Err(Failure::new(Exit::Configuration, lacks(&lacking))),
        Err(error) => Err(Failure::new(
            Exit::Configuration,
            format!("cannot read the capabilities of this process: {error}"),
        )),
    }
}

fn lacks(lacking: &[&str]) -> String {
    format!(
        "--floating needs {}: start the unit ribbit-balancer-floating.service, which has them, or run this as root",
        lacking.join(" and ")
    )
}

/// Acquires the address when possible and keeps it.
pub(crate) struct AddressKeeper {
    options: FloatingOptions,
    path: TreePath,
    board: Arc<Mutex<Board>>,
    keys: Keys,
    is_held: Arc<AtomicBool>,
    held: Option<HeldAddress>,
    /// The last reason logged for not holding the address. Each is logged once.
    reported: String,
    /// Time since which this machine has the address although this process does not hold it.
    foreign: Option<Instant>,
}

/// Resources to release.
struct HeldAddress {
    lease: HeldLease,
    /// The address on the interface, once it may have been added.
    put: Option<InterfaceAddress>,
}

/// Reason why this balancer does not hold the address.
#[derive(Debug, PartialEq, Eq)]
enum NotHeld {
    /// Normal operation.
    Normal(String),
    /// A problem that an operator has to solve.
    Problem(String),
}

/// Handle of a running keeper.
pub(crate) struct KeeperHandle {
    is_held: Arc<AtomicBool>,
    /// Never used to send: closing it tells the keeper to end.
    ends: Sender<Infallible>,
    /// Closed once the keeper has ended.
    ended: Receiver<Infallible>,
}

impl KeeperHandle {
    /// Returns a flag that is true while this balancer holds the address.
    pub(crate) fn is_held(&self) -> Arc<AtomicBool> {
        self.is_held.clone()
    }

    /// Removes the address and releases the lock.
    pub(crate) async fn release(self) {
        drop(self.ends);
        let _ = self.ended.recv().await;
    }
}

impl AddressKeeper {
    /// Starts the keeper on a thread of its own.
    pub(crate) fn start(mut self) -> KeeperHandle {
        let is_held = self.is_held.clone();
        let (ends, told) = channel::bounded(1);
        let (over, ended) = channel::bounded(1);
        let work = async move {
            let told = async { told.recv().await.map_or((), |never| match never {}) };
            let keeping = async { match self.keep().await {} };
            told.or(keeping).await;
            self.release("this balancer is stopping").await;
            drop(over);
        };
        // The I/O thread drives timers and sockets. This thread only sleeps until it is woken.
        std::thread::Builder::new()
            .name("floating".into())
            .spawn(|| smol::future::block_on(work))
            .expect("a process can start its few threads");
        KeeperHandle { is_held, ends, ended }
    }

    /// Returns a keeper that is not started. It reaches the cluster through the members on the board.
    pub(crate) fn new(options: FloatingOptions, board: Arc<Mutex<Board>>, keys: &Keys) -> AddressKeeper {
        AddressKeeper {
            path: floating_path(options.address),
            options,
            board,
            keys: keys.clone(),
            is_held: Arc::default(),
            held: None,
            reported: String::new(),
            foreign: None,
        }
    }

    /// Acquires the address whenever it is free, for ever. Dropping the future releases nothing: call [`AddressKeeper::release`].
    async fn keep(&mut self) -> Infallible {
        let mut namespace = self.namespace();
        loop {
            let not_held = match self.check_free(&mut namespace).await {
                Err(not_held) => not_held,
                Ok(()) => match self.hold(&namespace).await {
                    Err(not_held) => {
                        let (NotHeld::Normal(why) | NotHeld::Problem(why)) = &not_held;
                        self.release(why).await;
                        not_held
                    }
                    Ok(never) => return never,
                },
            };
            self.report(not_held);
            Timer::after(FLOATING_LOOK_EVERY).await;
        }
    }

    /// Removes the address and releases the lock, if this balancer holds them.
    async fn release(&mut self, why: &str) {
        let Some(HeldAddress { lease, put }) = self.held.take() else { return };
        if let Some(put) = put {
            match address::remove(put) {
                Ok(()) => log::info!("released {}: {why}", self.options.address),
                Err(error) => log::error!(
                    "cannot remove {} from {}: {error}. The kernel removes it within {FLOATING_LIFETIME_S} s",
                    self.options.address,
                    self.options.interface
                ),
            }
            self.is_held.store(false, Ordering::Relaxed);
        }
        lease.close().await;
    }

    /// Returns a namespace client that uses the live members on the board.
    fn namespace(&self) -> Namespace {
        let board = self.board.clone();
        let answering = move || board.locked().answering();
        Namespace::with_members(answering, &self.keys, "the members that answer")
    }

    /// Logs why this balancer does not hold the address, unless it was the last reason logged.
    fn report(&mut self, not_held: NotHeld) {
        let (NotHeld::Normal(words) | NotHeld::Problem(words)) = &not_held;
        if self.reported == *words {
            return;
        }
        match &not_held {
            NotHeld::Normal(words) => log::info!("not holding {}: {words}", self.options.address),
            NotHeld::Problem(words) => log::warn!("not holding {}: {words}", self.options.address),
        }
        self.reported.clone_from(words);
    }

    /// Checks that the interface is ready and the lock is free, without acquiring it.
    ///
    /// # Errors
    /// The reason why the address cannot be taken now.
    async fn check_free(&mut self, namespace: &mut Namespace) -> Result<(), NotHeld> {
        self.interface()?;
        match namespace.list_stale(&self.path, 0, FLOATING_GLANCE_MAX).await {
            Ok(found) => match found.entries.first() {
                None => Ok(()),
                Some(lock) => {
                    let holder = String::from_utf8_lossy(&lock.node.content).into_owned();
                    Err(NotHeld::Normal(format!("it is held on {holder}")))
                }
            },
            Err(unreachable) => {
                *namespace = self.namespace();
                log::debug!("cannot read {}: {unreachable}", self.path);
                Err(NotHeld::Problem("no member of the cluster answers".to_string()))
            }
        }
    }

    /// Returns the interface and the address to add, if it may be added now.
    ///
    /// # Errors
    /// The interface is missing or down, or the machine has the address already.
    fn interface(&mut self) -> Result<(Interface, InterfaceAddress), NotHeld> {
        let FloatingOptions { address, bits, interface: name } = &self.options;
        let trouble = |words: String| Err(NotHeld::Problem(words));
        let found = match lan::find_interface(name) {
            Ok(found) => found,
            Err(error) => return trouble(format!("cannot list the network interfaces: {error}")),
        };
        let Some(interface) = found.wanted else {
            let there = found.names.join(", ");
            return trouble(format!("there is no interface {name} yet (found: {there})"));
        };
        if !interface.runs {
            return trouble(format!("{name} is down or its cable is unplugged"));
        }
        let ours = self.held.as_ref().is_some_and(|held| held.put.is_some());
        if let Some(here) = found.addresses.iter().find(|here| here.address == *address).filter(|_| !ours) {
            let since = *self.foreign.get_or_insert_with(Instant::now);
            let words = format!("{} has it already", here.name);
            return Err(match since.elapsed() < FLOATING_LEFTOVER_MAX {
                // Probably left over from an earlier process. The kernel removes it.
                true => NotHeld::Normal(words),
                false => NotHeld::Problem(format!(
                    "{words} as a configured address: remove it from this machine's network settings"
                )),
            });
        }
        self.foreign = None;
        let joined = found.addresses.iter().any(|own| {
            own.name == *name && own.address != *address && lan::same_network(own.address, *address, *bits)
        });
        let put = InterfaceAddress {
            index: interface.index,
            address: *address,
            bits: if joined { 32 } else { *bits },
        };
        Ok((interface, put))
    }

    /// Acquires the lock and the address and keeps both until either is lost.
    ///
    /// # Errors
    /// The reason why the address is not, or no longer, held.
    async fn hold(&mut self, namespace: &Namespace) -> Result<Infallible, NotHeld> {
        self.acquire(namespace).await?;
        let (interface, put) = self.interface()?;
        let ether = interface.ether.as_ref().map(Ether::open).transpose().map_err(|it| self.kernel(&it))?;
        while let Some(ether) = &ether
            && let Some(mac) = self.claimed(ether).await?
        {
            let (name, mac) = (&self.options.interface, format_mac(mac));
            self.report(NotHeld::Problem(format!("another machine on {name} has it: {mac}")));
        }
        self.put(put)?;
        self.is_held.store(true, Ordering::Relaxed);
        self.reported.clear();
        log::info!("holding {} on {}", self.options.address, self.options.interface);
        self.keep_held(ether.as_ref(), put).await
    }

    /// Opens a lease and acquires the lock with it.
    async fn acquire(&mut self, namespace: &Namespace) -> Result<(), NotHeld> {
        let unreachable = |failure: Failure| NotHeld::Problem(failure.message);
        let pace = RenewalTimes { every: FLOATING_RENEW_EVERY, answer_max: FLOATING_RENEW_MAX };
        let lease = HeldLease::open_with(pace, namespace, "balancer", FLOATING_LEASE);
        let lease = lease.await.map_err(unreachable)?;
        let token = lease.token();
        self.held = Some(HeldAddress { lease, put: None });
        let content = format!("{}, {}", host_name(), self.options.interface).into_bytes();
        let acquire = TreeCommand::Acquire { path: self.path.clone(), lease: token, content };
        match namespace.write(acquire).await.map_err(unreachable)?.1 {
            Ok(Reply::Fenced { .. }) => Ok(()),
            Err(Denied { code: Code::LockHeld, .. }) => {
                Err(NotHeld::Normal("another balancer was faster".to_string()))
            }
            Err(denied) => Err(NotHeld::Problem(format!("{}: {}", self.path, denied.code.text()))),
            Ok(_) => Err(NotHeld::Problem(format!("{} is not a lock", self.path))),
        }
    }

    /// Probes the network. Returns the hardware address of another machine that has the address, if there is one.
    async fn claimed(&self, ether: &Ether) -> Result<Option<Mac>, NotHeld> {
        for _ in 0..FLOATING_PROBES {
            self.good_until()?;
            ether.probe(self.options.address).map_err(|it| self.kernel(&it))?;
            let claimed = async { ether.claimed(self.options.address).await.map(Some) };
            let silence = async {
                Timer::after(FLOATING_PROBE_WAIT).await;
                Ok(None)
            };
            if let Some(mac) = claimed.or(silence).await.map_err(|it| self.kernel(&it))? {
                Timer::after(FLOATING_PROBE_WAIT).await; // the other machine may be releasing it
                return Ok(Some(mac));
            }
        }
        Ok(None)
    }

    /// Refreshes the address with every renewal of the lease and announces it to the neighbours.
    async fn keep_held(
        &mut self,
        ether: Option<&Ether>,
        put: InterfaceAddress,
    ) -> Result<Infallible, NotHeld> {
        let begun = Instant::now();
        let mut announced = 0;
        let mut put_until = None;
        loop {
            let Some(changed) = self.held.as_ref().map(|held| held.lease.changed()) else {
                return Err(NotHeld::Normal("it was released".to_string()));
            };
            let good_until = self.good_until()?;
            if put_until != Some(good_until) {
                self.put(put)?;
                put_until = Some(good_until);
            }
            let due = FLOATING_ANNOUNCE_AFTER_MS.get(announced).map(|ms| begun + Duration::from_millis(*ms));
            if let Some(ether) = ether
                && due.is_some_and(|due| due <= Instant::now())
            {
                announced += 1;
                ether.announce(self.options.address).map_err(|it| self.kernel(&it))?;
                continue;
            }
            let look = Instant::now() + FLOATING_LOOK_EVERY;
            let next = look.min(good_until).min(due.filter(|_| ether.is_some()).unwrap_or(look));
            let late = async {
                Timer::at(next).await;
            };
            changed.or(late).await;
            let (now, _) = self.interface()?;
            if now.index != put.index {
                return Err(NotHeld::Normal(format!(
                    "{} was replaced by another interface",
                    self.options.interface
                )));
            }
        }
    }

    /// Returns the time until which the lock is certainly held.
    ///
    /// # Errors
    /// The lease is lost.
    fn good_until(&self) -> Result<Instant, NotHeld> {
        let lost = |held: &HeldAddress| NotHeld::Problem(held.lease.why_lost().unwrap_or_default());
        match &self.held {
            Some(held) => held.lease.good_until().ok_or_else(|| lost(held)),
            None => Err(NotHeld::Normal("it was released".to_string())),
        }
    }

    /// Adds the address to the interface, or refreshes its lifetime.
    fn put(&mut self, put: InterfaceAddress) -> Result<(), NotHeld> {
        // Recorded first, so that `let_go` removes an address that may have been added.
        if let Some(held) = &mut self.held {
            held.put = Some(put);
        }
        self.good_until()?;
        address::add(put, FLOATING_LIFETIME_S).map_err(|error| self.kernel(&error))
    }

    /// Turns a kernel error into a reason.
    fn kernel(&self, error: &io::Error) -> NotHeld {
        NotHeld::Problem(format!("{}: {error}", self.options.interface))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ribbit_state::ClusterId;

    fn keeper(interface: &str) -> AddressKeeper {
        let address = "192.0.2.50".parse().unwrap();
        let options = FloatingOptions { address, bits: 24, interface: interface.to_string() };
        let keys = Keys::of_cluster(ClusterId(1), &[7; 32]);
        AddressKeeper::new(options, Arc::new(Mutex::new(Board::new(Vec::new(), 1))), &keys)
    }

    #[test]
    fn missing_capabilities_are_named() {
        let words = lacks(&["CAP_NET_ADMIN", "CAP_NET_RAW"]);
        assert!(words.contains("CAP_NET_ADMIN and CAP_NET_RAW") && words.contains(".service"), "{words}");
    }

    #[test]
    fn a_missing_interface_is_reported_and_waited_for() {
        let Err(NotHeld::Problem(words)) = keeper("no-such-one").interface() else { panic!() };
        assert!(words.contains("no interface no-such-one yet") && words.contains("lo"), "{words}");
    }

    #[test]
    fn an_address_that_stays_on_the_machine_is_reported_as_configured() {
        let mut keeper = keeper("lo");
        keeper.options.address = "127.0.0.1".parse().unwrap();
        assert!(matches!(keeper.interface(), Err(NotHeld::Normal(words)) if words.contains("lo has it")));
        keeper.foreign = Instant::now().checked_sub(FLOATING_LEFTOVER_MAX);
        assert!(
            matches!(keeper.interface(), Err(NotHeld::Problem(words)) if words.contains("network settings"))
        );
    }

    #[test]
    fn within_the_machines_own_network_the_prefix_is_32_bits() {
        let mut keeper = keeper("lo");
        let (_, put) = keeper.interface().unwrap();
        assert_eq!(put.bits, 24);
        (keeper.options.address, keeper.options.bits) = ("127.0.0.77".parse().unwrap(), 8);
        let (interface, put) = keeper.interface().unwrap();
        assert_eq!((put.bits, put.index), (32, interface.index));
    }
}
