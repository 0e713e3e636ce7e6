//! Chooses what to link otherwise in live environments.
//!
//! One step is one distribution of one environment. Only files that an entry has too are ever touched, and whether they are
//! equal is proven when the step is carried out; here it is decided which distributions are worth it, and what that gives
//! back or takes.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::step::Bytes;
use super::{Action, At, Kept, KeptBecause, Plan, Relink, Step, Work};
use crate::human;
use crate::scan::losses::{Looked, Stays};
use crate::snapshot::{
    Certainty, Distribution, DistributionState, Environment, EnvironmentIndex, Evidence, FilePrint,
    JointCopy, Mode, Snapshot, TreePrint, What,
};

/// How a distribution is linked otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelinkWork {
    /// Its `.dist-info` directory, relative to the environment's root.
    pub dist_info: At,
    /// The entry it was installed from, relative to the cache's root.
    pub entry: At,
    /// How its files are to be linked.
    #[serde(with = "link_mode")]
    pub mode: Mode,
    /// Files whose content is known not to be the entry's any more, and which stay as they are.
    pub modified: u64,
    /// Files that have what a link would lack, and which stay as they are.
    #[serde(default)]
    pub keeps: u64,
    /// What has to be found there.
    pub expects: RelinkExpects,
}

impl RelinkWork {
    /// Whether it is the same as that of another plan. The entry's links change with every installation from it.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let entry = |it: &Self| {
            let TreePrint { device, inode, files, logical, .. } = it.expects.entry;
            (device, inode, files, logical)
        };
        (&self.dist_info, &self.entry, self.mode) == (&other.dist_info, &other.entry, other.mode)
            && self.expects.record == other.expects.record
            && entry(self) == entry(other)
    }
}

/// What has to be found when a distribution is linked otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelinkExpects {
    /// The environment's `RECORD` of the distribution.
    pub record: FilePrint,
    /// The entry. Its links, and with them its change times, change with every installation, and with every other step.
    pub entry: TreePrint,
}

/// What somebody should know before files are linked in a mode; nothing of the others.
fn warning(mode: Mode, becomes: Mode) -> Option<String> {
    match (mode, becomes) {
        (Mode::Symlink, _) => Some(
            "Symlinks lead into the cache: to prune or clean it, as `uv cache clean` and `uv cache prune` do, \
             breaks these environments."
                .to_owned(),
        ),
        (_, Mode::Hardlink) => {
            let fallen = if mode == Mode::Clone {
                "Nothing can be cloned on this filesystem; these will be hardlinks, as with uv. "
            } else {
                ""
            };
            Some(format!(
                "{fallen}A hardlinked file is the cache's own: editing it changes the cache, and all other environments \
                 that link to it."
            ))
        }
        _ => None,
    }
}

/// Fills in the steps, what is kept, and the warnings.
pub(super) fn relink(snapshot: &Snapshot, request: &Relink, plan: &mut Plan) {
    let packages: Vec<What> = request.packages.iter().map(|text| What::new(text.as_ref())).collect();
    let mut environments: Vec<&At> = request.environments.iter().collect();
    environments.sort_unstable();
    environments.dedup();
    let mut edited: Vec<(String, u64)> = Vec::new();
    let mut joint = Joint::default();
    for at in environments {
        let Some(index) = snapshot.find_environment(&at.path()) else {
            plan.kept.push(kept(at, None, KeptBecause::Unknown));
            continue;
        };
        let environment = snapshot.environment(index);
        if let Some(because) = against_environment(environment) {
            plan.kept.push(kept(at, None, because));
            continue;
        }
        for (position, distribution) in environment.distributions.iter().enumerate() {
            let named =
                |what: &What| what.names_distribution(Some(&distribution.name), Some(&distribution.version));
            if !packages.is_empty() && !packages.iter().any(named) {
                continue;
            }
            if distribution.files.modified > 0 {
                edited.push((distribution.name.clone(), distribution.files.modified));
            }
            match step(snapshot, index, position, request.mode) {
                Ok(mut step) => {
                    let again = joint.add(plan.steps.len(), index, &distribution.joint);
                    let less = match becomes(snapshot, request.mode) {
                        Mode::Hardlink => again.bytes,
                        Mode::Symlink => {
                            again.paths
                                * step.relink().map_or(0, |work| symlink_bytes(snapshot, &work.expects))
                        }
                        Mode::Clone | Mode::Copy => 0,
                    };
                    step.bytes.needed = step.bytes.needed.saturating_sub(less);
                    plan.steps.push(step);
                }
                Err(because) => plan.kept.push(kept(at, Some(distribution), because)),
            }
        }
    }
    if becomes(snapshot, request.mode) != Mode::Copy {
        joint.give_back(&mut plan.steps);
    }
    if !plan.is_empty() {
        plan.warnings.extend(warning(request.mode, becomes(snapshot, request.mode)));
    }
    plan.warnings.extend(left(edited));
}

