//! `find` has what `uv pip list` has, linked as `envs` says, of every kind of installation.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use super::super::lab::MODES;
use super::ground::{Ground, Installation, KINDS, Kind, PACKAGES};
use crate::support::random::Random;
use crate::support::uv::{VERSION, ran};

/// What a command answers, whose exit code is the given one.
fn find(ground: &Ground, specs: &[&str], code: i32) -> Value {
    let output = ground.sandbox.cachetui(&["find", "--json"]).args(specs).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{specs:?}: {said}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{specs:?}: {error}: {said}"))
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("{key} in {value:#}"))
}

/// Name and version of what is found in an installation.
fn at(answer: &Value, root: &Path) -> BTreeSet<(String, String)> {
    let found = answer["found"].as_array().unwrap().iter();
    let own = found.filter(|it| Path::new(text(&it["environment"], "path")).starts_with(root));
    own.map(|it| (text(it, "name").to_owned(), text(it, "version").to_owned())).collect()
}

/// What uv lists of an installation.
fn listed(ground: &Ground, installation: &Installation) -> BTreeSet<(String, String)> {
    let root = installation.root.to_str().unwrap();
    let python = installation.root.join("bin/python3");
    let place = match installation.kind {
        Kind::Target | Kind::PipTarget => ["--target", root],
        Kind::Prefix => ["--prefix", root],
        Kind::Environment => ["--python", root],
        Kind::System | Kind::Managed | Kind::Conda => ["--python", python.to_str().unwrap()],
    };
    let output = ran(&mut ground.sandbox.uv(&[&["pip", "list", "--format", "json"][..], &place].concat()));
    let listed: Value = serde_json::from_slice(&output.stdout).unwrap();
    let rows = listed.as_array().unwrap().iter();
    rows.map(|it| (text(it, "name").to_owned(), text(it, "version").to_owned())).collect()
}

fn compare(ground: &Ground, log: &str) {
    let lists: Vec<_> = ground.installations.iter().map(|it| listed(ground, it)).collect();
    let names: BTreeSet<&str> = lists.iter().flatten().map(|(name, _)| name.as_str()).collect();
    let names: Vec<&str> = names.into_iter().collect();
    assert!(PACKAGES.iter().all(|it| names.contains(it)), "{log}: {names:?}");
    let answer = find(ground, &names, 0);
    let envs = ground.sandbox.json(&["envs"]);
    for (installation, listed) in ground.installations.iter().zip(lists) {
        let root = &installation.root;
        assert_eq!(at(&answer, root), listed, "{log}: {}", root.display());
        // How it is linked, and from which entry, is what `envs` says.
        let said = |rows: &Value, name: &str| {
            let own = rows.as_array().unwrap().iter().find(|it| it["name"] == *name);
            own.map(|it| ["mode", "entry", "editable", "of_system"].map(|key| it[key].clone()))
        };
        let environment = envs["environments"].as_array().unwrap().iter();
        let mut environment = environment.filter(|it| Path::new(text(it, "path")).starts_with(root));
        let environment = environment.next().unwrap_or_else(|| panic!("{log}: {}", root.display()));
        for name in PACKAGES {
            // Also when it is looked for alone, so that nothing is known of what shares files with it.
            for answer in [&answer, &find(ground, &[name], 0)] {
                let found = answer["found"].as_array().unwrap().iter();
                let own = found.filter(|it| Path::new(text(&it["environment"], "path")).starts_with(root));
                let own = Value::Array(own.cloned().collect());
                let expected = said(&environment["distributions"], name);
                assert_eq!(said(&own, name), expected, "{log}: {name}: {own:#}");
            }
        }
    }
    let entries: BTreeMap<&str, &Value> =
        answer["entries"].as_array().unwrap().iter().map(|it| (text(it, "id"), it)).collect();
    let stored = ground.sandbox.json(&["list"]);
    let stored: BTreeSet<&str> =
        stored["entries"].as_array().unwrap().iter().map(|it| text(it, "id")).collect();
    assert_eq!(entries.keys().copied().collect::<BTreeSet<_>>(), stored, "{log}");
}

