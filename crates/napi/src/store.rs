//! How the embedded store's threads wake JavaScript: one mailbox per store, and one raw, weak thread-safe function that is called
//! when the mailbox was empty. Other threads touch that function only under the mailbox's lock, and a cleanup hook, added after
//! the function was made, takes it away before the host frees it: so an environment may end in the middle of commits.

use crate::memory::Bytes;
use core::ffi::c_void;
use core::ptr::{null, null_mut};
use holdfast_sqlite::{Answer, Answers, Error as StoreError, Handle, Job, OpenOptions, Sink, Work, decode_all, encode};
use napi::bindgen_prelude::{Function, Unknown, retain_current_module_for_unload_safety};
use napi::{Env, Error, Result, sys};
use napi_derive::napi;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Longer than any call waits.
const LONGEST_MS: f64 = 3_600_000.0;

struct Wake(sys::napi_threadsafe_function);
// SAFETY: used under the mailbox's lock only.
unsafe impl Send for Wake {}

#[derive(Default)]
struct Inside {
    wake: Option<Wake>,
    /// Answers as bytes, not fetched yet.
    answers: Vec<u8>,
}

#[derive(Default)]
struct Mailbox {
    inside: Mutex<Inside>,
    /// Used on the JavaScript thread alone; never locked under the other.
    handle: Mutex<Option<Handle>>,
}

impl Mailbox {
    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn handle(&self) -> MutexGuard<'_, Option<Handle>> {
        self.handle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// On the JavaScript thread: nothing is woken any more, and the store has a user less.
    fn shut(&self) {
        let wake = self.lock().wake.take();
        let handle = self.handle().take();
        drop(handle);
        if let Some(Wake(wake)) = wake {
            // SAFETY: it was taken out under the lock, so that nobody else uses it.
            unsafe { sys::napi_release_threadsafe_function(wake, sys::ThreadsafeFunctionReleaseMode::abort) };
        }
    }
}

impl Sink for Mailbox {
    fn deliver(&self, answers: Vec<Answer>) {
        let mut inside = self.lock();
        // The environment is gone: what is committed stays committed.
        let Some(Wake(wake)) = inside.wake else { return };
        let first = inside.answers.is_empty();
        answers.iter().for_each(|answer| encode(answer, &mut inside.answers));
        if first {
            // SAFETY: the function is alive as long as it lies in the mailbox, whose lock is held.
            let status = unsafe {
                sys::napi_call_threadsafe_function(wake, null_mut(), sys::ThreadsafeFunctionCallMode::nonblocking)
            };
            if status == sys::Status::napi_closing {
                inside.wake = None;
            }
        }
    }
}

unsafe extern "C" fn on_cleanup(mailbox: *mut c_void) {
    // SAFETY: the hook owns one count of the mailbox, and runs once or is removed.
    unsafe { Arc::from_raw(mailbox as *const Mailbox) }.shut();
}

unsafe extern "C" fn on_wake(env: sys::napi_env, callback: sys::napi_value, _: *mut c_void, _: *mut c_void) {
    if env.is_null() || callback.is_null() {
        return; // the host empties the queue of an environment that has ended
    }
    let (mut this, mut result) = (null_mut(), null_mut());
    // SAFETY: the host calls with a live environment, on its thread.
    unsafe {
        sys::napi_get_undefined(env, &mut this);
        if sys::napi_call_function(env, this, callback, 0, null(), &mut result) == sys::Status::napi_pending_exception {
            // Left pending, some hosts lose it and others end.
            sys::napi_get_and_clear_last_exception(env, &mut result);
            sys::napi_fatal_exception(env, result);
        }
    }
}

/// One user of one directory. `wake` is called when there is something to drain.
#[napi]
pub struct StoreLink {
    mailbox: Arc<Mailbox>,
}

#[napi]
impl StoreLink {
    #[napi(constructor)]
    pub fn new(env: Env, wake: Function<'static, (), Unknown<'static>>) -> Result<Self> {
        // The host may unload the image when the last worker that loaded it ends; our threads go on.
        retain_current_module_for_unload_safety();
        let (mailbox, mut function, mut name) = (Arc::new(Mailbox::default()), null_mut(), null_mut());
        let hooked = Arc::into_raw(mailbox.clone()) as *mut c_void;
        // SAFETY: on the JavaScript thread of a live environment; the hook gets a count of the mailbox of its own.
        let made = unsafe {
            sys::napi_create_string_utf8(env.raw(), c"holdfast".as_ptr(), 8, &mut name) == sys::Status::napi_ok
                && sys::napi_create_threadsafe_function(
                    env.raw(),
                    napi::JsValue::raw(&wake),
                    null_mut(),
                    name,
                    0,
                    1,
                    null_mut(),
                    None,
                    null_mut(),
                    Some(on_wake),
                    &mut function,
                ) == sys::Status::napi_ok
                // The timer of each call keeps the process alive, nothing else does.
                && sys::napi_unref_threadsafe_function(env.raw(), function) == sys::Status::napi_ok
                && sys::napi_add_env_cleanup_hook(env.raw(), Some(on_cleanup), hooked) == sys::Status::napi_ok
        };
        if !made {
            return Err(Error::from_reason("ERR_UNAVAILABLE: the store's threads could not be connected"));
        }
        mailbox.lock().wake = Some(Wake(function));
        Ok(StoreLink { mailbox })
    }

