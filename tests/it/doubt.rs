//! What cannot be read or understood counts as in use: no doubt ever ends in `unused` or `unreferenced`.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::fixture::Fixture;

/// The entry of demo-c 1.0 in the sample cache, which comes from a URL.
const DEMO_C: &str = "S-OK9lY4v3cWBBoK";

/// A cache nobody uses, beside a directory to search.
struct Ground {
    fixture: Fixture,
}

impl Ground {
    fn new() -> Self {
        let fixture = Fixture::unpack("uv-0.13.8-cache");
        std::fs::remove_dir_all(fixture.root().join("app")).unwrap();
        std::fs::remove_dir_all(fixture.cache().join("interpreter-v5")).unwrap();
        std::fs::create_dir(fixture.root().join("code")).unwrap();
        Self { fixture }
    }

    fn cache(&self) -> PathBuf {
        self.fixture.cache()
    }

    fn code(&self) -> PathBuf {
        self.fixture.root().join("code")
    }

    /// An environment in which demo-c is installed by symlinks that name the cache as `cache`.
    fn environment(&self, root: &Path, cache: &Path) {
        let site = root.join("lib/python3.11/site-packages");
        std::fs::create_dir_all(site.join("demo_c-1.0.dist-info")).unwrap();
        std::fs::write(root.join("pyvenv.cfg"), "home = /usr/bin\nuv = 0.13.8\nversion_info = 3.11.7\n")
            .unwrap();
        let entry = self.cache().join("archive-v0").join(DEMO_C);
        let named = cache.join("archive-v0").join(DEMO_C);
        std::fs::create_dir_all(site.join("demo_ns/c")).unwrap();
        for file in ["demo_ns/c/__init__.py", "demo_ns/c/more.py", "demo_c-1.0.dist-info/METADATA"] {
            symlink(named.join(file), site.join(file)).unwrap();
        }
        let record = "demo_c-1.0.dist-info/RECORD";
        std::fs::write(site.join(record), std::fs::read(entry.join(record)).unwrap()).unwrap();
    }

    fn command(&self, command: &str, more: &[&str]) -> Command {
        let mut program = Command::new(env!("CARGO_BIN_EXE_cachetui"));
        program.args([command, "--json", "--cache-dir"]).arg(self.cache()).arg("--root").arg(self.code());
        program.args(more).env_clear().env("HOME", self.fixture.root()).current_dir("/");
        program.env("XDG_STATE_HOME", self.fixture.root().join("state"));
        program
    }

    fn run(&self, command: &str, more: &[&str]) -> Value {
        let output = self.command(command, more).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn demo_c(&self, more: &[&str]) -> Value {
        let answer = self.run("list", more);
        answer["entries"].as_array().unwrap().iter().find(|entry| entry["id"] == DEMO_C).unwrap().clone()
    }
}

fn problems(answer: &Value) -> usize {
    answer["problems"].as_array().unwrap().len()
}

#[test]
fn without_any_doubt_an_entry_nobody_uses_is_unused() {
    let ground = Ground::new();
    let entry = ground.demo_c(&[]);
    assert_eq!((&entry["state"], &entry["doubt"]), (&"unused".into(), &Value::Null));
}

#[test]
fn a_symlink_to_the_entry_protects_it_also_in_a_directory_called_dev() {
    let ground = Ground::new();
    ground.environment(&ground.code().join("dev/proj/.venv"), &ground.cache());
    assert_eq!(ground.demo_c(&[])["state"], "protected");
}

#[test]
fn symlinks_that_name_the_cache_by_another_path_keep_the_entry() {
    let ground = Ground::new();
    ground.environment(&ground.code().join("proj/.venv"), Path::new("/root/.cache/uv-of-a-container"));
    let entry = ground.demo_c(&[]);
    // Where the cache has that path the links work, and would break: it is reached by symlink.
    assert_eq!((&entry["state"], &entry["doubt"]), (&"protected".into(), &"named-elsewhere".into()));
}

#[test]
fn an_environment_whose_distributions_cannot_be_listed_keeps_every_entry() {
    let ground = Ground::new();
    let elsewhere = ground.fixture.root().join("elsewhere");
    ground.environment(&elsewhere, &ground.cache());
    let venv = ground.code().join("proj/.venv");
    std::fs::create_dir_all(&venv).unwrap();
    std::fs::write(venv.join("pyvenv.cfg"), "home = /usr/bin\n").unwrap();
    symlink(elsewhere.join("lib"), venv.join("lib")).unwrap();
    let answer = ground.run("list", &[]);
    assert_eq!(problems(&answer), 1, "{}", answer["problems"]);
    for entry in answer["entries"].as_array().unwrap() {
        assert!(entry["state"] != "unused" && entry["state"] != "unreferenced", "{entry}");
    }
}

#[test]
fn a_target_that_is_not_there_is_a_problem_and_keeps_every_entry() {
    let ground = Ground::new();
    let missing = ["--target", "/nowhere/at/all"];
    assert_eq!(problems(&ground.run("list", &missing)), 1);
    assert_eq!(ground.demo_c(&missing)["state"], "held-elsewhere");
    let unused = ["--unused", "--yes", "--grace", "0h", "--allow", "no-environments,most"];
    let output = ground.command("prune", &[&missing[..], &unused].concat()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), said.contains("`/nowhere/at/all`")), (Some(1), true), "{said}");
    assert_eq!(ground.demo_c(&[])["state"], "unused", "nothing was removed");
}

