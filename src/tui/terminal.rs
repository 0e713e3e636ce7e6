//! The terminal: the only module that knows the terminal library.
//!
//! [`Screen`] is a guard. While it lives, the terminal is in raw mode on its alternate screen; when it goes, by whatever
//! way, everything is put back. A panic puts it back too, before its message is printed, and so does the loop when a
//! signal asks the program to end.
//!
//! A frame is drawn into memory and written with one write, between the marks for a synchronized update, which terminals
//! that do not know them ignore. A Windows console that does not know escape sequences at all is drawn on by cells.

#[cfg(any(windows, test))]
mod cells;
#[cfg(windows)]
mod console;
mod surface;

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ratatui::crossterm::event::{self as crossterm_event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::crossterm::terminal::{
    self as crossterm_terminal, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::crossterm::{cursor, execute, queue};
use ratatui::layout::Rect;
use ratatui::{Frame, Terminal};

use super::event::{Event, Focus, Mouse, MouseKind};
use super::key::{Code, Key};
use surface::{Surface, clipped};

/// Whether a terminal is in the interface's hands, so that it is put back once and only then.
static TAKEN: AtomicBool = AtomicBool::new(false);

const BEGIN_SYNCHRONIZED: &[u8] = b"\x1b[?2026h";
const END_SYNCHRONIZED: &[u8] = b"\x1b[?2026l";

/// Whether the mouse is listened to. While it is, the terminal's own selection needs Shift.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Capture {
    /// It is.
    Mouse,
    /// It is not.
    Nothing,
}

/// What the terminal's own display of progress shows (OSC 9;4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taskbar {
    /// Nothing.
    Idle,
    /// That something is going on.
    Busy,
    /// How much of it is done, in hundredths.
    Part(u8),
}

/// The terminal in the interface's hands.
pub(super) struct Screen {
    terminal: Terminal<Surface>,
    memory: Rc<RefCell<Vec<u8>>>,
    #[cfg(unix)]
    capture: Capture,
    panics: Arc<Mutex<Vec<String>>>,
    _hook: Hook,
}

impl Screen {
    /// Takes the terminal.
    pub(super) fn take(capture: Capture) -> io::Result<Self> {
        let memory = Rc::new(RefCell::new(Vec::new()));
        let panics = Arc::new(Mutex::new(Vec::new()));
        let hook = Hook::set(Arc::clone(&panics));
        let surface = enter(capture, &memory)?;
        let terminal = Terminal::new(surface).inspect_err(|_| leave())?;
        Ok(Self {
            terminal,
            memory,
            #[cfg(unix)]
            capture,
            panics,
            _hook: hook,
        })
    }

    /// The size of the terminal, in cells; as before when it will not say.
    pub(super) fn size(&self) -> (u16, u16) {
        self.terminal.size().map_or((80, 24), |size| (size.width, size.height))
    }

    /// Draws a frame and writes it.
    pub(super) fn draw(&mut self, view: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        self.memory.borrow_mut().extend_from_slice(BEGIN_SYNCHRONIZED);
        let drawn = self.terminal.draw(view).map(|_| ());
        let mut frame = std::mem::take(&mut *self.memory.borrow_mut());
        drawn?;
        frame.extend_from_slice(END_SYNCHRONIZED);
        send(&frame)
    }

    /// Makes the next frame draw every cell.
    pub(super) fn forget(&mut self) -> io::Result<()> {
        let (width, height) = self.size();
        self.terminal.resize(Rect::new(0, 0, width, height))
    }

    /// Gives the terminal back and stops the program, as Ctrl-Z does everywhere else; takes it again afterwards.
    #[cfg(unix)]
    pub(super) fn suspend(&mut self) -> io::Result<()> {
        leave();
        // The whole foreground job stops, as the terminal driver would have it: a launcher such as `uvx` waits along.
        rustix::process::kill_current_process_group(rustix::process::Signal::TSTP)?;
        drop(enter(self.capture, &self.memory)?);
        self.forget()
    }

