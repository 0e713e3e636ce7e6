//! One test binary: every integration test of the project.

#![expect(clippy::unwrap_used, reason = "what goes wrong in a test fails it")]
#![expect(
    clippy::disallowed_methods,
    reason = "the fences are for the program; tests make the files they need"
)]

mod architecture;
#[cfg(target_os = "linux")]
mod believed;
mod cli_print;
mod demo;
#[cfg(target_os = "linux")]
mod doctor;
mod documents;
#[cfg(unix)]
mod doubt;
#[cfg(target_os = "linux")]
mod dry_run;
#[cfg(unix)]
mod journey;
mod linker;
mod lock;
#[cfg(target_os = "linux")]
mod model;
#[cfg(target_os = "linux")]
mod newer;
#[cfg(target_os = "linux")]
mod owners;
mod pictures;
mod plan;
#[cfg(target_os = "linux")]
mod prune;
#[cfg(target_os = "linux")]
mod races;
#[cfg(target_os = "linux")]
mod real_uv;
mod relink;
mod repair;
#[cfg(unix)]
mod same;
mod samples;
#[cfg(unix)]
mod schedule;
mod support;
mod tui;
#[cfg(target_os = "linux")]
mod unbounded;
mod uv;
mod verify;
mod walk;
#[cfg(target_os = "linux")]
mod wine;
