//! The namespace compared with a plain map: random commands of a few clients on a few paths. The oracle knows neither keys
//! nor tables, only the kind, content and owner at each path.

use super::properties::config;
use super::*;
use crate::code::Code;
use crate::command::{Guard, TreeCommand};
use crate::command::{LeaseCommand, LeaseEnd};
use crate::path::TreePath;
use crate::rows::{Coordination, CoordinationRow, Key, NodeKind, Owned, Owner};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use std::collections::BTreeMap;

const CLIENTS: [&str; 4] = ["one", "two", "three", "four"];

/// Returns paths of up to three names out of three, so that they meet often. Two names sort around the separator.
fn path() -> impl Strategy<Value = TreePath> {
    proptest::collection::vec(select(vec!["a", "a b", "ab"]), 1..4)
        .prop_map(|names| format!("/{}", names.join("/")).parse().unwrap())
}

#[derive(Debug, Clone)]
enum Step {
    Open(usize),
    Close(usize),
    End(usize),
    Folder(TreePath, bool),
    Touch(TreePath, Option<usize>),
    Write(TreePath, String, bool, Option<usize>),
    /// Guarded by the current fencing token of the lock, or by an older one.
    Guarded(TreePath, TreePath, bool),
    Remove(TreePath, bool),
    Acquire(TreePath, usize),
    Release(TreePath, usize),
    Retry(Index),
}

fn step() -> impl Strategy<Value = Step> {
    let client = || 0..CLIENTS.len();
    let owner = || proptest::option::weighted(0.3, 0..CLIENTS.len());
    prop_oneof![
        4 => client().prop_map(Step::Open),
        1 => client().prop_map(Step::Close),
        1 => client().prop_map(Step::End),
        6 => (path(), any::<bool>()).prop_map(|(path, parents)| Step::Folder(path, parents)),
        3 => (path(), owner()).prop_map(|(path, owner)| Step::Touch(path, owner)),
        6 => (path(), "[xyz]{0,3}", any::<bool>(), owner())
            .prop_map(|(path, text, append, owner)| Step::Write(path, text, append, owner)),
        2 => (path(), path(), any::<bool>()).prop_map(|(path, lock, stale)| Step::Guarded(path, lock, stale)),
        4 => (path(), any::<bool>()).prop_map(|(path, recursive)| Step::Remove(path, recursive)),
        8 => (path(), client()).prop_map(|(path, client)| Step::Acquire(path, client)),
        3 => (path(), client()).prop_map(|(path, client)| Step::Release(path, client)),
        1 => any::<Index>().prop_map(Step::Retry),
    ]
}

/// Expected node at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Thing {
    kind: NodeKind,
    content: Vec<u8>,
    owner: Option<usize>,
}

#[derive(Debug, Default)]
struct Oracle {
    things: BTreeMap<String, Thing>,
    /// Clients that have a lease, and the index at which it began.
    leases: BTreeMap<usize, LogIndex>,
    newest_fence: LogIndex,
}

impl Oracle {
    fn release_owner(&mut self, client: usize) {
        self.leases.remove(&client);
        self.things.retain(|_, thing| thing.owner != Some(client));
    }

    fn make_parents(&mut self, path: &TreePath) {
        let mut above = path.parent();
        while let Some(folder) = above.filter(|folder| !folder.is_root()) {
            let thing = Thing { kind: NodeKind::Folder, content: Vec::new(), owner: None };
            self.things.entry(folder.to_string()).or_insert(thing);
            above = folder.parent();
        }
    }

