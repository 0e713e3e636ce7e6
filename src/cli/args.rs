//! The command line: every command, option and help text.
//!
//! Options that say where to look and how to show things belong to all commands and may stand before or after the
//! command's name. Variables are not read here but where the surroundings are, so that help and parsing are the same
//! everywhere.

pub mod asking;
pub mod config;
pub mod gc;
pub mod locks;
pub mod prune;
pub mod relink;
pub mod remove;
pub mod repair;
pub mod schedule;
pub mod values;
pub mod verify;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::styling::{AnsiColor, Style, Styles};
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::cli::select::entries::{EntryFilter, EntrySort};
use crate::cli::select::environments::{EnvironmentFilter, EnvironmentSort};
use crate::cli::select::pointers::PointerSort;
use crate::snapshot::{
    EntryKind, EntryState, EnvironmentKind, Health, LinkMode, Mode, Origin, PointerForm, PointerState,
};
use crate::uv::requirement::Requirement;
use config::ConfigArguments;
use gc::GcArguments;
use locks::LocksArguments;
use prune::{ApplyArguments, PruneArguments, TrashArguments, UndoArguments};
use relink::RelinkArguments;
use remove::RemoveArguments;
use repair::RepairArguments;
use schedule::ScheduleArguments;
use values::{Age, Bytes, requirement, words};
use verify::VerifyArguments;

const STYLES: Styles = Styles::styled()
    .header(Style::new().bold())
    .usage(Style::new().bold())
    .literal(AnsiColor::Cyan.on_default())
    .placeholder(AnsiColor::Green.on_default());

const LONG_ABOUT: &str = "\
See what the uv cache holds and who uses it.

Without a command, cachetui opens its interface on the cache that uv would use here. Every view of the interface is a \
command too, with tables for people and `--json` for programs. Looking changes nothing. What changes something shows its \
plan and asks first; `doctor` makes temporary files, and removes them again.";

const AFTER_LONG_HELP: &str = "\
Words:
  entry        one directory of the cache that holds an unpacked wheel, or a whole environment
  pointer      what inside the cache leads to an entry: a symlink, a link file, a .http or .rev file
  WHAT         entries by name, requirement (numpy<2) or id; an id that starts with a dash goes after `--`
  ENV          an environment by its root, or by the project that holds it

Exit codes:
  0  done, or nothing to do         3   a check found damage
  1  something failed or was left   11  a lock is busy
  2  the arguments make no sense    130 interrupted

Examples:
  cachetui                                    open the interface
  cachetui list --state unused --sort size    what no environment uses, largest first
  cachetui why torch==2.9.0                   who uses it, and what removing it frees
  cachetui find 'numpy<2'                     which installations have it
  cachetui envs ~/code/project                how each distribution there was linked
  cachetui links --state dangling             broken pointers
  cachetui prune --unused --dry-run           what would go, and what that frees
  cachetui repair --all --dry-run             what is broken, and what can repair it
  cachetui doctor                             which links could be made, and what is wrong
  cachetui list --json | jq '.totals'";

const LIST_HELP: &str = "\
Columns:
  SIZE        allocated bytes, each file once however many links it has
  FREES       what removing this entry alone frees; \u{2265} where the filesystem will not say how much more
  LAST USED   the newest sign of use: a link made or removed, an installation, a pointer written; never access times
  USERS       environments by link mode: C clone, H hardlink, S symlink, P copy, M mixed; `+3?` are three links or
              shared extents that were found in no known environment
  STATE       protected       an environment reaches it by symlink and would break without it
              used            an environment uses it by hardlink, clone or copy
              held-elsewhere  no known environment uses it, but something holds a part of it, or it could not be read
              unused          no environment in the places that were searched uses it
              unreferenced    and nothing in the cache leads to it, so that uv will not use it again";

const ENVS_HELP: &str = "\
Columns:
  LINK MODES  how the files were linked, by number of files; read from the files, never from settings
  FREES       what removing this environment alone frees
  LAST USED   the newest sign of use: something was installed, Python compiled a module, a script was written, uv asked the
              interpreter; running an environment again leaves no sign
  PROJECT     the project that it lies in, or for which it lies in the cache
  FILES       with --dists: C clone, H hardlink, S symlink, P copy; own: in no known entry; private: what uv keeps for
              itself, as RECORD and generated scripts
  HEALTH      broken: files dangle or are missing; no-interpreter: its Python is gone

The exit code is 0 whatever the health.";

