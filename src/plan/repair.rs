//! Decides how to mend environments: which files are linked from which entry, what uv should fetch, and what stays broken
//! with what to do about it.
//!
//! A plan of its own beside [`Plan`](super::Plan): it removes nothing, and rests on facts about files that no snapshot
//! has. The same facts and the same request give the same plan.

mod command;
mod link;
mod remedy;
mod step;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use super::{At, SCHEMA_VERSION};
use crate::scan::repair::{BrokenFile, DistributionFacts, EnvironmentFacts, Facts, Lies, Source, Way, Why};
use crate::snapshot::{FilePrint, Mode};

pub use command::Command;
pub use link::{LinkForm, LinkStep, NamedBy, Twice};
pub use remedy::{Cause, Left};
pub use step::{DeadLink, DeadPointer, Fetch, RepairAction, RepairBytes, RepairFile, RepairStep};

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RepairRequest {
    /// The environments, by their roots.
    pub environments: Vec<At>,
    /// Other caches that may have what is missing.
    pub from: Vec<At>,
    /// How files are linked; as most of the environment's are where this is none.
    #[serde(serialize_with = "step::mode_or_none")]
    pub link_mode: Option<Mode>,
    /// Whether uv may be called to fetch what no cache has.
    pub with_uv: bool,
    /// Whether the cache's own links are mended too.
    pub links: bool,
}

/// What is to be mended, how, and what stays broken.
///
/// Written down, all steps are in one list, those about the cache's own links first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepairPlan {
    /// The version of this form.
    pub schema_version: u32,
    /// What was asked for.
    pub request: RepairRequest,
    /// The cache's root, absolute.
    pub cache: At,
    /// Links of the cache that are written anew, ordered by path; they come first.
    pub links: Vec<LinkStep>,
    /// What is to be done in environments, in this order.
    pub steps: Vec<RepairStep>,
    /// What stays broken.
    pub kept: Vec<Left>,
    /// What somebody should know before, as sentences. Not escaped.
    pub warnings: Vec<String>,
    /// The sums of all steps.
    pub totals: RepairTotals,
}

/// The sums of all steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RepairTotals {
    /// Steps.
    pub steps: u64,
    /// Of those, links of the cache that are written anew.
    pub links: u64,
    /// Distributions that are mended, by way of uv or not.
    pub distributions: u64,
    /// Of those, the ones that uv has to fetch.
    pub fetched: u64,
    /// What stays broken: rows of `kept`.
    pub kept: u64,
    /// What is made in environments.
    pub bytes: RepairBytes,
}

impl RepairPlan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.links.is_empty() && self.steps.is_empty()
    }

    /// Takes out every step that somebody does not want.
    pub fn retain(
        &mut self,
        wanted_links: impl FnMut(&LinkStep) -> bool,
        wanted: impl FnMut(&RepairStep) -> bool,
    ) {
        self.links.retain(wanted_links);
        self.steps.retain(wanted);
        self.totals = totals(self);
    }
}

impl Serialize for RepairPlan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        /// A step of either kind; the action tells which.
        #[derive(Serialize)]
        #[serde(untagged)]
        enum Any<'a> {
            Link(&'a LinkStep),
            Mend(&'a RepairStep),
        }
        let steps = self.links.iter().map(Any::Link).chain(self.steps.iter().map(Any::Mend));
        let mut form = serializer.serialize_struct("RepairPlan", 7)?;
        form.serialize_field("schema_version", &self.schema_version)?;
        form.serialize_field("request", &self.request)?;
        form.serialize_field("cache", &self.cache)?;
        form.serialize_field("steps", &steps.collect::<Vec<_>>())?;
        form.serialize_field("kept", &self.kept)?;
        form.serialize_field("warnings", &self.warnings)?;
        form.serialize_field("totals", &self.totals)?;
        form.end()
    }
}

/// Makes a plan.
pub fn repair(facts: &Facts, request: &RepairRequest) -> RepairPlan {
    let mut plan = RepairPlan {
        schema_version: SCHEMA_VERSION,
        request: request.clone(),
        cache: At::new(&facts.cache),
        links: Vec::new(),
        steps: Vec::new(),
        kept: Vec::new(),
        warnings: Vec::new(),
        totals: RepairTotals::default(),
    };
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
    plan.warnings = warnings(facts, &plan);
    plan.totals = totals(&plan);
    plan
}

/// An entry, by its cache and its path, and how it was found.
type From<'a> = (usize, &'a Path, Way);

struct Planning<'a> {
    facts: &'a Facts,
    environment: &'a EnvironmentFacts,
    request: &'a RepairRequest,
}

