//! What the linker linked over an installation stays one: uv checks it, uninstalls it, and installs it anew.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use cachetui::linker::{Expect, TreeRequest, is_private};
use cachetui::snapshot::{Mode, ModeCounts};

use super::ground::{self, Ground, Linked, NAMES};
use super::{Becomes, EVERYTHING, MODES, NO_CLONES, facts, is_refused};
use crate::support::loopdev::Mounted;
use crate::support::uv::ran;

#[test]
fn uv_keeps_house_with_what_the_linker_linked_on_ext4() {
    let Some(ext4) = Mounted::new("ext4", 128) else { return };
    let Some(ground) = Ground::new(ext4.path()) else { return };
    keep_house(&ground, false, &NO_CLONES);
}

#[test]
fn uv_keeps_house_with_what_the_linker_linked_on_xfs() {
    let Some(xfs) = Mounted::new("xfs", 320) else { return };
    let Some(ground) = Ground::new(xfs.path()) else { return };
    keep_house(&ground, true, &EVERYTHING);
}

#[test]
fn uv_keeps_house_with_what_the_linker_linked_on_btrfs() {
    let Some(btrfs) = Mounted::new("btrfs", 256) else { return };
    let Some(ground) = Ground::new(btrfs.path()) else { return };
    keep_house(&ground, true, &EVERYTHING);
}

/// Relinks an installation in every mode; `copies_share` says whether the copies that uv makes share their bytes already.
fn keep_house(ground: &Ground, copies_share: bool, becomes: &[Becomes; 4]) {
    for ((mode, word), (worked, refused)) in MODES.into_iter().zip(becomes) {
        let environment = ground.environment(word);
        let (empty, cached) = (files(&environment), cache(ground));
        ground.install(&environment, "copy");
        ground.settle(&environment);
        let installed = files(&environment);

        let changes = match worked {
            Mode::Copy => false,
            Mode::Clone => !copies_share,
            Mode::Hardlink | Mode::Symlink => true,
        };
        for request in requests(ground, &environment, mode) {
            let linked = relink(request, changes.then_some(*worked));
            let links = linked.request.items.iter().filter(|item| !ground::is_made_anew(item)).count();
            is_refused(&linked.report, refused, links as u64);
        }
        ground.settle(&environment);
        for request in requests(ground, &environment, mode) {
            assert_all(&request, *worked);
            relink(request, None);
        }
        assert!(files(&environment) == installed, "content and permissions are what uv had installed");

        works(ground, &environment);
        ground.pip(&environment, &["uninstall", NAMES[0]]);
        let left = files(&environment);
        for request in requests(ground, &environment, mode) {
            let is_space = request.items.iter().any(|item| item.source.starts_with("demo_together/space"));
            for item in &request.items {
                assert_eq!(left.contains_key(&item.destination), is_space, "{item:?}, after {word}");
            }
        }
        assert_eq!(ground.install(&environment, word), *refused);
        ground.settle(&environment);
        works(ground, &environment);
        for request in requests(ground, &environment, mode) {
            // The one that was not uninstalled is still what the linker made of it.
            assert_all(&request, *worked);
        }
        assert!(files(&environment) == installed, "an installation that was relinked by {word} is made anew");

        ground.pip(&environment, &[&["uninstall"][..], &NAMES].concat());
        assert_eq!(files(&environment).keys().collect::<Vec<_>>(), empty.keys().collect::<Vec<_>>());
        assert!(cache(ground) == cached, "the entries have the content, permissions and links they had");
    }
}

/// What relinks both distributions: all their files but the ones that uv keeps private.
fn requests(ground: &Ground, environment: &Path, mode: Mode) -> Vec<TreeRequest> {
    let mut requests = ground.requests(environment, mode, Expect::SameContent);
    for request in &mut requests {
        request.items.retain(|item| !is_private(&item.source));
    }
    requests
}

