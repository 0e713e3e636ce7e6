//! `direct_url.json` (PEP 610): where a distribution came from that no index was asked for.

use serde::Deserialize;

/// What a `direct_url.json` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DirectUrl {
    /// The URL, as written there.
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
            url: written.url,
            editable: written.dir_info.as_ref().and_then(|info| info.editable).unwrap_or(false),
            local_directory: written.dir_info.is_some(),
            vcs,
            commit,
            subdirectory: written.subdirectory.filter(|directory| !directory.is_empty()),
        })
    }
}
