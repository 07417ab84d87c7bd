//! Entry point for all requests that a member receives.
//!
//! A backend serves users: reads from its own store, writes through the replica, passwords through the hashing queue.
//! A coordinator answers status queries, membership and operator requests, but serves no users.

use super::consistency::READ_WAIT;
use super::coordination::{self, server_choice};
use super::request::{NodeRequest, store_unreadable};
use super::{
    NodeState, join_codes, key_rotation, links, monitoring, session_tokens, snapshots, subscriptions, upgrade,
};
use ribbit_db::DbError;
use ribbit_net::channel::Channel;
use ribbit_net::frame::{FrameError, Plane};
use ribbit_net::http::HttpResponse;
use ribbit_net::joining::Knock;
use ribbit_net::listener;
use ribbit_net::listener::{Caller, SubscriptionSink};
use ribbit_net::oneshot::ask_once;
use ribbit_net::protocol::{Answer, Ask, NodeStatus, UnavailableReason};
use ribbit_net::tasks;
use ribbit_replica::ReachError;
use ribbit_state::cluster::members;
use ribbit_state::command::NewMember;
use ribbit_state::sync::MutexExt;
use ribbit_state::{
    AccountId, ClusterId, Code, Command, Denied, LogIndex, MemberName, Reply, Request, RequestId, Role,
    Token, TokenHash, Topic, lookup,
};
use ribbit_ui::version;
use smol::future::FutureExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Time after a request's deadline at which it is abandoned.
const LATE: Duration = Duration::from_millis(100);

/// The listener's handler for this node.
pub(crate) struct NodeService {
    pub(crate) node: Arc<NodeState>,
}

impl listener::Service for NodeService {
    async fn answer(self: Arc<Self>, caller: Caller, ask: Ask, deadline: Instant) -> Answer {
        let plane = caller.plane;
        let ask = session_tokens::stored(ask);
        if matches!(ask, Ask::NodeStatus) {
            return Answer::NodeStatus(Box::new(self.status()));
        }
        let fits = match plane {
            Plane::Status => matches!(ask, Ask::History),
            // Served by balancers only.
            Plane::Directory | Plane::Join => false,
            Plane::Client | Plane::Control | Plane::Peer | Plane::Snapshot => true,
        };
        if !fits {
            return Answer::Refused(Denied::new(Code::InvalidEntry));
        }
        let Some(member) = self.node.membership.get() else {
            return Answer::Unavailable(UnavailableReason::NotServing);
        };
        if plane == Plane::Client
            && !self.node.is_crowded(caller.from)
            && let Err(code) = self.node.limits.address(caller.from, &ask)
        {
            return Answer::Refused(Denied::new(code));
        }
        let context = NodeRequest { node: &self.node, member, deadline, caller: &caller };
        match ask {
            // The most frequent request. The replica's core enforces its deadline, so it needs no timer of its own.
            Ask::Write(request) if self.node.options.role == Role::Backend && plane != Plane::Control => {
                context.write(request).await
            }
            // The timer answers a request that hangs and drops its work. Boxed, so that the future of a plain write stays
            // small.
            ask => Box::pin(self.decide(plane, ask, context)).or(late(deadline)).await,
        }
    }

    async fn stream(
        self: Arc<Self>,
        cursor: Token,
        mut wanted: Topic,
        mut outlet: SubscriptionSink,
    ) -> Result<(), FrameError> {
        session_tokens::stored_wanted(&mut wanted);
        subscriptions::serve(&self.node, cursor, wanted, &mut outlet).await
    }

    fn page(&self, path: &str) -> Option<HttpResponse> {
        monitoring::page(&self.node, &self.status(), path)
    }

    async fn invite(self: Arc<Self>, knock: Knock) -> Result<(), FrameError> {
        join_codes::answer(&self.node, knock).await
    }

    async fn peer(self: Arc<Self>, plane: Plane, channel: Channel) {
        match plane {
            Plane::Peer => links::accept(self.node.clone(), channel).await,
            Plane::Snapshot => snapshots::accept(self.node.clone(), channel).await,
            Plane::Client | Plane::Control | Plane::Status | Plane::Directory | Plane::Join => {}
        }
    }
}

