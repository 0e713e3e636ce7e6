//! What lock files need: a `uv.lock`, that of a script, a `pylock.toml` (PEP 751), or requirements as pip and uv read them.
//!
//! Everything stays that any platform may need, so markers are not asked, but for the extras that they are about.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::failure::{FAILED, Failure, USAGE};
use super::surroundings::Surroundings;
use crate::disk;
use crate::human;
use crate::plan::Pinned;
use crate::scan::dependencies;
use crate::snapshot::{Entry, EntryKey, Snapshot};
use crate::uv::dependency::{self, Dependency};
use crate::uv::distribution::{WheelFilename, file_path, normalize};
use crate::uv::requirement::Requirement;

/// The largest lock file that is read, in bytes.
const LARGEST: u64 = 256 << 20;

/// The version of the form of a `uv.lock` that is known. uv raises it when older releases could no longer read it, and a revision else.
const VERSION: u64 = 1;

/// How deep files of requirements include others.
const DEEPEST: usize = 16;

/// A `uv.lock`.
#[derive(Deserialize)]
struct Lock {
    /// The version of its form, which every uv.lock has and few other files. Revisions of a version can be read alike.
    version: u64,
    #[serde(default)]
    package: Vec<Package>,
}

/// A `pylock.toml`.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Pylock {
    /// The version of its form. Versions with the same first part can be read alike (PEP 751).
    lock_version: String,
    packages: Vec<Package>,
}

/// A package of a lock file. One without a version is a directory, a repository or a member of the workspace whose version is
/// found out when it is built.
#[derive(Deserialize)]
struct Package {
    name: String,
    version: Option<String>,
    /// Of a `uv.lock`, where it comes from; early releases of uv wrote it as a text.
    source: Option<toml::Value>,
    /// Of a `pylock.toml`, the directory that it comes from.
    directory: Option<toml::Value>,
}

impl Package {
    fn pinned(&self) -> Pinned {
        Pinned { name: normalize(&self.name), version: self.version.clone(), versions: None }
    }

    /// The directory that it is built from, relative to the lock file, if it is.
    fn directory(&self) -> Option<&Path> {
        let source = self.source.as_ref();
        let of_uv = source.and_then(|it| it.get("editable").or_else(|| it.get("directory")));
        let of_pylock = self.directory.as_ref().and_then(|it| it.get("path"));
        of_uv.or(of_pylock)?.as_str().map(Path::new)
    }
}

/// Whether a word names a lock file, and no package.
pub(super) fn is_file(word: &str) -> bool {
    let ends = |it: &std::ffi::OsStr| ["lock", "toml", "txt", "in"].iter().any(|known| it == *known);
    word.contains(std::path::is_separator) || Path::new(word).extension().is_some_and(ends)
}

/// What is to be kept.
#[derive(Clone, Debug, Default)]
pub(super) struct Keep {
    /// Distributions by name, and what lock files have, which is complete.
    pinned: Vec<Pinned>,
    /// What files of requirements list. What that needs is kept too.
    listed: Vec<Dependency>,
}

impl Keep {
    /// What some words keep: names, requirements, and lock files.
    pub(super) fn of_words(words: &[String], surroundings: &Surroundings) -> Result<Self, Failure> {
        let mut keep = Self::default();
        for word in words {
            if is_file(word) {
                keep.add_file(&surroundings.at_home(Path::new(word)), surroundings)?;
            } else {
                let wanted = Requirement::read(word).map_err(|why| {
                    let why = human::escape(&why);
                    Failure::message(USAGE, format!("Failed to understand what to keep: {why}."))
                })?;
                keep.pinned.push(pinned(&wanted));
            }
        }
        Ok(keep)
    }

    /// What lock files keep.
    pub(super) fn of_files(paths: &[PathBuf], surroundings: &Surroundings) -> Result<Self, Failure> {
        let mut keep = Self::default();
        for path in paths {
            keep.add_file(path, surroundings)?;
        }
        Ok(keep)
    }

    fn add_file(&mut self, path: &Path, surroundings: &Surroundings) -> Result<(), Failure> {
        self.read(path, &surroundings.current_dir, 0)
    }

