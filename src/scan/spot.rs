//! Where a file is installed, in 32 bits: whether a file of an environment that has an entry's inode also has its name there.
//!
//! Counting inodes is no proof that a distribution is whole. A file that was renamed, or moved away and replaced, leaves the
//! entry's inode in the environment under another name. Both walks reduce each path to a number, so that a scan sees this
//! without reading a `RECORD`. Numbers that differ prove that the names differ; equal ones are wrong once in four thousand
//! million files.

use std::ffi::OsStr;
use std::hash::Hasher as _;
use std::path::Path;

use rustc_hash::FxHasher;

/// Where one file is installed. The default stands for a place that is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Spot(u32);

/// A directory whose files have spots; the default has none.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spots(Option<u64>);

/// What a path is relative to.
#[derive(Clone, Copy)]
enum Base {
    SitePackages = 1,
    Root = 2,
    Scripts = 3,
}

impl Spot {
    /// Whether the place is known.
    pub(super) fn is_known(self) -> bool {
        self.0 != 0
    }
}

impl Spots {
    /// Those of a directory of an entry, relative to it. Headers have none: their place depends on the interpreter.
    pub(super) fn of_entry(directory: &Path) -> Self {
        let mut names = directory.iter();
        let is_data = names.next().is_some_and(|first| first.as_encoded_bytes().ends_with(b".data"));
        if !is_data {
            return Self::below(Base::SitePackages, directory);
        }
        match names.next().and_then(OsStr::to_str) {
            Some("purelib" | "platlib") => Self::below(Base::SitePackages, names.as_path()),
            Some("scripts") => Self::below(Base::Scripts, names.as_path()),
            Some("data") => Self::in_root(names.as_path()),
            _ => Self(None),
        }
    }

    /// Those of a directory of an installation, relative to its root. `is_site` says that the root is itself the directory of
    /// distributions.
    pub(super) fn installed(directory: &Path, is_site: bool) -> Self {
        let mut names = directory.iter();
        while let Some(name) = names.next() {
            if name == "site-packages" || name == "dist-packages" {
                return Self::below(Base::SitePackages, names.as_path());
            }
        }
        let in_root = Self::in_root(directory);
        if is_site && !is_scripts(directory) { Self::below(Base::SitePackages, directory) } else { in_root }
    }

    fn in_root(directory: &Path) -> Self {
        let mut names = directory.iter();
        if is_scripts(directory) {
            names.next();
            return Self::below(Base::Scripts, names.as_path());
        }
        Self::below(Base::Root, directory)
    }

    fn below(base: Base, directory: &Path) -> Self {
        Self(Some(directory.iter().fold(base as u64, mixed)))
    }

    /// The spot of a file in the directory.
    pub(super) fn file(self, name: &OsStr) -> Spot {
        let short = |mixed: u64| u32::try_from(mixed >> 32).unwrap_or_default().max(1);
        Spot(self.0.map_or(0, |directory| short(mixed(directory, name))))
    }

    /// The spot of a file of an installation, by its whole path relative to the root.
    pub(super) fn of_file(path: &Path, is_site: bool) -> Spot {
        let directory = path.parent().unwrap_or(Path::new(""));
        path.file_name().map_or_else(Spot::default, |name| Self::installed(directory, is_site).file(name))
    }
}

fn is_scripts(directory: &Path) -> bool {
    directory.iter().next().is_some_and(|first| first == "bin" || first == "Scripts")
}

fn mixed(directory: u64, name: &OsStr) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write_u64(directory);
    hasher.write(name.as_encoded_bytes());
    // The hasher leaves its best bits high.
    hasher.finish().wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str) -> Spot {
        let path = Path::new(path);
        Spots::of_entry(path.parent().unwrap()).file(path.file_name().unwrap())
    }

    fn installed(path: &str) -> Spot {
        Spots::of_file(Path::new(path), false)
    }

    #[test]
    fn a_file_has_the_spot_of_the_place_where_uv_installs_it() {
        for (own, there) in [
            ("pkg/module.py", "lib/python3.12/site-packages/pkg/module.py"),
            ("pkg/module.py", "Lib/site-packages/pkg/module.py"),
            ("x.pth", "lib/python3/dist-packages/x.pth"),
            ("pkg-1.data/purelib/pkg/a.py", "lib/python3.12/site-packages/pkg/a.py"),
            ("pkg-1.data/scripts/tool", "bin/tool"),
            ("pkg-1.data/scripts/tool", "Scripts/tool"),
            ("pkg-1.data/data/share/doc", "share/doc"),
            ("pkg-1.data/data/bin/tool", "bin/tool"),
        ] {
            assert_eq!(entry(own), installed(there), "{own}");
            assert!(entry(own).is_known());
        }
        assert_eq!(entry("pkg/module.py"), Spots::of_file(Path::new("pkg/module.py"), true));
        assert_eq!(entry("pkg-1.data/scripts/tool"), Spots::of_file(Path::new("bin/tool"), true));
    }

    #[test]
    fn another_name_or_directory_is_another_spot() {
        let site = "lib/python3.12/site-packages";
        for other in ["x.pth.disabled", "y.pth", "pkg/x.pth", "X.pth"] {
            assert_ne!(entry("x.pth"), installed(&format!("{site}/{other}")), "{other}");
        }
        assert_ne!(entry("pkg/a/b.py"), installed(&format!("{site}/pkg.bak/a/b.py")));
        assert_ne!(entry("pkg/a.py"), installed("pkg/a.py"), "outside of site-packages");
        assert!(!entry("pkg-1.data/headers/a.h").is_known());
    }
}
