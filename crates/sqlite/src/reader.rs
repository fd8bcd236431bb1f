//! The thread of the process that reads from a directory: no reading waits for a writing, and none holds up JavaScript.

use crate::connection;
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
    let mut connection = None;
    loop {
        let jobs = shared.reads.take(MOST_TOGETHER);
        if jobs.is_empty() {
            return;
        }
        let mut answers = Answers::default();
        answer(shared, &mut connection, jobs, &mut answers);
        answers.deliver();
    }
}

fn answer(shared: &Shared, connection: &mut Option<Connection>, jobs: Vec<Job>, answers: &mut Answers) {
    let now = Instant::now();
    let (late, jobs): (Vec<Job>, Vec<Job>) = jobs.into_iter().partition(|job| job.is_due(now));
    late.iter().for_each(|job| job.answer(answers, Err(Error::Busy)));
    let Some(due) = jobs.iter().map(|job| job.due).min() else { return };
    deadline::set(due);
    let mut result = guarded(|| look(shared, connection, &jobs));
    if result.as_ref().is_err_and(Error::ends_connection) {
        *connection = None;
        result = guarded(|| look(shared, connection, &jobs));
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

/// All on one view of the store.
fn look(shared: &Shared, connection: &mut Option<Connection>, jobs: &[Job]) -> Result<Vec<Reply>, Error> {
    shared.check_refused()?;
    shared.check_files()?;
    if connection.is_none() {
        *connection = Some(connection::open_reader(&shared.dir)?);
    }
    let connection = connection.as_mut().ok_or(Error::Closed)?;
    let checks = jobs.iter().any(|job| matches!(job.work, Work::Do(Request::Check)));
    let known = if checks { Mark::open(&shared.dir)?.known()?.commits } else { 0 };
    let transaction = connection.transaction()?;
    jobs.iter().map(|job| read(&transaction, &job.work, known)).collect()
}

/// `known`: the commits that were acknowledged before.
fn read(connection: &Connection, work: &Work, known: u64) -> Result<Reply, Error> {
    match work {
        Work::Do(Request::Fetch(request)) => Ok(Reply::Read(read::fetch(connection, request)?)),
        Work::Do(Request::Page(query)) => Ok(Reply::Page(read::page(connection, query)?)),
        Work::Do(Request::Check) => Ok(Reply::Checked(read::check(connection, known)?)),
        _ => Err(Error::Request("it reads nothing")),
    }
}
