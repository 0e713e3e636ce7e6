//! Pruning, undoing and purging in a world.

use std::collections::BTreeSet;
use std::path::PathBuf;

use cachetui::apply::prune::Committed;
use cachetui::apply::{self, State, check, purge, trash};
use cachetui::control::{Cancel, Progress};
use cachetui::lock::{CacheExclusive, Waiting};
use cachetui::plan::{Action, Allowance, Budget, Class, Plan, Prune, Request, plan};
use cachetui::snapshot::{Certainty, Snapshot};

use super::acts::{How, Wish};
use super::oracle;
use super::world::World;

impl World {
    fn lock(&self) -> CacheExclusive {
        CacheExclusive::acquire(self.made.cache(), None, &Waiting::Never).unwrap()
    }

    /// Does something that may take nothing from anybody.
    pub(super) fn harmless<Answer>(&mut self, what: &str, work: impl FnOnce(&mut Self) -> Answer) -> Answer {
        let (installed, dangling) = (self.installed(), self.dangling());
        let answer = work(self);
        assert!(self.installed() == installed, "{what}: an environment has changed");
        let now = self.dangling();
        let new: Vec<_> = now.difference(&dangling).collect();
        assert!(new.is_empty(), "{what}: {new:?} dangles now");
        answer
    }

    fn request(&self, wish: &Wish, snapshot: &Snapshot) -> Prune {
        let entries = self.entries();
        let named = wish.named.iter().filter(|_| !entries.is_empty());
        Prune {
            classes: wish.classes.iter().copied().collect(),
            what: named.map(|number| entries[number % entries.len()].clone()).collect(),
            grace: if wish.grace { 86_400 } else { 0 },
            budget: Budget {
                max_size: wish.percent.map(|percent| snapshot.cache.disk * percent / 100),
                keep_free: None,
                free: None,
            },
            allow: Allowance::ALL.into(),
            ..Prune::default()
        }
    }

    pub(super) fn prune(&mut self, wish: &Wish, how: How) {
        let snapshot = self.made.scan();
        let request = Request::Prune(self.request(wish, &snapshot));
        let plan = plan(&snapshot, &request);
        self.is_a_good_plan(&plan, &request);
        self.takes_only_what_it_may(&plan, wish);
        // A plan without steps watches nothing.
        let changed = check::changed(self.made.cache(), &plan);
        assert!(plan.is_empty() || changed.is_empty(), "nothing has changed: {changed:?}");
        let before = self.cached();
        let allocated = oracle::allocated(self.made.base());
        let outcomes = match how {
            How::Whole | How::Purged => self.commit(&plan, u64::MAX).outcomes,
            How::Stopped { after } => self.commit(&plan, after).outcomes,
            How::Stepwise => {
                let each = |step| Plan { steps: vec![step], ..plan.clone() };
                plan.steps
                    .iter()
                    .cloned()
                    .map(each)
                    .flat_map(|one| self.commit(&one, u64::MAX).outcomes)
                    .collect()
            }
        };
        for (step, outcome) in plan.steps.iter().zip(&outcomes) {
            let there = self.made.cache().join(step.at.path()).symlink_metadata().is_ok();
            assert_eq!(there, outcome.state != State::Done, "{outcome:?}");
            assert!(outcome.state == State::Done || matches!(how, How::Stopped { .. }), "{outcome:?}");
        }
        if matches!(how, How::Whole) && !plan.steps.is_empty() {
            self.undoable = Some(before);
        }
        if matches!(how, How::Purged) {
            // What lay in the trash before is not this plan's.
            let runs = trash::runs(self.made.cache()).unwrap();
            let older = runs.len() > usize::from(!plan.steps.is_empty());
            self.purge();
            if !older && plan.totals.bytes.certainty == Certainty::Exact {
                let now = oracle::allocated(self.made.base());
                let gone = allocated.iter().filter(|(inode, _)| !now.contains_key(inode));
                let freed: u64 = gone.map(|(_, bytes)| bytes).sum();
                assert!(plan.totals.bytes.reclaimable == freed, "predicted and freed: {plan:#?}");
            }
        }
        let all_done = outcomes.iter().all(|outcome| outcome.state == State::Done);
        if all_done {
            let again = cachetui::plan::plan(&self.made.scan(), &request);
            assert!(again.is_empty(), "planned again, after {wish:?}: {:#?}", again.steps);
        }
    }

