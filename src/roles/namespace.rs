//! The lock namespace as a program outside the group sees it: reads, writes, and refusals that say what is in the way,
//! and where.
//!
//! A read is as new as everything that anybody was told before, so that what one command wrote the next one finds,
//! whichever member it asks. A group that cannot agree has no such answer: then what a member has is taken, and said to
//! be old. Who holds what is told in words: of a member its name, of a client what it says of itself.
//!
//! It keeps no time but that of its questions, and holds no lock: that is [`super::lease`]'s.

use super::failure::{Exit, Failure};
use super::options::Group;
use super::status;
use crate::net::client::{Client, Unreachable};
use crate::net::frame::Plane;
use crate::net::keys::Keys;
use crate::net::protocol::{Answer, Ask, Why};
use crate::net::secret::new_request_id;
use crate::net::subscription::Subscription;
use crate::state::limits::TREE_PAGE_MAX;
use crate::state::listing::TreeEntry;
use crate::state::namespace::Guard;
use crate::state::rows::{Kind, Lease, Node};
use crate::state::{
    Code, Command, Consistency, Denied, LogIndex, Outcome, Owner, Page, Query, RaftId, Reply, Request, Token,
    TreeCommand, TreePath, Wanted,
};
use crate::ui::tree::Drawn;
use crate::ui::words;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

/// Until a question is given up.
const ASK_MAX: Duration = Duration::from_secs(10);
/// Until a read that is to be the newest is asked for without that.
const NEWEST_MAX: Duration = Duration::from_secs(3);

/// A group whose namespace is looked at and changed. Clones share the connection.
#[derive(Debug, Clone)]
pub struct Namespace {
    client: Client,
    servers: Servers,
    keys: Keys,
    names: BTreeMap<RaftId, String>,
    found_in: String,
}

/// Says which servers may be asked, whenever a connection is opened.
#[derive(Clone)]
struct Servers(Arc<dyn Fn() -> Vec<String> + Send + Sync>);

impl std::fmt::Debug for Servers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries((self.0)()).finish()
    }
}

/// A place of the namespace and what lies below it.
#[derive(Debug, Default)]
pub struct Listing {
    pub nodes: Vec<Drawn>,
    /// How many pages it took.
    pub pages: usize,
    /// It may be old: nobody could be asked what is the newest.
    pub old: bool,
}

/// Who has a lease, in words.
#[derive(Debug, Default)]
pub struct Holders(BTreeMap<Owner, String>);

impl Holders {
    pub fn words(&self, owner: Owner) -> String {
        self.0.get(&owner).cloned().unwrap_or_else(|| words::holder(owner, None, ""))
    }
}

/// What a read came to.
struct Read {
    token: Token,
    page: Result<Page, Denied>,
    old: bool,
}

impl Namespace {
    /// Asks who belongs to the group.
    ///
    /// # Errors
    /// 3: nobody answers.
    pub async fn reach(group: &Group) -> Result<Namespace, Failure> {
        let survey = status::reached(group).await?;
        let names = survey.members.iter().map(|it| (it.info.raft_id, it.info.name())).collect();
        let servers = survey.addresses();
        let client = Client::on(Plane::Control, servers.clone(), group.keys.clone());
        let keys = group.keys.clone();
        let servers = Servers(Arc::new(move || servers.clone()));
        Ok(Namespace { client, servers, keys, names, found_in: group.found_in.clone() })
    }

    /// Of those whom somebody knows who looks after them all the time: `servers` is asked whenever a connection is opened.
    pub fn among(
        servers: impl Fn() -> Vec<String> + Send + Sync + 'static,
        keys: &Keys,
        found_in: &str,
    ) -> Namespace {
        let client = Client::on(Plane::Control, servers(), keys.clone());
        let (servers, keys, names) = (Servers(Arc::new(servers)), keys.clone(), BTreeMap::new());
        Namespace { client, servers, keys, names, found_in: found_in.to_string() }
    }

