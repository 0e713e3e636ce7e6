//! Relinking and mending in a world.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use cachetui::apply::{State, relink, repair as mend};
use cachetui::control::{Cancel, Progress};
use cachetui::lock::{CacheShared, EnvironmentExclusive, Sign, Waiting};
use cachetui::plan::Repair;
use cachetui::plan::repair::repair as plan_repair;
use cachetui::plan::{At, Plan, Relink, Request, plan};
use cachetui::scan::repair::{Request as Gathering, gather};
use cachetui::snapshot::{Mode, Snapshot};
use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest as _, Sha256};

use super::world::{World, infos, is_private, listed, record};
use crate::support::made::SITE;

impl World {
    /// Does something with the locks of an environment and the cache.
    fn locked<Answer>(
        &self,
        environment: usize,
        work: impl FnOnce(&EnvironmentExclusive<'_>, &[CacheShared]) -> Answer,
    ) -> Answer {
        let caches = [CacheShared::acquire(self.made.cache(), None, &Waiting::Never).unwrap()];
        let root = self.root(environment);
        let lock =
            EnvironmentExclusive::acquire(&root, Sign::PyvenvCfg, &caches[0], None, &Waiting::Never).unwrap();
        work(&lock, &caches)
    }

    pub(super) fn relink(&mut self, environment: usize, mode: Mode, stop: bool) {
        let environments = vec![At::new(&self.root(environment))];
        let request = Request::Relink(Relink { environments, mode, packages: Vec::new() });
        let made = plan(&self.made.scan(), &request);
        let text = serde_json::to_string(&made).unwrap();
        let back = Plan::read(text.as_bytes()).unwrap();
        assert_eq!(back, made, "a plan comes back as it was saved");
        let others = self.untouchable(environment);
        let cancel = Cancel::default();
        if stop {
            cancel.cancel();
        }
        let outcomes = self.harmless("relink", |world| {
            world.locked(environment, |lock, caches| {
                relink(&made, lock, &caches[0], &cancel, &Progress::default())
            })
        });
        assert_eq!(self.untouchable(environment), others, "private and edited files are the same files");
        assert_eq!(outcomes.len(), made.steps.len());
        for outcome in &outcomes {
            let expected = if stop { State::Cancelled } else { State::Done };
            assert!(outcome.state == expected, "{outcome:#?}");
        }
        if stop {
            return;
        }
        let again = plan(&self.made.scan(), &request);
        assert!(again.is_empty(), "planned again: {:#?}", again.steps);
    }

    /// The inodes of what relinking an environment leaves alone: its private files, what differs from its `RECORD`, and
    /// everything of other environments.
    fn untouchable(&self, environment: usize) -> BTreeMap<PathBuf, u64> {
        let root = self.root(environment);
        let recorded = self.recorded(environment);
        let stays = |path: &PathBuf| {
            let equal = recorded.get(path).is_some_and(|wanted| digest(path).as_ref() == Some(wanted));
            !path.ends_with(".lock") && (!path.starts_with(&root) || is_private(path) || !equal)
        };
        let files = listed(&self.made.code()).into_iter().filter(stays);
        files.map(|path| (path.clone(), path.symlink_metadata().unwrap().ino())).collect()
    }

    /// The digests that an environment's `RECORD`s state.
    fn recorded(&self, environment: usize) -> BTreeMap<PathBuf, String> {
        let root = self.root(environment);
        let rows = infos(&root).into_iter().flat_map(|info| record(&info));
        rows.filter(|(_, digest)| !digest.is_empty())
            .map(|(path, digest)| (root.join(SITE).join(path), digest))
            .collect()
    }

    /// Whoever looks at one environment by itself, if that is enough, plans for it what a whole scan plans. Answers with how
    /// many steps were planned so.
    pub(super) fn outlines(&self, mode: Option<Mode>) -> usize {
        let mut steps = 0;
        let request = Repair { link_mode: mode, ..Repair::default() };
        let caches = [self.made.cache().to_owned()];
        let facts = |snapshot: &Snapshot, root: &std::path::Path, outline| {
            let environments = [snapshot.find_environment(root).unwrap()];
            let gathering = Gathering {
                snapshot,
                environments: &environments,
                caches: &caches,
                dead_links: &[],
                links: false,
                outline,
                hashed: &cachetui::scan::repair::Hashed::default(),
                threads: 1,
            };
            gather(&gathering, &Cancel::default())
        };
        let snapshot = self.made.scan();
        for root in (0..3).map(|environment| self.root(environment)) {
            let Some(outline) = self.made.outline(std::slice::from_ref(&root)) else { continue };
            let outlined = facts(&outline, &root, true);
            if outlined.suffice(mode) {
                let plan = plan_repair(&outlined, &request);
                assert_eq!(plan, plan_repair(&facts(&snapshot, &root, false), &request));
                steps += plan.steps.len();
            }
        }
        steps
    }

    pub(super) fn repair(&mut self, mode: Option<Mode>) {
        let snapshot = self.made.scan();
        let environments: Vec<_> = snapshot.environments().map(|(index, _)| index).collect();
        let gathering = Gathering {
            snapshot: &snapshot,
            environments: &environments,
            caches: &[self.made.cache().to_owned()],
            dead_links: &[],
            links: false,
            outline: false,
            hashed: &cachetui::scan::repair::Hashed::default(),
            threads: 1,
        };
        let request = Repair { link_mode: mode, ..Repair::default() };
        let (cancel, progress) = (Cancel::default(), Progress::default());
        let plan = plan_repair(&gather(&gathering, &cancel), &request);
        let (before, dangling) = (self.installed(), self.dangling());
        for environment in 0..3 {
            let outcomes = self.locked(environment, |lock, caches| {
                mend::link(&plan.steps, lock, caches, true, &cancel, &progress)
            });
            assert!(outcomes.iter().all(|outcome| outcome.state == State::Done), "{outcomes:#?}");
        }
        let recorded: BTreeMap<_, _> = (0..3).flat_map(|number| self.recorded(number)).collect();
        let after = self.installed();
        for (path, now) in &after {
            if let Some(was @ Some(_)) = before.get(path) {
                assert_eq!(now, was, "{} was whole", path.display());
                continue;
            }
            let is_recorded = digest(path).as_ref() == recorded.get(path);
            assert!(now.is_none() || is_recorded, "{} is not what RECORD states", path.display());
        }
        let planned: usize = plan.repairs().map(|(_, work)| work.files.len()).sum();
        let whole = |files: &super::world::Files| files.values().flatten().count();
        assert_eq!(whole(&after), whole(&before) + planned, "each file of the plan is there now");
        assert!(self.dangling().is_subset(&dangling));
    }
}

fn digest(path: &std::path::Path) -> Option<String> {
    let bytes = std::fs::read(path).ok()?;
    Some(format!("sha256={}", BASE64URL_NOPAD.encode(&Sha256::digest(bytes))))
}
