//! What may be wrong with a cache, in words: what it is, what it costs, and what to do about it.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::human;

/// Something about a cache or its environments that is worth telling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it is.
    pub kind: FindingKind,
    /// Where it is, or the first place of several.
    pub path: PathBuf,
    /// How many there are.
    pub count: u64,
}

/// What a finding is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FindingKind {
    /// Links are lost or lead elsewhere, while the pointer files beside them name entries.
    DamagedLinks,
    /// Directories with the files of entries lie where links should be.
    CopiedEntries {
        /// What they take on disk, in bytes.
        disk: u64,
    },
    /// Pointers lead to entries that are not there.
    DanglingPointers {
        /// The packages they belong to, the first few.
        packages: Vec<String>,
    },
    /// Pointers could not be read or understood.
    MalformedPointers {
        /// The packages they belong to, the first few.
        packages: Vec<String>,
    },
    /// Pointers name another cache.
    ForeignPointers {
        /// The root they name; none where it is no cache at all.
        prefix: Option<PathBuf>,
    },
    /// Nothing in the cache leads to these entries.
    EntriesWithoutPointers {
        /// What they take on disk, in bytes.
        disk: u64,
        /// How many entries, of the whole cache, an environment reaches by symlink.
        protected: u64,
    },
    /// Files of entries are gone, or of another size than `RECORD` says.
    DamagedEntries {
        /// The packages, the first few.
        packages: Vec<String>,
        /// How many files.
        files: u64,
    },
    /// Entries have the same files, and each has bytes of its own.
    SameContents {
        /// The packages, the first few.
        packages: Vec<String>,
        /// Bytes that are there more than once.
        twice: u64,
        /// The kinds of places they came from.
        sources: Vec<&'static str>,
    },
    /// A bucket of entries lies on another mount than the cache's root.
    EntriesElsewhere,
    /// Symlinks of environments lead into another cache.
    ForeignSymlinks {
        /// That cache's root.
        prefix: PathBuf,
    },
    /// Symlinks of environments name entries of this cache by another path of it.
    OtherName {
        /// That path.
        prefix: PathBuf,
    },
    /// Environments lie in the cache's directory outside of uv's buckets.
    InsideCache,
    /// Something lies in environments as if it were installed, and is not.
    Leftovers {
        /// What the first one is, as a sentence without its end. Escaped.
        first: String,
    },
    /// Files that belong to somebody else than the cache.
    ForeignOwner {
        /// Their owner.
        owner: u32,
        /// The owner of the cache's root.
        expected: u32,
        /// The directory that they all lie below, or the only one.
        top: PathBuf,
        /// Whether others of that owner are an environment's too, which has to have its own first.
        shared: bool,
    },
    /// Files of the cache are an environment's too, and belong to that environment's owner.
    SharedWithEnvironment {
        /// Their owner.
        owner: u32,
        /// The owner of the cache's root.
        expected: u32,
    },
    /// Directories that those who share the cache may not write to.
    ClosedDirectories,
    /// Files that those who share the cache may not read.
    ClosedFiles,
    /// The cache's lock file may not be opened for writing by everybody who shares it.
    LockMode {
        /// Its permission bits.
        bits: u32,
        /// Whether several users share the cache.
        shared: bool,
    },
    /// Temporary directories.
    Temporary,
    /// Things that no uv made, as far as known.
    Strays,
    /// Buckets that only uv 0.4 and older wrote.
    OldBuckets {
        /// Their names.
        names: Vec<String>,
        /// What they take on disk, in bytes.
        disk: u64,
    },
    /// A bucket whose number or kind is not known holds something that is not understood.
    NotUnderstood {
        /// Which, and why, as a sentence without its end. Not escaped.
        why: String,
        /// Whether everything in the cache stays for it.
        everything: bool,
    },
    /// What cachetui removed and keeps.
    Trash {
        /// What it takes on disk, in bytes.
        disk: u64,
    },
    /// Files with almost as many links as their filesystem allows.
    ManyLinks {
        /// The most links one of them has.
        most: u64,
        /// How many are allowed.
        limit: u64,
    },
    /// Environments that do not work because files are missing or dangle.
    BrokenEnvironments,
    /// Environments whose Python is gone.
    NoInterpreter,
}

