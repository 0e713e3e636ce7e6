//! Candidates that are not what they seem: another content, another version, hostile words.

use std::fmt::Write as _;
use std::path::Path;

use super::{dangling, ends, json, listing, repair, site};
use crate::support::uv::Sandbox;
use crate::support::wheel::Wheel;

fn scene(base: &Path) -> Option<(Sandbox, std::path::PathBuf, String)> {
    let sandbox = Sandbox::new(base)?;
    let links = sandbox.path("links");
    for version in ["1.0", "2.0"] {
        Wheel::new("demo-a", version).file("demo_a/core.py", "CORE = 1\n").save(&links);
    }
    let find = links.to_str().unwrap().to_owned();
    let environment =
        sandbox.install("app", "symlink", &["--no-index", "--find-links", &find, "demo-a==1.0"]);
    Some((sandbox, environment, find))
}

#[test]
fn an_entry_that_was_edited_is_not_linked_and_what_it_still_has_right_is() {
    let base = tempfile::tempdir().unwrap();
    let Some((sandbox, environment, _)) = scene(base.path()) else { return };
    let core = std::fs::canonicalize(site(&environment).join("demo_a/core.py")).unwrap();
    let recorded = std::fs::metadata(&core).unwrap().modified().unwrap();
    std::fs::write(&core, "CORE = 2\n").unwrap();
    // Neither its size nor its time tell.
    std::fs::File::options().append(true).open(&core).unwrap().set_modified(recorded).unwrap();
    std::fs::rename(sandbox.cache(), sandbox.path("moved")).unwrap();
    let (answer, ended) = json(&mut repair(&sandbox, "moved", &["--all", "--yes"]));
    assert_eq!(ended, 3, "{answer:#}");
    let kept = &answer["plan"]["kept"][0];
    assert_eq!(kept["because"], "other-content", "{answer:#}");
    assert_eq!(dangling(&environment), [site(&environment).join("demo_a/core.py")]);
}

#[test]
fn an_entry_that_changes_between_the_plan_and_the_link_is_refused_by_what_is_linked() {
    use cachetui::plan::{Repair, repair::repair as plan};
    let base = tempfile::tempdir().unwrap();
    let Some((sandbox, environment, _)) = scene(base.path()) else { return };
    std::fs::rename(sandbox.cache(), sandbox.path("moved")).unwrap();
    let request = cachetui::scan::Request {
        absent: cachetui::scan::Absent::Refused,
        cache: cachetui::uv::root::Root { path: sandbox.path("moved"), found_by: String::new() },
        places: vec![cachetui::scan::discover::named(sandbox.roots())],
        targets: Vec::new(),
        remembered: Vec::new(),
        problems: Vec::new(),
        symlinks: false,
        sources: Vec::new(),
        wanted: Vec::new(),
        cross_mounts: false,
        options: Vec::new(),
        threads: 1,
        started: jiff::Timestamp::now(),
        clock: std::time::Instant::now,
    };
    let (cancel, progress) = (cachetui::control::Cancel::default(), cachetui::control::Progress::default());
    let snapshot =
        cachetui::scan::scan(&request, &cachetui::scan::Live::default(), &cancel, &progress).unwrap();
    let environments: Vec<_> = snapshot.environments().map(|(index, _)| index).collect();
    let asked = cachetui::scan::repair::Request {
        snapshot: &snapshot,
        environments: &environments,
        caches: &[sandbox.path("moved")],
        dead_links: &[],
        links: false,
        outline: false,
        hashed: &cachetui::scan::repair::Hashed::default(),
        threads: 1,
    };
    let plan = plan(&cachetui::scan::repair::gather(&asked, &cancel), &Repair::default());
    let files = plan.totals.bytes.files;
    assert!(files > 3 && plan.kept.is_empty());
    // Meanwhile one file of the entry is edited, and one link of the environment becomes a file of somebody's own.
    let step = plan.steps[0].repair().unwrap();
    let entry = step.cache.path().join(step.entry.as_ref().unwrap().path());
    std::fs::write(entry.join("demo_a/core.py"), "CORE = 2\n").unwrap();
    let own = site(&environment).join("demo_a/__init__.py");
    std::fs::remove_file(&own).unwrap();
    std::fs::write(&own, "own\n").unwrap();

    let waiting = cachetui::lock::Waiting::Never;
    let cache = cachetui::lock::CacheShared::acquire(&sandbox.path("moved"), None, &waiting).unwrap();
    let caches = [cache];
    let sign = cachetui::lock::Sign::PyvenvCfg;
    let root = environment.canonicalize().unwrap();
    let lock =
        cachetui::lock::EnvironmentExclusive::acquire(&root, sign, &caches[0], None, &waiting).unwrap();
    let outcomes = cachetui::apply::repair::link(&plan.steps, &lock, &caches, true, &cancel, &progress);
    assert_eq!(outcomes.len(), 1);
    let outcome = &outcomes[0];
    assert_eq!(outcome.made.symlink, files - 2, "{outcome:#?}");
    assert!(outcome.failed[0].contains("not what is recorded"), "{outcome:#?}");
    assert_eq!(outcome.stale.len(), 1, "{outcome:#?}");
    assert_eq!(std::fs::read(&own).unwrap(), b"own\n");
    assert_eq!(dangling(&environment), [site(&environment).join("demo_a/core.py")]);

    // A distribution that was installed anew meanwhile is left alone as a whole.
    let record = site(&environment).join("demo_a-1.0.dist-info/RECORD");
    let text = std::fs::read(&record).unwrap();
    std::fs::remove_file(&record).unwrap();
    std::fs::write(&record, text).unwrap();
    let before = listing(&environment);
    let outcomes = cachetui::apply::repair::link(&plan.steps, &lock, &caches, true, &cancel, &progress);
    assert_eq!(outcomes[0].state, cachetui::apply::State::Stale);
    assert_eq!(listing(&environment), before);
}

