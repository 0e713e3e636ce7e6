//! Where packages are taken from, as settings, variables and lock files say it.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::distribution::normalize;
use super::url;

/// A place that packages are taken from: an index, a directory of wheels, or one wheel, archive, directory or repository.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Its URL, without user name and password.
    pub url: String,
    /// Whether it is a list of files and no index.
    pub flat: bool,
}

impl Place {
    /// A place by its text, which may be a path relative to a directory.
    pub fn new(text: &str, flat: bool, directory: &Path) -> Option<Self> {
        let text = text.trim();
        if text.is_empty() || text.starts_with('-') || text.contains(char::is_control) {
            return None;
        }
        let url = if text.contains("://") {
            url::without_credentials(text)
        } else {
            url::of_path(&plain(&directory.join(text)))?
        };
        Some(Self { url, flat })
    }
}

/// A path without `.` and `..`, as uv writes one before it looks at it.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            std::path::Component::ParentDir => {
                plain.pop();
            }
            std::path::Component::CurDir => {}
            other => plain.push(other),
        }
    }
    plain
}

/// What uv's variables name.
pub fn of_variables(variable: &dyn Fn(&str) -> Option<String>, directory: &Path) -> Vec<Place> {
    let mut places = Vec::new();
    for (name, flat) in [
        ("UV_INDEX", false),
        ("UV_INDEX_URL", false),
        ("UV_DEFAULT_INDEX", false),
        ("UV_EXTRA_INDEX_URL", false),
        ("UV_FIND_LINKS", true),
    ] {
        let Some(value) = variable(name) else { continue };
        let words = value.split(|it: char| it.is_whitespace() || flat && it == ',');
        places.extend(words.filter_map(|word| Place::new(unnamed(word), flat, directory)));
    }
    places
}

/// An index without the name that may stand before it, as `internal=https://…`.
fn unnamed(word: &str) -> &str {
    match word.split_once('=') {
        Some((name, rest)) if !name.contains(['/', ':', '?']) => rest,
        _ => word,
    }
}

/// How deep tables are looked into.
const DEEPEST: usize = 4;

/// What a `uv.toml`, `pyproject.toml` or `uv-receipt.toml` names, wherever in it; nothing of what is no TOML.
pub fn of_settings(text: &str, directory: &Path) -> Vec<Place> {
    let mut places = Vec::new();
    if let Ok(table) = text.parse::<Table>() {
        collect(&table, directory, DEEPEST, &mut places);
    }
    places
}

/// Whether a `uv.toml` or `pyproject.toml` says, wherever in it, that environments are linked by symlinks.
pub fn links_by_symlinks(text: &str) -> bool {
    fn says(table: &Table, depth: usize) -> bool {
        table.iter().any(|(key, value)| match value {
            Value::String(mode) => key == "link-mode" && mode == "symlink",
            Value::Table(inner) => depth > 0 && says(inner, depth - 1),
            _ => false,
        })
    }
    text.parse::<Table>().is_ok_and(|table| says(&table, DEEPEST))
}

fn collect(table: &Table, directory: &Path, depth: usize, places: &mut Vec<Place>) {
    for (key, value) in table {
        let flat = key == "find-links";
        if flat || matches!(key.as_str(), "index" | "index-url" | "extra-index-url" | "default-index") {
            let texts = match value {
                Value::Array(values) => values.iter().collect(),
                other => vec![other],
            };
            for text in texts {
                let of_table = text.as_table().and_then(|it| it.get("url")?.as_str());
                let flat = flat
                    || text
                        .as_table()
                        .is_some_and(|it| it.get("format").and_then(Value::as_str) == Some("flat"));
                let text = text.as_str().or(of_table);
                places.extend(text.and_then(|text| Place::new(unnamed(text), flat, directory)));
            }
        } else if let Some(inner) = value.as_table().filter(|_| depth > 0) {
            collect(inner, directory, depth - 1, places);
        }
    }
}

/// A package as a `uv.lock` has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locked {
    /// Its normalized name.
    pub name: String,
    /// Its version, where it is written down.
    pub version: Option<String>,
    /// The index it comes from, if it comes from one.
    pub registry: Option<Place>,
    /// Where it comes from otherwise.
    pub direct: Option<Place>,
}

