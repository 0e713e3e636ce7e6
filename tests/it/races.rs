//! Somebody swaps directories for symlinks while cachetui works on them: whatever it does, nothing happens to where the
//! symlinks lead, and nothing is lost.
//!
//! The victim is a copy of the whole ground, with the same names, contents and ids: whoever follows a symlink for one call
//! finds there what it looks for. A round is one run of an operation while a thread swaps one directory; each operation is
//! run at every directory it works in. `twins` shows that such a race can be lost.

mod changes;
mod environments;
mod removals;
mod twins;

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use cachetui::apply::prune::Committed;
use cachetui::apply::{self, Run, trash};
use cachetui::control::{Cancel, Progress};
use cachetui::linker;
use cachetui::lock::{CacheExclusive, Waiting};
use cachetui::plan::{Allowance, Class, Plan, Prune, Request, plan};
use cachetui::snapshot::Mode;
use jiff::Timestamp;
use tempfile::TempDir;

use crate::support::made::{self, Form, Made, SITE, Unpacked};
use crate::support::swap::{Pair, seen, while_swapping};

/// Runs of an operation at each directory, at least, and swaps that have to happen during them.
const FEW: Rounds = Rounds { runs: 6, swaps: 160 };
/// The same for the long tests.
const MANY: Rounds = Rounds { runs: 1_000, swaps: 10_000 };

/// How long an operation is attacked at one directory.
#[derive(Clone, Copy)]
struct Rounds {
    runs: u64,
    swaps: u64,
}

/// What nobody uses, and what is pruned.
const UNUSED: [(&str, &str); 2] = [("Alpha67890123456", "alpha"), ("Beta567890123456", "beta")];
/// What the environment has: by symlink, and by whatever a test wants.
const USED: [(&str, &str); 2] = [("Gamma67890123456", "gamma"), ("Delta67890123456", "delta")];

fn unpacked(what: (&str, &str)) -> Unpacked {
    Unpacked::new(what.0, what.1, "1.0")
}

/// Fills a directory: four entries with their pointers, and one environment.
fn furnish(base: &Path) -> (Made, Vec<(PathBuf, String)>) {
    let made = Made::new(base);
    let mut pointers = Vec::new();
    for what in UNUSED.into_iter().chain(USED) {
        let it = unpacked(what);
        made.unpack(&it);
        for form in [Form::Relative, Form::Http, Form::Rev, Form::Built] {
            pointers.push((made.point(form, 7, &it), it.id.clone()));
        }
    }
    made.venv("app");
    made.install("app", &unpacked(USED[0]), Mode::Symlink);
    made.install("app", &unpacked(USED[1]), Mode::Copy);
    made::put(&made.environment("app").join(".lock"), b"", 0o644);
    (made, pointers)
}

/// A ground to work on, a victim, and a place for the symlinks.
struct Arena {
    directory: TempDir,
    /// What has to stay as it is.
    untouched: Vec<(PathBuf, String)>,
    /// The name of the trash's one run, the same each time.
    run: PathBuf,
}

/// One round's ground.
struct Ground {
    made: Made,
    pointers: Vec<(PathBuf, String)>,
    traps: PathBuf,
}

impl Arena {
    fn new() -> Self {
        let directory = made::directory();
        let mut arena = Self { directory, untouched: Vec::new(), run: PathBuf::new() };
        let victim = arena.victim();
        furnish(&victim);
        let ground = arena.ground();
        ground.prune(&ground.plan()).unwrap();
        arena.run = PathBuf::from(ground.runs()[0].name());
        // A trash with the same run, whole and half deleted, for a symlink in the place of the trash.
        for suffix in ["", ".purging"] {
            let mut name = arena.run.clone().into_os_string();
            name.push(suffix);
            for what in UNUSED {
                let it = unpacked(what);
                let entry = victim.join("trash").join(&name).join("archive-v0").join(&it.id);
                for (path, content) in it.linked() {
                    made::put(&entry.join(path), &content, 0o644);
                }
            }
        }
        arena.untouched = seen(&victim);
        arena
    }

    fn victim(&self) -> PathBuf {
        self.directory.path().join("victim")
    }

    /// A new ground; the one before is gone.
    fn ground(&self) -> Ground {
        let path = self.directory.path().join("ground");
        let traps = self.directory.path().join("traps");
        for old in [&path, &traps] {
            if old.symlink_metadata().is_ok() {
                std::fs::remove_dir_all(old).unwrap();
            }
        }
        let (made, pointers) = furnish(&path);
        std::fs::create_dir(&traps).unwrap();
        Ground { made, pointers, traps }
    }

    fn victim_is_untouched(&self, when: &str) {
        assert_eq!(seen(&self.victim()), self.untouched, "{when}: the victim was hit");
    }

