//! The one thread of the process that writes to a directory. It opens, commits what waits together, and closes.

use crate::commit::{Flushing, commit};
use crate::connection::{self, COMMITS_KEY, EPOCH_KEY, LOG_BYTES_KEPT, marks_and_commits, set_meta};
use crate::deadline;
use crate::error::Error;
use crate::log_watch::{LogWatch, length_of};
use crate::look::look;
use crate::mark::{Known, Mark};
use crate::place::{self, Files, Presence};
use crate::queue::{Answers, Job, Reply, Work};
use crate::reader::STEPS;
use crate::registry::Shared;
use crate::turn::Turn;
use crate::wire::Request;
use rusqlite::{Connection, TransactionBehavior};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Entries of one transaction.
const MOST_TOGETHER: usize = 256;
/// How long compacting waits for other processes.
const COMPACT_WAIT: Duration = Duration::from_secs(2);
/// For tidying the log up beside what waits.
const PATROL_BOUND: Duration = Duration::from_millis(50);
/// Closing waits this long for other processes: what is not tidied up then is by the next.
const CLOSING: Duration = Duration::from_secs(1);

/// All that is open.
struct Ground {
    database: Flushing,
    mark: Mark,
    files: Files,
    _presence: Presence,
}

pub struct Writer {
    shared: Arc<Shared>,
    ground: Option<Ground>,
    /// From the first opening until all is closed.
    turn: Option<Turn>,
    /// Of the latest opening; the lasting ones are never others afterwards.
    files: Option<Files>,
    /// Why it could not be opened at first: so it is for all who asked meanwhile.
    failed: Option<Error>,
    watch: LogWatch,
}

impl Writer {
    pub fn new(shared: Arc<Shared>) -> Writer {
        Writer { shared, turn: None, ground: None, files: None, failed: None, watch: LogWatch::default() }
    }

    /// Until the last user has left.
    pub fn run(mut self) {
        loop {
            let patience = self.watch.patience();
            let Some(jobs) = self.shared.writes.take(MOST_TOGETHER, patience) else { break };
            self.patrol(!jobs.is_empty());
            let (opening, writing) = jobs.into_iter().partition(|job| matches!(job.work, Work::Open { .. }));
            self.open_for(opening);
            let (compacting, writing) =
                writing.into_iter().partition(|job| matches!(job.work, Work::Do(Request::Compact)));
            self.write(writing);
            self.compact_for(compacting);
        }
        self.close();
    }

    /// The first who opens it sees to it that it is open; where that fails the directory is given up.
    fn open_for(&mut self, jobs: Vec<Job>) {
        let mut answers = Answers::default();
        for job in &jobs {
            let Work::Open { accept_older } = job.work else { continue };
            if self.failed.is_none() {
                deadline::set(job.due);
                let opened = guarded(|| self.ensure_sound(accept_older));
                // Where others have it open that is for this one alone.
                if opened.is_ok() || self.files.is_some() {
                    job.answer(&mut answers, opened.map(|()| Reply::Opened));
                    continue;
                }
                self.failed = opened.err();
                self.shared.give_up();
            }
            job.answer(&mut answers, self.failed.clone().map_or(Ok(Reply::Opened), Err));
        }
        answers.deliver();
    }

    /// For whoever opens what is open already: it may have been moved away meanwhile.
    fn ensure_sound(&mut self, accept_older: bool) -> Result<(), Error> {
        self.ensure(accept_older)?;
        let checked = self.ground.as_ref().map_or(Ok(()), |ground| ground.files.check());
        if let Err(error) = &checked {
            self.drop_ground(error);
        }
        checked
    }

    fn ensure(&mut self, accept_older: bool) -> Result<(), Error> {
        self.shared.check_refused()?;
        if self.turn.is_none() {
            self.turn = Some(Turn::take(self.shared.key)?);
        }
        if self.ground.is_none() {
            let ground = open(&self.shared.dir, self.files.as_ref(), accept_older)?;
            self.files = Some(ground.files.clone());
            self.shared.note_files(&ground.files);
            self.ground = Some(ground);
        }
        Ok(())
    }

