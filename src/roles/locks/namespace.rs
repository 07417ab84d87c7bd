//! Client of the lock namespace: reads, writes, and errors that name the path in the way.
//!
//! - A read is linearizable by default: it sees everything that was acknowledged before it began, whichever member answers.
//!   Without a majority, no such answer exists and the read fails.
//! - A stale read returns the state of one member and is always marked as possibly out of date.
//! - Lock holders are shown by name: members by theirs, clients by their own description.
//!
//! Holds no locks and renews no leases: [`crate::locks::lease`] does.

use crate::common::cluster_selection::ClusterAccess;
use crate::common::failure::{Exit, Failure};
use crate::common::survey;
use ribbit_net::client::{Client, ClientError};
use ribbit_net::keys::Keys;
use ribbit_net::protocol::{Answer, Ask, UnavailableReason};
use ribbit_net::secret::new_request_id;
use ribbit_net::subscription::Subscription;
use ribbit_state::command::Guard;
use ribbit_state::limits::TREE_PAGE_MAX;
use ribbit_state::query::TreeEntry;
use ribbit_state::rows::{Lease, NodeKind, TreeNode};
use ribbit_state::{
    Code, Command, Consistency, Denied, LogIndex, Outcome, Owner, Page, Query, RaftId, Reply, Request, Token,
    Topic, TreeCommand, TreePath,
};
use ribbit_ui::tree::DrawnNode;
use ribbit_ui::words;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

/// Time limit of a write.
const ASK_MAX: Duration = Duration::from_secs(10);
/// Time limit of a read, long enough for an election.
const READ_MAX: Duration = Duration::from_secs(5);

/// Client of a cluster's lock namespace. Clones share the connection.
#[derive(Debug, Clone)]
pub(crate) struct Namespace {
    client: Client,
    servers: ServerSource,
    keys: Keys,
    names: BTreeMap<RaftId, String>,
    found_in: String,
}

/// Returns the servers to begin with and those to ask when these do not answer, whenever a client is made.
#[derive(Clone)]
struct ServerSource(Arc<dyn Fn() -> (Vec<String>, Vec<String>) + Send + Sync>);

impl ServerSource {
    fn client(&self, keys: &Keys) -> Client {
        let (first, also) = (self.0)();
        Client::operating(first, also, keys.clone())
    }
}

impl std::fmt::Debug for ServerSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", (self.0)())
    }
}

/// A place of the namespace and what lies below it.
#[derive(Debug, Default)]
pub(crate) struct TreeListing {
    pub(crate) nodes: Vec<DrawnNode>,
    /// Number of pages read.
    pub(crate) pages: usize,
}

/// One node of the namespace, as a read found it.
#[derive(Debug)]
pub(crate) struct NodeAnswer {
    pub(crate) token: Token,
    pub(crate) node: Option<TreeNode>,
}

/// One member's state of a path.
#[derive(Debug)]
pub(crate) struct StaleListing {
    pub(crate) entries: Vec<TreeEntry>,
    /// True when the member is out of touch with the leader.
    pub(crate) old: bool,
}

/// Descriptions of the owners of leases.
#[derive(Debug, Default)]
pub(crate) struct LeaseHolders(BTreeMap<Owner, String>);

impl LeaseHolders {
    /// Returns the description of an owner, or its number if it is unknown.
    pub(crate) fn words(&self, owner: Owner) -> String {
        self.0.get(&owner).cloned().unwrap_or_else(|| words::holder(owner, None, ""))
    }
}

/// The answer to a read.
struct NamespaceAnswer {
    token: Token,
    page: Result<Page, Denied>,
    old: bool,
}