    /// The answer to `ticket` says whether it is open. To be called once, before all others.
    #[napi(catch_unwind)]
    pub fn open(&self, dir: String, accept_older: bool, ticket: u32, bound_ms: f64) {
        let options = OpenOptions { accept_older, ticket, due: due_in(bound_ms), sink: self.mailbox.clone() };
        match Handle::open(Path::new(&dir), options) {
            Ok(handle) => *self.mailbox.handle() = Some(handle),
            Err(error) => self.mailbox.deliver(vec![Answer { ticket, result: Err(error) }]),
        }
    }

    /// Copies the requests. True: there are answers to drain already, for which nobody is woken.
    #[napi(catch_unwind)]
    pub fn submit(&self, requests: Bytes) -> Result<bool> {
        let sink: Arc<dyn Sink> = self.mailbox.clone();
        let (mut jobs, mut refused) = (Vec::new(), Answers::default());
        // SAFETY: the array lives as long as this call, and nothing writes to it meanwhile.
        for asked in decode_all(unsafe { requests.read() }) {
            let asked = asked.map_err(|error| Error::from_reason(format!("ERR_INVALID: {error}")))?;
            let ticket = asked.ticket;
            match asked.request {
                Ok(request) => {
                    let (bytes, due) = (asked.bytes, due_in(asked.bound_ms));
                    jobs.push(Job { work: Work::Do(request), bytes, ticket, due, sink: sink.clone() });
                }
                Err(error) => refused.add(&sink, Answer { ticket, result: Err(error) }),
            }
        }
        let prompt = match &*self.mailbox.handle() {
            Some(handle) => handle.submit(jobs),
            None => {
                let mut answers = Answers::default();
                jobs.iter().for_each(|job| job.answer(&mut answers, Err(StoreError::Closed)));
                answers
            }
        };
        let mut inside = self.mailbox.lock();
        let answers = refused.into_all().into_iter().chain(prompt.into_all());
        answers.for_each(|answer| encode(&answer, &mut inside.answers));
        Ok(!inside.answers.is_empty())
    }

    /// Gives writes up: those of them that were not begun, and now never will be. Nothing of these happened, and no answer to them comes.
    #[napi(catch_unwind)]
    pub fn withdraw(&self, tickets: Vec<u32>) -> Vec<u32> {
        let sink: Arc<dyn Sink> = self.mailbox.clone();
        self.mailbox.handle().as_ref().map_or_else(Vec::new, |handle| handle.withdraw(&tickets, &sink))
    }

    /// Moves all answers to the start of `out`; their length. Negative: that much room is needed, and nothing was moved.
    #[napi(catch_unwind)]
    pub fn drain(&self, out: Bytes) -> f64 {
        // SAFETY: as in `submit`; it is the only slice of this array.
        let out = unsafe { out.write() };
        let mut inside = self.mailbox.lock();
        let length = inside.answers.len();
        let Some(room) = out.get_mut(..length) else { return -(length as f64) };
        room.copy_from_slice(&inside.answers);
        inside.answers = Vec::new();
        length as f64
    }

    /// What was submitted is still done; the answer to `ticket` says that this user's share is given back.
    #[napi(catch_unwind)]
    pub fn close(&self, ticket: u32) {
        let sink: Arc<dyn Sink> = self.mailbox.clone();
        let handle = self.mailbox.handle().take();
        match handle {
            Some(handle) => handle.close(ticket, &sink),
            None => sink.deliver(vec![Answer { ticket, result: Err(holdfast_sqlite::Error::Closed) }]),
        }
    }

    /// No answer comes any more.
    #[napi(catch_unwind)]
    pub fn disconnect(&self, env: Env) {
        if self.mailbox.lock().wake.is_none() {
            return;
        }
        let hooked = Arc::as_ptr(&self.mailbox) as *mut c_void;
        // SAFETY: the hook is there as long as the mailbox has its function; run here, it must not run again.
        unsafe {
            sys::napi_remove_env_cleanup_hook(env.raw(), Some(on_cleanup), hooked);
            on_cleanup(hooked);
        }
    }
}

fn due_in(bound_ms: f64) -> Instant {
    let bound_ms = if bound_ms > 0.0 { bound_ms.min(LONGEST_MS) } else { 0.0 };
    Instant::now() + Duration::from_secs_f64(bound_ms / 1000.0)
}
