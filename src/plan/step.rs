//! One step of a plan, and the sums over all of them.

use serde::{Deserialize, Serialize};

use super::repair::{LinkWork, RepairWork};
use super::{At, Class, DetachWork, RelinkWork};
use crate::human;
use crate::snapshot::{Certainty, FilePrint, PointerForm, TreePrint};

/// What a step does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Removes an entry: every pointer that leads to it first, then the entry.
    RemoveEntry,
    /// Removes an environment that is no entry.
    RemoveEnvironment,
    /// Removes a symlink or a `.venv` file that leads to an environment, and not what it leads to.
    RemoveLink,
    /// Removes a bucket.
    RemoveBucket,
    /// Removes objects of the content-addressed store.
    RemoveObjects,
    /// Removes an old build: a revision of a source distribution, then its entries.
    RemoveBuild,
    /// Removes an unpacked source.
    RemoveSource,
    /// Removes what uv keeps of a git repository.
    RemoveRepository,
    /// Removes answers of package indexes.
    RemoveIndex,
    /// Removes what an interrupted run left.
    RemoveLeftover,
    /// Links the files of a distribution otherwise.
    Relink,
    /// Links what is broken of a distribution from an entry.
    Link,
    /// Has uv fetch a distribution into the cache, then links what is broken of it.
    Fetch,
    /// Writes a link of the cache again.
    RestoreLink,
    /// Leaves an edited file to one environment, and takes the edit back everywhere else.
    Detach,
}

impl Action {
    /// The word for it, the same on the screen and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::RemoveEntry => "remove-entry",
            Self::RemoveEnvironment => "remove-environment",
            Self::RemoveLink => "remove-link",
            Self::RemoveBucket => "remove-bucket",
            Self::RemoveObjects => "remove-objects",
            Self::RemoveBuild => "remove-build",
            Self::RemoveSource => "remove-source",
            Self::RemoveRepository => "remove-repository",
            Self::RemoveIndex => "remove-index",
            Self::RemoveLeftover => "remove-leftover",
            Self::Relink => "relink",
            Self::Link => "link",
            Self::Fetch => "fetch",
            Self::RestoreLink => "restore-link",
            Self::Detach => "detach",
        }
    }
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What it does.
    pub action: Action,
    /// To what, relative to the cache's root; to an environment outside of the cache, or in one, by the absolute path of its root.
    #[serde(flatten)]
    pub at: At,
    /// The name of the distribution that is concerned.
    pub name: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// Why, as a sentence. Not escaped.
    pub reason: String,
    /// Its bytes.
    pub bytes: Bytes,
    /// What else the action needs.
    #[serde(flatten)]
    pub work: Work,
}

/// What the action of a step needs. Each kind has keys that the others lack, by which it is read again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Work {
    /// To link the files of a distribution otherwise.
    Relink(RelinkWork),
    /// To link what is broken of a distribution.
    Repair(RepairWork),
    /// To write a link of the cache again.
    Link(LinkWork),
    /// To leave an edit to one environment.
    Detach(DetachWork),
    /// To remove something.
    Remove(RemoveWork),
}

/// What is removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoveWork {
    /// The kind of things that it was chosen for.
    pub class: Class,
    /// What it costs should it be needed again.
    pub price: Price,
    /// What has to be found there.
    pub expects: TreePrint,
    /// The pointers that go before it.
    pub pointers: Vec<PlannedPointer>,
    /// The objects that go, of a store.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub objects: Vec<PlannedObject>,
    /// Other directories that go after it, as the entries of an old build.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trees: Vec<PlannedTree>,
    /// Environments that use it, by their roots: they go on working without it, or go themselves with an earlier step.
    pub users: Vec<At>,
}

impl RemoveWork {
    /// The removal of a directory alone.
    pub(super) fn new(class: Class, price: Price, expects: TreePrint) -> Self {
        let (pointers, objects, trees, users) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { class, price, expects, pointers, objects, trees, users }
    }
}

impl Step {
    /// What it removes, if it removes something.
    pub fn removal(&self) -> Option<&RemoveWork> {
        if let Work::Remove(work) = &self.work { Some(work) } else { None }
    }

    pub(super) fn removal_mut(&mut self) -> Option<&mut RemoveWork> {
        if let Work::Remove(work) = &mut self.work { Some(work) } else { None }
    }

    /// How files are linked otherwise, if that is what it does.
    pub fn relink(&self) -> Option<&RelinkWork> {
        if let Work::Relink(work) = &self.work { Some(work) } else { None }
    }

    /// How what is broken is linked, if that is what it does.
    pub fn repair(&self) -> Option<&RepairWork> {
        if let Work::Repair(work) = &self.work { Some(work) } else { None }
    }

