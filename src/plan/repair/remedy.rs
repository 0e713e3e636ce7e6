//! What stays broken: the cause in a sentence, and the commands that mend it.

use std::path::Path;

use serde::Serialize;

use super::{Command, own_mode};
use crate::human;
use crate::plan::At;
use crate::scan::repair::{BrokenFile, DistributionFacts, Duplicate, EnvironmentFacts, Facts, Why};
use crate::snapshot::{EnvironmentKind, Manager, Mode};
use crate::uv::distribution::requirement;

/// Something that stays broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Left {
    /// The environment's root, absolute; the link to one that is gone; or the cache's root, for what is wrong in the cache
    /// itself.
    #[serde(flatten)]
    pub at: At,
    /// The distribution's name.
    pub name: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// Why it stays broken.
    pub because: Cause,
    /// The same as a sentence. Not escaped.
    pub reason: String,
    /// The files, relative to that root.
    pub files: Vec<At>,
    /// What mends it, one after the other.
    pub commands: Vec<Command>,
    /// What should be known before the commands are run, as a sentence. Not escaped.
    pub warning: Option<String>,
}

/// Why something stays broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// No entry has the files.
    NoCandidate,
    /// An entry has the name and version, but another content.
    OtherContent,
    /// `RECORD` states no digest.
    NoDigest,
    /// Files that an installer writes are missing.
    Private,
    /// A whole directory is a symlink.
    DirectoryLink,
    /// Files, or the whole environment, could not be looked at.
    Unread,
    /// There is no `RECORD` that could be read.
    NoRecord,
    /// One package has several `.dist-info` directories.
    Duplicate,
    /// The interpreter is gone.
    NoInterpreter,
    /// A `.venv` leads to an environment that is gone.
    NoEnvironment,
    /// It is an environment that uv keeps as an entry of the cache, and makes anew whenever it is needed.
    Stored,
    /// What a pointer or a link of the cache leads to is gone.
    NoEntry,
    /// Nobody can tell which entry a pointer or a link of the cache is for.
    Unclear,
    /// Something that is no link lies where one should be.
    Occupied,
}

/// The warning that goes with reinstalling what pointers in the cache lead astray (uv 0.13.8).
const EMPTIES: &str = "Clean first, as written: where a pointer of the cache leads nowhere, uv uninstalls the package before \
    it finds that it cannot install it again.";

fn left(at: &At, distribution: Option<&DistributionFacts>, because: Cause, reason: String) -> Left {
    Left {
        at: at.clone(),
        name: distribution.map(|it| it.name.clone()),
        version: distribution.map(|it| it.version.clone()),
        because,
        reason,
        files: Vec::new(),
        commands: Vec::new(),
        warning: None,
    }
}

/// What is said of files that nothing mends.
pub(super) fn of_files(
    facts: &Facts,
    environment: &EnvironmentFacts,
    distribution: &DistributionFacts,
    why: &Why,
    files: &[&BrokenFile],
) -> Left {
    let number = human::counted(files.len() as u64, "file", "files");
    let (because, reason) = match why {
        _ if environment.stored => {
            let text = "it lies in the cache, where uv makes it anew once it is removed";
            (Cause::Stored, text.to_owned())
        }
        Why::NoCandidate => match facts.caches.len() {
            0 | 1 => (Cause::NoCandidate, format!("the cache does not have its {number}")),
            _ => (Cause::NoCandidate, format!("none of the caches has its {number}")),
        },
        Why::OtherContent { entry } => {
            let entry = entry.display();
            let text = format!("`{entry}` has its name and version, but not the content its RECORD states");
            (Cause::OtherContent, format!("{text}: {number}"))
        }
        Why::NoDigest => (Cause::NoDigest, format!("its RECORD states no SHA-256 for {number}")),
        Why::Private => {
            let is_one = files.len() == 1;
            let verb = if is_one {
                "is missing that an installer writes"
            } else {
                "are missing that installers write"
            };
            (Cause::Private, format!("{number} {verb}; no cache has such"))
        }
        Why::DirectoryLink { link, leads, .. } => {
            let gone = if *leads { "whole directory" } else { "directory that is gone" };
            let text = format!("`{}` is a symlink to a {gone}, as uv makes none", link.display());
            (Cause::DirectoryLink, format!("{text}: {number}"))
        }
        Why::Unread { why } => (Cause::Unread, format!("{number} could not be looked at: {why}")),
    };
    let at = At::new(&environment.path);
    let mut left = left(&at, Some(distribution), because, reason);
    left.files = files.iter().map(|file| At::new(&file.path)).collect();
    match why {
        _ if environment.stored => {
            let id = environment.path.file_name().map(|id| id.to_string_lossy().into_owned());
            left.commands.push(Command::new(["cachetui", "prune", "--"], id.into_iter().collect()));
        }
        Why::DirectoryLink { link, now: Some(now), .. } => {
            let link = environment.path.join(link).display().to_string();
            let now = now.display().to_string();
            left.commands.push(Command::new(["ln", "-sfn", &now, &link], Vec::new()));
        }
        _ => reinstall(facts, environment, distribution, &mut left),
    }
    left
}

/// What is said of a distribution without a `RECORD` that could be read.
pub(super) fn unreadable(
    facts: &Facts,
    environment: &EnvironmentFacts,
    distribution: &DistributionFacts,
) -> Left {
    let reason = if let Some(why) = &distribution.unreadable {
        format!("its RECORD cannot be read ({why}), so that nobody knows its files")
    } else {
        let lines = human::counted(distribution.unclear, "line", "lines");
        format!("{lines} of its RECORD cannot be understood, so that nobody knows all its files")
    };
    let mut left = left(&At::new(&environment.path), Some(distribution), Cause::NoRecord, reason);
    reinstall(facts, environment, distribution, &mut left);
    left
}

