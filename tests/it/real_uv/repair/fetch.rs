//! With uv: it fetches exactly what no cache has, into the cache and nowhere else.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use super::super::lab::Lab;
use super::{
    dangling, ends, hand, is_settled, is_whole, json, listing, repair, site, symlinked, symlinked_by,
    with_each_release,
};
use crate::support::uv::{RELEASES, Sandbox, VERSION, ran};

/// What tells from which index something came.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    ByPointers,
    ByNothing,
}

/// `repair --with-uv`, with the uv and the Python of the tests.
fn with_uv(sandbox: &Sandbox, arguments: &[&str]) -> std::process::Command {
    let uv = sandbox.uv(&[]);
    let mut command = repair(sandbox, "cache", &[&["--with-uv"], arguments].concat());
    command.env("UV", uv.get_program()).env("UV_NO_PROGRESS", "1").env("UV_PYTHON_DOWNLOADS", "never");
    command
}

fn left_behind(sandbox: &Sandbox) -> Vec<PathBuf> {
    std::fs::read_dir(sandbox.path("tmp"))
        .unwrap()
        .map(|item| item.unwrap().path())
        .filter(|path| path.to_string_lossy().contains("cachetui"))
        .collect()
}

/// What uv can fetch of the lab, and what it would have to build from a directory, or from a source that nothing tells.
fn mends_all_but_directories(lab: &Lab, environment: &std::path::Path, told: Told) {
    let sandbox = &lab.sandbox;
    let env = environment.to_str().unwrap();
    let (dry, _) = json(&mut with_uv(sandbox, &[env, "--dry-run"]));
    let (done, ended) = json(&mut with_uv(sandbox, &[env, "--yes"]));
    assert_eq!(done["plan"], dry["plan"]);
    let steps = done["plan"]["steps"].as_array().unwrap();
    let fetched: Vec<&str> = steps.iter().map(|step| step["name"].as_str().unwrap()).collect();
    let wanted = [
        "demo-a",
        "demo-data",
        "demo-git",
        "demo-index",
        "demo-ns-b",
        "demo-ns-c",
        "demo-odd",
        "demo-path",
        "demo-sdist",
        "demo-sdist-index",
        "demo-sdist-url",
        "demo-url",
    ];
    // What nothing tells the source of is fetched as a wheel, and never built: another index may have another package.
    let is_told = |name: &&str| told == Told::ByPointers || *name != "demo-sdist-index";
    assert_eq!(fetched, wanted.into_iter().filter(is_told).collect::<Vec<_>>(), "{done:#}");
    for step in steps {
        let guarded = step["fetch"]["options"].as_array().unwrap().iter().any(|it| it == "--only-binary");
        assert_eq!(guarded, told == Told::ByNothing && step["name"] == "demo-index", "{step:#}");
    }
    for outcome in done["report"]["outcomes"].as_array().unwrap() {
        assert_eq!(outcome["state"], "done", "{outcome:#}");
    }
    let kept = done["plan"]["kept"].as_array().unwrap();
    let names: Vec<&str> = kept.iter().map(|left| left["name"].as_str().unwrap()).collect();
    let others = ["demo-sdist-index"].into_iter().filter(|_| told == Told::ByNothing);
    assert_eq!(
        (ended, names),
        (3, ["demo-dir", "demo-edit"].into_iter().chain(others).collect()),
        "{done:#}"
    );
    assert_eq!(left_behind(sandbox), [] as [PathBuf; 0]);
    for left in kept {
        hand::run_all_from(sandbox, &left["commands"], &lab.index.simple());
    }
    is_whole(sandbox, "cache", environment);
    is_settled(sandbox, "cache", environment);
}

#[test]
fn after_a_clean_uv_fetches_from_every_kind_of_source() {
    with_each_release(|lab, environment| {
        lab.sandbox.run_uv(&["cache", "clean", "--quiet"]);
        mends_all_but_directories(lab, environment, Told::ByNothing);
    });
}

