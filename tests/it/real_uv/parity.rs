//! The linker makes of an entry what `uv pip install --link-mode` makes of it, file by file, on real filesystems.
//!
//! uv installs two wheels into one environment, the linker links the same two entries into another one. What each file
//! is (a link of which kind, a file that shares its bytes with the entry, a file of its own) is looked at on the disk and
//! never taken from what the linker says; that is compared with it afterwards.

mod facts;
mod filesystems;
mod ground;
mod installed;

use std::path::Path;

use cachetui::linker::TreeReport;
use cachetui::snapshot::{Mode, ModeCounts};

use facts::How;
use ground::{Ground, Linked};

/// The link modes, as the linker and as uv call them.
const MODES: [(Mode, &str); 4] =
    [(Mode::Clone, "clone"), (Mode::Hardlink, "hardlink"), (Mode::Symlink, "symlink"), (Mode::Copy, "copy")];

/// What a mode becomes in a place: the mode that works, and those that are refused before it with their error number.
type Becomes = (Mode, &'static [(Mode, i32)]);

const NOT_SUPPORTED: i32 = rustix::io::Errno::OPNOTSUPP.raw_os_error();
const CROSSES: i32 = rustix::io::Errno::XDEV.raw_os_error();

/// Where nothing is refused.
const EVERYTHING: [Becomes; 4] =
    [(Mode::Clone, &[]), (Mode::Hardlink, &[]), (Mode::Symlink, &[]), (Mode::Copy, &[])];

/// One filesystem that cannot share extents.
const NO_CLONES: [Becomes; 4] = [
    (Mode::Hardlink, &[(Mode::Clone, NOT_SUPPORTED)]),
    (Mode::Hardlink, &[]),
    (Mode::Symlink, &[]),
    (Mode::Copy, &[]),
];

/// Two filesystems.
const TWO_FILESYSTEMS: [Becomes; 4] = [
    (Mode::Copy, &[(Mode::Clone, CROSSES), (Mode::Hardlink, CROSSES)]),
    (Mode::Copy, &[(Mode::Hardlink, CROSSES)]),
    (Mode::Symlink, &[]),
    (Mode::Copy, &[]),
];

/// Who links first: the first hardlink changes something where the cache is in a lower layer.
#[derive(Clone, Copy)]
enum First {
    Uv,
    Linker,
}

/// Compares uv and the linker in every mode; `becomes` says what the place is meant to show.
fn compare(ground: &Ground, first: First, becomes: &[Becomes; 4]) {
    for ((mode, word), (worked, refused)) in MODES.into_iter().zip(becomes) {
        let mine = ground.environment(&format!("linker-{word}"));
        let theirs = ground.environment(&format!("uv-{word}"));
        let (linked, told) = match first {
            First::Uv => {
                let told = ground.install(&theirs, word);
                (ground.link(&mine, mode), told)
            }
            First::Linker => {
                let linked = ground.link(&mine, mode);
                (linked, ground.install(&theirs, word))
            }
        };
        assert_eq!(told, *refused, "what uv says was refused before it linked by {word}");
        ground.settle(&mine);
        for linked in &linked {
            same_as_uv(ground, linked, &theirs);
            is_true(linked, *worked, refused);
        }
    }
}

/// Asserts that a linked entry has the same files as uv's environment.
fn same_as_uv(ground: &Ground, linked: &Linked, theirs: &Path) {
    for item in &linked.request.items {
        let source = linked.request.entry.join(&item.source);
        let mine = facts::of(&source, &linked.request.root.join(&item.destination));
        let uv = facts::of(&source, &theirs.join(&item.destination));
        let path = item.destination.display();
        if ground::is_made_anew(item) {
            let links = [&mine.how, &uv.how].map(How::is_link);
            assert_eq!(links, [false, false], "{path} is nobody's link");
        } else {
            assert_eq!(mine, uv, "`{path}` is what uv makes of it");
        }
        for directory in item.destination.ancestors().skip(1) {
            let [mine, uv] = [&linked.request.root, theirs].map(|root| facts::bits(&root.join(directory)));
            assert_eq!(mine, uv, "the permissions of the directory `{}`", directory.display());
        }
        if let How::Symlink(text) = &mine.how {
            assert_eq!(*text, source, "the text names the cache as the caller does");
            assert!(text.starts_with(&ground.cache) && text.is_absolute());
        }
    }
}

/// Asserts that a report of files that were all made says what is on the disk.
fn is_true(linked: &Linked, worked: Mode, refused: &[(Mode, i32)]) {
    let Linked { request, report, .. } = linked;
    assert!(report.is_complete() && report.link_limit.is_empty() && report.swept == 0, "{report:#?}");
    assert_eq!((report.made.total(), report.already), (request.items.len() as u64, 0), "{report:#?}");
    let (mut made, mut copied, mut shared) = (ModeCounts::default(), 0, 0);
    for item in &request.items {
        let source = request.entry.join(&item.source);
        let how = facts::of(&source, &request.root.join(&item.destination)).how;
        let mode = if ground::is_made_anew(item) { Mode::Copy } else { worked };
        assert!(how.can_be(mode), "`{}` is {how:?}, and no {mode:?}", item.destination.display());
        let size = std::fs::metadata(source).unwrap().len();
        let (count, bytes) = match mode {
            Mode::Clone => (&mut made.clone, &mut shared),
            Mode::Hardlink => (&mut made.hardlink, &mut shared),
            Mode::Symlink => (&mut made.symlink, &mut shared),
            Mode::Copy => (&mut made.copy, &mut copied),
        };
        *count += 1;
        *bytes += size;
    }
    assert_eq!(report.made, made);
    assert_eq!((report.bytes_copied, report.bytes_shared), (copied, shared));
    let links = request.items.iter().filter(|item| !ground::is_made_anew(item)).count();
    is_refused(report, refused, links as u64);
}

/// Asserts which modes were refused, why, for which file first and for how many.
fn is_refused(report: &TreeReport, refused: &[(Mode, i32)], count: u64) {
    let told: Vec<_> = report
        .refused
        .iter()
        .map(|it| (it.mode, it.reason.raw_os_error().unwrap_or_default(), it.count))
        .collect();
    let expected: Vec<_> = refused.iter().map(|(mode, reason)| (*mode, *reason, count)).collect();
    assert_eq!(told, expected, "{:#?}", report.refused);
    for it in &report.refused {
        assert!(it.path.is_file(), "{it:?} names a file");
    }
}
