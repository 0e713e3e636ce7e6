//! What is said before something is done, with the two answers.

use std::collections::{BTreeMap, BTreeSet};

use crate::apply::Run;
use crate::human;
use crate::lock::{State as LockState, of_cache};
use crate::plan::{At, KeptBecause, Plan, Request, Step, kept_in_short};
use crate::say::plan::{called, things, things_of};
use crate::snapshot::Mode;
use crate::tui::model::Model;
use crate::tui::model::page::{Document, PageLine, Target};
use crate::tui::model::task::{Answer, Question};
use crate::tui::text::piece;
use crate::tui::theme::Role;

use super::plan::{certain, step_title};
use super::{fact, fact_path, gap, paragraph, push};

/// What a question says, and its answers.
pub(super) fn question(model: &Model, question: &Question, answer: Answer, width: usize) -> Document {
    let mut document = Document::default();
    let deed = deed(model, question);
    document.title = format!("{}?", human::capitalized(&deed));
    match question {
        Question::Apply => {
            if let Some(plan) = model.facts.planning.chosen() {
                match plan.request {
                    Request::Relink(_) => relink(model, &mut document, &plan, width),
                    Request::Repair(_) => repair(model, &mut document, &plan, width),
                    Request::Detach(_) => detach(model, &mut document, &plan, width),
                    Request::Prune(_) | Request::Remove(_) | Request::Gc(_) => {
                        prune(model, &mut document, &plan, width);
                    }
                }
            }
        }
        Question::Detach(plan) => {
            detach(model, &mut document, plan, width);
        }
        Question::Sure(typed) => {
            if let Some(plan) = model.facts.planning.made() {
                for caution in plan.refused() {
                    paragraph(&mut document, &human::escape(&caution.text), Role::Warning, width);
                    gap(&mut document);
                }
            }
            // What has to be typed for a plan that calls for a second look.
            let sure = model.facts.planning.made().map_or("", |plan| plan.request.verb());
            let words = format!(
                "To do it all the same, type {sure} and press Enter. Esc leaves everything as it is."
            );
            paragraph(&mut document, &words, Role::Text, width);
            gap(&mut document);
            let typed = format!(" {}{}", human::escape(typed), model.settings.glyphs.caret());
            push(&mut document, vec![piece(typed, Role::Key)]);
            return document;
        }
        Question::Undo(whole) => {
            let words = format!(
                "What was removed at {} goes back to its place, except what uv has made again since.",
                when(&whole.run)
            );
            paragraph(&mut document, &words, Role::Text, width);
            lock(model, &mut document, width);
        }
        Question::Purge(runs) => {
            let environments: u64 = runs.iter().map(|whole| whole.environments).sum();
            let runs = human::counted(runs.len() as u64, "run", "runs");
            let words = format!("What {runs} moved to the trash cannot be put back afterwards.");
            paragraph(&mut document, &words, Role::Warning, width);
            if let Some(trash) = model.snapshot().cache.trash() {
                gap(&mut document);
                let files = human::counted(trash.files, "file", "files");
                let size = format!("{}, {files}", human::bytes(trash.disk));
                fact(&mut document, "in it", &size, Role::Text, width);
                let frees = model.snapshot().cache.trash_gives();
                let sure = if frees == trash.disk { "" } else { "at least " };
                fact(&mut document, "frees", &format!("{sure}{}", human::bytes(frees)), Role::Strong, width);
            }
            if environments > 0 {
                let number = human::counted(environments, "environment", "environments");
                fact(
                    &mut document,
                    "besides",
                    &format!("{number}, in the trash beside them"),
                    Role::Text,
                    width,
                );
            }
            lock(model, &mut document, width);
        }
        Question::Quit => {
            let words =
                "A task is running. It is stopped after the step it is at, and nothing is left half done.";
            paragraph(&mut document, words, Role::Text, width);
        }
    }
    let head = document.lines.len();
    gap(&mut document);
    let answers = [(Answer::No, "n", "cancel: nothing is changed".to_owned()), (Answer::Yes, "y", deed)];
    for (this, key, words) in answers {
        let focused = this == answer;
        let sign = if focused { model.settings.glyphs.opens() } else { " " };
        document.lines.push(PageLine {
            line: vec![
                piece(format!(" {sign} "), Role::Key),
                piece(format!("{key}  "), Role::Key),
                piece(words, if focused { Role::Strong } else { Role::Text }),
            ],
            target: Some(Target::Answer(this)),
            copy: None,
        });
    }
    // However long the list is, what it is asked about stays in sight.
    document.foot = document.lines.len() - head;
    document
}