#[test]
fn what_an_older_uv_installed_is_mended_by_what_the_newest_one_fetches() {
    for version in RELEASES.into_iter().filter(|it| *it != VERSION) {
        let base = tempfile::Builder::new().prefix(&format!("uv-{version}-")).tempdir().unwrap();
        let Some((mut lab, environment)) = symlinked_by(version, base.path()) else { continue };
        lab.sandbox.use_release(VERSION).unwrap();
        // What the older release wrote is nothing to the newest one's prune, which takes all of it.
        lab.sandbox.run_uv(&["cache", "prune", "--quiet"]);
        assert!(dangling(&environment).len() > 40);
        mends_all_but_directories(&lab, &environment, Told::ByNothing);
    }
}

#[test]
fn entries_that_somebody_removed_alone_poison_uv_until_their_pointers_are_gone() {
    with_each_release(|lab, environment| {
        let sandbox = &lab.sandbox;
        for item in std::fs::read_dir(sandbox.cache().join("archive-v0")).unwrap() {
            std::fs::remove_dir_all(item.unwrap().path()).unwrap();
        }
        // What it is about: uv fails as it is.
        let links = sandbox.path("links");
        let target = sandbox.path("tmp/target");
        let poisoned = sandbox
            .uv(&[
                "pip",
                "install",
                "--target",
                target.to_str().unwrap(),
                "--find-links",
                links.to_str().unwrap(),
            ])
            .args(["--no-index", "demo-a==1.0"])
            .output()
            .unwrap();
        assert_eq!(poisoned.status.code(), Some(2));
        std::fs::remove_dir_all(&target).unwrap();
        mends_all_but_directories(lab, environment, Told::ByPointers);
        // What was in the way is gone, and nothing else leads nowhere for it.
        let (links, _) =
            json(sandbox.cachetui(&["links", "--state", "dangling"]).arg("--form").arg("http,rev"));
        assert_eq!(links["pointers"].as_array().unwrap().len(), 0, "{links:#}");
    });
}

#[test]
fn what_uv_cannot_fetch_is_told_and_stays_as_it_was() {
    let base = tempfile::tempdir().unwrap();
    let Some((lab, environment)) = symlinked(base.path()) else { return };
    let sandbox = &lab.sandbox;
    sandbox.run_uv(&["cache", "clean", "--quiet"]);
    std::fs::remove_file(sandbox.path("served/demo_index-1.0-py3-none-any.whl")).unwrap();
    // Another wheel by the same name and version at the same place, which has another content.
    crate::support::wheel::Wheel::new("demo-url", "1.0")
        .file("demo_url/other.py", "OTHER = 1\n")
        .save(&sandbox.path("served"));
    // What lies in a directory of wheels now is not the file that was there.
    let wheel = sandbox.path("links/demo_a-1.0-py3-none-any.whl");
    std::fs::copy(&wheel, sandbox.path("tmp/copy")).unwrap();
    std::fs::remove_file(&wheel).unwrap();
    std::fs::rename(sandbox.path("tmp/copy"), &wheel).unwrap();
    let env = environment.to_str().unwrap();
    let dead =
        |name: &str| dangling(&environment).iter().filter(|it| it.to_string_lossy().contains(name)).count();
    let (index, url, a) = (dead("demo_index"), dead("demo_url"), dead("demo_a"));
    let said = ends(&mut with_uv(sandbox, &[env, "--yes"]), 3);
    assert!(said.contains("not fetched demo-index 1.0") && said.contains("uv said"), "{said}");
    assert!(said.contains("not fetched demo-url 1.0") && said.contains("has not its content"), "{said}");
    assert!(said.contains("--find-links '<DIRECTORY>' demo-a==1.0"), "{said}");
    assert_eq!((dead("demo_index"), dead("demo_a")), (index, a));
    assert!(dead("demo_url") > 0 && dead("demo_url") <= url);
    assert_eq!(dead("demo_path") + dead("demo_data"), 0, "one failure does not stop the others");
    assert_eq!(left_behind(sandbox), [] as [PathBuf; 0]);
}

