//! When to look at the length of the log, and when to tell of it.

use std::path::Path;
use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_secs(3);
/// Told once it is longer than this, then whenever it has doubled, and when it is short again.
const LONG: u64 = 64 << 20;

#[derive(Default)]
pub struct LogWatch {
    looked: Option<Instant>,
    /// Something was written since the last look, or the log was long then.
    restless: bool,
    told: u64,
}

impl LogWatch {
    /// How long to wait for work before the next look; none: until there is some.
    pub fn patience(&self) -> Option<Duration> {
        self.restless.then(|| self.looked.map_or(PAUSE, |looked| PAUSE.saturating_sub(looked.elapsed())))
    }

    pub fn is_due(&mut self, writing: bool) -> bool {
        self.restless |= writing;
        self.restless && self.looked.is_none_or(|looked| looked.elapsed() >= PAUSE)
    }

    /// What is to be told.
    pub fn note(&mut self, bytes: u64) -> Option<u64> {
        self.looked = Some(Instant::now());
        self.restless = bytes > LONG / 8;
        let grown = bytes > LONG && bytes >= self.told * 2;
        let shrunk = self.told > 0 && bytes <= LONG;
        if grown {
            self.told = bytes;
        } else if shrunk {
            self.told = 0;
        }
        (grown || shrunk).then_some(bytes)
    }
}

pub fn length_of(path: &Path) -> u64 {
    path.metadata().map_or(0, |found| found.len())
}
