//! What commands print about a snapshot, for people and for programs, and what the program answers without one.

#![expect(clippy::unwrap_used, reason = "a test may panic, its helpers too")]

#[path = "support/sample_cli.rs"]
pub(crate) mod sample_cli;

use std::path::{Path, PathBuf};
use std::process::Command;

use cachetui::cli::args::{Arguments, Command as Wanted};
use cachetui::cli::commands;
use cachetui::cli::failure::Failure;
use cachetui::cli::print::View;
use cachetui::snapshot::Snapshot;
use clap::Parser as _;
use serde_json::Value;

use crate::support::told::told;

const PROGRAM: &str = env!("CARGO_BIN_EXE_cachetui");

fn view(columns: Option<usize>) -> View {
    View {
        colour: false,
        columns,
        home: columns.map(|_| PathBuf::from("/home/ada")),
        now: sample_cli::now(),
        quiet: false,
        verbose: false,
    }
}

/// How long what changed is kept, in seconds.
const DAY: u64 = 24 * 60 * 60;

fn answer(snapshot: &Snapshot, line: &str, columns: Option<usize>) -> (String, Result<(), Failure>) {
    let words = std::iter::once("cachetui").chain(line.split_whitespace());
    let arguments = Arguments::try_parse_from(words).unwrap();
    let mut view = view(columns);
    view.verbose = arguments.look.verbose;
    view.quiet = arguments.look.quiet;
    let here = Path::new("/home/ada/code");
    let mut bytes = Vec::new();
    let result = match arguments.command.unwrap() {
        Wanted::List(arguments) => commands::list::run(snapshot, &arguments, DAY, here, &view, &mut bytes),
        Wanted::Envs(arguments) => commands::envs::run(snapshot, &arguments, here, &view, &mut bytes),
        Wanted::Why(arguments) => commands::why::run(snapshot, &arguments, &view, &mut bytes),
        Wanted::Links(arguments) => commands::links::run(snapshot, &arguments, &view, &mut bytes),
        other => panic!("{other:?} needs no snapshot"),
    };
    (String::from_utf8(bytes).unwrap(), result)
}

fn printed(line: &str, columns: Option<usize>) -> String {
    let (text, result) = answer(&sample_cli::sample(), line, columns);
    result.unwrap();
    text
}

fn failed(line: &str) -> String {
    let (_, result) = answer(&sample_cli::sample(), line, Some(80));
    let mut bytes = Vec::new();
    result.unwrap_err().print(&mut bytes, false).unwrap();
    String::from_utf8(bytes).unwrap()
}

fn json(line: &str) -> Value {
    serde_json::from_str(&printed(line, None)).unwrap()
}

fn names(line: &str) -> Vec<String> {
    let answer = json(&format!("{line} --json"));
    let rows = answer["entries"].as_array().unwrap().iter();
    rows.map(|row| {
        format!("{} {}", row["name"].as_str().unwrap_or("-"), row["version"].as_str().unwrap_or("-"))
    })
    .collect()
}

#[test]
#[cfg_attr(windows, ignore = "a name that is not UTF-8 makes its columns wider, and there is none here")]
fn people_read_a_table_of_entries() {
    insta::assert_snapshot!("list_100", printed("list", Some(100)));
    insta::assert_snapshot!("list_60", printed("list --sort state", Some(60)));
    insta::assert_snapshot!("list_piped", printed("list --sort name", None));
    insta::assert_snapshot!("list_verbose", printed("list -v --state unused,unreferenced", Some(100)));
}

#[test]
fn people_read_tables() {
    let shown = |line: &str, columns| told(&printed(line, columns));
    insta::assert_snapshot!("envs_100", shown("envs", Some(100)));
    insta::assert_snapshot!("envs_60", shown("envs", Some(60)));
    insta::assert_snapshot!("envs_dists", shown("envs --dists", Some(100)));
    insta::assert_snapshot!("why", shown("why torch demo-pkg", Some(100)));
    insta::assert_snapshot!("why_other", shown("why numpy ruff", Some(80)));
    insta::assert_snapshot!("links_100", shown("links", Some(100)));
}

#[test]
fn no_line_on_a_terminal_is_wider_than_it() {
    use unicode_width::UnicodeWidthStr as _;
    for line in ["list", "envs", "links"] {
        for columns in [60, 80, 100, 200] {
            let text = printed(line, Some(columns));
            for row in text.lines() {
                assert!(row.width() <= columns, "`{line}` at {columns}: {row}");
            }
        }
    }
}

#[test]
fn a_pipe_loses_nothing_and_no_hostile_byte_gets_out() {
    for line in
        ["list", "list -v", "envs --dists -v", "why torch numpy", "links", "list --json", "links --json"]
    {
        for columns in [None, Some(80)] {
            let text = printed(line, columns);
            assert!(!text.replace('\n', "").contains(cachetui::human::is_hostile), "{line}: {text}");
        }
        assert!(!printed(line, None).contains('…'), "{line}");
    }
}

