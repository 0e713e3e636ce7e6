//! A state of cache and environments to which one can come back, and commands that are disturbed in the middle.

use std::path::{Path, PathBuf};
use std::process::Command;

use nix::errno::Errno;

use super::disk::Disk;
use super::world::World;
use crate::support::stepper::{Ended, Kind, Then, step};
use crate::support::uv::{Sandbox, ran};

/// How often a call is interrupted that is interrupted from then on. The kernel interrupts no call for ever, so that the
/// standard library and cachetui make an interrupted one again for as long as it takes: without an end neither would end.
/// It is far more than any loop that counts its attempts would bear.
const INTERRUPTIONS: usize = 1_000;

/// Whether everything is to be tried, and not a part that is spread over all of it.
pub(super) fn everything() -> bool {
    std::env::var_os("CACHETUI_FAULTS").is_some_and(|value| value == "all")
}

/// Of `count` things numbered from 1, `few` that are spread over all.
pub(super) fn spread(count: usize, few: usize, seed: &str) -> Vec<usize> {
    if count <= few {
        return (1..=count).collect();
    }
    // So that not all commands are disturbed in the same places.
    let shift: usize = seed.bytes().map(usize::from).sum();
    (0..few).map(|index| (index * count / few + shift % (count / few).max(1)) % count + 1).collect()
}

/// A directory with a cache and environments, and a copy of it to come back to.
pub(super) struct Stage {
    pub(super) sandbox: Sandbox,
    base: PathBuf,
    template: PathBuf,
    cache: PathBuf,
    /// The filesystem it lies on, where that is kept and brought back as a whole.
    disk: Option<Disk>,
}

impl Stage {
    /// An empty one.
    pub(super) fn new(directory: &Path) -> Option<Self> {
        let directory = directory.canonicalize().unwrap();
        let base = directory.join("base");
        std::fs::create_dir_all(&base).unwrap();
        let sandbox = Sandbox::new(&base)?;
        let cache = sandbox.cache();
        Some(Self { sandbox, base, template: directory.join("template"), cache, disk: None })
    }

    /// An empty one on a disk of its own.
    pub(super) fn on(disk: Disk) -> Option<Self> {
        let mut stage = Self::new(disk.path())?;
        stage.disk = Some(disk);
        Some(stage)
    }

    pub(super) fn disk(&self) -> &Disk {
        self.disk.as_ref().unwrap()
    }

    pub(super) fn cache(&self) -> &Path {
        &self.cache
    }

    /// Moves the cache, as somebody does who has too little room where it was.
    pub(super) fn move_cache(&mut self) {
        let moved = self.base.join("moved");
        std::fs::rename(&self.cache, &moved).unwrap();
        self.cache = moved;
    }

    /// Keeps everything as it is now.
    pub(super) fn keep(&self) {
        if let Some(disk) = &self.disk {
            return disk.keep();
        }
        ran(Command::new("rm").arg("-rf").arg(&self.template));
        ran(Command::new("cp").arg("-a").arg(&self.base).arg(&self.template));
    }

    /// Makes everything what it was when it was kept.
    pub(super) fn come_back(&self) {
        if let Some(disk) = &self.disk {
            return disk.insert("kept");
        }
        ran(Command::new("rm").arg("-rf").arg(&self.base));
        ran(Command::new("cp").arg("-a").arg(&self.template).arg(&self.base));
    }

    pub(super) fn world(&self) -> World {
        World::read(&self.base, &self.cache)
    }

    pub(super) fn cachetui(&self, arguments: &[String]) -> Command {
        let mut command = self.sandbox.command(env!("CARGO_BIN_EXE_cachetui"));
        command.args(arguments).arg("--no-remember");
        command.arg("--cache-dir").arg(&self.cache).arg("--root").arg(self.sandbox.roots());
        // A uv that `repair` calls is the one of the tests.
        let uv = self.uv(&[]);
        command.env("UV", uv.get_program()).env("UV_NO_PROGRESS", "1").env("UV_PYTHON_DOWNLOADS", "never");
        command.env("UV_LOCK_TIMEOUT", "5").env("UV_FIND_LINKS", self.sandbox.sources());
        command
    }

    pub(super) fn uv(&self, arguments: &[&str]) -> Command {
        let mut command = self.sandbox.uv(arguments);
        command.env("UV_CACHE_DIR", &self.cache);
        command
    }
}

/// A command on a stage.
pub(super) struct Case<'a> {
    pub(super) name: String,
    pub(super) stage: &'a Stage,
    pub(super) arguments: Vec<String>,
    /// What a person does when a disturbed run and a second one are over: each has to succeed.
    pub(super) finally: &'a [&'a [&'a str]],
    /// What real uv says to it.
    pub(super) uv: &'a dyn Fn(&Stage, &str),
}

/// Where a command leads.
pub(super) struct Ends {
    pub(super) after: World,
}

/// How often something was done.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    /// Calls at which one run was stopped and looked at.
    pub(super) stops: usize,
    /// Runs that were killed, or in which calls failed.
    pub(super) runs: usize,
    /// How often real uv was asked.
    pub(super) asked: usize,
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.stops += other.stops;
        self.runs += other.runs;
        self.asked += other.asked;
    }
}

