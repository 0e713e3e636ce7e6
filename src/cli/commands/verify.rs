//! `verify`: contents against `RECORD`.

pub(super) mod detach;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;

use crate::cli::args::Places;
use crate::cli::args::verify::VerifyArguments;
use crate::cli::failure::{DAMAGE, FAILED, Failure, INTERRUPTED, USAGE};
use crate::cli::print::json::verify::{CheckedRow, FindingRow};
use crate::cli::print::json::{self, Rows, frame::ProblemRow};
use crate::cli::print::{Paint, View, words};
use crate::cli::progress;
use crate::cli::surroundings::Surroundings;
use crate::control::Counts;
use crate::disk::walk;
use crate::human;
use crate::plan;
use crate::say;
use crate::scan::verify::{Fault, Finding, Verdict, Verified, Wanted, verify};
use crate::snapshot::{EntryIndex, EnvironmentIndex, Snapshot, What};
use crate::worker;

/// How many files of one distribution are listed that are damaged alike.
const ALIKE: usize = 10;

/// Compares what the arguments name with what its `RECORD`s say.
pub fn run(
    snapshot: &Arc<Snapshot>,
    arguments: &VerifyArguments,
    places: &Places,
    surroundings: &Surroundings,
    view: &View,
    writer: &mut dyn Write,
) -> Result<(), Failure> {
    check(arguments)?;
    if let Some(environment) = &arguments.detach {
        return detach::run(snapshot, arguments, environment, places, surroundings, view, writer);
    }
    let wanted = wanted(snapshot, arguments, surroundings)?;
    let verified = compare(snapshot, &wanted, surroundings, view)?;
    if verified.cancelled {
        return Err(Failure::quiet(INTERRUPTED));
    }
    if arguments.asking.json {
        print_json(snapshot, &wanted, &verified, view, writer)?;
    } else {
        print(snapshot, &wanted, &verified, view, writer)?;
    }
    if verified.damage().next().is_some() {
        Err(Failure::quiet(DAMAGE))
    } else if !verified.problems.is_empty() {
        Err(Failure::quiet(FAILED))
    } else {
        Ok(())
    }
}

fn check(arguments: &VerifyArguments) -> Result<(), Failure> {
    let asking = &arguments.asking;
    if arguments.detach.is_some() {
        super::deciding::check(asking)
    } else if asking.yes || asking.only_shows() {
        let text = "Comparing changes nothing; `--yes`, `--dry-run` and `--save` go with `--detach`.";
        Err(Failure::message(USAGE, text))
    } else {
        Ok(())
    }
}

/// What the arguments name.
fn wanted(
    snapshot: &Snapshot,
    arguments: &VerifyArguments,
    surroundings: &Surroundings,
) -> Result<Wanted, Failure> {
    let mut wanted = Wanted::default();
    if arguments.what.is_empty() {
        return Ok(Wanted::everything(snapshot, arguments.all));
    }
    for argument in &arguments.what {
        let what = What::new(argument);
        let entries = what.find(snapshot);
        if entries.is_empty() {
            wanted.environments.extend(environments(snapshot, argument, &what, surroundings)?);
        }
        wanted.entries.extend(entries);
    }
    wanted.entries.sort_unstable();
    wanted.entries.dedup();
    wanted.environments.sort_unstable();
    wanted.environments.dedup();
    Ok(wanted)
}

/// What names no entry names an environment.
fn environments(
    snapshot: &Snapshot,
    argument: &OsString,
    what: &What,
    surroundings: &Surroundings,
) -> Result<Vec<EnvironmentIndex>, Failure> {
    let path = PathBuf::from(argument);
    let found = super::environments(snapshot, std::slice::from_ref(&path), &surroundings.current_dir);
    let is_path = path.is_absolute() || path.components().count() > 1 || path.is_dir();
    found.map_err(|failure| if is_path { failure } else { super::unknown_what(snapshot, what) })
}

/// Compares on another thread, with progress. Ctrl-C stops it.
fn compare(
    snapshot: &Arc<Snapshot>,
    wanted: &Wanted,
    surroundings: &Surroundings,
    view: &View,
) -> Result<Verified, Failure> {
    let task = {
        let (snapshot, wanted) = (Arc::clone(snapshot), wanted.clone());
        worker::start(move |cancel, counted| verify(&snapshot, &wanted, walk::threads(), cancel, counted))
    };
    let describe = |counts: Counts| {
        let files = human::counted(counts.files, "file", "files");
        format!("Comparing with RECORD: {files}, {}", human::bytes(counts.bytes))
    };
    progress::task(&task, describe, surroundings, view.quiet).map(|(verified, _)| verified)
}

fn checked(wanted: &Wanted, verified: &Verified) -> CheckedRow {
    CheckedRow {
        entries: wanted.entries.len() as u64,
        environments: wanted.environments.len() as u64,
        files: verified.files,
        bytes: verified.bytes,
        by_size: verified.by_size,
        of_system: verified.of_system,
        away: verified.away.len() as u64,
    }
}

fn print_json(
    snapshot: &Snapshot,
    wanted: &Wanted,
    verified: &Verified,
    view: &View,
    writer: &mut dyn Write,
) -> io::Result<()> {
    #[derive(Serialize)]
    struct Body<Findings: Serialize, Unread: Serialize> {
        checked: CheckedRow,
        findings: Findings,
        advice: Vec<plan::Advice>,
        unread: Unread,
    }
    let body = Body {
        checked: checked(wanted, verified),
        findings: Rows(|| verified.findings.iter().map(|it| FindingRow::new(snapshot, it))),
        advice: plan::advice(snapshot, verified),
        unread: Rows(|| verified.problems.iter().map(ProblemRow::new)),
    };
    json::write(snapshot, body, view, writer)
}

