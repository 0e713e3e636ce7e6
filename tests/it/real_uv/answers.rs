//! One answer: whatever happens to installed files, each command names the same damaged distributions and files.
//!
//! Random damage to installations of every kind and in every link mode. The test reads the RECORDs itself, then asks `verify`
//! (each file and its fault), `repair --dry-run` (each file, in a step or as kept), `envs` (state and counts of each distribution,
//! health), `doctor` (counts of each damaged distribution), `relink --dry-run` (broken distributions are kept as broken, and of
//! the others the modified files are counted), and the screen (the page of the environment, and the list of files).
//!
//! A file that several distributions list may be named for any of them, but every command names it for the same.
//!
//! `CACHETUI_ANSWERS=17` or `CACHETUI_ANSWERS=0..300` with `cargo test --test it answers_at_length -- --ignored` says which
//! seeds are tried; what was done to a ground that failed is printed, with its seed.

mod cases;
mod damage;
mod found;
mod ground;
mod said;
mod truth;
mod ways;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::ops::Range;
use std::path::PathBuf;

use ground::{Ground, Installation};
use said::{Counts, Files};
use truth::{Fault, Truth};

use crate::support::random::Random;

/// What disagrees, as sentences.
#[derive(Default)]
struct Disagreements(Vec<String>);

impl Disagreements {
    fn compare<T: PartialEq + Debug>(&mut self, who: &str, said: &T, right: &T) {
        if said != right {
            self.0.push(format!("{who}\n    says {said:?}\n    not  {right:?}"));
        }
    }
}

/// What is right, each file for the distributions that `verify` names it for where several list it.
fn attributed(truth: &Truth, verified: &Files) -> Files {
    let mut files = Files::new();
    for (path, (fault, owners)) in truth {
        let named = |owner: &&String| verified.contains_key(&((*owner).clone(), path.clone()));
        let mut chosen: BTreeSet<&String> = owners.iter().filter(named).collect();
        if chosen.is_empty() {
            chosen.extend(owners.first());
        }
        files.extend(chosen.into_iter().map(|owner| ((owner.clone(), path.clone()), Some(*fault))));
    }
    files
}

fn counts(files: &Files) -> Counts {
    let mut counts = Counts::new();
    for ((name, _), fault) in files {
        let (missing, modified) = counts.entry(name.clone()).or_default();
        *(if *fault == Some(Fault::Missing) { missing } else { modified }) += 1;
    }
    counts
}

/// Asks everything about one installation.
fn ask(ground: &Ground, installation: &Installation, snapshot: &cachetui::snapshot::Snapshot) -> Vec<String> {
    let mut found = Disagreements::default();
    if let Err(error) = ask_all(ground, installation, snapshot, &mut found) {
        found.0.push(error);
    }
    let place =
        format!("{:?} by {} at {}", installation.kind, installation.mode, installation.root.display());
    found.0.into_iter().map(|it| format!("{place}: {it}")).collect()
}

