//! Who uses a cache: environments of every shape, and what is none.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::ground::{Ground, Owner, PACKAGES, VERSIONS, Who};
use super::look::{Read, entries, read, site};
use super::modes;
use crate::support::random::Random;
use crate::support::uv::{VERSION, ran};

/// How a user came to be where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Plain,
    /// The project was renamed after it was installed.
    Moved,
    /// The project is reached through a symlink.
    Symlinked,
    /// In another environment.
    Nested,
    /// `cp -a` of an environment that is gone.
    Copied,
    /// `cp -al` of one that is there.
    LinkedCopy,
    Target,
    Prefix,
    /// uv keeps it in the cache for a project.
    Central,
    /// What `uvx` leaves.
    Uvx,
    Tool,
    /// Of a script with inline metadata (PEP 723).
    Script,
    /// In the cache's own directory.
    InCache,
    /// On another filesystem, which comes and goes.
    Mounted,
    /// On a directory shown at another place, which comes and goes.
    Bound,
    /// A symlink to an entry.
    Link,
    /// A path file that names an entry.
    PathFile,
}

pub(super) const SHAPES: [Shape; 17] = [
    Shape::Plain,
    Shape::Moved,
    Shape::Symlinked,
    Shape::Nested,
    Shape::Copied,
    Shape::LinkedCopy,
    Shape::Target,
    Shape::Prefix,
    Shape::Central,
    Shape::Uvx,
    Shape::Tool,
    Shape::Script,
    Shape::InCache,
    Shape::Mounted,
    Shape::Bound,
    Shape::Link,
    Shape::PathFile,
];

/// A user of the cache.
#[derive(Debug)]
pub(super) struct User {
    pub(super) shape: Shape,
    /// Its environment, or what else it has.
    pub(super) place: PathBuf,
    /// What else it reads.
    pub(super) also: Option<PathBuf>,
    /// The directory that is moved, mounted or locked up with it.
    pub(super) project: PathBuf,
    /// What it imports, and of which version.
    pub(super) imports: Vec<(&'static str, &'static str)>,
    /// Where its mount keeps its content, and what it read before that was unmounted.
    pub(super) kept: Option<PathBuf>,
    pub(super) away: Option<Read>,
}

impl User {
    /// What it reads now.
    pub(super) fn read(&self, ground: &Ground) -> Read {
        let places: Vec<PathBuf> = std::iter::once(&self.place).chain(&self.also).cloned().collect();
        read(&ground.base(), &places)
    }

    /// Whether it is an environment with a Python of its own, which uv installs into.
    pub(super) fn is_environment(&self) -> bool {
        !matches!(self.shape, Shape::Target | Shape::Prefix | Shape::Link | Shape::PathFile)
    }

    /// Whether uv keeps it in its cache, and may drop it.
    pub(super) fn is_cached(&self) -> bool {
        matches!(self.shape, Shape::Uvx | Shape::Script)
    }

    /// Whether it lies in the cache.
    pub(super) fn is_in_cache(&self, ground: &Ground) -> bool {
        let cache = ground.sandbox.cache();
        self.place.canonicalize().is_ok_and(|it| it.starts_with(cache))
    }

    /// Imports everything and compares the versions; answers with what went wrong.
    pub(super) fn imports(&self, ground: &Ground) -> Option<String> {
        let lines: Vec<String> = self
            .imports
            .iter()
            .map(|(name, version)| {
                let module = name.replace('-', "_");
                format!(
                    "import {module}, {module}.deep.er.part as p; assert {module}.VERSION == p.PART == '{version}'\n"
                )
            })
            .collect();
        let text = lines.concat();
        let path = match self.shape {
            Shape::Target | Shape::Link => Some(self.place.clone()),
            Shape::Prefix => Some(site(&self.place)),
            _ => None,
        };
        let own = self.place.join("bin/python");
        let program = if path.is_some() { ground.sandbox.python() } else { &own };
        let mut command = ground.sandbox.command(program);
        command.args(["-B", "-c", &text]);
        path.map(|path| command.env("PYTHONPATH", path));
        let output = ground.by(Who::Owner, command).output().unwrap();
        (!output.status.success()).then(|| {
            format!(
                "{:?} at {} does not import: {}",
                self.shape,
                self.place.display(),
                String::from_utf8_lossy(&output.stderr)
            )
        })
    }
}

/// What a user is made of.
struct Making<'a> {
    ground: &'a Ground,
    number: usize,
    mode: &'static str,
    imports: Vec<(&'static str, &'static str)>,
}

/// Makes a user of that shape, or of a plain one where it cannot be had.
pub(super) fn make(ground: &Ground, random: &mut Random, number: usize, shape: Shape) -> User {
    let first = random.below(PACKAGES.len());
    let several = !matches!(shape, Shape::Uvx | Shape::Tool | Shape::Link | Shape::PathFile);
    let count = if several { 1 + random.below(3) } else { 1 };
    let imports = (0..count).map(|it| (PACKAGES[(first + it) % PACKAGES.len()], *random.pick(&VERSIONS)));
    let imports = imports.collect();
    let mode: &'static str = modes()[random.below(modes().len())];
    let making = Making { ground, number, mode, imports };
    let user = making.make(shape);
    if ground.owner == Owner::Two && random.once_in(2) && user.can_belong_to_another(ground) {
        // What root owns is used by root: nothing of it is the cache's own.
        ran(Command::new("chown").args(["-hR", "0:0"]).arg(&user.project));
    }
    user
}

