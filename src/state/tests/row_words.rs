//! Words of the golden scripts for the keys and rows of all tables. The rows of some subjects are in the modules of their words.

use super::scripts::{outcome_words, role_words};
use super::*;
use super::{conversation_words, message_words, room_words};
use crate::avatar::Avatar;
use crate::ids::KeyId;
use crate::path::TreePath;
use crate::rows::{
    Account, Accounts, Bookkeeping, Books, Change, CoordinationRow, Credential, Croaks, CroaksBy, Followers,
    Friends, Key, LeaseTokens, Leases, Members, Names, Nodes, Owned, Owner, Requests, Sessions, SessionsOf,
    StoredCroak, Sweeps, TABLES, TableId, TreeNode, View, decode,
};

pub(super) fn change_words(change: &Change) -> String {
    match change {
        Change::Put { table, key, row } => format!("+ {}", row_words(*table, key, row)),
        Change::Remove { table, key } => format!("- {}", key_words(*table, key)),
    }
}

pub(super) fn node_words(node: &TreeNode) -> String {
    let content = String::from_utf8_lossy(&node.content);
    let content =
        if content.len() > 40 { format!("{} bytes", content.len()) } else { format!("{content:?}") };
    let owner = node.owner.map_or(String::new(), |owner| format!(", {owner:?}'s"));
    let fence = node.fence.map_or(String::new(), |fence| format!(", fence {fence}"));
    format!(": {:?} {content} made {} changed {}{owner}{fence}", node.kind, node.made, node.changed)
}

/// Returns the label of a session's token.
pub(super) fn label(token: TokenHash) -> String {
    String::from_utf8_lossy(&token.0).trim_end_matches('\0').to_string()
}

fn key_words(table: TableId, key: &[u8]) -> String {
    let (_, name) = TABLES.iter().find(|(id, _)| *id == table).expect("a known table");
    let known = conversation_words::key(table, key).or_else(|| message_words::key(table, key));
    if let Some(key) = known.or_else(|| room_words::key(table, key)) {
        return format!("{name} {key}").trim_end().to_string();
    }
    let key = match table {
        Names::ID => String::from_bytes(key).expect("a name"),
        Sessions::ID => label(TokenHash::from_bytes(key).expect("a token")),
        Books::ID | CoordinationRow::ID => return (*name).into(),
        LeaseTokens::ID => label(TokenHash::from_bytes(key).expect("a token")),
        Nodes::ID => TreePath::from_bytes(key).expect("a path").to_string(),
        Leases::ID => format!("{:?}", Owner::from_bytes(key).expect("an owner")),
        Owned::ID => {
            let (owner, path) = <(Owner, TreePath)>::from_bytes(key).expect("an owner and a path");
            format!("{owner:?} {path}")
        }
        SessionsOf::ID | CroaksBy::ID | Friends::ID | Followers::ID => {
            let (account, of) = <(AccountId, u64)>::from_bytes(key).expect("an account and a number");
            format!("{} {of}", account.0)
        }
        _ => u64::from_bytes(key).expect("a number").to_string(),
    };
    format!("{name} {key}")
}

