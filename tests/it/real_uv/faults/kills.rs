//! `kill -9` before every call that changes something.

use std::path::{Path, PathBuf};

use super::stage::{Case, Stage, Tally};
use super::{directory, install, site, uv_agrees, wheels, words};
use crate::real_uv::relink::tree::replace;
use crate::support::loopdev::Mounted;
use crate::support::stepper;

/// How many calls of each command are disturbed when not all are.
const FEW: usize = 4;

/// An environment in one mode that is to be changed, another one like it, and one of symlinks. In the first somebody has
/// edited a file, and a directory is a symlink.
pub(super) fn before_a_relink(stage: Option<Stage>, from: &str) -> Option<(Stage, PathBuf)> {
    let stage = stage?;
    let places = wheels(&stage);
    let environment = install(&stage, &places, "changed", from);
    install(&stage, &places, "other", from);
    install(&stage, &places, "linked", "symlink");
    replace(&site(&environment).join("one/edited.py"), b"EDITED = True\n");
    if from == "symlink" {
        let deep = site(&environment).join("one/deep");
        let inside = std::fs::read_link(deep.join("er/part.py")).unwrap();
        std::fs::remove_dir_all(&deep).unwrap();
        std::os::unix::fs::symlink(inside.ancestors().nth(2).unwrap(), &deep).unwrap();
    }
    stage.keep();
    Some((stage, environment))
}

/// Kills a command; what it was is told.
fn kills(stage: &Stage, arguments: &str, finally: &[&[&str]], from: &str) -> Tally {
    some_kills(stage, arguments, finally, from, FEW)
}

fn some_kills(stage: &Stage, arguments: &str, finally: &[&[&str]], from: &str, few: usize) -> Tally {
    let name = format!("{} from {from}", arguments.split(" /").next().unwrap());
    let name =
        arguments.split("--link-mode ").nth(1).map_or(name.clone(), |mode| format!("{name} to {mode}"));
    let case = Case { name, stage, arguments: words(arguments), finally, uv: &uv_agrees };
    let tally = case.kills(few);
    tally.tell(&case.name);
    tally
}

fn relinks(directory: &Path, pairs: &[(&str, &[&str])]) {
    let mut tally = Tally::default();
    for (from, to) in pairs {
        let directory = directory.join(from);
        std::fs::create_dir(&directory).unwrap();
        let Some((stage, environment)) = before_a_relink(Stage::new(&directory), from) else { return };
        for to in *to {
            let arguments = format!("relink --yes {} --link-mode {to}", environment.display());
            tally += kills(&stage, &arguments, &[], from);
        }
    }
    tally.tell("relink");
}

#[test]
fn a_relink_between_links_and_copies_can_be_killed_before_any_call() {
    if stepper::works() {
        relinks(
            directory().path(),
            &[
                ("hardlink", &["symlink", "copy"]),
                ("symlink", &["hardlink", "copy"]),
                ("copy", &["hardlink", "symlink"]),
            ],
        );
    }
}

#[test]
fn a_relink_from_and_to_clones_can_be_killed_before_any_call() {
    if !stepper::works() {
        return;
    }
    let Some(mounted) = Mounted::new("xfs", 512) else { return };
    // What is copied there is cloned by the kernel: from a clone there is nothing to do to a copy, and back.
    relinks(
        mounted.path(),
        &[("clone", &["hardlink", "symlink"]), ("hardlink", &["clone"]), ("symlink", &["clone"])],
    );
}

/// Environments whose links lead nowhere: the cache was moved, or cleaned and filled again.
pub(super) fn before_a_repair(stage: Option<Stage>, moved: bool) -> Option<(Stage, PathBuf)> {
    let mut stage = stage?;
    let places = wheels(&stage);
    let environment = install(&stage, &places, "broken", "symlink");
    if moved {
        stage.move_cache();
    } else {
        stage.sandbox.run_uv(&["cache", "clean", "--quiet"]);
        install(&stage, &places, "unrelated", "copy");
    }
    std::fs::remove_file(site(&environment).join("shared/two.py")).unwrap();
    stage.keep();
    Some((stage, environment))
}