impl FindingKind {
    /// The word for it in JSON.
    pub fn word(&self) -> &'static str {
        match self {
            Self::DamagedLinks => "damaged-links",
            Self::CopiedEntries { .. } => "copied-entries",
            Self::DanglingPointers { .. } => "dangling-pointers",
            Self::MalformedPointers { .. } => "malformed-pointers",
            Self::ForeignPointers { .. } => "foreign-pointers",
            Self::EntriesWithoutPointers { .. } => "entries-without-pointers",
            Self::DamagedEntries { .. } => "damaged-entries",
            Self::SameContents { .. } => "same-contents",
            Self::EntriesElsewhere => "entries-elsewhere",
            Self::ForeignSymlinks { .. } => "foreign-symlinks",
            Self::OtherName { .. } => "other-name",
            Self::InsideCache => "inside-cache",
            Self::Leftovers { .. } => "leftovers",
            Self::ForeignOwner { .. } => "foreign-owner",
            Self::SharedWithEnvironment { .. } => "shared-with-environment",
            Self::ClosedDirectories => "closed-directories",
            Self::ClosedFiles => "closed-files",
            Self::LockMode { .. } => "lock-mode",
            Self::Temporary => "temporary",
            Self::Strays => "strays",
            Self::OldBuckets { .. } => "old-buckets",
            Self::NotUnderstood { .. } => "not-understood",
            Self::Trash { .. } => "trash",
            Self::ManyLinks { .. } => "many-links",
            Self::BrokenEnvironments => "broken-environments",
            Self::NoInterpreter => "no-interpreter",
        }
    }

    /// Whether something is wrong, rather than merely worth knowing.
    pub fn is_fault(&self) -> bool {
        match self {
            Self::EntriesWithoutPointers { .. }
            | Self::SameContents { .. }
            | Self::ForeignSymlinks { .. }
            | Self::OtherName { .. }
            | Self::InsideCache
            | Self::Leftovers { .. }
            | Self::Temporary
            | Self::Strays
            | Self::OldBuckets { .. }
            | Self::NotUnderstood { .. }
            | Self::Trash { .. }
            | Self::ManyLinks { .. } => false,
            Self::LockMode { shared, .. } => *shared,
            _ => true,
        }
    }
}

fn quoted(path: &Path) -> String {
    format!("`{}`", human::escape_os(path.as_os_str()))
}

/// The packages that pointers are for, to stand behind a noun; nothing where their places do not tell.
fn of(packages: &[String]) -> String {
    let names: Vec<_> = packages.iter().map(|name| human::escape(name)).collect();
    if names.is_empty() { String::new() } else { format!(" (of {})", names.join(", ")) }
}

