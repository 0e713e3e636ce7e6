//! What Linux tells of a process in `/proc/<pid>` (proc(5)).

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use jiff::Timestamp;

use super::{Holder, Share};

/// The number of the first process namespace, `PROC_PID_INIT_INO` in the kernel.
const INITIAL_NAMESPACE: &str = "pid:[4026531836]";

/// Whether this process sees only a part of the machine's processes, as in a container.
pub(in crate::lock) fn is_contained() -> bool {
    fs::read_link("/proc/self/ns/pid").is_ok_and(|link| link != Path::new(INITIAL_NAMESPACE))
}

/// A process as the holder of a lock.
pub(in crate::lock) fn holder(pid: u32, share: Share, waits: bool) -> Holder {
    Holder { pid, command: command(pid), since: since(pid), directory: directory(pid), share, waits }
}

fn in_proc(pid: u32, name: &str) -> PathBuf {
    Path::new("/proc").join(pid.to_string()).join(name)
}

/// Whether there is such a process.
pub(super) fn exists(pid: u32) -> bool {
    in_proc(pid, "stat").exists()
}

fn command(pid: u32) -> String {
    let bytes = fs::read(in_proc(pid, "cmdline")).unwrap_or_default();
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    // Arguments end in NUL; some programs overwrite theirs with a title of their own.
    let joined: Vec<u8> = bytes[..end].iter().map(|byte| if *byte == 0 { b' ' } else { *byte }).collect();
    // Whoever may see this need not see what was passed to uv as the password of an index.
    crate::uv::url::masked(&String::from_utf8_lossy(&joined)).into_owned()
}

fn directory(pid: u32) -> Option<PathBuf> {
    fs::read_link(in_proc(pid, "cwd")).ok()
}

/// The fields of `/proc/<pid>/stat` after the program's name, which may itself hold spaces and brackets.
fn fields(pid: u32) -> Option<Vec<String>> {
    let text = String::from_utf8_lossy(&fs::read(in_proc(pid, "stat")).ok()?).into_owned();
    let (_, rest) = text.rsplit_once(')')?;
    Some(rest.split_whitespace().map(str::to_owned).collect())
}

fn since(pid: u32) -> Option<Timestamp> {
    let ticks: i64 = fields(pid)?.get(19)?.parse().ok()?;
    let per_second = i64::try_from(rustix::param::clock_ticks_per_second()).ok().filter(|it| *it > 0)?;
    Timestamp::from_second(booted()?.checked_add(ticks / per_second)?).ok()
}

/// When the machine started, in seconds since 1970.
fn booted() -> Option<i64> {
    static BOOTED: OnceLock<Option<i64>> = OnceLock::new();
    *BOOTED.get_or_init(|| {
        let text = fs::read_to_string("/proc/stat").ok()?;
        text.lines().find_map(|line| line.strip_prefix("btime ")?.trim().parse().ok())
    })
}

/// The lines of all locks that the open files of a process hold. `None` where it may not be looked at, or is gone.
pub(super) fn lock_lines(pid: u32) -> Option<Vec<String>> {
    let mut lines = Vec::new();
    for item in fs::read_dir(in_proc(pid, "fdinfo")).ok()? {
        // Files are closed while they are listed.
        let Ok(text) = item.and_then(|item| fs::read_to_string(item.path())) else { continue };
        lines.extend(text.lines().filter_map(|line| line.strip_prefix("lock:")).map(str::to_owned));
    }
    Some(lines)
}

/// Whether a process has a file open. `None` where it may not be looked at, or is gone.
pub(super) fn has_open(pid: u32, device: u64, inode: u64) -> Option<bool> {
    let stat = |path: PathBuf| crate::disk::FileStat::following(&path).ok();
    let mut open = fs::read_dir(in_proc(pid, "fd")).ok()?.filter_map(Result::ok);
    Some(open.any(|item| stat(item.path()).is_some_and(|it| (it.device, it.inode) == (device, inode))))
}

/// All processes that can be seen.
pub(super) fn all() -> Vec<u32> {
    let Ok(items) = fs::read_dir("/proc") else { return Vec::new() };
    items.filter_map(|item| item.ok()?.file_name().to_str()?.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_known_with_its_command_parent_and_time() {
        let pid = std::process::id();
        let this = holder(pid, Share::Shared, false);
        assert!(this.command.contains("cachetui"), "{}", this.command);
        assert_eq!(this.directory, crate::disk::canonical(Path::new(".")).ok());
        assert_eq!(crate::disk::processes::parent(pid), Some(std::os::unix::process::parent_id()));
        assert!(this.since.unwrap() > Timestamp::from_second(1_500_000_000).unwrap());
        assert!(exists(pid));
        assert!(all().contains(&pid));
        assert_eq!(has_open(pid, 0, 0), Some(false));
    }
}
