//! The loop around `update` and `view`: the only part of the interface that waits, reads the clock and writes.
//!
//! Each turn takes everything that is waiting (keys, the scan's reports, lists of files), then draws once, and no more
//! often than every 50 milliseconds. Only the newest of several partial snapshots is shown.

use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::snapshot::FilesRequest;
use crate::worker::task::{TaskEvent, TaskJob};
use crate::worker::{ScanEvent, ScanJob};

use super::effect::Effect;
use super::event::{Event, Moment};
use super::model::Model;
use super::reader::Reader;
use super::signals::Signals;
use super::terminal::{self, Capture, Screen, Taskbar};
use super::{AroundReply, FilesReply, Options, PlanReply, Settings, update, view};

/// The least time between two frames.
const FRAME: Duration = Duration::from_millis(50);
/// How long the loop sleeps when nothing moves; signals are noticed at its end.
const IDLE: Duration = Duration::from_millis(200);

/// How long what is known about locks is taken to hold.
const LOCKS: Duration = Duration::from_secs(2);

/// The number of SIGHUP: what ends a program whose terminal went away.
const HANGUP: i32 = 1;

/// The loop and what it holds.
struct Shell {
    options: Options,
    screen: Screen,
    model: Model,
    scan: Option<ScanJob>,
    files: Vec<(FilesRequest, FilesReply)>,
    around: Option<AroundReply>,
    weighing: Option<(u64, PlanReply)>,
    task: Option<TaskJob>,
    /// When locks were last asked for, since the start.
    asked: Option<Duration>,
    taskbar: Taskbar,
    dirty: bool,
    quit: bool,
}

/// Opens the interface and stays until the user leaves; gives back the exit code.
///
/// # Errors
/// When the terminal cannot be taken, read or written.
pub fn run(options: Options) -> anyhow::Result<i32> {
    let signals = Signals::listen().context("Failed to listen for signals")?;
    let capture = if options.mouse { Capture::Mouse } else { Capture::Nothing };
    let screen = Screen::take(capture).context("Failed to take the terminal")?;
    let settings = Settings {
        keymap: options.keymap.clone(),
        theme: options.theme.clone(),
        glyphs: options.glyphs,
        home: options.home.clone(),
        cache: options.cache.clone(),
        grace: options.grace,
        demo: options.demo,
    };
    let (width, height) = screen.size();
    let model = Model::new(settings, width, height, moment(&options));
    let mut shell = Shell {
        options,
        screen,
        model,
        scan: None,
        files: Vec::new(),
        around: None,
        weighing: None,
        task: None,
        asked: None,
        taskbar: Taskbar::Idle,
        dirty: true,
        quit: false,
    };
    shell.event(Event::ScanStarted)?;
    for notice in std::mem::take(&mut shell.options.notices) {
        shell.event(Event::Notice(notice))?;
    }
    shell.draw()?;
    shell.scan = Some((shell.options.start_scan)());
    let code = shell.turn_until_done(&signals);
    shell.wait_for_task();
    shell.stop();
    code
}

fn moment(options: &Options) -> Moment {
    Moment { elapsed: options.started.elapsed(), now: (options.now)() }
}

impl Shell {
    fn turn_until_done(&mut self, signals: &Signals) -> anyhow::Result<i32> {
        let reader = Reader::start();
        let mut drawn = self.options.started;
        loop {
            if let Some(signal) = signals.received() {
                return Ok(128 + signal);
            }
            let due = FRAME.saturating_sub(drawn.elapsed());
            let busy = self.model.is_scanning()
                || self.task.is_some()
                || !self.files.is_empty()
                || self.weighing.is_some();
            let patience = if self.dirty {
                due
            } else if busy {
                FRAME
            } else {
                IDLE
            };
            if terminal::is_gone() {
                return Ok(128 + HANGUP);
            }
            let mut event = reader.next(patience).context("Failed to read the terminal")?;
            while let Some(next) = event.filter(|_| !self.quit) {
                self.event(next)?;
                event = reader.next(Duration::ZERO).context("Failed to read the terminal")?;
            }
            if self.quit {
                return Ok(0);
            }
            self.hear_scan()?;
            self.hear_files()?;
            self.hear_around()?;
            self.hear_plan()?;
            self.hear_task()?;
            for message in self.screen.panics() {
                self.event(Event::Notice(format!("A part of the program failed: {message}")))?;
            }
            if self.model.is_due() {
                self.event(Event::Tick)?;
            }
            if self.dirty && drawn.elapsed() >= FRAME {
                self.draw()?;
                drawn = self.now();
            }
        }
    }

