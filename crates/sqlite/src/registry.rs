//! The one registry of the process: a directory is opened once, whoever asks for it, and shared by all threads.

use crate::error::Error;
use crate::place::{self, Files, Key};
use crate::prompt::{self, Misses};
use crate::queue::{Answer, Answers, Job, Queue, Reply, Sink, Work};
use crate::reader;
use crate::wire::Request;
use crate::writer::Writer;
use rusqlite::Connection;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::Instant;

static OPEN: Mutex<BTreeMap<Key, Arc<Shared>>> = Mutex::new(BTreeMap::new());

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Default)]
struct Closing {
    /// Who waits to hear that all is closed.
    waiting: Vec<(u32, Arc<dyn Sink>)>,
    /// All is closed.
    ended: bool,
}

/// Threads that look through a database, or copy it, at once.
const MOST_LOOKERS: usize = 4;

/// A directory that is open, or about to be.
pub struct Shared {
    pub dir: PathBuf,
    pub writes: Queue,
    pub reads: Queue,
    pub key: Key,
    /// The reader's, once it has opened it.
    pub reading: Mutex<Option<Connection>>,
    pub misses: Misses,
    /// Changed under the registry's lock.
    users: Mutex<usize>,
    files: Mutex<Option<Files>>,
    /// Why it is of no more use to those who have it open.
    refused: Mutex<Option<Error>>,
    reader: Mutex<Option<JoinHandle<()>>>,
    /// Of what takes long.
    lookers: Mutex<Vec<JoinHandle<()>>>,
    closing_down: AtomicBool,
    /// Of all users, also of those that are gone.
    sinks: Mutex<Vec<Weak<dyn Sink>>>,
    closing: Mutex<Closing>,
}

impl Shared {
    fn new(dir: PathBuf, key: Key) -> Shared {
        Shared {
            dir,
            key,
            writes: Queue::default(),
            reads: Queue::default(),
            reading: Mutex::new(None),
            misses: Misses::default(),
            users: Mutex::new(0),
            files: Mutex::new(None),
            refused: Mutex::new(None),
            reader: Mutex::new(None),
            lookers: Mutex::new(Vec::new()),
            closing_down: AtomicBool::new(false),
            sinks: Mutex::new(Vec::new()),
            closing: Mutex::new(Closing::default()),
        }
    }

    fn start(self: &Arc<Self>) -> Result<(), Error> {
        let (writing, reading) = (self.clone(), self.clone());
        let failed = |error: std::io::Error| Error::Unreachable(format!("no thread could be started: {error}"));
        let reader = thread::Builder::new().name("holdfast-read".into()).spawn(move || reader::run(&reading));
        *lock(&self.reader) = Some(reader.map_err(failed)?);
        // Never joined: it must not hold up the end of a process or of a worker.
        let writer = thread::Builder::new().name("holdfast-write".into()).spawn(move || Writer::new(writing).run());
        if writer.is_err() {
            self.reads.close();
        }
        writer.map(|_| ()).map_err(failed)
    }

    pub fn reading(&self) -> MutexGuard<'_, Option<Connection>> {
        lock(&self.reading)
    }

    pub fn note_files(&self, files: &Files) {
        *lock(&self.files) = Some(files.clone());
    }

    /// Moved away or gone back while it was open: it is not served to those who have it open any more. Who opens it from now on looks anew.
    pub fn refuse(&self, error: &Error) {
        *lock(&self.refused) = Some(error.clone());
        self.forget(&mut lock(&OPEN));
    }

    pub fn check_refused(&self) -> Result<(), Error> {
        lock(&self.refused).clone().map_or(Ok(()), Err)
    }

    pub fn check_files(&self) -> Result<(), Error> {
        lock(&self.files).as_ref().map_or(Ok(()), Files::check)
    }

    /// Could not be opened: whoever asks next tries again, with a thread of its own.
    pub fn give_up(&self) {
        self.forget(&mut lock(&OPEN));
        self.writes.close();
    }

    fn forget(&self, open: &mut BTreeMap<Key, Arc<Shared>>) {
        if open.get(&self.key).is_some_and(|found| std::ptr::eq(found.as_ref(), self)) {
            open.remove(&self.key);
        }
    }

    /// What takes long stops then.
    pub fn is_closing(&self) -> bool {
        self.closing_down.load(Ordering::Relaxed)
    }

    /// Tells every user something that none has asked for.
    pub fn tell_all(&self, reply: Reply) {
        let sinks: Vec<Arc<dyn Sink>> = lock(&self.sinks).iter().filter_map(Weak::upgrade).collect();
        for sink in sinks {
            sink.deliver(vec![Answer { ticket: 0, result: Ok(reply.clone()) }]);
        }
    }

    fn note_sink(&self, sink: &Arc<dyn Sink>) {
        let mut sinks = lock(&self.sinks);
        sinks.retain(|known| known.strong_count() > 0);
        sinks.push(Arc::downgrade(sink));
    }

    /// On a thread of its own.
    fn look_long(self: &Arc<Self>, job: Job) -> Result<(), Error> {
        let mut lookers = lock(&self.lookers);
        if self.is_closing() {
            return Err(Error::Closed);
        }
        lookers.retain(|known| !known.is_finished());
        if lookers.len() >= MOST_LOOKERS {
            return Err(Error::Crowded);
        }
        let shared = self.clone();
        let looker = thread::Builder::new().name("holdfast-look".into()).spawn(move || reader::run_long(&shared, &job));
        let looker = looker.map_err(|error| Error::Unreachable(format!("no thread could be started: {error}")))?;
        lookers.push(looker);
        Ok(())
    }

    /// No lock is held while a thread is joined: its last answer may wait for one.
    pub fn end_readers(&self) {
        self.stop_long();
        let lookers = std::mem::take(&mut *lock(&self.lookers));
        for looker in lookers {
            let _ = looker.join();
        }
        self.reads.close();
        let reader = lock(&self.reader).take();
        if let Some(reader) = reader {
            let _ = reader.join();
        }
    }

    fn stop_long(&self) {
        self.closing_down.store(true, Ordering::Relaxed);
    }

    pub fn tell_closed(&self) {
        let waiting = {
            let mut closing = lock(&self.closing);
            closing.ended = true;
            std::mem::take(&mut closing.waiting)
        };
        for (ticket, sink) in waiting {
            sink.deliver(vec![Answer { ticket, result: Ok(Reply::Closed) }]);
        }
    }
}

