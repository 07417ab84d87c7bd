//! The floating address: of all balancers that name it, the one that holds its lock has it.
//!
//! ```text
//!   look: interface runs, address not here, lock free ──▶ lease, lock /floating/ADDR ──▶ probe: nobody else has it
//!     ▲                                                                                        │
//!     │                                              put, for a second ──▶ announce, five times ◀┘
//!     │                                                  ▲      │
//!     │                                                  └──────┘ with every renewal of the lease
//!     └── take off, close the lease ◀── the lease is lost, the interface is down, this balancer ends
//! ```
//!
//! - **Never two at once.** A holder stops at half of the lease ([`crate::lease`]), the next one gets the lock after
//!   all of it. One that is killed or stopped (SIGSTOP, starved) takes nothing off: its kernel does, since the address
//!   has a lifetime of a second, which is over before the lease is. Whoever has the lock asks the network first, and
//!   takes nothing that another machine answers for; so it is also with a machine that has nothing to do with the group.
//! - One moment is left: a process that is stopped between looking at its lease and putting the address again does so
//!   when it wakes, and finds out right behind that; a second later at most the address is gone.
//! - It goes on as a host's address (32 bits) where its network is there already: the machine's own address is then
//!   neither replaced as a source nor taken along when this one is taken off.
//! - All of it is on a thread of its own, and one thing comes after the other: the kernel has one lock for all that is said
//!   about addresses, and whoever comes in must not wait for it.
//!
//! What it does not do: IPv6; keep connections alive that went through the holder that died: people's programs connect
//! again.

use super::board::Board;
use super::limits::{
    FLOATING_ANNOUNCE_AFTER_MS, FLOATING_GLANCE_MAX, FLOATING_LEASE, FLOATING_LEFTOVER_MAX,
    FLOATING_LIFETIME_S, FLOATING_LOOK_EVERY, FLOATING_PROBE_WAIT, FLOATING_PROBES, FLOATING_RENEW_EVERY,
    FLOATING_RENEW_MAX,
};
use crate::failure::{Exit, Failure};
use crate::lease::{Lease, Pace};
use crate::namespace::{Namespace, floating_path};
use crate::node::host_name;
use crate::options::FloatingOptions;
use ribbit_net::keys::Keys;
use ribbit_net::lan::address::{self, Put};
use ribbit_net::lan::arp::{Ether, Mac, mac_words};
use ribbit_net::lan::{self, Interface};
use ribbit_state::{Code, Denied, Reply, TreeCommand, TreePath};
use smol::Timer;
use smol::channel::{self, Receiver, Sender};
use smol::future::FutureExt;
use std::convert::Infallible;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Whether this process may hold an address at all.
///
/// # Errors
/// 78: it may not.
pub fn allowed() -> Result<(), Failure> {
    match lan::lacking() {
        Ok(lacking) if lacking.is_empty() => Ok(()),
        Ok(lacking) => Err(Failure::new(Exit::Configuration, lacks(&lacking))),
        Err(error) => {
            Err(Failure::new(Exit::Configuration, format!("cannot tell what is allowed here: {error}")))
        }
    }
}

fn lacks(lacking: &[&str]) -> String {
    format!(
        "--floating needs {}: start the unit ribbit-balancer-floating.service, which has what it needs, or run this as root",
        lacking.join(" and ")
    )
}

/// Takes the address when it may, and looks after it.
pub struct Keeper {
    options: FloatingOptions,
    path: TreePath,
    board: Arc<Mutex<Board>>,
    keys: Keys,
    has_it: Arc<AtomicBool>,
    held: Option<Held>,
    /// What was last said of why the address is not here: said once.
    said: String,
    /// Since when the address is here without us.
    foreign: Option<Instant>,
}

/// What has to be let go of.
struct Held {
    lease: Lease,
    put: Option<Put>,
}

/// Why the address is not here.
#[derive(Debug, PartialEq, Eq)]
enum NotHere {
    /// As it should be.
    Fine(String),
    /// Somebody has to look.
    Trouble(String),
}

