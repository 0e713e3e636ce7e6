//! `gc`: a policy that is kept, on caches of real uv that change meanwhile.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::repair::dangling;
use super::used::age;
use crate::support::holding::Running;
use crate::support::text;
use crate::support::uv::{Sandbox, ran};
use crate::support::wheel::Wheel;

/// How many packages there are, each of 100 KiB.
const PACKAGES: usize = 12;

const NAMES: [&str; PACKAGES] = [
    "demo-a", "demo-b", "demo-c", "demo-d", "demo-e", "demo-f", "demo-g", "demo-h", "demo-i", "demo-j",
    "demo-k", "demo-l",
];

fn sandbox(base: &Path) -> Option<Sandbox> {
    let sandbox = Sandbox::new(base)?;
    for name in NAMES {
        let module = name.replace('-', "_");
        Wheel::new(name, "1.0").bulk(&format!("{module}/bulk.bin"), 100).save(&sandbox.path("links"));
    }
    Some(sandbox)
}

fn install(sandbox: &Sandbox, name: &str, mode: &str, packages: &[&str]) -> PathBuf {
    let links = sandbox.path("links");
    let places = ["--no-index", "--find-links", links.to_str().unwrap()];
    sandbox.install(name, mode, &[&places[..], packages].concat())
}

fn settings(sandbox: &Sandbox, text: &str) {
    let directory = sandbox.path("home/config/cachetui");
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join("config.toml"), text).unwrap();
}

fn takes(sandbox: &Sandbox) -> u64 {
    let output =
        std::process::Command::new("du").args(["-s", "--block-size=1"]).arg(sandbox.cache()).output();
    let output = output.unwrap();
    String::from_utf8(output.stdout).unwrap().split_whitespace().next().unwrap().parse().unwrap()
}

fn names(plan: &Value) -> Vec<String> {
    let steps = plan["steps"].as_array().unwrap().iter();
    let mut names: Vec<String> = steps
        .map(|step| step["name"].as_str().unwrap_or_else(|| step["path"].as_str().unwrap()).to_owned())
        .collect();
    names.sort_unstable();
    names
}

/// Names of the packages that an archive has.
fn entries(sandbox: &Sandbox) -> Vec<String> {
    let answer = sandbox.json(&["list", "--sort", "name"]);
    let rows = answer["entries"].as_array().unwrap().iter();
    rows.map(|row| row["name"].as_str().unwrap_or("?").to_owned()).collect()
}

#[test]
fn a_policy_removes_what_is_idle_and_old_and_leaves_what_it_names() {
    let directory = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(directory.path()) else { return };
    let refused = sandbox.cachetui(&["gc"]).output().unwrap();
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused));
    assert!(text(&refused).contains("There is no policy"), "{}", text(&refused));

    let used = install(&sandbox, "used", "symlink", &["demo-a"]);
    let idle = install(&sandbox, "idle", "hardlink", &["demo-b", "demo-c"]);
    age(&sandbox, &idle, 200);
    let gone = install(&sandbox, "gone", "hardlink", &["demo-d", "demo-e", "demo-f"]);
    sandbox.delete(&gone);
    let project = sandbox.path("home/app");
    std::fs::create_dir_all(&project).unwrap();
    let lock = "version = 1\n\n[[package]]\nname = \"demo-f\"\nversion = \"1.0\"\n";
    std::fs::write(project.join("uv.lock"), lock).unwrap();
    settings(
        &sandbox,
        "[policy]\nidle-environments = \"90d\"\nolder-than = \"0d\"\ngrace = \"off\"\n\
         keep = [\"demo-c\", \"demo-e>2\", \"~/app/uv.lock\"]\nallow = [\"most\"]\n",
    );
    let plan = sandbox.json(&["gc", "--dry-run"])["plan"].take();
    assert_eq!(names(&plan), [idle.to_str().unwrap(), "demo-b", "demo-d", "demo-e"], "{plan:#}");
    assert!(idle.exists() && entries(&sandbox).len() == 6, "a dry run changes nothing");

    let done = sandbox.json(&["gc"]);
    let outcomes = done["report"]["outcomes"].as_array().unwrap();
    assert!(outcomes.len() == 4 && outcomes.iter().all(|it| it["state"] == "done"), "{done:#}");
    assert_eq!(done["plan"]["totals"], plan["totals"]);
    assert_eq!(entries(&sandbox), ["demo-a", "demo-c", "demo-f"]);
    assert!(!idle.exists() && used.join("bin").exists());
    assert_eq!(dangling(&used), [] as [PathBuf; 0]);
    // It lies in the trash for a week, and can be put back until then. What the idle environment and its entry share counts.
    let promised = plan["totals"]["bytes"]["reclaimable"].as_u64().unwrap();
    let purge = sandbox.json(&["trash", "purge", "--dry-run"])["freed"]["predicted"].as_u64().unwrap();
    assert!((promised..promised + (64 << 10)).contains(&purge), "{promised} {purge}");
    assert_eq!(sandbox.json(&["trash", "list"])["runs"].as_array().unwrap().len(), 1);
    ran(&mut sandbox.cachetui(&["undo"]));
    assert!(idle.exists() && entries(&sandbox).len() == 6);
    ran(&mut sandbox.cachetui(&["gc", "--trash-for", "off", "--idle-environments", "off"]));
    assert!(idle.exists());
    assert_eq!(entries(&sandbox), ["demo-a", "demo-b", "demo-c", "demo-f"]);
    assert_eq!(sandbox.json(&["trash", "list"])["runs"].as_array().unwrap().len(), 0);
    sandbox.run_uv(&["cache", "prune"]);
    assert_eq!(entries(&sandbox), ["demo-a", "demo-b", "demo-c", "demo-f"], "uv has nothing to add");
}

