//! The rows of the view of the plan: their words, and their details.

mod detail;

use crate::human;
use crate::plan::{At, Class, Kept, Step};
use crate::tui::model::planning::{Made, Planned, Planning, Row};
use crate::tui::theme::Role;

pub(super) use detail::{certain, detail};

/// What stands before a row: what is done to it, or that it stays.
pub(in crate::tui) fn planned_sign(planning: &Planning, row: usize) -> (&'static str, Role) {
    let (sign, stays) = match planning.rows.get(row) {
        Some(Row::Step(_)) => ("remove", "leave"),
        Some(Row::Relink(_)) => ("relink", "leave"),
        Some(Row::Mend(_) | Row::Link(_)) => ("repair", "leave"),
        Some(Row::Kept(_)) => return ("kept", Role::Held),
        Some(Row::Left(_)) => return ("stays", Role::Error),
        Some(Row::Run(_)) => return ("trash", Role::Unused),
        Some(Row::Class(_)) | None => return ("", Role::Dim),
    };
    if planning.is_in(row) { (sign, Role::Strong) } else { (stays, Role::Dim) }
}

/// What a row is about. Escaped.
pub(in crate::tui) fn planned_name(planning: &Planning, row: usize) -> String {
    let name = match planning.rows.get(row) {
        Some(Row::Class(class)) => Some(Class::ALL[*class].word().replace('-', " ")),
        Some(Row::Run(run)) => {
            let run = &planning.trash[*run];
            Some(match run.time() {
                Some(time) => format!("of {}", time.strftime("%Y-%m-%d %H:%M:%S UTC")),
                None => human::escape_os(run.name()).into_owned(),
            })
        }
        Some(Row::Step(step)) => planning.changes().map(|plan| step_title(&plan.steps[*step])),
        Some(Row::Relink(step)) => planning.changes().map(|plan| {
            let step = &plan.relinks[*step];
            title(Some(&step.name), Some(&step.version), step.at.text())
        }),
        Some(Row::Mend(step)) => planning.repair().map(|plan| {
            let step = &plan.steps[*step];
            title(Some(&step.name), Some(&step.version), step.at.text())
        }),
        Some(Row::Link(link)) => planning.repair().map(|plan| {
            let link = &plan.links[*link];
            title(link.name.as_deref(), link.version.as_deref(), link.at.text())
        }),
        Some(Row::Kept(kept)) => planning.changes().map(|plan| {
            let Kept { name, version, at, .. } = &plan.kept[*kept];
            title(name.as_deref(), version.as_deref(), at.text())
        }),
        Some(Row::Left(left)) => planning.repair().map(|plan| {
            let left = &plan.kept[*left];
            title(left.name.as_deref(), left.version.as_deref(), left.at.text())
        }),
        None => None,
    };
    name.unwrap_or_default()
}

/// What a row gives back, in bytes; nothing for what is about something else than bytes.
pub(in crate::tui) fn planned_bytes(planning: &Planning, row: usize) -> Option<u64> {
    match planning.rows.get(row)? {
        Row::Class(class) => Some(planning.classes[*class].totals.bytes.reclaimable),
        Row::Step(step) => Some(planning.changes()?.steps[*step].bytes.reclaimable),
        Row::Relink(step) => Some(planning.changes()?.relinks[*step].bytes.reclaimable),
        Row::Mend(_) | Row::Link(_) | Row::Kept(_) | Row::Left(_) | Row::Run(_) => None,
    }
}

/// Why a row is there. Escaped.
pub(in crate::tui) fn planned_why(planning: &Planning, row: usize) -> String {
    let why = match planning.rows.get(row) {
        Some(Row::Class(class)) => {
            let sums = &planning.classes[*class];
            let number = match sums.totals.steps {
                0 => "none".to_owned(),
                steps => human::count(steps),
            };
            let kept = if sums.kept.is_empty() { String::new() } else { format!("; kept: {}", sums.kept) };
            Some(format!("{number}{kept}. {}", Class::ALL[*class].sentence()))
        }
        Some(Row::Run(run)) => {
            let purging = planning.trash[*run].is_purging();
            let words = if purging {
                "being emptied, or left so by a crash"
            } else {
                "can be put back, or emptied for good"
            };
            Some(words.to_owned())
        }
        Some(Row::Step(step)) => planning.changes().map(|plan| {
            let step = &plan.steps[*step];
            format!("{}; {}", step.reason, step.price.words())
        }),
        Some(Row::Relink(step)) => planning.changes().map(|plan| {
            let step = &plan.relinks[*step];
            format!("{}{}", step.reason, inside(planning, &step.at))
        }),
        Some(Row::Mend(step)) => planning.repair().map(|plan| {
            let step = &plan.steps[*step];
            let files = human::counted(step.bytes.files, "file", "files");
            format!("{}: {files}{}", step.reason, inside(planning, &step.at))
        }),
        Some(Row::Link(link)) => planning.repair().map(|plan| {
            let link = &plan.links[*link];
            format!("{}: link {}", link.reason, link.at.text())
        }),
        Some(Row::Kept(kept)) => planning.changes().map(|plan| plan.kept[*kept].reason.clone()),
        Some(Row::Left(left)) => planning.repair().map(|plan| plan.kept[*left].reason.clone()),
        None => None,
    };
    human::escape(&why.unwrap_or_default()).into_owned()
}

/// Which environment a row is about, where the title does not say so for all of them.
fn inside(planning: &Planning, root: &At) -> String {
    if planning.environment.is_some() { String::new() } else { format!(", in {}", root.text()) }
}

/// What the filter looks at.
pub(in crate::tui) fn planned_text(planning: &Planning, row: usize) -> String {
    let sign = planned_sign(planning, row).0;
    format!("{} {sign} {}", planned_name(planning, row), planned_why(planning, row))
}

/// What the rows are called.
pub(in crate::tui) fn planned_title(planning: &Planning) -> &'static str {
    match planning.made() {
        Some(Made::Repair(_)) => "plan to repair",
        Some(made) if made.verb() == "relink" => "plan to relink",
        Some(_) => "plan to prune",
        None => "what could go",
    }
}

/// What a step to remove something is about. Escaped.
pub(super) fn step_title(step: &Step) -> String {
    title(step.name.as_deref(), step.version.as_deref(), step.at.text())
}

fn title(name: Option<&str>, version: Option<&str>, path: &str) -> String {
    let text = match (name, version) {
        (Some(name), Some(version)) => format!("{name} {version}"),
        (Some(name), None) => name.to_owned(),
        _ => path.to_owned(),
    };
    human::escape(&text).into_owned()
}

/// Whether a row can be opened into a plan.
pub(in crate::tui) fn class_of(planned: &Planned) -> Option<Class> {
    match planned {
        Planned::Class(class) => Some(*class),
        _ => None,
    }
}