/// A keeper at work.
pub struct Kept {
    has_it: Arc<AtomicBool>,
    /// Nothing is ever sent on either: the channels' ends are the signals.
    ends: Sender<Infallible>,
    ended: Receiver<Infallible>,
}

impl Kept {
    /// Whether the address is here, now and later.
    pub fn has_it(&self) -> Arc<AtomicBool> {
        self.has_it.clone()
    }

    /// Takes the address off, and gives the lock to whoever is next.
    pub async fn let_go(self) {
        drop(self.ends);
        let _ = self.ended.recv().await;
    }
}

impl Keeper {
    /// Begins to keep it, on a thread of its own.
    pub fn start(mut self) -> Kept {
        let has_it = self.has_it.clone();
        let (ends, told) = channel::bounded(1);
        let (over, ended) = channel::bounded(1);
        let work = async move {
            let told = async { told.recv().await.map_or((), |never| match never {}) };
            let keeping = async { match self.keep().await {} };
            told.or(keeping).await;
            self.let_go("this balancer ends").await;
            drop(over);
        };
        // The sockets' thread waits for timers and sockets: this one sleeps until it is woken.
        std::thread::Builder::new()
            .name("floating".into())
            .spawn(|| smol::future::block_on(work))
            .expect("a process can start its few threads");
        Kept { has_it, ends, ended }
    }

    pub fn new(options: FloatingOptions, board: Arc<Mutex<Board>>, keys: &Keys) -> Keeper {
        Keeper {
            path: floating_path(options.address),
            options,
            board,
            keys: keys.clone(),
            has_it: Arc::default(),
            held: None,
            said: String::new(),
            foreign: None,
        }
    }

    /// Takes the address whenever nobody has it, for ever. Dropped, it lets go of nothing: that is [`Keeper::let_go`]'s.
    async fn keep(&mut self) -> Infallible {
        let mut namespace = self.namespace();
        loop {
            let not_here = match self.may_take(&mut namespace).await {
                Err(not_here) => not_here,
                Ok(()) => match self.hold(&namespace).await {
                    Err(not_here) => {
                        let (NotHere::Fine(why) | NotHere::Trouble(why)) = &not_here;
                        self.let_go(why).await;
                        not_here
                    }
                    Ok(never) => return never,
                },
            };
            self.say(not_here);
            Timer::after(FLOATING_LOOK_EVERY).await;
        }
    }

    /// Takes the address off and gives the lock to whoever is next.
    async fn let_go(&mut self, why: &str) {
        let Some(Held { lease, put }) = self.held.take() else { return };
        if let Some(put) = put {
            match address::take_off(put) {
                Ok(()) => log::info!("{} is not here any more: {why}", self.options.address),
                Err(error) => log::error!(
                    "{} cannot be taken off {}: {error}; the kernel does it within {FLOATING_LIFETIME_S} s",
                    self.options.address,
                    self.options.interface
                ),
            }
            self.has_it.store(false, Ordering::Relaxed);
        }
        lease.close().await;
    }

    /// Through whoever lives when it is asked.
    fn namespace(&self) -> Namespace {
        let board = self.board.clone();
        let answering = move || board.lock().expect("nothing panics while it holds this lock").answering();
        Namespace::among(answering, &self.keys, "the members that answer")
    }

    fn say(&mut self, not_here: NotHere) {
        let (NotHere::Fine(words) | NotHere::Trouble(words)) = &not_here;
        if self.said == *words {
            return;
        }
        match &not_here {
            NotHere::Fine(words) => log::info!("{} is not here: {words}", self.options.address),
            NotHere::Trouble(words) => log::warn!("{} is not here: {words}", self.options.address),
        }
        self.said.clone_from(words);
    }

    /// Whether nothing is in the way, as far as can be seen without asking for the lock.
    async fn may_take(&mut self, namespace: &mut Namespace) -> Result<(), NotHere> {
        self.interface()?;
        match namespace.glance(&self.path, 0, FLOATING_GLANCE_MAX).await {
            Ok(found) => match found.entries.first() {
                None => Ok(()),
                Some(lock) => {
                    let holder = String::from_utf8_lossy(&lock.node.content).into_owned();
                    Err(NotHere::Fine(format!("it is held on {holder}")))
                }
            },
            Err(unreachable) => {
                *namespace = self.namespace();
                log::debug!("looking at {}: {unreachable}", self.path);
                Err(NotHere::Trouble("nobody of the group answers".to_string()))
            }
        }
    }

