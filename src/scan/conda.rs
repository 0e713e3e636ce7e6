//! What conda has written of the packages that it has installed: `conda-meta/<name>-<version>-<build>.json`.

use std::ffi::OsStr;
use std::io;
use std::path::Path;

use serde::Deserialize;

use crate::disk::read;
use crate::uv::url;

/// The most that is read of one, in bytes: it lists the package's files.
const LARGEST: u64 = 64 << 20;

/// A package as conda names it, which is not always how `PyPI` does: `pytorch` has the distribution `torch`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its build.
    pub build: String,
    /// The channel that it came from.
    pub channel: Channel,
}

/// Where conda had a package from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Channel {
    /// Nothing tells.
    Unknown,
    /// A name or a URL.
    Named(String),
    /// It is not to be shown: a password or a token may be in its URL.
    Hidden,
}

/// What conda has written.
#[derive(Deserialize)]
struct Written {
    name: String,
    version: String,
    build: String,
    #[serde(default)]
    channel: String,
    #[serde(default)]
    subdir: String,
}

/// The package of an environment that has a `.dist-info`; none where nothing tells.
pub(super) fn package(root: &Path, dist_info: &Path) -> Option<Package> {
    let written = serde_json::from_slice::<Written>(&describing(root, dist_info).ok()??).ok()?;
    let channel = channel(&written);
    Some(Package { name: written.name, version: written.version, build: written.build, channel })
}

/// The file about the package that has a `.dist-info`, if there is one.
///
/// # Errors
/// When none has it, and one that may have it cannot be read.
pub(super) fn describing(root: &Path, dist_info: &Path) -> io::Result<Option<Vec<u8>>> {
    let Some(name) = dist_info.file_name().and_then(OsStr::to_str) else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    // `dask_cudf-1.0.dist-info` ends as `cudf-1.0.dist-info` does.
    let row = format!("/{name}/");
    let mut unread = None;
    for item in std::fs::read_dir(root.join("conda-meta"))?.flatten() {
        if Path::new(&item.file_name()).extension().is_none_or(|it| it != "json") {
            continue;
        }
        match read::small(&item.path(), LARGEST) {
            Ok(bytes) if bytes.windows(row.len()).any(|part| part == row.as_bytes()) => {
                return Ok(Some(bytes));
            }
            Ok(_) => {}
            Err(error) => unread = Some(error),
        }
    }
    unread.map_or(Ok(None), Err)
}

/// The channel without its platform. An account's token may be in its path, as `/t/<token>/`, or a password in it.
fn channel(written: &Written) -> Channel {
    let channel = written.channel.trim_end_matches('/');
    let of_platform = channel.strip_suffix(written.subdir.as_str()).filter(|_| !written.subdir.is_empty());
    let channel = of_platform.unwrap_or(channel).trim_end_matches('/');
    // A user name needs no scheme before it.
    let is_secret = channel.contains("/t/") || channel.contains('@') || url::masked(channel) != channel;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/+%".contains(&byte);
    if channel.is_empty() {
        Channel::Unknown
    } else if is_secret || channel.starts_with('-') || !channel.bytes().all(is_plain) {
        Channel::Hidden
    } else {
        Channel::Named(channel.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(channel: &str, subdir: &str) -> Channel {
        let [name, version, build] = ["a", "1", "0"].map(str::to_owned);
        super::channel(&Written {
            name,
            version,
            build,
            channel: channel.to_owned(),
            subdir: subdir.to_owned(),
        })
    }

    #[test]
    fn a_channel_is_named_without_its_platform_and_never_with_a_secret() {
        let forge = Channel::Named("https://conda.anaconda.org/conda-forge".to_owned());
        assert_eq!(of("https://conda.anaconda.org/conda-forge/linux-64", "linux-64"), forge);
        assert_eq!(of("https://conda.anaconda.org/conda-forge/noarch/", "noarch"), forge);
        assert_eq!(of("https://conda.anaconda.org/conda-forge", ""), forge);
        assert_eq!(of("conda-forge", "noarch"), Channel::Named("conda-forge".to_owned()));
        assert_eq!(of("", "noarch"), Channel::Unknown);
        for secret in [
            "https://conda.anaconda.org/t/abc/private/noarch",
            "https://me:word@host/main",
            "https://host/main?key=1",
            "-x",
            "a b",
            "a$(b)",
            "me:word@host/main",
        ] {
            assert_eq!(of(secret, "noarch"), Channel::Hidden, "{secret}");
        }
    }
}
