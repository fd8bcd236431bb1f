//! What becomes of a store when files are damaged or go, the disk is full, or other processes stop or die.

mod shared;

use holdfast_sqlite::*;
use shared::{Folder, User, draft_on, marked};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Lines, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// The same numbers in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

/// Another process: this test binary again, as `role`.
struct Other {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    input: ChildStdin,
}

impl Other {
    fn start(role: &str, dir: &Path) -> Other {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "role", "--ignored", "--nocapture", "--test-threads=1"])
            .env("HOLDFAST_ROLE", role)
            .env("HOLDFAST_DIR", dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let input = child.stdin.take().unwrap();
        Other { child, lines, input }
    }

    /// Its next line that begins with `word`, without that; none: it has ended.
    fn hear(&mut self, word: &str) -> Option<String> {
        loop {
            let line = self.lines.next()?.ok()?;
            if let Some((_, rest)) = line.split_once(word) {
                return Some(rest.trim().into());
            }
        }
    }

    fn signal(&self, signal: i32) {
        // SAFETY: a signal to a child that was not waited for yet.
        unsafe { libc::kill(self.child.id() as i32, signal) };
    }

    fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        self.kill();
    }
}

fn die() -> ! {
    // SAFETY: ends this process.
    unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
    unreachable!()
}

const SESSIONS: u64 = 60;
const REVISIONS: u64 = 4;

#[test]
#[ignore = "what other processes do, when a test starts one"]
fn role() {
    let dir = std::path::PathBuf::from(std::env::var_os("HOLDFAST_DIR").unwrap());
    match std::env::var("HOLDFAST_ROLE").unwrap().as_str() {
        "base" | "base and die" => {
            let mut user = User::open(&dir).unwrap();
            for _ in 0..REVISIONS {
                for session in 0..SESSIONS {
                    let size = if session % 20 == 3 { 20_000 } else { 100 };
                    user.append(&format!("s{session}"), &vec![session as u8; size]).unwrap();
                }
            }
            if std::env::var("HOLDFAST_ROLE").unwrap().ends_with("die") {
                die();
            }
            user.close();
        }
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

fn made(role: &str, folder: &Folder) {
    let mut other = Other::start(role, &folder.store());
    while other.hear("nothing").is_some() {}
    let _ = other.child.wait();
}

fn copy(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    fs::create_dir(to).unwrap();
    for entry in from.read_dir().unwrap().flatten() {
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// `right`, `said` (an error or a checksum tells), or `unseen`.
fn judge(dir: &Path) -> &'static str {
    let mut user = match User::open(dir) {
        Ok(user) => user,
        Err(Error::Damaged(_) | Error::MarkDamaged(_) | Error::WentBack { .. } | Error::Refused(_)) => return "said",
        Err(other) => panic!("{other:?}"),
    };
    let (mut said, mut unseen) = (false, false);
    for session in 0..SESSIONS {
        match user.read(&format!("s{session}")) {
            Err(Error::Damaged(_)) => said = true,
            Err(other) => panic!("{other:?}"),
            Ok(found) if found.damaged.is_some() => said = true,
            Ok(Found { row: Some(StoredRow { body: None, .. }), .. }) => said = true,
            // A gap in the chain is found by whoever reads the records: the row names first and last.
            Ok(found) if found.row.is_some() && found.records.len() < REVISIONS as usize => said = true,
            Ok(found) => unseen |= found.records.len() != REVISIONS as usize || found.row.is_none(),
        }
    }
    user.close();
    if unseen {
        "unseen"
    } else if said {
        "said"
    } else {
        "right"
    }
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
    let counts = damage("base and die", 60, flip, Some("store.sqlite-wal"));
    println!("flips in the log: {counts:?}");
    assert_eq!(counts.get("unseen"), None);
    assert!(counts["said"] > 0);
}

#[test]
fn hardly_a_flipped_bit_of_the_database_goes_unseen() {
    let counts = damage("base", 60, flip, Some("store.sqlite"));
    println!("flips in the database: {counts:?}");
    // One in the key of a session hides it: found by looking through all of the database only.
    assert!(counts.get("unseen").is_none_or(|count| *count <= 2), "{counts:?}");
    assert!(counts["said"] > 0);
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
    assert_eq!(user.read("s1").unwrap().marks.epoch, 1);
    user.append("s1", b"goes on").unwrap();
    user.close();
    User::open(&folder.store()).unwrap().close();
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
fn no_cut_goes_unseen() {
    for role in ["base", "base and die"] {
        let counts = damage(role, 40, cut, None);
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
        for _ in 0..3 {
            user.append("s", b"new").unwrap();
        }
        let found = user.read("s").unwrap();
        let database = rusqlite::Connection::open(folder.store().join("store.sqlite")).unwrap();
        database.execute("UPDATE meta SET value=1 WHERE key=4", []).unwrap();
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

/// How often or how long, where the environment asks for more than CI has time for.
fn amount(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
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
