//! What is installed is read in one way: every command names the same damaged distributions and files, and none where the
//! wheel or an installer left something out.

use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::lab::MODES;
use crate::support::uv::{Sandbox, ran};
use crate::support::wheel::Wheel;

/// A cache with some wheels, and environments.
struct Ground {
    sandbox: Sandbox,
    _directory: tempfile::TempDir,
}

/// What the commands say about an environment: its state, the distributions that are not `ok`, and the files of which `verify`
/// says that they are damaged.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    health: String,
    states: BTreeSet<(String, String)>,
    counts: (u64, u64),
    damaged: BTreeSet<(String, String, String)>,
    repaired: BTreeSet<(String, String)>,
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn set<Item: Ord>(items: impl IntoIterator<Item = Item>) -> BTreeSet<Item> {
    items.into_iter().collect()
}

impl Ground {
    fn new() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::new(directory.path())?;
        let links = sandbox.path("wheels");
        Wheel::new("one", "1.0")
            .file("one/module.py", "1\n")
            .file("one/other.py", "2\n")
            .file("one.pth", "# path\n")
            .save(&links);
        Wheel::new("tool", "1.0")
            .data("scripts/tool-run", "#!/bin/sh\necho run\n", 0o755)
            .data("data/share/tool/data.txt", "data\n", 0o644)
            .save(&links);
        Wheel::empty("left", "1.0")
            .file("shared/both.py", "both\n")
            .file("shared/left.py", "left\n")
            .save(&links);
        Wheel::empty("right", "1.0")
            .file("shared/both.py", "both\n")
            .file("shared/right.py", "right\n")
            .save(&links);
        Some(Self { sandbox, _directory: directory })
    }

    fn install(&self, project: &str, mode: &str, wheels: &[&str]) -> PathBuf {
        let links = self.sandbox.path("wheels");
        let arguments = [&["--no-index", "--find-links", links.to_str().unwrap()], wheels].concat();
        let environment = self.sandbox.install(project, mode, &arguments);
        // The clocks of files are coarse; what is edited is edited later.
        std::thread::sleep(std::time::Duration::from_millis(20));
        environment
    }

    /// What a command answers, whatever its exit code.
    fn ask(&self, arguments: &[&str]) -> Value {
        let output = self.sandbox.cachetui(&[arguments, &["--json"]].concat()).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
            panic!("{arguments:?}: {error}: {}", String::from_utf8_lossy(&output.stderr))
        })
    }

    /// What the commands say about an environment.
    fn said(&self, environment: &Path) -> Said {
        let name = environment.to_str().unwrap();
        let envs = self.ask(&["envs", name]);
        let own = &envs["environments"][0];
        let distributions = own["distributions"].as_array().unwrap();
        let count =
            |key: &str| distributions.iter().map(|it| it["files"][key].as_u64().unwrap()).sum::<u64>();
        let below = |path: &str| path.strip_prefix(name).unwrap_or(path).trim_start_matches('/').to_owned();
        let short = |path: &str| below(path).rsplit("site-packages/").next().unwrap().to_owned();
        let verify = self.ask(&["verify", name]);
        let damage = verify["findings"].as_array().unwrap().iter().filter(|it| it["verdict"] == "damage");
        let repair = self.ask(&["repair", name, "--dry-run"]);
        let plan = &repair["plan"];
        let lists = ["steps", "kept"].map(|key| plan[key].as_array().unwrap());
        let listed = lists.into_iter().flatten().flat_map(|it| {
            let files = it["files"].as_array().unwrap().iter();
            files.map(move |file| (text(&it["name"]), short(&text(&file["path"]))))
        });
        Said {
            health: text(&own["health"]),
            states: set(distributions
                .iter()
                .filter(|it| it["state"] != "ok")
                .map(|it| (text(&it["name"]), text(&it["state"])))),
            counts: (count("missing") + count("dangling"), count("modified")),
            damaged: set(damage.map(|it| (text(&it["name"]), short(&text(&it["path"])), text(&it["fault"])))),
            repaired: set(listed),
        }
    }

    fn entry(&self, inside: &str) -> PathBuf {
        let mut entries = self.sandbox.cache().join("archive-v0").read_dir().unwrap().map(Result::unwrap);
        entries.find(|entry| entry.path().join(inside).exists()).unwrap().path()
    }
}

