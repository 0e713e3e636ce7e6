//! Where a farm is: a filesystem, a release of uv, and who owns what.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::support::loopdev::Mounted;
use crate::support::uv::{SOMEBODY, Sandbox, ran};
use crate::support::wheel::Wheel;

/// What a farm lies on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Wherever temporary files are.
    Temporary,
    /// A filesystem in memory.
    Memory,
    /// A filesystem in a file.
    Disk(&'static str),
    /// An overlay that has nothing in its lower layer.
    Overlay,
    /// An overlay that has the first half of the farm in its lower layer, as an image of a container has.
    Image,
}

/// Who owns a farm, and who works in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// Whoever runs the tests owns everything.
    One,
    /// Another user owns everything, and root works in it too.
    Other,
    /// Another user owns the cache, and root owns some of the environments.
    Two,
}

/// Who runs a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    Root,
    Owner,
}

/// The packages, each in two versions.
pub(super) const PACKAGES: [&str; 4] = ["demo-a", "demo-b", "demo-c", "demo-d"];
pub(super) const VERSIONS: [&str; 2] = ["1.0", "2.0"];

/// A place with everything that a farm needs.
#[derive(Debug)]
pub(super) struct Ground {
    pub(super) sandbox: Sandbox,
    pub(super) kind: Kind,
    pub(super) owner: Owner,
    pub(super) release: &'static str,
    overlay: Vec<Mounted>,
    /// Outlives what is mounted in it.
    _on: On,
}

#[derive(Debug)]
enum On {
    Directory { _it: TempDir },
    Mount { _it: Mounted },
}

impl Ground {
    /// `None` where it cannot be had here, which has been said.
    pub(super) fn new(kind: Kind, owner: Owner, release: &'static str) -> Option<Self> {
        let mount = match kind {
            Kind::Temporary | Kind::Image => None,
            Kind::Memory => Some(Mounted::tmpfs("size=512m")?),
            Kind::Disk(name) => Some(Mounted::new(name, 512)?),
            Kind::Overlay => Some(Mounted::overlay()?),
        };
        let directory = tempfile::tempdir().unwrap();
        let base = mount.as_ref().map_or(directory.path(), Mounted::path).join("farm");
        std::fs::create_dir(&base).unwrap();
        let mut sandbox = Sandbox::new(&base)?;
        sandbox.use_release(release)?;
        for name in PACKAGES {
            for version in VERSIONS {
                wheel(name, version, "").save(&sandbox.path("links"));
            }
        }
        let root = rustix::process::geteuid().is_root();
        let owner = if root { owner } else { Owner::One };
        if owner != Owner::One {
            let above = mount.as_ref().map_or(directory.path(), Mounted::path);
            ran(Command::new("chmod").arg("755").arg(above).arg(above.parent()?));
            ran(Command::new("chown").arg("-R").arg(format!("{SOMEBODY}:{SOMEBODY}")).arg(&base));
            sandbox.use_python_for_all()?;
            sandbox.by(SOMEBODY, &Command::new("true"))?;
        }
        let on = match mount {
            Some(it) => On::Mount { _it: it },
            None => On::Directory { _it: directory },
        };
        Some(Self { sandbox, kind, owner, release, overlay: Vec::new(), _on: on })
    }

    /// Puts everything that is there into the lower layer of an overlay, where the farm is to have one.
    pub(super) fn put_below(&mut self) -> Option<()> {
        if self.kind != Kind::Image {
            return Some(());
        }
        let base = self.base();
        let beside = |name: &str| {
            let path = base.with_file_name(name);
            std::fs::create_dir(&path).unwrap();
            // A layer on top has the owner and the mode of what it covers.
            ran(Command::new("chown").arg("--reference").arg(&base).arg(&path));
            path
        };
        self.overlay.push(Mounted::overlay_over(&base, &beside("upper"), &beside("work"))?);
        Some(())
    }

    pub(super) fn base(&self) -> PathBuf {
        self.sandbox.path("")
    }

    /// The layer on top, where there is one.
    pub(super) fn layer(&self) -> Option<PathBuf> {
        let base = self.base();
        match self.kind {
            Kind::Image => Some(base.with_file_name("upper")),
            Kind::Overlay => Some(base.parent()?.with_file_name("upper").join(base.file_name()?)),
            _ => None,
        }
    }

    /// Whether nothing else is on its filesystem.
    pub(super) fn is_its_own(&self) -> bool {
        matches!(self.kind, Kind::Memory | Kind::Disk(_))
    }

    /// Whether blocks tell exactly what is freed.
    pub(super) fn counts_blocks(&self) -> bool {
        if self.layer().is_some() {
            return true;
        }
        let magic = rustix::fs::statfs(self.base()).unwrap().f_type & 0xffff_ffff;
        [0xef53, 0x0102_1994].contains(&magic)
    }

    /// A command of that user.
    pub(super) fn by(&self, who: Who, command: Command) -> Command {
        if self.owner == Owner::One || who == Who::Root {
            return command;
        }
        self.sandbox.by(SOMEBODY, &command).unwrap()
    }

    /// Runs a program as the owner; it has to succeed.
    pub(super) fn run(&self, program: &str, arguments: &[&Path]) {
        let mut command = self.sandbox.command(program);
        command.args(arguments);
        ran(&mut self.by(Who::Owner, command));
    }

    /// uv as the owner runs it.
    pub(super) fn uv(&self, arguments: &[&str]) -> Command {
        self.by(Who::Owner, self.sandbox.uv(arguments))
    }

    /// Installs some packages, in a way that must succeed.
    pub(super) fn install(&self, mode: &str, whereto: &[&str], packages: &[String]) -> Output {
        ran(&mut self.installs(mode, whereto, packages))
    }

    /// The command that installs some packages.
    pub(super) fn installs(&self, mode: &str, whereto: &[&str], packages: &[String]) -> Command {
        let mut arguments = vec!["pip", "install", "--quiet"];
        let places = self.places();
        arguments.extend(places.iter().map(String::as_str));
        arguments.extend(["--link-mode", mode]);
        arguments.extend(whereto);
        arguments.extend(packages.iter().map(String::as_str));
        self.uv(&arguments)
    }

    /// Where uv finds packages.
    pub(super) fn places(&self) -> [String; 3] {
        let links = self.sandbox.path("links").display().to_string();
        ["--no-index".to_owned(), "--find-links".to_owned(), links]
    }
}

/// A package in a version; with other content where it was built again.
pub(super) fn wheel(name: &'static str, version: &'static str, again: &str) -> Wheel {
    let module = name.replace('-', "_");
    let mut wheel = Wheel::new(name, version)
        .entry_point()
        .program(&format!("{module}/run.sh"), "#!/bin/sh\necho run\n")
        .file(&format!("{module}/py.typed"), "")
        .file(&format!("{module}/deep/er/part.py"), format!("PART = {version:?}\n"))
        .data("scripts/demo-say", "#!/bin/sh\necho say\n", 0o755)
        .bulk(&format!("{module}/bulk.bin"), 12);
    if !again.is_empty() {
        wheel = wheel.file(&format!("{module}/again.py"), format!("AGAIN = {again:?}\n"));
    }
    wheel
}
