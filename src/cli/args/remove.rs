//! The arguments of `remove`.

use std::path::PathBuf;

use clap::Args;

use super::prune::CarryOutArguments;
use super::values::{self, Age, words};
use crate::plan::Allowance;

/// What stays, and what the table shows.
pub(super) const HELP: &str = "\
Kept, with the reason: a Python with its distributions; conda's environments and the tools of uv and pipx (the command that \
removes them is named); environments in the cache (`cachetui prune` removes them); one in which a process runs, or \
that the calling shell has activated; one that another environment needs; one with files that were not installed, as sources or \
configuration (`--allow foreign-files`); a home directory.

Each environment is renamed into a trash beside it, under uv's locks, and deleted from there. With --trash it stays there \
until `cachetui trash purge`; `cachetui undo` puts it back. An environment in the trash uses nothing: `cachetui prune` may \
remove the entries that it needs.

Several of --idle, --broken, --orphaned and --under are about the environments of which all of that is true.

Columns:
  FREES       what removing it frees, after everything above it
  TO RESTORE  what it costs should it be needed again

Examples:
  cachetui remove ~/code/old                          the environments of a project
  cachetui remove --idle 90d --with-entries           what nothing shows to be used, with the entries that only it uses
  cachetui remove --broken --under ~/code --dry-run   which environments do not work, and what they take";

/// The arguments of `remove`.
#[derive(Args, Clone, Debug, Default)]
pub struct RemoveArguments {
    /// These environments: a root, or a project that holds some
    #[arg(value_name = "ENV")]
    pub environments: Vec<PathBuf>,
    /// Which environments.
    #[command(flatten)]
    pub choice: ChoiceArguments,
    /// Remove the entries too that no other environment uses
    #[arg(long, help_heading = "What to remove")]
    pub with_entries: bool,
    /// With --with-entries, leave entries that changed within this time [default: 24h]
    #[arg(long, value_name = "AGE", value_parser = values::age, help_heading = "What to leave")]
    pub grace: Option<Age>,
    /// Carry the plan out although it calls for a second look
    #[arg(long, value_name = "WHAT", value_delimiter = ',', help_heading = "What to leave",
        value_parser = words(&Allowance::ALL, Allowance::word))]
    pub allow: Vec<Allowance>,
    /// How to go about it.
    #[command(flatten)]
    pub carry_out: CarryOutArguments,
    /// Write the plan to a new file, and remove nothing; `cachetui apply FILE` carries it out
    #[arg(long, value_name = "FILE", conflicts_with = "yes", help_heading = "Carrying out")]
    pub save: Option<PathBuf>,
}

/// Which environments `remove` is about, where they are not named.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "What to remove")]
pub struct ChoiceArguments {
    /// Environments without a sign of use for so long, as `90d`, `6w` or `1y`
    ///
    /// Signs are: something was installed, Python compiled a module, a script was written, uv asked the interpreter. Running an
    /// environment again leaves none: look at the plan.
    #[arg(long, value_name = "AGE", value_parser = values::age)]
    pub idle: Option<Age>,
    /// Environments whose project is gone, as the `.project` file of pipenv and virtualenvwrapper tells
    #[arg(long)]
    pub orphaned: bool,
    /// Environments that do not work: files are missing, or the interpreter is gone
    #[arg(long)]
    pub broken: bool,
    /// Environments below this directory, which is searched; repeatable
    #[arg(long, value_name = "DIR")]
    pub under: Vec<PathBuf>,
}

impl ChoiceArguments {
    /// Whether anything was asked for.
    pub fn is_some(&self) -> bool {
        self.idle.is_some() || self.orphaned || self.broken || !self.under.is_empty()
    }
}