pub struct OpenOptions {
    /// Go on from a state that is older than what was acknowledged, under a new epoch.
    pub accept_older: bool,
    pub ticket: u32,
    pub due: Instant,
    pub sink: Arc<dyn Sink>,
}

/// A user's share of an open directory; given back when dropped.
pub struct Handle {
    shared: Arc<Shared>,
    left: bool,
}

impl Handle {
    /// Returns at once; the answer to `ticket` says whether it could be opened.
    pub fn open(dir: &Path, options: OpenOptions) -> Result<Handle, Error> {
        let OpenOptions { accept_older, ticket, due, sink } = options;
        let (path, key) = place::prepare(dir)?;
        let mut open = lock(&OPEN);
        let shared = match open.get(&key) {
            Some(shared) => shared.clone(),
            None => {
                let shared = Arc::new(Shared::new(path, key));
                shared.start()?;
                open.insert(key, shared.clone());
                shared
            }
        };
        *lock(&shared.users) += 1;
        shared.note_sink(&sink);
        let job = Job { work: Work::Open { accept_older }, bytes: 0, ticket, due, sink };
        let mut refused = Answers::default();
        shared.writes.push(vec![job], &mut refused);
        drop(open);
        refused.deliver();
        Ok(Handle { shared, left: false })
    }

    /// Those that come together are written together. The answer to each ticket comes by its `due`, unless the disk itself hangs;
    /// of those that are not taken in, or that need not wait, it is returned, for the caller to deliver.
    pub fn submit(&self, jobs: Vec<Job>) -> Answers {
        let mut answers = Answers::default();
        let (mut reading, mut writing) = (Vec::new(), Vec::new());
        for job in jobs {
            match job.work {
                Work::Do(Request::Fetch(_) | Request::Page(_) | Request::LookUp(_)) => reading.push(job),
                Work::Do(Request::Check | Request::Copy(_)) => {
                    let (sink, ticket) = (job.sink.clone(), job.ticket);
                    if let Err(error) = self.shared.look_long(job) {
                        answers.add(&sink, Answer { ticket, result: Err(error) });
                    }
                }
                _ => writing.push(job),
            }
        }
        if !writing.is_empty() {
            self.shared.writes.push(writing, &mut answers);
        }
        let reading = prompt::answer(&self.shared, reading, &mut answers);
        if !reading.is_empty() {
            self.shared.reads.push(reading, &mut answers);
        }
        answers
    }

    /// Of writes that were submitted, those that were not begun and now never will be: nothing of them happened.
    pub fn withdraw(&self, tickets: &[u32], sink: &Arc<dyn Sink>) -> Vec<u32> {
        self.shared.writes.withdraw(&BTreeSet::from_iter(tickets.iter().copied()), sink)
    }

    /// What was submitted before is still done. The answer to `ticket` comes when this user's share is given back, and with the
    /// last user's all files are closed.
    pub fn close(mut self, ticket: u32, sink: &Arc<dyn Sink>) {
        self.leave(Some((ticket, sink.clone())));
    }

    fn leave(&mut self, waiting: Option<(u32, Arc<dyn Sink>)>) {
        if std::mem::replace(&mut self.left, true) {
            return;
        }
        let mut open = lock(&OPEN);
        let users = {
            let mut users = lock(&self.shared.users);
            *users -= 1;
            *users
        };
        if users > 0 {
            drop(open);
            if let Some((ticket, sink)) = waiting {
                sink.deliver(vec![Answer { ticket, result: Ok(Reply::Closed) }]);
            }
            return;
        }
        self.shared.stop_long();
        let late = {
            let mut closing = lock(&self.shared.closing);
            if closing.ended {
                waiting
            } else {
                closing.waiting.extend(waiting);
                None
            }
        };
        self.shared.forget(&mut open);
        drop(open);
        self.shared.writes.close();
        if let Some((ticket, sink)) = late {
            sink.deliver(vec![Answer { ticket, result: Ok(Reply::Closed) }]);
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.leave(None);
    }
}
