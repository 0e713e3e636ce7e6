//! How a distribution is had again from where it came: the options and the requirement of `uv pip install`.
//!
//! Only what is known to have come from `PyPI` is asked for by name and version alone. What nothing tells, and what must not be
//! shown, is a blank in the command, which uv refuses as it stands, and a sentence says what belongs there.

use super::repair::Command;
use crate::scan::conda;
use crate::snapshot::{CameFrom, Environment, Manager};
use crate::uv::distribution::{file_path, is_plain, requirement};
use crate::uv::url;

/// What stands for an index that nothing names. No host can be called that, so that uv asks nobody.
pub(super) const INDEX: &str = "https://<INDEX-URL>";

/// What stands for a directory that nothing names.
pub(super) const DIRECTORY: &str = "<DIRECTORY>";

/// The option by which uv installs from the entry that it has, and makes no new one.
pub(super) const OFFLINE: &str = "--offline";

/// How to have a distribution again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Again {
    /// Where uv is to look.
    pub(super) options: Vec<String>,
    /// What it is to install.
    pub(super) about: Vec<String>,
    /// What belongs into a blank, or what has to be known before, as a sentence. Not escaped.
    pub(super) note: Option<String>,
}

/// How to have a distribution again; nothing for what is not plainly a requirement.
pub(super) fn again(name: &str, version: &str, came: &CameFrom) -> Option<Again> {
    if !is_plain(name) || !is_plain(version) {
        return None;
    }
    let direct = match came {
        CameFrom::Direct(direct) => Some(direct),
        _ => None,
    };
    let about = requirement(name, version, direct)?;
    let index = |url: &str| vec!["--index".to_owned(), url.to_owned()];
    let list = |place: &str| vec!["--no-index".to_owned(), "--find-links".to_owned(), place.to_owned()];
    let hidden = |text: &str| url::is_masked(text).then(|| HIDDEN.to_owned());
    let (options, note) = match came {
        CameFrom::Pypi => (Vec::new(), None),
        CameFrom::Direct(direct) => (Vec::new(), hidden(&direct.url)),
        CameFrom::Index(Some(place)) => {
            let shown = url::masked(&place.url);
            (index(&shown), hidden(&shown))
        }
        CameFrom::FindLinks(Some(place)) => {
            let shown = match file_path(&place.url) {
                Some(path) => path.to_string_lossy().into_owned(),
                None => url::masked(&place.url).into_owned(),
            };
            (list(&shown), hidden(&shown))
        }
        CameFrom::Index(None) => {
            let text =
                "stands for the URL of an index that is not PyPI, of which the cache keeps only a digest.";
            (index(INDEX), Some(format!("`{INDEX}` {text}")))
        }
        CameFrom::FindLinks(None) => {
            let text = "stands for the directory of this machine that it came from: uv notes that there is one, and not which.";
            (list(DIRECTORY), Some(format!("`{DIRECTORY}` {text}")))
        }
        CameFrom::Unknown => {
            let text = "stands for the index that it came from, which nothing tells: https://pypi.org/simple is PyPI.";
            (index(INDEX), Some(format!("`{INDEX}` {text}")))
        }
    };
    Some(Again { options, about, note })
}

/// What is said of a URL of which a part is hidden.
const HIDDEN: &str =
    "What stands in `<` and `>` is a user name, a password or a token, which is not shown: fill it in.";

/// What tells uv which environment is meant: by the options that filled it.
pub(super) fn place(environment: Where<'_>) -> Vec<String> {
    let Where { root, manager, program, prefix, python, managed } = environment;
    let words = |option: &str, value: &str| vec![option.to_owned(), value.to_owned()];
    let mut place = match (manager, program, prefix) {
        (_, Some(program), _) => words("--python", program),
        (Manager::Target, None, Some(prefix)) => words("--prefix", prefix),
        (Manager::Target, None, None) => words("--target", root),
        (_, None, _) => words("--python", root),
    };
    let is_target = manager == Manager::Target && program.is_none();
    if is_target || program.is_none() && prefix.is_some() {
        // Its distributions lie in a directory of that version, or have libraries for it.
        place.extend(python.iter().flat_map(|version| words("--python", version)));
    } else if managed {
        place.push("--break-system-packages".to_owned());
    }
    place
}

/// An environment as a command has to name it.
#[derive(Clone, Copy)]
pub(super) struct Where<'a> {
    pub(super) root: &'a str,
    pub(super) manager: Manager,
    /// The interpreter of an installation of Python, which has no environment of its own.
    pub(super) program: Option<&'a str>,
    /// The prefix that it is the directory of distributions of.
    pub(super) prefix: Option<&'a str>,
    /// Its version of Python.
    pub(super) python: Option<&'a str>,
    /// Whether that is marked as managed by something else (PEP 668).
    pub(super) managed: bool,
}

/// What stands for a channel of conda that is not shown.
const CHANNEL: &str = "<CHANNEL-URL>";

/// The command by which conda installs a package again, with a note where a blank has to be filled in: the same build from the same
/// channel, where conda has recorded them.
pub(super) fn of_conda(
    root: &str,
    package: Option<&conda::Package>,
    name: &str,
    version: &str,
) -> Option<(Command, Option<String>)> {
    let mut start = vec!["conda", "install", "--force-reinstall", "--prefix", root];
    let is_named =
        |it: &&conda::Package| [&it.name, &it.version, &it.build].iter().all(|word| is_plain(word));
    let Some(conda::Package { name, version, build, channel }) = package.filter(is_named) else {
        let is_named = is_plain(name) && is_plain(version);
        return is_named.then(|| (Command::new(start, vec![format!("{name}={version}")]), None));
    };
    let mut note = None;
    match channel {
        conda::Channel::Unknown => {}
        conda::Channel::Named(channel) => start.extend(["--channel", channel]),
        conda::Channel::Hidden => {
            start.extend(["--channel", CHANNEL]);
            let text = "stands for the channel that it came from, which is not shown: its URL may hold a password or a token.";
            note = Some(format!("`{CHANNEL}` {text}"));
        }
    }
    Some((Command::new(start, vec![format!("{name}={version}={build}")]), note))
}

impl<'a> Where<'a> {
    /// An environment; the others are its paths as text.
    pub(super) fn of(
        environment: &'a Environment,
        root: &'a str,
        program: Option<&'a str>,
        prefix: Option<&'a str>,
    ) -> Self {
        Self {
            root,
            manager: environment.manager,
            program,
            prefix,
            python: environment.python.as_deref(),
            managed: environment.externally_managed,
        }
    }
}
