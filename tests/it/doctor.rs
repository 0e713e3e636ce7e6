//! `doctor` names every cause that can be made on Linux, made for real, and what is wrong with a cache.
//!
//! uv makes the caches and environments. Each test looks whether the probe left anything behind.

mod cache;
mod causes;
mod words;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::uv::Sandbox;
use crate::support::wheel::Wheel;

/// A small cache, wheels to fill it from, and whatever environments a test makes.
struct Clinic {
    sandbox: Sandbox,
    wheels: PathBuf,
}

/// What `doctor` says.
struct Told {
    doctor: Value,
    code: i32,
}

impl Clinic {
    /// A clinic in an existing directory, with one environment below the roots that uv linked as it does by default.
    fn new(base: &Path) -> Option<Self> {
        let sandbox = Sandbox::new(base)?;
        let wheels = sandbox.path("wheels");
        Wheel::new("demo-a", "1.0").entry_point().bulk("demo_a/bulk.bin", 64).save(&wheels);
        Wheel::new("demo-b", "1.0").bulk("demo_b/bulk.bin", 8).save(&wheels);
        let clinic = Self { sandbox, wheels };
        clinic.install(&clinic.sandbox.roots().join("healthy/.venv"), "clone");
        Some(clinic)
    }

    /// Makes an environment anywhere and installs into it.
    fn install(&self, path: &Path, mode: &str) {
        self.sandbox.run_uv(&["venv", "--quiet", path.to_str().unwrap()]);
        let python = path.join("bin/python");
        self.pip(&["--link-mode", mode, "--python", python.to_str().unwrap()]);
    }

    fn pip(&self, arguments: &[&str]) {
        let links = self.wheels.to_str().unwrap();
        let start = ["pip", "install", "--quiet", "--no-index", "--find-links", links, "demo-a", "demo-b"];
        self.sandbox.run_uv(&[&start[..], arguments].concat());
    }

    fn doctor(&self, arguments: &[&str]) -> Told {
        Told::by(self.sandbox.cachetui(&["doctor", "--json"]).args(arguments))
    }

    /// What `doctor` says to the user 65534; `None` where root cannot become somebody else, which has been said.
    fn doctor_to_nobody(&self, arguments: &[&str]) -> Option<Told> {
        let able = Command::new("setpriv").args(["--reuid", "65534", "--clear-groups", "true"]).status();
        if !able.is_ok_and(|status| status.success()) {
            crate::support::not_run("root cannot become somebody else here: `setpriv` does not work");
            return None;
        }
        let command = self.sandbox.cachetui(&["doctor", "--json"]);
        let mut other = self.sandbox.command("setpriv");
        other.args(["--reuid", "65534", "--clear-groups"]).arg(command.get_program());
        Some(Told::by(other.args(command.get_args()).args(arguments)))
    }

    /// A file of the entry of `demo-a`.
    fn cached_file(&self) -> PathBuf {
        let entries = std::fs::read_dir(self.sandbox.cache().join("archive-v0")).unwrap();
        let mut files = entries.map(|entry| entry.unwrap().path().join("demo_a/__init__.py"));
        files.find(|path| path.is_file()).unwrap()
    }
}

impl Told {
    fn by(command: &mut Command) -> Self {
        let output = command.output().unwrap();
        let code = output.status.code().unwrap();
        assert!(
            code == 0 || code == 3,
            "{command:?} ended with {code}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let mut answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(answer["schema_version"], 1);
        let told = Self { doctor: answer["doctor"].take(), code };
        assert_eq!(told.doctor["left"], serde_json::json!([]));
        let verdict = told.doctor["verdict"].as_str().unwrap();
        assert_eq!(verdict == "faults", code == 3, "{verdict}");
        told
    }

    fn environment(&self, path: &Path) -> &Value {
        let rows = self.doctor["environments"].as_array().unwrap();
        let path = path.canonicalize().unwrap();
        let found = rows.iter().find(|row| Path::new(row["path"].as_str().unwrap()) == path);
        found.unwrap_or_else(|| panic!("no row for {}: {rows:#?}", path.display()))
    }

    /// The cause of a kind for an environment.
    fn cause(&self, path: &Path, kind: &str) -> &Value {
        let row = self.environment(path);
        let found = row["causes"].as_array().unwrap().iter().find(|cause| cause["kind"] == kind);
        found.unwrap_or_else(|| panic!("no {kind}: {row:#}"))
    }

    fn finding(&self, kind: &str) -> &Value {
        let rows = self.doctor["cache"]["findings"].as_array().unwrap();
        rows.iter().find(|finding| finding["kind"] == kind).unwrap_or_else(|| panic!("no {kind}: {rows:#?}"))
    }

    fn faults(&self) -> Vec<&str> {
        let environments = self.doctor["environments"].as_array().unwrap().iter();
        let causes = environments.flat_map(|row| row["causes"].as_array().unwrap());
        let findings = self.doctor["cache"]["findings"].as_array().unwrap();
        let faults = causes.chain(findings).filter(|row| row["fault"] == true);
        faults.map(|row| row["kind"].as_str().unwrap()).collect()
    }
}

/// Asserts that no probe left anything in these trees.
fn assert_nothing_left(places: &[&Path]) {
    for place in places {
        for item in walkdir::WalkDir::new(place) {
            let item = item.unwrap();
            let name = item.file_name().to_string_lossy().into_owned();
            assert!(!name.contains("cachetui"), "{} is left", item.path().display());
        }
    }
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap().to_owned()
}
