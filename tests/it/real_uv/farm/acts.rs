//! What is done in a farm.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::checks::{Answer, Changes};
use super::ground::{Owner, PACKAGES, VERSIONS, Who, wheel};
use super::look::{Tree, changes, differs, du, tree};
use super::users::{Shape, User};
use super::{Farm, Kind, Read, modes};
use crate::support::uv::{SOMEBODY, ran};

const ALL: &str = "most,no-environments,gone,other-owners,hidden-processes";
const CLASSES: [&str; 7] = [
    "--unused",
    "--unreferenced",
    "--superseded",
    "--cached-environments",
    "--orphaned-central",
    "--stale-buckets",
    "--crash-leftovers",
];

impl User {
    /// Takes away what is mounted for it.
    pub(super) fn unmount_all(&self) {
        for place in
            [Some(&self.project), self.kept.as_ref()].into_iter().flatten().filter(|_| self.kept.is_some())
        {
            while Command::new("umount").arg(place).output().is_ok_and(|it| it.status.success()) {}
        }
    }
}

impl Farm {
    pub(super) fn act(&mut self) {
        match self.random.below(18) {
            0..=4 => self.prune(),
            5 | 6 => self.trash(),
            7 | 8 => self.relink(),
            9 | 10 => self.repair(),
            11 => self.upgrade(),
            12 => self.rebuild(),
            13 => self.delete(),
            14 => self.relocate(),
            15 => self.back_up(),
            16 => self.edit(),
            _ => self.come_and_go(),
        }
    }

    pub(super) fn say(&mut self, text: String) {
        self.log.push(text);
    }

    pub(super) fn cache(&self) -> PathBuf {
        self.ground.sandbox.cache()
    }

    fn prune(&mut self) {
        let cache_size = du(&[self.cache()]);
        let (name, version) = (*self.random.pick(&PACKAGES), *self.random.pick(&VERSIONS));
        let wish: Vec<String> = match self.random.below(8) {
            0 => vec![name.to_owned()],
            1 => vec![format!("{name}=={version}")],
            2 => vec!["--max-size".into(), (cache_size * self.random.below(100) as u64 / 100).to_string()],
            3 => {
                let space = rustix::fs::statvfs(self.cache()).unwrap();
                let free = space.f_bavail * space.f_frsize;
                vec!["--keep-free".into(), (free + self.random.below(300_000) as u64).to_string()]
            }
            4 => vec!["--older-than".into(), "0h".into()],
            5 => CLASSES.map(String::from).to_vec(),
            _ => {
                let some = CLASSES.iter().filter(|_| self.random.once_in(3)).chain(&CLASSES[..1]);
                some.collect::<BTreeSet<_>>().into_iter().map(|it| (*it).to_owned()).collect()
            }
        };
        let mut arguments = vec!["prune", "--grace", "0h", "--allow", ALL];
        arguments.extend(wish.iter().map(String::as_str));
        let into_trash = self.random.once_in(2);
        if self.random.once_in(4) {
            return self.prune_by_plan(&arguments, into_trash);
        }
        if self.random.once_in(4) {
            let whole = tree(&self.cache(), &[]);
            drop(self.cachetui(&[&arguments[..], &["--dry-run"]].concat(), Changes::Cache));
            let wrong = changes(&whole, &tree(&self.cache(), &[]), true);
            assert!(wrong.is_empty(), "a dry run changed something: {}", wrong.join("\n"));
        }
        arguments.push("--yes");
        arguments.extend(into_trash.then_some("--trash"));
        let before = tree(&self.cache(), &[]);
        let answer = self.cachetui(&arguments, Changes::Cache);
        self.note(before, into_trash && answer.code == 0);
    }

    /// Saves a plan, and carries it out.
    fn prune_by_plan(&mut self, arguments: &[&str], into_trash: bool) {
        let plan = self.ground.sandbox.path(format!("tmp/plan{}", self.log.len()));
        let plan = plan.to_str().unwrap().to_owned();
        let saved = self.cachetui(&[arguments, &["--save", &plan]].concat(), Changes::Cache);
        if saved.code != 0 {
            return;
        }
        drop(ran(Command::new("chmod").args(["a+r", &plan])));
        let before = tree(&self.cache(), &[]);
        let mut apply = vec!["apply", &plan, "--yes"];
        apply.extend(into_trash.then_some("--trash"));
        let answer = self.cachetui(&apply, Changes::Cache);
        self.note(before, into_trash && answer.code == 0);
    }

