//! The owner of an environment swaps directories for symlinks while root's `doctor` tries links there.

use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};

use cachetui::linker::probe::{PREFIX, probe};

use super::{USER, chown};
use crate::support::not_run;
use crate::support::swap::{Pair, seen, while_swapping};

/// Runs at each directory.
const FEW: u64 = 60;
/// The same for the long test.
const MANY: u64 = 1_000;

/// A cache and an environment of a user, and a directory of root with files that are named as what a probe makes.
struct Ground {
    directory: tempfile::TempDir,
    before: Vec<(PathBuf, String)>,
}

impl Ground {
    fn new() -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            not_run("it needs two users, and so root");
            return None;
        }
        let directory = crate::support::made::directory();
        let base = directory.path();
        for path in
            ["user/cache/archive-v0", "user/code/site", "user/trap", "victim/site", "victim/archive-v0"]
        {
            std::fs::create_dir_all(base.join(path)).unwrap();
        }
        std::fs::write(base.join("user/cache/.lock"), "").unwrap();
        for place in ["victim", "victim/site", "victim/archive-v0"] {
            for name in ["clone", "hardlink", "symlink", "copy", "beside", "source", ".lock"] {
                std::fs::write(base.join(place).join(name), "root's\n").unwrap();
            }
        }
        chown(&format!("{USER}:{USER}"), &base.join("user"));
        let before = seen(&base.join("victim"));
        Some(Self { directory, before })
    }

    fn path(&self, relative: &str) -> PathBuf {
        self.directory.path().join(relative)
    }

    fn is_hit(&self) -> bool {
        seen(&self.path("victim")) != self.before
    }

    /// A directory and a symlink into root's in its place.
    fn pair(&self, directory: &str, leads_to: &str) -> Pair {
        let trap = self.path("user/trap/link");
        std::fs::remove_file(&trap).ok();
        symlink(self.path(leads_to), &trap).unwrap();
        Pair { directory: self.path(directory), symlink: trap }
    }
}

const PLACES: [(&str, &str); 4] = [
    ("user/code/site", "victim"),
    ("user/code", "victim"),
    ("user/cache", "victim"),
    ("user/cache/archive-v0", "victim"),
];

fn attacked(runs: u64) {
    let Some(ground) = Ground::new() else { return };
    for (directory, leads_to) in PLACES {
        let (mut worked, mut swaps) = (0, 0);
        for run in 0..runs {
            let pair = ground.pair(directory, leads_to);
            let attempt = || probe(&ground.path("user/cache"), &ground.path("user/code/site"), &[]);
            let (found, swapped) = while_swapping(&pair, attempt);
            assert!(!ground.is_hit(), "run {run} at `{directory}`: root's directory was changed");
            worked += u64::from(found.copy.works());
            swaps += swapped;
        }
        assert!(worked > 0 && swaps > runs, "`{directory}`: {worked} of {runs} worked, {swaps} swaps");
    }
    left_nothing(&ground);
}

/// Nothing that was made is root's, and what is left was left where the user had led it away.
fn left_nothing(ground: &Ground) {
    for item in walkdir::WalkDir::new(ground.path("user")).into_iter().map(Result::unwrap) {
        let stat = item.path().symlink_metadata().unwrap();
        assert!(stat.uid() == USER || item.path().ends_with("trap/link"), "{}", item.path().display());
    }
}

#[test]
fn a_probe_changes_nothing_behind_a_symlink() {
    attacked(FEW);
}

#[test]
#[ignore = "some minutes: a thousand runs at each directory"]
fn a_probe_changes_nothing_behind_a_symlink_at_length() {
    attacked(MANY);
}

/// What a probe did before, by path: it shows that the attack finds what it looks for.
fn by_path(environment: &Path) {
    let Ok(directory) = tempfile::Builder::new().prefix(PREFIX).tempdir_in(environment) else { return };
    for name in ["copy", "beside"] {
        let path = directory.path().join(name);
        std::fs::File::create_new(&path).ok();
        std::fs::remove_file(&path).ok();
    }
}

