//! The cache around the entries, as uv 0.13.8 lays it out: its root, pointers, records of interpreters, and the rest.
//!
//! Two things are simpler than the original. A `.http` file ends without the cache policy of its download, so that a uv
//! which were pointed at the sample would ask its server again; and wheels beside what was built are empty archives.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::Error;
use super::content;
use super::ground::Ground;
use super::manifest::{Fate, Source, Stray};
use super::wheel::Unpacked;
use crate::disk::Time;
use crate::uv::distribution::normalize;

/// The content of every `CACHEDIR.TAG`, as its specification asks for.
pub(super) const CACHEDIR_TAG: &[u8] = b"Signature: 8a477f597d28d172789f06886806bc55";

/// The end of a ZIP archive without members, which is a whole one.
const EMPTY_ARCHIVE: &[u8; 22] = b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

/// The longest key; longer ones are cut off and told apart by a digest.
const LONGEST_KEY: usize = 64;

/// Lays out the root of the cache.
pub(super) fn root(ground: &mut Ground<'_>) -> Result<(), Error> {
    let (cache, old) = (ground.cache(), ground.ago(430.0));
    for (name, bytes, mode_bits) in [
        ("CACHEDIR.TAG", CACHEDIR_TAG, 0o644),
        (".gitignore", b"*", 0o644),
        (".lock", b"", 0o666),
        ("sdists-v10/.gitignore", b"", 0o644),
        ("sdists-v10/.git", b"", 0o644),
    ] {
        ground.write(&cache.join(name), bytes, mode_bits, old)?;
    }
    for bucket in ["archive-v0", "builds-v0", "environments-v2"] {
        ground.directory(&cache.join(bucket))?;
    }
    Ok(())
}

/// What in a cache leads to a wheel's entry, with all that lies beside it.
pub(super) fn pointers(unpacked: &Unpacked<'_>, ground: &mut Ground<'_>) -> Result<(), Error> {
    let wheel = unpacked.wheel;
    if !matches!(wheel.fate, Fate::Kept | Fate::Deleted) {
        return Ok(());
    }
    let name = normalize(&wheel.name);
    match &wheel.from {
        Source::Pypi => {
            let index = format!("simple-v27/pypi/{name}.rkyv");
            if !ground.cache().join(&index).exists() {
                let length = 3_000 + content::number(&index, 30_000);
                let bytes = content::Content::Noise(length).bytes(&index);
                ground.write(&ground.cache().join(&index), &bytes, 0o644, ground.ago(wheel.days))?;
            }
            of_wheel(unpacked, &format!("wheels-v7/pypi/{name}"), None, ground)
        }
        Source::Index(url) => {
            of_wheel(unpacked, &format!("wheels-v7/index/{}/{name}", content::hex16(url)), None, ground)
        }
        Source::FindLinks(path) => {
            let shard = format!("wheels-v7/index/{}/{name}", content::hex16(path));
            of_wheel(unpacked, &shard, Some(ground.ago(wheel.days + 1.0)), ground)
        }
        Source::Url(url) => {
            of_wheel(unpacked, &format!("wheels-v7/url/{}/{name}", content::hex16(url)), None, ground)
        }
        Source::Path(path) => {
            let shard = format!("wheels-v7/url/{}/{name}", content::hex16(path));
            of_wheel(unpacked, &shard, Some(ground.ago(wheel.days + 1.0)), ground)
        }
        Source::Sdist => {
            let shard = format!("sdists-v10/pypi/{name}/{}", wheel.version);
            of_built(unpacked, &shard, Some(Revision::Remote), ground)
        }
        Source::Git(url) => {
            let commit = content::commit(url);
            let shard = format!("sdists-v10/git/{}/{}", content::hex16(url), &commit[..16]);
            of_built(unpacked, &shard, None, ground)?;
            checkout(url, &commit, ground.ago(wheel.days), ground)
        }
        Source::Editable(path) => {
            let shard = format!("sdists-v10/editable/{}", content::hex16(path));
            of_built(unpacked, &shard, Some(Revision::Local), ground)
        }
    }
}

