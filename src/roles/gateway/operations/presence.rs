//! Presence: who is online through a protocol, decided once in the whole cluster.
//!
//! ```text
//!   /gateways/online/chat/ada     lock, held by the gateway through which ada is online
//!
//!   enter ──▶ Waiting ── a lease with room ──▶ Acquiring ──▶ Held ── the guard is dropped ──▶ Releasing ──▶ gone
//!                ▲                                 │          │
//!                └── the lease is over, say the servers ──────┘
//!                                                  └── another gateway has the lock ──▶ Lost
//! ```
//!
//! - One atomic step in the cluster decides: of a hundred log-ins at once, through any ports and gateways, one gets the lock.
//!   Within a gateway the map of places decides first, because one lease may acquire its own lock again.
//! - The locks are under leases of the gateway. When it dies they are free after `LEASE`; when it stops, at once.
//! - A gateway that no server answers keeps its people online: an election or an outage ends nothing, unless another gateway
//!   has the name by the time it is over.
//! - A lock is acquired or released by one task at a time. A guard that is dropped while its lock is being acquired under another
//!   lease waits for that, and releases it then.
//! - A lease owns a bounded number of nodes, so a gateway opens as many as it needs. Renewals write nothing.

use crate::common::failure::Exit;
use crate::gateway::limits::{LEASE, LEASES_MAX, LOCK_PAUSE, PEOPLE_PER_LEASE_MAX};
use crate::gateway::operations::GatewayOperations;
use crate::locks::lease::HeldLease;
use crate::locks::namespace::Namespace;
use crate::operations::Refusal;
use crate::operations::limits::HOLD_MAX;
use event_listener::Event;
use ribbit_net::tasks;
use ribbit_state::sync::MutexExt;
use ribbit_state::text::fold_username;
use ribbit_state::{Code, Consistency, Denied, TokenHash, TreeCommand, TreePath};
use smol::channel;
use smol::future::Boxed;
use smol::{Task, Timer};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Folder of the locks.
const ONLINE: &str = "/gateways/online";

/// Presence as one gateway decides it.
#[derive(Debug, Clone)]
pub(crate) struct Presence(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    namespace: Namespace,
    leases: Mutex<Vec<HeldLease>>,
    /// Locked while a lease is opened, so that several log-ins do not open one each.
    opening: smol::lock::Mutex<()>,
    /// Locks of this gateway. Locked after `leases` where both are.
    places: Mutex<BTreeMap<TreePath, Place>>,
    /// Notified when a lock has been acquired, lost or released.
    settled: Event,
}

/// A lock of this gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Needs a lease with room.
    Waiting,
    Acquiring {
        lease: TokenHash,
    },
    Held {
        lease: TokenHash,
    },
    Releasing {
        lease: TokenHash,
    },
    /// Another gateway has the lock, after this one had lost its lease.
    Lost,
}

impl Place {
    /// Returns the lease in which it takes room.
    fn lease(self) -> Option<TokenHash> {
        match self {
            Place::Acquiring { lease } | Place::Held { lease } | Place::Releasing { lease } => Some(lease),
            Place::Waiting | Place::Lost => None,
        }
    }
}

/// Guard of a person who is online through one connection. Dropping it ends that.
#[derive(Debug)]
pub(crate) struct Online {
    shared: Arc<Shared>,
    path: TreePath,
    /// The release has begun.
    left: bool,
}

impl Presence {
    pub(in crate::gateway) fn new(namespace: Namespace) -> Presence {
        let (leases, opening, places, settled) = Default::default();
        Presence(Arc::new(Shared { namespace, leases, opening, places, settled }))
    }

    /// Releases all locks at once, when the gateway stops. Takes no longer than closing one lease. A lease that is being opened
    /// is left to expire.
    pub(in crate::gateway) async fn close(&self) {
        let leases = std::mem::take(&mut *self.0.leases.locked());
        let closing: Vec<Task<()>> = leases.into_iter().map(|lease| tasks::spawn(lease.close())).collect();
        for closed in closing {
            closed.await;
        }
    }
}

impl GatewayOperations {
    /// Makes a person online through a protocol, if they are not online through it anywhere in the cluster. Tries again for
    /// `patience` while they are: a connection that has just ended, or a gateway that died, frees the name meanwhile.
    ///
    /// Refused with [`Refusal::AlreadyOnline`].
    pub(crate) async fn go_online(
        &self,
        protocol: &str,
        username: &str,
        patience: Duration,
    ) -> Result<Online, Refusal> {
        let path: TreePath = format!("{ONLINE}/{protocol}/{username}")
            .parse()
            .map_err(|_| Refusal::Denied(Code::NoSuchUser))?;
        let end = Instant::now() + patience;
        loop {
            // In a task of its own: if this future is dropped, the guard is dropped there and the lock released.
            let (tell, told) = channel::bounded(1);
            let (shared, of) = (self.presence.0.clone(), path.clone());
            tasks::spawn(async move { tell.send(shared.enter(of).await).await }).detach();
            match told.recv().await.unwrap_or(Err(Refusal::Unavailable)) {
                Err(Refusal::AlreadyOnline) if Instant::now() < end => {
                    self.presence.0.may_be_free(&path, end).await;
                }
                entered => return entered,
            }
        }
    }

