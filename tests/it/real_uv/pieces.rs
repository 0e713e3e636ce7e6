//! Old builds, generations of cached environments, and git repositories: what goes, what stays, and that uv has nothing to add.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::lab::Lab;
use super::repair::dangling;
use crate::support::uv::{Sandbox, newest, ran};

/// The directory of a project that uv builds is changed, so that uv builds it again.
fn change(sandbox: &Sandbox, project: &str) {
    let file = sandbox.path(project).join("pyproject.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{text}\n# again\n")).unwrap();
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(5);
    std::fs::File::options().write(true).open(&file).unwrap().set_modified(later).unwrap();
}

fn plan(sandbox: &Sandbox, arguments: &[&str]) -> Value {
    let start = ["prune", "--grace", "0h", "--allow", "most,gone", "--dry-run"];
    sandbox.json(&[&start[..], arguments].concat())["plan"].take()
}

fn prune(sandbox: &Sandbox, arguments: &[&str]) -> Value {
    let start = ["prune", "--grace", "0h", "--allow", "most,gone", "--yes"];
    sandbox.json(&[&start[..], arguments].concat())
}

fn steps(plan: &Value) -> Vec<(String, usize)> {
    let steps = plan["steps"].as_array().unwrap().iter();
    let mut steps: Vec<(String, usize)> = steps
        .map(|step| {
            let trees = step["trees"].as_array().map_or(0, Vec::len);
            (step["name"].as_str().unwrap_or("-").to_owned(), trees)
        })
        .collect();
    steps.sort();
    steps
}

/// Everything in the cache: of files inode, mode, owner, size, links, times and target; of directories mode and owner.
fn files(cache: &Path) -> BTreeMap<PathBuf, String> {
    let items = walkdir::WalkDir::new(cache).into_iter().map(Result::unwrap);
    let items = items.filter(|item| !item.path().starts_with(cache.join(".cachetui-trash")));
    let seen = items.map(|item| {
        let stat = item.path().symlink_metadata().unwrap();
        // What lies in a directory changes it.
        if item.file_type().is_dir() {
            return (item.into_path(), format!("{:o} {}", stat.mode(), stat.uid()));
        }
        let numbers = (stat.ino(), stat.mode(), stat.uid(), stat.nlink(), stat.size(), stat.mtime_nsec());
        (item.path().to_owned(), format!("{numbers:?} {:?}", std::fs::read_link(item.path()).ok()))
    });
    seen.collect()
}

fn takes(cache: &Path) -> u64 {
    let output = std::process::Command::new("du").args(["-s", "--block-size=1"]).arg(cache).output().unwrap();
    String::from_utf8(output.stdout).unwrap().split_whitespace().next().unwrap().parse().unwrap()
}

/// uv's own prune removes nothing more, and everything can be installed again afterwards.
fn uv_adds_nothing(lab: &Lab) {
    let before = files(&lab.sandbox.cache());
    lab.sandbox.run_uv(&["cache", "prune"]);
    let after = files(&lab.sandbox.cache());
    let gone: Vec<&PathBuf> = before.keys().filter(|path| !after.contains_key(*path)).collect();
    assert!(gone.is_empty(), "{gone:#?}");
}

#[test]
fn old_builds_go_as_one_thing_come_back_and_leave_nothing_to_uv() {
    old_builds(None);
}

#[test]
fn old_builds_of_an_older_uv_go_too() {
    old_builds(Some("0.12.5"));
}

#[test]
fn old_builds_of_the_newest_uv_go_too() {
    let Some((_, version)) = newest() else { return };
    old_builds(Some(&version));
}

