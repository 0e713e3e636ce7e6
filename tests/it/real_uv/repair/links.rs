//! Links of the cache, lost or damaged in every way: written anew as uv had written them, so that its prune keeps the
//! entries; and never made where nothing proves what they should lead to.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::super::lab::Lab;
use super::{ends, json, listing, repair, text};
use crate::support::fixture::Fixture;
use crate::support::not_run;
use crate::support::uv::{Sandbox, ran, release};
use crate::support::wheel::Wheel;

/// `repair` on a cache that lies anywhere.
fn repair_at(cache: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cachetui"));
    let state = cache.parent().unwrap().join("state");
    command.arg("repair").args(arguments).arg("--no-remember").arg("--cache-dir").arg(cache);
    command.arg("--root").arg(cache.parent().unwrap()).env("XDG_STATE_HOME", state);
    command
}

/// Every link of a cache, relative to its root, and what it says.
fn links(cache: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let walk = walkdir::WalkDir::new(cache).into_iter().map(Result::unwrap);
    let mut found = BTreeMap::new();
    for item in walk {
        let path = item.path().strip_prefix(cache).unwrap().to_owned();
        let first = path.iter().next().and_then(|name| name.to_str()).unwrap_or_default();
        let in_bucket =
            ["wheels-v", "sdists-v", "environments-v"].iter().any(|start| first.starts_with(start));
        if !in_bucket || path.components().any(|part| part.as_os_str() == "src") {
            continue;
        }
        if item.file_type().is_symlink() {
            let said = std::fs::read_link(item.path()).unwrap();
            found.insert(path, said.into_os_string().into_encoded_bytes());
        } else if item.file_type().is_file() && item.metadata().unwrap().len() < 64 {
            let bytes = std::fs::read(item.path()).unwrap();
            if bytes.starts_with(b"archive-v0/") {
                found.insert(path, bytes);
            }
        }
    }
    found
}

/// The links of wheels of a package.
fn link_of(cache: &Path, package: &str) -> PathBuf {
    let fits = |path: &PathBuf| {
        path.to_string_lossy().starts_with("wheels-v") && path.iter().any(|part| part == package)
    };
    let mut found: Vec<PathBuf> = links(cache).into_keys().filter(fits).collect();
    assert_eq!(found.len(), 1, "{package}: {found:?}");
    found.remove(0)
}

fn steps(answer: &Value) -> &Vec<Value> {
    answer["plan"]["steps"].as_array().unwrap()
}

fn entries(cache: &Path) -> Vec<String> {
    let items = std::fs::read_dir(cache.join("archive-v0")).unwrap();
    let mut names: Vec<String> = items.map(|item| item.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Two packages from a directory of wheels, one of them in an environment.
fn scene(base: &Path) -> Option<(Sandbox, String)> {
    let sandbox = Sandbox::new(base)?;
    let wheels = sandbox.path("links");
    for name in ["demo-a", "demo-b"] {
        Wheel::new(name, "1.0").save(&wheels);
    }
    let find = wheels.to_str().unwrap().to_owned();
    sandbox.install("app", "hardlink", &["--no-index", "--find-links", &find, "demo-a", "demo-b"]);
    Some((sandbox, find))
}

fn install<'a>(find: &'a str, package: &'a str) -> [&'a str; 6] {
    ["--offline", "--no-index", "--find-links", find, "--no-deps", package]
}

#[test]
fn a_link_that_is_lost_costs_the_entry_and_then_the_installation() {
    let base = tempfile::tempdir().unwrap();
    let Some((sandbox, find)) = scene(base.path()) else { return };
    let link = link_of(&sandbox.cache(), "demo-a");
    std::fs::remove_file(sandbox.cache().join(link)).unwrap();
    sandbox.run_uv(&["cache", "prune", "--quiet"]);
    assert_eq!(entries(&sandbox.cache()).len(), 1, "uv's prune takes what no link leads to");
    let path = sandbox.environment("again");
    let python = path.join("bin/python");
    let mut again = sandbox.uv(&["pip", "install", "--python", python.to_str().unwrap()]);
    let output = again.args(install(&find, "demo-a")).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "uv fails on the pointer that is left: {}", text(&output));
}