impl Tally {
    #[expect(
        clippy::print_stderr,
        reason = "how much was tried is worth knowing; the harness shows it on demand"
    )]
    pub(super) fn tell(self, what: &str) {
        let Self { stops, runs, asked } = self;
        eprintln!("{what}: looked at {stops} stops, {runs} runs disturbed, uv asked {asked} times");
    }
}

/// That there is nothing of a kind; else an error that lists it.
pub(super) fn none_of(found: &[String], when: impl Fn() -> String) -> Result<(), String> {
    if found.is_empty() { Ok(()) } else { Err(format!("{}\n{}", when(), found.join("\n"))) }
}

impl Case<'_> {
    pub(super) fn command(&self) -> Command {
        self.stage.cachetui(&self.arguments)
    }

    fn finally(&self, when: &str) {
        for arguments in self.finally {
            let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
            let output = self.stage.cachetui(&arguments).output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{when}: {arguments:?}: {said}");
        }
    }

    /// Runs it undisturbed.
    pub(super) fn ends(&self) -> Ends {
        self.stage.come_back();
        ran(&mut self.command());
        self.finally(&self.name);
        let after = self.stage.world();
        (self.uv)(self.stage, &self.name);
        Ends { after }
    }

    /// What has to hold whenever one looks.
    pub(super) fn holds(&self, before: &World, ends: &Ends, when: &str) -> Result<(), String> {
        none_of(&self.stage.world().strays(before, &ends.after), || when.to_owned())
    }

    /// Runs it once, and looks around before each call that changes something. Answers how many there are.
    pub(super) fn watch(&self, ends: &Ends) -> usize {
        self.stage.come_back();
        let before = self.stage.world();
        let ended = step(&mut self.command(), &[Kind::Change], &mut |stop| {
            let when = format!("{}: before call {}, {}", self.name, stop.number, stop.call);
            self.holds(&before, ends, &when).unwrap_or_else(|error| panic!("{error}"));
            Then::Go
        });
        assert_eq!(ended.code, Some(0), "{}: {}", self.name, ended.said());
        ended.stops
    }

    /// Runs it again and again, and kills it before calls that change something: `few` of them, or all. Each time everything is
    /// whole, and a second run ends where an undisturbed one does.
    pub(super) fn kills(&self, few: usize) -> Tally {
        let ends = self.ends();
        let mut tally = Tally { stops: self.watch(&ends), ..Tally::default() };
        let few = if everything() { tally.stops } else { few };
        for number in spread(tally.stops, few, &self.name) {
            self.stage.come_back();
            let before = self.stage.world();
            let mut call = "none";
            let ended = step(&mut self.command(), &[Kind::Change], &mut |stop| {
                if stop.number == number {
                    call = stop.call;
                    Then::Kill
                } else {
                    Then::Go
                }
            });
            // Of some calls there are a few more or less in each run.
            if ended.code.is_some() {
                continue;
            }
            tally.runs += 1;
            let when = format!("{}: killed before call {number}, {call}", self.name);
            let ask = tally.runs % 5 == 1;
            tally.asked += usize::from(ask);
            let held = self.holds(&before, &ends, &when).and_then(|()| self.again(&ends, &when));
            held.unwrap_or_else(|error| panic!("{error}"));
            if ask {
                (self.uv)(self.stage, &when);
            }
        }
        if tally.runs == 0 {
            self.stage.come_back();
            let said = crate::support::text(&self.command().output().unwrap());
            panic!("{}: nothing was killed before one of {} calls: {said}", self.name, tally.stops);
        }
        tally
    }

    /// A second run ends where an undisturbed one does.
    pub(super) fn again(&self, ends: &Ends, when: &str) -> Result<(), String> {
        let output = self.command().output().unwrap();
        let said = crate::support::text(&output);
        if !matches!(output.status.code(), Some(0 | 1)) {
            return Err(format!("{when}, then again: {said}"));
        }
        self.finally(when);
        let world = self.stage.world();
        let mut differences = world.differences(&ends.after);
        // An empty directory is no trash; whoever prunes next, uv too, removes it.
        differences.retain(|it| !(it.contains(".cachetui-trash") && world.has_empty_trash()));
        none_of(&differences, || format!("{when}, then again: {said}"))
    }

    /// Runs it, and lets a call fail, and all of its kind that follow where that is said. Answers what came of it, and the
    /// call; nothing where there are fewer calls.
    pub(super) fn failing(
        &self,
        kinds: &[Kind],
        number: usize,
        errno: Errno,
        sticky: bool,
    ) -> Option<(Ended, &'static str)> {
        let (mut failed, mut times) = (None, 0);
        let ended = step(&mut self.command(), kinds, &mut |stop| {
            let ends = errno == Errno::EINTR && times >= INTERRUPTIONS;
            let again = sticky && failed == Some(stop.call) && !ends;
            if stop.number == number || again {
                failed = Some(stop.call);
                times += 1;
                Then::Fail(errno)
            } else {
                Then::Go
            }
        });
        Some((ended, failed?))
    }
}
