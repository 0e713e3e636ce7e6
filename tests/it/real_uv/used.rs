//! When an environment was last used, by what uv and Python leave in it.

use std::path::Path;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::support::uv::{Sandbox, ran};
use crate::support::wheel::Wheel;

const DAY: u64 = 86_400;

/// Makes everything in an environment, and uv's records of interpreters, as old as this.
pub(super) fn age(sandbox: &Sandbox, environment: &Path, days: u64) {
    let time = SystemTime::now() - Duration::from_secs(days * DAY);
    let records = std::fs::read_dir(sandbox.cache()).unwrap().map(|part| part.unwrap().path());
    let records = records.filter(|it| it.file_name().unwrap().to_str().unwrap().starts_with("interpreter"));
    for top in records.chain([environment.to_owned()]) {
        for item in walkdir::WalkDir::new(top).into_iter().map(Result::unwrap) {
            if item.file_type().is_file() {
                std::fs::File::options().write(true).open(item.path()).unwrap().set_modified(time).unwrap();
            }
        }
    }
}

fn last_use(sandbox: &Sandbox, environment: &Path, arguments: &[&str]) -> Option<(String, f64)> {
    let answer = sandbox.json(&[&["envs"], arguments].concat());
    let rows: &Vec<Value> = answer["environments"].as_array().unwrap();
    let row = rows.iter().find(|row| row["path"] == environment.to_str().unwrap())?;
    let time: jiff::Timestamp = row["last_use"]["time"].as_str().unwrap().parse().unwrap();
    let age = jiff::Timestamp::now().duration_since(time).as_secs_f64() / 86_400.0;
    Some((row["last_use"]["evidence"].as_str().unwrap().to_owned(), age))
}

fn install(sandbox: &Sandbox, environment: &Path, mode: &str, package: &str) {
    let (python, links) = (environment.join("bin/python"), sandbox.path("links"));
    let start = ["pip", "install", "--quiet", "--no-index", "--link-mode", mode, "--find-links"];
    let rest = [links.to_str().unwrap(), "--python", python.to_str().unwrap(), package];
    sandbox.run_uv(&[&start[..], &rest].concat());
}

/// Each sign counts from when it was left, and the newest decides; files that are the cache's own tell nothing.
#[test]
fn the_newest_sign_of_use_is_told_with_its_age() {
    let directory = tempfile::tempdir().unwrap();
    let Some(sandbox) = Sandbox::new(directory.path()) else { return };
    Wheel::new("demo-a", "1.0").entry_point().save(&sandbox.path("links"));
    Wheel::new("demo-b", "1.0").save(&sandbox.path("links"));
    for mode in ["hardlink", "copy", "symlink"] {
        let environment = sandbox.environment(mode);
        install(&sandbox, &environment, mode, "demo-a");
        age(&sandbox, &environment, 200);
        let (_, days) = last_use(&sandbox, &environment, &[]).unwrap();
        assert!((days - 200.0).abs() < 1.0, "{mode}: {days}");
        assert!(last_use(&sandbox, &environment, &["--idle", "150d"]).is_some(), "{mode}");
        assert_eq!(last_use(&sandbox, &environment, &["--idle", "250d"]), None, "{mode}");

        // A module that is imported for the first time is compiled.
        let mut python = sandbox.command(environment.join("bin/python"));
        ran(python.args(["-c", "import demo_a"]).env_remove("PYTHONDONTWRITEBYTECODE"));
        let (evidence, days) = last_use(&sandbox, &environment, &[]).unwrap();
        assert!(evidence == "compiled" && days < 1.0, "{mode}: {evidence} {days}");
        assert_eq!(last_use(&sandbox, &environment, &["--idle", "1d"]), None, "{mode}");

        age(&sandbox, &environment, 100);
        install(&sandbox, &environment, mode, "demo-b");
        let (evidence, days) = last_use(&sandbox, &environment, &[]).unwrap();
        assert!(evidence == "install" && days < 1.0, "{mode}: {evidence} {days}");
    }
    // The one that nobody has used for longest is first.
    let oldest = sandbox.roots().join("copy/.venv");
    age(&sandbox, &oldest, 50);
    let answer = sandbox.json(&["envs", "--sort", "used"]);
    assert_eq!(answer["environments"][0]["path"], oldest.to_str().unwrap());
    assert_eq!(answer["environments"][0]["project"]["path"], oldest.parent().unwrap().to_str().unwrap());
    let text = ran(&mut sandbox.cachetui(&["envs"])).stdout;
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains("LAST USED") && text.contains("PROJECT") && text.contains(" 50d "), "{text}");
}