    fn note(&mut self, before: Tree, can_be_undone: bool) {
        let trash = self.cache().join(".cachetui-trash");
        let changed = changes(&before, &tree(&self.cache(), &[]), false);
        let removed = changed.iter().any(|it| !it.starts_with(&trash.display().to_string()));
        if can_be_undone && removed {
            self.undoable = Some(before);
        } else if removed {
            self.undoable = None;
        }
    }

    fn runs(&self) -> Vec<String> {
        let runs = std::fs::read_dir(self.cache().join(".cachetui-trash")).into_iter().flatten().flatten();
        let mut runs: Vec<String> = runs.map(|it| it.file_name().into_string().unwrap()).collect();
        runs.sort();
        runs
    }

    fn trash(&mut self) {
        let runs = self.runs();
        if runs.is_empty() {
            return self.prune();
        }
        if self.random.once_in(3) {
            let one = self.random.once_in(2).then(|| self.random.pick(&runs).clone());
            let mut arguments = vec!["trash", "purge", "--yes"];
            arguments.extend(one.as_deref());
            drop(self.cachetui(&arguments, Changes::Cache));
            self.undoable = None;
            return;
        }
        let undoable = self.undoable.take();
        let answer = self.cachetui(&["undo"], Changes::Cache);
        let (Some(before), 0) = (undoable, answer.code) else { return };
        let trash = self.cache().join(".cachetui-trash");
        let without =
            |tree: Tree| -> Tree { tree.into_iter().filter(|(path, _)| !path.starts_with(&trash)).collect() };
        let inodes = !matches!(self.ground.kind, Kind::Image | Kind::Overlay);
        let wrong = changes(&without(before), &without(tree(&self.cache(), &[])), inodes);
        assert!(wrong.is_empty(), "undo: {}\n{:#}", wrong.join("\n"), answer.json);
    }

    fn relink(&mut self) {
        let mode = *self.random.pick(modes());
        let one = self.random.below(self.users.len() + 1);
        let mut arguments = vec!["relink", "--link-mode", mode, "--yes"];
        let place = self.users.get(one).filter(|it| it.away.is_none() && it.shape != Shape::Link);
        let place = place.map(|it| (it.place.display().to_string(), it.shape));
        match &place {
            None => arguments.push("--all"),
            Some((place, Shape::Target | Shape::Prefix)) => {
                arguments.extend([place.as_str(), "--target", place]);
            }
            Some((place, _)) => arguments.push(place),
        }
        drop(self.cachetui(&arguments, Changes::Links));
        self.undoable = None;
    }

    fn repair(&mut self) {
        let whole: Vec<Read> = self.users.iter().map(|it| it.read(&self.ground)).collect();
        let places: Vec<PathBuf> = self.users.iter().map(|it| it.place.clone()).collect();
        match self.random.below(4) {
            0 => self.lose_link(),
            // uv takes no care of who is away.
            1 if self.users.iter().all(|it| it.away.is_none()) => {
                let name = *self.random.pick(&PACKAGES);
                self.say(format!("uv cache clean {name}"));
                ran(&mut self.ground.uv(&["cache", "clean", "--quiet", name]));
            }
            _ => self.lose_files(),
        }
        self.undoable = None;
        let mut arguments = vec!["repair", "--all", "--yes"];
        if self.random.once_in(3) {
            arguments.extend(["--link-mode", *self.random.pick(modes())]);
        }
        let answer = self.cachetui(&arguments, Changes::Files);
        if answer.code != 0 {
            return;
        }
        // Whoever may read all of it finds nothing more to do.
        let mut again = self.command(Who::Root, &["repair", "--all", "--dry-run"]);
        let again = Answer::new(&again.output().unwrap());
        let rows = |key: &str| again.json["plan"][key].as_array().unwrap().iter();
        // What was edited stays, and is told to whoever may read it.
        let is_whole = rows("steps").next().is_none() && rows("kept").all(|it| it["because"] == "modified");
        assert!(is_whole, "more to repair: {} {:#}", again.text, again.json);
        // What is said to be whole is whole.
        let known = |it: &User| it.away.is_none() && it.shape != Shape::Link && it.shape != Shape::PathFile;
        for (place, read) in places.iter().zip(&whole) {
            let Some(user) = self.users.iter().find(|it| it.place == *place).filter(|it| known(it)) else {
                continue;
            };
            let wrong = differs(read, &user.read(&self.ground), true);
            assert!(wrong.is_empty(), "not repaired: {}\n{:#}", wrong.join("\n"), answer.json);
        }
    }

