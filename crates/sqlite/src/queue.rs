//! What waits for a thread, and how its answers get back.

use crate::error::Error;
use crate::wire::{Checked, Found, FoundPage, LookedUp, Request};
use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    Opened,
    Closed,
    /// False: the row or the marks are others than they were drafted on, and nothing was written.
    Committed(bool),
    Read(Found),
    Page(FoundPage),
    LookedUp(LookedUp),
    Checked(Checked),
    /// The log has outgrown what it should be, or (as it should be) no longer has: its bytes. For all users, under no ticket.
    Log(u64),
}

#[derive(Debug, PartialEq)]
pub struct Answer {
    pub ticket: u32,
    pub result: Result<Reply, Error>,
}

/// Takes answers, from any thread. Called once for all that became known together.
pub trait Sink: Send + Sync {
    fn deliver(&self, answers: Vec<Answer>);
}

pub enum Work {
    Open { accept_older: bool },
    Do(Request),
}

pub struct Job {
    pub work: Work,
    /// Of the request, in memory.
    pub bytes: usize,
    pub ticket: u32,
    pub due: Instant,
    pub sink: Arc<dyn Sink>,
}

impl Job {
    pub fn is_due(&self, now: Instant) -> bool {
        now >= self.due
    }

    pub fn answer(&self, answers: &mut Answers, result: Result<Reply, Error>) {
        answers.add(&self.sink, Answer { ticket: self.ticket, result });
    }
}

/// More than wait at once in any sane process: each has its deadline.
const MOST_WAITING: usize = 65_536;
/// One larger than this is taken in alone.
const MOST_BYTES: usize = 256 << 20;

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    bytes: usize,
    closed: bool,
}

#[derive(Default)]
pub struct Queue {
    waiting: Mutex<Waiting>,
    wake: Condvar,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those that cannot be taken in get their answers at once.
    pub fn push(&self, jobs: Vec<Job>, answers: &mut Answers) {
        let mut waiting = self.lock();
        for job in jobs {
            if waiting.closed {
                job.answer(answers, Err(Error::Closed));
            } else if waiting.jobs.len() >= MOST_WAITING
                || (waiting.bytes > 0 && waiting.bytes + job.bytes > MOST_BYTES)
            {
                job.answer(answers, Err(Error::Crowded));
            } else {
                waiting.bytes += job.bytes;
                waiting.jobs.push_back(job);
            }
        }
        self.wake.notify_one();
    }

    /// Those that could not be done yet, in front of all others.
    pub fn put_back(&self, jobs: Vec<Job>) {
        let mut waiting = self.lock();
        for job in jobs.into_iter().rev() {
            waiting.bytes += job.bytes;
            waiting.jobs.push_front(job);
        }
    }

    /// Waits for jobs, for so long at most, and takes up to `most` of them. None: closed, and nothing is left.
    pub fn take(&self, most: usize, patience: Option<Duration>) -> Option<Vec<Job>> {
        let mut waiting = self.lock();
        while waiting.jobs.is_empty() {
            if waiting.closed {
                return None;
            }
            let Some(patience) = patience else {
                waiting = self.wake.wait(waiting).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let (found, waited) = self.wake.wait_timeout(waiting, patience).unwrap_or_else(PoisonError::into_inner);
            waiting = found;
            if waited.timed_out() {
                break;
            }
        }
        let count = waiting.jobs.len().min(most);
        let jobs: Vec<Job> = waiting.jobs.drain(..count).collect();
        waiting.bytes -= jobs.iter().map(|job| job.bytes).sum::<usize>();
        Some(jobs)
    }

    /// Takes back what still waits here of one user; the tickets of what that was. It never happens, and gets no answer.
    pub fn withdraw(&self, tickets: &BTreeSet<u32>, sink: &Arc<dyn Sink>) -> Vec<u32> {
        let is_meant = |job: &Job| tickets.contains(&job.ticket) && Arc::ptr_eq(&job.sink, sink);
        let mut waiting = self.lock();
        let Waiting { jobs, bytes, .. } = &mut *waiting;
        let mut withdrawn = Vec::new();
        jobs.retain(|job| {
            let stays = !is_meant(job);
            if !stays {
                *bytes -= job.bytes;
                withdrawn.push(job.ticket);
            }
            stays
        });
        withdrawn
    }

    /// What waits is still done; nothing more is taken in.
    pub fn close(&self) {
        self.lock().closed = true;
        self.wake.notify_all();
    }
}

/// Answers, gathered so that each sink is woken once.
#[derive(Default)]
#[must_use]
pub struct Answers(Vec<(Arc<dyn Sink>, Vec<Answer>)>);

impl Answers {
    pub fn add(&mut self, sink: &Arc<dyn Sink>, answer: Answer) {
        match self.0.iter_mut().find(|(known, _)| Arc::ptr_eq(known, sink)) {
            Some((_, answers)) => answers.push(answer),
            None => self.0.push((sink.clone(), vec![answer])),
        }
    }

    /// Of all, where there is one sink.
    pub fn into_all(self) -> Vec<Answer> {
        self.0.into_iter().flat_map(|(_, answers)| answers).collect()
    }

    pub fn deliver(self) {
        for (sink, answers) in self.0 {
            sink.deliver(answers);
        }
    }
}
