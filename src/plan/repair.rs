//! Decides how to mend environments: which files are linked from which entry, what uv should fetch, and what stays broken
//! with what to do about it.
//!
//! It removes nothing, and rests on facts about files that no snapshot has. The same facts and the same request give the same
//! plan.

mod command;
mod link;
mod remedy;
mod step;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Action, At, Bytes, Plan, Request, Scope, Step, Work};
use crate::scan::repair::{BrokenFile, DistributionFacts, EnvironmentFacts, Facts, Lies, Source, Way, Why};
use crate::snapshot::{FilePrint, Mode};

pub use command::Command;
pub use link::{LinkForm, LinkWork, NamedBy, Twice};
pub use remedy::Cause;
pub use step::{DeadLink, DeadPointer, Fetch, RepairFile, RepairWork};

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repair {
    /// The environments, by their roots.
    pub environments: Vec<At>,
    /// Other caches that may have what is missing.
    pub from: Vec<At>,
    /// How files are linked; as most of the environment's are where this is none.
    #[serde(with = "mode_or_none")]
    pub link_mode: Option<Mode>,
    /// Whether uv may be called to fetch what no cache has.
    pub with_uv: bool,
    /// Whether the cache's own links are mended too.
    pub links: bool,
}

/// Makes a plan. The caller sets its scope: what was searched is not in the facts.
pub fn repair(facts: &Facts, request: &Repair) -> Plan {
    let mut plan = Plan::empty(At::new(&facts.cache), Scope::default(), Request::Repair(request.clone()));
    link::plan(facts, &mut plan);
    for environment in &facts.environments {
        let planning = Planning { facts, environment, request };
        for distribution in &environment.distributions {
            planning.distribution(distribution, &mut plan);
        }
        plan.kept.extend(remedy::of_environment(facts, environment));
    }
    remedy::in_order(&mut plan.kept);
    plan.kept.extend(facts.dead_links.iter().map(|(path, target)| remedy::dead_link(path, target)));
    plan.warnings = warnings(facts, request, &plan);
    plan.add_up();
    plan
}

/// An entry, by its cache and its path, and how it was found.
type From<'a> = (usize, &'a Path, Way);

struct Planning<'a> {
    facts: &'a Facts,
    environment: &'a EnvironmentFacts,
    request: &'a Repair,
}

