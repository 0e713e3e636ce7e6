//! `/proc/locks`, the kernel's list of all file locks (`proc_locks`(5)).
//!
//! What it leaves open:
//! - The device is that of the superblock, which is not what stat(2) says on btrfs and some overlays. Such a row counts
//!   only if the mount has that device, and its process, where it may be looked at, has the very file open.
//! - The process is the one that took the lock. It may have ended while a child keeps the open file, and its number may
//!   belong to somebody else by now: then whoever has the lock among its open files is named instead.
//! - In a container, locks of processes outside are left out.

use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use super::{Holder, Share, process};
use crate::disk::{FileStat, volume};

/// All locks of the flock(2) kind.
#[derive(Clone, Debug, Default)]
pub(in crate::lock) struct Table {
    rows: Vec<Row>,
}

/// One lock, or one process that waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Row {
    /// Who took it; not positive for processes that have no number here.
    pid: i64,
    share: Share,
    /// The major and minor number of the superblock.
    device: (u32, u32),
    inode: u64,
    waits: bool,
}

impl Table {
    /// Reads it. The kernel answers in pieces of a page, and between two of them a lock that comes or goes can hide another;
    /// a list of several pieces is therefore read several times, and what any of them has counts.
    pub(in crate::lock) fn read() -> io::Result<Self> {
        let (text, mut pieces) = read_pieces()?;
        let mut table = Self::parse(&text);
        for _ in 0..3 {
            if pieces <= 1 {
                break;
            }
            let again = read_pieces()?;
            pieces = again.1;
            for row in Self::parse(&again.0).rows {
                if !table.rows.contains(&row) {
                    table.rows.push(row);
                }
            }
        }
        Ok(table)
    }

    fn parse(text: &str) -> Self {
        Self { rows: text.lines().filter_map(parse_row).collect() }
    }

    /// Whether any file with this inode number is locked or waited for, on whichever filesystem.
    pub(in crate::lock) fn mentions(&self, inode: u64) -> bool {
        self.rows.iter().any(|row| row.inode == inode)
    }

    /// How a file is held now: by nobody, together with others, or alone.
    pub(in crate::lock) fn held(&self, path: &Path, stat: &FileStat) -> Option<Share> {
        self.of(path, stat).iter().filter(|row| !row.waits).map(|row| row.share).max()
    }

    /// Who holds a file, then who waits for it.
    pub(in crate::lock) fn holders(&self, path: &Path, stat: &FileStat) -> Vec<Holder> {
        let mut holders: Vec<Holder> = Vec::new();
        for row in self.of(path, stat) {
            for holder in row.holders() {
                let known = |it: &Holder| it.pid == holder.pid && it.waits == holder.waits;
                if !holders.iter().any(known) {
                    holders.push(holder);
                }
            }
        }
        holders.sort_by_key(|holder| holder.waits);
        holders
    }

    /// The rows of one file.
    fn of(&self, path: &Path, stat: &FileStat) -> Vec<&Row> {
        let here: Vec<&Row> = self.rows.iter().filter(|row| row.inode == stat.inode).collect();
        if here.is_empty() {
            return here;
        }
        let device = (rustix::fs::major(stat.device), rustix::fs::minor(stat.device));
        let superblock = superblock(path);
        let is_it = |row: &Row| {
            row.device == device && superblock.is_none_or(|superblock| superblock == device)
                || superblock.is_some_and(|superblock| row.device == superblock)
                    && row.has_open(stat).unwrap_or(true)
        };
        here.into_iter().filter(|row| is_it(row)).collect()
    }
}

impl Row {
    /// Whether its process has the file open. `None` where nobody can tell.
    fn has_open(&self, stat: &FileStat) -> Option<bool> {
        let open = |pid| process::has_open(pid, stat.device, stat.inode);
        let own = u32::try_from(self.pid).ok().filter(|pid| *pid > 0 && self.is_of(*pid)).and_then(open);
        // Whoever inherited the open file has it open too.
        own.or_else(|| {
            let heirs = self.heirs();
            (!heirs.is_empty()).then(|| heirs.into_iter().any(|pid| open(pid).unwrap_or(true)))
        })
    }

    /// Whether a process, as far as it may be looked at, is the one that holds or awaits this lock.
    fn is_of(&self, pid: u32) -> bool {
        process::exists(pid)
            && (self.waits || process::lock_lines(pid).is_none_or(|lines| self.is_among(&lines)))
    }

    fn is_among(&self, lines: &[String]) -> bool {
        lines.iter().filter_map(|line| parse_row(line)).any(|row| {
            (row.device, row.inode, row.share) == (self.device, self.inode, self.share) && !row.waits
        })
    }

    /// The processes that have this lock among their open files.
    fn heirs(&self) -> Vec<u32> {
        let has = |pid: &u32| process::lock_lines(*pid).is_some_and(|lines| self.is_among(&lines));
        process::all().into_iter().filter(has).collect()
    }

