//! A cache filled by uv from every kind of source, and environments in every link mode.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::index::Index;
use crate::support::uv::{Sandbox, ran};
use crate::support::wheel::{self, Wheel};

/// The link modes uv has.
pub(super) const MODES: [&str; 4] = ["clone", "hardlink", "symlink", "copy"];

/// An environment the tests know of.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) path: PathBuf,
    /// The word for what it is for.
    pub(super) kind: &'static str,
    /// The link mode uv was told to use; none where it chose itself.
    pub(super) mode: Option<&'static str>,
}

/// A cache and its environments.
pub(super) struct Lab {
    pub(super) sandbox: Sandbox,
    pub(super) index: Index,
    /// Every environment that cachetui should find.
    pub(super) known: Vec<Known>,
}

/// Where each package of the lab comes from, as `list --json` should say, and whether uv built it.
pub(super) const SOURCES: [(&str, &str, bool); 14] = [
    ("demo-a", "find-links", false),
    ("demo-data", "find-links", false),
    ("demo-ns-b", "find-links", false),
    ("demo-ns-c", "find-links", false),
    ("demo-odd", "find-links", false),
    ("demo-index", "index", false),
    ("demo-url", "url", false),
    ("demo-path", "path", false),
    ("demo-sdist", "path", true),
    ("demo-sdist-index", "index", true),
    ("demo-sdist-url", "url", true),
    ("demo-dir", "path", true),
    ("demo-edit", "editable", true),
    ("demo-git", "git", true),
];

impl Lab {
    /// A lab in an existing directory, without any environment.
    pub(super) fn new(base: &Path, preview: &'static str) -> Option<Self> {
        let mut sandbox = Sandbox::new(base)?;
        sandbox.preview = preview;
        write_sources(&sandbox);
        let index = Index::serve(&sandbox.path("served"));
        Some(Self { sandbox, index, known: Vec::new() })
    }

    fn url(&self, relative: &str) -> String {
        format!("file://{}", self.sandbox.path(relative).display())
    }

    /// What installs one distribution from every kind of source.
    pub(super) fn everything(&self) -> Vec<String> {
        let mut arguments = self.places();
        arguments.extend(
            [
                "demo-a==1.0",
                "demo-data",
                "demo-ns-b",
                "demo-ns-c",
                "demo-odd",
                "demo-index",
                "demo-sdist-index",
            ]
            .map(String::from),
        );
        arguments.push(format!("demo-url @ {}", self.index.file("demo_url-1.0-py3-none-any.whl")));
        arguments.push(format!("demo-path @ {}", self.url("paths/demo_path-1.0-py3-none-any.whl")));
        arguments.push(format!("demo-sdist @ {}", self.url("paths/demo_sdist-1.0.tar.gz")));
        arguments.push(format!("demo-sdist-url @ {}", self.index.file("demo_sdist_url-1.0.tar.gz")));
        arguments.push(format!("demo-git @ git+{}", self.url("git")));
        arguments.push(format!("demo-dir @ {}", self.url("directory")));
        arguments.push("--editable".to_owned());
        arguments.push(self.sandbox.path("editable").display().to_string());
        arguments
    }

    /// Where packages are looked for.
    pub(super) fn places(&self) -> Vec<String> {
        let links = self.sandbox.path("links").display().to_string();
        vec!["--default-index".to_owned(), self.index.simple(), "--find-links".to_owned(), links]
    }

    /// Makes an environment below the roots, which cachetui should find.
    pub(super) fn install(&mut self, name: &str, mode: &'static str, arguments: &[String]) -> PathBuf {
        let path = self.hidden(name, mode, arguments);
        self.known.push(Known { path: path.clone(), kind: "project", mode: Some(mode) });
        path
    }

    /// Makes an environment below the roots that is not known, because the test will do something to it.
    pub(super) fn hidden(&self, name: &str, mode: &str, arguments: &[String]) -> PathBuf {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        self.sandbox.install(name, mode, &arguments)
    }

    /// Arguments that install some packages from the directory of wheels.
    pub(super) fn packages(&self, packages: &[&str]) -> Vec<String> {
        self.places().into_iter().chain(packages.iter().map(ToString::to_string)).collect()
    }