#[test]
fn filters_and_orders_say_what_they_do() {
    assert_eq!(names("list --sort name --name dem,")[..], [] as [&str; 0]);
    assert_eq!(names("list --sort name --name DEMO"), ["Demo.Pkg 1.0.post1+local.2"]);
    assert_eq!(names("list --name t*h --sort size --reverse"), ["torch 2.7.1", "torch 2.9.0"]);
    assert_eq!(names("list torch==2.7.1.0"), ["torch 2.7.1"]);
    assert_eq!(names("list --state unused,unreferenced"), ["torch 2.7.1", "ruff 0.14.2"]);
    assert_eq!(names("list --kind unknown"), ["- -"]);
    assert_eq!(
        names("list --source path,command --sort size"),
        ["ruff 0.14.2", "Demo.Pkg 1.0.post1+local.2"]
    );
    assert_eq!(names("list --env ml-env --sort name"), ["Demo.Pkg 1.0.post1+local.2", "torch 2.9.0"]);
    assert_eq!(names("list --env /home/ada/work/a-customer-with-a-long-name/reports/.venv"), ["torch 2.9.0"]);
    assert_eq!(names("list --min-size 700M --limit 1"), ["torch 2.9.0"]);
    assert_eq!(names("list --older-than 100d"), ["torch 2.7.1"]);
    assert_eq!(names("list --sort reclaimable --limit 2"), ["torch 2.7.1", "ruff 0.14.2"]);
    assert_eq!(names("list --sort users --limit 2"), ["torch 2.9.0", "Demo.Pkg 1.0.post1+local.2"]);
    assert_eq!(names("list --sort last-use --limit 1"), ["torch 2.7.1"]);
    assert_eq!(json("list --json -- -Ab3Kz9QwErTy12")["entries"][0]["version"], "2.9.0");
}

#[test]
fn environments_are_named_by_root_project_or_tool() {
    let paths = |line: &str| -> Vec<String> {
        let answer = json(line);
        let rows = answer["environments"].as_array().unwrap().iter();
        rows.map(|row| row["path"].as_str().unwrap().to_owned()).collect()
    };
    let ml = "/home/ada/code/ml-env/.venv";
    for line in ["ml-env", "./other/../ml-env/.venv", ml, "--mode mixed", "--sort dists --health ok"] {
        assert_eq!(paths(&format!("envs --json {line}")), [ml], "{line}");
    }
    let tool = "/home/ada/.local/share/uv/tools/httpie";
    for line in ["httpie", "--kind tool", "--health no-interpreter"] {
        assert_eq!(paths(&format!("envs --json {line}")), [tool], "{line}");
    }
    assert_eq!(paths("envs --json --sort size")[0], ml);
}

#[test]
fn json_has_the_keys_of_its_schema() {
    let answer = json("list --json --sort size");
    assert_eq!(answer["schema_version"], 1);
    assert_eq!(answer["cache"]["bytes"]["disk"], 1_706_u64 << 20);
    assert_eq!(answer["cache"]["buckets"][0]["name"], "archive-v0");
    assert_eq!(answer["scope"]["complete"], true);
    assert_eq!(answer["scope"]["roots"][2]["readable"], false);
    assert_eq!(answer["problems"][0]["message"], "Failed to read the directory: Permission denied");
    let torch = &answer["entries"][0];
    assert_eq!(torch["id"], "-Ab3Kz9QwErTy12");
    assert_eq!(torch["state"], "protected");
    assert_eq!(torch["created"], "2026-08-23T12:00:00Z");
    assert_eq!(torch["links"]["external"], 11_204);
    assert_eq!(torch["pointers"][1]["form"], "http");
    assert_eq!(torch["users"][0]["environment"], "/home/ada/code/ml-env/.venv");
    assert_eq!(torch["users"][0]["distribution"], "torch");
    assert_eq!(torch["users"][0]["by"]["hardlink"], 11_204);
    assert_eq!(torch["users"][1]["evidence"], "symlink");
    assert_eq!(answer["entries"][3]["bytes"]["certainty"], "at-least");

    let answer = json("envs --json ml-env");
    let environment = &answer["environments"][0];
    assert_eq!(environment["health"], "ok");
    assert_eq!(environment["bytes"]["reclaimable"], 287_u64 << 20);
    let torch = &environment["distributions"][1];
    assert_eq!(
        (&torch["entry"], &torch["mode"]),
        (&Value::from("-Ab3Kz9QwErTy12"), &Value::from("hardlink"))
    );
    assert_eq!(torch["files"]["hardlink"], 11_204);
    assert_eq!(torch["files"]["private"], 3);

    let answer = json("links --json --state dangling,malformed --form symlink");
    assert_eq!(answer["pointers"].as_array().unwrap().len(), 1);
    assert_eq!(answer["pointers"][0]["entry"], Value::Null);

    let answer = json("why --json torch==2.9.0");
    let torch = &answer["entries"][0];
    assert!(torch["why"].as_str().unwrap().starts_with("Kept: "));
    assert_eq!(torch["together"]["environments"][0]["path"], "/home/ada/code/ml-env/.venv");
    assert_eq!(torch["together"]["reclaimable"], 812_u64 << 20);
}