/// The packages of a `uv.lock`, read line by line as uv writes it: such a file may be large. What is written otherwise is
/// passed over.
pub fn of_lock(text: &str, directory: &Path) -> Vec<Locked> {
    let mut packages: Vec<Locked> = Vec::new();
    let mut within = false;
    for line in text.lines() {
        if line.starts_with('[') {
            within = line == "[[package]]";
            if within {
                packages.push(Locked { name: String::new(), version: None, registry: None, direct: None });
            }
            continue;
        }
        let Some(package) = packages.last_mut().filter(|_| within) else { continue };
        let Some((key, value)) = line.split_once(" = ") else { continue };
        match key {
            "name" => package.name = normalize(value.trim_matches('"')),
            "version" => package.version = Some(value.trim_matches('"').to_owned()),
            "source" => {
                let Some(inner) = value.strip_prefix('{').and_then(|it| it.strip_suffix('}')) else {
                    continue;
                };
                let Some((kind, text)) = inner.trim().split_once(" = ") else { continue };
                // A text ends at its quote; what may follow is another key.
                let text = text.trim_start_matches('"').split('"').next().unwrap_or_default();
                let place = Place::new(text, false, directory);
                match kind {
                    "registry" => package.registry = place,
                    "git" => {
                        let bare = text.split(['?', '#']).next().unwrap_or_default();
                        package.direct = Place::new(bare, false, directory);
                    }
                    _ => package.direct = place,
                }
            }
            _ => {}
        }
    }
    packages.retain(|package| !package.name.is_empty());
    packages
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn urls(places: &[Place]) -> Vec<(&str, bool)> {
        places.iter().map(|it| (it.url.as_str(), it.flat)).collect()
    }

    #[test]
    fn places_are_read_from_variables_settings_and_lock_files_without_credentials() {
        let variable = |name: &str| match name {
            "UV_INDEX" => Some("internal=https://me:pw@a.org/simple https://b.org/simple".to_owned()),
            "UV_FIND_LINKS" => Some("/links,https://c.org/files".to_owned()),
            _ => None,
        };
        let places = of_variables(&variable, Path::new("/here"));
        let expected = [
            ("https://a.org/simple", false),
            ("https://b.org/simple", false),
            ("file:///links", true),
            ("https://c.org/files", true),
        ];
        assert_eq!(urls(&places), expected);
        let text = "[tool.uv]\nfind-links = [\"../links\"]\nindex-url = \"https://x:y@d.org\"\n\n[[tool.uv.index]]\nname = \"i\"\n\
                    url = \"https://e.org/s\"\n\n[tool.uv.pip]\nextra-index-url = [\"https://f.org\"]\n";
        let mut places = of_settings(text, Path::new("/here/app"));
        places.sort();
        let expected = [
            ("file:///here/links", true),
            ("https://d.org", false),
            ("https://e.org/s", false),
            ("https://f.org", false),
        ];
        assert_eq!(urls(&places), expected);
        let text = "version = 1\nrevision = 3\n\n[[package]]\nname = \"Demo_A\"\nversion = \"1.0\"\nsource = { registry = \
                    \"https://e.org/s\" }\ndependencies = [\n    { name = \"b\" },\n]\n\n[[package]]\nname = \"b\"\nsource = { path = \"w/b.whl\" \
                    }\n\n[package.metadata]\nname = \"other\"\n";
        let locked = of_lock(text, Path::new("/here"));
        assert_eq!(locked.len(), 2);
        assert_eq!((locked[0].name.as_str(), locked[0].version.as_deref()), ("demo-a", Some("1.0")));
        assert_eq!(locked[0].registry.as_ref().unwrap().url, "https://e.org/s");
        assert_eq!(locked[1].direct.as_ref().unwrap().url, "file:///here/w/b.whl");
        assert_eq!((locked[1].name.as_str(), &locked[1].version), ("b", &None));
    }

    #[test]
    fn settings_may_say_that_environments_are_linked_by_symlinks() {
        for text in [
            "link-mode = \"symlink\"",
            "[pip]\nlink-mode = \"symlink\"",
            "[tool.uv.pip]\nlink-mode = \"symlink\"",
        ] {
            assert!(links_by_symlinks(text), "{text}");
        }
        for text in ["link-mode = \"copy\"", "[other]\nmode = \"symlink\"", "link-mode = symlink", ""] {
            assert!(!links_by_symlinks(text), "{text}");
        }
    }
}
