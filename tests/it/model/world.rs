//! A cache, environments, and what was done to them.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use cachetui::disk::Time;
use cachetui::linker::set_time;
use cachetui::snapshot::Mode;
use tempfile::TempDir;

use super::acts::Act;
use crate::support::made::{self, Form, Made, SITE, Unpacked};

const NAMES: [&str; 4] = ["alpha", "beta", "gamma", "delta"];
const VERSIONS: [&str; 3] = ["1.0", "1.5", "2.0"];

/// What an installed file is: its content and permission bits, symlinks followed; none of what leads nowhere.
pub(super) type Files = BTreeMap<PathBuf, Option<(Vec<u8>, u32)>>;

/// A world.
pub(super) struct World {
    _directory: TempDir,
    pub(super) made: Made,
    /// Every wheel that was ever unpacked, by id.
    pub(super) wheels: BTreeMap<String, Unpacked>,
    /// Every pointer that was ever made, and the id of its entry.
    pub(super) pointers: BTreeMap<PathBuf, String>,
    /// Entries that were changed a moment ago, by the clock of the scans.
    pub(super) young: BTreeSet<String>,
    environments: Vec<String>,
    /// What was there before the last prune that can be undone, as long as nothing else has happened.
    pub(super) undoable: Option<BTreeSet<PathBuf>>,
    number: usize,
}

impl World {
    pub(super) fn new() -> Self {
        let directory = made::directory();
        let made = Made::new(&directory.path().join("world"));
        std::fs::create_dir(made.base().join("outside")).unwrap();
        let environments = ["one", "two", "three"].map(str::to_owned).to_vec();
        let world = Self {
            _directory: directory,
            made,
            wheels: BTreeMap::new(),
            pointers: BTreeMap::new(),
            young: BTreeSet::new(),
            environments,
            undoable: None,
            number: 0,
        };
        world.environments.iter().for_each(|name| world.venv(name));
        world
    }

    /// Makes an environment without anything but an interpreter in it.
    fn venv(&self, name: &str) {
        let programs = self.made.venv(name).join("bin");
        std::fs::create_dir(&programs).unwrap();
        std::os::unix::fs::symlink("../pyvenv.cfg", programs.join("python")).unwrap();
    }

    pub(super) fn act(&mut self, act: &Act) {
        let undoable = self.undoable.take();
        match act {
            Act::Unpack { name, version, forms, bucket, shares, young } => {
                self.unpack(*name, *version, forms, *bucket, *shares, *young);
            }
            Act::Install { environment, entry, mode } => self.install(*environment, *entry, *mode),
            Act::Uninstall { environment, distribution } => {
                let root = self.root(*environment);
                if let Some(info) = chosen(&infos(&root), *distribution) {
                    uninstall(&root, info);
                }
            }
            Act::Delete { environment } => {
                let name = &self.environments[*environment];
                std::fs::remove_dir_all(self.made.code().join(name)).unwrap();
                self.venv(name);
            }
            Act::Move { environment } => {
                let number = self.fresh();
                let new = format!("{}{number}", self.environments[*environment]);
                let code = self.made.code();
                std::fs::rename(code.join(&self.environments[*environment]), code.join(&new)).unwrap();
                self.environments[*environment] = new;
            }
            Act::LinkOutside { entry } => {
                let new = self.made.base().join("outside").join(self.fresh().to_string());
                if let Some(id) = chosen(&self.entries(), *entry) {
                    let wheel = &self.wheels[id];
                    let file = wheel.files.keys().next().unwrap();
                    std::fs::hard_link(self.made.entry(id).join(file), new).unwrap();
                }
            }
            Act::Edit { environment, file } => {
                if let Some(path) = self.file(*environment, *file) {
                    std::fs::remove_file(&path).unwrap();
                    std::fs::write(&path, format!("EDITED = {}\n", self.fresh())).unwrap();
                }
            }
            Act::Lose { environment, file } => {
                if let Some(path) = self.file(*environment, *file) {
                    std::fs::remove_file(&path).unwrap();
                }
            }
            Act::MoveCache => {
                let name = format!("cache{}", self.fresh());
                self.made.move_cache(&name);
            }
            Act::Prune { wish, how } => self.prune(wish, *how),
            Act::Undo => self.undo(undoable),
            Act::Purge => self.purge(),
            Act::Relink { environment, mode, stop } => self.relink(*environment, *mode, *stop),
            Act::Repair { mode } => self.repair(*mode),
        }
    }

    pub(super) fn fresh(&mut self) -> usize {
        self.number += 1;
        self.number
    }

    /// The root of an environment.
    pub(super) fn root(&self, environment: usize) -> PathBuf {
        self.made.environment(&self.environments[environment])
    }

    /// The ids of the entries that are there.
    pub(super) fn entries(&self) -> Vec<String> {
        let is_there = |id: &&String| self.made.entry(id).is_dir();
        self.wheels.keys().filter(is_there).cloned().collect()
    }

    /// An installed file that is somebody's to change: no private one.
    fn file(&self, environment: usize, number: usize) -> Option<PathBuf> {
        let site = self.root(environment).join(SITE);
        let files: Vec<PathBuf> = listed(&site).into_iter().filter(|path| !is_private(path)).collect();
        chosen(&files, number).cloned()
    }

