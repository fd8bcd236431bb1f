//! What one user, or two of one process, see of a store that nothing happens to.

mod shared;

use holdfast_sqlite::*;
use shared::{Folder, User, draft_on, marked};
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

/// As in a directory of others, who let this user make and pass but not list.
#[test]
#[cfg(target_os = "linux")]
fn the_folder_above_need_not_be_readable() {
    const NOBODY: u32 = 65534;
    let folder = Folder::new();
    let above = folder.0.join("above");
    std::fs::create_dir(&above).unwrap();
    let allow = |mode| std::fs::set_permissions(&above, std::fs::Permissions::from_mode(mode)).unwrap();
    allow(0o333);
    // SAFETY: changes for whom this thread, and those that it starts, open files; without the right to, nothing. Back at once.
    let own = unsafe { libc::setfsuid(NOBODY) } as u32;
    let readable = std::fs::File::open(&above).is_ok();
    let opened = User::open(&above.join("store"));
    // SAFETY: as above.
    unsafe { libc::setfsuid(own) };
    allow(0o700);
    assert!(!readable);
    opened.unwrap().close();
}

/// As after a worker that was terminated: its share is dropped, and what it submitted is still done.
#[test]
fn whoever_opens_while_the_last_user_is_leaving_waits() {
    let folder = Folder::new();
    for round in 0..10 {
        let mut user = User::open(&folder.store()).unwrap();
        let found = user.read("none").unwrap();
        for session in 0..40 {
            let id = format!("{round}.{session}");
            user.send(Request::Draft(Draft { flush: true, ..draft_on(&found, &id, &[7; 10_000]) }));
        }
        drop(user);
        let mut next = User::open(&folder.store()).unwrap();
        assert!(next.read(&format!("{round}.39")).unwrap().row.is_some(), "what was submitted before is there");
        next.close();
    }
}

#[test]
fn what_was_written_is_there_after_it_was_opened_again() {
    let folder = Folder::new();
    let mut user = User::open(&folder.store()).unwrap();
    for body in [b"one".as_slice(), b"two", &[7; 70_000]] {
        user.append("s", body).unwrap();
    }
    user.close();
    let mut left: Vec<_> = folder.store().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["mark", "store.sqlite"]);
    let mut user = User::open(&folder.store()).unwrap();
    assert_eq!(user.bodies("s"), [b"one".to_vec(), b"two".to_vec(), vec![7; 70_000]]);
    assert_eq!(user.read("other").unwrap(), Found::default());
    user.close();
}

#[test]
fn only_the_owner_may_read_it() {
    let folder = Folder::new();
    let user = User::open(&folder.store()).unwrap();
    let mode = |name: &str| folder.store().join(name).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(""), 0o700);
    for name in ["store.sqlite", "store.sqlite-wal", "store.sqlite-shm", "mark"] {
        assert_eq!(mode(name), 0o600, "{name}");
    }
    user.close();
}

#[test]
fn a_draft_on_something_else_than_what_is_there_writes_nothing() {
    let folder = Folder::new();
    let mut user = User::open(&folder.store()).unwrap();
    let none = user.read("s").unwrap();
    assert!(user.write(draft_on(&none, "s", b"first")).unwrap());
    assert!(!user.write(draft_on(&none, "s", b"second")).unwrap(), "there is a row by now");
    let first = user.read("s").unwrap();
    assert!(user.write(draft_on(&first, "s", b"second")).unwrap());
    assert!(!user.write(draft_on(&first, "s", b"third")).unwrap(), "it has another version");
    let second = user.read("s").unwrap();
    assert_eq!(second.row.as_ref().unwrap().body.as_deref(), Some(b"second".as_slice()));

    let gone = Draft { cleared: true, row: None, ..draft_on(&second, "s", b"") };
    assert!(user.write(gone.clone()).unwrap());
    assert!(!user.write(gone).unwrap());
    assert!(user.write(draft_on(&none, "s", b"again")).unwrap());
    assert_ne!(user.read("s").unwrap().row.unwrap().version, second.row.unwrap().version);
    user.close();
}