impl NodeService {
    /// Dispatches a request by its kind, the connection's plane and this node's role.
    async fn decide(&self, plane: Plane, ask: Ask, context: NodeRequest<'_>) -> Answer {
        let is_operator = plane == Plane::Control;
        if let Some(refusal) = Access::of(&ask).refusal(self.node.options.role, is_operator) {
            return refusal;
        }
        match ask {
            Ask::NodeStatus => Answer::NodeStatus(Box::new(self.status())),
            Ask::Join { cluster, id, region, member } => context.join(cluster, id, region, member).await,
            Ask::Lose { id, name } => context.lose(id, name).await,
            Ask::Transfer { name } => context.transfer(name).await,
            Ask::History => Answer::History(context.member.coordination.history.locked().lines()),
            Ask::Renew { token } => coordination::renew(&self.node, token, context.deadline).await,
            Ask::Pin(ask) => context.pinned(ask).await,
            Ask::NewestKey => key_rotation::newest(&self.node),
            Ask::TakeKey(key) => key_rotation::take(&self.node, key).await,
            Ask::GetServer { client, before } => context.server_of(client, before.as_deref()),
            Ask::Subscribe { .. } | Ask::Directory(_) => Answer::Refused(Denied::new(Code::InvalidEntry)),
            Ask::Write(request) if is_operator => context.write_as_operator(request).await,
            Ask::Write(request) => context.write(request).await,
            Ask::CreateAccount { id, submitted_at, form } => {
                context.create_account(id, submitted_at, form).await
            }
            Ask::LogIn { id, submitted_at, username, password, token, device, app } => {
                context
                    .log_in(id, submitted_at, &username, password, (token, device), app.map(|app| *app))
                    .await
            }
            Ask::DeleteAccount { id, submitted_at, session, password } => {
                context.delete_account(id, submitted_at, session, password).await
            }
            Ask::Confirm { id, submitted_at, session, password } => {
                context.confirm(id, submitted_at, session, password).await
            }
            Ask::ChangePassword { id, submitted_at, session, old, new } => {
                context.change_password(id, submitted_at, session, old, new).await
            }
            Ask::ResetPassword { id, submitted_at, code, password } => {
                context.reset_password(id, submitted_at, code, password).await
            }
            Ask::SetPassword { id, submitted_at, username, password } => {
                context.set_password(id, submitted_at, &username, password).await
            }
            Ask::Read { query, .. } if !is_operator && !query.is_public() => {
                Answer::Refused(Denied::new(Code::KeptByRibbit))
            }
            Ask::Read { seen, consistency, query } => context.read(seen, consistency, &query).await,
        }
    }

    /// Returns the node's full status.
    fn status(&self) -> NodeStatus {
        let member = self.node.membership.get();
        let replica = member.map(|it| it.replica.status()).unwrap_or_default();
        let (rules_level, auto_finish) = upgrade::in_force(&self.node);
        NodeStatus {
            cluster: self.node.options.cluster,
            history: member.map(|it| it.identity.history),
            me: self.node.info(),
            leader: replica.leader,
            term: replica.term,
            voters: replica.configuration.settled_voters(),
            learners: replica.configuration.learners,
            in_sync: replica.in_sync,
            stalled_s: u32::try_from(replica.stalled_ms / 1_000).unwrap_or(u32::MAX),
            lagging: replica.lagging,
            others: member.map_or_else(|| self.node.seeds.heard_members(), |it| it.member_list.known()),
            store: self.node.store_status(),
            leases: member.map(|it| it.coordination.status()).unwrap_or_default(),
            accepts_old_key: self.node.options.keys.ring().is_some_and(|ring| ring.accepts_old),
            build: version::LONG.to_string(),
            rules_level,
            auto_finish,
        }
    }
}

/// Access rule of one kind of request: the members that answer it, and the planes on which they do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    /// All members on every plane that carries the request.
    AllMembers,
    /// All members on the control plane.
    Operators,
    /// All members on the control plane, backends also on the client plane.
    OperatorsAndUsers,
    /// Backends on both planes.
    Backends,
    /// Backends on the control plane.
    BackendOperators,
    /// Not answered as a single request by any member.
    Never,
}