pub(super) fn row_words(table: TableId, key: &[u8], row: &[u8]) -> String {
    fn of<T: Table>(row: &[u8]) -> T::Row {
        decode(row).expect("a row of this table")
    }
    let words = match table {
        Accounts::ID => {
            let row = of::<Accounts>(row);
            let mark = if row.deleted { " deleted" } else { "" };
            let version = row.credential_version;
            let avatar = if row.avatar == Avatar::Drawn { String::new() } else { format!(" {}", row.avatar) };
            let role = role_words(row.role);
            let Account { username, name, email, credential, .. } = row;
            let password = match &credential {
                Credential::Password(hash) => hash.as_str(),
                Credential::Name => "name",
                Credential::Nothing => "-",
            };
            format!(": {username} {name:?} {email} {password} v{version}{avatar}{role}{mark}")
        }
        Names::ID => format!(": {}", of::<Names>(row).0),
        Sessions::ID => {
            let row = of::<Sessions>(row);
            let used = row.used_wall_ms / (24 * 3600 * 1000);
            let used = if used == 0 { String::new() } else { format!(", used on day {used}") };
            let device = if row.device.is_empty() { String::new() } else { format!(", {:?}", row.device) };
            let (account, opened, age) = (row.account.0, row.opened, row.opened_age_ms);
            let app = row.app.map_or(String::new(), |it| format!(", app {} may {}", it.app.0, it.scopes));
            let confirmed = match row.confirmed_age_ms {
                Some(at) if at == age => String::new(),
                Some(at) => format!(", confirmed at {at}"),
                None => ", not confirmed".to_string(),
            };
            format!(": account {account}, opened at {opened}, age {age}{device}{used}{app}{confirmed}")
        }
        SessionsOf::ID => format!(": {}", label(of::<SessionsOf>(row))),
        Croaks::ID => {
            let StoredCroak { record, croak } = of::<Croaks>(row);
            format!(": {}, age {}", conversation_words::stored_words(&croak), record.age_ms)
        }
        Members::ID => {
            let row = of::<Members>(row);
            let key = key_id_words(row.key);
            format!(": {} {} {}{key}", row.member_name(), row.address, row.machine)
        }
        Requests::ID => {
            let row = of::<Requests>(row);
            format!(": {} age {}", outcome_words(&row.outcome), row.age_ms)
        }
        Books::ID => {
            let Bookkeeping {
                expired_through,
                indexed_through,
                next_raft_id,
                history,
                rules_level,
                key,
                auto_finish,
            } = of::<Books>(row);
            let level = if rules_level > 1 { format!(", level {rules_level}") } else { String::new() };
            let auto = if auto_finish { ", upgrades finish by themselves" } else { "" };
            format!(
                ": forgotten {expired_through}, indexed {indexed_through}, next id {next_raft_id}, history {history:x}{}{level}{auto}",
                key_id_words(key)
            )
        }
        Nodes::ID => node_words(&of::<Nodes>(row)),
        Leases::ID => {
            let row = of::<Leases>(row);
            let state = if row.active { "active" } else { "inactive" };
            let account = row.account.map_or(String::new(), |account| format!(" for account {}", account.0));
            format!(
                ": {state} since {}, life {} {:?}{account}",
                row.version, row.incarnation, row.description
            )
        }
        LeaseTokens::ID => format!(": {}", of::<LeaseTokens>(row)),
        CoordinationRow::ID => {
            let row = of::<CoordinationRow>(row);
            format!(
                ": {} nodes, {} clients' leases, {} clusters, next client {}",
                row.nodes, row.client_leases, row.regions, row.next_client
            )
        }
        Friends::ID => format!(": since {}", decode::<LogIndex>(row).expect("a row")),
        CroaksBy::ID | Followers::ID | Sweeps::ID | Owned::ID => String::new(),
        other => conversation_words::row(other, row)
            .or_else(|| room_words::row(other, row))
            .or_else(|| message_words::row(other, row))
            .unwrap_or_else(|| panic!("no words for {other:?}")),
    };
    key_words(table, key) + &words
}

/// Returns a key after the first one.
fn key_id_words(key: KeyId) -> String {
    if key.generation > 1 { format!(", key {}.{}", key.generation, key.tag) } else { String::new() }
}

/// Fails for a table without words here, rather than in the script that first shows it.
#[test]
fn every_table_is_listed() {
    assert_eq!(TABLES.len(), 65, "give the new table words in key_words and row_words");
    let ids: std::collections::BTreeSet<_> = TABLES.iter().map(|(id, _)| id).collect();
    assert_eq!(ids.len(), TABLES.len(), "two tables have the same id");
    assert!(Log::small().model.get(Books::ID, &[]).unwrap().is_none());
}
