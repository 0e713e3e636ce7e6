//! A cache somewhere, environments somewhere, and two wheels that have every kind of file.

use std::path::{Path, PathBuf};
use std::process::Command;

use cachetui::control::{Cancel, Progress};
use cachetui::linker::{Expect, Item, Kind, TreeReport, TreeRequest, items_of};
use cachetui::snapshot::Mode;

use crate::linker::link_tree;
use crate::support::uv::{Sandbox, ran};
use crate::support::wheel::Wheel;

/// The two distributions; they share a namespace.
pub(super) const NAMES: [&str; 2] = ["demo-parity", "demo-space"];

/// A cache with both entries, and a place for environments.
pub(super) struct Ground {
    sandbox: Sandbox,
    /// The cache as it is named to both.
    pub(super) cache: PathBuf,
    environments: PathBuf,
}

/// What the linker was told, and what it answered.
pub(super) struct Linked {
    pub(super) request: TreeRequest,
    pub(super) report: TreeReport,
}

impl Ground {
    /// The cache and the environments in one directory.
    pub(super) fn new(base: &Path) -> Option<Self> {
        Self::apart(base, base)
    }

    /// The cache in one directory, the environments in another.
    pub(super) fn apart(base: &Path, environments: &Path) -> Option<Self> {
        let sandbox = Sandbox::new(base)?;
        write_wheels(&sandbox.path("wheels"));
        let cache = sandbox.cache();
        let environments = environments.canonicalize().unwrap();
        let ground = Self { sandbox, cache, environments };
        // By this the entries exist, whoever is to link first.
        ground.install(&ground.sandbox.path("filled"), "copy");
        assert_eq!(ground.entries().len(), NAMES.len());
        Some(ground)
    }

    /// The same ground whose cache is named through a symlink and with `..`.
    pub(super) fn renamed(mut self) -> Self {
        let named = self.sandbox.path("named");
        std::os::unix::fs::symlink(&self.cache, named).unwrap();
        self.cache = self.sandbox.path("home/../named");
        self
    }

    /// A program that sees nothing of the machine but its programs.
    pub(super) fn command(&self, program: &Path) -> Command {
        self.sandbox.command(program)
    }

    /// uv with some arguments, on the cache as it is named here.
    fn uv(&self, arguments: &[&str]) -> Command {
        let mut command = self.sandbox.uv(arguments);
        command.env("UV_CACHE_DIR", &self.cache);
        command
    }

    /// `uv pip` for an environment, which has to succeed.
    pub(super) fn pip(&self, environment: &Path, arguments: &[&str]) {
        ran(self.uv(&["pip"]).args(arguments).arg("--python").arg(environment.join("bin/python")));
    }

    /// Makes an empty environment.
    pub(super) fn environment(&self, name: &str) -> PathBuf {
        let path = self.environments.join(name);
        ran(self.uv(&["venv", "--quiet"]).arg(&path));
        path
    }

    /// Lets uv install both, into an environment that is made if there is none; answers with the modes it says were
    /// refused, and their error numbers.
    pub(super) fn install(&self, environment: &Path, mode: &str) -> Vec<(Mode, i32)> {
        if !environment.exists() {
            ran(self.uv(&["venv", "--quiet"]).arg(environment));
        }
        refused(&String::from_utf8(ran(&mut self.installer(environment, mode)).stderr).unwrap())
    }

    /// Lets uv install both with no permissions for anybody else.
    pub(super) fn install_privately(&self, environment: &Path, mode: &str) {
        let installer = self.installer(environment, mode);
        let mut command = self.sandbox.command("sh");
        command.args(["-c", "umask 077 && exec \"$@\"", "sh"]).arg(installer.get_program());
        command.args(installer.get_args());
        ran(command.envs(installer.get_envs().filter_map(|(name, value)| Some((name, value?)))));
    }

    fn installer(&self, environment: &Path, mode: &str) -> Command {
        let mut command = self.uv(&["pip", "install", "--verbose", "--no-index", "--link-mode", mode]);
        command.args(NAMES).arg("--find-links").arg(self.sandbox.path("wheels"));
        command.arg("--python").arg(environment.join("bin/python"));
        command
    }

    /// The entries, as the cache is named here, with their distribution's name.
    pub(super) fn entries(&self) -> Vec<(PathBuf, &'static str)> {
        let items = std::fs::read_dir(self.cache.join("archive-v0")).unwrap();
        let mut entries: Vec<_> = items
            .map(|item| {
                let path = item.unwrap().path();
                let holds = |name: &str| path.join(format!("{}-1.0.dist-info", name.replace('-', "_")));
                let name = NAMES.into_iter().find(|name| holds(name).is_dir());
                (path, name.expect("an entry of one of the two"))
            })
            .collect();
        entries.sort();
        entries
    }

    /// Links both entries into a new environment.
    pub(super) fn link(&self, environment: &Path, mode: Mode) -> Vec<Linked> {
        let requests = self.requests(environment, mode, Expect::Absent);
        requests.into_iter().map(run).collect()
    }

