//! Contents of real caches and environments against `RECORD`.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::lab::MODES;
use super::relink::tree::{Tree, replace};
use super::relink::{install, wheels};
use crate::support::uv::Sandbox;
use crate::support::wheel::Wheel;

/// A cache with the wheels of [`wheels`], and environments.
struct Ground {
    sandbox: Sandbox,
    places: Vec<String>,
    _directory: tempfile::TempDir,
}

impl Ground {
    fn new() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::new(directory.path())?;
        let places = wheels(&sandbox);
        Some(Self { sandbox, places, _directory: directory })
    }

    fn install(&self, project: &str, mode: &str) -> PathBuf {
        install(&self.sandbox, &self.places, project, mode)
    }

    /// The entry of `one`.
    fn entry(&self) -> PathBuf {
        let mut entries = self.sandbox.cache().join("archive-v0").read_dir().unwrap().map(Result::unwrap);
        entries.find(|entry| entry.path().join("one").is_dir()).unwrap().path()
    }

    /// What `verify` answers, whose exit code is the given one.
    fn verify(&self, arguments: &[&str], code: i32) -> Value {
        let output = self.sandbox.cachetui(&["verify", "--json"]).args(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let answer = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}{answer}");
        serde_json::from_str(&answer).unwrap()
    }
}

fn site(environment: &Path) -> PathBuf {
    let mut versions = environment.join("lib").read_dir().unwrap();
    versions.next().unwrap().unwrap().path().join("site-packages")
}

/// Fault and path of each finding with a verdict.
fn findings(answer: &Value, verdict: &str) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let all = answer["findings"].as_array().unwrap().iter();
    all.filter(|it| it["verdict"] == verdict).map(|it| (text(&it["fault"]), text(&it["path"]))).collect()
}

