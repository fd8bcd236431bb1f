//! Copies of a store in use, a log that somebody keeps from being shortened, and more than memory should hold.

mod shared;

use holdfast_sqlite::*;
use rusqlite::Connection;
use shared::{Folder, User, draft_on, marked};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

fn copy(user: &mut User, to: &Path) -> Result<Reply, Error> {
    user.ask(Request::Copy(to.as_os_str().as_encoded_bytes().to_vec()))
}

#[test]
fn a_copy_is_a_store_of_its_own_as_of_one_moment() {
    let folder = Folder::new();
    let mut user = User::open(&folder.store()).unwrap();
    for session in 0..50 {
        user.append(&format!("s{session}"), &[7; 5000]).unwrap();
    }
    let to = folder.0.join("copies").join("first");
    let ticket = user.send(Request::Copy(to.as_os_str().as_encoded_bytes().to_vec()));
    let found = user.read("meanwhile").expect("reads do not wait for it");
    assert!(user.write(Draft { flush: true, ..draft_on(&found, "meanwhile", b"row") }).unwrap(), "nor do writes");
    if !user.met.iter().any(|answer| answer.ticket == ticket) {
        user.met.push(user.receive());
    }
    assert_eq!(user.met.pop().map(|answer| answer.result), Some(Ok(Reply::Committed(true))));
    let mut names: Vec<String> =
        fs::read_dir(&to).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["mark", "store.sqlite"]);
    for name in names {
        assert_eq!(to.join(name).metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert!(marked(&to) >= 50);
    let mut other = User::open(&to).unwrap();
    assert_eq!(other.bodies("s49"), vec![vec![7; 5000]]);
    other.append("s49", b"its own").unwrap();
    assert_eq!((other.bodies("s49").len(), user.bodies("s49").len()), (2, 1));
    assert_eq!(copy(&mut user, &to).map_err(|error| error.to_string().contains("holds a store already")), Err(true));
    // What a copy that was broken off has left is begun anew; what is no copy of ours stays.
    let second = folder.0.join("second");
    fs::create_dir(&second).unwrap();
    fs::write(second.join("store.sqlite.part"), b"half").unwrap();
    assert_eq!(copy(&mut user, &second), Ok(Reply::Committed(true)));
    assert!(!second.join("store.sqlite.part").exists());
    other.close();
    user.close();
}

#[test]
fn a_copy_ends_with_the_store_and_leaves_nothing_that_looks_like_one() {
    let folder = Folder::new();
    let mut user = User::open(&folder.store()).unwrap();
    for session in 0..40 {
        user.append(&format!("s{session}"), &[7; 1 << 20]).unwrap();
    }
    let to = folder.0.join("copy");
    user.send(Request::Copy(to.as_os_str().as_encoded_bytes().to_vec()));
    while !to.join("store.sqlite.part").exists() && !to.join("store.sqlite").exists() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let began = Instant::now();
    user.end();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    // It may just have been done.
    if let Ok(mut copied) = User::open(&to) {
        assert_eq!(copied.bodies("s0").len(), usize::from(copied.read("s0").unwrap().row.is_some()));
        copied.close();
    }
}

/// As of a process that was stopped in the middle of reading.
#[test]
fn a_log_that_was_kept_long_is_told_of_and_shortened_without_a_write() {
    let folder = Folder::new();
    let mut user = User::open(&folder.store()).unwrap();
    user.append("s", b"first").unwrap();
    let log = folder.store().join("store.sqlite-wal");
    let reader = Connection::open(folder.store().join("store.sqlite")).unwrap();
    reader.execute_batch("BEGIN; SELECT * FROM session").unwrap();
    let told =
        |answer: &Answer| matches!(answer, Answer { ticket: 0, result: Ok(Reply::Log(bytes)) } if *bytes > 64 << 20);
    let end = Instant::now() + Duration::from_secs(60);
    let mut found = user.read("s").unwrap();
    while !user.met.iter().any(told) {
        assert!(Instant::now() < end, "{:?} bytes", log.metadata().map(|found| found.len()));
        // Each rewrites a few pages, whose checksums cost less than those of as many bytes of a row.
        let draft = draft_on(&found, "s", b"row");
        found.row = Some(StoredRow { version: draft.next, body: None });
        assert!(user.write(draft).unwrap());
    }
    assert!(log.metadata().unwrap().len() > 64 << 20);
    reader.execute_batch("COMMIT").unwrap();
    let end = Instant::now() + Duration::from_secs(10);
    while log.metadata().unwrap().len() > 8 << 20 {
        assert!(Instant::now() < end, "not shortened within 10 s");
        std::thread::sleep(Duration::from_millis(50));
    }
    let answer = user.receive();
    assert!(matches!(answer, Answer { ticket: 0, result: Ok(Reply::Log(bytes)) } if bytes <= 64 << 20), "{answer:?}");
    drop(reader);
    user.close();
}

#[test]
fn more_than_memory_should_hold_is_refused_at_once() {
    let folder = Folder::new();
    let mut user = User::open(&folder.store()).unwrap();
    let found = user.read("none").unwrap();
    user.weigh = 200 << 20;
    let tickets: Vec<u32> = (0..12)
        .map(|n| user.send(Request::Draft(Draft { flush: true, ..draft_on(&found, &format!("s{n}"), b"row") })))
        .collect();
    let answers: Vec<Answer> = tickets.iter().map(|_| user.receive()).collect();
    let refused = answers.iter().filter(|answer| answer.result == Err(Error::Crowded)).count();
    let written = answers.iter().filter(|answer| answer.result == Ok(Reply::Committed(true))).count();
    assert!(refused > 0 && written > 0 && refused + written == 12, "{answers:?}");
    user.weigh = 0;
    assert!(user.write(draft_on(&found, "later", b"row")).unwrap());
    user.close();
}