/// Copies that have names in several environments or places, or that several distributions list. Their bytes come free with the
/// last name, and once.
#[derive(Default)]
struct Joint<'a> {
    paths: HashSet<(EnvironmentIndex, &'a Path)>,
    /// By device and inode: its links and bytes, how many of its names go, and the last step that takes one.
    inodes: BTreeMap<(u64, u64), Names>,
}

/// What was counted with an earlier step.
#[derive(Clone, Copy, Default)]
struct Again {
    /// Copies at paths that an earlier distribution lists too.
    paths: u64,
    /// The bytes of copies that are the same file as an earlier one.
    bytes: u64,
}

struct Names {
    links: u64,
    disk: u64,
    gone: u64,
    last: usize,
}

impl<'a> Joint<'a> {
    /// Adds the copies of a step; answers what of them was counted before.
    fn add(&mut self, step: usize, environment: EnvironmentIndex, copies: &'a [JointCopy]) -> Again {
        let mut again = Again::default();
        for copy in copies {
            let names = Names { links: copy.links, disk: copy.disk, gone: 0, last: step };
            let is_new = self.paths.insert((environment, &copy.path));
            let names = self.inodes.entry((copy.device, copy.inode)).or_insert(names);
            again.paths += u64::from(!is_new);
            again.bytes += if names.gone > 0 { copy.disk } else { 0 };
            names.gone += u64::from(is_new);
            names.last = step;
        }
        again
    }

    /// Gives the bytes to the steps that take the last names.
    fn give_back(self, steps: &mut [Step]) {
        for names in self.inodes.into_values().filter(|names| names.gone >= names.links) {
            steps[names.last].bytes.reclaimable += names.disk;
        }
    }
}

/// That what differs from `RECORD` stays, and which distributions it is of.
fn left(mut edited: Vec<(String, u64)>) -> Option<String> {
    const NAMES: usize = 5;
    let files: u64 = edited.iter().map(|(_, files)| files).sum();
    edited.sort_unstable();
    edited.dedup_by(|one, other| one.0 == other.0);
    let mut names: Vec<String> = edited.iter().take(NAMES).map(|(name, _)| name.clone()).collect();
    if edited.len() > NAMES {
        names.push(format!("{} more", edited.len() - NAMES));
    }
    let files = human::counted(files, "file differs", "files differ");
    let names = human::list(&names);
    (!edited.is_empty()).then(|| {
        format!("{files} from RECORD and will stay so, in {names}: `cachetui verify ENV` lists them.")
    })
}

fn kept(at: &At, distribution: Option<&Distribution>, because: KeptBecause) -> Kept {
    Kept {
        name: distribution.map(|it| it.name.clone()),
        version: distribution.map(|it| it.version.clone()),
        modified: distribution.map_or(0, |it| it.files.modified),
        ..Kept::new(at.clone(), because)
    }
}

/// What speaks against changing an environment at all.
fn against_environment(environment: &Environment) -> Option<KeptBecause> {
    if environment.entry.is_some() {
        Some(KeptBecause::InCache)
    } else if environment.unread {
        Some(KeptBecause::Unread)
    } else {
        None
    }
}

/// What a mode becomes on the cache's filesystem.
fn becomes(snapshot: &Snapshot, mode: Mode) -> Mode {
    if mode == Mode::Clone && !snapshot.cache.reflinks { Mode::Hardlink } else { mode }
}

