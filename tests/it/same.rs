//! The sample that Windows wrote, read as from a mounted disk: entries, environments, pointers and states are those that
//! `tests/fixtures/uv-0.13.8-windows-cache.json` holds, which the Windows program is held to as well.

use std::process::Command;

use serde_json::Value;

use crate::support::comparable::comparable;
use crate::support::fixture::Fixture;

/// What is asked, in the order of the answers that are expected.
pub(crate) const ASKED: [&[&str]; 3] = [&["list"], &["envs", "--dists"], &["links"]];

/// What has to be answered.
pub(crate) fn expected() -> Value {
    serde_json::from_str(include_str!("../fixtures/uv-0.13.8-windows-cache.json")).unwrap()
}

#[test]
fn the_sample_that_windows_wrote_reads_here_as_it_does_there() {
    let fixture = Fixture::unpack("uv-0.13.8-windows-cache");
    let root = fixture.root().canonicalize().unwrap();
    let answers = ASKED.iter().map(|arguments| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cachetui"));
        command.args(*arguments).args(["--json", "--no-remember", "--cache-dir"]).arg(root.join("cache"));
        command.arg("--root").arg(&root).arg("--lock-dir").arg(root.join("locks"));
        let output = command.current_dir(&root).env("HOME", root.join("home")).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        comparable(&serde_json::from_slice(&output.stdout).unwrap(), root.to_str().unwrap())
    });
    let answers: Value = answers.collect();
    assert_eq!(answers, expected(), "\n{answers:#}\n");
}