fn site(environment: &Path) -> PathBuf {
    let mut versions = environment.join("lib").read_dir().unwrap();
    versions.next().unwrap().unwrap().path().join("site-packages")
}

fn whole() -> Said {
    Said {
        health: "ok".to_owned(),
        states: BTreeSet::new(),
        counts: (0, 0),
        damaged: BTreeSet::new(),
        repaired: BTreeSet::new(),
    }
}

/// One distribution is broken: some of its files are missing.
fn missing(name: &str, files: &[&str]) -> Said {
    Said {
        health: "broken".to_owned(),
        states: set([(name.to_owned(), "broken".to_owned())]),
        counts: (files.len() as u64, 0),
        damaged: set(files.iter().map(|file| (name.to_owned(), (*file).to_owned(), "missing".to_owned()))),
        repaired: set(files.iter().map(|file| (name.to_owned(), (*file).to_owned()))),
    }
}

/// One distribution has a file with another content.
fn edited(name: &str, file: &str) -> Said {
    Said {
        states: set([(name.to_owned(), "modified".to_owned())]),
        counts: (0, 1),
        damaged: set([(name.to_owned(), file.to_owned(), "edited".to_owned())]),
        repaired: set([(name.to_owned(), file.to_owned())]),
        ..whole()
    }
}

#[test]
fn a_file_that_was_renamed_is_missing_in_every_mode_and_for_every_command() {
    let Some(ground) = Ground::new() else { return };
    for mode in MODES {
        let environment = ground.install(mode, mode, &["one", "tool"]);
        assert_eq!(ground.said(&environment), whole(), "{mode}");
        let site = site(&environment);
        std::fs::rename(site.join("one.pth"), site.join("one.pth.disabled")).unwrap();
        assert_eq!(ground.said(&environment), missing("one", &["one.pth"]), "{mode}");
        std::fs::rename(site.join("one.pth.disabled"), site.join("one.pth")).unwrap();
        assert_eq!(ground.said(&environment), whole(), "{mode}: back again");
        std::fs::create_dir(site.join("old")).unwrap();
        std::fs::rename(site.join("one"), site.join("old/one")).unwrap();
        let files = ["one/__init__.py", "one/module.py", "one/other.py"];
        assert_eq!(ground.said(&environment), missing("one", &files), "{mode}: a directory");
    }
}

#[test]
fn a_file_that_was_backed_up_and_edited_is_edited() {
    let Some(ground) = Ground::new() else { return };
    for mode in ["hardlink", "symlink", "copy"] {
        let environment = ground.install(mode, mode, &["one"]);
        let module = site(&environment).join("one/module.py");
        // As `sed -i.bak` and `patch -b` do.
        std::fs::rename(&module, module.with_extension("py.bak")).unwrap();
        std::fs::write(&module, "3\n").unwrap();
        assert_eq!(ground.said(&environment), edited("one", "one/module.py"), "{mode}");
    }
    // A second name of a file is no damage.
    let environment = ground.install("twice", "hardlink", &["one"]);
    let module = site(&environment).join("one/module.py");
    std::fs::hard_link(&module, module.with_extension("py.bak")).unwrap();
    assert_eq!(ground.said(&environment), whole());
}

#[test]
fn a_link_to_another_file_of_the_entry_is_an_edit() {
    let Some(ground) = Ground::new() else { return };
    for mode in ["hardlink", "symlink"] {
        let environment = ground.install(mode, mode, &["one"]);
        let module = site(&environment).join("one/module.py");
        let other = ground.entry("one/other.py").join("one/other.py");
        std::fs::remove_file(&module).unwrap();
        if mode == "symlink" { symlink(&other, &module) } else { std::fs::hard_link(&other, &module) }
            .unwrap();
        assert_eq!(ground.said(&environment), edited("one", "one/module.py"), "{mode}");
    }
}

#[test]
fn a_file_that_two_distributions_list_is_missing_once_and_of_the_same_one_for_all() {
    let Some(ground) = Ground::new() else { return };
    for mode in ["hardlink", "symlink", "copy"] {
        let environment = ground.install(mode, mode, &["left", "right"]);
        assert_eq!(ground.said(&environment), whole(), "{mode}");
        std::fs::remove_file(site(&environment).join("shared/both.py")).unwrap();
        let said = ground.said(&environment);
        let name = said.states.first().unwrap().0.clone();
        assert_eq!(said, missing(&name, &["shared/both.py"]), "{mode}");
    }
}

