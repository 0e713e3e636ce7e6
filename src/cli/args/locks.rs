//! The arguments of `locks`.

use clap::Args;

/// What its columns mean.
pub(super) const HELP: &str = "\
Columns:
  RESOURCE  what the file guards: the cache, an environment, one wheel or source distribution
            (item), uv's tools, a project or interpreter; `own` are cachetui's files, others uv's
  PATH      where that is; a dash where only a digest of an unknown path is known
  STATE     free       no process holds it
            shared     held by those who use or add: uv installs, runs and syncs so
            exclusive  held by one alone: uv prunes or cleans so
            missing    there is no such file yet
            unknown    it cannot be asked
  HOLDER    the process, and what it runs; `waits` for one that wants the lock
  SINCE     how long that process has been running";

/// The arguments of `locks`.
#[derive(Args, Clone, Debug, Default)]
pub struct LocksArguments {
    /// List the free locks of single wheels and unknown projects too, and those that have no file yet
    #[arg(long, help_heading = "Filters")]
    pub all: bool,
    /// What to remove.
    #[command(flatten)]
    pub clean: CleanArguments,
    /// Print one JSON object instead of a table
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}

/// What `locks` removes.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Cleaning")]
pub struct CleanArguments {
    /// Remove cachetui's own lock files that no process holds, after asking
    ///
    /// Each is locked and looked at again before it goes. uv's lock files are never removed.
    #[arg(long)]
    pub clean: bool,
    /// Do not ask
    #[arg(long, requires = "clean", conflicts_with = "dry_run")]
    pub yes: bool,
    /// Only print what would be removed
    #[arg(long, requires = "clean")]
    pub dry_run: bool,
}