#[test]
fn an_entry_of_another_version_is_no_candidate_even_where_files_are_the_same() {
    let base = tempfile::tempdir().unwrap();
    let Some((sandbox, environment, find)) = scene(base.path()) else { return };
    sandbox.run_uv(&["cache", "clean", "--quiet"]);
    sandbox.install("other", "hardlink", &["--no-index", "--find-links", &find, "demo-a==2.0"]);
    let before = listing(&environment);
    let (answer, ended) = json(&mut repair(&sandbox, "cache", &["--all", "--yes"]));
    assert_eq!((ended, &answer["plan"]["kept"][0]["because"]), (3, &"no-candidate".into()), "{answer:#}");
    assert_eq!(listing(&environment), before);
}

#[test]
fn a_record_and_links_that_lead_out_are_not_followed() {
    let base = tempfile::tempdir().unwrap();
    let Some((sandbox, environment, _)) = scene(base.path()) else { return };
    let outside = sandbox.path("outside");
    std::fs::create_dir(&outside).unwrap();
    let record = site(&environment).join("demo_a-1.0.dist-info/RECORD");
    let mut text = std::fs::read_to_string(&record).unwrap();
    let ups = "../".repeat(12);
    writeln!(text, "/{ups}etc/evil.py,sha256=AAAA,1\n{ups}outside/evil.py,,\n../../../../../evil.py,,")
        .unwrap();
    std::fs::write(&record, text).unwrap();
    let core = site(&environment).join("demo_a/core.py");
    std::fs::remove_file(&core).unwrap();
    let id = std::fs::read_dir(sandbox.cache().join("archive-v0")).unwrap().next().unwrap().unwrap();
    let text = format!("/gone/archive-v0/{}/../../evil", id.file_name().to_str().unwrap());
    std::os::unix::fs::symlink(text, &core).unwrap();
    let before = listing(&outside);
    let said = ends(&mut repair(&sandbox, "cache", &["--all", "--yes"]), 3);
    assert!(said.contains("3 lines of its RECORD cannot be understood"), "{said}");
    assert_eq!(listing(&outside), before);
    assert_eq!(std::fs::read(&core).unwrap(), b"CORE = 1\n");
    assert!(!sandbox.path("evil.py").exists() && !sandbox.roots().join("evil.py").exists());
}
