//! What the files of an installed distribution are, by its `RECORD` and by that of the entry it was installed from.
//!
//! This is the one reading of those rows: everything that says what is installed, what is missing and what could be linked
//! starts from an [`InstalledFile`].

use std::hash::BuildHasher as _;
use std::path::{Path, PathBuf};

use rustc_hash::{FxBuildHasher, FxHashMap, FxHashSet};

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
        self.row.digest.is_some() && !self.is_private() && self.class != Class::Absent
    }

    /// Whether the distribution is broken without it. `INSTALLER`, `direct_url.json` and their like say where it came from, and
    /// no import needs them; Python writes bytecode itself.
    pub fn is_needed(&self) -> bool {
        matches!(self.class, Class::Linked | Class::Generated)
    }

    /// Whether it lies outside of the directory that is read as the installation.
    pub fn is_beside(&self) -> bool {
        self.path.starts_with("..")
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
    /// Rows that could not be understood, or that lead out of the installation.
    pub unclear: u64,
    /// Whether rows of it are no rows at all, so that uv cannot uninstall by it (uv 0.13.8).
    pub malformed: bool,
}

/// Where an installation keeps the files of one distribution.
#[derive(Clone, Copy, Debug)]
pub struct Layout<'a> {
    dist_info: &'a Path,
    /// How many directories the installation's root lies above what is read, where that is only its directory of distributions.
    above: usize,
}

impl<'a> Layout<'a> {
    /// The layout around a `.dist-info`, whose path is relative to the `root` that is read.
    ///
    /// Of the system's Python only the directory of distributions may be read: its programs and data lie beside that.
    pub fn of(root: &Path, dist_info: &'a Path) -> Self {
        let is_top = dist_info.parent().is_some_and(|site| site.as_os_str().is_empty());
        let mut names = root.iter().rev();
        let is_site = names.next().is_some_and(|name| name == "site-packages" || name == "dist-packages");
        let above = match names.next() {
            _ if !(is_top && is_site) => 0,
            Some(name) if name == "Lib" => 2,
            _ => 3,
        };
        Self { dist_info, above }
    }

    /// The directory of distributions, relative to the root.
    pub fn site(&self) -> &'a Path {
        self.dist_info.parent().unwrap_or(Path::new(""))
    }

    /// The directory of programs, relative to the root.
    pub fn scripts(&self) -> &'static str {
        if self.dist_info.starts_with("Lib") || self.above == 2 { "Scripts" } else { "bin" }
    }

    /// Whether a path, relative to what is read, lies in the directory of programs.
    fn is_script(&self, path: &Path) -> bool {
        let mut names = path.iter();
        names.by_ref().take(self.above).all(|name| name == "..")
            && names.next().is_some_and(|name| name == self.scripts())
    }

    /// Where the installation's root is, relative to what is read.
    fn root(&self) -> PathBuf {
        std::iter::repeat_n("..", self.above).collect()
    }

    /// Where a row's path leads, relative to what is read; `None` when it leads out of the installation.
    fn place(&self, location: &Location) -> Option<PathBuf> {
        if let Some(base) = self.site().ancestors().nth(location.ups) {
            return Some(base.join(&location.rest));
        }
        if !self.site().as_os_str().is_empty() {
            return None;
        }
        // pip writes the rows of a `--target` as if it had two directories below it, as the place has from which it moves all.
        match self.above {
            0 => (location.ups == 2).then(|| location.rest.clone()),
            above => {
                let climbed: PathBuf = std::iter::repeat_n("..", location.ups).collect();
                (location.ups <= above).then(|| climbed.join(&location.rest))
            }
        }
    }

    /// Whether a row names a file in the `.dist-info` of the same distribution under another spelling. No wheel has both; `RECORD`s
    /// that uv before 0.12 installed have such rows.
    fn is_of_other_spelling(&self, location: &Location) -> bool {
        let parsed = |name: &std::ffi::OsStr| {
            let parsed = names::parse_dist_info(name)?;
            Some((names::normalize(&parsed.name), parsed.version))
        };
        let (Some(first), Some(own)) = (location.rest.iter().next(), self.dist_info.file_name()) else {
            return false;
        };
        location.ups == 0 && first != own && parsed(first).is_some_and(|other| parsed(own) == Some(other))
    }
}

