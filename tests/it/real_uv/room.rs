//! Room that is asked for: what goes for it, what is missing, and what else would help, with commands that do what they say.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::used::age;
use crate::support::holding::Running;
use crate::support::text;
use crate::support::uv::{Sandbox, ran};
use crate::support::wheel::Wheel;

fn sandbox(base: &Path) -> Option<Sandbox> {
    let sandbox = Sandbox::new(base)?;
    for name in ["demo-a", "demo-b", "demo-c", "demo-d"] {
        let module = name.replace('-', "_");
        Wheel::new(name, "1.0").bulk(&format!("{module}/bulk.bin"), 300).save(&sandbox.path("links"));
    }
    Some(sandbox)
}

/// Runs a command as it is printed, and answers with its JSON.
fn as_printed(sandbox: &Sandbox, words: &[&str], more: &[&str]) -> Value {
    assert_eq!(words[0], "cachetui", "{words:?}");
    let mut command = sandbox.command(env!("CARGO_BIN_EXE_cachetui"));
    command.args(&words[1..]).args(more).arg("--json").env("UV_FIND_LINKS", sandbox.sources());
    serde_json::from_slice(&ran(&mut command).stdout).unwrap()
}

fn install(sandbox: &Sandbox, name: &str, mode: &str, packages: &[&str]) -> std::path::PathBuf {
    let links = sandbox.path("links");
    let places = ["--no-index", "--find-links", links.to_str().unwrap()];
    sandbox.install(name, mode, &[&places[..], packages].concat())
}

