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
    // uv keeps a fragment, as `#sha256=…` and `#egg=…` (uv 0.13.8); a `#` in a path is written `%23`.
    let rest = rest.split('#').next().unwrap_or_default();
    // What is left begins with the path, else it names another machine.
    if !rest.starts_with('/') || rest.contains('?') {
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
    ///
    /// uv puts the values of variables in the place of `${NAME}`: what an environment says must not send them anywhere (uv
    /// 0.13.8). The commit stands before a query, after which uv would pass it over and take the newest one (uv 0.13.8). A URL has one
    /// fragment: a second `#` would be a part of the first.
    pub fn requirement(&self, name: &str) -> String {
        let Self { url, vcs, commit, subdirectory, .. } = self;
        let (place, fragment) = url.split_once('#').unwrap_or((url, ""));
        let query = place.find('?').unwrap_or(place.len());
        let (place, query) = place.split_at(query);
        let mut text = format!("{name} @ ");
        match vcs {
            Some(vcs) => {
                text.extend([vcs, "+", place]);
                text.extend(commit.iter().flat_map(|commit| ["@", commit]));
            }
            None => text.push_str(place),
        }
        text.push_str(query);
        let mut parts: Vec<&str> = fragment.split('&').filter(|part| !part.is_empty()).collect();
        let within = subdirectory.as_ref().map(|it| format!("subdirectory={it}"));
        if let Some(within) = &within {
            parts.retain(|part| !part.starts_with("subdirectory="));
            parts.push(within);
        }
        if !parts.is_empty() {
            text.extend(["#", &parts.join("&")]);
        }
        without_variables(&text)
    }
}

/// A URL in which uv sees no variable.
fn without_variables(url: &str) -> String {
    url.replace("${", "%24{")
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
        Some(direct) if direct.editable => {
            Some(vec!["--editable".to_owned(), without_variables(&direct.url)])
        }
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
        assert_eq!(path("file:///a/b%23c.whl#sha256=00"), Some(PathBuf::from("/a/b#c.whl")));
        for url in
            ["https://example.org/a", "file://server/share", "file:///a?b", "file:///%4", "file:///%zz", "/a"]
        {
            assert_eq!(path(url), None, "{url}");
        }
    }

    #[test]
    fn a_requirement_has_the_commit_before_a_query_and_one_fragment() {
        let of = |url: &str, commit: Option<&str>, subdirectory: Option<&str>| {
            let direct = DirectUrl {
                url: url.to_owned(),
                vcs: commit.map(|_| "git".to_owned()),
                commit: commit.map(str::to_owned),
                subdirectory: subdirectory.map(str::to_owned),
                ..DirectUrl::default()
            };
            direct.requirement("x")
        };
        for (url, commit, subdirectory, expected) in [
            ("https://e.org/r", Some("c0"), None, "x @ git+https://e.org/r@c0"),
            ("https://e.org/r?a=b", Some("c0"), Some("s"), "x @ git+https://e.org/r@c0?a=b#subdirectory=s"),
            (
                "https://e.org/r#egg=x",
                Some("c0"),
                Some("s"),
                "x @ git+https://e.org/r@c0#egg=x&subdirectory=s",
            ),
            (
                "https://e.org/r#subdirectory=s",
                Some("c0"),
                Some("s"),
                "x @ git+https://e.org/r@c0#subdirectory=s",
            ),
            ("https://e.org/a.tar.gz?a=b", None, Some("s"), "x @ https://e.org/a.tar.gz?a=b#subdirectory=s"),
            ("https://e.org/${HOME}/$a.whl", None, None, "x @ https://e.org/%24{HOME}/$a.whl"),
            ("file:///a.whl#sha256=00", None, None, "x @ file:///a.whl#sha256=00"),
            ("file:///a/b#egg=x&subdirectory=s", None, None, "x @ file:///a/b#egg=x&subdirectory=s"),
        ] {
            assert_eq!(of(url, commit, subdirectory), expected);
        }
    }
}