    /// Deletes some files of an environment.
    fn lose_files(&mut self) {
        let there: Vec<usize> = (0..self.users.len()).filter(|it| self.users[*it].away.is_none()).collect();
        if there.is_empty() {
            return;
        }
        let user = &self.users[*self.random.pick(&there)];
        if matches!(user.shape, Shape::Link | Shape::PathFile) {
            return;
        }
        let lost = ["bulk.bin", "__init__.py", "part.py", "METADATA", "py.typed"];
        let is_one =
            |path: &&PathBuf| lost.iter().any(|it| path.ends_with(it)) && path.starts_with(&user.place);
        let read = user.read(&self.ground);
        let of_packages = |path: &&PathBuf| path.to_str().is_some_and(|it| it.contains("demo_"));
        // No source has what was edited.
        let found = read.keys().filter(is_one).filter(of_packages);
        let files: Vec<&PathBuf> = found.filter(|it| !self.edited.contains(*it)).collect();
        if files.is_empty() {
            return;
        }
        for _ in 0..=self.random.below(2) {
            let path: &Path = files[self.random.below(files.len())];
            self.log.push(format!("rm {}", path.display()));
            drop(std::fs::remove_file(path));
        }
    }

    /// Deletes a link by which uv knows that an entry is needed.
    fn lose_link(&mut self) {
        let tree = tree(&self.cache(), &[self.cache().join("archive-v0"), self.cache().join("venvs")]);
        let is_link =
            |path: &&PathBuf| path.is_symlink() && path.to_str().is_some_and(|it| it.contains("wheels-v"));
        let links: Vec<&PathBuf> =
            tree.keys().filter(is_link).filter(|it| !it.to_str().unwrap().contains("trash")).collect();
        if !links.is_empty() {
            let path: &Path = links[self.random.below(links.len())];
            self.log.push(format!("rm {}", path.display()));
            std::fs::remove_file(path).unwrap();
        }
    }

    /// The users of whom uv can change the environment.
    fn environments(&self) -> Vec<usize> {
        use std::os::unix::fs::MetadataExt as _;
        let own = |it: &User| {
            self.ground.owner == Owner::One || it.place.metadata().is_ok_and(|it| it.uid() == SOMEBODY)
        };
        let fits = |it: &User| {
            it.is_environment() && it.away.is_none() && !it.is_cached() && it.shape != Shape::Tool && own(it)
        };
        let works = |it: &User| it.imports(&self.ground).is_none();
        (0..self.users.len()).filter(|it| fits(&self.users[*it]) && works(&self.users[*it])).collect()
    }

    /// uv installs another version into an environment.
    fn upgrade(&mut self) {
        let environments = self.environments();
        if environments.is_empty() {
            return;
        }
        let number = *self.random.pick(&environments);
        let mode = *self.random.pick(modes());
        let user = &self.users[number];
        let (name, version) = user.imports[0];
        let other = VERSIONS[usize::from(version == VERSIONS[0])];
        let python = user.place.join("bin/python").display().to_string();
        self.say(format!("uv pip install --link-mode {mode} --python {python} {name}=={other}"));
        self.ground.install(mode, &["--python", &python], &[format!("{name}=={other}")]);
        self.users[number].imports[0].1 = other;
        self.undoable = None;
    }

    /// A wheel is built again, and installed.
    fn rebuild(&mut self) {
        let (name, version) = (*self.random.pick(&PACKAGES), *self.random.pick(&VERSIONS));
        let again = self.log.len().to_string();
        self.say(format!("{name} {version} is built again"));
        wheel(name, version, &again).save(&self.ground.sandbox.path("links"));
        self.add(false);
        self.undoable = None;
    }

    fn delete(&mut self) {
        if self.users.len() < 2 {
            return;
        }
        let number = self.random.below(self.users.len());
        if self.users[number].kept.is_some() {
            return;
        }
        let user = self.users.remove(number);
        self.say(format!("rm -rf {}", user.project.display()));
        self.undoable = None;
        drop(ran(Command::new("rm").arg("-rf").arg(&user.project)));
        // What it is a copy of goes too: uv has a record of it, and no user here stands for it.
        if let (Shape::LinkedCopy, Some(original)) = (user.shape, &user.also) {
            drop(ran(Command::new("rm").arg("-rf").arg(original)));
        }
    }

    /// The cache is put back from a backup, which knows of no links beyond it.
    fn back_up(&mut self) {
        let (cache, old) = (self.cache(), self.ground.sandbox.path("old-cache"));
        self.say("mv cache old-cache; cp -a old-cache cache; rm -r old-cache".to_owned());
        ran(Command::new("mv").args([&cache, &old]));
        ran(Command::new("cp").arg("-a").args([&old, &cache]));
        ran(Command::new("rm").arg("-rf").arg(&old));
        self.undoable = None;
    }

