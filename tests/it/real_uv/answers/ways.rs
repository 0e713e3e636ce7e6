//! The commands that are named, run to the letter: what was damaged is whole afterwards, what was installed is installed,
//! and nothing else has changed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::ground::{Ground, Installation, PACKAGES};
use super::{damage, said, truth};
use crate::support::random::Random;
use crate::support::uv::Sandbox;

/// Files by path below an installation, with their content and whether they may be executed.
type Content = BTreeMap<PathBuf, (Vec<u8>, bool)>;

fn content(root: &Path) -> Content {
    use std::os::unix::fs::PermissionsExt as _;
    let walk = walkdir::WalkDir::new(root).into_iter().map(Result::unwrap);
    let files = walk.filter(|it| !it.file_type().is_dir()).filter_map(|it| {
        let stat = it.path().metadata().ok().filter(std::fs::Metadata::is_file)?;
        let path = it.path().strip_prefix(root).unwrap().to_owned();
        let runs = stat.permissions().mode() & 0o111 != 0;
        Some((path, (std::fs::read(it.path()).unwrap(), runs)))
    });
    // What uv writes about an installation names the time of it.
    files.filter(|(path, _)| !is_about(path)).collect()
}

/// Whether a reinstallation keeps a file: uv removes whole directories of bytecode, of what two distributions list the last one
/// that is installed wins, and a backup of a symlink leads to the entry that had to go.
fn is_kept(path: &Path) -> bool {
    let is_backup = ["disabled", "bak", "orig"].iter().any(|it| path.extension() == Some(it.as_ref()));
    !path.iter().any(|it| it == "__pycache__") && !path.ends_with("demo_ns/contended.py") && !is_backup
}

fn is_about(path: &Path) -> bool {
    let names = ["RECORD", "INSTALLER", "REQUESTED", "uv_cache.json", "direct_url.json", ".lock"];
    names.iter().any(|name| path.ends_with(name)) || path.extension().is_some_and(|it| it == "pyc")
}

/// Runs commands as they were printed, where they were printed; answers with what failed.
pub(super) fn run_all(sandbox: &Sandbox, commands: &[Value]) -> Vec<String> {
    let mut failed = Vec::new();
    for words in commands {
        let words: Vec<&str> = words.as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
        // Whoever reads the command says yes.
        let yes = ["prune", "repair"].iter().any(|it| words.contains(it)) || words.contains(&"--detach");
        let mut command = match words[0] {
            "cachetui" => {
                let mut command = sandbox.command(env!("CARGO_BIN_EXE_cachetui"));
                // It says where to look, as the answer was asked for.
                assert!(words.contains(&"--no-remember") && words.contains(&"--root"), "{words:?}");
                for word in &words[1..] {
                    command.arg(word);
                    if yes && ["prune", "repair", "verify"].contains(word) {
                        command.arg("--yes");
                    }
                }
                command.env("UV_FIND_LINKS", sandbox.sources());
                command
            }
            "uv" => {
                let links = sandbox.path("links").display().to_string();
                // Whoever reads a blank knows where it came from; an index serves here as a directory.
                let filled: Vec<String> = words[1..]
                    .iter()
                    .flat_map(|word| match *word {
                        "--index" => vec!["--no-index".to_owned(), "--find-links".to_owned()],
                        "https://<INDEX-URL>" => vec![links.clone()],
                        word => vec![word.replace("<DIRECTORY>", &links)],
                    })
                    .collect();
                sandbox.uv(&filled.iter().map(String::as_str).collect::<Vec<_>>())
            }
            "rm" | "rmdir" | "ln" => {
                let mut command = sandbox.command(words[0]);
                command.args(&words[1..]);
                command
            }
            other => panic!("`{other}` is named: {words:?}"),
        };
        let output = command.output().unwrap();
        // What stays broken is said with what to do.
        let is_said = words.contains(&"repair") && output.status.code() == Some(3);
        if !output.status.success() && !is_said {
            let said = [&output.stdout[..], &output.stderr[..]].concat();
            failed.push(format!("WRONG {words:?} fails: {}", String::from_utf8_lossy(&said)));
        }
    }
    failed
}

/// What a ground looked like, and what was damaged in it.
struct Before {
    content: Content,
    damaged: BTreeSet<PathBuf>,
}

