//! What `doctor` has to say, put together from a scan, probes and findings: pure.

use std::path::PathBuf;

use crate::human;
use crate::linker::diagnose::{Cause, Diagnosis};
use crate::linker::probe::Probe;
use crate::scan::health::Finding;
use crate::snapshot::{Distribution, DistributionState, Environment, EnvironmentIndex, Mode, Snapshot};

/// One probe, and the environments it stands for.
#[derive(Clone, Debug)]
pub struct Tried {
    /// What was tried.
    pub probe: Probe,
    /// What it means.
    pub diagnosis: Diagnosis,
    /// The environments it stands for.
    pub environments: Vec<EnvironmentIndex>,
}

/// What a report is made from.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// The cache and its environments.
    pub snapshot: &'a Snapshot,
    /// The environments that are asked about.
    pub environments: &'a [EnvironmentIndex],
    /// The probes; none for an environment that could not be tried.
    pub tried: &'a [Tried],
    /// What was found out about the cache.
    pub findings: &'a [Finding],
    /// Whether the environments were asked for by name.
    pub named: bool,
    /// The value of `UV_LINK_MODE`.
    pub link_mode: Option<&'a str>,
}

/// What `doctor` has to say.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// One row for each environment.
    pub environments: Vec<Checked>,
    /// What is wrong with, or worth knowing of, the cache itself.
    pub findings: Vec<Finding>,
    /// Settings that are worth knowing.
    pub settings: Vec<Remark>,
    /// Whether the environments were asked for by name.
    pub named: bool,
    /// How many probes were made.
    pub probes: usize,
    /// What a probe could not remove again.
    pub left: Vec<PathBuf>,
}

/// One environment.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The environment.
    pub index: EnvironmentIndex,
    /// What was tried there, or in a place that is alike.
    pub probe: Option<Probe>,
    /// The best link mode that works, when one was tried and does.
    pub could: Option<Mode>,
    /// What is wrong or worth knowing.
    pub remarks: Vec<Remark>,
    /// Its distributions that have damaged files, or whose files are not known, by their places in the snapshot.
    pub damaged: Vec<usize>,
}

/// Something that is wrong or worth knowing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// The word for it in JSON.
    pub kind: &'static str,
    /// Whether it is wrong.
    pub fault: bool,
    /// What it is.
    pub text: String,
    /// What it costs.
    pub cost: String,
    /// What to do about it.
    pub advice: String,
    /// Bytes that are held twice because of it.
    pub bytes: u64,
}

/// A remark, and the environments it is about.
#[derive(Clone, Debug)]
pub struct Joint {
    /// The remark, with the bytes of all of them.
    pub remark: Remark,
    /// The environments.
    pub environments: Vec<EnvironmentIndex>,
}

/// Builds the report.
pub fn build(inputs: &Inputs<'_>) -> Report {
    let environments = inputs.environments.iter().map(|index| checked(inputs, *index)).collect();
    Report {
        environments,
        findings: inputs.findings.to_vec(),
        settings: inputs.link_mode.and_then(|mode| setting(mode, inputs.tried)).into_iter().collect(),
        named: inputs.named,
        probes: inputs.tried.len(),
        left: inputs.tried.iter().flat_map(|tried| tried.probe.left.iter().cloned()).collect(),
    }
}

fn checked(inputs: &Inputs<'_>, index: EnvironmentIndex) -> Checked {
    let environment = inputs.snapshot.environment(index);
    let tried = inputs.tried.iter().find(|tried| tried.environments.contains(&index));
    let could = tried.and_then(|tried| tried.diagnosis.best);
    let causes = tried.map_or(&[][..], |tried| &tried.diagnosis.causes);
    let mut remarks: Vec<Remark> = causes.iter().map(|cause| of_cause(cause, environment)).collect();
    if environment.copied > 0 && matches!(could, Some(Mode::Clone | Mode::Hardlink)) {
        remarks.push(copied(environment));
    }
    if environment.modes.symlink > 0 {
        remarks.push(symlinked());
    }
    let damaged = damaged(environment);
    remarks.extend(modified(environment, &damaged));
    Checked { index, probe: tried.map(|tried| tried.probe.clone()), could, remarks, damaged }
}

/// The distributions that are not whole, or of which nothing can be said.
fn damaged(environment: &Environment) -> Vec<usize> {
    let is_damaged = |it: &Distribution| {
        let files = it.files;
        files.dangling + files.missing + files.modified > 0
            || !it.editable && it.state == DistributionState::Unknown
    };
    let all = environment.distributions.iter().enumerate();
    all.filter(|(_, it)| is_damaged(it)).map(|(position, _)| position).collect()
}