const FIND_HELP: &str = "\
Columns:
  LINKED       how the files were linked, read from the files; `-` where they come from no entry of the cache
  ENVIRONMENT  the root of an environment, or the directory of distributions of a Python
  PROJECT      the project that it lies in, or for which it lies in the cache
  ENTRY        entries of the cache that meet a requirement, used or not
  INSTALLED    how many of the installations above came from the entry

The exit code is 0 where an installation has what was asked for, and 1 where none has.";

const DOCTOR_HELP: &str = "\
Columns:
  COULD   the best link mode that works there: clone, hardlink, copy, or none
  HAS     how the files were linked, by number of files
  COPIED  bytes of copies whose content the cache holds too
  WHY     what stands in the way

The exit code is 3 when something is wrong, and 0 when something is merely worth knowing.";

/// The whole command line.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "cachetui",
    version = crate::uv::VERSION,
    about = "See what the uv cache holds and who uses it",
    long_about = LONG_ABOUT,
    after_long_help = AFTER_LONG_HELP,
    styles = STYLES,
    max_term_width = 100
)]
pub struct Arguments {
    /// Where to look.
    #[command(flatten)]
    pub places: Places,
    /// How to show it.
    #[command(flatten)]
    pub look: Look,
    /// What to do; the interface when nothing is named.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// The options that say where to look.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Where to look")]
pub struct Places {
    /// The cache; the one that uv would use here when not named
    ///
    /// uv uses `UV_CACHE_DIR`, then the `cache-dir` of the project's, the user's or the system's uv settings, then the
    /// default place.
    #[arg(long, global = true, value_name = "DIR")]
    pub cache_dir: Option<PathBuf>,
    /// Search this directory for environments; repeatable
    ///
    /// These places are always searched: the current directory and those above it, the interpreters uv has recorded,
    /// tools, the cache itself, and where other managers keep their environments.
    #[arg(long = "root", global = true, value_name = "DIR")]
    pub roots: Vec<PathBuf>,
    /// Take this directory for an environment; repeatable
    ///
    /// For what nothing marks as an environment: a directory that `uv pip install --target` or `--prefix` filled, or a
    /// system's site-packages.
    #[arg(long = "target", global = true, value_name = "DIR")]
    pub targets: Vec<PathBuf>,
    /// Search other mounts below a root too
    #[arg(long, global = true)]
    pub cross_mounts: bool,
    /// Keep cachetui's own lock files here, for all who share a cache to name the same directory
    ///
    /// Otherwise `UV_LOCK_DIR` says where, else they are in cachetui's state directory. uv's own lock files are where uv
    /// has them, and are taken as well.
    #[arg(long, global = true, value_name = "DIR")]
    pub lock_dir: Option<PathBuf>,
    /// Neither use nor extend the list of environments found earlier
    #[arg(long, global = true)]
    pub no_remember: bool,
}

/// The options that say how to show things.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Output")]
pub struct Look {
    /// When to use colours [default: auto]
    ///
    /// `auto` uses them on a terminal unless `NO_COLOR` is set.
    #[arg(long, global = true, value_name = "WHEN")]
    pub color: Option<ColorChoice>,
    /// Show no progress and no summary
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// List what was searched, what could not be read, and every problem
    #[arg(short, long, global = true)]
    pub verbose: bool,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Open the interface (the default)
    Tui,
    /// Open the interface on a sample cache made for the occasion
    ///
    /// The sample shows all link modes, broken environments, broken pointers and links that nothing explains.
    /// Making it takes some 60 MiB of a temporary directory and neither uv nor Python nor a network; it is removed at the
    /// end. Where there is no terminal its entries are listed instead.
    Demo(DemoArguments),
    /// List the cache's entries and how they are used
    #[command(after_long_help = LIST_HELP)]
    List(ListArguments),
    /// List environments and how they are linked to the cache
    #[command(after_long_help = ENVS_HELP)]
    Envs(EnvsArguments),
    /// Find the installations that have a distribution: environments, tools, and Pythons of the system, of uv and of conda
    ///
    /// Of the cache it reads only the names of its entries, and the entries that meet a requirement.
    #[command(after_long_help = FIND_HELP)]
    Find(FindArguments),
    /// Say what could be freed, shared and repaired, and who holds the cache
    Status(StatusArguments),
    /// Explain who uses an entry and why it is kept
    Why(WhyArguments),
    /// List what leads to entries: live, dangling, foreign, malformed
    Links(LinksArguments),
    /// Find out which links could be made, why others cannot, and what is wrong with the cache
    ///
    /// Tries each link mode with temporary files in the cache and in the environments, and removes them again.
    #[command(after_long_help = DOCTOR_HELP)]
    Doctor(DoctorArguments),
    /// List lock files, what they guard and who holds them
    ///
    /// Listing locks nothing. On Linux the holders are those of `/proc/locks`; other systems do not tell who holds a
    /// file. The exit code is 0 whatever is held.
    #[command(after_long_help = locks::HELP)]
    Locks(LocksArguments),
    /// Remove from the cache what is not needed
    ///
    /// Without anything asked for it shows what each kind would free. Otherwise it shows the plan, asks, and carries
    /// it out under uv's lock: for each entry the pointers that lead to it first, so that uv never meets one that leads
    /// nowhere.
    #[command(after_long_help = prune::HELP)]
    Prune(PruneArguments),
    /// Remove environments, and the entries that no other environment uses
    ///
    /// Shows the plan, asks, and carries it out under uv's locks.
    #[command(after_long_help = remove::HELP)]
    Remove(RemoveArguments),
    /// Carry out a plan that `--save` wrote: of prune, remove, relink, repair or verify --detach
    ///
    /// It looks again at everything. What has changed since the plan was made is left as it is, with the reason.
    Apply(ApplyArguments),
    /// Put back what was removed last, as far as it is in the trash
    Undo(UndoArguments),
    /// List, put back or delete what was removed with `--trash`
    Trash(TrashArguments),
    /// Keep the cache within the policy of the settings: remove what is old or beyond a limit
    ///
    /// Does not ask: the policy is the answer.
    #[command(after_long_help = gc::HELP)]
    Gc(Box<GcArguments>),
    /// Have the system run `gc --auto` regularly
    #[command(after_long_help = schedule::HELP)]
    Schedule(ScheduleArguments),
    /// Show, check or find the settings
    #[command(after_long_help = config::HELP)]
    Config(ConfigArguments),
    /// Link the files of environments otherwise: by clone, hardlink, symlink or copy
    ///
    /// From copy to clone or hardlink gives bytes back; to copy or clone makes an environment independent of the cache.
    #[command(after_long_help = relink::HELP)]
    Relink(RelinkArguments),
    /// Compare contents with RECORD: edited, truncated, empty, missing and extra files
    #[command(after_long_help = verify::HELP)]
    Verify(VerifyArguments),
    /// Repair environments with missing files or broken links
    ///
    /// What is broken is found by RECORD. Files are linked from the entry that the dead links name, where its cache was
    /// moved, or from any entry that has their content: hashed, not believed. With `--with-uv` uv fetches what no cache has.
    /// What cannot be repaired is named, with the commands that do it.
    #[command(after_long_help = repair::HELP)]
    Repair(RepairArguments),
    /// Print completions for a shell
    ///
    /// For bash: `cachetui completions bash > ~/.local/share/bash-completion/completions/cachetui`.
    Completions(CompletionsArguments),
    /// Print the manual page as roff
    ///
    /// It is the program's page, or that of a command. Read it with `cachetui man | man -l -`.
    Man(ManArguments),
}

/// The arguments of `demo`.
#[derive(Args, Clone, Debug, Default)]
pub struct DemoArguments {
    /// Write the sample here, and print how to look at it
    ///
    /// The directory must be new or empty. Nothing is opened, and nothing is removed.
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub keep: Option<PathBuf>,
}

/// The arguments of `list`.
#[derive(Args, Clone, Debug, Default)]
pub struct ListArguments {
    /// Only these: a name, a requirement as `numpy<2`, or an entry's id
    pub what: Vec<OsString>,
    /// Which entries.
    #[command(flatten)]
    pub filter: EntryFilterArguments,
    /// What to order them by
    #[arg(long, value_name = "KEY", value_parser = words(&EntrySort::ALL, EntrySort::word), default_value = "size",
        help_heading = "Order")]
    pub sort: EntrySort,
    /// Turn the order round
    #[arg(long, help_heading = "Order")]
    pub reverse: bool,
    /// Stop after so many
    #[arg(long, value_name = "N", help_heading = "Order")]
    pub limit: Option<usize>,
    /// Print one JSON object instead of a table
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}

