//! What stays broken: the cause in a sentence, and the commands that mend it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Command, own_mode};
use crate::human;
use crate::plan::again::{Again, OFFLINE, Where, again, of_conda, place};
use crate::plan::{At, Kept, KeptBecause, Remedy, obstacles};
use crate::scan::repair::{
    BrokenFile, DistributionFacts, Duplicate, EnvironmentFacts, Facts, Leftover, Linked, Supply, Why,
};
use crate::snapshot::{CameFrom, EnvironmentKind, Manager, Mode};
use crate::uv::distribution::requirement;
use crate::uv::url;

/// Why something stays broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// No entry has the files.
    NoCandidate,
    /// An entry has the name and version, but another content.
    OtherContent,
    /// Their content is not what `RECORD` says, and may be an edit: they are never replaced.
    Modified,
    /// `RECORD` states no digest.
    NoDigest,
    /// Files that an installer writes are missing.
    Private,
    /// Files belong outside of the directory with the distributions, as scripts and data of a system Python do.
    Outside,
    /// A whole directory is a symlink.
    DirectoryLink,
    /// Files, or the whole environment, could not be looked at.
    Unread,
    /// There is no `RECORD` that could be read.
    NoRecord,
    /// conda has installed it, and its files are conda's.
    OfConda,
    /// Its symlinks name the cache by another path, where it may well work.
    OtherName,
    /// One package has several `.dist-info` directories.
    Duplicate,
    /// An uninstall has left a `.dist-info` directory.
    Leftover,
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

/// What keeps uv from building a package that is named.
pub(super) const ONLY_WHEELS: &str = "--only-binary";

/// What is said where the cache's damage goes first.
const TOGETHER: &str = "The commands belong together, in this order: what the cache has is damaged as well.";

/// What is said where a row rests on the commands of one before it.
const FIRST: &str = "The commands that are named above come first: this one rests on them.";

/// The warning that goes with reinstalling what pointers in the cache lead astray (uv 0.13.8).
const EMPTIES: &str = "The commands belong together, in this order: where a pointer of the cache is broken, uv uninstalls the \
    package before it finds that it cannot install it again.";

fn left(at: &At, distribution: Option<&DistributionFacts>, cause: Cause, reason: String) -> Kept {
    Kept {
        name: distribution.map(|it| it.name.clone()),
        version: distribution.map(|it| it.version.clone()),
        reason,
        remedy: Some(Remedy::default()),
        ..Kept::new(at.clone(), KeptBecause::Damaged(cause))
    }
}