#[test]
fn what_else_would_help_is_named_with_commands_that_free_what_they_say() {
    let directory = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(directory.path()) else { return };
    install(&sandbox, "linked", "hardlink", &["demo-a"]);
    install(&sandbox, "copied", "copy", &["demo-a"]);
    let idle = install(&sandbox, "idle", "hardlink", &["demo-b"]);
    age(&sandbox, &idle, 200);
    for (name, package) in [("gone", "demo-c"), ("trashed", "demo-d")] {
        let environment = install(&sandbox, name, "hardlink", &[package]);
        sandbox.delete(&environment);
    }
    ran(&mut sandbox.cachetui(&["prune", "demo-d", "--trash", "--yes", "--allow", "gone"]));

    // As much as it takes: one entry is unused, and it is enough for little.
    let plan = |arguments: &[&str]| -> Value {
        let start = ["prune", "--grace", "0h", "--allow", "most,gone", "--dry-run"];
        sandbox.json(&[&start[..], arguments].concat())["plan"].take()
    };
    let little = plan(&["--free", "100K"]);
    assert_eq!(little["steps"].as_array().unwrap().len(), 1, "{little:#}");
    assert_eq!(little["steps"][0]["name"], "demo-c");
    assert!(little.get("missing").is_none());
    assert_eq!(plan(&["--free", "0%"])["steps"].as_array().unwrap().len(), 0);

    let much = plan(&["--free", "1T"]);
    let frees = much["totals"]["bytes"]["reclaimable"].as_u64().unwrap();
    assert_eq!(much["missing"].as_u64().unwrap(), (1 << 40) - frees);
    let warnings: Vec<&str> =
        much["warnings"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    let named: Vec<&&str> = warnings.iter().filter(|text| text.contains("`cachetui ")).collect();
    for (begins, command) in [
        ("Emptying the trash frees", "trash purge"),
        ("Linking the copies of 1 environment", "relink --link-mode"),
        ("Removing 1 environment without a sign of use", "remove --idle 90d --with-entries"),
    ] {
        let text =
            named.iter().find(|text| text.starts_with(begins)).unwrap_or_else(|| panic!("{warnings:#?}"));
        let (cache, roots) = (sandbox.cache(), sandbox.roots());
        let start =
            format!("cachetui --cache-dir {} --root {} --no-remember ", cache.display(), roots.display());
        let line = text.split('`').nth(1).unwrap().strip_prefix(&*start).unwrap();
        assert!(line.starts_with(command), "{line}");
        let words: Vec<&str> = start.trim_end().split(' ').chain(line.split(' ')).collect();
        let answer = as_printed(&sandbox, &words, &["--yes"]);
        let freed = answer.get("freed").unwrap_or(&answer["report"]["freed"]);
        let measured = freed["measured"].as_u64().unwrap();
        let said = cachetui::human::bytes(measured);
        // Of the trash also its own directory comes free.
        let near = cachetui::human::bytes(measured.saturating_sub(4096));
        assert!(text.contains(&said) || text.contains(&near), "{text} {freed}");
    }
    assert!(!idle.exists());
    // Of what was not asked for every kind is named, with what it frees.
    let some = plan(&["--crash-leftovers", "--free", "1T"]);
    let text = some["warnings"].to_string();
    let unused = plan(&["--unused"])["totals"]["bytes"]["reclaimable"].as_u64().unwrap();
    let frees = cachetui::human::bytes(unused);
    assert!(
        text.contains(&format!("Pruning unused entries frees {frees}"))
            && text.contains("prune --unused --grace 0h`"),
        "{text}"
    );
    let after = plan(&["--free", "1T"]);
    let text = after["warnings"].to_string();
    assert!(!text.contains("Emptying") && !text.contains("Linking") && !text.contains("Removing"), "{text}");
}

/// Each row says what its command does; what is broken and who holds the cache is told.
#[test]
fn the_status_says_what_could_be_freed_and_repaired_and_who_holds_the_cache() {
    let directory = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(directory.path()) else { return };
    let text = || String::from_utf8(ran(&mut sandbox.cachetui(&["status"])).stdout).unwrap();
    install(&sandbox, "linked", "hardlink", &["demo-a"]);
    let said = text();
    for words in
        ["Nothing can be freed.", "No environment is known to be broken.", "No process holds the cache."]
    {
        assert!(said.contains(words), "{said}");
    }
    let gone = install(&sandbox, "gone", "hardlink", &["demo-b"]);
    sandbox.delete(&gone);
    assert!(text().contains("1 unused") && text().contains("1 too young"), "{}", text());
    let broken = install(&sandbox, "broken", "symlink", &["demo-c"]);
    let entry = std::fs::read_dir(sandbox.cache().join("archive-v0")).unwrap().map(|it| it.unwrap().path());
    let entry = entry.into_iter().find(|path| path.join("demo_c").exists()).unwrap();
    std::fs::remove_dir_all(entry.join("demo_c")).unwrap();

    let status = |arguments: &[&str]| sandbox.json(&[&["status"], arguments].concat())["status"].take();
    let answer = status(&["--grace", "0h"]);
    assert_eq!(answer["broken"]["environments"], serde_json::json!([broken.to_str().unwrap()]));
    let words = |command: &Value| -> Vec<String> {
        command.as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect()
    };
    let repair = words(&answer["broken"]["command"]);
    assert_eq!(repair[repair.len() - 2..], ["repair", "--all"]);
    let ways = answer["ways"].as_array().unwrap();
    let unused = ways.iter().find(|way| way["kind"] == "unused").unwrap();
    assert_eq!(unused["number"], 1);
    let command = words(&unused["command"]);
    assert_eq!(command[..3], ["cachetui", "--cache-dir", sandbox.cache().to_str().unwrap()]);
    let command: Vec<&str> = command.iter().map(String::as_str).collect();
    let answer = as_printed(&sandbox, &command, &["--yes", "--allow", "most,gone"]);
    assert_eq!(answer["report"]["freed"]["measured"], unused["frees"]);
    assert!(status(&["--grace", "0h"])["ways"].as_array().unwrap().iter().all(|way| way["kind"] != "unused"));

    let mut flock = std::process::Command::new("flock");
    let arguments = ["--shared", ".lock", "sh", "-c", "echo; cat"];
    let server = Running::start(flock.current_dir(sandbox.cache()).args(arguments));
    assert!(text().contains("The cache is held by"), "{}", text());
    assert_eq!(status(&[])["locks"][0]["state"], "shared");
    assert!(server.end());
}

/// A prune that waits for a server to end holds nothing meanwhile, says who is in the way and how to end it, and goes on by itself.
#[test]
fn a_prune_waits_until_the_cache_is_free_and_holds_nothing_meanwhile() {
    use std::io::{BufRead as _, BufReader};
    use std::process::{Command, Stdio};
    let directory = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(directory.path()) else { return };
    install(&sandbox, "stays", "hardlink", &["demo-a"]);
    let gone = install(&sandbox, "gone", "hardlink", &["demo-b"]);
    sandbox.delete(&gone);
    let prune = ["prune", "--unused", "--grace", "0h", "--allow", "most,gone", "--yes"];
    let mut flock = Command::new("flock");
    let holding = ["--shared", "--close", ".lock", "sh", "-c", "echo; exec cat"];
    let server = Running::start(flock.current_dir(sandbox.cache()).args(holding));

    let output = sandbox.cachetui(&[&prune[..], &["--when-free=0min"]].concat()).output().unwrap();
    assert_eq!(output.status.code(), Some(11), "{output:?}");

    let mut waiting = sandbox.cachetui(&[&prune[..], &["--when-free"]].concat());
    let mut waiting = waiting.stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(waiting.stderr.take().unwrap()).lines().map(Result::unwrap);
    let first = lines.next().unwrap();
    assert!(first.starts_with("Waiting for") && first.contains("for 8 hours at most"), "{first}");
    let end = lines.next().unwrap();
    let holders = |answer: &Value| -> Vec<u64> {
        let locks = answer["locks"].as_array().unwrap().iter();
        locks
            .flat_map(|lock| lock["holders"].as_array().unwrap().clone())
            .filter_map(|it| it["pid"].as_u64())
            .collect()
    };
    for _ in 0..20 {
        let held = holders(&sandbox.json(&["locks"]));
        assert!(!held.contains(&u64::from(waiting.id())), "it holds a lock while it waits");
    }
    install(&sandbox, "other", "hardlink", &["demo-c"]);
    assert!(waiting.try_wait().unwrap().is_none());

    // The command that is named ends the holder, and the prune goes on.
    let command = end.split('`').rev().nth(1).unwrap();
    assert!(command.starts_with("kill "), "{end}");
    ran(Command::new("sh").args(["-c", command]));
    assert!(!server.end());
    let output = waiting.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let names: Vec<Value> = sandbox.json(&["list"])["entries"].as_array().unwrap().clone();
    assert!(names.iter().all(|entry| entry["name"] != "demo-b") && names.len() == 2, "{names:#?}");
}

/// A uv that gives the cache's lock back while its program runs keeps another one beside it (uv pull request 20116): that counts too,
/// whatever it is called, for what changes the cache; removing an environment alone does not wait for it.
#[test]
fn another_lock_in_the_caches_root_is_respected() {
    let directory = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(directory.path()) else { return };
    let gone = install(&sandbox, "gone", "hardlink", &["demo-b"]);
    sandbox.delete(&gone);
    install(&sandbox, "stays", "hardlink", &["demo-c"]);
    let environment = install(&sandbox, "other", "hardlink", &["demo-a"]);
    let prune = ["prune", "--unused", "--grace", "0h", "--allow", "most,gone", "--yes"];
    for name in [".lock-run", "programs.lock"] {
        let mut flock = std::process::Command::new("flock");
        let arguments = ["--shared", name, "sh", "-c", "echo; cat"];
        let server = Running::start(flock.current_dir(sandbox.cache()).args(arguments));
        let output = sandbox.cachetui(&prune).env("UV_LOCK_TIMEOUT", "1").output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(11), "{said}");
        assert!(said.contains(name), "{said}");
        let status = sandbox.json(&["status"]);
        assert_eq!(status["status"]["locks"][0]["state"], "shared", "{status:#}");
        assert!(server.end());
    }
    // Free, they are in nothing's way, and stay.
    let mut flock = std::process::Command::new("flock");
    let held = ["--shared", ".lock-run", "sh", "-c", "echo; cat"];
    let server = Running::start(flock.current_dir(sandbox.cache()).args(held));
    ran(&mut sandbox.cachetui(&["remove", environment.to_str().unwrap(), "--yes"]));
    assert!(server.end());
    ran(&mut sandbox.cachetui(&prune));
    assert!(sandbox.cache().join(".lock-run").exists() && sandbox.cache().join("programs.lock").exists());
}

