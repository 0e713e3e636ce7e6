//! Snapshots made up for tests of the screen: a cache as people have them, with everything that can be odd in one.
//!
//! Environments use entries file by file; groups, links and states follow from that, so that the numbers agree with each
//! other as a scan's do.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use cachetui::snapshot::{
    Bucket, Cache, Completeness, Distribution, DistributionState, Entry, EntryIndex, EntryKey, EntryKind,
    EntryState, Environment, EnvironmentIndex, EnvironmentKind, Evidence, EvidenceCounts, FileCounts,
    FilePrint, FoundBy, Group, Health, Holder, LastUse, LastUseEvidence, LinkMode, Links, Manager, Mode,
    ModeCounts, Origin, Outside, Pointer, PointerForm, PointerIndex, PointerState, Problem, Reference, Scope,
    ScopeRoot, Snapshot, Source, Space, TreePrint,
};
use jiff::Timestamp;

const MIB: u64 = 1 << 20;
const DAY: i64 = 86_400;

/// The time at which every sample is looked at.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_second(1_790_000_000).expect("it is in range")
}

fn ago(seconds: i64) -> Option<Timestamp> {
    Timestamp::from_second(now().as_second() - seconds).ok()
}

/// Makes snapshots.
#[derive(Default)]
pub(crate) struct Builder {
    entries: Vec<Made>,
    environments: Vec<(Environment, Vec<Install>)>,
    loose: Vec<Pointer>,
}

struct Made {
    entry: Entry,
    pointers: Vec<Pointer>,
    elsewhere: u64,
}

struct Install {
    key: EntryKey,
    mode: Option<Mode>,
    name_only: bool,
    distribution: Distribution,
}

pub(crate) fn key(id: &str) -> EntryKey {
    EntryKey { bucket: Arc::from("archive-v0"), id: id.into() }
}

/// An id as uv makes them, from a name.
pub(crate) fn id(name: &str, version: &str) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    (0..16)
        .map(|round: u64| {
            for byte in name.bytes().chain(version.bytes()) {
                state = (state ^ u64::from(byte) ^ round).wrapping_mul(0x0000_0100_0000_01b3);
            }
            char::from(LETTERS[(state >> 33) as usize % 64])
        })
        .collect()
}

fn add(counts: &mut ModeCounts, mode: Mode, files: u64) {
    *match mode {
        Mode::Clone => &mut counts.clone,
        Mode::Hardlink => &mut counts.hardlink,
        Mode::Symlink => &mut counts.symlink,
        Mode::Copy => &mut counts.copy,
    } += files;
}

impl Builder {
    /// Adds an unpacked wheel of a package index, with the two pointers uv makes for it.
    pub(crate) fn wheel(&mut self, name: &str, version: &str, files: u64, kib: u64, days: i64) -> &mut Self {
        let id = id(name, version);
        let stem = format!("wheels-v7/pypi/{name}/{version}-py3-none-any");
        let pointer = |path: String, form, target: String| Pointer {
            path: path.into(),
            form,
            state: PointerState::Live,
            entry: None,
            target,
            note: String::new(),
            modified: ago(days * DAY),
            print: FilePrint::default(),
        };
        let pointers = vec![
            pointer(stem.clone(), PointerForm::Symlink, format!("../../../../archive-v0/{id}")),
            pointer(format!("{stem}.http"), PointerForm::Http, id.clone()),
        ];
        let entry = Entry {
            key: key(&id),
            kind: EntryKind::Wheel,
            name: Some(name.to_owned()),
            version: Some(version.to_owned()),
            tags: vec!["py3-none-any".to_owned()],
            source: Source { origin: Origin::Pypi, ..Source::default() },
            files,
            logical: kib * 1000,
            disk: kib * 1024,
            created: ago(days * DAY),
            last_use: ago(days * DAY).map(|time| LastUse { time, evidence: LastUseEvidence::Link }),
            newest: ago(days * DAY),
            ..Entry::default()
        };
        self.entries.push(Made { entry, pointers, elsewhere: 0 });
        self
    }

    /// Changes the entry that was added last.
    pub(crate) fn entry(&mut self, change: impl FnOnce(&mut Entry, &mut Vec<Pointer>)) -> &mut Self {
        let made = self.entries.last_mut().expect("an entry was added");
        change(&mut made.entry, &mut made.pointers);
        self
    }

