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

    /// There is none.
    pub fn rest(&mut self) {
        self.restless = false;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_looked_at_while_nothing_is_written() {
        let mut watch = LogWatch::default();
        assert_eq!((watch.patience(), watch.is_due(false)), (None, false));
        assert!(watch.is_due(true));
        watch.rest(); // there was no log
        assert_eq!((watch.patience(), watch.is_due(false)), (None, false));
        assert!(watch.is_due(true));
        assert_eq!((watch.note(1000), watch.patience()), (None, None));
        assert!(!watch.is_due(true), "too soon");
        assert!(watch.patience().is_some(), "once more after the last write");
        assert_eq!(watch.note(LONG + 1), Some(LONG + 1));
        assert_eq!(
            (watch.note(LONG + 2), watch.note(2 * LONG + 2), watch.note(5)),
            (None, Some(2 * LONG + 2), Some(5))
        );
        assert_eq!(watch.patience(), None);
    }
}
