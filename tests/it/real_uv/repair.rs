//! Mending environments that real uv made, after real uv or somebody else broke them: each way ends with nothing dangling,
//! every file as its RECORD says, and uv content; where there is no way nothing is touched.

mod compiled;
mod fetch;
pub(super) mod hand;
mod links;
mod refused;

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use data_encoding::BASE64URL_NOPAD;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::lab::Lab;
use crate::support::text;
use crate::support::uv::{RELEASES, Sandbox, VERSION, ran};
use crate::support::wheel::Wheel;

/// `repair` with some arguments, on a cache of the sandbox.
fn repair(sandbox: &Sandbox, cache: &str, arguments: &[&str]) -> Command {
    let mut command = sandbox.command(env!("CARGO_BIN_EXE_cachetui"));
    command.arg("repair").args(arguments).arg("--no-remember");
    command.arg("--cache-dir").arg(sandbox.path(cache)).arg("--root").arg(sandbox.roots());
    command
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

/// Runs it, and answers with the JSON and the exit code.
fn json(command: &mut Command) -> (Value, i32) {
    let output = command.arg("--json").output().unwrap();
    let answer = serde_json::from_slice(&output.stdout);
    (answer.unwrap_or_else(|error| panic!("{error}: {}", text(&output))), code(&output))
}

/// Runs it, which has to end so.
fn ends(command: &mut Command, wanted: i32) -> String {
    let output = command.output().unwrap();
    assert_eq!(code(&output), wanted, "{command:?}\n{}", text(&output));
    text(&output)
}

/// Everything that can be seen of a tree but access times.
fn listing(root: &Path) -> BTreeMap<PathBuf, String> {
    let items = walkdir::WalkDir::new(root).into_iter().map(Result::unwrap);
    let seen = items.map(|item| {
        let stat = item.path().symlink_metadata().unwrap();
        let times = (stat.mtime(), stat.mtime_nsec(), stat.ctime(), stat.ctime_nsec());
        let link = std::fs::read_link(item.path()).ok();
        let numbers = (stat.dev(), stat.ino(), stat.mode(), stat.nlink(), stat.size(), stat.uid());
        (item.path().to_owned(), format!("{numbers:?} {times:?} {link:?}"))
    });
    seen.collect()
}

/// The symlinks of a tree that lead nowhere.
pub(super) fn dangling(root: &Path) -> Vec<PathBuf> {
    let items = walkdir::WalkDir::new(root).into_iter().map(Result::unwrap);
    items.map(walkdir::DirEntry::into_path).filter(|path| path.is_symlink() && !path.exists()).collect()
}

/// The directory of distributions.
fn site(environment: &Path) -> PathBuf {
    let lib = environment.join("lib");
    let python = std::fs::read_dir(&lib).unwrap().next().unwrap().unwrap();
    python.path().join("site-packages")
}

/// The rows of all RECORDs that state a digest: the path, and what it may be by any of them.
fn recorded(environment: &Path) -> BTreeMap<PathBuf, BTreeSet<String>> {
    let site = site(environment);
    let mut files: BTreeMap<PathBuf, BTreeSet<String>> = BTreeMap::new();
    for item in std::fs::read_dir(&site).unwrap().map(Result::unwrap) {
        let Ok(bytes) = std::fs::read(item.path().join("RECORD")) else { continue };
        for row in csv::ReaderBuilder::new().has_headers(false).from_reader(&bytes[..]).records() {
            let row = row.unwrap();
            if let Some(digest) = row[1].strip_prefix("sha256=") {
                files.entry(site.join(&row[0])).or_default().insert(digest.to_owned());
            }
        }
    }
    files
}

/// Nothing dangles, every file is what a RECORD says, nothing was left beside, and uv has nothing to say against it.
fn is_whole(sandbox: &Sandbox, cache: &str, environment: &Path) {
    assert_eq!(dangling(environment), [] as [PathBuf; 0]);
    let recorded = recorded(environment);
    assert!(!recorded.is_empty());
    for (path, digests) in recorded {
        let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let digest = BASE64URL_NOPAD.encode(&Sha256::digest(bytes));
        assert!(digests.contains(&digest), "{} is not what RECORD says", path.display());
    }
    let left = listing(environment).into_keys().filter(|path| path.to_string_lossy().contains(".cachetui-"));
    assert_eq!(left.count(), 0);
    let mut check = sandbox.uv(&["pip", "check", "--python", environment.to_str().unwrap()]);
    ran(check.env("UV_CACHE_DIR", sandbox.path(cache)));
}

/// A second run finds nothing to do, and changes nothing.
fn is_settled(sandbox: &Sandbox, cache: &str, environment: &Path) {
    let before = listing(environment);
    let output = ends(&mut repair(sandbox, cache, &[environment.to_str().unwrap(), "--yes"]), 0);
    assert!(output.contains("Nothing is broken"), "{output}");
    assert_eq!(listing(environment), before);
}

/// A lab with one environment of symlinks that has everything.
fn symlinked(base: &Path) -> Option<(Lab, PathBuf)> {
    symlinked_by(VERSION, base)
}

/// A lab with one environment of symlinks that has everything, of which a certain release of uv made all.
fn symlinked_by(version: &str, base: &Path) -> Option<(Lab, PathBuf)> {
    let mut lab = Lab::new(base, "")?;
    lab.sandbox.use_release(version)?;
    let everything = lab.everything();
    let environment = lab.install("app", "symlink", &everything);
    assert!(Sandbox::was_made_by(&environment, version));
    // uv searches for settings where it works: this is what a project has.
    let settings = format!(
        "find-links = [\"{}\"]\n[[index]]\nurl = \"{}\"\ndefault = true\n",
        lab.sandbox.path("links").display(),
        lab.index.simple()
    );
    std::fs::write(environment.parent().unwrap().join("uv.toml"), settings).unwrap();
    Some((lab, environment))
}

/// Runs a scenario with what each release of uv made, which is the one that mends and checks, too.
fn with_each_release(scenario: impl Fn(&Lab, &Path)) {
    for version in RELEASES {
        // So that whatever fails tells with which release.
        let base = tempfile::Builder::new().prefix(&format!("uv-{version}-")).tempdir().unwrap();
        let Some((lab, environment)) = symlinked_by(version, base.path()) else { continue };
        scenario(&lab, &environment);
    }
}

#[test]
fn a_cache_that_was_moved_is_found_by_the_names_its_dead_links_still_say() {
    with_each_release(|lab, environment| {
        let sandbox = &lab.sandbox;
        std::fs::rename(sandbox.cache(), sandbox.path("moved")).unwrap();
        assert!(dangling(environment).len() > 40);
        let env = environment.to_str().unwrap();

        let before = listing(sandbox.path("").as_path());
        let (dry, ended) = json(&mut repair(sandbox, "moved", &[env, "--dry-run"]));
        assert_eq!(ended, 0, "{dry:#}");
        assert_eq!(listing(sandbox.path("").as_path()), before, "a dry run changes nothing");
        let steps = dry["plan"]["steps"].as_array().unwrap();
        assert!(steps.iter().all(|step| step["way"] == "moved" && step["link_mode"] == "symlink"), "{dry:#}");

        let (done, ended) = json(&mut repair(sandbox, "moved", &[env, "--yes"]));
        assert_eq!((ended, &done["plan"]), (0, &dry["plan"]), "{done:#}");
        let outcomes = done["report"]["outcomes"].as_array().unwrap();
        assert_eq!(outcomes.len(), steps.len());
        assert!(outcomes.iter().all(|outcome| outcome["state"] == "done"), "{done:#}");
        is_whole(sandbox, "moved", environment);
        is_settled(sandbox, "moved", environment);
        let moved = sandbox.path("moved");
        let first = walkdir::WalkDir::new(site(environment)).into_iter().map(Result::unwrap);
        let links: Vec<_> = first.filter_map(|item| std::fs::read_link(item.path()).ok()).collect();
        assert!(!links.is_empty() && links.iter().all(|text| text.starts_with(&moved)), "{links:?}");
        // The cache is whole too: uv uninstalls and installs from it.
        let arguments =
            ["pip", "install", "--reinstall", "--offline", "--python", env, "demo-a==1.0", "--find-links"];
        let links = sandbox.path("links");
        let mut again = sandbox.uv(&[&arguments[..], &[links.to_str().unwrap()]].concat());
        ran(again.env("UV_CACHE_DIR", &moved));
        is_whole(sandbox, "moved", environment);
    });
}

#[test]
fn another_cache_mends_from_where_it_is_and_its_own_links_say_so() {
    with_each_release(|lab, environment| {
        let sandbox = &lab.sandbox;
        ran(Command::new("cp").arg("-a").arg(sandbox.cache()).arg(sandbox.path("other")));
        sandbox.run_uv(&["cache", "clean", "--quiet"]);
        let env = environment.to_str().unwrap();
        let other = sandbox.path("other");
        let said = ends(&mut repair(sandbox, "cache", &[env, "--yes", "--from", other.to_str().unwrap()]), 0);
        assert!(said.contains("to move, prune or clean that cache"), "{said}");
        is_whole(sandbox, "cache", environment);
        is_settled(sandbox, "cache", environment);
        // Copies do not need it any more.
        std::fs::remove_dir_all(&other).unwrap();
        assert!(!dangling(environment).is_empty());
    });
}

#[test]
fn an_entry_of_another_id_mends_when_its_content_is_what_record_states() {
    with_each_release(|lab, environment| {
        let sandbox = &lab.sandbox;
        sandbox.run_uv(&["cache", "clean", "--quiet"]);
        // Somebody else installs the same, by hardlink.
        let everything = lab.everything();
        let wheels: Vec<String> = everything.iter().filter(|it| !it.contains("editable")).cloned().collect();
        lab.hidden("unrelated", "hardlink", &wheels[..wheels.len()]);
        let env = environment.to_str().unwrap();
        let (done, ended) = json(&mut repair(sandbox, "cache", &[env, "--yes"]));
        let kept = done["plan"]["kept"].as_array().unwrap();
        // The editable one is in no cache; all else is.
        let names: Vec<&str> = kept.iter().map(|left| left["name"].as_str().unwrap()).collect();
        assert_eq!((ended, names), (3, vec!["demo-edit"]), "{done:#}");
        let steps = done["plan"]["steps"].as_array().unwrap();
        assert!(steps.len() > 10 && steps.iter().all(|step| step["way"] == "digest"), "{done:#}");
        let edited = |path: &PathBuf| path.to_string_lossy().contains("demo_edit");
        assert!(dangling(environment).iter().all(edited), "{:?}", dangling(environment));
        // Of a namespace each has its own, and what both list is the one that was there.
        let owner = std::fs::read_to_string(site(environment).join("demo_ns/contended.py")).unwrap();
        assert!(owner.contains("demo-ns-"), "{owner}");
        // The command that was said mends the rest.
        hand::run_all(sandbox, &kept[0]["commands"]);
        is_whole(sandbox, "cache", environment);
        is_settled(sandbox, "cache", environment);
    });
}

#[test]
fn distributions_that_are_whole_are_not_touched_and_the_rest_is_linked_as_most_files_are() {
    let base = tempfile::tempdir().unwrap();
    let Some(sandbox) = Sandbox::new(base.path()) else { return };
    let links = sandbox.path("links");
    let mut many = Wheel::new("demo-many", "1.0").entry_point();
    for number in 0..30 {
        many = many.file(&format!("demo_many/part{number}.py"), format!("PART = {number}\n"));
    }
    many.save(&links);
    Wheel::new("demo-few", "1.0").program("demo_few/run.sh", "#!/bin/sh\n").save(&links);
    let find = ["--no-index", "--find-links", links.to_str().unwrap()];
    let environment = sandbox.install("app", "hardlink", &[&find[..], &["demo-many"]].concat());
    let env = environment.to_str().unwrap();
    let install = ["pip", "install", "--quiet", "--python", env, "--link-mode", "symlink", "demo-few"];
    sandbox.run_uv(&[&install[..], &find].concat());
    std::fs::rename(sandbox.cache(), sandbox.path("moved")).unwrap();
    let whole = |path: &Path| path.to_string_lossy().contains("demo_many");
    let many = || listing(&environment).into_iter().filter(|(path, _)| whole(path)).collect::<Vec<_>>();
    let before = many();
    let (done, ended) = json(&mut repair(&sandbox, "moved", &["--all", "--yes"]));
    assert_eq!(ended, 0, "{done:#}");
    let step = &done["plan"]["steps"][0];
    assert_eq!((&step["name"], &step["link_mode"]), (&"demo-few".into(), &"hardlink".into()));
    assert_eq!(many(), before);
    is_whole(&sandbox, "moved", &environment);
    let program = site(&environment).join("demo_few/run.sh").symlink_metadata().unwrap();
    assert_eq!((program.nlink(), program.mode() & 0o777), (2, 0o755));

    // What is missing is linked as well, in whatever mode somebody asks for.
    for mode in ["copy", "symlink", "clone", "hardlink"] {
        let gone = ["demo_many/part3.py", "demo_many/part4.py", "demo_many-1.0.dist-info/METADATA"];
        for name in gone {
            std::fs::remove_file(site(&environment).join(name)).unwrap();
        }
        let changed = || site(&environment).metadata().unwrap().mtime_nsec();
        let before = changed();
        let said = ends(&mut repair(&sandbox, "moved", &["--all", "--yes", "--link-mode", mode]), 0);
        assert!(said.contains("Nothing is broken any more."), "{said}");
        is_whole(&sandbox, "moved", &environment);
        // The path finder keeps its listing until this moves.
        assert_ne!(changed(), before);
        let is_link = site(&environment).join(gone[0]).is_symlink();
        assert_eq!(is_link, mode == "symlink", "{mode}");
    }
    is_settled(&sandbox, "moved", &environment);
}

#[test]
fn an_environment_whose_lock_somebody_holds_is_busy_and_stays_as_it_is() {
    let base = tempfile::tempdir().unwrap();
    let Some((lab, environment)) = symlinked(base.path()) else { return };
    let sandbox = &lab.sandbox;
    std::fs::rename(sandbox.cache(), sandbox.path("moved")).unwrap();
    let lock = std::fs::File::options().create(true).append(true).open(environment.join(".lock")).unwrap();
    lock.try_lock().unwrap();
    let before = listing(&environment);
    let mut command = repair(sandbox, "moved", &["--all", "--yes"]);
    let said = ends(command.env("UV_LOCK_TIMEOUT", "0"), 11);
    assert!(said.contains("was locked") || said.contains("is locked"), "{said}");
    assert_eq!(listing(&environment), before);
    drop(lock);
    ends(&mut repair(sandbox, "moved", &["--all", "--yes"]), 0);
    is_whole(sandbox, "moved", &environment);
}