    /// Lets some links of the entry that was added last lead to where nobody looked.
    pub(crate) fn elsewhere(&mut self, links: u64) -> &mut Self {
        self.entries.last_mut().expect("an entry was added").elsewhere = links;
        self
    }

    /// Adds an environment.
    pub(crate) fn environment(&mut self, path: &str, python: &str) -> &mut Self {
        let environment = Environment {
            path: path.into(),
            kind: EnvironmentKind::Project,
            manager: Manager::Uv,
            python: Some(python.to_owned()),
            interpreter: Some("/usr/bin/python3".into()),
            interpreter_alive: true,
            found_by: FoundBy::Root,
            installed: ago(3 * DAY),
            ..Environment::default()
        };
        self.environments.push((environment, Vec::new()));
        self
    }

    /// Changes the environment that was added last.
    pub(crate) fn change(&mut self, change: impl FnOnce(&mut Environment)) -> &mut Self {
        change(&mut self.environments.last_mut().expect("an environment was added").0);
        self
    }

    /// Installs a wheel in the environment that was added last; without a mode only its name is the same.
    pub(crate) fn install(&mut self, name: &str, version: &str, mode: Option<Mode>) -> &mut Self {
        let distribution = Distribution {
            name: name.to_owned(),
            version: version.to_owned(),
            installer: Some("uv".to_owned()),
            installed: ago(3 * DAY),
            dist_info: format!("lib/python3.12/site-packages/{name}-{version}.dist-info").into(),
            state: DistributionState::Ok,
            ..Distribution::default()
        };
        let install = Install { key: key(&id(name, version)), mode, name_only: mode.is_none(), distribution };
        self.environments.last_mut().expect("an environment was added").1.push(install);
        self
    }

    /// Adds a pointer that leads to no entry.
    pub(crate) fn pointer(
        &mut self,
        path: &str,
        form: PointerForm,
        state: PointerState,
        target: &str,
        note: &str,
    ) -> &mut Self {
        self.loose.push(Pointer {
            path: path.into(),
            form,
            state,
            entry: None,
            target: target.to_owned(),
            note: note.to_owned(),
            modified: ago(40 * DAY),
            print: FilePrint::default(),
        });
        self
    }

    /// Puts everything together.
    pub(crate) fn build(&mut self) -> Snapshot {
        self.entries.sort_by(|left, right| left.entry.key.cmp(&right.entry.key));
        self.environments.sort_by(|left, right| left.0.path.cmp(&right.0.path));
        let mut snapshot = Snapshot { cache: cache(), scope: scope(), ..Snapshot::default() };
        self.link(&mut snapshot);
        self.point(&mut snapshot);
        self.settle(&mut snapshot);
        snapshot
    }

    /// Makes references from installations.
    fn link(&mut self, snapshot: &mut Snapshot) {
        for (position, (environment, installs)) in self.environments.iter_mut().enumerate() {
            for (number, install) in installs.iter_mut().enumerate() {
                let found = self.entries.binary_search_by(|made| made.entry.key.cmp(&install.key));
                let entry = found.ok().map(EntryIndex::new);
                let mut by = ModeCounts::default();
                if let (Some(entry), Some(mode)) = (entry, install.mode) {
                    add(&mut by, mode, self.entries[entry.position()].entry.files);
                }
                install.distribution.files =
                    FileCounts { modes: by, private: 3, ..install.distribution.files };
                install.distribution.mode = LinkMode::of(by);
                install.distribution.entry = entry;
                let Some(entry) = entry else { continue };
                let evidence = match install.mode {
                    _ if install.name_only => Evidence::Name,
                    Some(Mode::Hardlink) => Evidence::Inode,
                    Some(Mode::Symlink) => Evidence::Symlink,
                    Some(Mode::Clone) => Evidence::Extent,
                    _ => Evidence::Content,
                };
                snapshot.references.push(Reference {
                    entry,
                    environment: EnvironmentIndex::new(position),
                    distribution: u32::try_from(number).ok(),
                    by,
                    evidence,
                    counts: EvidenceCounts {
                        inode: by.hardlink,
                        symlink: by.symlink,
                        extent: by.clone,
                        content: by.copy,
                    },
                });
            }
            environment.distributions = installs.iter().map(|install| install.distribution.clone()).collect();
        }
        snapshot.references.sort_by_key(|reference| (reference.entry, reference.environment));
    }

