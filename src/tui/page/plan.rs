//! The rows of the view of the plan: their words, and their details.

mod detail;

use crate::human;
use crate::plan::{At, Class, Kept, Request, Step, Work};
use crate::tui::model::planning::{Planned, Planning, Row};
use crate::tui::model::suggestion::SuggestionKind;
use crate::tui::theme::Role;

pub(super) use detail::{certain, detail};

/// What stands before a row: what is done to it, or that it stays.
pub(in crate::tui) fn planned_sign(planning: &Planning, row: usize) -> (&'static str, Role) {
    let (sign, stays) = match planning.rows.get(row) {
        Some(Row::Step(_)) => match planning.step(row).map(|step| &step.work) {
            Some(Work::Relink(_)) => ("relink", "leave"),
            Some(Work::Repair(_) | Work::Link(_)) => ("repair", "leave"),
            Some(Work::Detach(_)) => ("keep", "leave"),
            Some(Work::Remove(_)) | None => ("remove", "leave"),
        },
        Some(Row::Kept(_)) if planning.kept(row).is_some_and(|kept| kept.cause().is_some()) => {
            return ("stays", Role::Error);
        }
        Some(Row::Kept(_)) => return ("kept", Role::Held),
        Some(Row::Run(_)) => return ("trash", Role::Unused),
        Some(Row::Return) => return ("plan", Role::Strong),
        Some(Row::Class(_) | Row::Suggestion(_)) | None => return ("", Role::Dim),
    };
    if planning.is_in(row) { (sign, Role::Strong) } else { (stays, Role::Dim) }
}

/// What a row is about. Escaped.
pub(in crate::tui) fn planned_name(planning: &Planning, row: usize) -> String {
    let name = match planning.rows.get(row) {
        Some(Row::Class(class)) => Some(Class::ALL[*class].word().replace('-', " ")),
        Some(Row::Suggestion(place)) => Some(suggestion_title(planning.suggestions[*place].kind).to_owned()),
        Some(Row::Return) => planning.made().map(|plan| format!("the plan to {}", plan.request.verb())),
        Some(Row::Run(run)) => {
            let run = &planning.trash[*run].run;
            Some(match run.time() {
                Some(time) => format!("of {}", time.strftime("%Y-%m-%d %H:%M:%S UTC")),
                None => human::escape_os(run.name()).into_owned(),
            })
        }
        Some(Row::Step(_)) => planning.step(row).map(|step| step_title(planning, step)),
        Some(Row::Kept(_)) => planning.kept(row).map(|Kept { name, version, at, .. }| {
            labelled(planning, title(planning, name.as_deref(), version.as_deref(), at), at)
        }),
        None => None,
    };
    name.unwrap_or_default()
}

/// What a row gives back, in bytes; nothing for what is about something else than bytes.
pub(in crate::tui) fn planned_bytes(planning: &Planning, row: usize) -> Option<u64> {
    match planning.rows.get(row)? {
        Row::Class(class) => Some(planning.classes[*class].totals.bytes.reclaimable),
        Row::Suggestion(place) => Some(planning.suggestions[*place].frees).filter(|frees| *frees > 0),
        Row::Step(_) => {
            planning.step(row).filter(|step| !step.is_repair()).map(|step| step.bytes.reclaimable)
        }
        Row::Return => {
            let plan = planning.chosen().filter(|plan| !matches!(plan.request, Request::Repair(_)));
            plan.map(|plan| plan.totals.bytes.reclaimable)
        }
        Row::Kept(_) | Row::Run(_) => None,
    }
}

/// Why a row is there. Escaped.
pub(in crate::tui) fn planned_why(planning: &Planning, row: usize) -> String {
    let why = match planning.rows.get(row) {
        Some(Row::Class(class)) => {
            let sums = &planning.classes[*class];
            if !sums.unused.is_empty() {
                return human::escape(&format!("{}. {}", sums.unused, Class::ALL[*class].sentence()))
                    .into_owned();
            }
            let number = match sums.totals.steps {
                0 => "none".to_owned(),
                steps => human::count(steps),
            };
            let kept = if sums.kept.is_empty() { String::new() } else { format!("; kept: {}", sums.kept) };
            Some(format!("{number}{kept}. {}", Class::ALL[*class].sentence()))
        }
        Some(Row::Suggestion(place)) => {
            let suggestion = &planning.suggestions[*place];
            Some(format!("{}. {}", suggestion.sentence, suggestion_about(suggestion.kind)))
        }
        Some(Row::Return) => planning.chosen().map(|plan| {
            let steps = human::counted(plan.totals.steps, "step", "steps");
            format!("{steps}, kept as you left it. Enter returns to it.")
        }),
        Some(Row::Run(run)) => {
            let purging = planning.trash[*run].run.is_purging();
            let words = if purging {
                "being emptied, or left like this by a crash"
            } else {
                "can be put back, or emptied for good"
            };
            Some(words.to_owned())
        }
        Some(Row::Step(_)) => planning.step(row).map(|step| why_step(planning, step)),
        Some(Row::Kept(_)) => {
            planning.kept(row).map(|kept| format!("{}{}", unseen(planning, &kept.at), kept.reason))
        }
        None => None,
    };
    human::escape(&why.unwrap_or_default()).into_owned()
}