fn old_builds(release: Option<&str>) {
    let directory = tempfile::tempdir().unwrap();
    let Some(mut lab) = Lab::new(directory.path(), "") else { return };
    if let Some(version) = release
        && lab.sandbox.use_release(version).is_none()
    {
        return;
    }
    let everything = lab.everything();
    let used = lab.install("used", "symlink", &everything);
    assert_eq!(plan(&lab.sandbox, &["--old-builds"])["steps"], serde_json::json!([]));
    for project in ["directory", "editable"] {
        change(&lab.sandbox, project);
    }
    // Another environment has the new builds, and this one still the old ones: they stay, with the reason.
    let newer = lab.install("newer", "hardlink", &everything);
    let kept = plan(&lab.sandbox, &["--old-builds"]);
    assert_eq!(steps(&kept), [], "{kept:#}");
    let reasons: Vec<&str> = kept["kept"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["because"]["kind"].as_str().unwrap_or(""))
        .collect();
    assert_eq!(reasons.len(), 2, "{kept:#}");
    lab.sandbox.delete(&used);
    lab.known.retain(|it| it.path != used);

    let wanted = plan(&lab.sandbox, &["--old-builds"]);
    let builds = [("demo-dir".to_owned(), 1), ("demo-edit".to_owned(), 1)];
    assert_eq!(steps(&wanted), builds, "{wanted:#}");
    let cache = lab.sandbox.cache();
    let before = files(&cache);
    let done = prune(&lab.sandbox, &["--old-builds", "--trash"]);
    assert!(
        done["report"]["outcomes"].as_array().unwrap().iter().all(|it| it["state"] == "done"),
        "{done:#}"
    );
    assert!(files(&cache).len() < before.len());
    ran(&mut lab.sandbox.cachetui(&["undo"]));
    assert_eq!(files(&cache), before, "every file is back as it was");

    let size = takes(&cache);
    let done = prune(&lab.sandbox, &["--old-builds"]);
    let freed = done["report"]["freed"].clone();
    assert_eq!(freed["measured"], freed["predicted"], "{freed}");
    assert_eq!(size - takes(&cache), freed["measured"].as_u64().unwrap());
    assert_eq!(dangling(&newer), [] as [PathBuf; 0]);
    // The environments of scripts and the like are none of it.
    uv_adds_nothing(&lab);
    lab.hidden("again", "hardlink", &everything);
    assert_eq!(plan(&lab.sandbox, &["--old-builds"])["steps"], serde_json::json!([]));
}

