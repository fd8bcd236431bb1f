//! A directory of its own, and a user of it that waits for its answers.
#![allow(dead_code)] // each test file uses a part

pub mod other;
#[cfg(target_os = "linux")]
pub mod steps;

use holdfast_sqlite::*;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Folder {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("holdfast-ground-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    /// A store, not made yet.
    pub fn store(&self) -> PathBuf {
        self.0.join("store")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

struct Mailbox(Mutex<Sender<Answer>>);

impl Sink for Mailbox {
    fn deliver(&self, answers: Vec<Answer>) {
        let sender = self.0.lock().unwrap();
        answers.into_iter().for_each(|answer| drop(sender.send(answer)));
    }
}

pub struct User {
    handle: Handle,
    sink: Arc<dyn Sink>,
    answers: Receiver<Answer>,
    next: u32,
    pub bound: Duration,
    /// What each request claims to take in memory.
    pub weigh: usize,
    /// Answers that nobody waited for.
    pub met: Vec<Answer>,
}

const PATIENCE: Duration = Duration::from_secs(20);

impl User {
    pub fn open(dir: &Path) -> Result<User, Error> {
        User::open_with(dir, false, Duration::from_secs(10))
    }

    pub fn open_with(dir: &Path, accept_older: bool, bound: Duration) -> Result<User, Error> {
        let (sender, answers) = channel();
        let sink: Arc<dyn Sink> = Arc::new(Mailbox(Mutex::new(sender)));
        let options = OpenOptions { accept_older, ticket: 0, due: Instant::now() + bound, sink: sink.clone() };
        let handle = Handle::open(dir, options)?;
        let opened = answers.recv_timeout(PATIENCE).expect("an answer").result?;
        assert_eq!(opened, Reply::Opened);
        Ok(User { handle, sink, answers, next: 1, bound, weigh: 0, met: Vec::new() })
    }

    pub fn send(&mut self, request: Request) -> u32 {
        self.submit(request).deliver();
        self.next - 1
    }

    /// What is answered by the thread that asks.
    fn submit(&mut self, request: Request) -> Answers {
        let ticket = self.next;
        self.next += 1;
        let due = Instant::now() + self.bound;
        let job = Job { work: Work::Do(request), bytes: self.weigh, ticket, due, sink: self.sink.clone() };
        self.handle.submit(vec![job])
    }

    /// None: it was left to the reader, whose answer is taken off.
    pub fn read_at_once(&mut self, id: &str) -> Option<Found> {
        let answers = self.submit(Request::Fetch(Fetch { id: id.into(), from: Some(0), limit_bytes: u64::MAX }));
        match answers.into_all().pop() {
            Some(Answer { result: Ok(Reply::Read(found)), .. }) => Some(found),
            Some(other) => panic!("{other:?}"),
            None => {
                self.receive();
                None
            }
        }
    }

    pub fn withdraw(&self, tickets: &[u32]) -> Vec<u32> {
        self.handle.withdraw(tickets, &self.sink)
    }

    pub fn receive(&self) -> Answer {
        self.answers.recv_timeout(PATIENCE).expect("an answer")
    }

    pub fn ask(&mut self, request: Request) -> Result<Reply, Error> {
        let ticket = self.send(request);
        loop {
            let answer = self.receive();
            if answer.ticket == ticket {
                return answer.result;
            }
            self.met.push(answer);
        }
    }

    pub fn write(&mut self, draft: Draft) -> Result<bool, Error> {
        match self.ask(Request::Draft(draft))? {
            Reply::Committed(written) => Ok(written),
            other => panic!("{other:?}"),
        }
    }

    pub fn read(&mut self, id: &str) -> Result<Found, Error> {
        match self.ask(Request::Fetch(Fetch { id: id.into(), from: Some(0), limit_bytes: u64::MAX }))? {
            Reply::Read(found) => Ok(found),
            other => panic!("{other:?}"),
        }
    }

    /// Puts the next record of a session behind those that are there.
    pub fn append(&mut self, id: &str, body: &[u8]) -> Result<u64, Error> {
        let found = self.read(id)?;
        let revision = found.records.last().map_or(0, |record| record.revision) + 1;
        let put = Change::Put(StoredRecord { revision, nonce: revision * 7, body: body.to_vec() });
        let draft = Draft { changes: vec![put], flush: true, ..draft_on(&found, id, b"row") };
        assert!(self.write(draft)?, "nobody else writes");
        Ok(revision)
    }

    pub fn bodies(&mut self, id: &str) -> Vec<Vec<u8>> {
        self.read(id).unwrap().records.into_iter().map(|record| record.body).collect()
    }

    pub fn close(self) {
        self.handle.close(u32::MAX, &self.sink);
        let answer = self.answers.recv_timeout(PATIENCE).expect("an answer");
        assert_eq!(answer, Answer { ticket: u32::MAX, result: Ok(Reply::Closed) });
    }

    /// Whatever is under way.
    pub fn end(self) {
        self.handle.close(u32::MAX, &self.sink);
        while self.answers.recv_timeout(PATIENCE).expect("an answer").ticket != u32::MAX {}
    }
}

/// A change of the row alone, which a power cut may undo.
pub fn draft_on(found: &Found, id: &str, row: &[u8]) -> Draft {
    static VERSIONS: AtomicU64 = AtomicU64::new(1);
    let expected = found.row.as_ref().map(|row| row.version);
    let next = VERSIONS.fetch_add(1, Ordering::Relaxed);
    Draft { id: id.into(), expected, next, marks: found.marks, row: Some(row.to_vec()), ..Draft::default() }
}

pub fn file(dir: &Path, name: &str) -> PathBuf {
    dir.join(name)
}

pub fn marked(dir: &Path) -> u64 {
    u64::from_le_bytes(std::fs::read(dir.join("mark")).unwrap()[..8].try_into().unwrap())
}
