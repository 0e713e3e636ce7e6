//! What is damaged: installations of every kind, in every link mode, filled by uv and pip.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::super::lab::MODES;
use crate::support::loopdev::Mounted;
use crate::support::random::Random;
use crate::support::uv::{Sandbox, VERSION, ran};
use crate::support::wheel::Wheel;

/// What a wheel's RECORD lists although the wheel never had it.
pub(super) const GHOST: &str = "demo_files/ghost.py";

/// What is installed, in this order: the last two share files.
pub(super) const PACKAGES: [&str; 4] = ["demo-files", "demo-plain", "demo-ns-a", "demo-ns-b"];

/// A kind of installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Environment,
    /// A prefix with an interpreter, as images and systems have it.
    System,
    /// The same marked as managed by the system.
    Managed,
    Conda,
    Prefix,
    Target,
    /// A target that pip has filled.
    PipTarget,
}

pub(super) const KINDS: [Kind; 7] = [
    Kind::Environment,
    Kind::System,
    Kind::Target,
    Kind::Conda,
    Kind::Prefix,
    Kind::Managed,
    Kind::PipTarget,
];

/// One installation.
#[derive(Clone, Debug)]
pub(super) struct Installation {
    pub(super) kind: Kind,
    pub(super) mode: &'static str,
    pub(super) root: PathBuf,
    /// The directory of distributions, relative to the root.
    pub(super) site: PathBuf,
}

/// A cache and what was installed from it.
pub(super) struct Ground {
    pub(super) sandbox: Sandbox,
    pub(super) installations: Vec<Installation>,
    /// Unmounted after everything else.
    _mounted: Option<Mounted>,
    _directory: tempfile::TempDir,
}