#[test]
fn a_file_that_is_gone_from_the_entry_as_well_is_missing() {
    let Some(ground) = Ground::new() else { return };
    let environment = ground.install("app", "hardlink", &["one"]);
    std::thread::sleep(std::time::Duration::from_millis(50));
    for directory in [site(&environment), ground.entry("one/module.py")] {
        std::fs::remove_file(directory.join("one.pth")).unwrap();
    }
    let said = ground.said(&environment);
    assert_eq!(said.states, set([("one".to_owned(), "broken".to_owned())]));
    assert_eq!(said.repaired, set([("one".to_owned(), "one.pth".to_owned())]));
    assert_eq!(said.counts, (1, 0));
    // Of the entry too, from which it would be installed again.
    assert_eq!(said.damaged.len(), 2, "{said:?}");
}

#[test]
fn files_that_say_where_a_package_came_from_are_not_needed() {
    let Some(ground) = Ground::new() else { return };
    for mode in ["hardlink", "copy"] {
        let environment = ground.install(mode, mode, &["one", "tool"]);
        for name in ["one", "tool"] {
            let info = site(&environment).join(format!("{name}-1.0.dist-info"));
            for file in ["INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json"] {
                let path = info.join(file);
                if path.exists() {
                    std::fs::remove_file(path).unwrap();
                }
            }
        }
        assert_eq!(ground.said(&environment), whole(), "{mode}");
        std::fs::remove_file(site(&environment).join("one-1.0.dist-info/METADATA")).unwrap();
        assert_eq!(ground.said(&environment), missing("one", &["one-1.0.dist-info/METADATA"]), "{mode}");
    }
}

/// Adds rows to the `RECORD` of a distribution in an environment.
fn add_rows(environment: &Path, name: &str, rows: &str) {
    let record = site(environment).join(format!("{name}-1.0.dist-info/RECORD"));
    let text = std::fs::read_to_string(&record).unwrap();
    std::fs::write(&record, format!("{text}{rows}")).unwrap();
}

#[test]
fn odd_rows_that_are_no_damage_are_none_for_any_command() {
    let Some(ground) = Ground::new() else { return };
    for mode in ["hardlink", "symlink", "copy"] {
        let environment = ground.install(mode, mode, &["one", "tool"]);
        let record = std::fs::read_to_string(site(&environment).join("one-1.0.dist-info/RECORD")).unwrap();
        let module = record.lines().find(|line| line.starts_with("one/module.py")).unwrap();
        std::fs::write(site(&environment).join("odd.py"), "odd\n").unwrap();
        add_rows(
            &environment,
            "one",
            &format!(
                "{module}\n./one/other.py,,\none/,,\none,,\none/__init__.py,,\n\
                 odd.py,md5=d41d8cd98f00b204e9800998ecf8427e,4\none-1.0.dist-info/INSTALLER,,\n"
            ),
        );
        assert_eq!(ground.said(&environment), whole(), "{mode}");
        // Without a digest that can be compared a file may still have another size.
        std::fs::write(site(&environment).join("odd.py"), "longer\n").unwrap();
        assert_eq!(ground.said(&environment), edited("one", "odd.py"), "{mode}");
        // Nothing tells a row that was added from one that no wheel ever had, which breaks nothing.
        std::fs::remove_file(site(&environment).join("odd.py")).unwrap();
        assert_eq!(ground.said(&environment), whole(), "{mode}");
    }
}

/// Separates the names in a `RECORD` by `\`, as uv 0.9.30 leaves them that a wheel has so.
fn separate_otherwise(record: &Path) {
    let text = std::fs::read_to_string(record).unwrap();
    let is_own = |line: &&str| line.starts_with("one/") || line.starts_with("one-1.0.dist-info/RECORD");
    let changed = |line: &str| if is_own(&line) { line.replace('/', "\\") } else { line.to_owned() };
    std::fs::write(record, text.split_inclusive('\n').map(changed).collect::<String>()).unwrap();
}