/// What is unused is one set with one number, and what of it cannot go stands beside it, wherever it is told.
#[test]
fn what_is_unused_and_what_of_it_can_go_is_the_same_everywhere() {
    let directory = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(directory.path()) else { return };
    install(&sandbox, "linked", "hardlink", &["demo-a"]);
    for (name, package) in [("one", "demo-b"), ("two", "demo-c"), ("three", "demo-d")] {
        let environment = install(&sandbox, name, "hardlink", &[package]);
        sandbox.delete(&environment);
    }
    let said = |arguments: &[&str]| text(&ran(&mut sandbox.cachetui(arguments)));
    let listed = |more: &[&str]| sandbox.json(&[&["list"][..], more].concat())["totals"]["unused"].take();
    // All are younger than what is kept by itself.
    let unused = listed(&[]);
    assert_eq!(unused["entries"], 3, "{unused:#}");
    assert_eq!(unused["can_go"], serde_json::json!({"entries": 0, "reclaimable": 0, "certainty": "exact"}));
    assert_eq!(unused["kept"], serde_json::json!([{"number": 3, "because": "too young"}]));
    let frees = cachetui::human::bytes(unused["reclaimable"].as_u64().unwrap());
    let told = format!("frees {frees}. None can go now; kept: 3 too young.");
    assert!(said(&["list"]).contains(&told), "{}", said(&["list"]));
    for command in ["status", "prune"] {
        let told = format!("3 unused, {frees}: none can go now; kept: 3 too young");
        assert!(said(&[command]).contains(&told), "{}", said(&[command]));
    }
    assert_eq!(sandbox.json(&["status"])["status"]["unused"], unused);
    // None is too young, and one is an environment in the cache, which is a kind of its own.
    let links = sandbox.path("links");
    let places = ["--no-index", "--find-links", links.to_str().unwrap()];
    let run = ["run", "--quiet", "--no-project", "--with", "demo-b"];
    ran(&mut sandbox.uv(&[&run[..], &places, &["python", "-c", ""]].concat()));
    let any_age = |arguments: &[&str]| -> Command {
        let mut command = sandbox.cachetui(arguments);
        command.env("CACHETUI_GRACE", "0h");
        command
    };
    let output = ran(any_age(&["list"]).arg("--json"));
    let unused = serde_json::from_slice::<Value>(&output.stdout).unwrap()["totals"]["unused"].take();
    assert_eq!((&unused["entries"], &unused["can_go"]["entries"]), (&Value::from(3), &Value::from(2)));
    assert_eq!(
        (&unused["environments"], &unused["kept"]),
        (&Value::from(1), &Value::from(Vec::<Value>::new()))
    );
    let back = cachetui::human::bytes(unused["can_go"]["reclaimable"].as_u64().unwrap());
    let can_go = format!("2 can go now, {back}; kept: 1 environment in the cache");
    for command in ["list", "status", "prune"] {
        let said = text(&ran(&mut any_age(&[command])));
        assert!(said.contains(&can_go), "{said}");
    }
    let output = ran(any_age(&["prune", "--unused", "--dry-run", "--allow", "most"]).arg("--json"));
    let plan = serde_json::from_slice::<Value>(&output.stdout).unwrap()["plan"].take();
    assert_eq!(plan["steps"].as_array().unwrap().len(), 2, "{plan:#}");
}