#[test]
fn find_has_what_uv_lists_in_every_kind_of_installation() {
    for (position, mode) in MODES.into_iter().enumerate() {
        let filesystem = if mode == "clone" { "btrfs" } else { "" };
        let what: Vec<_> = KINDS.map(|kind| (kind, MODES[(position + kind as usize) % MODES.len()])).into();
        let Some(ground) = Ground::of(filesystem, VERSION, &what) else { return };
        compare(&ground, &format!("{mode} first on {filesystem:?}"));
    }
}

#[test]
fn find_has_what_uv_lists_on_random_grounds() {
    for seed in 0..8 {
        let mut random = Random::new(seed + 1);
        let Some((ground, log)) = Ground::new(usize::try_from(seed).unwrap(), &mut random) else { return };
        compare(&ground, &format!("seed {seed}: {log}"));
    }
}

#[test]
fn versions_choose_and_nothing_found_ends_with_1() {
    let Some(ground) = Ground::of("", VERSION, &[(Kind::Environment, "hardlink")]) else { return };
    let root = &ground.installations[0].root;
    let version =
        listed(&ground, &ground.installations[0]).into_iter().find(|it| it.0 == "demo-plain").unwrap().1;
    for (spec, is_met) in [
        (format!("demo-plain=={version}"), true),
        (format!("Demo.Plain >= {version}"), true),
        (format!("demo-plain<{version}"), false),
        ("demo-plain!=0".to_owned(), true),
        ("demo-plain~=99.0".to_owned(), false),
        ("demo".to_owned(), false),
    ] {
        let answer = find(&ground, &[&spec], i32::from(!is_met));
        assert_eq!(at(&answer, root).len(), usize::from(is_met), "{spec}: {answer:#}");
        assert_eq!(answer["entries"].as_array().unwrap().len(), usize::from(is_met), "{spec}");
        // The same text means the same entries everywhere.
        let output = ground.sandbox.cachetui(&["why", "--json", &spec]).output().unwrap();
        assert_eq!(output.status.success(), is_met, "why {spec}");
        let output = ground.sandbox.cachetui(&["list", "--json", &spec]).output().unwrap();
        assert_eq!(output.status.success(), is_met, "list {spec}");
        let name = root.to_str().unwrap();
        let relink = ["relink", name, "--link-mode", "copy", "--dry-run", "--package", &spec];
        // What is linked by hardlinks keeps its files.
        for arguments in [&relink[..], &["prune", "--dry-run", &spec]] {
            let output = ground.sandbox.cachetui(arguments).arg("--json").output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(i32::from(!is_met)), "{arguments:?}: {said}");
            if is_met {
                let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
                assert_eq!(answer["plan"]["steps"].as_array().unwrap().len(), 1, "{arguments:?}: {answer:#}");
            } else {
                let has_versions = spec.contains(['<', '=', '~']);
                let verb = if has_versions { "meets" } else { "is called" };
                assert!(said.contains(&format!("{verb} `{spec}`.")), "{arguments:?}: {said}");
            }
        }
    }
    for wrong in ["demo-plain<<2", "", "demo plain", "demo[x]"] {
        let output = ground.sandbox.cachetui(&["find", wrong]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{wrong}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("is no requirement"), "{wrong}: {output:?}");
    }
}