    fn commit(&mut self, plan: &Plan, after: u64) -> Committed {
        let (cancel, progress) = (Cancel::default(), Progress::default());
        let done = std::sync::atomic::AtomicBool::new(false);
        // Runs are told apart by the second.
        let now = jiff::Timestamp::from_second(1_800_000_000 + i64::try_from(self.fresh()).unwrap()).unwrap();
        self.harmless("prune", |world| {
            let lock = world.lock();
            std::thread::scope(|scope| {
                if after == 0 {
                    cancel.cancel();
                } else if after < u64::MAX {
                    scope.spawn(|| {
                        while progress.counts().entries < after
                            && !done.load(std::sync::atomic::Ordering::Relaxed)
                        {
                            std::hint::spin_loop();
                        }
                        cancel.cancel();
                    });
                }
                let committed = apply::prune(plan, &lock, now, &cancel, &progress).unwrap();
                done.store(true, std::sync::atomic::Ordering::Relaxed);
                committed
            })
        })
    }

    /// What holds of every plan, whatever it says.
    fn is_a_good_plan(&self, made: &Plan, request: &Request) {
        let text = serde_json::to_string(made).unwrap();
        let again = plan(&self.made.scan(), request);
        assert!(
            serde_json::to_string(&again).unwrap() == text,
            "another scan of the same gives the same plan"
        );
        let back = Plan::read(text.as_bytes()).unwrap();
        assert_eq!(&back, made, "a plan comes back as it was saved");
        let sum: u64 = made.steps.iter().map(|step| step.bytes.reclaimable).sum();
        assert_eq!(made.totals.bytes.reclaimable, sum);
    }

    fn takes_only_what_it_may(&self, plan: &Plan, wish: &Wish) {
        let facts = oracle::facts(self);
        let mut gone = BTreeSet::new();
        for step in plan.steps.iter().filter(|step| step.action == Action::RemoveEntry) {
            let id = step.at.path().file_name().unwrap().to_str().unwrap().to_owned();
            let it = &facts[&id];
            assert!(!it.symlinked, "{id} is protected: {step:#?}");
            if step.class() != Some(Class::Named) {
                assert!(!it.linked && !it.copied && !it.held, "{id} is used: {it:?} {step:#?}");
                assert!(!(wish.grace && self.young.contains(&id)), "{id} is young: {step:#?}");
            }
            if step.class() == Some(Class::Unreferenced) {
                assert!(!it.led, "{id} has a pointer: {step:#?}");
            }
            let lead = |(path, led): &(&PathBuf, &String)| **led == id && self.leads(path, led) == Some(true);
            for (pointer, _) in self.pointers.iter().filter(lead) {
                let goes = step.pointers().iter().any(|planned| planned.at.path() == *pointer)
                    || plan.steps.iter().any(|other| {
                        other.action == Action::RemoveBucket && pointer.starts_with(other.at.path())
                    });
                assert!(goes, "{} goes with its entry", pointer.display());
            }
            gone.insert(id);
        }
        // Nor is anything left out: what nobody has, by any evidence, goes when it is asked for.
        let doubtful = plan.kept.iter().any(|kept| {
            use cachetui::plan::KeptBecause::{Doubt, UnclearPointer};
            matches!(kept.because, Doubt | UnclearPointer)
        });
        if wish.classes.contains(&Class::Unused) && wish.percent.is_none() && !doubtful {
            for (id, it) in &facts {
                let free = !(it.symlinked || it.linked || it.copied || it.resembled || it.held);
                let young = wish.grace && self.young.contains(id);
                assert!(!free || young || gone.contains(id), "{id} is kept: {it:?} {:#?}", plan.kept);
            }
        }
    }

    pub(super) fn undo(&mut self, undoable: Option<BTreeSet<PathBuf>>) {
        let runs = trash::runs(self.made.cache()).unwrap();
        let Some(run) = runs.last() else { return };
        let restored = self.harmless("undo", |world| apply::restore(&world.lock(), run).unwrap());
        if let Some(before) = undoable {
            assert!(restored.iter().all(|item| item.state == State::Done), "{restored:#?}");
            assert_eq!(self.cached(), before, "everything is back");
        }
    }

    pub(super) fn purge(&mut self) {
        let runs = trash::runs(self.made.cache()).unwrap();
        let cached = self.cached();
        self.harmless("purge", |world| {
            let errors = purge::purge(&world.lock(), &runs, &Cancel::default(), &Progress::default());
            assert!(errors.is_empty(), "{errors:?}");
        });
        assert_eq!(self.cached(), cached);
        assert!(!self.made.cache().join(trash::DIRECTORY).exists());
    }
}
