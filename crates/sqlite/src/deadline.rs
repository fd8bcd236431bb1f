//! The bound of the call that a thread is at work on: SQLite's busy handler sees one wait only, so it is kept beside the call.

use crate::no_wait;
use std::cell::Cell;
use std::thread::sleep;
use std::time::{Duration, Instant};

const NAP: Duration = Duration::from_micros(300);

thread_local!(static DUE: Cell<Option<Instant>> = const { Cell::new(None) });

/// All waits of this thread end then.
pub fn set(due: Instant) {
    DUE.set(Some(due));
}

/// Waits a little; false when the time is over. SQLite's busy handler, too.
pub fn nap(_tries: i32) -> bool {
    if no_wait::is_on() {
        return false;
    }
    sleep(NAP);
    DUE.get().is_some_and(|due| Instant::now() < due)
}

pub fn left() -> Duration {
    DUE.get().map_or(Duration::ZERO, |due| due.saturating_duration_since(Instant::now()))
}

/// Leaves room for others, as far as the time allows.
pub fn rest(time: Duration) {
    sleep(time.min(left() / 2));
}