    /// How a link of the cache is written again, if that is what it does.
    pub fn link(&self) -> Option<&LinkWork> {
        if let Work::Link(work) = &self.work { Some(work) } else { None }
    }

    /// What has to be found of what it removes. Nothing is so where it removes no directory.
    pub fn expects(&self) -> TreePrint {
        self.removal().map_or_else(TreePrint::default, |it| it.expects)
    }

    /// How an edit is left to one environment, if that is what it does.
    pub fn detach(&self) -> Option<&DetachWork> {
        if let Work::Detach(work) = &self.work { Some(work) } else { None }
    }

    /// Whether it repairs something.
    pub fn is_repair(&self) -> bool {
        matches!(self.work, Work::Repair(_) | Work::Link(_))
    }

    /// What goes after it.
    pub fn trees(&self) -> &[PlannedTree] {
        self.removal().map_or(&[], |it| &it.trees)
    }

    /// The pointers that go before it.
    pub fn pointers(&self) -> &[PlannedPointer] {
        self.removal().map_or(&[], |it| &it.pointers)
    }

    /// The objects of a store that go.
    pub fn objects(&self) -> &[PlannedObject] {
        self.removal().map_or(&[], |it| &it.objects)
    }

    /// The environments that use what it removes.
    pub fn users(&self) -> &[At] {
        self.removal().map_or(&[], |it| &it.users)
    }

    /// What it costs should what it removes be needed again.
    pub fn price(&self) -> &Price {
        self.removal().map_or(&Price::Nothing, |it| &it.price)
    }

    /// The kind of things that what it removes was chosen for.
    pub fn class(&self) -> Option<Class> {
        self.removal().map(|it| it.class)
    }

    /// Leaves only some of the objects that go.
    pub fn retain_objects(&mut self, is_meant: impl FnMut(&PlannedObject) -> bool) {
        if let Some(work) = self.removal_mut() {
            work.objects.retain(is_meant);
        }
    }

    /// Whether another plan's step does the same to the same thing, which has not changed between the two.
    pub fn is_same(&self, other: &Self) -> bool {
        self.action == other.action
            && self.at == other.at
            && match (&self.work, &other.work) {
                (Work::Remove(one), Work::Remove(other)) => {
                    (one.expects, &one.pointers, &one.trees) == (other.expects, &other.pointers, &other.trees)
                }
                (Work::Relink(one), Work::Relink(other)) => one.is_same(other),
                (Work::Repair(one), Work::Repair(other)) => one.is_same(other),
                (Work::Link(one), Work::Link(other)) => one == other,
                (Work::Detach(one), Work::Detach(other)) => one == other,
                _ => false,
            }
    }

    /// What it removes: itself, and what goes after it.
    pub fn places(&self) -> impl Iterator<Item = &At> {
        let own = self.removal().map(|_| &self.at);
        own.into_iter().chain(self.trees().iter().map(|tree| &tree.at))
    }

    /// Whether it changes the cache, and not an environment outside of it.
    pub fn is_in_cache(&self) -> bool {
        !self.at.path().is_absolute()
    }
}

/// A pointer that goes with an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedPointer {
    /// Where it is, relative to the cache's root.
    #[serde(flatten)]
    pub at: At,
    /// What it is.
    #[serde(with = "form")]
    pub form: PointerForm,
    /// What has to be found there.
    pub expects: FilePrint,
}

/// A directory that goes with a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedTree {
    /// Where it is, relative to the cache's root.
    #[serde(flatten)]
    pub at: At,
    /// What has to be found there.
    pub expects: TreePrint,
}

/// An object of the content-addressed store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedObject {
    /// Where it is, relative to the cache's root.
    #[serde(flatten)]
    pub at: At,
    /// What has to be found there, with no more links than that.
    pub expects: FilePrint,
}

/// The bytes of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bytes {
    /// Allocated bytes of what goes, each inode once.
    pub disk: u64,
    /// What it gives back, after all steps before it: the sum over all steps is what the plan gives back.
    pub reclaimable: u64,
    /// What it takes, as copies do in the place of links.
    #[serde(default)]
    pub needed: u64,
    /// Whether that is exact.
    #[serde(with = "certainty")]
    pub certainty: Certainty,
    /// Bytes that stay because somebody who is not in the plan holds them too.
    pub held: u64,
    /// Bytes that come back only when processes close what they have open.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub open: u64,
    /// Bytes in the lower layer of an overlay, which never come back.
    #[serde(skip)]
    pub below: u64,
    /// Inodes that go; of links, files that are made.
    pub files: u64,
    /// The sizes of what repaired files show, added up.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub logical: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// What it costs to be wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Price {
    /// It is downloaded again.
    Download {
        /// How many bytes, as far as is known; a wheel is smaller than what was unpacked from it.
        bytes: Option<u64>,
    },
    /// It is unpacked again from a file on this machine.
    Unpack,
    /// It is made again, from what else the cache holds.
    Make,
    /// `uv sync` makes it again: the lock file of its project is there.
    Sync,
    /// It is built again.
    Build,
    /// It cannot be had again: the file or directory it came from is gone.
    Gone,
    /// Nothing: nobody would have used it again.
    #[default]
    Nothing,
    /// Not known: nothing tells where it came from.
    Unknown,
}

