//! The arguments of `prune`, and of what deals with plans and the trash: `apply`, `undo`, `trash`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::values::{self, Age, Amount, words};
use crate::plan::Allowance;

/// What is kept in any case, and what a removal costs.
pub(super) const HELP: &str = "\
Never removed: what an environment reaches by symlink (relink it first), what something outside the searched folders holds, what \
could not be read or understood, what a process runs in. What is named goes although it is young, and although \
environments use it by hardlink, clone or copy: their files stay.

Unused means unused in the places that were searched: `--root DIR` names more.

Columns:
  FREES       what removing it frees, after everything above it
  TO RESTORE  what it costs should it be needed again

Examples:
  cachetui prune                                      what could go, by kind
  cachetui prune --unused --older-than 30d --dry-run  which entries, and why
  cachetui prune --free 20G --dry-run                 what would go first, and what else would help
  cachetui prune --max-size 20G --keep-lock uv.lock   down to 20 GiB, without what the project needs
  cachetui prune torch==2.7.1 --trash                 one entry, which `cachetui undo` puts back";

/// The arguments of `prune`.
#[derive(Args, Clone, Debug, Default)]
pub struct PruneArguments {
    /// Remove these: a name, a requirement as 'numpy<2', or an entry's id
    ///
    /// Quote requirements. Versions are compared as PEP 440 says: `==2.7.0` means `2.7.0+cu121` too, `===2.7.0` that text alone.
    pub what: Vec<OsString>,
    /// Which kinds of things.
    #[command(flatten)]
    pub classes: ClassArguments,
    /// Which of them.
    #[command(flatten)]
    pub limits: LimitArguments,
    /// How to go about it.
    #[command(flatten)]
    pub carry_out: CarryOutArguments,
    /// Write the plan to a new file, and remove nothing; `cachetui apply FILE` carries it out
    #[arg(long, value_name = "FILE", conflicts_with = "yes", help_heading = "Carrying out")]
    pub save: Option<PathBuf>,
}

/// Which kinds of things `prune` removes.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "What to remove")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub struct ClassArguments {
    /// Entries that no pointer and no environment uses; uv does not use them again
    #[arg(long)]
    pub unreferenced: bool,
    /// Entries that no environment uses, as far as was searched
    #[arg(long)]
    pub unused: bool,
    /// Of those, the ones of which the cache has a newer version
    #[arg(long)]
    pub superseded: bool,
    /// Environments that uvx, uv run and scripts left, unless a process runs in them
    #[arg(long)]
    pub cached_environments: bool,
    /// Of those, the ones of which a newer one was made for the same tool, or the same packages of `--with`
    #[arg(long)]
    pub old_generations: bool,
    /// With --old-generations, leave so many of each [default: 1]
    #[arg(long, value_name = "N", requires = "old_generations")]
    pub keep_newest: Option<usize>,
    /// Environments that uv keeps in the cache for projects without a .venv, unless a process runs in them
    #[arg(long)]
    pub orphaned_central: bool,
    /// Buckets of older releases of uv, unless something changed in them within 30 days
    #[arg(long)]
    pub stale_buckets: bool,
    /// What was built from older revisions of sources, with the entries; uv does not use it again
    #[arg(long)]
    pub old_builds: bool,
    /// Unpacked sources of what uv has built; it fetches them again to build again
    #[arg(long)]
    pub sources: bool,
    /// Answers of package indexes; uv asks again
    #[arg(long)]
    pub index_caches: bool,
    /// Databases and checkouts of git repositories that no environment has anything from
    #[arg(long)]
    pub git_repositories: bool,
    /// What interrupted runs of uv left
    #[arg(long)]
    pub crash_leftovers: bool,
    /// The same as WHAT; repeatable
    #[arg(long, value_name = "WHAT")]
    pub package: Vec<OsString>,
}