    /// Collects pointers and tells entries of theirs.
    fn point(&mut self, snapshot: &mut Snapshot) {
        let mut pointers = self.loose.clone();
        for (position, made) in self.entries.iter().enumerate() {
            pointers.extend(
                made.pointers
                    .iter()
                    .map(|pointer| Pointer { entry: Some(EntryIndex::new(position)), ..pointer.clone() }),
            );
        }
        pointers.sort_by(|left, right| left.path.cmp(&right.path));
        for (position, pointer) in pointers.iter().enumerate() {
            if let Some(entry) = pointer.entry {
                self.entries[entry.position()].entry.pointers.push(PointerIndex::new(position));
            }
        }
        snapshot.pointers = pointers;
    }

    /// Makes groups, links and states.
    fn settle(&mut self, snapshot: &mut Snapshot) {
        let mut held: BTreeMap<EntryIndex, Vec<(EnvironmentIndex, Mode)>> = BTreeMap::new();
        for reference in snapshot.references.iter().filter(|item| item.evidence > Evidence::Name) {
            let by = reference.by;
            let mode = [(by.hardlink, Mode::Hardlink), (by.clone, Mode::Clone), (by.symlink, Mode::Symlink)];
            let mode = mode.iter().find(|(files, _)| *files > 0).map_or(Mode::Copy, |(_, mode)| *mode);
            held.entry(reference.entry).or_default().push((reference.environment, mode));
        }
        for (position, made) in self.entries.iter_mut().enumerate() {
            let index = EntryIndex::new(position);
            let users = held.get(&index).map(Vec::as_slice).unwrap_or_default();
            let sharing: Vec<EnvironmentIndex> = users
                .iter()
                .filter(|(_, mode)| matches!(mode, Mode::Hardlink | Mode::Clone))
                .map(|(environment, _)| *environment)
                .collect();
            let entry = &mut made.entry;
            let hard = users.iter().filter(|(_, mode)| *mode == Mode::Hardlink).count() as u64 * entry.files;
            entry.links =
                Links { external: hard + made.elsewhere, explained: hard, unexplained: made.elsewhere };
            entry.state = match (users, made.elsewhere) {
                (users, _) if users.iter().any(|(_, mode)| *mode == Mode::Symlink) => EntryState::Protected,
                ([_, ..], _) => EntryState::Used,
                ([], 1..) => EntryState::HeldElsewhere,
                _ if entry.unread => EntryState::HeldElsewhere,
                _ if entry.pointers.is_empty() => EntryState::Unreferenced,
                _ => EntryState::Unused,
            };
            entry.shared = if sharing.is_empty() && made.elsewhere == 0 { 0 } else { entry.disk };
            let mut holders = vec![Holder::Entry(index)];
            holders.extend(sharing.into_iter().map(Holder::Environment));
            snapshot.groups.push(Group {
                holders: holders.into(),
                outside: if made.elsewhere > 0 { Outside::Unexplained } else { Outside::Nobody },
                inodes: entry.files,
                logical: entry.logical,
                disk: entry.disk,
                opaque: 0,
            });
        }
        self.settle_environments(snapshot, &held);
        snapshot.entries = self.entries.iter().map(|made| made.entry.clone()).collect();
        snapshot.environments =
            self.environments.iter().map(|(environment, _)| environment.clone()).collect();
        snapshot.cache.disk = snapshot.totals().disk + 300 * MIB;
    }

    fn settle_environments(
        &mut self,
        snapshot: &mut Snapshot,
        held: &BTreeMap<EntryIndex, Vec<(EnvironmentIndex, Mode)>>,
    ) {
        for (position, (environment, installs)) in self.environments.iter_mut().enumerate() {
            let index = EnvironmentIndex::new(position);
            let mut own = 2 * MIB;
            for (entry, users) in held {
                for (_, mode) in users.iter().filter(|(user, _)| *user == index) {
                    let entry = &self.entries[entry.position()].entry;
                    match mode {
                        Mode::Copy => own += entry.disk,
                        Mode::Symlink => {}
                        Mode::Clone | Mode::Hardlink => environment.shared += entry.disk,
                    }
                    environment.files += entry.files;
                    add(&mut environment.modes, *mode, entry.files);
                }
            }
            environment.copied = if environment.modes.copy > 0 { own - 2 * MIB } else { 0 };
            environment.disk = own + environment.shared;
            environment.logical = environment.disk;
            environment.dangling = installs.iter().map(|install| install.distribution.files.dangling).sum();
            if environment.dangling > 0 {
                environment.health = Health::Broken;
            }
            let holder = environment.entry.map_or(Holder::Environment(index), Holder::Entry);
            snapshot.groups.push(Group {
                holders: [holder].into(),
                outside: Outside::Nobody,
                inodes: 40,
                logical: own,
                disk: own,
                opaque: 0,
            });
        }
    }
}

