//! The architecture holds: `lib.rs` opens with the sentence that names the layers, declares them in its order, imports
//! point only downward, and what is fenced into a few modules stays there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The layers from the bottom up. `control` and `human` share the lowest.
const LAYERS: &[&str] = &[
    "human", "control", "disk", "uv", "lock", "snapshot", "scan", "plan", "linker", "apply", "worker", "say",
    "tui", "cli",
];

/// Layers without access to the disk, the clock or threads.
const PURE: &[&str] = &["human", "control", "uv", "snapshot", "plan", "say"];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Every source file with its path relative to `src`, and its text without comments and without its tests.
fn files() -> BTreeMap<PathBuf, String> {
    walkdir::WalkDir::new(source())
        .into_iter()
        .map(Result::unwrap)
        .filter(|item| item.path().extension().is_some_and(|extension| extension == "rs"))
        .map(|item| {
            let text = std::fs::read_to_string(item.path()).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
            let code = code
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"))
                .collect::<Vec<_>>()
                .join("\n");
            (item.path().strip_prefix(source()).unwrap().to_owned(), code)
        })
        .collect()
}

fn layer(path: &Path) -> Option<usize> {
    let first = path.components().next().unwrap().as_os_str().to_str().unwrap();
    LAYERS.iter().position(|layer| *layer == first.trim_end_matches(".rs"))
}

#[test]
fn the_library_opens_with_the_sentence_and_declares_the_layers_in_its_order() {
    let text = std::fs::read_to_string(source().join("lib.rs")).unwrap();
    let words: Vec<&str> = text.split('`').collect();
    let named: Vec<&str> = words.iter().skip(1).step_by(2).take(12).copied().collect();
    assert_eq!(
        named,
        ["disk", "uv", "lock", "scan", "snapshot", "plan", "linker", "apply", "worker", "say", "tui", "cli"],
        "the first sentence names every layer"
    );
    let declared: Vec<&str> =
        text.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    let expected: Vec<&str> = LAYERS.iter().copied().filter(|layer| declared.contains(layer)).collect();
    assert_eq!(declared, expected);
}

