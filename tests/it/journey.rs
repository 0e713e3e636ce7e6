//! Journeys through the program itself, in a real pseudo-terminal on a cache that uv made.

mod ends;
mod frames;
#[cfg(target_os = "linux")]
mod plans;
#[cfg(target_os = "linux")]
mod random;
mod redact;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};

use crate::support::fixture::Fixture;
use crate::support::pty::{Session, Start};

const PROGRAM: &str = env!("CARGO_BIN_EXE_cachetui");

/// A home directory with a cache and the environments that use it.
struct Home {
    fixture: Fixture,
}

impl Home {
    /// Unpacks the sample of uv 0.13.8. Everything in it is as young as the test, so that ages read the same each time.
    fn new() -> Self {
        let fixture = Fixture::unpack("uv-0.13.8-cache");
        let home = Self { fixture };
        let python = home.path().join("python/bin/python3.11");
        std::fs::create_dir_all(python.parent().unwrap()).unwrap();
        std::fs::write(&python, "").unwrap();
        let settings = home.path().join("app/.venv/pyvenv.cfg");
        let text = std::fs::read_to_string(&settings).unwrap();
        let bin = python.parent().unwrap().to_str().unwrap();
        std::fs::write(&settings, text.replace("/usr/bin", bin)).unwrap();
        let now = Timespec { tv_sec: jiff::Timestamp::now().as_second(), tv_nsec: 0 };
        let times = Timestamps { last_access: now, last_modification: now };
        for file in home.fixture.files() {
            utimensat(CWD, &file, &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
        }
        home
    }

    /// The directory.
    fn path(&self) -> PathBuf {
        self.fixture.root()
    }

    /// Opens the interface.
    fn open(&self, size: (u16, u16), variables: &[(&str, &str)]) -> Session {
        open(&self.path(), size, variables)
    }
}

/// Opens the interface on the cache in a home directory.
fn open(home: &Path, size: (u16, u16), variables: &[(&str, &str)]) -> Session {
    let arguments = ["--cache-dir", "cache", "--root", "app"].map(OsStr::new).to_vec();
    Session::start(&Start { program: OsStr::new(PROGRAM), arguments, home, variables, size })
}

/// What the tab line shows when the scan has ended.
const SCANNED: &str = "scanned in";