    /// Follows a command that was carried out.
    fn follow(&mut self, step: &Step, index: LogIndex, reply: &Reply) {
        match step {
            Step::Open(client) => {
                assert!(self.leases.insert(*client, index).is_none(), "one lease for each token");
            }
            Step::Close(client) | Step::End(client) => self.release_owner(*client),
            Step::Folder(path, _) => {
                self.make_parents(path);
                let thing = Thing { kind: NodeKind::Folder, content: Vec::new(), owner: None };
                assert_eq!(*self.things.entry(path.to_string()).or_insert(thing.clone()), thing);
            }
            Step::Touch(path, owner) => self.write(path, "", true, *owner),
            Step::Write(path, text, append, owner) => self.write(path, text, *append, *owner),
            Step::Guarded(path, lock, stale) => {
                assert!(
                    !stale && self.things[lock.as_str()].kind == NodeKind::Lock,
                    "guarded by what is held"
                );
                self.write(path, "g", false, None);
            }
            Step::Remove(path, recursive) => self.remove(path, *recursive, reply),
            Step::Acquire(path, client) => {
                let Reply::Fenced { fence } = reply else { panic!("{reply:?}") };
                let thing = Thing { kind: NodeKind::Lock, content: Vec::new(), owner: Some(*client) };
                match self.things.get(path.as_str()) {
                    Some(held) => assert_eq!(*held, thing, "only its owner is told that it has it"),
                    None => {
                        assert!(*fence > self.newest_fence, "fences only rise");
                        self.newest_fence = *fence;
                    }
                }
                self.make_parents(path);
                self.things.insert(path.to_string(), thing);
            }
            Step::Release(path, client) => {
                let released = self.things.remove(path.as_str()).expect("it was held");
                assert_eq!((released.kind, released.owner), (NodeKind::Lock, Some(*client)));
            }
            Step::Retry(_) => {}
        }
    }

    fn write(&mut self, path: &TreePath, text: &str, append: bool, owner: Option<usize>) {
        let thing = Thing { kind: NodeKind::File, content: Vec::new(), owner };
        let thing = self.things.entry(path.to_string()).or_insert(thing);
        assert!(thing.kind == NodeKind::File || text.is_empty(), "only files are written");
        if !append {
            thing.content.clear();
        }
        thing.content.extend_from_slice(text.as_bytes());
    }

    fn remove(&mut self, path: &TreePath, recursive: bool, reply: &Reply) {
        let below = |other: &String| other.parse::<TreePath>().unwrap().is_within(path);
        let mut gone: Vec<String> = self.things.keys().filter(|other| below(other)).cloned().collect();
        assert!(recursive || gone.len() == 1, "not with what is in it");
        // In tree order, as the names sort.
        gone.sort_by_key(|path| path.parse::<TreePath>().unwrap().bytes());
        let step = if recursive { SMALL.remove_step } else { 1 };
        assert_eq!(*reply == Reply::Stepped { more: true }, gone.len() > step);
        for path in gone.iter().rev().take(step) {
            assert_ne!(self.things.remove(path).unwrap().kind, NodeKind::Lock, "not while it is held");
        }
    }

    fn check(&self, log: &Log) {
        let all = Query::Tree { path: TreePath::root(), depth: None, after: None, limit: u16::MAX };
        let Ok(Page::Tree { entries, more: None }) = log.model.answer(&all) else { panic!("no list") };
        let keys: Vec<Vec<u8>> = entries.iter().map(|entry| entry.path.bytes()).collect();
        assert!(keys.is_sorted());
        let listed: BTreeMap<String, Thing> = entries
            .into_iter()
            .skip(1)
            .map(|entry| {
                let node = entry.node;
                assert_eq!(node.fence.is_some(), node.kind == NodeKind::Lock);
                let owner = node.owner.map(|owner| {
                    let lease = self.leases.iter().find(|(_, opened)| Owner::Client(**opened) == owner);
                    *lease.expect("who owns something has a lease").0
                });
                (entry.path.to_string(), Thing { kind: node.kind, content: node.content, owner })
            })
            .collect();
        assert_eq!(listed, self.things);
        for path in self.things.keys() {
            let above = path.parse::<TreePath>().unwrap().parent().unwrap();
            assert!(
                above.is_root() || self.things[above.as_str()].kind == NodeKind::Folder,
                "{path} hangs in the air"
            );
        }
        let owned = log.model.rows().filter(|(table, ..)| *table == Owned::ID).count();
        assert_eq!(owned, self.things.values().filter(|thing| thing.owner.is_some()).count());
        let row = log.model.rows().find(|(table, ..)| *table == CoordinationRow::ID);
        let row = row.map_or(Coordination::default(), |(.., row)| crate::rows::decode(row).unwrap());
        assert_eq!((row.nodes, row.client_leases), (self.things.len() as u64, self.leases.len() as u64));
        assert!(row.nodes <= SMALL.nodes_max && row.client_leases <= SMALL.client_leases_max);
    }
}