    /// It is opened anew, and readers go on meanwhile; but what took the place of the files or of the state is never opened.
    fn drop_ground(&mut self, error: &Error) {
        let refused = matches!(error, Error::Moved { .. } | Error::WentBack { .. });
        if refused {
            self.shared.refuse(error);
        } else if let Some(files) = &self.files {
            self.shared.note_files(&files.lasting());
        }
        if let Some(ground) = &self.ground {
            let _ = connection::tidy_when_closed(&ground.database.connection, false);
        }
        self.close_ground();
        if refused {
            self.turn = None; // whoever opens it anew need not wait until all who have it open have left
        }
    }

    /// The last who closes the database copies its log into it and deletes that: others are kept out meanwhile.
    fn close_ground(&mut self) {
        if let Some(Ground { database, mark, _presence, .. }) = self.ground.take() {
            let _locked = mark.lock();
            drop(database);
            drop(_presence);
        }
    }

    fn write(&mut self, jobs: Vec<Job>) {
        let mut answers = Answers::default();
        let now = Instant::now();
        let (late, jobs): (Vec<Job>, Vec<Job>) = jobs.into_iter().partition(|job| job.is_due(now));
        late.iter().for_each(|job| job.answer(&mut answers, Err(Error::Busy)));
        let mut waiting = Vec::new();
        if let Some(due) = jobs.iter().map(|job| job.due).min() {
            deadline::set(due);
            match self.try_write(&jobs) {
                // What is wrong with one, lies on a damaged page or is too large for the disk, is no reason to refuse the rest.
                Err(Error::Damaged(_) | Error::Request(_) | Error::Full) if jobs.len() > 1 => {
                    answers.deliver();
                    return jobs.into_iter().for_each(|job| self.write(vec![job]));
                }
                // Only those whose time is over give up.
                Err(Error::Busy) => {
                    deadline::nap(0); // in case nobody waited
                    let now = Instant::now();
                    let (over, rest): (Vec<Job>, Vec<Job>) = jobs.into_iter().partition(|job| job.is_due(now));
                    over.iter().for_each(|job| job.answer(&mut answers, Err(Error::Busy)));
                    waiting = rest;
                }
                result => {
                    for (index, job) in jobs.iter().enumerate() {
                        job.answer(
                            &mut answers,
                            result.as_ref().map_err(Clone::clone).map(|all| Reply::Committed(all[index])),
                        );
                    }
                }
            }
        }
        self.shared.writes.put_back(waiting);
        answers.deliver();
    }

    /// Damage that nothing came of is looked at once more, with all files opened anew.
    fn try_write(&mut self, jobs: &[Job]) -> Result<Vec<bool>, Error> {
        let batch: Vec<&Request> = jobs.iter().filter_map(|job| request_of(&job.work)).collect();
        let mut result = guarded(|| self.commit(&batch));
        for again in [true, false] {
            match &result {
                Err(error) if error.ends_connection() => {
                    self.drop_ground(error);
                    if error.is_unsure() || !again {
                        break;
                    }
                    result = guarded(|| self.commit(&batch));
                }
                _ => break,
            }
        }
        result
    }

    fn compact_for(&mut self, jobs: Vec<Job>) {
        let mut answers = Answers::default();
        for job in &jobs {
            // Others wait behind it.
            deadline::set(job.due.min(Instant::now() + COMPACT_WAIT));
            let mut compacted = guarded(|| self.compact(job.due));
            if compacted == Err(Error::Busy) && self.shared.is_closing() {
                compacted = Err(Error::Closed);
            }
            if let Err(error) = &compacted
                && error.ends_connection()
            {
                self.drop_ground(error);
            }
            job.answer(&mut answers, compacted.map(|()| Reply::Committed(true)));
        }
        answers.deliver();
    }

    fn compact(&mut self, due: Instant) -> Result<(), Error> {
        self.ensure(false)?;
        let shared = self.shared.clone();
        let Ground { database, mark, files, .. } = self.ground.as_mut().ok_or(Error::Closed)?;
        let _locked = mark.lock()?;
        files.check()?;
        database.set(true)?;
        let connection = &database.connection;
        connection::check_commits(connection, mark.known()?.commits)?;
        // The copy that is made meanwhile may be larger than memory.
        connection.pragma_update(None, "temp_store", "FILE")?;
        connection.progress_handler(STEPS, Some(move || shared.is_closing() || Instant::now() >= due))?;
        let vacuumed = connection.execute_batch("VACUUM");
        connection.progress_handler(0, None::<fn() -> bool>)?;
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        vacuumed?;
        // What readers still need stays in the log for now.
        let _ = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        files.check()
    }