#[test]
fn the_trash_is_emptied_when_it_is_old_or_a_limit_needs_its_room() {
    let directory = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(directory.path()) else { return };
    install(&sandbox, "used", "hardlink", &["demo-a"]);
    for package in ["demo-b", "demo-c", "demo-d"] {
        let gone = install(&sandbox, "gone", "hardlink", &[package]);
        sandbox.delete(&gone);
        std::fs::remove_dir_all(gone.parent().unwrap()).unwrap();
        ran(&mut sandbox.cachetui(&["prune", package, "--trash", "--yes"]));
    }
    let runs = || sandbox.json(&["trash", "list"])["runs"].as_array().unwrap().len();
    assert_eq!(runs(), 3);
    // The name of a run says when it was.
    let trash = sandbox.cache().join(".cachetui-trash");
    let mut there: Vec<PathBuf> = std::fs::read_dir(&trash).unwrap().map(|it| it.unwrap().path()).collect();
    there.sort();
    let name = there[0].file_name().unwrap().to_str().unwrap();
    std::fs::rename(&there[0], trash.join(format!("20250101{}", &name[8..]))).unwrap();
    let dry = sandbox.json(&["gc", "--trash-for", "30d", "--dry-run"]);
    assert_eq!((dry["gc"]["purged"].as_array().unwrap().len(), runs()), (1, 3), "{dry:#}");
    let done = sandbox.json(&["gc", "--trash-for", "30d"]);
    assert_eq!(done["gc"]["purged"], dry["gc"]["purged"]);
    assert!(done["gc"]["purge_freed"].as_u64().unwrap() > 100 << 10, "{done:#}");
    assert_eq!(runs(), 2);
    // The oldest goes first, and no more than a limit needs.
    let limit = (takes(&sandbox) - (50 << 10)).to_string();
    let done = sandbox.json(&["gc", "--max-size", &limit]);
    assert_eq!((done["gc"]["purged"].as_array().unwrap().len(), runs()), (1, 1), "{done:#}");
    assert_eq!(done["gc"]["disk"], takes(&sandbox));
    assert_eq!(done["gc"]["beyond_limits"], false);
    let done = ran(&mut sandbox.cachetui(&["gc", "--trash-for", "0d"]));
    assert!(text(&done).contains("Deleted 1 run of the trash"), "{}", text(&done));
    assert_eq!(runs(), 0);
}