/// Which entries `list` shows.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Filters")]
pub struct EntryFilterArguments {
    /// Only names that contain this, or match it where it has `*` or `?`
    #[arg(long, value_name = "PATTERN")]
    pub name: Vec<String>,
    /// Only entries in these states
    #[arg(long, value_name = "STATE", value_delimiter = ',', value_parser = words(&ENTRY_STATES, EntryState::word))]
    pub state: Vec<EntryState>,
    /// Only entries of these kinds
    #[arg(long, value_name = "KIND", value_delimiter = ',', value_parser = words(&ENTRY_KINDS, EntryKind::word))]
    pub kind: Vec<EntryKind>,
    /// Only entries from these kinds of places
    #[arg(long, value_name = "SOURCE", value_delimiter = ',', value_parser = words(&ORIGINS, Origin::word))]
    pub source: Vec<Origin>,
    /// Only what this environment uses; repeatable
    #[arg(long = "env", value_name = "ENV")]
    pub environments: Vec<PathBuf>,
    /// Only entries of at least this size on disk, as `10M` or `1.5GiB`
    #[arg(long, value_name = "SIZE", value_parser = values::bytes)]
    pub min_size: Option<Bytes>,
    /// Only entries that nothing shows to be used for so long, as `30d`, `6w` or `1y`
    #[arg(long, value_name = "AGE", value_parser = values::age)]
    pub older_than: Option<Age>,
}

