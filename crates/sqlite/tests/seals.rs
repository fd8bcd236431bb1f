//! Whatever value of the database is changed behind the store's back: it is said, never served.

mod shared;

use holdfast_sqlite::*;
use rusqlite::types::Value;
use rusqlite::{Connection, params};
use shared::{Folder, User, draft_on, marked};
use std::path::Path;

const EPOCH: u64 = 5;
const BIRTHS: u64 = 9;
const TERMS: [&str; 3] = ["amber", "birch", "cedar"];

/// Six sessions with a record each, two of them with each term; closed.
fn made(folder: &Folder) {
    let mut user = User::open(&folder.store()).unwrap();
    let next = Marks { epoch: EPOCH, births: BIRTHS };
    let raise = Raise { expected: Marks::default(), next };
    assert_eq!(user.ask(Request::Raise(raise)), Ok(Reply::Committed(true)));
    for session in 0..6 {
        let id = format!("s{session}");
        let found = user.read(&id).unwrap();
        let put = Change::Put(StoredRecord { revision: 1, nonce: 7, body: vec![session; 50] });
        let new_terms = vec![TERMS[session as usize % 3].into()];
        let draft = Draft { changes: vec![put], new_terms, flush: true, ..draft_on(&found, &id, b"row") };
        assert!(user.write(draft).unwrap());
    }
    user.close();
}

fn database(dir: &Path) -> Connection {
    Connection::open(dir.join("store.sqlite")).unwrap()
}

fn opened(dir: &Path) -> Result<(), Error> {
    User::open(dir).map(User::close)
}

fn ids_of(user: &mut User, term: &str) -> Result<Vec<String>, Error> {
    let query = PageQuery { term: term.into(), after: vec![], limit: 100 };
    match user.ask(Request::Page(query))? {
        Reply::Page(page) => Ok(page.rows.into_iter().map(|(id, _)| String::from_utf8_lossy(&id).into()).collect()),
        other => panic!("{other:?}"),
    }
}

fn faults(user: &mut User) -> Vec<String> {
    match user.ask(Request::Check) {
        Ok(Reply::Checked(found)) => found.faults,
        Err(Error::Damaged(fault)) => vec![fault],
        other => panic!("{other:?}"),
    }
}