/// A command that is printed searches the places that the answer rests on: with fewer, more would be unused.
#[test]
fn a_command_that_is_printed_searches_where_the_answer_did() {
    let directory = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(directory.path()) else { return };
    let target = sandbox.path("filled");
    let links = sandbox.path("links");
    let start = ["pip", "install", "--quiet", "--link-mode", "symlink", "--target", target.to_str().unwrap()];
    sandbox
        .run_uv(&[&start[..], &["--no-index", "--find-links", links.to_str().unwrap(), "demo-a"]].concat());
    let gone = install(&sandbox, "gone", "hardlink", &["demo-b"]);
    sandbox.delete(&gone);
    let answer = sandbox.json(&["status", "--grace", "0h", "--target", target.to_str().unwrap()]);
    let ways = answer["status"]["ways"].as_array().unwrap();
    let unused = ways.iter().find(|way| way["kind"] == "unused").unwrap();
    let command: Vec<&str> =
        unused["command"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    let done = as_printed(&sandbox, &command, &["--yes", "--allow", "most,gone"]);
    assert_eq!(done["report"]["freed"]["measured"], unused["frees"]);
    assert_eq!(done["plan"]["steps"].as_array().unwrap().len(), 1, "{done:#}");
    assert!(target.join("demo_a/__init__.py").exists(), "what was filled by symlinks works");
}

/// What a prune frees by its limit is all that may go: with the environments of the cache goes what only they use.
#[test]
fn a_prune_that_misses_its_limit_leaves_nothing_that_the_next_one_takes() {
    let directory = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(directory.path()) else { return };
    install(&sandbox, "linked", "hardlink", &["demo-a"]);
    let links = sandbox.path("links");
    let places = ["--no-index", "--find-links", links.to_str().unwrap()];
    for mode in ["hardlink", "symlink"] {
        let run = ["run", "--quiet", "--no-project", "--link-mode", mode, "--with", "demo-b,demo-c"];
        ran(&mut sandbox.uv(&[&run[..], &places, &["python", "-c", ""]].concat()));
        let prune = ["prune", "--free", "1T", "--grace", "0h", "--allow", "most,gone"];
        let plan = sandbox.json(&[&prune[..], &["--dry-run"]].concat())["plan"].take();
        let done = sandbox.json(&[&prune[..], &["--yes"]].concat());
        assert_eq!(done["report"]["freed"]["measured"], plan["totals"]["bytes"]["reclaimable"], "{mode}");
        let again = sandbox.json(&[&prune[..], &["--dry-run"]].concat());
        assert_eq!(again["plan"]["steps"], serde_json::json!([]), "{mode}");
        let left = sandbox.json(&["list"])["entries"].as_array().unwrap().len();
        assert_eq!(left, 1, "{mode}: what is used stays");
        sandbox.run_uv(&["cache", "prune"]);
        assert_eq!(sandbox.json(&["list"])["entries"].as_array().unwrap().len(), 1, "{mode}");
    }
}

/// Of several requirements those are named that nothing meets.
#[test]
fn what_of_several_is_nowhere_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(directory.path()) else { return };
    install(&sandbox, "linked", "hardlink", &["demo-a"]);
    let said = text(&ran(&mut sandbox.cachetui(&["find", "demo-a", "nowhere>2"])));
    assert!(said.contains("No installation has `nowhere>2`."), "{said}");
}

