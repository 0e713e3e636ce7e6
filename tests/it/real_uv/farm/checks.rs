//! What is looked at around a command of cachetui: what users read, what is promised, and what must not have changed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use super::ground::{Owner, Who};
use super::look::{Tree, changes, dangling, differs, du, entries, tree};
use super::users::{Shape, User};
use super::{Farm, Kind, Read};
use crate::support::uv::SOMEBODY;

/// What a command of cachetui may change.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Changes {
    Cache,
    /// How files of environments are linked.
    Links,
    /// And which are there.
    Files,
}

/// What is known before a command.
struct Before {
    reads: Vec<Option<Read>>,
    works: Vec<bool>,
    around: Tree,
    cache: Tree,
    home: Tree,
    dangling: BTreeSet<PathBuf>,
    blocks: u64,
}

/// What a command answered.
pub(super) struct Answer {
    pub(super) code: i32,
    pub(super) json: Value,
    pub(super) text: String,
}

impl Answer {
    pub(super) fn new(output: &Output) -> Self {
        let values = serde_json::Deserializer::from_slice(&output.stdout).into_iter::<Value>();
        let mut json = Value::Null;
        for value in values.flatten() {
            match (&mut json, value) {
                (Value::Object(all), Value::Object(more)) => all.extend(more),
                (_, value) => json = value,
            }
        }
        let text = format!("{} {}", output.status, String::from_utf8_lossy(&output.stderr));
        Self { code: output.status.code().unwrap_or(-1), json, text }
    }

    fn outcomes(&self) -> Vec<&Value> {
        let lists = [&self.json["report"]["outcomes"], &self.json["restored"]];
        lists.iter().filter_map(|it| it.as_array()).flatten().collect()
    }

    /// Whether the plan removes an entry: a cached environment goes too when its name is asked for.
    fn names(&self, entry: &Path) -> bool {
        let steps = self.json["plan"]["steps"].as_array();
        steps.into_iter().flatten().any(|it| it["path"].as_str().is_some_and(|it| entry.ends_with(it)))
    }

    /// The exit code says what the report says.
    fn is_true(&self) -> bool {
        let done = self.outcomes().iter().all(|it| it["state"].as_str().is_none_or(|it| it == "done"));
        match self.code {
            0 => done && self.json.is_object() && self.json["error"].is_null(),
            1 | 3 => {
                !done || !self.json["error"].is_null() || self.text.lines().count() > 1 || self.code == 3
            }
            _ => false,
        }
    }
}

impl Farm {
    pub(super) fn command(&mut self, who: Who, arguments: &[&str]) -> Command {
        let sandbox = &self.ground.sandbox;
        let mut command = sandbox.command(env!("CARGO_BIN_EXE_cachetui"));
        command.args(arguments).arg("--json").arg("--cache-dir").arg(sandbox.cache());
        command.arg("--root").arg(sandbox.roots()).arg("--cross-mounts");
        if !self.remembers {
            command.arg("--no-remember");
        }
        if who == Who::Root && self.own_home {
            let home = sandbox.path("tmp/root");
            std::fs::create_dir_all(&home).unwrap();
            command.env("HOME", &home).env("XDG_STATE_HOME", home.join("state"));
        }
        self.ground.by(who, command)
    }

    /// What is not around: what a command may change.
    fn apart(&self, changes: Changes) -> Vec<PathBuf> {
        let base = self.ground.base();
        let mut apart: Vec<PathBuf> = ["cache", "home/state", "tmp"].map(|it| base.join(it)).to_vec();
        if changes != Changes::Cache {
            apart.extend(self.users.iter().flat_map(|it| {
                let real = it.place.canonicalize().ok();
                [Some(it.place.clone()), real, it.also.clone(), it.kept.clone()].into_iter().flatten()
            }));
        }
        apart
    }

    fn before(&mut self, changes: Changes) -> Before {
        self.known.extend(entries(&self.cache()));
        let there = |it: &&User| it.away.is_none();
        let ground = &self.ground;
        Before {
            reads: self.users.iter().map(|it| it.away.is_none().then(|| it.read(ground))).collect(),
            works: self.users.iter().map(|it| there(&it) && it.imports(ground).is_none()).collect(),
            around: tree(&ground.base(), &self.apart(changes)),
            cache: tree(&self.cache(), &[]),
            home: tree(&ground.sandbox.path("home"), &[]),
            dangling: dangling(&self.cache(), &self.known),
            blocks: self.blocks(),
        }
    }

    /// The allocated bytes of the cache and of everything that may be an environment. Of an overlay only the layer on top
    /// can give anything back.
    fn blocks(&self) -> u64 {
        let base = self.ground.layer().unwrap_or_else(|| self.ground.base());
        let items = std::fs::read_dir(&base).unwrap().flatten();
        let of_farm =
            |it: &std::fs::DirEntry| !["home", "tmp", "links"].iter().any(|name| it.file_name() == *name);
        let mut tops: Vec<PathBuf> = items.filter(of_farm).map(|it| it.path()).collect();
        tops.push(base.join("home/data"));
        du(&tops)
    }

    /// Runs a command of cachetui, and looks at what came of it.
    pub(super) fn cachetui(&mut self, arguments: &[&str], what: Changes) -> Answer {
        let who = if self.random.once_in(2) { Who::Root } else { Who::Owner };
        let mut before = self.before(what);
        let locked = self.lock_up(who);
        // Other permissions of a directory in a lower layer copy it into the upper one.
        before.blocks = self.blocks();
        let mut command = self.command(who, arguments);
        let output = command.output().unwrap();
        if let Some((path, mode)) = &locked {
            std::fs::set_permissions(path, mode.clone()).unwrap();
        }
        let answer = Answer::new(&output);
        let locked = locked.map(|it| it.0);
        self.say(format!("{who:?}: {} -> {}; locked up: {locked:?}", arguments.join(" "), answer.text));
        assert!(answer.is_true(), "{arguments:?}: {} {:#}", answer.text, answer.json);
        self.after(&before, what, arguments, &answer);
        answer
    }

