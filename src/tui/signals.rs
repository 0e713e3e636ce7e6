//! Signals that ask the program to end: remembered when they come, answered by the loop, which puts the terminal back.

use std::io;
#[cfg(unix)]
use std::sync::Arc;
#[cfg(unix)]
use std::sync::atomic::{AtomicUsize, Ordering};

/// The signals that are listened to, for as long as this lives.
#[derive(Debug)]
pub(super) struct Signals {
    #[cfg(unix)]
    received: Arc<AtomicUsize>,
    #[cfg(unix)]
    registered: Vec<signal_hook::SigId>,
}

#[cfg(unix)]
impl Signals {
    /// Begins to listen for SIGTERM, SIGHUP, SIGINT and SIGQUIT.
    pub(super) fn listen() -> io::Result<Self> {
        use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
        let mut signals = Self { received: Arc::default(), registered: Vec::new() };
        for signal in [SIGTERM, SIGHUP, SIGINT, SIGQUIT] {
            let number = usize::try_from(signal).expect("signals have positive numbers");
            let id = signal_hook::flag::register_usize(signal, Arc::clone(&signals.received), number)?;
            signals.registered.push(id);
        }
        Ok(signals)
    }

    /// The last signal that came.
    pub(super) fn received(&self) -> Option<i32> {
        match self.received.load(Ordering::SeqCst) {
            0 => None,
            signal => i32::try_from(signal).ok(),
        }
    }
}

#[cfg(unix)]
impl Drop for Signals {
    fn drop(&mut self) {
        for id in self.registered.drain(..) {
            signal_hook::low_level::unregister(id);
        }
    }
}

#[cfg(windows)]
impl Signals {
    /// Begins to listen for Ctrl-C, Ctrl-Break, and for the console being closed, which waits for this to be dropped.
    pub(super) fn listen() -> io::Result<Self> {
        crate::win32::console::listen()?;
        Ok(Self {})
    }

    /// The last of them that came, as the signal that it would be elsewhere.
    #[expect(clippy::unused_self, reason = "the caller listens")]
    pub(super) fn received(&self) -> Option<i32> {
        const INTERRUPTED: i32 = 2;
        const TERMINATED: i32 = 15;
        let event = crate::win32::console::received()?;
        Some(if crate::win32::console::is_key(event) { INTERRUPTED } else { TERMINATED })
    }
}

#[cfg(windows)]
impl Drop for Signals {
    fn drop(&mut self) {
        crate::win32::console::stop();
    }
}
