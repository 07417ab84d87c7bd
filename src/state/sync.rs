//! Locks that all layers use. A panic ends the process, so no lock is ever found poisoned.

use std::sync::{Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Locking of a mutex of which no holder panics.
pub trait MutexExt<T: ?Sized> {
    /// Waits for the lock.
    fn locked(&self) -> MutexGuard<'_, T>;
}

impl<T: ?Sized> MutexExt<T> for Mutex<T> {
    fn locked(&self) -> MutexGuard<'_, T> {
        self.lock().expect("no holder of this lock panics")
    }
}

/// Locking of a reader-writer lock of which no holder panics.
pub trait RwLockExt<T: ?Sized> {
    /// Waits for the lock, shared with other readers.
    fn read_locked(&self) -> RwLockReadGuard<'_, T>;

    /// Waits for the exclusive lock.
    fn write_locked(&self) -> RwLockWriteGuard<'_, T>;
}

impl<T: ?Sized> RwLockExt<T> for RwLock<T> {
    fn read_locked(&self) -> RwLockReadGuard<'_, T> {
        self.read().expect("no holder of this lock panics")
    }

    fn write_locked(&self) -> RwLockWriteGuard<'_, T> {
        self.write().expect("no holder of this lock panics")
    }
}
