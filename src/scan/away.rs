//! Files whose content lies in a cloud or on a tape: counted, told once per tree, and never read, since reading would
//! fetch them.

use std::path::Path;

use crate::disk::{Content, FileStat};
use crate::human;
use crate::snapshot::Problem;

/// Such files of one tree.
#[derive(Debug, Default)]
pub(in crate::scan) struct Away {
    files: u64,
    bytes: u64,
}

impl Away {
    /// Counts a file if it is one.
    pub(in crate::scan) fn add(&mut self, stat: &FileStat) {
        if stat.content == Content::Elsewhere {
            self.files += 1;
            self.bytes += stat.size;
        }
    }

    /// What is said of them; nothing where there is none.
    pub(in crate::scan) fn problem(&self, tree: &Path) -> Option<Problem> {
        let lie = human::counted(self.files, "file lies", "files lie");
        (self.files > 0).then(|| Problem {
            path: tree.to_owned(),
            message: format!(
                "{lie} in a cloud or on a tape ({} when fetched): looked at, not fetched, and not compared with anything",
                human::bytes(self.bytes)
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_have_to_be_fetched_is_told_once_per_tree() {
        let directory = tempfile::tempdir().unwrap();
        crate::linker::write_new(&directory.path().join("x"), &[0; 2048], 0o644).unwrap();
        let here = FileStat::of(&directory.path().join("x")).unwrap();
        let away = FileStat { content: Content::Elsewhere, disk: 0, ..here };
        let mut counted = Away::default();
        counted.add(&here);
        assert!(counted.problem(directory.path()).is_none(), "what is here is nothing to speak of");
        counted.add(&away);
        counted.add(&away);
        let problem = counted.problem(directory.path()).unwrap();
        assert_eq!(problem.path, directory.path());
        assert!(
            problem.message.starts_with("2 files lie in a cloud or on a tape (4.0 KiB when fetched)"),
            "{}",
            problem.message
        );
        assert!(away.unreadable().is_some(), "and nobody opens them");
    }
}