fn cache() -> Cache {
    let bucket = |name: &str, known, mib: u64| Bucket {
        single: 0,
        name: name.to_owned(),
        known,
        odd: None,
        files: 100,
        logical: mib * MIB,
        disk: mib * MIB,
        moved: false,
        linked: false,
        print: TreePrint::default(),
    };
    Cache {
        path: "/home/ada/.cache/uv".into(),
        found_by: "the default".to_owned(),
        filesystem: Some("ext4".to_owned()),
        space: Some(Space { total: 500 << 30, available: 84 << 30, block: 4096 }),
        buckets: vec![
            bucket("archive-v0", true, 9_000),
            bucket("git-v1", true, 120),
            bucket("sdists-v10", true, 90),
            bucket("simple-v27", true, 60),
            bucket("surprise-v9", false, 30),
        ],
        ..Cache::default()
    }
}

fn scope() -> Scope {
    let root = |path: &str, reason, readable| ScopeRoot {
        path: path.into(),
        reason,
        readable,
        depth: 6,
        named: false,
    };
    Scope {
        dead_links: Vec::new(),
        roots: vec![
            root("/home/ada/code", "--root", true),
            root("/home/ada/work", "--root", true),
            root("/mnt/backup", "remembered", false),
        ],
        unread: vec!["/home/ada/work/secret".into()],
        completeness: Completeness::Complete,
        started: Some(now()),
        elapsed: Duration::from_millis(1_240),
        ..Scope::default()
    }
}

/// The same cache without the names that nobody has, to show it to people.
pub(crate) fn presentable() -> Snapshot {
    let mut builder = Builder::default();
    wheels(&mut builder);
    rare_entries(&mut builder);
    environments(&mut builder);
    builder.build()
}

/// [`presentable`], with the prints and bytes that a scan of files brings.
pub(crate) fn relinkable() -> Snapshot {
    let mut snapshot = presentable();
    for environment in &mut snapshot.environments {
        for distribution in &mut environment.distributions {
            distribution.record = Some(FilePrint { device: 1, inode: 7, ..FilePrint::default() });
            let linked = distribution.files.modes.hardlink + distribution.files.modes.symlink;
            distribution.bytes.linked = linked * 4096;
            distribution.bytes.symlinks = distribution.files.modes.symlink * 4096;
            distribution.bytes.copied = distribution.files.modes.copy * 8192;
        }
    }
    for entry in &mut snapshot.entries {
        entry.print.device = 1;
    }
    snapshot
}

/// A cache as somebody has it who trains models, with environments of all modes, and everything that can be odd.
pub(crate) fn realistic() -> Snapshot {
    let mut builder = Builder::default();
    wheels(&mut builder);
    rare_entries(&mut builder);
    odd_entries(&mut builder);
    environments(&mut builder);
    odd_environment(&mut builder);
    let dead = "archive-v0/gone0gone0gone00";
    builder
        .pointer(
            "wheels-v6/pypi/pandas/2.1.0-cp312",
            PointerForm::Symlink,
            PointerState::Dangling,
            dead,
            "The entry it leads to is not there.",
        )
        .pointer(
            "wheels-v7/pypi/rich/14.0.0.http",
            PointerForm::Http,
            PointerState::Malformed,
            "",
            "Failed to read the archive id: the file ends after 12 bytes.",
        )
        .pointer(
            "environments-v2/3f/9a",
            PointerForm::LinkFile,
            PointerState::Foreign,
            "/root/.cache/uv/archive-v0/x",
            "It leads outside this cache.",
        );
    let mut snapshot = builder.build();
    snapshot.problems = vec![
        Problem {
            path: "/home/ada/work/secret".into(),
            message: "Failed to read the directory: Permission denied".to_owned(),
        },
        Problem {
            path: "/home/ada/.cache/uv/wheels-v7/pypi/rich/14.0.0.http".into(),
            message: "Failed to read the archive id: the file ends after 12 bytes.".to_owned(),
        },
    ];
    snapshot
}

