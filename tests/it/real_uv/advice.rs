//! What is advised does what it says: commands that are named bring back what was there, and nothing else.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};

use super::repair::hand::run_all;
use crate::support::uv::{Sandbox, ran};
use crate::support::wheel::{Wheel, sdist};

fn sandbox() -> Option<(Sandbox, tempfile::TempDir)> {
    let directory = tempfile::tempdir().unwrap();
    Some((Sandbox::new(directory.path())?, directory))
}

fn site(environment: &Path) -> PathBuf {
    environment.join("lib").read_dir().unwrap().next().unwrap().unwrap().path().join("site-packages")
}

/// What a command answers in JSON, and its exit code.
fn answer(sandbox: &Sandbox, arguments: &[&str]) -> (Value, i32) {
    let output = sandbox.cachetui(arguments).arg("--json").output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    let answer = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {told}"));
    (answer, output.status.code().unwrap())
}

/// The version of a package that an environment has, by its `.dist-info`.
fn versions(environment: &Path, package: &str) -> Vec<String> {
    let names =
        site(environment).read_dir().unwrap().map(|it| it.unwrap().file_name().into_string().unwrap());
    let mut found: Vec<String> = names
        .filter_map(|name| Some(name.strip_suffix(".dist-info")?.strip_prefix(package)?[1..].to_owned()))
        .collect();
    found.sort();
    found
}

#[test]
fn what_was_damaged_is_installed_again_from_where_it_came_and_by_its_own_mode() {
    let Some((sandbox, _directory)) = sandbox() else { return };
    // Two wheels of the same name and version: the one that the index has is not the one that was installed.
    let wheel =
        Wheel::new("demo-a", "1.0").file("demo_a/mine.py", "MINE = True\n").save(&sandbox.path("own"));
    Wheel::new("demo-a", "1.0").file("demo_a/theirs.py", "MINE = False\n").save(&sandbox.path("index"));
    Wheel::new("demo-b", "1.0").save(&sandbox.path("index"));
    let index = format!("no-index = true\nfind-links = [{:?}]\n", sandbox.path("index"));
    std::fs::write(sandbox.path("home/uv.toml"), index).unwrap();
    let linked = sandbox.install("linked", "symlink", &[wheel.to_str().unwrap(), "demo-b"]);
    let copied = sandbox.install("copied", "copy", &[wheel.to_str().unwrap()]);
    for environment in [&linked, &copied] {
        std::fs::write(site(environment).join("demo_a/mine.py"), "MINE = 'edited'\n").unwrap();
    }
    let (told, code) = answer(&sandbox, &["verify", "--all"]);
    assert_eq!(code, 3, "{told:#}");
    let commands: Vec<&Value> =
        told["advice"].as_array().unwrap().iter().flat_map(|it| it["commands"].as_array().unwrap()).collect();
    let all = json!(commands);
    assert!(all.to_string().contains("demo-a @ file://"), "{all}");
    run_all(&sandbox, &all);
    for environment in [&linked, &copied] {
        let module = site(environment).join("demo_a/mine.py");
        assert_eq!(std::fs::read_to_string(&module).unwrap(), "MINE = True\n");
        assert!(!site(environment).join("demo_a/theirs.py").exists());
        assert_eq!(module.is_symlink(), environment == &linked);
    }
    assert_eq!(answer(&sandbox, &["verify", "--all"]).1, 0);
}

#[test]
fn an_environment_whose_interpreter_is_gone_keeps_what_is_installed() {
    let Some((sandbox, _directory)) = sandbox() else { return };
    let wheel = Wheel::new("demo-a", "1.0").entry_point().save(&sandbox.path("own"));
    let environment = sandbox.install("app", "hardlink", &[wheel.to_str().unwrap()]);
    let python = environment.join("bin/python");
    std::fs::remove_file(&python).unwrap();
    std::os::unix::fs::symlink("/nowhere/python3", &python).unwrap();
    let root = environment.to_str().unwrap();
    let (told, code) = answer(&sandbox, &["repair", root, "--dry-run"]);
    let kept = &told["plan"]["kept"][0];
    assert_eq!((code, &kept["because"]), (3, &json!("no-interpreter")), "{told:#}");
    run_all(&sandbox, &kept["commands"]);
    assert_eq!(versions(&environment, "demo_a"), ["1.0"]);
    ran(sandbox.command(&python).args(["-c", "import demo_a"]));
    sandbox.run_uv(&["pip", "check", "--python", root]);
    assert_eq!(answer(&sandbox, &["repair", root, "--dry-run"]).1, 0);
}

