//! Every user of every entry is named, with the right mode, and links are counted exactly.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::lab::{Known, Lab, MODES, SOURCES};
use super::oracle::{Measured, Oracle};
use crate::support::loopdev::Mounted;
use crate::support::wheel::Wheel;

/// What `envs --json` and `list --json` say.
struct Said {
    environments: Vec<Value>,
    entries: Vec<Value>,
}

impl Said {
    fn by(lab: &Lab) -> Self {
        let rows = |mut answer: Value, key: &str| match answer[key].take() {
            Value::Array(rows) => rows,
            other => panic!("`{key}` is {other}"),
        };
        let list = lab.sandbox.json(&["list"]);
        assert_eq!(list["problems"], json!([]));
        assert_eq!(list["scope"]["state"], "complete");
        Self {
            environments: rows(lab.sandbox.json(&["envs"]), "environments"),
            entries: rows(list, "entries"),
        }
    }

    fn environment(&self, path: &Path) -> &Value {
        self.environments
            .iter()
            .find(|row| row["path"] == path.to_str().unwrap())
            .unwrap_or_else(|| panic!("`{}` is listed", path.display()))
    }

    fn entry(&self, id: &str) -> &Value {
        self.entries.iter().find(|row| row["id"] == id).unwrap_or_else(|| panic!("`{id}` is listed"))
    }

    fn entry_of(&self, name: &str) -> &Value {
        let mut of_name = self.entries.iter().filter(|row| row["name"] == name);
        let entry = of_name.next().unwrap_or_else(|| panic!("`{name}` has an entry"));
        assert!(of_name.next().is_none(), "`{name}` has one entry");
        entry
    }

    fn distribution(&self, environment: &Path, name: &str) -> &Value {
        let all = self.environment(environment)["distributions"].as_array().unwrap();
        all.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("`{name}` is listed"))
    }
}