/// A wheel as its source offers it; `local` is the time of its file where that lies on this machine.
fn of_wheel(
    unpacked: &Unpacked<'_>,
    shard: &str,
    local: Option<Time>,
    ground: &mut Ground<'_>,
) -> Result<(), Error> {
    let wheel = unpacked.wheel;
    let mut key = format!("{}-{}", wheel.version, wheel.tag);
    if key.len() > LONGEST_KEY {
        key = format!("{}-{}", wheel.version, content::hex16(&key));
    }
    let directory = ground.cache().join(shard);
    let (modified, id, filename) = (ground.ago(wheel.days), &unpacked.id, unpacked.filename());
    ground.write(&directory.join(format!("{key}.lock")), b"", 0o666, modified)?;
    if let Some(time) = local {
        let bytes = message_pack(&json!([stamp(time), [id, [], filename, 0, null]]));
        ground.write(&directory.join(format!("{key}.rev")), &bytes, 0o644, modified)?;
    } else {
        let pointer = json!([id, [{ "Sha256": unpacked.digest() }], filename, 0, unpacked.size()]);
        let bytes = downloaded(&message_pack(&pointer), &filename);
        ground.write(&directory.join(format!("{key}.http")), &bytes, 0o644, modified)?;
        let bytes = downloaded(&metadata(unpacked), &filename);
        ground.write(&directory.join(format!("{key}.msgpack")), &bytes, 0o644, modified)?;
    }
    link(shard, &key, id, modified, ground)
}

/// Where a source distribution or project lies whose revision a file tells.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Revision {
    /// On this machine.
    Local,
    /// Elsewhere.
    Remote,
}

/// A wheel that uv built; Git sources have no file that tells the revision.
fn of_built(
    unpacked: &Unpacked<'_>,
    shard: &str,
    revision: Option<Revision>,
    ground: &mut Ground<'_>,
) -> Result<(), Error> {
    let wheel = unpacked.wheel;
    let cache = ground.cache();
    let modified = ground.ago(wheel.days);
    ground.write(&cache.join(shard).join(".lock"), b"", 0o666, modified)?;
    let mut directory = shard.to_owned();
    if let Some(place) = revision {
        let id = content::id(&format!("revision of {shard}"));
        directory = format!("{shard}/{id}");
        let (name, bytes) = match place {
            Revision::Local => {
                let source = json!([stamp(modified), null, null, {}, {}]);
                ("revision.rev", message_pack(&json!([source, [id, [], null]])))
            }
            Revision::Remote => {
                let text = "from setuptools import setup\n\nsetup()\n";
                let source = cache.join(&directory).join("src").join("setup.py");
                ground.write(&source, text.as_bytes(), 0o644, modified)?;
                let pointer = json!([id, [{ "Sha256": unpacked.digest() }], unpacked.size()]);
                ("revision.http", downloaded(&message_pack(&pointer), shard))
            }
        };
        ground.write(&cache.join(shard).join(name), &bytes, 0o644, modified)?;
    }
    let stem = unpacked.filename().trim_end_matches(".whl").to_owned();
    let here = cache.join(&directory);
    ground.write(&here.join("metadata.msgpack"), &metadata(unpacked), 0o644, modified)?;
    ground.write(&here.join(format!("{stem}.whl")), EMPTY_ARCHIVE, 0o644, modified)?;
    if revision.is_some() {
        let lock = format!("{}-{}.lock", wheel.version, wheel.tag);
        ground.write(&here.join(lock), b"", 0o666, modified)?;
    }
    link(&directory, &stem, &unpacked.id, modified, ground)
}

/// The link to an entry: relative, as since uv 0.11.17, on Windows a file that holds bucket and id.
pub(super) fn link(
    directory: &str,
    name: &str,
    id: &str,
    modified: Time,
    ground: &mut Ground<'_>,
) -> Result<(), Error> {
    let path = ground.cache().join(directory).join(name);
    let target = format!("archive-v0/{id}");
    if cfg!(windows) {
        return ground.write(&path, target.as_bytes(), 0o644, modified);
    }
    let climb: PathBuf = Path::new(directory).components().map(|_| "..").collect();
    ground.symlink(&climb.join(target), &path, modified)
}