fn print(
    snapshot: &Snapshot,
    wanted: &Wanted,
    verified: &Verified,
    view: &View,
    writer: &mut dyn Write,
) -> io::Result<()> {
    let of = |verdict| verified.findings.iter().filter(move |finding| finding.verdict == verdict);
    let mut damage: Vec<&Finding> = of(Verdict::Damage).collect();
    damage.sort_by_cached_key(|finding| kind(finding));
    for alike in damage.chunk_by(|a, b| kind(a) == kind(b)) {
        let shown = if view.verbose { alike.len() } else { alike.len().min(ALIKE) };
        for finding in &alike[..shown] {
            one(snapshot, finding, Paint::Bad, view, writer)?;
        }
        if let Some(finding) = alike.get(shown) {
            let more = human::counted((alike.len() - shown) as u64, "more file", "more files");
            let name = human::escape(&finding.name);
            writeln!(writer, "  and {more} of {name} {}; `-v` lists all", finding.fault.word())?;
        }
    }
    if view.verbose {
        for path in &verified.away {
            writeln!(writer, "{} {}", view.painted(Paint::Notice, "not compared"), view.path(path))?;
        }
        for finding in of(Verdict::Wheel) {
            one(snapshot, finding, Paint::Notice, view, writer)?;
        }
    }
    for problem in &verified.problems {
        writeln!(writer, "{}\n  {}", view.path(&problem.path), human::escape(&problem.message))?;
    }
    if view.quiet {
        return Ok(());
    }
    if !verified.findings.is_empty() || !verified.problems.is_empty() {
        writeln!(writer)?;
    }
    let CheckedRow { entries, environments, files, bytes, .. } = checked(wanted, verified);
    let mut places = Vec::new();
    if entries > 0 {
        places.push(human::counted(entries, "entry", "entries"));
    }
    if environments > 0 {
        places.push(human::counted(environments, "environment", "environments"));
    }
    let places = if places.is_empty() { "nothing".to_owned() } else { places.join(" and ") };
    let (tone, result) = say::verified::result(verified);
    let compared = human::counted(files, "file", "files");
    let headline = format!("{compared} of {places} compared, {}: {result}.", human::bytes(bytes));
    writeln!(writer, "{}", view.painted(tone.into(), &view.wrapped(&headline)))?;
    let lists = (!view.verbose).then_some("`-v` lists them");
    for text in
        say::verified::not_compared(verified, lists).iter().chain(&say::verified::of_wheels(verified, lists))
    {
        writeln!(writer, "{}", view.wrapped(text))?;
    }
    if verified.damage().any(|finding| finding.places.iter().any(|it| it.environment.is_none())) {
        let searched = words::searched(&snapshot.scope, view);
        let text =
            format!("Who shares what is damaged was looked for {searched}; `--root DIR` searches more.");
        writeln!(writer, "{}", view.wrapped(&text))?;
    }
    for advice in plan::advice(snapshot, verified) {
        writeln!(writer, "\n{}", view.wrapped(advice.text))?;
        for command in &advice.commands {
            writeln!(writer, "  {}", human::escape(&command.text()))?;
        }
        for note in &advice.notes {
            writeln!(writer, "{}", view.wrapped(&human::escape(note)))?;
        }
    }
    Ok(())
}

/// What findings have in common of which naming a few is enough: who has them, the distribution, and what is wrong.
fn kind(finding: &Finding) -> (Vec<Option<EnvironmentIndex>>, &str, &str, Option<EntryIndex>, Fault) {
    let places = finding.places.iter().map(|place| place.environment).collect();
    (places, &finding.name, &finding.version, finding.entry, finding.fault)
}

/// That the contents of a file were not read, because its size tells that they differ.
fn unread(finding: &Finding) -> Option<String> {
    let (now, stated) = (finding.print?.size, finding.recorded_size?);
    let differs = finding.found.is_none() && finding.fault != Fault::Extra && now != stated;
    differs.then(|| {
        format!("sizes differ: {}, and RECORD states {}; not read", human::bytes(now), human::bytes(stated))
    })
}

fn one(
    snapshot: &Snapshot,
    finding: &Finding,
    paint: Paint,
    view: &View,
    writer: &mut dyn Write,
) -> io::Result<()> {
    let word = view.painted(paint, finding.fault.word());
    let (name, version) = (human::escape(&finding.name), human::escape(&finding.version));
    writeln!(writer, "{word} {}  ({name} {version})", view.path(&finding.path))?;
    if let Some(text) = unread(finding) {
        writeln!(writer, "  {text}")?;
    }
    for place in finding.places.iter().filter(|place| place.path != finding.path) {
        let root = place.environment.map(|index| view.path(&snapshot.environment(index).path));
        writeln!(writer, "  the same file in {}", root.unwrap_or_else(|| view.path(&place.path)))?;
    }
    if finding.unexplained > 0 {
        let more = human::counted(finding.unexplained, "more link", "more links");
        writeln!(writer, "  {more} to it that cachetui did not find")?;
    }
    Ok(())
}