/// What `prune` leaves of that.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "What to leave")]
pub struct LimitArguments {
    /// Only what nothing shows to be used for so long, as `30d`, `6w` or `1y`; alone it is about what is unused
    #[arg(long, value_name = "AGE", value_parser = values::age)]
    pub older_than: Option<Age>,
    /// Remove until the cache takes at most this, as `20G` or `15%` of its volume; alone it is about all kinds
    ///
    /// What was used longest ago goes first, and of that what is easiest to get back. What lies in the trash does not
    /// count.
    #[arg(long, value_name = "SIZE", value_parser = values::amount)]
    pub max_size: Option<Amount>,
    /// Remove until this much is free on the cache's volume; alone it is about all kinds
    ///
    /// What emptying the trash is known to free counts as free.
    #[arg(long, value_name = "SIZE", value_parser = values::amount)]
    pub keep_free: Option<Amount>,
    /// Remove until at least this much is freed; alone it is about all kinds
    ///
    /// Where that is not enough it says what is missing, and what else would help.
    #[arg(long, value_name = "SIZE", value_parser = values::amount)]
    pub free: Option<Amount>,
    /// Leave what this lock file needs: a uv.lock, a pylock.toml, or requirements in a .txt file; repeatable
    ///
    /// Everything stays that any platform may need. A file of requirements may include others; what the packages
    /// need that it lists is read from the cache, and stays too.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub keep_lock: Vec<PathBuf>,
    /// Leave what changed within this time, unless it is named [default: 24h]
    #[arg(long, value_name = "AGE", value_parser = values::age)]
    pub grace: Option<Age>,
    /// Carry the plan out although it calls for a second look
    #[arg(long, value_name = "WHAT", value_delimiter = ',', value_parser = words(&Allowance::ALL, Allowance::word))]
    pub allow: Vec<Allowance>,
}

/// How to carry out a plan.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Carrying out")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub struct CarryOutArguments {
    /// Only print the plan
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask
    #[arg(long, conflicts_with = "dry_run")]
    pub yes: bool,
    /// Keep what is removed in the trash, where it takes the same room, until `cachetui trash purge`
    #[arg(long)]
    pub trash: bool,
    /// Wait until no process holds the cache, for 8 hours or so long at most, and hold nothing meanwhile
    ///
    /// Servers that `uvx` or `uv run` started hold it while they run. Who is in the way is told, with the command that ends it.
    #[arg(long, value_name = "AGE", value_parser = values::age, num_args = 0..=1, require_equals = true,
        default_missing_value = "8h")]
    pub when_free: Option<Age>,
    /// Print one JSON object instead of prose
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}

impl CarryOutArguments {
    /// How long to wait until no process holds the cache.
    pub fn longest(&self) -> Option<std::time::Duration> {
        self.when_free.map(|age| age.0)
    }
}

/// The arguments of `apply`.
#[derive(Args, Clone, Debug, Default)]
pub struct ApplyArguments {
    /// A plan that `--save` wrote
    pub file: PathBuf,
    /// How to go about it.
    #[command(flatten)]
    pub carry_out: CarryOutArguments,
}

/// The arguments of `undo`.
#[derive(Args, Clone, Debug, Default)]
pub struct UndoArguments {
    /// Print one JSON object instead of prose
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}

/// The arguments of `trash`.
#[derive(Args, Clone, Debug)]
pub struct TrashArguments {
    /// What to do with it.
    #[command(subcommand)]
    pub command: TrashCommand,
}

/// What to do with the trash.
#[derive(Clone, Debug, Subcommand)]
pub enum TrashCommand {
    /// List the runs whose removed things are in the trash
    List(TrashListArguments),
    /// Put back what a run removed
    Restore(TrashRestoreArguments),
    /// Delete what runs removed, after asking
    Purge(TrashPurgeArguments),
}

/// The arguments of `trash list`.
#[derive(Args, Clone, Debug, Default)]
pub struct TrashListArguments {
    /// Print one JSON object instead of a table
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}

/// The arguments of `trash restore`.
#[derive(Args, Clone, Debug, Default)]
pub struct TrashRestoreArguments {
    /// The run, as `trash list` names it; the beginning of its name suffices
    pub run: OsString,
    /// Print one JSON object instead of prose
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}

/// The arguments of `trash purge`.
#[derive(Args, Clone, Debug, Default)]
pub struct TrashPurgeArguments {
    /// Only these runs, as `trash list` names them
    #[arg(value_name = "RUN")]
    pub runs: Vec<OsString>,
    /// Only say what would be deleted
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask
    #[arg(long, conflicts_with = "dry_run")]
    pub yes: bool,
    /// Print one JSON object instead of prose
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}