fn shown(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

#[test]
fn what_uv_installed_is_as_recorded_in_every_mode_and_looking_changes_nothing() {
    let Some(ground) = Ground::new() else { return };
    for mode in MODES {
        ground.install(mode, mode);
    }
    let before = Tree::read(&ground.sandbox.path(""));
    let answer = ground.verify(&["--all"], 0);
    assert_eq!(answer["findings"], json!([]));
    assert_eq!((&answer["checked"]["entries"], &answer["checked"]["environments"]), (&json!(3), &json!(4)));
    assert!(answer["checked"]["files"].as_u64().unwrap() > 5 * 15);
    assert!(Tree::read(&ground.sandbox.path("")).is_untouched_since(&before));
}

#[test]
fn an_edit_through_a_hardlink_is_one_finding_with_all_who_share_it() {
    let Some(ground) = Ground::new() else { return };
    let (first, second) = (ground.install("first", "hardlink"), ground.install("second", "hardlink"));
    let linked = ground.install("linked", "symlink");
    ground.install("copied", "copy");
    let inside = "one/edited.py";
    std::fs::write(site(&first).join(inside), "EDITED = True # by hand\n").unwrap();
    let cached = ground.entry().join(inside);
    for arguments in [&["--all"][..], &["one"], &[second.to_str().unwrap()]] {
        let answer = ground.verify(arguments, 3);
        assert_eq!(findings(&answer, "damage"), [("edited".to_owned(), shown(&cached))], "{arguments:?}");
        let finding = &answer["findings"][0];
        let places: Vec<&str> =
            finding["places"].as_array().unwrap().iter().map(|it| it["path"].as_str().unwrap()).collect();
        let mut expected = vec![shown(&cached)];
        expected.extend([&first, &linked, &second].map(|root| shown(&site(root).join(inside))));
        assert_eq!(places, expected, "{arguments:?}");
        assert_eq!(finding["places"][0]["environment"], Value::Null);
        assert_eq!(finding["places"][1]["environment"], shown(&first));
    }
    // Installing from it spreads the damage, and makes it nobody's own fault.
    ground.install("later", "copy");
    let answer = ground.verify(&["--all"], 3);
    assert_eq!(findings(&answer, "wheel"), []);
    assert_eq!(findings(&answer, "damage").len(), 2);
    assert_eq!(ground.verify(&["two"], 0)["findings"], json!([]));
}

#[test]
fn every_kind_of_damage_has_its_word() {
    let Some(ground) = Ground::new() else { return };
    let environment = ground.install("project", "copy");
    let entry = ground.entry();
    let file = |path: &str| std::fs::OpenOptions::new().write(true).open(entry.join(path)).unwrap();
    file("one/bulk.bin").set_len(100).unwrap();
    file("one/run.sh").set_len(0).unwrap();
    std::fs::remove_file(entry.join("one/edited.py")).unwrap();
    std::fs::write(entry.join("one/added.py"), "added").unwrap();
    // Python and installers write these.
    std::fs::create_dir(entry.join("one/__pycache__")).unwrap();
    std::fs::write(entry.join("one/__pycache__/x.cpython-311.pyc"), "").unwrap();
    std::fs::write(entry.join("one-1.0.dist-info/INSTALLER"), "uv").unwrap();
    let expected = |what: &str, path: &str| (what.to_owned(), shown(&entry.join(path)));
    let all = [
        expected("extra", "one/added.py"),
        expected("truncated", "one/bulk.bin"),
        expected("missing", "one/edited.py"),
        expected("empty", "one/run.sh"),
    ];
    assert_eq!(findings(&ground.verify(&[], 3), "damage"), all);
    // The environment has its own files, which are whole.
    assert_eq!(ground.verify(&[environment.to_str().unwrap()], 0)["findings"], json!([]));
    let own = site(&environment).join("one/bulk.bin");
    replace(&own, b"short");
    std::fs::write(site(&environment).join("one/data_of_its_own.db"), "").unwrap();
    // With what it would be installed again from.
    let answer = ground.verify(&[environment.to_str().unwrap()], 3);
    let with_entry = [&all[1..], &[("truncated".to_owned(), shown(&own))]].concat();
    assert_eq!(findings(&answer, "damage"), with_entry);
    assert_eq!(findings(&ground.verify(&["--all"], 3), "damage").len(), 5);
}

#[test]
fn a_record_that_was_wrong_from_the_start_is_the_wheels_own_fault_once_a_second_copy_shows_it() {
    let Some(ground) = Ground::new() else { return };
    let links = ground.sandbox.path("wheels");
    Wheel::new("liar", "1.0").wrong("liar/data.bin", "true content").save(&links);
    let install = |project: &str, mode: &str| {
        let arguments = ["--no-index", "--find-links", links.to_str().unwrap(), "liar"];
        ground.sandbox.install(project, mode, &arguments)
    };
    install("first", "hardlink");
    assert_eq!(findings(&ground.verify(&["liar"], 3), "damage").len(), 1, "one inode proves nothing");
    let second = install("second", "copy");
    let answer = ground.verify(&["--all"], 0);
    assert_eq!(findings(&answer, "damage"), []);
    assert_eq!(findings(&answer, "wheel").len(), 2);
    let file = site(&second).join("liar/data.bin");
    replace(&file, b"edited by somebody");
    let damage = findings(&ground.verify(&["--all"], 3), "damage");
    assert!(damage.contains(&("edited".to_owned(), shown(&file))), "{damage:?}");
}

#[test]
fn a_persons_own_symlink_to_what_is_not_there_is_told_and_is_no_damage() {
    let Some(ground) = Ground::new() else { return };
    let environment = ground.install("app", "hardlink");
    let path = site(&environment).join("one/edited.py");
    std::fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("/media/of-nobody/module.py", &path).unwrap();
    let whole = ground.verify(&["--all"], 0);
    assert_eq!((&whole["checked"]["away"], &whole["findings"]), (&json!(1), &json!([])), "{whole:#}");
    for (more, lists) in [(None, true), (Some("-v"), false)] {
        let output = ground.sandbox.cachetui(&["verify", "--all"]).args(more).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(
            said.contains("no damage in what could be compared") && !said.contains("all as RECORD says"),
            "{said}"
        );
        assert!(
            said.contains("1 file is a symlink to a place outside of the cache that is not there"),
            "{said}"
        );
        assert_eq!(said.contains("`-v` lists them"), lists, "{said}");
        assert_eq!(said.contains(path.to_str().unwrap()), !lists, "{said}");
    }
}

#[test]
fn ten_files_that_are_damaged_alike_are_listed_and_the_rest_counted() {
    let Some(ground) = Ground::new() else { return };
    let links = ground.sandbox.path("wheels");
    let many = Wheel::new("many", "1.0");
    (0..30).fold(many, |wheel, number| wheel.file(&format!("many/part{number:02}.py"), "")).save(&links);
    let arguments = ["--no-index", "--find-links", links.to_str().unwrap(), "many"];
    let environment = ground.sandbox.install("project", "copy", &arguments);
    for number in 0..25 {
        std::fs::remove_file(site(&environment).join(format!("many/part{number:02}.py"))).unwrap();
    }
    std::fs::write(site(&environment).join("many/part10.py"), "edited\n").unwrap();
    let run = |arguments: &[&str]| {
        let output = ground.sandbox.cachetui(&["verify"]).args(arguments).arg(&environment).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let count = |text: &str, word: &str| text.lines().filter(|line| line.starts_with(word)).count();
    let text = run(&[]);
    assert_eq!((count(&text, "missing "), count(&text, "edited ")), (10, 1), "{text}");
    assert!(text.contains("\n  and 14 more files of many missing; `-v` lists all\n"), "{text}");
    assert!(text.contains(": 25 are damaged."), "{text}");
    let text = run(&["-v"]);
    assert_eq!((count(&text, "missing "), text.contains("more file")), (24, false), "{text}");
}

#[test]
fn people_read_what_is_damaged_and_what_was_asked_for_in_vain() {
    let Some(ground) = Ground::new() else { return };
    let environment = ground.install("project", "hardlink");
    std::fs::write(site(&environment).join("one/edited.py"), "EDITED = True\n").unwrap();
    let run = |arguments: &[&str]| {
        let output = ground.sandbox.cachetui(&["verify"]).args(arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    };
    let (code, text, _) = run(&[]);
    assert_eq!(code, 3);
    assert!(text.contains("one/edited.py  (one 1.0)\n"), "{text}");
    assert!(text.contains(&format!("the same file in {}", environment.display())), "{text}");
    assert!(text.contains("3 entries compared") && text.contains(": 1 is damaged."), "{text}");
    let way_out = text.split_once("No good copy is known").expect("a way out is named").1;
    assert!(way_out.contains(" prune -- ") && way_out.contains(" one==1.0\n"), "{text}");
    let (code, _, error) = run(&["nothing"]);
    assert!(code == 1 && error.contains("`nothing`"), "{error}");
    let (code, _, error) = run(&["/nowhere/at/all"]);
    assert!(code == 1 && error.contains("/nowhere/at/all"), "{error}");
    std::fs::remove_file(ground.entry().join("one-1.0.dist-info/RECORD")).unwrap();
    let (code, text, _) = run(&["one"]);
    assert!(code == 1 && text.contains("Failed to read"), "{code} {text}");
}

/// What `verify --detach` answers, whose exit code is the given one.
fn detach(ground: &Ground, environment: &Path, more: &[&str], code: i32) -> Value {
    let arguments = [&["--detach", environment.to_str().unwrap()], more].concat();
    ground.verify(&arguments, code)
}

#[test]
fn an_edit_stays_in_one_environment_and_is_taken_back_everywhere_else() {
    let Some(ground) = Ground::new() else { return };
    let edited = ground.install("edited", "hardlink");
    let (shared, linked) = (ground.install("shared", "hardlink"), ground.install("linked", "symlink"));
    ground.install("copied", "copy");
    let inside = "one/edited.py";
    let text = "EDITED = True # by hand\n";
    std::fs::write(site(&edited).join(inside), text).unwrap();
    let before = Tree::read(&ground.sandbox.path(""));
    let planned = detach(&ground, &edited, &["--dry-run"], 0);
    assert_eq!(planned["plan"]["steps"].as_array().unwrap().len(), 1, "{planned}");
    assert!(Tree::read(&ground.sandbox.path("")).is_untouched_since(&before));
    let done = detach(&ground, &edited, &["--yes"], 0);
    assert_eq!(done["plan"].to_string(), planned["plan"].to_string());
    assert_eq!((&done["outcomes"][0]["state"], &done["outcomes"][0]["unknown"]), (&json!("done"), &json!(0)));
    assert_eq!(std::fs::read_to_string(site(&edited).join(inside)).unwrap(), text);
    let good = "EDITED = False\n";
    for path in [ground.entry().join(inside), site(&shared).join(inside), site(&linked).join(inside)] {
        assert_eq!(std::fs::read_to_string(path).unwrap(), good);
    }
    let (cached, other) = (ground.entry().join(inside), site(&shared).join(inside));
    assert_eq!(Tree::read(&cached).inode(&cached), Tree::read(&other).inode(&other), "linked as before");
    // What is left is the edit, in the one environment.
    let answer = ground.verify(&["--all"], 3);
    assert_eq!(findings(&answer, "damage"), [("edited".to_owned(), shown(&site(&edited).join(inside)))]);
    let again = detach(&ground, &edited, &["--yes"], 0);
    assert_eq!(again["plan"]["steps"], json!([]));
    for environment in [&edited, &shared, &linked] {
        ground.sandbox.run_uv(&["pip", "check", "--quiet", "--python", environment.to_str().unwrap()]);
    }
    let python = shared.to_str().unwrap();
    ground.sandbox.run_uv(&["pip", "uninstall", "--quiet", "--python", python, "one"]);
}

#[test]
fn without_a_good_copy_or_under_a_lock_nothing_is_detached() {
    let Some(ground) = Ground::new() else { return };
    let edited = ground.install("edited", "hardlink");
    let shared = ground.install("shared", "symlink");
    std::fs::write(site(&edited).join("one/edited.py"), "EDITED = True # by hand\n").unwrap();
    let before = Tree::read(&ground.sandbox.path(""));
    let answer = detach(&ground, &edited, &["--yes"], 1);
    assert_eq!(answer["plan"]["steps"], json!([]));
    assert!(answer["plan"]["kept"][0]["reason"].as_str().unwrap().contains("no good copy of it"));
    assert!(Tree::read(&ground.sandbox.path("")).is_untouched_since(&before));
    ground.install("copied", "copy");
    // The copy is of the edited file.
    assert_eq!(detach(&ground, &edited, &["--yes"], 1)["plan"]["steps"], json!([]));

    let good = site(&ground.install("good", "copy")).join("one/edited.py");
    std::fs::write(good, "EDITED = False\n").unwrap();
    let lock = std::fs::File::open(ground.sandbox.cache().join(".lock")).unwrap();
    lock.lock_shared().unwrap();
    let before = Tree::read(&shared);
    let mut command = ground.sandbox.cachetui(&["verify", "--yes", "--detach", edited.to_str().unwrap()]);
    let output = command.env("UV_LOCK_TIMEOUT", "0").output().unwrap();
    assert_eq!(output.status.code(), Some(11), "{}", String::from_utf8_lossy(&output.stderr));
    drop(lock);
    assert!(Tree::read(&shared).is_untouched_since(&before));
    let done = detach(&ground, &edited, &["--yes"], 0);
    assert_eq!(done["outcomes"][0]["state"], "done", "{done}");
    assert_eq!(std::fs::read_to_string(site(&shared).join("one/edited.py")).unwrap(), "EDITED = False\n");
}

#[test]
fn what_a_run_left_half_done_is_done_by_the_next() {
    let Some(ground) = Ground::new() else { return };
    let edited = ground.install("edited", "hardlink");
    let shared = ground.install("shared", "hardlink");
    ground.install("copied", "copy");
    let inside = "one/edited.py";
    let (own, cached) = (site(&edited).join(inside), ground.entry().join(inside));
    let (text, good) = ("EDITED = True # by hand\n", "EDITED = False\n");
    let read = |path: &Path| std::fs::read_to_string(path).unwrap();
    // The environment has a file of its own, and the cache has the edit too.
    std::fs::write(&own, text).unwrap();
    replace(&own, text.as_bytes());
    let done = detach(&ground, &edited, &["--yes"], 0);
    assert_eq!(done["outcomes"].as_array().unwrap().len(), 1, "{done}");
    assert_eq!((read(&own).as_str(), read(&cached).as_str()), (text, good));
    assert_eq!(read(&site(&shared).join(inside)), good);
    // The cache has been restored, and another environment has the edit too.
    let other = site(&shared).join(inside);
    std::fs::remove_file(&other).unwrap();
    std::fs::hard_link(&own, &other).unwrap();
    let done = detach(&ground, &edited, &["--yes"], 0);
    assert_eq!(done["outcomes"].as_array().unwrap().len(), 1, "{done}");
    assert_eq!((read(&own).as_str(), read(&other).as_str()), (text, good));
    assert_eq!(Tree::read(&cached).inode(&cached), Tree::read(&other).inode(&other));
    assert_eq!(detach(&ground, &edited, &["--yes"], 0)["plan"]["steps"], json!([]));
}

#[test]
fn names_that_nobody_knows_keep_the_edit_and_are_told() {
    let Some(ground) = Ground::new() else { return };
    let edited = ground.install("edited", "hardlink");
    ground.install("copied", "copy");
    let file = site(&edited).join("one/edited.py");
    let hidden = ground.sandbox.path("hidden.py");
    std::fs::hard_link(&file, &hidden).unwrap();
    std::fs::write(&file, "EDITED = True # by hand\n").unwrap();
    let done = detach(&ground, &edited, &["--yes"], 0);
    assert_eq!(done["outcomes"][0]["unknown"], 1, "{done}");
    assert_eq!(std::fs::read_to_string(hidden).unwrap(), "EDITED = True # by hand\n");
}