impl Finding {
    /// What it costs, as a sentence.
    pub fn cost(&self) -> String {
        match &self.kind {
            FindingKind::DamagedLinks => "The next `uv cache prune` takes their entries, and leaves pointers on which uv then \
                fails."
                .to_owned(),
            FindingKind::CopiedEntries { disk } => format!(
                "They take {} a second time, and the next `uv cache prune` takes the entries.",
                human::bytes(*disk)
            ),
            FindingKind::DanglingPointers { .. } => "uv fails to install these from a local path, a URL or `--find-links` \
                (`failed to read directory`); with `--reinstall` it first removes what is installed."
                .to_owned(),
            FindingKind::MalformedPointers { .. } => {
                "uv cannot use what they lead to, and what that is cannot be told: it is kept.".to_owned()
            }
            FindingKind::ForeignPointers { .. } => {
                "uv follows them out of this cache; a prune here takes entries away that they should have kept.".to_owned()
            }
            FindingKind::EntriesWithoutPointers { disk, .. } => {
                let (they, them) = if self.count == 1 { ("It takes", "it") } else { ("They take", "them") };
                format!("{they} {}, and uv will not use {them} again.", human::bytes(*disk))
            }
            FindingKind::DamagedEntries { .. } => {
                "uv does not check what it links: the next environment gets these packages without the files.".to_owned()
            }
            FindingKind::SameContents { twice, .. } => {
                format!("{} are on disk more than once.", human::bytes(*twice))
            }
            FindingKind::EntriesElsewhere => "uv can add no entry: it unpacks wheels in the root and renames them into place, \
                which no filesystem does across mounts (uv 0.13.8: `Invalid cross-device link`)."
                .to_owned(),
            FindingKind::ForeignSymlinks { .. } => {
                "Those environments depend on a cache that is not looked at here; pruning it breaks them.".to_owned()
            }
            FindingKind::OtherName { prefix } => format!(
                "They work only where the cache lies at {}, as in a container. cachetui keeps the entries.",
                quoted(prefix)
            ),
            FindingKind::InsideCache => "`uv cache prune` and `uv cache clean` delete everything in the cache's directory that \
                uv does not know, these environments too. cachetui keeps them."
                .to_owned(),
            FindingKind::Leftovers { .. } => "Python imports nothing from there; it only takes space.".to_owned(),
            FindingKind::ForeignOwner { .. } => "The other can neither replace nor remove them, so that uv fails, or \
                copies instead of linking."
                .to_owned(),
            FindingKind::SharedWithEnvironment { owner, .. } => format!(
                "User {owner} can change what every other environment gets from these entries; who owns the cache cannot \
                 replace them."
            ),
            FindingKind::ClosedDirectories => {
                "uv fails for others as soon as it has to add something there.".to_owned()
            }
            FindingKind::ClosedFiles => "uv fails for others that need them.".to_owned(),
            FindingKind::LockMode { .. } => "Others cannot take the lock: uv fails for them, or runs without it.".to_owned(),
            FindingKind::Temporary => "None while uv runs, and only a little space afterwards.".to_owned(),
            FindingKind::Strays => "None, but `uv cache prune` removes what it does not know.".to_owned(),
            FindingKind::OldBuckets { disk, .. } => {
                format!("Together {}, and later releases of uv read none of it.", human::bytes(*disk))
            }
            FindingKind::NotUnderstood { everything: true, .. } => {
                "cachetui removes nothing from the cache while it lies there.".to_owned()
            }
            FindingKind::NotUnderstood { .. } => "cachetui removes nothing from it.".to_owned(),
            FindingKind::Trash { disk } => {
                format!("It takes {}; `uv cache prune` and `uv cache clean` delete it.", human::bytes(*disk))
            }
            FindingKind::ManyLinks { .. } => {
                "Once one is full, that file is copied into every further environment.".to_owned()
            }
            FindingKind::BrokenEnvironments => {
                "Imports fail there, or succeed with an empty package; uv itself does not notice.".to_owned()
            }
            FindingKind::NoInterpreter => "Nothing runs there any more.".to_owned(),
        }
    }

