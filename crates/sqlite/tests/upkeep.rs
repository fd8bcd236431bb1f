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

/// Ten minutes of 20 saves a second, in a row: sessions keep their latest records only.
#[test]
fn files_grow_with_what_is_kept_not_with_what_is_written() {
    const SESSIONS: u64 = 50;
    const KEPT: u64 = 10;
    const BODY: usize = 400;
    let folder = Folder::new();
    let mut user = User::open(&folder.store()).unwrap();
    let mut rows: Vec<Found> = (0..SESSIONS).map(|session| user.read(&format!("s{session}")).unwrap()).collect();
    for save in 0..12_000u64 {
        let (session, revision) = ((save % SESSIONS) as usize, save / SESSIONS + 1);
        let put = Change::Put(StoredRecord { revision, nonce: 7, body: vec![save as u8; BODY] });
        let changes = vec![put, Change::Delete { from: 0, to: revision.saturating_sub(KEPT) + 1 }];
        // Each is a transaction; that it is flushed too changes no length.
        let draft = Draft { changes, ..draft_on(&rows[session], &format!("s{session}"), &[1; 100]) };
        rows[session].row = Some(StoredRow { version: draft.next, body: None });
        assert!(user.write(draft).unwrap());
    }
    let length = |name: &str| folder.store().join(name).metadata().map_or(0, |found| found.len());
    let size = ["store.sqlite", "store.sqlite-wal", "store.sqlite-shm", "mark"].map(length).iter().sum::<u64>();
    let live = SESSIONS * (KEPT * BODY as u64 + 100);
    println!("{size} bytes on disk for {live} that are kept");
    assert!(size <= 3 * live + (4 << 20), "{size}");
    user.close();
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

#[test]
fn two_copies_into_one_folder_do_not_meet() {
    let folder = Folder::new();
    let mut user = User::open(&folder.store()).unwrap();
    for session in 0..20 {
        user.append(&format!("s{session}"), &[7; 100_000]).unwrap();
    }
    for round in 0..20 {
        let to = folder.0.join(format!("copy {round}"));
        let path = to.as_os_str().as_encoded_bytes().to_vec();
        user.send(Request::Copy(path.clone()));
        user.send(Request::Copy(path));
        let results = [user.receive().result, user.receive().result];
        let made = results.iter().filter(|result| **result == Ok(Reply::Committed(true))).count();
        let refused = results.iter().filter(|result| matches!(result, Err(Error::Refused(_)))).count();
        assert_eq!((made, refused), (1, 1), "{results:?}");
        assert!(!to.join("store.sqlite.part").exists());
        let mut copied = User::open(&to).unwrap();
        assert_eq!(copied.bodies("s19").len(), 1);
        copied.close();
    }
    user.close();
}

#[test]
fn what_a_copy_that_was_broken_off_has_left_is_begun_anew() {
    let folder = Folder::new();
    let mut user = User::open(&folder.store()).unwrap();
    user.append("s", b"one").unwrap();
    let to = folder.0.join("copy");
    fs::create_dir(&to).unwrap();
    fs::write(to.join("store.sqlite.part"), vec![1; 5000]).unwrap();
    fs::write(to.join("store.sqlite.part-journal"), vec![1; 5000]).unwrap();
    assert_eq!(copy(&mut user, &to), Ok(Reply::Committed(true)));
    let mut names: Vec<String> =
        fs::read_dir(&to).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["mark", "store.sqlite"]);
    user.close();
}

#[test]
fn looks_are_bounded_in_number() {
    let folder = Folder::new();
    let mut user = User::open(&folder.store()).unwrap();
    user.append("s", &[7; 3 << 20]).unwrap();
    for _ in 0..200 {
        user.send(Request::Check);
    }
    let answers: Vec<Answer> = (0..200).map(|_| user.receive()).collect();
    let crowded = answers.iter().filter(|answer| answer.result == Err(Error::Crowded)).count();
    let checked = answers
        .iter()
        .filter(|answer| matches!(&answer.result, Ok(Reply::Checked(found)) if found.faults.is_empty()))
        .count();
    assert!(crowded > 100 && checked >= 4 && crowded + checked == 200, "{crowded} {checked}");
    user.close();
}

#[test]
fn compacting_ends_with_the_store() {
    let folder = Folder::new();
    let mut user = User::open(&folder.store()).unwrap();
    for session in 0..150 {
        user.append(&format!("s{session}"), &[7; 1 << 20]).unwrap();
    }
    user.send(Request::Compact);
    std::thread::sleep(Duration::from_millis(20));
    let began = Instant::now();
    user.end();
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    let mut user = User::open(&folder.store()).unwrap();
    assert_eq!(user.bodies("s149").len(), 1);
    user.close();
}

/// Whoever opens it anew, as the error says, gets it, while the one that was refused is still there; that one is closed at once.
#[test]
fn a_store_that_was_put_back_is_opened_beside_the_user_that_was_refused() {
    let folder = Folder::new();
    let (store, gone) = (folder.store().join("store.sqlite"), folder.store().join("gone"));
    let mut user = User::open(&folder.store()).unwrap();
    user.append("s", b"one").unwrap();
    let found = user.read("s").unwrap();
    fs::rename(&store, &gone).unwrap();
    assert!(matches!(user.write(draft_on(&found, "s", b"two")), Err(Error::Moved { committed: false, .. })));
    assert!(User::open(&folder.store()).is_err(), "it went back");
    fs::remove_file(&store).ok();
    fs::rename(&gone, &store).unwrap();
    let mut other = User::open(&folder.store()).unwrap();
    assert_eq!(other.bodies("s").len(), 1);
    other.append("s", b"two").unwrap();
    assert!(matches!(user.read("s"), Err(Error::Moved { .. })));
    let began = Instant::now();
    user.close();
    assert!(began.elapsed() < Duration::from_secs(5));
    other.append("s", b"three").unwrap();
    other.close();
}

#[test]
fn one_that_opens_it_where_it_was_moved_away_is_told_so() {
    let folder = Folder::new();
    let mut user = User::open(&folder.store()).unwrap();
    user.append("s", b"one").unwrap();
    fs::rename(folder.store().join("store.sqlite"), folder.store().join("gone")).unwrap();
    assert!(matches!(User::open(&folder.store()).err(), Some(Error::Moved { .. })));
    user.close();
}
