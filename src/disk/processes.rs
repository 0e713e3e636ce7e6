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

/// What [`within`] tells, and processes that have programs of the directory on their `PATH`: what uv has started in an environment of
/// the cache, and what works with an environment without having activated it.
#[cfg(target_os = "linux")]
pub fn within_or_on_path(directories: &[PathBuf]) -> Vec<Vec<u32>> {
    find(directories, true)
}

/// What [`within`] tells; `PATH` is not to be seen here.
#[cfg(not(target_os = "linux"))]
pub fn within_or_on_path(directories: &[PathBuf]) -> Vec<Vec<u32>> {
    within(directories)
}

#[cfg(target_os = "linux")]
fn find(directories: &[PathBuf], on_path: bool) -> Vec<Vec<u32>> {
    use std::os::unix::ffi::OsStrExt as _;
    let mut found = vec![Vec::new(); directories.len()];
    if directories.is_empty() {
        return found;
    }
    // A process may name a directory as the caller does, or by where it really is.
    let wanted: Vec<Vec<PathBuf>> = directories
        .iter()
        .map(|path| std::iter::once(path.clone()).chain(crate::disk::canonical(path).ok()).collect())
        .collect();
    let Ok(processes) = std::fs::read_dir("/proc") else { return found };
    let mut pids: Vec<u32> =
        processes.flatten().filter_map(|item| item.file_name().to_str()?.parse().ok()).collect();
    pids.sort_unstable();
    let ancestors: Vec<u32> =
        std::iter::successors(parent(std::process::id()), |pid| parent(*pid)).take(256).collect();
    let mut places = linux::Places::default();
    for pid in pids {
        let told = match pid {
            // This process names everything it works on, and so may the shell or the uv that started it: of itself counts what it is,
            // and of those not what they were told to start.
            pid if pid == std::process::id() => linux::program(pid),
            pid if ancestors.contains(&pid) => linux::told(pid, on_path, false, &mut places),
            pid => linux::told(pid, on_path, true, &mut places),
        };
        for (paths, found) in wanted.iter().zip(&mut found) {
            let is_told =
                |path: &PathBuf| told.iter().any(|text| linux::lies_in(text.as_os_str().as_bytes(), path));
            if paths.iter().any(is_told) {
                found.push(pid);
            }
        }
    }
    // What a shell has activated since it was started only what it starts can tell. It has nothing open there.
    if let Some(shell) = parent(std::process::id()).filter(|_| on_path) {
        let activated = linux::activated(std::process::id(), on_path, &mut places);
        for (paths, found) in wanted.iter().zip(&mut found) {
            let is_told = |path: &PathBuf| {
                activated.iter().any(|text| linux::lies_in(text.as_os_str().as_bytes(), path))
            };
            if !found.contains(&shell) && paths.iter().any(is_told) {
                found.push(shell);
                found.sort_unstable();
            }
        }
    }
    found
}

