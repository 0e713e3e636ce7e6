//! What is unused, and what of it can go.

use crate::human;
use crate::plan::{Unused, kept_in_words};
use crate::say::frees;

/// How much is unused and what of it can go, as `19 unused, 1.2 GiB: 14 can go now, 1.0 GiB; kept: 3 too young, 2
/// environments in the cache`.
pub fn in_words(unused: &Unused) -> String {
    format!("{} unused, {}: {}", human::count(unused.entries), frees(unused.frees), can_go(unused))
}

/// What of it can go, and what cannot and why.
pub fn can_go(unused: &Unused) -> String {
    if unused.all_goes() {
        return "all can go now".to_owned();
    }
    let goes = match unused.can_go.entries {
        0 => "none can go now".to_owned(),
        number => format!("{} can go now, {}", human::count(number), frees(unused.can_go.frees)),
    };
    let stays = stays(unused);
    if stays.is_empty() { goes } else { format!("{goes}; kept: {stays}") }
}

/// What of it cannot go, and why, as `3 too young, 2 environments in the cache`; empty where all can.
pub fn stays(unused: &Unused) -> String {
    let stays = kept_in_words(&unused.kept);
    if unused.environments == 0 {
        return stays;
    }
    let more = human::counted(unused.environments, "environment in the cache", "environments in the cache");
    if stays.is_empty() { more } else { format!("{stays}, {more}") }
}