    /// The interface, when the address may be put on it now.
    fn interface(&mut self) -> Result<(Interface, Put), NotHere> {
        let FloatingOptions { address, bits, interface: name } = &self.options;
        let trouble = |words: String| Err(NotHere::Trouble(words));
        let found = match lan::look(name) {
            Ok(found) => found,
            Err(error) => return trouble(format!("the interfaces cannot be looked at: {error}")),
        };
        let Some(interface) = found.wanted else {
            let there = found.names.join(", ");
            return trouble(format!("there is no interface {name} yet (there are {there})"));
        };
        if !interface.runs {
            return trouble(format!("{name} is down, or its cable is out"));
        }
        let ours = self.held.as_ref().is_some_and(|held| held.put.is_some());
        if let Some(here) = found.addresses.iter().find(|here| here.address == *address).filter(|_| !ours) {
            let since = *self.foreign.get_or_insert_with(Instant::now);
            let words = format!("{} has it already", here.name);
            return Err(match since.elapsed() < FLOATING_LEFTOVER_MAX {
                // An earlier life of ours has left it, and the kernel takes it off.
                true => NotHere::Fine(words),
                false => NotHere::Trouble(format!(
                    "{words}, as an own address: take it out of this machine's network settings"
                )),
            });
        }
        self.foreign = None;
        let joined = found.addresses.iter().any(|own| {
            own.name == *name && own.address != *address && lan::same_network(own.address, *address, *bits)
        });
        let put = Put { index: interface.index, address: *address, bits: if joined { 32 } else { *bits } };
        Ok((interface, put))
    }

    /// Gets the lock and the address and keeps both, until either is lost.
    async fn hold(&mut self, namespace: &Namespace) -> Result<Infallible, NotHere> {
        self.acquire(namespace).await?;
        let (interface, put) = self.interface()?;
        let ether = interface.ether.as_ref().map(Ether::open).transpose().map_err(|it| self.kernel(&it))?;
        while let Some(ether) = &ether
            && let Some(mac) = self.claimed(ether).await?
        {
            let (name, mac) = (&self.options.interface, mac_words(mac));
            self.say(NotHere::Trouble(format!("another machine on {name} has it: {mac}")));
        }
        self.put(put)?;
        self.has_it.store(true, Ordering::Relaxed);
        self.said.clear();
        log::info!("{} is here, on {}", self.options.address, self.options.interface);
        self.look_after(ether.as_ref(), put).await
    }

    async fn acquire(&mut self, namespace: &Namespace) -> Result<(), NotHere> {
        let unreachable = |failure: Failure| NotHere::Trouble(failure.message);
        let pace = Pace { every: FLOATING_RENEW_EVERY, answer_max: FLOATING_RENEW_MAX };
        let lease = Lease::at_pace(pace, namespace, "balancer", FLOATING_LEASE);
        let lease = lease.await.map_err(unreachable)?;
        let token = lease.token();
        self.held = Some(Held { lease, put: None });
        let content = format!("{}, {}", host_name(), self.options.interface).into_bytes();
        let acquire = TreeCommand::Acquire { path: self.path.clone(), lease: token, content };
        match namespace.write(acquire).await.map_err(unreachable)?.1 {
            Ok(Reply::Fenced { .. }) => Ok(()),
            Err(Denied { code: Code::LockHeld, .. }) => {
                Err(NotHere::Fine("another balancer was quicker".to_string()))
            }
            Err(denied) => Err(NotHere::Trouble(format!("{}: {}", self.path, denied.code.words()))),
            Ok(_) => Err(NotHere::Trouble(format!("{} is not a lock", self.path))),
        }
    }