#[cfg(unix)]
#[test]
fn json_carries_names_that_are_not_utf_8_without_loss() {
    use std::os::unix::ffi::OsStrExt as _;
    let answer = json("list --json --kind unknown");
    let entry = &answer["entries"][0];
    assert_eq!(entry["id"], "odd\u{1b}[31m\u{fffd}");
    let bytes = data_encoding::BASE64.decode(entry["id_bytes"].as_str().unwrap().as_bytes()).unwrap();
    assert_eq!(bytes, sample_cli::odd_name().as_bytes());
    assert!(answer["scope"]["unread"][0]["path_bytes"].is_string());
    assert!(answer["cache"].get("path_bytes").is_none());
}

#[test]
fn what_is_not_there_is_named_with_what_is_near() {
    insta::assert_snapshot!(failed("why trch"), @r"
    error: No entry is called `trch`.
    Here are `torch`.
    ");
    insta::assert_snapshot!(failed("list torch==3"), @r"
    error: No entry meets `torch==3`.
    Here are `torch==2.9.0` and `torch==2.7.1`.
    ");
    assert!(failed("envs nowhere").starts_with("error: No environment is known at `nowhere`."));
    let (text, result) = answer(&sample_cli::sample(), "why numpy nothing-like-it", None);
    assert!(text.starts_with("numpy 1.26.4 is held-elsewhere"));
    assert_eq!(result.unwrap_err().code(), 1);
}

#[test]
fn the_program_without_a_terminal_refuses_the_interface_and_names_the_command() {
    for words in [&[][..], &["tui"][..]] {
        let output = Command::new(PROGRAM).args(words).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.starts_with("error: The interface needs a terminal"), "{error}");
        assert!(error.contains("`cachetui list`"), "{error}");
    }
}

#[test]
fn arguments_that_make_no_sense_end_with_2_and_help_with_0() {
    let code = |words: &[&str]| Command::new(PROGRAM).args(words).output().unwrap().status.code();
    assert_eq!(code(&["list", "--state", "sideways"]), Some(2));
    assert_eq!(code(&["list", "--older-than", "soon"]), Some(2));
    assert_eq!(code(&["why"]), Some(2));
    assert_eq!(code(&["man", "nothing"]), Some(2));
    assert_eq!(code(&["list", "--help"]), Some(0));
    assert_eq!(code(&["--version"]), Some(0));
}

#[test]
fn completions_and_manual_pages_know_every_command() {
    let said = |words: &[&str]| {
        let output = Command::new(PROGRAM).args(words).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{words:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let manual = said(&["man"]);
    for command in ["list", "envs", "why", "links", "completions", "man"] {
        assert!(manual.contains(&format!("cachetui\\-{command}(1)")), "{command}: {manual}");
        assert!(said(&["man", command]).contains(".TH"), "{command}");
    }
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(said(&["completions", shell]).contains("older-than"), "{shell}");
    }
}

#[cfg(unix)]
#[test]
fn a_reader_that_goes_away_ends_the_program_quietly() {
    use std::process::Stdio;
    let mut child = Command::new(PROGRAM)
        .args(["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}

#[test]
fn shares_of_link_modes_add_up_and_none_reads_zero() {
    use cachetui::snapshot::ModeCounts;
    let mix = |clone, hardlink, symlink, copy| {
        cachetui::cli::print::words::mode_mix(ModeCounts { clone, hardlink, symlink, copy })
    };
    assert_eq!(mix(0, 0, 0, 0), "unknown");
    assert_eq!(mix(0, 7, 0, 0), "hardlink");
    assert_eq!(mix(0, 39, 0, 1), "hardlink 98% copy 2%");
    assert_eq!(mix(1, 0, 1, 100_000), "copy 98% clone 1% symlink 1%");
    assert_eq!(mix(u64::MAX / 4, u64::MAX / 4, 0, 0), "clone 50% hardlink 50%");
}

#[test]
fn why_knows_what_uv_would_prune() {
    let mut snapshot = sample_cli::sample();
    let said = |snapshot: &Snapshot| answer(snapshot, "why torch==2.7.1", None).0;
    assert!(said(&snapshot).contains("of the uv that wrote the pointer leaves it"));
    snapshot.pointers[2].form = cachetui::snapshot::PointerForm::Http;
    assert!(said(&snapshot).contains("`uv cache prune` removes it"));
    snapshot.entries[1].kind = cachetui::snapshot::EntryKind::Environment;
    assert!(said(&snapshot).contains("uv would use it again for the same command"));
}
