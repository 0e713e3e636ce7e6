//! What is removed as a whole and is no entry: environments that lie in a bucket of their own, buckets of older layouts, and
//! what interrupted runs left.

use std::path::Path;

use jiff::Timestamp;

use super::{Candidate, Chooser, kept_piece};
use crate::plan::step::Bytes;
use crate::plan::{
    Action, Allowance, At, Class, Kept, KeptBecause, Plan, Price, RemoveWork, Step, Work, unread,
};
use crate::snapshot::{Environment, EnvironmentIndex, EnvironmentKind, Holder, Project};
use crate::uv::bucket::{Bucket, BucketKind};

/// How long nothing may have changed in a bucket of an older layout for it to count as stale, in seconds: another release
/// of uv may still use it from time to time.
const STALE: u64 = 30 * 24 * 60 * 60;

impl Chooser<'_> {
    /// Environments of scripts and of projects, which lie in a bucket of their own.
    pub(super) fn environments(&self, candidates: &mut Vec<Candidate>, plan: &mut Plan) {
        for (index, environment) in self.snapshot.environments() {
            let class = match environment.kind {
                EnvironmentKind::Script => Class::CachedEnvironments,
                EnvironmentKind::Central => Class::OrphanedCentral,
                _ => continue,
            };
            if !self.wants(class) || environment.entry.is_some() {
                continue;
            }
            let Some(path) = self.snapshot.cache.relative(&environment.path) else { continue };
            let against = self.moved(path).or_else(|| self.against_environment(environment));
            match against {
                None => candidates.push(stored(index, environment, path, class)),
                Some(because) => plan.kept.push(kept_piece(path, environment.disk, because)),
            }
        }
    }

    fn against_environment(&self, environment: &Environment) -> Option<KeptBecause> {
        if environment.unread {
            return Some(unread::in_doubt(self.snapshot));
        }
        if environment.kind == EnvironmentKind::Central
            && let Some(because) = self.against_project(&environment.project)
        {
            return Some(because);
        }
        if !environment.running.is_empty() {
            return Some(KeptBecause::Running { processes: environment.running.clone() });
        }
        self.young(environment.print.newest).or_else(|| self.recent(last_use(environment)))
    }

    /// Why the environment of a project is kept, unless that has no `.venv` any more, or is gone. Of one that is not where it
    /// was somebody has to say that: it may have been moved.
    fn against_project(&self, project: &Project) -> Option<KeptBecause> {
        match project {
            Project::Unlinked(_) | Project::Gone(_) => None,
            Project::Linked(path) | Project::There(path) => {
                Some(KeptBecause::Project { project: At::new(path) })
            }
            Project::Missing(_) if self.request.allow.contains(&Allowance::Gone) => None,
            Project::Missing(path) => Some(KeptBecause::ProjectMissing { project: At::new(path) }),
            Project::OutOfReach(_) | Project::Unknown => {
                Some(KeptBecause::ProjectUnknown { project: project.directory().map(At::new) })
            }
        }
    }

    /// Why nothing is removed from the bucket that a path begins with, where that was moved.
    pub(super) fn moved(&self, path: &Path) -> Option<KeptBecause> {
        let bucket = self.snapshot.cache.bucket_of(path)?;
        bucket.moved.then_some(KeptBecause::MovedBucket)
    }

    /// Buckets of older layouts, and what interrupted runs left.
    pub(super) fn buckets(&self, candidates: &mut Vec<Candidate>, plan: &mut Plan) {
        for part in &self.snapshot.cache.buckets {
            let bucket = part.parsed();
            if let Some(bucket) = bucket.filter(|it| self.wants(Class::StaleBuckets) && self.is_untested(*it))
            {
                let because = KeptBecause::Untested { old: bucket.is_old() };
                plan.kept.push(whole(part, because));
                continue;
            }
            let (class, action, reason) = match bucket {
                Some(bucket) if self.is_stale(bucket) => (
                    Class::StaleBuckets,
                    Action::RemoveBucket,
                    "a newer layout of the same kind lies beside it",
                ),
                Some(bucket) if bucket.kind == BucketKind::Builds && part.files > 0 => (
                    Class::CrashLeftovers,
                    Action::RemoveLeftover,
                    "temporary directories of builds, in which nothing has changed for some time",
                ),
                None if part.name.starts_with(".tmp")
                    && part.print.inode != 0
                    && !self.holds_one(&part.name) =>
                {
                    (
                        Class::CrashLeftovers,
                        Action::RemoveLeftover,
                        "a temporary directory in which nothing has changed for some time",
                    )
                }
                _ => continue,
            };
            if !self.wants(class) {
                continue;
            }
            if part.moved || part.linked {
                plan.kept.push(whole(part, KeptBecause::MovedBucket));
                continue;
            }
            let seconds = self.request.grace.max(self.request.older_than.unwrap_or(0));
            let least = if class == Class::StaleBuckets { STALE } else { 0 };
            let changed = Timestamp::from_nanosecond(i128::from(part.print.newest)).unwrap_or(Timestamp::MAX);
            if self.within(changed, seconds.max(least)) {
                // Whatever is asked for, an older layout waits.
                let because = if class == Class::StaleBuckets && self.within(changed, STALE) {
                    KeptBecause::RecentLayout { changed }
                } else {
                    KeptBecause::Young { changed }
                };
                plan.kept.push(whole(part, because));
                continue;
            }
            candidates.push(Candidate {
                holders: Vec::new(),
                own: part.disk,
                used: Some(changed),
                step: Step {
                    action,
                    at: At::new(Path::new(&part.name)),
                    name: None,
                    version: None,
                    reason: reason.to_owned(),
                    bytes: Bytes { disk: part.disk, files: part.files, ..Bytes::default() },
                    work: Work::Remove(RemoveWork::new(
                        class,
                        if class == Class::StaleBuckets {
                            Price::Download { bytes: None }
                        } else {
                            Price::Nothing
                        },
                        part.print,
                    )),
                },
            });
        }
    }

    /// Whether an environment lies in something in the cache's root.
    fn holds_one(&self, name: &str) -> bool {
        let roots = self.snapshot.environments.iter();
        roots.filter_map(|it| self.snapshot.cache.relative(&it.path)).any(|path| path.starts_with(name))
    }

    /// Whether a bucket's layout is known to be older than another that is there. The archive's never is: its entries are
    /// looked at one by one.
    pub(super) fn is_stale(&self, bucket: Bucket) -> bool {
        bucket.is_known() && self.has_newer(bucket)
    }

    /// Whether a newer bucket lies beside one that only untested releases of uv write, which may still use it. The built
    /// wheels of uv 0.4 and older became the source distributions of later ones.
    fn is_untested(&self, bucket: Bucket) -> bool {
        let became = Bucket { kind: BucketKind::Sdists, ..bucket };
        let newer = bucket.kind == BucketKind::BuiltWheels && self.has_newer(became);
        !bucket.is_known() && (newer || self.has_newer(bucket))
    }

    fn has_newer(&self, bucket: Bucket) -> bool {
        let keeps = matches!(
            bucket.kind,
            BucketKind::Archive | BucketKind::Files | BucketKind::Environments | BucketKind::Interpreter
        );
        let understood = self.snapshot.cache.buckets.iter().filter(|it| it.is_understood());
        let newer = |other: Bucket| other.kind == bucket.kind && other.version > bucket.version;
        !keeps && understood.filter_map(crate::snapshot::Bucket::parsed).any(newer)
    }
}