/// The process that started another one, or took it over.
#[cfg(target_os = "linux")]
pub fn parent(pid: u32) -> Option<u32> {
    // Field 4 of proc(5); the first after the program's name, which may itself hold spaces and brackets, is field 3.
    let text = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let (_, rest) = text.rsplit_once(')')?;
    rest.split_whitespace().nth(1)?.parse().ok().filter(|parent| *parent != 0)
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
    use std::collections::{BTreeSet, HashMap};
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    use std::path::{Path, PathBuf};

    /// Where paths really are that processes name, each looked up once. The last name may be a symlink that is what counts, as an
    /// environment's interpreter is.
    #[derive(Default)]
    pub(super) struct Places(HashMap<PathBuf, Vec<PathBuf>>);

    impl Places {
        fn of(&mut self, path: PathBuf) -> &[PathBuf] {
            self.0.entry(path).or_insert_with_key(|path| {
                let whole = crate::disk::canonical(path).ok();
                let above = path.parent().and_then(|above| crate::disk::canonical(above).ok());
                let named = above.zip(path.file_name()).map(|(above, name)| above.join(name));
                whole.into_iter().chain(named).chain([path.clone()]).collect()
            })
        }
    }

    /// The program of a process.
    pub(super) fn program(pid: u32) -> BTreeSet<PathBuf> {
        let link = Path::new("/proc").join(pid.to_string()).join("exe");
        std::fs::read_link(link).into_iter().collect()
    }

    /// The environments that a process was started with: by `VIRTUAL_ENV`, and, if it is asked for, by `PATH`.
    pub(super) fn activated(pid: u32, on_path: bool, places: &mut Places) -> BTreeSet<PathBuf> {
        let directory = Path::new("/proc").join(pid.to_string());
        let path = |text: &[u8]| PathBuf::from(OsStr::from_bytes(text));
        let mut named: BTreeSet<PathBuf> = BTreeSet::new();
        let all = std::fs::read(directory.join("environ")).unwrap_or_default();
        for variable in all.split(|byte| *byte == 0) {
            named.extend(variable.strip_prefix(b"VIRTUAL_ENV=").filter(|text| !text.is_empty()).map(path));
            if let Some(all) = variable.strip_prefix(b"PATH=").filter(|_| on_path) {
                named.extend(all.split(|byte| *byte == b':').filter(|text| text.starts_with(b"/")).map(path));
            }
        }
        named.into_iter().flat_map(|path| places.of(path).to_vec()).collect()
    }

    /// Every path that a process shows: those where it looks for programs, and those it was started with, only if they are asked for.
    pub(super) fn told(pid: u32, on_path: bool, arguments: bool, places: &mut Places) -> BTreeSet<PathBuf> {
        let directory = Path::new("/proc").join(pid.to_string());
        let mut told = program(pid);
        let cwd = std::fs::read_link(directory.join("cwd")).ok();
        told.extend(cwd.clone());
        let fields = |name: &str| std::fs::read(directory.join(name)).unwrap_or_default();
        let path = |text: &[u8]| PathBuf::from(OsStr::from_bytes(text));
        let mut named: BTreeSet<PathBuf> = BTreeSet::new();
        for argument in fields("cmdline").split(|byte| *byte == 0).filter(|_| arguments) {
            // Paths stand alone, or behind an equals sign; a relative one begins where the process works.
            for text in argument.split(|byte| *byte == b'=').filter(|text| text.contains(&b'/')) {
                if text[0] == b'/' {
                    named.insert(path(text));
                } else if let Some(cwd) = &cwd {
                    named.insert(cwd.join(path(text)));
                }
            }
        }
        for path in named {
            told.extend(places.of(path).iter().cloned());
        }
        told.extend(activated(pid, on_path, places));
        for line in fields("maps").split(|byte| *byte == b'\n') {
            if let Some(start) = line.iter().position(|byte| *byte == b'/') {
                told.insert(path(&line[start..]));
            }
        }
        told
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
    fn a_program_that_is_named_by_a_relative_path_or_through_a_symlink_is_found() {
        #![expect(clippy::disallowed_methods, reason = "a test makes the directories it needs")]
        use std::io::{Read as _, Write as _};
        use std::process::{Command, Stdio};
        let directory = tempfile::tempdir().unwrap();
        let base = directory.path().canonicalize().unwrap();
        let bin = base.join("project/.venv/bin");
        std::fs::create_dir_all(&bin).unwrap();
        std::os::unix::fs::symlink("/bin/cat", bin.join("python")).unwrap();
        std::os::unix::fs::symlink(base.join("project"), base.join("alias")).unwrap();
        let started = |program: &str, at: &str| {
            let mut command = Command::new(program);
            let mut child = command
                .current_dir(base.join(at))
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            child.stdin.as_mut().unwrap().write_all(b"!").unwrap();
            child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
            child
        };
        let alias = base.join("alias/.venv/bin/python");
        let mut children = [started("./.venv/bin/python", "project"), started(alias.to_str().unwrap(), "")];
        let found = super::within(&[base.join("project/.venv")]);
        for child in &mut children {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        let mut expected: Vec<u32> = children.iter().map(std::process::Child::id).collect();
        expected.sort_unstable();
        assert_eq!(found, [expected]);
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