/// What may lie where a link should be.
enum Lies {
    Nothing,
    Symlink(String),
    File(String),
}

fn lay(path: &Path, lies: &Lies) {
    std::fs::remove_file(path).unwrap();
    match lies {
        Lies::Nothing => {}
        Lies::Symlink(text) => symlink(text, path).unwrap(),
        Lies::File(text) => std::fs::write(path, text).unwrap(),
    }
}

#[test]
fn links_damaged_in_every_way_are_written_anew_and_uv_keeps_and_installs_their_entries() {
    let base = tempfile::tempdir().unwrap();
    let Some(lab) = Lab::new(base.path(), "") else { return };
    let everything = lab.everything();
    lab.hidden("app", "hardlink", &everything);
    let (sandbox, cache) = (&lab.sandbox, lab.sandbox.cache());
    let (before, all) = (links(&cache), entries(&cache));
    let link = |package: &str| link_of(&cache, package);
    let id = |package: &str| {
        let said = String::from_utf8(before[&link(package)].clone()).unwrap();
        said.rsplit('/').next().unwrap().to_owned()
    };
    let up = "../../../../";
    let damage = [
        ("demo-a", Lies::Nothing, "it is gone"),
        ("demo-data", Lies::Symlink(format!("{up}archive-v0/Gone567890123456")), "not there"),
        ("demo-ns-b", Lies::Symlink(format!("{up}archive-v9/{}", id("demo-ns-b"))), "not there"),
        ("demo-ns-c", Lies::Symlink(format!("{up}archive-v0/{}", id("demo-a"))), "another entry"),
        ("demo-odd", Lies::Symlink(format!("/another/archive-v0/{}", id("demo-odd"))), "out of this cache"),
        ("demo-index", Lies::Symlink("/etc/passwd".to_owned()), "out of this cache"),
        ("demo-url", Lies::File(format!("archive-v0/{}", &id("demo-url")[..7])), "not there"),
        ("demo-path", Lies::File(String::new()), "does not understand"),
    ];
    let paths: Vec<PathBuf> = damage.iter().map(|(package, ..)| link(package)).collect();
    for ((_, lies, _), path) in damage.iter().zip(&paths) {
        lay(&cache.join(path), lies);
    }
    let doctor = sandbox.cachetui(&["doctor", "--no-probe"]).output().unwrap();
    assert_eq!(doctor.status.code(), Some(3));
    assert!(text(&doctor).contains("`cachetui repair --links`"), "{}", text(&doctor));
    let shown = ran(&mut sandbox.cachetui(&["links"]));
    assert!(text(&shown).contains("8 links do not lead to the entries"), "{}", text(&shown));
    assert!(text(&shown).contains("There is no link"), "{}", text(&shown));
    let listed = sandbox.json(&["links"]);
    assert_eq!(listed["damaged"].as_array().unwrap().len(), 8, "{listed:#}");

    let untouched = listing(&cache);
    let (dry, ended) = json(&mut repair(sandbox, "cache", &["--links", "--dry-run"]));
    assert_eq!((ended, listing(&cache) == untouched), (0, true), "a dry run changes nothing");
    for ((package, _, why), path) in damage.iter().zip(&paths) {
        let fits = |step: &&Value| step["path"] == path.to_str().unwrap();
        let step = steps(&dry).iter().find(fits).unwrap_or_else(|| panic!("{package}: {dry:#}"));
        assert_eq!((&step["action"], &step["name"]), (&"restore-link".into(), &(*package).into()));
        assert!(step["reason"].as_str().unwrap().contains(why), "{package}: {step:#}");
    }
    let (run, ended) = json(&mut repair(sandbox, "cache", &["--links", "--yes"]));
    assert_eq!((ended, &run["plan"]), (0, &dry["plan"]), "the run is what was shown: {run:#}");
    let outcomes = run["report"]["outcomes"].as_array().unwrap();
    assert!(outcomes.len() == 8 && outcomes.iter().all(|it| it["state"] == "done"), "{run:#}");
    assert_eq!(links(&cache), before, "every link is what uv had written, to the byte");
    let left = listing(&cache).into_keys().filter(|path| path.to_string_lossy().contains(".cachetui-"));
    assert_eq!(left.count(), 0, "nothing is left beside");
    let again = ends(&mut repair(sandbox, "cache", &["--all", "--yes"]), 0);
    assert!(again.contains("Nothing is broken"), "{again}");

    sandbox.run_uv(&["cache", "prune", "--quiet"]);
    assert_eq!(entries(&cache), all, "uv's prune keeps every entry");
    let offline: Vec<String> =
        everything.iter().filter(|argument| !argument.contains("demo-git")).cloned().collect();
    lab.hidden("again", "copy", &[vec!["--offline".to_owned()], offline].concat());
}

