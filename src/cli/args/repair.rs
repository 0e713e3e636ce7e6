//! The arguments of `repair`.

use std::path::PathBuf;

use clap::Args;

use super::asking::AskingArguments;
use super::values::words;
use crate::snapshot::Mode;

/// What is done in which order, and what is never done.
pub(super) const HELP: &str = "\
For each distribution with missing files or broken links, in this order:
  moved        its dead links name an entry that this cache has, or one named by `--from`: the cache was moved
  digest       another entry, here or there, has the content that the environment's RECORD states
  environment  no cache has it, but another environment does: its file is copied
  uv           with `--with-uv`: uv fetches it into the cache, by way of a directory that is thrown away
  else it is named, with the commands that a person can run

Files that differ from RECORD are named, with the commands that install them again, and never replaced: they may hold edits.

With `--all`, or alone with `--links`: the links inside the cache that keep its entries from uv's prune. A link that is \
lost, damaged or leads elsewhere is written again, as uv writes it, from the pointer file beside it. Of what uv built from \
a source distribution only the link itself names the entry: one that is lost or unreadable stays so, and uv builds again. \
A link is never made to an entry that is not there or holds another package or version; what leads to one that is gone \
is named, with the command that clears it away.

Columns:
  AS    the link mode; where it is refused it becomes what uv falls back to, which is told
  BY    which of these ways
  FROM  the entry, or what uv is asked for

Never done: an intact file is not touched, nothing is imported, no script is invented, and uv is not asked to install \
into the damaged environment, where it would uninstall before it knows that it can install.

The exit code is 3 when something stays broken, with `--dry-run` too.

Examples:
  cachetui repair --all --dry-run             what is broken, and what can repair it
  cachetui repair ~/code/app                  one environment, after asking
  cachetui repair --all --from /mnt/old/uv    with what another cache has
  cachetui repair ~/code/app --with-uv --yes  uv fetches what is in no cache
  cachetui repair --links                     the links inside the cache, and nothing else";

const MODES: [Mode; 4] = [Mode::Clone, Mode::Hardlink, Mode::Symlink, Mode::Copy];

/// The arguments of `repair`.
#[derive(Args, Clone, Debug, Default)]
pub struct RepairArguments {
    /// The environments to repair: a root, a project that holds one, or a tool's name
    #[arg(value_name = "ENV", conflicts_with = "all")]
    pub environments: Vec<PathBuf>,
    /// Every environment that is found, and the links inside the cache
    #[arg(long)]
    pub all: bool,
    /// The links inside the cache that keep its entries from uv's prune
    #[arg(long)]
    pub links: bool,
    /// Another cache that may have what is missing; repeatable
    #[arg(long, value_name = "CACHE", help_heading = "Sources")]
    pub from: Vec<PathBuf>,
    /// How to link; as most files of the environment are when not said
    #[arg(long, value_name = "MODE", value_parser = words(&MODES, Mode::word), help_heading = "Sources")]
    pub link_mode: Option<Mode>,
    /// Let uv fetch what no cache has; it may use the network
    ///
    /// uv is what `UV` names, else the one on `PATH`. It works in the environment's project, so that its settings for
    /// indexes count. Broken pointers in the cache are removed before, because uv would fail on them.
    #[arg(long, help_heading = "Sources")]
    pub with_uv: bool,
    /// What becomes of the plan.
    #[command(flatten)]
    pub asking: AskingArguments,
}