/// What a plan moves to the trash and a limit takes from there is freed once, and told once.
#[test]
fn what_is_freed_at_once_is_told_with_the_plan() {
    let directory = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(directory.path()) else { return };
    install(&sandbox, "used", "hardlink", &["demo-a"]);
    let trashed = |package| {
        let gone = install(&sandbox, "gone", "hardlink", &[package]);
        sandbox.delete(&gone);
        std::fs::remove_dir_all(gone.parent().unwrap()).unwrap();
    };
    trashed("demo-b");
    let gc = ["gc", "--max-size", "1K", "--grace", "0h"];
    let output = sandbox.cachetui(&gc).output().unwrap();
    let said = text(&output);
    assert!(said.contains("Removed 1 of 1.") && said.contains("freed, as planned."), "{said}");
    assert!(!said.contains("of the trash"), "{said}");
    for package in ["demo-c", "demo-d"] {
        trashed(package);
        if package == "demo-c" {
            ran(&mut sandbox.cachetui(&["prune", package, "--trash", "--yes", "--grace", "0h"]));
        }
    }
    let said = text(&sandbox.cachetui(&gc).output().unwrap());
    assert!(said.contains("Removed 1 of 1.") && said.contains("freed, as planned."), "{said}");
    assert!(said.contains("Deleted 1 run of the trash: "), "{said}");
}

/// After each run the cache is within the limit, whatever came between; nothing that is used goes. Runs that have nothing to do are
/// told apart from those that have.
#[test]
fn a_limit_holds_after_every_run_of_a_hundred_on_a_cache_that_changes() {
    let directory = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(directory.path()) else { return };
    let used = install(&sandbox, "used", "symlink", &["demo-a"]);
    let copied = install(&sandbox, "copied", "hardlink", &["demo-b"]);
    let start = takes(&sandbox);
    let limit = start + (350 << 10);
    let most = limit.to_string();
    let gc = ["gc", "--auto", "--max-size", &most, "--grace", "0h", "--trash-for", "2d"];
    let mut ran_for_nothing = 0;
    for round in 0..100 {
        if round % 4 != 3 {
            let package = NAMES[2 + round % (PACKAGES - 2)];
            let gone = install(&sandbox, "gone", "hardlink", &[package]);
            sandbox.delete(&gone);
        }
        let before = takes(&sandbox);
        let output = ran(sandbox.cachetui(&gc).arg("--json"));
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        let due = answer["gc"]["due"] == true;
        assert!(due || before <= limit, "{round}: {before} of {limit}");
        assert!(takes(&sandbox) <= limit, "{round}: {} of {limit}: {answer:#}", takes(&sandbox));
        ran_for_nothing += usize::from(due && before <= limit);
    }
    // Only the first one had to look although nothing was beyond the limit.
    assert_eq!(ran_for_nothing, 1);
    assert_eq!(dangling(&used), [] as [PathBuf; 0]);
    let left = entries(&sandbox);
    assert!(left.contains(&"demo-a".to_owned()) && left.contains(&"demo-b".to_owned()), "{left:?}");
    assert_eq!(
        sandbox.json(&["verify", copied.to_str().unwrap()])["findings"].as_array().map(Vec::len),
        Some(0)
    );
}

#[test]
fn what_a_policy_cannot_reach_is_said_once_and_what_is_over_fails_where_that_was_asked() {
    let directory = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(directory.path()) else { return };
    install(&sandbox, "used", "hardlink", &["demo-a", "demo-b"]);
    let gc = |arguments: &[&str]| {
        let start = ["gc", "--max-size", "50K", "--grace", "0h"];
        sandbox.cachetui(&[&start[..], arguments].concat()).output().unwrap()
    };
    let first = gc(&["--auto"]);
    assert!(first.status.success() && text(&first).contains("the limit is not reached"), "{}", text(&first));
    let second = gc(&["--auto"]);
    assert!(second.status.success() && text(&second).is_empty(), "{}", text(&second));
    // A day later it looks again, and says nothing that was said before.
    let state = sandbox.path("home/state/cachetui/gc");
    let file = std::fs::read_dir(&state).unwrap().next().unwrap().unwrap().path();
    let mut remembered: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    remembered["ran"] = "2026-01-01T00:00:00Z".into();
    std::fs::write(&file, remembered.to_string()).unwrap();
    let third = gc(&["--auto", "--json"]);
    let answer: Value = serde_json::from_slice(&third.stdout).unwrap();
    assert_eq!(answer["gc"]["due"], true);
    assert_eq!(answer["gc"]["notes"].as_array().unwrap().len(), 0, "{answer:#}");
    // Who asks is answered each time.
    assert!(text(&gc(&[])).contains("the limit is not reached"));
    let over = gc(&["--fail-over", "60K"]);
    assert_eq!(over.status.code(), Some(1), "{}", text(&over));
    assert!(text(&over).contains("more than 60.0 KiB (--fail-over)"), "{}", text(&over));
    assert!(gc(&["--fail-over", "1G"]).status.success());
}