/// With one bit after the other flipped.
fn flips_of(value: &Value) -> Vec<Value> {
    match value {
        Value::Integer(number) => (0..64).map(|bit| Value::Integer(number ^ (1 << bit))).collect(),
        Value::Blob(bytes) => (0..bytes.len() * 8)
            .map(|bit| {
                let mut bytes = bytes.clone();
                bytes[bit / 8] ^= 1 << (bit % 8);
                Value::Blob(bytes)
            })
            .collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_flipped_bit_of_what_holds_for_the_whole_store_refuses_it() {
    let folder = Folder::new();
    made(&folder);
    for (key, name) in [(1, "layout"), (2, "epoch"), (3, "births"), (4, "commits")] {
        for column in ["value", "sum"] {
            let sql = format!("SELECT {column} FROM meta WHERE key=?1");
            let whole: Value = database(&folder.store()).query_row(&sql, [key], |row| row.get(0)).unwrap();
            let set = |value: &Value| {
                let sql = format!("UPDATE meta SET {column}=?2 WHERE key=?1");
                database(&folder.store()).execute(&sql, params![key, value]).unwrap();
            };
            // Of a checksum some bits do: each way to open it takes its time.
            for flipped in flips_of(&whole).into_iter().step_by(if column == "sum" { 9 } else { 1 }) {
                set(&flipped);
                let met = opened(&folder.store());
                assert!(
                    matches!(&met, Err(Error::Damaged(what)) if what.contains(name)),
                    "{column} {flipped:?}: {met:?}"
                );
            }
            set(&Value::Text("no number".into()));
            assert!(matches!(opened(&folder.store()), Err(Error::Damaged(_))));
            set(&whole);
        }
    }
    opened(&folder.store()).unwrap();
}

#[test]
fn numbers_of_the_store_that_are_gone_or_change_places_refuse_it() {
    let harms = [
        "DELETE FROM meta WHERE key=2",
        "DELETE FROM meta WHERE key=4",
        "DELETE FROM meta WHERE key=1",
        "UPDATE meta SET key=key+2 WHERE key=2",
        "UPDATE meta SET key=key+10 WHERE key=3",
        "UPDATE meta SET (value, sum)=(SELECT value, sum FROM meta WHERE key=3) WHERE key=2",
    ];
    for harm in harms {
        let folder = Folder::new();
        made(&folder);
        let database = database(&folder.store());
        let _ = database.execute("DELETE FROM meta WHERE key=4 AND ?1 LIKE '%key+2%'", [harm]);
        database.execute(harm, []).unwrap();
        drop(database);
        assert!(matches!(opened(&folder.store()), Err(Error::Damaged(_))), "{harm}");
    }
}

#[test]
fn a_number_that_is_flipped_while_it_is_open_is_served_to_nobody() {
    let folder = Folder::new();
    made(&folder);
    let mut user = User::open(&folder.store()).unwrap();
    let found = user.read("s1").unwrap();
    assert_eq!(found.marks, Marks { epoch: EPOCH, births: BIRTHS });
    let harm = database(&folder.store());
    let mark = marked(&folder.store());
    for key in [2, 3, 4] {
        harm.execute("UPDATE meta SET value=value+1 WHERE key=?1", [key]).unwrap();
        assert!(matches!(user.read("s1"), Err(Error::Damaged(_))), "{key}");
        assert!(matches!(ids_of(&mut user, "amber"), Err(Error::Damaged(_))), "{key}");
        let draft = Draft { flush: true, ..draft_on(&found, "s1", b"lost") };
        assert!(matches!(user.write(draft), Err(Error::Damaged(_))), "{key}");
        let next = Marks { epoch: EPOCH + 3, births: BIRTHS };
        let raised = user.ask(Request::Raise(Raise { expected: found.marks, next }));
        assert!(matches!(raised, Err(Error::Damaged(_))), "{key}");
        assert!(!faults(&mut user).is_empty(), "{key}");
        harm.execute("UPDATE meta SET value=value-1 WHERE key=?1", [key]).unwrap();
    }
    assert_eq!(marked(&folder.store()), mark);
    assert_eq!(user.read("s1").unwrap(), found, "nothing came of what was refused");
    user.append("s1", b"goes on").unwrap();
    user.close();
}

/// The entry may have moved elsewhere: who lists by the term cannot know; a look through the store does.
#[test]
fn a_flipped_bit_of_the_lookup_is_said_by_who_lists_or_looks_through() {
    let folder = Folder::new();
    made(&folder);
    let mut user = User::open(&folder.store()).unwrap();
    let harm = database(&folder.store());
    assert_eq!(faults(&mut user), [""; 0]);
    harm.execute_batch("CREATE TEMP TABLE kept AS SELECT * FROM term").unwrap();
    let (mut said, mut looked) = (0, 0);
    for column in ["term", "id", "sum"] {
        let sql = format!("SELECT {column} FROM term WHERE id=?1");
        let whole: Value = harm.query_row(&sql, [b"s1"], |row| row.get(0)).unwrap();
        let no_bytes = if column == "sum" { None } else { Some(Value::Text("no bytes".into())) };
        for flipped in flips_of(&whole).into_iter().chain(no_bytes) {
            harm.execute(&format!("UPDATE term SET {column}=?2 WHERE id=?1"), params![b"s1", flipped]).unwrap();
            match ids_of(&mut user, "birch") {
                Err(Error::Damaged(_)) => said += 1,
                Ok(ids) => {
                    let has_moved = column == "term" || matches!(flipped, Value::Text(_));
                    assert_eq!((ids, has_moved), (vec!["s4".into()], true), "{flipped:?}");
                    looked += 1;
                }
                other => panic!("{other:?}"),
            }
            assert_eq!(faults(&mut user).len(), 1, "{column} {flipped:?}");
            harm.execute_batch("DELETE FROM term; INSERT INTO term SELECT * FROM temp.kept").unwrap();
        }
    }
    println!("{said} said by who lists, {looked} by a look through the store");
    assert!(said > 64 && looked > 0);
    assert_eq!(faults(&mut user), [""; 0]);
    user.close();
}

#[test]
fn an_entry_that_is_gone_is_missed_and_one_that_is_too_many_is_said() {
    let folder = Folder::new();
    made(&folder);
    let mut user = User::open(&folder.store()).unwrap();
    let mut look = |terms: &[&str], id: &str| {
        let terms = terms.iter().map(|term| term.as_bytes().to_vec()).collect();
        match user.ask(Request::LookUp(LookUp { id: id.into(), terms })) {
            Ok(Reply::LookedUp(found)) => (found.version.is_some(), found.missing),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(look(&["birch"], "s1"), (true, vec![]));
    assert_eq!(look(&["birch", "amber"], "s1"), (true, vec![b"amber".to_vec()]));
    assert_eq!(look(&[], "nobody"), (false, vec![]));
    let harm = database(&folder.store());
    harm.execute("DELETE FROM term WHERE id=?1", [b"s1"]).unwrap();
    assert_eq!(look(&["birch"], "s1"), (true, vec![b"birch".to_vec()]));
    harm.execute("DELETE FROM session WHERE id=?1", [b"s4"]).unwrap();
    let met = ids_of(&mut user, "birch");
    assert!(matches!(&met, Err(Error::Damaged(what)) if what.contains("session that is not there")), "{met:?}");
    assert_eq!(faults(&mut user).len(), 1);
    user.close();
}

/// Of a row that cannot be read nobody knows the terms.
#[test]
fn entries_of_a_row_that_nobody_can_read_go_with_it() {
    let folder = Folder::new();
    made(&folder);
    let mut user = User::open(&folder.store()).unwrap();
    database(&folder.store()).execute("UPDATE session SET row=x'00' WHERE id=?1", [b"s1"]).unwrap();
    let found = user.read("s1").unwrap();
    assert_eq!(found.row.as_ref().unwrap().body, None);
    let new_terms = vec![b"cedar".to_vec()];
    let mended = Draft { cleared: true, all_terms: true, new_terms, flush: true, ..draft_on(&found, "s1", b"new") };
    assert!(user.write(mended).unwrap());
    assert_eq!(ids_of(&mut user, "birch").unwrap(), ["s4"]);
    assert_eq!(ids_of(&mut user, "cedar").unwrap(), ["s1", "s2", "s5"]);
    user.close();
}

#[test]
fn a_flipped_bit_of_a_row_or_a_record_withholds_it() {
    let folder = Folder::new();
    made(&folder);
    let mut user = User::open(&folder.store()).unwrap();
    let harm = database(&folder.store());
    let columns =
        [("session", "version row sum"), ("record", "nonce body sum")].map(|(table, names)| (table, names.split(' ')));
    for (table, names) in columns {
        for name in names {
            let whole: Value =
                harm.query_row(&format!("SELECT {name} FROM {table} WHERE id=?1"), [b"s1"], |row| row.get(0)).unwrap();
            let set = |value: &Value| {
                harm.execute(&format!("UPDATE {table} SET {name}=?2 WHERE id=?1"), params![b"s1", value]).unwrap();
            };
            for flipped in flips_of(&whole) {
                set(&flipped);
                let said = match user.read("s1") {
                    Err(Error::Damaged(_)) => true,
                    Ok(found) => found.damaged == Some(1) || found.row.is_some_and(|row| row.body.is_none()),
                    Err(other) => panic!("{other:?}"),
                };
                assert!(said, "{table}.{name} {flipped:?}");
            }
            set(&whole);
        }
    }
    assert_eq!(user.bodies("s1"), [vec![1; 50]]);
    user.close();
}

#[test]
fn a_folder_of_an_earlier_layout_is_refused_by_name() {
    let folder = Folder::new();
    made(&folder);
    database(&folder.store()).pragma_update(None, "user_version", 1).unwrap();
    for _ in 0..2 {
        let met = opened(&folder.store());
        assert!(
            matches!(&met, Err(Error::Refused(what)) if what.contains("layout 1, this version of Holdfast reads 4"))
        );
    }
}
