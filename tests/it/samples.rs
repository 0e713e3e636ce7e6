//! The sample caches of seven uv releases, read by the program itself: every entry named, every pointer explained.

use std::process::Command;

use serde_json::Value;

use crate::support::fixture::{ALL, Fixture, HERE};

fn run(fixture: &Fixture, command: &str) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_cachetui"))
        .args([command, "--json", "--no-remember", "--cache-dir"])
        .arg(fixture.cache())
        .arg("--root")
        .arg(fixture.root())
        .env("HOME", fixture.root())
        .current_dir(fixture.root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn every_entry_of_every_release_is_named_and_led_to_or_explained() {
    for name in ALL {
        let fixture = Fixture::unpack(name);
        let answer = run(&fixture, "list");
        let entries = answer["entries"].as_array().unwrap();
        assert_eq!(entries.len(), fixture.entries().len(), "{name}");
        for entry in entries {
            assert!(entry["name"].is_string(), "{name}: {entry}");
            assert_ne!(entry["kind"], "unknown", "{name}: {entry}");
            assert_ne!(entry["state"], "unreferenced", "{name}: {entry}");
        }
        assert_eq!(answer["problems"], serde_json::json!([]), "{name}");
    }
}

#[test]
fn every_pointer_of_every_release_leads_to_an_entry_or_says_which_cache_it_means() {
    for name in ALL {
        let fixture = Fixture::unpack(name);
        let answer = run(&fixture, "links");
        let pointers = answer["pointers"].as_array().unwrap();
        assert!(pointers.len() >= fixture.entries().len(), "{name}");
        for pointer in pointers {
            // Before 0.11.17 uv wrote absolute links, which name the place the sample was made in.
            let twin = pointer["note"].as_str().is_some_and(|note| note.contains("an entry of that id"));
            assert!(pointer["state"] == "live" || pointer["state"] == "foreign" && twin, "{name}: {pointer}");
        }
    }
}

/// The samples with absolute links are of Unix.
#[cfg(unix)]
#[test]
fn an_entry_tells_of_the_pointers_that_name_it_in_another_cache() {
    let mut foreign = 0;
    for name in ALL {
        let fixture = Fixture::unpack(name);
        let (links, list) = (run(&fixture, "links"), run(&fixture, "list"));
        let paths = |rows: &serde_json::Value| {
            let rows = rows.as_array().unwrap().iter().filter(|row| row["state"] == "foreign");
            rows.map(|row| row["path"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let mut told: Vec<String> =
            list["entries"].as_array().unwrap().iter().flat_map(|entry| paths(&entry["pointers"])).collect();
        told.sort_unstable();
        assert_eq!(told, paths(&links["pointers"]), "{name}");
        foreign += told.len();
    }
    assert!(foreign > 0, "a sample of an old release has absolute links");
}

#[test]
fn every_distribution_of_the_installed_environment_is_attributed_to_its_entry() {
    for name in ALL {
        let fixture = Fixture::unpack(name);
        let list = run(&fixture, "list");
        let entries = list["entries"].as_array().unwrap();
        let mut attributed = 0;
        let answer = run(&fixture, "envs");
        let environments = answer["environments"].as_array().unwrap();
        let outside: Vec<_> = environments
            .iter()
            .filter(|environment| {
                !environment["path"].as_str().unwrap().replace('\\', "/").contains("/cache/")
            })
            .collect();
        assert!(!outside.is_empty(), "{name}: {answer}");
        for distribution in outside.iter().flat_map(|item| item["distributions"].as_array().unwrap()) {
            let is_cached = entries.iter().any(|entry| {
                (&entry["name"], &entry["version"]) == (&distribution["name"], &distribution["version"])
            });
            assert_eq!(distribution["entry"].is_string(), is_cached, "{name}: {distribution}");
            attributed += u64::from(is_cached);
            let files = &distribution["files"];
            assert_eq!(
                (&files["modified"], &files["dangling"]),
                (&0.into(), &0.into()),
                "{name}: {distribution}"
            );
            // The programs (`.exe`) were left out of the Windows sample.
            let whole = !name.contains("windows");
            assert!(!whole || distribution["state"] == "ok", "{name}: {distribution}");
        }
        assert!(attributed > 1, "{name}");
    }
}

/// What is not used of a sample goes, with every pointer to it.
fn is_pruned(fixture: &Fixture, name: &str) {
    let listed = run(fixture, "list");
    assert_eq!(listed["problems"], serde_json::json!([]), "{name}");
    let names = |state: &str| {
        let entries = listed["entries"].as_array().unwrap().iter();
        entries.filter(|entry| entry["state"] == state && entry["kind"] == "wheel").count()
    };
    let unused = names("unused");
    assert!(unused >= 1, "{name}: {listed:#}");
    let allow = ["--unused", "--grace", "0h", "--yes", "--allow", "no-environments,most,other-owners,gone"];
    let output = Command::new(env!("CARGO_BIN_EXE_cachetui"))
        .args([&["prune", "--json", "--no-remember"], &allow[..], &["--cache-dir"]].concat())
        .arg(fixture.cache())
        .arg("--root")
        .arg(fixture.root())
        .env("HOME", fixture.root())
        .env("XDG_STATE_HOME", fixture.root().join("state"))
        .current_dir(fixture.root())
        .output()
        .unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let outcomes = answer["report"]["outcomes"].as_array().unwrap();
    assert!(outcomes.iter().all(|outcome| outcome["state"] == "done"), "{name}: {answer:#}");
    assert_eq!(outcomes.len(), unused, "{name}");
    let left = run(fixture, "links");
    let is_dead = |pointer: &&Value| pointer["state"] == "dangling" || pointer["state"] == "malformed";
    assert_eq!(left["pointers"].as_array().unwrap().iter().filter(is_dead).count(), 0, "{name}: {left:#}");
}

#[test]
fn every_release_is_pruned_under_its_own_numbers_and_under_later_ones() {
    for name in ALL {
        for later in [false, true] {
            let fixture = Fixture::unpack(name);
            // Nothing but what is in the cache uses it.
            for item in std::fs::read_dir(fixture.root()).unwrap().map(Result::unwrap) {
                if item.file_name() != "cache" {
                    std::fs::remove_dir_all(item.path()).unwrap();
                }
            }
            for item in std::fs::read_dir(fixture.cache()).unwrap().map(Result::unwrap) {
                let bucket = item.file_name().into_string().unwrap();
                let Some((word, number)) =
                    bucket.rsplit_once("-v").filter(|(word, _)| later && *word != "archive")
                else {
                    continue;
                };
                let number = number.parse::<u32>().unwrap() + 40;
                std::fs::rename(item.path(), item.path().with_file_name(format!("{word}-v{number}")))
                    .unwrap();
            }
            is_pruned(&fixture, &format!("{name}, {later}"));
        }
    }
}

// The sample has symlinks.
#[cfg(unix)]
#[test]
fn pointers_are_ordered_as_asked() {
    let fixture = Fixture::unpack("uv-0.13.8-cache");
    let is_wheel = |path: &std::path::PathBuf| path.to_str().unwrap().contains("wheels-v7");
    let broken = fixture.cached_files("http").into_iter().find(is_wheel).unwrap();
    std::fs::write(broken, b"\x95").unwrap();
    let forms = |more: &[&str]| -> Vec<String> {
        let output = Command::new(env!("CARGO_BIN_EXE_cachetui"))
            .args(["links", "--json", "--no-remember", "--cache-dir"])
            .arg(fixture.cache())
            .args(more)
            .env("HOME", fixture.root())
            .current_dir(fixture.root())
            .output()
            .unwrap();
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        let pointers = answer["pointers"].as_array().unwrap();
        pointers.iter().map(|pointer| format!("{} {}", pointer["form"], pointer["state"])).collect()
    };
    let by_form = forms(&["--sort", "form"]);
    assert!(
        by_form.first().unwrap().contains("symlink") && by_form.last().unwrap().contains("rev"),
        "{by_form:?}"
    );
    assert!(forms(&["--sort", "form", "--reverse"]).first().unwrap().contains("rev"));
    assert!(forms(&["--sort", "state"]).first().unwrap().contains("malformed"));
}

#[test]
fn bytes_that_are_in_no_entry_are_told_and_repositories_by_name_without_credentials() {
    let fixture = Fixture::unpack(HERE);
    let git = fixture.cache().join("git-v1");
    let (database, checkout) =
        (git.join("db/0123456789abcdef/.git"), git.join("checkouts/0123456789abcdef/abcdef1"));
    for directory in [&database, &checkout] {
        std::fs::create_dir_all(directory).unwrap();
    }
    let head = "0123abcd\t\tbranch 'main' of https://me:secret@git.example/demo.git\n";
    std::fs::write(database.join("FETCH_HEAD"), head).unwrap();
    std::fs::write(database.join("objects"), vec![7; 3 << 20]).unwrap();
    std::fs::write(checkout.join("demo.py"), vec![7; 1 << 20]).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_cachetui"))
        .args(["list", "--no-remember", "--cache-dir"])
        .arg(fixture.cache())
        .arg("--root")
        .arg(fixture.root())
        .env("HOME", fixture.root())
        .env("XDG_STATE_HOME", fixture.root().join("state"))
        .current_dir(fixture.root())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let line = said.lines().find(|line| line.contains("not in entries")).unwrap_or_else(|| panic!("{said}"));
    assert!(
        line.contains("in this cache, ")
            && line.contains("git-v1 4.0 MiB (https://git.example/demo.git 4.0 MiB with 1 checkout)"),
        "{line}"
    );
    assert!(!said.contains("secret"), "{said}");
}