    /// Returns true if the person is online through a protocol of this gateway.
    pub(crate) fn is_online_here(&self, protocol: &str, username: &str) -> bool {
        let Ok(username) = fold_username(username) else { return false };
        let path = format!("{ONLINE}/{protocol}/{username}").parse();
        path.is_ok_and(|path: TreePath| self.presence.0.places.locked().contains_key(&path))
    }
}

impl Shared {
    async fn enter(self: Arc<Self>, path: TreePath) -> Result<Online, Refusal> {
        {
            let mut places = self.places.locked();
            if places.contains_key(&path) {
                return Err(Refusal::AlreadyOnline);
            }
            places.insert(path.clone(), Place::Waiting);
        }
        let refusal = match self.acquire(&path).await {
            Ok(lease) => {
                self.settle(&path, Some(Place::Held { lease }));
                return Ok(Online { shared: self, path, left: false });
            }
            Err(refusal) => refusal,
        };
        let place = self.place(&path);
        match place.and_then(Place::lease).filter(|_| refusal == Refusal::Unavailable) {
            Some(lease) => {
                // It may have been acquired: the guard's end releases it.
                self.settle(&path, Some(Place::Held { lease }));
                drop(Online { shared: self, path, left: false });
            }
            None => self.settle(&path, None),
        }
        Err(refusal)
    }

    fn place(&self, path: &TreePath) -> Option<Place> {
        self.places.locked().get(path).copied()
    }

    /// Ends the acquisition or release of a lock: it is held or lost, or no longer a lock of this gateway.
    fn settle(&self, path: &TreePath, place: Option<Place>) {
        let mut places = self.places.locked();
        match place {
            Some(place) => places.insert(path.clone(), place),
            None => places.remove(path),
        };
        drop(places);
        self.settled.notify(usize::MAX);
    }

    /// Acquires a lock under a lease with room, and returns the lease. Held while no server decides it.
    async fn acquire(self: &Arc<Self>, path: &TreePath) -> Result<TokenHash, Refusal> {
        loop {
            let lease = self.lease(path).await?;
            match self.acquire_under(lease, path).await {
                // The next renewal reports that, too.
                Err(Refusal::Denied(Code::LeaseOver)) => {}
                acquired => return acquired.map(|()| lease),
            }
            Timer::after(LOCK_PAUSE).await;
        }
    }

    /// Acquires a lock under a lease. Repeated under the same one, it is one acquisition.
    async fn acquire_under(&self, lease: TokenHash, path: &TreePath) -> Result<(), Refusal> {
        let end = Instant::now() + HOLD_MAX;
        loop {
            let acquire = TreeCommand::Acquire { path: path.clone(), lease, content: Vec::new() };
            match self.namespace.write(acquire).await {
                Ok((_, Ok(_))) => return Ok(()),
                Ok((_, Err(denied))) if denied.code == Code::LockHeld => return Err(Refusal::AlreadyOnline),
                Ok((_, Err(denied))) => return Err(Refusal::Denied(denied.code)),
                Err(failure) if Instant::now() < end => log::debug!("{}: {failure}", path.as_str()),
                Err(failure) => {
                    log::warn!("cannot decide whether {} is free: {failure}", path.as_str());
                    return Err(Refusal::Unavailable);
                }
            }
        }
    }

    /// Waits until a lock that was held looks free, or until `end`. Looks by reading: every refused acquisition would be an
    /// entry of the log.
    async fn may_be_free(&self, path: &TreePath, end: Instant) {
        while Instant::now() < end {
            Timer::after(LOCK_PAUSE).await;
            if self.places.locked().contains_key(path) {
                continue;
            }
            match self.namespace.node(path, Consistency::Session).await {
                Ok(answer) if answer.node.is_some() => {}
                _ => return,
            }
        }
    }

    /// Makes room for a lock under a lease, and opens one if all are full.
    async fn lease(self: &Arc<Self>, path: &TreePath) -> Result<TokenHash, Refusal> {
        let _opening = self.opening.lock().await;
        loop {
            if let Some(lease) = self.make_room(path) {
                return Ok(lease);
            }
            if self.leases.locked().len() >= LEASES_MAX {
                log::warn!("{LEASES_MAX} leases are full: no one else can go online through this gateway");
                return Err(Refusal::Denied(Code::TooManyLeases));
            }
            let opened = self.open_lease().await?;
            let (token, lost, shared) = (opened.token(), opened.lost(), Arc::downgrade(self));
            self.leases.locked().push(opened);
            tasks::spawn(async move {
                log::warn!("a lease is lost: {}", lost.await);
                if let Some(shared) = shared.upgrade() {
                    shared.enter_again(token).await;
                }
            })
            .detach();
        }
    }