    /// What to do about it, as sentences.
    pub fn advice(&self) -> String {
        match &self.kind {
            FindingKind::CopiedEntries { .. }
            | FindingKind::OtherName { .. }
            | FindingKind::InsideCache
            | FindingKind::Leftovers { .. } => self.advice_on_kinds().to_owned(),
            FindingKind::DamagedLinks => {
                "`cachetui repair --links` writes them again, from the pointer files beside them.".to_owned()
            }
            FindingKind::DanglingPointers { packages } => format!(
                "`cachetui repair --links` names the command that removes them{} and nothing else; uv then fetches or builds \
                 these packages again.{}",
                of(packages),
                if packages.len() < super::PACKAGES { "" } else { " `cachetui links --state dangling` lists all pointers." }
            ),
            FindingKind::MalformedPointers { packages } => format!(
                "`cachetui links --state malformed` lists them{}. If no newer uv wrote them, `cachetui repair --links` names the \
                 command that removes them.",
                of(packages)
            ),
            FindingKind::ForeignPointers { prefix: Some(prefix) } => format!(
                "If this cache was moved or copied from {}, or is used in a container under that name, use it under one name \
                 only, and reinstall symlinked environments from here. `cachetui links --state foreign` lists them.",
                quoted(prefix)
            ),
            FindingKind::ForeignPointers { prefix: None } => {
                "uv did not make them: look at `cachetui links --state foreign`.".to_owned()
            }
            FindingKind::EntriesWithoutPointers { protected: 0, .. } => "`uv cache prune` removes such entries. \
                `cachetui list --state unreferenced` lists those that no environment uses."
                .to_owned(),
            FindingKind::EntriesWithoutPointers { protected, .. } => format!(
                "`uv cache prune` removes such entries, but it does not look at environments, and {} of this cache {} used by \
                 symlink: see `cachetui list --state protected` first, and reinstall those environments with hardlinks or \
                 clones, or prune breaks them.",
                human::counted(*protected, "entry", "entries"),
                if *protected == 1 { "is" } else { "are" },
            ),
            FindingKind::DamagedEntries { .. } | FindingKind::SameContents { .. } => self.advice_about_contents(),
            FindingKind::EntriesElsewhere => "Let the whole cache lie there, with `UV_CACHE_DIR`, instead of a part of it. \
                Environments that are linked to it by symlink break by the move, and have to be installed again."
                .to_owned(),
            FindingKind::ForeignSymlinks { prefix } => format!(
                "Look at that cache with `cachetui --cache-dir {}` before it is pruned, or reinstall these environments.",
                shell(prefix)
            ),
            FindingKind::ForeignOwner { owner, expected, top, shared } => {
                let before = if *shared { "Give the environments that share files their own first. Then give" } else { "Give" };
                // Only of root's files is it plain where they came from.
                let then = if *owner == 0 {
                    "root made them: run uv as the cache's own user, without `sudo` and not as root of a container."
                        .to_owned()
                } else {
                    format!("If user {owner} made them, give that user a cache of its own with `UV_CACHE_DIR`.")
                };
                format!("{before} these back: as root, `chown -R {expected} {}`. {then}", shell(top))
            }
            FindingKind::SharedWithEnvironment { expected, .. } => format!(
                "Give the environment files of its own: as root, `cachetui relink {} --link-mode copy`. Do not `chown` the cache \
                 before: that takes the files from the environment. What then still belongs to another user than {expected} \
                 is the cache's alone; `cachetui doctor` says what is left.",
                shell(&self.path)
            ),
            FindingKind::ClosedDirectories => format!(
                "Set a umask of 002 for everybody who shares the cache, and open what is there: \
                `find {} -type d -exec chmod g+rwx '{{}}' +`.",
                shell(&self.path)
            ),
            FindingKind::ClosedFiles => format!(
                "Set a umask of 002 for everybody who shares the cache, and open what is there: `chmod -R g+rX {}`. Hardlinks \
                 carry the change to environments, where it does no harm.",
                shell(&self.path)
            ),
            FindingKind::LockMode { .. } => format!("`chmod 666 {}`, as uv makes it.", shell(&self.path)),
            FindingKind::Temporary => "Such directories are needed while uv or cachetui runs. Otherwise a crash left them, and \
                they can be removed by hand."
                .to_owned(),
            FindingKind::OldBuckets { .. } => "cachetui keeps the buckets. `cachetui prune --unused` removes entries that they \
                lead to and no environment uses."
                .to_owned(),
            FindingKind::NotUnderstood { .. } => format!(
                "Look for a newer cachetui: this one was tested with {}.",
                crate::uv::TESTED
            ),
            FindingKind::Strays => "Move what you want to keep elsewhere.".to_owned(),
            FindingKind::Trash { .. } => "`cachetui trash list` shows it, `cachetui undo` puts the last run back, and \
                `cachetui trash purge` deletes it."
                .to_owned(),
            FindingKind::ManyLinks { .. } => {
                "Nothing needs to be done. Environments that are removed give links back.".to_owned()
            }
            FindingKind::BrokenEnvironments => "`cachetui repair --all --dry-run` shows what can be repaired from here and what it \
                takes; it also names what to do where nothing is at hand."
                .to_owned(),
            FindingKind::NoInterpreter => "`uv venv` or `uv sync` makes an environment again, where it is still needed. \
                `cachetui envs --health no-interpreter` lists them."
                .to_owned(),
        }
    }

