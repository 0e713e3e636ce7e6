//! Runs a program and stops it before each of its system calls of some kinds: to look around, to kill it there, or to let
//! the call fail.
//!
//! A filter in the kernel (seccomp) picks the calls, so that the program runs at full speed in between, and ptrace stops
//! it there. Every thread is stopped at its own calls; the processes that the program starts run through, and die with it.

mod calls;

use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use nix::errno::Errno;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::not_run;

pub(crate) use calls::Kind;

/// The program stands before a call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stop {
    /// The first is 1.
    pub(crate) number: usize,
    /// The call's name.
    pub(crate) call: &'static str,
}

/// What happens to the call.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Then {
    Go,
    /// The program is killed instead.
    Kill,
    /// It fails without having done anything.
    Fail(Errno),
}

/// How a program ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// None where it was killed.
    pub(crate) code: Option<i32>,
    /// At how many calls it was stopped.
    pub(crate) stops: usize,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// Everything it said.
    pub(crate) fn said(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

/// Whether programs can be stopped here; where not, that has been said.
pub(crate) fn works() -> bool {
    static WORKS: OnceLock<bool> = OnceLock::new();
    let works = *WORKS.get_or_init(|| {
        let directory = tempfile::tempdir().unwrap();
        let mut command = Command::new("mkdir");
        command.arg(directory.path().join("made"));
        let ended = try_step(&mut command, &[Kind::Change], &mut |_| Then::Fail(Errno::EIO));
        ended.is_ok_and(|ended| ended.code == Some(1) && ended.stops == 1)
    });
    if !works {
        not_run("programs cannot be stopped at their system calls here: ptrace or seccomp does not work");
    }
    works
}

/// Runs a program, and asks at each of its calls of these kinds what to do.
pub(crate) fn step(command: &mut Command, kinds: &[Kind], decide: &mut dyn FnMut(&Stop) -> Then) -> Ended {
    try_step(command, kinds, decide).unwrap()
}

fn try_step(
    command: &mut Command,
    kinds: &[Kind],
    decide: &mut dyn FnMut(&Stop) -> Then,
) -> std::io::Result<Ended> {
    let (stdout, stderr) = (tempfile::tempfile()?, tempfile::tempfile()?);
    command.stdin(Stdio::null()).stdout(stdout.try_clone()?).stderr(stderr.try_clone()?);
    let filter = calls::filter(kinds);
    #[expect(
        unsafe_code,
        reason = "between fork and exec only two system calls are made, and nothing is allocated"
    )]
    // SAFETY: the closure only makes system calls on memory that was there before the fork.
    unsafe {
        command.pre_exec(move || {
            ptrace::traceme()?;
            filter.install()
        });
    }
    let child = command.spawn()?;
    let main = Pid::from_raw(i32::try_from(child.id()).expect("a process id"));
    let mut traced = Traced { main, stops: 0, code: None, decide };
    traced.run()?;
    let (code, stops) = (traced.code, traced.stops);
    Ok(Ended { code, stops, stdout: text(stdout)?, stderr: text(stderr)? })
}

fn text(mut file: File) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

struct Traced<'a> {
    main: Pid,
    stops: usize,
    code: Option<i32>,
    decide: &'a mut dyn FnMut(&Stop) -> Then,
}

impl Traced<'_> {
    /// Goes on until the program and whatever it started have ended.
    fn run(&mut self) -> nix::Result<()> {
        // It stops by itself once it has become the program.
        waitpid(self.main, Some(WaitPidFlag::__WALL))?;
        let options = Options::PTRACE_O_TRACESECCOMP
            | Options::PTRACE_O_TRACECLONE
            | Options::PTRACE_O_TRACEFORK
            | Options::PTRACE_O_TRACEVFORK
            | Options::PTRACE_O_TRACEEXEC
            | Options::PTRACE_O_EXITKILL;
        ptrace::setoptions(self.main, options)?;
        ptrace::cont(self.main, None)?;
        // Only what this thread started: other tests run in other threads.
        let flags = WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD;
        loop {
            match waitpid(None, Some(flags)) {
                Ok(status) => self.event(status)?,
                Err(Errno::EINTR) => {}
                Err(Errno::ECHILD) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    fn event(&mut self, status: WaitStatus) -> nix::Result<()> {
        let (pid, signal) = match status {
            WaitStatus::PtraceEvent(pid, _, event) if event == ptrace::Event::PTRACE_EVENT_SECCOMP as i32 => {
                self.stop(pid)?;
                (pid, None)
            }
            // A new thread or process begins so.
            WaitStatus::Stopped(pid, Signal::SIGSTOP | Signal::SIGTRAP)
            | WaitStatus::PtraceEvent(pid, ..)
            | WaitStatus::PtraceSyscall(pid) => (pid, None),
            WaitStatus::Stopped(pid, signal) => (pid, Some(signal)),
            WaitStatus::Exited(pid, code) => {
                if pid == self.main {
                    self.code = Some(code);
                }
                return Ok(());
            }
            WaitStatus::Signaled(..) | WaitStatus::Continued(_) | WaitStatus::StillAlive => return Ok(()),
        };
        gone_is_fine(ptrace::cont(pid, signal))
    }

    fn stop(&mut self, pid: Pid) -> nix::Result<()> {
        if process_of(pid) != Some(self.main) {
            return Ok(());
        }
        let mut registers = match ptrace::getregs(pid) {
            // Another thread has been killed, and all of them with it.
            Err(Errno::ESRCH) => return Ok(()),
            registers => registers?,
        };
        let Some(call) = calls::named(registers.orig_rax, [registers.rdi, registers.rsi, registers.rdx])
        else {
            return Ok(());
        };
        self.stops += 1;
        match (self.decide)(&Stop { number: self.stops, call }) {
            Then::Go => Ok(()),
            Then::Kill => {
                for started in started_by(self.main) {
                    gone_is_fine(kill(started, Signal::SIGKILL))?;
                }
                gone_is_fine(kill(self.main, Signal::SIGKILL))
            }
            Then::Fail(errno) => {
                // No call has this number: the kernel makes none, and the answer is as it is set here.
                registers.orig_rax = u64::MAX;
                registers.rax = i64::from(-(errno as i32)).cast_unsigned();
                ptrace::setregs(pid, registers)
            }
        }
    }
}

fn gone_is_fine(result: nix::Result<()>) -> nix::Result<()> {
    match result {
        Err(Errno::ESRCH) => Ok(()),
        other => other,
    }
}

/// The process that a thread belongs to.
fn process_of(thread: Pid) -> Option<Pid> {
    field(&format!("/proc/{thread}/status"), "Tgid:")
}

fn field(path: &str, name: &str) -> Option<Pid> {
    let status = std::fs::read_to_string(path).ok()?;
    let value = status.lines().find_map(|line| line.strip_prefix(name))?;
    Some(Pid::from_raw(value.trim().parse().ok()?))
}

/// The processes that a process started.
fn started_by(parent: Pid) -> Vec<Pid> {
    let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
    let numbers = processes.flatten().filter_map(|item| item.file_name().to_str()?.parse().ok());
    let is_child = |pid: &Pid| field(&format!("/proc/{pid}/status"), "PPid:") == Some(parent);
    numbers.map(Pid::from_raw).filter(is_child).collect()
}