    /// Takes room for a lock under the lease that it had last, if that is good, or under another one.
    fn make_room(&self, path: &TreePath) -> Option<TokenHash> {
        let mut leases = self.leases.locked();
        leases.retain(HeldLease::is_good);
        let mut places = self.places.locked();
        let last = places.get(path).copied().and_then(Place::lease);
        let people = |lease: TokenHash| places.values().filter(|place| place.lease() == Some(lease)).count();
        let is_last = |lease: &&HeldLease| Some(lease.token()) == last;
        let has_room = |lease: &&HeldLease| people(lease.token()) < PEOPLE_PER_LEASE_MAX;
        let lease = leases.iter().find(is_last).or_else(|| leases.iter().find(has_room))?.token();
        places.insert(path.clone(), Place::Acquiring { lease });
        Some(lease)
    }

    async fn open_lease(&self) -> Result<HeldLease, Refusal> {
        let end = Instant::now() + HOLD_MAX;
        loop {
            match HeldLease::open_until_over(&self.namespace, "gateway", LEASE).await {
                Ok(opened) => return Ok(opened),
                Err(failure) if failure.exit == Exit::Refused => {
                    log::warn!("cannot open a lease: {failure}");
                    return Err(Refusal::Denied(Code::TooManyLeases));
                }
                Err(failure) if Instant::now() < end => log::debug!("no lease yet: {failure}"),
                Err(failure) => {
                    log::warn!("cannot open a lease: {failure}");
                    return Err(Refusal::Unavailable);
                }
            }
        }
    }

    /// Acquires the locks of a lease that is over under others. A lock that another gateway has by then is lost.
    fn enter_again(self: Arc<Self>, lost: TokenHash) -> Boxed<()> {
        // Boxed: opening another lease waits for the loss of that one, and so on.
        Box::pin(async move { self.acquire_again(lost).await })
    }

    async fn acquire_again(self: Arc<Self>, lost: TokenHash) {
        let is_under = |place: &Place| place.lease() == Some(lost);
        let paths: Vec<TreePath> = {
            let places = self.places.locked();
            places.iter().filter(|(_, place)| is_under(place)).map(|(path, _)| path.clone()).collect()
        };
        for path in paths {
            if !self.replaces(&path, lost).await {
                continue;
            }
            let place = loop {
                match self.acquire(&path).await {
                    Ok(lease) => break Place::Held { lease },
                    Err(Refusal::Unavailable) => {}
                    Err(_) => break Place::Lost,
                }
                Timer::after(LOCK_PAUSE).await;
            };
            self.settle(&path, Some(place));
        }
    }

    /// Begins to replace the lease of a lock. Returns false if the lock is not held under `lost`, because it is being released or
    /// was acquired under another lease meanwhile.
    async fn replaces(&self, path: &TreePath, lost: TokenHash) -> bool {
        loop {
            // Listening begins before the look, so that a change in between is noticed.
            let settled = self.settled.listen();
            match self.places.locked().get_mut(path) {
                Some(place) if *place == Place::Held { lease: lost } => {
                    *place = Place::Waiting;
                    return true;
                }
                Some(Place::Acquiring { lease }) if *lease == lost => {}
                _ => return false,
            }
            settled.await;
        }
    }

    /// Releases a lock. Repeats it while the lease lasts: it is renewed, so that a lock which is not released would never be free.
    async fn release(&self, path: &TreePath, lease: TokenHash) {
        loop {
            match self.namespace.write(TreeCommand::Release { path: path.clone(), lease }).await {
                Ok((_, Ok(_))) => return,
                Ok((_, Err(Denied { code: Code::NotHeld | Code::LockHeld | Code::LeaseOver, .. }))) => return,
                failed => log::debug!("{} is not released yet: {failed:?}", path.as_str()),
            }
            let lasts = |held: &HeldLease| held.token() == lease && held.is_good();
            if !self.leases.locked().iter().any(lasts) {
                return;
            }
            Timer::after(LOCK_PAUSE).await;
        }
    }

    /// Begins to release a lock, once no task acquires it. Returns its lease, or `None` if another gateway has it.
    async fn releases(&self, path: &TreePath) -> Option<TokenHash> {
        loop {
            let settled = self.settled.listen();
            match self.places.locked().get_mut(path)? {
                place @ Place::Held { .. } => {
                    let lease = place.lease()?;
                    *place = Place::Releasing { lease };
                    return Some(lease);
                }
                Place::Waiting | Place::Acquiring { .. } => {}
                Place::Releasing { .. } | Place::Lost => return None,
            }
            settled.await;
        }
    }
}

