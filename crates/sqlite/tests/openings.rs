//! First openings, broken off anywhere, and folders that hold something else: looked at, marked, and only then written to.

mod shared;

use holdfast_sqlite::*;
use rusqlite::Connection;
use shared::other::{amount, copy};
#[cfg(target_os = "linux")]
use shared::steps::{Ended, Fault, run_until};
use shared::{Folder, User};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

#[test]
#[ignore = "what another process does, when a test starts it"]
fn role() {
    let dir = std::path::PathBuf::from(std::env::var_os("HOLDFAST_DIR").unwrap());
    if std::env::var("HOLDFAST_ROLE").is_ok_and(|role| role == "persist") {
        return persist(&dir);
    }
    let mut user = User::open(&dir).unwrap();
    user.append("s", b"first").unwrap();
    println!("acknowledged");
    user.close();
}

/// Opens and appends, again where that fails, and says what it met.
fn persist(dir: &Path) {
    for _ in 0..3 {
        let appended = User::open(dir).and_then(|mut user| {
            let appended = user.append("s", b"first");
            user.close();
            appended
        });
        match appended {
            Ok(_) => return println!("acknowledged"),
            Err(error) => println!("met {} {error:?}", if error.is_unsure() { "unsure" } else { "none" }),
        }
    }
}

/// Kind, time and bytes of all that is there, and of the folder itself.
fn all_of(dir: &Path) -> BTreeMap<String, (u32, i64, i64, Vec<u8>)> {
    let entries = dir.read_dir().unwrap().map(|entry| entry.unwrap().path());
    let read = |path: &Path| fs::read(path).unwrap_or_default();
    entries
        .chain([dir.to_path_buf()])
        .map(|path| {
            let found = path.metadata().unwrap();
            (path.display().to_string(), (found.mode(), found.mtime(), found.mtime_nsec(), read(&path)))
        })
        .collect()
}

fn opened(dir: &Path, accept_older: bool) -> Result<(), Error> {
    User::open_with(dir, accept_older, Duration::from_secs(5)).map(User::close)
}

fn database(dir: &Path) -> Connection {
    Connection::open(dir.join("store.sqlite")).unwrap()
}

fn execute(dir: &Path, sql: &str) {
    database(dir).execute_batch(sql).unwrap();
}

/// As they are while somebody has them open.
fn execute_and_die(dir: &Path, sql: &str, lost: &[&str]) {
    let elsewhere = dir.with_extension("open");
    fs::create_dir(&elsewhere).unwrap();
    let database = database(&elsewhere);
    database.execute_batch(sql).unwrap();
    copy(&elsewhere, dir);
    lost.iter().for_each(|name| fs::remove_file(dir.join(name)).unwrap());
}

fn made(dir: &Path) {
    fs::remove_dir(dir).unwrap();
    let mut user = User::open(dir).unwrap();
    user.append("s", b"first").unwrap();
    user.close();
}

/// As of a process that was killed.
fn made_and_died(dir: &Path, lost: &[&str]) {
    let elsewhere = dir.with_extension("open");
    let mut user = User::open(&elsewhere).unwrap();
    user.append("s", b"first").unwrap();
    copy(&elsewhere, dir);
    user.close();
    lost.iter().for_each(|name| fs::remove_file(dir.join(name)).unwrap());
}

/// What it holds, what is said of it, and how it is made.
type Case = (&'static str, &'static str, Make);
type Make = fn(&Path);

const WAL: &str = "PRAGMA journal_mode=WAL; CREATE TABLE other(x); INSERT INTO other VALUES(1);";
const SPILLED: &str = "CREATE TABLE other(x); INSERT INTO other VALUES(zeroblob(9000));
    PRAGMA cache_size=1; BEGIN; UPDATE other SET x=randomblob(9000); INSERT INTO other VALUES(randomblob(90000));";
