//! Who of this process has a directory's files open: whoever opens it anew waits until the one before has closed them.

use crate::deadline;
use crate::error::Error;
use crate::place::Key;
use std::collections::BTreeSet;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

static TAKEN: Mutex<BTreeSet<Key>> = Mutex::new(BTreeSet::new());
static FREED: Condvar = Condvar::new();

fn taken() -> MutexGuard<'static, BTreeSet<Key>> {
    TAKEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Given back when dropped.
pub struct Turn(Key);

impl Turn {
    /// Waits until this thread's deadline.
    pub fn take(key: Key) -> Result<Turn, Error> {
        let waited = FREED.wait_timeout_while(taken(), deadline::left(), |taken| taken.contains(&key));
        let mut taken = waited.unwrap_or_else(PoisonError::into_inner).0;
        if taken.insert(key) { Ok(Turn(key)) } else { Err(Error::Busy) }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        taken().remove(&self.0);
        FREED.notify_all();
    }
}
