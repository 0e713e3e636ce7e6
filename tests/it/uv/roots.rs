//! The cache's root, in the order of uv 0.13.8: each expectation is what `uv cache dir` answered in the same situation.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use cachetui::uv::root::{Platform, Root, RootError, RootInputs, resolve_on};

/// A machine with files and variables, and somebody asking in a directory.
struct Machine {
    files: BTreeMap<PathBuf, String>,
    variables: BTreeMap<String, OsString>,
    current_dir: PathBuf,
    flag: Option<PathBuf>,
    home: Option<PathBuf>,
    platform: Platform,
    directories: Vec<PathBuf>,
}

impl Machine {
    fn new() -> Self {
        Self {
            files: BTreeMap::new(),
            variables: BTreeMap::new(),
            current_dir: "/p".into(),
            flag: None,
            home: Some("/h".into()),
            platform: Platform::Unix,
            directories: Vec::new(),
        }
    }

    fn file(mut self, path: &str, text: &str) -> Self {
        self.files.insert(path.into(), text.to_owned());
        self
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.into());
        self
    }

    fn in_directory(mut self, path: &str) -> Self {
        self.current_dir = path.into();
        self
    }

    fn resolve(&self) -> Result<Root, RootError> {
        resolve_on(
            self.platform,
            &RootInputs {
                flag: self.flag.as_deref(),
                variable: &|name| self.variables.get(name).cloned(),
                read: &|path| self.files.get(path).cloned(),
                is_dir: &|path| self.directories.iter().any(|directory| directory == path),
                current_dir: &self.current_dir,
                home: self.home.as_deref(),
            },
        )
    }

    #[track_caller]
    fn gives(&self, path: &str) {
        assert_eq!(self.resolve().map(|root| root.path), Ok(PathBuf::from(path)));
    }
}

const USER: &str = "/h/.config/uv/uv.toml";

/// A manifest with this after its project table.
fn project(rest: &str) -> String {
    format!("[project]\nname = 'x'\nversion = '1'\n{rest}")
}

#[test]
fn the_command_line_wins_over_the_variable_over_files() {
    let mut machine =
        Machine::new().file("/p/uv.toml", "cache-dir = 'file'").variable("UV_CACHE_DIR", "/variable");
    machine.gives("/variable");
    assert_eq!(machine.resolve().unwrap().found_by, "`UV_CACHE_DIR`");
    machine.flag = Some("real/../link".into());
    machine.gives("/p/real/../link");
    assert_eq!(machine.resolve().unwrap().found_by, "`--cache-dir`");
    machine.flag = Some("".into());
    assert!(matches!(machine.resolve(), Err(RootError::Empty { .. })));
}

#[test]
fn an_empty_variable_is_an_error() {
    let empty = Machine::new().variable("UV_CACHE_DIR", "").resolve();
    assert_eq!(
        empty.unwrap_err().to_string(),
        "`UV_CACHE_DIR` is empty; give it a directory or leave it out"
    );
    assert!(Machine::new().variable("UV_CONFIG_FILE", "").resolve().is_err());
    assert!(Machine::new().variable("UV_NO_CONFIG", "").resolve().is_err());
    assert!(Machine::new().variable("UV_NO_CONFIG", "maybe").resolve().is_err());
    assert!(Machine::new().file("/p/uv.toml", "cache-dir = ''").resolve().is_err());
}

#[test]
fn a_tilde_is_an_ordinary_name() {
    Machine::new().variable("UV_CACHE_DIR", "~/x").gives("/p/~/x");
}

