//! Power cuts in the middle: what has reached the disk by then is mounted again, and nothing is torn, empty or lost.

use std::collections::BTreeSet;

use super::disk::Disk;
use super::kills::{before_a_detach, before_a_prune, before_a_relink, before_a_repair};
use super::stage::{Case, Stage, Tally, everything, spread};
use super::{uv_agrees, words};
use crate::support::stepper::{self, Kind, Then};

/// Runs a command once, with cuts before `few` of its calls and one when it has ended; each is looked at.
fn cuts(stage: &Stage, arguments: &str, finally: &[&[&str]], few: usize) -> Tally {
    let name = arguments.split(" /").next().unwrap().to_owned();
    let case = Case { name, stage, arguments: words(arguments), finally, uv: &uv_agrees };
    let ends = case.ends();
    stage.come_back();
    let kinds = [Kind::Change, Kind::Sync];
    let before = stage.world();
    let count = stepper::step(&mut case.command(), &kinds, &mut |_| Then::Go).stops;
    stage.come_back();
    let points: BTreeSet<usize> = spread(count, few - 1, &case.name).into_iter().collect();
    let mut made = Vec::new();
    let ended = stepper::step(&mut case.command(), &kinds, &mut |stop| {
        if points.contains(&stop.number) {
            let name = format!("cut before call {}, {}", stop.number, stop.call);
            stage.disk().cut(&name);
            made.push(name);
        }
        Then::Go
    });
    assert_eq!(ended.code, Some(0), "{}: {}", case.name, ended.said());
    stage.disk().cut("cut at the end");
    made.push("cut at the end".to_owned());
    let mut tally = Tally { stops: count, ..Tally::default() };
    for (index, cut) in made.iter().enumerate() {
        stage.disk().insert(cut);
        let when = format!("{}: {cut}", case.name);
        let held = case.holds(&before, &ends, &when).and_then(|()| case.again(&ends, &when));
        held.unwrap_or_else(|error| panic!("{error}"));
        tally.runs += 1;
        if index % 4 == 0 {
            uv_agrees(stage, &when);
            tally.asked += 1;
        }
    }
    tally.tell(&case.name);
    tally
}

fn on(kind: &str) {
    if !stepper::works() {
        return;
    }
    let few = if everything() { 8 } else { 3 };
    let mut tally = Tally::default();
    let Some(disk) = Disk::new(kind) else { return };
    let Some((stage, environment)) = before_a_relink(Stage::on(disk), "hardlink") else { return };
    tally += cuts(&stage, &format!("relink --yes {} --link-mode copy", environment.display()), &[], few);
    if everything() {
        drop(stage);
        let stage = || Disk::new(kind).and_then(Stage::on);
        let (relinked, environment) = before_a_relink(stage(), "copy").unwrap();
        let arguments = format!("relink --yes {} --link-mode hardlink", environment.display());
        tally += cuts(&relinked, &arguments, &[], few);
        drop(relinked);
        let (broken, environment) = before_a_repair(stage(), true).unwrap();
        tally += cuts(&broken, &format!("repair --yes {} --link-mode copy", environment.display()), &[], few);
        drop(broken);
        let pruned = before_a_prune(stage()).unwrap();
        pruned.keep();
        let purge: &[&[&str]] = &[&["trash", "purge", "--yes"]];
        tally += cuts(&pruned, "prune --unused --grace 0h --allow most,gone --yes", purge, few);
        pruned.come_back();
        crate::support::uv::ran(
            &mut pruned.cachetui(&words("prune one two --grace 0h --yes --trash --allow gone")),
        );
        pruned.keep();
        tally += cuts(&pruned, "undo", &[], few);
        drop(pruned);
        let (edited, environment) = before_a_detach(stage(), "hardlink").unwrap();
        edited.keep();
        tally += cuts(&edited, &format!("verify --yes --detach {}", environment.display()), &[], few);
    }
    tally.tell(kind);
}

#[test]
fn the_power_may_go_at_any_moment_on_ext4() {
    on("ext4");
}

#[test]
fn the_power_may_go_at_any_moment_on_xfs() {
    on("xfs");
}
