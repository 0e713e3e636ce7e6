//! Scanning, relinking and mending under attack.

use cachetui::apply::{State, relink, repair as mend};
use cachetui::control::{Cancel, Progress};
use cachetui::lock::{CacheShared, EnvironmentExclusive, Sign, Waiting};
use cachetui::plan::Repair;
use cachetui::plan::repair::repair as plan_repair;
use cachetui::plan::{At, Class, Plan, Prune, Relink, Request, plan};
use cachetui::scan::repair::{Request as Gathering, gather};
use cachetui::snapshot::Mode;

use super::{Arena, FEW, Ground, MANY, Rounds, USED, in_cache, same, unpacked};
use crate::support::made::{Made, SITE};

/// Directories on the way to the files of the environment, and to those of its entry.
fn places() -> Vec<(std::path::PathBuf, std::path::PathBuf)> {
    same(&[
        "code/app",
        "code/app/.venv",
        "code/app/.venv/lib",
        "code/app/.venv/lib/python3.11/site-packages",
        "code/app/.venv/lib/python3.11/site-packages/delta",
        "code/app/.venv/lib/python3.11/site-packages/delta/inner",
        "code/app/.venv/lib/python3.11/site-packages/delta-1.0.dist-info",
        "cache/archive-v0",
        "cache/archive-v0/Delta67890123456",
        "cache/archive-v0/Delta67890123456/delta/inner",
    ])
}