impl User {
    /// Whether no inode of it is the cache's.
    fn can_belong_to_another(&self, ground: &Ground) -> bool {
        use std::os::unix::fs::MetadataExt as _;
        let alone = |path: &Path| path.symlink_metadata().is_ok_and(|it| it.is_dir() || it.nlink() == 1);
        matches!(self.shape, Shape::Plain | Shape::Moved | Shape::Copied)
            && self.read(ground).keys().all(|path| alone(path))
    }
}

impl Making<'_> {
    fn make(self, shape: Shape) -> User {
        let newest = [VERSION, "0.13.9"].contains(&self.ground.release);
        match shape {
            Shape::Moved => self.moved(),
            Shape::Symlinked => self.symlinked(),
            Shape::Nested => self.nested(),
            Shape::Copied | Shape::LinkedCopy => self.copied(shape),
            Shape::Target | Shape::Prefix => self.directory(shape),
            Shape::Central if newest => self.central(),
            Shape::Uvx => self.uvx(),
            Shape::Tool => self.tool(),
            Shape::Script => self.script(),
            Shape::InCache => self.in_cache(),
            Shape::Mounted | Shape::Bound => self.mounted(shape),
            Shape::Link | Shape::PathFile => self.of_entry(shape),
            Shape::Plain | Shape::Central => self.plain(),
        }
    }

    fn root(&self, name: &str) -> PathBuf {
        self.ground.sandbox.roots().join(format!("{name}{}", self.number))
    }

    fn wanted(&self) -> Vec<String> {
        self.imports.iter().map(|(name, version)| format!("{name}=={version}")).collect()
    }

    fn user(self, shape: Shape, place: PathBuf, project: PathBuf) -> User {
        User { shape, place, also: None, project, imports: self.imports, kept: None, away: None }
    }

    fn venv(&self, place: &Path) {
        ran(&mut self.ground.uv(&["venv", "--quiet", place.to_str().unwrap()]));
    }

    /// Makes an environment with what is wanted.
    fn environment(&self, place: &Path) {
        self.venv(place);
        let python = place.join("bin/python");
        self.ground.install(self.mode, &["--python", python.to_str().unwrap()], &self.wanted());
    }

    fn project(&self, project: &Path) -> PathBuf {
        self.ground.run("mkdir", &["-p".as_ref(), project]);
        let place = project.join(".venv");
        self.environment(&place);
        place
    }

    fn plain(self) -> User {
        let project = self.root("plain");
        let place = self.project(&project);
        self.user(Shape::Plain, place, project)
    }

    fn moved(self) -> User {
        let (old, project) = (self.root("old"), self.root("moved"));
        self.project(&old);
        self.ground.run("mv", &[&old, &project]);
        self.user(Shape::Moved, project.join(".venv"), project)
    }

    fn symlinked(self) -> User {
        let project = self.ground.sandbox.path(format!("elsewhere{}", self.number));
        self.project(&project);
        let link = self.root("link");
        self.ground.run("ln", &["-s".as_ref(), &project, &link]);
        self.user(Shape::Symlinked, link.join(".venv"), project)
    }

    fn nested(self) -> User {
        let project = self.root("outer");
        self.ground.run("mkdir", &["-p".as_ref(), &project]);
        let outer = project.join(".venv");
        self.venv(&outer);
        let place = outer.join("inner");
        self.environment(&place);
        self.user(Shape::Nested, place, project)
    }

    fn copied(self, shape: Shape) -> User {
        let made = self.ground.sandbox.path(format!("made{}", self.number));
        self.project(&made);
        let project = self.root("copied");
        let how = if shape == Shape::Copied { "-a" } else { "-al" };
        self.ground.run("cp", &[how.as_ref(), &made, &project]);
        if shape == Shape::Copied {
            self.ground.run("rm", &["-rf".as_ref(), &made]);
            return self.user(shape, project.join(".venv"), project);
        }
        User { also: Some(made.join(".venv")), ..self.user(shape, project.join(".venv"), project) }
    }

    fn directory(self, shape: Shape) -> User {
        let place = self.root("directory");
        let how = if shape == Shape::Target { "--target" } else { "--prefix" };
        self.ground.install(self.mode, &[how, place.to_str().unwrap()], &self.wanted());
        self.user(shape, place.clone(), place)
    }

    fn central(self) -> User {
        let project = self.root("central");
        self.ground.run("mkdir", &["-p".as_ref(), &project]);
        let text = format!(
            "[project]\nname = \"central{}\"\nversion = \"1\"\nrequires-python = \">=3.8\"\ndependencies = {:?}\n",
            self.number,
            self.wanted()
        );
        std::fs::write(project.join("pyproject.toml"), text).unwrap();
        let places = self.ground.places();
        let places = places.iter().map(String::as_str);
        let arguments: Vec<&str> =
            ["sync", "--quiet", "--link-mode", self.mode].into_iter().chain(places).collect();
        let mut sync = self.ground.sandbox.uv(&arguments);
        sync.env("UV_PREVIEW_FEATURES", "centralized-project-envs").current_dir(&project);
        ran(&mut self.ground.by(Who::Owner, sync));
        self.user(Shape::Central, project.join(".venv"), project)
    }

    fn run(&self, before: &[&str], after: &[&str]) {
        let places = self.ground.places();
        let places: Vec<&str> = places.iter().map(String::as_str).collect();
        let mut command = self.ground.sandbox.uv(&[before, &places, after].concat());
        command.env("UV_LINK_MODE", self.mode);
        ran(&mut self.ground.by(Who::Owner, command));
    }

    fn uvx(self) -> User {
        let cache = self.ground.sandbox.cache();
        let before = entries(&cache);
        self.run(&["tool", "run", "--quiet", "--from", &self.wanted()[0]], &[self.imports[0].0]);
        let new = entries(&cache).into_iter().filter(|id| !before.contains(id));
        let mut places = new.map(|id| cache.join("archive-v0").join(id));
        match places.find(|place| place.join("pyvenv.cfg").is_file()) {
            Some(place) => self.user(Shape::Uvx, place.clone(), place),
            // Another one asked for the same.
            None => self.plain(),
        }
    }

    fn tool(self) -> User {
        let place = self.ground.sandbox.path("home/data/uv/tools").join(self.imports[0].0);
        if place.exists() {
            return self.plain();
        }
        self.run(&["tool", "install", "--quiet", "--force"], &[&self.wanted()[0]]);
        self.user(Shape::Tool, place.clone(), place)
    }

    fn script(self) -> User {
        let name = format!("script{}", self.number);
        let script = self.ground.sandbox.path(format!("home/{name}.py"));
        let text = format!("# /// script\n# dependencies = {:?}\n# ///\n", self.wanted());
        std::fs::write(&script, text).unwrap();
        self.run(&["run", "--quiet"], &["--script", script.to_str().unwrap()]);
        let buckets = std::fs::read_dir(self.ground.sandbox.cache()).unwrap().flatten();
        let buckets =
            buckets.filter(|it| it.file_name().to_str().is_some_and(|it| it.starts_with("environments-v")));
        let items = buckets.flat_map(|it| std::fs::read_dir(it.path()).unwrap().flatten());
        let is_of = |name: &OsStr, script: &str| {
            name.to_str().is_some_and(|it| it.starts_with(&format!("{script}-")) && !it.ends_with("lock"))
        };
        let place = items.filter(|it| is_of(&it.file_name(), &name)).map(|it| it.path()).next().unwrap();
        self.user(Shape::Script, place.clone(), place)
    }

    fn in_cache(self) -> User {
        let project = self.ground.sandbox.cache().join(format!("venvs/app{}", self.number));
        self.ground.run("mkdir", &["-p".as_ref(), &self.ground.sandbox.cache()]);
        let place = self.project(&project);
        self.user(Shape::InCache, place, project)
    }

    fn mounted(self, shape: Shape) -> User {
        if !rustix::process::geteuid().is_root() {
            return self.plain();
        }
        let (mount, kept) = (self.root("mount"), self.ground.sandbox.path(format!("kept{}", self.number)));
        self.ground.run("mkdir", &["-p".as_ref(), &mount, &kept]);
        if shape == Shape::Mounted {
            ran(Command::new("mount").args(["-t", "tmpfs", "none"]).arg(&kept));
            ran(Command::new("chown").arg("--reference").arg(&mount).arg(&kept));
        }
        ran(Command::new("mount").arg("--bind").args([&kept, &mount]));
        let project = mount.join("app");
        let place = self.project(&project);
        User { kept: Some(kept), ..self.user(shape, place, mount) }
    }

    fn of_entry(self, shape: Shape) -> User {
        let (name, version) = self.imports[0];
        let made = self.ground.sandbox.path(format!("made{}", self.number));
        self.project(&made);
        self.ground.run("rm", &["-rf".as_ref(), &made]);
        let cache = self.ground.sandbox.cache();
        let info = format!("{}-{version}.dist-info", name.replace('-', "_"));
        let mut ids = entries(&cache).into_iter().map(|id| cache.join("archive-v0").join(id));
        let entry = ids.find(|entry| entry.join(&info).is_dir()).unwrap();
        let project = self.root("way");
        if shape == Shape::Link {
            self.ground.run("ln", &["-s".as_ref(), &entry, &project]);
            return self.user(shape, project.clone(), project);
        }
        self.ground.run("mkdir", &["-p".as_ref(), &project]);
        let place = project.join(".venv");
        self.venv(&place);
        std::fs::write(site(&place).join("names.pth"), format!("{}\n", entry.display())).unwrap();
        User { also: Some(entry), ..self.user(shape, place, project) }
    }
}
