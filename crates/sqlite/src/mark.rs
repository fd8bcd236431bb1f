//! The file `mark`: its lock is held by whoever opens or writes (no `close` elsewhere in the process can drop it, as it drops
//! SQLite's own), and it says what was acknowledged at least: number of commits and epoch, 8 bytes each, and XXH3 of both.

use crate::deadline;
use crate::error::Error;
use crate::place::{flush_names, open_private, reason};
use std::cell::Cell;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;
use xxhash_rust::xxh3::xxh3_64;

pub const NAME: &str = "mark";

/// Where one that waits for long says since when, on the machine's monotonic clock. A hint, of which no value does harm.
const ASKED_AT: u64 = 24;
const PATIENCE_NS: u64 = 10_000_000;
/// Longer than one that waits sleeps between two looks.
const REST: Duration = Duration::from_micros(700);

/// What was acknowledged at least.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    pub commits: u64,
    pub epoch: u64,
}

impl Known {
    fn to_bytes(self) -> [u8; 24] {
        let mut bytes = [0; 24];
        bytes[..8].copy_from_slice(&self.commits.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.epoch.to_le_bytes());
        let sum = xxh3_64(&bytes[..16]);
        bytes[16..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// None: it is damaged. Of what is empty or zeros: that nothing was ever written there.
    fn from_bytes(bytes: &[u8]) -> Option<Option<Known>> {
        if bytes.iter().all(|byte| *byte == 0) {
            return Some(None);
        }
        let word = |at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
        let known = Known { commits: word(0)?, epoch: word(8)? };
        (known.to_bytes() == bytes).then_some(Some(known))
    }
}

/// None: nothing was ever written there. Without the lock, another may be just writing it.
fn read(file: &File, path: &Path) -> Result<Option<Known>, Error> {
    let look = || {
        let mut bytes = [0; 24];
        let length = file.read_at(&mut bytes, 0).ok()?;
        Known::from_bytes(&bytes[..length])
    };
    (0..3).find_map(|_| look()).ok_or_else(|| Error::MarkDamaged(path.into()))
}

/// What it says; none: there is no mark, or nothing was ever written there. Nothing is made.
pub fn look(dir: &Path) -> Result<Option<Known>, Error> {
    let path = dir.join(NAME);
    match OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC).open(&path) {
        Ok(file) => read(&file, &path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::of_system(reason(&path, &error), &error)),
    }
}

pub struct Mark {
    path: PathBuf,
    file: File,
    /// What this process said last.
    asked: Cell<u64>,
}

fn now_ns() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` has room for the answer.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// The outer lock; given back when dropped.
pub struct Locked<'a>(&'a File);

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        // SAFETY: the descriptor is open as long as the borrow lasts.
        unsafe { libc::flock(self.0.as_raw_fd(), libc::LOCK_UN) };
    }
}

/// Whether the lock of an open file was free, and is ours now.
pub fn try_flock(file: &File) -> io::Result<bool> {
    // SAFETY: the descriptor is open.
    let status = unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) };
    match io::Error::last_os_error() {
        _ if status == 0 => Ok(true),
        error if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        error => Err(error),
    }
}

impl Mark {
    pub fn open(dir: &Path) -> Result<Mark, Error> {
        let path = dir.join(NAME);
        let file = open_private(&path).map_err(|error| Error::of_system(reason(&path, &error), &error))?;
        if file.metadata().is_ok_and(|found| found.len() == 0) {
            // Its room is taken before the disk is full.
            let _ = file.write_all_at(&[0; 8], ASKED_AT);
        }
        Ok(Mark { path, file, asked: Cell::new(0) })
    }

    /// Waits until this thread's deadline.
    pub fn lock(&self) -> Result<Locked<'_>, Error> {
        self.give_way();
        let began = now_ns();
        while !try_flock(&self.file).unwrap_or(false) {
            if !deadline::nap(0) {
                return Err(Error::Busy);
            }
            let now = now_ns();
            if now - began > PATIENCE_NS {
                self.ask(now);
            }
        }
        Ok(Locked(&self.file))
    }

    /// Says that this process has waited for long.
    fn ask(&self, now: u64) {
        self.asked.set(now);
        let _ = self.file.write_all_at(&now.to_le_bytes(), ASKED_AT);
    }

    /// Polling is unfair to those who wait: whoever had the lock takes it again before they look. So it rests for a moment when
    /// another has just said that it waits.
    fn give_way(&self) {
        let mut bytes = [0; 8];
        let asked = self.file.read_exact_at(&mut bytes, ASKED_AT).map_or(0, |()| u64::from_le_bytes(bytes));
        if asked != self.asked.get() && now_ns().abs_diff(asked) < PATIENCE_NS {
            deadline::rest(REST);
        }
    }

    /// To be read before the count of the store itself.
    pub fn known(&self) -> Result<Known, Error> {
        read(&self.file, &self.path)?.ok_or_else(|| Error::MarkMissing(self.path.clone()))
    }

    /// Says that nothing was acknowledged so far, where nothing was said yet. Flushed: the database is made after it, so that one
    /// without it has lost it.
    pub fn begin(&self, dir: &Path) -> Result<(), Error> {
        if read(&self.file, &self.path)?.is_some() {
            return Ok(());
        }
        let begun = self.try_write(Known::default()).and_then(|()| self.flush()).and_then(|()| flush_names(dir));
        begun.map_err(|error| Error::of_system(reason(&self.path, &error), &error))
    }

    pub fn flush(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    /// To be called under the lock, and never lowered. Not flushed, and written after the commit was: after a power cut it is behind, never ahead. One that cannot be written
    /// stays behind likewise.
    pub fn write(&self, known: Known) {
        let _ = self.try_write(known);
    }

    pub fn try_write(&self, known: Known) -> io::Result<()> {
        self.file.write_all_at(&known.to_bytes(), 0)
    }
}