    /// The one place where the interface reads the clock.
    fn now(&self) -> Instant {
        self.options.started + self.options.started.elapsed()
    }

    fn event(&mut self, event: Event) -> anyhow::Result<()> {
        self.dirty = true;
        for effect in update(&mut self.model, event, moment(&self.options)) {
            self.carry_out(effect)?;
        }
        Ok(())
    }

    fn carry_out(&mut self, effect: Effect) -> anyhow::Result<()> {
        match effect {
            Effect::Quit => self.quit = true,
            Effect::Rescan => {
                self.stop();
                self.asked = None;
                self.event(Event::ScanStarted)?;
                self.scan = Some((self.options.start_scan)());
            }
            Effect::StopScan => {
                if let Some(job) = &self.scan {
                    job.cancel.cancel();
                }
            }
            Effect::Begin(task) => {
                if self.task.is_none() {
                    self.task = Some((self.options.start_task)(task, self.model.shown()));
                }
            }
            Effect::StopTask => {
                if let Some(job) = &self.task {
                    job.cancel.cancel();
                }
            }
            Effect::ListFiles(request) => {
                let reply = (self.options.list_files)(request.clone());
                self.files.push((request, reply));
            }
            Effect::Copy(text) => {
                // Another program may have the clipboard open just now.
                if let Err(error) = Screen::copy(&text) {
                    self.event(Event::Notice(format!("Failed to copy: {error}")))?;
                }
            }
            Effect::Redraw => self.screen.forget().context("Failed to write to the terminal")?,
            Effect::Suspend => {
                self.screen.suspend().context("Failed to suspend")?;
                let (width, height) = self.screen.size();
                self.event(Event::Resize { width, height })?;
            }
            Effect::Alert if self.options.notify => {
                Screen::alert().context("Failed to write to the terminal")?;
            }
            Effect::Alert => {}
        }
        Ok(())
    }

    /// Takes the scan's reports. Its thread's end without a result is a failure.
    fn hear_scan(&mut self) -> anyhow::Result<()> {
        let Some(job) = &self.scan else { return Ok(()) };
        let progress = Event::Progress(job.progress.counts());
        let mut latest = None;
        let ended = loop {
            match job.events.try_recv() {
                Ok(event @ ScanEvent::Partial(_)) => latest = Some(event),
                Ok(event) => {
                    latest = Some(event);
                    break true;
                }
                Err(TryRecvError::Empty) => break false,
                Err(TryRecvError::Disconnected) => {
                    latest =
                        Some(ScanEvent::Failed("Failed to scan: the scan ended without a result".to_owned()));
                    break true;
                }
            }
        };
        if ended {
            self.scan = None;
        } else {
            self.event(progress)?;
        }
        if let Some(event) = latest {
            self.event(Event::Scan(event))?;
        }
        Ok(())
    }

    fn hear_files(&mut self) -> anyhow::Result<()> {
        for (request, reply) in std::mem::take(&mut self.files) {
            match reply.try_recv() {
                Ok(result) => self.event(Event::Files(request, result))?,
                Err(TryRecvError::Empty) => self.files.push((request, reply)),
                Err(TryRecvError::Disconnected) => {
                    let message = "Failed to list the files: the listing ended without a result".to_owned();
                    self.event(Event::Files(request, Err(message)))?;
                }
            }
        }
        Ok(())
    }

