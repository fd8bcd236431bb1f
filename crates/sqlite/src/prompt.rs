//! Readings that are answered at once, by the thread that asks (JavaScript's), where nothing of them can wait: no lock that another
//! thread has, no page that is not in memory, no more than a bound of bytes. All others are left to the reader. To wake that and
//! be woken takes four times as long as such a reading.

use crate::no_wait;
use crate::queue::{Answers, Job, Reply, Work};
use crate::reader::look;
use crate::registry::Shared;
use crate::wire::Request;
use crate::writer::guarded;
use rusqlite::Connection;
use std::sync::TryLockError;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

/// What one turn may read, and answer with.
const MOST_BYTES: usize = 1 << 20;
/// So many in a row met a page that is not in memory, or a lock: from then on only every 64th is tried.
const HOPELESS: u32 = 8;
const NOW_AND_THEN: u32 = 64;

/// In a row, of one directory.
#[derive(Default)]
pub struct Misses(AtomicU32);

impl Misses {
    fn is_worth_a_try(&self) -> bool {
        let misses = self.0.load(Ordering::Relaxed);
        if misses < HOPELESS {
            return true;
        }
        self.0.store(misses.wrapping_add(1).max(HOPELESS), Ordering::Relaxed);
        misses.is_multiple_of(NOW_AND_THEN)
    }

    fn note(&self, missed: bool) {
        if missed {
            self.0.fetch_add(1, Ordering::Relaxed);
        } else {
            self.0.store(0, Ordering::Relaxed);
        }
    }
}

/// Answers what it can; the rest comes back.
pub fn answer(shared: &Shared, jobs: Vec<Job>, answers: &mut Answers) -> Vec<Job> {
    if !no_wait::prepare() || shared.is_closing() || !shared.misses.is_worth_a_try() {
        return jobs;
    }
    let now = Instant::now();
    let (prompt, mut rest): (Vec<Job>, Vec<Job>) = jobs.into_iter().partition(|job| is_short(job) && !job.is_due(now));
    if prompt.is_empty() {
        return rest;
    }
    let mut replies = match shared.reading.try_lock() {
        Ok(mut connection) => replies(shared, &mut connection, &prompt),
        Err(TryLockError::Poisoned(poisoned)) => replies(shared, &mut poisoned.into_inner(), &prompt),
        Err(TryLockError::WouldBlock) => Vec::new(), // the reader is at work
    }
    .into_iter();
    for job in prompt {
        match replies.next() {
            Some(reply) => job.answer(answers, Ok(reply)),
            None => rest.push(job),
        }
    }
    rest
}

fn is_short(job: &Job) -> bool {
    matches!(job.work, Work::Do(Request::Fetch(_) | Request::LookUp(_)))
}

/// Of the first of them, up to the one that has to wait, or is long, or is to say what is wrong.
fn replies(shared: &Shared, connection: &mut Option<Connection>, jobs: &[Job]) -> Vec<Reply> {
    let Some(connection) = connection.as_mut() else { return Vec::new() };
    let mut replies = Vec::new();
    let mut bytes = 0;
    let (_, is_long) = no_wait::without_waiting(MOST_BYTES, || {
        guarded(|| {
            look(shared, connection, jobs, |reply| {
                bytes += weight(&reply);
                replies.push(reply);
                bytes < MOST_BYTES
            })
        })
    });
    // That one is long says nothing of the next.
    if !is_long || !replies.is_empty() {
        shared.misses.note(replies.is_empty());
    }
    replies
}

fn weight(reply: &Reply) -> usize {
    match reply {
        Reply::Read(found) => found.records.iter().map(|record| record.body.len()).sum(),
        _ => 0,
    }
}