impl Planning<'_> {
    fn distribution(&self, distribution: &DistributionFacts, plan: &mut RepairPlan) {
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
            plan.steps.push(RepairStep {
                action: RepairAction::Link,
                way: Some(way),
                cache: At::new(&self.facts.caches[cache]),
                entry: Some(At::new(entry)),
                entry_is: files.first().map(|(_, source)| source.entry_is),
                reason: match way {
                    Way::Moved => "its links name this entry, which lies here now".to_owned(),
                    Way::Digest => "this entry has what its RECORD states".to_owned(),
                    Way::Environment => {
                        "no cache has it; this environment has what its RECORD states".to_owned()
                    }
                },
                // Files of two environments are never one: who edits one would change the other.
                link_mode: match way {
                    Way::Environment => Mode::Copy,
                    Way::Moved | Way::Digest => self.mode(),
                },
                ..self.step(distribution, record, made, sizes)
            });
        }
        if let Some(fetch) = fetch.filter(|_| !wanted.is_empty()) {
            let made = wanted.iter().map(|file| made(file, None)).collect();
            let sizes = wanted.iter().map(|file| file.size).sum();
            plan.steps.push(RepairStep {
                action: RepairAction::Fetch,
                reason: fetched(&fetch),
                fetch: Some(fetch),
                ..self.step(distribution, record, made, sizes)
            });
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
        distribution: &DistributionFacts,
        record: FilePrint,
        files: Vec<RepairFile>,
        logical: u64,
    ) -> RepairStep {
        RepairStep {
            action: RepairAction::Link,
            at: At::new(&self.environment.path),
            name: distribution.name.clone(),
            version: distribution.version.clone(),
            dist_info: At::new(&distribution.dist_info),
            way: None,
            cache: At::new(&self.facts.cache),
            entry: None,
            entry_is: None,
            link_mode: self.mode(),
            reason: String::new(),
            bytes: RepairBytes { files: files.len() as u64, logical },
            files,
            fetch: None,
            expects: record,
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

fn warnings(facts: &Facts, plan: &RepairPlan) -> Vec<String> {
    let mut warnings = Vec::new();
    let linked = || plan.steps.iter().filter(|step| step.link_mode == Mode::Symlink);
    let mut others: Vec<&At> =
        linked().map(|step| &step.cache).filter(|cache| cache.path() != facts.cache).collect();
    others.sort_unstable();
    others.dedup();
    for cache in others {
        warnings.push(format!(
            "The symlinks lead into `{}`: to move, prune or clean that cache breaks them again.",
            cache.text()
        ));
    }
    if plan.request.link_mode == Some(Mode::Symlink) && linked().next().is_some() && warnings.is_empty() {
        warnings.push(
            "Symlinks lead into the cache: `uv cache clean` and `uv cache prune` break them again."
                .to_owned(),
        );
    }
    if plan.steps.iter().any(|step| step.way == Some(Way::Moved) && step.link_mode == Mode::Symlink) {
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
fn of_other_owners(environment: &EnvironmentFacts, plan: &RepairPlan) -> Option<String> {
    let at = At::new(&environment.path);
    let mut owners: BTreeMap<u32, u64> = BTreeMap::new();
    for step in plan.steps.iter().filter(|step| step.at == at) {
        // Where there are no clones, uv's and cachetui's become hardlinks.
        let links = match step.link_mode {
            Mode::Hardlink | Mode::Symlink => true,
            Mode::Clone => environment.modes.clone == 0,
            Mode::Copy => false,
        };
        let of_step = |it: &&DistributionFacts| At::new(&it.dist_info) == step.dist_info;
        let files = environment.distributions.iter().filter(of_step).flat_map(|it| &it.files);
        for file in files.filter(|_| links) {
            let planned = |file: &BrokenFile| step.files.iter().any(|it| it.at == At::new(&file.path));
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

fn totals(plan: &RepairPlan) -> RepairTotals {
    let mut totals = RepairTotals {
        steps: (plan.links.len() + plan.steps.len()) as u64,
        links: plan.links.len() as u64,
        kept: plan.kept.len() as u64,
        ..RepairTotals::default()
    };
    let mut last = None;
    for step in &plan.steps {
        let this = Some((&step.at, &step.dist_info));
        totals.distributions += u64::from(this != last);
        last = this;
        totals.fetched += u64::from(step.action == RepairAction::Fetch);
        totals.bytes.files += step.bytes.files;
        totals.bytes.logical += step.bytes.logical;
    }
    totals
}
