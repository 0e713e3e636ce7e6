//! A program in a pseudo-terminal: keys go in, a screen comes out, and every byte is kept.
//!
//! Nothing here sleeps: whoever waits, waits for the screen to show something, or for the program to end.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::io::{Read as _, Write};
use std::num::NonZeroU16;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use portable_pty::{ChildKiller, CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};
use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Signal};
use rustix::termios::{LocalModes, tcgetattr};

/// How long anything may take before a test gives up; many times what it takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long somebody who waits for output waits before looking whether the program is there.
#[cfg(target_os = "linux")]
const GLANCE: Duration = Duration::from_millis(100);

const BEGIN_FRAME: &[u8] = b"\x1b[?2026h";
const END_FRAME: &[u8] = b"\x1b[?2026l";

/// What to start.
pub(crate) struct Start<'a> {
    /// The program.
    pub program: &'a OsStr,
    /// Its arguments.
    pub arguments: Vec<&'a OsStr>,
    /// Its home directory, which is also its current one; XDG directories lie in it.
    pub home: &'a Path,
    /// Variables beyond the few that every program gets.
    pub variables: &'a [(&'a str, &'a str)],
    /// Columns and rows.
    pub size: (u16, u16),
}

/// A program in a pseudo-terminal.
pub(crate) struct Session {
    master: Box<dyn MasterPty + Send>,
    writer: Box<dyn Write + Send>,
    killer: Box<dyn ChildKiller + Send + Sync>,
    process: u32,
    output: Receiver<Vec<u8>>,
    ended: Receiver<ExitStatus>,
    /// How it ended, once that has been seen.
    status: Option<ExitStatus>,
    /// The other end of the terminal, kept so that its settings can be asked for after the program's end.
    terminal: Option<OwnedFd>,
    parser: vt100::Parser,
    raw: Vec<u8>,
    started: Instant,
}

/// How a program ended, and how it left the terminal.
pub(crate) struct End {
    /// The exit code.
    pub code: u32,
    /// The signal that ended it, if it did not catch it.
    pub signal: Option<String>,
    /// Whether the terminal echoes what is typed and waits for whole lines again.
    pub cooked: bool,
    /// Everything the program wrote.
    pub raw: Vec<u8>,
    /// The screen it left.
    pub screen: vt100::Screen,
}

impl Session {
    /// Starts a program.
    pub(crate) fn start(start: &Start<'_>) -> Self {
        let (columns, rows) = start.size;
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let name = pair.master.tty_name().expect("the terminal has a name");
        let terminal = rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
        let mut command = CommandBuilder::new(start.program);
        command.args(&start.arguments);
        command.env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", start.home);
        for (variable, directory) in
            [("XDG_STATE_HOME", "state"), ("XDG_CONFIG_HOME", "config"), ("XDG_DATA_HOME", "data")]
        {
            command.env(variable, start.home.join(directory));
        }
        command.env("TERM", "xterm-256color");
        command.env("LANG", "C.UTF-8");
        for (name, value) in start.variables {
            command.env(name, value);
        }
        command.cwd(start.home);
        let started = Instant::now();
        let mut child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let (killer, process) = (child.clone_killer(), child.process_id().expect("it runs"));
        let (sender, ended) = mpsc::channel();
        std::thread::spawn(move || sender.send(child.wait().unwrap()));
        let mut reader = pair.master.try_clone_reader().unwrap();
        let (sender, output) = mpsc::channel();
        std::thread::spawn(move || {
            let mut buffer = vec![0; 1 << 16];
            // Reading fails when the last program that has the terminal is gone.
            while let Ok(read @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..read].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self {
            writer: pair.master.take_writer().unwrap(),
            master: pair.master,
            killer,
            process,
            output,
            ended,
            status: None,
            terminal: Some(terminal),
            parser: vt100::Parser::new(nonzero(rows), nonzero(columns), 0),
            raw: Vec::new(),
            started,
        }
    }

    /// Types.
    pub(crate) fn send(&mut self, keys: &str) {
        self.writer.write_all(keys.as_bytes()).unwrap();
        self.writer.flush().unwrap();
    }

    /// Sends a signal to the program alone.
    pub(crate) fn signal(&self, signal: Signal) {
        let process = Pid::from_raw(i32::try_from(self.process).unwrap()).unwrap();
        rustix::process::kill_process(process, signal).unwrap();
    }

    /// Gives the terminal another size.
    pub(crate) fn resize(&mut self, columns: u16, rows: u16) {
        self.parser.screen_mut().set_size(nonzero(rows), nonzero(columns));
        self.master.resize(PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }).unwrap();
    }

    /// Tells the program of another size, which the screen here does not take.
    #[cfg(target_os = "linux")]
    pub(crate) fn resize_told(&mut self, columns: u16, rows: u16) {
        self.master.resize(PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }).unwrap();
    }

    /// The terminal's columns and rows.
    #[cfg(target_os = "linux")]
    pub(crate) fn size(&self) -> (u16, u16) {
        let (rows, columns) = self.parser.screen().size();
        (columns.get(), rows.get())
    }