/// The word for a mode as it comes out: what cannot be cloned is hardlinked, and where files can share extents a copy
/// shares them.
fn outcome(mode: &'static str, reflinks: bool) -> &'static str {
    match mode {
        "clone" if !reflinks => "hardlink",
        "copy" if reflinks => "clone",
        mode => mode,
    }
}

/// Compares everything that is said with everything that can be measured.
fn check(lab: &Lab) -> (Said, Oracle) {
    let oracle = Oracle::new(&lab.sandbox, &lab.known);
    let said = Said::by(lab);
    let mut paths: Vec<PathBuf> = lab.known.iter().map(|known| known.path.clone()).collect();
    paths.sort();
    let listed: Vec<PathBuf> =
        said.environments.iter().map(|row| PathBuf::from(row["path"].as_str().unwrap())).collect();
    assert_eq!(listed, paths, "every environment is listed, and no other");
    let ids: Vec<&str> = said.entries.iter().map(|row| row["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), oracle.entries.len());

    let mut users: BTreeMap<String, Vec<(String, Value)>> = BTreeMap::new();
    let measured: Vec<(&Known, Vec<Measured>)> =
        lab.known.iter().map(|known| (known, oracle.environment(&known.path))).collect();
    for (known, distributions) in &measured {
        let row = said.environment(&known.path);
        assert_eq!(row["kind"], known.kind, "{}", known.path.display());
        assert_eq!(row["manager"], "uv");
        let listed: Vec<&str> =
            row["distributions"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
        let names: Vec<&str> = distributions.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(listed, names, "{}", known.path.display());
        for item in distributions {
            let entry = distribution(known, item, &said, &oracle);
            if let Some(entry) = entry {
                let user = json!({
                    "environment": known.path, "distribution": item.name, "version": item.version, "by": item.files.by(),
                });
                users.entry(entry).or_default().push((known.path.display().to_string(), user));
            }
        }
    }
    for id in &oracle.entries {
        let row = said.entry(id);
        let listed: Vec<Value> = row["users"].as_array().unwrap().iter().map(user).collect();
        let mut expected = users.remove(id).unwrap_or_default();
        expected.sort_by(|a, b| a.0.cmp(&b.0));
        let expected: Vec<Value> = expected.into_iter().map(|(_, user)| user).collect();
        assert_eq!(listed, expected, "the users of {row:#}");
        assert_eq!(row["links"], oracle.links(id, &lab.known), "the links of {row:#}");
        assert_eq!(row["state"], state(row), "{row:#}");
    }
    (said, oracle)
}

/// The state that follows from an entry's users, links and pointers.
fn state(row: &Value) -> &'static str {
    let users = row["users"].as_array().unwrap();
    if users.iter().any(|user| user["by"]["symlink"] != 0) {
        "protected"
    } else if !users.is_empty() {
        "used"
    } else if row["links"]["unexplained"] != 0 || row["unexplained_extents"] != 0 {
        "held-elsewhere"
    } else if row["pointers"] == json!([]) {
        "unreferenced"
    } else {
        "unused"
    }
}

/// A user without the evidence, which follows from the counts.
fn user(row: &Value) -> Value {
    let by = &row["by"];
    let strongest = [("hardlink", "inode"), ("symlink", "symlink"), ("clone", "extent")]
        .into_iter()
        .find(|(mode, _)| by[mode] != 0)
        .map_or("content", |(_, evidence)| evidence);
    assert_eq!(row["evidence"], strongest, "{row}");
    json!({
        "environment": row["environment"], "distribution": row["distribution"], "version": row["version"], "by": by,
    })
}

/// Compares one distribution and answers the entry it is said to come from.
fn distribution(known: &Known, item: &Measured, said: &Said, oracle: &Oracle) -> Option<String> {
    let row = said.distribution(&known.path, &item.name);
    let place = format!("{} in {}", item.name, known.path.display());
    assert_eq!(row["version"], item.version, "{place}");
    assert_eq!(row["files"], item.files.json(), "{place}: {row:#}");
    let entry = row["entry"].as_str().map(str::to_owned);
    let fits = entry.as_ref().map_or(item.entries.is_empty(), |entry| item.entries.contains(entry));
    assert!(fits, "{place} is said to come from {entry:?}, and comes from {:?}", item.entries);
    assert_eq!(row["mode"], item.files.mode(), "{place}");
    if let Some(mode) = known.mode {
        let outcome = outcome(mode, oracle.reflinks);
        let nothing_to_prove = item.files.unprovable > 0 && item.files.mode() == "unknown";
        assert!(nothing_to_prove || item.files.mode() == outcome, "{place} is linked by {outcome}: {item:?}");
    }
    entry
}

/// The whole scenario on one filesystem.
fn scenario(base: &Path, preview: &'static str) {
    let Some(mut lab) = Lab::new(base, preview) else { return };
    for mode in MODES {
        let everything = lab.everything();
        lab.install(mode, mode, &everything);
    }
    lab.commands();

    // One environment is deleted again, and one is moved to where nobody looks. Their projects stay: other environments here
    // are linked by symlinks, so that what was missing with its project would be away.
    let deleted = lab.hidden("deleted", "hardlink", &lab.packages(&["demo-a==1.0", "demo-odd"]));
    std::fs::remove_dir_all(&deleted).unwrap();
    Wheel::new("demo-out", "1.0").bulk("demo_out/bulk.bin", 20).save(&lab.sandbox.path("links"));
    lab.sandbox.run_uv(&["cache", "clean", "--quiet", "no-such-package"]);
    let links = lab.sandbox.path("links").display().to_string();
    let out = ["--no-index", "--refresh", "--find-links", &links, "demo-out"].map(String::from);
    let outside = lab.hidden("outside", "hardlink", &out);
    std::fs::rename(&outside, lab.sandbox.path("outside")).unwrap();

    let (said, _) = check(&lab);
    for (name, origin, built) in SOURCES {
        for entry in said.entries.iter().filter(|row| row["name"] == name && row["kind"] == "wheel") {
            let source = &entry["source"];
            assert_eq!((&source["origin"], &source["built"]), (&json!(origin), &json!(built)), "{entry:#}");
        }
    }
    let held = said.entry_of("demo-out");
    // METADATA, WHEEL, the module and its bulk; uv writes RECORD anew.
    assert_eq!(held["links"]["unexplained"], 4, "{held:#}");
    assert_eq!((&held["state"], &held["users"]), (&json!("held-elsewhere"), &json!([])), "{held:#}");

    edited(&mut lab);
}

/// Files are edited in place and by replacement.
fn edited(lab: &mut Lab) {
    let odd = lab.packages(&["demo-odd"]);
    let replaced = lab.install("replaced", "hardlink", &odd);
    let appended = lab.install("appended", "copy", &odd);
    Wheel::new("demo-poison", "1.0").bulk("demo_poison/bulk.bin", 20).save(&lab.sandbox.path("links"));
    let links = lab.sandbox.path("links").display().to_string();
    let poison = ["--no-index", "--refresh", "--find-links", &links, "demo-poison"].map(String::from);
    let poisoned = lab.install("poisoned", "hardlink", &poison);
    // An installation is some time ago when somebody edits it.
    std::thread::sleep(std::time::Duration::from_millis(20));
    let file = site(&replaced).join("demo_odd/__init__.py");
    let beside = file.with_extension("tmp");
    std::fs::write(&beside, "NAME = 'changed'\n").unwrap();
    std::fs::rename(&beside, &file).unwrap();
    append(&site(&appended).join("demo_odd/größe.txt"));
    append(&site(&poisoned).join("demo_poison/__init__.py"));
    for known in &mut lab.known {
        if known.path == replaced || known.path == appended {
            known.mode = None;
        }
    }
    let (said, _) = check(lab);
    for (environment, name) in [(&replaced, "demo-odd"), (&appended, "demo-odd"), (&poisoned, "demo-poison")]
    {
        let row = said.distribution(environment, name);
        assert_eq!((&row["state"], &row["files"]["modified"]), (&json!("modified"), &json!(1)), "{row:#}");
    }
    assert_eq!(said.entry_of("demo-odd")["modified"], 0);
    assert_eq!(said.entry_of("demo-poison")["modified"], 1);
}

fn append(path: &Path) {
    std::fs::OpenOptions::new().append(true).open(path).unwrap().write_all(b"# edited\n").unwrap();
}

/// The directory of an environment's distributions.
fn site(environment: &Path) -> PathBuf {
    let python = std::fs::read_dir(environment.join("lib")).unwrap().next().unwrap().unwrap();
    python.path().join("site-packages")
}

#[test]
fn every_user_is_named_in_every_link_mode_and_from_every_source() {
    let directory = tempfile::tempdir().unwrap();
    scenario(directory.path(), "");
}

#[test]
fn every_user_is_named_where_entries_share_inodes_in_a_content_addressed_store() {
    let directory = tempfile::tempdir().unwrap();
    scenario(directory.path(), "content-addressed-cache");
}

#[test]
fn clones_are_proven_by_their_extents_on_xfs() {
    let Some(mounted) = Mounted::new("xfs", 320) else { return };
    scenario(mounted.path(), "");
}

#[test]
fn clones_are_proven_by_their_extents_on_btrfs_and_small_files_reported_as_unprovable() {
    let Some(mounted) = Mounted::new("btrfs", 256) else { return };
    scenario(mounted.path(), "");
}