    /// All of it, with what the entries of the cache that are listed say they need, and so on.
    pub(super) fn complete(self, snapshot: &Snapshot) -> Result<Vec<Pinned>, Failure> {
        let Self { mut pinned, listed } = self;
        let mut entries: HashMap<&str, Vec<&Entry>> = HashMap::new();
        for entry in &snapshot.entries {
            if let Some(name) = entry.name.as_deref() {
                entries.entry(name).or_default().push(entry);
            }
        }
        let mut known: HashMap<&EntryKey, Vec<Dependency>> = HashMap::new();
        let mut seen = BTreeSet::new();
        let mut ahead = listed;
        while let Some(Dependency { requirement, extras, .. }) = ahead.pop() {
            if !seen.insert((requirement.name().to_owned(), requirement.versions(), extras.clone())) {
                continue;
            }
            for entry in entries.get(requirement.name()).into_iter().flatten() {
                if !entry.version.as_deref().is_some_and(|version| requirement.allows(version)) {
                    continue;
                }
                if !known.contains_key(&entry.key) {
                    let needed = dependencies::of_entry(snapshot, entry).map_err(|error| {
                        let path = snapshot.cache.path.join(entry.key.path());
                        Failure::new(FAILED, disk::Error::new("read what it needs of", &path, error))
                    })?;
                    known.insert(&entry.key, needed);
                }
                ahead.extend(known[&entry.key].iter().filter(|it| it.may_be_needed(&extras)).cloned());
            }
            pinned.push(self::pinned(&requirement));
        }
        pinned.sort_unstable();
        pinned.dedup();
        Ok(pinned)
    }

    fn read(&mut self, path: &Path, current_dir: &Path, depth: usize) -> Result<(), Failure> {
        let shown = human::escape_os(path.as_os_str());
        let bytes = disk::read::followed(path, LARGEST);
        let bytes = bytes
            .map_err(|error| Failure::new(FAILED, disk::Error::new("read the lock file", path, error)))?;
        let text = String::from_utf8(bytes)
            .map_err(|_| Failure::message(USAGE, format!("`{shown}` is no lock file: it is not UTF-8.")))?;
        let directory = path.parent().unwrap_or(Path::new(""));
        let is_toml = depth == 0 && !path.extension().is_some_and(|it| it == "txt" || it == "in");
        if is_toml {
            let packages = locked(&text).map_err(|error| {
                let why = explained(&text, &error);
                let text = format!("Failed to understand `{shown}` as a uv.lock or a pylock.toml: {why}.");
                Failure::message(USAGE, text).hint("Files of requirements end in `.txt` or `.in`.")
            })?;
            self.pinned.extend(packages.iter().map(Package::pinned));
            for project in packages.iter().filter_map(Package::directory) {
                self.listed.extend(Project::read(&directory.join(project))?.to_build());
            }
            return Ok(());
        }
        for (number, line) in lines(&text) {
            let wrong = |why: &str| {
                let why = human::escape(why).into_owned();
                Failure::message(USAGE, format!("Failed to understand line {number} of `{shown}`: {why}."))
            };
            match line_of(&line).map_err(|why| wrong(&why))? {
                Line::Needs(dependency) => self.listed.push(dependency),
                Line::Includes(other) if depth < DEEPEST => {
                    self.read(&directory.join(other), current_dir, depth + 1)?;
                }
                Line::Includes(_) => return Err(wrong("it includes files too deeply, or itself")),
                // uv starts at the current directory, which says nothing where something runs by itself.
                Line::Project(project, extras) => {
                    for directory in BTreeSet::from([directory, current_dir]) {
                        let project = Project::read(&directory.join(&project))?;
                        self.listed.extend(project.to_build());
                        self.listed.extend(project.to_run(&extras));
                    }
                }
                Line::Nothing => {}
            }
        }
        Ok(())
    }
}

/// What is wrong in a file, with its line. Whole the error takes several lines, with a picture of the place.
fn explained(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start));
    let line = before.map(|before| format!("line {}: ", before.split('\n').count()));
    format!("{}{}", line.unwrap_or_default(), human::escape(error.message()))
}

/// What build backends need that nobody lists: hatchling for what is installed editable, setuptools before 70.1.
const BUILDS: [&str; 2] = ["editables", "wheel"];