#[test]
fn without_a_uv_nothing_is_touched_and_hostile_words_never_reach_one() {
    let base = tempfile::tempdir().unwrap();
    let Some((lab, environment)) = symlinked(base.path()) else { return };
    let sandbox = &lab.sandbox;
    sandbox.run_uv(&["cache", "clean", "--quiet"]);
    let direct = site(&environment).join("demo_url-1.0.dist-info/direct_url.json");
    std::fs::write(&direct, r#"{"url":"https://example.org/${HOME}/x.whl","archive_info":{}}"#).unwrap();
    let env = environment.to_str().unwrap();
    let (plan, _) = json(&mut with_uv(sandbox, &[env, "--dry-run"]));
    let steps = plan["plan"]["steps"].as_array().unwrap();
    assert!(!steps.is_empty() && steps.iter().all(|step| step["name"] != "demo-url"), "{plan:#}");
    let before = listing(&environment);
    let mut command = with_uv(sandbox, &[env, "--yes"]);
    let said = ends(command.env("UV", sandbox.path("nowhere/uv")), 3);
    assert!(said.contains("Failed to start"), "{said}");
    assert_eq!(listing(&environment), before);
}

#[test]
fn a_cache_whose_directory_is_gone_is_made_anew_by_uv_or_replaced_by_one_that_is_named() {
    with_each_release(|lab, environment| {
        let sandbox = &lab.sandbox;
        let env = environment.to_str().unwrap();
        std::fs::rename(sandbox.cache(), sandbox.path("other")).unwrap();
        let other = sandbox.path("other");
        let said = ends(&mut repair(sandbox, "cache", &[env, "--yes", "--from", other.to_str().unwrap()]), 0);
        assert!(said.contains("moved"), "{said}");
        is_whole(sandbox, "other", environment);
        assert!(!sandbox.cache().exists(), "nobody made it");
        std::fs::remove_dir_all(&other).unwrap();
        mends_all_but_directories(lab, environment, Told::ByNothing);
    });
}

#[test]
fn a_run_that_was_killed_leaves_a_directory_which_goes_when_its_uv_has_ended_too() {
    let base = tempfile::tempdir().unwrap();
    let Some((lab, environment)) = symlinked(base.path()) else { return };
    let sandbox = &lab.sandbox;
    sandbox.run_uv(&["cache", "clean", "--quiet"]);
    let env = environment.to_str().unwrap();
    // A uv that says that it runs, and goes on and on.
    let (pipe, slow) = (sandbox.path("pipe"), sandbox.path("slow-uv"));
    ran(sandbox.command("mkfifo").arg(&pipe));
    std::fs::write(&slow, format!("#!/bin/sh\necho $$ > {}\nexec sleep 600\n", pipe.display())).unwrap();
    std::fs::set_permissions(&slow, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = with_uv(sandbox, &[env, "--yes"]);
    command.env("UV", &slow).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let mut killed = command.spawn().unwrap();
    let uv: i32 = std::fs::read_to_string(&pipe).unwrap().trim().parse().unwrap();
    killed.kill().unwrap();
    killed.wait().unwrap();
    let left = left_behind(sandbox);
    assert_eq!(left.len(), 1, "{left:?}");

    // That uv works there still.
    ends(&mut with_uv(sandbox, &[env, "--yes"]), 3);
    assert_eq!(left_behind(sandbox), left);
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(uv), nix::sys::signal::Signal::SIGKILL).unwrap();
    std::fs::File::open(left[0].join("lock")).unwrap().lock().unwrap();
    std::fs::remove_file(site(&environment).join("demo_a/__init__.py")).unwrap();
    // Nothing has to be fetched for that.
    let said = ends(&mut repair(sandbox, "cache", &[env, "--yes"]), 3);
    assert!(said.contains("demo-a"), "{said}");
    assert_eq!(left_behind(sandbox), [] as [PathBuf; 0]);
}