#[test]
fn what_has_no_dist_info_and_what_no_cache_has_is_found_too() {
    let Some(ground) = Ground::of("", VERSION, &[(Kind::Environment, "copy")]) else { return };
    let installation = &ground.installations[0];
    let site = installation.root.join(&installation.site);
    let metadata = |name: &str, version: &str| {
        format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\nText\n")
    };
    std::fs::create_dir(site.join("old_thing-1.5-py3.11.egg-info")).unwrap();
    std::fs::write(site.join("old_thing-1.5-py3.11.egg-info/PKG-INFO"), metadata("Old-Thing", "1.5"))
        .unwrap();
    std::fs::write(site.join("single-2.0.egg-info"), metadata("single", "2.0")).unwrap();
    std::fs::create_dir(site.join("broken.egg-info")).unwrap();
    // Debian's own are the system's, as `envs` says too.
    let debian = ground.sandbox.roots().join("usr/lib/python3/dist-packages");
    std::fs::create_dir_all(&debian).unwrap();
    std::fs::write(debian.join("packaged-3.0.egg-info"), metadata("packaged", "3.0")).unwrap();
    let over = ground.sandbox.roots().join("over");
    std::fs::create_dir(&over).unwrap();
    let home = ground.sandbox.roots().join("usr/bin");
    let settings =
        format!("home = {}\ninclude-system-site-packages = true\nversion = 3.11.0\n", home.display());
    std::fs::write(over.join("pyvenv.cfg"), settings).unwrap();
    let packaged = find(&ground, &["packaged"], 0);
    assert_eq!(
        (&packaged["found"][0]["of_system"], &packaged["found"][0]["mode"]),
        (&true.into(), &"unknown".into())
    );
    // Neither needs a cache.
    std::fs::remove_dir_all(ground.sandbox.cache()).unwrap();
    let answer = find(&ground, &["old_thing<2", "single", "broken", "demo-plain"], 0);
    let own = at(&answer, &installation.root);
    assert_eq!(
        own,
        listed(&ground, installation)
            .into_iter()
            .filter(|(name, _)| !name.starts_with("demo-") || name == "demo-plain")
            .collect(),
        "{answer:#}"
    );
    assert_eq!(own.len(), 3, "{answer:#}");
    find(&ground, &["old-thing>=2"], 1);
    let said = ran(&mut ground.sandbox.cachetui(&["find", "old-thing", "demo-plain"]));
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(
        said.contains("2 installations in 1 environment") && said.contains("the cache has no matching entry"),
        "{said}"
    );
}

#[test]
fn tools_and_cached_environments_have_what_they_run() {
    let Some(ground) = Ground::of("", VERSION, &[(Kind::Environment, "symlink")]) else { return };
    let sandbox = &ground.sandbox;
    let links = sandbox.path("links");
    let from = ["--no-index", "--find-links", links.to_str().unwrap()];
    sandbox.run_uv(&[&["tool", "install", "--quiet"][..], &from, &["demo-files"]].concat());
    let with = ["run", "--quiet", "--no-project", "--with", "demo-plain"];
    sandbox.run_uv(&[&with[..], &from, &["--", "python", "-c", "import demo_plain"]].concat());
    let answer = find(&ground, &["demo-files", "demo-plain"], 0);
    let kinds = |name: &str| -> BTreeSet<&str> {
        let own = answer["found"].as_array().unwrap().iter().filter(|it| it["name"] == *name);
        own.map(|it| text(&it["environment"], "kind")).collect()
    };
    assert_eq!(kinds("demo-files"), BTreeSet::from(["project", "tool"]), "{answer:#}");
    assert_eq!(kinds("demo-plain"), BTreeSet::from(["cached", "project"]), "{answer:#}");
}

#[test]
fn what_lies_about_as_if_it_were_installed_is_not_found() {
    let Some(ground) = Ground::of("", VERSION, &[(Kind::System, "hardlink")]) else { return };
    let installation = &ground.installations[0];
    let site = installation.root.join(&installation.site);
    std::fs::create_dir_all(site.join("demo_plain/_vendor/vendored-1.0.dist-info")).unwrap();
    // conda has it unpacked for its environments.
    let package = ground.sandbox.roots().join("pkgs/unpacked-1.0-py_0");
    std::fs::create_dir_all(package.join("lib/python3.11/site-packages/unpacked-1.0.dist-info")).unwrap();
    std::fs::create_dir(package.join("info")).unwrap();
    std::fs::write(package.join("info/index.json"), "{}").unwrap();
    find(&ground, &["vendored", "unpacked"], 1);
    // The same elsewhere is an installation.
    std::fs::remove_file(package.join("info/index.json")).unwrap();
    let answer = find(&ground, &["vendored", "unpacked"], 0);
    assert_eq!(
        at(&answer, &package),
        BTreeSet::from([("unpacked".to_owned(), "1.0".to_owned())]),
        "{answer:#}"
    );
}