/// What was named and is not what the options beside it mean stays, with its reason, and was not done.
#[test]
fn what_was_named_and_is_not_chosen_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(directory.path()) else { return };
    let environment = install(&sandbox, "linked", "hardlink", &["demo-a"]);
    let remove = ["remove", environment.to_str().unwrap(), "--idle", "90d"];
    let output = sandbox.cachetui(&[&remove[..], &["--yes"]].concat()).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(text(&output).contains("not chosen by the other options"), "{}", text(&output));
    assert!(environment.exists());
    let nowhere = sandbox.path("nowhere");
    for command in [&["remove", "--broken"][..], &["relink", "--all", "--link-mode", "copy"]] {
        let output = sandbox.cachetui(command).arg("--under").arg(&nowhere).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", text(&output));
        assert!(text(&output).contains("(--under)"), "{}", text(&output));
    }
}

/// A file of requirements that nobody compiled lists a few names; what those need stays too, and nothing else.
#[test]
fn requirements_keep_what_their_packages_need() {
    let directory = tempfile::tempdir().unwrap();
    let Some(sandbox) = Sandbox::new(directory.path()) else { return };
    let links = sandbox.path("links");
    let wheel = |name, version| Wheel::new(name, version);
    for wheel in [
        wheel("need-a", "1.0").requires("Need_B>=2 ; python_version >= \"3\"").requires("need-c[fast] (>=1)"),
        wheel("need-b", "1.0"),
        wheel("need-b", "2.0").requires("need-a"),
        wheel("need-c", "1.0").requires("need-d ; extra == 'Fast'").requires("need-e ; extra == \"slow\""),
        wheel("need-d", "1.0").requires("need-gone ; sys_platform == 'other'"),
        wheel("need-e", "1.0"),
        wheel("need-f", "1.0").requires("need-a"),
    ] {
        wheel.save(&links);
    }
    for packages in [&["need-f", "need-e"][..], &["need-b==1.0"]] {
        sandbox.delete(&install(&sandbox, "gone", "hardlink", packages));
    }
    let project = sandbox.path("project");
    std::fs::create_dir_all(&project).unwrap();
    std::fs::write(
        project.join("pyproject.toml"),
        "[project]\nname = \"project\"\nversion = \"1\"\ndependencies = [\"need-b>1\"]\n\
         [project.optional-dependencies]\nall = [\"need-e\"]\nmore = [\"need-f\"]\n",
    )
    .unwrap();
    let goes = |requirements: &str| {
        let file = project.join("requirements.in");
        std::fs::write(&file, requirements).unwrap();
        let prune =
            ["prune", "--unused", "--grace", "0h", "--dry-run", "--keep-lock", file.to_str().unwrap()];
        let answer = sandbox.json(&prune);
        let steps = answer["plan"]["steps"].as_array().unwrap().iter();
        let mut goes: Vec<String> = steps
            .map(|step| format!("{} {}", step["name"].as_str().unwrap(), step["version"].as_str().unwrap()))
            .collect();
        goes.sort();
        goes
    };
    assert_eq!(goes("need-a\n"), ["need-b 1.0", "need-e 1.0", "need-f 1.0"]);
    assert_eq!(
        goes("need-c\nneed-c[slow]\n"),
        ["need-a 1.0", "need-b 1.0", "need-b 2.0", "need-d 1.0", "need-f 1.0"]
    );
    assert_eq!(goes("-e .\n"), ["need-b 1.0", "need-e 1.0", "need-f 1.0"]);
    assert_eq!(goes("-e .[All]\n"), ["need-b 1.0", "need-f 1.0"]);
    assert_eq!(goes(".\n./gone\n"), ["need-b 1.0", "need-e 1.0", "need-f 1.0"]);
    assert_eq!(goes("need-b<2\n").len(), 6);
    // Carried out, uv makes the environment again from what is left.
    assert_eq!(goes("need-a\n").len(), 3);
    let file = project.join("requirements.in");
    let file = file.to_str().unwrap();
    let prune = [
        "prune",
        "--unused",
        "--grace",
        "0h",
        "--yes",
        "--allow",
        "most,no-environments",
        "--keep-lock",
        file,
    ];
    ran(&mut sandbox.cachetui(&prune));
    for name in ["need_e-1.0-py3-none-any.whl", "need_f-1.0-py3-none-any.whl", "need_b-1.0-py3-none-any.whl"]
    {
        std::fs::remove_file(links.join(name)).unwrap();
    }
    install(&sandbox, "again", "hardlink", &["--offline", "-r", file]);
    let listed = sandbox.json(&["list"]);
    let used = listed["entries"].as_array().unwrap().iter().filter(|entry| entry["state"] == "used").count();
    assert_eq!((used, listed["entries"].as_array().unwrap().len()), (4, 4), "{listed:#}");
    // A project that is not understood is named.
    std::fs::write(project.join("pyproject.toml"), "[project]\ndependencies = 3\n").unwrap();
    std::fs::write(file, "-e .\n").unwrap();
    let refused = sandbox.cachetui(&["prune", "--unused", "--keep-lock", file]).output().unwrap();
    let said = text(&refused);
    assert!(refused.status.code() == Some(2) && said.contains("pyproject.toml`: line 2: "), "{said}");
}