impl Ground {
    /// The ground of a seed, and what was made, as a line for the log.
    pub(super) fn new(seed: usize, random: &mut Random) -> Option<(Self, String)> {
        let filesystem = ["", "btrfs", "", "xfs"][seed % 4];
        // Before 0.12 uv left rows of files that a wheel never had.
        let release = if seed % 5 == 2 { "0.9.30" } else { VERSION };
        let what: Vec<(Kind, &'static str)> = (0..3)
            .map(|number| {
                let mode = MODES[(seed / 2 + number + random.below(2)) % MODES.len()];
                (KINDS[(seed + number * 2) % KINDS.len()], mode)
            })
            .collect();
        let ground = Self::of(filesystem, release, &what)?;
        let told: Vec<String> =
            ground.installations.iter().map(|it| format!("{:?} by {}", it.kind, it.mode)).collect();
        let line = format!("uv {release} on {filesystem:?}: {}", told.join(", "));
        Some((ground, line))
    }

    /// Installations of these kinds in these modes, made by a release of uv on a filesystem, or where the tests are.
    pub(super) fn of(filesystem: &str, release: &str, what: &[(Kind, &'static str)]) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let mounted = if filesystem.is_empty() { None } else { Mounted::new(filesystem, 512) };
        let base = mounted.as_ref().map_or(directory.path(), Mounted::path).join("ground");
        std::fs::create_dir(&base).unwrap();
        let mut sandbox = Sandbox::new(&base)?;
        sandbox.use_release(release)?;
        wheels(&sandbox.path("links"), release != VERSION);
        let mut ground =
            Self { sandbox, installations: Vec::new(), _mounted: mounted, _directory: directory };
        for (number, (kind, mode)) in what.iter().enumerate() {
            ground.add(number, *kind, mode);
        }
        Some(ground)
    }

    fn add(&mut self, number: usize, kind: Kind, mode: &'static str) {
        let sandbox = &self.sandbox;
        let name = format!("place{number}");
        let root = sandbox.roots().join(&name);
        let links = sandbox.path("links").display().to_string();
        let from = ["--no-index", "--find-links", &links];
        let shown = root.to_str().unwrap();
        let python = root.join("bin/python3");
        let install = ["pip", "install", "--quiet", "--link-mode", mode];
        let place = match kind {
            Kind::PipTarget => {
                let pip =
                    ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-cache-dir"];
                let mut command = sandbox.command(sandbox.python());
                ran(command.args(pip).args(from).args(["--target", shown]).args(PACKAGES));
                None
            }
            Kind::Environment => {
                sandbox.install(&name, mode, &[&from[..], &PACKAGES[..]].concat());
                None
            }
            Kind::Target => Some(vec!["--target", shown]),
            Kind::Prefix => Some(vec!["--prefix", shown]),
            Kind::System | Kind::Managed | Kind::Conda => {
                interpreter(sandbox, &root, kind);
                Some(vec!["--break-system-packages", "--python", python.to_str().unwrap()])
            }
        };
        if let Some(place) = place {
            sandbox.run_uv(&[&install[..], &place, &from, &PACKAGES].concat());
        }
        let root = if kind == Kind::Environment { root.join(".venv") } else { root };
        let site = if matches!(kind, Kind::Target | Kind::PipTarget) { PathBuf::new() } else { site(&root) };
        assert!(root.join(&site).join("demo_files").is_dir(), "{kind:?} has what was installed");
        self.installations.push(Installation { kind, mode, root, site });
    }
}

/// The directory of distributions below a prefix, relative to it.
fn site(root: &Path) -> PathBuf {
    let python = root.join("lib").read_dir().unwrap().map(|it| it.unwrap().file_name());
    let python = python.into_iter().find(|it| it.to_string_lossy().starts_with("python")).unwrap();
    Path::new("lib").join(python).join("site-packages")
}

/// Makes a Python of its own, without `pyvenv.cfg`, with a library of symlinks; one of conda's, or one that the system manages.
fn interpreter(sandbox: &Sandbox, root: &Path, kind: Kind) {
    const UNUSED: [&str; 8] = [
        "site-packages",
        "EXTERNALLY-MANAGED",
        "test",
        "idlelib",
        "tkinter",
        "lib2to3",
        "turtledemo",
        "ensurepip",
    ];
    let script = "import sys, sysconfig; print(sysconfig.get_path('stdlib')); print(sys.version.split()[0])";
    let output = ran(sandbox.command(sandbox.python()).args(["-c", script]));
    let text = String::from_utf8(output.stdout).unwrap();
    let (standard, version) = text.trim().split_once('\n').unwrap();
    let standard = Path::new(standard);
    let library = root.join("lib").join(standard.file_name().unwrap());
    std::fs::create_dir_all(library.join("site-packages")).unwrap();
    std::fs::create_dir_all(root.join("bin")).unwrap();
    for name in [standard.file_name().unwrap().to_str().unwrap(), "python3", "python"] {
        std::fs::copy(sandbox.python(), root.join("bin").join(name)).unwrap();
    }
    for item in standard.read_dir().unwrap().map(Result::unwrap) {
        if UNUSED.iter().all(|name| item.file_name() != *name) {
            symlink(item.path(), library.join(item.file_name())).unwrap();
        }
    }
    if kind == Kind::Managed {
        std::fs::write(library.join("EXTERNALLY-MANAGED"), "[externally-managed]\nError=managed\n").unwrap();
    }
    if kind == Kind::Conda {
        let meta = root.join("conda-meta");
        std::fs::create_dir(&meta).unwrap();
        std::fs::write(meta.join("history"), "").unwrap();
        let text = format!("{{\"name\": \"python\", \"version\": \"{version}\", \"files\": []}}");
        std::fs::write(meta.join(format!("python-{version}-0.json")), text).unwrap();
    }
}

/// Wheels with everything that is installed in a way of its own; one of them with a row too many, if uv leaves that. Where uv
/// takes it out of the entry's RECORD, nothing tells that what pip has installed never had the file.
fn wheels(links: &Path, ghost: bool) {
    let files = Wheel::new("demo-files", "1.0")
        .entry_point()
        .file("demo_files/module.py", "VALUE = 1\n".repeat(600))
        .file("demo_files/other.py", "OTHER = 2\n".repeat(600))
        .file("demo_files/empty.py", "")
        .file("demo_files/größe,2.txt", "größe\n".repeat(900))
        .file("demo_files/__pycache__/module.cpython-311.pyc", "compiled\n".repeat(600))
        .program("demo_files/run.sh", "#!/bin/sh\necho run\n".repeat(300))
        .file("demo_files.pth", "# a path file\n".repeat(400))
        .bulk("demo_files/bulk.bin", 24)
        .data("scripts/demo-say", "#!python\nprint('say')\n", 0o755)
        .data("scripts/demo-run", &"#!/bin/sh\necho run\n".repeat(300), 0o755)
        .data("scripts/demo-still", &"#!/bin/sh\necho still\n".repeat(300), 0o644)
        .data("data/share/demo/data.txt", &"data\n".repeat(900), 0o644)
        .data("headers/demo.h", &"#define DEMO 1\n".repeat(300), 0o644)
        .data("purelib/demo_pure.py", &"PURE = True\n".repeat(400), 0o644);
    (if ghost {
        files.row(&format!("{GHOST},sha256=6tbvA9Ye5gxTPW1FDFCh5Vmoo39reWpAlM0NrGt0RCg,5"))
    } else {
        files
    })
    .save(links);
    Wheel::new("demo-plain", "2.0")
        .file("demo_plain/part.py", "PART = 1\n".repeat(600))
        .file("demo_plain/same.py", "VALUE = 1\n".repeat(600))
        .save(links);
    for (name, path) in [("demo-ns-a", "demo_ns/a"), ("demo-ns-b", "demo_ns/b")] {
        Wheel::empty(name, "1.0")
            .file(&format!("{path}/__init__.py"), format!("NAME = {name:?}\n").repeat(300))
            .file("demo_ns/py.typed", "partial\n".repeat(600))
            // Both have it, and the last one wins.
            .file("demo_ns/contended.py", format!("OWNER = {name:?}\n").repeat(300))
            .save(links);
    }
}