    fn unpack(
        &mut self,
        name: usize,
        version: usize,
        forms: &[Form],
        bucket: u32,
        shares: bool,
        young: bool,
    ) {
        let id = format!("Entry{:011}", self.fresh());
        let mut wheel = Unpacked::new(&id, NAMES[name], VERSIONS[version]);
        wheel.files.insert(format!("{}/run.sh", wheel.name), b"#!/bin/sh\n".to_vec());
        wheel.files.insert(format!("{}/py.typed", wheel.name), Vec::new());
        self.made.unpack(&wheel);
        if shares {
            self.share(&wheel);
        }
        for form in forms {
            self.pointers.insert(self.made.point(*form, bucket, &wheel), id.clone());
        }
        if young {
            let newest = made::later().as_nanosecond() - 3_600_000_000_000;
            let time = Time(i64::try_from(newest).unwrap());
            set_time(&self.made.entry(&id).join(wheel.files.keys().next().unwrap()), time).unwrap();
            self.young.insert(id.clone());
        }
        self.wheels.insert(id, wheel);
    }

    /// Files of the same content are one file, which a bucket of files has too.
    fn share(&self, wheel: &Unpacked) {
        for path in wheel.files.keys().filter(|path| path.ends_with("run.sh") || path.ends_with("py.typed")) {
            let object = if path.ends_with("run.sh") { "aa/run" } else { "bb/empty" };
            let (object, file) =
                (self.made.cache().join("files-v0").join(object), self.made.entry(&wheel.id).join(path));
            if object.is_file() {
                std::fs::remove_file(&file).unwrap();
                std::fs::hard_link(&object, &file).unwrap();
            } else {
                std::fs::create_dir_all(object.parent().unwrap()).unwrap();
                std::fs::hard_link(&file, &object).unwrap();
            }
        }
    }

    fn install(&mut self, environment: usize, entry: usize, mode: Mode) {
        let entries = self.entries();
        let Some(id) = chosen(&entries, entry) else { return };
        let wheel = self.wheels[id].clone();
        let root = self.root(environment);
        for info in infos(&root) {
            if info.file_name().unwrap().to_str().unwrap().starts_with(&format!("{}-", wheel.name)) {
                uninstall(&root, &info);
            }
        }
        self.made.install(&self.environments[environment], &wheel, mode);
    }

    /// Every file of every environment.
    pub(super) fn installed(&self) -> Files {
        let read = |path: PathBuf| {
            let content = std::fs::read(&path).ok();
            let bits = std::fs::metadata(&path).map_or(0, |stat| stat.mode() & 0o777);
            (path, content.map(|content| (content, bits)))
        };
        let files = listed(&self.made.code()).into_iter().filter(|path| !path.ends_with(".lock"));
        files.map(read).collect()
    }

    /// Pointers to entries that are not there, and symlinks of environments that lead nowhere.
    pub(super) fn dangling(&self) -> BTreeSet<PathBuf> {
        let dead = |(path, id): &(&PathBuf, &String)| self.leads(path, id) == Some(false);
        let pointers = self.pointers.iter().filter(dead).map(|(path, _)| path.clone());
        let links = listed(&self.made.code()).into_iter().filter(|path| !path.exists());
        pointers.chain(links).collect()
    }

    /// Whether a pointer leads to its entry; nothing when it is not there. An absolute symlink does not when the cache has
    /// another name now.
    pub(super) fn leads(&self, pointer: &Path, id: &str) -> Option<bool> {
        let path = self.made.cache().join(pointer);
        let stat = path.symlink_metadata().ok()?;
        Some(if stat.is_symlink() { path.is_dir() } else { self.made.entry(id).is_dir() })
    }

    /// Entries and pointers that are there.
    pub(super) fn cached(&self) -> BTreeSet<PathBuf> {
        let cache = self.made.cache();
        let pointers = self.pointers.keys().filter(|path| cache.join(path).symlink_metadata().is_ok());
        let entries = self.entries().into_iter().map(|id| Path::new("archive-v0").join(id));
        pointers.cloned().chain(entries).collect()
    }
}

/// Chooses by a number.
fn chosen<Item>(items: &[Item], number: usize) -> Option<&Item> {
    (!items.is_empty()).then(|| &items[number % items.len()])
}

/// Everything beneath a directory but directories.
pub(super) fn listed(root: &Path) -> Vec<PathBuf> {
    let walk = walkdir::WalkDir::new(root).sort_by_file_name().into_iter().map(Result::unwrap);
    walk.filter(|item| !item.file_type().is_dir()).map(walkdir::DirEntry::into_path).collect()
}

/// Whether a file is an environment's own.
pub(super) fn is_private(path: &Path) -> bool {
    ["RECORD", "INSTALLER", ".lock", "pyvenv.cfg", "bin/python"].iter().any(|name| path.ends_with(name))
}

/// The `.dist-info` directories of an environment.
pub(super) fn infos(root: &Path) -> Vec<PathBuf> {
    let items = std::fs::read_dir(root.join(SITE)).unwrap().map(|item| item.unwrap().path());
    let mut infos: Vec<PathBuf> =
        items.filter(|path| path.extension().is_some_and(|it| it == "dist-info")).collect();
    infos.sort();
    infos
}

/// The paths that a distribution's `RECORD` lists, with their digests, relative to the directory of distributions.
pub(super) fn record(info: &Path) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(info.join("RECORD")).unwrap();
    let row = |line: &str| {
        let mut parts = line.split(',');
        (parts.next().unwrap().to_owned(), parts.next().unwrap().to_owned())
    };
    text.lines().map(row).collect()
}

fn uninstall(root: &Path, info: &Path) {
    for path in record(info).keys() {
        // Somebody may have deleted it already.
        drop(std::fs::remove_file(root.join(SITE).join(path)));
    }
    std::fs::remove_dir_all(info).unwrap();
}
