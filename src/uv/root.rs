//! Which directory is the cache: uv's own order of asking, followed step by step.
//!
//! The command line first, then `UV_CACHE_DIR`, then `cache-dir` in the configuration: `UV_CONFIG_FILE` alone where it is
//! set, otherwise the project's, the user's and the system's files, none of them under `UV_NO_CONFIG`; then the platform's
//! default. A relative path is relative to the current directory wherever it was written. `UV_NO_CACHE` does not count:
//! with it uv uses a directory that is gone afterwards.
//!
//! Where uv refuses to run (an empty variable, a `uv.toml` that is not TOML) there is an error here too, but only keys that
//! matter are checked, and a stronger setting is taken without looking at weaker ones. Nothing is asked of the system
//! here: whoever calls hands in the environment and the files, and resolves `HOME` when it is unset.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

mod config;
mod workspace;

use config::ConfigFile;

/// What the search may ask.
pub struct RootInputs<'a> {
    /// The directory from the command line.
    pub flag: Option<&'a Path>,
    /// Reads an environment variable.
    pub variable: &'a dyn Fn(&str) -> Option<OsString>,
    /// Reads a configuration file; `None` when there is none that can be read.
    pub read: &'a dyn Fn(&Path) -> Option<String>,
    /// Whether a directory exists.
    pub is_dir: &'a dyn Fn(&Path) -> bool,
    /// The current directory, absolute.
    pub current_dir: &'a Path,
    /// The user's home directory.
    pub home: Option<&'a Path>,
}

/// Where the cache is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// Its path, made absolute as uv does it: symlinks and `..` stay.
    pub path: PathBuf,
    /// What named it, for a person: a flag, a variable, a key in a file, or a default.
    pub found_by: String,
}

/// Why there is no answer; uv refuses to run for the same reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RootError {
    /// A setting is there but empty.
    #[error("{name} is empty; give it a directory or leave it out")]
    Empty {
        /// The setting.
        name: String,
    },
    /// A variable that is yes or no is something else.
    #[error("`{name}` is `{value}`, which is neither true nor false")]
    NotBoolean {
        /// The variable.
        name: String,
        /// Its value.
        value: String,
    },
    /// The file that `UV_CONFIG_FILE` names cannot be read.
    #[error("Failed to read `{}`, which `UV_CONFIG_FILE` names", path.display())]
    ConfigMissing {
        /// The file.
        path: PathBuf,
    },
    /// A configuration file is not what uv accepts.
    #[error("Failed to understand the configuration in `{}`: {reason}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong, in one line.
        reason: String,
    },
    /// The path cannot be made absolute.
    #[error("Failed to make `{}` absolute: {reason}", path.display())]
    Absolute {
        /// The path.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
}

/// Whose conventions hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    /// Linux and other Unix systems.
    Unix,
    /// macOS.
    MacOs,
    /// Windows.
    Windows,
}

impl Platform {
    /// The platform that this program was built for.
    pub const HERE: Self = if cfg!(windows) {
        Self::Windows
    } else if cfg!(target_os = "macos") {
        Self::MacOs
    } else {
        Self::Unix
    };
}

/// Finds the cache's root in uv's order. The directory need not exist.
pub fn resolve(inputs: &RootInputs<'_>) -> Result<Root, RootError> {
    resolve_on(Platform::HERE, inputs)
}

/// Finds the cache's root by the conventions of a platform.
pub fn resolve_on(platform: Platform, inputs: &RootInputs<'_>) -> Result<Root, RootError> {
    let Asked { path, found_by } = match explicit(inputs)? {
        Some(asked) => asked,
        None => configured(platform, inputs)?.unwrap_or_else(|| default(platform, inputs)),
    };
    if path.as_os_str().is_empty() {
        return Err(RootError::Empty { name: found_by });
    }
    let joined = inputs.current_dir.join(&path);
    match std::path::absolute(&joined) {
        Ok(path) => Ok(Root { path, found_by }),
        Err(error) => Err(RootError::Absolute { path: joined, reason: error.to_string() }),
    }
}

/// The files whose settings uv may obey where it is called here, whether or not they are there.
pub fn settings_files(inputs: &RootInputs<'_>) -> Vec<PathBuf> {
    let named = (inputs.variable)("UV_CONFIG_FILE").filter(|value| !value.is_empty());
    let mut files: Vec<PathBuf> = named.into_iter().map(|value| inputs.current_dir.join(value)).collect();
    for directory in inputs.current_dir.ancestors() {
        files.extend(["uv.toml", "pyproject.toml"].map(|name| directory.join(name)));
    }
    files.extend(user_files(Platform::HERE, inputs));
    files.extend(system_files(Platform::HERE, inputs));
    files
}

/// A path as it was given, and by what.
struct Asked {
    path: PathBuf,
    found_by: String,
}

fn explicit(inputs: &RootInputs<'_>) -> Result<Option<Asked>, RootError> {
    let named = |path: PathBuf, name: &str| {
        if path.as_os_str().is_empty() {
            return Err(RootError::Empty { name: name.to_owned() });
        }
        Ok(Some(Asked { path, found_by: name.to_owned() }))
    };
    match (inputs.flag, (inputs.variable)("UV_CACHE_DIR")) {
        (Some(flag), _) => named(flag.to_path_buf(), "`--cache-dir`"),
        (None, Some(value)) => named(PathBuf::from(value), "`UV_CACHE_DIR`"),
        (None, None) => Ok(None),
    }
}