/// Why a step is in the plan. Not escaped.
fn why_step(planning: &Planning, step: &Step) -> String {
    let (unseen, reason) = (unseen(planning, &step.at), &step.reason);
    match &step.work {
        Work::Remove(work) => {
            // On the screen nothing is named: it is marked.
            let reason = reason.replacen("you named it", "you marked it", 1);
            format!("{unseen}{reason}; {}", work.price.words())
        }
        Work::Relink(_) => format!("{unseen}{reason}{}", inside(planning, &step.at)),
        Work::Repair(_) => {
            let files = human::counted(step.bytes.files, "file", "files");
            format!("{unseen}{reason}: {files}{}", inside(planning, &step.at))
        }
        Work::Link(_) => format!("{reason}: link {}", step.at.text()),
        Work::Detach(_) => reason.clone(),
    }
}

/// Where a row was marked that was out of sight when the plan was made.
fn unseen(planning: &Planning, at: &At) -> String {
    planning.unseen(at).map_or(String::new(), |words| format!("{words}; "))
}

/// Which environment a row is about, where the title does not say so for all of them.
fn inside(planning: &Planning, root: &At) -> String {
    if planning.environment.is_some() { String::new() } else { format!(", in {}", root.text()) }
}

/// The package that a row is about and its version, where it is about one. Escaped.
pub(in crate::tui) fn planned_package(planning: &Planning, row: usize) -> (Option<String>, Option<String>) {
    let (name, version) = match planning.rows.get(row) {
        Some(Row::Step(_)) => planning
            .step(row)
            .filter(|step| step.link().is_none())
            .map_or((None, None), |step| (step.name.as_deref(), step.version.as_deref())),
        Some(Row::Kept(_)) => {
            planning.kept(row).map_or((None, None), |kept| (kept.name.as_deref(), kept.version.as_deref()))
        }
        _ => (None, None),
    };
    let shown = |text: Option<&str>| text.map(|text| human::escape(text).into_owned());
    (shown(name), shown(version))
}

/// What a suggestion is called.
fn suggestion_title(kind: SuggestionKind) -> &'static str {
    match kind {
        SuggestionKind::Repair => "broken environments",
        SuggestionKind::Share => "environments with copies",
        SuggestionKind::RemoveIdle => "idle environments",
    }
}

/// What opening it does.
pub(super) fn suggestion_about(kind: SuggestionKind) -> &'static str {
    match kind {
        SuggestionKind::Repair => "Enter chooses from where they are repaired.",
        SuggestionKind::Share => "Enter plans to link them; edited files stay as they are.",
        SuggestionKind::RemoveIdle => "Enter plans to remove them; nothing is removed before you say so.",
    }
}

/// What the rows are called.
pub(in crate::tui) fn planned_title(planning: &Planning) -> &'static str {
    match planning.made().filter(|_| planning.is_open()) {
        Some(plan) => match plan.request.verb() {
            "repair" => "plan to repair",
            "relink" => "plan to relink",
            "remove" => "plan to remove",
            "detach" => "plan to detach",
            _ => "plan to prune",
        },
        None => "clean up",
    }
}

/// What a step to remove something is about. Escaped.
pub(super) fn step_title(planning: &Planning, step: &Step) -> String {
    labelled(planning, title(planning, step.name.as_deref(), step.version.as_deref(), &step.at), &step.at)
}

/// A title with what tells it from another of its name and version.
fn labelled(planning: &Planning, title: String, at: &At) -> String {
    match planning.label_of(at) {
        Some(label) => format!("{title} ({label})"),
        None => title,
    }
}

fn title(planning: &Planning, name: Option<&str>, version: Option<&str>, at: &At) -> String {
    let text = match (name, version) {
        (Some(name), Some(version)) => format!("{name} {version}"),
        (Some(name), None) => name.to_owned(),
        _ => return human::path(&at.path(), planning.home.as_deref()),
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