#[test]
fn of_two_versions_the_one_whose_files_are_there_is_installed_again() {
    let Some((sandbox, _directory)) = sandbox() else { return };
    let file = |version: &str| format!("VERSION = {version:?} # {version}\n");
    // Ordered as text the older would be the last.
    for version in ["9.0", "10.0"] {
        let wheel = Wheel::new("demo-a", version).file("demo_a/version.py", file(version));
        wheel.save(&sandbox.path("links"));
    }
    let index = format!("no-index = true\nfind-links = [{:?}]\n", sandbox.path("links"));
    std::fs::write(sandbox.path("home/uv.toml"), index).unwrap();
    for (whole, stray) in [("10.0", "9.0"), ("9.0", "10.0")] {
        let other = sandbox.install(&format!("other-{stray}"), "copy", &[&format!("demo-a=={stray}")]);
        let environment = sandbox.install(&format!("app-{whole}"), "copy", &[&format!("demo-a=={whole}")]);
        let name = format!("demo_a-{stray}.dist-info");
        let (from, to) = (site(&other).join(&name), site(&environment).join(&name));
        ran(sandbox.command("cp").arg("-r").arg(from).arg(to));
        let root = environment.to_str().unwrap();
        let (told, code) = answer(&sandbox, &["repair", root, "--dry-run"]);
        let kept = &told["plan"]["kept"][0];
        assert_eq!((code, &kept["because"]), (3, &json!("duplicate")), "{told:#}");
        assert!(kept["reason"].as_str().unwrap().contains("9.0, 10.0"), "{kept:#}");
        run_all(&sandbox, &kept["commands"]);
        assert_eq!(versions(&environment, "demo_a"), [whole], "{kept:#}");
        let text = std::fs::read_to_string(site(&environment).join("demo_a/version.py")).unwrap();
        assert_eq!(text, file(whole));
    }
}

