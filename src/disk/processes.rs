//! Which processes run in a directory, as far as `/proc` tells (proc(5)).
//!
//! A process runs in an environment when its program, its working directory, an argument, its `VIRTUAL_ENV` or a file it
//! has mapped lies there: the interpreter of an environment is a symlink, so that the program alone says nothing. Of what
//! `uv run --with` and `uvx` start only `PATH` may tell, on which they put the programs of each environment they layer (uv
//! 0.13.8). Of other users' processes only the arguments can be read.
//!
//! On Windows the program tells: what stands in an environment's `Scripts` is a program of its own, which waits for the
//! interpreter that it starts.

use std::path::PathBuf;

/// Whether [`within`] can tell of processes: where `/proc` is mounted and shows those of others too, and on Windows.
pub fn visible() -> bool {
    if !cfg!(target_os = "linux") {
        return cfg!(windows);
    }
    // Mounted with `hidepid` it shows everybody their own processes only, and the first is root's (proc(5)).
    std::fs::read_link("/proc/self/exe").is_ok() && std::fs::read("/proc/1/cmdline").is_ok()
}

/// For each of some directories, the ids of the processes that run in it, in ascending order. Nothing is known elsewhere
/// than on Linux and Windows.
#[cfg(target_os = "linux")]
pub fn within(directories: &[PathBuf]) -> Vec<Vec<u32>> {
    find(directories, false)
}

/// What [`within`] tells, for environments of a cache: nobody has those on their `PATH` but what uv has started in them.
#[cfg(target_os = "linux")]
pub fn within_or_on_path(directories: &[PathBuf]) -> Vec<Vec<u32>> {
    find(directories, true)
}

/// What [`within`] tells, for environments of a cache.
#[cfg(not(target_os = "linux"))]
pub fn within_or_on_path(directories: &[PathBuf]) -> Vec<Vec<u32>> {
    within(directories)
}

#[cfg(target_os = "linux")]
fn find(directories: &[PathBuf], on_path: bool) -> Vec<Vec<u32>> {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    use std::path::Path;
    let mut found = vec![Vec::new(); directories.len()];
    if directories.is_empty() {
        return found;
    }
    // A process may name a directory as the caller does, or by where it really is.
    let wanted: Vec<Vec<PathBuf>> = directories
        .iter()
        .map(|path| std::iter::once(path.clone()).chain(crate::disk::canonical(path).ok()).collect())
        .collect();
    let names: Vec<&OsStr> = wanted.iter().flatten().filter_map(|path| path.file_name()).collect();
    let Ok(processes) = std::fs::read_dir("/proc") else { return found };
    let mut pids: Vec<u32> =
        processes.flatten().filter_map(|item| item.file_name().to_str()?.parse().ok()).collect();
    pids.sort_unstable();
    for pid in pids {
        // This process names everything it works on: only what it is itself counts.
        let told = if pid == std::process::id() { linux::program(pid) } else { linux::told(pid, on_path) };
        // What a process names by way of a symlink lies in a directory that is called the same in the end.
        let real: Vec<PathBuf> = told
            .iter()
            .filter(|text| names.iter().any(|name| linux::contains(text, name.as_bytes())))
            .filter_map(|text| crate::disk::canonical(Path::new(OsStr::from_bytes(text))).ok())
            .collect();
        for (paths, found) in wanted.iter().zip(&mut found) {
            let is_told = |path: &PathBuf| {
                told.iter().any(|text| linux::lies_in(text, path))
                    || real.iter().any(|it| it.starts_with(path))
            };
            if paths.iter().any(is_told) {
                found.push(pid);
            }
        }
    }
    found
}

/// For each of some directories, the ids of the processes that run in it, in ascending order.
#[cfg(windows)]
pub fn within(directories: &[PathBuf]) -> Vec<Vec<u32>> {
    let mut found = vec![Vec::new(); directories.len()];
    if directories.is_empty() {
        return found;
    }
    let wanted: Vec<Vec<PathBuf>> = directories
        .iter()
        .map(|path| std::iter::once(path.clone()).chain(crate::disk::canonical(path).ok()).collect())
        .collect();
    for process in crate::win32::process::all() {
        let Some(image) = crate::win32::process::image(process.pid) else { continue };
        for (paths, found) in wanted.iter().zip(&mut found) {
            if paths.iter().any(|path| super::same::lies_in(&image, path)) {
                found.push(process.pid);
            }
        }
    }
    found
}