fn configured(platform: Platform, inputs: &RootInputs<'_>) -> Result<Option<Asked>, RootError> {
    if let Some(value) = (inputs.variable)("UV_CONFIG_FILE") {
        if value.is_empty() {
            return Err(RootError::Empty { name: "`UV_CONFIG_FILE`".to_owned() });
        }
        let path = inputs.current_dir.join(&value);
        let Some(text) = (inputs.read)(&path) else { return Err(RootError::ConfigMissing { path }) };
        return Ok(asked(ConfigFile::uv_toml(path, &text)?));
    }
    if is_true("UV_NO_CONFIG", inputs)? {
        return Ok(None);
    }
    if let Some(found) = config::of_project(&workspace::start(inputs), inputs)?.and_then(asked) {
        return Ok(Some(found));
    }
    for candidates in [user_files(platform, inputs), system_files(platform, inputs)] {
        // Of several places for one scope only the first file that exists counts, with or without the key.
        let first = candidates.into_iter().find_map(|path| (inputs.read)(&path).map(|text| (path, text)));
        let Some((path, text)) = first else { continue };
        if let Some(found) = asked(ConfigFile::uv_toml(path, &text)?) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn asked(file: ConfigFile) -> Option<Asked> {
    let found_by = format!("`cache-dir` in `{}`", file.path.display());
    file.cache_dir.map(|path| Asked { path, found_by })
}

fn is_true(name: &str, inputs: &RootInputs<'_>) -> Result<bool, RootError> {
    let Some(value) = (inputs.variable)(name) else { return Ok(false) };
    let text = value.to_string_lossy();
    match text.to_ascii_lowercase().as_str() {
        "y" | "yes" | "t" | "true" | "on" | "1" => Ok(true),
        "n" | "no" | "f" | "false" | "off" | "0" => Ok(false),
        _ => Err(RootError::NotBoolean { name: name.to_owned(), value: text.into_owned() }),
    }
}

/// The value of a variable that the XDG convention asks to be an absolute path.
fn absolute_variable(name: &str, inputs: &RootInputs<'_>) -> Option<PathBuf> {
    (inputs.variable)(name).map(PathBuf::from).filter(|path| path.is_absolute())
}

/// The value of a Windows variable that names a directory.
fn filled_variable(name: &str, inputs: &RootInputs<'_>) -> Option<PathBuf> {
    (inputs.variable)(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn user_files(platform: Platform, inputs: &RootInputs<'_>) -> Vec<PathBuf> {
    let home = |rest: &str| inputs.home.map(|home| home.join(rest));
    let directory = match platform {
        Platform::Windows => filled_variable("APPDATA", inputs).or_else(|| home("AppData\\Roaming")),
        Platform::Unix | Platform::MacOs => {
            absolute_variable("XDG_CONFIG_HOME", inputs).or_else(|| home(".config"))
        }
    };
    directory.into_iter().map(|directory| directory.join("uv").join("uv.toml")).collect()
}

fn system_files(platform: Platform, inputs: &RootInputs<'_>) -> Vec<PathBuf> {
    if platform == Platform::Windows {
        let drive = || {
            let mut directory = filled_variable("SYSTEMDRIVE", inputs)?.into_os_string();
            directory.push("\\ProgramData");
            Some(PathBuf::from(directory))
        };
        let directory = filled_variable("PROGRAMDATA", inputs).or_else(drive);
        return directory.into_iter().map(|directory| directory.join("uv").join("uv.toml")).collect();
    }
    let listed = (inputs.variable)("XDG_CONFIG_DIRS").unwrap_or_default();
    let listed = if listed.is_empty() { OsString::from("/etc/xdg") } else { listed };
    let directories = std::env::split_paths(&listed).filter(|directory| !directory.as_os_str().is_empty());
    let files = directories.map(|directory| directory.join("uv").join("uv.toml"));
    files.chain([PathBuf::from("/etc/uv/uv.toml")]).collect()
}

fn default(platform: Platform, inputs: &RootInputs<'_>) -> Asked {
    let by = |path: PathBuf, found_by: &str| Asked { path, found_by: found_by.to_owned() };
    if platform == Platform::Windows {
        let local = filled_variable("LOCALAPPDATA", inputs)
            .or_else(|| Some(inputs.home?.join("AppData").join("Local")));
        if let Some(local) = local {
            return by(local.join("uv").join("cache"), "the default in `LOCALAPPDATA`");
        }
    }
    let legacy = inputs.home.map(|home| home.join("Library").join("Caches").join("uv"));
    if let Some(legacy) = legacy.filter(|legacy| platform == Platform::MacOs && (inputs.is_dir)(legacy)) {
        return by(legacy, "the default, as older releases placed it");
    }
    if let Some(cache) = absolute_variable("XDG_CACHE_HOME", inputs) {
        return by(cache.join("uv"), "the default in `XDG_CACHE_HOME`");
    }
    match inputs.home {
        Some(home) => by(home.join(".cache").join("uv"), "the default"),
        None => by(PathBuf::from(".uv_cache"), "the default without a home directory"),
    }
}