impl Namespace {
    /// Connects to the cluster and reads its member list.
    ///
    /// # Errors
    /// `Unreachable` (3) when no server answers.
    pub(crate) async fn reach(cluster: &ClusterAccess) -> Result<Namespace, Failure> {
        let survey = survey::reached(cluster).await?;
        let names = survey.members.iter().map(|it| (it.info.raft_id, it.info.name())).collect();
        let servers = ServerSource(Arc::new(move || (survey.answering(), survey.silent())));
        let (client, keys) = (servers.client(&cluster.keys), cluster.keys.clone());
        Ok(Namespace { client, servers, keys, names, found_in: cluster.found_in.clone() })
    }

    /// Creates a client for a member list that the caller maintains. `servers` is called whenever a connection is opened.
    pub(crate) fn with_members(
        servers: impl Fn() -> Vec<String> + Send + Sync + 'static,
        keys: &Keys,
        found_in: &str,
    ) -> Namespace {
        let servers = ServerSource(Arc::new(move || (servers(), Vec::new())));
        let (client, keys, names) = (servers.client(keys), keys.clone(), BTreeMap::new());
        Namespace { client, servers, keys, names, found_in: found_in.to_string() }
    }

    /// Creates a client with its own connection.
    pub(crate) fn another_client(&self) -> Client {
        self.servers.client(&self.keys)
    }

    /// Creates a namespace client with its own connection.
    pub(crate) fn with_own_connection(&self) -> Namespace {
        Namespace { client: self.another_client(), ..self.clone() }
    }

    /// Subscribes to the changes at a path and below it, after a log position.
    pub(crate) fn follow(&self, cursor: Token, path: &TreePath) -> Subscription {
        self.client.subscribe(cursor, Topic::Tree { path: path.clone() })
    }

    /// Reads the node at a path, with its content and the log position of the answer.
    ///
    /// # Errors
    /// 3: no server answers; 5: too few servers are left to agree on the newest state.
    pub(crate) async fn node(
        &self,
        path: &TreePath,
        consistency: Consistency,
    ) -> Result<NodeAnswer, Failure> {
        let query = Query::Tree { path: path.clone(), depth: Some(0), after: None, limit: 1 };
        let NamespaceAnswer { token, page, .. } = self.read(query, consistency).await?;
        let node = match page {
            Ok(Page::Tree { mut entries, .. }) => entries.pop().map(|entry| entry.node),
            Ok(other) => return Err(unexpected_answer(&other)),
            Err(Denied { code: Code::NoSuchNode | Code::NotAFolder, .. }) => None,
            Err(denied) => return Err(refused(path, denied)),
        };
        Ok(NodeAnswer { token, node })
    }

    /// Lists a place and what lies below it, down to `depth` names, page by page.
    ///
    /// # Errors
    /// 1: there is no such place; 3: no server answers; 5: too few servers are left to agree.
    pub(crate) async fn list(
        &self,
        path: &TreePath,
        depth: Option<u8>,
        consistency: Consistency,
    ) -> Result<(Token, TreeListing), Failure> {
        let mut listing = TreeListing::default();
        let mut owned: Vec<(usize, Owner)> = Vec::new();
        let token = self
            .each_page(path, depth, consistency, |entries| {
                listing.pages += 1;
                for entry in entries {
                    owned.extend(entry.node.owner.map(|owner| (listing.nodes.len(), owner)));
                    listing.nodes.push(without_content(entry));
                }
            })
            .await?;
        if !owned.is_empty() {
            let holders = self.holders(follow_up(consistency)).await?;
            for (at, owner) in owned {
                listing.nodes[at].holder = Some(holders.words(owner));
            }
        }
        Ok((token, listing))
    }