    /// Now and then, and while the log is long: whoever reads on and on, or was stopped while it read, keeps it from being shortened.
    fn patrol(&mut self, writing: bool) {
        if !self.watch.is_due(writing) {
            return;
        }
        let Some(Ground { database, mark, files, .. }) = &self.ground else { return self.watch.rest() };
        let log = files.log();
        let mut bytes = length_of(log);
        if bytes > LOG_BYTES_KEPT as u64 {
            deadline::set(Instant::now() + PATROL_BOUND);
            if let Ok(_locked) = mark.lock() {
                let _ = database.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
            }
            bytes = length_of(log);
        }
        if let Some(told) = self.watch.note(bytes) {
            self.shared.tell_all(Reply::Log(told));
        }
    }

    fn commit(&mut self, batch: &[&Request]) -> Result<Vec<bool>, Error> {
        self.ensure(false)?;
        let Ground { database, mark, files, .. } = self.ground.as_mut().ok_or(Error::Closed)?;
        let _locked = mark.lock()?;
        files.check()?;
        let known = mark.known()?.commits;
        let result = match commit(database, known, batch) {
            Err(Error::Full) => {
                // The log may hold room that the database no longer needs.
                let _ = database.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
                commit(database, known, batch)?
            }
            result => result?,
        };
        files.check().map_err(Error::at_commit)?;
        if let Some(now) = result.known.filter(|now| now.commits > known) {
            mark.write(now);
        }
        Ok(result.written)
    }

    fn close(&mut self) {
        self.shared.end_readers();
        deadline::set(Instant::now() + CLOSING);
        self.close_ground();
        self.turn = None;
        self.shared.tell_closed();
    }
}

fn request_of(work: &Work) -> Option<&Request> {
    match work {
        Work::Do(request) => Some(request),
        Work::Open { .. } => None,
    }
}

/// A fault of ours ends no process.
pub fn guarded<T>(run: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or(Err(Error::Panic))
}

/// Looks, marks, and only then writes. All files are opened under the outer lock: recovery happens under it too, so that nobody
/// waits inside SQLite for one that stopped.
fn open(dir: &std::path::Path, before: Option<&Files>, accept_older: bool) -> Result<Ground, Error> {
    // Before anything is made: what took the place of the one that was open is left alone.
    let seen = match before {
        Some(files) => files.lasting().check().and_then(|()| place::check_files(dir)),
        None => look(dir),
    };
    if seen.as_ref().is_err_and(|error| !accept_older || !error.is_older()) {
        seen.clone()?;
    }
    let mark = Mark::open(dir)?;
    let locked = mark.lock()?;
    let presence = place::announce(dir)?;
    if before.is_none() && seen.is_ok() {
        mark.begin(dir)?;
    }
    place::make_store(dir)?;
    let known = mark.known();
    let opened = seen.and_then(|()| known.clone()).and_then(|known| connection::open(dir, known.commits));
    let connection = match opened {
        Err(error) if accept_older && error.is_older() => accept(dir, &mark, known.unwrap_or_default())?,
        opened => opened?,
    };
    connection::tidy_when_closed(&connection, true)?;
    let files = Files::look(dir);
    drop(locked);
    Ok(Ground { database: Flushing::new(connection), mark, files, _presence: presence })
}

/// Goes on from what is there. A new epoch outdates all that was known of the newer state, whose epoch it may not have heard of.
fn accept(dir: &std::path::Path, mark: &Mark, known: Known) -> Result<Connection, Error> {
    place::keep_log(dir, known.commits)?;
    let mut connection = connection::open(dir, 0)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let (marks, commits) = marks_and_commits(&transaction)?;
    let after = |known: u64, found: u64| {
        known.max(found).checked_add(1).ok_or_else(|| Error::Damaged("a number of it is nonsense".into()))
    };
    let known = Known { commits: after(known.commits, commits)?, epoch: after(known.epoch, marks.epoch)? };
    set_meta(&transaction, EPOCH_KEY, known.epoch)?;
    set_meta(&transaction, COMMITS_KEY, known.commits)?;
    transaction.commit().map_err(|error| Error::from(error).at_commit())?;
    mark.write(known);
    let _ = mark.flush().and_then(|()| place::flush_names(dir)); // it may be new
    Ok(connection)
}