#[test]
fn two_at_once_take_turns_or_leave_it_to_the_other() {
    let directory = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(directory.path()) else { return };
    install(&sandbox, "used", "hardlink", &["demo-a"]);
    for package in ["demo-b", "demo-c", "demo-d"] {
        let gone = install(&sandbox, package, "hardlink", &[package]);
        sandbox.delete(&gone);
    }
    let most = (takes(&sandbox) - (150 << 10)).to_string();
    let gc = ["gc", "--auto", "--max-size", &most, "--grace", "0h", "--trash-for", "off"];
    let mut all: Vec<_> = (0..4)
        .map(|_| {
            let piped = std::process::Stdio::piped;
            sandbox.cachetui(&gc).stdout(piped()).stderr(piped()).spawn().unwrap()
        })
        .collect();
    for child in &mut all {
        assert!(child.wait().unwrap().success());
    }
    assert!(takes(&sandbox).to_string() <= most || takes(&sandbox) <= most.parse().unwrap());
    let left = entries(&sandbox);
    assert_eq!(left.len(), 2, "no more than the limit needed: {left:?}");
    assert!(left.contains(&"demo-a".to_owned()));
}

/// One order for everything, which `config show` tells.
#[test]
fn an_option_goes_before_a_variable_and_that_before_the_settings() {
    let directory = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(directory.path()) else { return };
    install(&sandbox, "used", "hardlink", &["demo-a"]);
    settings(
        &sandbox,
        "roots = [\"~/one\"]\ntheme = \"light\"\n[policy]\nmax-size = \"1G\"\nkeep = [\"demo-a\"]\n",
    );
    let show = |change: &dyn Fn(&mut std::process::Command)| -> Value {
        let mut command = sandbox.command(env!("CARGO_BIN_EXE_cachetui"));
        command.args(["config", "show", "--json"]);
        change(&mut command);
        serde_json::from_slice(&ran(&mut command).stdout).unwrap()
    };
    let of = |answer: &Value, key: &str| -> (String, String) {
        let rows = answer["settings"].as_array().unwrap();
        let row = rows.iter().find(|row| row["key"] == key).unwrap();
        let from = row["from"].as_array().unwrap().iter().map(|it| it.as_str().unwrap());
        (row["value"].as_str().unwrap().to_owned(), from.collect::<Vec<_>>().join(","))
    };
    let expect = |answer: &Value, key: &str, value: &str, from: &str| {
        assert_eq!(of(answer, key), (value.to_owned(), from.to_owned()), "{key}");
    };
    let answer = show(&|_| ());
    expect(&answer, "policy.max-size", "1G", "settings");
    expect(&answer, "policy.trash-for", "7d", "default");
    expect(&answer, "theme", "light", "settings");
    let answer = show(&|command| {
        command
            .env("CACHETUI_MAX_SIZE", "2G")
            .env("CACHETUI_KEEP", "demo-b\nnumpy<2, >1")
            .env("CACHETUI_THEME", "mono");
    });
    expect(&answer, "policy.max-size", "2G", "variable");
    expect(&answer, "policy.keep", "demo-a, demo-b, numpy<2, >1", "settings,variable");
    expect(&answer, "theme", "mono", "variable");
    let answer = show(&|command| {
        command.env("CACHETUI_ROOTS", "/two:/three").env("CACHETUI_COLOR", "never").args(["--root", "four"]);
    });
    expect(&answer, "roots", "~/one, /two, /three, four", "settings,variable,option");
    expect(&answer, "color", "never", "variable");

    // What holds is what is done.
    let disk = |command: &mut std::process::Command| {
        let output = ran(command.args(["gc", "--dry-run", "--json"]));
        let plan: Value = serde_json::from_slice(&output.stdout).unwrap();
        plan["plan"]["request"]["prunes"][1]["budget"]["max_size"].as_u64()
    };
    assert_eq!(disk(&mut sandbox.cachetui(&[])), Some(1 << 30));
    assert_eq!(disk(sandbox.cachetui(&[]).env("CACHETUI_MAX_SIZE", "2G")), Some(2 << 30));
    let mut command = sandbox.cachetui(&["gc", "--dry-run", "--json", "--max-size", "3G"]);
    let output = ran(command.env("CACHETUI_MAX_SIZE", "2G"));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["plan"]["request"]["prunes"][1]["budget"]["max_size"], 3_u64 << 30);
    // The grace period is that of every command.
    let mut command = sandbox.cachetui(&["prune", "--unused", "--dry-run", "--json"]);
    let answer: Value = serde_json::from_slice(&ran(command.env("CACHETUI_GRACE", "3h")).stdout).unwrap();
    assert_eq!(answer["plan"]["request"]["grace"], 3 * 60 * 60);
}