    /// A client with a connection of its own.
    pub fn another_client(&self) -> Client {
        Client::on(Plane::Control, (self.servers.0)(), self.keys.clone())
    }

    /// The same group through a connection of its own.
    pub fn apart(&self) -> Namespace {
        Namespace { client: self.another_client(), ..self.clone() }
    }

    /// Follows what happens at a place and below it.
    pub fn follow(&self, cursor: Token, path: &TreePath) -> Subscription {
        self.client.subscribe(cursor, Wanted::Tree { path: path.clone() })
    }

    /// The node at a path, its content too, and where the log was then.
    ///
    /// # Errors
    /// 3: nobody answers.
    pub async fn node(&self, path: &TreePath) -> Result<(Token, Option<Node>), Failure> {
        let query = Query::Tree { path: path.clone(), depth: Some(0), after: None, limit: 1 };
        let Read { token, page, .. } = self.read(query).await?;
        let node = match page {
            Ok(Page::Tree { mut entries, .. }) => entries.pop().map(|entry| entry.node),
            _ => None,
        };
        Ok((token, node))
    }

    /// A place and what lies below it, down to `depth` names, page by page.
    ///
    /// # Errors
    /// 1: there is no such place; 3: nobody answers.
    pub async fn list(&self, path: &TreePath, depth: Option<u8>) -> Result<(Token, Listing), Failure> {
        let mut listing = Listing::default();
        let mut owned: Vec<(usize, Owner)> = Vec::new();
        let token = self
            .each_page(path, depth, |entries, old| {
                (listing.pages, listing.old) = (listing.pages + 1, listing.old || old);
                for entry in entries {
                    owned.extend(entry.node.owner.map(|owner| (listing.nodes.len(), owner)));
                    listing.nodes.push(without_content(entry));
                }
            })
            .await?;
        if !owned.is_empty() {
            let holders = self.holders().await?;
            for (at, owner) in owned {
                listing.nodes[at].holder = Some(holders.words(owner));
            }
        }
        Ok((token, listing))
    }

    /// Hands on a place and what lies below it with its content, a page at a time.
    ///
    /// # Errors
    /// 1: there is no such place; 3: nobody answers.
    pub async fn each_page(
        &self,
        path: &TreePath,
        depth: Option<u8>,
        mut each: impl FnMut(Vec<TreeEntry>, bool),
    ) -> Result<Token, Failure> {
        let mut after = None;
        let mut first = None;
        loop {
            let query = Query::Tree { path: path.clone(), depth, after, limit: TREE_PAGE_MAX as u16 };
            let read = match first {
                None => self.read(query).await?,
                // At least as new as the first page is enough for the others.
                Some(_) => self.read_on(query).await?,
            };
            let Read { token, page, old } = read;
            let (entries, more) = match page {
                Ok(Page::Tree { entries, more }) => (entries, more),
                Ok(other) => return Err(strange(&other)),
                Err(denied) => return Err(refused(path, denied)),
            };
            let token = *first.get_or_insert(token);
            each(entries, old);
            after = match more {
                Some(after) => Some(after),
                None => return Ok(token),
            };
        }
    }

    /// Who has a lease now.
    ///
    /// # Errors
    /// 3: nobody answers.
    pub async fn holders(&self) -> Result<Holders, Failure> {
        let mut holders = Holders::default();
        let mut after = None;
        loop {
            let page = self.read_on(Query::Leases { after }).await?.page;
            let Ok(Page::Leases { leases, more }) = page else { return Ok(holders) };
            holders.0.extend(leases.iter().map(|(owner, lease)| (*owner, self.words_of(*owner, lease))));
            after = match more {
                Some(after) => Some(after),
                None => return Ok(holders),
            };
        }
    }

    fn words_of(&self, owner: Owner, lease: &Lease) -> String {
        let name = match owner {
            Owner::Member(raft_id) => self.names.get(&raft_id),
            Owner::Client(_) => None,
        };
        words::holder(owner, name.map(String::as_str), &lease.words)
    }