#[test]
fn a_built_wheel_is_linked_again_only_while_its_own_link_names_the_entry() {
    let base = tempfile::tempdir().unwrap();
    let Some(lab) = Lab::new(base.path(), "") else { return };
    let url = format!("demo-sdist @ file://{}", lab.sandbox.path("paths/demo_sdist-1.0.tar.gz").display());
    lab.hidden("app", "hardlink", &[lab.packages(&["demo-a==1.0"]), vec![url.clone()]].concat());
    let cache = lab.sandbox.cache();
    let before = links(&cache);
    let (link, said) = before.iter().find(|(path, _)| path.starts_with("sdists-v10")).unwrap();
    let id = String::from_utf8(said.clone()).unwrap().rsplit('/').next().unwrap().to_owned();
    // The cache was moved, or the file came through an editor.
    let named = [Lies::Symlink(format!("/old/archive-v0/{id}")), Lies::File(format!("archive-v0/{id}\n"))];
    for lies in &named {
        lay(&cache.join(link), lies);
        ends(&mut repair(&lab.sandbox, "cache", &["--links", "--yes"]), 0);
        assert_eq!(links(&cache), before);
    }
    // Half an id names nothing, and neither does one that no entry has: nothing is guessed.
    for lies in [Lies::File(format!("archive-v0/{}", &id[..9])), Lies::Symlink("/archive-v0/Gone".to_owned())]
    {
        lay(&cache.join(link), &lies);
        let untouched = listing(&cache);
        let said = ends(&mut repair(&lab.sandbox, "cache", &["--links", "--yes"]), 3);
        assert!(said.contains("unpacks or builds again"), "{said}");
        assert_eq!(listing(&cache), untouched);
    }
    // As it says: uv makes it anew.
    lab.hidden("again", "hardlink", &[lab.places(), vec!["--offline".to_owned(), url]].concat());
    ends(&mut repair(&lab.sandbox, "cache", &["--links"]), 0);
}

#[test]
fn a_pointer_whose_entry_is_gone_is_named_with_the_way_out_and_no_link_is_made() {
    let base = tempfile::tempdir().unwrap();
    let Some((sandbox, find)) = scene(base.path()) else { return };
    let cache = sandbox.cache();
    let link = link_of(&cache, "demo-a");
    std::fs::remove_dir_all(std::fs::canonicalize(cache.join(&link)).unwrap()).unwrap();
    std::fs::remove_file(cache.join(&link)).unwrap();
    let untouched = listing(&cache);
    let said = ends(&mut repair(&sandbox, "cache", &["--links", "--yes"]), 3);
    assert!(said.contains("names an entry that is gone") && said.contains("rm -f --"), "{said}");
    assert!(said.contains(".rev"), "the pointer file is named: {said}");
    assert_eq!(listing(&cache), untouched);
    sandbox.run_uv(&["cache", "clean", "--quiet", "demo-a"]);
    ends(&mut repair(&sandbox, "cache", &["--links"]), 0);
    sandbox.install("again", "hardlink", &install(&find, "demo-a"));
}