    /// What links both entries.
    pub(super) fn requests(&self, environment: &Path, mode: Mode, expect: Expect) -> Vec<TreeRequest> {
        let site = site(environment);
        let request = |(entry, name): (PathBuf, &str)| {
            let mut items = items_of(&entry, expect, &Cancel::default()).unwrap();
            items.retain_mut(|item| is_placed(item, &entry, &site, name));
            TreeRequest {
                entry,
                identity: None,
                root: environment.to_owned(),
                mode,
                items,
                touch: vec![site.clone()],
            }
        };
        self.entries().into_iter().map(request).collect()
    }

    /// Has everything written that was made, so that it lies somewhere.
    pub(super) fn settle(&self, environment: &Path) {
        ran(Command::new("sync").arg("-f").arg(&self.cache).arg(environment));
    }
}

/// Links one entry; each item has to be told once.
pub(super) fn run(request: TreeRequest) -> Linked {
    let report = link_tree(&request, &Cancel::default(), &Progress::default());
    let left = report.unmade + (report.modified.len() + report.stale.len()) as u64;
    assert_eq!(report.made.total() + report.already + left, request.items.len() as u64, "{report:#?}");
    Linked { request, report }
}

/// Whether uv writes the file anew: `RECORD`, and a script that may not be executed, which gets a copy that may.
pub(super) fn is_made_anew(item: &Item) -> bool {
    item.kind == Kind::Private
}

/// The directory of an environment's distributions, relative to the environment.
fn site(environment: &Path) -> PathBuf {
    let python = std::fs::read_dir(environment.join("lib")).unwrap().next().unwrap().unwrap();
    Path::new("lib").join(python.file_name()).join("site-packages")
}

/// Gives an item the destination that an installer gives it; the linker only lists what an entry has. A script that is
/// rewritten for the environment's interpreter is an installer's work altogether, and has no item.
fn is_placed(item: &mut Item, entry: &Path, site: &Path, name: &str) -> bool {
    let data = format!("{}-1.0.data", name.replace('-', "_"));
    let Ok(inside) = item.source.strip_prefix(&data) else {
        item.destination = site.join(&item.source);
        return true;
    };
    let mut components = inside.components();
    let kind = components.next().unwrap().as_os_str().to_str().unwrap();
    let rest = components.as_path();
    item.destination = match kind {
        "scripts" => {
            let script = std::fs::read(entry.join(&item.source)).unwrap();
            if script.starts_with(b"#!python") {
                return false;
            }
            if super::facts::bits(&entry.join(&item.source)) & 0o111 == 0 {
                item.kind = Kind::Private;
            }
            Path::new("bin").join(rest)
        }
        "data" => rest.to_owned(),
        "headers" => {
            let python = site.parent().unwrap().file_name().unwrap();
            Path::new("include/site").join(python).join(name).join(rest)
        }
        "purelib" | "platlib" => site.join(rest),
        other => panic!("`{other}` is no kind of data"),
    };
    true
}

/// The modes that uv says did not work, from its debug messages.
fn refused(text: &str) -> Vec<(Mode, i32)> {
    let mut refused = Vec::new();
    for line in text.lines().filter(|line| line.starts_with("DEBUG Failed to ")) {
        let mode = match line {
            line if line.contains(" reflink ") => Mode::Clone,
            line if line.contains(" hard link ") => Mode::Hardlink,
            line => panic!("uv has not said such a thing before: {line}"),
        };
        let number = line.split_once("(os error ").and_then(|(_, rest)| rest.split_once(')')).unwrap().0;
        let told = (mode, number.parse().unwrap());
        if !refused.contains(&told) {
            refused.push(told);
        }
    }
    refused
}

fn write_wheels(directory: &Path) {
    Wheel::new("demo-parity", "1.0")
        .entry_point()
        .program("demo_parity/run.sh", "#!/bin/sh\necho run\n")
        .file("demo_parity/empty.py", "")
        .file("demo_parity/ten.txt", "ten bytes\n")
        .bulk("demo_parity/bulk.bin", 200)
        .file("demo_together/parity/part.py", "PART = 'parity'\n".repeat(300))
        .file("demo_parity.pth", "# nothing\n")
        .data("scripts/demo-say", "#!python\nprint('say')\n", 0o755)
        .data("scripts/demo-run", "#!/bin/sh\necho run\n", 0o755)
        .data("scripts/demo-plain", "#!/bin/sh\necho plain\n", 0o644)
        .data("data/share/demo/data.txt", "data\n", 0o644)
        .data("headers/demo.h", "#define DEMO 1\n", 0o644)
        .data("purelib/demo_pure.py", "PURE = True\n", 0o644)
        .data("platlib/demo_plat.py", "PLAT = True\n", 0o644)
        .save(directory);
    Wheel::empty("demo-space", "1.0")
        .file("demo_together/space/part.py", "PART = 'space'\n".repeat(300))
        .file("demo_together/space/größe.txt", "größe\n")
        .save(directory);
}
