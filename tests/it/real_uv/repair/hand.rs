//! What stays broken: it is named with the cause and the commands, nothing is touched, and the commands are right.

use std::path::Path;

use serde_json::Value;

use super::super::lab::SOURCES;
use super::{dangling, ends, is_settled, is_whole, json, listing, repair, site, with_each_release};
use crate::support::uv::{Sandbox, ran};
use crate::support::wheel::Wheel;

/// Runs commands as they were printed; each has to succeed. What has to be filled in is the directory of wheels, where the
/// settings do not say another place.
pub(in crate::real_uv) fn run_all(sandbox: &Sandbox, commands: &Value) {
    run_all_from(sandbox, commands, "https://nowhere.invalid/simple");
}

/// The same, with an index to fill in.
pub(in crate::real_uv) fn run_all_from(sandbox: &Sandbox, commands: &Value, index: &str) {
    let links = sandbox.path("links");
    let links = links.to_str().unwrap();
    for command in commands.as_array().unwrap() {
        let words: Vec<&str> =
            command.as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
        if words[0] == "cachetui" {
            let mut command = sandbox.command(env!("CARGO_BIN_EXE_cachetui"));
            // It says where to look, as the answer was asked for.
            assert!(words.contains(&"--no-remember") && words.contains(&"--root"), "{words:?}");
            // Whoever reads the command says yes.
            for word in &words[1..] {
                command.arg(word);
                if *word == "prune" {
                    command.arg("--yes");
                }
            }
            ran(&mut command);
            continue;
        }
        if words[0] == "rm" {
            ran(sandbox.command("rm").args(&words[1..]));
            continue;
        }
        assert_eq!(words[0], "uv", "{words:?}");
        let filled: Vec<String> = words[1..]
            .iter()
            .map(|word| word.replace("https://<INDEX-URL>", index).replace("<DIRECTORY>", links))
            .collect();
        let filled: Vec<&str> = filled.iter().map(String::as_str).collect();
        ran(&mut sandbox.uv(&filled));
    }
}

#[test]
fn with_nothing_at_hand_no_file_is_touched_and_the_commands_that_are_named_mend_it() {
    with_each_release(|lab, environment| {
        let sandbox = &lab.sandbox;
        sandbox.run_uv(&["cache", "clean", "--quiet"]);
        let env = environment.to_str().unwrap();
        let dead = dangling(environment);
        let before = listing(&sandbox.path(""));
        let said = ends(&mut repair(sandbox, "cache", &[env, "--dry-run"]), 3);
        let also = ends(&mut repair(sandbox, "cache", &[env, "--yes"]), 3);
        assert_eq!(said, also);
        assert_eq!(listing(&sandbox.path("")), before, "not even a lock file was made");
        assert_eq!(dangling(environment), dead);
        assert!(said.contains("uv --cache-dir") && said.contains("--reinstall --no-deps"), "{said}");
        assert!(
            said.contains("demo-a==1.0") && said.contains("Nothing can be repaired from here."),
            "{said}"
        );

        let (plan, _) = json(&mut repair(sandbox, "cache", &[env, "--dry-run"]));
        let kept = plan["plan"]["kept"].as_array().unwrap();
        assert_eq!(kept.len(), SOURCES.len(), "{plan:#}");
        std::fs::copy(environment.parent().unwrap().join("uv.toml"), sandbox.path("home/uv.toml")).unwrap();
        for left in kept {
            run_all_from(sandbox, &left["commands"], &lab.index.simple());
        }
        is_whole(sandbox, "cache", environment);
        is_settled(sandbox, "cache", environment);
    });
}