/// The step for one distribution, or why there is none.
fn step(
    snapshot: &Snapshot,
    index: EnvironmentIndex,
    position: usize,
    mode: Mode,
) -> Result<Step, KeptBecause> {
    let environment = snapshot.environment(index);
    let distribution = &environment.distributions[position];
    if distribution.editable {
        return Err(KeptBecause::Editable);
    }
    if distribution.is_of_conda() {
        return Err(KeptBecause::OfConda);
    }
    let record = match (distribution.state, distribution.record) {
        (DistributionState::Broken, _) => return Err(KeptBecause::Broken),
        (DistributionState::Unknown, _) | (_, None) => return Err(KeptBecause::Unread),
        (_, Some(record)) => record,
    };
    let proven = |entry: &crate::snapshot::EntryIndex| {
        let number = u32::try_from(position).ok();
        snapshot.references_to(*entry).iter().any(|reference| {
            reference.environment == index
                && reference.distribution == number
                && reference.evidence > Evidence::Name
        })
    };
    let entry = distribution.entry.filter(proven).ok_or(KeptBecause::NoEntry)?;
    let entry = snapshot.entry(entry);
    if entry.unread {
        return Err(KeptBecause::Unread);
    }
    let becomes = becomes(snapshot, mode);
    let changing = changing(distribution, becomes);
    if distribution.files.modes.total() + distribution.files.unprovable == 0 {
        return Err(KeptBecause::OtherPermissions);
    }
    if changing == 0 {
        return Err(KeptBecause::AlreadySo { mode: becomes.word().to_owned() });
    }
    let same_device = record.device == entry.print.device;
    if becomes == Mode::Hardlink && (!same_device || environment.other_mount) {
        return Err(KeptBecause::OtherFilesystem);
    }
    let expects = RelinkExpects { record, entry: entry.print };
    let volume = Volume {
        copies_share: snapshot.cache.reflinks && same_device,
        name: snapshot.cache.filesystem.as_deref().filter(|_| same_device),
        symlink: symlink_bytes(snapshot, &expects),
        certainty: snapshot.cache.certainty,
    };
    Ok(Step {
        action: Action::Relink,
        at: At::new(&environment.path),
        name: Some(distribution.name.clone()),
        version: Some(distribution.version.clone()),
        reason: reason(distribution, becomes),
        bytes: bytes(distribution, becomes, changing, volume),
        work: Work::Relink(RelinkWork {
            dist_info: At::new(&distribution.dist_info),
            entry: At::new(&entry.key.path()),
            mode,
            modified: distribution.files.modified,
            keeps: 0,
            expects,
        }),
    })
}

/// Takes files out of a plan that stay as they are, and the blocks that symlinks do not take: by the place of their step. `block`
/// is the bytes of one block of the cache's volume.
pub fn keep(plan: &mut Plan, looked: &[Looked], block: u64) {
    // A path that an earlier step has too was subtracted already.
    let mut known = HashSet::new();
    for (step, looked) in plan.steps.iter_mut().zip(looked) {
        let Work::Relink(work) = &mut step.work else { continue };
        let short = looked.short.iter().filter(|path| known.insert((step.at.clone(), *path))).count() as u64;
        step.bytes.needed = step.bytes.needed.saturating_sub(short * block);
        let first = plan.kept.len();
        for file in &looked.stay {
            work.keeps += 1;
            if !file.left_out {
                step.bytes.files = step.bytes.files.saturating_sub(1);
                // Where a symlink takes a block, this one does not.
                let link = if work.mode == Mode::Symlink { block } else { 0 };
                step.bytes.needed = step.bytes.needed.saturating_sub(file.needed + link);
                step.bytes.reclaimable = step.bytes.reclaimable.saturating_sub(file.frees);
            }
            let because = match &file.why {
                Stays::Loses(loss) => KeptBecause::WouldLose { what: loss.to_string() },
                Stays::Outside => KeptBecause::Outside,
            };
            plan.kept.push(Kept {
                name: step.name.clone(),
                version: step.version.clone(),
                ..Kept::new(At::new(&step.at.path().join(&file.path)), because)
            });
        }
        // Where the step is dropped, its number of modified files is reported with the first file that stays.
        let modified = work.modified;
        if is_empty(step)
            && let Some(kept) = plan.kept.get_mut(first)
        {
            kept.modified = modified;
        }
    }
    plan.steps.retain(|step| !is_empty(step));
    plan.add_up();
}

/// Whether everything that a step was about stays as it is.
fn is_empty(step: &Step) -> bool {
    step.bytes.files == 0 && step.relink().is_some_and(|work| work.keeps > 0)
}

/// How many files of a distribution are not in a mode yet.
///
/// A copy shares its bytes where the filesystem can do that, as uv's own copies do; that makes it a clone to whoever looks.
fn changing(distribution: &Distribution, becomes: Mode) -> u64 {
    let (modes, unprovable) = (distribution.files.modes, distribution.files.unprovable);
    let all = modes.total() + unprovable;
    all - match becomes {
        Mode::Hardlink => modes.hardlink,
        Mode::Symlink => modes.symlink,
        Mode::Copy => modes.copy + modes.clone + unprovable,
        Mode::Clone => modes.clone + unprovable,
    }
}

