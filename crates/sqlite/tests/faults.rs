//! What becomes of a store when files go, the disk is full, or other processes stop or die.

mod shared;

use holdfast_sqlite::*;
use shared::other::{Dice, Other, amount, copy};
use shared::{Folder, User, draft_on, marked};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

#[test]
#[ignore = "what other processes do, when a test starts one"]
fn role() {
    let dir = std::path::PathBuf::from(std::env::var_os("HOLDFAST_DIR").unwrap());
    match std::env::var("HOLDFAST_ROLE").unwrap().as_str() {
        "append" => append_for_ever(&dir),
        "reopen" => reopen_for_ever(&dir),
        "hold" => {
            let mut user = User::open(&dir).unwrap();
            println!("ready");
            let mut line = String::new();
            std::io::stdin().read_line(&mut line).unwrap();
            let found = user.bodies("s").len();
            println!("found {found}");
            println!("again {:?}", user.append("s", b"other"));
            user.close();
        }
        "limited" => meet_a_bound_on_lengths(&dir),
        "read" => {
            let database = rusqlite::Connection::open(dir.join("store.sqlite")).unwrap();
            database.execute_batch("BEGIN; SELECT * FROM session").unwrap();
            println!("reading");
            let _ = std::io::stdin().read_line(&mut String::new());
        }
        other => panic!("role {other}"),
    }
}

/// Says what was acknowledged, one line each.
fn append_for_ever(dir: &Path) {
    let name = std::process::id().to_string();
    let mut user = User::open(dir).unwrap();
    loop {
        let revision = user.append(&name, &[9; 300]).unwrap();
        println!("acknowledged {name} {revision}");
    }
}

/// In a process of its own, for the bound on the lengths of files holds for all of it.
fn meet_a_bound_on_lengths(dir: &Path) {
    let mut user = User::open(dir).unwrap();
    user.append("s", b"one").unwrap();
    let none = user.read("t").unwrap();
    let log = fs::metadata(dir.join("store.sqlite-wal")).unwrap().len();
    let bound = |bytes| {
        let limit = libc::rlimit { rlim_cur: bytes, rlim_max: libc::RLIM_INFINITY };
        // SAFETY: `limit` is whole; the signal would end the process.
        let status = unsafe {
            libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
            libc::setrlimit(libc::RLIMIT_FSIZE, &limit)
        };
        assert_eq!(status, 0);
    };
    bound(log);
    let met = user.write(Draft { flush: true, ..draft_on(&none, "t", &[7; 9000]) });
    println!("met {met:?}");
    assert_eq!(user.bodies("s"), [b"one"], "reads go on");
    bound(libc::RLIM_INFINITY);
    println!("then {:?}", user.append("s", b"two"));
    println!("found {} {}", user.bodies("s").len(), user.read("t").unwrap().row.is_some());
    user.close();
}

fn reopen_for_ever(dir: &Path) {
    let name = std::process::id().to_string();
    println!("ready");
    loop {
        let Ok(mut user) = User::open(dir) else { continue };
        let revision = user.append(&name, &[8; 100]).unwrap();
        println!("acknowledged {name} {revision}");
        user.close();
    }
}

/// The epoch of what was lost is outdated too, though the database that is left never heard of it.
#[test]
fn accepting_an_older_state_outdates_the_epochs_that_it_never_had() {
    let folder = Folder::new();
    let mut user = User::open(&folder.store()).unwrap();
    user.append("s", b"old").unwrap();
    user.close();
    let older = folder.0.join("older");
    copy(&folder.store(), &older);
    let mut user = User::open(&folder.store()).unwrap();
    let next = Marks { epoch: 6, births: 0 };
    assert_eq!(user.ask(Request::Raise(Raise { expected: Marks::default(), next })), Ok(Reply::Committed(true)));
    user.close();
    fs::copy(older.join("store.sqlite"), folder.store().join("store.sqlite")).unwrap();
    let mut user = User::open_with(&folder.store(), true, Duration::from_secs(5)).unwrap();
    assert_eq!(user.read("s").unwrap().marks.epoch, 7);
    user.close();
}

