//! Who holds a lock, as far as the platform tells.
//!
//! Linux lists all locks in `/proc/locks`, with the process that took each; see [`table`] for what that leaves open. On
//! Windows the Restart Manager tells who has the file open. Other platforms tell nothing, and nobody is named there.

#[cfg(target_os = "linux")]
pub(super) mod process;
#[cfg(target_os = "linux")]
pub(super) mod table;
#[cfg(windows)]
pub(super) mod windows;

use std::path::{Path, PathBuf};

use jiff::Timestamp;

/// How a lock is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Share {
    /// Together with others.
    Shared,
    /// Alone.
    Exclusive,
}

/// A process that holds a lock, or waits for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its process id; 0 where a process holds the lock that cannot be seen from here, see [`Holder::is_seen`].
    pub pid: u32,
    /// Its command line, its arguments joined with spaces, not escaped; empty where it cannot be read.
    pub command: String,
    /// When it started.
    pub since: Option<Timestamp>,
    /// Its working directory.
    pub directory: Option<PathBuf>,
    /// How it holds the lock, or wants to.
    pub share: Share,
    /// Whether it only waits for the lock.
    pub waits: bool,
}

/// What stands for the command line of a process that cannot be seen.
const OUTSIDE: &str = "a process outside this container";

impl Holder {
    /// Whether its process can be seen from here: what runs outside a container has no number in it.
    pub fn is_seen(&self) -> bool {
        self.pid != 0
    }

    /// Its command line without the directories before the program's name, for people; not escaped.
    pub fn brief(&self) -> &str {
        let program = self.command.split(' ').next().unwrap_or_default();
        let name = program.rsplit(['/', '\\']).next().unwrap_or_default();
        if name.is_empty() { &self.command } else { &self.command[program.len() - name.len()..] }
    }

    /// Somebody who cannot be seen.
    fn outside(share: Share) -> Self {
        Self { pid: 0, command: OUTSIDE.to_owned(), since: None, directory: None, share, waits: false }
    }
}

/// Who holds the lock of a file, then who waits for it. Empty where nobody does, or the platform does not tell.
#[cfg(target_os = "linux")]
pub fn of(path: &Path) -> Vec<Holder> {
    let Ok(stat) = crate::disk::FileStat::of(path) else { return Vec::new() };
    table::Table::read().map(|table| table.holders(path, &stat)).unwrap_or_default()
}

/// Who has a file open whose lock is held. Empty where nobody holds it, or the system does not tell.
#[cfg(windows)]
pub fn of(path: &Path) -> Vec<Holder> {
    match super::file::tried(path) {
        Ok(Some(share)) => windows::of(path, share),
        _ => Vec::new(),
    }
}

/// Who holds the lock of a file: not told here.
#[cfg(not(any(target_os = "linux", windows)))]
pub fn of(_path: &Path) -> Vec<Holder> {
    Vec::new()
}

/// Who holds a lock that was just found busy: there must be somebody, and who cannot be seen is told so.
pub(super) fn of_busy(path: &Path, wanted: Share) -> Vec<Holder> {
    let holders = of(path);
    if holders.iter().all(|holder| holder.waits) && is_contained() {
        // What is wanted alone may be held together; whoever is in the way of a shared lock holds it alone.
        let share = if wanted == Share::Shared { Share::Exclusive } else { Share::Shared };
        return std::iter::once(Holder::outside(share)).chain(holders).collect();
    }
    holders
}

/// Whether some processes of this machine cannot be seen from here.
#[cfg(target_os = "linux")]
fn is_contained() -> bool {
    process::is_contained()
}

/// Whether some processes of this machine cannot be seen from here: not told, and nobody is named anyway.
#[cfg(not(target_os = "linux"))]
fn is_contained() -> bool {
    false
}

impl Holder {
    /// Since when it holds a lock, and the command that ends it, as a sentence; nothing for one that only waits or is not seen. Not
    /// escaped.
    pub fn end(&self, now: Timestamp) -> Option<String> {
        if self.waits || !self.is_seen() {
            return None;
        }
        let pid = self.pid;
        let command = if cfg!(windows) { format!("taskkill /PID {pid}") } else { format!("kill {pid}") };
        let since = self.since.map(|since| format!(", started {}", crate::human::ago(since, now)));
        Some(format!("{}{}: `{command}` ends it.", one_in_words(self), since.unwrap_or_default()))
    }
}

/// That a cache is held, and what that means for others, as a sentence. Not escaped.
pub fn held_in_words(holders: &[Holder]) -> String {
    format!("The cache is held by {}; changing it has to wait, looking at it does not.", in_words(holders))
}

/// Holders as a part of a sentence, escaped: `process 4711 (uv run app)`. Those who only wait are left out.
pub fn in_words(holders: &[Holder]) -> String {
    let words: Vec<String> = holders.iter().filter(|holder| !holder.waits).map(one_in_words).collect();
    match words.as_slice() {
        [] => "another process".to_owned(),
        [one] => one.clone(),
        [first, rest @ ..] => format!(
            "{first} and {}",
            crate::human::counted(rest.len() as u64, "other process", "other processes")
        ),
    }
}

fn one_in_words(holder: &Holder) -> String {
    if !holder.is_seen() {
        return OUTSIDE.to_owned();
    }
    let command = crate::human::escape(holder.brief());
    match command.as_ref() {
        "" => format!("process {}", holder.pid),
        command => format!("process {} (`{}`)", holder.pid, shortened(command)),
    }
}

/// The first part of a command line, which says what runs; the rest may be pages long.
fn shortened(command: &str) -> String {
    const LONGEST: usize = 80;
    match command.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}\u{2026}", &command[..end]),
        None => command.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(pid: u32, command: &str, waits: bool) -> Holder {
        Holder { pid, command: command.to_owned(), since: None, directory: None, share: Share::Shared, waits }
    }

    #[test]
    fn holders_are_told_shortly_escaped_and_without_those_who_wait() {
        assert_eq!(in_words(&[]), "another process");
        let uv = holder(7, "/opt/bin/uv run \x1b[31mapp", false);
        assert_eq!(in_words(std::slice::from_ref(&uv)), "process 7 (`uv run \\x1b[31mapp`)");
        let (second, waits) = (holder(8, "", false), holder(9, "uv cache prune", true));
        assert_eq!(in_words(&[second.clone(), waits.clone()]), "process 8");
        assert_eq!(in_words(&[uv, second, waits]), "process 7 (`uv run \\x1b[31mapp`) and 1 other process");
        assert_eq!(in_words(&[holder(0, OUTSIDE, false)]), "a process outside this container");
        let long = format!("uv {}", "x".repeat(200));
        assert!(in_words(&[holder(7, &long, false)]).chars().count() < 110);
        assert_eq!(holder(7, "C:\\bin\\uv.exe sync", false).brief(), "uv.exe sync");
        assert_eq!(holder(7, "/", false).brief(), "/");
    }
}
