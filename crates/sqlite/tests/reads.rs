//! Readings that are answered by the thread that asks.

mod shared;

use holdfast_sqlite::*;
use shared::{Folder, User};

/// Opened, with one session, and read from once: the reader has its connection.
fn opened(folder: &Folder, body: &[u8]) -> User {
    let mut user = User::open(&folder.store()).unwrap();
    user.append("a", body).unwrap();
    user.read("a").unwrap();
    user
}

#[test]
#[cfg(target_os = "linux")]
fn a_short_reading_is_answered_at_once_and_sees_what_was_acknowledged() {
    let folder = Folder::new();
    let mut user = opened(&folder, b"first");
    let mut other = User::open(&folder.store()).unwrap();
    for revision in 2..50 {
        other.append("a", b"next").unwrap();
        let found = user.read_at_once("a").expect("an answer at once");
        assert_eq!(found.records.last().unwrap().revision, revision);
    }
    other.close();
    user.close();
}

#[test]
fn what_is_long_is_left_to_the_reader() {
    let folder = Folder::new();
    let mut user = opened(&folder, &[7; 3 << 20]);
    // Until it is the reader's turn its pages may be anywhere but in SQLite's own small memory.
    assert_eq!(user.read_at_once("a"), None);
    assert_eq!(user.bodies("a"), [vec![7; 3 << 20]]);
    user.close();
}

#[test]
#[cfg(target_os = "linux")]
fn what_is_long_does_not_count_against_what_is_short() {
    let folder = Folder::new();
    let mut user = opened(&folder, b"short");
    user.append("long", &[7; 3 << 20]).unwrap();
    for _ in 0..3 {
        user.append("long in all", &[7; 600 << 10]).unwrap();
    }
    for _ in 0..20 {
        assert_eq!(user.read_at_once("long"), None);
        assert_eq!(user.read_at_once("long in all"), None);
    }
    assert!(user.read_at_once("a").is_some());
    user.close();
}

#[cfg(target_os = "linux")]
fn fetch(id: &str) -> Request {
    Request::Fetch(Fetch { id: id.into(), from: Some(0), limit_bytes: u64::MAX })
}

#[test]
#[cfg(target_os = "linux")]
fn a_reader_at_work_does_not_count_against_what_comes_later() {
    let folder = Folder::new();
    let mut user = opened(&folder, b"short");
    user.append("long", &[7; 14 << 20]).unwrap();
    user.send(fetch("long"));
    std::thread::sleep(std::time::Duration::from_millis(1)); // by now it is read
    for _ in 0..50 {
        user.send(fetch("a"));
    }
    (0..51).for_each(|_| drop(user.receive()));
    assert!(user.read_at_once("a").is_some());
    user.close();
}

/// Its first pages, as `preadv2(2)` sees them.
#[cfg(target_os = "linux")]
fn forget(path: &std::path::Path) -> bool {
    use std::os::fd::AsRawFd;
    let file = std::fs::File::open(path).unwrap();
    file.sync_all().unwrap();
    let mut byte = [0_u8; 1];
    let part = libc::iovec { iov_base: byte.as_mut_ptr().cast(), iov_len: 1 };
    // SAFETY: one byte of a file that is open.
    unsafe {
        libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED);
        libc::syscall(libc::SYS_preadv2, file.as_raw_fd(), &raw const part, 1, 0, 0, libc::RWF_NOWAIT) < 0
    }
}

#[test]
#[cfg(target_os = "linux")]
fn pages_that_are_not_in_memory_are_left_to_the_reader() {
    let folder = Folder::new();
    let mut user = opened(&folder, &[7; 300_000]);
    user.append("b", b"so that SQLite's own memory is out of date").unwrap();
    let log = folder.store().join("store.sqlite-wal");
    if !forget(&log) {
        return eprintln!("skipped: this file system keeps its pages");
    }
    assert_eq!(user.read_at_once("a"), None);
    assert_eq!(user.bodies("a"), [vec![7; 300_000]]);
    assert!(user.read_at_once("a").is_some(), "they are in memory now");
    user.close();
}

#[test]
fn a_store_that_is_gone_is_told_by_the_reader() {
    let folder = Folder::new();
    let mut user = opened(&folder, b"first");
    std::fs::rename(folder.store(), folder.0.join("elsewhere")).unwrap();
    assert_eq!(user.read_at_once("a"), None);
    assert!(matches!(user.read("a"), Err(Error::Moved { .. })));
    user.end();
}