#[test]
fn a_log_that_is_gone_and_an_older_copy_are_refused_until_accepted() {
    let folder = Folder::new();
    let mut user = User::open(&folder.store()).unwrap();
    for _ in 0..3 {
        user.append("s", b"old").unwrap();
    }
    user.close();
    let older = folder.0.join("older");
    copy(&folder.store(), &older);
    let mut user = User::open(&folder.store()).unwrap();
    user.append("s", b"new").unwrap();
    user.close();
    fs::copy(older.join("store.sqlite"), folder.store().join("store.sqlite")).unwrap();
    for _ in 0..2 {
        let error = User::open(&folder.store()).map(|_| ()).unwrap_err();
        assert_eq!(error, Error::WentBack { known: 4, found: 3 });
    }
    let mut user = User::open_with(&folder.store(), true, Duration::from_secs(5)).unwrap();
    assert_eq!(user.read("s").unwrap().marks.epoch, 1, "what was known of the newer state is outdated");
    assert_eq!(user.bodies("s").len(), 3);
    user.append("s", b"other").unwrap();
    user.close();
    User::open(&folder.store()).unwrap().close();
}

/// As when an older copy is restored into the open database through SQLite itself: files and their identities stay.
#[test]
fn a_store_that_goes_back_while_it_is_open_is_refused_from_then_on() {
    for first in ["write", "compact"] {
        let folder = Folder::new();
        let mut user = User::open(&folder.store()).unwrap();
        let database = rusqlite::Connection::open(folder.store().join("store.sqlite")).unwrap();
        user.append("s", b"old").unwrap();
        database.execute_batch("CREATE TEMP TABLE older AS SELECT * FROM meta").unwrap();
        for _ in 0..2 {
            user.append("s", b"new").unwrap();
        }
        let found = user.read("s").unwrap();
        database.execute_batch("INSERT OR REPLACE INTO meta SELECT * FROM temp.older").unwrap();
        let went_back = Error::WentBack { known: 3, found: 1 };
        if first == "compact" {
            assert_eq!(user.ask(Request::Compact), Err(went_back.clone()));
        }
        assert_eq!(user.write(Draft { flush: true, ..draft_on(&found, "s", b"lost") }), Err(went_back.clone()));
        assert_eq!(user.read("s"), Err(went_back.clone()));
        assert_eq!(marked(&folder.store()), 3, "the mark is never lowered");
        user.close();
        assert_eq!(User::open(&folder.store()).map(|_| ()), Err(went_back));
        User::open_with(&folder.store(), true, Duration::from_secs(5)).unwrap().close();
    }
}

/// As after a power cut: the mark, which is not flushed, may say what it said before, and so may the log.
#[test]
fn what_was_not_flushed_may_go() {
    let folder = Folder::new();
    let mut user = User::open(&folder.store()).unwrap();
    user.append("s", b"kept").unwrap();
    let flushed = fs::metadata(folder.store().join("store.sqlite-wal")).unwrap().len();
    for name in ["a", "b"] {
        let found = user.read(name).unwrap();
        assert!(user.write(draft_on(&found, name, b"lock")).unwrap());
    }
    let after = folder.0.join("after");
    copy(&folder.store(), &after);
    assert!(fs::metadata(after.join("store.sqlite-wal")).unwrap().len() > flushed);
    File::options().write(true).open(after.join("store.sqlite-wal")).unwrap().set_len(flushed).unwrap();
    fs::remove_file(after.join("store.sqlite-shm")).unwrap();
    let mut restarted = User::open(&after).unwrap();
    assert_eq!(restarted.bodies("s"), [b"kept"]);
    assert_eq!(restarted.read("a").unwrap().row, None);
    restarted.close();
    user.close();
}

#[test]
fn nothing_is_acknowledged_that_went_to_a_folder_that_is_gone() {
    let away = |harm: &dyn Fn(&Path)| {
        let folder = Folder::new();
        let mut user = User::open(&folder.store()).unwrap();
        user.append("s", b"one").unwrap();
        let found = user.read("s").unwrap();
        harm(&folder.store());
        for _ in 0..2 {
            assert!(matches!(user.write(draft_on(&found, "s", b"two")), Err(Error::Moved { .. })));
            assert!(matches!(user.read("s"), Err(Error::Moved { .. })));
        }
        user.close();
    };
    away(&|store| fs::remove_dir_all(store).unwrap());
    away(&|store| fs::rename(store, store.with_extension("moved")).unwrap());
    away(&|store| {
        fs::rename(store, store.with_extension("moved")).unwrap();
        copy(&store.with_extension("moved"), store);
    });
    away(&|store| fs::remove_file(store.join("store.sqlite-wal")).unwrap());
    away(&|store| fs::remove_file(store.join("mark")).unwrap());
}

/// Needs root, to mount a small disk.
#[test]
fn a_full_disk_takes_nothing_away_and_is_gone_on_from() {
    for _ in 0..amount("HOLDFAST_FULL_DISKS", 1) {
        fill_a_disk();
    }
}