#[test]
fn an_environment_is_looked_at_where_it_is_named_although_nobody_else_knows_it() {
    let Some((sandbox, _directory)) = sandbox() else { return };
    let wheel = Wheel::new("demo-a", "1.0").save(&sandbox.path("own"));
    let environment = sandbox.install("app", "hardlink", &[wheel.to_str().unwrap()]);
    std::fs::remove_dir_all(sandbox.cache().join("interpreter-v5")).ok();
    let bare = |arguments: &[&str]| {
        let mut command = sandbox.command(env!("CARGO_BIN_EXE_cachetui"));
        command.args(arguments).arg("--no-remember").arg("--cache-dir").arg(sandbox.cache());
        let output = command.output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    assert!(bare(&["envs"]).1.starts_with("No environments found"));
    let project = environment.parent().unwrap().to_str().unwrap();
    for named in [project, environment.to_str().unwrap()] {
        for arguments in [
            &["envs"][..],
            &["verify"],
            &["doctor", "--no-probe"],
            &["relink", "--link-mode", "copy", "--dry-run"],
            &["list", "--env"],
        ] {
            let (code, text) = bare(&[arguments, &[named]].concat());
            assert_eq!(code, 0, "{arguments:?} {named}: {text}");
            assert!(text.contains("demo-a") || !matches!(arguments[0], "envs" | "list"), "{text}");
        }
    }
    // Who shares damage and is not known is counted.
    std::fs::write(site(&environment).join("demo_a/__init__.py"), "NAME = 'edited'\n").unwrap();
    let (code, text) = bare(&["verify", "demo-a"]);
    assert_eq!(code, 3);
    assert!(text.contains("1 more link to it that cachetui did not find"), "{text}");
    assert!(text.contains("`--root DIR` searches more"), "{text}");
    let found: Value = serde_json::from_str(&bare(&["verify", "demo-a", "--json"]).1).unwrap();
    assert_eq!(found["findings"][0]["unexplained"], 1, "{found:#}");
    let (_, text) = bare(&["verify", environment.to_str().unwrap()]);
    assert!(text.contains("the same file in") && !text.contains("more link"), "{text}");
}

#[test]
fn a_file_that_no_record_lists_goes_with_its_entry_and_nothing_installed_is_lost() {
    for mode in ["hardlink", "copy", "symlink"] {
        let Some((sandbox, _directory)) = sandbox() else { return };
        Wheel::new("demo-a", "1.0").file("demo_a/part.py", "PART = 1\n").save(&sandbox.path("links"));
        let index = format!("no-index = true\nfind-links = [{:?}]\n", sandbox.path("links"));
        std::fs::write(sandbox.path("home/uv.toml"), index).unwrap();
        let environment = sandbox.install("app", mode, &["demo-a"]);
        let entry = sandbox.json(&["list", "demo-a"])["entries"][0]["id"].as_str().unwrap().to_owned();
        let entry = sandbox.cache().join("archive-v0").join(entry);
        std::fs::write(entry.join("demo_a/added.py"), "ADDED = 1\n").unwrap();
        let (told, code) = answer(&sandbox, &["verify", "demo-a"]);
        let advice = told["advice"].as_array().unwrap();
        assert_eq!((code, advice.len()), (3, 1), "{mode}: {told:#}");
        run_all(&sandbox, &advice[0]["commands"]);
        ran(sandbox.command(environment.join("bin/python")).args(["-c", "import demo_a.part"]));
        let new = sandbox.install("new", mode, &["demo-a"]);
        assert!(!site(&new).join("demo_a/added.py").exists());
        assert_eq!(answer(&sandbox, &["verify", "--all"]).1, 0, "{mode}");
        assert_eq!(answer(&sandbox, &["repair", "--all", "--dry-run"]).1, 0, "{mode}: nothing dangles");
    }
}

#[test]
fn what_is_good_elsewhere_is_not_said_to_be_lost() {
    let Some((sandbox, _directory)) = sandbox() else { return };
    let wheel = Wheel::new("demo-a", "1.0").file("demo_a/part.py", "PART = 1\n").save(&sandbox.path("own"));
    let environment = sandbox.install("app", "hardlink", &[wheel.to_str().unwrap()]);
    let entry = sandbox.json(&["list", "demo-a"])["entries"][0]["id"].as_str().unwrap().to_owned();
    std::fs::remove_file(sandbox.cache().join("archive-v0").join(entry).join("demo_a/part.py")).unwrap();
    let (told, code) = answer(&sandbox, &["verify", "demo-a"]);
    let advice = told["advice"].as_array().unwrap();
    assert_eq!((code, advice.len()), (3, 1), "{told:#}");
    assert!(!advice[0]["text"].as_str().unwrap().contains("Nobody has"), "{told:#}");
    run_all(&sandbox, &advice[0]["commands"]);
    assert!(site(&environment).join("demo_a/part.py").is_file());
    sandbox.install("new", "hardlink", &[wheel.to_str().unwrap()]);
    assert_eq!(answer(&sandbox, &["verify", "--all"]).1, 0);
}

#[test]
fn what_makes_an_entry_anew_breaks_nobody_who_reaches_another_version_by_symlinks() {
    let Some((sandbox, _directory)) = sandbox() else { return };
    let links = sandbox.path("links");
    for version in ["1.0", "2.0"] {
        Wheel::new("demo-a", version).file("demo_a/part.py", format!("PART = {version:?}\n")).save(&links);
    }
    let index = format!("no-index = true\nfind-links = [{links:?}]\n");
    std::fs::write(sandbox.path("home/uv.toml"), index).unwrap();
    let other = sandbox.install("other", "symlink", &["demo-a==2.0"]);
    let imports = |environment: &Path| {
        ran(sandbox.command(environment.join("bin/python")).args(["-c", "import demo_a.part"]));
    };
    let whole = |mode: &str, fault: &dyn Fn(&Path)| {
        let one = sandbox.install(&format!("one-{mode}"), mode, &["demo-a==1.0"]);
        let listed = sandbox.json(&["list", "demo-a==1.0"]);
        let entry = sandbox.cache().join("archive-v0").join(listed["entries"][0]["id"].as_str().unwrap());
        fault(&entry.join("demo_a/part.py"));
        let (told, code) = answer(&sandbox, &["verify", "demo-a==1.0"]);
        assert_eq!((code, told["advice"].as_array().unwrap().len()), (3, 1), "{mode}: {told:#}");
        run_all(&sandbox, &told["advice"][0]["commands"]);
        for environment in [&one, &other] {
            imports(environment);
        }
        let (again, code) = answer(&sandbox, &["repair", "--all", "--dry-run"]);
        assert_eq!(code, 0, "{mode}: nothing dangles: {again:#}");
        let (verified, code) = answer(&sandbox, &["verify", "--all"]);
        assert_eq!(code, 0, "{mode}: {verified:#}");
        sandbox.delete(&one);
    };
    let missing = |path: &Path| std::fs::remove_file(path).unwrap();
    let edited = |path: &Path| std::fs::write(path, "PART = 'edited'\n").unwrap();
    for mode in ["hardlink", "copy", "symlink"] {
        whole(mode, &missing);
        whole(mode, &edited);
    }
}

#[test]
fn no_command_is_named_that_the_name_of_a_package_would_make_another_one() {
    let Some((sandbox, _directory)) = sandbox() else { return };
    let environment = sandbox.environment("app");
    let info = site(&environment).join("-rfoo-1.0.dist-info");
    std::fs::create_dir(&info).unwrap();
    std::fs::write(info.join("RECORD"), "gone.py,sha256=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA,3\n")
        .unwrap();
    let (told, code) = answer(&sandbox, &["repair", environment.to_str().unwrap(), "--dry-run"]);
    let kept = &told["plan"]["kept"][0];
    assert_eq!((code, &kept["commands"]), (3, &json!([])), "{told:#}");
}

#[test]
fn files_with_permissions_of_their_own_still_show_who_uses_an_entry() {
    let Some((sandbox, _directory)) = sandbox() else { return };
    let wheel = Wheel::new("demo-a", "1.0").save(&sandbox.path("own"));
    let environment = sandbox.install("app", "copy", &[wheel.to_str().unwrap()]);
    // The clocks of files are coarse; what is changed is changed later.
    std::thread::sleep(std::time::Duration::from_millis(20));
    ran(sandbox.command("chmod").args(["-R", "go-rwx"]).arg(&environment));
    let listed = sandbox.json(&["list", "demo-a"]);
    assert_eq!(listed["entries"][0]["state"], "used", "{listed:#}");
    let (told, code) = answer(&sandbox, &["relink", "--all", "--link-mode", "hardlink", "--yes"]);
    assert_eq!((code, &told["plan"]["steps"]), (0, &json!([])), "{told:#}");
    assert!(told["plan"]["kept"][0]["reason"].as_str().unwrap().contains("permissions"), "{told:#}");
}

#[test]
fn an_environment_of_the_cache_stays_while_a_process_runs_that_uv_has_started_in_it() {
    let Some((sandbox, _directory)) = sandbox() else { return };
    // Processes name the cache as uv was told of it.
    std::fs::create_dir(sandbox.path("disk")).unwrap();
    std::os::unix::fs::symlink(sandbox.path("disk"), sandbox.cache()).unwrap();
    let wheel = Wheel::new("demo-a", "1.0").save(&sandbox.path("own"));
    let wait = "import sys; print('held', flush=True); sys.stdin.read(); import demo_a";
    let requirement = wheel.to_str().unwrap();
    for start in [
        &["run", "--quiet", "--no-project", "--with", requirement, "python", "-c", wait][..],
        &["tool", "run", "--quiet", "--from", requirement, "python", "-c", wait],
    ] {
        let mut command = sandbox.uv(start);
        let mut uv =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(uv.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "held\n", "{start:?}");
        let (input, errors) = (uv.stdin.take().unwrap(), uv.stderr.take().unwrap());
        // Without uv nobody holds the cache's lock for the process that it has started.
        uv.kill().unwrap();
        uv.wait().unwrap();
        let prune = ["prune", "--cached-environments", "--grace", "0h", "--yes"];
        let (told, code) = answer(&sandbox, &prune);
        assert_eq!((code, &told["plan"]["steps"]), (0, &json!([])), "{start:?}: {told:#}");
        assert_eq!(told["plan"]["kept"][0]["because"]["kind"], "running", "{start:?}: {told:#}");
        drop(input);
        let mut said = String::new();
        std::io::Read::read_to_string(&mut BufReader::new(errors), &mut said).unwrap();
        assert_eq!(said, "", "{start:?}: the process goes on undisturbed");
        let (told, code) = answer(&sandbox, &prune);
        assert_eq!((code, told["plan"]["steps"].as_array().unwrap().len()), (0, 1), "{told:#}");
    }
}

#[test]
fn what_was_built_is_unpacked_again_as_long_as_the_cache_has_the_wheel() {
    let Some((sandbox, _directory)) = sandbox() else { return };
    let source = sdist(&sandbox.path(""), "demo-s", "1.0");
    let environment = sandbox.install("app", "copy", &[source.to_str().unwrap()]);
    std::fs::remove_dir_all(environment).unwrap();
    let price = || {
        let plan = sandbox.json(&["prune", "demo-s", "--dry-run"]);
        plan["plan"]["steps"][0]["price"]["kind"].as_str().unwrap().to_owned()
    };
    assert_eq!(price(), "unpack");
    let files = walkdir::WalkDir::new(sandbox.cache().join("sdists-v10")).into_iter().map(Result::unwrap);
    let wheels: Vec<PathBuf> = files
        .filter(|file| file.path().extension().is_some_and(|it| it == "whl"))
        .map(walkdir::DirEntry::into_path)
        .collect();
    assert_eq!(wheels.len(), 1);
    std::fs::remove_file(&wheels[0]).unwrap();
    // The environment that told the path is gone, so that no source is known.
    assert_eq!(price(), "unknown");
}

#[test]
fn a_saved_plan_is_carried_out_with_a_look_where_it_had_looked() {
    let Some((sandbox, _directory)) = sandbox() else { return };
    let wheel = Wheel::new("demo-a", "1.0").save(&sandbox.path("own"));
    let first = sandbox.install("first", "copy", &[wheel.to_str().unwrap()]);
    std::fs::remove_dir_all(first).unwrap();
    let plan = sandbox.path("plan.json");
    ran(sandbox.cachetui(&["prune", "demo-a", "--save", plan.to_str().unwrap()]).stdin(Stdio::null()));
    let second = sandbox.install("second", "symlink", &[wheel.to_str().unwrap()]);
    // Nothing else tells of the new environment.
    std::fs::remove_dir_all(sandbox.cache().join("interpreter-v5")).ok();
    let mut command = sandbox.command(env!("CARGO_BIN_EXE_cachetui"));
    command.arg("apply").arg(&plan).args(["--yes", "--no-remember", "--cache-dir"]).arg(sandbox.cache());
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("Removed 0 of 1"), "{told}");
    ran(sandbox.command(second.join("bin/python")).args(["-c", "import demo_a; demo_a.NAME"]));
    // Where somebody had pointed to, users may be whom nobody can see now.
    std::fs::rename(sandbox.roots(), sandbox.path("away")).unwrap();
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("where the plan had looked for users, is not there"), "{told}");
}