impl Listing {
    /// Reads the `RECORD` of an installed distribution. What is known of its entry is added by [`Listing::attach`].
    ///
    /// A file is listed once, whatever its number of rows. Rows that contradict each other state nothing, and a row may name a
    /// directory, which is no file.
    pub fn read(layout: Layout<'_>, bytes: &[u8]) -> Self {
        let mut listing = Self::default();
        let mut seen: FxHashSet<u64> = FxHashSet::default();
        for row in record::rows(bytes) {
            let Ok(row) = row else {
                listing.unclear += 1;
                listing.malformed = true;
                continue;
            };
            if row.path.ends_with('/') && Location::parse(row.path.trim_end_matches('/')).is_some() {
                continue;
            }
            let location = Location::parse(&row.path);
            let place = location.as_ref().and_then(|location| layout.place(location));
            let (Some(location), Some(path)) = (location, place) else {
                listing.unclear += 1;
                continue;
            };
            let stated = Stated { digest: row.digest, size: row.size };
            // Paths are compared only where their hashes are equal.
            let is_first = seen.insert(FxBuildHasher.hash_one(path.as_os_str()));
            if !is_first && let Some(earlier) = listing.files.iter_mut().find(|file| file.path == path) {
                earlier.row.join(stated);
                continue;
            }
            let class = if layout.is_of_other_spelling(&location) {
                Class::Absent
            } else {
                class(&row.path, stated, &path, layout)
            };
            listing.files.push(InstalledFile { path, row: stated, source: None, class });
        }
        listing
    }

    /// Whether an entry's files are those of the very wheel that was installed: what both list is the same, `WHEEL` among it, which
    /// tells the builds of one version apart.
    pub fn is_of(&self, sources: &Sources) -> bool {
        let is_wheel = |path: &Path| {
            let directory = path.parent().and_then(Path::extension);
            path.file_name().is_some_and(|name| name == "WHEEL")
                && directory.is_some_and(|it| it == "dist-info")
        };
        let both = self.files.iter().filter_map(|file| Some((file, sources.get(&file.path)?)));
        let mut both = both.filter(|(file, source)| !file.is_private() && !source.may_be_rewritten);
        let mut has_wheel = false;
        both.all(|(file, source)| {
            has_wheel |= is_wheel(&file.path);
            source.digest == file.row.digest
        }) && has_wheel
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

impl Stated {
    /// Adds another row of the same file: what only one of them states counts, and what they contradict each other in does not.
    fn join(&mut self, other: Self) {
        if self.digest.is_some() && other.digest.is_some() && *self != other {
            *self = Self::default();
        } else {
            self.digest = self.digest.or(other.digest);
            self.size = self.size.or(other.size);
        }
    }
}

/// What a file is by what its row says. `text` is the row's path as written.
fn class(text: &str, row: Stated, path: &Path, layout: Layout<'_>) -> Class {
    let is_bytecode = names::is_compiled(text) || row.digest.is_none() && text.strip_suffix(".pyc").is_some();
    if is_bytecode {
        Class::Compiled
    } else if names::is_private(text) {
        Class::Private
    } else {
        by_source(row, path, layout, None)
    }
}

/// What a file is that neither installers nor Python write by its name.
fn by_source(row: Stated, path: &Path, layout: Layout<'_>, source: Option<&Source>) -> Class {
    let is_generated = match source {
        Some(source) => source.always_copied || source.may_be_rewritten && source.digest != row.digest,
        None => layout.is_script(path),
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
    let root = layout.root();
    let python = site.parent().and_then(Path::file_name).and_then(|name| name.to_str()).unwrap_or("");
    let scheme = Scheme { scripts, python };
    let mut sources = Sources::default();
    for row in record::rows(bytes).flatten() {
        let Some(target) = record::data_target(&row.path, &scheme, distribution) else { continue };
        let Some(path) = Location::parse(&row.path).map(|location| location.rest) else { continue };
        let installed = match target.base {
            Base::SitePackages => site.join(target.path),
            Base::Root => root.join(target.path),
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
    /// Whether an installer writes it, so that it is not compared with that.
    pub is_private: bool,
}

/// Reads an entry's own `RECORD`. Rows that lead out of the entry are left out: uv installs nothing for them.
pub fn entry_files(bytes: &[u8]) -> impl Iterator<Item = EntryFile> + '_ {
    record::rows(bytes).flatten().filter_map(|row| {
        let location = Location::parse(&row.path).filter(|location| location.ups == 0)?;
        let row_states = Stated { digest: row.digest, size: row.size };
        let is_private = names::is_private_row(&row.path, row.digest.as_ref());
        Some(EntryFile { path: location.rest, row: row_states, is_private })
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