    fn holders(&self) -> Vec<Holder> {
        if let Some(pid) = u32::try_from(self.pid).ok().filter(|pid| *pid > 0 && self.is_of(*pid)) {
            return vec![process::holder(pid, self.share, self.waits)];
        }
        // Most often it has let the lock go since the list was read, or got it: then nobody need be looked for.
        if self.waits || Table::read().is_ok_and(|table| !table.rows.contains(self)) {
            return Vec::new();
        }
        let heirs = self.heirs();
        if heirs.is_empty() && process::is_contained() {
            return vec![Holder::outside(self.share)];
        }
        heirs.into_iter().map(|pid| process::holder(pid, self.share, false)).collect()
    }
}

/// The text of the list, and in how many pieces it came. Nothing changes within a piece.
fn read_pieces() -> io::Result<(String, usize)> {
    let mut file = fs::File::open("/proc/locks")?;
    let mut bytes = Vec::new();
    let mut piece = vec![0; 1 << 16];
    let mut pieces = 0;
    loop {
        match file.read(&mut piece)? {
            0 => return Ok((String::from_utf8_lossy(&bytes).into_owned(), pieces)),
            length => bytes.extend_from_slice(&piece[..length]),
        }
        pieces += 1;
    }
}

/// Reads one line, as `7: FLOCK  ADVISORY  WRITE 4711 fe:00:131 0 EOF`; `->` stands before the kind of what only waits.
/// `None` for locks of other kinds, which exclude nobody here.
fn parse_row(line: &str) -> Option<Row> {
    let mut words = line.split_whitespace().skip(1).peekable();
    let waits = words.next_if_eq(&"->").is_some();
    if words.next()? != "FLOCK" {
        return None;
    }
    let share = match words.nth(1)? {
        "READ" => Share::Shared,
        "WRITE" => Share::Exclusive,
        _ => return None,
    };
    let pid = words.next()?.parse().ok()?;
    let mut place = words.next()?.split(':');
    let major = u32::from_str_radix(place.next()?, 16).ok()?;
    let minor = u32::from_str_radix(place.next()?, 16).ok()?;
    let inode = place.next()?.parse().ok()?;
    Some(Row { pid, share, device: (major, minor), inode, waits })
}

/// The device of the superblock that a path lies on, from `/proc/self/mountinfo` (`proc_pid_mountinfo`(5)).
fn superblock(path: &Path) -> Option<(u32, u32)> {
    let mount = volume::mount(path)?.to_string();
    // Mount points are escaped there, but may hold any other byte.
    let table = fs::read("/proc/self/mountinfo").ok()?;
    String::from_utf8_lossy(&table).lines().find_map(|line| {
        let mut words = line.split(' ');
        if words.next()? != mount {
            return None;
        }
        let (major, minor) = words.nth(1)?.split_once(':')?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "tests make the files they need")]

    use super::*;

    #[test]
    fn rows_of_flock_are_read_and_others_passed_over() {
        let text = "\
1: FLOCK  ADVISORY  WRITE 15466 fe:00:10010650 0 EOF
1: -> FLOCK  ADVISORY  READ 15470 fe:00:10010650 0 EOF
1:    -> FLOCK  ADVISORY  WRITE 15471 fe:00:10010650 0 EOF
2: POSIX  ADVISORY  READ 5433 08:01:7864448 128 128
3: OFDLCK ADVISORY  WRITE -1 08:01:8713209 0 EOF
4: LEASE  ACTIVE    READ 2001 08:03:8713209 0 EOF
5: FLOCK  ADVISORY  READ 0 00:2c:17 0 EOF
6: FLOCK  ADVISORY  READ 12 <none>:0 0 EOF
garbage
";
        let row = |pid, share, device, inode, waits| Row { pid, share, device, inode, waits };
        let expected = [
            row(15466, Share::Exclusive, (0xfe, 0), 10_010_650, false),
            row(15470, Share::Shared, (0xfe, 0), 10_010_650, true),
            row(15471, Share::Exclusive, (0xfe, 0), 10_010_650, true),
            row(0, Share::Shared, (0, 0x2c), 17, false),
        ];
        let table = Table::parse(text);
        assert_eq!(table.rows, expected);
        assert!(table.mentions(17));
        assert!(!table.mentions(7_864_448));
    }

    #[test]
    fn a_lock_of_this_process_is_found_and_one_of_a_file_with_the_same_number_elsewhere_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let file = fs::File::create(&path).unwrap();
        let stat = FileStat::of(&path).unwrap();
        assert_eq!(Table::read().unwrap().held(&path, &stat), None);
        file.try_lock_shared().unwrap();
        let table = Table::read().unwrap();
        assert_eq!(table.held(&path, &stat), Some(Share::Shared));
        let holders = table.holders(&path, &stat);
        assert_eq!(holders.len(), 1);
        assert_eq!((holders[0].pid, holders[0].waits), (std::process::id(), false));

        let elsewhere = Path::new("/proc/self/stat");
        let other = FileStat { inode: stat.inode, ..FileStat::of(elsewhere).unwrap() };
        assert_eq!(table.held(elsewhere, &other), None);
        file.unlock().unwrap();
        assert_eq!(Table::read().unwrap().held(&path, &stat), None);
    }
}