const SAME_TABLES: &str = "CREATE TABLE meta(key INTEGER PRIMARY KEY, value INTEGER NOT NULL, sum INTEGER NOT NULL);
    CREATE TABLE session(id BLOB PRIMARY KEY); CREATE TABLE record(id BLOB); CREATE TABLE term(term BLOB);";

/// What is said of each, whatever is accepted.
const FOREIGN: [Case; 12] = [
    ("with a rollback journal", "something else", |dir| execute(dir, "CREATE TABLE other(x)")),
    ("in WAL mode", "something else", |dir| execute(dir, WAL)),
    ("that is open in WAL mode", "something else", |dir| execute_and_die(dir, WAL, &[])),
    ("whose index is gone", "something else", |dir| execute_and_die(dir, WAL, &["store.sqlite-shm"])),
    ("in the middle of a transaction", "something else", |dir| execute_and_die(dir, SPILLED, &[])),
    ("with tables of the same names", "something else", |dir| execute(dir, SAME_TABLES)),
    ("without a table", "something else", |dir| execute(dir, "PRAGMA user_version=4")),
    ("of another application", "something else", |dir| execute(dir, "PRAGMA application_id=7; PRAGMA user_version=4")),
    ("beside our mark", "something else", |dir| {
        made(dir);
        fs::remove_file(dir.join("store.sqlite")).unwrap();
        execute(dir, "CREATE TABLE other(x)");
    }),
    ("beside a mark that is none", "something else", |dir| {
        execute(dir, "CREATE TABLE other(x)");
        fs::write(dir.join("mark"), "this marks something, but nothing of ours").unwrap();
    }),
    ("that is none", "not a database", |dir| fs::write(dir.join("store.sqlite"), "no database".repeat(99)).unwrap()),
    ("of another layout", "layout 9", |dir| {
        made(dir);
        execute(dir, "PRAGMA user_version=9");
    }),
];

#[test]
fn a_folder_that_holds_something_else_stays_as_it_was() {
    for (what, says, make) in FOREIGN {
        let folder = Folder::new();
        fs::create_dir(folder.store()).unwrap();
        make(&folder.store());
        let before = all_of(&folder.store());
        for accept_older in [false, true, false] {
            let error = opened(&folder.store(), accept_older).expect_err(what);
            assert!(matches!(error, Error::Refused(_) | Error::Damaged(_)), "a database {what}: {error:?}");
            assert!(error.to_string().contains(says), "a database {what}: {error}");
            assert!(all_of(&folder.store()) == before, "a database {what} was changed");
        }
    }
}

/// What is refused until it is accepted.
const OLDER: [Case; 10] = [
    ("whose mark is gone", "is missing", |dir| {
        made(dir);
        fs::remove_file(dir.join("mark")).unwrap();
    }),
    ("whose mark was emptied", "is missing", |dir| {
        made(dir);
        File::create(dir.join("mark")).unwrap();
    }),
    ("whose mark was written over with zeros", "is missing", |dir| {
        made(dir);
        fs::write(dir.join("mark"), [0; 32]).unwrap();
    }),
    ("whose mark is damaged", "is damaged", |dir| {
        made(dir);
        fs::write(dir.join("mark"), [1; 32]).unwrap();
    }),
    ("whose process died, and whose mark is gone", "is missing", |dir| made_and_died(dir, &["mark"])),
    ("that has only locks, and whose mark is gone", "is missing", |dir| {
        fs::remove_dir(dir).unwrap();
        let mut user = User::open(dir).unwrap();
        let found = user.read("s").unwrap();
        assert!(user.write(shared::draft_on(&found, "s", b"lock")).unwrap());
        user.close();
        fs::remove_file(dir.join("mark")).unwrap();
    }),
    ("that is older than its mark", "went back", |dir| {
        made(dir);
        fs::copy(dir.join("store.sqlite"), dir.with_extension("older")).unwrap();
        let mut user = User::open(dir).unwrap();
        user.append("s", b"second").unwrap();
        user.close();
        fs::copy(dir.with_extension("older"), dir.join("store.sqlite")).unwrap();
    }),
    ("that was emptied", "went back", |dir| {
        made(dir);
        File::create(dir.join("store.sqlite")).unwrap();
    }),
    ("that is gone", "went back", |dir| {
        made(dir);
        fs::remove_file(dir.join("store.sqlite")).unwrap();
    }),
    ("of which only the log is left", "went back", |dir| made_and_died(dir, &["mark", "store.sqlite"])),
];

