//! Plans: what is chosen, what is kept and why, and what must hold of every plan.

use std::collections::BTreeSet;
use std::path::PathBuf;

use cachetui::plan::repair::Command;
use cachetui::plan::{
    Action, Allowance, At, Budget, Class, KeptBecause, Pinned, Plan, Price, Prune, Request, Step, plan,
    relink_first,
};
use cachetui::snapshot::{
    Completeness, Entry, EntryState, Environment, EnvironmentKind, Group, Holder, LastUse, LastUseEvidence,
    Outside, Project, Selection, Snapshot, What,
};

use crate::support::sample;

const DAY: u64 = 86_400;

/// Everything that can be asked for, with the grace period that the program has.
fn all() -> Prune {
    Prune { classes: Class::ALL.into_iter().collect(), grace: DAY, ..Prune::default() }
}

fn only(class: Class) -> Prune {
    Prune { classes: BTreeSet::from([class]), ..all() }
}

fn named(what: &[&str]) -> Prune {
    Prune { classes: BTreeSet::new(), what: what.iter().map(ToString::to_string).collect(), ..all() }
}

fn prune(snapshot: &Snapshot, request: Prune) -> Plan {
    plan(snapshot, &Request::Prune(request))
}

fn removed(plan: &Plan) -> Vec<String> {
    let name = |step: &cachetui::plan::Step| {
        let parts = [step.name.clone(), step.version.clone()];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    };
    plan.steps.iter().map(name).collect()
}

fn because<'a>(plan: &'a Plan, name: &str) -> &'a KeptBecause {
    let kept = plan.kept.iter().find(|kept| kept.name.as_deref() == Some(name));
    &kept.unwrap_or_else(|| panic!("{name} is not among what is kept: {:#?}", plan.kept)).because
}

fn entry<'a>(snapshot: &'a mut Snapshot, what: &str) -> &'a mut Entry {
    let index = What::new(what.as_ref()).find(snapshot)[0];
    &mut snapshot.entries[index.position()]
}

#[test]
fn what_nobody_uses_goes_largest_first_and_what_somebody_holds_stays() {
    let snapshot = sample::presentable();
    let plan = prune(&snapshot, only(Class::Unused));
    insta::assert_snapshot!("prune_unused", removed(&plan).join("\n"));
    for step in &plan.steps {
        let (name, version) = (step.name.as_deref().unwrap(), step.version.as_deref().unwrap());
        let index = What::new(format!("{name}=={version}").as_ref()).find(&snapshot)[0];
        let state = snapshot.entry(index).state;
        assert!(matches!(state, EntryState::Unused | EntryState::Unreferenced), "{name}: {state:?}");
    }
    assert!(matches!(because(&plan, "private-kernels"), KeptBecause::HeldElsewhere { links: 3, .. }));
}

#[test]
fn each_class_takes_its_own() {
    let snapshot = sample::presentable();
    assert_eq!(removed(&prune(&snapshot, only(Class::Unreferenced))), ["leftover 0.1"]);
    let superseded = prune(&snapshot, only(Class::Superseded));
    assert_eq!(removed(&superseded), ["torch 2.7.1", "numpy 1.26.4"]);
    assert_eq!(superseded.steps[0].reason, "no environment uses it, and 2.9.0 is newer");
    let old = Prune { older_than: Some(150 * DAY), ..only(Class::Unused) };
    let plan = prune(&snapshot, old);
    assert_eq!(removed(&plan), ["jaxlib 0.7.2", "numpy 1.26.4", "leftover 0.1"]);
    assert!(matches!(because(&plan, "torch"), KeptBecause::Recent { .. }));
}

