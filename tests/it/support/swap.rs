//! An adversary: a thread that lets a directory and a symlink change places, again and again, while something else works
//! on the directory.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rustix::fs::{CWD, RenameFlags, renameat_with};

/// A directory, and a symlink on the same filesystem to change places with.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    pub(crate) directory: PathBuf,
    pub(crate) symlink: PathBuf,
}

impl Pair {
    /// Lets the two change places. What is not there, not yet or not any more, cannot.
    fn swap(&self) -> bool {
        renameat_with(CWD, &self.directory, CWD, &self.symlink, RenameFlags::EXCHANGE).is_ok()
    }

    fn is_swapped(&self) -> bool {
        self.directory.is_symlink() && !self.symlink.is_symlink()
    }
}

/// Does some work while another thread swaps; answers with how often it did meanwhile. Afterwards both are where they were,
/// as far as the work has left them.
pub(crate) fn while_swapping<Answer>(pair: &Pair, work: impl FnOnce() -> Answer) -> (Answer, u64) {
    static SEED: AtomicU64 = AtomicU64::new(0x9e37_79b9_7f4a_7c15);
    let mut random = SEED.fetch_add(0x2545_f491_4f6c_dd1d, Ordering::Relaxed) | 1;
    let (stop, begun, swaps) = (AtomicBool::new(false), AtomicBool::new(false), AtomicU64::new(0));
    let answer = std::thread::scope(|scope| {
        let adversary = || {
            while !stop.load(Ordering::Relaxed) {
                swaps.fetch_add(u64::from(pair.swap()), Ordering::Relaxed);
                begun.store(true, Ordering::Relaxed);
                // Now and then it holds still for longer, so that the work meets either state for some calls.
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                for _ in 0..random % [20, 200, 2_000, 20_000][usize::try_from(random >> 62).unwrap()] {
                    std::hint::spin_loop();
                }
            }
        };
        scope.spawn(adversary);
        while !begun.load(Ordering::Relaxed) {
            std::thread::yield_now();
        }
        let answer = work();
        stop.store(true, Ordering::Relaxed);
        answer
    });
    if pair.is_swapped() {
        assert!(pair.swap(), "`{}` goes back to its place", pair.directory.display());
    }
    (answer, swaps.into_inner())
}

/// Everything that can be seen of a tree but access times: inodes, modes, links, sizes, times, and the text of symlinks.
/// Content cannot change without its change time.
pub(crate) fn seen(root: &Path) -> Vec<(PathBuf, String)> {
    use std::os::unix::fs::MetadataExt as _;
    let walk = walkdir::WalkDir::new(root).sort_by_file_name().into_iter().map(Result::unwrap);
    let seen = walk.map(|item| {
        let stat = item.path().symlink_metadata().unwrap();
        let times = (stat.mtime(), stat.mtime_nsec(), stat.ctime(), stat.ctime_nsec());
        let numbers = (stat.dev(), stat.ino(), stat.mode(), stat.nlink(), stat.size(), stat.uid());
        let text = std::fs::read_link(item.path()).ok();
        (item.into_path(), format!("{numbers:?} {times:?} {text:?}"))
    });
    seen.collect()
}