#[test]
fn a_store_that_may_be_older_is_refused_as_it_was_until_it_is_accepted() {
    for (what, says, make) in OLDER {
        let folder = Folder::new();
        fs::create_dir(folder.store()).unwrap();
        make(&folder.store());
        let before = all_of(&folder.store());
        for _ in 0..2 {
            let error = opened(&folder.store(), false).expect_err(what);
            assert!(error.to_string().contains(says), "a store {what}: {error}");
            let mut after = all_of(&folder.store());
            // What is made and deleted meanwhile changes the time of the folder.
            let own = folder.store().display().to_string();
            after.insert(own.clone(), before[&own].clone());
            assert!(after == before, "a store {what} was changed");
        }
        let mut user = User::open_with(&folder.store(), true, Duration::from_secs(5)).expect(what);
        assert_eq!(user.read("s").unwrap().marks.epoch, 1, "a store {what}");
        user.append("s", b"goes on").unwrap();
        user.close();
        opened(&folder.store(), false).expect(what);
    }
}

/// As they are left by whoever opens first and is killed, or by an operator: gone on from.
const HALF_MADE: [(&str, Make); 9] = [
    ("an empty folder", |_| {}),
    ("an empty mark", |dir| drop(File::create(dir.join("mark")).unwrap())),
    ("a mark with room only", |dir| fs::write(dir.join("mark"), [0; 32]).unwrap()),
    ("an empty database", |dir| drop(File::create(dir.join("store.sqlite")).unwrap())),
    ("an empty mark and an empty database", |dir| {
        File::create(dir.join("mark")).unwrap();
        File::create(dir.join("store.sqlite")).unwrap();
    }),
    ("a mark and nothing else", |dir| {
        fs::remove_dir(dir).unwrap();
        opened(dir, false).unwrap();
        fs::remove_file(dir.join("store.sqlite")).unwrap();
    }),
    ("a store without a session", |dir| {
        fs::remove_dir(dir).unwrap();
        opened(dir, false).unwrap();
    }),
    ("a store without a session and without a mark", |dir| {
        fs::remove_dir(dir).unwrap();
        opened(dir, false).unwrap();
        fs::remove_file(dir.join("mark")).unwrap();
    }),
    ("what one that died says of itself", |dir| {
        File::create(dir.join("mark")).unwrap();
        File::create(dir.join("open-1-1")).unwrap();
    }),
];

fn goes_on(dir: &Path, what: &str) -> usize {
    let mut user = User::open(dir).expect(what);
    let found = user.bodies("s");
    assert!(found.iter().all(|body| body == b"first"), "{what}");
    user.append("s", b"second").expect(what);
    user.close();
    let mut user = User::open(dir).expect(what);
    assert_eq!(user.bodies("s").len(), found.len() + 1, "{what}");
    user.close();
    assert!(matches!(opened(dir, false), Ok(())), "{what}");
    found.len()
}

