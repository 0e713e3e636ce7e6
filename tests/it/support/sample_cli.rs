//! A small snapshot by hand that has a bit of everything the commands print.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use cachetui::snapshot::{
    Bucket, Cache, Completeness, Distribution, DistributionState, Entry, EntryIndex, EntryKey, EntryKind,
    EntryState, Environment, EnvironmentIndex, EnvironmentKind, Evidence, EvidenceCounts, FileCounts,
    FilePrint, FoundBy, Group, Health, Holder, LastUse, LastUseEvidence, LinkMode, Links, Manager,
    ModeCounts, Origin, Outside, Pointer, PointerForm, PointerIndex, PointerState, Problem, Reference, Scope,
    ScopeRoot, Snapshot, Source, Space, TreePrint,
};
use jiff::Timestamp;

/// The time at which the sample is looked at.
pub(crate) fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

fn days_ago(days: i64) -> Option<Timestamp> {
    Timestamp::from_second(now().as_second() - days * 86_400).ok()
}

const MIB: u64 = 1 << 20;

fn wheel(id: &str, name: &str, version: &str, mib: u64, files: u64) -> Entry {
    Entry {
        key: EntryKey { bucket: "archive-v0".into(), id: id.into() },
        kind: EntryKind::Wheel,
        name: Some(name.to_owned()),
        version: Some(version.to_owned()),
        tags: vec!["py3-none-any".to_owned()],
        source: Source { origin: Origin::Pypi, ..Source::default() },
        files,
        logical: mib * MIB - 4_321,
        disk: mib * MIB,
        created: days_ago(90),
        last_use: Some(LastUse { time: days_ago(3).unwrap(), evidence: LastUseEvidence::Link }),
        newest: days_ago(3),
        ..Entry::default()
    }
}

fn entries() -> Vec<Entry> {
    let index = Source {
        origin: Origin::Index,
        detail: Some("https://download.example/whl/cu128".to_owned()),
        ..Source::default()
    };
    vec![
        Entry {
            state: EntryState::Protected,
            source: index,
            tags: vec!["cp312-cp312-manylinux_2_28_x86_64".to_owned()],
            shared: 812 * MIB,
            links: Links { external: 11_204, explained: 11_204, unexplained: 0 },
            pointers: vec![PointerIndex::new(0), PointerIndex::new(1)],
            ..wheel("-Ab3Kz9QwErTy12", "torch", "2.9.0", 812, 11_204)
        },
        Entry {
            state: EntryState::Unused,
            last_use: Some(LastUse { time: days_ago(200).unwrap(), evidence: LastUseEvidence::Unpacked }),
            pointers: vec![PointerIndex::new(2)],
            ..wheel("3fT0rch27100000x", "torch", "2.7.1", 799, 11_020)
        },
        Entry {
            state: EntryState::HeldElsewhere,
            shared: 61 * MIB,
            links: Links { external: 3, explained: 0, unexplained: 3 },
            ..wheel("NuMpY00000000001", "numpy", "1.26.4", 61, 1_103)
        },
        Entry {
            state: EntryState::Used,
            shared: MIB,
            modified: 1,
            source: Source {
                origin: Origin::Path,
                built: true,
                detail: Some("/home/ada/src/demo".to_owned()),
                ..Source::default()
            },
            ..wheel("demo000000000001", "Demo.Pkg", "1.0.post1+local.2", 2, 9)
        },
        Entry {
            kind: EntryKind::Environment,
            name: Some("ruff".to_owned()),
            version: Some("0.14.2".to_owned()),
            source: Source { origin: Origin::Command, ..Source::default() },
            state: EntryState::Unreferenced,
            ..wheel("uvx0000000000001", "", "", 31, 40)
        },
        Entry {
            key: EntryKey { bucket: "archive-v0".into(), id: odd_name() },
            kind: EntryKind::Unknown,
            disk: 4_096,
            files: 1,
            unread: true,
            state: EntryState::HeldElsewhere,
            ..Entry::default()
        },
    ]
}

/// A directory name that is not UTF-8 where the system allows that, and that would colour a terminal.
pub(crate) fn odd_name() -> OsString {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStringExt as _;
        OsString::from_vec(b"odd\x1b[31m\xff".to_vec())
    }
    #[cfg(not(unix))]
    OsString::from("odd\x1b[31m")
}