    /// There is no such thing as stopping a job here.
    #[cfg(not(unix))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "elsewhere it stops, which can fail")]
    pub(super) fn suspend(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Puts text on the clipboard (OSC 52).
    pub(super) fn copy(text: &str) -> io::Result<()> {
        #[cfg(windows)]
        if console::is_taken() {
            return console::copy(text);
        }
        let encoded = data_encoding::BASE64.encode(text.as_bytes());
        send(format!("\x1b]52;c;{encoded}\x07").as_bytes())
    }

    /// Tells the terminal's own display of progress.
    pub(super) fn taskbar(taskbar: Taskbar) -> io::Result<()> {
        match taskbar {
            Taskbar::Idle => send(b"\x1b]9;4;0\x07"),
            Taskbar::Busy => send(b"\x1b]9;4;3\x07"),
            Taskbar::Part(percent) => send(format!("\x1b]9;4;1;{percent}\x07").as_bytes()),
        }
    }

    /// Calls a user who is looking elsewhere.
    pub(super) fn alert() -> io::Result<()> {
        send(b"\x07")
    }

    /// The messages of panics on other threads since the last call.
    pub(super) fn panics(&self) -> Vec<String> {
        self.panics.lock().map(|mut panics| std::mem::take(&mut *panics)).unwrap_or_default()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        leave();
    }
}

/// Sends escape sequences, if there is somebody who understands them.
fn send(bytes: &[u8]) -> io::Result<()> {
    #[cfg(windows)]
    if console::is_taken() {
        return Ok(());
    }
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

/// Takes the terminal, and says how it is drawn on.
fn enter(capture: Capture, memory: &Rc<RefCell<Vec<u8>>>) -> io::Result<Surface> {
    enable_raw_mode()?;
    TAKEN.store(true, Ordering::SeqCst);
    let surface = Surface::take(memory).inspect_err(|_| leave())?;
    let mut start = Vec::new();
    queue!(
        start,
        EnterAlternateScreen,
        cursor::Hide,
        crossterm_event::EnableBracketedPaste,
        crossterm_event::EnableFocusChange
    )?;
    send(&start).inspect_err(|_| leave())?;
    if capture == Capture::Mouse {
        execute!(io::stdout(), crossterm_event::EnableMouseCapture).inspect_err(|_| leave())?;
    }
    Ok(surface)
}

/// Gives the terminal back. A terminal that is gone cannot be put back, so failures are not reported.
fn leave() {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    let mut end = END_SYNCHRONIZED.to_vec();
    let queued = queue!(
        end,
        crossterm_event::DisableFocusChange,
        crossterm_event::DisableBracketedPaste,
        LeaveAlternateScreen,
        cursor::Show
    );
    let mouse = execute!(io::stdout(), crossterm_event::DisableMouseCapture);
    let sent = queued.and_then(|()| send(&end));
    #[cfg(windows)]
    console::leave();
    let cooked = disable_raw_mode();
    // There is nobody left to tell.
    drop((mouse, sent, cooked));
}

type PanicHook = Box<dyn Fn(&std::panic::PanicHookInfo<'_>) + Sync + Send + 'static>;

/// A panic hook that gives the terminal back first; the one before it comes back when this goes.
struct Hook {
    previous: Arc<Mutex<Option<PanicHook>>>,
}

impl Hook {
    fn set(panics: Arc<Mutex<Vec<String>>>) -> Self {
        let previous = Arc::new(Mutex::new(Some(std::panic::take_hook())));
        let screen = std::thread::current().id();
        let before = Arc::clone(&previous);
        std::panic::set_hook(Box::new(move |panic| {
            if std::thread::current().id() == screen {
                leave();
                if let Ok(before) = before.lock()
                    && let Some(before) = before.as_ref()
                {
                    before(panic);
                }
            } else if let Ok(mut panics) = panics.lock() {
                // Another thread's panic does not end the program; its message would only spoil the screen.
                panics.push(panic.to_string());
            }
        }));
        Self { previous }
    }
}

impl Drop for Hook {
    fn drop(&mut self) {
        // A panicking thread may not change the hook; the process is about to end anyway.
        if std::thread::panicking() {
            return;
        }
        if let Some(previous) = self.previous.lock().ok().and_then(|mut previous| previous.take()) {
            std::panic::set_hook(previous);
        }
    }
}

/// Waits for at most `patience` for something to happen at the terminal; none when nothing did, or nothing that counts.
pub(super) fn next(patience: Duration) -> io::Result<Option<Event>> {
    if !crossterm_event::poll(patience)? {
        return Ok(None);
    }
    Ok(translate(crossterm_event::read()?))
}

/// Whether the terminal has gone away, as when its window was closed and nobody sent SIGHUP.
#[cfg(unix)]
pub(super) fn is_gone() -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let mut input = [PollFd::from_borrowed_fd(rustix::stdio::stdin(), PollFlags::empty())];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    let gone = PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL;
    poll(&mut input, Some(&now)).is_ok_and(|ready| ready > 0) && input[0].revents().intersects(gone)
}

/// Whether the terminal has gone away; a console ends its programs itself.
#[cfg(not(unix))]
pub(super) fn is_gone() -> bool {
    false
}

fn translate(event: crossterm_event::Event) -> Option<Event> {
    use crossterm_event::Event as From;
    match event {
        From::Key(key) if key.kind != KeyEventKind::Release => translate_key(key).map(Event::Key),
        From::Mouse(mouse) => {
            let kind = match mouse.kind {
                crossterm_event::MouseEventKind::Down(crossterm_event::MouseButton::Left) => MouseKind::Click,
                crossterm_event::MouseEventKind::ScrollDown => MouseKind::ScrollDown,
                crossterm_event::MouseEventKind::ScrollUp => MouseKind::ScrollUp,
                _ => return None,
            };
            Some(Event::Mouse(Mouse { kind, column: mouse.column, row: mouse.row }))
        }
        From::Paste(text) => Some(Event::Paste(text)),
        // A Windows console tells the size of everything that can be scrolled to, plus one.
        From::Resize(width, height) if cfg!(windows) => {
            let (width, height) = crossterm_terminal::size().unwrap_or((width, height));
            let (width, height) = clipped(width, height);
            Some(Event::Resize { width, height })
        }
        From::Resize(width, height) => {
            let (width, height) = clipped(width, height);
            Some(Event::Resize { width, height })
        }
        From::FocusGained => Some(Event::Focus(Focus::Gained)),
        From::FocusLost => Some(Event::Focus(Focus::Lost)),
        From::Key(_) => None,
    }
}

fn translate_key(key: crossterm_event::KeyEvent) -> Option<Key> {
    let shift = key.modifiers.contains(KeyModifiers::SHIFT);
    let code = match key.code {
        KeyCode::Char(character) if shift => Code::Char(character.to_uppercase().next().unwrap_or(character)),
        KeyCode::Char(character) => Code::Char(character),
        KeyCode::Enter => Code::Enter,
        KeyCode::Esc => Code::Esc,
        KeyCode::Backspace => Code::Backspace,
        KeyCode::Tab if shift => Code::BackTab,
        KeyCode::Tab => Code::Tab,
        KeyCode::BackTab => Code::BackTab,
        KeyCode::Up => Code::Up,
        KeyCode::Down => Code::Down,
        KeyCode::Left => Code::Left,
        KeyCode::Right => Code::Right,
        KeyCode::Home => Code::Home,
        KeyCode::End => Code::End,
        KeyCode::PageUp => Code::PageUp,
        KeyCode::PageDown => Code::PageDown,
        KeyCode::Insert => Code::Insert,
        KeyCode::Delete => Code::Delete,
        KeyCode::F(number) => Code::F(number),
        _ => return None,
    };
    let (ctrl, alt) =
        (key.modifiers.contains(KeyModifiers::CONTROL), key.modifiers.contains(KeyModifiers::ALT));
    // AltGr arrives as both, with the character it writes.
    let both = ctrl && alt && matches!(code, Code::Char(_));
    Some(Key { code, ctrl: ctrl && !both, alt: alt && !both })
}

#[cfg(test)]
mod tests {
    use ratatui::crossterm::event::{KeyEvent, KeyModifiers, MouseEvent, MouseEventKind};

    use super::*;

    fn key(code: KeyCode, modifiers: KeyModifiers, kind: KeyEventKind) -> Option<Key> {
        let event = crossterm_event::Event::Key(KeyEvent::new_with_kind(code, modifiers, kind));
        match translate(event) {
            Some(Event::Key(key)) => Some(key),
            None => None,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_key_counts_when_it_goes_down_or_repeats_and_not_when_it_comes_up() {
        let pressed = |kind| key(KeyCode::Char('j'), KeyModifiers::NONE, kind);
        assert_eq!(pressed(KeyEventKind::Press), Some(Key::plain(Code::Char('j'))));
        assert_eq!(pressed(KeyEventKind::Repeat), pressed(KeyEventKind::Press));
        assert_eq!(pressed(KeyEventKind::Release), None);
    }

    #[test]
    fn a_character_written_with_alt_gr_is_that_character() {
        let both = KeyModifiers::CONTROL | KeyModifiers::ALT;
        assert_eq!(key(KeyCode::Char('@'), both, KeyEventKind::Press), Some(Key::plain(Code::Char('@'))));
        let control = key(KeyCode::Char('d'), KeyModifiers::CONTROL, KeyEventKind::Press).unwrap();
        assert!(control.ctrl && !control.alt);
    }

    #[test]
    fn of_the_mouse_clicks_and_the_wheel_count() {
        let used = |kind| {
            let event = MouseEvent { kind, column: 7, row: 3, modifiers: KeyModifiers::NONE };
            translate(crossterm_event::Event::Mouse(event))
        };
        let wheel = used(MouseEventKind::ScrollDown);
        assert!(matches!(
            wheel,
            Some(Event::Mouse(Mouse { kind: MouseKind::ScrollDown, column: 7, row: 3 }))
        ));
        assert!(used(MouseEventKind::Moved).is_none());
    }
}