#[test]
fn a_raise_outdates_what_was_drafted_before() {
    let folder = Folder::new();
    let mut user = User::open(&folder.store()).unwrap();
    let before = user.read("s").unwrap();
    let next = Marks { epoch: 3, births: 9 };
    let raise = Request::Raise(Raise { expected: before.marks, next });
    assert_eq!(user.ask(raise.clone()), Ok(Reply::Committed(true)));
    assert_eq!(user.ask(raise), Ok(Reply::Committed(false)), "others were faster");
    assert!(!user.write(draft_on(&before, "s", b"old world")).unwrap());
    let after = user.read("s").unwrap();
    assert_eq!(after.marks, next);
    let lower = Raise { expected: next, next: Marks { epoch: 1, births: 20 } };
    user.ask(Request::Raise(lower)).unwrap();
    assert_eq!(user.read("").unwrap().marks, Marks { epoch: 3, births: 20 }, "marks never fall");
    user.close();
}

#[test]
fn entries_of_one_batch_are_judged_each_by_itself() {
    let folder = Folder::new();
    let mut user = User::open(&folder.store()).unwrap();
    let none = user.read("s").unwrap();
    let tickets: Vec<u32> =
        (0..300).map(|i| user.send(Request::Draft(draft_on(&none, &format!("s{}", i / 3), b"row")))).collect();
    let mut written = 0;
    for _ in &tickets {
        written += usize::from(user.receive().result == Ok(Reply::Committed(true)));
    }
    assert_eq!(written, 100, "the first for each id");
    user.close();
}

#[test]
fn a_lock_moves_neither_the_count_nor_the_mark() {
    let folder = Folder::new();
    let mut user = User::open(&folder.store()).unwrap();
    user.append("s", b"one").unwrap();
    let mark = marked(&folder.store());
    assert_eq!(mark, 1);
    for _ in 0..3 {
        let found = user.read("s").unwrap();
        assert!(user.write(draft_on(&found, "s", b"locked")).unwrap());
    }
    assert_eq!(marked(&folder.store()), mark);
    user.append("s", b"two").unwrap();
    assert_eq!(marked(&folder.store()), mark + 1);
    user.close();
}

#[test]
fn records_come_from_a_revision_on_and_up_to_a_limit() {
    let folder = Folder::new();
    let mut user = User::open(&folder.store()).unwrap();
    for _ in 0..5 {
        user.append("s", &[1; 100]).unwrap();
    }
    let mut revisions = |from, limit_bytes| {
        let request = Fetch { id: b"s".to_vec(), from, limit_bytes };
        let Ok(Reply::Read(found)) = user.ask(Request::Fetch(request)) else { panic!() };
        (found.records.iter().map(|record| record.revision).collect::<Vec<_>>(), found.more)
    };
    assert_eq!(revisions(None, 1000), (vec![], false));
    assert_eq!(revisions(Some(4), 1000), (vec![4, 5], false));
    assert_eq!(revisions(Some(2), 250), (vec![2, 3], true));
    assert_eq!(revisions(Some(2), 0), (vec![2], true), "one at least");
    user.close();
}

#[test]
fn pages_go_through_all_ids_or_those_with_a_term() {
    let folder = Folder::new();
    let mut user = User::open(&folder.store()).unwrap();
    let none = user.read("s").unwrap();
    for i in 0..7 {
        let new_terms = if i % 2 == 0 { vec![b"even".to_vec()] } else { vec![] };
        assert!(user.write(Draft { new_terms, ..draft_on(&none, &format!("s{i}"), b"row") }).unwrap());
    }
    let two = user.read("s2").unwrap();
    assert!(user.write(Draft { lost_terms: vec![b"even".to_vec()], ..draft_on(&two, "s2", b"row") }).unwrap());
    let mut page = |term: &str, after: &str, limit| {
        let query = PageQuery { term: term.into(), after: after.into(), limit };
        let Ok(Reply::Page(page)) = user.ask(Request::Page(query)) else { panic!() };
        let ids: Vec<String> = page.rows.into_iter().map(|(id, _)| String::from_utf8(id).unwrap()).collect();
        (ids.join(" "), page.more)
    };
    assert_eq!(page("", "", 3), ("s0 s1 s2".into(), true));
    assert_eq!(page("", "s2", 4), ("s3 s4 s5 s6".into(), false));
    assert_eq!(page("even", "", 2), ("s0 s4".into(), true));
    assert_eq!(page("even", "s4", 2), ("s6".into(), false));
    assert_eq!(page("odd", "", 2), (String::new(), false));
    user.close();
}