#[test]
fn a_link_is_never_made_to_an_entry_that_is_something_else() {
    let base = tempfile::tempdir().unwrap();
    let Some((sandbox, _)) = scene(base.path()) else { return };
    let cache = sandbox.cache();
    let (link, other) = (link_of(&cache, "demo-a"), link_of(&cache, "demo-b"));
    let entry = |link: &Path| std::fs::canonicalize(cache.join(link)).unwrap();
    let (own, foreign) = (entry(&link), entry(&other));
    let name = |entry: &Path| entry.file_name().unwrap().to_str().unwrap().to_owned();
    let rev = cache.join(&link).with_extension("0-py3-none-any.rev");
    let pointer = std::fs::read(&rev).unwrap();
    std::fs::remove_file(cache.join(&link)).unwrap();
    let put = |id: &str| {
        let at = pointer.windows(16).position(|window| window == name(&own).as_bytes()).unwrap();
        std::fs::write(&rev, [&pointer[..at], id.as_bytes(), &pointer[at + 16..]].concat()).unwrap();
    };
    let refused = |what: &str, words: &str| {
        let untouched = listing(&cache);
        let (answer, ended) = json(&mut repair(&sandbox, "cache", &["--links", "--yes"]));
        assert!(steps(&answer).is_empty(), "{what}: {answer:#}");
        assert_eq!(listing(&cache), untouched, "{what}");
        assert_eq!(ended, 3, "{what}");
        assert!(answer["plan"]["kept"].to_string().contains(words), "{what}: {answer:#}");
    };
    put(&name(&foreign));
    refused("another package's entry", "holds demo-b 1.0");
    put("../../../../../x");
    refused("an id that climbs", "cannot be understood");
    std::fs::write(&rev, &pointer).unwrap();
    // The entry is a symlink to a directory elsewhere: no entry of this cache.
    std::fs::rename(&own, sandbox.path("elsewhere")).unwrap();
    symlink(sandbox.path("elsewhere"), &own).unwrap();
    refused("an entry that is a symlink", "is gone");
    std::fs::remove_file(&own).unwrap();
    std::fs::rename(sandbox.path("elsewhere"), &own).unwrap();
    // Another version of the package than the key says.
    let info = own.join("demo_a-1.0.dist-info");
    std::fs::rename(&info, own.join("demo_a-1.1.dist-info")).unwrap();
    refused("another version", "holds demo-a 1.1");
    std::fs::rename(own.join("demo_a-1.1.dist-info"), &info).unwrap();
    // Something lies there that is no link.
    std::fs::create_dir(cache.join(&link)).unwrap();
    refused("a directory", "something lies where a link should be");
    std::fs::remove_dir(cache.join(&link)).unwrap();
    std::fs::write(cache.join(&link), vec![b'x'; 5000]).unwrap();
    refused("a large file", "something lies where a link should be");
    std::fs::remove_file(cache.join(&link)).unwrap();
    ends(&mut repair(&sandbox, "cache", &["--links", "--yes"]), 0);
    assert_eq!(entry(&link), own);
}

#[test]
fn a_pointer_cut_off_at_any_byte_never_leads_anywhere_else() {
    let base = tempfile::tempdir().unwrap();
    let Some((sandbox, _)) = scene(base.path()) else { return };
    let cache = sandbox.cache();
    let link = link_of(&cache, "demo-a");
    let entry = std::fs::canonicalize(cache.join(&link)).unwrap();
    let rev = cache.join(&link).with_extension("0-py3-none-any.rev");
    let pointer = std::fs::read(&rev).unwrap();
    std::fs::remove_file(cache.join(&link)).unwrap();
    for length in 0..pointer.len() {
        std::fs::write(&rev, &pointer[..length]).unwrap();
        let plan = planned(&cache);
        assert!(plan.links().next().is_none(), "{length}: {:#?}", plan.steps);
        assert!(!plan.kept.is_empty(), "{length}: it is named");
    }
    std::fs::write(&rev, &pointer).unwrap();
    let plan = planned(&cache);
    assert_eq!(plan.links().count(), 1);
    assert_eq!(cache.join(plan.links().next().unwrap().1.entry.path()), entry);
}

fn link_of_step(plan: &mut cachetui::plan::Plan) -> &mut cachetui::plan::repair::LinkWork {
    let cachetui::plan::Work::Link(work) = &mut plan.steps[0].work else { panic!("it writes a link") };
    work
}