    /// Waits until the screen, between two frames, is as `wanted` says.
    pub(crate) fn wait(&mut self, what: &str, wanted: impl Fn(&vt100::Screen) -> bool) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if is_whole(&self.raw) && wanted(self.parser.screen()) {
                return self.parser.screen().contents();
            }
            match self.output.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.take(&bytes),
                Err(error) => {
                    let screen = self.parser.screen().contents();
                    panic!("{error} while waiting for {what}; the screen shows\n{screen}");
                }
            }
        }
    }

    /// Waits until the screen shows a text.
    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        self.wait(text, |screen| screen.contents().contains(text))
    }

    /// Types, then waits until the screen shows a text.
    pub(crate) fn press(&mut self, keys: &str, text: &str) -> String {
        self.send(keys);
        self.wait_for(text)
    }

    /// Types Escape, then waits until the screen no longer shows a text, that of the window which is closed.
    ///
    /// What lies behind the window is on the screen all the time, so that it tells nothing. And a key that arrives with Escape is read as
    /// that key with Alt.
    pub(crate) fn close(&mut self, window: &str) -> String {
        self.wait_for(window);
        self.send("\x1b");
        self.wait(&format!("the end of {window:?}"), |screen| !screen.contents().contains(window))
    }

    /// Waits until the program has written another frame to its end; answers whether it has, and not come to its own end.
    #[cfg(target_os = "linux")]
    pub(crate) fn wait_for_frame(&mut self) -> bool {
        let (length, deadline) = (self.raw.len(), Instant::now() + PATIENCE);
        while first_frame(&self.raw[length..]).is_none() {
            match self.output.recv_timeout(GLANCE) {
                Ok(bytes) => self.take(&bytes),
                Err(error) => {
                    self.status = self.status.take().or_else(|| self.ended.try_recv().ok());
                    if self.status.is_some() {
                        return false;
                    }
                    assert!(Instant::now() < deadline, "{error} while waiting for another frame");
                }
            }
        }
        true
    }

    /// Whether the terminal echoes what is typed and waits for whole lines.
    pub(crate) fn is_cooked(&self) -> bool {
        let terminal = self.terminal.as_ref().expect("it is closed only at the end");
        let modes = tcgetattr(terminal).unwrap().local_modes;
        modes.contains(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG)
    }

    /// Waits until the terminal does so, where that is not up to the program but to a console between them.
    #[cfg(target_os = "linux")]
    pub(crate) fn wait_until_cooked(&self) {
        let begun = Instant::now();
        while !self.is_cooked() && begun.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Everything the program has written so far.
    pub(crate) fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// The time since the program was started.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Waits for the program's end.
    pub(crate) fn end(mut self) -> End {
        let seen = self.status.take();
        let status = seen.unwrap_or_else(|| self.ended.recv_timeout(PATIENCE).expect("the program ends"));
        let cooked = self.is_cooked();
        // Without this end of the terminal the reader comes to an end, once it has everything.
        self.terminal = None;
        loop {
            match self.output.recv_timeout(PATIENCE) {
                Ok(bytes) => self.take(&bytes),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("somebody still has the terminal"),
            }
        }
        End {
            code: status.exit_code(),
            signal: status.signal().map(ToOwned::to_owned),
            cooked,
            raw: std::mem::take(&mut self.raw),
            screen: self.parser.screen().clone(),
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        self.parser.process(bytes);
        self.raw.extend_from_slice(bytes);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.killer.kill());
    }
}

/// Whether the last frame has been written to its end.
fn is_whole(raw: &[u8]) -> bool {
    let last = |mark: &[u8]| raw.windows(mark.len()).rposition(|window| window == mark);
    last(BEGIN_FRAME) <= last(END_FRAME)
}

/// How many bytes the first frame has, with everything before it.
pub(crate) fn first_frame(raw: &[u8]) -> Option<usize> {
    let end = raw.windows(END_FRAME.len()).position(|window| window == END_FRAME)?;
    Some(end + END_FRAME.len())
}

/// The parameters of each sequence that sets colours or attributes (SGR).
pub(crate) fn renditions(raw: &[u8]) -> Vec<Vec<u32>> {
    let mut found = Vec::new();
    let mut rest: VecDeque<u8> = raw.iter().copied().collect();
    while let Some(byte) = rest.pop_front() {
        if byte != 0x1b || rest.front() != Some(&b'[') {
            continue;
        }
        rest.pop_front();
        let mut parameters = String::new();
        while let Some(byte) = rest.pop_front() {
            if (0x40..=0x7e).contains(&byte) {
                if byte == b'm' {
                    found.push(parameters.split([';', ':']).map(|it| it.parse().unwrap_or(0)).collect());
                }
                break;
            }
            parameters.push(char::from(byte));
        }
    }
    found
}

fn nonzero(cells: u16) -> NonZeroU16 {
    NonZeroU16::new(cells).expect("a terminal has cells")
}