/// What a project says in its `pyproject.toml` that it needs, which may be nothing.
#[derive(Default)]
struct Project {
    build: Vec<String>,
    dependencies: Vec<String>,
    optional: HashMap<String, Vec<String>>,
}

impl Project {
    fn read(directory: &Path) -> Result<Self, Failure> {
        #[derive(Deserialize)]
        #[serde(rename_all = "kebab-case")]
        struct Pyproject {
            #[serde(default)]
            project: Table,
            build_system: Option<BuildSystem>,
        }
        #[derive(Default, Deserialize)]
        #[serde(rename_all = "kebab-case", default)]
        struct Table {
            dependencies: Vec<String>,
            optional_dependencies: HashMap<String, Vec<String>>,
        }
        #[derive(Deserialize)]
        struct BuildSystem {
            #[serde(default)]
            requires: Vec<String>,
        }
        let path = directory.join("pyproject.toml");
        let text = match disk::read::followed(&path, LARGEST) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if disk::read::is_absent(&error) => return Ok(Self::default()),
            Err(error) => return Err(Failure::new(FAILED, disk::Error::new("read", &path, error))),
        };
        let read: Pyproject = toml::from_str(&text).map_err(|error| {
            let (shown, why) = (human::escape_os(path.as_os_str()), explained(&text, &error));
            Failure::message(USAGE, format!("Failed to understand `{shown}`: {why}."))
        })?;
        let Table { dependencies, optional_dependencies: optional } = read.project;
        Ok(Self {
            build: read.build_system.map(|it| it.requires).unwrap_or_default(),
            dependencies,
            optional,
        })
    }

    /// What is needed to build it. Without a word on that it is built by setuptools (PEP 517).
    fn to_build(&self) -> Vec<Dependency> {
        let usual = if self.build.is_empty() { &["setuptools"][..] } else { &[] };
        let words = self.build.iter().map(String::as_str).chain(usual.iter().chain(&BUILDS).copied());
        words.filter_map(Dependency::lenient).collect()
    }

    /// What is needed to run it with some extras.
    fn to_run(&self, extras: &BTreeSet<String>) -> Vec<Dependency> {
        let optional = self.optional.iter().filter(|(extra, _)| extras.contains(&normalize(extra)));
        let words = self.dependencies.iter().chain(optional.flat_map(|(_, them)| them));
        words.filter_map(|word| Dependency::lenient(word)).collect()
    }
}

fn locked(text: &str) -> Result<Vec<Package>, toml::de::Error> {
    let unknown = |version: &dyn std::fmt::Display, known: &dyn std::fmt::Display| {
        let text = format!("it has version {version} of its form, and {known} is known");
        <toml::de::Error as serde::de::Error>::custom(text)
    };
    let table: toml::Table = toml::from_str(text)?;
    if table.contains_key("lock-version") {
        let lock: Pylock = toml::from_str(text)?;
        if lock.lock_version.split('.').next() != Some("1") {
            return Err(unknown(&lock.lock_version, &"1.0"));
        }
        return Ok(lock.packages);
    }
    let lock: Lock = toml::from_str(text)?;
    if lock.version != VERSION {
        return Err(unknown(&lock.version, &VERSION));
    }
    Ok(lock.package)
}

/// What a line of a file of requirements says.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Line {
    /// It needs a distribution.
    Needs(Dependency),
    /// It includes another file.
    Includes(PathBuf),
    /// It needs what a directory with a project needs, with these extras. The project itself is built again from there.
    Project(PathBuf, BTreeSet<String>),
    /// It needs nothing: an option, a constraint.
    Nothing,
}

/// The lines of a file of requirements with their numbers, without comments, those that go on in the next one joined.
fn lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut goes_on = false;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (number, line) in (1..).zip(text.lines()) {
        let (line, more) = match line.trim_end().strip_suffix('\\') {
            Some(line) => (line, true),
            None => (line, false),
        };
        // A `#` begins a comment at the start of a line and behind a blank: in a URL it belongs to that.
        let comment = line.match_indices('#').find(|(at, _)| *at == 0 || line[..*at].ends_with([' ', '\t']));
        let line = comment.map_or(line, |(at, _)| &line[..at]).trim();
        match lines.last_mut().filter(|_| goes_on) {
            Some((_, last)) => {
                last.push(' ');
                last.push_str(line);
            }
            None => lines.push((number, line.to_owned())),
        }
        goes_on = more;
    }
    lines.retain(|(_, line)| !line.is_empty());
    lines
}

