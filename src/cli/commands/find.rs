//! `find`: which installations have a distribution, and which entries of the cache are of it.

use std::io::Write;

use serde::Serialize;

use super::summary::{self, Unseen};
use crate::cli::args::FindArguments;
use crate::cli::failure::{FAILED, Failure};
use crate::cli::print::json::find::{FoundRow, KnownEntryRow};
use crate::cli::print::json::{self, Rows};
use crate::cli::print::{Cell, Column, Fit, Table, View, words};
use crate::human;
use crate::snapshot::{Distribution, Entry, Environment, LinkMode, Snapshot};
use crate::uv::distribution::compare_versions;
use crate::uv::requirement::Requirement;

/// A distribution, and the environment that has it.
type Installation<'a> = (&'a Environment, &'a Distribution);

/// Prints the installations that have what the arguments ask for. `snapshot` has these alone.
pub fn run(
    snapshot: &Snapshot,
    arguments: &FindArguments,
    view: &View,
    writer: &mut dyn Write,
) -> Result<(), Failure> {
    let (found, entries) = (found(snapshot), stored(snapshot, &arguments.requirements));
    if arguments.json {
        #[derive(Serialize)]
        struct Body<Found: Serialize, Entries: Serialize> {
            found: Found,
            entries: Entries,
        }
        let body = Body {
            found: Rows(|| found.iter().map(|(environment, it)| FoundRow::new(snapshot, environment, it))),
            entries: Rows(|| entries.iter().map(|entry| KnownEntryRow::new(entry))),
        };
        json::write_unread(snapshot, body, view, writer)?;
    } else {
        for table in [installations(&found, view), in_cache(snapshot, &entries, &found)] {
            if !table.is_empty() {
                table.print(view, writer)?;
                if !view.quiet {
                    writeln!(writer)?;
                }
            }
        }
        let mut headlines = vec![headline(snapshot, &found, &entries, view)];
        headlines.extend(missing(&arguments.requirements, &found));
        summary::print(snapshot, &headlines, Unseen::Matters, view, writer)?;
    }
    if found.is_empty() { Err(Failure::quiet(FAILED)) } else { Ok(()) }
}

/// By name, the newest version first.
fn found(snapshot: &Snapshot) -> Vec<Installation<'_>> {
    let of = |environment| move |distribution| (environment, distribution);
    let environments = snapshot.environments.iter();
    let mut found: Vec<Installation<'_>> =
        environments.flat_map(|it| it.distributions.iter().map(of(it))).collect();
    found.sort_by(|(one_in, one), (other_in, other)| {
        let versions = || compare_versions(&other.version, &one.version);
        one.name.cmp(&other.name).then_with(versions).then_with(|| one_in.path.cmp(&other_in.path))
    });
    found
}

/// The entries that meet a requirement, in the same order.
fn stored<'a>(snapshot: &'a Snapshot, requirements: &[Requirement]) -> Vec<&'a Entry> {
    fn version(entry: &Entry) -> &str {
        entry.version.as_deref().unwrap_or_default()
    }
    let is_wanted = |entry: &&Entry| {
        let name = entry.name.as_deref();
        name.is_some_and(|name| requirements.iter().any(|it| it.is_met_by(name, version(entry))))
    };
    let mut entries: Vec<&Entry> = snapshot.entries.iter().filter(is_wanted).collect();
    entries.sort_by(|one, other| {
        let versions = || compare_versions(version(other), version(one));
        one.name.cmp(&other.name).then_with(versions).then_with(|| one.key.cmp(&other.key))
    });
    entries
}

fn installations(found: &[Installation<'_>], view: &View) -> Table {
    let mut table = Table::new(&[
        Column::text("NAME"),
        Column::text("VERSION"),
        Column::text("LINKED").spare(3),
        Column::text("ENVIRONMENT").fit(Fit::Middle(28)),
        Column::text("KIND").spare(2),
        Column::text("PYTHON").spare(1),
        Column::text("PROJECT").spare(4),
    ]);
    for (environment, distribution) in found {
        let project = environment.project_directory().map(|path| view.path(path));
        table.push([
            human::escape(&distribution.name).into_owned().into(),
            human::escape(&distribution.version).into_owned().into(),
            Cell::or_dash(linked(distribution)),
            view.path(&environment.path).into(),
            environment.kind.word().into(),
            Cell::or_dash(human::escape(environment.python.as_deref().unwrap_or_default())),
            Cell::or_dash(project.unwrap_or_default()),
        ]);
    }
    table
}

/// How it is linked; nothing where it came from no cache.
fn linked(distribution: &Distribution) -> String {
    if distribution.editable {
        return "editable".to_owned();
    }
    let is_known = distribution.mode != LinkMode::Unknown || distribution.of_system;
    if is_known || distribution.linked_elsewhere || distribution.other_cache.is_some() {
        distribution.mode_in_words().to_owned()
    } else {
        String::new()
    }
}

fn in_cache(snapshot: &Snapshot, entries: &[&Entry], found: &[Installation<'_>]) -> Table {
    let mut table = Table::new(&[
        Column::text("ENTRY").fit(Fit::Middle(20)),
        Column::text("NAME"),
        Column::text("VERSION"),
        Column::number("INSTALLED"),
    ]);
    for entry in entries {
        let is_from = |(_, it): &&Installation<'_>| {
            it.entry.is_some_and(|index| snapshot.entry(index).key == entry.key)
        };
        table.push([
            human::escape_os(&entry.key.id).into_owned().into(),
            human::escape(entry.name.as_deref().unwrap_or_default()).into_owned().into(),
            human::escape(entry.version.as_deref().unwrap_or_default()).into_owned().into(),
            human::count(found.iter().filter(is_from).count() as u64).into(),
        ]);
    }
    table
}

/// Which of several requirements no installation meets, where others are met.
fn missing(requirements: &[Requirement], found: &[Installation<'_>]) -> Option<String> {
    let is_met = |wanted: &Requirement| found.iter().any(|(_, it)| wanted.is_met_by(&it.name, &it.version));
    let missing: Vec<String> = requirements
        .iter()
        .filter(|wanted| !is_met(wanted))
        .map(|wanted| {
            format!(
                "`{}`",
                human::escape(&format!("{}{}", wanted.name(), wanted.versions().unwrap_or_default()))
            )
        })
        .collect();
    (!found.is_empty() && !missing.is_empty())
        .then(|| format!("No installation has {}.", human::list(&missing)))
}

fn headline(snapshot: &Snapshot, found: &[Installation<'_>], entries: &[&Entry], view: &View) -> String {
    let searched = words::searched(&snapshot.scope, view);
    let stored = match entries.len() as u64 {
        0 => "the cache has no matching entry".to_owned(),
        many => format!("the cache has {}", human::counted(many, "matching entry", "matching entries")),
    };
    if found.is_empty() {
        return format!("No installation has it; searched {searched}; {stored}.");
    }
    let installed = human::counted(found.len() as u64, "installation", "installations");
    let environments = human::counted(snapshot.environments.len() as u64, "environment", "environments");
    format!("{installed} in {environments}; searched {searched}; {stored}.")
}
