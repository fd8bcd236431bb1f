//! Reading that must not wait: while a thread says so, SQLite neither sleeps nor reads what the system does not have in memory
//! already, nor more than a bound. What would have to wait fails, as an error that says nothing of the store, and is to be done
//! again by a thread that may.

use std::cell::Cell;
use std::sync::OnceLock;

thread_local! {
    static LEFT: Cell<Option<usize>> = const { Cell::new(None) };
    static OVER: Cell<bool> = const { Cell::new(false) };
}

/// Ends with the scope, whatever ends that.
struct Guard;

impl Drop for Guard {
    fn drop(&mut self) {
        LEFT.set(None);
    }
}

/// `bytes`: how many may be read meanwhile. Also whether there were more to be read.
pub fn without_waiting<T>(bytes: usize, run: impl FnOnce() -> T) -> (T, bool) {
    LEFT.set(Some(bytes));
    OVER.set(false);
    let _guard = Guard;
    (run(), OVER.get())
}

/// How many bytes this thread may still read; None: as many as there are.
pub fn left() -> Option<usize> {
    LEFT.get()
}

/// There are more to be read than that.
pub fn go_over() {
    OVER.set(true);
}

/// This thread must not wait now.
pub fn is_on() -> bool {
    LEFT.get().is_some()
}

static READY: OnceLock<bool> = OnceLock::new();

/// Before the first connection is opened. False: it cannot be had here.
pub fn prepare() -> bool {
    *READY.get_or_init(system::prepare)
}

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod system {
    use super::LEFT;
    use core::ffi::{c_int, c_void};
    use rusqlite::ffi;
    use std::ptr::{null, null_mut};
    use std::sync::atomic::{AtomicPtr, Ordering};

    type Read = unsafe extern "C" fn(c_int, *mut c_void, usize, libc::off_t) -> isize;
    type Sleep = unsafe extern "C" fn(*mut ffi::sqlite3_vfs, c_int) -> c_int;

    static SLEEP: AtomicPtr<c_void> = AtomicPtr::new(null_mut());

    pub fn prepare() -> bool {
        const PREAD: &core::ffi::CStr = c"pread";
        // SAFETY: no connection is open yet, so that nobody uses the table that is changed here; `read_at` has the type of what
        // it takes the place of (os_unix.c, `aSyscall`; empty where SQLite was built without USE_PREAD).
        unsafe {
            let vfs = ffi::sqlite3_vfs_find(null());
            let Some(found) = vfs.as_mut() else { return false };
            let (Some(get), Some(set), Some(sleep)) = (found.xGetSystemCall, found.xSetSystemCall, found.xSleep) else {
                return false;
            };
            if get(vfs, PREAD.as_ptr()).is_none() {
                return false;
            }
            SLEEP.store(sleep as *mut c_void, Ordering::Release);
            found.xSleep = Some(sleep_if_it_may);
            let read = std::mem::transmute::<Read, unsafe extern "C" fn()>(read_at);
            set(vfs, PREAD.as_ptr(), Some(read)) == ffi::SQLITE_OK
        }
    }

    /// As `pread(2)`; by `preadv2(2)` with `RWF_NOWAIT` where it must not wait.
    unsafe extern "C" fn read_at(file: c_int, to: *mut c_void, count: usize, offset: libc::off_t) -> isize {
        let Some(left) = LEFT.get() else {
            // SAFETY: as the caller has it.
            return unsafe { libc::pread(file, to, count, offset) };
        };
        LEFT.set(Some(left.saturating_sub(count)));
        if left < count {
            super::go_over();
            return would_wait();
        }
        let part = libc::iovec { iov_base: to, iov_len: count };
        // SAFETY: one part, as long as the caller says; the offset is one number where a pointer has 64 bits.
        let read = unsafe { libc::syscall(libc::SYS_preadv2, file, &raw const part, 1, offset, 0, libc::RWF_NOWAIT) };
        // Linux 5.9 and 5.10 say so also before the end (preadv2(2), BUGS): SQLite would keep a page of zeros.
        if read == 0 { would_wait() } else { read as isize }
    }

    fn would_wait() -> isize {
        // SAFETY: the place of this thread's own number.
        unsafe { *libc::__errno_location() = libc::EAGAIN };
        -1
    }

    unsafe extern "C" fn sleep_if_it_may(vfs: *mut ffi::sqlite3_vfs, microseconds: c_int) -> c_int {
        let sleep = SLEEP.load(Ordering::Acquire);
        if super::is_on() || sleep.is_null() {
            return 0;
        }
        // SAFETY: it was stored as one of this type.
        unsafe { std::mem::transmute::<*mut c_void, Sleep>(sleep)(vfs, microseconds) }
    }

    #[cfg(test)]
    mod tests {
        use super::super::without_waiting;
        use super::read_at;
        use std::io::Write;
        use std::os::fd::AsRawFd;

        #[test]
        fn takes_no_end_of_a_file_from_a_reading_that_must_not_wait() {
            let path = std::env::temp_dir().join(format!("holdfast-no-wait-{}", std::process::id()));
            let mut file = std::fs::File::options().read(true).write(true).create_new(true).open(&path).unwrap();
            std::fs::remove_file(&path).unwrap();
            file.write_all(b"page").unwrap();
            let mut room = [0_u8; 8];
            // SAFETY: the room is as long as that.
            let mut read = |offset| unsafe { read_at(file.as_raw_fd(), room.as_mut_ptr().cast(), 8, offset) };
            assert_eq!([read(0), read(4)], [4, 0]);
            assert_eq!(without_waiting(64, || read(4)), (-1, false));
            assert_eq!(std::io::Error::last_os_error().kind(), std::io::ErrorKind::WouldBlock);
        }
    }
}

#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
mod system {
    pub fn prepare() -> bool {
        false
    }
}
