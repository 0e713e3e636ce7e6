//! What each kind of things would give back, when nothing was asked for.

use std::io::Write;

use super::of_class;
use crate::cli::failure::Failure;
use crate::cli::print::json::{
    self,
    plan::{ClassRow, OverviewBody},
};
use crate::cli::print::{Paint, View, plan as shown, words};
use crate::human;
use crate::plan::{Class, Plan, Prune, Request, Unused, kept_in_short, plan};
use crate::say::{self, plan::things};
use crate::snapshot::Snapshot;

/// Prints the kinds, what each would give back, and how to ask for it.
pub(super) fn print(
    snapshot: &Snapshot,
    wanted: &Prune,
    json: bool,
    view: &View,
    writer: &mut dyn Write,
) -> Result<(), Failure> {
    let plans: Vec<(Class, Plan)> =
        Class::ALL.into_iter().map(|class| (class, of_class(snapshot, wanted, class))).collect();
    if json {
        let classes = plans.iter().map(|(class, plan)| ClassRow {
            class: *class,
            sentence: class.sentence(),
            totals: &plan.totals,
            kept: plan.kept.len() as u64,
        });
        json::write(snapshot, OverviewBody { classes: classes.collect() }, view, writer)?;
        return Ok(());
    }
    for (class, plan) in &plans {
        let (paint, what) = if plan.is_empty() {
            (Paint::Faint, "nothing".to_owned())
        } else {
            (Paint::Strong, format!("{}, frees {}", things(plan), shown::back(&plan.totals)))
        };
        let flag = format!("{:<22}", format!("--{}", class.word()));
        writeln!(writer, "{}{what}", view.painted(paint, &flag))?;
        let unused = (*class == Class::Unused).then(|| Unused::by(snapshot, plan)).flatten();
        let text = match (unused, kept_in_short(&plan.kept)) {
            (Some(unused), _) => {
                let unused = say::unused::in_words(&unused);
                format!("{} {}.", class.sentence(), human::capitalized(&unused))
            }
            (None, kept) if kept.is_empty() => class.sentence().to_owned(),
            (None, kept) => format!("{} Kept: {kept}.", class.sentence()),
        };
        writeln!(writer, "{}", view.painted(Paint::Faint, &view.indented(&text, 4)))?;
    }
    if view.quiet {
        return Ok(());
    }
    let all = Prune { classes: Class::ALL.into_iter().collect(), ..wanted.clone() };
    let all = plan(snapshot, &Request::Prune(all));
    writeln!(writer)?;
    let text = if all.is_empty() {
        match shown::kept_for_youth(&all.kept) {
            0 => "Nothing can go.".to_owned(),
            young => format!(
                "Nothing can go yet: {} changed too recently; `--grace 0h` counts them too.",
                human::counted(young, "thing", "things")
            ),
        }
    } else {
        format!("All of it together: {}, frees {}.", things(&all), shown::back(&all.totals))
    };
    writeln!(writer, "{}", view.wrapped(&text))?;
    // The same number as below a plan: what uvx and scripts left in the cache is not an environment of a project.
    let found = human::counted(all.scope.environments, "environment", "environments");
    let left = (snapshot.environments.len() as u64).saturating_sub(all.scope.environments);
    let left = match left {
        0 => String::new(),
        left => format!(", and {} that uvx and scripts left in the cache", human::count(left)),
    };
    let text = format!("Searched for users {}; {found} found{left}.", words::searched(&snapshot.scope, view));
    writeln!(writer, "{}", view.wrapped(&text))?;
    for sentence in words::unseen(snapshot) {
        writeln!(writer, "{}", view.painted(Paint::Notice, &view.wrapped(&sentence)))?;
    }
    let text = "Ask for what should go by its flag, and add `--dry-run` to see each thing and why: `cachetui prune \
                --unused --older-than 30d --dry-run`. Names and limits as `--max-size 20G` do as well: `cachetui prune \
                --help`.";
    writeln!(writer, "{}", view.wrapped(text))?;
    Ok(())
}