#[test]
fn it_is_looked_through_and_compacted_while_it_is_open() {
    let folder = Folder::new();
    let mut user = User::open(&folder.store()).unwrap();
    for session in 0..50 {
        user.append(&format!("s{session}"), &[3; 20_000]).unwrap();
    }
    assert_eq!(user.ask(Request::Check), Ok(Reply::Checked(Checked { faults: vec![], commits: 50, known: 50 })));
    for session in 1..50 {
        let found = user.read(&format!("s{session}")).unwrap();
        let gone = Draft { cleared: true, flush: true, row: None, ..draft_on(&found, &format!("s{session}"), b"") };
        assert!(user.write(gone).unwrap());
    }
    let length = |name: &str| std::fs::metadata(folder.store().join(name)).unwrap().len();
    let size = || length("store.sqlite") + length("store.sqlite-wal");
    let before = size();
    assert_eq!(user.ask(Request::Compact), Ok(Reply::Committed(true)));
    assert!(size() * 5 < before, "{} of {before}", size());
    user.append("s0", b"goes on").unwrap();
    assert_eq!(user.bodies("s0").len(), 2);
    user.close();
    User::open(&folder.store()).unwrap().close();
}

#[test]
fn two_users_of_one_process_share_one_opening() {
    let folder = Folder::new();
    let mut one = User::open(&folder.store()).unwrap();
    let link = folder.0.join("link");
    std::os::unix::fs::symlink(folder.store(), &link).unwrap();
    let mut two = User::open(&link).unwrap();
    one.append("s", b"one").unwrap();
    assert_eq!(two.bodies("s"), [b"one"]);
    one.close();
    two.append("s", b"two").unwrap();
    two.close();
    let mut three = User::open(&folder.store()).unwrap();
    assert_eq!(three.bodies("s").len(), 2);
    three.close();
}

#[test]
fn opening_and_closing_over_and_over_never_meets_itself() {
    let folder = Folder::new();
    std::thread::scope(|scope| {
        for name in ["a", "b", "c"] {
            let dir = folder.store();
            scope.spawn(move || {
                for _ in 0..20 {
                    let mut user = User::open(&dir).unwrap();
                    user.append(name, b"x").unwrap();
                    user.close();
                }
            });
        }
    });
    let mut user = User::open(&folder.store()).unwrap();
    assert_eq!(["a", "b", "c"].map(|name| user.bodies(name).len()), [20; 3]);
    user.close();
}

#[test]
fn a_call_whose_time_is_over_does_nothing() {
    let folder = Folder::new();
    let mut user = User::open(&folder.store()).unwrap();
    let none = user.read("s").unwrap();
    user.bound = Duration::ZERO;
    assert_eq!(user.write(draft_on(&none, "s", b"late")), Err(Error::Busy));
    assert_eq!(user.read("s"), Err(Error::Busy));
    user.bound = Duration::from_secs(5);
    assert_eq!(user.read("s").unwrap().row, None);
    user.close();
}

/// As a process that was stopped in the middle of a commit: whoever opens the file gets a lock of its own.
fn stop_all(dir: &Path) -> File {
    let mark = File::open(dir.join("mark")).unwrap();
    // SAFETY: the descriptor is open.
    assert_eq!(unsafe { libc::flock(mark.as_raw_fd(), libc::LOCK_EX) }, 0);
    mark
}