/// A part of the cache's root that is kept.
fn whole(part: &crate::snapshot::Bucket, because: KeptBecause) -> Kept {
    kept_piece(Path::new(&part.name), part.disk, because)
}

/// When an environment was last used, as far as that shows.
fn last_use(environment: &Environment) -> Option<Timestamp> {
    environment.last_use.map(|last_use| last_use.time).or(environment.installed)
}

/// An environment that lies in the cache and is no entry.
fn stored(index: EnvironmentIndex, environment: &Environment, path: &Path, class: Class) -> Candidate {
    let (reason, price) = match environment.project.directory() {
        Some(project) => {
            let state = match environment.project {
                Project::Missing(_) | Project::Gone(_) => "is gone",
                _ => "has no .venv any more",
            };
            (format!("its project `{}` {state}", project.display()), Price::Make)
        }
        None => ("an environment left by a script".to_owned(), Price::Make),
    };
    Candidate {
        holders: vec![Holder::Environment(index)],
        own: 0,
        used: last_use(environment),
        step: Step {
            action: Action::RemoveEnvironment,
            at: At::new(path),
            name: None,
            version: None,
            reason,
            bytes: Bytes { disk: environment.disk, files: environment.files, ..Bytes::default() },
            work: Work::Remove(RemoveWork::new(class, price, environment.print)),
        },
    }
}
