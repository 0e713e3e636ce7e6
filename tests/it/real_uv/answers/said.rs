//! What each command says of one installation, in one form.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use cachetui::scan::{self, files};
use cachetui::snapshot::{FileFate, FilesRequest, Snapshot};
use serde_json::Value;

use super::ground::{Ground, Installation};
use super::truth::Fault;
use crate::tui::screen::Screen;

/// Damaged files by distribution and path relative to the installation, and how each is damaged where that is said.
pub(super) type Files = BTreeMap<(String, PathBuf), Option<Fault>>;

/// How many files are missing and how many modified, by distribution; without those that are whole.
pub(super) type Counts = BTreeMap<String, (u64, u64)>;

/// What a command answers with `--json`, and its exit code.
pub(super) fn answer(ground: &Ground, arguments: &[&str]) -> Result<(Value, i32), String> {
    let output = ground.sandbox.cachetui(arguments).arg("--json").output().unwrap();
    let code = output.status.code().unwrap_or(-1);
    serde_json::from_slice(&output.stdout).map(|value| (value, code)).map_err(|error| {
        format!("{arguments:?} is no JSON: {error}; {}", String::from_utf8_lossy(&output.stderr))
    })
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// A path of an answer, relative to the installation.
fn relative(path: &Path, root: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        if part == Component::ParentDir {
            plain.pop();
        } else {
            plain.push(part);
        }
    }
    plain.strip_prefix(root).map_or(plain.clone(), Path::to_owned)
}

/// Whether a path is what an installation goes by: its root, or its directory of distributions.
fn is_of(path: &str, installation: &Installation) -> bool {
    let Installation { root, site, .. } = installation;
    Path::new(path) == root || Path::new(path) == root.join(site)
}

/// Every file that `verify` calls damaged.
pub(super) fn verify(answer: &Value, installation: &Installation) -> Files {
    let mut files = Files::new();
    for finding in list(answer, "findings").iter().filter(|it| it["verdict"] == "damage") {
        let fault = if finding["fault"] == "missing" { Fault::Missing } else { Fault::Modified };
        let places = list(finding, "places").iter();
        for place in places.filter(|it| is_of(text(it, "environment"), installation)) {
            let path = relative(Path::new(text(place, "path")), &installation.root);
            files.insert((text(finding, "name").to_owned(), path), Some(fault));
        }
    }
    files
}

/// Every file that `repair` would make, or leaves as it is.
pub(super) fn repair(answer: &Value, installation: &Installation) -> Files {
    let plan = &answer["plan"];
    let mut files = Files::new();
    for row in list(plan, "steps").iter().chain(list(plan, "kept")) {
        for file in list(row, "files") {
            let path = Path::new(text(row, "path")).join(text(file, "path"));
            files.insert((text(row, "name").to_owned(), relative(&path, &installation.root)), None);
        }
    }
    files
}

/// The row of an environment in a list of them.
fn row<'a>(answer: &'a Value, installation: &Installation) -> Result<&'a Value, String> {
    let rows = list(answer, "environments");
    let found = rows.iter().find(|it| is_of(text(it, "path"), installation));
    found.ok_or_else(|| format!("{} is not listed", installation.root.display()))
}

/// What `envs` counts; the states, and the health.
pub(super) fn envs(
    answer: &Value,
    installation: &Installation,
) -> Result<(Counts, BTreeMap<String, String>, String), String> {
    let row = row(answer, installation)?;
    let (mut counts, mut states) = (Counts::new(), BTreeMap::new());
    for it in list(row, "distributions") {
        let number = |key: &str| it["files"][key].as_u64().unwrap();
        let count = (number("missing") + number("dangling"), number("modified"));
        if count != (0, 0) {
            counts.insert(text(it, "name").to_owned(), count);
        }
        states.insert(text(it, "name").to_owned(), text(it, "state").to_owned());
    }
    Ok((counts, states, text(row, "health").to_owned()))
}