/// Calls something with the locks of the cache and of the environment.
fn locked<Answer>(
    ground: &Ground,
    work: impl FnOnce(&EnvironmentExclusive<'_>, &CacheShared) -> Answer,
) -> Option<Answer> {
    let cache = CacheShared::acquire(ground.made.cache(), None, &Waiting::Never).unwrap();
    let root = ground.made.environment("app");
    let lock = EnvironmentExclusive::acquire(&root, Sign::PyvenvCfg, &cache, None, &Waiting::Never).ok()?;
    Some(work(&lock, &cache))
}

fn plan_relink(ground: &Ground, mode: Mode) -> Plan {
    let environments = vec![At::new(&ground.made.environment("app"))];
    let request = Relink { environments, mode, packages: vec!["delta".to_owned()] };
    let plan = plan(&ground.made.scan(), &Request::Relink(request));
    assert_eq!(plan.steps.len(), 1, "{:#?}", plan.kept);
    plan
}

fn apply_relink(ground: &Ground, plan: &Plan) -> (bool, bool) {
    let (cancel, progress) = (Cancel::default(), Progress::default());
    let outcomes = locked(ground, |lock, cache| relink(plan, lock, cache, &cancel, &progress));
    let Some([outcome]) = outcomes.as_deref() else { return (false, true) };
    (outcome.made.total() > 0, outcome.state != State::Done)
}

fn relinks(rounds: Rounds) {
    let arena = Arena::new();
    let prepare = |ground: &Ground, number: u64| {
        // From a copy to a link, or from links to copies.
        if number.is_multiple_of(3) {
            let (done, _) = apply_relink(ground, &plan_relink(ground, Mode::Symlink));
            assert!(done);
            plan_relink(ground, Mode::Copy)
        } else {
            plan_relink(ground, [Mode::Hardlink, Mode::Symlink][usize::from(number % 3 == 2)])
        }
    };
    let check = |ground: &Ground, _: &Plan, when: &str| {
        ground.environment_is_whole(when);
        // What was begun and kept from its end goes with the next run.
        let mode = Mode::Hardlink;
        let environments = vec![At::new(&ground.made.environment("app"))];
        let request = Relink { environments, mode, packages: vec!["delta".to_owned()] };
        let again = plan(&ground.made.scan(), &Request::Relink(request));
        if !again.steps.is_empty() {
            let (_, kept) = apply_relink(ground, &again);
            assert!(!kept, "{when}: the next run is done");
            assert_eq!(ground.temporaries(), [] as [std::path::PathBuf; 0], "{when}");
            ground.environment_is_whole(when);
        }
    };
    arena.attack("relink", &places(), rounds, prepare, apply_relink, check);
}

fn mends(rounds: Rounds) {
    let arena = Arena::new();
    let request = |number: u64| Repair {
        link_mode: Some([Mode::Hardlink, Mode::Copy, Mode::Symlink][usize::try_from(number % 3).unwrap()]),
        ..Repair::default()
    };
    let plan = |ground: &Ground, number: u64| {
        let snapshot = ground.made.scan();
        let root = ground.made.environment("app");
        let environments = [snapshot.find_environment(&root).unwrap()];
        let gathering = Gathering {
            snapshot: &snapshot,
            environments: &environments,
            caches: &[ground.made.cache().to_owned()],
            dead_links: &[],
            links: false,
            outline: false,
            hashed: &cachetui::scan::repair::Hashed::default(),
            threads: 1,
        };
        plan_repair(&gather(&gathering, &Cancel::default()), &request(number))
    };
    let apply = |ground: &Ground, plan: &cachetui::plan::Plan| {
        let (cancel, progress) = (Cancel::default(), Progress::default());
        let outcomes = locked(ground, |lock, cache| {
            // The locks go with the caller, not with the work.
            mend::link(&plan.steps, lock, std::slice::from_ref(cache), true, &cancel, &progress)
        });
        let outcomes = outcomes.unwrap_or_default();
        let done = outcomes.iter().any(|outcome| outcome.made.total() > 0);
        (done, outcomes.iter().any(|outcome| outcome.state != State::Done) || outcomes.is_empty())
    };
    let prepare = |ground: &Ground, number: u64| {
        let site = ground.made.environment("app").join(SITE);
        std::fs::remove_file(site.join("delta/core.py")).unwrap();
        let dead = site.join("delta/inner/more.py");
        std::fs::remove_file(&dead).unwrap();
        std::os::unix::fs::symlink("/nowhere/archive-v0/Delta67890123456/delta/inner/more.py", dead).unwrap();
        let plan = plan(ground, number);
        assert_eq!(plan.totals.bytes.files, 2, "{plan:#?}");
        plan
    };
    let check = |ground: &Ground, _: &_, when: &str| {
        let again = plan(ground, 0);
        if !again.steps.is_empty() {
            let (_, kept) = apply(ground, &again);
            assert!(!kept, "{when}: the next run is done");
        }
        ground.environment_is_whole(when);
    };
    arena.attack("repair", &places(), rounds, prepare, apply, check);
}

/// What a scan sees meanwhile may be wrong; a plan made of that harms nobody.
fn scans(rounds: Rounds) {
    let arena = Arena::new();
    // An environment that is out of its place while the scan passes is not there for it, as if it came afterwards.
    let inside = |(place, _): &(std::path::PathBuf, _)| place.components().count() > 3;
    let places: Vec<_> = in_cache().into_iter().chain(places().into_iter().filter(inside)).collect();
    let seen = std::cell::RefCell::new(None);
    let run = |ground: &Ground, (): &()| {
        let snapshot = ground.made.scan();
        let kept = !snapshot.problems.is_empty() || snapshot.entries.len() < 4;
        *seen.borrow_mut() = Some(snapshot);
        (!kept, kept)
    };
    let check = |ground: &Ground, (): &(), when: &str| {
        let snapshot = seen.take().unwrap();
        let before = ground.inodes();
        let request = Prune { classes: [Class::Unused, Class::Unreferenced].into(), ..Prune::default() };
        let plan = plan(&snapshot, &Request::Prune(request));
        let lock = ground.lock();
        let changed = cachetui::apply::check::changed(ground.made.cache(), &plan);
        drop(lock);
        if changed.is_empty() {
            let committed = ground.prune(&plan).unwrap();
            for (step, outcome) in plan.steps.iter().zip(&committed.outcomes) {
                let uses = USED.iter().any(|what| step.at.text().ends_with(&unpacked(*what).id));
                assert!(!uses || outcome.state != State::Done, "{when}: {step:#?}");
            }
        }
        assert!(before.is_subset(&ground.inodes()), "{when}: files are lost");
        ground.nothing_dangles(when);
        ground.environment_is_whole(when);
        arena.victim_is_untouched(when);
    };
    arena.attack("scan", &places, rounds, |_, _| (), run, check);
}

#[test]
fn relinking_touches_nothing_behind_a_symlink() {
    relinks(FEW);
}

#[test]
fn mending_touches_nothing_behind_a_symlink() {
    mends(FEW);
}

#[test]
fn a_scan_that_is_led_astray_leads_to_no_harm() {
    scans(FEW);
}

/// The same as a swap at the worst moment, without a race: the environment is bare for the scan alone.
#[test]
fn an_environment_whose_distributions_come_back_after_the_scan_keeps_what_it_uses() {
    let base = tempfile::tempdir().unwrap();
    let made = Made::new(&base.path().join("ground"));
    let used = unpacked(USED[0]);
    made.unpack(&used);
    let root = made.venv("app");
    made.install("app", &used, Mode::Symlink);
    let (lib, away) = (root.join("lib"), base.path().join("away"));
    std::fs::rename(&lib, &away).unwrap();
    let request = Prune { classes: [Class::Unused, Class::Unreferenced].into(), ..Prune::default() };
    let plan = plan(&made.scan(), &Request::Prune(request));
    let planned = plan.steps.iter().any(|step| step.at.text().ends_with(&used.id));
    assert!(planned, "nobody is seen to use it: {plan:#?}");
    let changed = || {
        let changed = cachetui::apply::check::changed(made.cache(), &plan);
        changed.iter().map(|it| it.path().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(changed(), Vec::<std::path::PathBuf>::new());
    std::fs::rename(&away, &lib).unwrap();
    assert_eq!(changed(), [root]);
}

#[test]
#[ignore = "some minutes: a thousand runs at each directory"]
fn changes_touch_nothing_behind_a_symlink_at_length() {
    relinks(MANY);
    mends(MANY);
    scans(MANY);
}
