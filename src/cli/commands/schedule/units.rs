//! The files that make a system run something regularly: units of systemd, an agent of launchd, a task of the Task Scheduler.
//!
//! The forms are those of `systemd.service(5)`, `systemd.timer(5)` and `systemd.syntax(7)` (systemd 252), `launchd.plist(5)`, and the
//! Task Scheduler's schema 1.2.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::cli::args::schedule::{Every, System};

/// What stands in each file that is made here, by which it is known again.
pub(super) const MARK: &str = "Written by `cachetui schedule install`.";

/// The name of the units and the task.
pub(super) const NAME: &str = "cachetui-gc";

/// The label of the agent.
const LABEL: &str = "dev.cachetui.gc";

/// What runs regularly.
#[derive(Clone, Debug)]
pub(super) struct Job {
    /// The program and its arguments.
    pub(super) command: Vec<String>,
    /// The variables that it needs.
    pub(super) variables: Vec<(String, String)>,
    pub(super) every: Every,
}

/// A file that is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct File {
    pub(super) path: PathBuf,
    /// The content, as text.
    pub(super) text: String,
    /// Whether it is written as UTF-16, as Windows wants it.
    wide: bool,
}

impl File {
    fn new(path: PathBuf, text: String) -> Self {
        Self { path, text, wide: false }
    }

    /// The content as it is written.
    pub(super) fn bytes(&self) -> Vec<u8> {
        if self.wide {
            std::iter::once(0xfeff).chain(self.text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
        } else {
            self.text.clone().into_bytes()
        }
    }
}

/// Where the files of a system go.
pub(super) struct Places<'a> {
    /// The user's home.
    pub(super) home: &'a Path,
    /// The user's directory of settings, as `~/.config`.
    pub(super) settings: &'a Path,
    /// cachetui's state directory.
    pub(super) state: &'a Path,
}

/// The paths of the files of a system.
pub(super) fn paths(system: System, places: &Places<'_>) -> Vec<PathBuf> {
    match system {
        System::Systemd => ["service", "timer"]
            .map(|kind| places.settings.join("systemd/user").join(format!("{NAME}.{kind}")))
            .to_vec(),
        System::Launchd => vec![places.home.join("Library/LaunchAgents").join(format!("{LABEL}.plist"))],
        System::TaskScheduler => vec![places.state.join(format!("{NAME}.xml"))],
    }
}

/// The files for a job.
pub(super) fn files(system: System, job: &Job, places: &Places<'_>) -> Vec<File> {
    let paths = paths(system, places);
    match (system, paths.as_slice()) {
        (System::Systemd, [service_path, timer_path]) => vec![
            File::new(service_path.clone(), service(job)),
            File::new(timer_path.clone(), timer(job.every)),
        ],
        (System::Launchd, [path]) => vec![File::new(path.clone(), agent(job))],
        (System::TaskScheduler, [path]) => vec![File { wide: true, ..File::new(path.clone(), task(job)) }],
        _ => Vec::new(),
    }
}

/// The commands that start it, once the files are there.
pub(super) fn start(system: System, paths: &[PathBuf]) -> Vec<Vec<String>> {
    let path = paths.first().map(|path| path.to_string_lossy().into_owned()).unwrap_or_default();
    match system {
        System::Systemd => {
            let timer = format!("{NAME}.timer");
            vec![
                words(&["systemctl", "--user", "daemon-reload"]),
                words(&["systemctl", "--user", "enable", "--now", &timer]),
            ]
        }
        // One that is there already is not read again; to unload what is not there does no harm.
        System::Launchd => {
            vec![words(&["launchctl", "unload", &path]), words(&["launchctl", "load", "-w", &path])]
        }
        System::TaskScheduler => vec![words(&["schtasks", "/Create", "/F", "/TN", NAME, "/XML", &path])],
    }
}