fn wheels(builder: &mut Builder) {
    for (name, version, files, mib, days) in [
        ("nvidia-cudnn-cu12", "9.10.2.21", 41, 1_228, 3),
        ("torch", "2.9.0", 11_204, 812, 3),
        ("torch", "2.7.1", 10_988, 799, 94),
        ("nvidia-cublas-cu12", "12.8.4.1", 22, 565, 3),
        ("triton", "3.5.0", 389, 413, 3),
        ("nvidia-nccl-cu12", "2.27.5", 12, 308, 11),
        ("jaxlib", "0.7.2", 412, 240, 200),
        ("scipy", "1.16.2", 1_540, 104, 3),
        ("polars", "1.34.0", 310, 96, 8),
        ("pyarrow", "21.0.0", 804, 140, 8),
        ("scikit-learn", "1.7.2", 1_002, 48, 20),
        ("numpy", "2.3.3", 912, 61, 3),
        ("numpy", "1.26.4", 880, 58, 410),
        ("pandas", "2.3.3", 1_420, 66, 8),
        ("matplotlib", "3.10.6", 590, 31, 20),
        ("sympy", "1.14.0", 1_602, 44, 3),
        ("setuptools", "80.9.0", 420, 6, 3),
        ("requests", "2.32.5", 22, 1, 5),
        ("rich", "14.1.0", 80, 2, 5),
        ("ruff", "0.14.2", 4, 28, 1),
        ("typing-extensions", "4.15.0", 3, 1, 3),
    ] {
        builder.wheel(name, version, files, mib * 1024, days);
    }
}

fn rare_entries(builder: &mut Builder) {
    builder.wheel("flash-attn", "2.8.3", 210, 388 * 1024, 60).entry(|entry, _| {
        entry.source = Source {
            origin: Origin::Git,
            built: true,
            detail: Some("https://git.example/flash@main".into()),
            ..Source::default()
        };
    });
    builder.wheel("private-kernels", "1.0.post1+local.2", 30, 90 * 1024, 15).elsewhere(3);
    builder.wheel("leftover", "0.1", 12, 17 * 1024, 700).entry(|_, pointers| pointers.clear());
}

fn odd_entries(builder: &mut Builder) {
    builder.wheel("unreadable", "3.1", 9, 5 * 1024, 30).entry(|entry, _| {
        entry.unread = true;
        entry.modified = 2;
    });
    builder.wheel("evil\x1b[31m\u{202e}gpj.exe", "1.0\x07", 7, 3 * 1024, 2).entry(|entry, _| {
        entry.source.detail = Some("https://bad.example/\u{9b}2J".into());
    });
    builder.wheel("日本語パッケージ名前", "1.0", 7, 2 * 1024, 2);
    builder.wheel("nameless", "0", 40, 1024, 9).entry(|entry, pointers| {
        entry.name = None;
        entry.version = None;
        entry.kind = EntryKind::Unknown;
        entry.tags.clear();
        pointers.clear();
    });
}

