//! Every lock file that concerns a cache and its environments, with what it guards and who holds it.
//!
//! On Linux nothing is locked for it: the kernel's list is read once, before the files are looked at. Elsewhere, and where
//! that list is not there, each file's lock is tried for a moment. A cache has a lock file for each wheel and source
//! distribution that uv ever took in, thousands of which nobody will hold again; those are only counted, unless asked for.

mod gather;
mod items;
mod temporary;
mod worth;

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::ancestor;
use super::directory::Directory;
use super::holder::Holder;

/// What a lock file guards.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resource {
    /// The whole cache, by its root.
    Cache(PathBuf),
    /// An environment, by its root.
    Environment(PathBuf),
    /// One wheel, source distribution, repository or cached environment, by the path inside the cache that it is about.
    Item(PathBuf),
    /// uv's directory of tools.
    Tools(PathBuf),
    /// A project directory or an interpreter, of which the file's name holds only a digest.
    Project(Option<PathBuf>),
    /// Not told by the file's name.
    Unknown,
}

/// Which program makes a lock file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Maker {
    /// uv.
    Uv,
    /// cachetui, in its own directory.
    Cachetui,
}

/// Whether a lock is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Nobody holds it.
    Free,
    /// Somebody holds it together with others.
    Shared,
    /// Somebody holds it alone.
    Exclusive,
    /// There is no such file; nobody can hold it.
    Missing,
    /// It cannot be asked, and why: no permission, or no locks on that filesystem.
    Unknown(String),
}

/// One lock file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockFile {
    /// Its path.
    pub path: PathBuf,
    /// The program that made it.
    pub maker: Maker,
    /// What it guards.
    pub resource: Resource,
    /// Whether it is held.
    pub state: State,
    /// Who holds it, then who waits for it.
    pub holders: Vec<Holder>,
    /// When it was last changed, which for most locks is when it was made.
    pub modified: Option<Timestamp>,
}

/// All lock files, and what a lock is worth here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// The lock files: the cache's first, then by resource and path.
    pub files: Vec<LockFile>,
    /// Sentences about the whole: a filesystem on which locks do not reach other machines, a directory that cannot be
    /// written, an ancestor of this process that holds the cache's lock.
    pub notes: Vec<String>,
    /// The ancestor of this process that holds the cache's lock: it runs under `uvx` or `uv run`.
    pub ancestor: Option<Holder>,
    /// How many lock files were left out of [`Survey::files`]: those of single items of the cache, and of projects nobody
    /// knows, that nobody holds. Elsewhere than on Linux it is not asked whether they are held.
    pub left_out: u64,
    /// What could not be read, and why: there may be more lock files.
    pub unread: Vec<(PathBuf, String)>,
}

/// What to survey.
#[derive(Clone, Debug, Default)]
pub struct SurveyRequest {
    /// The cache's root.
    pub cache: PathBuf,
    /// The roots of known environments.
    pub environments: Vec<PathBuf>,
    /// uv's directory of tools.
    pub tools: Option<PathBuf>,
    /// Where temporary files go: uv locks projects there.
    pub temporary: Option<PathBuf>,
    /// Known projects and interpreters, to tell of which one a lock file of a digest is. The directories that hold
    /// `environments` need not be among them.
    pub projects: Vec<PathBuf>,
    /// cachetui's lock directory, which need not be there.
    pub directory: Option<PathBuf>,
    /// Whether to list the lock files that are otherwise only counted.
    pub all: bool,
}

impl Survey {
    /// The lock file of the cache: its own, or another in its root where that is held and its own is not.
    pub fn cache(&self) -> Option<&LockFile> {
        of_cache(&self.files)
    }
}