    /// Installs a tool, runs another without installing it, runs a script, and makes a project with a central environment.
    pub(super) fn commands(&mut self) {
        let places = self.places();
        let places: Vec<&str> = places.iter().map(String::as_str).collect();
        let run = |before: &[&str], after: &[&str]| {
            self.sandbox.run_uv(&[before, &places, after].concat());
        };
        run(&["tool", "install", "--quiet", "--link-mode", "hardlink"], &["demo-a==1.0"]);
        run(&["tool", "run", "--quiet", "--from", "demo-a==2.0"], &["demo-a"]);
        let script = self.sandbox.path("home/script.py");
        let text =
            "# /// script\n# dependencies = [\"demo-odd\"]\n# ///\nimport demo_odd\nprint(demo_odd.NAME)\n";
        std::fs::write(&script, text).unwrap();
        run(&["run", "--quiet"], &["--script", script.to_str().unwrap()]);
        let project = self.sandbox.roots().join("central");
        std::fs::create_dir(&project).unwrap();
        let text = "[project]\nname = \"central\"\nversion = \"1\"\nrequires-python = \">=3.8\"\ndependencies = [\"demo-a==2.0\"]\n";
        std::fs::write(project.join("pyproject.toml"), text).unwrap();
        let mut sync =
            self.sandbox.uv(&[&["sync", "--quiet", "--link-mode", "symlink"], &places[..]].concat());
        let features: Vec<&str> = ["centralized-project-envs", self.sandbox.preview]
            .into_iter()
            .filter(|it| !it.is_empty())
            .collect();
        sync.env("UV_PREVIEW_FEATURES", features.join(","));
        ran(sync.current_dir(&project));
        let inside = |pattern: &str, inside: &str| {
            let mut found = Vec::new();
            for item in std::fs::read_dir(self.sandbox.cache().join(pattern)).unwrap().map(Result::unwrap) {
                let name = item.file_name().into_string().unwrap();
                if name.starts_with(inside) && item.path().join("pyvenv.cfg").is_file() {
                    found.push(item.path());
                }
            }
            assert_eq!(found.len(), 1, "one environment in `{pattern}` begins with `{inside}`");
            found.remove(0)
        };
        let tool = self.sandbox.path("home/data/uv/tools/demo-a");
        self.known.push(Known { path: tool, kind: "tool", mode: Some("hardlink") });
        let script = inside("environments-v2", "script-");
        self.known.push(Known { path: script, kind: "script", mode: None });
        let central = inside("environments-v2", "central-");
        self.known.push(Known { path: central, kind: "central", mode: Some("symlink") });
        self.known.push(Known { path: inside("archive-v0", ""), kind: "cached", mode: None });
    }
}

fn write_sources(sandbox: &Sandbox) {
    let links = sandbox.path("links");
    for version in ["1.0", "2.0"] {
        Wheel::new("demo-a", version)
            .entry_point()
            .program("demo_a/run.sh", "#!/bin/sh\necho run\n")
            .file("demo_a/py.typed", "")
            .file("demo_a/_empty.py", "")
            .bulk("demo_a/bulk.bin", 300)
            .save(&links);
    }
    Wheel::new("demo-data", "1.0")
        .data("scripts/demo-say", "#!python\nprint('say')\n", 0o755)
        .data("scripts/demo-run", "#!/bin/sh\necho run\n", 0o755)
        .data("scripts/demo-plain", "#!/bin/sh\necho plain\n", 0o644)
        .data("data/share/demo/data.txt", "data\n", 0o644)
        .data("headers/demo.h", "#define DEMO 1\n", 0o644)
        .data("purelib/demo_pure.py", "PURE = True\n", 0o644)
        .data("platlib/demo_plat.py", "PLAT = True\n", 0o644)
        .bulk("demo_data/bulk.bin", 20)
        .save(&links);
    for (name, path) in [("demo-ns-b", "demo_ns/b"), ("demo-ns-c", "demo_ns/c")] {
        Wheel::empty(name, "1.0")
            .file(&format!("{path}/__init__.py"), format!("NAME = {name:?}\n"))
            .bulk(&format!("{path}/bulk.bin"), 8)
            .file("demo_ns/py.typed", "partial\n")
            // Both have it, and the last one wins.
            .file("demo_ns/contended.py", format!("OWNER = {name:?}\n").repeat(100))
            .save(&links);
    }
    Wheel::new("demo-odd", "1.0.post1+local.2")
        .file("demo_odd/größe.txt", "größe\n".repeat(1000))
        .file("demo_odd/a,\"b\".txt", "comma and quote\n".repeat(1000))
        .file("demo_odd/py.typed", "")
        .file("demo_odd.pth", "import sys\n")
        .save(&links);
    for name in ["demo-index", "demo-url"] {
        Wheel::new(name, "1.0")
            .bulk(&format!("{}/bulk.bin", name.replace('-', "_")), 16)
            .save(&sandbox.path("served"));
    }
    Wheel::new("demo-path", "1.0").bulk("demo_path/bulk.bin", 16).save(&sandbox.path("paths"));
    wheel::sdist(&sandbox.path("paths"), "demo-sdist", "1.0");
    for name in ["demo-sdist-index", "demo-sdist-url"] {
        wheel::sdist(&sandbox.path("served"), name, "1.0");
    }
    wheel::project(&sandbox.path("directory"), "demo-dir", "1.0");
    wheel::project(&sandbox.path("editable"), "demo-edit", "1.0");
    let git = sandbox.path("git");
    wheel::project(&git, "demo-git", "1.0");
    let run = |arguments: &[&str]| {
        let identity =
            ["-c", "user.name=demo", "-c", "user.email=demo@example.org", "-c", "commit.gpgsign=false"];
        let mut command: Command = sandbox.command("git");
        ran(command.args(identity).args(arguments).current_dir(&git));
    };
    run(&["init", "--quiet", "--initial-branch", "main"]);
    run(&["add", "."]);
    run(&["commit", "--quiet", "--message", "demo"]);
}
