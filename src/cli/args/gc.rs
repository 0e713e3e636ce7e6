//! The arguments of `gc`.

use std::time::Duration;

use clap::Args;

use super::values::{self, Age, Amount, words};
use crate::cli::settings::policy::{Choice, Policy, age_or_off, amount_or_off, number_or_off};
use crate::plan::Allowance;

/// What a policy is, and in which order things go.
pub(super) const HELP: &str = "\
The policy stands in `[policy]` of the settings; `cachetui config path` says where they are:

  [policy]
  max-size = \"40G\"            # at most so much, or \"15%\" of the volume
  keep-free = \"10%\"           # at least so much free on the volume
  older-than = \"60d\"          # what nothing uses, and nothing has used for so long
  idle-environments = \"180d\"  # environments without a sign of use, with the entries that only they use
  keep-newest = 2             # of the environments that uvx and `uv run --with` left, so many of each
  keep = [\"torch\", \"~/code/app/uv.lock\"]
  trash-for = \"7d\"            # what is removed can be put back for so long

An option goes before the variable (CACHETUI_MAX_SIZE, CACHETUI_KEEP and so on), which goes before the settings; \"off\" switches one \
off. `keep` and `allow` add up. `cachetui config show` tells what holds.

In this order: the trash that is older than `trash-for`; environments that are idle; what costs nothing to be without, and \
what is older than `older-than`; then for `max-size` and `keep-free` what was used longest ago, and no more than it takes. \
Nothing that an environment uses goes. What is removed lies in the trash for `trash-for`, unless a limit needs its room; \
environments go from there early for `keep-free` alone, and only where that is enough.

`gc` does not ask: the policy is the answer. A size is allowed to take more than half of the cache.

Examples:
  cachetui gc --dry-run                               what the policy would remove now
  cachetui gc --auto                                  once a day, or when a limit is exceeded: for timers and hooks
  cachetui gc --max-size 5G --trash-for off --fail-over 6G   for CI";

/// The arguments of `gc`.
#[derive(Args, Clone, Debug, Default)]
pub struct GcArguments {
    /// What the policy is.
    #[command(flatten)]
    policy: PolicyArguments,
    /// Only when a day has passed, or the cache is beyond a limit; says nothing where there is nothing to do
    ///
    /// Until then it is cheap: of the cache only what is new is measured. What cannot be done is said once.
    #[arg(long, conflicts_with = "dry_run", help_heading = "Carrying out")]
    pub auto: bool,
    /// Only print what would be removed
    #[arg(long, help_heading = "Carrying out")]
    pub dry_run: bool,
    /// Wait until no process holds the cache, for 8 hours or so long at most, and hold nothing meanwhile
    #[arg(long, value_name = "AGE", value_parser = values::age, num_args = 0..=1, require_equals = true,
        default_missing_value = "8h", help_heading = "Carrying out")]
    pub when_free: Option<Age>,
    /// Print one JSON object instead of prose
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}

/// What goes before the policy of the settings.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Policy")]
struct PolicyArguments {
    /// The most that the cache may take, as `40G` or `15%` of its volume
    #[arg(long, value_name = "SIZE", value_parser = amount_or_off)]
    max_size: Option<Choice<Amount>>,
    /// The least that is to be free on the cache's volume
    #[arg(long, value_name = "SIZE", value_parser = amount_or_off)]
    keep_free: Option<Choice<Amount>>,
    /// How long something may go unused that no environment uses, as `60d`
    #[arg(long, value_name = "AGE", value_parser = age_or_off)]
    older_than: Option<Choice<Duration>>,
    /// How long an environment may show no sign of use before it is removed
    #[arg(long, value_name = "AGE", value_parser = age_or_off)]
    idle_environments: Option<Choice<Duration>>,
    /// How many cached environments stay of each tool or set of packages
    #[arg(long, value_name = "N", value_parser = number_or_off)]
    keep_newest: Option<Choice<usize>>,
    /// Leave this: a name, a requirement as `numpy<2`, or a lock file; repeatable
    #[arg(long, value_name = "WHAT")]
    keep: Vec<String>,
    /// Leave what changed within this time [default: 24h]
    #[arg(long, value_name = "AGE", value_parser = age_or_off)]
    grace: Option<Choice<Duration>>,
    /// How long what is removed stays in the trash, `off` for not at all [default: 7d]
    #[arg(long, value_name = "AGE", value_parser = age_or_off)]
    trash_for: Option<Choice<Duration>>,
    /// Carry the plan out although it calls for a second look
    #[arg(long, value_name = "WHAT", value_delimiter = ',', value_parser = words(&Allowance::ALL, Allowance::word))]
    allow: Vec<Allowance>,
    /// Fail where the cache takes more afterwards
    #[arg(long, value_name = "SIZE", value_parser = amount_or_off)]
    fail_over: Option<Choice<Amount>>,
}

impl GcArguments {
    /// A policy with what the arguments say in its place.
    pub(in crate::cli) fn over(&self, mut policy: Policy) -> Policy {
        let mine = &self.policy;
        policy.max_size = mine.max_size.or(policy.max_size);
        policy.keep_free = mine.keep_free.or(policy.keep_free);
        policy.older_than = mine.older_than.or(policy.older_than);
        policy.idle_environments = mine.idle_environments.or(policy.idle_environments);
        policy.keep_newest = mine.keep_newest.or(policy.keep_newest);
        policy.grace = mine.grace.or(policy.grace);
        policy.trash_for = mine.trash_for.or(policy.trash_for);
        policy.fail_over = mine.fail_over.or(policy.fail_over);
        policy.keep.extend(mine.keep.iter().cloned());
        policy.allow.extend(&mine.allow);
        policy
    }
}
