//! The system calls that can be stopped at, and the filter that picks them.

use libc::{c_long, sock_filter};

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It changes something on a filesystem.
    Change,
    /// It makes changes durable.
    Sync,
    /// It locks.
    Lock,
    /// It reads a file or directory, or looks at one.
    Read,
}

/// When a call counts.
#[derive(Clone, Copy)]
enum When {
    Always,
    /// The file in the first argument is none of the three that every program has.
    OnFile,
    /// An argument has one of these bits.
    Any(u32, u32),
    /// An argument has none of these bits.
    None(u32, u32),
    /// An argument is this.
    Is(u32, u32),
}

const MAKES: u32 = (libc::O_CREAT | libc::O_TRUNC).cast_unsigned();
/// `FICLONE` and `FICLONERANGE`.
const CLONE: [u32; 2] = [0x4004_9409, 0x4020_940d];

const CALLS: &[(&str, c_long, Kind, When)] = &[
    ("open", libc::SYS_open, Kind::Change, When::Any(1, MAKES)),
    ("openat", libc::SYS_openat, Kind::Change, When::Any(2, MAKES)),
    ("openat2", libc::SYS_openat2, Kind::Change, When::Always),
    ("creat", libc::SYS_creat, Kind::Change, When::Always),
    ("mkdir", libc::SYS_mkdir, Kind::Change, When::Always),
    ("mkdirat", libc::SYS_mkdirat, Kind::Change, When::Always),
    ("mknodat", libc::SYS_mknodat, Kind::Change, When::Always),
    ("rmdir", libc::SYS_rmdir, Kind::Change, When::Always),
    ("unlink", libc::SYS_unlink, Kind::Change, When::Always),
    ("unlinkat", libc::SYS_unlinkat, Kind::Change, When::Always),
    ("rename", libc::SYS_rename, Kind::Change, When::Always),
    ("renameat", libc::SYS_renameat, Kind::Change, When::Always),
    ("renameat2", libc::SYS_renameat2, Kind::Change, When::Always),
    ("link", libc::SYS_link, Kind::Change, When::Always),
    ("linkat", libc::SYS_linkat, Kind::Change, When::Always),
    ("symlink", libc::SYS_symlink, Kind::Change, When::Always),
    ("symlinkat", libc::SYS_symlinkat, Kind::Change, When::Always),
    ("chmod", libc::SYS_chmod, Kind::Change, When::Always),
    ("fchmod", libc::SYS_fchmod, Kind::Change, When::Always),
    ("fchmodat", libc::SYS_fchmodat, Kind::Change, When::Always),
    ("chown", libc::SYS_chown, Kind::Change, When::Always),
    ("fchown", libc::SYS_fchown, Kind::Change, When::Always),
    ("fchownat", libc::SYS_fchownat, Kind::Change, When::Always),
    ("truncate", libc::SYS_truncate, Kind::Change, When::Always),
    ("ftruncate", libc::SYS_ftruncate, Kind::Change, When::Always),
    ("fallocate", libc::SYS_fallocate, Kind::Change, When::Always),
    ("utimensat", libc::SYS_utimensat, Kind::Change, When::Always),
    ("write", libc::SYS_write, Kind::Change, When::OnFile),
    ("pwrite64", libc::SYS_pwrite64, Kind::Change, When::OnFile),
    ("writev", libc::SYS_writev, Kind::Change, When::OnFile),
    ("copy_file_range", libc::SYS_copy_file_range, Kind::Change, When::Always),
    ("sendfile", libc::SYS_sendfile, Kind::Change, When::Always),
    ("splice", libc::SYS_splice, Kind::Change, When::Always),
    ("ioctl FICLONE", libc::SYS_ioctl, Kind::Change, When::Is(1, CLONE[0])),
    ("ioctl FICLONERANGE", libc::SYS_ioctl, Kind::Change, When::Is(1, CLONE[1])),
    ("setxattr", libc::SYS_setxattr, Kind::Change, When::Always),
    ("fsetxattr", libc::SYS_fsetxattr, Kind::Change, When::Always),
    ("fsync", libc::SYS_fsync, Kind::Sync, When::Always),
    ("fdatasync", libc::SYS_fdatasync, Kind::Sync, When::Always),
    ("syncfs", libc::SYS_syncfs, Kind::Sync, When::Always),
    ("flock", libc::SYS_flock, Kind::Lock, When::Always),
    ("openat", libc::SYS_openat, Kind::Read, When::None(2, MAKES)),
    ("read", libc::SYS_read, Kind::Read, When::OnFile),
    ("pread64", libc::SYS_pread64, Kind::Read, When::OnFile),
    ("getdents64", libc::SYS_getdents64, Kind::Read, When::Always),
    ("readlink", libc::SYS_readlink, Kind::Read, When::Always),
    ("readlinkat", libc::SYS_readlinkat, Kind::Read, When::Always),
    ("statx", libc::SYS_statx, Kind::Read, When::Always),
    ("newfstatat", libc::SYS_newfstatat, Kind::Read, When::Always),
    ("fstat", libc::SYS_fstat, Kind::Read, When::Always),
];

