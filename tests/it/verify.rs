//! Comparing contents with `RECORD` on a sample cache: stopping it, and the same answer whatever the threads.

use cachetui::control::{Cancel, Progress};
use cachetui::scan::verify::{Verified, Wanted, verify};
use cachetui::scan::{self, Live};
use cachetui::snapshot::Snapshot;
use cachetui::uv::root::Root;

use crate::support::fixture::{Fixture, HERE};

fn scanned(fixture: &Fixture) -> Snapshot {
    let request = scan::Request {
        cache: Root { path: fixture.cache(), found_by: "--cache-dir".to_owned() },
        absent: scan::Absent::Refused,
        places: Vec::new(),
        targets: Vec::new(),
        remembered: Vec::new(),
        problems: Vec::new(),
        symlinks: false,
        sources: Vec::new(),
        wanted: Vec::new(),
        cross_mounts: false,
        options: Vec::new(),
        threads: 2,
        started: jiff::Timestamp::now(),
        clock: std::time::Instant::now,
    };
    scan::scan(&request, &Live::default(), &Cancel::default(), &Progress::default()).unwrap()
}

fn compared(snapshot: &Snapshot, threads: usize, cancel: &Cancel) -> Verified {
    let entries = snapshot.entries().map(|(index, _)| index).collect();
    let wanted = Wanted { entries, ..Wanted::default() };
    verify(snapshot, &wanted, threads, cancel, &Progress::default())
}

#[test]
fn the_answer_does_not_depend_on_the_threads() {
    let fixture = Fixture::unpack(HERE);
    let snapshot = scanned(&fixture);
    let mut findings = compared(&snapshot, 4, &Cancel::default()).findings;
    // What Windows wrote was packed without the programs.
    findings.retain(|finding| !finding.path.to_string_lossy().ends_with(".exe"));
    assert_eq!(findings, []);
    let modules = fixture.files().into_iter().filter(|path| {
        path.starts_with(fixture.cache().join("archive-v0"))
            && path.extension().is_some_and(|extension| extension == "py")
    });
    let mut edited = 0;
    for path in modules {
        std::fs::write(path, "edited = 'longer than whatever was here before' * 10\n".repeat(9)).unwrap();
        edited += 1;
    }
    assert!(edited > 5);
    let one = compared(&snapshot, 1, &Cancel::default());
    assert!(one.damage().count() >= 5, "{:?}", one.findings);
    assert!(one.findings.is_sorted_by_key(|finding| &finding.path));
    for _ in 0..5 {
        let four = compared(&snapshot, 4, &Cancel::default());
        assert_eq!((four.findings, four.files, four.bytes), (one.findings.clone(), one.files, one.bytes));
    }
}

#[test]
fn it_stops_when_it_is_asked_to() {
    let fixture = Fixture::unpack(HERE);
    let snapshot = scanned(&fixture);
    let cancel = Cancel::default();
    cancel.cancel();
    let stopped = compared(&snapshot, 2, &cancel);
    assert!(stopped.cancelled && stopped.files == 0 && stopped.findings.is_empty());
}