/// What a question asks to do, as its button says it: the act, its object, its bytes. Escaped.
pub(in crate::tui) fn deed(model: &Model, question: &Question) -> String {
    match question {
        Question::Apply | Question::Sure(_) => {
            model.facts.planning.chosen().map_or(String::new(), |made| of_plan(&made))
        }
        Question::Detach(plan) => of_plan(plan),
        Question::Undo(whole) => format!("put back what was removed at {}", when(&whole.run)),
        Question::Purge(runs) => {
            let runs = human::counted(runs.len() as u64, "run", "runs");
            let trash = model.snapshot().cache.trash();
            let bytes = trash.map_or(String::new(), |trash| format!(" ({})", human::bytes(trash.disk)));
            format!("delete {runs} in the trash{bytes} for good")
        }
        Question::Quit => "stop the task and quit".to_owned(),
    }
}

/// What carrying out a plan does.
fn of_plan(plan: &Plan) -> String {
    let files = human::counted(plan.totals.bytes.files, "file", "files");
    match plan.request {
        Request::Prune(_) | Request::Remove(_) | Request::Gc(_) => {
            let frees = certain(plan.totals.bytes.reclaimable, plan.totals.bytes.certainty);
            format!("move {} ({frees}) to the trash", things(plan))
        }
        Request::Relink(_) => {
            let distributions = human::counted(plan.totals.steps, "distribution", "distributions");
            let bytes = plan.totals.bytes;
            let change = if bytes.needed > bytes.reclaimable {
                format!("takes {}", human::bytes(bytes.needed))
            } else {
                format!("frees {}", certain(bytes.reclaimable, bytes.certainty))
            };
            format!("relink {files} of {distributions} ({change})")
        }
        Request::Detach(_) => format!("keep {files} in this environment alone"),
        Request::Repair(_) => {
            let links = human::counted(plan.totals.links, "link", "links");
            let bytes = human::bytes(plan.totals.bytes.logical);
            match (plan.totals.links, plan.totals.distributions) {
                (0, _) => format!("repair {files} ({bytes})"),
                (_, 0) => format!("write {links} of the cache again"),
                _ => format!("write {links} of the cache and repair {files} ({bytes})"),
            }
        }
    }
}

/// The act alone, for where room is short.
pub(in crate::tui) fn verb(model: &Model, question: &Question) -> &'static str {
    match question {
        Question::Apply | Question::Sure(_) => match model.facts.planning.made() {
            Some(made) if matches!(made.request.verb(), "prune" | "remove") => "move to the trash",
            Some(made) => made.request.verb(),
            None => "yes",
        },
        Question::Detach(_) => "keep",
        Question::Undo(_) => "put back",
        Question::Purge(_) => "delete for good",
        Question::Quit => "quit",
    }
}

/// When a run was.
fn when(run: &Run) -> String {
    run.time().map_or_else(
        || human::escape_os(run.name()).into_owned(),
        |time| time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
    )
}

/// Names what was marked out of sight when the plan was made, if anything was.
fn out_of_sight<'a>(
    model: &Model,
    document: &mut Document,
    named: impl Iterator<Item = (&'a At, String)>,
    width: usize,
) {
    let planning = &model.facts.planning;
    let mut by_place: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (at, name) in named {
        if let Some(place) = planning.unseen(at) {
            by_place.entry(place).or_default().insert(name);
        }
    }
    for (place, names) in by_place {
        let number = human::count(names.len() as u64);
        let names: Vec<String> = names.into_iter().collect();
        let words = format!("{number} {place}: {}", names.join(", "));
        fact(document, "not shown", &words, Role::Warning, width);
    }
}