#[test]
fn what_cannot_be_had_again_goes_last_and_has_to_be_allowed_by_name() {
    let mut snapshot = sample::presentable();
    let gone = Some(PathBuf::from("/home/me/wheels/jaxlib.whl"));
    let largest = |plan: &Plan| removed(plan)[0].clone();
    let before = prune(&snapshot, only(Class::Unused));
    let name = largest(&before).replace(' ', "==");
    entry(&mut snapshot, &name).source.gone = gone;
    entry(&mut snapshot, &name).last_use = None;
    let what = name.split("==").next().unwrap();
    for unlocated in [false, true] {
        let mut snapshot = snapshot.clone();
        let of = &mut entry(&mut snapshot, &name).source;
        // What nobody knows the place of may be the last copy just as well.
        (of.gone, of.unlocated) = if unlocated { (None, true) } else { (of.gone.clone(), false) };
        let expected = if unlocated { Price::Unknown } else { Price::Gone };
        let plan = prune(&snapshot, only(Class::Unused));
        assert!(
            matches!(because(&plan, what), KeptBecause::LastCopy { gone } if gone.is_none() == unlocated)
        );
        assert_eq!(removed(&plan)[..], removed(&prune(&snapshot, only(Class::Unused)))[..]);
        assert_eq!(removed(&plan).len() + 1, removed(&before).len(), "the rest goes");
        // Named, it is asked about.
        let named = Prune { what: vec![name.clone()], ..only(Class::CrashLeftovers) };
        let plan = prune(&snapshot, named.clone());
        assert_eq!(*plan.steps[0].price(), expected);
        let refused: Vec<Allowance> = plan.refused().map(|caution| caution.allowance).collect();
        assert!(refused.contains(&Allowance::Gone), "{refused:?}");
        let allow = || Allowance::ALL.into_iter().collect();
        assert_eq!(prune(&snapshot, Prune { allow: allow(), ..named }).refused().count(), 0);
        let plan = prune(&snapshot, Prune { allow: allow(), ..only(Class::Unused) });
        assert_eq!((plan.refused().count(), plan.steps[0].price()), (0, &expected));
        // A budget that all others together keep leaves it alone, although it is the largest.
        let others: u64 = plan.steps[1..].iter().map(|step| step.bytes.disk).sum();
        let budget = Budget { max_size: Some(snapshot.cache.disk - others), keep_free: None, free: None };
        let plan = prune(&snapshot, Prune { budget, allow: allow(), ..only(Class::Unused) });
        assert!(plan.steps.iter().all(|step| !step.price().is_last()), "{:?}", removed(&plan));
        assert!(!plan.steps.is_empty());
    }
    assert_eq!(Price::Gone.words(), "cannot be had again");
}

#[test]
fn the_environment_of_a_project_goes_only_when_that_has_no_link_to_it_any_more() {
    let directory = PathBuf::from("/home/me/app");
    let central = |project: Project, running: Vec<u32>| {
        let mut snapshot = sample::presentable();
        let path = snapshot.cache.path.join("environments-v2/app-cp3.12.4-0123456789abcdef");
        let kind = EnvironmentKind::Central;
        snapshot.environments.push(Environment { path, kind, project, running, ..Environment::default() });
        prune(&snapshot, only(Class::OrphanedCentral))
    };
    let plan = central(Project::Unlinked(directory.clone()), Vec::new());
    assert_eq!(plan.steps.len(), 1, "{:#?}", plan.kept);
    let step = &plan.steps[0];
    assert_eq!((step.action, step.class()), (Action::RemoveEnvironment, Some(Class::OrphanedCentral)));
    assert_eq!(step.reason, "its project `/home/me/app` has no .venv any more");
    let back = At::new(&directory.join(".venv"));
    assert!(plan.watch.iter().any(|it| it.at == back), "a project that comes back is noticed");
    for (project, running, reason) in [
        (
            Project::Unknown,
            vec![],
            "no project was found that it belongs to, and nothing tells where that was",
        ),
        (Project::Linked(directory.clone()), vec![], "its project `/home/me/app` is there"),
        (Project::There(directory.clone()), vec![], "its project `/home/me/app` is there"),
        (
            Project::Missing(directory.clone()),
            vec![],
            "its project is no longer at `/home/me/app`: it may have been moved, with a .venv that leads here; `--allow gone` \
             removes it",
        ),
        (
            Project::OutOfReach(directory.clone()),
            vec![],
            "its project `/home/me/app` was not found, and may lie on a disk that is not mounted; `cachetui envs --forget` \
             with that path says that it is gone",
        ),
        (Project::Unlinked(directory.clone()), vec![7], "process 7 runs in it"),
    ] {
        let plan = central(project, running);
        assert!(plan.steps.is_empty());
        assert_eq!(plan.kept.iter().map(|kept| kept.reason.as_str()).collect::<Vec<_>>(), [reason]);
    }
}

#[test]
fn the_environment_of_a_project_that_is_missing_goes_only_when_a_person_says_that_it_is_gone() {
    let directory = PathBuf::from("/home/me/app");
    let central = |project: Project, allow: &[Allowance]| {
        let mut snapshot = sample::presentable();
        let path = snapshot.cache.path.join("environments-v2/app-cp3.12.4-0123456789abcdef");
        let kind = EnvironmentKind::Central;
        snapshot.environments.push(Environment { path, kind, project, ..Environment::default() });
        let mut request = only(Class::OrphanedCentral);
        request.allow.extend(allow);
        prune(&snapshot, request)
    };
    let gone = [Allowance::Gone];
    let taken = |project: Project, allow: &[Allowance]| {
        let plan = central(project, allow);
        for step in &plan.steps {
            assert_eq!(*step.price(), Price::Make, "it never costs nothing");
            assert_eq!(step.reason, "its project `/home/me/app` is gone");
            let back = At::new(&directory.join(".venv"));
            assert!(plan.watch.iter().any(|it| it.at == back), "a project that comes back is noticed");
        }
        plan.steps.len()
    };
    assert_eq!(taken(Project::Missing(directory.clone()), &gone), 1);
    assert_eq!(taken(Project::Gone(directory.clone()), &[]), 1);
    for project in [
        Project::OutOfReach(directory.clone()),
        Project::Unknown,
        Project::Linked(directory.clone()),
        Project::There(directory.clone()),
    ] {
        assert_eq!(taken(project.clone(), &gone), 0, "{project:?}");
    }
}