#[test]
fn rows_that_are_separated_by_backslashes_are_of_files_in_directories() {
    for mode in ["hardlink", "symlink", "copy"] {
        let Some(ground) = Ground::new() else { return };
        let environment = ground.install(mode, mode, &["one", "tool"]);
        let record = "one-1.0.dist-info/RECORD";
        separate_otherwise(&site(&environment).join(record));
        separate_otherwise(&ground.entry("one.pth").join(record));
        // What really has such a name keeps it.
        std::fs::write(site(&environment).join("of\\itself.py"), "").unwrap();
        add_rows(&environment, "one", "of\\itself.py,,0\n");
        assert_eq!(ground.said(&environment), whole(), "{mode}");
        let module = site(&environment).join("one/module.py");
        std::fs::remove_file(&module).unwrap();
        assert_eq!(ground.said(&environment), missing("one", &["one/module.py"]), "{mode}");
        std::fs::write(module, "edited\n").unwrap();
        assert_eq!(ground.said(&environment), edited("one", "one/module.py"), "{mode}");
    }
}

/// Writes a wheel whose `RECORD` lists files that it does not have.
fn phantom(links: &Path) -> String {
    let nothing = "sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0";
    Wheel::new("phan-tom", "1.0")
        .row(&format!("phan_tom/ghost.py,{nothing}"))
        .row(&format!("ghost.py,{nothing}"))
        .row(&format!("phan.tom-1.0.dist-info/METADATA,{nothing}"))
        .row("PHAN_TOM/__init__.py,,")
        .save(links);
    "phan-tom".to_owned()
}

#[test]
fn a_row_for_a_file_that_the_wheel_never_had_breaks_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let Some(mut sandbox) = Sandbox::new(directory.path()) else { return };
    if sandbox.use_release("0.9.30").is_none() {
        return;
    }
    let name = phantom(&sandbox.path("wheels"));
    let mut ground = Ground { sandbox, _directory: directory };
    let environments = ["hardlink", "symlink", "copy"].map(|mode| ground.install(mode, mode, &[&name]));
    for environment in &environments {
        let record =
            std::fs::read_to_string(site(environment).join("phan_tom-1.0.dist-info/RECORD")).unwrap();
        assert!(record.contains("ghost.py"), "uv 0.9.30 copies what the wheel says: {record}");
        assert_eq!(ground.said(environment), whole(), "{}", environment.display());
    }
    let verify = ground.ask(&["verify", "--all"]);
    let damage = verify["findings"].as_array().unwrap().iter().filter(|it| it["verdict"] == "damage");
    assert_eq!(damage.count(), 0, "{verify}");
    // What is really missing still is.
    std::fs::remove_file(site(&environments[0]).join("phan_tom/__init__.py")).unwrap();
    assert_eq!(ground.said(&environments[0]), missing("phan-tom", &["phan_tom/__init__.py"]));
    // A newer uv unpacks the wheel again and leaves such rows out of the entry's `RECORD`.
    std::fs::remove_dir_all(ground.sandbox.cache()).unwrap();
    let healed = tempfile::tempdir().unwrap();
    let newest = Sandbox::new(healed.path()).unwrap();
    let program = newest.uv(&["--version"]).get_program().to_owned();
    ground.sandbox.use_program(PathBuf::from(program));
    ground.install("new", "copy", &[&name]);
    assert_eq!(ground.said(&environments[2]), whole(), "the entry's RECORD is healed");
}

