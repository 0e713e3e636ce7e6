//! `why`: who uses an entry by which evidence, what leads to it, what deleting it gives back, and why it is kept.

use std::io::{self, Write};

use serde::Serialize;

use super::summary::{self, Unseen};
use crate::cli::args::WhyArguments;
use crate::cli::failure::Failure;
use crate::cli::print::json::entries::EntryRow;
use crate::cli::print::json::text::{Bytes, lossless};
use crate::cli::print::json::{self, Rows};
use crate::cli::print::{Cell, Column, Fit, Paint, Table, View, words};
use crate::cli::select::holders::{Together, together};
use crate::human;
use crate::say;
use crate::snapshot::{Entry, EntryIndex, Evidence, LinkMode, Reclaimable, Reference, Snapshot, What};

/// Explains the entries that the arguments name. Those that are known are explained even when others are not.
pub fn run(
    snapshot: &Snapshot,
    arguments: &WhyArguments,
    view: &View,
    writer: &mut dyn Write,
) -> Result<(), Failure> {
    let mut rows: Vec<EntryIndex> = Vec::new();
    let mut unknown = None;
    for text in &arguments.what {
        let what = What::new(text);
        let found = what.find(snapshot);
        if found.is_empty() && unknown.is_none() {
            unknown = Some(super::unknown_what(snapshot, &what));
        }
        let new: Vec<EntryIndex> = found.into_iter().filter(|index| !rows.contains(index)).collect();
        rows.extend(new);
    }
    let alone = snapshot.reclaimable_per_entry();
    if arguments.json {
        if !rows.is_empty() || unknown.is_none() {
            print_json(snapshot, &rows, &alone, view, writer)?;
        }
    } else {
        for (position, index) in rows.iter().enumerate() {
            if position > 0 {
                writeln!(writer)?;
            }
            explain(snapshot, *index, alone[index.position()], view, writer)?;
        }
        if !rows.is_empty() {
            print_unseen(snapshot, view, writer)?;
        }
    }
    unknown.map_or(Ok(()), Err)
}

fn print_unseen(snapshot: &Snapshot, view: &View, writer: &mut dyn Write) -> io::Result<()> {
    let something = !words::unseen(snapshot).is_empty() || !snapshot.problems.is_empty();
    if something && !view.quiet {
        writeln!(writer)?;
    }
    summary::print(snapshot, &[], Unseen::Matters, view, writer)
}

fn print_json(
    snapshot: &Snapshot,
    rows: &[EntryIndex],
    alone: &[Reclaimable],
    view: &View,
    writer: &mut dyn Write,
) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct Body<Entries: Serialize> {
        entries: Entries,
    }
    let entries = Rows(|| rows.iter().map(|index| Answer::new(snapshot, *index, alone, view)));
    json::write(snapshot, Body { entries }, view, writer)?;
    Ok(())
}

/// An entry, and what `why` knows besides.
#[derive(Serialize)]
struct Answer<'a> {
    #[serde(flatten)]
    entry: EntryRow<'a>,
    why: String,
    together: TogetherRow<'a>,
}

/// What deleting the entry gives back together with everybody known who holds a part of it.
#[derive(Serialize)]
struct TogetherRow<'a> {
    entries: Vec<EntryBrief<'a>>,
    environments: Vec<PathRow<'a>>,
    reclaimable: u64,
    certainty: &'static str,
}

#[derive(Serialize)]
struct EntryBrief<'a> {
    id: std::borrow::Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_bytes: Option<Bytes<'a>>,
    bucket: &'a str,
}

#[derive(Serialize)]
struct PathRow<'a> {
    path: std::borrow::Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_bytes: Option<Bytes<'a>>,
}

impl<'a> Answer<'a> {
    fn new(snapshot: &'a Snapshot, index: EntryIndex, alone: &[Reclaimable], view: &View) -> Self {
        let together = together(snapshot, index);
        Self {
            entry: EntryRow::new(snapshot, index, alone[index.position()]),
            why: reason(snapshot, index, view),
            together: TogetherRow {
                entries: together
                    .entries
                    .iter()
                    .map(|other| {
                        let key = &snapshot.entry(*other).key;
                        let (id, id_bytes) = lossless(&key.id);
                        EntryBrief { id, id_bytes, bucket: &key.bucket }
                    })
                    .collect(),
                environments: together
                    .environments
                    .iter()
                    .map(|index| {
                        let (path, path_bytes) = lossless(&snapshot.environment(*index).path);
                        PathRow { path, path_bytes }
                    })
                    .collect(),
                reclaimable: together.back.bytes,
                certainty: together.back.certainty.word(),
            },
        }
    }
}