impl Online {
    /// Returns true once another gateway has made the person online, because this one was cut off from the cluster.
    pub(crate) fn is_lost(&self) -> bool {
        self.shared.place(&self.path) == Some(Place::Lost)
    }

    /// Completes once another gateway has made the person online. Cancel safe.
    pub(crate) async fn lost(&self) {
        loop {
            let settled = self.shared.settled.listen();
            if self.is_lost() {
                return;
            }
            settled.await;
        }
    }

    /// Waits until it is certain whether no other gateway has made the person online, and returns true if so. A gateway that was
    /// cut off or stopped learns only from the servers that its lease is over.
    pub(crate) async fn is_held(&self) -> bool {
        loop {
            let settled = self.shared.settled.listen();
            let lease = match self.shared.place(&self.path) {
                Some(Place::Held { lease }) => Some(lease),
                Some(Place::Waiting | Place::Acquiring { .. }) => None,
                Some(Place::Releasing { .. } | Place::Lost) | None => return false,
            };
            let confirmed = lease.and_then(|lease| {
                let leases = self.shared.leases.locked();
                leases.iter().find(|held| held.token() == lease).map(HeldLease::confirmed)
            });
            if let Some(confirmed) = confirmed
                && confirmed.await
            {
                return true;
            }
            settled.await;
        }
    }

    /// Ends it and waits until the lock is released.
    pub(crate) async fn leave(mut self) {
        self.release().await;
    }

    /// Releases the lock in a task of its own.
    fn release(&mut self) -> Task<()> {
        self.left = true;
        let (shared, path) = (self.shared.clone(), self.path.clone());
        tasks::spawn(async move {
            if let Some(lease) = shared.releases(&path).await {
                shared.release(&path, lease).await;
            }
            shared.settle(&path, None);
        })
    }
}

impl Drop for Online {
    fn drop(&mut self) {
        if !self.left {
            self.release().detach();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::service::limits::STOP_DEADLINE;
    use ribbit_net::keys::{KEY_BYTES, Keys};
    use ribbit_state::ClusterId;
    use smol::future::{poll_once, race};
    use std::net::TcpListener;

    fn path(name: &str) -> TreePath {
        format!("{ONLINE}/chat/{name}").parse().expect("a path")
    }

    /// Calls `test` with the presence of a gateway whose servers accept connections and never answer.
    fn without_answers(test: impl AsyncFnOnce(&Presence)) {
        let servers = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = servers.local_addr().expect("bound").to_string();
        let keys = Keys::of_cluster(ClusterId(1), &[1; KEY_BYTES]);
        let presence = Presence::new(Namespace::with_members(move || vec![address.clone()], &keys, ""));
        smol::block_on(test(&presence));
    }

    #[test]
    fn closing_waits_for_no_lease_that_is_being_opened_and_for_the_others_together() {
        without_answers(async |presence| {
            let path = path("ada");
            let opening = presence.0.lease(&path);
            smol::pin!(opening);
            assert!(poll_once(&mut opening).await.is_none());
            for _ in 0..8 {
                presence.0.leases.locked().push(HeldLease::unconfirmed(&presence.0.namespace, LEASE));
            }
            let late = async {
                Timer::after(STOP_DEADLINE).await;
                panic!("the unit is killed before its leases are closed");
            };
            race(presence.close(), late).await;
        });
    }

    #[test]
    fn a_person_who_leaves_while_the_lease_is_replaced_has_no_place_any_more() {
        without_answers(async |presence| {
            let (shared, path) = (&presence.0, path("ada"));
            let [first, second] = [1, 2].map(|byte| TokenHash([byte; 32]));
            let leave = || Online { shared: shared.clone(), path: path.clone(), left: false }.leave();
            // Before it is the lock's turn.
            shared.settle(&path, Some(Place::Held { lease: first }));
            assert_eq!(shared.releases(&path).await, Some(first));
            assert!(!shared.replaces(&path, first).await, "it is being released");
            // While it is being acquired under another lease.
            shared.settle(&path, Some(Place::Held { lease: first }));
            assert!(shared.replaces(&path, first).await);
            let leaving = shared.releases(&path);
            smol::pin!(leaving);
            assert_eq!(poll_once(&mut leaving).await, None);
            shared.settle(&path, Some(Place::Held { lease: second }));
            assert_eq!(leaving.await, Some(second), "it is released under the lease that has it");
            // Another gateway has it.
            shared.settle(&path, Some(Place::Lost));
            leave().await;
            assert_eq!(shared.place(&path), None);
        });
    }
}