#[test]
fn a_first_opening_that_was_broken_off_is_gone_on_with() {
    for (what, make) in HALF_MADE {
        let folder = Folder::new();
        fs::create_dir(folder.store()).unwrap();
        make(&folder.store());
        assert_eq!(goes_on(&folder.store(), what), 0, "{what}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_first_opening_may_be_killed_before_any_of_its_calls_to_the_system() {
    let mut acknowledged = 0;
    for step in 1.. {
        let folder = Folder::new();
        let (said, ended) = match run_until(step, Fault::Kill, "first", &folder.store()) {
            Err(error) => return println!("skipped: no process can be followed here ({error})"),
            Ok(ran) => ran,
        };
        let what = format!("killed at call {step}");
        let is_acknowledged = said.contains("acknowledged");
        assert!(is_acknowledged || ended == Ended::Killed, "{said}");
        let found = goes_on(&folder.store(), &what);
        assert!(found == 1 || !is_acknowledged, "{what}");
        acknowledged += usize::from(is_acknowledged);
        if ended == Ended::Before {
            println!("{step} kills, {acknowledged} of them after the acknowledgement");
            assert!(step > 60 && acknowledged > 1);
            return;
        }
    }
}

/// Each call of a first opening and append fails once: lack of room, of memory, of rights is never said as damage.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[test]
fn any_call_to_the_system_may_fail() {
    let errors =
        [libc::ENOSPC, libc::EDQUOT, libc::EFBIG, libc::EROFS, libc::EMFILE, libc::ENOMEM, libc::EINTR, libc::EIO];
    let each = (16 / amount("HOLDFAST_FAILURES", 1)) as usize;
    let mut met = BTreeMap::<String, u64>::new();
    for (first, errno) in errors.into_iter().enumerate() {
        for step in (first * each / errors.len() + 1..).step_by(each) {
            let folder = Folder::new();
            let (said, ended) = match run_until(step, Fault::Fail(errno), "persist", &folder.store()) {
                Err(error) => return println!("skipped: no process can be followed here ({error})"),
                Ok(ran) => ran,
            };
            let what = format!("errno {errno} at call {step}: {said}");
            assert!(ended != Ended::Killed && said.contains("acknowledged"), "{what}");
            assert!(!said.contains("Moved") && !said.contains("Refused"), "{what}");
            for line in said.lines().filter_map(|line| Some(line.split_once("met ")?.1)) {
                assert!(errno == libc::EIO || !line.contains("Damaged"), "{what}");
                *met.entry(format!("{errno} {}", line.split('(').next().unwrap())).or_default() += 1;
            }
            let found = goes_on(&folder.store(), &what);
            assert!((1..=1 + said.matches("met unsure").count()).contains(&found), "{what}");
            if ended == Ended::Before {
                break;
            }
        }
    }
    println!("{met:?}");
    assert!(met.keys().any(|key| key.ends_with("Full")) && met.keys().any(|key| key.ends_with("Unsure")));
}

/// What a copy makes is no store before all of it is there, and is begun anew.
#[cfg(target_os = "linux")]
#[test]
fn a_copy_that_was_broken_off_is_no_store() {
    let folder = Folder::new();
    let mut user = User::open(&folder.store()).unwrap();
    user.append("s", b"first").unwrap();
    let to = folder.0.join("copy");
    let copy = Request::Copy(to.as_os_str().as_encoded_bytes().to_vec());
    assert_eq!(user.ask(copy.clone()), Ok(Reply::Committed(true)));
    // Before its last step.
    fs::rename(to.join("store.sqlite"), to.join("store.sqlite.part")).unwrap();
    assert!(matches!(opened(&to, false), Err(Error::WentBack { known: 1, found: 0 })));
    assert_eq!(user.ask(copy), Ok(Reply::Committed(true)));
    user.close();
    assert_eq!(goes_on(&to, "the copy"), 1);
}

/// Also by a user who has it open: it is never begun anew.
#[test]
fn a_mark_that_is_emptied_while_it_is_open_is_said() {
    let folder = Folder::new();
    let mut user = User::open(&folder.store()).unwrap();
    user.append("s", b"first").unwrap();
    let mark = folder.store().join("mark");
    File::options().write(true).open(&mark).unwrap().set_len(0).unwrap();
    for _ in 0..2 {
        assert_eq!(user.append("s", b"second"), Err(Error::MarkMissing(mark.clone())));
    }
    user.close();
    assert_eq!(opened(&folder.store(), false), Err(Error::MarkMissing(mark)));
    opened(&folder.store(), true).unwrap();
    assert_eq!(goes_on(&folder.store(), "accepted"), 1);
}
