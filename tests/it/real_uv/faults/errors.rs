//! A call that fails in the middle, once or from then on: what was not done is told, by the exit code too.

use nix::errno::Errno;

use super::kills::{
    CLEAR, before_a_detach, before_a_prune, before_a_relink, before_a_remove, before_a_repair,
};
use super::stage::{Case, Ends, Stage, Tally, everything, none_of, spread};
use super::{directory, uv_agrees, words};
use crate::support::stepper::{self, Kind};

const CHANGES: [Kind; 3] = [Kind::Change, Kind::Sync, Kind::Lock];

const ERRORS: [Errno; 14] = [
    Errno::EIO,
    Errno::ENOSPC,
    Errno::EACCES,
    Errno::EPERM,
    Errno::EROFS,
    Errno::EMFILE,
    Errno::ENOMEM,
    Errno::EMLINK,
    Errno::EXDEV,
    Errno::EINTR,
    Errno::ESTALE,
    Errno::ENOTSUP,
    Errno::ENOLCK,
    Errno::EBUSY,
];

/// Lets one call fail; answers whether it came to that.
fn fails(case: &Case<'_>, ends: &Ends, kinds: &[Kind], number: usize, fault: Fault) -> Result<bool, String> {
    case.stage.come_back();
    let before = case.stage.world();
    let Some((ended, call)) = case.failing(kinds, number, fault.errno, fault.sticky) else {
        return Ok(false);
    };
    let how = if fault.sticky { "from then on" } else { "once" };
    let when = format!("{}: {:?} {how} at call {number}, {call}", case.name, fault.errno);
    let said = ended.said();
    if ended.code == Some(127) && said.contains("error while loading shared libraries") {
        // The program had not begun.
        return Ok(false);
    }
    if !matches!(ended.code, Some(0 | 1 | 3 | 11)) || said.contains("panicked") {
        return Err(format!("{when}: ended with {:?}: {said}", ended.code));
    }
    case.holds(&before, ends, &when)?;
    // uv's way: where a mode does not work, another one takes its place, and it is said.
    let is_other_mode = said.contains("was refused") || said.contains("more links");
    // What may not be read and lies where nobody asked for it, as a Python of somebody else or the directory that the program
    // is called in, is no failure: what it may use stays, and it is told.
    let not_read = said.split("users may be missing: ").nth(1);
    let named = [&case.stage.sandbox.roots(), case.stage.cache()].map(|it| it.display().to_string());
    let is_elsewhere = |path: &str| path.starts_with('/') && !named.iter().any(|it| path.starts_with(it));
    let is_no_failure = fault.errno == Errno::EACCES && not_read.is_some_and(is_elsewhere);
    if ended.code == Some(0) && !is_no_failure {
        let now = case.stage.world();
        let mut differences = now.reads_unlike(&ends.after);
        // Of a trash that is empty its directories may be left.
        differences.retain(|it| !(it.contains(".cachetui-trash") && now.has_empty_trash()));
        if !is_other_mode && differences.is_empty() && !now.has_trash() {
            differences = now.differences(&ends.after);
        }
        none_of(&differences, || format!("{when}: all is well, it said: {said}"))?;
    }
    match case.again(ends, &when) {
        // Nothing is broken any more, so that nothing is mended otherwise.
        Err(_) if is_other_mode => none_of(&case.stage.world().reads_unlike(&ends.after), || when.clone())?,
        other => other?,
    }
    Ok(true)
}

/// How a call fails.
#[derive(Clone, Copy)]
struct Fault {
    errno: Errno,
    /// Whether all calls of its name fail that follow.
    sticky: bool,
}

/// Lets calls fail with each error: one call each, in turns once and from then on; or several, both ways.
fn table(case: &Case<'_>, kinds: &[Kind], errors: &[Errno]) -> Tally {
    let few = if !everything() {
        1
    } else if kinds == [Kind::Read] {
        // Thousands of calls, of which each may be the one that tells of a user.
        100
    } else {
        6
    };
    let ends = case.ends();
    case.stage.come_back();
    let count = stepper::step(&mut case.command(), kinds, &mut |_| stepper::Then::Go).stops;
    let mut tally = Tally { stops: count, ..Tally::default() };
    let mut wrong = Vec::new();
    let faults = errors.iter().flat_map(|errno| [(*errno, false), (*errno, true)]);
    let turns = case.name.len() % 2;
    let faults =
        faults.enumerate().filter(|(index, _)| everything() || (index / 2 + index + turns).is_multiple_of(2));
    for (errno, sticky) in faults.map(|(_, fault)| fault) {
        for number in spread(count, few, &format!("{} {errno:?} {sticky}", case.name)) {
            match fails(case, &ends, kinds, number, Fault { errno, sticky }) {
                Ok(failed) => tally.runs += usize::from(failed),
                Err(error) => wrong.push(error),
            }
        }
    }
    tally.tell(&case.name);
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n\n"));
    tally
}