/// A commit is a flush: what waited meanwhile shares the next.
#[test]
fn all_that_waits_is_committed_together() {
    let folder = Folder::new();
    let mut user = User::open(&folder.store()).unwrap();
    let none = user.read("s").unwrap();
    user.append("first", b"x").unwrap();
    let before = marked(&folder.store());
    let stopped = stop_all(&folder.store());
    let begun = user.send(Request::Draft(Draft { flush: true, ..draft_on(&none, "begun", b"row") }));
    std::thread::sleep(Duration::from_millis(50));
    let waiting: Vec<u32> = (0..100)
        .map(|n| user.send(Request::Draft(Draft { flush: true, ..draft_on(&none, &format!("s{n}"), b"row") })))
        .collect();
    drop(stopped);
    for ticket in [begun].into_iter().chain(waiting) {
        assert_eq!(user.receive(), Answer { ticket, result: Ok(Reply::Committed(true)) });
    }
    assert_eq!(marked(&folder.store()), before + 2);
    user.close();
}

#[test]
fn what_was_not_begun_can_be_withdrawn_and_never_happens() {
    let folder = Folder::new();
    let mut user = User::open(&folder.store()).unwrap();
    let mut other = User::open(&folder.store()).unwrap();
    let none = user.read("s").unwrap();
    let stopped = stop_all(&folder.store());
    let compacting = user.send(Request::Compact);
    std::thread::sleep(Duration::from_millis(50)); // it is begun
    let behind: Vec<u32> =
        (0..3).map(|n| user.send(Request::Draft(draft_on(&none, &format!("s{n}"), b"row")))).collect();
    assert_eq!(other.withdraw(&behind), [0; 0], "tickets are each user's own");
    assert_eq!(user.withdraw(&[compacting, behind[0], behind[2], 99]), [behind[0], behind[2]]);
    assert_eq!(user.withdraw(&behind[..1]), [0; 0]);
    drop(stopped);
    assert_eq!(user.receive(), Answer { ticket: compacting, result: Ok(Reply::Committed(true)) });
    assert_eq!(user.receive(), Answer { ticket: behind[1], result: Ok(Reply::Committed(true)) });
    assert_eq!(["s0", "s1", "s2"].map(|id| other.read(id).unwrap().row.is_some()), [false, true, false]);

    let stopped = stop_all(&folder.store());
    let begun = user.send(Request::Draft(draft_on(&none, "s3", b"row")));
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(user.withdraw(&[begun]), [0; 0]);
    drop(stopped);
    assert_eq!(user.receive(), Answer { ticket: begun, result: Ok(Reply::Committed(true)) });
    user.close();
    other.close();
}

#[test]
fn what_cannot_be_opened_says_why() {
    let folder = Folder::new();
    let refusal = |dir: &str| User::open(&folder.0.join(dir)).map(|_| ()).unwrap_err();
    std::fs::write(folder.0.join("file"), "").unwrap();
    assert!(matches!(refusal("file"), Error::Unreachable(_)));
    for (dir, name, text) in [
        ("lmdb", "data.mdb", ""),
        ("linked", "", ""),
        ("text", "store.sqlite", "no database, but text that is long enough to be one"),
    ] {
        std::fs::create_dir(folder.0.join(dir)).unwrap();
        if !name.is_empty() {
            std::fs::write(folder.0.join(dir).join(name), text.repeat(100)).unwrap();
        }
    }
    assert!(matches!(refusal("lmdb"), Error::Refused(what) if what.contains("LMDB")));
    assert!(matches!(refusal("text"), Error::Damaged(_)));
    for name in ["store.sqlite", "store.sqlite-wal", "store.sqlite-shm", "mark"] {
        let link = folder.0.join("linked").join(name);
        std::os::unix::fs::symlink(folder.0.join("file"), &link).unwrap();
        assert!(matches!(refusal("linked"), Error::Refused(what) if what.contains("plain file")), "{name}");
        std::fs::remove_file(link).unwrap();
    }
    assert_eq!(std::fs::read(folder.0.join("file")).unwrap(), b"", "nothing was followed");
    assert!(matches!(refusal("lmdb"), Error::Refused(_)), "and again");
}