impl Planning<'_> {
    fn distribution(&self, distribution: &DistributionFacts, plan: &mut Plan) {
        if distribution.of_conda && !(distribution.files.is_empty() && distribution.record.is_some()) {
            plan.kept.push(remedy::of_conda_itself(self.environment, distribution));
            return;
        }
        let Some(record) = distribution.record else {
            plan.kept.push(remedy::unreadable(self.facts, self.environment, distribution));
            return;
        };
        if distribution.unclear > 0 {
            plan.kept.push(remedy::unreadable(self.facts, self.environment, distribution));
        }
        let first = plan.kept.len();
        let mut sources: BTreeMap<From<'_>, Vec<(&BrokenFile, &Source)>> = BTreeMap::new();
        let mut without: BTreeMap<&Why, Vec<&BrokenFile>> = BTreeMap::new();
        let (mut wanted, mut elsewhere) = (Vec::new(), Vec::new());
        let fetch = self.fetch(distribution);
        for file in &distribution.files {
            match &file.source {
                // Whoever writes into an entry changes the cache.
                _ if self.environment.stored => {
                    without.entry(&Why::NoCandidate).or_default().push(file);
                }
                // It works where the cache has the path that its links name, and no longer once they name another one.
                Ok(source) if self.environment.inside && source.way == Way::Moved => elsewhere.push(file),
                Ok(source) => {
                    let key = (source.cache, source.entry.as_path(), source.way);
                    sources.entry(key).or_default().push((file, source));
                }
                Err(Why::NoCandidate | Why::OtherContent { .. })
                    if fetch.is_some() && file.digest.is_some() =>
                {
                    wanted.push(file);
                }
                Err(why) => without.entry(why).or_default().push(file),
            }
        }
        for ((cache, entry, way), files) in sources {
            let made = files.iter().map(|(file, source)| made(file, Some(source))).collect();
            let sizes = files.iter().map(|(file, _)| file.size).sum();
            let reason = match way {
                Way::Moved => "its links name this entry, which lies here now",
                Way::Digest => "this entry has what its RECORD states",
                Way::Environment => "no cache has it; this environment has what its RECORD states",
            };
            let work = RepairWork {
                way: Some(way),
                cache: At::new(&self.facts.caches[cache]),
                entry: Some(At::new(entry)),
                entry_is: files.first().map(|(_, source)| source.entry_is),
                // Files of two environments are never one: who edits one would change the other.
                link_mode: match way {
                    Way::Environment => Mode::Copy,
                    Way::Moved | Way::Digest => self.mode(),
                },
                ..self.work(distribution, record, made)
            };
            plan.steps.push(self.step(Action::Link, distribution, reason.to_owned(), sizes, work));
        }
        if let Some(fetch) = fetch.filter(|_| !wanted.is_empty()) {
            let made = wanted.iter().map(|file| made(file, None)).collect();
            let sizes = wanted.iter().map(|file| file.size).sum();
            let reason = fetched(&fetch);
            let work = RepairWork { fetch: Some(fetch), ..self.work(distribution, record, made) };
            plan.steps.push(self.step(Action::Fetch, distribution, reason, sizes, work));
        }
        if !elsewhere.is_empty() {
            plan.kept.push(remedy::of_other_name(self.environment, distribution, &elsewhere));
        }
        for (why, files) in without {
            let left = remedy::of_files(self.facts, self.environment, distribution, why, &files);
            plan.kept.push(left);
        }
        if !distribution.modified.is_empty() {
            plan.kept.push(remedy::modified(self.facts, self.environment, distribution));
        }
        remedy::once(&mut plan.kept[first..]);
    }

    fn step(
        &self,
        action: Action,
        distribution: &DistributionFacts,
        reason: String,
        logical: u64,
        work: RepairWork,
    ) -> Step {
        Step {
            action,
            at: At::new(&self.environment.path),
            name: Some(distribution.name.clone()),
            version: Some(distribution.version.clone()),
            reason,
            bytes: Bytes { files: work.files.len() as u64, logical, ..Bytes::default() },
            work: Work::Repair(work),
        }
    }

    fn work(
        &self,
        distribution: &DistributionFacts,
        expects: FilePrint,
        files: Vec<RepairFile>,
    ) -> RepairWork {
        RepairWork {
            dist_info: At::new(&distribution.dist_info),
            way: None,
            cache: At::new(&self.facts.cache),
            entry: None,
            entry_is: None,
            link_mode: self.mode(),
            files,
            fetch: None,
            expects,
        }
    }

    /// How files of entries are linked.
    fn mode(&self) -> Mode {
        self.request.link_mode.unwrap_or_else(|| own_mode(self.environment))
    }

    /// What uv would fetch, if it may be called for this distribution.
    fn fetch(&self, distribution: &DistributionFacts) -> Option<Fetch> {
        if !self.request.with_uv || self.environment.stored {
            return None;
        }
        let (options, requirement) = remedy::fetchable(distribution)?;
        let environment = self.environment;
        let python = match (&environment.program, &environment.python) {
            (Some(program), _) => program.clone(),
            (None, Some(version)) => PathBuf::from(version),
            (None, None) => return None,
        };
        let beside = environment.path.parent().unwrap_or(&environment.path);
        let pointers = self.facts.poison.get(&distribution.name).into_iter().flatten();
        let pointers = pointers.map(|poison| DeadPointer {
            at: At::new(&poison.path),
            expects: poison.print,
            link: poison.link.as_ref().map(|(path, print)| DeadLink { at: At::new(path), expects: *print }),
        });
        Some(Fetch {
            options,
            requirement,
            python: At::new(&python),
            directory: At::new(environment.project.as_deref().unwrap_or(beside)),
            pointers: pointers.collect(),
        })
    }
}

/// Why uv is to fetch a distribution, and from where.
fn fetched(fetch: &Fetch) -> String {
    let it = &fetch.requirement;
    if fetch.options.iter().any(|option| option == remedy::ONLY_WHEELS) {
        format!(
            "no cache here has it and its source is unknown; uv can fetch a wheel of `{it}` from the indexes of its \
             settings, and only the content that RECORD states is linked"
        )
    } else {
        format!("no cache here has it; uv can fetch `{it}`")
    }
}