/// For each of some directories, the processes that run in it; nothing is known here.
#[cfg(not(any(target_os = "linux", windows)))]
pub fn within(directories: &[PathBuf]) -> Vec<Vec<u32>> {
    vec![Vec::new(); directories.len()]
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::BTreeSet;
    use std::os::unix::ffi::OsStrExt as _;
    use std::path::Path;

    /// The program of a process.
    pub(super) fn program(pid: u32) -> BTreeSet<Vec<u8>> {
        let link = Path::new("/proc").join(pid.to_string()).join("exe");
        std::fs::read_link(link).into_iter().map(|path| path.as_os_str().as_bytes().to_vec()).collect()
    }

    /// Every path that a process shows, those where it looks for programs only if they are asked for.
    pub(super) fn told(pid: u32, on_path: bool) -> BTreeSet<Vec<u8>> {
        let directory = Path::new("/proc").join(pid.to_string());
        let mut told = BTreeSet::new();
        for link in ["exe", "cwd"] {
            if let Ok(path) = std::fs::read_link(directory.join(link)) {
                told.insert(path.as_os_str().as_bytes().to_vec());
            }
        }
        let fields = |name: &str| std::fs::read(directory.join(name)).unwrap_or_default();
        for argument in fields("cmdline").split(|byte| *byte == 0) {
            // Paths stand alone, or behind an equals sign.
            told.extend(argument.split(|byte| *byte == b'=').map(<[u8]>::to_vec));
        }
        for variable in fields("environ").split(|byte| *byte == 0) {
            told.extend(variable.strip_prefix(b"VIRTUAL_ENV=").map(<[u8]>::to_vec));
            if let Some(path) = variable.strip_prefix(b"PATH=").filter(|_| on_path) {
                told.extend(path.split(|byte| *byte == b':').map(<[u8]>::to_vec));
            }
        }
        for line in fields("maps").split(|byte| *byte == b'\n') {
            if let Some(start) = line.iter().position(|byte| *byte == b'/') {
                told.insert(line[start..].to_vec());
            }
        }
        told
    }

    /// Whether a text has another one in it.
    pub(super) fn contains(text: &[u8], part: &[u8]) -> bool {
        !part.is_empty() && text.windows(part.len()).any(|window| window == part)
    }

    /// Whether a path, or what a longer text begins with, is a directory or lies in it.
    pub(super) fn lies_in(text: &[u8], directory: &Path) -> bool {
        let rest = text.strip_prefix(directory.as_os_str().as_bytes());
        rest.is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_is_found_by_where_it_works_and_by_what_it_was_started_with() {
        use std::io::{Read as _, Write as _};
        use std::process::{Command, Stdio};
        let directory = tempfile::tempdir().unwrap();
        let place = |name: &str| directory.path().join(name);
        let (works, named, neighbour) = (place("env"), place("env-named"), place("en"));
        for path in [&works, &named, &neighbour] {
            #[expect(clippy::disallowed_methods, reason = "a test makes the directories it needs")]
            std::fs::create_dir(path).unwrap();
        }
        // It has answered: what it was started with is not to be seen in the very moment of execve(2).
        let started = |command: &mut Command| {
            let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
            child.stdin.as_mut().unwrap().write_all(b"!").unwrap();
            child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
            child
        };
        let mut first = started(Command::new("cat").current_dir(&works));
        let mut second = started(Command::new("cat").env("VIRTUAL_ENV", &named));
        let found = super::within(&[works, named, neighbour]);
        for child in [&mut first, &mut second] {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        assert_eq!(found, [vec![first.id()], vec![second.id()], vec![]]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_is_on_its_path_tells_only_where_it_is_asked_for() {
        use std::io::{Read as _, Write as _};
        use std::process::{Command, Stdio};
        let directory = tempfile::tempdir().unwrap();
        let path = format!("/usr/bin:{}:/bin", directory.path().join("bin").display());
        let mut command = Command::new("/bin/cat");
        let mut child =
            command.env("PATH", path).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.as_mut().unwrap().write_all(b"!").unwrap();
        child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        let directories = [directory.path().to_owned()];
        let found = (super::within(&directories), super::within_or_on_path(&directories));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(found, (vec![vec![]], vec![vec![child.id()]]));
    }
}