fn ask_all(
    ground: &Ground,
    installation: &Installation,
    snapshot: &cachetui::snapshot::Snapshot,
    found: &mut Disagreements,
) -> Result<(), String> {
    let truth = truth::of(installation);
    let root = installation.root.as_path();
    let name = root.to_str().unwrap();
    let (answer, code) = said::answer(ground, &["verify", name])?;
    let verified = said::verify(&answer, installation);
    let right = attributed(&truth, &verified);
    found.compare("verify", &verified, &right);
    found.compare("verify's exit code", &code, &(if right.is_empty() { 0 } else { 3 }));

    let (answer, code) = said::answer(ground, &["repair", name, "--dry-run"])?;
    let without: Files = right.keys().map(|it| (it.clone(), None)).collect();
    found.compare("repair", &said::repair(&answer, installation), &without);
    let left = answer["plan"]["kept"].as_array().is_some_and(|it| !it.is_empty());
    found.compare("repair's exit code", &code, &(if left { 3 } else { 0 }));

    let counted = counts(&right);
    let (answer, _) = said::answer(ground, &["envs", name])?;
    let (said, states, health) = said::envs(&answer, installation)?;
    found.compare("envs", &said, &counted);
    let state = |name: &str| match counted.get(name) {
        None => "ok",
        Some((0, _)) => "modified",
        Some(_) => "broken",
    };
    let expected: BTreeMap<String, String> =
        ground::PACKAGES.map(|name| (name.to_owned(), state(name).to_owned())).into();
    found.compare("envs' states", &states, &expected);
    let is_broken = counted.values().any(|(missing, _)| *missing > 0);
    found.compare("envs' health", &health.as_str(), &(if is_broken { "broken" } else { "ok" }));

    let (answer, _) = said::answer(ground, &["doctor", name])?;
    found.compare("doctor", &said::doctor(&answer, installation)?, &counted);

    let to = if installation.mode == "copy" { "hardlink" } else { "copy" };
    let (answer, _) = said::answer(ground, &["relink", name, "--link-mode", to, "--dry-run"])?;
    let broken = counted.iter().filter(|(_, (missing, _))| *missing > 0).map(|(name, _)| name.clone());
    let modified = counted.iter().filter(|(_, (_, modified))| *modified > 0);
    let modified = modified.map(|(name, (_, modified))| (name.clone(), *modified)).collect();
    found.compare("relink", &said::relink(&answer), &(broken.collect(), modified));

    let listed = said::listed(ground, snapshot, installation);
    found.compare("the screen's lists of files", &listed, &right);
    let worst: BTreeMap<String, String> = counted
        .iter()
        .map(|(name, (missing, modified))| {
            let absent = |path: &PathBuf| root.join(path).symlink_metadata().is_err();
            let links = right
                .iter()
                .filter(|((of, path), fault)| of == name && **fault == Some(Fault::Missing) && !absent(path));
            let links = links.count() as u64;
            let worst = match (links, missing, modified) {
                (1.., ..) => format!("{links} dangling"),
                (0, 1.., _) => format!("{missing} missing"),
                _ => format!("{modified} modified"),
            };
            (name.clone(), worst)
        })
        .collect();
    found.compare("the screen's page", &said::screen(snapshot, installation), &worst);
    Ok(())
}

/// Makes, damages and asks; answers with what disagrees, and what was done.
fn tried(seed: u64) -> Option<(Vec<String>, Vec<String>)> {
    let mut random = Random::new(seed + 1);
    let (ground, line) = Ground::new(usize::try_from(seed).unwrap(), &mut random)?;
    let mut log = vec![format!("seed {seed}: {line}")];
    log.extend(damage::spread(&ground, &mut random));
    let snapshot = said::snapshot(&ground);
    let found = ground.installations.iter().flat_map(|it| ask(&ground, it, &snapshot)).collect();
    Some((found, log))
}

#[expect(clippy::print_stderr, reason = "what was done is to be seen when it fails")]
fn answers(seeds: Range<u64>) {
    let mut failed = Vec::new();
    for seed in seeds {
        let Some((found, log)) = tried(seed) else { return };
        if !found.is_empty() {
            eprintln!("{}\n{}\n", log.join("\n  "), found.join("\n"));
            failed.push(seed);
        }
    }
    assert!(failed.is_empty(), "these seeds failed, see above: {failed:?}");
}

#[test]
fn every_command_names_the_same_damage_0() {
    answers(0..5);
}

#[test]
fn every_command_names_the_same_damage_1() {
    answers(5..10);
}

#[test]
#[ignore = "some minutes: three hundred grounds"]
fn answers_at_length() {
    answers(asked(300));
}

/// The seeds that `CACHETUI_ANSWERS` asks for, or as many as are given.
fn asked(number: u64) -> Range<u64> {
    let asked = std::env::var("CACHETUI_ANSWERS").unwrap_or_else(|_| format!("0..{number}"));
    let number = |text: &str| text.parse::<u64>().unwrap();
    match asked.split_once("..") {
        Some((first, end)) => number(first)..number(end),
        None => number(&asked)..number(&asked) + 1,
    }
}
