//! The thread of the process that reads from a directory: no reading waits for a writing, and none holds up JavaScript. What takes
//! long has a thread of its own.

use crate::connection;
use crate::copy;
use crate::deadline;
use crate::error::Error;
use crate::mark::Mark;
use crate::queue::{Answers, Job, Reply, Work};
use crate::read;
use crate::registry::Shared;
use crate::wire::Request;
use crate::writer::guarded;
use rusqlite::Connection;
use std::sync::Arc;
use std::time::Instant;

/// Readings of one transaction: none is kept open for longer than these take.
const MOST_TOGETHER: usize = 64;

pub fn run(shared: &Arc<Shared>) {
    while let Some(jobs) = shared.reads.take(MOST_TOGETHER, None) {
        let mut answers = Answers::default();
        answer(shared, &mut shared.reading(), jobs, &mut answers);
        answers.deliver();
    }
    *shared.reading() = None;
}

fn answer(shared: &Shared, connection: &mut Option<Connection>, jobs: Vec<Job>, answers: &mut Answers) {
    let now = Instant::now();
    let (late, jobs): (Vec<Job>, Vec<Job>) = jobs.into_iter().partition(|job| job.is_due(now));
    late.iter().for_each(|job| job.answer(answers, Err(Error::Busy)));
    let Some(due) = jobs.iter().map(|job| job.due).min() else { return };
    deadline::set(due);
    let mut result = guarded(|| look_at_all(shared, connection, &jobs));
    if result.as_ref().is_err_and(Error::ends_connection) {
        *connection = None;
        result = guarded(|| look_at_all(shared, connection, &jobs));
    }
    match result {
        // What lies on one damaged page is no reason to withhold the rest.
        Err(Error::Damaged(_)) if jobs.len() > 1 => {
            jobs.into_iter().for_each(|job| answer(shared, connection, vec![job], answers));
        }
        Ok(replies) => jobs.iter().zip(replies).for_each(|(job, reply)| job.answer(answers, Ok(reply))),
        Err(Error::Busy) => {
            deadline::nap(0); // in case nobody waited
            let now = Instant::now();
            let (over, rest): (Vec<Job>, Vec<Job>) = jobs.into_iter().partition(|job| job.is_due(now));
            over.iter().for_each(|job| job.answer(answers, Err(Error::Busy)));
            shared.reads.put_back(rest);
        }
        Err(error) => jobs.iter().for_each(|job| job.answer(answers, Err(error.clone()))),
    }
}

fn look_at_all(shared: &Shared, connection: &mut Option<Connection>, jobs: &[Job]) -> Result<Vec<Reply>, Error> {
    if connection.is_none() {
        shared.check_refused()?;
        shared.check_files()?;
        *connection = Some(connection::open_reader(&shared.dir)?);
    }
    let connection = connection.as_mut().ok_or(Error::Closed)?;
    let mut replies = Vec::new();
    look(shared, connection, jobs, |reply| {
        replies.push(reply);
        true
    })?;
    Ok(replies)
}

/// All on one view of the store; `take` says whether it goes on.
pub fn look(
    shared: &Shared,
    connection: &mut Connection,
    jobs: &[Job],
    mut take: impl FnMut(Reply) -> bool,
) -> Result<(), Error> {
    shared.check_refused()?;
    shared.check_files()?;
    let view = View::of(connection)?;
    for job in jobs {
        if !take(read(view.0, &job.work)?) {
            break;
        }
    }
    Ok(())
}

/// A transaction that reads, by statements that are kept prepared: to parse them anew takes as long as a short reading.
struct View<'a>(&'a Connection);

impl<'a> View<'a> {
    fn of(connection: &'a mut Connection) -> rusqlite::Result<View<'a>> {
        connection.prepare_cached("BEGIN")?.execute([])?;
        Ok(View(connection))
    }
}

impl Drop for View<'_> {
    fn drop(&mut self) {
        let _ = self.0.prepare_cached("ROLLBACK").and_then(|mut statement| statement.execute([]));
    }
}

fn read(connection: &Connection, work: &Work) -> Result<Reply, Error> {
    match work {
        Work::Do(Request::Fetch(request)) => Ok(Reply::Read(read::fetch(connection, request)?)),
        Work::Do(Request::Page(query)) => Ok(Reply::Page(read::page(connection, query)?)),
        Work::Do(Request::LookUp(request)) => Ok(Reply::LookedUp(read::look_up(connection, request)?)),
        _ => Err(Error::Request("it reads nothing")),
    }
}

/// SQLite's steps between two looks whether to stop: one may copy a record of a megabyte.
pub const STEPS: i32 = 100;

/// Looks through the whole database, or copies it, on a connection of its own, until its time is over or the directory is closed.
pub fn run_long(shared: &Arc<Shared>, job: &Job) {
    deadline::set(job.due);
    let result = guarded(|| look_long(shared, job));
    let mut answers = Answers::default();
    let stopped = result.as_ref().is_err_and(|error| *error == Error::Busy) && shared.is_closing();
    job.answer(&mut answers, if stopped { Err(Error::Closed) } else { result });
    answers.deliver();
}

fn look_long(shared: &Arc<Shared>, job: &Job) -> Result<Reply, Error> {
    shared.check_refused()?;
    shared.check_files()?;
    let connection = connection::open_reader(&shared.dir)?;
    let (watched, due) = (shared.clone(), job.due);
    connection.progress_handler(STEPS, Some(move || watched.is_closing() || Instant::now() >= due))?;
    match &job.work {
        Work::Do(Request::Check) => {
            let known = Mark::open(&shared.dir)?.known()?.commits; // acknowledged before the look begins
            Ok(Reply::Checked(read::check(&connection, known)?))
        }
        Work::Do(Request::Copy(to)) => copy::copy(&connection, &copy::path_of(to)?).map(|()| Reply::Committed(true)),
        _ => Err(Error::Request("it takes no long")),
    }
}