    /// Takes what was found about locks, and asks again from time to time: on a thread, one question at a time.
    fn hear_around(&mut self) -> anyhow::Result<()> {
        match self.around.as_ref().map(Receiver::try_recv) {
            Some(Ok(around)) => {
                self.around = None;
                if self.model.learns(&around) {
                    self.event(Event::Around(around))?;
                }
            }
            Some(Err(TryRecvError::Empty)) => return Ok(()),
            Some(Err(TryRecvError::Disconnected)) | None => self.around = None,
        }
        let now = self.options.started.elapsed();
        if self.asked.is_none_or(|asked| now.saturating_sub(asked) >= LOCKS) {
            self.asked = Some(now);
            self.around = Some((self.options.look_around)(self.model.shown()));
        }
        Ok(())
    }

    /// Takes what was found about a plan, and has a new one looked at, one at a time.
    fn hear_plan(&mut self) -> anyhow::Result<()> {
        if let Some((number, reply)) = self.weighing.take() {
            match reply.try_recv() {
                Ok(plan) => self.event(Event::Weighed(number, Some(plan)))?,
                Err(TryRecvError::Empty) => self.weighing = Some((number, reply)),
                Err(TryRecvError::Disconnected) => self.event(Event::Weighed(number, None))?,
            }
        }
        if self.weighing.is_none()
            && let Some((number, plan)) = self.model.unweighed()
        {
            let reply = (self.options.weigh_plan)(Box::new(plan.clone()), self.model.shown());
            self.weighing = Some((number, reply));
        }
        Ok(())
    }

    /// Takes the reports of the running task. After it everything is looked at again.
    fn hear_task(&mut self) -> anyhow::Result<()> {
        let Some(job) = &self.task else { return Ok(()) };
        let files = job.progress.counts().files;
        let mut heard = Vec::new();
        let ended = loop {
            match job.events.try_recv() {
                Ok(event) => {
                    let last = matches!(event, TaskEvent::Finished(_) | TaskEvent::Failed(_));
                    heard.push(event);
                    if last {
                        break true;
                    }
                }
                Err(TryRecvError::Empty) => break false,
                Err(TryRecvError::Disconnected) => {
                    heard.push(TaskEvent::Failed("The task ended without a result".to_owned()));
                    break true;
                }
            }
        };
        if ended {
            self.task = None;
            self.asked = None;
        }
        for event in heard {
            self.event(Event::Task(event))?;
        }
        if !ended {
            self.event(Event::TaskProgress(files))?;
        }
        Ok(())
    }

    /// Waits until the running task has ended: it is never left in the middle of a step.
    fn wait_for_task(&mut self) {
        if let Some(job) = self.task.take() {
            job.cancel.cancel();
            while let Ok(event) = job.events.recv() {
                if matches!(event, TaskEvent::Finished(_) | TaskEvent::Failed(_)) {
                    break;
                }
            }
        }
    }

    fn draw(&mut self) -> anyhow::Result<()> {
        let taskbar = match self.model.part_done() {
            Some(percent) => Taskbar::Part(percent),
            None if self.model.is_scanning() || self.model.is_working() => Taskbar::Busy,
            None => Taskbar::Idle,
        };
        if self.options.taskbar && taskbar != self.taskbar {
            self.taskbar = taskbar;
            Screen::taskbar(taskbar).context("Failed to write to the terminal")?;
        }
        // The terminal may have another size already, though its event is still to come.
        let (width, height) = self.screen.size();
        if !self.model.fits(width, height) {
            self.event(Event::Resize { width, height })?;
        }
        self.dirty = false;
        let model = &self.model;
        self.screen.draw(|frame| view(model, frame)).context("Failed to write to the terminal")?;
        self.model.drawn();
        Ok(())
    }

    /// Cancels the running scan. Its thread ends by itself; what it still reports goes nowhere.
    fn stop(&mut self) {
        if let Some(job) = self.scan.take() {
            job.cancel.cancel();
        }
        if self.taskbar != Taskbar::Idle && Screen::taskbar(Taskbar::Idle).is_ok() {
            self.taskbar = Taskbar::Idle;
        }
    }
}