/// A plan for the links of a cache, made in this process.
fn planned(cache: &Path) -> cachetui::plan::Plan {
    let request = cachetui::scan::Request {
        absent: cachetui::scan::Absent::Refused,
        cache: cachetui::uv::root::Root { path: cache.to_owned(), found_by: String::new() },
        places: Vec::new(),
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
    let live = cachetui::scan::Live::default();
    let snapshot = cachetui::scan::scan(&request, &live, &cancel, &progress).unwrap();
    let asked = cachetui::scan::repair::Request {
        snapshot: &snapshot,
        environments: &[],
        caches: &[cache.to_owned()],
        dead_links: &[],
        links: true,
        outline: false,
        hashed: &cachetui::scan::repair::Hashed::default(),
        threads: 1,
    };
    let facts = cachetui::scan::repair::gather(&asked, &cancel);
    cachetui::plan::repair::repair(&facts, &cachetui::plan::Repair::default())
}

#[test]
fn what_has_changed_since_the_plan_is_left_alone() {
    use cachetui::apply::State;
    let base = tempfile::tempdir().unwrap();
    let Some((sandbox, _)) = scene(base.path()) else { return };
    let cache = sandbox.cache();
    let link = link_of(&cache, "demo-a");
    let entry = std::fs::canonicalize(cache.join(&link)).unwrap();
    let rev = cache.join(&link).with_extension("0-py3-none-any.rev");
    let whole = cache.join(&link);
    lay(&whole, &Lies::File("archive-v0/x\n".to_owned()));
    let plan = planned(&cache);
    assert_eq!(plan.links().count(), 1);
    let waiting = cachetui::lock::Waiting::Never;
    let lock = cachetui::lock::CacheExclusive::acquire(&cache, None, &waiting).unwrap();
    let (cancel, progress) = (cachetui::control::Cancel::default(), cachetui::control::Progress::default());
    let apply = |plan: &cachetui::plan::Plan| {
        let outcomes = cachetui::apply::repair::restore_links(
            &plan.links().collect::<Vec<_>>(),
            &lock,
            jiff::Timestamp::UNIX_EPOCH,
            &cancel,
            &progress,
        );
        assert_eq!(outcomes.len(), 1);
        (outcomes[0].state, outcomes[0].why.clone().unwrap_or_default())
    };
    // Something else lies there.
    lay(&whole, &Lies::File("archive-v0/other".to_owned()));
    assert_eq!(apply(&plan).0, State::Stale);
    assert_eq!(std::fs::read(&whole).unwrap(), b"archive-v0/other");
    // The pointer was written anew, if with the same words.
    let plan = planned(&cache);
    let pointer = std::fs::read(&rev).unwrap();
    std::fs::remove_file(&rev).unwrap();
    std::fs::write(&rev, pointer).unwrap();
    let (state, why) = apply(&plan);
    assert!(state == State::Stale && why.contains("pointer"), "{why}");
    // The entry was replaced by a symlink, or by another directory.
    let plan = planned(&cache);
    let aside = sandbox.path("aside");
    std::fs::rename(&entry, &aside).unwrap();
    symlink(&aside, &entry).unwrap();
    assert_eq!(apply(&plan).0, State::Stale);
    std::fs::remove_file(&entry).unwrap();
    ran(Command::new("cp").arg("-a").arg(&aside).arg(&entry));
    assert_eq!(apply(&plan).0, State::Stale);
    assert_eq!(std::fs::read(&whole).unwrap(), b"archive-v0/other", "nothing was changed by any of it");
    // A plan that asks for what no plan may is refused.
    let good = planned(&cache);
    let mut bad = good.clone();
    bad.steps[0].at = cachetui::plan::At::new(Path::new("archive-v0/link"));
    assert_eq!(apply(&bad).0, State::Failed);
    let mut bad = good.clone();
    link_of_step(&mut bad).text = cachetui::plan::At::new(Path::new("/etc/passwd"));
    assert_eq!(apply(&bad).0, State::Failed);
    let mut bad = good.clone();
    link_of_step(&mut bad).entry = cachetui::plan::At::new(Path::new("../archive-v0"));
    assert_eq!(apply(&bad).0, State::Failed);
    assert_eq!(apply(&good).0, State::Done);
    assert_eq!(std::fs::canonicalize(&whole).unwrap(), entry);
}

#[test]
fn it_can_be_killed_at_any_call_and_a_second_run_ends_where_an_undisturbed_one_does() {
    let directory = tempfile::tempdir().unwrap();
    if Command::new("strace").arg("-V").output().is_err() {
        return not_run("killing at every system call needs strace");
    }
    let Some((sandbox, find)) = scene(directory.path()) else { return };
    let cache = sandbox.cache();
    let before = links(&cache);
    let (lost, damaged) = (link_of(&cache, "demo-a"), link_of(&cache, "demo-b"));
    let mut kills = 0;
    for call in ["symlinkat", "renameat2", "renameat", "unlinkat", "fsync", "openat"] {
        for number in 1..400 {
            drop(std::fs::remove_file(cache.join(&lost)));
            lay(&cache.join(&damaged), &Lies::Symlink("../../gone".to_owned()));
            let plain = repair(&sandbox, "cache", &["--links", "--yes"]);
            let mut strace = sandbox.command("strace");
            strace.args(["-f", "-qq", "-o", "/dev/null", "-e"]).arg(format!("trace={call}"));
            strace.arg("-e").arg(format!("inject={call}:signal=SIGKILL:when={number}"));
            strace.arg(plain.get_program()).args(plain.get_args());
            if strace.output().unwrap().status.success() {
                break;
            }
            kills += 1;
            let when = format!("killed at the {number}. {call}");
            for (path, said) in links(&cache) {
                let whole = before.get(&path) == Some(&said) || said == b"../../gone";
                let temporary = path.to_string_lossy().contains(".cachetui-");
                assert!(whole || temporary, "{when}: {} says {said:?}", path.display());
            }
            ends(&mut repair(&sandbox, "cache", &["--links", "--yes"]), 0);
            assert_eq!(links(&cache), before, "{when}");
        }
    }
    assert!(kills > 20, "only {kills} calls were met");
    sandbox.run_uv(&["cache", "prune", "--quiet"]);
    sandbox.install("again", "hardlink", &install(&find, "demo-a"));
    sandbox.install("another", "hardlink", &install(&find, "demo-b"));
}

#[test]
fn an_error_at_any_call_leaves_each_link_old_or_whole_and_is_told() {
    let directory = tempfile::tempdir().unwrap();
    if Command::new("strace").arg("-V").output().is_err() {
        return not_run("errors at system calls need strace");
    }
    let Some((sandbox, _)) = scene(directory.path()) else { return };
    let cache = sandbox.cache();
    let before = links(&cache);
    let (lost, damaged) = (link_of(&cache, "demo-a"), link_of(&cache, "demo-b"));
    let mut failed = 0;
    for error in ["ENOSPC", "EIO", "EACCES"] {
        for call in ["symlinkat", "renameat2", "fsync", "unlinkat"] {
            for number in 1..=4 {
                drop(std::fs::remove_file(cache.join(&lost)));
                lay(&cache.join(&damaged), &Lies::Symlink("../../gone".to_owned()));
                let plain = repair(&sandbox, "cache", &["--links", "--yes"]);
                let mut strace = sandbox.command("strace");
                strace.args(["-f", "-qq", "-o", "/dev/null", "-e"]).arg(format!("trace={call}"));
                strace.arg("-e").arg(format!("inject={call}:error={error}:when={number}"));
                let output = strace.arg(plain.get_program()).args(plain.get_args()).output().unwrap();
                let when = format!("{error} from the {number}. {call}: {}", text(&output));
                let now = links(&cache);
                for (path, said) in &now {
                    let whole = before.get(path) == Some(said) || said == b"../../gone";
                    assert!(whole || path.to_string_lossy().contains(".cachetui-"), "{when}: {said:?}");
                }
                assert!(!output.status.success() || now == before, "{when}: that was no success");
                failed += usize::from(!output.status.success());
                ends(&mut repair(&sandbox, "cache", &["--links", "--yes"]), 0);
                assert_eq!(links(&cache), before, "{when}");
            }
        }
    }
    assert!(failed > 6, "only {failed} runs met an error");
}

#[test]
fn an_older_uv_gets_the_whole_path_it_writes_and_a_moved_cache_links_that_hold_anywhere() {
    let base = tempfile::tempdir().unwrap();
    let Some(sandbox) = Sandbox::new(base.path()) else { return };
    let Some(old) = release("0.9.30") else { return };
    let wheels = sandbox.path("links");
    for name in ["demo-a", "demo-b", "demo-c"] {
        Wheel::new(name, "1.0").save(&wheels);
    }
    let environment = sandbox.environment("app");
    let python = environment.join("bin/python");
    let find = ["--no-index", "--find-links", wheels.to_str().unwrap()];
    let install = ["pip", "install", "--quiet", "--python", python.to_str().unwrap()];
    ran(sandbox.uv_at(&old, &install).args(find).args(["demo-a", "demo-b", "demo-c"]));
    let cache = sandbox.cache();
    let before = links(&cache);
    let lost = link_of(&cache, "demo-a");
    assert!(Path::new(std::str::from_utf8(&before[&lost]).unwrap()).is_absolute(), "{before:?}");
    std::fs::remove_file(cache.join(&lost)).unwrap();
    ends(&mut repair(&sandbox, "cache", &["--links", "--yes"]), 0);
    assert_eq!(links(&cache), before, "as its neighbours, with the whole path");

    // Moved, all links lead to where it was. Relative ones hold wherever the cache is seen from.
    std::fs::rename(&cache, sandbox.path("moved")).unwrap();
    let moved = sandbox.path("moved");
    let all = entries(&moved);
    ends(&mut repair(&sandbox, "moved", &["--links", "--yes"]), 0);
    assert!(links(&moved).values().all(|said| said.starts_with(b"../")), "{:?}", links(&moved));
    std::fs::rename(&moved, sandbox.path("again")).unwrap();
    let again = sandbox.path("again");
    ends(&mut repair(&sandbox, "again", &["--links"]), 0);
    ran(sandbox.uv_at(&old, &["cache", "prune", "--quiet"]).env("UV_CACHE_DIR", &again));
    assert_eq!(entries(&again), all, "uv 0.9.30 follows them too");
}

#[test]
fn a_cache_that_windows_wrote_is_mended_in_its_own_form() {
    let fixture = Fixture::unpack("uv-0.13.8-windows-cache");
    let cache = fixture.cache();
    let before = links(&cache);
    assert!(before.len() == 4 && before.values().all(|said| said.len() == 27), "{before:?}");
    let damage: [&dyn Fn(&str) -> Lies; 8] = [
        &|_| Lies::Nothing,
        &|_| Lies::File(String::new()),
        &|whole| Lies::File(format!("{whole}\r\n")),
        &|whole| Lies::File(format!("\u{feff}{whole}")),
        &|whole| Lies::File(whole[..20].to_owned()),
        &|whole| Lies::File(whole.replace("archive-v0", "archive-v1")),
        &|whole| Lies::File(whole.replace('/', "\\")),
        &|_| Lies::File("archive-v0/../../../../outside".to_owned()),
    ];
    for (number, lies) in damage.iter().enumerate() {
        for (path, said) in &before {
            // Of a cached environment only its link names the entry.
            let names_it = matches!(number, 2 | 3 | 5 | 6);
            if path.starts_with("wheels-v7") || names_it {
                lay(&cache.join(path), &lies(std::str::from_utf8(said).unwrap()));
                let (run, ended) = json(&mut repair_at(&cache, &["--links", "--yes"]));
                assert_eq!((ended, steps(&run).len()), (0, 1), "{number} {}: {run:#}", path.display());
                assert_eq!(steps(&run)[0]["form"], "link-file", "{run:#}");
                assert_eq!(links(&cache), before, "27 bytes each, without a newline");
            }
        }
    }
    ends(&mut repair_at(&cache, &["--links"]), 0);
}

#[test]
fn a_lock_that_is_held_is_answered_and_nothing_is_changed() {
    let base = tempfile::tempdir().unwrap();
    let Some((sandbox, _)) = scene(base.path()) else { return };
    let cache = sandbox.cache();
    std::fs::remove_file(cache.join(link_of(&cache, "demo-a"))).unwrap();
    let waiting = cachetui::lock::Waiting::Never;
    let lock = cachetui::lock::CacheShared::acquire(&cache, None, &waiting).unwrap();
    let before = links(&cache);
    let said = ends(repair(&sandbox, "cache", &["--links", "--yes"]).env("UV_LOCK_TIMEOUT", "0"), 11);
    assert!(said.contains("lock"), "{said}");
    assert_eq!(links(&cache), before);
    drop(lock);
    ends(&mut repair(&sandbox, "cache", &["--links", "--yes"]), 0);
}