/// The name of a call that the filter has picked.
pub(super) fn named(number: u64, arguments: [u64; 3]) -> Option<&'static str> {
    // As the filter does, which sees the lower half.
    let value = |index: u32| arguments[index as usize] & u64::from(u32::MAX);
    let is_so = |when| match when {
        When::Always => true,
        When::OnFile => value(0) > 2,
        When::Any(index, bits) => value(index) & u64::from(bits) != 0,
        When::None(index, bits) => value(index) & u64::from(bits) == 0,
        When::Is(index, wanted) => value(index) == u64::from(wanted),
    };
    let found = CALLS.iter().find(|(_, call, _, when)| u64::try_from(*call) == Ok(number) && is_so(*when));
    found.map(|(name, ..)| *name)
}

/// A program for the kernel.
pub(super) struct Filter(Vec<sock_filter>);

/// `AUDIT_ARCH_X86_64`.
const X86_64: u32 = 0xc000_003e;
const LOAD: u32 = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;

/// Where an argument's lower half lies in what the kernel shows the filter.
fn argument(index: u32) -> u32 {
    16 + 8 * index
}

fn instruction(code: u32, value: u32, yes: u8, no: u8) -> sock_filter {
    sock_filter { code: u16::try_from(code).expect("a short code"), jt: yes, jf: no, k: value }
}

/// Picks the calls of some kinds.
pub(super) fn filter(kinds: &[Kind]) -> Filter {
    let jump = |test, value, yes, no| instruction(libc::BPF_JMP | test | libc::BPF_K, value, yes, no);
    let end = |answer| instruction(libc::BPF_RET | libc::BPF_K, answer, 0, 0);
    let mut program =
        vec![instruction(LOAD, 4, 0, 0), jump(libc::BPF_JEQ, X86_64, 1, 0), end(libc::SECCOMP_RET_ALLOW)];
    for (_, number, _, when) in CALLS.iter().filter(|(_, _, kind, _)| kinds.contains(kind)) {
        let test = match *when {
            When::Always => None,
            When::OnFile => Some((0, jump(libc::BPF_JGT, 2, 0, 1))),
            When::Any(index, bits) => Some((index, jump(libc::BPF_JSET, bits, 0, 1))),
            When::None(index, bits) => Some((index, jump(libc::BPF_JSET, bits, 1, 0))),
            When::Is(index, value) => Some((index, jump(libc::BPF_JEQ, value, 0, 1))),
        };
        let number = u32::try_from(*number).expect("a small number");
        program.push(instruction(LOAD, 0, 0, 0));
        program.push(jump(libc::BPF_JEQ, number, 0, if test.is_some() { 3 } else { 1 }));
        if let Some((index, test)) = test {
            program.extend([instruction(LOAD, argument(index), 0, 0), test]);
        }
        program.push(end(libc::SECCOMP_RET_TRACE));
    }
    program.push(end(libc::SECCOMP_RET_ALLOW));
    Filter(program)
}

impl Filter {
    /// Has the kernel apply it to this process and all it starts. Allocates nothing.
    #[expect(unsafe_code, reason = "the standard library has no such call")]
    pub(super) fn install(&self) -> std::io::Result<()> {
        let program = libc::sock_fprog {
            len: u16::try_from(self.0.len()).expect("a short program"),
            filter: self.0.as_ptr().cast_mut(),
        };
        // SAFETY: the program is valid for the call, and the kernel copies it.
        let done = unsafe {
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
                && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) == 0
        };
        if done { Ok(()) } else { Err(std::io::Error::last_os_error()) }
    }
}