#[test]
fn what_is_named_goes_although_others_have_hardlinks_but_never_from_under_symlinks() {
    let snapshot = sample::presentable();
    let plan = prune(&snapshot, named(&["triton", "requests", "no-such-thing"]));
    assert_eq!(removed(&plan), ["triton 3.5.0"]);
    let step = &plan.steps[0];
    assert_eq!((step.class(), step.users().len()), (Some(Class::Named), 2));
    let pointers: u64 = step.pointers().iter().map(|pointer| pointer.expects.disk).sum();
    assert_eq!(step.bytes.reclaimable, pointers, "its files stay where they are linked");
    assert_eq!(step.bytes.held, 413 << 20);
    match because(&plan, "requests") {
        KeptBecause::Protected { environments } => {
            assert_eq!(environments[0].text(), "/home/ada/old/api/.venv");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn to_relink_first_is_said_of_environments_that_can_be_relinked() {
    let mut snapshot = sample::presentable();
    snapshot.cache.found_by = "`--cache-dir`".to_owned();
    let protected = snapshot.entries.iter().find(|entry| entry.state == EntryState::Protected).unwrap();
    let name = protected.name.clone().unwrap();
    let mut plan = prune(&snapshot, named(&[&name]));
    let said = |plan: &Plan| {
        let advice = relink_first(&snapshot, plan)?;
        Some(advice.commands.iter().map(Command::text).collect::<Vec<_>>())
    };
    let cache = snapshot.cache.path.display();
    let command = |roots: &str| vec![format!("cachetui --cache-dir {cache} relink --link-mode copy {roots}")];
    let KeptBecause::Protected { environments } = because(&plan, &name) else { panic!("{:#?}", plan.kept) };
    assert_eq!(said(&plan), Some(command(environments[0].text())));
    // Those that uv keeps in the cache cannot.
    let own = At::new(&snapshot.cache.path.join("archive-v0/AbCdEfGhIjKlMnOpQrStU"));
    let path = "/home/ada/my code/.venv";
    let here = At::new(path.as_ref());
    plan.kept[0].because = KeptBecause::Protected { environments: vec![own.clone(), here] };
    assert_eq!(said(&plan), Some(command(&cachetui::human::shell_word(path))));
    plan.kept[0].because = KeptBecause::Protected { environments: vec![own] };
    assert_eq!(said(&plan), None);
}

#[test]
fn what_is_in_doubt_is_kept() {
    let mut snapshot = sample::presentable();
    entry(&mut snapshot, "jaxlib").unclear = true;
    entry(&mut snapshot, "scikit-learn").unread = true;
    let future = sample::now().as_nanosecond() + 1_000_000_000_000;
    entry(&mut snapshot, "torch==2.7.1").print.newest = i64::try_from(future).unwrap();
    let keep = vec![Pinned { name: "numpy".to_owned(), version: Some("1.26.4".to_owned()), versions: None }];
    let plan = prune(&snapshot, Prune { keep, ..all() });
    assert_eq!(*because(&plan, "jaxlib"), KeptBecause::UnclearPointer);
    assert!(matches!(because(&plan, "torch"), KeptBecause::Young { .. }), "times in the future are young");
    assert_eq!(*because(&plan, "numpy"), KeptBecause::Pinned);
    let gone = removed(&plan);
    for name in ["jaxlib 0.7.2", "torch 2.7.1", "numpy 1.26.4", "scikit-learn 1.7.2"] {
        assert!(!gone.contains(&name.to_owned()), "{name}");
    }
}

#[test]
fn an_incomplete_scan_gives_an_empty_plan() {
    for completeness in [Completeness::Running, Completeness::Cancelled] {
        let mut snapshot = sample::presentable();
        snapshot.scope.completeness = completeness;
        assert!(prune(&snapshot, all()).is_empty());
    }
}

#[test]
fn a_budget_takes_the_longest_unused_first_and_no_more_than_it_needs() {
    let mut snapshot = sample::presentable();
    snapshot.cache.disk = snapshot.entries.iter().map(|entry| entry.disk).sum();
    let budget = Budget { max_size: Some(snapshot.cache.disk - (200 << 20)), ..Budget::default() };
    let plan = prune(&snapshot, Prune { budget, ..only(Class::Unused) });
    let mut names = removed(&plan);
    names.sort();
    assert_eq!(names, ["jaxlib 0.7.2", "leftover 0.1", "numpy 1.26.4"], "700, 410 and 200 days old");
    assert_eq!(*because(&plan, "torch"), KeptBecause::WithinBudget);
    let available = snapshot.cache.space.unwrap().available;
    let budget = Budget { keep_free: Some(available), ..Budget::default() };
    assert!(prune(&snapshot, Prune { budget, ..all() }).is_empty(), "there is room enough");
}

/// The sample with its three oldest unused entries, of which the first two have `common` bytes in one inode, which `more`
/// hold too.
fn with_a_common_inode(common: u64, more: &[Holder]) -> Snapshot {
    let mut snapshot = sample::presentable();
    let index = |what: &str| What::new(what.as_ref()).find(&snapshot)[0];
    let [one, two, three] = ["jaxlib", "numpy==1.26.4", "leftover"].map(index).map(Holder::Entry);
    let group = |holders: &[Holder], disk: u64| {
        let mut holders = holders.to_vec();
        holders.sort_unstable();
        let holders = holders.into_boxed_slice();
        Group { holders, outside: Outside::Nobody, inodes: 1, logical: disk, disk, opaque: 0 }
    };
    snapshot.groups = vec![
        group(&[one], 10),
        group(&[&[one, two], more].concat(), common),
        group(&[two], 10),
        group(&[three], 200),
    ];
    let of = [("jaxlib", common + 10, 900), ("numpy==1.26.4", common + 10, 800), ("leftover", 200, 700)];
    for (what, disk, days) in of {
        let time = sample::now() - jiff::SignedDuration::from_hours(24 * days);
        let entry = entry(&mut snapshot, what);
        entry.disk = disk;
        entry.last_use = Some(LastUse { time, evidence: LastUseEvidence::Unpacked });
    }
    // Pointers have bytes too, which are not what this is about.
    for pointer in &mut snapshot.pointers {
        pointer.print.disk = 0;
    }
    snapshot.cache.disk = 1_000_000;
    snapshot
}

#[test]
fn a_budget_counts_what_two_entries_share_once_and_what_stays_with_others_not_at_all() {
    let names = |snapshot: &Snapshot, budget: Budget| {
        let mut names = removed(&prune(snapshot, Prune { budget, ..only(Class::Unused) }));
        names.sort();
        names
    };
    let smaller = |bytes: u64| Budget { max_size: Some(1_000_000 - bytes), keep_free: None, free: None };
    let available = sample::presentable().cache.space.unwrap().available;
    let freer = |bytes: u64| Budget { keep_free: Some(available + bytes), ..Budget::default() };
    let two = ["jaxlib 0.7.2", "numpy 1.26.4"];
    let three = ["jaxlib 0.7.2", "leftover 0.1", "numpy 1.26.4"];
    let alone = with_a_common_inode(1_000, &[]);
    assert_eq!(names(&alone, smaller(1_020)), two, "both have 1,010, and 1,020 together");
    assert_eq!(names(&alone, freer(1_020)), two);
    assert_eq!(names(&alone, smaller(1_021)), three);
    assert_eq!(names(&alone, freer(1_021)), three);
    // Of the store it goes along.
    let stored = with_a_common_inode(1_000, &[Holder::Store]);
    assert_eq!(names(&stored, smaller(1_020)), two);
    assert_eq!(names(&stored, freer(1_020)), two);
    // Whoever has a link outside keeps the bytes, and the cache is smaller all the same.
    let environment = alone.environments().find(|(_, it)| !it.path.starts_with(&alone.cache.path)).unwrap().0;
    let linked = with_a_common_inode(1_000, &[Holder::Environment(environment)]);
    assert_eq!(names(&linked, smaller(1_020)), two);
    assert_eq!(names(&linked, freer(21)), three);
    // An object that is linked outside stays in the store.
    let both = with_a_common_inode(1_000, &[Holder::Store, Holder::Environment(environment)]);
    assert_eq!(names(&both, smaller(21)), three);
    assert_eq!(names(&both, freer(21)), three);
    // So does what another part of the cache has.
    let elsewhere = with_a_common_inode(1_000, &[Holder::Cache]);
    assert_eq!(names(&elsewhere, smaller(21)), three);
    // What the trash has too leaves with the entry, and comes back no sooner than the trash is emptied.
    let trashed = with_a_common_inode(1_000, &[Holder::Trash]);
    assert_eq!(names(&trashed, smaller(1_020)), two);
    assert_eq!(names(&trashed, freer(21)), three);
}

#[test]
fn as_much_is_freed_as_was_asked_for_whatever_is_free_and_what_is_missing_is_told() {
    let free = |snapshot: &Snapshot, bytes: u64| {
        let budget = Budget { free: Some(bytes), ..Budget::default() };
        prune(snapshot, Prune { budget, ..only(Class::Unused) })
    };
    let snapshot = with_a_common_inode(1_000, &[]);
    assert_eq!(removed(&free(&snapshot, 1_020)).len(), 2, "both have 1,010, and 1,020 together");
    let three = free(&snapshot, 1_021);
    assert_eq!((removed(&three).len(), three.missing), (3, None));
    let all = prune(&snapshot, only(Class::Unused));
    let plan = free(&snapshot, 1 << 40);
    assert_eq!(plan.steps, all.steps, "nothing is left that may go");
    assert_eq!(plan.missing, Some((1 << 40) - all.totals.bytes.reclaimable));
    assert!(plan.warnings[0].contains("of the 1.0 TiB that were asked for"), "{:?}", plan.warnings);
    let text = serde_json::to_string(&plan).unwrap();
    assert_eq!(Plan::read(text.as_bytes()).unwrap(), plan);
}

#[test]
fn what_lies_in_the_trash_counts_as_free_where_that_is_known_and_the_plan_says_so() {
    let mut snapshot = sample::presentable();
    let trash = bucket(cachetui::uv::bucket::TRASH, 0);
    snapshot.cache.buckets.push(cachetui::snapshot::Bucket { disk: 120 << 20, single: 100 << 20, ..trash });
    let available = snapshot.cache.space.unwrap().available;
    let keep_free = |snapshot: &Snapshot, bytes: u64| {
        let budget = Budget { keep_free: Some(available + bytes), ..Budget::default() };
        prune(snapshot, Prune { budget, ..only(Class::Unused) })
    };
    let plan = keep_free(&snapshot, 100 << 20);
    assert!(plan.is_empty(), "emptying the trash is enough: {:?}", removed(&plan));
    assert!(
        plan.warnings[0].contains("100.0 MiB are counted on that lie in the trash"),
        "{:?}",
        plan.warnings
    );
    assert!(plan.kept.iter().any(|kept| kept.because == KeptBecause::WithinBudget));
    let more = keep_free(&snapshot, (100 << 20) + 1);
    assert_eq!(removed(&more).len(), 1, "the rest comes from what has been unused the longest");
    // Where files share extents nobody knows what is in it.
    snapshot.cache.reflinks = true;
    let plan = keep_free(&snapshot, 1);
    assert_eq!(removed(&plan), removed(&more));
    assert!(
        plan.warnings[0].contains("how much of it is freed when it is emptied is not known"),
        "{:?}",
        plan.warnings
    );
    // A size does not count it; what others have as well is theirs.
    let budget = Budget { max_size: Some(snapshot.kept()), ..Budget::default() };
    let plan = prune(&snapshot, Prune { budget, ..only(Class::Unused) });
    assert!(
        plan.is_empty() && plan.warnings[0].contains("The trash takes 100.0 MiB more"),
        "{:?}",
        plan.warnings
    );
    let unlimited = prune(&snapshot, only(Class::Unused));
    assert_eq!(unlimited.warnings, [] as [String; 0]);
}

#[test]
fn a_second_look_is_asked_for_when_nobody_is_known_or_most_would_go() {
    let snapshot = sample::presentable();
    let refused = |snapshot: &Snapshot, request: Prune| -> Vec<Allowance> {
        prune(snapshot, request).refused().map(|caution| caution.allowance).collect()
    };
    assert_eq!(refused(&snapshot, only(Class::Unused)), []);
    let mut nobody = snapshot.clone();
    nobody.environments.clear();
    nobody.references.clear();
    for entry in &mut nobody.entries {
        entry.state = EntryState::Unused;
    }
    let asked = refused(&nobody, only(Class::Unused));
    assert_eq!(asked, [Allowance::NoEnvironments, Allowance::Most]);
    let allow = Allowance::ALL.into_iter().collect();
    assert_eq!(refused(&nobody, Prune { allow, ..only(Class::Unused) }), []);
    assert_eq!(
        refused(&nobody, named(&["torch==2.7.1"])),
        [],
        "what is named does not rest on who was found"
    );
    let mut shared = snapshot;
    shared.entries[0].other_owner = true;
    assert_eq!(refused(&shared, only(Class::Unused)), [Allowance::OtherOwners]);
}

#[test]
fn where_nobody_sees_what_runs_environments_of_the_cache_are_a_matter_of_a_second_look() {
    let mut snapshot = sample::presentable();
    let path = snapshot.cache.path.join("environments-v2/app-cp3.12.4-0123456789abcdef");
    let (kind, project) = (EnvironmentKind::Central, Project::Unlinked("/home/me/app".into()));
    snapshot.environments.push(Environment { path, kind, project, ..Environment::default() });
    let refused = |snapshot: &Snapshot, class: Class| -> Vec<Allowance> {
        let plan = prune(snapshot, only(class));
        assert!(!plan.is_empty());
        plan.refused().map(|caution| caution.allowance).collect()
    };
    assert_eq!(refused(&snapshot, Class::OrphanedCentral), []);
    snapshot.scope.processes_hidden = true;
    assert_eq!(refused(&snapshot, Class::OrphanedCentral), [Allowance::HiddenProcesses]);
    assert_eq!(refused(&snapshot, Class::Unused), [], "nothing runs in a wheel");
}

#[test]
fn what_every_plan_holds_to() {
    for snapshot in [sample::presentable(), sample::realistic()] {
        let everything = snapshot.entries.iter().filter_map(|entry| entry.name.clone()).collect();
        for request in [all(), Prune { what: everything, ..all() }, only(Class::Superseded)] {
            let plan = prune(&snapshot, request.clone());
            assert_eq!(plan, prune(&snapshot, request), "the same question has the same answer");
            let text = serde_json::to_string(&plan).unwrap();
            let back = Plan::read(text.as_bytes()).unwrap();
            assert_eq!(serde_json::to_string(&back).unwrap(), text, "a plan comes back as it was saved");
            let mut selection = Selection::new(&snapshot);
            for step in plan.steps.iter().filter(|step| step.action == Action::RemoveEntry) {
                let id = What::new(step.at.path().as_os_str()).find(&snapshot);
                let [index] = id.as_slice() else { panic!("{} names {id:?}", step.at.text()) };
                let entry = snapshot.entry(*index);
                assert_ne!(entry.state, EntryState::Protected, "{entry:?}");
                assert!(!entry.unread && entry.doubt.is_none() && !entry.unclear, "{entry:?}");
                let led: BTreeSet<_> =
                    entry.pointers.iter().map(|pointer| snapshot.pointer(*pointer).path.clone()).collect();
                let gone: BTreeSet<_> = step.pointers().iter().map(|pointer| pointer.at.path()).collect();
                assert_eq!(led, gone, "every pointer goes with its entry");
                selection.add_entry(*index);
            }
            let pointers: u64 =
                plan.steps.iter().flat_map(Step::pointers).map(|pointer| pointer.expects.disk).sum();
            let joint = snapshot.reclaimable(&selection);
            assert_eq!(plan.totals.bytes.reclaimable, joint.bytes + pointers);
            assert_eq!(plan.totals.bytes.certainty, joint.certainty);
            for kept in &plan.kept {
                assert!(
                    plan.steps.iter().all(|step| step.at != kept.at),
                    "{} goes and stays",
                    kept.at.text()
                );
            }
        }
    }
}

fn bucket(name: &str, days: i64) -> cachetui::snapshot::Bucket {
    let newest = (sample::now().as_second() - days * 86_400) * 1_000_000_000;
    let print = cachetui::snapshot::TreePrint { inode: 1, newest, ..Default::default() };
    cachetui::snapshot::Bucket {
        name: name.to_owned(),
        known: true,
        odd: None,
        files: 9,
        logical: 9,
        disk: 4096,
        single: 0,
        moved: false,
        linked: false,
        print,
    }
}

#[test]
fn buckets_go_before_their_entries_and_take_their_pointers_along() {
    let mut snapshot = sample::presentable();
    let pointer = entry(&mut snapshot, "jaxlib").pointers[0];
    snapshot.pointers[pointer.position()].path = "wheels-v6/pypi/jaxlib/0.7.2".into();
    snapshot.cache.buckets = vec![
        bucket("wheels-v6", 40),
        bucket("wheels-v7", 0),
        bucket("interpreter-v4", 900),
        bucket("interpreter-v5", 0),
    ];
    let plan = prune(&snapshot, all());
    assert_eq!((plan.steps[0].action, plan.steps[0].at.text()), (Action::RemoveBucket, "wheels-v6"));
    let buckets = plan.steps.iter().filter(|step| step.action == Action::RemoveBucket).count();
    assert_eq!(buckets, 1, "records of interpreters tell where environments are");
    let step = plan.steps.iter().find(|step| step.name.as_deref() == Some("jaxlib")).unwrap();
    assert!(step.pointers().iter().all(|pointer| !pointer.at.path().starts_with("wheels-v6")), "{step:#?}");
    assert!(!step.pointers().is_empty());
    snapshot.cache.buckets[0] = bucket("wheels-v6", 20);
    assert!(prune(&snapshot, only(Class::StaleBuckets)).is_empty(), "an older uv may still use it");
}

/// A bucket of a number or kind that is not known.
fn unknown(name: &str, days: i64, odd: Option<&str>) -> cachetui::snapshot::Bucket {
    let odd =
        odd.map(|path| cachetui::snapshot::Odd { path: path.into(), what: "has an unknown form".to_owned() });
    cachetui::snapshot::Bucket { known: false, odd, ..bucket(name, days) }
}

#[test]
fn a_bucket_is_stale_beside_a_newer_one_that_is_understood_and_the_newest_never_is() {
    let stale = |buckets: Vec<cachetui::snapshot::Bucket>| {
        let mut snapshot = sample::presentable();
        snapshot.cache.buckets = buckets;
        let plan = prune(&snapshot, only(Class::StaleBuckets));
        let kept =
            plan.kept.iter().map(|kept| format!("{}: {}", kept.at.text(), kept.reason)).collect::<Vec<_>>();
        (plan.steps.iter().map(|step| step.at.text().to_owned()).collect::<Vec<_>>(), kept)
    };
    let none: Vec<String> = Vec::new();
    let (steps, _) = stale(vec![bucket("wheels-v7", 40), bucket("wheels-v8", 40)]);
    assert_eq!(steps, ["wheels-v7"], "uv 0.13.9 writes wheels-v8");
    let (steps, _) = stale(vec![bucket("wheels-v8", 40), unknown("wheels-v9", 40, None)]);
    assert_eq!(steps, ["wheels-v8"], "one that is read by what it holds");
    let (steps, kept) = stale(vec![bucket("wheels-v8", 20), unknown("wheels-v9", 0, None)]);
    assert!(steps.is_empty() && kept[0].contains("an older uv may still use it"), "{kept:?}");
    assert_eq!(stale(vec![bucket("wheels-v8", 400), bucket("sdists-v12", 400)]).0, none, "of another kind");
    assert_eq!(stale(vec![unknown("wheels-v9", 400, None)]).0, none, "the newest one");
    // An untested release may still use its bucket.
    let (steps, kept) = stale(vec![unknown("wheels-v9", 400, None), unknown("wheels-v10", 0, None)]);
    assert_eq!(
        (steps, &*kept),
        (
            none.clone(),
            &["wheels-v9: another uv writes it; cachetui was tested with uv 0.5.0 to 0.13.9".to_owned()][..]
        )
    );
    for old in ["wheels-v2", "built-wheels-v3", "sdists-v5", "simple-v12"] {
        let newer = [bucket("wheels-v8", 0), bucket("sdists-v11", 0), bucket("simple-v28", 0)];
        let (steps, kept) = stale([&[unknown(old, 900, None)], &newer[..]].concat());
        assert_eq!((steps, kept.len()), (none.clone(), 1), "{old}");
        assert!(kept[0].starts_with(&format!("{old}: uv 0.4 or older wrote it")), "{kept:?}");
    }
    // Beside one that is not understood nothing goes.
    let odd = Some("wheels-v9/pypi/demo/1.0.zst");
    let (steps, kept) =
        stale(vec![bucket("wheels-v7", 40), bucket("wheels-v8", 40), unknown("wheels-v9", 0, odd)]);
    let why = "`wheels-v9` is not understood: `wheels-v9/pypi/demo/1.0.zst` has an unknown form (known: `wheels-v3` to \
               `wheels-v8`)";
    assert_eq!((steps, &*kept), (none, &[format!("wheels-v7: {why}")][..]));
}

#[test]
fn an_entry_of_an_untested_layout_goes_only_where_that_is_understood_and_something_leads_to_it() {
    let mut snapshot = sample::presentable();
    entry(&mut snapshot, "jaxlib").key.bucket = "archive-v1".into();
    snapshot.cache.buckets = vec![unknown("archive-v1", 0, None)];
    let goes = |snapshot: &Snapshot| {
        prune(snapshot, named(&["jaxlib"])).steps.iter().any(|step| step.name.as_deref() == Some("jaxlib"))
    };
    assert!(goes(&snapshot));
    let mut alone = snapshot.clone();
    entry(&mut alone, "jaxlib").pointers.clear();
    assert!(!goes(&alone));
    snapshot.cache.buckets = vec![unknown("archive-v1", 0, Some("archive-v1/x"))];
    assert!(!goes(&snapshot));
}

#[test]
fn an_entry_to_which_a_foreign_pointer_may_lead_is_not_unreferenced() {
    let mut snapshot = sample::presentable();
    entry(&mut snapshot, "leftover").state = EntryState::Unused;
    let plan = prune(&snapshot, only(Class::Unreferenced));
    assert!(plan.is_empty());
    assert_eq!(*because(&plan, "leftover"), KeptBecause::UnclearPointer);
}

#[test]
fn what_uv_left_in_the_cache_does_not_count_as_an_environment_that_is_known() {
    let mut snapshot = sample::presentable();
    snapshot.environments.retain(|environment| environment.path.ends_with("ruff"));
    snapshot.environments[0].kind = cachetui::snapshot::EnvironmentKind::Cached;
    snapshot.references.clear();
    let plan = prune(&snapshot, named(&[]));
    assert_eq!(plan.scope.environments, 0);
    let plan = prune(&snapshot, only(Class::Unreferenced));
    assert_eq!(
        plan.refused().map(|caution| caution.allowance).collect::<Vec<_>>(),
        [Allowance::NoEnvironments]
    );
}

#[test]
fn entries_of_a_bucket_that_was_moved_and_of_an_unknown_layout_are_kept() {
    let mut snapshot = sample::presentable();
    snapshot.cache.buckets = vec![cachetui::snapshot::Bucket { moved: true, ..bucket("archive-v0", 0) }];
    assert!(prune(&snapshot, all()).steps.iter().all(|step| step.action != Action::RemoveEntry));
    let mut snapshot = sample::presentable();
    entry(&mut snapshot, "jaxlib").key.bucket = "archive-v9".into();
    assert_eq!(*because(&prune(&snapshot, all()), "jaxlib"), KeptBecause::Unknown);
}

#[test]
fn what_an_error_kept_from_being_read_is_kept_for_that_and_what_is_merely_not_seen_is_in_doubt() {
    use cachetui::snapshot::{Doubt, Problem};
    let mut snapshot = sample::presentable();
    entry(&mut snapshot, "leftover").doubt = Some(Doubt::Environment);
    entry(&mut snapshot, "jaxlib").unclear = true;
    let plan = prune(&snapshot, only(Class::Unused));
    assert_eq!(*because(&plan, "leftover"), KeptBecause::Doubt);
    assert_eq!(*because(&plan, "jaxlib"), KeptBecause::UnclearPointer);
    assert_eq!((plan.unread().count(), plan.scope.failed.len()), (0, 0));

    let message = "Failed to read the directory: Input/output error".to_owned();
    let bucket = snapshot.cache.path.join("archive-v0");
    snapshot.scope.failed = vec![Problem { path: bucket, message: message.clone() }];
    let plan = prune(&snapshot, only(Class::Unused));
    for name in ["leftover", "jaxlib"] {
        assert_eq!(*because(&plan, name), KeptBecause::ReadFailed, "{name}");
    }
    assert_eq!(plan.scope.failed[0].message, message);
    // Of a bucket that could not be listed nobody knows what is in it.
    let unlisted = plan.unread().find(|kept| kept.at == At::new("archive-v0".as_ref()));
    assert!(unlisted.is_some(), "{:#?}", plan.kept);
    let named = prune(&snapshot, named(&["torch"]));
    assert_eq!(named.unread().count(), 0, "that was not asked for");
}

// The sample has paths of Unix.
#[cfg(unix)]
/// What a policy removes with an environment goes after the bucket that has its pointers, and an old build names who has to go first.
#[test]
fn in_a_policys_plan_buckets_go_before_entries_and_each_step_names_the_environments_that_have_to_go() {
    let mut snapshot = sample::presentable();
    let (index, environment) = snapshot
        .environments()
        .find(|(index, item)| {
            let uses = snapshot.references_from(*index).any(|it| snapshot.references_to(it.entry).len() == 1);
            uses && item.kind == EnvironmentKind::Project
        })
        .map(|(index, item)| (index, item.path.clone()))
        .unwrap();
    let alone = snapshot.references_from(index).find(|it| snapshot.references_to(it.entry).len() == 1);
    let used = alone.unwrap().entry;
    let name = snapshot.entry(used).name.clone().unwrap();
    for pointer in snapshot.entry(used).pointers.clone() {
        snapshot.pointers[pointer.position()].path =
            PathBuf::from(format!("wheels-v6/pypi/{name}/{}", pointer.position()));
    }
    snapshot.cache.buckets = vec![bucket("wheels-v6", 40), bucket("wheels-v7", 0)];
    let remove = cachetui::plan::Remove {
        environments: vec![At::new(&environment)],
        with_entries: true,
        chosen: true,
        ..Default::default()
    };
    let gc = cachetui::plan::Gc { remove, prunes: vec![all()] };
    let plan = plan(&snapshot, &Request::Gc(gc));
    let place = |wanted: &dyn Fn(&cachetui::plan::Step) -> bool| plan.steps.iter().position(wanted).unwrap();
    let gone = place(&|step| step.action == Action::RemoveEnvironment && !step.is_in_cache());
    let old = place(&|step| step.action == Action::RemoveBucket);
    let taken =
        place(&|step| step.name.as_deref() == Some(&*name) && step.class() == Some(Class::WithEnvironments));
    assert!(gone < old && old < taken, "{:#?}", removed(&plan));
    assert!(plan.steps[taken].pointers().is_empty());
    assert_eq!(plan.steps[taken].users(), [At::new(&environment)]);
    // Each thing once, and the sum is that of the steps.
    let places: Vec<&At> = plan.steps.iter().flat_map(cachetui::plan::Step::places).collect();
    assert_eq!(places.iter().collect::<BTreeSet<_>>().len(), places.len());
    let sum: u64 = plan.steps.iter().map(|step| step.bytes.reclaimable).sum();
    assert_eq!(sum, plan.totals.bytes.reclaimable);
}