fn line_of(line: &str) -> Result<Line, String> {
    if let Some(rest) = value_of(line, &["--requirement", "-r"]) {
        return Ok(Line::Includes(PathBuf::from(rest)));
    }
    let editable = value_of(line, &["--editable", "-e"]);
    if editable.is_none() && line.starts_with('-') {
        return Ok(Line::Nothing);
    }
    let line = editable.unwrap_or(line);
    // Hashes and other options of the line.
    let line = line.split(" --").next().unwrap_or(line).trim();
    let is_named = line.split_once('@').is_some_and(|(name, _)| !name.contains(['/', ':', ';']));
    let place = line.split(';').next().unwrap_or(line).trim();
    let is_place = editable.is_some() || place.contains(['/', '\\']) || place.starts_with('.');
    if is_named || !is_place {
        return Dependency::read(line).map(Line::Needs);
    }
    let (place, extras) = match place.strip_suffix(']').and_then(|place| place.rsplit_once('[')) {
        Some((place, extras)) => (place.trim(), dependency::names(extras)),
        None => (place, BTreeSet::new()),
    };
    let file = place.split(['#', '?']).next().unwrap_or(place).rsplit(['/', '\\']).next().unwrap_or(place);
    if let Some(wheel) = WheelFilename::parse(file) {
        let mut wheel = Dependency::read(&format!("{}=={}", wheel.name, wheel.version))?;
        wheel.extras = extras;
        return Ok(Line::Needs(wheel));
    }
    match file_path(place) {
        Some(path) => Ok(Line::Project(path, extras)),
        None if place.contains("://") => {
            Err(format!("`{place}` does not say which package it is; write `name @ {place}`"))
        }
        None => Ok(Line::Project(PathBuf::from(place), extras)),
    }
}

/// The value of an option, if the line is that option.
fn value_of<'a>(line: &'a str, names: &[&str]) -> Option<&'a str> {
    let rest = names.iter().find_map(|name| line.strip_prefix(name))?;
    rest.starts_with([' ', '=', '\t']).then(|| rest.trim_start_matches(['=', ' ', '\t']).trim())
}