    /// Asks the neighbours whether one of them has the address.
    async fn claimed(&self, ether: &Ether) -> Result<Option<Mac>, NotHere> {
        for _ in 0..FLOATING_PROBES {
            self.good_until()?;
            ether.probe(self.options.address).map_err(|it| self.kernel(&it))?;
            let claimed = async { ether.claimed(self.options.address).await.map(Some) };
            let silence = async {
                Timer::after(FLOATING_PROBE_WAIT).await;
                Ok(None)
            };
            if let Some(mac) = claimed.or(silence).await.map_err(|it| self.kernel(&it))? {
                Timer::after(FLOATING_PROBE_WAIT).await; // it may be about to go
                return Ok(Some(mac));
            }
        }
        Ok(None)
    }

    /// Puts the address again with every renewal, and tells the neighbours of it.
    async fn look_after(&mut self, ether: Option<&Ether>, put: Put) -> Result<Infallible, NotHere> {
        let begun = Instant::now();
        let mut announced = 0;
        let mut put_until = None;
        loop {
            let Some(changed) = self.held.as_ref().map(|held| held.lease.changed()) else {
                return Err(NotHere::Fine("it was let go of".to_string()));
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
                return Err(NotHere::Fine(format!("{} is another one now", self.options.interface)));
            }
        }
    }

    /// Until when the lock is surely ours.
    fn good_until(&self) -> Result<Instant, NotHere> {
        let lost = |held: &Held| NotHere::Trouble(held.lease.why_lost().unwrap_or_default());
        match &self.held {
            Some(held) => held.lease.good_until().ok_or_else(|| lost(held)),
            None => Err(NotHere::Fine("it was let go of".to_string())),
        }
    }

    fn put(&mut self, put: Put) -> Result<(), NotHere> {
        // Noted first: what may be there is taken off.
        if let Some(held) = &mut self.held {
            held.put = Some(put);
        }
        self.good_until()?;
        address::put(put, FLOATING_LIFETIME_S).map_err(|error| self.kernel(&error))
    }

    fn kernel(&self, error: &io::Error) -> NotHere {
        NotHere::Trouble(format!("{}: {error}", self.options.interface))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ribbit_state::ClusterId;

    fn keeper(interface: &str) -> Keeper {
        let address = "192.0.2.50".parse().unwrap();
        let options = FloatingOptions { address, bits: 24, interface: interface.to_string() };
        let keys = Keys::of_cluster(ClusterId(1), &[7; 32]);
        Keeper::new(options, Arc::new(Mutex::new(Board::new(Vec::new(), 1))), &keys)
    }

    #[test]
    fn what_is_missing_is_named() {
        let words = lacks(&["CAP_NET_ADMIN", "CAP_NET_RAW"]);
        assert!(words.contains("CAP_NET_ADMIN and CAP_NET_RAW") && words.contains(".service"), "{words}");
    }

    #[test]
    fn an_interface_that_is_not_there_is_waited_for_in_words() {
        let Err(NotHere::Trouble(words)) = keeper("no-such-one").interface() else { panic!() };
        assert!(words.contains("no interface no-such-one yet") && words.contains("lo"), "{words}");
    }

    #[test]
    fn an_address_that_this_machine_has_for_itself_is_somebody_elses_doing_after_a_while() {
        let mut keeper = keeper("lo");
        keeper.options.address = "127.0.0.1".parse().unwrap();
        assert!(matches!(keeper.interface(), Err(NotHere::Fine(words)) if words.contains("lo has it")));
        keeper.foreign = Instant::now().checked_sub(FLOATING_LEFTOVER_MAX);
        assert!(
            matches!(keeper.interface(), Err(NotHere::Trouble(words)) if words.contains("network settings"))
        );
    }

    #[test]
    fn where_its_network_is_there_already_it_comes_alone() {
        let mut keeper = keeper("lo");
        let (_, put) = keeper.interface().unwrap();
        assert_eq!(put.bits, 24);
        (keeper.options.address, keeper.options.bits) = ("127.0.0.77".parse().unwrap(), 8);
        let (interface, put) = keeper.interface().unwrap();
        assert_eq!((put.bits, put.index), (32, interface.index));
    }
}
