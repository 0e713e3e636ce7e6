//! The linker on real filesystems: whole trees, what goes wrong on the way, and what is left after a kill.

mod child;
#[cfg(target_os = "linux")]
mod errors;
#[cfg(target_os = "linux")]
mod expand;
mod kill;
#[cfg(target_os = "linux")]
mod mounted;
#[cfg(target_os = "linux")]
mod race;
mod several;
#[cfg(target_os = "linux")]
mod tree;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cachetui::control::{Cancel, Progress};
use cachetui::disk::FileStat;
use cachetui::linker::{Expect, Root, TreeReport, TreeRequest, is_temporary, items_of};
use cachetui::snapshot::Mode;
use tempfile::TempDir;

/// An entry and an environment side by side.
struct Scene {
    directory: TempDir,
}

impl Scene {
    fn new() -> Self {
        Self::beneath(&std::env::temp_dir())
    }

    fn beneath(place: &Path) -> Self {
        let directory = tempfile::tempdir_in(place).unwrap();
        std::fs::create_dir(directory.path().join("environment")).unwrap();
        Self { directory }
    }

    #[cfg(target_os = "linux")]
    fn entry(&self) -> PathBuf {
        self.directory.path().join("cache/archive-v0/Entry67890123456")
    }

    fn environment(&self) -> PathBuf {
        self.directory.path().join("environment")
    }

    #[cfg(target_os = "linux")]
    /// Writes a file of the entry.
    fn give(&self, path: &str, content: &str, bits: u32) -> PathBuf {
        write(&self.entry().join(path), content, bits)
    }

    #[cfg(target_os = "linux")]
    /// Writes a file of the environment.
    fn has(&self, path: &str, content: &str, bits: u32) -> PathBuf {
        write(&self.environment().join(path), content, bits)
    }

    #[cfg(target_os = "linux")]
    fn request(&self, mode: Mode, expect: Expect) -> TreeRequest {
        request(&self.entry(), &self.environment(), mode, expect)
    }

    #[cfg(target_os = "linux")]
    fn link(&self, mode: Mode, expect: Expect) -> TreeReport {
        run(&self.request(mode, expect))
    }
}

fn write(path: &Path, content: &str, bits: u32) -> PathBuf {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(bits)).unwrap();
    }
    #[cfg(windows)]
    assert_eq!(bits, 0o644, "there are no others here");
    path.to_owned()
}

fn request(entry: &Path, root: &Path, mode: Mode, expect: Expect) -> TreeRequest {
    let items = items_of(entry, expect, &Cancel::default()).unwrap();
    TreeRequest {
        entry: entry.to_owned(),
        identity: None,
        root: root.to_owned(),
        mode,
        items,
        touch: Vec::new(),
    }
}

/// Links into the root that the request names; one that cannot be opened is told as the linker tells an entry.
pub(crate) fn link_tree(request: &TreeRequest, cancel: &Cancel, progress: &Progress) -> TreeReport {
    match Root::open(&request.root) {
        Ok(root) => cachetui::linker::link_tree(&root, request, cancel, progress),
        Err(error) => {
            TreeReport { failed: vec![error], unmade: request.items.len() as u64, ..TreeReport::default() }
        }
    }
}

fn run(request: &TreeRequest) -> TreeReport {
    let report = link_tree(request, &Cancel::default(), &Progress::default());
    let told = report.made.total()
        + report.already
        + report.unmade
        + (report.modified.len() + report.stale.len() + report.kept.len()) as u64;
    assert_eq!(told, request.items.len() as u64, "each item is told once: {report:#?}");
    report
}

/// Everything beneath a directory that is not one, with what it holds: a symlink its text.
fn content(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = walkdir::WalkDir::new(root).into_iter().map(Result::unwrap);
    files
        .filter(|item| !item.file_type().is_dir())
        .map(|item| {
            let bytes = if item.file_type().is_symlink() {
                std::fs::read_link(item.path()).unwrap().into_os_string().into_encoded_bytes()
            } else {
                std::fs::read(item.path()).unwrap()
            };
            (item.path().strip_prefix(root).unwrap().to_owned(), bytes)
        })
        .collect()
}

/// The temporary names beneath a directory.
fn temporaries(root: &Path) -> Vec<PathBuf> {
    let items = walkdir::WalkDir::new(root).into_iter().map(|item| item.unwrap().into_path());
    items.filter(|path| is_temporary(path.file_name().unwrap())).collect()
}

fn inode(path: &Path) -> (u64, u64) {
    let stat = FileStat::of(path).unwrap();
    (stat.device, stat.inode)
}

#[cfg(target_os = "linux")]
fn bits(path: &Path) -> u32 {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(path).unwrap().mode() & 0o7777
}
