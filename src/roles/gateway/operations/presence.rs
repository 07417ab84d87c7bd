//! Presence: who is online through a protocol, decided once in the whole cluster.
//!
//! ```text
//!   /gateways/online/chat/ada     lock, held by the gateway through which ada is online
//!
//!   enter ──▶ a lease of this gateway with room ──▶ Acquire ──▶ a guard ──▶ dropped: Release
//!                       └── over, say the servers (this gateway was cut off) ──▶ all its locks are acquired under another
//! ```
//!
//! - One atomic step in the cluster decides: of a hundred log-ins at once, through any ports and gateways, one gets the lock.
//!   Within a gateway the map of places decides first, because one lease may acquire its own lock again.
//! - The locks are under leases of the gateway. When it dies they are free after `LEASE`; when it stops, at once.
//! - A gateway that no server answers keeps its people online: an election or an outage ends nothing, unless another gateway
//!   has the name by the time it is over.
//! - A lease owns a bounded number of nodes, so a gateway opens as many as it needs. Renewals write nothing.

use crate::common::failure::Exit;
use crate::gateway::limits::{LEASE, LEASES_MAX, LOCK_PAUSE, PEOPLE_PER_LEASE_MAX};
use crate::gateway::operations::GatewayOperations;
use crate::locks::lease::HeldLease;
use crate::locks::namespace::Namespace;
use crate::operations::Refusal;
use crate::operations::limits::HOLD_MAX;
use ribbit_net::tasks;
use ribbit_state::sync::MutexExt;
use ribbit_state::text::fold_username;
use ribbit_state::{Code, Consistency, TokenHash, TreeCommand, TreePath};
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
    /// Locked while a lease is opened, so that several log-ins do not open one each.
    leases: smol::lock::Mutex<Vec<HeldLease>>,
    /// Locks that this gateway holds or is acquiring.
    places: Mutex<BTreeMap<TreePath, Place>>,
}

/// A lock of this gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Acquiring,
    Held {
        lease: TokenHash,
    },
    /// Another gateway has the lock, after this one had lost its lease.
    Lost,
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
        let (leases, places) = Default::default();
        Presence(Arc::new(Shared { namespace, leases, places }))
    }

    /// Releases all locks at once, when the gateway stops.
    pub(in crate::gateway) async fn close(&self) {
        let leases = std::mem::take(&mut *self.0.leases.lock().await);
        for lease in leases {
            lease.close().await;
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
            places.insert(path.clone(), Place::Acquiring);
        }
        let refusal = match self.lease().await {
            Ok(lease) => match self.acquire(&path, lease).await {
                Ok(()) => {
                    self.places.locked().insert(path.clone(), Place::Held { lease });
                    return Ok(Online { shared: self, path, left: false });
                }
                Err(Refusal::Unavailable) => {
                    // It may have been acquired: the guard's end releases it.
                    self.places.locked().insert(path.clone(), Place::Held { lease });
                    drop(Online { shared: self, path, left: false });
                    return Err(Refusal::Unavailable);
                }
                Err(refusal) => refusal,
            },
            Err(refusal) => refusal,
        };
        self.places.locked().remove(&path);
        Err(refusal)
    }

    /// Acquires a lock. Held while no server decides it: repeated under the same lease, it is one acquisition.
    async fn acquire(&self, path: &TreePath, lease: TokenHash) -> Result<(), Refusal> {
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

    /// Returns a lease with room for another lock, or opens one.
    async fn lease(self: &Arc<Self>) -> Result<TokenHash, Refusal> {
        let mut leases = self.leases.lock().await;
        leases.retain(HeldLease::is_good);
        let people = |lease: TokenHash| {
            let places = self.places.locked();
            places.values().filter(|place| **place == Place::Held { lease }).count()
        };
        // Locks that are being acquired count for every lease.
        let acquiring = self.places.locked().values().filter(|place| **place == Place::Acquiring).count();
        let room = |lease: &&HeldLease| people(lease.token()) + acquiring <= PEOPLE_PER_LEASE_MAX;
        if let Some(lease) = leases.iter().find(room) {
            return Ok(lease.token());
        }
        if leases.len() >= LEASES_MAX {
            log::warn!("{LEASES_MAX} leases are full: no one else can go online through this gateway");
            return Err(Refusal::Denied(Code::TooManyLeases));
        }
        let end = Instant::now() + HOLD_MAX;
        let opened = loop {
            match HeldLease::open_until_over(&self.namespace, "gateway", LEASE).await {
                Ok(opened) => break opened,
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
        };
        let (token, lost, shared) = (opened.token(), opened.lost(), Arc::downgrade(self));
        leases.push(opened);
        tasks::spawn(async move {
            log::warn!("a lease is lost: {}", lost.await);
            if let Some(shared) = shared.upgrade() {
                shared.enter_again(token).await;
            }
        })
        .detach();
        Ok(token)
    }

    /// Acquires the locks of a lease that is over under others. A lock that another gateway has by then is lost.
    fn enter_again(self: Arc<Self>, lost: TokenHash) -> Boxed<()> {
        // Boxed: opening another lease waits for the loss of that one, and so on.
        Box::pin(async move { self.acquire_again(lost).await })
    }

    async fn acquire_again(self: Arc<Self>, lost: TokenHash) {
        let is_lost = |place: &Place| *place == Place::Held { lease: lost };
        let paths: Vec<TreePath> = {
            let places = self.places.locked();
            places.iter().filter(|(_, place)| is_lost(place)).map(|(path, _)| path.clone()).collect()
        };
        for path in paths {
            let place = loop {
                let acquired = match self.lease().await {
                    Ok(lease) => self.acquire(&path, lease).await.map(|()| lease),
                    Err(refusal) => Err(refusal),
                };
                match acquired {
                    Ok(lease) => break Place::Held { lease },
                    Err(Refusal::Unavailable) => {}
                    Err(_) => break Place::Lost,
                }
                Timer::after(LOCK_PAUSE).await;
            };
            let mut places = self.places.locked();
            if let Some(known) = places.get_mut(&path).filter(|place| is_lost(place)) {
                *known = place;
            }
        }
    }
}

impl Online {
    /// Returns true once another gateway has made the person online, because this one was cut off from the cluster.
    pub(crate) fn is_lost(&self) -> bool {
        self.shared.places.locked().get(&self.path) == Some(&Place::Lost)
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
            let place = shared.places.locked().get(&path).copied();
            if let Some(Place::Held { lease }) = place {
                let release = TreeCommand::Release { path: path.clone(), lease };
                match shared.namespace.write(release).await {
                    Ok((_, Ok(_))) => {}
                    Ok((_, Err(denied))) => log::debug!("{}: {denied}", path.as_str()),
                    // Free when the lease ends.
                    Err(failure) => log::warn!("cannot release {}: {failure}", path.as_str()),
                }
            }
            shared.places.locked().remove(&path);
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