#[test]
fn project_files_win_over_user_over_system() {
    let machine = Machine::new().file("/etc/uv/uv.toml", "cache-dir = '/system'");
    machine.gives("/system");
    let machine = machine.file("/etc/xdg/uv/uv.toml", "cache-dir = '/xdg'");
    machine.gives("/xdg");
    let machine = machine.file(USER, "offline = false");
    machine.gives("/xdg");
    let machine = machine.file(USER, "cache-dir = '/user'");
    machine.gives("/user");
    let machine = machine.file("/p/pyproject.toml", "[tool.uv]\ncache-dir = '/pyproject'");
    machine.gives("/pyproject");
    let machine = machine.file("/p/uv.toml", "cache-dir = '/uv-toml'");
    machine.gives("/uv-toml");
    assert_eq!(machine.resolve().unwrap().found_by, "`cache-dir` in `/p/uv.toml`");
}

#[test]
fn a_relative_directory_is_relative_to_the_current_one() {
    Machine::new().file("/p/uv.toml", "cache-dir = './x'").in_directory("/p/sub/deep").gives("/p/sub/deep/x");
    Machine::new().file(USER, "cache-dir = 'x'").gives("/p/x");
    Machine::new()
        .file("/p/c.toml", "cache-dir = 'a/../b'")
        .variable("UV_CONFIG_FILE", "c.toml")
        .gives("/p/a/../b");
}

#[test]
fn the_search_upwards_ends_at_the_first_file_that_speaks_to_uv() {
    let parent = || {
        let machine = Machine::new()
            .file("/p/pyproject.toml", "[tool.uv]\ncache-dir = '/parent'")
            .file(USER, "cache-dir = '/user'");
        machine.in_directory("/p/sub")
    };
    parent().gives("/parent");
    parent().file("/p/sub/pyproject.toml", &project("")).gives("/parent");
    parent().file("/p/sub/pyproject.toml", &project("[tool.uv]\n")).gives("/user");
    parent().file("/p/sub/uv.toml", "offline = false").gives("/user");
    parent().file("/p/sub/pyproject.toml", "broken = [").gives("/parent");
    parent().file("/p/sub/pyproject.toml", &project("[tool.uv]\ncache-dir = 3")).gives("/parent");
    assert!(parent().file("/p/sub/uv.toml", "broken = [").resolve().is_err());
    assert!(parent().file("/p/sub/uv.toml", "cache-dir = 3").resolve().is_err());
}

#[test]
fn inside_a_project_the_search_starts_at_its_root() {
    let machine =
        Machine::new().file("/p/pyproject.toml", &project("")).file("/p/sub/uv.toml", "cache-dir = '/sub'");
    machine.in_directory("/p/sub/deep").gives("/h/.cache/uv");
}

#[test]
fn a_member_of_a_workspace_obeys_its_root() {
    let workspace = |table: &str| {
        let root = format!("[tool.uv]\ncache-dir = '/root'\n[tool.uv.workspace]\n{table}");
        let member = project("[tool.uv]\ncache-dir = '/member'");
        let machine =
            Machine::new().file("/p/pyproject.toml", &root).file("/p/pk/ab/pyproject.toml", &member);
        machine.in_directory("/p/pk/ab/src")
    };
    for table in [
        "members = ['pk/*']",
        "members = ['./pk/ab/']",
        "members = ['none', 'pk/a?']",
        "members = ['**/ab']",
        "members = ['pk/[a-c][!x]']",
    ] {
        workspace(table).gives("/root");
    }
    for table in [
        "",
        "members = []",
        "members = ['p*b']",
        "members = ['pk/*']\nexclude = ['pk/a?']",
        "members = ['pk/b*']",
        "members = ['pk']",
    ] {
        workspace(table).gives("/member");
    }
    let members = "members = ['pk/*']";
    workspace(members).file("/p/uv.toml", "cache-dir = '/root-uv-toml'").gives("/root-uv-toml");
    workspace(members).file("/p/pk/pyproject.toml", "[tool.black]").gives("/member");
    workspace(members).file("/p/pk/pyproject.toml", &project("")).gives("/member");
    workspace(members).file("/p/pk/pyproject.toml", "[[[").gives("/member");
    workspace(members).file("/p/pk/ab/pyproject.toml", "[tool.uv]\ncache-dir = '/member'").gives("/member");
    workspace(members)
        .file("/p/pk/ab/pyproject.toml", &project("[tool.uv]\nmanaged = false\ncache-dir = '/member'"))
        .gives("/member");
    workspace(members).file("/p/pk/ab/src/uv.toml", "cache-dir = '/src'").gives("/root");
}

