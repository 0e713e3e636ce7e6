//! uv's locks among the temporary files: of projects, of interpreters outside environments, and of builds.
//!
//! Their names hold a digest only (uv 0.13.8): `uv-<digest>.lock` of a project directory, or of the executable of an
//! interpreter that no environment owns; `uv-setuptools-<digest>.lock` of a source directory. The digest is made again for
//! the paths that are known, to tell which one it is.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::gather::Gather;
use super::{Resource, SurveyRequest};

/// Adds the lock files in the directory of temporary files.
pub(super) fn add(temporary: &Path, request: &SurveyRequest, gather: &mut Gather) {
    let names: Vec<_> =
        gather.names(temporary).into_iter().filter_map(|name| Some((digest(&name)?, name))).collect();
    if names.is_empty() {
        return;
    }
    let known: Vec<(String, PathBuf)> = candidates(request)
        .into_iter()
        .flat_map(|path| {
            // A project is known by its path as somebody named it, and as it is.
            let canonical = crate::disk::canonical(&path).ok().filter(|canonical| *canonical != path);
            std::iter::once(path).chain(canonical)
        })
        .map(|path| (digest_of(&path), path))
        .collect();
    for (digest, name) in names {
        let path = known.iter().find(|(known, _)| *known == digest).map(|(_, path)| path.clone());
        let lock = temporary.join(name);
        if path.is_some() {
            gather.always(lock, super::Maker::Uv, Resource::Project(path));
        } else {
            gather.one_of_many(lock, None, Resource::Project(None));
        }
    }
}

/// Projects hold their environment, and interpreters lie beside each other.
fn candidates(request: &SurveyRequest) -> Vec<PathBuf> {
    let holding = request.environments.iter().filter_map(|root| root.parent().map(Path::to_owned));
    let mut all: Vec<PathBuf> = request.projects.iter().cloned().chain(holding).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// The digest in the name of a lock file.
fn digest(name: &OsStr) -> Option<String> {
    let rest = name.to_str()?.strip_prefix("uv-")?.strip_suffix(".lock")?;
    let digits = rest.strip_prefix("setuptools-").unwrap_or(rest);
    let is_digest = digits.len() == 16 && digits.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'));
    is_digest.then(|| digits.to_owned())
}

/// The digest that uv makes of a path: `SeaHash` over what the standard library hashes of a path, in little-endian order.
///
/// The standard library does not promise to hash paths the same way for ever. A name that is not found costs nothing but
/// the name.
fn digest_of(path: &Path) -> String {
    use std::hash::{Hash as _, Hasher as _};
    let mut hasher = seahash::SeaHasher::new();
    path.hash(&mut hasher);
    data_encoding::HEXLOWER.encode(&hasher.finish().to_le_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_uv_gives_are_looked_at() {
        let is = |name: &str| digest(OsStr::new(name));
        assert_eq!(is("uv-0123456789abcdef.lock").as_deref(), Some("0123456789abcdef"));
        assert_eq!(is("uv-setuptools-0123456789abcdef.lock").as_deref(), Some("0123456789abcdef"));
        for name in ["uv-0123456789abcde.lock", "uv-0123456789abcdeF.lock", "uv-.lock", "x.lock"] {
            assert_eq!(is(name), None, "{name}");
        }
    }
}