    /// Passes a path and everything below it to `each`, with content, page by page.
    ///
    /// # Errors
    /// Those of [`Namespace::list`].
    pub(crate) async fn each_page(
        &self,
        path: &TreePath,
        depth: Option<u8>,
        consistency: Consistency,
        mut each: impl FnMut(Vec<TreeEntry>),
    ) -> Result<Token, Failure> {
        let mut after = None;
        let mut first = None;
        loop {
            let query = Query::Tree { path: path.clone(), depth, after, limit: TREE_PAGE_MAX as u16 };
            let NamespaceAnswer { token, page, .. } = match first {
                None => self.read(query, consistency).await?,
                Some(_) => self.read(query, follow_up(consistency)).await?,
            };
            let (entries, more) = match page {
                Ok(Page::Tree { entries, more }) => (entries, more),
                Ok(other) => return Err(unexpected_answer(&other)),
                Err(denied) => return Err(refused(path, denied)),
            };
            let token = *first.get_or_insert(token);
            each(entries);
            after = match more {
                Some(after) => Some(after),
                None => return Ok(token),
            };
        }
    }

    /// Reads all leases with their owners.
    ///
    /// # Errors
    /// 3: no server answers; 5: too few servers are left to agree.
    pub(crate) async fn holders(&self, consistency: Consistency) -> Result<LeaseHolders, Failure> {
        let mut holders = LeaseHolders::default();
        let mut after = None;
        loop {
            let page = self.read(Query::Leases { after }, consistency).await?.page;
            let Ok(Page::Leases { leases, more }) = page else { return Ok(holders) };
            holders
                .0
                .extend(leases.iter().map(|(owner, lease)| (*owner, self.description_of(*owner, lease))));
            after = match more {
                Some(after) => Some(after),
                None => return Ok(holders),
            };
        }
    }

    fn description_of(&self, owner: Owner, lease: &Lease) -> String {
        let name = match owner {
            Owner::Member(raft_id) => self.names.get(&raft_id),
            Owner::Client(_) => None,
        };
        words::holder(owner, name.map(String::as_str), &lease.description)
    }

    /// Reads one page of a path and everything below it from any one member. The page is empty if the path does not exist
    /// there. The answer may be out of date.
    ///
    /// # Errors
    /// [`ClientError`] when no server answers within `limit`.
    pub(crate) async fn list_stale(
        &self,
        path: &TreePath,
        depth: u8,
        limit: Duration,
    ) -> Result<StaleListing, ClientError> {
        let (path, depth, limit_nodes) = (path.clone(), Some(depth), TREE_PAGE_MAX as u16);
        let query = Query::Tree { path, depth, after: None, limit: limit_nodes };
        let NamespaceAnswer { page, old, .. } = self.ask_read(query, Consistency::Stale, limit).await?;
        let entries = match page {
            Ok(Page::Tree { entries, .. }) => entries,
            Ok(_) | Err(_) => Vec::new(),
        };
        Ok(StaleListing { entries, old })
    }