#[test]
fn pointers_that_lead_nowhere_are_cleaned_by_the_commands_before_anything_is_uninstalled() {
    with_each_release(|lab, environment| {
        let sandbox = &lab.sandbox;
        std::fs::remove_dir_all(sandbox.cache().join("archive-v0")).unwrap();
        std::fs::create_dir(sandbox.cache().join("archive-v0")).unwrap();
        let env = environment.to_str().unwrap();
        let before = listing(&sandbox.path(""));
        let said = ends(&mut repair(sandbox, "cache", &[env, "--yes"]), 3);
        assert_eq!(listing(&sandbox.path("")), before);
        assert!(said.contains("rm -f --") && said.contains("belong together"), "{said}");
        let (plan, _) = json(&mut repair(sandbox, "cache", &[env, "--dry-run"]));
        std::fs::copy(environment.parent().unwrap().join("uv.toml"), sandbox.path("home/uv.toml")).unwrap();
        for left in plan["plan"]["kept"].as_array().unwrap() {
            run_all_from(sandbox, &left["commands"], &lab.index.simple());
        }
        is_whole(sandbox, "cache", environment);
    });
}

fn small(base: &Path) -> Option<(Sandbox, std::path::PathBuf)> {
    let sandbox = Sandbox::new(base)?;
    let links = sandbox.path("links");
    Wheel::new("demo-a", "1.0").entry_point().file("demo_a/inner/deep.py", "DEEP = 1\n").save(&links);
    Wheel::new("demo-b", "1.0").save(&links);
    let find = ["--no-index", "--find-links", links.to_str().unwrap(), "demo-a", "demo-b"];
    let environment = sandbox.install("app", "symlink", &find);
    Some((sandbox, environment))
}

#[test]
fn what_no_link_can_mend_is_named_with_its_cause() {
    let base = tempfile::tempdir().unwrap();
    let Some((sandbox, environment)) = small(base.path()) else { return };
    let env = environment.to_str().unwrap();
    let causes = || {
        let (answer, ended) = json(&mut repair(&sandbox, "cache", &["--all", "--yes"]));
        let kept = answer["plan"]["kept"].as_array().unwrap();
        let word = |left: &Value, key: &str| left[key].as_str().unwrap_or("-").to_owned();
        let named: Vec<_> = kept.iter().map(|left| (word(left, "because"), word(left, "name"))).collect();
        (ended, named, answer)
    };
    let named = |because: &str, name: &str| (because.to_owned(), name.to_owned());
    assert_eq!(causes().0, 0);

    // A generated script is in no entry, and is not made up.
    std::fs::rename(environment.join("bin/demo-a"), environment.join("bin/demo-a.kept")).unwrap();
    let (ended, found, answer) = causes();
    assert_eq!((ended, found), (3, vec![named("private", "demo-a")]), "{answer:#}");
    assert_eq!(answer["plan"]["kept"][0]["files"][0]["path"], "bin/demo-a");
    assert!(!environment.join("bin/demo-a").exists());

    // Nobody knows the files of a distribution without RECORD; of two of one name nobody knows which it is.
    std::fs::remove_file(site(&environment).join("demo_b-1.0.dist-info/RECORD")).unwrap();
    let twin = site(&environment).join("demo_a-0.9.dist-info");
    std::fs::create_dir(&twin).unwrap();
    let metadata = "Metadata-Version: 2.1\nName: demo-a\nVersion: 0.9\n";
    let record = "demo_a-0.9.dist-info/METADATA,,\ndemo_a-0.9.dist-info/RECORD,,\n";
    for (name, text) in [("METADATA", metadata), ("RECORD", record)] {
        std::fs::write(twin.join(name), text).unwrap();
    }
    let (_, found, answer) = causes();
    // What uv has installed it cannot uninstall any more; others leave it out on purpose.
    let health = || sandbox.json(&["envs", env])["environments"][0]["health"].clone();
    let installer = site(&environment).join("demo_b-1.0.dist-info/INSTALLER");
    std::fs::rename(environment.join("bin/demo-a.kept"), environment.join("bin/demo-a")).unwrap();
    assert_eq!(health(), "broken");
    std::fs::write(&installer, "conda").unwrap();
    assert_eq!(health(), "ok");
    std::fs::write(&installer, "uv").unwrap();
    std::fs::rename(environment.join("bin/demo-a"), environment.join("bin/demo-a.kept")).unwrap();
    let expected = [named("private", "demo-a"), named("no-record", "demo-b"), named("duplicate", "demo-a")];
    assert_eq!(found, expected, "{answer:#}");

    // An interpreter that is gone, and a link to an environment that is gone.
    let python = environment.join("bin/python");
    let real = std::fs::read_link(&python).unwrap();
    std::fs::remove_file(&python).unwrap();
    std::os::unix::fs::symlink("/nowhere/python3", &python).unwrap();
    let other = sandbox.roots().join("central");
    std::fs::create_dir(&other).unwrap();
    std::os::unix::fs::symlink(sandbox.path("nowhere"), other.join(".venv")).unwrap();
    let (_, found, answer) = causes();
    assert_eq!(found[3..], [named("no-interpreter", "-"), named("no-environment", "-")], "{answer:#}");
    let said = ends(&mut repair(&sandbox, "cache", &[other.to_str().unwrap()]), 3);
    assert!(said.contains("uv sync --directory") && said.contains("nowhere"), "{said}");
    std::fs::remove_file(&python).unwrap();
    std::os::unix::fs::symlink(real, &python).unwrap();

    // The commands are right.
    std::fs::write(
        sandbox.path("home/uv.toml"),
        format!("no-index = true\nfind-links = [{:?}]\n", sandbox.path("links")),
    )
    .unwrap();
    let (answer, _) = json(&mut repair(&sandbox, "cache", &[env, "--dry-run"]));
    for left in answer["plan"]["kept"].as_array().unwrap() {
        run_all(&sandbox, &left["commands"]);
    }
    is_whole(&sandbox, "cache", &environment);
    is_settled(&sandbox, "cache", &environment);
}

