//! The dry run of each command that changes something: its plan is that of the run to the byte, and it leaves no trace.

use std::path::Path;
use std::process::Command;

use cachetui::snapshot::Mode;

use crate::support::made::{self, Form, Made, SITE, Unpacked};
use crate::support::swap::seen;

/// What a command answers with `--json`, which has to go well.
fn answer(made: &Made, arguments: &[&str]) -> String {
    let home = made.base().parent().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_cachetui"));
    command.args(arguments).args(["--json", "--no-remember", "--cache-dir"]).arg(made.cache());
    command.arg("--root").arg(made.code()).env_clear().current_dir("/");
    command.env("HOME", home).env("XDG_STATE_HOME", home.join("state"));
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(
        output.status.code(),
        Some(0),
        "{arguments:?}: {said}{}",
        String::from_utf8_lossy(&output.stdout)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// The plan in an answer, as it was written.
fn plan(answer: &str) -> &str {
    let from = answer.split_once(",\"plan\":").unwrap().1;
    from.rsplit_once(",\"report\":").map_or_else(|| from.strip_suffix("}\n").unwrap(), |(plan, _)| plan)
}

/// A cache of which one entry is unused, one is copied into an environment, and one is broken there.
fn furnish(base: &Path) -> Made {
    let made = Made::new(base);
    let root = made.venv("app");
    let python = base.join("python/bin/python3.11");
    made::put(&python, b"", 0o755);
    std::fs::create_dir(root.join("bin")).unwrap();
    std::os::unix::fs::symlink(&python, root.join("bin/python")).unwrap();
    let home = python.parent().unwrap().display();
    let settings = format!("home = {home}\nuv = 0.13.8\nversion_info = 3.11.7\n");
    std::fs::write(root.join("pyvenv.cfg"), settings).unwrap();
    for (id, name) in
        [("Alpha67890123456", "alpha"), ("Delta67890123456", "delta"), ("Gamma67890123456", "gamma")]
    {
        let unpacked = Unpacked::new(id, name, "1.0");
        made.unpack(&unpacked);
        made.point(Form::Relative, 7, &unpacked);
        made.point(Form::Http, 7, &unpacked);
        match name {
            "delta" => made.install("app", &unpacked, Mode::Copy),
            "gamma" => made.install("app", &unpacked, Mode::Hardlink),
            _ => {}
        }
    }
    std::fs::remove_file(made.environment("app").join(SITE).join("gamma/core.py")).unwrap();
    made
}

fn differs_in_nothing(arguments: &[&str]) {
    let directory = made::directory();
    let made = furnish(&directory.path().join("ground"));
    let environment = made.environment("app");
    let named: Vec<&str> = arguments
        .iter()
        .map(|argument| if *argument == "ENV" { environment.to_str().unwrap() } else { argument })
        .collect();
    let before = seen(made.base());
    let dry = answer(&made, &[&named[..], &["--dry-run"]].concat());
    assert_eq!(seen(made.base()), before, "{arguments:?}: an inode, a mode or a time has changed");
    assert!(!plan(&dry).contains("\"steps\":[]"), "{dry}");
    let run = answer(&made, &[&named[..], &["--yes"]].concat());
    assert_eq!(plan(&run), plan(&dry), "{arguments:?}");
    assert!(!dry.contains("\"report\"") && run.contains("\"report\""));
    assert_ne!(seen(made.base()), before, "the run has changed something");
}

#[test]
fn a_dry_prune_is_the_prune() {
    differs_in_nothing(&["prune", "--unused", "--grace", "0h"]);
}

#[test]
fn a_dry_relink_is_the_relink() {
    differs_in_nothing(&["relink", "ENV", "--package", "delta", "--link-mode", "hardlink"]);
}

#[test]
fn a_dry_repair_is_the_repair() {
    differs_in_nothing(&["repair", "ENV"]);
}