fn made(file: &BrokenFile, source: Option<&Source>) -> RepairFile {
    RepairFile {
        at: At::new(&file.path),
        source: source.map(|source| At::new(&source.path)),
        sha256: file.digest,
        hashed: source.and_then(|source| source.hashed),
        replaces: match file.lies {
            Lies::Dangling { print } => Some(print),
            Lies::Missing => None,
        },
    }
}

/// How most files of an environment are linked; a symlink that leads nowhere is one all the same. Where nothing tells, as
/// uv links by itself.
fn own_mode(environment: &EnvironmentFacts) -> Mode {
    let modes = environment.modes;
    let counts = [
        (Mode::Symlink, modes.symlink + environment.dangling),
        (Mode::Copy, modes.copy),
        (Mode::Hardlink, modes.hardlink),
        (Mode::Clone, modes.clone),
    ];
    // Of several that are as many the last: what does not break goes first.
    let most = counts.into_iter().max_by_key(|(_, files)| *files);
    most.filter(|(_, files)| *files > 0).map_or(Mode::Clone, |(mode, _)| mode)
}

fn warnings(facts: &Facts, request: &Repair, plan: &Plan) -> Vec<String> {
    let mut warnings = Vec::new();
    let linked = || plan.repairs().map(|(_, work)| work).filter(|work| work.link_mode == Mode::Symlink);
    let mut others: Vec<&At> =
        linked().map(|work| &work.cache).filter(|cache| cache.path() != facts.cache).collect();
    others.sort_unstable();
    others.dedup();
    for cache in others {
        warnings.push(format!(
            "The symlinks lead into `{}`: to move, prune or clean that cache breaks them again.",
            cache.text()
        ));
    }
    if request.link_mode == Some(Mode::Symlink) && linked().next().is_some() && warnings.is_empty() {
        warnings.push(
            "Symlinks lead into the cache: `uv cache clean` and `uv cache prune` break them again."
                .to_owned(),
        );
    }
    if linked().any(|work| work.way == Some(Way::Moved)) {
        warnings.push(
            "Links that name another path of the cache lead to this one afterwards. If a container has the cache at that \
             path, its environments break there."
                .to_owned(),
        );
    }
    warnings.extend(facts.environments.iter().filter_map(|it| of_other_owners(it, plan)));
    warnings
}

/// That an environment gets links to files of other users, who may write them.
fn of_other_owners(environment: &EnvironmentFacts, plan: &Plan) -> Option<String> {
    let at = At::new(&environment.path);
    let mut owners: BTreeMap<u32, u64> = BTreeMap::new();
    for (_, work) in plan.repairs().filter(|(step, _)| step.at == at) {
        // Where there are no clones, uv's and cachetui's become hardlinks.
        let links = match work.link_mode {
            Mode::Hardlink | Mode::Symlink => true,
            Mode::Clone => environment.modes.clone == 0,
            Mode::Copy => false,
        };
        let of_step = |it: &&DistributionFacts| At::new(&it.dist_info) == work.dist_info;
        let files = environment.distributions.iter().filter(of_step).flat_map(|it| &it.files);
        for file in files.filter(|_| links) {
            let planned = |file: &BrokenFile| work.files.iter().any(|it| it.at == At::new(&file.path));
            match &file.source {
                Ok(source) if source.owner != environment.owner && planned(file) => {
                    *owners.entry(source.owner).or_default() += 1;
                }
                _ => {}
            }
        }
    }
    let users: Vec<String> = owners.keys().map(ToString::to_string).collect();
    let files = crate::human::counted(owners.values().sum(), "file", "files");
    (!users.is_empty()).then(|| {
        format!(
            "{files} in `{}`, which belongs to user {}, will be linked to files of user {}, who may write them; \
             `--link-mode copy` makes files of the environment's own.",
            at.text(),
            environment.owner,
            crate::human::list(&users)
        )
    })
}

/// A link mode by its word, or none.
mod mode_or_none {
    use serde::{Deserialize, Deserializer, Serialize as _, Serializer};

    use crate::plan::relink::link_mode;
    use crate::snapshot::Mode;

    #[derive(Deserialize)]
    struct Word(#[serde(with = "link_mode")] Mode);

    #[expect(clippy::ref_option, clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
    pub(super) fn serialize<S: Serializer>(mode: &Option<Mode>, serializer: S) -> Result<S::Ok, S::Error> {
        mode.map(Mode::word).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Mode>, D::Error> {
        Ok(Option::<Word>::deserialize(deserializer)?.map(|Word(mode)| mode))
    }
}