fn distribution(name: &str, version: &str, entry: Option<usize>, modes: ModeCounts) -> Distribution {
    Distribution {
        name: name.to_owned(),
        version: version.to_owned(),
        entry: entry.map(EntryIndex::new),
        mode: LinkMode::of(modes),
        files: FileCounts { modes, private: 3, ..FileCounts::default() },
        state: DistributionState::Ok,
        installer: Some("uv".to_owned()),
        installed: days_ago(3),
        dist_info: PathBuf::from(format!("lib/python3.12/site-packages/{name}-{version}.dist-info")),
        ..Distribution::default()
    }
}

fn hardlinks(files: u64) -> ModeCounts {
    ModeCounts { hardlink: files, ..ModeCounts::default() }
}

fn environments() -> Vec<Environment> {
    let base = |path: &str, python: &str| Environment {
        path: PathBuf::from(path),
        kind: EnvironmentKind::Project,
        manager: Manager::Uv,
        python: Some(python.to_owned()),
        interpreter: Some(PathBuf::from("/usr/bin/python3.12")),
        interpreter_alive: true,
        found_by: FoundBy::InterpreterRecord,
        installed: days_ago(3),
        ..Environment::default()
    };
    let symlinks = ModeCounts { symlink: 11_204, ..ModeCounts::default() };
    let mixed = ModeCounts { hardlink: 8, copy: 1, ..ModeCounts::default() };
    let mut broken = distribution("requests", "2.32.0", None, ModeCounts::default());
    broken.state = DistributionState::Broken;
    broken.files.dangling = 24;
    "Its files are symlinks to an entry that is gone.".clone_into(&mut broken.note);
    vec![
        Environment {
            distributions: vec![
                distribution("demo_pkg", "1.0.post1+local.2", Some(3), mixed),
                distribution("torch", "2.9.0", Some(0), hardlinks(11_204)),
            ],
            files: 14_000,
            disk: 1_100 * MIB,
            logical: 1_090 * MIB,
            shared: 813 * MIB,
            modes: ModeCounts { hardlink: 11_212, copy: 1, ..ModeCounts::default() },
            copied: MIB,
            ..base("/home/ada/code/ml-env/.venv", "3.12.4")
        },
        Environment {
            distributions: vec![
                distribution("numpy", "1.26.4", Some(2), ModeCounts::default()),
                broken,
                distribution("torch", "2.9.0", Some(0), symlinks),
            ],
            files: 11_500,
            disk: 4 * MIB,
            logical: 3 * MIB,
            modes: symlinks,
            dangling: 24,
            health: Health::Broken,
            ..base("/home/ada/work/a-customer-with-a-long-name/reports/.venv", "3.11.7")
        },
        Environment {
            kind: EnvironmentKind::Tool,
            interpreter_alive: false,
            health: Health::NoInterpreter,
            python: None,
            ..base("/home/ada/.local/share/uv/tools/httpie", "")
        },
    ]
}

fn pointers() -> Vec<Pointer> {
    let key = "wheels-v7/index/0123456789abcdef/torch/2.9.0-cp312-cp312-manylinux_2_28_x86_64";
    let live = |path: &str, form, entry, target: &str| Pointer {
        path: PathBuf::from(path),
        form,
        state: PointerState::Live,
        entry: Some(EntryIndex::new(entry)),
        target: target.to_owned(),
        note: String::new(),
        modified: days_ago(90),
        print: FilePrint::default(),
    };
    let dead = |path: &str, form, state, target: &str, note: &str| Pointer {
        path: PathBuf::from(path),
        form,
        state,
        entry: None,
        target: target.to_owned(),
        note: note.to_owned(),
        modified: None,
        print: FilePrint::default(),
    };
    vec![
        live(key, PointerForm::Symlink, 0, "../../../../archive-v0/-Ab3Kz9QwErTy12"),
        live(&format!("{key}.http"), PointerForm::Http, 0, "-Ab3Kz9QwErTy12"),
        live("wheels-v7/pypi/torch/2.7.1-cp312", PointerForm::LinkFile, 1, "archive-v0/3fT0rch27100000x"),
        dead(
            "wheels-v7/pypi/x/1.0-py3-none-any",
            PointerForm::Symlink,
            PointerState::Dangling,
            "../../../archive-v0/gone",
            "The entry is not there.",
        ),
        dead(
            "wheels-v7/pypi/y/1.0-py3-none-any.rev",
            PointerForm::Rev,
            PointerState::Malformed,
            "",
            "It ends too early.",
        ),
    ]
}

