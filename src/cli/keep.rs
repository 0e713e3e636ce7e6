//! What lock files need: a `uv.lock`, that of a script, a `pylock.toml` (PEP 751), or requirements as pip and uv read them.
//!
//! Which packages a marker or an extra takes is not asked: everything that any platform may need stays.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::failure::{FAILED, Failure, USAGE};
use super::surroundings::Surroundings;
use crate::disk;
use crate::human;
use crate::plan::Pinned;
use crate::uv::distribution::{WheelFilename, normalize};
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
}

impl Package {
    fn pinned(self) -> Pinned {
        Pinned { name: normalize(&self.name), version: self.version, versions: None }
    }
}

/// Whether a word names a lock file, and no package.
pub(super) fn is_file(word: &str) -> bool {
    let ends = |it: &std::ffi::OsStr| ["lock", "toml", "txt", "in"].iter().any(|known| it == *known);
    word.contains(std::path::is_separator) || Path::new(word).extension().is_some_and(ends)
}

/// What some words keep: names, requirements, and lock files.
pub(super) fn all(words: &[String], surroundings: &Surroundings) -> Result<Vec<Pinned>, Failure> {
    let mut kept = Vec::new();
    for word in words {
        if is_file(word) {
            kept.extend(read(&surroundings.at_home(Path::new(word)))?);
        } else {
            kept.push(Requirement::read(word).map(|wanted| pinned(&wanted)).map_err(|why| {
                Failure::message(
                    USAGE,
                    format!("Failed to understand what to keep: {}.", human::escape(&why)),
                )
            })?);
        }
    }
    kept.sort_unstable();
    kept.dedup();
    Ok(kept)
}

/// Reads what a lock file needs.
pub(super) fn read(path: &Path) -> Result<Vec<Pinned>, Failure> {
    read_at(path, 0)
}

fn read_at(path: &Path, depth: usize) -> Result<Vec<Pinned>, Failure> {
    let shown = human::escape_os(path.as_os_str());
    let bytes = disk::read::followed(path, LARGEST);
    let bytes =
        bytes.map_err(|error| Failure::new(FAILED, disk::Error::new("read the lock file", path, error)))?;
    let text = String::from_utf8(bytes)
        .map_err(|_| Failure::message(USAGE, format!("`{shown}` is no lock file: it is not UTF-8.")))?;
    let is_toml = depth == 0 && !path.extension().is_some_and(|it| it == "txt" || it == "in");
    if is_toml {
        return locked(&text).map_err(|error| {
            // Whole it takes several lines, with a picture of the place.
            let line =
                error.span().and_then(|span| text.get(..span.start)).map(|before| before.split('\n').count());
            let place = line.map(|line| format!("line {line}: ")).unwrap_or_default();
            let why = human::escape(error.message()).into_owned();
            let text = format!("Failed to understand `{shown}` as a uv.lock or a pylock.toml: {place}{why}.");
            Failure::message(USAGE, text).hint("Files of requirements end in `.txt` or `.in`.")
        });
    }
    let mut needed = Vec::new();
    for (number, line) in lines(&text) {
        let wrong = |why: &str| {
            let why = human::escape(why).into_owned();
            Failure::message(USAGE, format!("Failed to understand line {number} of `{shown}`: {why}."))
        };
        match requirement(&line).map_err(|why| wrong(&why))? {
            Line::Needs(pinned) => needed.push(pinned),
            Line::Includes(other) if depth < DEEPEST => {
                let other = path.parent().unwrap_or(Path::new("")).join(other);
                needed.extend(read_at(&other, depth + 1)?);
            }
            Line::Includes(_) => return Err(wrong("it includes files too deeply, or itself")),
            Line::Nothing => {}
        }
    }
    Ok(needed)
}

fn locked(text: &str) -> Result<Vec<Pinned>, toml::de::Error> {
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
        return Ok(lock.packages.into_iter().map(Package::pinned).collect());
    }
    let lock: Lock = toml::from_str(text)?;
    if lock.version != VERSION {
        return Err(unknown(&lock.version, &VERSION));
    }
    Ok(lock.package.into_iter().map(Package::pinned).collect())
}

/// What a line of a file of requirements says.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Line {
    /// It needs a distribution.
    Needs(Pinned),
    /// It includes another file.
    Includes(PathBuf),
    /// It needs nothing: an option, a directory that is built again, a constraint.
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