#[test]
fn a_directory_that_is_a_dead_symlink_is_named_and_nothing_is_linked_behind_it() {
    let base = tempfile::tempdir().unwrap();
    let Some((sandbox, environment)) = small(base.path()) else { return };
    let inner = site(&environment).join("demo_a/inner");
    let target = std::fs::read_link(inner.join("deep.py")).unwrap();
    std::fs::remove_dir_all(&inner).unwrap();
    std::os::unix::fs::symlink(target.parent().unwrap(), &inner).unwrap();
    std::fs::rename(sandbox.cache(), sandbox.path("moved")).unwrap();
    let (answer, ended) = json(&mut repair(&sandbox, "moved", &["--all", "--yes"]));
    assert_eq!(ended, 3, "{answer:#}");
    let kept = &answer["plan"]["kept"][0];
    assert_eq!((&kept["because"], &kept["name"]), (&"directory-link".into(), &"demo-a".into()));
    let words: Vec<&str> =
        kept["commands"][0].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    assert_eq!(words[0], "ln");
    ran(sandbox.command(words[0]).args(&words[1..]));
    is_whole(&sandbox, "moved", &environment);
}

#[test]
fn it_is_said_what_is_missing_in_the_question_itself() {
    let base = tempfile::tempdir().unwrap();
    let Some((sandbox, environment)) = small(base.path()) else { return };
    let said = ends(&mut repair(&sandbox, "cache", &[]), 2);
    assert!(said.contains("--all"), "{said}");
    let said = ends(&mut repair(&sandbox, "cache", &["--all", "--from", "/nowhere"]), 2);
    assert!(said.contains("There is no directory"), "{said}");
    let roots = sandbox.roots();
    let said = ends(&mut repair(&sandbox, "cache", &["--all", "--from", roots.to_str().unwrap()]), 2);
    assert!(said.contains("does not look like a uv cache"), "{said}");
    std::fs::remove_file(site(&environment).join("demo_b/__init__.py")).unwrap();
    let said = ends(&mut repair(&sandbox, "cache", &["--all"]), 2);
    assert!(said.contains("There is no one to ask"), "{said}");
    let said = ends(&mut repair(&sandbox, "cache", &["--all", "--json"]), 2);
    assert!(said.contains("There is no one to ask"), "{said}");
    assert!(!site(&environment).join("demo_b/__init__.py").exists());
}
