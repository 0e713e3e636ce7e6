//! The allocated bytes of a directory with all that is in it.

use std::collections::HashSet;
use std::path::Path;

use walkdir::WalkDir;

use super::FileStat;

/// Allocated bytes below a directory, itself included, each file once however many links it has there. `known` may answer for a
/// directory by its path below `root`: then nothing in it is looked at. What cannot be read takes nothing.
pub fn usage(root: &Path, known: impl Fn(&Path) -> Option<u64>) -> u64 {
    let mut seen = HashSet::new();
    let mut sum: u64 = 0;
    let mut walk = WalkDir::new(root).follow_links(false).into_iter();
    while let Some(item) = walk.next() {
        let Ok(item) = item else { continue };
        let is_directory = item.file_type().is_dir();
        if is_directory
            && let Ok(relative) = item.path().strip_prefix(root)
            && let Some(bytes) = known(relative)
        {
            sum = sum.saturating_add(bytes);
            walk.skip_current_dir();
            continue;
        }
        let Ok(stat) = FileStat::of(item.path()) else { continue };
        if is_directory || stat.links < 2 || seen.insert((stat.device, stat.inode)) {
            sum = sum.saturating_add(stat.disk);
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "tests make the files they need")]
    use super::*;

    #[test]
    fn a_file_with_two_names_counts_once_and_what_is_known_is_not_read() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        let empty = usage(root, |_| None);
        std::fs::create_dir_all(root.join("a/b")).unwrap();
        std::fs::write(root.join("a/b/one"), vec![1; 100_000]).unwrap();
        std::fs::hard_link(root.join("a/b/one"), root.join("two")).unwrap();
        let whole = usage(root, |_| None);
        let stat = |path: &str| FileStat::of(&root.join(path)).unwrap().disk;
        assert_eq!(whole, FileStat::of(root).unwrap().disk + stat("a") + stat("a/b") + stat("two"));
        assert!(whole > empty);
        let known = |path: &Path| (path == Path::new("a/b")).then_some(7);
        assert_eq!(usage(root, known), FileStat::of(root).unwrap().disk + stat("a") + 7 + stat("two"));
    }
}