/// What uv keeps of a Git repository, as far as anybody looks at it.
fn checkout(url: &str, commit: &str, modified: Time, ground: &mut Ground<'_>) -> Result<(), Error> {
    let (git, repository) = (ground.cache().join("git-v1"), content::hex16(url));
    let database = git.join("db").join(&repository);
    ground.write(&database.join("HEAD"), format!("{commit}\n").as_bytes(), 0o644, modified)?;
    let pack = content::Content::Noise(60_000).bytes(url);
    let name = format!("objects/pack/pack-{commit}.pack");
    ground.write(&database.join(name), &pack, 0o444, modified)?;
    let short = &commit[..7];
    let checkouts = git.join("checkouts").join(&repository);
    ground.write(&checkouts.join(short).join("README.md"), b"# A sample\n", 0o644, modified)?;
    ground.write(&checkouts.join(short).join(".ok"), b"", 0o644, modified)?;
    ground.write(&git.join("locks").join(repository), b"", 0o666, modified)
}

/// Files and symlinks that do not belong where they are.
pub(super) fn stray(stray: &Stray, ground: &mut Ground<'_>) -> Result<(), Error> {
    let (path, modified) = (ground.cache().join(&stray.path), ground.ago(300.0));
    if let Some(target) = &stray.symlink {
        return ground.symlink(Path::new(target), &path, modified);
    }
    let text = stray.text.as_deref().unwrap_or_default();
    ground.write(&path, text.as_bytes(), 0o644, modified)
}

/// The record of an interpreter that uv has asked, as uv 0.13.8 writes it.
pub(super) fn interpreter_record(
    prefix: &Path,
    python: &Path,
    version: &str,
    modified: Time,
    ground: &mut Ground<'_>,
) -> Result<(), Error> {
    let minor = version.rsplit_once('.').map_or(version, |(minor, _)| minor);
    let text = |path: &Path| path.display().to_string();
    let base = python.parent().and_then(Path::parent).unwrap_or(python);
    let executable = prefix.join("bin").join("python");
    let site = format!("lib/python{minor}/site-packages");
    let scheme = |from: &str| {
        let site = format!("{from}{site}");
        json!([site, site, format!("{from}bin"), from, format!("{from}include/site/python{minor}")])
    };
    let markers = json!({
        "implementation_name": "cpython", "implementation_version": version, "os_name": "posix",
        "platform_machine": std::env::consts::ARCH, "platform_python_implementation": "CPython",
        "platform_release": "", "platform_system": "Linux", "platform_version": "",
        "python_full_version": version, "python_version": minor, "sys_platform": std::env::consts::OS,
    });
    let inner = json!([
        markers,
        scheme(&format!("{}/", text(prefix))),
        scheme(""),
        true,
        text(prefix),
        text(base),
        text(base),
        text(python),
        text(&executable),
        [],
        [format!("{}/{site}", text(prefix))],
        text(base),
        [".so"],
        false,
        "64",
        false,
        false
    ]);
    let platform = json!([["manylinux", 2, 36], std::env::consts::ARCH, ["flags", ""]]);
    let bytes = message_pack(&json!([stamp(modified), [platform, inner]]));
    let name = format!(
        "interpreter-v5/{}/{}.msgpack",
        content::hex16("this machine"),
        content::hex16(&text(&executable))
    );
    ground.write(&ground.cache().join(name), &bytes, 0o644, modified)
}

/// A wheel's metadata, as uv caches it: name, version, requirements, Python's version, extras, and whether it is dynamic.
fn metadata(unpacked: &Unpacked<'_>) -> Vec<u8> {
    message_pack(&json!([normalize(&unpacked.wheel.name), unpacked.wheel.version, [], null, [], false]))
}

/// A time as uv writes it.
fn stamp(time: Time) -> Value {
    json!([time.0.div_euclid(1_000_000_000), time.0.rem_euclid(1_000_000_000)])
}

/// A downloaded payload: padded, then an id of the download, at the end its length.
fn downloaded(payload: &[u8], name: &str) -> Vec<u8> {
    let mut bytes = payload.to_vec();
    bytes.resize(payload.len().next_multiple_of(16), 0);
    bytes.extend_from_slice(content::id(name).as_bytes());
    bytes.extend_from_slice(&(payload.len() as u64).to_le_bytes());
    bytes
}

fn message_pack(value: &Value) -> Vec<u8> {
    rmp_serde::to_vec(value).expect("every JSON value is a MessagePack value")
}