#[test]
fn settings_that_cannot_be_understood_are_named_and_nothing_is_done() {
    let directory = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(directory.path()) else { return };
    install(&sandbox, "used", "hardlink", &["demo-a"]);
    let run = |arguments: &[&str], variable: Option<(&str, &str)>| {
        let mut command = sandbox.cachetui(arguments);
        command.envs(variable);
        command.output().unwrap()
    };
    for (settings_text, variable, wanted) in [
        ("[policy]\nmax-size = 40\n", None, "write a size as"),
        ("[policy]\nmax-size = \"40G\"\nkeep = [\"demo a\"]\n", None, "is no requirement"),
        ("[policy]\nmax-size = \"40G\"\nkeep = [\"./gone/uv.lock\"]\n", None, "gone/uv.lock"),
        ("[policy]\nmax-size = \"40G\"\nkepe = []\n", None, "unknown field `kepe`"),
        ("", Some(("CACHETUI_MAX_SIZE", "lots")), "`CACHETUI_MAX_SIZE=lots`"),
        ("", Some(("CACHETUI_ALLOW", "most,everything")), "`everything` is none of"),
        ("", Some(("CACHETUI_MOUSE", "perhaps")), "write 1 or 0"),
    ] {
        settings(&sandbox, settings_text);
        for command in [&["gc"][..], &["config", "check"][..]] {
            let output = run(command, variable);
            assert!(matches!(output.status.code(), Some(1 | 2)), "{settings_text}: {}", text(&output));
            assert!(text(&output).contains(wanted), "{settings_text} {variable:?}: {}", text(&output));
        }
    }
    // What only tells about settings works then too.
    settings(&sandbox, "[policy\n");
    let path = run(&["config", "path"], None);
    assert!(path.status.success() && text(&path).trim().ends_with("config/cachetui/config.toml"));
    settings(&sandbox, "roots = [\"/nowhere\"]\n");
    let check = run(&["config", "check"], Some(("CACHETUI_MAX_SISE", "40G")));
    assert_eq!(check.status.code(), Some(1));
    let said = text(&check);
    assert!(
        said.contains("`CACHETUI_MAX_SISE` is no variable") && said.contains("no directory at `/nowhere`"),
        "{said}"
    );
    settings(&sandbox, "");
    assert!(run(&["config", "check"], None).status.success());
}

/// The trash is not emptied for a limit that this does not bring nearer, and environments in it only where that is enough.
#[test]
fn environments_in_the_trash_stay_there_where_that_helps_no_limit() {
    let directory = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(directory.path()) else { return };
    install(&sandbox, "used", "hardlink", &["demo-a"]);
    let removed = install(&sandbox, "removed", "copy", &["demo-b"]);
    ran(&mut sandbox.cachetui(&["remove", removed.to_str().unwrap(), "--trash", "--yes"]));
    ran(&mut sandbox.cachetui(&["prune", "demo-b", "--trash", "--yes"]));
    let runs = || sandbox.json(&["trash", "list"])["runs"].as_array().unwrap().len();
    assert_eq!(runs(), 2);
    for limit in [["--keep-free", "100%"], ["--max-size", "1K"]] {
        for how in [&["--trash-for", "off"][..], &["--trash-for", "7d"], &[]] {
            let arguments = [&["gc"][..], &limit, how].concat();
            let answer: Value =
                serde_json::from_slice(&sandbox.cachetui(&arguments).arg("--json").output().unwrap().stdout)
                    .unwrap();
            assert_eq!(answer["gc"]["beyond_limits"], true, "{answer:#}");
            // What is of the cache goes, the environment stays.
            let is_first = how == ["--trash-for", "off"] && limit[0] == "--keep-free";
            assert_eq!(runs(), if is_first { 2 } else { 1 }, "{arguments:?}");
        }
    }
    ran(&mut sandbox.cachetui(&["undo"]));
    assert!(removed.exists());

    // An idle environment that goes beyond a limit can be put back too.
    age(&sandbox, &removed, 200);
    let most = (takes(&sandbox) + (64 << 10)).to_string();
    for package in ["demo-c", "demo-d"] {
        let gone = install(&sandbox, "gone", "hardlink", &[package]);
        sandbox.delete(&gone);
    }
    let gc = ["gc", "--max-size", &most, "--idle-environments", "90d", "--grace", "0h"];
    let answer = sandbox.json(&gc);
    assert_eq!(answer["gc"]["beyond_limits"], false, "{answer:#}");
    assert!(takes(&sandbox) <= most.parse().unwrap());
    assert!(!removed.exists() && runs() == 1);
    ran(&mut sandbox.cachetui(&["undo"]));
    assert!(removed.exists());
}