/// What `doctor` says is damaged.
pub(super) fn doctor(answer: &Value, installation: &Installation) -> Result<Counts, String> {
    let row = row(&answer["doctor"], installation)?;
    let mut counts = Counts::new();
    for it in list(row, "damaged") {
        let number = |key: &str| it[key].as_u64().unwrap();
        let count = (number("missing") + number("dangling"), number("modified"));
        counts.insert(text(it, "name").to_owned(), count);
    }
    Ok(counts)
}

/// The distributions that `relink` leaves alone because they are broken, and how many files it leaves of others because they
/// are modified.
pub(super) fn relink(answer: &Value) -> (BTreeSet<String>, BTreeMap<String, u64>) {
    let plan = &answer["plan"];
    let kept = list(plan, "kept").iter().filter(|it| it["because"]["kind"] == "broken");
    let broken = kept.map(|it| text(it, "name").to_owned()).collect();
    let mut modified = BTreeMap::new();
    for it in list(plan, "steps").iter().chain(list(plan, "kept")) {
        let number = it["modified"].as_u64().unwrap_or(0);
        if number > 0 {
            modified.insert(text(it, "name").to_owned(), number);
        }
    }
    (broken, modified)
}

/// The screen's snapshot of the ground.
pub(super) fn snapshot(ground: &Ground) -> Snapshot {
    let request = scan::Request {
        absent: scan::Absent::Refused,
        cache: cachetui::uv::root::Root { path: ground.sandbox.cache(), found_by: String::new() },
        places: vec![scan::discover::named(ground.sandbox.roots())],
        symlinks: false,
        targets: Vec::new(),
        remembered: Vec::new(),
        problems: Vec::new(),
        sources: Vec::new(),
        wanted: Vec::new(),
        cross_mounts: false,
        options: Vec::new(),
        threads: 2,
        started: jiff::Timestamp::now(),
        clock: std::time::Instant::now,
    };
    let (cancel, progress) = (cachetui::control::Cancel::default(), cachetui::control::Progress::default());
    scan::scan(&request, &scan::Live::default(), &cancel, &progress).unwrap()
}

/// What the screen's page of an installation says of its damaged distributions: number and word, the worst first.
pub(super) fn screen(snapshot: &Snapshot, installation: &Installation) -> BTreeMap<String, String> {
    let mut screen = Screen::showing(snapshot.clone(), 200, 120);
    let project = installation.root.strip_prefix(installation.root.ancestors().nth(2).unwrap()).unwrap();
    let name = project.iter().find(|it| it.to_string_lossy().starts_with("place")).unwrap();
    screen.press(&format!("2/{}<enter><enter>", name.to_str().unwrap()));
    let page = screen.text();
    let mut said = BTreeMap::new();
    for line in page.lines() {
        let words: Vec<&str> = line.split_whitespace().filter(|it| !"│┃".contains(it)).collect();
        let name = words.iter().find(|it| super::ground::PACKAGES.contains(it));
        let faults = ["dangling", "missing", "modified"];
        let Some(position) = words.iter().position(|it| faults.contains(&it.trim_end_matches(','))) else {
            continue;
        };
        if let (Some(name), true) = (name, position > 0) {
            let fault = format!("{} {}", words[position - 1], words[position]);
            said.insert((*name).to_owned(), fault);
        }
    }
    said
}

/// The files that the screen lists as damaged.
pub(super) fn listed(ground: &Ground, snapshot: &Snapshot, installation: &Installation) -> Files {
    let mut files = Files::new();
    let environment = snapshot.environments().find(|(_, it)| is_of(it.path.to_str().unwrap(), installation));
    let Some((_, environment)) = environment else { return files };
    for it in &environment.distributions {
        let request = FilesRequest::Distribution {
            environment: environment.path.clone(),
            dist_info: it.dist_info.clone(),
            entry: it.entry.map(|entry| snapshot.entry(entry).key.clone()),
        };
        for row in files::list(&ground.sandbox.cache(), &request).unwrap_or_default() {
            let fault = match row.what {
                FileFate::Missing | FileFate::Dangling => Fault::Missing,
                FileFate::Modified => Fault::Modified,
                _ => continue,
            };
            let path = relative(&environment.path.join(row.path), &installation.root);
            files.insert((it.name.clone(), path), Some(fault));
        }
    }
    files
}