/// A project that is built from its directory needs what builds it, whoever names the project: requirements, a `uv.lock`, a
/// `pylock.toml`.
#[test]
fn what_builds_a_project_is_kept_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let Some(sandbox) = Sandbox::new(directory.path()) else { return };
    let links = sandbox.path("links");
    for wheel in [
        Wheel::new("builder", "1.0").requires("build-helper"),
        Wheel::new("build-helper", "1.0"),
        Wheel::new("runs", "1.0"),
        Wheel::new("other", "1.0"),
        Wheel::new("editables", "0.5"),
    ] {
        wheel.save(&links);
    }
    let gone = install(&sandbox, "gone", "hardlink", &["builder", "runs", "other", "editables"]);
    sandbox.delete(&gone);
    let project = sandbox.path("project");
    std::fs::create_dir_all(project.join("member")).unwrap();
    let text = "[project]\nname = \"member\"\nversion = \"1\"\n[build-system]\nrequires = [\"builder>=1\"]\n";
    std::fs::write(project.join("member/pyproject.toml"), text).unwrap();
    let goes = |file: &str, text: &str| {
        let file = project.join(file);
        std::fs::write(&file, text).unwrap();
        let prune =
            ["prune", "--unused", "--grace", "0h", "--dry-run", "--keep-lock", file.to_str().unwrap()];
        let answer = sandbox.json(&prune);
        let steps = answer["plan"]["steps"].as_array().unwrap().iter();
        let mut goes: Vec<String> = steps.map(|step| step["name"].as_str().unwrap().to_owned()).collect();
        goes.sort();
        goes
    };
    let lock = |source: &str| {
        format!(
            "version = 1\nrevision = 3\n[[package]]\nname = \"member\"\nversion = \"1\"\nsource = {{ {source} }}\n\
             [[package]]\nname = \"runs\"\nversion = \"1.0\"\nsource = {{ registry = \"x\" }}\n"
        )
    };
    assert_eq!(goes("uv.lock", &lock("editable = \"member\"")), ["other"]);
    assert_eq!(goes("uv.lock", &lock("directory = \"member\"")), ["other"]);
    assert_eq!(
        goes("uv.lock", &lock("virtual = \"member\"")),
        ["build-helper", "builder", "editables", "other"]
    );
    let pylock = "lock-version = \"1.0\"\n[[packages]]\nname = \"member\"\ndirectory = { path = \"member\", editable = true }\n\
                  [[packages]]\nname = \"runs\"\nversion = \"1.0\"\n";
    assert_eq!(goes("pylock.toml", pylock), ["other"]);
    assert_eq!(goes("requirements.txt", "-e ./member\nruns\n"), ["other"]);
    assert_eq!(goes("requirements.txt", "-e member\nruns\n"), ["other"]);
}

/// What is missing is said in words too.
#[test]
fn a_limit_that_is_not_reached_says_what_is_missing() {
    let directory = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(directory.path()) else { return };
    install(&sandbox, "used", "hardlink", &["demo-a"]);
    let words = ["prune", "--unused", "--grace", "0h", "--dry-run", "--max-size", "1K"];
    let said = text(&ran(&mut sandbox.cachetui(&words)));
    assert!(
        said.contains("the limit is not reached: ") && said.contains(" are missing. The cache keeps "),
        "{said}"
    );
}