/// Who names more places to search is not put off by what was said without them.
#[test]
fn a_run_is_due_again_when_other_places_are_searched() {
    let directory = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(directory.path()) else { return };
    let gone = install(&sandbox, "gone", "hardlink", &["demo-a"]);
    std::fs::remove_dir_all(gone.parent().unwrap()).unwrap();
    let elsewhere = sandbox.path("elsewhere");
    sandbox.run_uv(&["venv", "--quiet", elsewhere.join(".venv").to_str().unwrap()]);
    std::fs::remove_dir_all(sandbox.cache().join("interpreter-v5")).unwrap();
    let gc = |more: &[&str]| {
        let arguments = [&["gc", "--auto", "--json", "--max-size", "1K", "--grace", "0h"][..], more].concat();
        let output = sandbox.cachetui(&arguments).output().unwrap();
        let answer: Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output)));
        (output.status.code(), answer["gc"]["due"] == true)
    };
    assert_eq!(gc(&[]), (Some(1), true));
    assert_eq!(gc(&[]), (Some(0), false));
    assert_eq!(gc(&["--root", elsewhere.to_str().unwrap()]), (Some(0), true));
    assert_eq!(entries(&sandbox), [""; 0]);
}

/// What runs by itself does not wait for a cache that is in use, and tries again the next time.
#[test]
fn an_automatic_run_does_not_wait_for_a_cache_that_is_in_use() {
    let directory = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(directory.path()) else { return };
    install(&sandbox, "used", "hardlink", &["demo-a"]);
    let gone = install(&sandbox, "gone", "hardlink", &["demo-b"]);
    sandbox.delete(&gone);
    let most = (takes(&sandbox) - (50 << 10)).to_string();
    let gc = ["gc", "--auto", "--max-size", &most, "--grace", "0h"];
    let mut flock = std::process::Command::new("flock");
    let arguments = ["--shared", ".lock", "sh", "-c", "echo; cat"];
    let server = Running::start(flock.current_dir(sandbox.cache()).args(arguments));
    // With the time that uv waits it would take five minutes.
    let output = sandbox.cachetui(&gc).output().unwrap();
    assert_eq!(output.status.code(), Some(11), "{}", text(&output));
    assert_eq!(entries(&sandbox).len(), 2);
    assert!(server.end());
    ran(&mut sandbox.cachetui(&gc));
    assert_eq!(entries(&sandbox), ["demo-a"]);
}