fn references() -> Vec<Reference> {
    let reference = |entry, environment, distribution, by: ModeCounts, evidence| Reference {
        entry: EntryIndex::new(entry),
        environment: EnvironmentIndex::new(environment),
        distribution: Some(distribution),
        by,
        evidence,
        counts: EvidenceCounts {
            inode: by.hardlink,
            symlink: by.symlink,
            extent: by.clone,
            content: by.copy,
        },
    };
    let symlinks = ModeCounts { symlink: 11_204, ..ModeCounts::default() };
    let mixed = ModeCounts { hardlink: 8, copy: 1, ..ModeCounts::default() };
    vec![
        reference(0, 0, 1, hardlinks(11_204), Evidence::Inode),
        reference(0, 1, 2, symlinks, Evidence::Symlink),
        reference(2, 1, 0, ModeCounts::default(), Evidence::Name),
        reference(3, 0, 0, mixed, Evidence::Inode),
    ]
}

fn groups() -> Vec<Group> {
    let group = |holders: &[Holder], outside, mib| Group {
        holders: holders.into(),
        outside,
        inodes: 10,
        logical: mib * MIB,
        disk: mib * MIB,
        opaque: 0,
    };
    let entry = |position| Holder::Entry(EntryIndex::new(position));
    let environment = |position| Holder::Environment(EnvironmentIndex::new(position));
    vec![
        group(&[entry(0), environment(0)], Outside::Nobody, 812),
        group(&[entry(1)], Outside::Nobody, 799),
        group(&[entry(2)], Outside::Unexplained, 61),
        group(&[entry(3)], Outside::Nobody, 1),
        group(&[entry(3), environment(0)], Outside::Nobody, 1),
        group(&[entry(4)], Outside::Unknown, 31),
        group(&[environment(0)], Outside::Nobody, 287),
        group(&[environment(1)], Outside::Nobody, 4),
    ]
}

/// The sample.
pub(crate) fn sample() -> Snapshot {
    let root = |path: &str, reason, readable| ScopeRoot {
        path: path.into(),
        reason,
        readable,
        depth: 6,
        named: false,
    };
    Snapshot {
        objects: Vec::new(),
        pieces: Vec::new(),
        user_links: Vec::new(),
        cache: Cache {
            path: PathBuf::from("/home/ada/.cache/uv"),
            canonical: PathBuf::from("/home/ada/.cache/uv"),
            found_by: "the default".to_owned(),
            reflinks: false,
            certainty: cachetui::snapshot::Certainty::Exact,
            filesystem: Some("ext4".to_owned()),
            space: Some(Space { total: 500 << 30, available: 84 << 30, block: 4096 }),
            buckets: vec![Bucket {
                name: "archive-v0".to_owned(),
                known: true,
                odd: None,
                files: 23_377,
                logical: 1_700 * MIB,
                disk: 1_705 * MIB,
                single: 0,
                moved: false,
                linked: false,
                print: TreePrint::default(),
            }],
            logical: 1_701 * MIB,
            disk: 1_706 * MIB,
            files: 23_400,
        },
        scope: Scope {
            dead_links: Vec::new(),
            roots: vec![
                root("/home/ada/code", "--root", true),
                root("/home/ada/work", "current directory", true),
                root("/mnt/away", "--root", false),
            ],
            unread: vec![Path::new("/home/ada/work").join(odd_name())],
            completeness: Completeness::Complete,
            started: Some(now()),
            elapsed: std::time::Duration::from_millis(1_234),
            ..Scope::default()
        },
        entries: entries(),
        environments: environments(),
        pointers: pointers(),
        references: references(),
        groups: groups(),
        places: std::collections::BTreeMap::new(),
        problems: vec![Problem {
            path: Path::new("/home/ada/.cache/uv/archive-v0").join(odd_name()),
            message: "Failed to read the directory: Permission denied".to_owned(),
        }],
    }
}
