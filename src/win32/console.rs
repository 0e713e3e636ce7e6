//! What a console tells its programs: Ctrl-C, Ctrl-Break, and that it is about to be closed.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use windows_sys::Win32::System::Console::{CTRL_BREAK_EVENT, CTRL_C_EVENT, SetConsoleCtrlHandler};
use windows_sys::Win32::System::Threading::Sleep;
use windows_sys::core::BOOL;

use super::failed;

/// The last event, plus one.
static RECEIVED: AtomicU32 = AtomicU32::new(0);
/// Whether somebody listens, who has not put the terminal back yet.
static LISTENS: AtomicBool = AtomicBool::new(false);

/// The system ends a program five seconds after it was told that its console closes, and at once when the handler
/// returns.
const GRACE: Duration = Duration::from_millis(4500);
const STEP: u32 = 20;

/// Begins to listen, instead of being ended at once.
pub(crate) fn listen() -> io::Result<()> {
    LISTENS.store(true, Ordering::SeqCst);
    // SAFETY: the handler only uses atomic variables and sleeps.
    if unsafe { SetConsoleCtrlHandler(Some(handler), 1) } == 0 { Err(failed()) } else { Ok(()) }
}

/// Stops listening: what comes now ends the program as it always does.
pub(crate) fn stop() {
    LISTENS.store(false, Ordering::SeqCst);
    // SAFETY: the handler is the one that was added. That it is not there any more changes nothing.
    unsafe { SetConsoleCtrlHandler(Some(handler), 0) };
}

/// The last event that came.
pub(crate) fn received() -> Option<u32> {
    RECEIVED.load(Ordering::SeqCst).checked_sub(1)
}

/// Whether an event is one that the keyboard makes.
pub(crate) fn is_key(event: u32) -> bool {
    [CTRL_C_EVENT, CTRL_BREAK_EVENT].contains(&event)
}

/// Called by the system on a thread of its own.
unsafe extern "system" fn handler(event: u32) -> BOOL {
    RECEIVED.store(event + 1, Ordering::SeqCst);
    let mut waited = Duration::ZERO;
    while !is_key(event) && LISTENS.load(Ordering::SeqCst) && waited < GRACE {
        // SAFETY: the call takes a number.
        unsafe { Sleep(STEP) };
        waited += Duration::from_millis(u64::from(STEP));
    }
    1
}
