//! Whether a change is asked about, carried out, written down or only told.

use std::path::PathBuf;

use clap::Args;

/// What becomes of a plan once it was shown.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Carrying out")]
pub struct AskingArguments {
    /// Only print the plan
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask
    #[arg(long, conflicts_with = "dry_run")]
    pub yes: bool,
    /// Write the plan to a new file, and change nothing; `cachetui apply FILE` carries it out
    #[arg(long, value_name = "FILE", conflicts_with = "yes")]
    pub save: Option<PathBuf>,
    /// Print one JSON object instead of prose
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}

impl AskingArguments {
    /// Whether nothing is to be carried out.
    pub fn only_shows(&self) -> bool {
        self.dry_run || self.save.is_some()
    }
}
