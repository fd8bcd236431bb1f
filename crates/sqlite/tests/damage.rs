//! What becomes of a store whose files are flipped, cut or written over.

mod shared;

use holdfast_sqlite::*;
use shared::other::{Dice, amount, copy, die, made};
use shared::{Folder, User, draft_on, marked};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

const SESSIONS: u64 = 60;
const REVISIONS: u64 = 4;
const TERMS: u64 = 7;
const MARKS: Marks = Marks { epoch: 5, births: 77 };

#[test]
#[ignore = "what another process does, when a test starts it"]
fn role() {
    let dir = std::path::PathBuf::from(std::env::var_os("HOLDFAST_DIR").unwrap());
    let mut user = User::open(&dir).unwrap();
    let raise = Raise { expected: Marks::default(), next: MARKS };
    assert_eq!(user.ask(Request::Raise(raise)), Ok(Reply::Committed(true)));
    for session in 0..SESSIONS {
        let found = user.read(&name(session)).unwrap();
        let new_terms = vec![term(session)];
        assert!(user.write(Draft { new_terms, ..draft_on(&found, &name(session), b"row") }).unwrap());
    }
    for _ in 0..REVISIONS {
        for session in 0..SESSIONS {
            user.append(&name(session), &body(session)).unwrap();
        }
    }
    if std::env::var("HOLDFAST_ROLE").unwrap().ends_with("die") {
        die();
    }
    user.close();
}

fn name(session: u64) -> String {
    format!("s{session}")
}

fn term(session: u64) -> Vec<u8> {
    format!("term {}", session % TERMS).into()
}

fn body(session: u64) -> Vec<u8> {
    vec![session as u8; if session % 20 == 3 { 20_000 } else { 100 }]
}

#[derive(Default)]
struct Seen {
    /// An error, or a checksum, told those who asked.
    said: bool,
    /// Somebody was given something else than what was acknowledged, or nothing, and not told.
    wrong: bool,
}

impl Seen {
    fn look<T>(&mut self, result: Result<T, Error>) -> Option<T> {
        match result {
            Ok(found) => return Some(found),
            Err(Error::Damaged(_)) => self.said = true,
            Err(other) => panic!("{other:?}"),
        }
        None
    }

    fn session(&mut self, user: &mut User, session: u64) {
        let Some(found) = self.look(user.read(&name(session))) else { return };
        // A gap in the chain is found by whoever reads the records: the row names first and last.
        let cut = found.row.is_some() && found.records.len() < REVISIONS as usize;
        let is_hurt = |row: &StoredRow| row.body.is_none();
        self.said |= cut || found.damaged.is_some() || found.row.as_ref().is_some_and(is_hurt);
        self.wrong |= found.marks != MARKS
            || found.row.and_then(|row| row.body).is_none_or(|row| row != b"row") && !self.said
            || found.records.iter().any(|record| record.body != body(session));
    }

    fn list(&mut self, user: &mut User, term: Vec<u8>, expected: BTreeSet<String>) {
        let query = PageQuery { term, after: vec![], limit: 1000 };
        let Some(Reply::Page(page)) = self.look(user.ask(Request::Page(query))) else { return };
        let ids = page.rows.iter().map(|(id, _)| String::from_utf8_lossy(id).into_owned()).collect::<BTreeSet<_>>();
        self.wrong |= ids != expected || page.marks != MARKS;
    }
}

/// As `holdfast check` does: structure and lookup, then all that is there.
fn is_found_by_looking(user: &mut User) -> bool {
    let Ok(Reply::Checked(checked)) = user.ask(Request::Check) else { return true };
    let query = PageQuery { term: vec![], after: vec![], limit: 1000 };
    let Ok(Reply::Page(page)) = user.ask(Request::Page(query)) else { return true };
    !checked.faults.is_empty() || page.rows.iter().any(|(_, row)| row.body.is_none())
}