    /// Somebody edits a file of an environment, as editors do it: the cache keeps its own.
    fn edit(&mut self) {
        let user = &self.users[self.random.below(self.users.len())];
        if user.away.is_some() || matches!(user.shape, Shape::Link | Shape::PathFile) {
            return;
        }
        let own = |path: &&PathBuf| path.ends_with("deep/er/part.py") && path.starts_with(&user.place);
        let read = user.read(&self.ground);
        let files: Vec<&PathBuf> = read.keys().filter(own).collect();
        if files.is_empty() {
            return;
        }
        let path = files[self.random.below(files.len())];
        let new = path.with_file_name("new.py");
        ran(Command::new("cp").arg("-a").arg("--dereference").args([path, &new]));
        let text = std::fs::read_to_string(&new).unwrap() + "EDITED = True\n";
        std::fs::write(&new, text).unwrap();
        std::fs::rename(&new, path).unwrap();
        self.log.push(format!("edited {}", path.display()));
        self.edited.insert(path.clone());
    }

    /// A project is renamed.
    fn relocate(&mut self) {
        let fits = |it: &User| {
            it.kept.is_none()
                && !matches!(it.shape, Shape::Tool | Shape::InCache | Shape::Uvx | Shape::Script)
        };
        let some: Vec<usize> = (0..self.users.len()).filter(|it| fits(&self.users[*it])).collect();
        if some.is_empty() {
            return;
        }
        let number = *self.random.pick(&some);
        let user = &self.users[number];
        let new = self.ground.sandbox.roots().join(format!("renamed{}", self.log.len()));
        self.log.push(format!("mv {} {}", user.project.display(), new.display()));
        ran(Command::new("mv").args([&user.project, &new]));
        let user = &mut self.users[number];
        let inside = user.place.strip_prefix(&user.project).map(Path::to_owned);
        let inside = inside.unwrap_or_else(|_| ".venv".into());
        user.place = if inside.as_os_str().is_empty() { new.clone() } else { new.join(inside) };
        user.project = new;
    }

    /// A mount goes, or comes back.
    fn come_and_go(&mut self) {
        let Some(number) = (0..self.users.len()).find(|it| self.users[*it].kept.is_some()) else { return };
        if self.users[number].away.is_some() {
            return self.come_back(number);
        }
        let user = &mut self.users[number];
        user.away = Some(user.read(&self.ground));
        let text = format!("umount {}", user.project.display());
        ran(Command::new("umount").arg(&user.project));
        self.say(text);
    }

    fn come_back(&mut self, number: usize) {
        let user = &mut self.users[number];
        ran(Command::new("mount").arg("--bind").arg(user.kept.as_ref().unwrap()).arg(&user.project));
        let before = user.away.take().unwrap();
        let text = format!("mount {}", user.project.display());
        let wrong = differs(&before, &user.read(&self.ground), false);
        self.say(text);
        assert!(wrong.is_empty(), "while it was away: {}", wrong.join("\n"));
    }

    /// Everything is there again, and uv works.
    pub(super) fn end(&mut self) {
        for number in 0..self.users.len() {
            if self.users[number].away.is_some() {
                self.come_back(number);
            }
        }
        // An entry that is not whole, or to which too little leads, shows here.
        for version in VERSIONS {
            let target = self.ground.sandbox.path(format!("target{version}")).display().to_string();
            let wanted: Vec<String> = PACKAGES.iter().map(|name| format!("{name}=={version}")).collect();
            self.say(format!("uv pip install --target {target}"));
            self.ground.install("copy", &["--target", &target], &wanted);
        }
        self.upgrade();
        let reads = |farm: &Self| -> Vec<Read> {
            farm.users.iter().map(|it| farm.apart_from_the_cache(it)).collect()
        };
        for command in [&["cache", "prune", "--quiet"][..], &["cache", "clean", "--quiet"]] {
            let before = reads(self);
            self.say(format!("uv {}", command.join(" ")));
            ran(&mut self.ground.uv(command));
            let wrong: Vec<String> =
                before.iter().zip(reads(self)).flat_map(|(one, other)| differs(one, &other, false)).collect();
            assert!(wrong.is_empty(), "uv {}: {}", command.join(" "), wrong.join("\n"));
        }
    }

    /// What a user reads that does not lie in the cache.
    fn apart_from_the_cache(&self, user: &User) -> Read {
        let cache = self.cache();
        let apart = |path: &PathBuf| path.canonicalize().is_ok_and(|it| !it.starts_with(&cache));
        user.read(&self.ground).into_iter().filter(|(path, _)| apart(path)).collect()
    }
}
