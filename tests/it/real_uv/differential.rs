//! What cachetui calls unreferenced against what uv's own prune takes, and its counts of links against `find`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::lab::MODES;
use crate::support::random::Random;
use crate::support::uv::{Sandbox, ran};
use crate::support::wheel::Wheel;

const PACKAGES: [&str; 4] = ["demo-a", "demo-b", "demo-c", "demo-d"];

/// A cache that uv filled: some packages in some modes, some environments gone, some wheels built anew since.
fn fill(sandbox: &Sandbox, random: &mut Random) {
    let links = sandbox.path("links");
    for name in PACKAGES {
        Wheel::new(name, "1.0").bulk(&format!("{}/bulk.bin", name.replace('-', "_")), 4).save(&links);
    }
    let mut installed = Vec::new();
    for number in 0..=1 + random.below(3) {
        let mut wanted: Vec<String> = PACKAGES
            .iter()
            .filter(|_| random.below(2) == 0)
            .map(|name| links.join(Wheel::new(name, "1.0").file_name()).display().to_string())
            .collect();
        if random.below(2) == 0 {
            wanted = vec![PACKAGES[random.below(4)].to_owned(), PACKAGES[random.below(4)].to_owned()];
        }
        if wanted.is_empty() {
            continue;
        }
        let mode = MODES[random.below(4)];
        let places = ["--no-index", "--find-links", links.to_str().unwrap()];
        let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
        let environment = sandbox.install(&format!("app{number}"), mode, &[&places[..], &wanted].concat());
        installed.push(environment);
        // A wheel that is built anew under its name makes uv unpack it again.
        if random.below(2) == 0 {
            let name = PACKAGES[random.below(4)];
            Wheel::new(name, "1.0").file("anew.py", format!("{number}\n")).save(&links);
        }
    }
    for environment in installed {
        if random.below(3) == 0 {
            std::fs::remove_dir_all(environment.parent().unwrap()).unwrap();
        }
    }
    if random.below(3) == 0 {
        // What an interrupted uv leaves: an entry to which nothing leads yet.
        let entries = std::fs::read_dir(sandbox.cache().join("archive-v0")).unwrap();
        let entry = entries.map(|item| item.unwrap().path()).next().unwrap();
        ran(Command::new("cp").arg("-a").arg(&entry).arg(entry.with_file_name("Orphan7890123456")));
    }
    if random.below(4) == 0 {
        sandbox.run_uv(&["cache", "clean", "--quiet", PACKAGES[random.below(4)]]);
    }
}

fn ids(cache: &Path) -> BTreeSet<String> {
    let items = std::fs::read_dir(cache.join("archive-v0")).into_iter().flatten();
    items.map(|item| item.unwrap().file_name().into_string().unwrap()).collect()
}

/// Inode, links and names of every file, as `find` tells them.
fn found(root: &Path) -> Vec<(u64, u64, String)> {
    let output = ran(Command::new("find").arg(root).args(["-type", "f", "-printf", "%i %n %p\\n"]));
    let text = String::from_utf8(output.stdout).unwrap();
    let row = |line: &str| {
        let mut parts = line.splitn(3, ' ');
        let mut number = || parts.next().unwrap().parse().unwrap();
        (number(), number(), parts.next().unwrap().to_owned())
    };
    text.lines().map(row).collect()
}

/// Counts links again: those of each entry beyond the cache, and of these the ones in environments.
fn links_agree(sandbox: &Sandbox, entries: &[Value], seed: u64) {
    let (cache, roots) = (found(&sandbox.cache()), found(&sandbox.roots()));
    let count = |files: &[(u64, u64, String)]| {
        let mut names: BTreeMap<u64, u64> = BTreeMap::new();
        for (inode, ..) in files {
            *names.entry(*inode).or_default() += 1;
        }
        names
    };
    let (in_cache, in_roots) = (count(&cache), count(&roots));
    for entry in entries {
        let id = entry["id"].as_str().unwrap();
        let top = sandbox.cache().join("archive-v0").join(id).display().to_string() + "/";
        let (mut external, mut explained) = (0, 0);
        let mut inodes = BTreeSet::new();
        for (inode, links, _) in cache.iter().filter(|(.., path)| path.starts_with(&top)) {
            if inodes.insert(*inode) {
                external += links - in_cache[inode];
                explained += in_roots.get(inode).copied().unwrap_or(0);
            }
        }
        let told = ["external", "explained", "unexplained"].map(|key| entry["links"][key].as_u64().unwrap());
        assert_eq!(told, [external, explained, external - explained], "seed {seed}: {id}");
    }
}

fn compare(seed: u64) {
    let base = tempfile::tempdir().unwrap();
    let Some(sandbox) = Sandbox::new(base.path()) else { return };
    let mut random = Random::new(seed);
    fill(&sandbox, &mut random);
    let listed = sandbox.json(&["list"]);
    let entries = listed["entries"].as_array().unwrap();
    links_agree(&sandbox, entries, seed);
    let allow = "no-environments,most,other-owners,gone";
    let plan = ["prune", "--unreferenced", "--grace", "0h", "--dry-run", "--allow", allow];
    let answer = sandbox.json(&plan);
    let id = |value: &Value| value["path"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let steps: BTreeSet<String> = answer["plan"]["steps"].as_array().unwrap().iter().map(id).collect();
    let kept: BTreeMap<String, &Value> =
        answer["plan"]["kept"].as_array().unwrap().iter().map(|kept| (id(kept), kept)).collect();

    let copy = sandbox.path("copy");
    ran(Command::new("cp").arg("-a").arg(sandbox.cache()).arg(&copy));
    let before = ids(&copy);
    ran(sandbox.uv(&["cache", "prune", "--quiet"]).env("UV_CACHE_DIR", &copy));
    let after = ids(&copy);
    let taken: BTreeSet<String> = before.difference(&after).cloned().collect();
    let more: Vec<_> = steps.difference(&taken).collect();
    assert!(more.is_empty(), "seed {seed}: uv keeps {more:?}");
    for id in &taken {
        let entry = entries.iter().find(|entry| entry["id"] == id.as_str()).unwrap();
        assert_eq!(entry["pointers"], serde_json::json!([]), "seed {seed}: {entry:#}");
        let state = entry["state"].as_str().unwrap();
        if steps.contains(id) {
            assert_eq!(state, "unreferenced", "seed {seed}: {entry:#}");
        } else {
            assert!(["protected", "used", "held-elsewhere"].contains(&state), "seed {seed}: {entry:#}");
            assert!(
                kept[id]["reason"].as_str().is_some_and(|reason| !reason.is_empty()),
                "seed {seed}: {id}"
            );
        }
    }
}

#[test]
fn what_uv_would_take_is_unreferenced_or_kept_for_a_reason_and_nothing_else_is_taken() {
    (1..=6).for_each(compare);
}

#[test]
#[ignore = "some minutes: fifty caches"]
fn what_uv_would_take_is_unreferenced_in_fifty_caches() {
    (1..=50).for_each(compare);
}