    /// Returns the paths in a folder for completion, or nothing if no server answers within `limit`.
    pub(crate) async fn names_in(&self, folder: &TreePath, limit: Duration) -> Vec<(TreePath, NodeKind)> {
        let (path, limit_nodes) = (folder.clone(), TREE_PAGE_MAX as u16);
        let query = Query::Tree { path, depth: Some(1), after: None, limit: limit_nodes };
        match self.ask_read(query, Consistency::Stale, limit).await {
            Ok(NamespaceAnswer { page: Ok(Page::Tree { entries, .. }), .. }) => {
                entries.into_iter().skip(1).map(|entry| (entry.path, entry.node.kind)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Submits a command, and returns its log position and its outcome.
    ///
    /// # Errors
    /// `Unreachable` (3) when no server decides it in time.
    pub(crate) async fn write(&self, command: impl Into<Command>) -> Result<(Token, Outcome), Failure> {
        let submitted_at = match self.client.seen() {
            Some(token) => token,
            None => self.client.position(ASK_MAX).await.map_err(|it| self.unreachable_failure(it))?,
        };
        let (id, command) = (new_request_id(), command.into());
        let ask = Ask::Write(Request { id, submitted_at: submitted_at.index, origin: None, command });
        match self.client.ask(ask, ASK_MAX).await.map_err(|it| self.unreachable_failure(it))? {
            Answer::Written { token, outcome } => Ok((token, outcome)),
            Answer::Refused(denied) => Ok((submitted_at, Err(denied))),
            other => Err(unexpected_answer(&other)),
        }
    }

    /// Submits a command and turns a refusal into an error message.
    ///
    /// # Errors
    /// `Refused` (1) when the command is refused; `Unreachable` (3) when no server decides it in time.
    pub(crate) async fn change(&self, command: TreeCommand) -> Result<Reply, Failure> {
        match self.write(command.clone()).await? {
            (_, Ok(reply)) => Ok(reply),
            (_, Err(denied)) => Err(self.refusal(&command, denied).await),
        }
    }

    async fn read(&self, query: Query, consistency: Consistency) -> Result<NamespaceAnswer, Failure> {
        let read = self.ask_read(query, consistency, READ_MAX).await;
        read.map_err(|unreachable| match unreachable {
            ClientError::Unreachable | ClientError::Abandoned => self.unreachable_failure(unreachable),
            ClientError::Undecided(why) => self.read_failure(why),
        })
    }

    async fn ask_read(
        &self,
        query: Query,
        consistency: Consistency,
        limit: Duration,
    ) -> Result<NamespaceAnswer, ClientError> {
        let ask = Ask::Read { seen: self.client.seen(), consistency, query };
        match self.client.ask(ask, limit).await? {
            Answer::Read { token, old, page } => Ok(NamespaceAnswer { token, page, old }),
            Answer::Unavailable(why) => Err(ClientError::Undecided(why)),
            _ => Err(ClientError::Undecided(UnavailableReason::NotServing)),
        }
    }

    fn unreachable_failure(&self, unreachable: ClientError) -> Failure {
        Failure::new(Exit::Unreachable, format!("{unreachable} (from {})", self.found_in))
    }

    fn read_failure(&self, why: UnavailableReason) -> Failure {
        let why = match why {
            UnavailableReason::NoLeader => {
                "the servers cannot agree right now, because too few of them can reach each other"
            }
            UnavailableReason::Busy => "the servers are busy right now",
            UnavailableReason::Behind | UnavailableReason::NotServing | UnavailableReason::OtherHistory => {
                "no server answered in time"
            }
        };
        let words = format!(
            "{why} (from {}). Try again. `ribbit health` shows what is missing; `--stale` reads from one server, which may \
             be out of date",
            self.found_in
        );
        Failure::new(Exit::Degraded, words)
    }

    /// Returns the error of a refused command. It names the path in the way, looked up in a state at least as new as the
    /// refusal.
    pub(crate) async fn refusal(&self, command: &TreeCommand, denied: Denied) -> Failure {
        let path = path_of(command);
        let found = match denied.code {
            Code::NoSuchNode | Code::NotAFolder => self.first_missing(path).await,
            Code::LockHeld => self.held_lock_in(path).await,
            Code::StaleFence => self.stale(command).await,
            _ => Ok(None),
        };
        // Without a result of the lookup, the error contains the refusal alone.
        match found {
            Ok(Some(words)) => Failure::new(Exit::Refused, words),
            _ => refused(path, denied),
        }
    }

    /// Returns the error for the first part of a path that does not exist or is not a folder.
    async fn first_missing(&self, path: &TreePath) -> Result<Option<String>, Failure> {
        let mut place = TreePath::root();
        for name in path.names() {
            let Ok(next) = place.join(name) else { return Ok(None) };
            let code = match self.node(&next, Consistency::Session).await?.node {
                None => Code::NoSuchNode,
                Some(node) if node.kind != NodeKind::Folder && next != *path => Code::NotAFolder,
                Some(_) => {
                    place = next;
                    continue;
                }
            };
            return Ok(Some(refused(&next, Denied::new(code)).message));
        }
        Ok(None)
    }

    /// Returns the error for the first lock at a path or below it, with its holder.
    async fn held_lock_in(&self, path: &TreePath) -> Result<Option<String>, Failure> {
        let (_, listing) = self.list(path, None, Consistency::Session).await?;
        let lock = listing.nodes.into_iter().find(|node| node.kind == NodeKind::Lock);
        Ok(lock.map(|lock| format!("{}: {}", shown(&lock.path), holder_text(&lock))))
    }

    async fn stale(&self, command: &TreeCommand) -> Result<Option<String>, Failure> {
        let Some(Guard { lock, fence }) = guard_of(command) else { return Ok(None) };
        let words = match self.list(lock, Some(0), Consistency::Session).await {
            Ok((_, listing)) if listing.nodes.first().is_some_and(|node| node.kind == NodeKind::Lock) => {
                holder_text(&listing.nodes[0])
            }
            Ok(_) => "it is not a lock".to_string(),
            Err(failure) if failure.exit == Exit::Refused => "it is not locked".to_string(),
            Err(failure) => return Err(failure),
        };
        let path = shown(path_of(command));
        Ok(Some(format!("{path}: the fencing token {fence} of {} is out of date: {words}", shown(lock))))
    }
}

/// Returns the consistency of the later pages of a read that takes several pages.
fn follow_up(consistency: Consistency) -> Consistency {
    match consistency {
        // At least as new as the first answer.
        Consistency::Linearizable | Consistency::Session => Consistency::Session,
        Consistency::Stale => Consistency::Stale,
    }
}

/// Returns the folder with the locks of floating addresses.
pub(crate) fn floating_folder() -> TreePath {
    TreePath::root().join("floating").expect("a plain name")
}

/// Returns the folder in which gateways register, each with a file under its lease.
pub(crate) fn gateways_folder() -> TreePath {
    TreePath::root().join("gateways").and_then(|folder| folder.join("nodes")).expect("plain names")
}

/// Returns the lock of a floating address.
pub(crate) fn floating_path(address: Ipv4Addr) -> TreePath {
    floating_folder().join(&address.to_string()).expect("a plain name")
}

/// Describes the holder of a lock: `it is locked by backend-1 (board1:10001), fence 13`.
pub(crate) fn holder_text(lock: &DrawnNode) -> String {
    let holder = lock.holder.as_deref().unwrap_or("an unknown client");
    let fence: LogIndex = lock.fence.unwrap_or_default();
    format!("it is locked by {holder}, fence {fence}")
}

/// Returns the error of a refusal: `/jobs/x: no such file or folder`.
pub(crate) fn refused(path: &TreePath, denied: Denied) -> Failure {
    Failure::new(Exit::Refused, format!("{}: {}", shown(path), denied.code.text()))
}

/// Returns a path with control characters escaped.
pub(crate) fn shown(path: &TreePath) -> String {
    ribbit_ui::plain::line(path.as_str())
}

fn unexpected_answer(answer: &impl std::fmt::Debug) -> Failure {
    log::debug!("{answer:?}");
    Failure::new(
        Exit::Unreachable,
        "the server sent an unexpected answer; it may run another version of ribbit",
    )
}

fn without_content(entry: TreeEntry) -> DrawnNode {
    let TreeEntry { path, node } = entry;
    DrawnNode {
        path,
        kind: node.kind,
        bytes: node.content.len(),
        made: node.made,
        changed: node.changed,
        changed_wall_ms: node.changed_wall_ms,
        holder: None,
        fence: node.fence,
    }
}

fn path_of(command: &TreeCommand) -> &TreePath {
    match command {
        TreeCommand::MakeFolder { path, .. }
        | TreeCommand::Touch { path, .. }
        | TreeCommand::Write { path, .. }
        | TreeCommand::Remove { path, .. }
        | TreeCommand::Acquire { path, .. }
        | TreeCommand::Release { path, .. } => path,
    }
}

fn guard_of(command: &TreeCommand) -> Option<&Guard> {
    match command {
        TreeCommand::Write { guard, .. } | TreeCommand::Remove { guard, .. } => guard.as_ref(),
        _ => None,
    }
}
