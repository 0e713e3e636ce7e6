//! One cache, read on Windows and, as from a mounted disk, from here: the same entries, pointers and states.

use serde_json::Value;

use std::process::Command;

use super::lab::Lab;
use crate::same::{ASKED, expected};
use crate::support::comparable::comparable;
use crate::support::uv::ran;

#[test]
fn a_cache_reads_the_same_on_windows_and_here() {
    let Some(lab) = Lab::new() else { return };
    lab.install("hard", "hardlink", &["demo-a==1.0", "demo-b"]);
    lab.install("copied", "copy", &["demo-a==2.0"]);
    // Of every state one: unused, lost, malformed and dangling.
    lab.install("gone", "hardlink", &["demo-a==2.0"]);
    std::fs::remove_dir_all(lab.path("envs/gone")).unwrap();
    let links = lab.link_files();
    std::fs::remove_file(lab.cache().join(&links[0].0)).unwrap();
    std::fs::write(lab.cache().join(&links[1].0), "archive-v0/x\n").unwrap();
    std::fs::write(lab.cache().join(&links[2].0), "archive-v0/Gone567890123456").unwrap();
    for arguments in [&["list"][..], &["envs", "--dists"], &["links"]] {
        let (there, code) = lab.json(arguments);
        assert_eq!(code, 0, "{there:#}");
        let here = ran(lab.here(arguments).arg("--json"));
        let here: Value = serde_json::from_slice(&here.stdout).unwrap();
        let root = lab.path("envs").canonicalize().unwrap();
        let there = comparable(&there, &lab.windows("envs"));
        assert_eq!(there, comparable(&here, root.to_str().unwrap()), "{arguments:?}");
        assert!(there.to_string().contains("demo-a"), "{there:#}");
    }
}

#[test]
fn the_sample_that_windows_wrote_reads_there_as_it_does_here() {
    let Some(lab) = Lab::new() else { return };
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/uv-0.13.8-windows-cache.tar.gz");
    ran(Command::new("tar").arg("-xzf").arg(sample).arg("-C").arg(lab.path("envs")));
    for (number, arguments) in ASKED.iter().enumerate() {
        let output = ran(lab.cachetui_on("envs/cache", arguments).arg("--json"));
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(comparable(&answer, &lab.windows("envs")), expected()[number], "{arguments:?}");
    }
}