    /// Attacks an operation at each of some directories, which are relative to the ground, with what is to be in their
    /// place relative to the victim. `prepare` brings the ground into the state in which the operation begins, `run` is
    /// the operation and answers whether it did anything and whether it was kept from anything, `check` looks at the
    /// ground afterwards.
    fn attack<Begun>(
        &self,
        name: &str,
        places: &[(PathBuf, PathBuf)],
        rounds: Rounds,
        prepare: impl Fn(&Ground, u64) -> Begun,
        run: impl Fn(&Ground, &Begun) -> (bool, bool),
        check: impl Fn(&Ground, &Begun, &str),
    ) {
        let (mut did, mut was_kept, mut all) = (0, 0, 0);
        for (place, leads_to) in places {
            let (mut runs, mut swaps) = (0, 0);
            while runs < rounds.runs || swaps < rounds.swaps {
                let ground = self.ground();
                let begun = prepare(&ground, runs);
                let symlink = ground.traps.join("trap");
                std::os::unix::fs::symlink(self.victim().join(leads_to), &symlink).unwrap();
                let pair = Pair { directory: ground.made.base().join(place), symlink };
                let ((done, kept), swapped) = while_swapping(&pair, || run(&ground, &begun));
                let when = format!("{name} at `{}`, run {runs}", place.display());
                self.victim_is_untouched(&when);
                check(&ground, &begun, &when);
                did += u64::from(done);
                was_kept += u64::from(kept);
                swaps += swapped;
                runs += 1;
                assert!(runs < rounds.runs + 10_000.max(10 * rounds.swaps), "{when}: only {swaps} swaps");
            }
            all += swaps;
        }
        assert!(all >= 1_000, "{name}: {all} swaps");
        assert!(did > 0 && was_kept > 0, "{name}: both sides won at times: {did} did, {was_kept} kept");
    }
}

impl Ground {
    fn plan(&self) -> Plan {
        let classes = [Class::Unused, Class::Unreferenced].into();
        let request = Prune { classes, allow: Allowance::ALL.into(), ..Prune::default() };
        let plan = plan(&self.made.scan(), &Request::Prune(request));
        assert_eq!(plan.steps.len(), UNUSED.len(), "{:#?}", plan.kept);
        plan
    }

    fn lock(&self) -> CacheExclusive {
        CacheExclusive::acquire(self.made.cache(), None, &Waiting::Never).unwrap()
    }

    fn prune(&self, plan: &Plan) -> Result<Committed, linker::Error> {
        let now = Timestamp::UNIX_EPOCH;
        apply::prune(plan, &self.lock(), now, &Cancel::default(), &Progress::default())
    }

    fn runs(&self) -> Vec<Run> {
        trash::runs(self.made.cache()).unwrap()
    }

    /// Every file there is, wherever it lies now. What lies behind a symlink is not of the ground.
    fn inodes(&self) -> BTreeSet<u64> {
        let both = [self.made.base(), &self.traps];
        let walk = both.into_iter().flat_map(walkdir::WalkDir::new).map(Result::unwrap);
        let files = walk.filter(|item| item.file_type().is_file());
        files.map(|item| item.path().symlink_metadata().unwrap().ino()).collect()
    }

    /// Every file that is not in the trash.
    fn outside_the_trash(&self) -> BTreeSet<u64> {
        let inside = |item: &walkdir::DirEntry| item.path().ends_with(trash::DIRECTORY);
        let walk = walkdir::WalkDir::new(self.made.base()).into_iter().filter_entry(|item| !inside(item));
        let files = walk.map(Result::unwrap).filter(|item| item.file_type().is_file());
        files.map(|item| item.path().symlink_metadata().unwrap().ino()).collect()
    }

    /// No pointer leads to an entry that is not there.
    fn nothing_dangles(&self, when: &str) {
        for (pointer, id) in &self.pointers {
            let is_there = self.made.cache().join(pointer).symlink_metadata().is_ok();
            assert!(
                !is_there || self.made.entry(id).is_dir(),
                "{when}: `{}` leads to an entry that is gone",
                pointer.display()
            );
        }
    }

    /// Every file of the environment can be read, and says what it said.
    fn environment_is_whole(&self, when: &str) {
        for what in USED {
            for (path, content) in unpacked(what).linked() {
                let file = self.made.environment("app").join(SITE).join(&path);
                let now = std::fs::read(&file).ok();
                assert_eq!(now, Some(content), "{when}: `{}`", file.display());
            }
        }
    }

    /// What cachetui makes for a moment.
    fn temporaries(&self) -> Vec<PathBuf> {
        let walk = walkdir::WalkDir::new(self.made.base()).into_iter().map(Result::unwrap);
        walk.map(walkdir::DirEntry::into_path)
            .filter(|path| linker::is_temporary(path.file_name().unwrap()))
            .collect()
    }
}

/// Directories with the same path in the victim.
fn same(places: &[&str]) -> Vec<(PathBuf, PathBuf)> {
    places.iter().map(|place| (PathBuf::from(place), PathBuf::from(place))).collect()
}

/// Directories of entries, and those that pointers lie in.
fn in_cache() -> Vec<(PathBuf, PathBuf)> {
    same(&[
        "cache/archive-v0",
        "cache/archive-v0/Alpha67890123456",
        "cache/archive-v0/Alpha67890123456/alpha",
        "cache/wheels-v7",
        "cache/wheels-v7/index/c4b871378a779d5b/alpha",
        "cache/wheels-v7/pypi/beta",
        "cache/sdists-v10/pypi/alpha/1.0/Xe39dW4vJcWBBoKa",
    ])
}

/// Directories of the trash. A run mirrors the cache, so that a symlink in its place leads to one.
fn in_trash(run: &Path, inside: &[&str]) -> Vec<(PathBuf, PathBuf)> {
    let trash = Path::new("cache/.cachetui-trash");
    let mut places = vec![(trash.to_owned(), PathBuf::from("trash"))];
    for suffix in ["", ".purging"] {
        let mut name = run.as_os_str().to_owned();
        name.push(suffix);
        for inside in inside {
            places.push((trash.join(&name).join(inside), Path::new("cache").join(inside)));
        }
    }
    places
}