#[test]
fn a_probe_by_path_is_caught() {
    let Some(ground) = Ground::new() else { return };
    for _ in 0..3_000 {
        let pair = ground.pair("user/code/site", "victim");
        while_swapping(&pair, || by_path(&ground.path("user/code/site")));
        if ground.is_hit() {
            return;
        }
    }
    panic!("the twin was not caught: making a file by its path is a race");
}

/// The owner of the environment swaps the probe's own directory, whose name is seen as soon as it is there.
fn own_directory(runs: u64) {
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    let Some(ground) = Ground::new() else { return };
    let (stop, swaps) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let adversary = || {
            let trap = ground.path("user/trap/own");
            let Ok(()) = symlink(ground.path("victim"), &trap) else { return };
            while !stop.load(Ordering::Relaxed) {
                for place in ["user/code/site", "user/cache"] {
                    for item in ground.path(place).read_dir().unwrap().flatten() {
                        if item.file_name().to_string_lossy().starts_with(".tmpcachetui-") {
                            let pair = Pair { directory: item.path(), symlink: trap.clone() };
                            swaps.fetch_add(u64::from(swap(&pair)), Ordering::Relaxed);
                        }
                    }
                }
            }
        };
        scope.spawn(adversary);
        for run in 0..runs {
            probe(&ground.path("user/cache"), &ground.path("user/code/site"), &[]);
            if ground.is_hit() {
                stop.store(true, Ordering::Relaxed);
                panic!("run {run}: root's directory was changed");
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(swaps.into_inner() > 0, "the probe's directory was swapped");
}

fn swap(pair: &Pair) -> bool {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    renameat_with(CWD, &pair.directory, CWD, &pair.symlink, RenameFlags::EXCHANGE).is_ok()
}

#[test]
fn a_swapped_directory_of_a_probe_is_no_way_out() {
    own_directory(300);
}

#[test]
#[ignore = "a minute: thousands of runs"]
fn a_swapped_directory_of_a_probe_is_no_way_out_at_length() {
    own_directory(5_000);
}

/// Root's `doctor` as a whole, which also remembers the environments it has found.
fn whole(runs: u64) {
    let Some(ground) = Ground::new() else { return };
    let site = "user/code/app/.venv/lib/python3.11/site-packages";
    for path in [site, "user/home/state"] {
        std::fs::create_dir_all(ground.path(path)).unwrap();
    }
    std::fs::write(ground.path("user/code/app/.venv/pyvenv.cfg"), "home = /usr/bin\nversion = 3.11.7\n")
        .unwrap();
    chown(&format!("{USER}:{USER}"), &ground.path("user"));
    for place in ["user/code/app/.venv", "user/code/app/.venv/lib", site, "user/cache", "user/home/state"] {
        let mut swaps = 0;
        for run in 0..runs {
            let pair = ground.pair(place, "victim");
            let mut doctor = std::process::Command::new(env!("CARGO_BIN_EXE_cachetui"));
            doctor.arg("doctor").arg("--cache-dir").arg(ground.path("user/cache"));
            doctor.arg("--root").arg(ground.path("user/code")).env("HOME", ground.path("user/home"));
            doctor
                .env("XDG_STATE_HOME", ground.path("user/home/state"))
                .current_dir(ground.path("user/home"));
            let (_, swapped) = while_swapping(&pair, || doctor.output().unwrap());
            assert!(!ground.is_hit(), "run {run} at `{place}`: root's directory was changed");
            swaps += swapped;
        }
        assert!(swaps > runs, "`{place}`: {swaps} swaps");
    }
    left_nothing(&ground);
}

#[test]
fn doctor_changes_nothing_behind_a_symlink() {
    whole(8);
}

#[test]
#[ignore = "some minutes: a thousand runs at each directory"]
fn doctor_changes_nothing_behind_a_symlink_at_length() {
    whole(MANY);
}