#[test]
fn imports_point_only_downward() {
    let mut wrong = Vec::new();
    for (path, code) in files() {
        let Some(own) = layer(&path) else { continue };
        for (position, _) in code.match_indices("crate::") {
            let used = &code[position + "crate::".len()..];
            let names: Vec<&str> = match used.strip_prefix('{') {
                Some(list) => list.split('}').next().unwrap().split(',').map(str::trim).collect(),
                None => vec![used],
            };
            for name in names {
                let name = name
                    .split(|character: char| !character.is_alphanumeric() && character != '_')
                    .next()
                    .unwrap();
                let Some(other) = LAYERS.iter().position(|layer| *layer == name) else { continue };
                let lowest = own < 2 && other < 2 && own != other;
                if other > own || lowest {
                    wrong.push(format!("{} uses {name}", path.display()));
                }
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn pure_layers_touch_neither_disk_nor_clock_nor_threads() {
    let forbidden = [
        "std::fs::",
        "std::thread",
        "File::open",
        "Instant::now",
        "SystemTime",
        "Timestamp::now",
        "env::var",
        "env::current",
        "rustix::",
    ];
    let mut wrong = Vec::new();
    for (path, code) in files() {
        if layer(&path).is_some_and(|layer| PURE.contains(&LAYERS[layer])) {
            wrong.extend(
                forbidden
                    .iter()
                    .filter(|word| code.contains(**word))
                    .map(|word| format!("{}: {word}", path.display())),
            );
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// Calls that change the disk, as they appear in code.
const CHANGES: &[&str] = &[
    "fs::write(",
    "fs::remove",
    "fs::rename(",
    "fs::copy(",
    "fs::hard_link(",
    "fs::create_dir",
    "fs::set_permissions(",
    "File::create",
    ".create(true)",
    ".create_new(true)",
    ".write(true)",
    "DirBuilder",
    "unlinkat(",
    "renameat",
    "linkat(",
    "mkdirat(",
    "symlinkat(",
    "fs::symlink(",
    "symlink_file(",
    "tempfile::",
    ".persist(",
    "set_times(",
    "reflink_copy::",
    "set_modified(",
    "ftruncate(",
    "fchmod",
    "relative::rename(",
    "relative::link(",
    "relative::remove(",
    "relative::set_read_only(",
];

/// Whether code contains a call as a word of its own: `readlinkat(` is not `linkat(`.
fn calls(code: &str, call: &str) -> bool {
    let word = |character: char| character.is_alphanumeric() || character == '_';
    code.match_indices(call)
        .any(|(position, _)| !(call.starts_with(word) && code[..position].ends_with(word)))
}

#[test]
fn the_disk_is_changed_only_in_lock_linker_and_apply() {
    let mut wrong = Vec::new();
    for (path, code) in files() {
        if layer(&path).is_some_and(|layer| ["lock", "linker", "apply"].contains(&LAYERS[layer])) {
            continue;
        }
        wrong.extend(
            CHANGES
                .iter()
                .filter(|call| calls(&code, call))
                .map(|call| format!("{}: {call}", path.display())),
        );
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn threads_start_only_in_the_worker_the_walker_and_the_event_reader() {
    let allowed = ["worker.rs", "disk/walk.rs", "tui/reader.rs"];
    let mut wrong = Vec::new();
    for (path, code) in files() {
        let here = &*path.to_str().unwrap().replace('\\', "/");
        let starts =
            ["thread::spawn(", "thread::scope(", "thread::Builder"].iter().any(|call| code.contains(call));
        if starts && !allowed.contains(&here) && !here.starts_with("worker/") {
            wrong.push(here.to_owned());
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn only_cli_prints_and_only_cli_and_the_shell_of_the_interface_read_environment_and_clock() {
    let mut wrong = Vec::new();
    for (path, code) in files() {
        let cli = layer(&path).is_some_and(|layer| LAYERS[layer] == "cli") || path == Path::new("main.rs");
        let shell = path == Path::new("tui.rs")
            || path == Path::new("tui/terminal.rs")
            || path == Path::new("tui/event.rs");
        for call in
            ["println!(", "eprintln!(", "print!(", "eprint!(", "dbg!(", "env::var", "env::current_dir"]
        {
            if !cli && code.contains(call) {
                wrong.push(format!("{}: {call}", path.display()));
            }
        }
        for call in ["Instant::now()", "SystemTime::now()", "Timestamp::now()"] {
            if !cli && !shell && code.contains(call) {
                wrong.push(format!("{}: {call}", path.display()));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn unsafe_code_stays_in_extent_maps_file_handles_and_the_calls_of_windows() {
    let mut wrong = Vec::new();
    for (path, code) in files() {
        let allowed =
            ["disk/extent.rs", "disk/overlay.rs", "win32.rs"].iter().any(|it| path == Path::new(it));
        if !allowed && code.contains("unsafe_code") {
            wrong.push(path.display().to_string());
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn calls_of_windows_lie_below_everything_and_only_linker_changes_the_disk_by_them() {
    let mut wrong = Vec::new();
    for (path, code) in files() {
        let below = path.starts_with("win32") || path == Path::new("win32.rs");
        if below && code.contains("crate::") {
            wrong.push(format!("{} imports from above", path.display()));
        }
        if !below && code.contains("windows_sys::") {
            wrong.push(format!("{} calls the system itself", path.display()));
        }
        let changes = code.contains("win32::relative") || code.contains("win32::{");
        if !below && !path.starts_with("linker") && changes {
            wrong.push(format!("{} changes the disk by them", path.display()));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn there_is_no_mod_rs_and_no_utils() {
    for (path, code) in files() {
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(!["mod", "utils", "util", "helpers", "misc", "common"].contains(&name), "{}", path.display());
        assert!(!code.contains("#[allow("), "{} lifts a lint without `expect`", path.display());
    }
}

#[test]
fn what_is_installed_is_read_in_one_place() {
    let mut wrong = Vec::new();
    for (path, code) in files() {
        let of_uv = path.starts_with("uv");
        let reader = path == Path::new("scan/installed.rs");
        let rows =
            ["record::rows", "record::{self", "Location::parse("].iter().any(|call| code.contains(call));
        let readers = ["Listing::read(", "installed::entry_files(", "read::RECORD"];
        let reads =
            readers.iter().any(|call| code.contains(call)) || code.contains("uv::installed::sources(");
        if rows && !of_uv || reads && !of_uv && !reader {
            wrong.push(path);
        }
    }
    assert!(
        wrong.is_empty(),
        "only `uv::installed` parses rows, and only `scan::installed` reads them: {wrong:?}"
    );
}

#[test]
fn a_plan_that_removes_is_carried_out_and_the_trash_emptied_in_one_place() {
    let places = [
        ("prune_as(", &["apply/prune.rs", "worker/removal.rs"][..]),
        ("remove::environments(", &["worker/removal.rs"]),
        ("purge::purge(", &["worker/trash.rs"]),
        (".purge_beside(", &["worker/trash.rs"]),
    ];
    for (call, allowed) in places {
        let calls = files().into_iter().filter(|(_, code)| code.contains(call));
        let mut callers: Vec<String> =
            calls.map(|(path, _)| path.to_str().unwrap().replace('\\', "/")).collect();
        callers.sort_unstable();
        assert_eq!(callers, allowed, "{call}");
    }
}

#[test]
fn all_operations_have_one_plan_with_one_kind_of_step_and_of_what_is_kept() {
    let mut types = Vec::new();
    for (path, code) in files() {
        for line in code.lines() {
            let Some((_, rest)) = line.split_once("struct ") else { continue };
            let name = rest.split(|it: char| !it.is_alphanumeric()).next().unwrap_or_default();
            if ["Plan", "Step", "Kept"].iter().any(|end| name.ends_with(end)) {
                types.push((name.to_owned(), path.clone()));
            }
        }
    }
    types.sort();
    let expected = [("Kept", "plan/keep.rs"), ("Plan", "plan.rs"), ("Step", "plan/step.rs")];
    assert_eq!(types, expected.map(|(name, path)| (name.to_owned(), PathBuf::from(path))));
    // A plan that comes from a file is read where what it names twice is refused.
    let readers: Vec<PathBuf> =
        files().into_iter().filter(|(_, code)| code.contains("Plan::read(")).map(|(path, _)| path).collect();
    assert_eq!(readers, [PathBuf::from("cli/commands/apply.rs")]);
}