fn fill_a_disk() {
    let folder = Folder::new();
    let disk = folder.0.join("disk");
    fs::create_dir(&disk).unwrap();
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=3m", "tmpfs"]).arg(&disk).output();
    if !mounted.is_ok_and(|mounted| mounted.status.success()) {
        println!("skipped: no small disk can be mounted here (that needs root)");
        return;
    }
    let result = std::panic::catch_unwind(|| fill(&disk));
    let unmounted = Command::new("umount").arg("-l").arg(&disk).status();
    assert!(unmounted.is_ok_and(|status| status.success()));
    result.unwrap();
}

/// Also where it was submitted together with others.
fn refuse_only_what_is_too_large(user: &mut User) {
    let found = user.read("none").unwrap();
    let mut large = u32::MAX;
    for session in 0..40 {
        let row = vec![7; if session == 20 { 4_000_000 } else { 50 }];
        let ticket = user.send(Request::Draft(Draft { flush: true, ..draft_on(&found, &format!("t{session}"), &row) }));
        large = if session == 20 { ticket } else { large };
    }
    for _ in 0..40 {
        let answer = user.receive();
        let expected = if answer.ticket == large { Err(Error::Full) } else { Ok(Reply::Committed(true)) };
        assert_eq!(answer.result, expected);
    }
}

fn fill(disk: &Path) {
    let ballast = disk.join("ballast");
    fs::write(&ballast, vec![1; 600_000]).unwrap();
    let dir = disk.join("store");
    let mut user = User::open(&dir).unwrap();
    let mut acknowledged = 0;
    loop {
        let found = user.read(&format!("s{acknowledged}")).unwrap();
        let put = Change::Put(StoredRecord { revision: 1, nonce: 1, body: vec![5; 3000] });
        let draft = Draft { changes: vec![put], flush: true, ..draft_on(&found, &format!("s{acknowledged}"), b"row") };
        match user.write(draft) {
            Ok(written) => assert!(written),
            Err(error) => {
                assert_eq!(error, Error::Full);
                break;
            }
        }
        acknowledged += 1;
    }
    println!("{acknowledged} records before the disk was full");
    assert!(acknowledged > 100);
    for session in 0..acknowledged {
        assert_eq!(user.bodies(&format!("s{session}")).len(), 1);
    }
    assert_eq!(user.bodies(&format!("s{acknowledged}")).len(), 0, "what was refused is not there");
    fs::remove_file(&ballast).unwrap();
    user.append("after", b"room").unwrap();
    refuse_only_what_is_too_large(&mut user);
    user.close();
    let mut user = User::open(&dir).unwrap();
    for session in 0..acknowledged {
        assert_eq!(user.bodies(&format!("s{session}")).len(), 1);
    }
    user.close();
}

#[test]
fn a_bound_on_the_lengths_of_files_is_said_as_a_full_disk_and_gone_on_from() {
    let folder = Folder::new();
    let mut other = Other::start("limited", &folder.store());
    let met = other.hear("met").unwrap();
    assert_eq!(met, "Err(Full)");
    assert_eq!(other.hear("then").as_deref(), Some("Ok(2)"));
    assert_eq!(other.hear("found").as_deref(), Some("2 false"));
    let mut user = User::open(&folder.store()).unwrap();
    assert_eq!(user.bodies("s").len(), 2);
    user.close();
}

/// Those who die while they read leave nothing behind that keeps the log from being shortened.
#[test]
fn dead_readers_hold_nothing_back() {
    let folder = Folder::new();
    let mut user = User::open(&folder.store()).unwrap();
    let readers = amount("HOLDFAST_READERS", 20);
    for round in 0..readers {
        user.append(&format!("s{}", round % 7), &[7; 30_000]).unwrap();
        let mut reader = Other::start("read", &folder.store());
        reader.hear("reading").unwrap();
        user.append("s", b"beside it").unwrap();
        reader.kill();
    }
    for _ in 0..100 {
        user.append("after", &[7; 30_000]).unwrap();
    }
    let log = fs::metadata(folder.store().join("store.sqlite-wal")).unwrap().len();
    println!("{readers} dead readers, the log has {log} bytes");
    assert!(log < 4 << 20, "{log}");
    assert_eq!(user.bodies("s").len() as u64, readers);
    user.close();
}

#[test]
fn two_processes_see_what_the_other_wrote() {
    let folder = Folder::new();
    let mut user = User::open(&folder.store()).unwrap();
    let mut other = Other::start("hold", &folder.store());
    other.hear("ready").unwrap();
    user.append("s", b"one").unwrap();
    other.input.write_all(b"go\n").unwrap();
    assert_eq!(other.hear("found").as_deref(), Some("1"));
    assert_eq!(other.hear("again").as_deref(), Some("Ok(2)"));
    assert_eq!(user.bodies("s"), [b"one".to_vec(), b"other".to_vec()]);
    user.close();
}

