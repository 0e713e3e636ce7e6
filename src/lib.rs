//! `disk` reads, `uv` understands, `lock` guards, `scan` builds a `snapshot`, `plan` decides, `linker` links, `apply` writes;
//! `worker` keeps it off the screen's thread, `say` words it, `tui` shows it, `cli` starts it.
//!
//! That sentence is the architecture: the modules below stand in its order of layers, each imports only from those
//! above it in this list, and `tests/it/architecture.rs` holds them to it.
//! Below all of them, on Windows, lies `win32`: calls of the system that the standard library has not.

#[cfg(windows)]
mod win32;

pub mod human;

pub mod control;

pub mod disk;

pub mod uv;

pub mod lock;

pub mod snapshot;

pub mod scan;

pub mod plan;

pub mod linker;

pub mod apply;

pub mod worker;

pub mod say;

pub mod tui;

pub mod cli;