#[test]
fn a_saved_plan_knows_the_directories_that_were_read_as_environments() {
    let Some((sandbox, _directory)) = sandbox() else { return };
    let wheel = Wheel::new("demo-a", "1.0").save(&sandbox.path("own"));
    let first = sandbox.install("first", "copy", &[wheel.to_str().unwrap()]);
    std::fs::remove_dir_all(first).unwrap();
    let (plan, target) = (sandbox.path("plan.json"), sandbox.path("app/lib"));
    std::fs::create_dir_all(&target).unwrap();
    let mut prune = sandbox.cachetui(&["prune", "demo-a", "--save", plan.to_str().unwrap()]);
    ran(prune.arg("--target").arg(&target).stdin(Stdio::null()));
    let install = ["pip", "install", "--quiet", "--link-mode", "symlink", "--target"];
    ran(sandbox.uv(&install).arg(&target).arg(&wheel));
    let mut command = sandbox.cachetui(&["apply", "--yes"]);
    let output = command.arg(&plan).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(target.join("demo_a/__init__.py").is_file());
}

/// What keeps an entry although it is named.
type Holds = dyn Fn(&Sandbox, &Path);

#[test]
fn no_prune_is_named_that_would_keep_what_it_is_named_for() {
    let holds: [(&str, &Holds); 3] = [
        ("kept, ", &|sandbox, entry| {
            std::os::unix::fs::symlink(entry.join("demo_a"), sandbox.roots().join("own-link")).unwrap();
        }),
        ("could not be understood", &|sandbox, _| {
            let pointers = sandbox.json(&["links"]);
            let pointer = pointers["pointers"][0]["path"].as_str().unwrap().to_owned();
            let pointer = sandbox.cache().join(pointer).with_file_name("2.0-py3-none-any");
            std::fs::write(pointer, "archive-v9\nwhat?").unwrap();
        }),
        ("other path", &|sandbox, entry| {
            let site = sandbox.roots().join("elsewhere/.venv/lib/python3.11/site-packages");
            std::fs::create_dir_all(site.join("demo_a")).unwrap();
            std::fs::write(sandbox.roots().join("elsewhere/.venv/pyvenv.cfg"), "home = /usr/bin\n").unwrap();
            let id = entry.file_name().unwrap();
            let there = Path::new("/other/cache/archive-v0").join(id).join("demo_a/part.py");
            std::os::unix::fs::symlink(there, site.join("demo_a/part.py")).unwrap();
        }),
    ];
    for (reason, hold) in holds {
        let Some((sandbox, _directory)) = sandbox() else { return };
        let wheel =
            Wheel::new("demo-a", "1.0").file("demo_a/part.py", "PART = 1\n").save(&sandbox.path("own"));
        let environment = sandbox.install("app", "copy", &[wheel.to_str().unwrap()]);
        let id = sandbox.json(&["list", "demo-a"])["entries"][0]["id"].as_str().unwrap().to_owned();
        let entry = sandbox.cache().join("archive-v0").join(&id);
        hold(&sandbox, &entry);
        std::fs::remove_file(entry.join("demo_a/part.py")).unwrap();
        let pruned = sandbox.cachetui(&["prune", "--yes", "--allow", "gone", "--", &id]).output().unwrap();
        assert!(entry.is_dir(), "{reason}: {}", String::from_utf8_lossy(&pruned.stdout));
        let (told, code) = answer(&sandbox, &["verify", "demo-a"]);
        let advice = told["advice"].as_array().unwrap();
        let commands: Vec<&Value> = advice.iter().flat_map(|it| it["commands"].as_array().unwrap()).collect();
        assert_eq!((code, commands.len()), (3, 0), "{reason}: {told:#}");
        assert!(advice.iter().any(|it| it["notes"][0].as_str().unwrap().contains(&id)), "{told:#}");
        // The environment lacks the file too: nothing is installed again from an entry that has to go first.
        std::fs::remove_file(site(&environment).join("demo_a/part.py")).unwrap();
        let (told, code) = answer(&sandbox, &["repair", environment.to_str().unwrap(), "--dry-run"]);
        assert_eq!(code, 3, "{told:#}");
        run_all(&sandbox, &told["plan"]["kept"][0]["commands"]);
        assert!(
            entry.is_dir() && told["plan"]["kept"][0]["commands"].as_array().unwrap().len() == 1,
            "{told:#}"
        );
    }
}
