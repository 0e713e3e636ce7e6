//! The arguments of `verify`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use super::asking::AskingArguments;

/// What the words mean.
pub(super) const HELP: &str = "\
Words:
  edited     the content is another one        empty    nothing is left of it
  truncated  it is shorter than it was         missing  it is not there, or a broken symlink
  extra      RECORD of an entry does not list it, so that uv would install it; what installers and Python
             write is none, and in environments nothing is

A hardlinked file is one finding, with all that share it. What differs from RECORD in the cache and in all copies alike,
with nothing changed since it was unpacked, is the wheel's own and no damage; a file of which there is no second copy
never counts as that.

Without --detach nothing is locked and nothing is changed. The exit code is 3 when something is damaged, and 1 when something could not be
read.";

/// The arguments of `verify`.
#[derive(Args, Clone, Debug, Default)]
pub struct VerifyArguments {
    /// Only these: a name, a requirement as `numpy<2`, or an entry's id; an environment's root, or a project that holds one
    ///
    /// Without any, all entries of the cache.
    #[arg(value_name = "WHAT|ENV")]
    pub what: Vec<OsString>,
    /// All entries, and all environments
    #[arg(long, conflicts_with = "what", help_heading = "Filters")]
    pub all: bool,
    /// Keep what was edited in this environment there alone, and restore it everywhere else
    ///
    /// Its edited files become its own; the cache, and environments that share them, get the content that RECORD states
    /// back, wherever a file that has it still exists. Where none does, nothing is changed. The plan is shown first.
    #[arg(long, value_name = "ENV", conflicts_with_all = ["what", "all"], help_heading = "Detaching")]
    pub detach: Option<PathBuf>,
    /// What becomes of the plan to detach.
    #[command(flatten)]
    pub asking: AskingArguments,
}