/// Runs `repair`, and what it and `verify` name for what is left.
pub(super) fn mend(ground: &Ground, installation: &Installation) -> Vec<String> {
    let name = installation.root.to_str().unwrap();
    let mut log = Vec::new();
    // What is damaged in the cache comes into sight with what is mended here.
    for _ in 0..3 {
        let output = ground.sandbox.cachetui(&["repair", name, "--yes", "--json"]).output().unwrap();
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        let kept = answer["plan"]["kept"].as_array().unwrap();
        for left in kept {
            log.push(format!("{}: {}", left["reason"], left["commands"]));
            log.extend(run_all(&ground.sandbox, left["commands"].as_array().unwrap()));
        }
        if truth::of(installation).is_empty() {
            break;
        }
        let (verified, _) = said::answer(ground, &["verify", name]).unwrap();
        for advice in verified["advice"].as_array().unwrap() {
            log.push(format!("{}: {} {}", advice["text"], advice["commands"], advice["notes"]));
            // A person's own link is removed where that is said to come first.
            for note in advice["notes"].as_array().into_iter().flatten() {
                let words: Vec<&str> = note.as_str().unwrap().split('`').collect();
                if note.as_str().unwrap().contains("leads into it and would break; remove that link") {
                    std::fs::remove_file(words[3]).unwrap();
                }
            }
            // Who has edited is asked; one of them is enough.
            let commands = advice["commands"].as_array().unwrap();
            let detaches = advice["commands"].to_string().contains("--detach");
            let some = if detaches { &commands[..1] } else { &commands[..] };
            log.extend(run_all(&ground.sandbox, some));
        }
        if truth::of(installation).is_empty() {
            break;
        }
    }
    log
}

/// Damages a ground, and has everything repaired by what is named.
fn repaired(seed: u64) -> Option<Vec<String>> {
    let mut random = Random::new(seed + 1);
    let (ground, line) = Ground::new(usize::try_from(seed).unwrap(), &mut random)?;
    let mut log = vec![format!("seed {seed}: {line}")];
    let whole: Vec<Content> = ground.installations.iter().map(|it| content(&it.root)).collect();
    let (list, _) = said::answer(&ground, &["list"]).unwrap();
    let outside = |it: &&Value| it["linked_from"].as_array().is_some_and(|links| !links.is_empty());
    if let Some(entry) = list["entries"].as_array().unwrap().iter().find(outside) {
        log.push(format!("WRONG an installation's own links are taken for others: {}", entry["linked_from"]));
    }
    log.extend(damage::spread(&ground, &mut random));
    let before: Vec<Before> = ground
        .installations
        .iter()
        .map(|it| Before { content: content(&it.root), damaged: truth::of(it).into_keys().collect() })
        .collect();
    for installation in &ground.installations {
        log.extend(mend(&ground, installation));
    }
    let mut wrong = Vec::new();
    for ((installation, before), whole) in ground.installations.iter().zip(before).zip(whole) {
        let place = installation.root.display();
        let left = truth::of(installation);
        if !left.is_empty() {
            wrong.push(format!("{place}: still damaged: {left:?}"));
        }
        let after = content(&installation.root);
        for (path, (bytes, runs)) in before.content.iter().filter(|(path, _)| is_kept(path)) {
            // Scripts have the interpreter in them by the name that uv was told of it.
            if path.parent() == Some(Path::new("bin")) {
                let works = after.get(path).is_some_and(|(_, now)| now == runs || *now);
                if !works && !before.damaged.contains(path) {
                    wrong.push(format!("{place}: {} does not run", path.display()));
                }
                continue;
            }
            let is_damaged = before.damaged.contains(path);
            let right = if is_damaged { whole.get(path) } else { None };
            match after.get(path) {
                None => wrong.push(format!("{place}: {} was there", path.display())),
                Some(now) if is_damaged && right.is_none_or(|it| it.0 == now.0) => {}
                // uv 0.9.30 loses the permission of a file that it clones.
                Some(now) if now.0 == *bytes && (now.1 || !*runs) => {}
                // A reinstalled script is as uv writes it.
                Some(now) if whole.get(path) == Some(now) => {}
                Some(now) => wrong.push(format!(
                    "{place}: {} was changed: {} bytes, runs: {runs}; now {} bytes, runs: {}",
                    path.display(),
                    bytes.len(),
                    now.0.len(),
                    now.1
                )),
            }
        }
        for name in PACKAGES {
            let info = format!("{}-", name.replace('-', "_"));
            let site = installation.root.join(&installation.site).read_dir().unwrap();
            let names = site.map(|it| it.unwrap().file_name().into_string().unwrap());
            let infos = names.filter(|it| it.starts_with(&info) && it.ends_with(".dist-info")).count();
            if infos != 1 {
                wrong.push(format!("{place}: {name} has {infos} dist-infos"));
            }
        }
    }
    log.extend(wrong.iter().map(|it| format!("WRONG {it}")));
    Some(if log.iter().any(|it| it.starts_with("WRONG")) { log } else { Vec::new() })
}

#[expect(clippy::print_stderr, reason = "what was done is to be seen when it fails")]
pub(super) fn ways(seeds: std::ops::Range<u64>) {
    let mut failed = Vec::new();
    for seed in seeds {
        let Some(log) = repaired(seed) else { return };
        if !log.is_empty() {
            eprintln!("{}\n", log.join("\n  "));
            failed.push(seed);
        }
    }
    assert!(failed.is_empty(), "these seeds failed, see above: {failed:?}");
}

#[test]
fn what_is_named_makes_everything_whole_and_changes_nothing_else() {
    ways(0..3);
}

#[test]
#[ignore = "some minutes: a hundred grounds"]
fn ways_at_length() {
    ways(super::asked(100));
}