/// `right`, `said` to those who ask, `found` by a look through the store alone, or `unseen`.
fn judge(dir: &Path) -> &'static str {
    let mut user = match User::open(dir) {
        Ok(user) => user,
        Err(Error::Damaged(_) | Error::MarkDamaged(_) | Error::MarkMissing(_)) => return "said",
        Err(Error::WentBack { .. } | Error::Refused(_)) => return "said",
        Err(other) => panic!("{other:?}"),
    };
    let mut seen = Seen::default();
    (0..SESSIONS).for_each(|session| seen.session(&mut user, session));
    for first in 0..TERMS {
        let expected = (first..SESSIONS).step_by(TERMS as usize).map(name).collect();
        seen.list(&mut user, term(first), expected);
    }
    let verdict = match seen {
        Seen { wrong: true, .. } if is_found_by_looking(&mut user) => "found",
        Seen { wrong: true, .. } => "unseen",
        Seen { said: true, .. } => "said",
        _ => "right",
    };
    user.close();
    verdict
}

fn damage(
    role: &str,
    rounds: u64,
    harm: impl Fn(&File, u64, &mut Dice),
    only: Option<&str>,
) -> BTreeMap<&'static str, u64> {
    let folder = Folder::new();
    made(role, &folder);
    let mut files: Vec<_> = folder.store().read_dir().unwrap().flatten().collect();
    files.sort_by_key(|entry| entry.file_name());
    files.retain(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        entry.metadata().unwrap().len() > 0 && !name.starts_with("open-") && only.is_none_or(|only| only == name)
    });
    let total: u64 = files.iter().map(|entry| entry.metadata().unwrap().len()).sum();
    assert!(total > 0);
    let mut counts = BTreeMap::new();
    let mut dice = Dice(4711);
    for _ in 0..rounds {
        let work = folder.0.join("work");
        copy(&folder.store(), &work);
        let mut at = dice.below(total);
        let entry = files.iter().find(|entry| {
            let length = entry.metadata().unwrap().len();
            if at >= length {
                at -= length;
                return false;
            }
            true
        });
        let path = work.join(entry.unwrap().file_name());
        harm(&File::options().read(true).write(true).open(path).unwrap(), at, &mut dice);
        *counts.entry(judge(&work)).or_default() += 1;
    }
    counts
}

fn flip(file: &File, at: u64, dice: &mut Dice) {
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    byte[0] ^= 1 << dice.below(8);
    file.write_all_at(&byte, at).unwrap();
}

fn cut(file: &File, at: u64, _: &mut Dice) {
    file.set_len(at).unwrap();
}

#[test]
fn no_flipped_bit_of_the_log_goes_unseen() {
    let counts = damage("base and die", amount("HOLDFAST_FLIPS", 120) / 2, flip, Some("store.sqlite-wal"));
    println!("flips in the log: {counts:?}");
    assert_eq!(counts.get("unseen"), None);
    assert!(counts["said"] > 0);
}

#[test]
fn no_flipped_bit_of_the_database_goes_unseen() {
    let counts = damage("base", amount("HOLDFAST_FLIPS", 120) / 2, flip, Some("store.sqlite"));
    println!("flips in the database: {counts:?}");
    assert_eq!(counts.get("unseen"), None);
    assert!(counts["said"] > 0);
}

/// Where a file of records has few of its pages: the numbers of the whole store, and the lookup.
#[test]
fn no_flipped_bit_of_the_small_tables_goes_unseen() {
    let folder = Folder::new();
    made("base", &folder);
    let database = rusqlite::Connection::open(folder.store().join("store.sqlite")).unwrap();
    let mut dice = Dice(13);
    for table in ["meta", "term"] {
        let sql = "SELECT rootpage FROM sqlite_schema WHERE name=?1";
        let page: u64 = database.query_row(sql, [table], |row| row.get::<_, i64>(0)).unwrap() as u64;
        let bytes = fs::read(folder.store().join("store.sqlite")).unwrap();
        let used: Vec<u64> = ((page - 1) * 4096..page * 4096).filter(|at| bytes[*at as usize] != 0).collect();
        let mut counts = BTreeMap::<&str, u64>::new();
        for _ in 0..amount("HOLDFAST_FLIPS", 120) / 2 {
            let work = folder.0.join("work");
            copy(&folder.store(), &work);
            let file = File::options().read(true).write(true).open(work.join("store.sqlite")).unwrap();
            flip(&file, used[dice.below(used.len() as u64) as usize], &mut dice);
            *counts.entry(judge(&work)).or_default() += 1;
        }
        println!("flips in the page of '{table}': {counts:?}");
        assert_eq!(counts.get("unseen"), None, "{table}");
        assert!(counts["said"] > 0, "{table}");
    }
}