/// The lock file of the cache among those of a survey: its own, or another in its root where that is held and its own is not.
pub fn of_cache(files: &[LockFile]) -> Option<&LockFile> {
    let all =
        || files.iter().filter(|file| file.maker == Maker::Uv && matches!(file.resource, Resource::Cache(_)));
    all()
        .find(|file| file.state.is_held())
        .or_else(|| all().find(|file| file.path.ends_with(".lock")))
        .or_else(|| all().next())
}

impl State {
    /// Its word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Shared => "shared",
            Self::Exclusive => "exclusive",
            Self::Missing => "missing",
            Self::Unknown(_) => "unknown",
        }
    }

    /// Whether somebody holds it.
    pub fn is_held(&self) -> bool {
        matches!(self, Self::Shared | Self::Exclusive)
    }
}

impl Maker {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Uv => "uv",
            Self::Cachetui => "cachetui",
        }
    }
}

impl Resource {
    /// The word for its kind.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Cache(_) => "cache",
            Self::Environment(_) => "environment",
            Self::Item(_) => "item",
            Self::Tools(_) => "tools",
            Self::Project(_) => "project",
            Self::Unknown => "unknown",
        }
    }

    /// The path that it is about, as far as that is known; an item's is relative to the cache.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Cache(path) | Self::Environment(path) | Self::Item(path) | Self::Tools(path) => Some(path),
            Self::Project(path) => path.as_deref(),
            Self::Unknown => None,
        }
    }
}

/// Looks at all lock files that concern a cache and its environments.
pub fn survey(request: &SurveyRequest) -> Survey {
    let mut gather = gather::Gather::new(request.all);
    let cache_lock = request.cache.join(".lock");
    gather.always(cache_lock, Maker::Uv, Resource::Cache(request.cache.clone()));
    for item in std::fs::read_dir(&request.cache).into_iter().flatten().flatten() {
        if super::guard::is_further_lock(&item.file_name()) {
            gather.always(item.path(), Maker::Uv, Resource::Cache(request.cache.clone()));
        }
    }
    for root in &request.environments {
        gather.always(root.join(".lock"), Maker::Uv, Resource::Environment(root.clone()));
    }
    if let Some(tools) = request.tools.as_ref().filter(|tools| tools.is_dir()) {
        gather.always(tools.join(".lock"), Maker::Uv, Resource::Tools(tools.clone()));
    }
    items::add(&request.cache, &mut gather);
    if let Some(temporary) = &request.temporary {
        temporary::add(temporary, request, &mut gather);
    }
    if let Some(directory) = &request.directory {
        own(directory, request, &mut gather);
    }
    let mut survey = gather.finish();
    survey.ancestor = survey.cache().and_then(|file| ancestor::among(&file.holders));
    survey.notes.extend(survey.ancestor.as_ref().map(ancestor::explanation));
    let unusable = request.directory.as_ref().and_then(|directory| Directory::foresee(directory).err());
    survey.notes.extend(unusable.as_ref().map(super::guard::without_directory));
    let places = std::iter::once(&request.cache).chain(&request.directory).chain(&request.environments);
    survey.notes.extend(worth::notes(places));
    survey
}

/// cachetui's own lock files.
fn own(directory: &Path, request: &SurveyRequest, gather: &mut gather::Gather) {
    let cache = super::directory::resource_path(&request.cache);
    for name in gather.names(directory) {
        if !super::directory::is_file_name(&name) {
            continue;
        }
        let path = directory.join(name);
        let resource = match super::directory::resource_in(&path) {
            Some(resource) if resource == cache => Resource::Cache(resource),
            Some(resource) if is_known(&resource, request) => Resource::Environment(resource),
            Some(resource) if resource.join("pyvenv.cfg").is_file() => Resource::Environment(resource),
            Some(resource) if super::guard::is_cache(&resource) => Resource::Cache(resource),
            _ => Resource::Unknown,
        };
        gather.always(path, Maker::Cachetui, resource);
    }
}

fn is_known(resource: &Path, request: &SurveyRequest) -> bool {
    request.environments.iter().any(|root| root == resource)
}
