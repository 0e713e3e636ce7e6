//! The arguments of `relink`.

use std::path::PathBuf;

use clap::Args;

use super::asking::AskingArguments;
use super::values::words;
use crate::snapshot::Mode;

/// What the modes mean.
pub(super) const HELP: &str = "\
Modes:
  clone     files of their own that share their bytes with the cache until one is written to; where the
            filesystem cannot do that they become hardlinks, as with uv
  hardlink  the cache's files under another name; editing one changes the cache and every other environment
  symlink   links into the cache; they break when the cache is pruned or cleaned
  copy      files of their own

Only files that the cache has too are linked otherwise, and only when every byte is equal: what was edited stays and is
named, and what uv keeps for itself (RECORD, generated scripts) or Python compiles is not touched. uv uninstalls,
upgrades and reinstalls afterwards as before.

The exit code is 1 when something failed or had changed meanwhile, and 11 when an environment or the cache is in use.";

/// The arguments of `relink`.
#[derive(Args, Clone, Debug)]
pub struct RelinkArguments {
    /// These environments: a root, a project that holds one, or a tool's name
    #[arg(value_name = "ENV")]
    pub environments: Vec<PathBuf>,
    /// How their files are to be linked
    #[arg(long, value_name = "MODE", value_parser = words(&Mode::ALL, Mode::word))]
    pub link_mode: Mode,
    /// Only this distribution: a name or a requirement as 'numpy<2'; repeatable
    ///
    /// Quote requirements. `==2.7.0` means `2.7.0+cu121` too, `===2.7.0` that text alone (PEP 440).
    #[arg(long = "package", value_name = "NAME", help_heading = "Filters")]
    pub packages: Vec<String>,
    /// Every environment that was found, but those the cache keeps for uvx
    #[arg(long, conflicts_with = "environments", help_heading = "Filters")]
    pub all: bool,
    /// With --all, only those below this directory, which is searched; repeatable
    #[arg(
        long,
        value_name = "DIR",
        requires = "all",
        conflicts_with = "environments",
        help_heading = "Filters"
    )]
    pub under: Vec<PathBuf>,
    /// What becomes of the plan.
    #[command(flatten)]
    pub asking: AskingArguments,
}