#[test]
fn a_flipped_bit_of_the_mark_is_said_as_its_damage() {
    let folder = Folder::new();
    made("base", &folder);
    let path = folder.store().join("mark");
    let whole = fs::read(&path).unwrap();
    for at in [0, 7, 8, 15, 16, 23] {
        let mut bytes = whole.clone();
        bytes[at] ^= 128;
        fs::write(&path, bytes).unwrap();
        assert_eq!(User::open(&folder.store()).map(|_| ()), Err(Error::MarkDamaged(path.clone())), "byte {at}");
    }
    let mut user = User::open_with(&folder.store(), true, Duration::from_secs(5)).unwrap();
    assert_eq!(user.read("s1").unwrap().marks.epoch, MARKS.epoch + 1);
    user.append("s1", b"goes on").unwrap();
    user.close();
    User::open(&folder.store()).unwrap().close();
}

#[test]
fn no_cut_goes_unseen() {
    for role in ["base", "base and die"] {
        let counts = damage(role, amount("HOLDFAST_CUTS", 80) / 2, cut, None);
        println!("cuts after '{role}': {counts:?}");
        assert_eq!(counts.get("unseen"), None);
        assert!(counts["said"] > 0);
    }
}

/// SQLite counts pages that were begun, and reads zeros for the rest.
#[test]
fn a_database_that_lacks_half_a_page_is_damaged() {
    let folder = Folder::new();
    made("base", &folder);
    let path = folder.store().join("store.sqlite");
    let whole = fs::metadata(&path).unwrap().len();
    for missing in [1, 2048, 4095] {
        File::options().write(true).open(&path).unwrap().set_len(whole - missing).unwrap();
        assert!(matches!(User::open(&folder.store()).map(|_| ()), Err(Error::Damaged(_))), "{missing} bytes");
    }
}

/// What is left of the newer state may be all that there is of it.
#[test]
fn a_refused_opening_keeps_the_log_and_so_does_accepting() {
    let folder = Folder::new();
    made("base and die", &folder);
    let log = folder.store().join("store.sqlite-wal");
    let whole = fs::read(&log).unwrap();
    let known = marked(&folder.store());
    let harms: [&dyn Fn(); 3] = [
        &|| File::options().write(true).open(&log).unwrap().write_all_at(&[1; 9], 32 + 24 + 1000).unwrap(),
        &|| File::options().write(true).open(&log).unwrap().write_all_at(&[1; 9], 8).unwrap(),
        &|| File::options().write(true).open(folder.store().join("store.sqlite")).unwrap().set_len(0).unwrap(),
    ];
    for harm in harms {
        fs::write(&log, &whole).unwrap();
        harm();
        let harmed = fs::read(&log).unwrap();
        for _ in 0..2 {
            let error = User::open(&folder.store()).map(|_| ()).unwrap_err();
            assert!(matches!(error, Error::WentBack { .. }), "{error:?}");
            assert!(fs::read(&log).unwrap() == harmed, "untouched");
        }
    }
    User::open_with(&folder.store(), true, Duration::from_secs(5)).unwrap().close();
    let kept = folder.store().join(format!("store.sqlite-wal.{known}.kept"));
    assert!(fs::read(kept).unwrap() == whole);
    assert!(!log.exists(), "a store that is whole is tidied up");
}