/// What is said of files that nothing mends.
pub(super) fn of_files(
    facts: &Facts,
    environment: &EnvironmentFacts,
    distribution: &DistributionFacts,
    why: &Why,
    files: &[&BrokenFile],
) -> Kept {
    let number = human::counted(files.len() as u64, "file", "files");
    let (because, reason) = match why {
        _ if environment.stored => {
            let text = "it lies in the cache, where uv makes it again once it is removed";
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
        Why::Outside => {
            let text = "outside of the directory with the distributions, where repair links nothing";
            let verb = human::counted(files.len() as u64, "file belongs", "files belong");
            (Cause::Outside, format!("{verb} {text}"))
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
    left.remedy_mut().files = files.iter().map(|file| At::new(&file.path)).collect();
    match why {
        _ if environment.stored => {
            left.remedy_mut().commands.push(cachetui(facts, &["prune", "--"], name(&environment.path)));
        }
        Why::DirectoryLink { link, now: Some(now), .. } => {
            let link = environment.path.join(link).display().to_string();
            let now = now.display().to_string();
            left.remedy_mut().commands.push(Command::new(["ln", "-sfn", &now, &link], Vec::new()));
        }
        Why::NoCandidate | Why::OtherContent { .. } => {
            if clear(facts, environment, distribution, &mut left) {
                install_again(facts, environment, distribution, &mut left);
            }
        }
        _ => reinstall(facts, environment, distribution, &mut left),
    }
    left
}

/// What is said of files whose content is not what `RECORD` says.
pub(super) fn modified(
    facts: &Facts,
    environment: &EnvironmentFacts,
    distribution: &DistributionFacts,
) -> Kept {
    let number = human::counted(distribution.modified.len() as u64, "file differs", "files differ");
    let reason = format!("{number} from RECORD and may hold edits, which repair never overwrites");
    let at = At::new(&environment.path);
    let mut left = left(&at, Some(distribution), Cause::Modified, reason);
    left.remedy_mut().files = distribution.modified.iter().map(|file| At::new(&file.path)).collect();
    if environment.stored {
        left.remedy_mut().commands.push(cachetui(facts, &["prune", "--"], name(&environment.path)));
        return left;
    }
    reinstall(facts, environment, distribution, &mut left);
    if !left.commands().is_empty() {
        let warning =
            left.remedy_mut().warning.take().map_or_else(String::new, |warning| format!(" {warning}"));
        left.remedy_mut().warning = Some(format!("Installing again discards what was edited.{warning}"));
    }
    left
}

/// Names what installs a distribution again once, where several rows of it would: the second time uv has nothing to do, and
/// an entry that was taken away is not there.
pub(super) fn once(rows: &mut [Kept]) {
    let installs =
        |left: &Kept| left.commands().iter().any(|it| it.words().any(|word| word == "--reinstall"));
    let of: Vec<usize> = (0..rows.len()).filter(|row| installs(&rows[*row])).collect();
    let Some((first, others)) = of.split_first().filter(|(_, others)| !others.is_empty()) else { return };
    // What takes a damaged entry away first does more.
    let Some(most) = of.iter().copied().max_by_key(|row| rows[*row].commands().len()) else { return };
    let commands = rows[most].commands().to_vec();
    let mut warnings: Vec<String> = Vec::new();
    for row in &of {
        warnings.extend(rows[*row].remedy_mut().warning.take().filter(|it| !warnings.contains(it)));
    }
    rows[*first].remedy_mut().commands = commands;
    rows[*first].remedy_mut().warning = (!warnings.is_empty()).then(|| warnings.join(" "));
    for row in others {
        rows[*row].remedy_mut().commands.clear();
        rows[*row].reason.push_str("; the same commands fix it");
    }
}

/// A command of cachetui, with the options that name the cache, where it is not the default one, and the places that were searched.
fn cachetui(facts: &Facts, words: &[&str], about: Vec<String>) -> Command {
    let cache = facts.cache.display().to_string();
    let other: &[&str] = if facts.named { &["--cache-dir", &cache] } else { &[] };
    let places: Vec<&str> = facts.places.iter().map(String::as_str).collect();
    Command::new([&["cachetui"], other, &places, words].concat(), about)
}

/// The last name of a path, as a command takes it.
fn name(path: &Path) -> Vec<String> {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).into_iter().collect()
}

/// Adds what takes the entry away that lacks what is broken: uv would install from it again (uv 0.13.8). Answers whether
/// the distribution is to be installed after that.
fn clear(
    facts: &Facts,
    environment: &EnvironmentFacts,
    distribution: &DistributionFacts,
    left: &mut Kept,
) -> bool {
    // What cannot be had again stays, for what it still has.
    let Some(stale) = distribution.stale.as_ref().filter(|it| it.supply != Supply::Gone) else { return true };
    if stale.held {
        let entry = name(&stale.entry);
        let is = "that uv would install from is damaged too, and something else may use it";
        left.reason = format!("{}; the entry `{}` {is}", left.reason, entry.join(""));
        left.remedy_mut().commands.push(cachetui(facts, &["why", "--"], entry));
        return false;
    }
    let whole = |path: &PathBuf| facts.cache.join(path).display().to_string();
    let removed = || {
        let paths = stale.pointers.iter().chain([&stale.entry]).map(whole);
        Command::new(["rm", "-rf", "--"], paths.collect())
    };
    let others: Vec<&Linked> = stale.linked.iter().filter(|it| it.path != environment.path).collect();
    if !others.is_empty() {
        // They would break: each is linked to the new entry after the old one is gone.
        let again: Option<Vec<Command>> = others.iter().map(|it| relinked(facts, distribution, it)).collect();
        if let Some(again) = again.filter(|_| stale.supply == Supply::Known && !cfg!(windows)) {
            left.remedy_mut().commands.push(removed());
            left.remedy_mut().commands.extend(again);
            return true;
        }
        let about = vec![format!("{}=={}", distribution.name, distribution.version)];
        left.remedy_mut().commands.push(cachetui(facts, &["verify"], about));
        return false;
    }
    if stale.linked.is_empty() || cfg!(windows) {
        let allowed: &[&str] = if stale.supply == Supply::Unlocated { &["--allow", "gone"] } else { &[] };
        let words = [&["prune"], allowed, &["--"]].concat();
        left.remedy_mut().commands.push(cachetui(facts, &words, name(&stale.entry)));
    } else {
        left.remedy_mut().commands.push(removed());
    }
    true
}

/// The command that links another environment to the new entry; none where there is none to name.
fn relinked(facts: &Facts, distribution: &DistributionFacts, it: &Linked) -> Option<Command> {
    let came = it.came.as_ref().filter(|_| !it.stored)?;
    let again = again(&distribution.name, &distribution.version, came)?;
    let text = |path: &Path| path.display().to_string();
    let (root, program) = (text(&it.path), it.installation.as_deref().map(text));
    let prefix = it.prefix.as_deref().map(text);
    let place = place(Where {
        root: &root,
        manager: it.manager,
        program: program.as_deref(),
        prefix: prefix.as_deref(),
        python: it.python.as_deref(),
        managed: it.externally_managed,
    });
    Some(install(facts, place, true, again))
}

/// What the rows name that an earlier one has named already is left out: an entry goes once, and what is linked to the new one
/// is not taken from there again.
pub(super) fn in_order(rows: &mut [Kept]) {
    let mut named: Vec<Command> = Vec::new();
    for row in rows {
        let all = row.commands().len();
        row.remedy_mut().commands.retain(|it| !named.contains(it));
        if row.commands().len() < all {
            let warning =
                row.remedy_mut().warning.take().map_or_else(String::new, |warning| format!(" {warning}"));
            row.remedy_mut().warning = Some(format!("{FIRST}{warning}"));
        }
        named.extend(row.commands().iter().cloned());
    }
}

/// What is said of a distribution without a `RECORD` that could be read.
pub(super) fn unreadable(
    facts: &Facts,
    environment: &EnvironmentFacts,
    distribution: &DistributionFacts,
) -> Kept {
    let reason = if let Some(why) = &distribution.unreadable {
        format!("its RECORD cannot be read ({why}), so that its files are not known")
    } else {
        let lines = human::counted(distribution.unclear, "line", "lines");
        format!("{lines} of its RECORD cannot be understood, so that not all its files are known")
    };
    let mut left = left(&At::new(&environment.path), Some(distribution), Cause::NoRecord, reason);
    reinstall(facts, environment, distribution, &mut left);
    // uv refuses to uninstall by what it cannot read (uv 0.13.8), and installs over the files where nothing says what they are.
    if distribution.invalid && !left.commands().is_empty() {
        let directory = environment.path.join(&distribution.dist_info).display().to_string();
        left.remedy_mut().commands.insert(0, removal(directory, false));
        let warning =
            left.remedy_mut().warning.take().map_or_else(String::new, |warning| format!(" {warning}"));
        left.remedy_mut().warning = Some(format!("{}{warning}", obstacles::FIRST));
    }
    left
}

/// What is said of what conda has installed: no cache of uv has it, whatever has the same name there.
pub(super) fn of_conda_itself(environment: &EnvironmentFacts, distribution: &DistributionFacts) -> Kept {
    let files = human::counted(distribution.files.len() as u64, "file", "files");
    let reason = match &distribution.unreadable {
        Some(why) => format!("conda installed it, and its RECORD cannot be read: {why}"),
        None => format!("conda installed it, and {files} of it cannot be used"),
    };
    let mut left = left(&At::new(&environment.path), Some(distribution), Cause::OfConda, reason);
    left.remedy_mut().files = distribution.files.iter().map(|file| At::new(&file.path)).collect();
    let root = environment.path.display().to_string();
    let (name, version) = (&distribution.name, &distribution.version);
    if let Some((command, note)) = of_conda(&root, distribution.conda.as_ref(), name, version) {
        left.remedy_mut().commands.push(command);
        left.remedy_mut().warning = note;
    }
    left
}

/// What is said of an environment in the cache's directory whose symlinks name entries by another path of the cache.
pub(super) fn of_other_name(
    environment: &EnvironmentFacts,
    distribution: &DistributionFacts,
    files: &[&BrokenFile],
) -> Kept {
    let links = human::counted(files.len() as u64, "symlink names", "symlinks name");
    let text = "another path of the cache, and works only where the cache has that path, as in a container";
    let reason = format!("{links} {text}; `cachetui repair` leaves it as it is");
    let mut left = left(&At::new(&environment.path), Some(distribution), Cause::OtherName, reason);
    left.remedy_mut().files = files.iter().map(|file| At::new(&file.path)).collect();
    left
}

/// What is said of an environment as a whole.
pub(super) fn of_environment(facts: &Facts, environment: &EnvironmentFacts) -> Vec<Kept> {
    let at = At::new(&environment.path);
    let mut all = Vec::new();
    for Duplicate { name, versions, whole, came } in &environment.duplicates {
        let distribution = DistributionFacts {
            name: name.clone(),
            version: whole.clone(),
            came: came.clone(),
            ..DistributionFacts::default()
        };
        let reason = format!("it is installed {} times: {}", versions.len(), versions.join(", "));
        let mut left = left(&at, Some(&distribution), Cause::Duplicate, reason);
        left.version = None;
        reinstall(facts, environment, &distribution, &mut left);
        all.push(left);
    }
    all.extend(environment.leftovers.iter().map(|it| leftover(&at, &environment.path, it)));
    if !environment.interpreter_alive {
        let gone = environment.interpreter.as_deref().map_or("its interpreter is gone".to_owned(), |path| {
            format!("its interpreter `{}` is gone", path.display())
        });
        let mut left = left(&at, None, Cause::NoInterpreter, gone);
        left.remedy_mut().commands.push(interpreter(environment));
        all.push(left);
    }
    if environment.unread {
        let reason = "a part of it could not be read: more may be broken".to_owned();
        all.push(left(&at, None, Cause::Unread, reason));
    }
    all
}

/// What is said of a `.dist-info` that an uninstall has left, which goes in one step.
fn leftover(at: &At, root: &Path, Leftover { name, version, dist_info, bare, beside }: &Leftover) -> Kept {
    let directory = dist_info.file_name().unwrap_or_default().display().to_string();
    let reason = match beside {
        Some(other) => format!(
            "`{directory}` has no RECORD, or an empty one, and {other} is installed: it is a leftover"
        ),
        None => format!("`{directory}` is empty: an interrupted uninstall has left it"),
    };
    let facts = DistributionFacts { name: name.clone(), version: version.clone(), ..Default::default() };
    let mut left = left(at, Some(&facts), Cause::Leftover, reason);
    left.remedy_mut().files.push(At::new(dist_info));
    left.remedy_mut().commands.push(removal(root.join(dist_info).display().to_string(), *bare));
    left
}

/// The command that removes a directory; one that has to be empty for that, if it is `bare`.
fn removal(directory: String, bare: bool) -> Command {
    let words = match (cfg!(windows), bare) {
        (true, false) => vec!["cmd", "/c", "rmdir", "/s", "/q"],
        (true, true) => vec!["cmd", "/c", "rmdir"],
        (false, false) => vec!["rm", "-rf", "--"],
        (false, true) => vec!["rmdir", "--"],
    };
    Command::new(words, vec![directory])
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
pub(super) fn dead_link(path: &Path, target: &Path) -> Kept {
    let reason = format!("it leads to `{}`, which is gone", target.display());
    let mut left = left(&At::new(path), None, Cause::NoEnvironment, reason);
    let project = path.parent().unwrap_or(path).display().to_string();
    left.remedy_mut().commands.push(Command::new(["uv", "sync", "--directory", &project], Vec::new()));
    left
}

/// Adds the commands that install a distribution again, not from an entry that is damaged: uv would install the damage, and
/// leave out what the entry lacks (uv 0.13.8).
fn reinstall(
    facts: &Facts,
    environment: &EnvironmentFacts,
    distribution: &DistributionFacts,
    left: &mut Kept,
) {
    let is_damaged = distribution.stale.as_ref().is_some_and(|it| it.damaged)
        || distribution.modified.iter().any(|file| file.in_cache);
    if !is_damaged || clear(facts, environment, distribution, left) {
        install_again(facts, environment, distribution, left);
    }
}

/// Adds the commands that install a distribution again from where it came, with what has to be known before.
fn install_again(
    facts: &Facts,
    environment: &EnvironmentFacts,
    distribution: &DistributionFacts,
    left: &mut Kept,
) {
    let Some(mut again) = again(&distribution.name, &distribution.version, &distribution.came) else {
        return;
    };
    let is_of_it =
        |full: &&PathBuf| distribution.modified.iter().any(|it| environment.path.join(&it.path) == **full);
    if let Some(full) = environment.obstacles.full.iter().find(is_of_it) {
        left.reason = format!("{}; {}", left.reason, obstacles::full(full));
        left.remedy_mut().commands.clear();
        return;
    }
    let mut warnings: Vec<String> = again.note.clone().into_iter().collect();
    let cleared = !left.commands().is_empty();
    let in_the_way = obstacles::removed(&environment.obstacles);
    if !in_the_way.is_empty() {
        warnings.insert(0, obstacles::FIRST.to_owned());
    }
    left.remedy_mut().commands.splice(0..0, in_the_way);
    if let Some(poison) = facts.poison.get(&distribution.name) {
        let links = poison.iter().flat_map(|it| it.link.iter().map(|(path, _)| path));
        left.remedy_mut()
            .commands
            .push(take_away(&facts.cache, poison.iter().map(|it| &it.path).chain(links)));
        warnings.insert(0, EMPTIES.to_owned());
    }
    if !cleared && distribution.stale.as_ref().is_some_and(|it| it.offline) {
        again.options.insert(0, OFFLINE.to_owned());
    }
    if cleared {
        warnings.insert(0, TOGETHER.to_owned());
    }
    left.remedy_mut().warning = (!warnings.is_empty()).then(|| warnings.join(" "));
    let text = |path: &Path| path.display().to_string();
    let (root, program) = (text(&environment.path), environment.installation.as_deref().map(text));
    let prefix = environment.prefix.as_deref().map(text);
    let place = place(Where {
        root: &root,
        manager: environment.manager,
        program: program.as_deref(),
        prefix: prefix.as_deref(),
        python: environment.python.as_deref(),
        managed: environment.externally_managed,
    });
    // What was linked otherwise than uv does by itself stays so.
    left.remedy_mut().commands.push(install(facts, place, own_mode(environment) == Mode::Symlink, again));
}

/// The command that installs again what came from somewhere.
fn install(facts: &Facts, place: Vec<String>, symlink: bool, Again { options, about, .. }: Again) -> Command {
    let mut words = uv(facts);
    words.extend(["pip", "install"].map(str::to_owned));
    words.extend(place);
    words.extend(["--reinstall", "--no-deps"].map(str::to_owned));
    if symlink {
        words.extend(["--link-mode", "symlink"].map(str::to_owned));
    }
    words.extend(options);
    Command::new(words.iter().map(String::as_str), about)
}

/// uv, told of the cache where it would take another one.
fn uv(facts: &Facts) -> Vec<String> {
    let mut words = vec!["uv".to_owned()];
    if facts.named {
        words.extend(["--cache-dir".to_owned(), facts.cache.display().to_string()]);
    }
    words
}

/// The command that takes away files of the cache that lead nowhere, and nothing else: `uv cache clean` takes every version of a
/// package, and breaks the environments that reach another one by symlinks.
pub(super) fn take_away<'a>(cache: &Path, files: impl Iterator<Item = &'a PathBuf>) -> Command {
    let mut paths: Vec<String> = files.map(|path| cache.join(path).display().to_string()).collect();
    paths.sort_unstable();
    paths.dedup();
    obstacles::files(paths)
}

/// Where uv is to look for a distribution, and the requirement by which it can fetch it; none for what it would build from a
/// directory, for what came from an index or a directory that is not known, and for what is not plainly a requirement: names,
/// versions and URLs in an environment are untrusted.
///
/// Where nothing tells the source, uv may look where its settings say, but for a wheel only: an index that has another package
/// of that name must not have its code run, as a build would. What was built here is not fetched then.
pub(super) fn fetchable(distribution: &DistributionFacts) -> Option<(Vec<String>, String)> {
    if let Some(direct) = &distribution.direct_url {
        // What is hidden is not known here, and would not be passed as an argument, which every user of a machine can see.
        if direct.editable || direct.local_directory || url::is_masked(&direct.url) {
            return None;
        }
        let schemes = ["https://", "http://", "file://", "ssh://"];
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'$');
        let others = [&direct.vcs, &direct.commit, &direct.subdirectory];
        let fits = schemes.iter().any(|scheme| direct.url.starts_with(scheme))
            && plain(&direct.url)
            && others.into_iter().flatten().all(|text| plain(text));
        if !fits {
            return None;
        }
    }
    let options = match &distribution.came {
        CameFrom::Unknown if distribution.built => return None,
        CameFrom::Unknown => vec![ONLY_WHEELS.to_owned(), ":all:".to_owned()],
        came => {
            let again = again(&distribution.name, &distribution.version, came)?;
            if again.note.is_some() {
                return None;
            }
            again.options
        }
    };
    let about =
        requirement(&distribution.name, &distribution.version, distribution.direct_url.as_ref())?.pop()?;
    Some((options, about))
}