#[test]
fn a_repair_can_be_killed_before_any_call() {
    if !stepper::works() {
        return;
    }
    let mut tally = Tally::default();
    for (moved, from) in [(true, "a moved cache"), (false, "entries of another id")] {
        let directory = directory();
        let Some((stage, environment)) = before_a_repair(Stage::new(directory.path()), moved) else { return };
        for mode in ["symlink", "hardlink", "copy"] {
            let arguments = format!("repair --yes {} --link-mode {mode}", environment.display());
            tally += kills(&stage, &arguments, &[], from);
        }
    }
    let Some(mounted) = Mounted::new("xfs", 512) else { return };
    for (moved, from) in [(true, "a moved cache"), (false, "entries of another id")] {
        let directory = mounted.path().join(if moved { "moved" } else { "cleaned" });
        std::fs::create_dir(&directory).unwrap();
        let Some((stage, environment)) = before_a_repair(Stage::new(&directory), moved) else { return };
        let arguments = format!("repair --yes {} --link-mode clone", environment.display());
        tally += kills(&stage, &arguments, &[], from);
    }
    tally.tell("repair");
}

#[test]
fn a_repair_that_clears_pointers_and_calls_uv_can_be_killed_before_any_call() {
    if !stepper::works() {
        return;
    }
    let directory = directory();
    let Some(stage) = Stage::new(directory.path()) else { return };
    let places = wheels(&stage);
    let environment = install(&stage, &places, "broken", "symlink");
    let links = stage.sandbox.path("links");
    let settings = format!("no-index = true\nfind-links = [\"{}\"]\n", links.display());
    std::fs::write(environment.parent().unwrap().join("uv.toml"), settings).unwrap();
    for entry in std::fs::read_dir(stage.cache().join("archive-v0")).unwrap() {
        std::fs::remove_dir_all(entry.unwrap().path()).unwrap();
    }
    stage.keep();
    let arguments = format!("repair --yes --with-uv {} --link-mode hardlink", environment.display());
    kills(&stage, &arguments, &[], "removed entries").tell("repair with uv");
}

/// A cache with what nobody uses any more, and what environments have in every mode.
pub(super) fn before_a_prune(stage: Option<Stage>) -> Option<Stage> {
    let stage = stage?;
    let places = wheels(&stage);
    for mode in ["symlink", "hardlink", "copy"] {
        stage.sandbox.install(mode, mode, &[places[0].as_str(), &places[1], &places[2], "two"]);
    }
    let gone = install(&stage, &places, "gone", "copy");
    stage.sandbox.delete(&gone);
    Some(stage)
}

#[test]
fn a_prune_its_undo_and_emptying_the_trash_can_be_killed_before_any_call() {
    if !stepper::works() {
        return;
    }
    let directory = directory();
    let Some(stage) = before_a_prune(Stage::new(directory.path())) else { return };
    stage.keep();
    let purge: &[&[&str]] = &[&["trash", "purge", "--yes"]];
    let every = usize::MAX;
    let prune = "prune --unused --grace 0h --allow most,gone --yes";
    let mut tally = some_kills(&stage, prune, purge, "a cache", every);
    stage.come_back();
    let arguments = words("prune one two --grace 0h --yes --trash --allow gone");
    crate::support::uv::ran(&mut stage.cachetui(&arguments));
    stage.keep();
    tally += some_kills(&stage, "undo", &[], "the trash", every);
    tally += some_kills(&stage, "trash purge --yes", &[], "the trash", every);
    tally.tell("prune, undo, purge");
}

/// An environment to be removed with the entries that only it uses, and others that stay.
pub(super) fn before_a_remove(stage: Option<Stage>, mode: &str) -> Option<(Stage, PathBuf)> {
    let stage = stage?;
    let places = wheels(&stage);
    let environment = install(&stage, &places, "goes", mode);
    for mode in ["symlink", "hardlink", "copy"] {
        stage.sandbox.install(mode, mode, &[places[0].as_str(), &places[1], &places[2], "two"]);
    }
    stage.keep();
    Some((stage, environment))
}

/// What takes what a run that was disturbed has left: the trash, and the entries of an environment that is gone.
pub(super) const CLEAR: &[&[&str]] =
    &[&["trash", "purge", "--yes"], &["prune", "--unused", "--grace", "0h", "--allow", "most,gone", "--yes"]];

