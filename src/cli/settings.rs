//! `config.toml` in cachetui's directory of settings: where to search, and how the interface looks and answers.

use std::path::PathBuf;

use serde::Deserialize;

use super::failure::{FAILED, Failure, USAGE};
use super::surroundings::Surroundings;
use crate::disk;
use crate::human;

/// The settings. Everything may be left out; what is not known is an error, so that a slip of the pen is noticed.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct Settings {
    /// Directories to search for environments each time; `~/` stands for the home directory.
    pub(super) roots: Vec<PathBuf>,
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

/// Reads the settings; without a file everything has its default.
pub(super) fn read(surroundings: &Surroundings) -> Result<Settings, Failure> {
    let Some(path) = surroundings.config_dir.as_ref().map(|directory| directory.join("config.toml")) else {
        return Ok(Settings::default());
    };
    let bytes = match disk::read::followed(&path, disk::read::SMALL) {
        Ok(bytes) => bytes,
        Err(error) if disk::read::is_absent(&error) => return Ok(Settings::default()),
        Err(error) => return Err(Failure::new(FAILED, disk::Error::new("read the settings", path, error))),
    };
    let shown = human::escape_os(path.as_os_str()).into_owned();
    let text = String::from_utf8(bytes).map_err(|_| {
        Failure::message(USAGE, format!("Failed to understand the settings in `{shown}`: not UTF-8."))
    })?;
    toml::from_str(&text).map_err(|error| {
        // Whole it shows the line, which may be as long as the file.
        let before = error.span().and_then(|span| text.get(..span.start));
        let line = before.map(|before| format!("line {}: ", before.split('\n').count())).unwrap_or_default();
        let why = human::escape(error.message()).into_owned();
        Failure::message(USAGE, format!("Failed to understand the settings in `{shown}`: {line}{why}."))
    })
}