impl Access {
    /// Returns the access rule of a request.
    fn of(ask: &Ask) -> Access {
        match ask {
            Ask::NodeStatus | Ask::History | Ask::Renew { .. } | Ask::GetServer { .. } => Access::AllMembers,
            Ask::Join { .. }
            | Ask::Lose { .. }
            | Ask::Transfer { .. }
            | Ask::NewestKey
            | Ask::TakeKey(_)
            | Ask::Pin(_) => Access::Operators,
            Ask::Write(_) | Ask::Read { .. } => Access::OperatorsAndUsers,
            Ask::CreateAccount { .. }
            | Ask::LogIn { .. }
            | Ask::DeleteAccount { .. }
            | Ask::Confirm { .. }
            | Ask::ChangePassword { .. }
            | Ask::ResetPassword { .. } => Access::Backends,
            Ask::SetPassword { .. } => Access::BackendOperators,
            // A stream has a connection of its own, see `NodeService::stream`. The directory is served by balancers.
            Ask::Subscribe { .. } | Ask::Directory(_) => Access::Never,
        }
    }

    /// Returns the answer with which a member of this role refuses the request, or `None` if it may answer. `is_operator`: the
    /// request came on the control plane. Coordinators answer `Unavailable`, so that the client tries another server.
    fn refusal(self, role: Role, is_operator: bool) -> Option<Answer> {
        match (self, role) {
            (Access::AllMembers, _) => None,
            (Access::Operators | Access::OperatorsAndUsers, _) if is_operator => None,
            (_, Role::Coordinator) => Some(Answer::Unavailable(UnavailableReason::NotServing)),
            (Access::OperatorsAndUsers | Access::Backends, Role::Backend) => None,
            (Access::BackendOperators, Role::Backend) if is_operator => None,
            (Access::Operators | Access::BackendOperators | Access::Never, Role::Backend) => {
                Some(Answer::Refused(Denied::new(Code::InvalidEntry)))
            }
        }
    }
}

/// Waits until a request is abandoned, then returns its answer.
async fn late(deadline: Instant) -> Answer {
    smol::Timer::at(deadline + LATE).await;
    Answer::Unavailable(UnavailableReason::NotServing)
}

