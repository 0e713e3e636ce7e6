//! What `doctor` prints for people, from a snapshot and probes made by hand.

use std::io::ErrorKind;
use std::path::PathBuf;

use cachetui::cli::commands::doctor;
use cachetui::cli::commands::doctor::report::{Inputs, Tried, build};
use cachetui::cli::print::View;
use cachetui::linker::diagnose::diagnose_on;
use cachetui::linker::probe::{Answer, Ground, Probe, Reason, Source};
use cachetui::scan::health::{Finding, FindingKind};
use cachetui::snapshot::{EnvironmentIndex, Snapshot};
use cachetui::uv::root::Platform;

use crate::cli_print::sample_cli;

fn ground(point: &str, filesystem: &str, device: u64) -> Ground {
    Ground {
        path: PathBuf::from(point).join("x"),
        device: Some(device),
        mount: Some(device),
        point: Some(point.into()),
        filesystem: filesystem.to_owned(),
        ..Ground::default()
    }
}

fn refused(code: i32, kind: ErrorKind) -> Answer {
    Answer::Refused(Reason { code: Some(code), kind, message: "refused".to_owned() })
}

fn tried(environment: Ground, hardlink: Answer, environments: Vec<EnvironmentIndex>) -> Tried {
    let probe = Probe {
        cache: ground("/", "ext4", 1),
        environment,
        protected_hardlinks: Some(true),
        user: Some(1000),
        source: Some(Source::Own),
        cache_refused: None,
        environment_refused: None,
        clone: refused(95, ErrorKind::Unsupported),
        hardlink,
        symlink: Answer::Works,
        copy: Answer::Works,
        inside: Answer::Works,
        entries: Vec::new(),
        left: Vec::new(),
    };
    Tried { diagnosis: diagnose_on(Platform::Unix, &probe), probe, environments }
}

fn printed(snapshot: &Snapshot, columns: Option<usize>, quiet: bool) -> (String, u8) {
    let environments: Vec<EnvironmentIndex> = snapshot.environments().map(|(index, _)| index).collect();
    let (far, near) = environments.split_at(2);
    let tried = [
        tried(ground("/data", "xfs", 2), refused(18, ErrorKind::CrossesDevices), far.to_vec()),
        tried(ground("/", "ext4", 1), Answer::Works, near.to_vec()),
    ];
    let cache = snapshot.cache.path.clone();
    let findings = [
        Finding {
            kind: FindingKind::DanglingPointers {
                packages: vec!["attrs".to_owned(), "x\u{202e}y".to_owned()],
            },
            path: cache.join("wheels-v7/pypi/attrs/25.4.0-py3-none-any.http"),
            count: 3,
        },
        Finding { kind: FindingKind::Temporary, path: cache.join(".tmpAbCdEf"), count: 1 },
    ];
    let report = build(&Inputs {
        snapshot,
        environments: &environments,
        tried: &tried,
        findings: &findings,
        named: false,
        link_mode: Some("copy"),
    });
    let view = View {
        colour: false,
        columns,
        home: Some(PathBuf::from("/home/ada")),
        now: sample_cli::now(),
        quiet,
        verbose: false,
    };
    let mut bytes = Vec::new();
    let code =
        doctor::print(snapshot, &report, false, &view, &mut bytes).map_or_else(|end| end.code(), |()| 0);
    (String::from_utf8(bytes).unwrap(), code)
}

#[test]
fn people_read_a_verdict_then_what_is_wrong_then_what_is_worth_knowing() {
    let snapshot = sample_cli::sample();
    let (narrow, code) = printed(&snapshot, Some(80), false);
    assert_eq!(code, 3);
    insta::assert_snapshot!("doctor_80", narrow);
    insta::assert_snapshot!("doctor_120", printed(&snapshot, Some(120), false).0);
    for columns in [40, 80, 120] {
        let (text, _) = printed(&snapshot, Some(columns), false);
        let wide = text.lines().find(|line| line.chars().count() > columns.max(60));
        assert_eq!(wide, None, "{columns}");
    }
}

#[test]
fn hostile_names_are_escaped_and_quiet_leaves_the_summary_out() {
    let snapshot = sample_cli::sample();
    let (text, _) = printed(&snapshot, None, true);
    assert!(text.contains("x\\u{202e}y") && !text.contains('\u{202e}'), "{text}");
    assert!(!text.contains("things are wrong") && text.contains("WRONG"), "{text}");
}
