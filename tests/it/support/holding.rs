//! Processes that hold locks, or have files open.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A program that says when it has begun, and ends when it is told.
pub(crate) struct Running(Child);

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        Self(child)
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// Lets it end, and answers whether it did well.
    pub(crate) fn end(mut self) -> bool {
        drop(self.0.stdin.take());
        self.0.wait().unwrap().success()
    }
}

/// A process that holds a file open until it is told to end.
pub(crate) struct Holding(Child);

impl Holding {
    pub(crate) fn new(path: &Path) -> Self {
        let script = format!("exec 9<'{}'; echo; read _", path.display());
        let mut child = Command::new("sh");
        let mut child =
            child.args(["-c", &script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        Self(child)
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        drop(self.0.stdin.take().unwrap().write_all(b"\n"));
        drop(self.0.wait());
    }
}
