//! What deleting a selection is said to give back is what the filesystem has free afterwards.

use std::path::PathBuf;

use cachetui::control::{Cancel, Progress};
use cachetui::scan::{self, Live, discover};
use cachetui::snapshot::{Certainty, EntryIndex, EntryState, EnvironmentIndex, Selection, Snapshot};
use cachetui::uv::root::Root;

use super::lab::MODES;
use crate::support::loopdev::Mounted;
use crate::support::uv::Sandbox;
use crate::support::wheel::Wheel;

fn scanned(sandbox: &Sandbox) -> Snapshot {
    let request = scan::Request {
        absent: scan::Absent::Refused,
        cache: Root { path: sandbox.cache(), found_by: "--cache-dir".to_owned() },
        places: vec![discover::named(sandbox.roots())],
        targets: Vec::new(),
        remembered: Vec::new(),
        problems: Vec::new(),
        symlinks: false,
        sources: Vec::new(),
        wanted: Vec::new(),
        cross_mounts: false,
        options: Vec::new(),
        threads: 2,
        started: jiff::Timestamp::now(),
        clock: std::time::Instant::now,
    };
    scan::scan(&request, &Live::default(), &Cancel::default(), &Progress::default()).unwrap()
}

/// What a selection consists of.
#[derive(Default)]
struct Chosen {
    entries: Vec<EntryIndex>,
    environments: Vec<EnvironmentIndex>,
}

impl Chosen {
    fn entries(mut self, snapshot: &Snapshot, wanted: impl Fn(&str, EntryState) -> bool) -> Self {
        let fits = snapshot
            .entries()
            .filter(|(_, entry)| wanted(entry.name.as_deref().unwrap_or(""), entry.state))
            .map(|(index, _)| index);
        self.entries.extend(fits);
        self
    }

    fn environments(mut self, snapshot: &Snapshot, projects: &[&str]) -> Self {
        let project =
            |path: &PathBuf| path.parent().unwrap().file_name().unwrap().to_str().unwrap().to_owned();
        let fits = snapshot
            .environments()
            .filter(|(_, environment)| projects.contains(&project(&environment.path).as_str()))
            .map(|(index, _)| index);
        self.environments.extend(fits);
        assert_eq!(self.environments.len(), projects.len());
        self
    }
}

/// Predicts, deletes exactly what was chosen, and compares.
fn compare(mounted: &Mounted, sandbox: &Sandbox, what: &str, choose: impl Fn(&Snapshot) -> Chosen) {
    let before = mounted.free();
    let snapshot = scanned(sandbox);
    assert_eq!(snapshot.problems, []);
    let chosen = choose(&snapshot);
    assert!(!chosen.entries.is_empty());
    let mut selection = Selection::new(&snapshot);
    let mut paths = Vec::new();
    for index in &chosen.entries {
        selection.add_entry(*index);
        let key = &snapshot.entry(*index).key;
        paths.push(sandbox.cache().join(&*key.bucket).join(&key.id));
    }
    for index in &chosen.environments {
        selection.add_environment(*index);
        paths.push(snapshot.environment(*index).path.clone());
    }
    let predicted = snapshot.reclaimable(&selection);
    assert_eq!(predicted.certainty, Certainty::Exact, "{what}");
    for path in paths {
        std::fs::remove_dir_all(path).unwrap();
    }
    let measured = mounted.free() - before;
    let difference = measured.abs_diff(predicted.bytes);
    assert!(difference * 100 <= measured, "{what}: {predicted:?} was predicted, {measured} bytes are free");
}

/// Several selections on one filesystem, each deleted before the next is chosen.
fn scenario(kind: &str, mebibytes: u64) {
    let Some(mounted) = Mounted::new(kind, mebibytes) else { return };
    let Some(sandbox) = Sandbox::new(mounted.path()) else { return };
    let wheels = sandbox.path("wheels");
    // Large enough that the chunks of inodes xfs frees along (32 KiB for 64 of them) stay below the tolerance.
    for name in ["one", "two", "three", "four", "five", "six", "seven", "eight"] {
        let mut wheel = Wheel::new(name, "1.0").bulk(&format!("{name}/bulk.bin"), 12_288);
        for number in 0..20 {
            wheel = wheel.bulk(&format!("{name}/part{number}.bin"), 32);
        }
        wheel.save(&wheels);
    }
    let install = |project: &str, mode: &str, packages: &[&str]| {
        let places = ["--no-index", "--find-links", wheels.to_str().unwrap()];
        sandbox.install(project, mode, &[&places[..], packages].concat())
    };
    let gone = install("gone", "hardlink", &["one", "two", "six", "seven", "eight"]);
    install("kept", "hardlink", &["three", "five"]);
    install("other", "clone", &["five"]);
    for mode in MODES {
        install(mode, mode, &["four"]);
    }
    std::fs::remove_dir_all(&gone).unwrap();

    let named = |names: &'static [&'static str]| {
        move |snapshot: &Snapshot| Chosen::default().entries(snapshot, |name, _| names.contains(&name))
    };
    compare(&mounted, &sandbox, "one entry that nobody uses", named(&["one"]));
    compare(
        &mounted,
        &sandbox,
        "an unused entry and one that an environment holds",
        named(&["two", "three"]),
    );
    compare(&mounted, &sandbox, "an entry and all that use it", |snapshot| {
        named(&["four"])(snapshot).environments(snapshot, &MODES)
    });
    compare(&mounted, &sandbox, "an entry, one of its two users, and an unused entry", |snapshot| {
        named(&["five", "six"])(snapshot).environments(snapshot, &["other"])
    });
    compare(&mounted, &sandbox, "everything unused", |snapshot| {
        Chosen::default()
            .entries(snapshot, |_, state| matches!(state, EntryState::Unused | EntryState::Unreferenced))
    });
}

#[test]
fn deleting_a_selection_gives_back_what_was_predicted_on_ext4() {
    scenario("ext4", 512);
}

#[test]
fn deleting_a_selection_gives_back_what_was_predicted_on_xfs_with_clones() {
    scenario("xfs", 640);
}
