//! What is not believed: that a file is the right one because it is older than the dead link that names it, and that a
//! distribution is whole because the environment has each of its inodes somewhere.

use std::path::{Path, PathBuf};
use std::time::Duration;

use cachetui::control::Cancel;
use cachetui::disk::FileStat;
use cachetui::linker::set_time;
use cachetui::scan::repair::{Hashed, Request, Why, gather};
use cachetui::snapshot::Mode;

use crate::support::made::{Made, SITE, Unpacked, directory};

/// What mends the file `alpha/core.py`, and whether something mends all the others.
fn mends(made: &Made, hashed: &Hashed) -> (Result<PathBuf, Why>, bool) {
    let snapshot = made.scan();
    let environments: Vec<_> = snapshot.environments().map(|(index, _)| index).collect();
    let request = Request {
        snapshot: &snapshot,
        environments: &environments,
        caches: &[made.cache().to_owned()],
        dead_links: &[],
        links: false,
        outline: false,
        hashed,
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

#[test]
fn a_file_that_is_older_than_the_link_that_names_it_is_hashed_all_the_same() {
    let directory = directory();
    let mut made = Made::new(directory.path());
    let unpacked = Unpacked::new("AAAAAAAAAAAAAAAAAAAAA", "alpha", "1.0");
    made.unpack(&unpacked);
    let core = |made: &Made| made.entry(&unpacked.id).join("alpha/core.py");
    // As a copy of a cache does that went wrong before the environment was made from the cache itself.
    falsify(&core(&made));
    std::thread::sleep(Duration::from_millis(200));
    made.venv("app");
    made.install("app", &unpacked, Mode::Symlink);
    made.move_cache("copy");
    assert!(!made.environment("app").join(SITE).join("alpha/core.py").exists());
    assert_eq!(
        mends(&made, &Hashed::default()),
        (Err(Why::OtherContent { entry: made.entry(&unpacked.id) }), true)
    );
    falsify(&core(&made));
    assert_eq!(
        mends(&made, &Hashed::default()),
        (Ok("alpha/core.py".into()), true),
        "it has its content again"
    );
}

#[test]
fn a_digest_that_was_taken_holds_only_as_long_as_the_file_is_what_it_was() {
    let directory = directory();
    let mut made = Made::new(directory.path());
    let unpacked = Unpacked::new("AAAAAAAAAAAAAAAAAAAAA", "alpha", "1.0");
    made.unpack(&unpacked);
    made.venv("app");
    made.install("app", &unpacked, Mode::Symlink);
    made.move_cache("moved");
    let entry = made.entry(&unpacked.id);
    let hashed = Hashed::default();
    for right in [true, true, false, false, true] {
        let is_right = mends(&made, &hashed) == (Ok("alpha/core.py".into()), true);
        if is_right != right {
            // More than a tick of the kernel after it was read.
            std::thread::sleep(Duration::from_millis(50));
            falsify(&entry.join("alpha/core.py"));
        }
        let expected =
            if right { Ok("alpha/core.py".into()) } else { Err(Why::OtherContent { entry: entry.clone() }) };
        assert_eq!(mends(&made, &hashed), (expected, true));
    }
}

/// The scan counts inodes, and each is still there.
#[test]
fn a_package_that_was_renamed_is_missing_however_its_files_are_linked() {
    for mode in [Mode::Hardlink, Mode::Symlink, Mode::Copy] {
        let directory = directory();
        let made = Made::new(directory.path());
        let unpacked = Unpacked::new("AAAAAAAAAAAAAAAAAAAAA", "alpha", "1.0");
        made.unpack(&unpacked);
        made.venv("app");
        made.install("app", &unpacked, mode);
        let site = made.environment("app").join(SITE);
        std::fs::rename(site.join("alpha"), site.join("alpha.bak")).unwrap();
        assert_eq!(mends(&made, &Hashed::default()), (Ok("alpha/core.py".into()), true), "{mode:?}");
    }
}
