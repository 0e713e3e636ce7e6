//! The settings: `config.toml` in cachetui's directory of settings, and the variables that begin with `CACHETUI_`.
//!
//! One order holds for every value: an option of the command line, the variable, the file, the default. Lists (`roots`, `targets`,
//! `policy.keep`, `policy.allow`) add up instead. [`key::KEYS`] names them all.

pub(super) mod key;
pub(super) mod policy;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::args::{ColorChoice, Look, Places};
use super::failure::{FAILED, Failure, USAGE};
use super::surroundings::Surroundings;
use crate::disk;
use crate::human;
use key::{KEYS, Key, Kind};
use policy::Policy;

/// The settings. Everything may be left out; what is not known is an error, so that a slip of the pen is noticed.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct Settings {
    /// Directories to search for environments each time; `~/` stands for the home directory.
    pub(super) roots: Vec<PathBuf>,
    /// Directories to take for environments.
    pub(super) targets: Vec<PathBuf>,
    /// Whether other mounts below a root are searched too.
    pub(super) cross_mounts: bool,
    /// Whether the list of environments found earlier is neither used nor extended.
    pub(super) no_remember: bool,
    /// When to use colours.
    pub(super) color: Option<Colour>,
    /// The colours: `dark`, `light` or `mono`.
    pub(super) theme: ThemeName,
    /// The signs: `unicode` or `ascii`; by default what the locale can show.
    pub(super) glyphs: Option<GlyphsName>,
    /// Whether the mouse is listened to.
    pub(super) mouse: Option<bool>,
    /// Whether the terminal's own display of progress is told of running scans.
    pub(super) taskbar: Option<bool>,
    /// Whether the bell rings when a long scan ends while another window has the focus.
    pub(super) bell: Option<bool>,
    /// Keys by action, as `down = ["j", "ctrl-n"]`.
    pub(super) keys: toml::Table,
    /// Styles by role, as `mark = "yellow bold"`.
    pub(super) colours: toml::Table,
    /// What `gc` does.
    pub(super) policy: Policy,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ThemeName {
    #[default]
    Dark,
    Light,
    Mono,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum GlyphsName {
    Unicode,
    Ascii,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Colour {
    Auto,
    Always,
    Never,
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Origin {
    /// From the file.
    File,
    /// From a variable.
    Variable,
}

/// The settings as they were written, and what was made of them.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) settings: Settings,
    /// The same as a table.
    pub(super) table: toml::Table,
    /// Where each value comes from that is set; a list may come from several places.
    pub(super) origins: BTreeMap<&'static str, Vec<Origin>>,
}

/// Where the file is; none without a home.
pub(super) fn path(surroundings: &Surroundings) -> Option<PathBuf> {
    surroundings.config_dir.as_ref().map(|directory| directory.join("config.toml"))
}

/// Reads the settings; without a file and variables everything has its default.
pub(super) fn read(surroundings: &Surroundings) -> Result<Settings, Failure> {
    written(surroundings).map(|written| written.settings)
}

/// Reads the settings, and where each comes from.
pub(super) fn written(surroundings: &Surroundings) -> Result<Written, Failure> {
    let mut table = match path(surroundings) {
        Some(path) => {
            let mut table = file(&path)?;
            place_lock_files(&mut table, path.parent());
            table
        }
        None => toml::Table::new(),
    };
    let mut origins: BTreeMap<&'static str, Vec<Origin>> = BTreeMap::new();
    for key in &KEYS {
        if key.of(&table).is_some() {
            origins.entry(key.name).or_default().push(Origin::File);
        }
        let Some(value) = key.variable.and_then(|name| surroundings.variable(name)) else { continue };
        let value = of_variable(key, value)?;
        origins.entry(key.name).or_default().push(Origin::Variable);
        key.set(&mut table, value);
    }
    let settings = table.clone().try_into().map_err(|error: toml::de::Error| {
        // Each part was understood before.
        Failure::message(USAGE, format!("Failed to understand the settings: {}.", error.message()))
    })?;
    Ok(Written { settings, table, origins })
}

/// Makes the lock files to keep, of the file, relative to its directory: a policy means the same wherever it is carried out.
fn place_lock_files(table: &mut toml::Table, directory: Option<&Path>) {
    let keep = table.get_mut("policy").and_then(|policy| policy.get_mut("keep")?.as_array_mut());
    for word in keep.into_iter().flatten() {
        let Some(text) = word.as_str() else { continue };
        let is_relative = Path::new(text).is_relative() && !text.starts_with('~');
        if let Some(directory) = directory.filter(|_| is_relative && super::keep::is_file(text)) {
            *word = toml::Value::String(directory.join(text).to_string_lossy().into_owned());
        }
    }
}

/// Reads the file, which has to be understood as a whole.
fn file(path: &Path) -> Result<toml::Table, Failure> {
    let bytes = match disk::read::followed(path, disk::read::SMALL) {
        Ok(bytes) => bytes,
        Err(error) if disk::read::is_absent(&error) => return Ok(toml::Table::new()),
        Err(error) => return Err(Failure::new(FAILED, disk::Error::new("read the settings", path, error))),
    };
    let shown = human::escape_os(path.as_os_str()).into_owned();
    let text = String::from_utf8(bytes).map_err(|_| {
        Failure::message(USAGE, format!("Failed to understand the settings in `{shown}`: not UTF-8."))
    })?;
    let misread = |error: toml::de::Error| {
        // Whole it shows the line, which may be as long as the file.
        let before = error.span().and_then(|span| text.get(..span.start));
        let line = before.map(|before| format!("line {}: ", before.split('\n').count())).unwrap_or_default();
        let why = human::escape(error.message()).into_owned();
        Failure::message(USAGE, format!("Failed to understand the settings in `{shown}`: {line}{why}."))
    };
    toml::from_str::<Settings>(&text).map_err(misread)?;
    toml::from_str(&text).map_err(misread)
}

/// What a variable says.
fn of_variable(key: &Key, value: &OsStr) -> Result<toml::Value, Failure> {
    let name = key.variable.unwrap_or_default();
    let wrong = |why: &str| {
        let shown = human::escape_os(value);
        Failure::message(USAGE, format!("Failed to understand `{name}={shown}`: {}.", human::escape(why)))
    };
    let text = value.to_str().ok_or_else(|| wrong("it is not UTF-8"))?;
    let words = |words: &mut dyn Iterator<Item = &str>| {
        let words = words.map(str::trim).filter(|word| !word.is_empty());
        toml::Value::Array(words.map(|word| toml::Value::String(word.to_owned())).collect())
    };
    let value = match key.kind {
        Kind::Text => toml::Value::String(text.to_owned()),
        Kind::Flag => match text {
            "1" | "true" | "yes" | "on" => toml::Value::Boolean(true),
            "0" | "false" | "no" | "off" => toml::Value::Boolean(false),
            _ => return Err(wrong("write 1 or 0")),
        },
        Kind::Words => words(&mut text.split(',')),
        Kind::Lines => words(&mut text.split('\n')),
        Kind::Paths => {
            let paths: Vec<PathBuf> = std::env::split_paths(value).collect();
            words(&mut paths.iter().filter_map(|path| path.to_str()))
        }
    };
    let mut alone = toml::Table::new();
    key.set(&mut alone, value.clone());
    match alone.try_into::<Settings>() {
        Ok(_) => Ok(value),
        Err(error) => Err(wrong(error.message())),
    }
}

impl Settings {
    /// The places of a command line, and what the settings add to them. The roots are added where they are searched.
    pub(super) fn places(&self, places: &Places, surroundings: &Surroundings) -> Places {
        let mut places = places.clone();
        places.targets.extend(self.targets.iter().map(|path| surroundings.at_home(path)));
        places.cross_mounts |= self.cross_mounts;
        places.no_remember |= self.no_remember;
        places
    }

    /// How a command line says to show things, else the settings.
    pub(super) fn look(&self, look: &Look) -> Look {
        let of_settings = self.color.map(|color| match color {
            Colour::Auto => ColorChoice::Auto,
            Colour::Always => ColorChoice::Always,
            Colour::Never => ColorChoice::Never,
        });
        Look { color: look.color.or(of_settings), ..look.clone() }
    }
}