fn prune(model: &Model, document: &mut Document, plan: &Plan, width: usize) {
    let totals = &plan.totals;
    let pointers = match totals.pointers {
        0 => String::new(),
        number => format!(" and {} to them", human::counted(number, "pointer", "pointers")),
    };
    let (beside, inside): (Vec<&Step>, Vec<&Step>) = plan.steps.iter().partition(|step| !step.is_in_cache());
    let of = |steps: &[&Step]| things_of(steps.iter().map(|step| step.action));
    let inside = format!("{}{pointers} to the cache's trash", of(&inside));
    let words = match (&*of(&beside), beside.len(), beside.len() == plan.steps.len()) {
        (_, 0, _) => format!("Moves {inside}."),
        (things, 1, true) => format!("Moves {things} to a trash beside it."),
        (things, _, true) => format!("Moves {things} to a trash beside them."),
        (things, 1, false) => format!("Moves {things} to a trash beside it, and {inside}."),
        (things, _, false) => format!("Moves {things} to a trash beside them, and {inside}."),
    };
    paragraph(document, &words, Role::Text, width);
    gap(document);
    let frees = certain(totals.bytes.reclaimable, totals.bytes.certainty);
    fact(document, "frees", &format!("{frees}, once the trash is emptied"), Role::Strong, width);
    if totals.bytes.held > 0 {
        let words = format!("{} more when what holds them goes too", human::bytes(totals.bytes.held));
        fact(document, "later", &words, Role::Held, width);
    }
    let going: BTreeSet<_> = plan.steps.iter().map(|step| &step.at).collect();
    let users = plan.steps.iter().flat_map(Step::users);
    let users: BTreeSet<_> = users.filter(|user| !going.contains(user)).collect();
    if users.is_empty() {
        let other = if beside.is_empty() { "no environment" } else { "no other environment" };
        fact(document, "affects", other, Role::Text, width);
        lock(model, document, width);
    } else {
        affected(model, document, &users, "which goes on working", width);
    }
    if !plan.kept.is_empty() {
        fact(document, "kept", &kept_in_short(&plan.kept), Role::Held, width);
    }
    out_of_sight(
        model,
        document,
        plan.steps.iter().map(|step| (&step.at, step_title(&model.facts.planning, step))),
        width,
    );
    for caution in &plan.cautions {
        gap(document);
        paragraph(document, &human::escape(&caution.text), Role::Warning, width);
    }
    for warning in &plan.warnings {
        gap(document);
        paragraph(document, &human::escape(warning), Role::Warning, width);
    }
    gap(document);
    for step in &plan.steps {
        push(
            document,
            vec![
                piece(format!(" {:>10}  ", human::bytes(step.bytes.reclaimable)), Role::Text),
                piece(step_title(&model.facts.planning, step), Role::Strong),
            ],
        );
    }
}

fn relink(model: &Model, document: &mut Document, plan: &Plan, width: usize) {
    let bytes = plan.totals.bytes;
    let files = human::counted(bytes.files, "file", "files");
    let distributions = human::counted(plan.totals.steps, "distribution", "distributions");
    let mode = plan.relinks().next().map_or("", |(_, work)| match work.mode {
        Mode::Clone if !model.snapshot().cache.reflinks => Mode::Hardlink.word(),
        mode => mode.word(),
    });
    let words = format!("Links {files} of {distributions} by {mode}. Edited files stay as they are.");
    paragraph(document, &words, Role::Text, width);
    gap(document);
    fact(document, "frees", &certain(bytes.reclaimable, bytes.certainty), Role::Strong, width);
    if bytes.needed > 0 {
        fact(document, "takes", &human::bytes(bytes.needed), Role::Warning, width);
    }
    let roots: BTreeSet<_> = plan.steps.iter().map(|step| &step.at).collect();
    affected(model, document, &roots, "which goes on working", width);
    let home = model.settings.home.as_deref();
    out_of_sight(model, document, roots.iter().map(|root| (*root, human::path(&root.path(), home))), width);
    for warning in &plan.warnings {
        gap(document);
        paragraph(document, &human::escape(warning), Role::Warning, width);
    }
    gap(document);
    each(document, plan.steps.iter());
}

