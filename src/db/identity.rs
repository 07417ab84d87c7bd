//! Identity of a store, and its request to join a cluster: written rarely, read at every start.

use super::disk::begin_durable;
use super::meta::{read_meta, write_identity, write_meta, write_position};
use super::record::{Configuration, HardState, Identity, Position};
use super::tables::{DIGEST, EPOCH, FLOOR, HARD_STATE, JOINING, META};
use super::{DbError, Store};
use redb::ReadableDatabase;
use ribbit_state::RequestId;
use ribbit_state::command::NewMember;

impl Store {
    pub fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    /// Returns the idempotency key and description with which this store asks to join. The first ones are kept, so that a
    /// retry after a crash, from another address or after a reboot of the machine is the same request. The member
    /// reports its current address once it has joined.
    ///
    /// # Errors
    /// Fatal: the store cannot be written.
    pub fn joining(
        &mut self,
        fresh: RequestId,
        member: NewMember,
    ) -> Result<(RequestId, NewMember), DbError> {
        let database = self.database();
        let stored = read_meta::<(RequestId, NewMember)>(&database.begin_read()?.open_table(META)?, JOINING)?;
        if let Some(stored) = stored
            && (stored.1.role, stored.1.id) == (member.role, member.id)
        {
            return Ok(stored);
        }
        let joining = (fresh, member);
        let transaction = begin_durable(&database)?;
        write_meta(&mut transaction.open_table(META)?, JOINING, &joining)?;
        transaction.commit()?;
        Ok(joining)
    }

    /// Drops the kept request, so that the next attempt to join is a new one.
    ///
    /// # Errors
    /// Fatal: the store cannot be written.
    pub fn clear_join_request(&mut self) -> Result<(), DbError> {
        let transaction = begin_durable(&self.database())?;
        transaction.open_table(META)?.remove(JOINING.as_bytes())?;
        transaction.commit()?;
        Ok(())
    }

    /// Writes the identity of the store's member. A founder's log begins behind index 1, the index of its configuration. A
    /// member that joins needs earlier entries and therefore gets the configuration with a snapshot.
    ///
    /// # Errors
    /// Fatal: the store cannot be written.
    pub fn identify(&mut self, identity: Identity, founded: Option<&Configuration>) -> Result<(), DbError> {
        let start = Position { index: 1, term: 1 };
        let transaction = begin_durable(&self.database())?;
        {
            let mut meta = transaction.open_table(META)?;
            write_identity(&mut meta, &identity)?;
            if let Some(configuration) = founded {
                write_position(&mut meta, start, configuration)?;
                // The digest of no rows.
                write_meta(&mut meta, DIGEST, &(start.index, 0u64))?;
                write_meta(&mut meta, FLOOR, &start)?;
                write_meta(&mut meta, EPOCH, &(self.epoch() + 1))?;
                write_meta(&mut meta, HARD_STATE, &HardState { term: 1, vote: 0, commit: 1 })?;
            }
        }
        transaction.commit()?;
        self.reopen(self.database())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FileDisk;
    use ribbit_state::Role;

    #[test]
    fn asking_to_join_again_is_the_same_request_from_wherever_it_is_asked() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Store::open(FileDisk::new(&folder.path().join("backend-2"))).unwrap();
        let member = |id, address: &str, machine: &str| NewMember {
            role: Role::Backend,
            id,
            address: address.into(),
            machine: machine.into(),
            rules_level: 1,
            key: Default::default(),
        };
        let first = open().joining(RequestId(1), member(2, "a:1", "boot 1")).unwrap();
        assert_eq!(first, (RequestId(1), member(2, "a:1", "boot 1")));
        assert_eq!(open().joining(RequestId(2), member(2, "b:2", "boot 2")).unwrap(), first);
        let other = (RequestId(3), member(3, "b:2", "boot 2"));
        assert_eq!(
            open().joining(other.0, other.1.clone()).unwrap(),
            other,
            "another member is another request"
        );
    }
}
