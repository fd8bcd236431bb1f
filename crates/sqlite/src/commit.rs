//! One write transaction for all that wait: each draft is compared and written, or refused, by itself.

use crate::connection::{BIRTHS_KEY, COMMITS_KEY, EPOCH_KEY, check_found, marks_and_commits, set_meta};
use crate::error::Error;
use crate::mark::Known;
use crate::seal;
use crate::wire::{Change, Draft, Marks, Raise, Request, StoredRecord};
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

/// What came of a batch: by entry, whether it was written, and what is to be known of it where it was flushed.
pub struct Batch {
    pub written: Vec<bool>,
    pub known: Option<Known>,
}

/// A connection, and how it flushes: to say so each time would cost more than to know it.
pub struct Flushing {
    pub connection: Connection,
    flushes: Option<bool>,
}

impl Flushing {
    pub fn new(connection: Connection) -> Flushing {
        Flushing { connection, flushes: None }
    }

    pub fn set(&mut self, flush: bool) -> rusqlite::Result<()> {
        if self.flushes != Some(flush) {
            self.flushes = None;
            self.connection.pragma_update(None, "synchronous", if flush { "FULL" } else { "NORMAL" })?;
            self.flushes = Some(flush);
        }
        Ok(())
    }
}

fn needs_flush(request: &Request) -> bool {
    match request {
        Request::Draft(draft) => draft.flush,
        _ => true,
    }
}

/// To be called under the outer lock, with the commits that were acknowledged. An error means that nothing of the batch is there,
/// unless it is one `at_commit`.
pub fn commit(ground: &mut Flushing, known: u64, batch: &[&Request]) -> Result<Batch, Error> {
    // What only moves locks is not flushed: a power cut that undoes it ends the processes that held them.
    let flush = batch.iter().any(|request| needs_flush(request));
    ground.set(flush)?;
    let transaction = ground.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let (mut now, found) = marks_and_commits(&transaction)?;
    check_found(found, known)?;
    let mut written = Vec::with_capacity(batch.len());
    for request in batch {
        written.push(apply(&transaction, &mut now, request)?);
    }
    if !written.contains(&true) {
        transaction.rollback()?;
        return Ok(Batch { written, known: None });
    }
    // Only what was flushed counts: the mark must never be ahead of the disk.
    let commits = flush.then_some(found + 1);
    if let Some(commits) = commits {
        set_meta(&transaction, COMMITS_KEY, commits)?;
    }
    transaction.commit().map_err(|error| Error::from(error).at_commit())?;
    Ok(Batch { written, known: commits.map(|commits| Known { commits, epoch: now.epoch }) })
}

fn apply(transaction: &Transaction<'_>, now: &mut Marks, request: &Request) -> Result<bool, Error> {
    match request {
        Request::Draft(draft) => Ok(apply_draft(transaction, *now, draft)?),
        Request::Raise(raise) => Ok(apply_raise(transaction, now, raise)?),
        _ => Err(Error::Request("it writes nothing")),
    }
}

fn apply_raise(transaction: &Transaction<'_>, now: &mut Marks, raise: &Raise) -> rusqlite::Result<bool> {
    if *now != raise.expected {
        return Ok(false);
    }
    *now = Marks { epoch: now.epoch.max(raise.next.epoch), births: now.births.max(raise.next.births) };
    set_meta(transaction, EPOCH_KEY, now.epoch)?;
    set_meta(transaction, BIRTHS_KEY, now.births)?;
    Ok(true)
}

fn apply_draft(transaction: &Transaction<'_>, now: Marks, draft: &Draft) -> rusqlite::Result<bool> {
    let found: Option<i64> = transaction
        .prepare_cached("SELECT version FROM session WHERE id=?1")?
        .query_row([&draft.id], |row| row.get(0))
        .optional()?;
    if draft.marks != now || found != draft.expected.map(|version| version as i64) {
        return Ok(false);
    }
    if draft.cleared {
        transaction.prepare_cached("DELETE FROM record WHERE id=?1")?.execute([&draft.id])?;
    }
    for change in &draft.changes {
        apply_change(transaction, &draft.id, change)?;
    }
    apply_row(transaction, draft)?;
    apply_terms(transaction, draft)?;
    Ok(true)
}

fn apply_terms(transaction: &Transaction<'_>, draft: &Draft) -> rusqlite::Result<()> {
    if draft.all_terms {
        transaction.prepare_cached("DELETE FROM term WHERE id=?1")?.execute([&draft.id])?;
    }
    for term in &draft.lost_terms {
        transaction.prepare_cached("DELETE FROM term WHERE term=?1 AND id=?2")?.execute([term, &draft.id])?;
    }
    for term in &draft.new_terms {
        let sum = seal::term(term, &draft.id);
        transaction
            .prepare_cached("INSERT OR REPLACE INTO term VALUES(?1, ?2, ?3)")?
            .execute(params![term, draft.id, sum])?;
    }
    Ok(())
}

fn apply_row(transaction: &Transaction<'_>, draft: &Draft) -> rusqlite::Result<()> {
    if let Some(row) = &draft.row {
        let sql = "INSERT INTO session VALUES(?1, ?2, ?3, ?4) \
                   ON CONFLICT(id) DO UPDATE SET version=?2, row=?3, sum=?4";
        let sum = seal::row(&draft.id, draft.next, row);
        transaction.prepare_cached(sql)?.execute(params![draft.id, draft.next as i64, row, sum])?;
    } else if draft.cleared {
        transaction.prepare_cached("DELETE FROM session WHERE id=?1")?.execute([&draft.id])?;
    }
    Ok(())
}

fn apply_change(transaction: &Transaction<'_>, id: &[u8], change: &Change) -> rusqlite::Result<()> {
    match change {
        Change::Put(StoredRecord { revision, nonce, body }) => {
            let sum = seal::record(id, *revision, *nonce, body);
            transaction
                .prepare_cached(
                    "INSERT OR REPLACE INTO record(id, revision, nonce, body, sum) VALUES(?1, ?2, ?3, ?4, ?5)",
                )?
                .execute(params![id, *revision as i64, *nonce as i64, body, sum])?;
        }
        Change::Delete { from, to } => {
            transaction
                .prepare_cached("DELETE FROM record WHERE id=?1 AND revision>=?2 AND revision<?3")?
                .execute(params![id, *from as i64, *to as i64])?;
        }
    }
    Ok(())
}
