//! Another process that is killed just before the n-th of its calls to the system that change files, or for which that call fails.

use std::io::{self, Read};
use std::mem::{MaybeUninit, size_of};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::ptr::null_mut;

const CHANGES: [libc::c_long; 12] = [
    libc::SYS_openat,
    libc::SYS_write,
    libc::SYS_pwrite64,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_ftruncate,
    libc::SYS_unlinkat,
    libc::SYS_renameat2,
    libc::SYS_linkat,
    libc::SYS_mkdirat,
    libc::SYS_flock,
    libc::SYS_munmap,
];
#[cfg(target_arch = "x86_64")]
const OLD_CHANGES: [libc::c_long; 5] =
    [libc::SYS_open, libc::SYS_unlink, libc::SYS_rename, libc::SYS_link, libc::SYS_mkdir];
#[cfg(not(target_arch = "x86_64"))]
const OLD_CHANGES: [libc::c_long; 0] = [];

fn trace(request: libc::c_uint, pid: i32, address: usize, data: *mut libc::c_void) -> libc::c_long {
    // SAFETY: of a stopped child of this thread; `data` is a number, or has as much room as `address` says.
    unsafe { libc::ptrace(request, pid, address, data) }
}

#[derive(Clone, Copy)]
pub enum Fault {
    Kill,
    /// With this `errno`, without being made. Of one kind of processor only.
    Fail(i32),
}

/// Whether the call that it is about to make changes files, other than what it says.
fn is_change(pid: i32) -> bool {
    let mut info = MaybeUninit::<libc::ptrace_syscall_info>::zeroed();
    let room = size_of::<libc::ptrace_syscall_info>();
    trace(libc::PTRACE_GET_SYSCALL_INFO, pid, room, info.as_mut_ptr().cast());
    // SAFETY: zeros are valid, also where the kernel filled in less.
    let info = unsafe { info.assume_init() };
    if info.op != libc::PTRACE_SYSCALL_INFO_ENTRY {
        return false;
    }
    // SAFETY: as `op` says.
    let (number, first) = unsafe { (info.u.entry.nr as libc::c_long, info.u.entry.args[0]) };
    let is_said = number == libc::SYS_write && first <= libc::STDERR_FILENO as u64;
    !is_said && (CHANGES.contains(&number) || OLD_CHANGES.contains(&number))
}

#[cfg(target_arch = "x86_64")]
fn change_registers(pid: i32, change: impl FnOnce(&mut libc::user_regs_struct)) {
    let mut registers = MaybeUninit::<libc::user_regs_struct>::zeroed();
    trace(libc::PTRACE_GETREGS, pid, 0, registers.as_mut_ptr().cast());
    // SAFETY: whole numbers all.
    let mut registers = unsafe { registers.assume_init() };
    change(&mut registers);
    trace(libc::PTRACE_SETREGS, pid, 0, (&raw mut registers).cast());
}

/// The call that it is about to make is none.
#[cfg(target_arch = "x86_64")]
fn skip_call(pid: i32) {
    change_registers(pid, |registers| registers.orig_rax = u64::MAX);
}

#[cfg(target_arch = "x86_64")]
fn fail_call(pid: i32, errno: i32) {
    change_registers(pid, |registers| registers.rax = -i64::from(errno) as u64);
}

#[cfg(not(target_arch = "x86_64"))]
fn skip_call(_pid: i32) {}

#[cfg(not(target_arch = "x86_64"))]
fn fail_call(_pid: i32, _errno: i32) {}

/// Runs the test `role` of this binary: what it said, and whether it came to an end by itself before that call, or beyond it.
pub fn run_until(step: usize, fault: Fault, role: &str, dir: &Path) -> io::Result<(String, Ended)> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(["--exact", "role", "--ignored", "--nocapture", "--test-threads=1"])
        .env("HOLDFAST_ROLE", role)
        .env("HOLDFAST_DIR", dir)
        .stdout(Stdio::piped());
    // SAFETY: one call to the system, between fork and exec.
    unsafe {
        command.pre_exec(|| match libc::ptrace(libc::PTRACE_TRACEME, 0, null_mut::<u8>(), null_mut::<u8>()) {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        });
    }
    let mut child = command.spawn()?;
    let ended = follow(child.id() as i32, step, fault);
    let mut said = String::new();
    child.stdout.take().expect("a pipe").read_to_string(&mut said)?;
    Ok((said, ended))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    Before,
    Beyond,
    Killed,
}

/// Its threads are stopped at each call, one after the other.
fn follow(main: i32, step: usize, fault: Fault) -> Ended {
    let mut steps = 0;
    let mut failing = None;
    let mut is_new = true;
    loop {
        let mut status = 0;
        // SAFETY: only children of this thread.
        let pid = unsafe { libc::waitpid(-1, &mut status, libc::__WALL | libc::__WNOTHREAD) };
        assert!(pid > 0, "{}", io::Error::last_os_error());
        if !libc::WIFSTOPPED(status) {
            if pid == main {
                return match (libc::WIFEXITED(status), steps < step) {
                    (false, _) => Ended::Killed,
                    (true, true) => Ended::Before,
                    (true, false) => Ended::Beyond,
                };
            }
            continue;
        }
        if is_new {
            is_new = false;
            let options = libc::PTRACE_O_TRACESYSGOOD | libc::PTRACE_O_TRACECLONE | libc::PTRACE_O_EXITKILL;
            trace(libc::PTRACE_SETOPTIONS, pid, 0, options as usize as *mut _);
        }
        let signal = libc::WSTOPSIG(status);
        let is_call = signal == libc::SIGTRAP | 0x80;
        if let Some((_, errno)) = failing.take_if(|(failing, _)| is_call && *failing == pid) {
            fail_call(pid, errno);
        } else if is_call && is_change(pid) {
            steps += 1;
            match fault {
                Fault::Kill if steps == step => {
                    // SAFETY: a child that was not waited for yet.
                    unsafe { libc::kill(main, libc::SIGKILL) };
                    continue;
                }
                Fault::Fail(errno) if steps == step => {
                    skip_call(pid);
                    failing = Some((pid, errno));
                }
                _ => {}
            }
        }
        // What a thread begins with, and what this itself brings about, is no signal of its own.
        let own = [libc::SIGTRAP, libc::SIGTRAP | 0x80, libc::SIGSTOP].contains(&signal);
        trace(libc::PTRACE_SYSCALL, pid, 0, if own { null_mut() } else { signal as usize as *mut _ });
    }
}