#[test]
fn rows_that_lead_out_of_site_packages_are_the_installations_own() {
    let Some(ground) = Ground::new() else { return };
    let links = ground.sandbox.path("wheels");
    let sources = ["--no-index", "--find-links", links.to_str().unwrap()];
    let target = ground.sandbox.path("roots/target");
    let prefix = ground.sandbox.path("roots/prefix");
    for (option, place) in [("--target", &target), ("--prefix", &prefix)] {
        let base = ["pip", "install", "--link-mode", "hardlink", option, place.to_str().unwrap()];
        ran(&mut ground.sandbox.uv(&[&base[..], &sources, &["tool"]].concat()));
    }
    // pip writes rows as if what it moves to the target still lay two directories below.
    let record = target.join("tool-1.0.dist-info/RECORD");
    let rows = std::fs::read_to_string(&record).unwrap();
    let rows = rows.replace("\nbin/", "\n../../bin/").replace("\nshare/", "\n../../share/");
    let rows = rows.strip_prefix("bin/").map_or(rows.clone(), |rest| format!("../../bin/{rest}"));
    assert!(rows.contains("../../bin/tool-run") && rows.contains("../../share/tool"), "{rows}");
    std::fs::write(&record, rows).unwrap();
    let list = ground.ask(&["list"]);
    let entry = list["entries"].as_array().unwrap().iter().find(|it| it["name"] == "tool").unwrap();
    assert_eq!(entry["links"]["unexplained"], json!(0), "{entry}");
    assert_eq!(entry["state"], "used", "{entry}");
    let envs = ground.ask(&["envs"]);
    let mut seen = 0;
    for environment in envs["environments"].as_array().unwrap() {
        for it in environment["distributions"].as_array().unwrap().iter().filter(|it| it["name"] == "tool") {
            seen += 1;
            assert_eq!((&it["state"], &it["note"]), (&json!("ok"), &json!("")), "{environment}");
            assert_eq!(it["files"]["missing"], 0);
        }
    }
    assert_eq!(seen, 2, "{envs}");
}

#[test]
fn an_edit_that_keeps_size_and_time_is_seen_where_the_other_files_are_links() {
    let Some(ground) = Ground::new() else { return };
    let environment = ground.install("app", "hardlink", &["one"]);
    let module = site(&environment).join("one/module.py");
    let before = std::fs::metadata(&module).unwrap().modified().unwrap();
    std::fs::remove_file(&module).unwrap();
    std::fs::write(&module, "9\n").unwrap();
    std::fs::File::options().write(true).open(&module).unwrap().set_modified(before).unwrap();
    assert_eq!(ground.said(&environment), edited("one", "one/module.py"));
}

#[test]
fn a_file_that_two_distributions_list_and_neither_wrote_is_edited_once() {
    let Some(ground) = Ground::new() else { return };
    for mode in ["hardlink", "copy"] {
        let environment = ground.install(mode, mode, &["left", "right"]);
        let both = site(&environment).join("shared/both.py");
        std::fs::remove_file(&both).unwrap();
        std::fs::write(&both, "mine\n").unwrap();
        let said = ground.said(&environment);
        let name = said.states.first().unwrap().0.clone();
        assert_eq!(said, edited(&name, "shared/both.py"), "{mode}");
    }
}

#[test]
fn an_empty_dist_info_is_removed_in_one_step_and_then_uv_installs_again() {
    let Some(ground) = Ground::new() else { return };
    let environment = ground.install("app", "hardlink", &["one"]);
    let info = site(&environment).join("one-1.0.dist-info");
    std::fs::remove_dir_all(&info).unwrap();
    std::fs::remove_dir_all(site(&environment).join("one")).unwrap();
    std::fs::create_dir_all(info.join("licenses")).unwrap();
    let name = environment.to_str().unwrap();
    let links = ground.sandbox.path("wheels");
    let python = environment.join("bin/python");
    let install = ["pip", "install", "--no-index", "--find-links", links.to_str().unwrap(), "--python"];
    let install = [&install[..], &[python.to_str().unwrap(), "one"]].concat();
    assert!(!ground.sandbox.uv(&install).output().unwrap().status.success(), "uv cannot read it");
    let envs = ground.ask(&["envs", name]);
    let said = &envs["environments"][0]["distributions"][0];
    assert_eq!(said["state"], "broken", "{said}");
    assert!(text(&said["note"]).contains("interrupted uninstall"), "{said}");
    let repair = ground.ask(&["repair", name, "--dry-run"]);
    let kept = repair["plan"]["kept"].as_array().unwrap();
    assert_eq!(kept.len(), 1, "{repair}");
    let commands = kept[0]["commands"].as_array().unwrap();
    assert_eq!(commands.len(), 1, "{repair}");
    let words: Vec<&str> = commands[0].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    ran(ground.sandbox.command(words[0]).args(&words[1..]));
    assert!(!info.exists());
    assert_eq!(ground.said(&environment), whole());
    ran(&mut ground.sandbox.uv(&install));
    assert_eq!(ground.said(&environment), whole());
}