fn explain(
    snapshot: &Snapshot,
    index: EntryIndex,
    alone: Reclaimable,
    view: &View,
    writer: &mut dyn Write,
) -> io::Result<()> {
    let entry = snapshot.entry(index);
    let state = view.painted(words::state_paint(entry.state), entry.state.word());
    writeln!(writer, "{} is {state}", view.painted(Paint::Strong, &words::title(entry)))?;
    writeln!(writer, "{}", view.wrapped(&reason(snapshot, index, view)))?;
    writeln!(writer)?;
    print_facts(snapshot, index, alone, view, writer)?;
    print_users(snapshot, index, view, writer)?;
    print_pointers(snapshot, entry, view, writer)
}

/// What it is, where from, how large and how old it is, its links, and what deleting it gives back.
fn print_facts(
    snapshot: &Snapshot,
    index: EntryIndex,
    alone: Reclaimable,
    view: &View,
    writer: &mut dyn Write,
) -> io::Result<()> {
    let entry = snapshot.entry(index);
    let mut fact = |key: &str, value: String| -> io::Result<()> {
        let key = view.painted(Paint::Faint, &format!("{key:<11}"));
        writeln!(writer, "  {key} {}", view.behind(&value, 14))
    };
    let tags: Vec<String> = entry.tags.iter().map(|tag| human::escape(tag).into_owned()).collect();
    let tags = if tags.is_empty() { String::new() } else { format!(" · {}", tags.join(" ")) };
    fact("what", format!("{}{tags}", entry.kind.word()))?;
    fact("where", words::key(entry))?;
    fact("from", words::source(&entry.source))?;
    let least = if entry.unread { "at least " } else { "" };
    fact(
        "size",
        format!(
            "{least}{} on disk in {}, {} shared with others",
            human::bytes(entry.disk),
            human::counted(entry.files, "file", "files"),
            human::bytes(entry.shared)
        ),
    )?;
    if let Some(created) = entry.created {
        fact("created", human::ago(created, view.now))?;
    }
    if let Some(last) = entry.last_use {
        fact("last used", last.in_words(view.now))?;
    }
    if entry.modified > 0 {
        let files = human::counted(entry.modified, "file differs", "files differ");
        fact("modified", view.painted(Paint::Bad, &format!("{files} from RECORD")))?;
    }
    fact("links", links(entry))?;
    fact("frees", gives_back(snapshot, index, alone, view))
}

fn links(entry: &Entry) -> String {
    let links = entry.links;
    let mut text = match links.external {
        0 => "none from outside the cache".to_owned(),
        external => format!(
            "{} from outside the cache, {} found in environments, {} unexplained",
            human::count(external),
            human::count(links.explained),
            human::count(links.unexplained)
        ),
    };
    if entry.unexplained_extents > 0 {
        text.push_str("; ");
        text.push_str(&human::counted(entry.unexplained_extents, "file shares", "files share"));
        text.push_str(" extents with something that was not found");
    }
    text
}

fn gives_back(snapshot: &Snapshot, index: EntryIndex, alone: Reclaimable, view: &View) -> String {
    let text = format!("{} when deleted alone", say::frees(alone));
    let Together { entries, environments, store, back } = together(snapshot, index);
    if back.bytes <= alone.bytes {
        return text;
    }
    let mut others: Vec<String> =
        environments.iter().map(|index| view.path(&snapshot.environment(*index).path)).collect();
    others.extend(entries.iter().map(|index| words::title(snapshot.entry(*index))));
    if store {
        others.push("the objects in `files-v*`".to_owned());
    }
    let shown = 4;
    if others.len() > shown && !view.verbose {
        let more = others.len() - (shown - 1);
        others.truncate(shown - 1);
        others.push(format!("{more} more"));
    }
    format!("{text}; {} together with {}", say::frees(back), human::list(&others))
}

