//! Another process: this test binary, told by variables to run [`child`] alone.
//!
//! It says `>> ` and a word on its standard output for each thing it has done, and reads lines that tell it what to do
//! next; it ends when there are no more.

#[cfg(target_os = "linux")]
use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child as Process, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use cachetui::control::Cancel;
use cachetui::lock::{
    CacheExclusive, CacheShared, Directory, EnvironmentExclusive, HoldsCache as _, Patience, Refused, Share,
    Sharing, Sign, Waiting, sweep,
};

/// A running child.
pub(crate) struct Child {
    process: Process,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

/// The command that runs a child with a job, on some path.
pub(crate) fn command(job: &str, path: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "lock::child::child", "--ignored", "--nocapture", "--test-threads=1"]);
    command.env("CACHETUI_TEST_JOB", job).env("CACHETUI_TEST_PATH", path);
    command
}

impl Child {
    /// Starts a job on a path.
    pub(super) fn start(job: &str, path: &Path) -> Self {
        Self::run(&mut command(job, path))
    }

    /// Starts a command that runs a child in the end.
    pub(crate) fn run(command: &mut Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let (input, output) = (process.stdin.take(), process.stdout.take().unwrap());
        Self { process, input, output: BufReader::new(output) }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Ends it without its having a say, and waits until it is gone.
    pub(crate) fn kill(mut self) {
        self.process.kill().unwrap();
    }

    /// The next word the child says.
    pub(crate) fn says(&mut self) -> String {
        let mut line = String::new();
        loop {
            line.clear();
            let length = self.output.read_line(&mut line).unwrap();
            assert!(length > 0, "the child ended before it said anything");
            // The test harness may have begun the line.
            if let Some((_, word)) = line.split_once(">> ") {
                return word.trim_end().to_owned();
            }
        }
    }

    /// Tells the child a line.
    pub(super) fn tell(&mut self, line: &str) {
        writeln!(self.input.as_mut().unwrap(), "{line}").unwrap();
    }

    /// Tells the child a line, and answers what it says.
    #[cfg(unix)]
    pub(super) fn ask(&mut self, line: &str) -> String {
        self.tell(line);
        self.says()
    }

    /// Lets the child end, which has to succeed.
    pub(crate) fn end(mut self) {
        drop(self.input.take());
        let mut rest = String::new();
        while self.output.read_line(&mut rest).unwrap() > 0 {}
        assert!(self.process.wait().unwrap().success(), "{rest}");
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        drop(self.input.take());
        // A test that failed leaves nobody behind.
        if std::thread::panicking() {
            self.process.kill().ok();
        }
        self.process.wait().ok();
    }
}

fn say(word: impl std::fmt::Display) {
    let mut output = std::io::stdout().lock();
    writeln!(output, ">> {word}").unwrap();
    output.flush().unwrap();
}

/// Waits for the next line; `None` at the end.
fn told() -> Option<String> {
    let mut line = String::new();
    (std::io::stdin().lock().read_line(&mut line).unwrap() > 0).then(|| line.trim().to_owned())
}

#[expect(clippy::print_stdout, reason = "this is how a child speaks")]
fn variable(name: &str) -> String {
    println!();
    std::env::var(name).unwrap()
}

/// Runs `work` with much patience and short pauses.
pub(super) fn patiently<T>(work: impl Fn(&Waiting<'_>) -> Result<T, Refused>) -> Result<T, Refused> {
    let cancel = Cancel::default();
    let pause = |pause: Duration| std::thread::sleep(pause.min(Duration::from_millis(5)));
    work(&Waiting::For(Patience {
        timeout: Duration::from_secs(120),
        clock: &Instant::now,
        sleep: &pause,
        cancel: &cancel,
        on_wait: &|_| {},
    }))
}

/// The word for an answer.
fn word<T>(answer: &Result<T, Refused>) -> String {
    match answer {
        Ok(_) => "held".to_owned(),
        Err(Refused::Busy { holders, .. }) => {
            let pids: Vec<String> = holders.iter().map(|it| it.pid.to_string()).collect();
            format!("busy {}", pids.join(" "))
        }
        Err(Refused::TimedOut { .. }) => "timed out".to_owned(),
        Err(Refused::Cancelled { .. }) => "cancelled".to_owned(),
        Err(Refused::Denied { .. }) => "denied".to_owned(),
        Err(Refused::Unsupported { .. }) => "unsupported".to_owned(),
        Err(Refused::Vanished { .. }) => "vanished".to_owned(),
        Err(other) => format!("{other:?}"),
    }
}

#[test]
#[ignore = "runs in the child processes of other tests"]
fn child() {
    let job = variable("CACHETUI_TEST_JOB");
    let path = std::path::PathBuf::from(std::env::var_os("CACHETUI_TEST_PATH").unwrap());
    let never = Waiting::Never;
    match job.as_str() {
        "shared" => {
            let held = CacheShared::acquire(&path, None, &never);
            say(word(&held));
            while told().is_some() {
                say(held.as_ref().unwrap().still_valid());
            }
        }
        "exclusive" => {
            let held = CacheExclusive::acquire(&path, None, &never);
            say(word(&held));
            while told().is_some() {
                say(held.as_ref().unwrap().still_valid());
            }
        }
        "patient" => {
            let held = patiently(|waiting| CacheExclusive::acquire(&path, None, waiting));
            say(word(&held));
        }
        "environment" => {
            let cache = CacheShared::acquire(&path.join("cache"), None, &never).unwrap();
            let root = path.join("roots/app/.venv");
            let held = EnvironmentExclusive::acquire(&root, Sign::PyvenvCfg, &cache, None, &never);
            say(word(&held));
            while told().is_some() {
                say(held.as_ref().unwrap().still_valid());
            }
        }
        "count" => {
            let rounds: usize = std::env::var("CACHETUI_TEST_ROUNDS").unwrap().parse().unwrap();
            say("ready");
            told().unwrap();
            for _ in 0..rounds {
                let cache = path.join("cache");
                let held = patiently(|waiting| CacheExclusive::acquire(&cache, None, waiting)).unwrap();
                increment(&path);
                assert!(held.still_valid());
            }
            say("done");
        }
        "own" => {
            let directory = Directory::open(&path.join("locks"), Sharing::Named).unwrap();
            let rounds: usize = std::env::var("CACHETUI_TEST_ROUNDS").unwrap().parse().unwrap();
            say("ready");
            told().unwrap();
            for _ in 0..rounds {
                let acquire = |waiting: &Waiting<'_>| directory.acquire(&path, Share::Exclusive, waiting);
                let held = patiently(acquire).unwrap();
                increment(&path);
                assert!(held.still_valid(), "a lock that is held is never removed");
            }
            say("done");
        }
        "sweep" => {
            let directory = Directory::open(&path.join("locks"), Sharing::Named).unwrap();
            let file = [directory.file_of(&path)];
            say("ready");
            told().unwrap();
            let mut removed = 0;
            while !path.join("stop").exists() {
                let swept = sweep::sweep(&directory, &file);
                assert!(swept.failed.is_empty(), "{:?}", swept.failed);
                removed += swept.removed.len();
            }
            say(removed);
        }
        other => panic!("no such job: {other}"),
    }
}

/// Adds one to the number in a file, in steps between which another process would be noticed.
fn increment(path: &Path) {
    let claim = path.join("claim");
    let options = std::fs::OpenOptions::new().write(true).create_new(true).open(&claim);
    drop(options.expect("nobody else is here"));
    let counter = path.join("counter");
    let before: u64 = std::fs::read_to_string(&counter).unwrap().parse().unwrap();
    std::thread::yield_now();
    std::fs::write(&counter, (before + 1).to_string()).unwrap();
    std::fs::remove_file(&claim).unwrap();
}

/// A child that runs as another user, for root; `None` where that is not possible.
#[cfg(target_os = "linux")]
pub(super) fn as_nobody(command: &Command) -> Option<Command> {
    let able = Command::new("setpriv").args(["--reuid", "65534", "--clear-groups", "true"]).status();
    if !rustix::process::geteuid().is_root() || !able.is_ok_and(|status| status.success()) {
        return None;
    }
    let mut other = Command::new("setpriv");
    other.args(["--reuid", "65534", "--clear-groups"]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        other.env(name, value.unwrap_or(OsStr::new("")));
    }
    Some(other)
}