    /// Makes the project of some user unreadable for who is not root.
    fn lock_up(&mut self, who: Who) -> Option<(PathBuf, std::fs::Permissions)> {
        if self.ground.owner == Owner::One
            || who == Who::Root
            || !self.random.once_in(4)
            || self.users.is_empty()
        {
            return None;
        }
        let user = self.random.pick(&self.users);
        let path = user.project.clone();
        if !path.is_dir() || path.is_symlink() || user.shape == Shape::Tool || user.is_in_cache(&self.ground)
        {
            return None;
        }
        let mode = path.metadata().unwrap().permissions();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o000)).unwrap();
        Some((path, mode))
    }

    fn after(&mut self, before: &Before, what: Changes, arguments: &[&str], answer: &Answer) {
        let limit = |it: &&str| ["--max-size", "--keep-free", "--cached-environments"].contains(it);
        let drops = arguments.iter().any(limit) || arguments.contains(&"apply");
        let mut wrong = Vec::new();
        let mut gone = Vec::new();
        for (number, user) in self.users.iter().enumerate() {
            let named = answer.names(&user.place);
            if (drops || named) && user.is_cached() && !user.place.exists() {
                gone.push(number);
                continue;
            }
            let Some(read) = &before.reads[number] else { continue };
            wrong.extend(differs(read, &user.read(&self.ground), what == Changes::Files));
            if before.works[number] {
                wrong.extend(user.imports(&self.ground));
            }
        }
        let inodes = !matches!(self.ground.kind, Kind::Image | Kind::Overlay);
        let around = tree(&self.ground.base(), &self.apart(what));
        wrong.extend(changes(&before.around, &around, inodes));
        let dangles = dangling(&self.cache(), &self.known);
        wrong.extend(dangles.difference(&before.dangling).map(|it| format!("{} dangles", it.display())));
        wrong.extend(self.strangers(before));
        for number in gone.into_iter().rev() {
            self.users.remove(number);
        }
        assert!(wrong.is_empty(), "{arguments:?}: {}\n{}\n{:#}", answer.text, wrong.join("\n"), answer.json);
        self.promised(before, arguments, answer);
    }

    /// What is new and belongs to another user than the directory it is in.
    fn strangers(&self, before: &Before) -> Vec<String> {
        if self.ground.owner == Owner::One {
            return Vec::new();
        }
        let home = tree(&self.ground.sandbox.path("home"), &[]);
        let cache = tree(&self.cache(), &[]);
        let both = [(&before.cache, cache), (&before.home, home)];
        let mut strange = Vec::new();
        for (before, after) in both {
            let new =
                after.iter().filter(|(path, node)| before.get(*path).is_none_or(|it| it.owner != node.owner));
            let odd = new.filter(|(_, node)| node.owner != (SOMEBODY, SOMEBODY));
            strange.extend(odd.map(|(path, node)| format!("{} belongs to {:?}", path.display(), node.owner)));
        }
        strange
    }

    /// As many bytes are free as the report says, where blocks can tell.
    fn promised(&self, before: &Before, arguments: &[&str], answer: &Answer) {
        let freed = [&answer.json["report"]["freed"], &answer.json["freed"]];
        let Some(freed) = freed.into_iter().find(|it| it.is_object()) else { return };
        let kept = answer.json["report"]["trash"].is_object();
        if answer.code != 0 || kept || arguments[0] == "repair" || !self.ground.counts_blocks() {
            return;
        }
        let predicted = freed["predicted"].as_i64().unwrap();
        let moved = i64::try_from(before.blocks).unwrap() - i64::try_from(self.blocks()).unwrap();
        // The directory of the trash stays when it was made by this command.
        let trash = self.cache().join(".cachetui-trash");
        let made = trash.exists() && !before.cache.contains_key(&trash);
        let needed = answer.json["plan"]["totals"]["bytes"]["needed"].as_i64().unwrap_or(0);
        let least = moved + if made { 4096 } else { 0 } >= predicted;
        let holds = match answer.json["plan"]["totals"]["bytes"]["certainty"].as_str() {
            // What several distributions list may be given up for more than one of them, never promised so.
            Some("exact") => least && (moved <= predicted || arguments[0] == "relink"),
            // What is taken is a bound too: it may be less.
            Some("at-most") => moved <= predicted + needed,
            Some("unknown") => true,
            _ => least,
        };
        assert!(
            holds,
            "{arguments:?}: {moved} bytes became free, and {predicted} were promised: {:#}",
            answer.json
        );
        // Nothing else writes to a filesystem of the farm's own, but the journal that tells of it.
        if let (true, Some(measured)) = (self.ground.is_its_own(), freed["measured"].as_i64()) {
            // How another filesystem keeps symlinks is not known: what they take is a bound.
            let bound =
                if answer.json["plan"]["totals"]["bytes"]["certainty"] == "exact" { 0 } else { needed };
            let near = measured >= predicted - (1 << 16) && measured <= predicted + bound + (1 << 16);
            assert!(
                near,
                "{arguments:?}: measured {measured}, and {predicted} were promised: {:#}",
                answer.json
            );
        }
    }
}