impl Price {
    /// How hard it is to get back; higher is harder.
    pub fn rank(&self) -> u8 {
        match self {
            Self::Nothing => 0,
            Self::Unpack => 1,
            Self::Download { .. } => 2,
            Self::Make | Self::Sync => 3,
            Self::Build => 4,
            Self::Unknown => 5,
            Self::Gone => 6,
        }
    }

    /// Whether no source is known that could supply it again.
    pub fn is_last(&self) -> bool {
        matches!(self, Self::Unknown | Self::Gone)
    }

    /// The price in a few words.
    pub fn words(&self) -> String {
        match self {
            Self::Download { bytes: Some(bytes) } => format!("download again, {}", human::bytes(*bytes)),
            Self::Download { bytes: None } => "download again".to_owned(),
            Self::Unpack => "unpack again, if its file is still there".to_owned(),
            Self::Make => "make again".to_owned(),
            Self::Sync => "uv sync makes it again".to_owned(),
            Self::Build => "build again, if it can still be had".to_owned(),
            Self::Gone => "cannot be had again".to_owned(),
            Self::Nothing => "costs nothing".to_owned(),
            Self::Unknown => "no source is known".to_owned(),
        }
    }
}

/// The sums of all steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Steps.
    pub steps: u64,
    /// Entries that go.
    pub entries: u64,
    /// Pointers that go.
    pub pointers: u64,
    /// Links of the cache that are written again.
    #[serde(default)]
    pub links: u64,
    /// Distributions that are linked, by way of uv or not.
    #[serde(default)]
    pub distributions: u64,
    /// Of those, the ones that uv has to fetch.
    #[serde(default)]
    pub fetched: u64,
    /// What is kept, or stays broken: rows of `kept`.
    #[serde(default)]
    pub kept: u64,
    /// Their bytes.
    pub bytes: Bytes,
}

impl Totals {
    /// Folds the steps.
    pub fn of(steps: &[Step]) -> Self {
        let mut totals = Self { steps: steps.len() as u64, ..Self::default() };
        let mut last = None;
        for step in steps {
            let dist_info = match &step.work {
                Work::Relink(work) => Some(&work.dist_info),
                Work::Repair(work) => Some(&work.dist_info),
                Work::Link(_) | Work::Detach(_) | Work::Remove(_) => None,
            };
            // A distribution may have several steps, one after the other.
            let this = dist_info.map(|dist_info| (&step.at, dist_info));
            totals.distributions += u64::from(this.is_some() && this != last);
            last = this;
            totals.links += u64::from(step.action == Action::RestoreLink);
            totals.fetched += u64::from(step.action == Action::Fetch);
            totals.entries += match step.action {
                Action::RemoveEntry => 1,
                Action::RemoveBuild => step.trees().len() as u64,
                _ => 0,
            };
            totals.pointers += step.pointers().len() as u64;
        }
        for bytes in steps.iter().map(|step| step.bytes) {
            totals.bytes.disk += bytes.disk;
            totals.bytes.reclaimable += bytes.reclaimable;
            totals.bytes.needed += bytes.needed;
            totals.bytes.held += bytes.held;
            totals.bytes.open += bytes.open;
            totals.bytes.below += bytes.below;
            totals.bytes.files += bytes.files;
            totals.bytes.logical += bytes.logical;
            totals.bytes.certainty = totals.bytes.certainty.and(bytes.certainty);
        }
        totals
    }
}

/// Pointer forms by their words.
mod form {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    use crate::snapshot::PointerForm;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
    pub(super) fn serialize<S: Serializer>(form: &PointerForm, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(form.word())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PointerForm, D::Error> {
        let word = String::deserialize(deserializer)?;
        let forms = [PointerForm::Symlink, PointerForm::LinkFile, PointerForm::Http, PointerForm::Rev];
        let found = forms.into_iter().find(|form| form.word() == word);
        found.ok_or_else(|| D::Error::custom(format!("`{word}` is no form of a pointer")))
    }
}

/// Certainty by its words.
mod certainty {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    use crate::snapshot::Certainty;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
    pub(super) fn serialize<S: Serializer>(certainty: &Certainty, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(certainty.word())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Certainty, D::Error> {
        let word = String::deserialize(deserializer)?;
        let found = Certainty::ALL.into_iter().find(|it| it.word() == word);
        found.ok_or_else(|| D::Error::custom(format!("`{word}` is no degree of certainty")))
    }
}