/// A page of records that is nonsense withholds the sessions on it, and no others, however they were asked for.
#[test]
fn damage_to_one_page_withholds_that_page_only() {
    let folder = Folder::new();
    made("base", &folder);
    let path = folder.store().join("store.sqlite");
    let bytes = fs::read(&path).unwrap();
    // Of the large records, the beginning of one.
    let at = bytes.windows(3000).position(|window| window == [43; 3000].as_slice()).unwrap();
    let file = File::options().write(true).open(&path).unwrap();
    file.write_all_at(&[255; 64], at as u64 / 4096 * 4096).unwrap();
    let mut user = User::open(&folder.store()).unwrap();
    let tickets: Vec<u32> = (0..SESSIONS)
        .map(|session| {
            user.send(Request::Fetch(Fetch { id: format!("s{session}").into(), from: Some(0), limit_bytes: u64::MAX }))
        })
        .collect();
    let whole = tickets.iter().filter(|_| {
        let result = user.receive().result;
        matches!(result, Ok(Reply::Read(found)) if found.damaged.is_none() && found.records.len() == REVISIONS as usize)
    });
    let whole = whole.count() as u64;
    println!("{whole} of {SESSIONS} sessions whole");
    assert!((SESSIONS - 2..SESSIONS).contains(&whole));
    for session in [1, 2] {
        user.append(&format!("s{session}"), b"goes on").unwrap();
    }
    user.close();
}

#[test]
fn whoever_met_damage_opens_anew_and_goes_on() {
    let folder = Folder::new();
    made("base", &folder);
    let mut user = User::open(&folder.store()).unwrap();
    let (hurt, sound) = (user.read("s43").unwrap(), user.read("s1").unwrap());
    user.close();
    let path = folder.store().join("store.sqlite");
    let bytes = fs::read(&path).unwrap();
    let at = bytes.windows(3000).position(|window| window == [43; 3000].as_slice()).unwrap();
    File::options().write(true).open(&path).unwrap().write_all_at(&[255; 64], at as u64 / 4096 * 4096).unwrap();
    // Nobody reads meanwhile: with its connection the writer closes the last one, and SQLite deletes the log.
    let mut user = User::open(&folder.store()).unwrap();
    for round in 0..3 {
        let deletes = vec![Change::Delete { from: 0, to: 9 }];
        let met = user.write(Draft { flush: true, changes: deletes, ..draft_on(&hurt, "s43", b"row") });
        assert!(matches!(met, Err(Error::Damaged(_))), "{met:?}");
        if round == 0 {
            assert!(user.write(draft_on(&sound, "s1", b"goes on")).unwrap());
        }
    }
    assert_eq!(user.read("s1").unwrap().row.unwrap().body.as_deref(), Some(b"goes on".as_slice()));
    user.close();
}

/// Of the same count of commits: what one opening has kept may be all that there is of another state.
#[test]
fn a_log_that_is_kept_already_is_never_written_over() {
    let folder = Folder::new();
    made("base and die", &folder);
    let store = folder.store();
    let whole = fs::read(store.join("store.sqlite-wal")).unwrap();
    let known = marked(&store);
    let kept = |ending: &str| store.join(format!("store.sqlite-wal.{known}{ending}.kept"));
    let lose = |store: &Path, bytes: &[u8]| {
        fs::write(store.join("store.sqlite-wal"), bytes).unwrap();
        File::create(store.join("store.sqlite")).unwrap();
    };
    fs::write(kept(""), b"of another state").unwrap();
    let mark = fs::read(store.join("mark")).unwrap();
    for bytes in [&whole, &whole, &whole[..5000].to_vec()] {
        lose(&store, bytes);
        fs::write(store.join("mark"), &mark).unwrap();
        User::open_with(&store, true, Duration::from_secs(5)).unwrap().close();
    }
    assert!(fs::read(kept("")).unwrap() == b"of another state");
    assert!(fs::read(kept("-2")).unwrap() == whole);
    assert!(fs::read(kept("-3")).unwrap() == whole[..5000]);
    assert!(!kept("-4").exists(), "the same twice");
}