fn command(oracle: &Oracle, log: &Log, step: &Step) -> Option<Command> {
    let token = |client: &usize| token(CLIENTS[*client]);
    let fence_of = |lock: &TreePath| {
        let query = Query::Tree { path: lock.clone(), depth: Some(0), after: None, limit: 1 };
        match log.model.answer(&query) {
            Ok(Page::Tree { entries, .. }) => entries[0].node.fence.unwrap_or(0),
            _ => 0,
        }
    };
    Some(match step.clone() {
        Step::Open(client) => {
            LeaseCommand::Open { token: token(&client), description: String::new(), lease_ms: None }.into()
        }
        Step::Close(client) => LeaseCommand::Close { token: token(&client) }.into(),
        Step::End(client) => {
            let version = oracle.leases.get(&client).copied().unwrap_or(0);
            let why = LeaseEnd::Missed { silence_ms: 2_000 };
            LeaseCommand::End { owner: Owner::Client(version), version, why }.into()
        }
        Step::Folder(path, parents) => TreeCommand::MakeFolder { path, parents }.into(),
        Step::Touch(path, owner) => TreeCommand::Touch { path, lease: owner.as_ref().map(token) }.into(),
        Step::Write(path, text, append, owner) => {
            let lease = owner.as_ref().map(token);
            TreeCommand::Write { path, content: text.into_bytes(), append, lease, guard: None }.into()
        }
        Step::Guarded(path, lock, stale) => {
            let fence = fence_of(&lock).saturating_sub(u64::from(stale));
            let guard = Some(Guard { lock, fence });
            TreeCommand::Write { path, content: b"g".to_vec(), append: false, lease: None, guard }.into()
        }
        Step::Remove(path, recursive) => TreeCommand::Remove { path, recursive, guard: None }.into(),
        Step::Acquire(path, client) => {
            TreeCommand::Acquire { path, lease: token(&client), content: Vec::new() }.into()
        }
        Step::Release(path, client) => TreeCommand::Release { path, lease: token(&client) }.into(),
        Step::Retry(_) => return None,
    })
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_tree_is_what_a_plain_map_says(steps in proptest::collection::vec(step(), 0..150)) {
        let (mut log, mut oracle) = (Log::small(), Oracle::default());
        for step in &steps {
            let request = match (step, command(&oracle, &log, step)) {
                (_, Some(command)) => log.request(command),
                (Step::Retry(which), None) if !log.proposals.is_empty() => {
                    which.get(&log.proposals).request.clone()
                }
                _ => continue,
            };
            let retry = matches!(step, Step::Retry(_));
            match log.propose(request) {
                Ok(reply) if !retry => oracle.follow(step, log.index(), &reply),
                Ok(_) => {}
                Err(denied) if !retry => {
                    let lost = denied.code == Code::LeaseOver || denied.code == Code::Outrun;
                    let held = |client: &usize| oracle.leases.contains_key(client);
                    let by = match step {
                        Step::Acquire(_, client) | Step::Release(_, client) | Step::Close(client) => Some(client),
                        Step::Touch(_, owner) | Step::Write(_, _, _, owner) => owner.as_ref(),
                        _ => None,
                    };
                    prop_assert!(!lost || by.is_none_or(|client| !held(client)), "{step:?}: {denied}");
                }
                Err(_) => {}
            }
            oracle.check(&log);
        }
    }
}
