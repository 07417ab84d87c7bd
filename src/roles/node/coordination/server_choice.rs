//! Choice of the server for a client.
//!
//! A client's home region is its id modulo the number of regions, plus 1. If its home has no usable backend, the next region
//! in order that has one serves it, until its home is back. A client stays on its current server while that is a best
//! choice. Pure except for [`choose`], which reads this node's state.

use super::NodeState;
use ribbit_db::DbError;
use ribbit_net::protocol::{AssignedServer, MemberInfo};
use ribbit_state::command::regions_after;
use ribbit_state::rows::{Leases, get};
use ribbit_state::{Owner, Role, tree};

/// Returns the home region of a client.
pub(crate) fn home_of(client: u64, clusters: u32) -> u32 {
    u32::try_from(client % u64::from(clusters.max(1))).unwrap_or(0) + 1
}

/// Returns the server for a client, and true if it differs from the address `before`.
///
/// # Errors
/// The store cannot be read.
pub(crate) fn choose(
    node: &NodeState,
    client: u64,
    before: Option<&str>,
) -> Result<(Option<AssignedServer>, bool), DbError> {
    let Some(member) = node.membership.get() else { return Ok((None, before.is_some())) };
    let view = member.replica.reader().view()?;
    let clusters = tree::coordination(&view)?.regions;
    let mut infos = member.member_list.known();
    infos.push(node.info());
    let mut candidates = Vec::new();
    for info in infos.into_iter().filter(|info| info.role == Role::Backend) {
        let lease = get::<Leases, _>(&view, &Owner::Member(info.raft_id))?;
        if lease.is_some_and(|lease| lease.active) {
            candidates.push(info);
        }
    }
    let home = home_of(client, clusters);
    let server = pick(&candidates, home, before);
    let changed = server.as_ref().map(|info| info.address.as_str()) != before;
    let server =
        server.map(|info| AssignedServer { name: info.member_name(), address: info.address.clone(), home });
    Ok((server, changed))
}

/// Returns the best candidate: in sync first, then the nearest region counted from the client's home, then the current
/// server, then the one with the fewest clients.
fn pick<'a>(candidates: &'a [MemberInfo], home: u32, before: Option<&str>) -> Option<&'a MemberInfo> {
    candidates.iter().min_by_key(|info| {
        let another = Some(info.address.as_str()) != before;
        (!info.in_sync, regions_after(home, info.region), another, info.clients, info.id)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(region: u32, id: u32, clients: u32, in_sync: bool) -> MemberInfo {
        let address = format!("{region}-{id}:1");
        MemberInfo { region, id, clients, address, in_sync, ..MemberInfo::default() }
    }

    fn picked(candidates: &[MemberInfo], home: u32, before: Option<&str>) -> Option<String> {
        pick(candidates, home, before).map(|info| info.address.clone())
    }

    #[test]
    fn clients_are_spread_over_the_regions_by_their_ids() {
        assert_eq!([1, 2, 3, 4].map(|id| home_of(id, 3)), [2, 3, 1, 2]);
        assert_eq!(home_of(7, 1), 1);
        assert_eq!(home_of(7, 0), 1);
    }

    #[test]
    fn the_home_region_comes_first_then_the_next_in_order_and_clients_stay() {
        let all = [candidate(1, 1, 9, true), candidate(2, 1, 5, true), candidate(2, 2, 1, true)];
        assert_eq!(picked(&all, 2, None).as_deref(), Some("2-2:1"));
        assert_eq!(picked(&all, 2, Some("2-1:1")).as_deref(), Some("2-1:1"));
        assert_eq!(picked(&all, 2, Some("1-1:1")).as_deref(), Some("2-2:1"), "home again");
        assert_eq!(picked(&all, 3, None).as_deref(), Some("1-1:1"), "the next in order");
        assert_eq!(picked(&all[..1], 2, None).as_deref(), Some("1-1:1"));
        assert_eq!(
            picked(&[candidate(1, 1, 0, true), candidate(2, 1, 0, false)], 2, None).as_deref(),
            Some("1-1:1")
        );
        assert_eq!(picked(&[candidate(2, 1, 0, false)], 2, None).as_deref(), Some("2-1:1"));
        assert_eq!(picked(&[], 1, None), None);
    }
}