fn print_users(
    snapshot: &Snapshot,
    index: EntryIndex,
    view: &View,
    writer: &mut dyn Write,
) -> io::Result<()> {
    let references = snapshot.references_to(index);
    let links = snapshot.user_links_to(index);
    if references.is_empty() && links.is_empty() {
        return Ok(());
    }
    let total = snapshot.entry(index).files;
    let mut table = Table::new(&[
        Column::text("USED BY").fit(Fit::Middle(32)),
        Column::text("AS").fit(Fit::End(10)).spare(2),
        Column::text("MODE"),
        Column::text("FILES"),
        Column::text("EVIDENCE").fit(Fit::End(20)).spare(1),
    ])
    .indented(2);
    for reference in references {
        let environment = snapshot.environment(reference.environment);
        let distribution =
            reference.distribution.and_then(|position| environment.distributions.get(position as usize));
        let used_as = distribution
            .map(|it| format!("{} {}", human::escape(&it.name), human::escape(&it.version)))
            .unwrap_or_default();
        let other = distribution.and_then(|it| it.other_cache.as_deref());
        let mode = match distribution {
            Some(it) if it.other_cache.is_some() || it.linked_elsewhere => it.mode_in_words(),
            _ => LinkMode::of(reference.by).word(),
        };
        let evidence = match other {
            Some(other) => format!("{}; of {}", evidence(reference), view.path(other)),
            None => evidence(reference),
        };
        table.push([
            view.path(&environment.path).into(),
            Cell::or_dash(used_as),
            mode.into(),
            format!("{} of {}", human::count(reference.by.total()), human::count(total)).into(),
            evidence.into(),
        ]);
    }
    for link in links {
        let form = link.form.word();
        table.push([
            view.path(&link.path).into(),
            Cell::or_dash(String::new()),
            form.into(),
            "-".into(),
            form.into(),
        ]);
    }
    writeln!(writer)?;
    table.print(view, writer)
}

/// Each kind of evidence with the number of files behind it, strongest first.
fn evidence(reference: &Reference) -> String {
    let counts = reference.counts;
    let parts: Vec<String> = [
        (counts.inode, "same inode"),
        (counts.symlink, "symlink into it"),
        (counts.extent, "shared extents"),
        (counts.content, "equal content"),
    ]
    .iter()
    .filter(|(files, _)| *files > 0)
    .map(|(files, word)| format!("{word} ({})", human::count(*files)))
    .collect();
    if parts.is_empty() { "name and version only".to_owned() } else { parts.join(", ") }
}

fn print_pointers(snapshot: &Snapshot, entry: &Entry, view: &View, writer: &mut dyn Write) -> io::Result<()> {
    if entry.pointers.is_empty() {
        return Ok(());
    }
    let mut table = Table::new(&[
        Column::text("REFERENCED BY").fit(Fit::Middle(32)),
        Column::text("FORM"),
        Column::text("STATE"),
    ])
    .indented(2);
    for index in &entry.pointers {
        let pointer = snapshot.pointer(*index);
        table.push([
            human::escape_os(pointer.path.as_os_str()).as_ref().into(),
            pointer.form.word().into(),
            Cell::painted(words::pointer_paint(pointer.state), pointer.state.word()),
        ]);
    }
    writeln!(writer)?;
    table.print(view, writer)
}

/// Why the entry is kept, or what would remove it, in sentences.
fn reason(snapshot: &Snapshot, index: EntryIndex, view: &View) -> String {
    let users = |wanted: &dyn Fn(&Reference) -> bool| -> Vec<String> {
        let mut paths: Vec<String> = Vec::new();
        for reference in snapshot.references_to(index).iter().filter(|it| wanted(it)) {
            let path = view.path(&snapshot.environment(reference.environment).path);
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
        shortened(paths)
    };
    let linking = users(&|it| it.by.symlink > 0);
    words::reason(snapshot, index, &linking, &users(&|it| it.evidence > Evidence::Name), view)
}

fn shortened(mut paths: Vec<String>) -> Vec<String> {
    if paths.len() > 3 {
        let more = paths.len() - 2;
        paths.truncate(2);
        paths.push(format!("{more} more"));
    }
    paths
}
