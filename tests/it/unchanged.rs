//! What is not read again: a file of a cache that has not changed since the dead link was made that names it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use cachetui::control::Cancel;
use cachetui::disk::{FileStat, volume};
use cachetui::linker::set_time;
use cachetui::scan::repair::{Request, Why, gather};
use cachetui::snapshot::Mode;

use crate::support::made::{Made, SITE, Unpacked, directory};

/// More than the fineness of change times.
const LONG: Duration = Duration::from_millis(200);

/// What mends the file `alpha/core.py`, and whether something mends all the others.
fn mends(made: &Made) -> (Result<PathBuf, Why>, bool) {
    let snapshot = made.scan();
    let environments: Vec<_> = snapshot.environments().map(|(index, _)| index).collect();
    let request = Request {
        snapshot: &snapshot,
        environments: &environments,
        caches: &[made.cache().to_owned()],
        dead_links: &[],
        links: false,
        outline: false,
        threads: 2,
    };
    let facts = gather(&request, &Cancel::default());
    let files = &facts.environments[0].distributions[0].files;
    let (core, others): (Vec<_>, Vec<_>) = files.iter().partition(|it| it.path.ends_with("alpha/core.py"));
    let source = core[0].source.clone();
    (source.map(|source| source.path), others.iter().all(|it| it.source.is_ok()))
}

/// Writes other content of the same size into a file, which has its old time of modification then.
fn falsify(path: &Path) {
    let (stat, mut bytes) = (FileStat::of(path).unwrap(), std::fs::read(path).unwrap());
    bytes[0] ^= 1;
    std::fs::write(path, bytes).unwrap();
    set_time(path, stat.modified).unwrap();
}

#[expect(clippy::print_stderr, reason = "that a test could not run is said")]
fn not_run() {
    eprintln!("not run: change times tell nothing where temporary files are");
}

/// An environment with symlinks into a cache that was moved since. `before` changes an entry's file that is linked then.
fn moved(directory: &Path, before: impl FnOnce(&Path)) -> Option<(Made, PathBuf)> {
    if !volume::tells_of_changes(directory) {
        not_run();
        return None;
    }
    let mut made = Made::new(directory);
    let unpacked = Unpacked::new("AAAAAAAAAAAAAAAAAAAAA", "alpha", "1.0");
    made.unpack(&unpacked);
    before(&made.entry(&unpacked.id).join("alpha/core.py"));
    std::thread::sleep(LONG);
    made.venv("app");
    made.install("app", &unpacked, Mode::Symlink);
    made.move_cache("moved");
    assert!(!made.environment("app").join(SITE).join("alpha/core.py").exists());
    std::thread::sleep(LONG);
    let entry = made.entry(&unpacked.id);
    Some((made, entry))
}

#[test]
fn a_file_that_has_not_changed_since_its_link_was_made_is_not_read() {
    let directory = directory();
    // Whoever reads it finds that it is not what RECORD states, as of a wheel that is wrong itself.
    let Some((made, entry)) = moved(directory.path(), falsify) else { return };
    assert_eq!(mends(&made), (Ok("alpha/core.py".into()), true), "it is what the environment had");
    // Copied, every file is as young as the copy.
    let copy = directory.path().join("copy");
    let copied = std::process::Command::new("cp").arg("-a").args([made.cache(), &copy]).status();
    assert!(copied.unwrap().success());
    std::fs::remove_dir_all(made.cache()).unwrap();
    std::fs::rename(&copy, made.cache()).unwrap();
    assert_eq!(mends(&made), (Err(Why::OtherContent { entry }), true));
}

#[test]
fn a_file_that_has_changed_since_its_link_was_made_is_read() {
    let directory = directory();
    let Some((made, entry)) = moved(directory.path(), |_| {}) else { return };
    falsify(&entry.join("alpha/core.py"));
    assert_eq!(mends(&made), (Err(Why::OtherContent { entry: entry.clone() }), true));
    falsify(&entry.join("alpha/core.py"));
    assert_eq!(mends(&made), (Ok("alpha/core.py".into()), true), "it has its content again");
}
