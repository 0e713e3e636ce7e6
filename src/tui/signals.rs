//! Signals that ask the program to end: remembered when they come, answered by the loop, which puts the terminal back.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The signals that are listened to, for as long as this lives.
#[derive(Debug)]
pub(super) struct Signals {
    received: Arc<AtomicUsize>,
    #[cfg(unix)]
    registered: Vec<signal_hook::SigId>,
}

impl Signals {
    /// Begins to listen for SIGTERM, SIGHUP, SIGINT and SIGQUIT.
    #[cfg(unix)]
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

    /// There are no such signals here.
    #[cfg(not(unix))]
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self { received: Arc::default() })
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