fn requirement(line: &str) -> Result<Line, String> {
    for option in ["--requirement", "-r"] {
        if let Some(rest) = line.strip_prefix(option).filter(|rest| rest.starts_with([' ', '=', '\t'])) {
            return Ok(Line::Includes(PathBuf::from(rest.trim_start_matches(['=', ' ', '\t']).trim())));
        }
    }
    if line.starts_with('-') {
        return Ok(Line::Nothing);
    }
    // Hashes and other options of the line; the marker.
    let line = line.split(" --").next().unwrap_or(line);
    if let Some((name, _)) = line.split_once('@').filter(|(name, _)| !name.contains(['/', ':', ';'])) {
        return needs(name);
    }
    let line = line.split(';').next().unwrap_or(line).trim();
    if line.contains('/') || line.contains('\\') || line.starts_with('.') {
        let file = line.split(['#', '?']).next().unwrap_or(line).rsplit(['/', '\\']).next().unwrap_or(line);
        return match WheelFilename::parse(file) {
            Some(wheel) => {
                let (name, version) = (normalize(&wheel.name), Some(wheel.version));
                Ok(Line::Needs(Pinned { name, version, versions: None }))
            }
            None if line.contains("://") => {
                Err(format!("`{line}` does not say which package it is; write `name @ {line}`"))
            }
            // A directory, or an archive of sources: it is built again from there.
            None => Ok(Line::Nothing),
        };
    }
    needs(line)
}

/// What a name with extras and versions means.
fn needs(text: &str) -> Result<Line, String> {
    let plain = match (text.find('['), text.find(']')) {
        (Some(open), Some(close)) if open < close => format!("{}{}", &text[..open], &text[close + 1..]),
        _ => text.to_owned(),
    };
    // Versions may stand in brackets (PEP 508).
    let plain = plain.replace(['(', ')'], " ");
    Requirement::read(plain.trim()).map(|wanted| Line::Needs(pinned(&wanted)))
}

/// What a requirement keeps.
fn pinned(wanted: &Requirement) -> Pinned {
    Pinned { name: wanted.name().to_owned(), version: None, versions: wanted.versions() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needed(name: &str, version: Option<&str>, versions: Option<&str>) -> Pinned {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Pinned { name: name.to_owned(), version: owned(version), versions: owned(versions) }
    }

    #[test]
    fn every_package_is_needed_and_one_without_a_version_in_all_of_them() {
        let text = "version = 1\nrevision = 3\n\n[[package]]\nname = \"Demo_A\"\nversion = \"1.0\"\nsource = { registry = \
                    \"https://example.org\" }\n\n[[package]]\nname = \"app\"\nsource = { virtual = \".\" }\n";
        assert_eq!(locked(text).unwrap(), [needed("demo-a", Some("1.0"), None), needed("app", None, None)]);
        let text = "lock-version = \"1.0\"\ncreated-by = \"uv\"\n\n[[packages]]\nname = \"demo-b\"\nversion = \"2.0\"\n\
                    marker = \"sys_platform == 'win32'\"\n\n[[packages]]\nname = \"app\"\ndirectory = { path = \".\" }\n";
        assert_eq!(locked(text).unwrap(), [needed("demo-b", Some("2.0"), None), needed("app", None, None)]);
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
            assert_eq!(locked(&format!("version = 1\n{revision}")).unwrap(), []);
        }
        assert_eq!(locked("lock-version = \"1.1\"\npackages = []\n").unwrap(), []);
    }

    #[test]
    fn lines_of_requirements_are_read_as_pip_reads_them() {
        let of = |line: &str| requirement(line).unwrap();
        let needs = |name: &str, versions: Option<&str>| Line::Needs(needed(name, None, versions));
        for (line, expected) in [
            ("Demo_A", needs("demo-a", None)),
            ("demo==1.0", needs("demo", Some("==1.0"))),
            ("demo[extra,other]>=1,<2 ; python_version < '3'", needs("demo", Some(">=1,<2"))),
            ("demo (>=1)", needs("demo", Some(">=1"))),
            ("demo==1.0 --hash=sha256:00 --hash=sha256:11", needs("demo", Some("==1.0"))),
            ("demo @ https://example.org/demo.tar.gz#sha256=00", needs("demo", None)),
            ("demo[x] @ file:///tmp/demo", needs("demo", None)),
            ("-e .", Line::Nothing),
            ("--index-url https://example.org/simple", Line::Nothing),
            ("-c constraints.txt", Line::Nothing),
            ("./local", Line::Nothing),
            ("..", Line::Nothing),
            ("-r more/base.txt", Line::Includes("more/base.txt".into())),
            ("--requirement=base.txt", Line::Includes("base.txt".into())),
            (
                "https://example.org/demo_c-3.0-py3-none-any.whl",
                Line::Needs(needed("demo-c", Some("3.0"), None)),
            ),
            ("./wheels/demo_c-3.0-py3-none-any.whl", Line::Needs(needed("demo-c", Some("3.0"), None))),
        ] {
            assert_eq!(of(line), expected, "{line}");
        }
        for wrong in ["git+https://example.org/demo.git", "https://example.org/x.zip", "demo<<1", "a b c"] {
            assert!(requirement(wrong).is_err(), "{wrong}");
        }
        let text = "\u{feff}# all\ndemo==1.0 \\\n    --hash=sha256:00 \\\n    --hash=sha256:11\n\nother # why\n  # more\n";
        let read: Vec<(usize, Line)> =
            lines(text).into_iter().map(|(number, line)| (number, of(&line))).collect();
        assert_eq!(read, [(2, needs("demo", Some("==1.0"))), (6, needs("other", None))]);
    }
}
