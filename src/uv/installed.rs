//! What the files of an installed distribution are, by its `RECORD` and by that of the entry it was installed from.
//!
//! This is the one reading of those rows: everything that says what is installed, what is missing and what could be linked
//! starts from an [`InstalledFile`].

use std::path::{Path, PathBuf};

use rustc_hash::FxHashMap;

use super::distribution as names;
use super::record::{self, Base, Location, Scheme};

/// What a row of `RECORD` states about its file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stated {
    /// Its SHA-256, if that is the digest it has.
    pub digest: Option<[u8; 32]>,
    /// Its size in bytes, if recorded.
    pub size: Option<u64>,
}

/// What a file of a distribution is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// A file of the wheel, which uv links.
    Linked,
    /// A file that installers write into the `.dist-info`.
    Private,
    /// A script that an installer wrote or changed for this environment.
    Generated,
    /// Bytecode, which Python writes again whenever it is missing.
    Compiled,
    /// A row of the wheel's own `RECORD` for a file that the wheel does not have.
    Absent,
}

/// A file of an entry, as the `RECORD` of an environment's distribution names it too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Where it is in the entry, relative to it.
    pub path: PathBuf,
    /// The SHA-256 that the entry's `RECORD` states.
    pub digest: Option<[u8; 32]>,
    /// Whether uv may write a changed copy instead of linking the file.
    pub may_be_rewritten: bool,
    /// Whether uv copies it in every link mode: a script that the wheel did not make executable, except in environments of
    /// Windows (uv 0.13.8).
    pub always_copied: bool,
    /// Whether the entry's file is known to differ from its `RECORD`.
    pub modified: bool,
}

/// Files of an entry by where they are installed, relative to the environment.
pub type Sources = FxHashMap<PathBuf, Source>;

/// One file that the `RECORD` of an installed distribution lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstalledFile {
    /// Where it is, relative to the installation's root.
    pub path: PathBuf,
    /// What its row states.
    pub row: Stated,
    /// The entry's file, where the entry is known and has a row for it.
    pub source: Option<Source>,
    /// What it is.
    pub class: Class,
}

impl InstalledFile {
    /// Whether it is written for one environment alone, so that neither its absence nor its content is compared. Bytecode that
    /// the wheel brings along, as numpy 2.2.6 does, has a digest, and is linked like the rest.
    pub fn is_private(&self) -> bool {
        self.class == Class::Private || self.class == Class::Compiled && self.row.digest.is_none()
    }

    /// Whether its content can be compared with what its row states.
    pub fn is_comparable(&self) -> bool {
        self.row.digest.is_some() && !self.is_private()
    }

    /// The entry's file, if both `RECORD`s state the same digest for it.
    pub fn same_source(&self) -> Option<&Source> {
        self.source.as_ref().filter(|source| source.digest == self.row.digest)
    }
}

/// What the `RECORD` of an installed distribution lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Its files, in the order of their rows.
    pub files: Vec<InstalledFile>,
    /// Rows that could not be understood.
    pub unclear: u64,
    /// Rows whose files lie beside the directory that is read: see [`Location::is_beside`].
    pub beside: u64,
}

/// Where an installation keeps the files of one distribution.
#[derive(Clone, Copy, Debug)]
pub struct Layout<'a> {
    dist_info: &'a Path,
}

impl<'a> Layout<'a> {
    /// The layout around a `.dist-info`, whose path is relative to the installation's root.
    pub fn of(dist_info: &'a Path) -> Self {
        Self { dist_info }
    }

    /// The directory of distributions, relative to the root.
    pub fn site(&self) -> &'a Path {
        self.dist_info.parent().unwrap_or(Path::new(""))
    }

    /// The directory of programs, relative to the root.
    pub fn scripts(&self) -> &'static str {
        if self.dist_info.starts_with("Lib") { "Scripts" } else { "bin" }
    }

    /// Where a row's path leads, relative to the root; `None` when it leads out of it.
    fn place(&self, location: &Location) -> Option<PathBuf> {
        Some(self.site().ancestors().nth(location.ups)?.join(&location.rest))
    }
}

impl Listing {
    /// Reads the `RECORD` of an installed distribution. What is known of its entry is added by [`Listing::attach`].
    pub fn read(layout: Layout<'_>, bytes: &[u8]) -> Self {
        let mut listing = Self::default();
        for row in record::rows(bytes) {
            let location = row.as_ref().ok().and_then(|row| Location::parse(&row.path));
            if location.as_ref().is_some_and(|location| location.is_beside(layout.dist_info)) {
                listing.beside += 1;
                continue;
            }
            let place = location.and_then(|location| layout.place(&location));
            let (Ok(row), Some(path)) = (row, place) else {
                listing.unclear += 1;
                continue;
            };
            let stated = Stated { digest: row.digest, size: row.size };
            let class = class(&row.path, stated, &path, layout, None);
            listing.files.push(InstalledFile { path, row: stated, source: None, class });
        }
        listing
    }