#[test]
fn a_named_configuration_file_replaces_all_others() {
    let machine =
        Machine::new().file("/p/uv.toml", "cache-dir = '/project'").file(USER, "cache-dir = '/user'");
    let machine = machine.file("/p/c.toml", "cache-dir = '/named'").variable("UV_CONFIG_FILE", "c.toml");
    machine.gives("/named");
    let machine = machine.variable("UV_NO_CONFIG", "1");
    machine.gives("/named");
    let machine = machine.file("/p/c.toml", "");
    machine.gives("/h/.cache/uv");
    let error = machine.variable("UV_CONFIG_FILE", "/none.toml").resolve().unwrap_err();
    assert_eq!(error.to_string(), "Failed to read `/none.toml`, which `UV_CONFIG_FILE` names");
}

#[test]
fn no_configuration_is_read_when_told_so() {
    let machine = || Machine::new().file("/p/uv.toml", "cache-dir = '/project'").file(USER, "broken = [");
    for value in ["1", "true", "TRUE", "yes", "y", "t", "on"] {
        machine().variable("UV_NO_CONFIG", value).gives("/h/.cache/uv");
    }
    for value in ["0", "false", "no", "n", "f", "off"] {
        machine().variable("UV_NO_CONFIG", value).gives("/project");
    }
}

#[test]
fn the_default_follows_the_platform() {
    let machine = || Machine::new().variable("XDG_CONFIG_HOME", "relative");
    machine().gives("/h/.cache/uv");
    machine().file(USER, "cache-dir = '/user'").gives("/user");
    machine().variable("XDG_CACHE_HOME", "/x").gives("/x/uv");
    machine().variable("XDG_CACHE_HOME", "relative").gives("/h/.cache/uv");
    machine().variable("XDG_CACHE_HOME", "").gives("/h/.cache/uv");
    machine().variable("XDG_CONFIG_HOME", "/c").file("/c/uv/uv.toml", "cache-dir = '/user'").gives("/user");
    machine()
        .variable("XDG_CONFIG_DIRS", "/no:/s")
        .file("/s/uv/uv.toml", "cache-dir = 'sys'")
        .gives("/p/sys");
    let mut nobody = Machine::new();
    nobody.home = None;
    nobody.gives("/p/.uv_cache");

    let mut mac = Machine::new().variable("XDG_CACHE_HOME", "/x");
    mac.platform = Platform::MacOs;
    mac.gives("/x/uv");
    mac.directories.push("/h/Library/Caches/uv".into());
    mac.gives("/h/Library/Caches/uv");

    let mut windows = Machine::new().variable("LOCALAPPDATA", "/local").variable("XDG_CACHE_HOME", "/x");
    windows.platform = Platform::Windows;
    windows.gives("/local/uv/cache");
    let windows = windows.variable("APPDATA", "/roaming").variable("PROGRAMDATA", "/all");
    let windows = windows.file("/all/uv/uv.toml", "cache-dir = '/system'");
    windows.gives("/system");
    windows.file("/roaming/uv/uv.toml", "cache-dir = '/user'").gives("/user");
}

#[test]
fn the_root_is_made_absolute_without_resolving_it() {
    Machine::new().variable("UV_CACHE_DIR", "./a/./b//c/").gives("/p/a/b/c/");
    assert!(
        Machine::new()
            .variable("UV_CACHE_DIR", "x/..")
            .resolve()
            .unwrap()
            .path
            .starts_with(Path::new("/p/x/.."))
    );
}
