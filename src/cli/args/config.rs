//! The arguments of `config`.

use clap::{Args, Subcommand};

/// In which order values hold.
pub(super) const HELP: &str = "\
Of one value an option of the command line goes before the variable, that before the settings, and those before the default. \
Lists add up.";

/// The arguments of `config`.
#[derive(Args, Clone, Debug)]
pub struct ConfigArguments {
    /// What to do.
    #[command(subcommand)]
    pub command: ConfigCommand,
}

/// What to do with the settings.
#[derive(Clone, Debug, Subcommand)]
pub enum ConfigCommand {
    /// List every setting, its value, and where that comes from
    Show(ConfigShowArguments),
    /// Say whether the settings and the variables can be understood, and whether what they name is there
    Check,
    /// Print where the settings are
    Path,
}

/// The arguments of `config show`.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct ConfigShowArguments {
    /// Print one JSON object instead of a table
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}