/// What a requirement keeps.
fn pinned(wanted: &Requirement) -> Pinned {
    Pinned { name: wanted.name().to_owned(), version: None, versions: wanted.versions() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pins(text: &str) -> Vec<Pinned> {
        locked(text).unwrap().iter().map(Package::pinned).collect()
    }

    fn needed(name: &str, version: Option<&str>, versions: Option<&str>) -> Pinned {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Pinned { name: name.to_owned(), version: owned(version), versions: owned(versions) }
    }

    #[test]
    fn every_package_is_needed_and_one_without_a_version_in_all_of_them() {
        let text = "version = 1\nrevision = 3\n\n[[package]]\nname = \"Demo_A\"\nversion = \"1.0\"\nsource = { registry = \
                    \"https://example.org\" }\n\n[[package]]\nname = \"app\"\nsource = { virtual = \".\" }\n";
        assert_eq!(pins(text), [needed("demo-a", Some("1.0"), None), needed("app", None, None)]);
        let text = "lock-version = \"1.0\"\ncreated-by = \"uv\"\n\n[[packages]]\nname = \"demo-b\"\nversion = \"2.0\"\n\
                    marker = \"sys_platform == 'win32'\"\n\n[[packages]]\nname = \"app\"\ndirectory = { path = \".\" }\n";
        assert_eq!(pins(text), [needed("demo-b", Some("2.0"), None), needed("app", None, None)]);
    }

    #[test]
    fn what_is_built_from_a_directory_is_told_from_what_is_not() {
        let of = |text: &str| {
            let packages = locked(text).unwrap();
            packages.iter().filter_map(Package::directory).map(Path::to_owned).collect::<Vec<_>>()
        };
        let uv = |source: &str| of(&format!("version = 1\n[[package]]\nname = \"a\"\nsource = {source}\n"));
        assert_eq!(uv("{ editable = \"a\" }"), [Path::new("a")]);
        assert_eq!(uv("{ directory = \"../a\" }"), [Path::new("../a")]);
        for other in ["{ virtual = \"a\" }", "{ registry = \"x\" }", "\"registry+x\"", "{ editable = 3 }"] {
            assert_eq!(uv(other), Vec::<PathBuf>::new(), "{other}");
        }
        let pylock = "lock-version = \"1.0\"\n[[packages]]\nname = \"a\"\ndirectory = { path = \"a\" }\n";
        assert_eq!(of(pylock), [Path::new("a")]);
    }

    #[test]
    fn what_is_no_lock_file_needs_nothing_by_mistake() {
        for text in [
            "",
            "[project]\nname = \"x\"\n",
            "version = 1\npackage = 3\n",
            "version = 2\n",
            "version = 4\n[[package]]\nname = \"crate\"\n",
            "lock-version = \"1.0\"\n",
            "lock-version = \"2.0\"\npackages = []\n",
            "version = 1\n[[package]]\n",
            "demo==1.0\n",
            "{",
        ] {
            assert!(locked(text).is_err(), "{text}");
        }
        for revision in ["", "revision = 1\n", "revision = 5\n"] {
            assert_eq!(pins(&format!("version = 1\n{revision}")), []);
        }
        assert_eq!(pins("lock-version = \"1.1\"\npackages = []\n"), []);
    }

    #[test]
    fn lines_of_requirements_are_read_as_pip_reads_them() {
        let of = |line: &str| line_of(line).unwrap();
        let needs = |text: &str| Line::Needs(Dependency::read(text).unwrap());
        let project = |path: &str, extras: &str| Line::Project(path.into(), dependency::names(extras));
        for (line, expected) in [
            ("Demo_A", needs("demo-a")),
            ("demo==1.0", needs("demo==1.0")),
            (
                "demo[extra,other]>=1,<2 ; python_version < '3'",
                needs("demo[extra,other]>=1,<2 ; python_version < '3'"),
            ),
            ("demo (>=1)", needs("demo>=1")),
            ("demo==1.0 --hash=sha256:00 --hash=sha256:11", needs("demo==1.0")),
            ("demo @ https://example.org/demo.tar.gz#sha256=00", needs("demo")),
            ("demo[x] @ file:///tmp/demo", needs("demo[x]")),
            ("-e .", project(".", "")),
            ("-e member", project("member", "")),
            ("--editable=../other[x, Y_z] ; python_version < '3'", project("../other", "x,y-z")),
            ("--index-url https://example.org/simple", Line::Nothing),
            ("-c constraints.txt", Line::Nothing),
            ("./local[fast]", project("./local", "fast")),
            ("file:///srv/local", project(if cfg!(windows) { "srv/local" } else { "/srv/local" }, "")),
            ("..", project("..", "")),
            ("-r more/base.txt", Line::Includes("more/base.txt".into())),
            ("--requirement=base.txt", Line::Includes("base.txt".into())),
            ("https://example.org/demo_c-3.0-py3-none-any.whl#sha256=00", needs("demo-c==3.0")),
            ("./wheels/demo_c-3.0-py3-none-any.whl[x]", needs("demo-c[x]==3.0")),
        ] {
            assert_eq!(of(line), expected, "{line}");
        }
        for wrong in [
            "git+https://example.org/demo.git",
            "-e git+https://example.org/demo.git",
            "https://example.org/x.zip",
            "demo<<1",
            "a b c",
        ] {
            assert!(line_of(wrong).is_err(), "{wrong}");
        }
        let text = "\u{feff}# all\ndemo==1.0 \\\n    --hash=sha256:00 \\\n    --hash=sha256:11\n\nother # why\n  # more\n";
        let read: Vec<(usize, Line)> =
            lines(text).into_iter().map(|(number, line)| (number, of(&line))).collect();
        assert_eq!(read, [(2, needs("demo==1.0")), (6, needs("other"))]);
    }
}
