//! `pyvenv.cfg`, the file that makes a directory an environment.

use std::path::PathBuf;

use super::link_file::path_from_bytes;

/// The most bytes such a file can sensibly have; longer ones need not be read.
pub const LONGEST_FILE: usize = 1 << 16;

/// What made an environment, as far as its `pyvenv.cfg` tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Maker {
    /// uv.
    Uv,
    /// virtualenv.
    Virtualenv,
    /// The standard library's `venv`.
    Venv,
    /// Not known.
    #[default]
    Unknown,
}

/// What a `pyvenv.cfg` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PyvenvCfg {
    /// The directory of the interpreter it was made from.
    pub home: Option<PathBuf>,
    /// The interpreter's implementation, as `CPython`.
    pub implementation: Option<String>,
    /// The version of uv that made it.
    pub uv: Option<String>,
    /// The version of virtualenv that made it.
    pub virtualenv: Option<String>,
    /// Its Python version, as `3.11.7`; what virtualenv appends (`.final.0`) is cut off.
    pub version: Option<String>,
    /// The name it shows in a shell.
    pub prompt: Option<String>,
    /// Whether its scripts find it wherever it lies, as in environments that are stored as cache entries.
    pub relocatable: bool,
    /// The environment beneath it, where it is an overlay that uv made for one run.
    pub extends: Option<PathBuf>,
    /// Whether it sees the distributions of its interpreter.
    pub include_system: bool,
    /// Whether the standard library's `venv` wrote its command line into it.
    pub has_command: bool,
}

impl PyvenvCfg {
    /// What made the environment.
    pub fn maker(&self) -> Maker {
        if self.uv.is_some() {
            Maker::Uv
        } else if self.virtualenv.is_some() {
            Maker::Virtualenv
        } else if self.has_command || self.version.is_some() {
            Maker::Venv
        } else {
            Maker::Unknown
        }
    }
}

/// Reads a `pyvenv.cfg`. Lines without `=` and keys that mean nothing here are passed over; of a repeated key the last
/// counts, as for Python.
pub fn parse(bytes: &[u8]) -> PyvenvCfg {
    let mut cfg = PyvenvCfg::default();
    let mut version = None;
    let mut version_info = None;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    for line in bytes.split(|byte| matches!(byte, b'\n' | b'\r')) {
        let Some(equals) = line.iter().position(|byte| *byte == b'=') else { continue };
        let raw = line[equals + 1..].trim_ascii();
        let text = || Some(String::from_utf8_lossy(raw).into_owned()).filter(|text| !text.is_empty());
        let is_true = raw.eq_ignore_ascii_case(b"true");
        match line[..equals].trim_ascii().to_ascii_lowercase().as_slice() {
            b"home" => cfg.home = path(raw),
            b"implementation" => cfg.implementation = text(),
            b"uv" => cfg.uv = text(),
            b"virtualenv" => cfg.virtualenv = text(),
            b"version" => version = text(),
            b"version_info" => version_info = text(),
            b"prompt" => cfg.prompt = text().map(|prompt| unquote(&prompt).to_owned()),
            b"relocatable" => cfg.relocatable = is_true,
            b"extends-environment" => cfg.extends = path(raw),
            b"include-system-site-packages" => cfg.include_system = is_true,
            b"command" => cfg.has_command = true,
            _ => {}
        }
    }
    cfg.version = version_info.or(version).map(|version| three_parts(&version));
    cfg
}

fn path(raw: &[u8]) -> Option<PathBuf> {
    if raw.is_empty() || raw.contains(&0) { None } else { path_from_bytes(raw) }
}

fn three_parts(version: &str) -> String {
    version.split('.').take(3).collect::<Vec<_>>().join(".")
}

/// The standard library writes the prompt as a Python literal.
fn unquote(text: &str) -> &str {
    let inner = |quote: char| text.strip_prefix(quote).and_then(|text| text.strip_suffix(quote));
    inner('\'').or_else(|| inner('"')).unwrap_or(text)
}