#[test]
fn a_process_that_is_stopped_anywhere_holds_nobody_up_beyond_the_bound() {
    let folder = Folder::new();
    let bound = Duration::from_millis(250);
    let (mut slowest, mut busy) = (Duration::ZERO, 0);
    let mut dice = Dice(7);
    let stops = amount("HOLDFAST_STOPS", 20);
    for _ in 0..stops {
        let mut other = Other::start("reopen", &folder.store());
        other.hear("ready").unwrap();
        std::thread::sleep(Duration::from_micros(dice.below(15_000)));
        other.signal(libc::SIGSTOP);
        let began = Instant::now();
        match User::open_with(&folder.store(), false, bound) {
            Ok(mut user) => {
                user.bound = bound;
                slowest = slowest.max(began.elapsed());
                user.close();
            }
            Err(error) => {
                assert_eq!(error, Error::Busy);
                slowest = slowest.max(began.elapsed());
                busy += 1;
            }
        }
        other.kill();
    }
    println!("slowest answer {slowest:?} at a bound of {bound:?}, busy {busy} of {stops}");
    assert!(slowest < Duration::from_secs(5), "it ends");
    User::open(&folder.store()).unwrap().close();
}

/// By session: the last revision that was acknowledged.
type Acknowledged = BTreeMap<String, u64>;

/// Ends a process, and takes in what it said.
fn end(other: &mut Other, acknowledged: &mut Acknowledged) {
    other.signal(libc::SIGKILL);
    while let Some(line) = other.hear("acknowledged") {
        if let Some((name, revision)) = line.split_once(' ') {
            let last = acknowledged.entry(name.into()).or_default();
            *last = revision.parse::<u64>().unwrap_or(0).max(*last);
        }
    }
    other.kill();
}

/// All that was acknowledged is there, in whole chains; how many that is.
fn verify(dir: &Path, acknowledged: &Acknowledged) -> u64 {
    let mut user = User::open(dir).unwrap();
    let (mut kept, mut there) = (0, 0);
    for (name, revision) in acknowledged {
        let found = user.read(name).unwrap();
        let revisions: Vec<u64> = found.records.iter().map(|record| record.revision).collect();
        assert!(found.damaged.is_none() && revisions.iter().copied().eq(1..=revisions.len() as u64));
        assert!(revisions.len() as u64 >= *revision, "{name}: {revision} acknowledged, {} there", revisions.len());
        kept += revision;
        there += revisions.len() as u64;
    }
    assert!(marked(dir) >= kept);
    let checked = user.ask(Request::Check).unwrap();
    assert!(matches!(checked, Reply::Checked(Checked { faults, .. }) if faults.is_empty()));
    user.close();
    println!("{kept} acknowledged, {there} there, {} processes", acknowledged.len());
    kept
}

#[test]
fn kills_lose_and_double_nothing() {
    let folder = Folder::new();
    let mut dice = Dice(99);
    let mut acknowledged = Acknowledged::new();
    for round in 0..amount("HOLDFAST_KILLS", 60) / 2 {
        let roles = ["append", if round % 2 == 0 { "reopen" } else { "append" }];
        let mut others = roles.map(|role| Other::start(role, &folder.store()));
        others.iter_mut().for_each(|other| drop(other.hear("acknowledged")));
        std::thread::sleep(Duration::from_millis(dice.below(40)));
        others.iter_mut().for_each(|other| end(other, &mut acknowledged));
    }
    assert!(verify(&folder.store(), &acknowledged) > 60);
}

/// What cost acknowledged saves before: a process that opens, stopped at a bad moment.
#[test]
fn openers_that_are_stopped_and_resumed_take_nothing_away() {
    let folder = Folder::new();
    let mut dice = Dice(5);
    let mut acknowledged = Acknowledged::new();
    let mut others = ["append", "reopen", "reopen"].map(|role| Other::start(role, &folder.store()));
    others.iter_mut().for_each(|other| drop(other.hear("acknowledged")));
    let until = Instant::now() + Duration::from_secs(amount("HOLDFAST_RACE_SECONDS", 10));
    while Instant::now() < until {
        let opener = &others[1 + dice.below(2) as usize];
        std::thread::sleep(Duration::from_micros(dice.below(15_000)));
        opener.signal(libc::SIGSTOP);
        std::thread::sleep(Duration::from_micros(dice.below(15_000)));
        opener.signal(libc::SIGCONT);
    }
    others.iter_mut().for_each(|other| end(other, &mut acknowledged));
    assert!(verify(&folder.store(), &acknowledged) > 100);
}