/// A plan that was saved is not carried out against a revision that uv uses by now, however it was edited.
#[test]
fn a_revision_that_is_in_use_does_not_go_with_an_edited_plan() {
    let directory = tempfile::tempdir().unwrap();
    let Some(lab) = Lab::new(directory.path(), "") else { return };
    let arguments: Vec<String> = lab
        .places()
        .into_iter()
        .chain([format!("demo-dir @ file://{}", lab.sandbox.path("directory").display())])
        .collect();
    let environment = lab.hidden("one", "hardlink", &arguments);
    change(&lab.sandbox, "directory");
    lab.sandbox.delete(&environment);
    lab.hidden("two", "hardlink", &arguments);
    let file = lab.sandbox.path("plan.json");
    let saved = file.to_str().unwrap();
    let save = ["prune", "--old-builds", "--grace", "0h", "--allow", "most,gone", "--save", saved];
    ran(&mut lab.sandbox.cachetui(&save));
    let text = std::fs::read_to_string(&file).unwrap();
    let mut plan: Value = serde_json::from_str(&text).unwrap();
    let old =
        PathBuf::from(plan["steps"][0]["path"].as_str().unwrap_or_else(|| panic!("{:#}", plan["kept"])));
    let shard = lab.sandbox.cache().join(old.parent().unwrap());
    let current = std::fs::read_dir(&shard).unwrap().map(|it| it.unwrap());
    let current = current
        .filter(|it| it.file_type().unwrap().is_dir() && it.file_name() != old.file_name().unwrap())
        .map(|it| it.file_name().into_string().unwrap());
    let current: Vec<String> = current.collect();
    assert_eq!(current.len(), 1);
    let current = &current[0];
    plan["steps"][0]["path"] = old.with_file_name(current).to_str().unwrap().into();
    let edited = lab.sandbox.path("edited.json");
    std::fs::write(&edited, plan.to_string()).unwrap();
    let output = lab.sandbox.cachetui(&["apply", edited.to_str().unwrap(), "--yes"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(shard.join(current).is_dir() && lab.sandbox.cache().join(&old).is_dir());
    ran(&mut lab.sandbox.cachetui(&["apply", saved, "--yes"]));
    assert!(shard.join(current).is_dir() && !lab.sandbox.cache().join(&old).exists());
}

#[test]
fn generations_of_a_tool_are_told_apart_by_version_and_the_newest_stays() {
    let directory = tempfile::tempdir().unwrap();
    let Some(lab) = Lab::new(directory.path(), "") else { return };
    let places = lab.places();
    let places: Vec<&str> = places.iter().map(String::as_str).collect();
    let tool = |arguments: &[&str]| {
        lab.sandbox.run_uv(&[&["tool", "run", "--quiet"], &places[..], arguments].concat());
        // Times are compared by the second.
        std::thread::sleep(std::time::Duration::from_millis(1_100));
    };
    tool(&["--from", "demo-a==1.0", "demo-a"]);
    tool(&["--from", "demo-a==2.0", "demo-a"]);
    tool(&["--from", "demo-a==2.0", "--with", "demo-odd", "demo-a"]);
    let answer = lab.sandbox.json(&["list", "--kind", "environment"]);
    let mut listed: Vec<(String, Option<&str>)> = answer["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["name"].as_str().unwrap().to_owned(), it["version"].as_str()))
        .collect();
    listed.sort();
    let row = |name: &str, version| (name.to_owned(), version);
    assert_eq!(
        listed,
        [row("demo-a", Some("1.0")), row("demo-a", Some("2.0")), row("demo-a, demo-odd", None)]
    );
    let old = plan(&lab.sandbox, &["--old-generations"]);
    assert_eq!(old["steps"].as_array().unwrap().len(), 1, "{old:#}");
    assert_eq!((&old["steps"][0]["name"], &old["steps"][0]["version"]), (&"demo-a".into(), &"1.0".into()));
    assert_eq!(
        plan(&lab.sandbox, &["--old-generations", "--keep-newest", "2"])["steps"],
        serde_json::json!([])
    );
    let none = plan(&lab.sandbox, &["--old-generations", "--keep-newest", "0"]);
    assert_eq!(none["steps"].as_array().unwrap().len(), 3);
    let policy =
        lab.sandbox.json(&["gc", "--keep-newest", "1", "--grace", "0h", "--allow", "most", "--dry-run"]);
    assert_eq!(policy["plan"]["steps"].as_array().unwrap().len(), 1, "{policy:#}");
    let done = prune(&lab.sandbox, &["--old-generations"]);
    assert_eq!(done["report"]["outcomes"][0]["state"], "done");
    tool(&["--offline", "--from", "demo-a==2.0", "demo-a"]);
    tool(&["--from", "demo-a==1.0", "demo-a"]);
}

#[test]
fn a_git_repository_goes_when_no_environment_has_anything_from_it() {
    git_repositories("0.13.8");
}

/// Its checkouts are not called as its database.
#[test]
fn a_git_repository_of_the_newest_uv_goes_whole() {
    if let Some((_, version)) = newest() {
        git_repositories(&version);
    }
}

fn git_repositories(release: &str) {
    let directory = tempfile::tempdir().unwrap();
    let Some(mut lab) = Lab::new(directory.path(), "") else { return };
    if lab.sandbox.use_release(release).is_none() {
        return;
    }
    let everything = lab.everything();
    let environment = lab.install("one", "hardlink", &everything);
    let kept = plan(&lab.sandbox, &["--git-repositories"]);
    assert_eq!(kept["steps"], serde_json::json!([]), "{kept:#}");
    assert_eq!(kept["kept"][0]["because"]["kind"], "used", "{kept:#}");
    lab.sandbox.delete(&environment);
    let wanted = plan(&lab.sandbox, &["--git-repositories"]);
    assert_eq!(wanted["steps"].as_array().unwrap().len(), 1, "{wanted:#}");
    assert_eq!(wanted["steps"][0]["trees"].as_array().unwrap().len(), 1, "{wanted:#}");
    assert_eq!(wanted["steps"][0]["price"]["kind"], "download");
    let cache = lab.sandbox.cache();
    let (before, size) = (files(&cache), takes(&cache));
    prune(&lab.sandbox, &["--git-repositories", "--trash"]);
    assert!(files(&cache).len() < before.len());
    ran(&mut lab.sandbox.cachetui(&["undo"]));
    assert_eq!(files(&cache), before);
    let done = prune(&lab.sandbox, &["--git-repositories"]);
    let freed = done["report"]["freed"]["measured"].as_u64().unwrap();
    assert_eq!(done["report"]["freed"]["predicted"], freed);
    assert_eq!(size - takes(&cache), freed);
    lab.hidden("again", "hardlink", &everything);
}

/// What uv fetches again: it is told with its price, goes and comes back, and uv builds and resolves without it.
#[test]
fn unpacked_sources_and_answers_of_indexes_are_fetched_again() {
    let directory = tempfile::tempdir().unwrap();
    let Some(mut lab) = Lab::new(directory.path(), "") else { return };
    let everything = lab.everything();
    lab.install("one", "hardlink", &everything);
    let cache = lab.sandbox.cache();
    for (kind, least) in [("--sources", 3), ("--index-caches", 1)] {
        let wanted = plan(&lab.sandbox, &[kind]);
        let steps = wanted["steps"].as_array().unwrap();
        assert!(steps.len() >= least, "{kind}: {wanted:#}");
        assert!(steps.iter().all(|step| step["price"]["kind"] == "download"), "{wanted:#}");
        // Where the place has a package's name it has the version too.
        assert!(steps.iter().all(|it| it["name"].is_null() == it["version"].is_null()), "{wanted:#}");
        let (before, size) = (files(&cache), takes(&cache));
        prune(&lab.sandbox, &[kind, "--trash"]);
        assert!(files(&cache).len() < before.len());
        ran(&mut lab.sandbox.cachetui(&["undo"]));
        assert_eq!(files(&cache), before, "{kind}");
        let done = prune(&lab.sandbox, &[kind]);
        let freed = done["report"]["freed"]["measured"].as_u64().unwrap();
        assert_eq!(done["report"]["freed"]["predicted"], freed, "{kind}");
        assert_eq!(size - takes(&cache), freed, "{kind}");
        let again = lab.hidden("again", "hardlink", &everything);
        lab.sandbox.delete(&again);
    }
    // Built anew, for another Python setting than before: the source has to come again.
    let python = lab.sandbox.environment("rebuilt").join("bin/python");
    let mut arguments = vec!["pip", "install", "--quiet", "--config-settings", "again=1", "--python"];
    arguments.push(python.to_str().unwrap());
    arguments.extend(everything.iter().map(String::as_str));
    lab.sandbox.run_uv(&arguments);
}

/// Of a bucket that goes as a whole nothing goes by itself.
#[test]
fn an_older_bucket_goes_once() {
    let directory = tempfile::tempdir().unwrap();
    let Some(mut lab) = Lab::new(directory.path(), "") else { return };
    if lab.sandbox.use_release("0.12.5").is_none() {
        return;
    }
    let arguments = lab.everything();
    lab.install("older", "hardlink", &arguments);
    change(&lab.sandbox, "directory");
    lab.install("old", "hardlink", &arguments);
    if lab.sandbox.use_release("0.13.8").is_none() {
        return;
    }
    lab.install("new", "hardlink", &arguments);
    let answer =
        lab.sandbox.json(&["prune", "--max-size", "0", "--grace", "0h", "--allow", "most,gone", "--dry-run"]);
    let plan = &answer["plan"];
    let saved = lab.sandbox.path("plan.json");
    std::fs::write(&saved, plan.to_string()).unwrap();
    ran(&mut lab.sandbox.cachetui(&["apply", saved.to_str().unwrap(), "--dry-run"]));
}

/// Everything that uv's own prune removes after every kind has run was named: as what is kept, with the reason.
fn after_every_kind_uv_removes_nothing_that_was_not_named(release: &str) {
    let directory = tempfile::tempdir().unwrap();
    let Some(mut lab) = Lab::new(directory.path(), "") else { return };
    if lab.sandbox.use_release(release).is_none() {
        return;
    }
    let everything = lab.everything();
    let linked = lab.install("linked", "symlink", &everything);
    for project in ["directory", "editable"] {
        change(&lab.sandbox, project);
    }
    lab.install("newer", "hardlink", &everything);
    let gone = lab.hidden("gone", "hardlink", &lab.packages(&["demo-a==2.0"]));
    lab.sandbox.delete(&gone);
    lab.commands();
    let cache = lab.sandbox.cache();
    std::fs::create_dir_all(cache.join(".tmpAbCdEf/inner")).unwrap();
    std::fs::write(cache.join(".tmpAbCdEf/inner/file"), "left").unwrap();
    let kinds = [
        "--unreferenced",
        "--unused",
        "--superseded",
        "--cached-environments",
        "--old-generations",
        "--orphaned-central",
        "--stale-buckets",
        "--old-builds",
        "--sources",
        "--git-repositories",
        "--index-caches",
        "--crash-leftovers",
    ];
    let arguments = [&kinds[..], &["--allow", "hidden-processes"]].concat();
    let done = prune(&lab.sandbox, &arguments);
    let outcomes = done["report"]["outcomes"].as_array().unwrap();
    assert!(outcomes.iter().all(|it| it["state"] == "done"), "{done:#}");
    let kept: Vec<PathBuf> = done["plan"]["kept"]
        .as_array()
        .unwrap()
        .iter()
        .map(|kept| cache.join(kept["path"].as_str().unwrap()))
        .collect();
    let before = files(&cache);
    lab.sandbox.run_uv(&["cache", "prune"]);
    let after = files(&cache);
    let is_named = |path: &Path| kept.iter().any(|kept| path.starts_with(kept));
    // uv's locks are its own, whatever they were for.
    let is_lock = |path: &Path| {
        let relative = path.strip_prefix(cache.join("environments-v2"));
        relative.is_ok_and(|it| path.extension().is_some_and(|it| it == "lock") || it.iter().count() == 1)
    };
    // Of an old build that is kept the entries are those that its links lead to.
    let leads = |path: &Path| {
        kept.iter().flat_map(|kept| entries_of(&before, kept)).any(|id| path.iter().any(|part| part == &*id))
    };
    let gone: Vec<&PathBuf> =
        before.keys().filter(|path| !after.contains_key(*path) && !is_named(path) && !leads(path)).collect();
    let gone: Vec<&&PathBuf> = gone.iter().filter(|path| !is_lock(path)).collect();
    assert!(gone.is_empty(), "{gone:#?}\n{kept:#?}");
    assert!(linked.exists());
    lab.hidden("again", "hardlink", &everything);
}

/// The ids of the entries that links below a directory lead to, by what was seen of them.
fn entries_of(seen: &BTreeMap<PathBuf, String>, directory: &Path) -> Vec<std::ffi::OsString> {
    let links = seen.iter().filter(|(path, _)| path.starts_with(directory));
    let id = |text: &String| {
        let (_, target) = text.split_once("archive-v0/")?;
        Some(target.split('"').next()?.to_owned().into())
    };
    links.filter_map(|(_, text)| id(text)).collect()
}

#[test]
fn after_every_kind_uv_0_12_5_removes_nothing_more() {
    after_every_kind_uv_removes_nothing_that_was_not_named("0.12.5");
}

#[test]
fn after_every_kind_uv_0_13_8_removes_nothing_more() {
    after_every_kind_uv_removes_nothing_that_was_not_named("0.13.8");
}

#[test]
fn after_every_kind_the_newest_uv_removes_nothing_more() {
    if let Some((_, version)) = newest() {
        after_every_kind_uv_removes_nothing_that_was_not_named(&version);
    }
}

/// A source that lay on this machine and is gone, and a repository whose directory is gone, may be the last copies.
#[test]
fn what_may_be_the_last_copy_of_a_source_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let Some(mut lab) = Lab::new(directory.path(), "") else { return };
    let everything = lab.everything();
    let environment = lab.install("one", "hardlink", &everything);
    let kept = |arguments: &[&str]| -> Vec<String> {
        let answer = lab
            .sandbox
            .json(&[&["prune", "--grace", "0h", "--allow", "most", "--dry-run"], arguments].concat());
        let kept = answer["plan"]["kept"].as_array().unwrap().iter();
        kept.map(|kept| kept["because"]["kind"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(kept(&["--sources"]), [""; 0]);
    std::fs::remove_file(lab.sandbox.path("paths/demo_sdist-1.0.tar.gz")).unwrap();
    assert_eq!(kept(&["--sources"]), ["last-copy"]);
    lab.sandbox.delete(&environment);
    assert_eq!(kept(&["--git-repositories"]), [""; 0]);
    std::fs::rename(lab.sandbox.path("git"), lab.sandbox.path("git-gone")).unwrap();
    assert_eq!(kept(&["--git-repositories"]), ["last-copy"]);
    assert_eq!(plan(&lab.sandbox, &["--git-repositories"])["steps"][0]["price"]["kind"], "gone");
}
