//! `direct_url.json` (PEP 610): where a distribution came from that no index was asked for.

use std::path::PathBuf;

use serde::Deserialize;

use crate::uv::url;

/// What a `direct_url.json` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DirectUrl {
    /// The URL, as written there but for what may be a secret, for which a blank stands.
    pub url: String,
    /// Whether the distribution is installed as editable.
    pub editable: bool,
    /// Whether the URL is that of a local directory.
    pub local_directory: bool,
    /// The version control system, as `git`.
    pub vcs: Option<String>,
    /// The commit that was installed.
    pub commit: Option<String>,
    /// The directory inside the source that holds the project.
    pub subdirectory: Option<String>,
}

/// The path that a `file://` URL names on this machine; none for any other URL.
pub fn file_path(url: &str) -> Option<PathBuf> {
    let rest = url.strip_prefix("file://")?;
    let rest = rest.strip_prefix("localhost").unwrap_or(rest);
    // What is left begins with the path, else it names another machine.
    if !rest.starts_with('/') || rest.contains(['?', '#']) {
        return None;
    }
    let mut bytes = Vec::with_capacity(rest.len());
    let mut left = rest.bytes();
    while let Some(byte) = left.next() {
        if byte == b'%' {
            let digits = [left.next()?, left.next()?];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    #[cfg(unix)]
    return Some(PathBuf::from(<std::ffi::OsString as std::os::unix::ffi::OsStringExt>::from_vec(bytes)));
    #[cfg(not(unix))]
    return String::from_utf8(bytes).ok().map(|text| PathBuf::from(&text[1..]));
}

#[derive(Deserialize)]
struct Written {
    url: String,
    subdirectory: Option<String>,
    dir_info: Option<DirInfo>,
    vcs_info: Option<VcsInfo>,
}

#[derive(Deserialize)]
struct DirInfo {
    editable: Option<bool>,
}

#[derive(Deserialize)]
struct VcsInfo {
    vcs: Option<String>,
    commit_id: Option<String>,
}

impl DirectUrl {
    /// Reads the file; `None` when it is not JSON of that form.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let written: Written = serde_json::from_slice(bytes).ok()?;
        let (vcs, commit) = written.vcs_info.map_or((None, None), |info| (info.vcs, info.commit_id));
        Some(Self {
            url: url::masked(&written.url).into_owned(),
            editable: written.dir_info.as_ref().and_then(|info| info.editable).unwrap_or(false),
            local_directory: written.dir_info.is_some(),
            vcs,
            commit,
            subdirectory: written.subdirectory.filter(|directory| !directory.is_empty()),
        })
    }

    /// What came from there as a requirement (PEP 508).
    pub fn requirement(&self, name: &str) -> String {
        let Self { url, vcs, commit, subdirectory, .. } = self;
        let mut text = format!("{name} @ ");
        match vcs {
            Some(vcs) => {
                text.extend([vcs, "+", url]);
                text.push_str(&commit.as_ref().map(|commit| format!("@{commit}")).unwrap_or_default());
            }
            None => text.push_str(url),
        }
        text.push_str(&subdirectory.as_ref().map(|it| format!("#subdirectory={it}")).unwrap_or_default());
        text
    }
}

/// Whether a text can be the name or version of a distribution in a requirement: those in an environment are anybody's, and
/// one that begins with a dash would be an option.
pub fn is_plain(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.chars().all(|it| it.is_ascii_alphanumeric() || "-_.+!".contains(it))
}

/// A distribution as what `uv pip install` is given to have the same again (PEP 508): from where it came, else by its
/// version. None for what is not plainly a requirement.
pub fn requirement(name: &str, version: &str, direct: Option<&DirectUrl>) -> Option<Vec<String>> {
    if !is_plain(name) || !is_plain(version) {
        return None;
    }
    match direct {
        None => Some(vec![format!("{name}=={version}")]),
        Some(direct) if direct.url.starts_with('-') => None,
        Some(direct) if direct.editable => Some(vec!["--editable".to_owned(), direct.url.clone()]),
        Some(direct) => Some(vec![direct.requirement(name)]),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_this_machine_have_a_path() {
        let path = |url: &str| file_path(url);
        assert_eq!(path("file:///home/me/my%20app"), Some(PathBuf::from("/home/me/my app")));
        assert_eq!(path("file://localhost/a"), Some(PathBuf::from("/a")));
        for url in
            ["https://example.org/a", "file://server/share", "file:///a?b", "file:///%4", "file:///%zz", "/a"]
        {
            assert_eq!(path(url), None, "{url}");
        }
    }
}
