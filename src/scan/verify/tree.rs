//! Everything that lies in one entry.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use crate::disk::FileStat;
use crate::disk::walk::{Descend, Directory, Visitor};
use crate::snapshot::Problem;
use crate::uv::distribution as names;

/// Whether installers or Python write such a file into an entry's tree without listing it.
pub(super) fn is_generated(path: &Path) -> bool {
    let is_compiled = path.extension() == Some(OsStr::new("pyc"));
    let text = path.to_string_lossy().replace('\\', "/");
    let signature = ["RECORD.jws", "RECORD.p7s"].iter().any(|name| path.ends_with(name));
    is_compiled || signature || names::is_private(&text)
}

/// Everything in an entry.
#[derive(Default)]
pub(super) struct Tree {
    pub(super) dist_infos: Vec<OsString>,
    pub(super) files: Vec<(PathBuf, FileStat)>,
    pub(super) problems: Vec<Problem>,
}

impl Visitor for Tree {
    fn directory(&mut self, _parent: &Directory<'_>, _name: &OsStr) -> Descend {
        Descend::Yes
    }

    fn entered(&mut self, directory: &Directory<'_>, _stat: &FileStat) -> Descend {
        if directory.depth() == 1 && names::parse_dist_info(directory.relative().as_os_str()).is_some() {
            self.dist_infos.push(directory.relative().as_os_str().to_owned());
            self.dist_infos.sort_unstable();
        }
        Descend::Yes
    }

    fn file(&mut self, parent: &Directory<'_>, name: &OsStr, stat: &FileStat) {
        self.files.push((parent.relative().join(name), *stat));
    }

    fn failed(&mut self, path: PathBuf, operation: &'static str, error: io::Error) {
        self.problems.push(crate::scan::problem(path, operation, &error));
    }
}
