//! One wheel as uv unpacks it into an entry: its files, and a `RECORD` with their true digests.

use std::path::{Path, PathBuf};

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde_json::json;

use super::Error;
use super::content::{self, Content};
use super::ground::Ground;
use super::manifest::{Fate, Source, Wheel};

/// A wheel, unpacked or (where its fate is so) only known.
#[derive(Debug)]
pub(super) struct Unpacked<'a> {
    pub(super) wheel: &'a Wheel,
    /// The entry's id.
    pub(super) id: String,
    /// The entry's directory.
    pub(super) entry: PathBuf,
    /// The name of its `.dist-info`.
    pub(super) dist_info: String,
    /// Everything but `RECORD`.
    pub(super) rows: Vec<Row>,
}

/// One file, as `RECORD` lists it.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// Relative to site-packages or to the entry.
    pub(super) path: String,
    digest: [u8; 32],
    size: usize,
}

impl Row {
    /// The row of a file with these bytes.
    pub(super) fn new(path: impl Into<String>, bytes: &[u8]) -> Self {
        Self { path: path.into(), digest: content::digest(bytes), size: bytes.len() }
    }

    /// The same file under another path.
    pub(super) fn at(&self, path: impl Into<String>) -> Self {
        Self { path: path.into(), ..self.clone() }
    }

    /// The line in `RECORD`, without its end.
    pub(super) fn line(&self) -> String {
        format!("{},sha256={},{}", self.path, BASE64URL_NOPAD.encode(&self.digest), self.size)
    }
}

impl Unpacked<'_> {
    /// The distribution's name as files spell it, as `charset_normalizer`.
    pub(super) fn distribution(&self) -> String {
        underscored(&self.wheel.name)
    }

    /// The wheel's file name.
    pub(super) fn filename(&self) -> String {
        format!("{}-{}-{}.whl", self.distribution(), self.wheel.version, self.wheel.tag)
    }

    /// A digest of the wheel, as its index would tell it.
    pub(super) fn digest(&self) -> String {
        HEXLOWER.encode(&content::digest(self.filename().as_bytes()))
    }

    /// The sizes of its files added up.
    pub(super) fn size(&self) -> usize {
        self.rows.iter().map(|row| row.size).sum()
    }

    /// What uv writes into `direct_url.json`, for sources that no index was asked for.
    pub(super) fn direct_url(&self, root: &Path) -> Option<serde_json::Value> {
        let local = |path: &str| format!("file://{}", root.join(path).display());
        match &self.wheel.from {
            Source::Pypi | Source::Index(_) | Source::FindLinks(_) | Source::Sdist => None,
            Source::Url(url) => Some(json!({ "url": url, "archive_info": {} })),
            Source::Path(path) => Some(json!({ "url": local(path), "archive_info": {} })),
            Source::Git(url) => {
                let commit = content::commit(url);
                Some(json!({ "url": url, "vcs_info": { "vcs": "git", "commit_id": commit } }))
            }
            Source::Editable(path) => Some(json!({ "url": local(path), "dir_info": { "editable": true } })),
        }
    }

    /// Whether uv writes `uv_cache.json` for it: its source is a file or directory on this machine.
    pub(super) fn is_local(&self) -> bool {
        matches!(self.wheel.from, Source::FindLinks(_) | Source::Path(_) | Source::Editable(_))
    }

    /// Whether uv built it.
    pub(super) fn is_built(&self) -> bool {
        matches!(self.wheel.from, Source::Sdist | Source::Git(_) | Source::Editable(_))
    }
}

/// Unpacks a wheel into the cache, unless its entry is gone again.
pub(super) fn unpack<'a>(wheel: &'a Wheel, ground: &mut Ground<'_>) -> Result<Unpacked<'a>, Error> {
    let id = content::id(&format!("{}=={}", wheel.name, wheel.version));
    let entry = ground.cache().join("archive-v0").join(&id);
    let dist_info = format!("{}-{}.dist-info", underscored(&wheel.name), wheel.version);
    let there = matches!(wheel.fate, Fate::Kept | Fate::Unlinked);
    let unpacked = ground.ago(wheel.days);
    let mut rows = Vec::new();
    for (path, content) in files(wheel, &dist_info, ground) {
        let mut bytes = content.bytes(&format!("{id}/{path}"));
        rows.push(Row::new(&path, &bytes));
        if !there {
            continue;
        }
        let mut modified = unpacked;
        if wheel.touched_up.as_ref() == Some(&path) {
            bytes.extend_from_slice(b"\n\nimport pdb; pdb.set_trace()  # where does the token go?\n");
            modified = ground.ago(wheel.days / 2.0);
        }
        let mode_bits = if path.contains(".data/scripts/") { 0o755 } else { 0o644 };
        ground.write(&entry.join(&path), &bytes, mode_bits, modified)?;
    }
    if there {
        let own = format!("{dist_info}/RECORD,,");
        let record = content::lines(rows.iter().map(Row::line).chain([own]));
        ground.write(&entry.join(&dist_info).join("RECORD"), record.as_bytes(), 0o644, unpacked)?;
        ground.refresh_at_end(entry.join(&dist_info).join("WHEEL"));
    }
    Ok(Unpacked { wheel, id, entry, dist_info, rows })
}

fn files(wheel: &Wheel, dist_info: &str, ground: &Ground<'_>) -> Vec<(String, Content)> {
    let mut files = Vec::new();
    let package = wheel.package.clone().unwrap_or_else(|| underscored(&wheel.name));
    if let Source::Editable(project) = &wheel.from {
        let path = ground.root().join(project).join("src");
        files.push((format!("__editable__.{package}.pth"), format!("{}\n", path.display()).into()));
    } else if package.strip_suffix(".py").is_some() {
        files.push((package.clone(), content::module(&package).into()));
    } else {
        files.extend(content::modules(&package, wheel.modules));
    }
    files.extend(wheel.large.iter().map(|(path, size)| (path.clone(), Content::Noise(size * 1024))));
    let data = dist_info.replace(".dist-info", ".data");
    for (name, size) in &wheel.binaries {
        files.push((format!("{data}/scripts/{name}"), Content::Noise(size * 1024)));
    }
    let Wheel { name, version, tag, .. } = wheel;
    files.push((
        format!("{dist_info}/METADATA"),
        format!("Metadata-Version: 2.4\nName: {name}\nVersion: {version}\nSummary: A part of the sample cache of cachetui\n")
            .into(),
    ));
    files.push((
        format!("{dist_info}/WHEEL"),
        format!(
            "Wheel-Version: 1.0\nGenerator: cachetui\nRoot-Is-Purelib: {}\nTag: {tag}\n",
            tag.ends_with("-any")
        )
        .into(),
    ));
    if !wheel.programs.is_empty() {
        let module = package.replace('/', ".");
        let lines = content::lines(wheel.programs.iter().map(|name| format!("{name} = {module}.cli:main")));
        files.push((format!("{dist_info}/entry_points.txt"), format!("[console_scripts]\n{lines}").into()));
    }
    files
}

/// A name as file names have it.
fn underscored(name: &str) -> String {
    name.replace('-', "_")
}