fn environments(builder: &mut Builder) {
    use Mode::{Clone, Copy, Hardlink, Symlink};
    let model = [
        ("nvidia-cublas-cu12", "12.8.4.1"),
        ("nvidia-cudnn-cu12", "9.10.2.21"),
        ("numpy", "2.3.3"),
        ("scipy", "1.16.2"),
        ("sympy", "1.14.0"),
        ("torch", "2.9.0"),
        ("triton", "3.5.0"),
        ("typing-extensions", "4.15.0"),
    ];
    for path in ["/home/ada/code/ml-env/.venv", "/home/ada/work/notebook/.venv"] {
        builder.environment(path, "3.12.4");
        for (name, version) in model {
            builder.install(name, version, Some(Hardlink));
        }
    }
    builder.environment("/home/ada/work/clients/northwind/quarterly-reports/.venv", "3.11.7");
    for (name, version) in
        [("matplotlib", "3.10.6"), ("numpy", "2.3.3"), ("pandas", "2.3.3"), ("pyarrow", "21.0.0")]
    {
        builder.install(name, version, Some(Copy));
    }
    builder.environment("/home/ada/code/dashboard/.venv", "3.13.1");
    for (name, version) in [("pandas", "2.3.3"), ("polars", "1.34.0"), ("pyarrow", "21.0.0")] {
        builder.install(name, version, Some(Clone));
    }
    builder.install("requests", "2.32.5", Some(Copy)).install("homemade", "0.0.1", None);
    builder
        .environment("/home/ada/old/api/.venv", "3.10.2")
        .install("requests", "2.32.5", Some(Symlink))
        .install("rich", "14.1.0", Some(Symlink))
        .install("vanished", "1.2", None);
    let (_, installs) = builder.environments.last_mut().expect("it was just added");
    let broken = &mut installs.last_mut().expect("three were just added").distribution;
    broken.files.dangling = 1_204;
    broken.state = DistributionState::Broken;
    "Its entry is no longer in the cache: 1,204 symlinks lead nowhere.".clone_into(&mut broken.note);
    builder
        .environment("/home/ada/.local/share/uv/tools/ruff", "3.13.1")
        .install("ruff", "0.14.2", Some(Hardlink))
        .change(|environment| {
            environment.kind = EnvironmentKind::Tool;
            environment.found_by = FoundBy::UvTools;
            environment.interpreter_alive = false;
            environment.health = Health::NoInterpreter;
            environment.interpreter = Some(PathBuf::from("/opt/python/3.13.1/bin/python3"));
        });
}

fn odd_environment(builder: &mut Builder) {
    builder.environment("/home/ada/code/日本/\u{1b}]0;owned\u{7}/.venv", "3.12.4").install(
        "evil\x1b[31m\u{202e}gpj.exe",
        "1.0\x07",
        Some(Mode::Hardlink),
    );
}

/// A cache with many small entries, for speed.
pub(crate) fn vast(entries: usize) -> Snapshot {
    let mut snapshot = Snapshot { cache: cache(), scope: scope(), ..Snapshot::default() };
    for number in 0..entries {
        let disk = (number as u64).wrapping_mul(2_654_435_761) % 100_000_000;
        snapshot.entries.push(Entry {
            key: key(&format!("{number:016}")),
            name: Some(format!("package-{number}")),
            version: Some(format!("1.{}", number % 100)),
            files: number as u64 % 1_000,
            disk,
            logical: disk,
            ..Entry::default()
        });
        snapshot.groups.push(Group {
            holders: [Holder::Entry(EntryIndex::new(number))].into(),
            outside: Outside::Nobody,
            inodes: 1,
            logical: disk,
            disk,
            opaque: 0,
        });
    }
    snapshot
}

/// What is to be mended in a cache of which one link is lost, another is damaged beyond that, and a pointer is dead.
pub(crate) fn damaged_links() -> cachetui::scan::repair::Facts {
    use cachetui::scan::repair::links::{
        DamagedFacts, DeadFacts, LinkFacts, LinkLies, LinkTarget, NoTarget, Writing,
    };
    use cachetui::snapshot::{Damage, FilePrint};
    let link = |path: &str, damage, lies, target| DamagedFacts {
        path: path.into(),
        damage,
        lies,
        package: Some("demo".to_owned()),
        target,
        writing: Writing::Relative,
    };
    let key = "wheels-v7/index/0123456789abcdef/demo/1.0-py3-none-any";
    let target = LinkTarget {
        bucket: "archive-v0".to_owned(),
        id: "First67890123456".to_owned(),
        inode: (1, 2),
        distribution: Some(("demo".to_owned(), "1.0".to_owned())),
        named_by: Some((format!("{key}.rev").into(), FilePrint { inode: 3, ..FilePrint::default() })),
    };
    let built = "sdists-v10/path/0123456789abcdef/Revision90123456/demo-2.0-py3-none-any";
    let dead = "wheels-v7/pypi/gone/1.0-py3-none-any.http";
    cachetui::scan::repair::Facts {
        cache: "/cache".into(),
        links: LinkFacts {
            damaged: vec![
                link(built, Damage::Dangling, LinkLies::Nothing, Err(NoTarget::Unnamed)),
                link(key, Damage::Lost, LinkLies::Nothing, Ok(target)),
            ],
            dead: vec![DeadFacts {
                path: dead.into(),
                package: Some("gone".to_owned()),
                link: None,
                malformed: None,
            }],
        },
        ..cachetui::scan::repair::Facts::default()
    }
}
