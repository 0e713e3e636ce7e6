//! What is damaged, as the test itself finds it: every RECORD beside what lies there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest as _, Sha256};

use super::ground::{GHOST, Installation};

/// How a file is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    /// Nothing is there, or a symlink whose target is gone.
    Missing,
    /// Something else is there than RECORD says.
    Modified,
}

/// The damaged files, relative to the root: the fault, and the distributions that list each.
pub(super) type Truth = BTreeMap<PathBuf, (Fault, BTreeSet<String>)>;

/// One row of a RECORD.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// Relative to the root.
    pub(super) path: PathBuf,
    pub(super) distribution: String,
    digest: String,
}

impl Row {
    /// Whether an installer writes it about the installation, and nothing needs it.
    pub(super) fn is_provenance(&self) -> bool {
        let names = ["INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json", "uv_build.json"];
        let inside = self.path.parent().and_then(Path::extension).is_some_and(|it| it == "dist-info");
        inside && self.path.file_name().is_some_and(|name| names.iter().any(|it| name == *it))
    }

    pub(super) fn is_compiled(&self) -> bool {
        self.path.extension().is_some_and(|it| it == "pyc")
    }

    fn is_ghost(&self) -> bool {
        self.path.ends_with(GHOST)
    }
}

/// The rows of every RECORD that state a digest.
pub(super) fn rows(installation: &Installation) -> Vec<Row> {
    let mut rows = Vec::new();
    let site = installation.root.join(&installation.site);
    let items = site.read_dir().unwrap().map(|it| it.unwrap().path());
    let mut infos: Vec<PathBuf> =
        items.filter(|it| it.extension().is_some_and(|it| it == "dist-info")).collect();
    infos.sort();
    for info in infos {
        let stem = info.file_stem().unwrap().to_str().unwrap();
        let distribution = stem.split_once('-').unwrap().0.replace('_', "-");
        let Ok(bytes) = std::fs::read(info.join("RECORD")) else { continue };
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(&bytes[..]);
        for row in reader.records().map(Result::unwrap) {
            let Some(digest) = row[1].strip_prefix("sha256=") else { continue };
            let path = place(&installation.site, &row[0]);
            rows.push(Row { path, distribution: distribution.clone(), digest: digest.to_owned() });
        }
    }
    rows
}

/// Where a row's file lies, relative to the root. Rows of pip's targets name what lies in the root as if it lay two levels
/// above it.
fn place(site: &Path, row: &str) -> PathBuf {
    let mut path = site.to_owned();
    for part in Path::new(row).components() {
        if part == Component::ParentDir {
            path.pop();
        } else {
            path.push(part);
        }
    }
    path
}

/// What is damaged.
pub(super) fn of(installation: &Installation) -> Truth {
    let rows: Vec<Row> = rows(installation).into_iter().filter(|it| !it.is_provenance()).collect();
    let mut by_path: BTreeMap<&Path, Vec<&Row>> = BTreeMap::new();
    for row in &rows {
        by_path.entry(&row.path).or_default().push(row);
    }
    let mut truth = Truth::new();
    for (path, rows) in by_path {
        let full = installation.root.join(path);
        let Some(fault) = fault(&full, &rows) else { continue };
        let owners = rows.iter().map(|it| it.distribution.clone()).collect();
        truth.insert(path.to_owned(), (fault, owners));
    }
    truth
}

fn fault(path: &Path, rows: &[&Row]) -> Option<Fault> {
    let compiled = rows[0].is_compiled();
    let link = std::fs::read_link(path).ok();
    match path.metadata() {
        // A person's own symlink, to a disk that is not there, is no damage.
        Err(_) if link.is_some() => names_cache(&link.unwrap()).then_some(Fault::Missing),
        // Python compiles it again.
        Err(_) => (!compiled && !rows[0].is_ghost()).then_some(Fault::Missing),
        Ok(_) if compiled => None,
        Ok(stat) if !stat.is_file() => Some(Fault::Modified),
        Ok(_) => {
            let digest = BASE64URL_NOPAD.encode(&Sha256::digest(std::fs::read(path).unwrap()));
            (!rows.iter().any(|row| row.digest == digest)).then_some(Fault::Modified)
        }
    }
}

fn names_cache(link: &Path) -> bool {
    link.iter().any(|it| it.to_string_lossy().starts_with("archive-v"))
}