fn repair(model: &Model, document: &mut Document, plan: &Plan, width: usize) {
    let totals = plan.totals;
    let files = human::counted(totals.bytes.files, "file", "files");
    let distributions = human::counted(totals.distributions, "distribution", "distributions");
    if totals.links > 0 {
        let links = human::counted(totals.links, "link", "links");
        let words =
            format!("Writes {links} of the cache again, so that uv's prune keeps what pointers beside name.");
        paragraph(document, &words, Role::Text, width);
    }
    if totals.distributions > 0 {
        let words =
            format!("Repairs {files} of {distributions} that are missing or broken links. Whole files stay.");
        paragraph(document, &words, Role::Text, width);
    }
    if totals.fetched > 0 {
        gap(document);
        let fetched = human::counted(totals.fetched, "distribution", "distributions");
        let words = format!(
            "uv is called to fetch {fetched} into the cache, from where its settings say: it may use the network."
        );
        paragraph(document, &words, Role::Warning, width);
    }
    gap(document);
    let roots: BTreeSet<_> = plan.repairs().map(|(step, _)| &step.at).collect();
    if roots.is_empty() {
        lock(model, document, width);
    } else {
        affected(model, document, &roots, "which is broken now", width);
        let home = model.settings.home.as_deref();
        out_of_sight(
            model,
            document,
            roots.iter().map(|root| (*root, human::path(&root.path(), home))),
            width,
        );
    }
    if !plan.kept.is_empty() {
        let words = human::counted(plan.kept.len() as u64, "thing stays broken", "things stay broken");
        fact(document, "left", &words, Role::Warning, width);
    }
    for warning in &plan.warnings {
        gap(document);
        paragraph(document, &human::escape(warning), Role::Warning, width);
    }
    gap(document);
    for (step, work) in plan.links() {
        let path = human::escape(step.at.text()).into_owned();
        push(
            document,
            vec![piece(format!(" {:>12}  ", work.form.word()), Role::Text), piece(path, Role::Strong)],
        );
    }
    each(document, plan.repairs().map(|(step, _)| step));
}

/// Names distributions with the number of files that a plan links of each.
fn each<'a>(document: &mut Document, steps: impl Iterator<Item = &'a Step>) {
    for step in steps {
        let name = called(step.name.as_deref(), step.version.as_deref());
        let name = human::escape(&name).into_owned();
        let files = human::counted(step.bytes.files, "file", "files");
        push(document, vec![piece(format!(" {files:>12}  "), Role::Text), piece(name, Role::Strong)]);
    }
}

fn detach(model: &Model, document: &mut Document, plan: &Plan, width: usize) {
    let home = model.settings.home.as_deref();
    let files = human::counted(plan.totals.steps, "file as it is", "files as they are");
    let words =
        format!("Keeps {files} in this environment alone; the cache and all others get what RECORD states.");
    paragraph(document, &words, Role::Text, width);
    gap(document);
    let roots: BTreeSet<_> = plan.detached().map(|(_, work)| &work.keeps.root).collect();
    for root in roots {
        fact_path(model, document, "keeps", &human::path(&root.path(), home), width);
    }
    let others: BTreeSet<_> = plan.detached().flat_map(|(_, work)| &work.others).map(|it| &it.root).collect();
    for other in others {
        fact_path(model, document, "restores", &human::path(&other.path(), home), width);
    }
    lock(model, document, width);
    gap(document);
    for (_, work) in plan.detached() {
        fact_path(model, document, "file", &human::escape(work.keeps.at.text()), width);
    }
    let is_shared = KeptBecause::Edited { shared: true };
    for kept in plan.kept.iter().filter(|kept| kept.because == is_shared) {
        let words = format!("{}: {}", human::escape(kept.at.text()), human::escape(&kept.reason));
        fact(document, "left alone", &words, Role::Warning, width);
    }
}

/// Which environments are changed, and the lock.
fn affected(model: &Model, document: &mut Document, roots: &BTreeSet<&At>, how: &str, width: usize) {
    if let [one] = roots.iter().collect::<Vec<_>>().as_slice() {
        let path = human::path(&one.path(), model.settings.home.as_deref());
        fact_path(model, document, "affects", &path, width);
        fact(document, "", how, Role::Text, width);
    } else {
        let number = human::counted(roots.len() as u64, "environment", "environments");
        let how = how.replace("which goes", "which go").replace("which is", "which are");
        fact(document, "affects", &format!("{number}, {how}"), Role::Text, width);
    }
    lock(model, document, width);
}

/// Whether the cache's lock is held, and what that means.
fn lock(model: &Model, document: &mut Document, width: usize) {
    let file = of_cache(&model.facts.locks.files);
    let (words, role) = match file.map(|file| (&file.state, file.holders.first())) {
        Some((LockState::Shared | LockState::Exclusive, Some(first))) => {
            (format!("held by {}: it is waited for", super::holder(first)), Role::Warning)
        }
        Some((LockState::Shared | LockState::Exclusive, None)) => {
            ("held: it is waited for".to_owned(), Role::Warning)
        }
        _ => ("free".to_owned(), Role::Text),
    };
    fact(document, "lock", &words, role, width);
}
