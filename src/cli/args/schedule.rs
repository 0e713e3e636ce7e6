//! The arguments of `schedule`.

use clap::{Args, Subcommand, ValueEnum};

/// What is written, and what it does.
pub(super) const HELP: &str = "\
What is installed runs `cachetui gc --auto` for this cache, for this user, without root: a systemd user timer on Linux, a launchd \
agent on macOS, a task of the Task Scheduler on Windows. It has the variables of this shell that say where environments are, and those \
that begin with CACHETUI_ (on Windows the settings alone count). A busy cache is waited for up to 8 hours; nothing is held meanwhile.

Examples:
  cachetui schedule install --dry-run   the files, and the commands that start it
  cachetui schedule install             the same, and does it after asking
  cachetui schedule status              whether it is installed, the last runs and the next one
  cachetui schedule remove              takes it away again";

/// The arguments of `schedule`.
#[derive(Args, Clone, Debug)]
pub struct ScheduleArguments {
    /// What to do.
    #[command(subcommand)]
    pub command: ScheduleCommand,
}

/// What to do with the timer.
#[derive(Clone, Debug, Subcommand)]
pub enum ScheduleCommand {
    /// Run `gc --auto` regularly from now on
    Install(InstallArguments),
    /// Say whether it is installed, what the last runs did, and when the next one is
    Status(ScheduleStatusArguments),
    /// Run it no longer
    Remove(ScheduleRemoveArguments),
}

/// The arguments of `schedule install`.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct InstallArguments {
    /// How often to look; `gc --auto` carries out the whole policy once a day, and limits each time
    #[arg(long, value_name = "TIME", default_value = "day")]
    pub every: Every,
    /// With --dry-run, show what another system would get
    #[arg(long, value_name = "SYSTEM", requires = "dry_run")]
    pub system: Option<System>,
    /// Only print the files and the commands
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask
    #[arg(long, conflicts_with = "dry_run")]
    pub yes: bool,
    /// Print one JSON object instead of prose
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}

/// The arguments of `schedule status`.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct ScheduleStatusArguments {
    /// Print one JSON object instead of prose
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}

/// The arguments of `schedule remove`.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct ScheduleRemoveArguments {
    /// Only print what would be removed
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask
    #[arg(long, conflicts_with = "dry_run")]
    pub yes: bool,
}

/// How often something runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Every {
    /// Each hour.
    Hour,
    /// Each day.
    #[default]
    Day,
    /// Each week.
    Week,
}

/// What runs things regularly on a system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum System {
    /// Timers of a user's systemd.
    Systemd,
    /// Agents of launchd.
    Launchd,
    /// The Task Scheduler.
    TaskScheduler,
}