/// The commands that end it, before the files go; and those after.
pub(super) fn stop(system: System, paths: &[PathBuf]) -> (Vec<Vec<String>>, Vec<Vec<String>>) {
    let path = paths.first().map(|path| path.to_string_lossy().into_owned()).unwrap_or_default();
    match system {
        System::Systemd => {
            let timer = format!("{NAME}.timer");
            let reload = words(&["systemctl", "--user", "daemon-reload"]);
            (vec![words(&["systemctl", "--user", "disable", "--now", &timer])], vec![reload])
        }
        System::Launchd => (vec![words(&["launchctl", "unload", "-w", &path])], Vec::new()),
        System::TaskScheduler => (vec![words(&["schtasks", "/Delete", "/F", "/TN", NAME])], Vec::new()),
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn service(job: &Job) -> String {
    let command: Vec<String> = job.command.iter().map(|word| quoted(word, true)).collect();
    let mut text = format!(
        "# {MARK}\n[Unit]\nDescription=Keep the uv cache within its policy\n\n[Service]\nType=oneshot\n\
         ExecStart={}\n",
        command.join(" ")
    );
    for (name, value) in &job.variables {
        // Of a variable `$` means nothing.
        let _ = writeln!(text, "Environment={}", quoted(&format!("{name}={value}"), false));
    }
    // Another process that has the cache is no failure: the next run comes.
    text.push_str("SuccessExitStatus=11\nNice=10\nIOSchedulingClass=idle\n");
    text
}

/// A word as `systemd.syntax(7)` quotes it: specifiers and, in a command, variables are not meant.
fn quoted(word: &str, is_command: bool) -> String {
    let mut quoted = String::from("\"");
    for character in word.chars() {
        match character {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(character);
            }
            '%' => quoted.push_str("%%"),
            '$' if is_command => quoted.push_str("$$"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

fn timer(every: Every) -> String {
    let (calendar, delay) = match every {
        Every::Hour => ("hourly", "10min"),
        Every::Day => ("daily", "1h"),
        Every::Week => ("weekly", "1h"),
    };
    format!(
        "# {MARK}\n[Unit]\nDescription=Keep the uv cache within its policy, regularly\n\n[Timer]\nOnCalendar={calendar}\n\
         RandomizedDelaySec={delay}\nPersistent=true\n\n[Install]\nWantedBy=timers.target\n"
    )
}

/// Text in XML. What XML cannot have is left out.
fn xml(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\t' | '\n' => escaped.push(character),
            control if control.is_control() => {}
            other => escaped.push(other),
        }
    }
    escaped
}

fn agent(job: &Job) -> String {
    let seconds = match job.every {
        Every::Hour => 60 * 60,
        Every::Day => 24 * 60 * 60,
        Every::Week => 7 * 24 * 60 * 60,
    };
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n\
         <!-- {MARK} -->\n<plist version=\"1.0\">\n<dict>\n  <key>Label</key>\n  <string>{LABEL}</string>\n\
         \x20 <key>ProgramArguments</key>\n  <array>\n"
    );
    for word in &job.command {
        let _ = writeln!(text, "    <string>{}</string>", xml(word));
    }
    text.push_str("  </array>\n");
    if !job.variables.is_empty() {
        text.push_str("  <key>EnvironmentVariables</key>\n  <dict>\n");
        for (name, value) in &job.variables {
            let (name, value) = (xml(name), xml(value));
            let _ = writeln!(text, "    <key>{name}</key>\n    <string>{value}</string>");
        }
        text.push_str("  </dict>\n");
    }
    let _ = write!(
        text,
        "  <key>StartInterval</key>\n  <integer>{seconds}</integer>\n  <key>ProcessType</key>\n  <string>Background</string>\n\
         \x20 <key>LowPriorityIO</key>\n  <true/>\n</dict>\n</plist>\n"
    );
    text
}

fn task(job: &Job) -> String {
    let repetition = match job.every {
        Every::Hour => "PT1H",
        Every::Day => "P1D",
        Every::Week => "P7D",
    };
    let (program, arguments) =
        job.command.split_first().map(|(one, rest)| (one.as_str(), rest)).unwrap_or_default();
    let arguments: Vec<String> = arguments.iter().map(|word| windows_word(word)).collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-16\"?>\n\
         <Task version=\"1.2\" xmlns=\"http://schemas.microsoft.com/windows/2004/02/mit/task\">\n\
         \x20 <RegistrationInfo>\n    <Description>{MARK} Keeps the uv cache within its policy.</Description>\n  </RegistrationInfo>\n\
         \x20 <Triggers>\n    <TimeTrigger>\n      <Repetition>\n        <Interval>{repetition}</Interval>\n      </Repetition>\n\
         \x20     <StartBoundary>2026-01-01T12:00:00</StartBoundary>\n      <Enabled>true</Enabled>\n    </TimeTrigger>\n  </Triggers>\n\
         \x20 <Settings>\n    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>\n\
         \x20   <DisallowStartIfOnBatteries>true</DisallowStartIfOnBatteries>\n    <StartWhenAvailable>true</StartWhenAvailable>\n\
         \x20   <Priority>7</Priority>\n  </Settings>\n\
         \x20 <Actions Context=\"Author\">\n    <Exec>\n      <Command>{}</Command>\n      <Arguments>{}</Arguments>\n    </Exec>\n\
         \x20 </Actions>\n</Task>\n",
        xml(program),
        xml(&arguments.join(" "))
    )
}

/// A word of a Windows command line, as the C runtime splits it.
fn windows_word(word: &str) -> String {
    if !word.is_empty() && !word.contains([' ', '\t', '"']) {
        return word.to_owned();
    }
    let mut quoted = String::from("\"");
    let mut slashes = 0;
    for character in word.chars() {
        match character {
            '\\' => slashes += 1,
            '"' => {
                quoted.push_str(&"\\".repeat(2 * slashes + 1));
                slashes = 0;
                quoted.push('"');
            }
            other => {
                quoted.push_str(&"\\".repeat(slashes));
                slashes = 0;
                quoted.push(other);
            }
        }
    }
    quoted.push_str(&"\\".repeat(2 * slashes));
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_keep_their_meaning_in_every_form() {
        assert_eq!(quoted(r#"a b%c"d\e$f"#, true), r#""a b%%c\"d\\e$$f""#);
        assert_eq!(quoted("N=$x 5%", false), r#""N=$x 5%%""#);
        assert_eq!(xml("a<b>&\u{7}c"), "a&lt;b&gt;&amp;c");
        for (word, wanted) in [
            ("plain", "plain"),
            ("a b", "\"a b\""),
            (r"C:\a b\", r#""C:\a b\\""#),
            (r#"say "x""#, r#""say \"x\"""#),
            ("", "\"\""),
        ] {
            assert_eq!(windows_word(word), wanted, "{word}");
        }
    }

    #[test]
    fn the_file_of_a_task_is_wide() {
        let job = Job { command: vec!["c.exe".to_owned()], variables: Vec::new(), every: Every::Day };
        let places = Places { home: Path::new("h"), settings: Path::new("s"), state: Path::new("t") };
        let bytes = files(System::TaskScheduler, &job, &places)[0].bytes();
        assert_eq!(bytes[..4], [0xff, 0xfe, b'<', 0]);
    }
}
