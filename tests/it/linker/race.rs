//! Somebody who swaps a directory for a symlink again and again gets nothing written to where the symlink leads.

use std::path::Path;

use cachetui::control::{Cancel, Progress};
use cachetui::linker::Expect;
use cachetui::snapshot::Mode;

use super::{Scene, content, link_tree, temporaries};
use crate::support::swap::{self, Pair};

const FILES: usize = 12;

/// An entry with one package, the same package in the environment, and a victim outside with the same names, to which a
/// symlink beside the package leads.
fn scene() -> Scene {
    let scene = Scene::new();
    for number in 0..FILES {
        let name = format!("module{number}.py");
        scene.give(&format!("demo/inner/{name}"), &format!("new {number}"), 0o644);
        scene.has(&format!("demo/inner/{name}"), &format!("old {number}"), 0o644);
        super::write(&scene.directory.path().join("victim/inner").join(name), "victim", 0o644);
    }
    std::os::unix::fs::symlink("../victim", scene.environment().join("swapped")).unwrap();
    scene
}

/// Does some work while another thread swaps the package and the symlink.
fn while_swapping(scene: &Scene, work: impl FnOnce()) {
    let (directory, symlink) = (scene.environment().join("demo"), scene.environment().join("swapped"));
    let ((), swaps) = swap::while_swapping(&Pair { directory, symlink }, work);
    assert!(swaps > 0);
}

#[test]
fn a_directory_that_is_swapped_for_a_symlink_leads_nowhere() {
    for mode in [Mode::Copy, Mode::Hardlink, Mode::Symlink] {
        let scene = scene();
        let victim = scene.directory.path().join("victim");
        let before = content(&victim);
        let (mut refused, mut made) = (0, 0);
        while_swapping(&scene, || {
            for round in 0..400 {
                // Modes alternate, so that there is always something to replace.
                let mode = if round % 2 == 0 { mode } else { [Mode::Copy, Mode::Hardlink][round / 2 % 2] };
                let request = scene.request(mode, Expect::NoDirectory);
                let report = link_tree(&request, &Cancel::default(), &Progress::default());
                refused += report.failed.len();
                made += report.made.total();
            }
        });
        assert_eq!(content(&victim), before, "{mode:?}");
        assert!(refused > 0 && made > 0, "{mode:?}: both sides won at times: {refused} refused, {made} made");
        let report = scene.link(mode, Expect::NoDirectory);
        assert!(report.is_complete(), "{report:#?}");
        assert_eq!(temporaries(scene.directory.path()), Vec::<std::path::PathBuf>::new());
        for number in 0..FILES {
            let path = scene.environment().join(format!("demo/inner/module{number}.py"));
            assert_eq!(std::fs::read_to_string(path).unwrap(), format!("new {number}"));
        }
    }
}

/// What the linker must not do, to show that the race above can be lost.
fn by_path(environment: &Path) {
    let path = environment.join("demo/inner/module0.py");
    if path.parent().unwrap().parent().unwrap().is_symlink() {
        return;
    }
    let temporary = path.with_extension("tmp");
    if std::fs::write(&temporary, "new").is_ok() {
        std::fs::rename(&temporary, &path).ok();
    }
}

#[test]
fn the_same_by_path_does_hit_the_victim() {
    let scene = scene();
    let victim = scene.directory.path().join("victim");
    let before = content(&victim);
    let mut hit = false;
    while_swapping(&scene, || {
        for _ in 0..100_000 {
            by_path(&scene.environment());
            hit = content(&victim) != before;
            if hit {
                break;
            }
        }
    });
    assert!(hit, "checking a path and then using it is a race");
}