    /// A place and what lies below it, as far as one page goes, as the member has it that is asked: it may be old. Nothing
    /// when there is no such place.
    ///
    /// # Errors
    /// Nobody answers within `limit`.
    pub async fn glance(
        &self,
        path: &TreePath,
        depth: u8,
        limit: Duration,
    ) -> Result<Vec<TreeEntry>, Unreachable> {
        let (path, depth, limit_nodes) = (path.clone(), Some(depth), TREE_PAGE_MAX as u16);
        let query = Query::Tree { path, depth, after: None, limit: limit_nodes };
        match self.ask_read(query, Consistency::Stale, limit).await?.page {
            Ok(Page::Tree { entries, .. }) => Ok(entries),
            _ => Ok(Vec::new()),
        }
    }

    /// Names in a folder, as far as somebody tells at once: for completion.
    pub async fn names_in(&self, folder: &TreePath, limit: Duration) -> Vec<(TreePath, Kind)> {
        let (path, limit_nodes) = (folder.clone(), TREE_PAGE_MAX as u16);
        let query = Query::Tree { path, depth: Some(1), after: None, limit: limit_nodes };
        match self.ask_read(query, Consistency::Stale, limit).await {
            Ok(Read { page: Ok(Page::Tree { entries, .. }), .. }) => {
                entries.into_iter().skip(1).map(|entry| (entry.path, entry.node.kind)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Changes the namespace: where the log was then, and what became of it.
    ///
    /// # Errors
    /// 3: nobody answers for good.
    pub async fn write(&self, command: impl Into<Command>) -> Result<(Token, Outcome), Failure> {
        let born = match self.client.seen() {
            Some(token) => token,
            None => self.client.position(ASK_MAX).await.map_err(|it| self.nobody(it))?,
        };
        let (id, command) = (new_request_id(), command.into());
        let ask = Ask::Write(Request { id, born: born.index, command });
        match self.client.ask(ask, ASK_MAX).await.map_err(|it| self.nobody(it))? {
            Answer::Written { token, outcome } => Ok((token, outcome)),
            Answer::Refused(denied) => Ok((born, Err(denied))),
            other => Err(strange(&other)),
        }
    }

    /// The same, with a refusal in words.
    ///
    /// # Errors
    /// 1: it is refused; 3: nobody answers for good.
    pub async fn change(&self, command: TreeCommand) -> Result<Reply, Failure> {
        match self.write(command.clone()).await? {
            (_, Ok(reply)) => Ok(reply),
            (_, Err(denied)) => Err(self.refusal(&command, denied).await),
        }
    }

    /// The newest there is; what a member has where nobody can say what is.
    async fn read(&self, query: Query) -> Result<Read, Failure> {
        match self.ask_read(query.clone(), Consistency::Linearizable, NEWEST_MAX).await {
            Ok(read) => Ok(read),
            Err(Unreachable::Nobody) => Err(self.nobody(Unreachable::Nobody)),
            // Seen from here there is no majority, but somebody who can read.
            Err(Unreachable::Undecided(_)) => {
                let read = self.ask_read(query, Consistency::Stale, ASK_MAX).await;
                read.map(|read| Read { old: true, ..read }).map_err(|it| self.nobody(it))
            }
        }
    }

    /// As new as what was read before.
    async fn read_on(&self, query: Query) -> Result<Read, Failure> {
        self.ask_read(query, Consistency::Session, ASK_MAX).await.map_err(|it| self.nobody(it))
    }

    async fn ask_read(
        &self,
        query: Query,
        consistency: Consistency,
        limit: Duration,
    ) -> Result<Read, Unreachable> {
        let ask = Ask::Read { seen: self.client.seen(), consistency, query };
        match self.client.ask(ask, limit).await? {
            Answer::Read { token, old, page } => Ok(Read { token, page, old }),
            Answer::Unavailable(why) => Err(Unreachable::Undecided(why)),
            _ => Err(Unreachable::Undecided(Why::NotServing)),
        }
    }

    fn nobody(&self, unreachable: Unreachable) -> Failure {
        Failure::new(Exit::Unreachable, format!("{unreachable} (from {})", self.found_in))
    }

    /// A refusal that says what is in the way, and where.
    pub async fn refusal(&self, command: &TreeCommand, denied: Denied) -> Failure {
        let path = path_of(command);
        let found = match denied.code {
            Code::NoSuchNode | Code::NotAFolder => self.broken_way(path).await,
            Code::LockHeld => self.lock_in(path).await,
            Code::StaleFence => self.stale(command).await,
            _ => Ok(None),
        };
        // What is found says more; that nothing was found, or nobody answers now, leaves what is known.
        match found {
            Ok(Some(words)) => Failure::new(Exit::Refused, words),
            _ => refused(path, denied),
        }
    }

    /// Where the way to a path ends: a folder that is not there, or something that is none.
    async fn broken_way(&self, path: &TreePath) -> Result<Option<String>, Failure> {
        let mut place = TreePath::root();
        for name in path.names() {
            let Ok(next) = place.join(name) else { return Ok(None) };
            let code = match self.node(&next).await?.1 {
                None => Code::NoSuchNode,
                Some(node) if node.kind != Kind::Folder && next != *path => Code::NotAFolder,
                Some(_) => {
                    place = next;
                    continue;
                }
            };
            return Ok(Some(refused(&next, Denied::new(code)).message));
        }
        Ok(None)
    }

    /// The first lock at a path or below it, and who holds it.
    async fn lock_in(&self, path: &TreePath) -> Result<Option<String>, Failure> {
        let (_, listing) = self.list(path, None).await?;
        let lock = listing.nodes.into_iter().find(|node| node.kind == Kind::Lock);
        Ok(lock.map(|lock| format!("{}: {}", shown(&lock.path), held(&lock))))
    }

    async fn stale(&self, command: &TreeCommand) -> Result<Option<String>, Failure> {
        let Some(Guard { lock, fence }) = guard_of(command) else { return Ok(None) };
        let words = match self.list(lock, Some(0)).await {
            Ok((_, listing)) if listing.nodes.first().is_some_and(|node| node.kind == Kind::Lock) => {
                held(&listing.nodes[0])
            }
            Ok(_) => "it is not a lock".to_string(),
            Err(failure) if failure.exit == Exit::Refused => "it is not held".to_string(),
            Err(failure) => return Err(failure),
        };
        let path = shown(path_of(command));
        Ok(Some(format!("{path}: the fence {fence} of {} is stale: {words}", shown(lock))))
    }
}

/// The folder of the locks of floating addresses.
pub fn floating_folder() -> TreePath {
    TreePath::root().join("floating").expect("a plain name")
}

/// The lock of one.
pub fn floating_path(address: Ipv4Addr) -> TreePath {
    floating_folder().join(&address.to_string()).expect("a plain name")
}

/// What a lock's holder is said to be.
pub fn held(lock: &Drawn) -> String {
    let holder = lock.holder.as_deref().unwrap_or("somebody");
    let fence: LogIndex = lock.fence.unwrap_or_default();
    format!("it is held by {holder}, fence {fence}")
}

/// `/jobs/x: no such file or folder`.
pub fn refused(path: &TreePath, denied: Denied) -> Failure {
    Failure::new(Exit::Refused, format!("{}: {}", shown(path), denied.code.words()))
}

/// A path as it may stand in a terminal.
pub fn shown(path: &TreePath) -> String {
    crate::ui::plain::line(path.as_str())
}

fn strange(answer: &impl std::fmt::Debug) -> Failure {
    log::debug!("{answer:?}");
    Failure::new(Exit::Unreachable, "an answer to another question: is the server of another version?")
}

fn without_content(entry: TreeEntry) -> Drawn {
    let TreeEntry { path, node } = entry;
    Drawn {
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
