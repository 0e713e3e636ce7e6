//! Lets uv fetch distributions into the cache, by installing them into a directory that is thrown away.
//!
//! uv is never asked to install into a damaged environment: it uninstalls before it finds out that it cannot install
//! (uv 0.13.8). What it unpacks stays in the cache, and is linked from there.
//!
//! # Locking
//! The caller holds no lock: uv takes the cache's itself.

use std::ffi::{OsStr, OsString};
use std::io::{Read as _, Seek as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::scratch::Scratch;
use crate::control::Cancel;
use crate::disk::Error;

/// How often the child is looked after.
const STEP: Duration = Duration::from_millis(10);
/// The most that is kept of what uv says, in bytes.
const LONGEST: u64 = 16 << 10;

/// What uv is to fetch.
#[derive(Clone)]
pub struct Fetching<'a> {
    /// The program.
    pub uv: &'a OsStr,
    /// The cache.
    pub cache: &'a Path,
    /// Where uv is to look, and what it may do.
    pub options: &'a [String],
    /// The requirements.
    pub requirements: &'a [String],
    /// The interpreter: a program, or a version.
    pub python: &'a Path,
    /// The directory uv works in.
    pub directory: &'a Path,
    /// Where the directory that is thrown away is made.
    pub temporary: &'a Path,
    /// Passes some time.
    pub sleep: &'a (dyn Fn(Duration) + Sync),
}

/// Why uv did not fetch.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// It could not be started, or something around it failed.
    #[error(transparent)]
    Failed(#[from] Error),
    /// It ended with an error; what it said.
    #[error("uv said: {0}")]
    Said(String),
    /// Root would run it for this user.
    #[error(
        "root does not run uv in the cache or environment of user {0}: run `cachetui repair` as that user"
    )]
    OtherUser(u32),
    /// It was stopped.
    #[error("uv was stopped")]
    Cancelled,
}

/// Fetches. Whatever comes of it, the directory is removed.
pub fn fetch(fetching: &Fetching<'_>, cancel: &Cancel) -> Result<(), FetchError> {
    may_work_for(fetching)?;
    let target = Scratch::new(fetching.temporary)?;
    let failed = |operation, error| Error::new(operation, target.path(), error);
    let mut said = target.file().map_err(|error| failed("create a file in", error))?;
    let stderr = said.try_clone().map_err(|error| failed("use a file in", error))?;
    let mut command = command(fetching, &target.path().join("site"));
    command.stdin(target.stdin()).stdout(Stdio::null()).stderr(stderr);
    let mut child = command.spawn().map_err(|error| Error::new("start", Path::new(fetching.uv), error))?;
    let status = loop {
        if let Some(status) = child.try_wait().map_err(|error| Error::new("wait for", fetching.uv, error))? {
            break status;
        }
        if cancel.is_cancelled() {
            stop(&mut child);
            child.wait().map_err(|error| Error::new("wait for", fetching.uv, error))?;
            return Err(FetchError::Cancelled);
        }
        (fetching.sleep)(STEP);
    };
    if status.success() {
        return Ok(());
    }
    let mut text = Vec::new();
    let read = said.rewind().and_then(|()| said.take(LONGEST).read_to_end(&mut text));
    read.map_err(|error| failed("read what uv said in", error))?;
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let text = if lines.is_empty() { status.to_string() } else { lines.join(" ") };
    // Git repeats a URL with its password.
    Err(FetchError::Said(crate::uv::url::masked(&text).into_owned()))
}

/// Whether root may let uv work here: what uv makes in the cache of another user is root's, and that user's own uv fails over
/// it; and it runs the interpreter of the environment, which that user may have written.
#[cfg(unix)]
fn may_work_for(fetching: &Fetching<'_>) -> Result<(), FetchError> {
    use crate::disk::FileStat;
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let owner = |path: &Path| FileStat::following(path).ok().map(|stat| stat.owner).filter(|user| *user != 0);
    let python = fetching.python.is_absolute().then_some(fetching.python);
    let mut places = [Some(fetching.cache), python.and_then(Path::parent), python].into_iter().flatten();
    match places.find_map(owner) {
        Some(user) => Err(FetchError::OtherUser(user)),
        None => Ok(()),
    }
}

/// Other systems have no such user.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
fn may_work_for(_fetching: &Fetching<'_>) -> Result<(), FetchError> {
    Ok(())
}

fn command(fetching: &Fetching<'_>, target: &Path) -> Command {
    let mut command = Command::new(fetching.uv);
    let mut arguments: Vec<OsString> =
        ["pip", "install", "--no-deps", "--no-progress", "--color", "never"].map(OsString::from).to_vec();
    // Nothing is left behind but the entry, and no byte is copied for it.
    if cfg!(unix) {
        arguments.extend(["--link-mode", "symlink"].map(OsString::from));
    }
    arguments.extend(fetching.options.iter().map(OsString::from));
    arguments.extend([
        "--target".into(),
        target.into(),
        "--python".into(),
        fetching.python.into(),
        "--".into(),
    ]);
    arguments.extend(fetching.requirements.iter().map(OsString::from));
    command.args(arguments).current_dir(fetching.directory).env("UV_CACHE_DIR", fetching.cache);
    // What would keep it from the cache, or ask for another place.
    for name in ["UV_NO_CACHE", "UV_LINK_MODE", "UV_SYSTEM_PYTHON", "UV_COMPILE_BYTECODE"] {
        command.env_remove(name);
    }
    command
}

#[cfg(unix)]
fn stop(child: &mut Child) {
    // Asked, not killed, so that uv clears up; one that has ended needs nothing.
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
}

#[cfg(not(unix))]
fn stop(child: &mut Child) {
    // One that has ended needs nothing.
    let stopped: std::io::Result<()> = child.kill();
    drop(stopped);
}