fn reason(distribution: &Distribution, becomes: Mode) -> String {
    let modes = distribution.files.modes;
    let of = |mode| match mode {
        Mode::Clone => (modes.clone, "clone", "clones"),
        Mode::Hardlink => (modes.hardlink, "hardlink", "hardlinks"),
        Mode::Symlink => (modes.symlink, "symlink", "symlinks"),
        Mode::Copy => (modes.copy, "copy", "copies"),
    };
    let differs = |mode: &Mode| *mode != becomes && !(becomes == Mode::Copy && *mode == Mode::Clone);
    let others = Mode::ALL.into_iter().filter(differs).map(of);
    let mut parts: Vec<String> = others
        .filter(|(number, ..)| *number > 0)
        .map(|(number, one, many)| human::counted(number, one, many))
        .collect();
    let unclear = distribution.files.unprovable;
    if unclear > 0 && matches!(becomes, Mode::Hardlink | Mode::Symlink) {
        parts.push(human::counted(unclear, "copy or clone", "copies or clones"));
    }
    let one = parts.len() == 1 && parts[0].starts_with("1 ");
    let (_, singular, plural) = of(becomes);
    if one {
        format!("{} becomes a {singular}", parts[0])
    } else {
        format!("{} become {plural}", parts.join(", "))
    }
}

/// What a symlink takes that is too long for its inode: one block of ext2 to ext4, whose inodes hold 59 bytes (kernel
/// documentation, `filesystems/ext4/symlink.rst`). The absolute path of a file in an entry is longer almost always.
/// btrfs counts one block for every symlink (Linux 6.18), an overlay has them in its upper layer. Of a filesystem that is not the cache's it is not known how it keeps them.
fn symlink_bytes(snapshot: &Snapshot, expects: &RelinkExpects) -> u64 {
    const COMMON: u64 = 4096;
    let block = snapshot.cache.space.map_or(COMMON, |space| space.block);
    match snapshot.cache.filesystem.as_deref() {
        _ if expects.record.device != expects.entry.device => block.max(COMMON),
        Some("ext4" | "btrfs" | "overlayfs") => block,
        _ => 0,
    }
}

/// What an environment lies on.
#[derive(Clone, Copy)]
struct Volume<'a> {
    /// Whether copies of the cache's files share their bytes with them.
    copies_share: bool,
    /// Its name, where it is the cache's.
    name: Option<&'a str>,
    /// What a symlink takes.
    symlink: u64,
    /// How sure it is that its allocated bytes come free.
    certainty: Certainty,
}

fn bytes(distribution: &Distribution, becomes: Mode, changing: u64, volume: Volume<'_>) -> Bytes {
    let (files, bytes) = (distribution.files, distribution.bytes);
    let unclear = files.modes.clone + files.unprovable > 0;
    let (reclaimable, needed, unclear) = match becomes {
        Mode::Hardlink | Mode::Clone => (bytes.copied + bytes.symlinks, 0, unclear),
        Mode::Symlink => (bytes.copied, changing * volume.symlink, unclear || volume.name.is_none()),
        Mode::Copy if volume.copies_share => (bytes.symlinks, 0, true),
        Mode::Copy => (bytes.symlinks, bytes.linked, false),
    };
    // A hardlink to a file in the lower layer of an overlay copies it into the upper one first. Which files lie there is not
    // known: what comes free and what is taken are bounds, each for itself.
    let lifted = volume.name == Some("overlayfs") && becomes == Mode::Hardlink;
    let needed = if lifted { needed + bytes.copied + joint(distribution) + bytes.linked } else { needed };
    let sure = match (unclear, volume.certainty) {
        (true, Certainty::Exact) => Certainty::AtLeast,
        (_, certainty) => certainty,
    };
    Bytes { reclaimable, needed, certainty: sure, files: changing, ..Bytes::default() }
}

/// Bytes of copies with other names.
fn joint(distribution: &Distribution) -> u64 {
    distribution.joint.iter().map(|copy| copy.disk).sum()
}

/// Link modes by their words.
pub(super) mod link_mode {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    use crate::snapshot::Mode;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
    pub(in crate::plan) fn serialize<S: Serializer>(mode: &Mode, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(mode.word())
    }

    pub(in crate::plan) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Mode, D::Error> {
        let word = String::deserialize(deserializer)?;
        let found = Mode::ALL.into_iter().find(|mode| mode.word() == word);
        found.ok_or_else(|| D::Error::custom(format!("`{word}` is no link mode")))
    }
}
