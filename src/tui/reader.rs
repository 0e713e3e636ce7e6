//! The event reader: a thread that waits at the terminal, so that the loop never does.
//!
//! A terminal that goes away makes crossterm's reading spin (it takes the end of input for an interruption); the loop
//! asks [`terminal::is_gone`] itself and ends the program, and this thread with it.

use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use super::event::Event;
use super::terminal;

/// How long one wait at the terminal takes at most; a reader nobody listens to ends after it.
const PATIENCE: Duration = Duration::from_millis(250);

/// What happens at the terminal, in order.
#[derive(Debug)]
pub(super) struct Reader {
    events: Receiver<io::Result<Event>>,
}

impl Reader {
    /// Begins to read.
    pub(super) fn start() -> Self {
        let (sender, events) = mpsc::channel();
        #[expect(clippy::disallowed_methods, reason = "the event reader's thread")]
        drop(std::thread::spawn(move || {
            loop {
                let sent = match terminal::next(PATIENCE) {
                    Ok(Some(event)) => sender.send(Ok(event)),
                    Ok(None) => continue,
                    Err(error) => {
                        drop(sender.send(Err(error)));
                        return;
                    }
                };
                if sent.is_err() {
                    return;
                }
            }
        }));
        Self { events }
    }

    /// Waits for at most `patience`; none when nothing happened.
    pub(super) fn next(&self, patience: Duration) -> io::Result<Option<Event>> {
        match self.events.recv_timeout(patience) {
            Ok(event) => event.map(Some),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(io::Error::other("the reader of the terminal ended")),
        }
    }
}