/// Runs a request and asserts that its numbers are those of the disk: every file that may be a link is made anew by
/// `changes`, and all others stay the files they were.
fn relink(request: TreeRequest, changes: Option<Mode>) -> Linked {
    let look = |request: &TreeRequest| -> Vec<(u64, u64)> {
        let paths = request.items.iter().map(|item| request.root.join(&item.destination));
        paths.map(|path| std::fs::symlink_metadata(path).unwrap()).map(|it| (it.dev(), it.ino())).collect()
    };
    let before = look(&request);
    let linked = ground::run(request);
    let (mut made, mut already, mut shared) = (ModeCounts::default(), 0, 0);
    for ((item, before), after) in linked.request.items.iter().zip(before).zip(look(&linked.request)) {
        let changed = before != after;
        let may = if ground::is_made_anew(item) { None } else { changes };
        assert_eq!(changed, may.is_some(), "{item:?}");
        match may {
            Some(Mode::Clone) => made.clone += 1,
            Some(Mode::Hardlink) => made.hardlink += 1,
            Some(Mode::Symlink) => made.symlink += 1,
            Some(Mode::Copy) => made.copy += 1,
            None => already += 1,
        }
        if may.is_some() {
            shared += std::fs::metadata(linked.request.entry.join(&item.source)).unwrap().len();
        }
    }
    let report = &linked.report;
    assert!(report.is_complete(), "{report:#?}");
    assert_eq!((report.made, report.already, report.swept), (made, already, 0), "{report:#?}");
    assert_eq!((report.bytes_copied, report.bytes_shared), (0, shared));
    linked
}

/// Asserts that every file that may be a link is what a mode makes.
fn assert_all(request: &TreeRequest, mode: Mode) {
    for item in &request.items {
        let how = facts::of(&request.entry.join(&item.source), &request.root.join(&item.destination)).how;
        let mode = if ground::is_made_anew(item) { Mode::Copy } else { mode };
        assert!(how.can_be(mode), "{item:?} is {how:?}, and no {mode:?}");
    }
}

/// Asserts that uv finds nothing wrong, and Python every module and program.
fn works(ground: &Ground, environment: &Path) {
    ground.pip(environment, &["check"]);
    let modules =
        "import demo_parity, demo_pure, demo_plat, demo_together.parity.part, demo_together.space.part";
    ran(ground.command(&environment.join("bin/python")).args(["-B", "-c", modules]));
    for program in ["demo-parity", "demo-say", "demo-run", "demo-plain"] {
        ran(ground.command(&environment.join("bin").join(program)).env("PYTHONDONTWRITEBYTECODE", "1"));
    }
}

/// Every file of an environment but its lock and interpreter, with the content and permissions it shows.
fn files(environment: &Path) -> BTreeMap<PathBuf, (Vec<u8>, u32)> {
    let items = walkdir::WalkDir::new(environment).into_iter().map(Result::unwrap);
    items
        .filter(|item| !item.file_type().is_dir() && !item.path().is_dir())
        .map(|item| item.path().strip_prefix(environment).unwrap().to_owned())
        .filter(|path| path != Path::new(".lock") && !is_python(path))
        .map(|path| {
            let whole = environment.join(&path);
            let bits = facts::bits(&whole);
            (path, (std::fs::read(whole).unwrap(), bits))
        })
        .collect()
}

fn is_python(path: &Path) -> bool {
    path.parent() == Some(Path::new("bin"))
        && path.file_name().unwrap().to_string_lossy().starts_with("python")
}

/// Every file of the entries, with its content, permissions and number of links.
fn cache(ground: &Ground) -> BTreeMap<PathBuf, (Vec<u8>, u32, u64)> {
    let roots = ground.entries();
    let items = roots.iter().flat_map(|(entry, _)| walkdir::WalkDir::new(entry)).map(Result::unwrap);
    items
        .filter(|item| item.file_type().is_file())
        .map(|item| {
            let metadata = item.metadata().unwrap();
            let content = std::fs::read(item.path()).unwrap();
            (item.into_path(), (content, metadata.mode() & 0o7777, metadata.nlink()))
        })
        .collect()
}
