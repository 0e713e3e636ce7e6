//! `kill -9` at any moment leaves every file whole, and the next run finishes the work.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use cachetui::linker::Expect;
use cachetui::snapshot::Mode;

use super::{child, request, run, temporaries, write};

/// Under Wine everything takes a hundred times as long.
const FILES: usize = if cfg!(windows) { 300 } else { 5_000 };

/// Two entries with the same names, and an environment that holds one of them.
struct Scene {
    directory: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        // In memory where that is possible: a kill loses nothing that was written, on whatever filesystem.
        let memory = Path::new("/dev/shm");
        let directory = tempfile::tempdir_in(memory).or_else(|_| tempfile::tempdir()).unwrap();
        let scene = Self { directory };
        for side in 0..2 {
            for number in 0..FILES {
                write(&scene.entry(side).join(path(number)), &text(side, number), 0o644);
            }
        }
        std::fs::create_dir(scene.root()).unwrap();
        scene
    }

    fn entry(&self, side: usize) -> PathBuf {
        self.directory.path().join(format!("cache/archive-v0/Side{side}"))
    }

    fn root(&self) -> PathBuf {
        self.directory.path().join("environment")
    }

    /// How many files are those of each side; each must be whole.
    fn sides(&self) -> [usize; 2] {
        let mut sides = [0; 2];
        for number in 0..FILES {
            let path = self.root().join(path(number));
            let found = std::fs::read_to_string(&path).unwrap();
            let side = (0..2).find(|side| found == text(*side, number));
            sides[side.unwrap_or_else(|| panic!("`{}` is torn: {found:?}", path.display()))] += 1;
        }
        sides
    }

    /// Starts a child that links one side over what is there, and waits until it begins.
    fn start(&self, side: usize, mode: Mode) -> (Child, BufReader<std::process::ChildStdout>) {
        let mut command = child::command(&[], &self.entry(side), &self.root(), mode);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        wait_for(&mut output, child::READY);
        (child, output)
    }
}

fn wait_for(output: &mut impl std::io::BufRead, line: &str) {
    assert!(output.lines().any(|it| it.unwrap() == line), "the child says `{line}`");
}

fn path(number: usize) -> String {
    format!("package{}/module{number}.py", number % 50)
}

fn text(side: usize, number: usize) -> String {
    format!("side {side} of {number}\n").repeat(1 + (number * (side + 3)) % 17)
}

fn kills(mode: Mode, rounds: usize) {
    let scene = Scene::new();
    run(&request(&scene.entry(0), &scene.root(), mode, Expect::Absent));
    let (mut child, mut output) = scene.start(1, mode);
    let begun = Instant::now();
    wait_for(&mut output, child::DONE);
    let whole = begun.elapsed();
    assert!(child.wait().unwrap().success());
    assert_eq!(scene.sides(), [0, FILES]);

    let mut cut_short = 0;
    for round in 0..rounds {
        let side = round % 2;
        let (mut child, _output) = scene.start(side, mode);
        // The moment is meant to be any.
        let random = RandomState::new().build_hasher().finish();
        std::thread::sleep(Duration::from_nanos(random % u64::try_from(whole.as_nanos()).unwrap()));
        child.kill().unwrap();
        let killed = !child.wait().unwrap().success();
        let sides = scene.sides();
        let left = temporaries(&scene.root()).len();
        cut_short += usize::from(killed && (left > 0 || (sides[0] > 0 && sides[1] > 0)));
        if round % 10 == 9 || round + 1 == rounds {
            let report = run(&request(&scene.entry(side), &scene.root(), mode, Expect::NoDirectory));
            assert!(report.is_complete(), "{report:#?}");
            assert_eq!(report.swept, left as u64);
            assert_eq!(scene.sides()[side], FILES);
            assert_eq!(temporaries(&scene.root()), Vec::<PathBuf>::new());
        }
    }
    // There are too few of them on Windows to count on it.
    assert!(cfg!(windows) || cut_short > 0, "at least one of {rounds} kills hits the work in the middle");
    for side in 0..2 {
        for number in (0..FILES).step_by(97) {
            let source = std::fs::read_to_string(scene.entry(side).join(path(number))).unwrap();
            assert_eq!(source, text(side, number), "the cache is as it was");
        }
    }
}

#[test]
fn a_kill_while_copying_leaves_every_file_whole() {
    kills(Mode::Copy, if cfg!(windows) { 12 } else { 70 });
}

#[test]
fn a_kill_while_hardlinking_leaves_every_file_whole() {
    kills(Mode::Hardlink, if cfg!(windows) { 12 } else { 65 });
}

#[cfg(unix)]
#[test]
fn a_kill_while_symlinking_leaves_every_file_whole() {
    kills(Mode::Symlink, 65);
}