    /// What to do about a finding on a kind of installation, or of cache.
    fn advice_on_kinds(&self) -> &'static str {
        match &self.kind {
            FindingKind::CopiedEntries { .. } => {
                "`cachetui repair --links` puts links in their place. Copy a cache with `cp -a`, or with what else keeps \
                 symlinks."
            }
            FindingKind::OtherName { .. } => {
                "If the cache was moved, `cachetui repair ENV` links them again. If a container uses them, leave them as they \
                 are."
            }
            FindingKind::InsideCache => {
                "Do not run `uv cache prune` on this cache: `cachetui prune` frees its space and keeps them. To move them, set \
                 `UV_PROJECT_ENVIRONMENT` to a path outside of the cache and run `uv sync`."
            }
            _ => "Remove what you do not need.",
        }
    }

    /// A finding on a kind of installation, or of cache, as a sentence.
    fn about_kinds(&self) -> String {
        match &self.kind {
            FindingKind::OtherName { prefix } => format!(
                "{} entries of this cache by another path, {}.",
                self.counted("symlink of an environment names", "symlinks of environments name"),
                quoted(prefix)
            ),
            FindingKind::InsideCache => {
                format!("{} in the cache's directory.", self.counted("environment lies", "environments lie"))
            }
            FindingKind::Leftovers { first } if self.count == 1 => format!("{first}."),
            FindingKind::Leftovers { first } => format!("{first} (1 of {}).", human::count(self.count)),
            _ => format!(
                "{} in the cache twice: the cache was copied with directories in the place of links.",
                self.counted("wheel lies", "wheels lie")
            ),
        }
    }

    fn counted(&self, one: &str, many: &str) -> String {
        human::counted(self.count, one, many)
    }

    /// What to do about what entries hold, as sentences.
    fn advice_about_contents(&self) -> String {
        match &self.kind {
            FindingKind::DamagedEntries { packages, .. } => format!(
                "`cachetui verify` names the files{}. uv fetches a package again after `uv cache clean NAME`; \
                 environments that use it by symlink have to be installed again then.",
                of(packages)
            ),
            FindingKind::SameContents { packages, sources, .. } => {
                let avoid = match sources.as_slice() {
                    ["index"] => "uv keeps an entry for each URL of an index: write the URL in the same way everywhere \
                        (settings, projects, `UV_INDEX`, `UV_DEFAULT_INDEX`)."
                        .to_owned(),
                    [_] => "uv keeps an entry for each place a package comes from: install it from one place only.".to_owned(),
                    many => format!(
                        "They came from {}: uv keeps an entry for each, so install from one of them only.",
                        human::list(&many.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>())
                    ),
                };
                format!("{avoid} `cachetui list NAME` shows both{}.", of(packages))
            }
            _ => String::new(),
        }
    }

    /// A finding about what entries hold as a sentence.
    fn about_contents(&self) -> String {
        let have = self.counted("entry has", "entries have");
        match &self.kind {
            FindingKind::DamagedEntries { files, .. } => {
                let files = human::counted(*files, "file", "files");
                format!("{have} {files} missing or not of the size that RECORD says.")
            }
            FindingKind::SameContents { twice, .. } => {
                format!("{have} the same files, {} twice.", human::bytes(*twice))
            }
            _ => String::new(),
        }
    }

    /// A finding about pointers as a sentence.
    fn about_pointers(&self) -> String {
        let leads = self.counted("pointer leads", "pointers lead");
        match &self.kind {
            FindingKind::DamagedLinks => {
                let links =
                    self.counted("link in the cache is gone or leads", "links in the cache are gone or lead");
                format!("{links} elsewhere, although a pointer names the entry.")
            }
            FindingKind::MalformedPointers { .. } => {
                format!("{} not be understood.", self.counted("pointer could", "pointers could"))
            }
            FindingKind::ForeignPointers { prefix: Some(prefix) } => {
                format!("{leads} into another cache, {}.", quoted(prefix))
            }
            FindingKind::ForeignPointers { prefix: None } => format!("{leads} to no entry of any cache."),
            _ if self.count == 1 => format!("{leads} to an entry that is not there."),
            _ => format!("{leads} to entries that are not there."),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            FindingKind::DamagedLinks
            | FindingKind::DanglingPointers { .. }
            | FindingKind::MalformedPointers { .. }
            | FindingKind::ForeignPointers { .. } => formatter.write_str(&self.about_pointers()),
            FindingKind::CopiedEntries { .. }
            | FindingKind::OtherName { .. }
            | FindingKind::InsideCache
            | FindingKind::Leftovers { .. } => formatter.write_str(&self.about_kinds()),
            FindingKind::OldBuckets { names, .. } => {
                let names: Vec<String> =
                    names.iter().map(|name| format!("`{}`", human::escape(name))).collect();
                write!(formatter, "uv 0.4 or older wrote {}.", human::list(&names))
            }
            FindingKind::NotUnderstood { why, .. } => write!(formatter, "{}.", human::escape(why)),
            FindingKind::EntriesWithoutPointers { .. } => write!(
                formatter,
                "{} that nothing in the cache leads to.",
                self.counted("entry is there", "entries are there")
            ),
            FindingKind::DamagedEntries { .. } | FindingKind::SameContents { .. } => {
                formatter.write_str(&self.about_contents())
            }
            FindingKind::EntriesElsewhere => write!(
                formatter,
                "The entries in {} lie on another mount than the root of the cache.",
                quoted(&self.path)
            ),
            FindingKind::ForeignSymlinks { prefix } => write!(
                formatter,
                "{} into another cache, {}.",
                self.counted("symlink of an environment leads", "symlinks of environments lead"),
                quoted(prefix)
            ),
            FindingKind::SharedWithEnvironment { owner, expected } => write!(
                formatter,
                "{} to user {owner}, like the environment {} that shares {}; the cache belongs to user {expected}.",
                self.counted("file in the cache belongs", "files in the cache belong"),
                quoted(&self.path),
                if self.count == 1 { "it" } else { "them" }
            ),
            FindingKind::ForeignOwner { owner, expected, .. } => write!(
                formatter,
                "{} to user {owner}, but the cache to user {expected}.",
                self.counted(
                    "file or directory in the cache belongs",
                    "files and directories in the cache belong"
                ),
            ),
            FindingKind::ClosedDirectories => write!(
                formatter,
                "Several users may write to the cache, but not to {} in it.",
                self.counted("directory", "directories")
            ),
            FindingKind::ClosedFiles => write!(
                formatter,
                "Several users may write to the cache, but may not read {} in it.",
                self.counted("file", "files")
            ),
            FindingKind::LockMode { bits, .. } => {
                write!(formatter, "The cache's lock file has mode {bits:04o}, where uv makes it 0666.")
            }
            FindingKind::Temporary => {
                write!(
                    formatter,
                    "{} there.",
                    self.counted("temporary directory is", "temporary directories are")
                )
            }
            FindingKind::Strays => write!(
                formatter,
                "{} in the cache's root that no known uv puts there.",
                self.counted("thing lies", "things lie")
            ),
            FindingKind::Trash { .. } => write!(
                formatter,
                "The trash holds {} of what cachetui removed.",
                self.counted("file", "files")
            ),
            FindingKind::ManyLinks { most, limit } => write!(
                formatter,
                "{} almost as many links as the filesystem allows: {} of {}.",
                self.counted("file has", "files have"),
                human::count(*most),
                human::count(*limit)
            ),
            FindingKind::BrokenEnvironments => write!(
                formatter,
                "{} not whole: files are missing, or are symlinks to what is gone.",
                self.counted("environment is", "environments are")
            ),
            FindingKind::NoInterpreter => {
                write!(
                    formatter,
                    "{} no Python any more.",
                    self.counted("environment has", "environments have")
                )
            }
        }
    }
}

/// A path as one word of a shell's command, so that it can be pasted whatever it is called. Escaped.
fn shell(path: &Path) -> String {
    human::shell_word(&human::escape_os(path.as_os_str())).into_owned()
}