    /// Adds what the entry's `RECORD` says about each file.
    pub fn attach(&mut self, layout: Layout<'_>, sources: &Sources) {
        for file in &mut self.files {
            let Some(source) = sources.get(&file.path) else { continue };
            if matches!(file.class, Class::Linked | Class::Generated) {
                file.class = by_source(file.row, &file.path, layout, Some(source));
            }
            file.source = Some(source.clone());
        }
    }
}

/// What a file is. `text` is its row's path as written.
fn class(text: &str, row: Stated, path: &Path, layout: Layout<'_>, source: Option<&Source>) -> Class {
    let is_bytecode = names::is_compiled(text) || row.digest.is_none() && text.strip_suffix(".pyc").is_some();
    if is_bytecode {
        Class::Compiled
    } else if names::is_private(text) {
        Class::Private
    } else {
        by_source(row, path, layout, source)
    }
}

/// What a file is that neither installers nor Python write by its name.
fn by_source(row: Stated, path: &Path, layout: Layout<'_>, source: Option<&Source>) -> Class {
    let is_generated = match source {
        Some(source) => source.always_copied || source.may_be_rewritten && source.digest != row.digest,
        None => path.starts_with(layout.scripts()),
    };
    if is_generated { Class::Generated } else { Class::Linked }
}

/// Tells where uv installs each file of an entry, by the entry's `RECORD`. `distribution` is the distribution's name;
/// `is_executable` answers for a file of the entry.
pub fn sources(
    layout: Layout<'_>,
    distribution: &str,
    bytes: &[u8],
    is_executable: impl Fn(&Path) -> bool,
) -> Sources {
    let (site, scripts) = (layout.site(), layout.scripts());
    let python = site.parent().and_then(Path::file_name).and_then(|name| name.to_str()).unwrap_or("");
    let scheme = Scheme { scripts, python };
    let mut sources = Sources::default();
    for row in record::rows(bytes).flatten() {
        let Some(target) = record::data_target(&row.path, &scheme, distribution) else { continue };
        let Some(path) = Location::parse(&row.path).map(|location| location.rest) else { continue };
        let installed = match target.base {
            Base::SitePackages => site.join(target.path),
            Base::Root => target.path,
        };
        let may_be_rewritten = target.may_be_rewritten;
        // uv on Windows links them all, wherever they are looked at from.
        let always_copied = may_be_rewritten && scripts == "bin" && !is_executable(&path);
        let source = Source { path, digest: row.digest, may_be_rewritten, always_copied, modified: false };
        sources.insert(installed, source);
    }
    sources
}

/// One file that an entry's own `RECORD` lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryFile {
    /// Where it is in the entry, relative to it.
    pub path: PathBuf,
    /// What its row states.
    pub row: Stated,
    /// Whether its content can be compared with that.
    pub is_comparable: bool,
}

/// Reads an entry's own `RECORD`. Rows that lead out of the entry are left out: uv installs nothing for them.
pub fn entry_files(bytes: &[u8]) -> impl Iterator<Item = EntryFile> + '_ {
    record::rows(bytes).flatten().filter_map(|row| {
        let location = Location::parse(&row.path).filter(|location| location.ups == 0)?;
        let row_states = Stated { digest: row.digest, size: row.size };
        let is_comparable = row.digest.is_some() && !names::is_private_row(&row.path, row.digest.as_ref());
        Some(EntryFile { path: location.rest, row: row_states, is_comparable })
    })
}

/// Files that several distributions of one installation list, with the position of each distribution and what it states.
#[derive(Clone, Debug, Default)]
pub struct Several(FxHashMap<PathBuf, Vec<(usize, Stated)>>);

impl Several {
    /// Finds them in the listings of an installation, each with the position of its distribution. Only files that state a
    /// digest and that `concerns` accepts are considered.
    pub fn of<'a>(
        listings: impl Iterator<Item = (usize, &'a Listing)>,
        concerns: impl Fn(&Path) -> bool,
    ) -> Self {
        let mut first: FxHashMap<&Path, (usize, Stated)> = FxHashMap::default();
        let mut several: FxHashMap<PathBuf, Vec<(usize, Stated)>> = FxHashMap::default();
        for (position, listing) in listings {
            let files = listing.files.iter().filter(|file| file.row.digest.is_some());
            for file in files.filter(|file| concerns(&file.path)) {
                match first.insert(&file.path, (position, file.row)) {
                    None => {}
                    Some(other) => several
                        .entry(file.path.clone())
                        .or_insert_with(|| vec![other])
                        .push((position, file.row)),
                }
            }
        }
        Self(several)
    }

    /// Whether a file is among them.
    pub fn has(&self, path: &Path) -> bool {
        self.0.contains_key(path)
    }

    /// Whether a file is among them and not all of its rows state the same digest.
    pub fn is_contended(&self, path: &Path) -> bool {
        self.0.get(path).is_some_and(|rows| rows.iter().any(|(_, row)| row.digest != rows[0].1.digest))
    }

    /// Whether a distribution other than the one at `position` states this digest for a file.
    pub fn another_states(&self, path: &Path, position: usize, digest: &[u8; 32]) -> bool {
        let rows = self.0.get(path).into_iter().flatten();
        rows.into_iter().any(|(other, row)| *other != position && row.digest.as_ref() == Some(digest))
    }
}