#[test]
fn a_root_that_is_not_there_is_refused() {
    let ground = Ground::new();
    for command in ["list", "prune"] {
        let output = ground.command(command, &["--root", "/nowhere/at/all"]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), said.contains("`/nowhere/at/all`")), (Some(2), true), "{said}");
    }
}

#[test]
fn a_pointer_that_cannot_be_understood_never_makes_its_entry_unreferenced() {
    let ground = Ground::new();
    let pointer = ground.cache().join("wheels-v7/url/784587812551fd8e/demo-c/1.0-py3-none-any");
    std::fs::remove_file(&pointer).unwrap();
    std::fs::write(pointer.with_file_name("1.0-py3-none-any.http"), b"\x95\xb0cut").unwrap();
    assert_eq!(ground.demo_c(&[])["state"], "unused");
    assert_eq!(problems(&ground.run("list", &[])), 1);
}

#[test]
fn an_id_that_stands_in_two_buckets_is_two_entries_with_pointers_of_their_own() {
    let ground = Ground::new();
    let copy = ground.cache().join("archive-v1").join(DEMO_C);
    std::fs::create_dir_all(copy.join("other")).unwrap();
    let answer = ground.run("links", &["--state", "dangling"]);
    assert_eq!(answer["pointers"], serde_json::json!([]));
    let answer = ground.run("list", &[]);
    let twins: Vec<_> =
        answer["entries"].as_array().unwrap().iter().filter(|entry| entry["id"] == DEMO_C).collect();
    assert_eq!(twins.len(), 2);
    assert_eq!(twins[0]["state"], "unused");
}

#[test]
fn links_of_an_environment_inside_another_are_counted_once() {
    let ground = Ground::new();
    let outer = ground.code().join("outer");
    let inner = outer.join("inner");
    for root in [&outer, &inner] {
        std::fs::create_dir_all(root.join("lib/python3.11/site-packages")).unwrap();
        std::fs::write(root.join("pyvenv.cfg"), "home = /usr/bin\n").unwrap();
    }
    let file = ground.cache().join("archive-v0").join(DEMO_C).join("demo_ns/c/more.py");
    std::fs::hard_link(&file, inner.join("lib/python3.11/site-packages/more.py")).unwrap();
    std::fs::hard_link(&file, ground.fixture.root().join("hidden.py")).unwrap();
    let inner = inner.to_str().unwrap().to_owned();
    let links = ground.demo_c(&["--target", &inner])["links"].clone();
    assert_eq!(links, serde_json::json!({"external": 2, "explained": 1, "unexplained": 1}));
}

#[test]
fn a_bucket_that_was_moved_to_another_disk_is_read_through_its_symlink() {
    let ground = Ground::new();
    let moved = ground.fixture.root().join("big-disk");
    std::fs::rename(ground.cache().join("archive-v0"), &moved).unwrap();
    symlink(&moved, ground.cache().join("archive-v0")).unwrap();
    let answer = ground.run("links", &["--state", "dangling"]);
    assert_eq!(answer["pointers"], serde_json::json!([]));
    assert_eq!(ground.demo_c(&[])["state"], "unused");
}

#[test]
fn a_list_of_environments_that_cannot_be_understood_leaves_doubt_and_is_not_overwritten() {
    let ground = Ground::new();
    let list = ground.fixture.root().join("state/cachetui/environments.json");
    ground.environment(&ground.code().join("proj/.venv"), &ground.cache());
    ground.run("list", &[]);
    assert!(std::fs::read_to_string(&list).unwrap().contains("proj/.venv"), "what was found is remembered");
    assert_eq!(ground.demo_c(&[])["state"], "protected");
    std::fs::remove_dir_all(ground.code().join("proj/.venv")).unwrap();
    assert_eq!(ground.demo_c(&[])["state"], "unused");
    for text in [
        "{\"schema_version\": 99}",
        "{\"schema_version\": 1, \"environ",
        "{\"schema_version\": 1, \"environments\": [{\"path\": \"/x\", \"path_bytes\": \"?\"}]}",
    ] {
        std::fs::write(&list, text).unwrap();
        let answer = ground.run("list", &[]);
        assert_eq!(problems(&answer), 1, "{answer:#}");
        let entry = ground.demo_c(&[]);
        assert_eq!(
            (&entry["state"], &entry["doubt"]),
            (&"held-elsewhere".into(), &"unread-environment".into()),
            "{entry:#}"
        );
        assert_eq!(std::fs::read_to_string(&list).unwrap(), text);
        assert_eq!(ground.demo_c(&["--no-remember"])["state"], "unused", "a person may say to go without");
    }
}

#[test]
fn roots_of_the_settings_are_searched() {
    let ground = Ground::new();
    ground.environment(&ground.fixture.root().join("elsewhere/proj/.venv"), &ground.cache());
    assert_eq!(ground.demo_c(&["--no-remember"])["state"], "unused");
    let settings = ground.fixture.root().join(".config/cachetui");
    std::fs::create_dir_all(&settings).unwrap();
    std::fs::write(settings.join("config.toml"), "roots = [\"~/elsewhere\"]\n").unwrap();
    assert_eq!(ground.demo_c(&["--no-remember"])["state"], "protected");
}