#[test]
fn removing_an_environment_and_its_undo_can_be_killed_before_any_call() {
    if !stepper::works() {
        return;
    }
    let mut tally = Tally::default();
    for mode in ["hardlink", "symlink"] {
        let directory = directory();
        let Some((stage, goes)) = before_a_remove(Stage::new(directory.path()), mode) else { return };
        let remove = format!("remove {} --with-entries --grace 0h --allow most,gone --yes", goes.display());
        tally += some_kills(&stage, &remove, CLEAR, mode, usize::MAX);
        stage.come_back();
        crate::support::uv::ran(&mut stage.cachetui(&words(&format!("{remove} --trash"))));
        stage.keep();
        tally += some_kills(&stage, "undo", &[], mode, usize::MAX);
        tally += some_kills(&stage, "trash purge --yes", &[], mode, 16);
    }
    tally.tell("remove, undo, purge");
}

/// An edit through a link, which all others have as well.
pub(super) fn before_a_detach(stage: Option<Stage>, mode: &str) -> Option<(Stage, PathBuf)> {
    let stage = stage?;
    let places = wheels(&stage);
    let edited = install(&stage, &places, "edited", mode);
    for (project, mode) in
        [("hard", "hardlink"), ("again", "hardlink"), ("linked", "symlink"), ("own", "copy")]
    {
        install(&stage, &places, project, mode);
    }
    for path in ["one/edited.py", "shared/two.py"] {
        std::fs::write(site(&edited).join(path), "edited by hand\n").unwrap();
    }
    Some((stage, edited))
}

#[test]
fn detaching_an_edit_can_be_killed_before_any_call() {
    if !stepper::works() {
        return;
    }
    let mut tally = Tally::default();
    for mode in ["hardlink", "symlink"] {
        let directory = directory();
        let Some((stage, edited)) = before_a_detach(Stage::new(directory.path()), mode) else { return };
        stage.keep();
        tally += kills(&stage, &format!("verify --yes --detach {}", edited.display()), &[], mode);
    }
    tally.tell("verify --detach");
}

/// Old builds of a project, one of which has entries, the source of an archive, and a git repository that nothing uses any more.
pub(super) fn before_old_builds(stage: Option<Stage>) -> Option<Stage> {
    let stage = stage?;
    let places = wheels(&stage);
    install(&stage, &places, "stays", "symlink");
    let project = stage.sandbox.path("built");
    crate::support::wheel::project(&project, "built", "1.0");
    let archive = crate::support::wheel::sdist(&stage.sandbox.path("links"), "archived", "1.0");
    let git = |arguments: &[&str]| {
        let mut git = stage.sandbox.command("git");
        git.args(["-c", "user.name=x", "-c", "user.email=x@example.org", "-C"]).arg(&project);
        crate::support::uv::ran(git.args(arguments));
    };
    git(&["init", "--quiet"]);
    git(&["add", "."]);
    git(&["commit", "--quiet", "--message", "first"]);
    let wanted =
        [format!("built @ file://{}", project.display()), format!("archived @ file://{}", archive.display())];
    let from_git = format!("built @ git+file://{}", project.display());
    let file = project.join("pyproject.toml");
    for round in 0..3 {
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, format!("{text}\n# {round}\n")).unwrap();
        let later = std::time::SystemTime::now() + std::time::Duration::from_secs(5 + round);
        std::fs::File::options().write(true).open(&file).unwrap().set_modified(later).unwrap();
        let gone = stage.sandbox.install("gone", "hardlink", &[wanted[0].as_str(), &wanted[1]]);
        stage.sandbox.delete(&gone);
    }
    let gone = stage.sandbox.install("gone", "hardlink", &[&from_git]);
    stage.sandbox.delete(&gone);
    stage.keep();
    Some(stage)
}

#[test]
fn a_prune_of_builds_sources_and_repositories_and_its_undo_can_be_killed_before_any_call() {
    if !stepper::works() {
        return;
    }
    let directory = directory();
    let Some(stage) = before_old_builds(Stage::new(directory.path())) else { return };
    let kinds = "--old-builds --sources --git-repositories --index-caches";
    let prune = format!("prune {kinds} --grace 0h --allow most,gone --yes");
    // Many of the calls are those that unlink what lies in the trash.
    let mut tally = some_kills(&stage, &prune, CLEAR, "old builds", 24);
    stage.come_back();
    let before = stage.world();
    crate::support::uv::ran(&mut stage.cachetui(&words(&format!("{prune} --trash"))));
    assert!(!stage.world().differences(&before).is_empty());
    stage.keep();
    tally += some_kills(&stage, "undo", &[], "old builds", 24);
    tally.tell("prune of builds, undo");
}