/// The arguments of `envs`.
#[derive(Args, Clone, Debug, Default)]
pub struct EnvsArguments {
    /// Only these: an environment's root, a project that holds one, or a tool's name
    ///
    /// Environments that are named are shown with their distributions. A tool is what `uv tool install` installed.
    #[arg(value_name = "ENV")]
    pub environments: Vec<PathBuf>,
    /// Count what was at or below this path, and is not there any more, as gone; repeatable
    ///
    /// An environment that is not there may be on a disk that is not mounted, so it keeps the entries that no known
    /// environment uses, until it is found again or forgotten.
    #[arg(long, value_name = "DIR")]
    pub forget: Vec<PathBuf>,
    /// Show the distributions of each
    #[arg(long, help_heading = "Output")]
    pub dists: bool,
    /// Only environments of this health
    #[arg(long, value_name = "HEALTH", value_delimiter = ',', value_parser = words(&HEALTHS, Health::word),
        help_heading = "Filters")]
    pub health: Vec<Health>,
    /// Only environments whose files were linked so
    #[arg(long, value_name = "MODE", value_delimiter = ',', value_parser = words(&LINK_MODES, LinkMode::word),
        help_heading = "Filters")]
    pub mode: Vec<LinkMode>,
    /// Only environments of these kinds
    #[arg(long, value_name = "KIND", value_delimiter = ',', help_heading = "Filters",
        value_parser = words(&ENVIRONMENT_KINDS, EnvironmentKind::word))]
    pub kind: Vec<EnvironmentKind>,
    /// Only environments without a sign of use for so long, as `90d`, `6w` or `1y`
    #[arg(long, value_name = "AGE", value_parser = values::age, help_heading = "Filters")]
    pub idle: Option<Age>,
    /// What to order them by
    #[arg(long, value_name = "KEY", default_value = "path", help_heading = "Order",
        value_parser = words(&EnvironmentSort::ALL, EnvironmentSort::word))]
    pub sort: EnvironmentSort,
    /// Turn the order round
    #[arg(long, help_heading = "Order")]
    pub reverse: bool,
    /// Print one JSON object instead of a table
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}

/// The arguments of `find`.
#[derive(Args, Clone, Debug, Default)]
pub struct FindArguments {
    /// What to look for: a name, or one with versions, as `numpy<2`, `torch==2.7.*` or `demo>=1,<2`
    ///
    /// Versions are compared as PEP 440 says. Several are looked for at once. Quote them: `<` and `>` mean something to a shell.
    #[arg(required = true, value_name = "SPEC", value_parser = requirement)]
    pub requirements: Vec<Requirement>,
    /// Print one JSON object instead of tables
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}

/// The arguments of `status`.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct StatusArguments {
    /// Leave what changed within this time [default: 24h]
    #[arg(long, value_name = "AGE", value_parser = values::age)]
    pub grace: Option<Age>,
    /// Print one JSON object instead of prose
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}

/// The arguments of `why`.
#[derive(Args, Clone, Debug, Default)]
pub struct WhyArguments {
    /// A name, a requirement as `numpy<2`, or an entry's id
    #[arg(required = true)]
    pub what: Vec<OsString>,
    /// Print one JSON object instead of prose
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}