/// That files were changed. What is missing is a finding of its own.
fn modified(environment: &Environment, damaged: &[usize]) -> Option<Remark> {
    const NAMES: usize = 5;
    let changed = damaged.iter().map(|position| &environment.distributions[*position]);
    let changed: Vec<&Distribution> = changed.filter(|it| it.files.modified > 0).collect();
    let files: u64 = changed.iter().map(|it| it.files.modified).sum();
    let mut names: Vec<String> =
        changed.iter().take(NAMES).map(|it| human::escape(&it.name).into_owned()).collect();
    if changed.len() > NAMES {
        names.push(format!("{} more", changed.len() - NAMES));
    }
    let files = human::counted(files, "file differs", "files differ");
    (!changed.is_empty()).then(|| Remark {
        kind: "modified",
        fault: false,
        text: format!("{files} from RECORD, in {}.", human::list(&names)),
        cost: "What is installed is not what was installed; an edit through a hardlink or symlink changes the cache and \
            every environment that shares the file."
            .to_owned(),
        advice: "`cachetui verify ENV` lists the files and names the command for each case.".to_owned(),
        bytes: 0,
    })
}

fn of_cause(cause: &Cause, environment: &Environment) -> Remark {
    Remark {
        kind: cause.kind(),
        // What nobody installed from this cache is not wrong: it may well have a cache of its own.
        fault: cause.is_fault() && is_related(environment),
        text: cause.to_string(),
        cost: cause.cost().to_owned(),
        advice: cause.advice(),
        bytes: if cause.copies() { environment.copied } else { 0 },
    }
}

/// Whether an environment has anything from this cache.
fn is_related(environment: &Environment) -> bool {
    environment.modes.total() > 0 || environment.dangling > 0
}

fn copied(environment: &Environment) -> Remark {
    Remark {
        kind: "copied",
        fault: false,
        text: "Files were copied although they could be linked: by a setting, or when the cache lay elsewhere."
            .to_owned(),
        cost: "They take their space a second time.".to_owned(),
        advice: "`cachetui relink ENV --link-mode hardlink` (or `clone`, where the filesystem can) links them in place and \
            gives the bytes back; `--dry-run` says how many."
            .to_owned(),
        bytes: environment.copied,
    }
}

fn symlinked() -> Remark {
    Remark {
        kind: "symlinked",
        fault: false,
        text: "Files are symlinks into the cache.".to_owned(),
        cost: "Little space, a block for each on most filesystems. But `uv cache prune` and `uv cache clean` do not \
            know of environments: they may remove what these lead to, and the environments then break without uv \
            noticing."
            .to_owned(),
        advice: "Before the cache is pruned, look at `cachetui list --state protected`. Where hardlinks or clones work, they \
            take no more space and survive: `cachetui relink ENV --link-mode hardlink`."
            .to_owned(),
        bytes: 0,
    }
}

fn setting(mode: &str, tried: &[Tried]) -> Option<Remark> {
    let links = |tried: &Tried| matches!(tried.diagnosis.best, Some(Mode::Clone | Mode::Hardlink));
    let (cost, advice) = match mode {
        "copy" => (
            "uv copies every file, even where links would take no space.",
            if tried.is_empty() || tried.iter().any(links) {
                "Unset it where links work, as COULD shows; uv falls back to copies by itself where they do not."
            } else {
                "It does no harm here, since links work in no environment; it also hides uv's warning about that."
            },
        ),
        "symlink" => (
            "Every environment depends on the cache: `uv cache prune` and `uv cache clean` may break it without uv noticing.",
            "Unset it: clones and hardlinks take as little space, and survive a pruned cache. Where only symlinks work, do not \
             prune before looking at `cachetui list --state protected`.",
        ),
        _ => return None,
    };
    Some(Remark {
        kind: "setting",
        fault: false,
        text: format!("`UV_LINK_MODE` is `{}`.", human::escape(mode)),
        cost: cost.to_owned(),
        advice: advice.to_owned(),
        bytes: 0,
    })
}

impl Report {
    /// What environments have in common: each remark once, with all environments it is about, faults first.
    pub fn joint(&self) -> Vec<Joint> {
        let same = |one: &Remark, other: &Remark| (one.fault, &one.text) == (other.fault, &other.text);
        let mut joint: Vec<Joint> = Vec::new();
        for checked in &self.environments {
            for remark in &checked.remarks {
                match joint.iter_mut().find(|it| same(&it.remark, remark)) {
                    Some(known) => {
                        known.remark.bytes += remark.bytes;
                        if known.environments.last() != Some(&checked.index) {
                            known.environments.push(checked.index);
                        }
                    }
                    None => joint.push(Joint { remark: remark.clone(), environments: vec![checked.index] }),
                }
            }
        }
        joint.sort_by_key(|it| (!it.remark.fault, std::cmp::Reverse(it.remark.bytes)));
        joint
    }

    /// How many things are wrong.
    pub fn faults(&self) -> usize {
        let findings = self.findings.iter().filter(|finding| finding.kind.is_fault()).count();
        let environments = self.joint().iter().filter(|it| it.remark.fault).count();
        findings + environments + self.left.len()
    }

    /// How many things are worth knowing.
    pub fn notes(&self) -> usize {
        let findings = self.findings.iter().filter(|finding| !finding.kind.is_fault()).count();
        let environments = self.joint().iter().filter(|it| !it.remark.fault).count();
        findings + environments + self.settings.len()
    }
}
