//! Locks for commands: how long to wait for them, and what is said when they are not to be had.

use std::time::Duration;

use super::failure::{BUSY, FAILED, Failure, INTERRUPTED};
use super::surroundings::Surroundings;
use crate::human;
use crate::lock::{Refused, ancestor};

/// How long uv waits when nobody says otherwise (uv 0.9.4 to 0.13.8).
const DEFAULT: Duration = Duration::from_secs(300);

/// How long to wait for a lock: `UV_LOCK_TIMEOUT`, in seconds. What is not a number counts as the default, as for uv, and
/// is told by a sentence.
pub fn timeout(surroundings: &Surroundings) -> (Duration, Option<String>) {
    let Some(value) = surroundings.variable("UV_LOCK_TIMEOUT") else { return (DEFAULT, None) };
    if let Some(seconds) = value.to_str().and_then(|text| text.parse().ok()) {
        return (Duration::from_secs(seconds), None);
    }
    let notice = format!(
        "`UV_LOCK_TIMEOUT` is `{}`, which is no number of seconds; waiting for {} at most, as uv does.",
        human::escape_os(value),
        human::counted(DEFAULT.as_secs(), "second", "seconds"),
    );
    (DEFAULT, Some(notice))
}

/// The failure of a command that did not get a lock. Busy has an exit code of its own, so that scripts can try again.
pub fn failure(refused: Refused) -> Failure {
    let (code, hint) = match &refused {
        Refused::Busy { holders, .. } | Refused::TimedOut { holders, .. } => {
            let hint = match ancestor::among(holders) {
                Some(ancestor) => ancestor::explanation(&ancestor),
                None => "`cachetui locks` shows who holds what; `UV_LOCK_TIMEOUT` says for how many seconds to wait."
                    .to_owned(),
            };
            (BUSY, hint)
        }
        Refused::Cancelled { .. } => return Failure::quiet(INTERRUPTED),
        Refused::Denied { .. } => {
            (FAILED, "Looking needs no lock; a change needs the right to use its lock file.".to_owned())
        }
        Refused::Unsupported { .. } => (
            FAILED,
            "Looking needs no lock; a change is not made where nothing keeps uv from changing the same files."
                .to_owned(),
        ),
        Refused::Odd { .. } => (FAILED, "Remove it if nothing needs it: uv makes its lock file again.".to_owned()),
        Refused::Vanished { .. } | Refused::Unlike { .. } | Refused::Failed(_) => {
            return Failure::new(FAILED, refused);
        }
    };
    Failure::new(code, refused).hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lock::Share;

    fn surroundings(value: Option<&str>) -> Surroundings {
        let mut surroundings = Surroundings::read().unwrap();
        surroundings.variables.clear();
        surroundings.variables.extend(value.map(|value| ("UV_LOCK_TIMEOUT".into(), value.into())));
        surroundings
    }

    #[test]
    fn the_timeout_is_read_as_uv_reads_it() {
        assert_eq!(timeout(&surroundings(None)), (DEFAULT, None));
        assert_eq!(timeout(&surroundings(Some("7"))), (Duration::from_secs(7), None));
        assert_eq!(timeout(&surroundings(Some("0"))), (Duration::ZERO, None));
        for odd in ["soon", "-1", "1.5", "7s"] {
            let (duration, notice) = timeout(&surroundings(Some(odd)));
            assert_eq!(duration, DEFAULT);
            assert!(notice.unwrap().contains(odd), "{odd}");
        }
    }

    #[test]
    fn busy_has_an_exit_code_of_its_own() {
        let path = std::path::PathBuf::from("/cache/.lock");
        let busy = || Refused::Busy { path: path.clone(), wanted: Share::Shared, holders: Vec::new() };
        assert_eq!(failure(busy()).code(), 11);
        let waited = Duration::from_secs(3);
        let timed_out =
            Refused::TimedOut { path: path.clone(), wanted: Share::Shared, holders: Vec::new(), waited };
        assert_eq!(timed_out.to_string(), "`/cache/.lock` was locked for 3 seconds by another process");
        assert_eq!(failure(timed_out).code(), 11);
        assert_eq!(failure(Refused::Cancelled { path: path.clone() }).code(), 130);
        assert_eq!(failure(Refused::Vanished { path: path.clone() }).code(), 1);
        let mut text = Vec::new();
        failure(busy()).print(&mut text, false).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(text.starts_with("error: `/cache/.lock` is locked by another process\n"), "{text}");
    }
}