/// The arguments of `links`.
#[derive(Args, Clone, Debug, Default)]
pub struct LinksArguments {
    /// Only what leads to these: a name, a requirement as `numpy<2`, or an entry's id
    pub what: Vec<OsString>,
    /// Only pointers in these states
    #[arg(long, value_name = "STATE", value_delimiter = ',', help_heading = "Filters",
        value_parser = words(&POINTER_STATES, PointerState::word))]
    pub state: Vec<PointerState>,
    /// Only pointers of these forms
    #[arg(long, value_name = "FORM", value_delimiter = ',', help_heading = "Filters",
        value_parser = words(&POINTER_FORMS, PointerForm::word))]
    pub form: Vec<PointerForm>,
    /// What to order them by
    #[arg(long, value_name = "KEY", default_value = "path", help_heading = "Order",
        value_parser = words(&PointerSort::ALL, PointerSort::word))]
    pub sort: PointerSort,
    /// Turn the order round
    #[arg(long, help_heading = "Order")]
    pub reverse: bool,
    /// Print one JSON object instead of a table
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}

/// The arguments of `doctor`.
#[derive(Args, Clone, Debug, Default)]
pub struct DoctorArguments {
    /// Only these environments: a root, a project that holds one, or a tool's name
    #[arg(value_name = "ENV")]
    pub environments: Vec<PathBuf>,
    /// Write nothing at all: look, but do not try which links work
    #[arg(long)]
    pub no_probe: bool,
    /// Print one JSON object instead of prose
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}

/// The arguments of `completions`.
#[derive(Args, Clone, Debug)]
pub struct CompletionsArguments {
    /// The shell
    pub shell: clap_complete::Shell,
}

/// The arguments of `man`.
#[derive(Args, Clone, Debug, Default)]
pub struct ManArguments {
    /// The page of this command
    pub command: Option<String>,
}

const ENTRY_STATES: [EntryState; 5] = [
    EntryState::Protected,
    EntryState::Used,
    EntryState::HeldElsewhere,
    EntryState::Unused,
    EntryState::Unreferenced,
];
const ENTRY_KINDS: [EntryKind; 3] = [EntryKind::Wheel, EntryKind::Environment, EntryKind::Unknown];
const ORIGINS: [Origin; 9] = [
    Origin::Pypi,
    Origin::Index,
    Origin::FindLinks,
    Origin::Url,
    Origin::Path,
    Origin::Git,
    Origin::Editable,
    Origin::Command,
    Origin::Unknown,
];
const HEALTHS: [Health; 3] = [Health::Ok, Health::Broken, Health::NoInterpreter];
const LINK_MODES: [LinkMode; 6] = [
    LinkMode::Only(Mode::Clone),
    LinkMode::Only(Mode::Hardlink),
    LinkMode::Only(Mode::Symlink),
    LinkMode::Only(Mode::Copy),
    LinkMode::Mixed,
    LinkMode::Unknown,
];
const ENVIRONMENT_KINDS: [EnvironmentKind; 6] = [
    EnvironmentKind::Project,
    EnvironmentKind::Tool,
    EnvironmentKind::Cached,
    EnvironmentKind::Script,
    EnvironmentKind::Central,
    EnvironmentKind::Other,
];
const POINTER_STATES: [PointerState; 4] =
    [PointerState::Live, PointerState::Dangling, PointerState::Foreign, PointerState::Malformed];
const POINTER_FORMS: [PointerForm; 4] =
    [PointerForm::Symlink, PointerForm::LinkFile, PointerForm::Http, PointerForm::Rev];

impl ListArguments {
    /// The filter they ask for, without the environments, which only a snapshot can resolve.
    pub fn filter(&self) -> EntryFilter {
        EntryFilter {
            what: self.what.iter().map(|text| crate::snapshot::What::new(text)).collect(),
            names: self.filter.name.clone(),
            states: self.filter.state.clone(),
            kinds: self.filter.kind.clone(),
            origins: self.filter.source.clone(),
            min_disk: self.filter.min_size.map(|size| size.0),
            older_than: self.filter.older_than.map(|age| age.0),
            used_by: None,
        }
    }
}

impl EnvsArguments {
    /// The filter they ask for, without the environments named, which only a snapshot can resolve.
    pub fn filter(&self) -> EnvironmentFilter {
        EnvironmentFilter {
            health: self.health.clone(),
            modes: self.mode.clone(),
            kinds: self.kind.clone(),
            idle: self.idle.map(|age| age.0.as_secs()),
            only: None,
        }
    }
}
