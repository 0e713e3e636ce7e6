//! What a comparison with `RECORD` came to.

use super::Tone;
use crate::human;
use crate::scan::verify::{Verdict, Verified};

/// What was found, as the end of a sentence.
pub fn result(verified: &Verified) -> (Tone, String) {
    let is_partial = !verified.problems.is_empty() || !verified.away.is_empty();
    match verified.damage().count() {
        0 if verified.cancelled => (Tone::Notice, "no damage as far as it came".to_owned()),
        0 if is_partial => (Tone::Notice, "no damage in what could be compared".to_owned()),
        0 => (Tone::Good, "all as RECORD says".to_owned()),
        1 => (Tone::Bad, "1 is damaged".to_owned()),
        many => (Tone::Bad, format!("{} are damaged", human::count(many as u64))),
    }
}

/// What was not compared, or not wholly, as sentences. `lists` says how to see the paths, where they are not shown.
pub fn not_compared(verified: &Verified, lists: Option<&str>) -> Vec<String> {
    let mut all = Vec::new();
    if verified.of_system > 0 {
        let came = human::counted(verified.of_system, "distribution", "distributions");
        all.push(format!(
            "Not compared: {came} of the system, whose RECORD the packagers leave out of date."
        ));
    }
    if !verified.away.is_empty() {
        let are = human::counted(verified.away.len() as u64, "file is a symlink", "files are symlinks");
        let end = listed(lists);
        all.push(format!("Not compared: {are} to a place outside of the cache that is not there{end}."));
    }
    if verified.by_size > 0 {
        let have = human::counted(verified.by_size, "file has", "files have");
        all.push(format!("{have} no SHA-256 in RECORD: only the size was compared."));
    }
    all
}

/// What differs through the fault of a wheel.
pub fn of_wheels(verified: &Verified, lists: Option<&str>) -> Option<String> {
    let own = verified.findings.iter().filter(|finding| finding.verdict == Verdict::Wheel).count() as u64;
    let files = human::counted(own, "file has", "files have");
    let end = listed(lists);
    (own > 0)
        .then(|| format!("{files} differed from RECORD from the start, which is the wheel's own fault{end}."))
}

fn listed(lists: Option<&str>) -> String {
    lists.map(|how| format!("; {how}")).unwrap_or_default()
}
