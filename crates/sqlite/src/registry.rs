//! The one registry of the process: a directory is opened once, whoever asks for it, and shared by all threads.

use crate::error::Error;
use crate::place::{self, Files, Key};
use crate::queue::{Answer, Answers, Job, Queue, Reply, Sink, Work};
use crate::reader;
use crate::wire::Request;
use crate::writer::Writer;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

static OPEN: Mutex<BTreeMap<Key, Arc<Shared>>> = Mutex::new(BTreeMap::new());

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A directory that is open, or about to be.
pub struct Shared {
    pub dir: PathBuf,
    pub writes: Queue,
    pub reads: Queue,
    pub key: Key,
    /// Changed under the registry's lock.
    users: Mutex<usize>,
    files: Mutex<Option<Files>>,
    /// Why it is of no more use to those who have it open.
    refused: Mutex<Option<Error>>,
    reader: Mutex<Option<JoinHandle<()>>>,
    /// Who waits to hear that all is closed.
    closing: Mutex<Vec<(u32, Arc<dyn Sink>)>>,
}

impl Shared {
    fn new(dir: PathBuf, key: Key) -> Shared {
        Shared {
            dir,
            key,
            writes: Queue::default(),
            reads: Queue::default(),
            users: Mutex::new(0),
            files: Mutex::new(None),
            refused: Mutex::new(None),
            reader: Mutex::new(None),
            closing: Mutex::new(Vec::new()),
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

    pub fn note_files(&self, files: &Files) {
        *lock(&self.files) = Some(files.clone());
    }

    /// Moved away or gone back while it was open: it is not served to those who have it open any more.
    pub fn refuse(&self, error: &Error) {
        *lock(&self.refused) = Some(error.clone());
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

    pub fn end_reader(&self) {
        self.reads.close();
        if let Some(reader) = lock(&self.reader).take() {
            let _ = reader.join();
        }
    }

    pub fn tell_closed(&self) {
        for (ticket, sink) in std::mem::take(&mut *lock(&self.closing)) {
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
        let job = Job { work: Work::Open { accept_older }, ticket, due, sink };
        let mut refused = Answers::default();
        shared.writes.push(vec![job], &mut refused);
        drop(open);
        refused.deliver();
        Ok(Handle { shared, left: false })
    }

    /// Those that come together are written together. The answer to each ticket comes by its `due`, unless the disk itself hangs;
    /// of those that are not taken in it is returned, for the caller to deliver.
    pub fn submit(&self, jobs: Vec<Job>) -> Answers {
        let reads = |job: &Job| matches!(job.work, Work::Do(Request::Fetch(_) | Request::Page(_) | Request::Check));
        let (reading, writing): (Vec<Job>, Vec<Job>) = jobs.into_iter().partition(reads);
        let mut refused = Answers::default();
        if !reading.is_empty() {
            self.shared.reads.push(reading, &mut refused);
        }
        if !writing.is_empty() {
            self.shared.writes.push(writing, &mut refused);
        }
        refused
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
        lock(&self.shared.closing).extend(waiting);
        self.shared.forget(&mut open);
        self.shared.writes.close();
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.leave(None);
    }
}