fn case<'a>(stage: &'a Stage, arguments: &str, finally: &'a [&'a [&'a str]]) -> Case<'a> {
    let name = arguments.split(" /").next().unwrap().to_owned();
    Case { name, stage, arguments: words(arguments), finally, uv: &uv_agrees }
}

#[test]
fn a_relink_in_which_calls_fail_loses_nothing_and_says_so() {
    if !stepper::works() {
        return;
    }
    for (from, to) in [("hardlink", "copy"), ("copy", "symlink"), ("symlink", "hardlink")] {
        let directory = directory();
        let Some((stage, environment)) = before_a_relink(Stage::new(directory.path()), from) else { return };
        let arguments = format!("relink --yes {} --link-mode {to}", environment.display());
        table(&case(&stage, &arguments, &[]), &CHANGES, &ERRORS);
    }
}

#[test]
fn a_repair_in_which_calls_fail_loses_nothing_and_says_so() {
    if !stepper::works() {
        return;
    }
    for (moved, mode) in [(true, "symlink"), (false, "copy")] {
        let directory = directory();
        let Some((stage, environment)) = before_a_repair(Stage::new(directory.path()), moved) else { return };
        let arguments = format!("repair --yes {} --link-mode {mode}", environment.display());
        table(&case(&stage, &arguments, &[]), &CHANGES, &ERRORS);
    }
}

#[test]
fn a_prune_and_an_undo_in_which_calls_fail_lose_nothing_and_say_so() {
    if !stepper::works() {
        return;
    }
    let directory = directory();
    let Some(stage) = before_a_prune(Stage::new(directory.path())) else { return };
    stage.keep();
    let purge: &[&[&str]] = &[&["trash", "purge", "--yes"]];
    table(&case(&stage, "prune --unused --grace 0h --allow most,gone --yes", purge), &CHANGES, &ERRORS);
    stage.come_back();
    crate::support::uv::ran(
        &mut stage.cachetui(&words("prune one two --grace 0h --yes --trash --allow gone")),
    );
    stage.keep();
    table(&case(&stage, "undo", &[]), &CHANGES, &ERRORS);
    table(&case(&stage, "trash purge --yes", &[]), &CHANGES, &ERRORS);
}

#[test]
fn removing_an_environment_in_which_calls_fail_loses_nothing_and_says_so() {
    if !stepper::works() {
        return;
    }
    let directory = directory();
    let Some((stage, goes)) = before_a_remove(Stage::new(directory.path()), "hardlink") else { return };
    let remove = format!("remove {} --with-entries --grace 0h --allow most,gone --yes", goes.display());
    table(&case(&stage, &remove, CLEAR), &CHANGES, &ERRORS);
    stage.come_back();
    crate::support::uv::ran(&mut stage.cachetui(&words(&format!("{remove} --trash"))));
    stage.keep();
    table(&case(&stage, "undo", &[]), &CHANGES, &ERRORS);
    table(&case(&stage, "trash purge --yes", &[]), &CHANGES, &ERRORS);
}

#[test]
fn detaching_in_which_calls_fail_loses_nothing_and_says_so() {
    if !stepper::works() {
        return;
    }
    let directory = directory();
    let Some((stage, edited)) = before_a_detach(Stage::new(directory.path()), "hardlink") else { return };
    stage.keep();
    let arguments = format!("verify --yes --detach {}", edited.display());
    table(&case(&stage, &arguments, &[]), &CHANGES, &ERRORS);
}

#[test]
fn what_cannot_be_read_is_not_taken_for_what_is_not_there() {
    if !stepper::works() {
        return;
    }
    let errors = [Errno::EIO, Errno::EACCES, Errno::EMFILE, Errno::ENOMEM, Errno::ESTALE];
    let directory = directory();
    let Some(stage) = before_a_prune(Stage::new(directory.path())) else { return };
    stage.keep();
    let purge: &[&[&str]] = &[&["trash", "purge", "--yes"]];
    table(&case(&stage, "prune --unused --grace 0h --allow most,gone --yes", purge), &[Kind::Read], &errors);
}