/// What is said of an environment as a whole.
pub(super) fn of_environment(facts: &Facts, environment: &EnvironmentFacts) -> Vec<Left> {
    let at = At::new(&environment.path);
    let mut all = Vec::new();
    for Duplicate { name, versions, whole, direct_url } in &environment.duplicates {
        let distribution = DistributionFacts {
            name: name.clone(),
            version: whole.clone(),
            direct_url: direct_url.clone(),
            ..DistributionFacts::default()
        };
        let reason = format!("it is installed {} times: {}", versions.len(), versions.join(", "));
        let mut left = left(&at, Some(&distribution), Cause::Duplicate, reason);
        left.version = None;
        reinstall(facts, environment, &distribution, &mut left);
        all.push(left);
    }
    if !environment.interpreter_alive {
        let gone = environment.interpreter.as_deref().map_or("its interpreter is gone".to_owned(), |path| {
            format!("its interpreter `{}` is gone", path.display())
        });
        let mut left = left(&at, None, Cause::NoInterpreter, gone);
        left.commands.push(interpreter(environment));
        all.push(left);
    }
    if environment.unread {
        let reason = "a part of it could not be read: more may be broken".to_owned();
        all.push(left(&at, None, Cause::Unread, reason));
    }
    all
}

/// The command that brings an interpreter back, or an environment with another one.
fn interpreter(environment: &EnvironmentFacts) -> Command {
    let name = || environment.path.file_name().map(|name| name.to_string_lossy().into_owned());
    let root = environment.path.display().to_string();
    let version = environment.python.as_deref();
    let gone = environment.interpreter.as_deref().unwrap_or(Path::new(""));
    let names: Vec<&str> = gone.iter().filter_map(|name| name.to_str()).collect();
    let is_uvs = names.windows(2).any(|pair| pair == ["uv", "python"]);
    match (environment.kind, version, &environment.project) {
        (_, Some(version), _) if is_uvs => {
            Command::new(["uv", "python", "install"], vec![version.to_owned()])
        }
        (EnvironmentKind::Tool, ..) if environment.manager == Manager::Uv => {
            Command::new(["uv", "tool", "install", "--reinstall"], name().into_iter().collect())
        }
        (EnvironmentKind::Tool, ..) => Command::new(["pipx", "reinstall"], name().into_iter().collect()),
        (_, _, Some(project)) => {
            Command::new(["uv", "sync", "--directory", &project.display().to_string()], Vec::new())
        }
        (_, version, None) => {
            let version = version.unwrap_or("3");
            // Not `--clear`, which would take what is installed.
            Command::new(["uv", "venv", "--allow-existing", "--python", version, &root], Vec::new())
        }
    }
}

/// What is said of a `.venv` whose environment is gone.
pub(super) fn dead_link(path: &Path, target: &Path) -> Left {
    let reason = format!("it leads to `{}`, which is gone", target.display());
    let mut left = left(&At::new(path), None, Cause::NoEnvironment, reason);
    let project = path.parent().unwrap_or(path).display().to_string();
    left.commands.push(Command::new(["uv", "sync", "--directory", &project], Vec::new()));
    left
}

/// Adds the commands that install a distribution anew, with what has to be known before.
fn reinstall(
    facts: &Facts,
    environment: &EnvironmentFacts,
    distribution: &DistributionFacts,
    left: &mut Left,
) {
    let direct = distribution.direct_url.as_ref();
    let Some(about) = requirement(&distribution.name, &distribution.version, direct) else { return };
    let cache = facts.cache.display().to_string();
    let mut uv = vec!["uv"];
    if facts.named {
        uv.extend(["--cache-dir", &cache]);
    }
    if facts.poison.contains_key(&distribution.name) {
        let start = uv.iter().copied().chain(["cache", "clean"]);
        left.commands.push(Command::new(start, vec![distribution.name.clone()]));
        left.warning = Some(EMPTIES.to_owned());
    }
    let root = environment.path.display().to_string();
    let place = match (environment.manager, environment.program.is_some()) {
        (Manager::Target, false) => ["--target", &root],
        _ => ["--python", &root],
    };
    let start = uv.into_iter().chain(["pip", "install"]).chain(place).chain(["--reinstall", "--no-deps"]);
    // What was linked otherwise than uv does by itself stays so.
    let mode = match own_mode(environment) {
        Mode::Symlink => vec!["--link-mode", "symlink"],
        Mode::Clone | Mode::Hardlink | Mode::Copy => Vec::new(),
    };
    left.commands.push(Command::new(start.chain(mode), about));
}

/// The requirement by which uv can fetch a distribution; none for what it would build from a directory, and for what is
/// not plainly a requirement: names, versions and URLs in an environment are anybody's.
pub(super) fn fetchable(distribution: &DistributionFacts) -> Option<String> {
    if let Some(direct) = &distribution.direct_url {
        if direct.editable || direct.local_directory {
            return None;
        }
        let schemes = ["https://", "http://", "file://", "ssh://"];
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'$');
        let others = [&direct.vcs, &direct.commit, &direct.subdirectory];
        let fits = schemes.iter().any(|scheme| direct.url.starts_with(scheme))
            && plain(&direct.url)
            && others.into_iter().flatten().all(|text| plain(text))
            // uv would take a fragment for its own.
            && !direct.url.contains('#');
        if !fits {
            return None;
        }
    }
    requirement(&distribution.name, &distribution.version, distribution.direct_url.as_ref())?.pop()
}