/// What was deleted before the cache's lock stopped a run is told all the same.
#[test]
fn a_run_that_ends_for_a_lock_tells_what_it_has_deleted() {
    let directory = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(directory.path()) else { return };
    install(&sandbox, "used", "hardlink", &["demo-a"]);
    let trash = |name: &str| {
        let gone = install(&sandbox, name, "copy", &["demo-b"]);
        ran(&mut sandbox.cachetui(&[
            "remove",
            gone.to_str().unwrap(),
            "--trash",
            "--yes",
            "--allow",
            "most",
        ]));
        assert!(!gone.exists());
    };
    let gone = install(&sandbox, "gone", "hardlink", &["demo-c"]);
    sandbox.delete(&gone);
    let gc = ["gc", "--max-size", "1K", "--grace", "0h", "--trash-for", "0d"];
    for (more, ended) in [(&[][..], false), (&["--json"], true)] {
        trash("trashed");
        let mut flock = std::process::Command::new("flock");
        let arguments = ["--shared", ".lock", "sh", "-c", "echo; cat"];
        let server = Running::start(flock.current_dir(sandbox.cache()).args(arguments));
        let mut command = sandbox.cachetui(&[&gc[..], more].concat());
        let output = command.env("UV_LOCK_TIMEOUT", "1").output().unwrap();
        assert_eq!(output.status.code(), Some(11), "{}", text(&output));
        if ended {
            let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!(answer["gc"]["purged"].as_array().unwrap().len(), 1, "{answer:#}");
            assert!(answer["gc"]["purge_freed"].as_u64().unwrap() > 100 << 10, "{answer:#}");
            assert!(answer["gc"]["disk"].is_null(), "{answer:#}");
        } else {
            let said = text(&output);
            assert!(said.contains("Deleted 1 run of the trash: "), "{said}");
        }
        assert_eq!(sandbox.json(&["trash", "list"])["runs"].as_array().unwrap().len(), 0);
        assert!(server.end());
    }
    // Of a run that has a part in the cache and one beside an environment, by `gc` and by hand.
    for command in [&["gc", "--trash-for", "0d", "--max-size", "1T"][..], &["trash", "purge", "--yes"]] {
        let both = install(&sandbox, "both", "hardlink", &["demo-d"]);
        let remove = ["remove", both.to_str().unwrap(), "--with-entries", "--grace", "0h"];
        ran(&mut sandbox.cachetui(&[&remove[..], &["--trash", "--yes", "--allow", "most"]].concat()));
        let mut flock = std::process::Command::new("flock");
        let arguments = ["--exclusive", ".lock", "sh", "-c", "echo; cat"];
        let server = Running::start(flock.current_dir(sandbox.cache()).args(arguments));
        let output = sandbox.cachetui(command).env("UV_LOCK_TIMEOUT", "1").output().unwrap();
        let said = text(&output);
        assert_eq!(output.status.code(), Some(11), "{said}");
        assert!(said.contains("Deleted the environments of 1 run of the trash"), "{said}");
        assert!(server.end());
    }
    assert!(
        text(&ran(&mut sandbox.cachetui(&["trash", "purge", "--yes"])))
            .contains("Deleted 2 runs of the trash")
    );
}

/// What is printed is measured: files that entries share count once. What is to fail fails each time, and is said once.
#[test]
fn the_size_that_is_said_is_that_of_the_disk_and_fails_each_time() {
    let directory = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(directory.path()) else { return };
    install(&sandbox, "used", "hardlink", &["demo-a"]);
    let links = sandbox.path("links");
    // A cached environment whose files are links to those of an entry.
    let run = ["run", "--quiet", "--no-project", "--with", "demo-b", "--no-index", "--find-links"];
    ran(&mut sandbox.uv(&[&run[..], &[links.to_str().unwrap(), "python", "-c", ""]].concat()));
    let answer = sandbox.json(&["gc", "--max-size", "1G"]);
    assert_eq!(answer["gc"]["disk"], takes(&sandbox), "{answer:#}");
    let gc = ["gc", "--auto", "--max-size", "1G", "--fail-over", "1K"];
    let first = sandbox.cachetui(&gc).output().unwrap();
    assert_eq!(first.status.code(), Some(1), "{}", text(&first));
    assert!(text(&first).contains("(--fail-over)"), "{}", text(&first));
    for _ in 0..2 {
        let again = sandbox.cachetui(&gc).output().unwrap();
        assert_eq!((again.status.code(), text(&again)), (Some(1), String::new()));
    }
}

/// A policy means the same wherever it is carried out.
#[test]
fn a_lock_file_of_the_settings_lies_beside_them() {
    let directory = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(directory.path()) else { return };
    settings(
        &sandbox,
        "[policy]\nmax-size = \"1K\"\ngrace = \"off\"\nolder-than = \"60d\"\nkeep = [\"keep.txt\"]\n",
    );
    std::fs::write(sandbox.path("home/config/cachetui/keep.txt"), "demo-b==1.0\n").unwrap();
    for package in ["demo-b", "demo-c"] {
        let gone = install(&sandbox, "gone", "hardlink", &[package]);
        sandbox.delete(&gone);
        std::fs::remove_dir_all(gone.parent().unwrap()).unwrap();
    }
    let elsewhere = sandbox.path("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    let dry = sandbox
        .cachetui(&["gc", "--dry-run", "--json", "--allow", "most,no-environments"])
        .current_dir(&elsewhere)
        .output()
        .unwrap();
    let answer: Value = serde_json::from_slice(&dry.stdout).unwrap_or_else(|_| panic!("{}", text(&dry)));
    assert_eq!(names(&answer["plan"]), ["demo-c"], "{answer:#}");
    assert_eq!(answer["plan"]["kept"][0]["reason"], "a lock file or `keep` needs it");
}