impl NodeRequest<'_> {
    async fn join(&self, cluster: ClusterId, id: RequestId, region: u32, member: NewMember) -> Answer {
        if cluster != self.member.identity.cluster {
            return Answer::Refused(Denied::new(Code::WrongCluster));
        }
        // A join before the first entry has recorded the founder would be refused, and the refusal recorded for its id.
        match self.member.replica.reader().view().and_then(|view| members::all(&view)) {
            Ok(members) if members.is_empty() => return Answer::Unavailable(UnavailableReason::Behind),
            Ok(_) => {}
            Err(error) => return store_unreadable(&error),
        }
        self.operate(id, Command::Join { region, member }).await
    }

    /// Submits a command with the current index as its submitted-at index. Only for commands that are idempotent by their
    /// content, because a retry gets another index.
    async fn operate(&self, id: RequestId, command: Command) -> Answer {
        let submitted_at = self.member.replica.reader().applied();
        self.submit(id, submitted_at, command).await
    }

    /// Removes a member that has lost its store.
    async fn lose(&self, id: RequestId, name: MemberName) -> Answer {
        if self.is_running(name) {
            return Answer::Refused(Denied::new(Code::MemberAlive));
        }
        self.operate(id, Command::MarkLost { name }).await
    }

    /// Returns true if the member is this one, or was heard lately.
    pub(super) fn is_running(&self, name: MemberName) -> bool {
        name == self.node.options.member_name() || self.member.member_list.is_alive(name)
    }

    /// Begins to hand leadership over. Only the leader can do so; any other member asks it to.
    pub(super) async fn transfer(&self, name: MemberName) -> Answer {
        let status = self.member.replica.status();
        let known = || self.member.member_list.known().into_iter().find(|info| info.member_name() == name);
        let heir = match name == self.node.options.member_name() {
            true => Some(self.member.identity.raft_id),
            false => known().map(|info| info.raft_id),
        };
        let Some(heir) = heir.filter(|heir| status.configuration.voters.contains(heir)) else {
            return Answer::Refused(Denied::new(Code::NoSuchMember));
        };
        if status.leads {
            self.member.replica.transfer(heir);
            let token = Token { history: self.member.identity.history, index: status.applied };
            return Answer::Written { token, outcome: Ok(Reply::Done) };
        }
        let Some(leader) = status.leader.and_then(|id| self.member.member_list.info(id)) else {
            return Answer::Unavailable(UnavailableReason::NoLeader);
        };
        let left = self.deadline.saturating_duration_since(Instant::now());
        let ask = Ask::Transfer { name };
        // A node that has lost leadership meanwhile forwards the request again. The deadline bounds the chain.
        ask_once(&leader.address, Plane::Control, &self.node.options.keys, ask, left)
            .await
            .unwrap_or(Answer::Unavailable(UnavailableReason::NoLeader))
    }

    /// Submits a command of a user. Refuses commands that carry results of checks made by a backend, and commands that only
    /// members propose.
    async fn write(&self, request: Request) -> Answer {
        if !request.command.facts().sender.allows_people() {
            return Answer::Refused(Denied::new(Code::InvalidEntry));
        }
        let session = request.command.secret();
        match self.check_write_rate(&request, session).await {
            Ok(()) => self.submit(request.id, request.submitted_at, request.command).await,
            Err(answer) => answer,
        }
    }

    /// Applies the rate limit of the account that writes. The account of a session is looked up once and then cached, so
    /// that writes do not wait for the disk.
    ///
    /// # Errors
    /// The answer to send: a refusal, or why the session could not be looked up.
    async fn check_write_rate(&self, request: &Request, session: Option<TokenHash>) -> Result<(), Answer> {
        let limits = &self.node.limits;
        if !limits.limits_writes() {
            return Ok(());
        }
        let known = session.and_then(|session| limits.owner(session));
        let account = match (session, known) {
            (Some(session), None) => Box::pin(self.look_up_owner(session, request.submitted_at)).await?,
            _ => known,
        };
        limits.write(&request.command, account, request.id).map_err(|code| match (session, account) {
            // All unknown sessions share one allowance, because refused commands take room in the log too.
            (Some(_), None) => Answer::Refused(Denied::new(Code::NotLoggedIn)),
            _ => Answer::Refused(Denied::new(code)),
        })
    }

    /// Looks up the account of a session in the store and caches it. Returns `None` for an unknown session.
    ///
    /// # Errors
    /// The answer to send: this node is behind the session's log-in, the submitted-at index is beyond the commit index, or
    /// the store cannot be read.
    async fn look_up_owner(
        &self,
        session: TokenHash,
        submitted_at: LogIndex,
    ) -> Result<Option<AccountId>, Answer> {
        let ends = self.deadline.min(Instant::now() + READ_WAIT);
        let caught_up = match self.member.replica.reach(submitted_at, ends).await {
            Ok(()) => true,
            Err(ReachError::Late) => false,
            Err(ReachError::NeverCommitted) => {
                return Err(Answer::Refused(Denied::new(Code::OutcomeUnknown)));
            }
        };
        let node = self.node.clone();
        let looked_up = tasks::spawn_reader(async move {
            let Some(member) = node.membership.get() else { return Ok(None) };
            let reader = member.replica.reader();
            let found = lookup::session_account(&reader.view()?, session, reader.age_ms())?;
            Ok(found.map(|(account, _)| account))
        });
        match looked_up.await.map_err(|error: DbError| store_unreadable(&error))? {
            Some(account) => {
                self.node.limits.cache_owner(session, account);
                Ok(Some(account))
            }
            None if caught_up => Ok(None),
            // The session may have been opened beyond this node's applied index.
            None => Err(Answer::Unavailable(UnavailableReason::Behind)),
        }
    }

    /// Submits a command on behalf of an operator: operator commands on any member, user commands on a backend.
    async fn write_as_operator(&self, request: Request) -> Answer {
        match self.node.options.role {
            _ if request.command.facts().sender.allows_operators() => {
                self.submit(request.id, request.submitted_at, request.command).await
            }
            Role::Backend => self.write(request).await,
            Role::Coordinator => Answer::Refused(Denied::new(Code::InvalidEntry)),
        }
    }

    /// Returns the server that a client should use.
    fn server_of(&self, client: u64, before: Option<&str>) -> Answer {
        match server_choice::choose(self.node, client, before) {
            Ok((server, changed)) => Answer::Server { server, changed },
            Err(error) => store_unreadable(&error),
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
