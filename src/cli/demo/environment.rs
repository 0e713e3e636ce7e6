//! Environments as uv 0.13.8 makes and fills them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::Error;
use super::cache::{self, CACHEDIR_TAG};
use super::content;
use super::ground::Ground;
use super::manifest::{Environment, Kind};
use super::wheel::{Row, Unpacked};
use crate::disk::Time;
use crate::snapshot::Mode;
use crate::uv::record::{Base, Scheme, data_target};

/// An environment in the making.
struct Installation<'a, 'g> {
    plan: &'a Environment,
    /// Its root.
    path: PathBuf,
    /// Its site-packages, relative to its root.
    site: PathBuf,
    /// How far its root lies above site-packages, as `RECORD` spells it.
    up: &'static str,
    /// The name of its interpreter's directory, as `python3.12`.
    python: String,
    installed: Time,
    ground: &'a mut Ground<'g>,
}

const BIN: &str = if cfg!(windows) { "Scripts" } else { "bin" };

/// Makes the interpreter that living environments lead to: a program that says what it is.
pub(super) fn interpreter(version: &str, ground: &mut Ground<'_>) -> Result<(), Error> {
    let path = interpreter_path(version, ground);
    let text = "#!/bin/sh\necho 'This is a part of the sample cache of cachetui, not Python.' >&2\nexit 1\n";
    ground.write(&path, text.as_bytes(), 0o755, ground.ago(200.0))
}

fn interpreter_path(version: &str, ground: &Ground<'_>) -> PathBuf {
    let (system, machine) = (std::env::consts::OS, std::env::consts::ARCH);
    let library = if cfg!(target_os = "linux") { "gnu" } else { "none" };
    let directory = format!("cpython-{version}-{system}-{machine}-{library}");
    let program =
        if cfg!(windows) { "python.exe".to_owned() } else { format!("bin/python{}", minor(version)) };
    ground.home().join(".local/share/uv/python").join(directory).join(program)
}

fn minor(version: &str) -> &str {
    version.rsplit_once('.').map_or(version, |(minor, _)| minor)
}

/// Makes an environment and installs its packages, found among `wheels`.
pub(super) fn install(
    plan: &Environment,
    version: &str,
    wheels: &[Unpacked<'_>],
    ground: &mut Ground<'_>,
) -> Result<(), Error> {
    let version = plan.interpreter.as_deref().unwrap_or(version);
    let interpreter = interpreter_path(version, ground);
    let python = format!("python{}", minor(version));
    let site = if cfg!(windows) {
        PathBuf::from("Lib/site-packages")
    } else {
        PathBuf::from(format!("lib/{python}/site-packages"))
    };
    let (installed, path) = (ground.ago(plan.days), root(plan, ground));
    let up = if cfg!(windows) { "../../" } else { "../../../" };
    let mut installation = Installation { plan, path, site, up, python, installed, ground };
    installation.skeleton(version, &interpreter)?;
    for package in &plan.packages {
        let wheel = wheels
            .iter()
            .find(|it| package.split_once("==") == Some((&it.wheel.name, &it.wheel.version)))
            .expect("the manifest names only wheels it has; a test checks it");
        installation.package(wheel)?;
    }
    installation.surroundings(version, &interpreter)
}

fn root(plan: &Environment, ground: &Ground<'_>) -> PathBuf {
    match plan.kind {
        Kind::Project | Kind::Tool => ground.root().join(&plan.path),
        Kind::Command => ground.cache().join("archive-v0").join(content::id(&plan.path)),
        Kind::Script => {
            let name = format!("{}-{}", plan.path, content::hex16(&plan.path));
            ground.cache().join("environments-v2").join(name)
        }
    }
}

impl Installation<'_, '_> {
    fn write(&mut self, name: &str, text: &str, mode_bits: u32) -> Result<(), Error> {
        self.ground.write(&self.path.join(name), text.as_bytes(), mode_bits, self.installed)
    }

    /// What `uv venv` makes.
    fn skeleton(&mut self, version: &str, interpreter: &Path) -> Result<(), Error> {
        let home = interpreter.parent().unwrap_or(interpreter).display();
        let relocatable = if self.plan.kind == Kind::Command { "relocatable = true\n" } else { "" };
        let settings = format!(
            "home = {home}\nimplementation = CPython\nuv = 0.13.8\nversion_info = {version}\n\
             include-system-site-packages = false\n{relocatable}"
        );
        self.write("pyvenv.cfg", &settings, 0o644)?;
        self.write(".gitignore", "*", 0o644)?;
        self.write("CACHEDIR.TAG", &String::from_utf8_lossy(CACHEDIR_TAG), 0o644)?;
        self.write(".lock", "", 0o666)?;
        let shown = self.path.display().to_string();
        let activate = format!("export VIRTUAL_ENV='{shown}'\nexport PATH=\"$VIRTUAL_ENV/{BIN}:$PATH\"\n");
        self.write(&format!("{BIN}/activate"), &activate, 0o644)?;
        if cfg!(windows) {
            // A program of a few bytes is as dead as a link: nobody can start it, and only its presence counts.
            return self.write("Scripts/python.exe", "", 0o755);
        }
        let bin = self.path.join(BIN);
        self.ground.symlink(interpreter, &bin.join("python"), self.installed)?;
        for name in ["python3", &self.python] {
            self.ground.symlink(Path::new("python"), &bin.join(name), self.installed)?;
        }
        self.ground.directory(&self.path.join(&self.site))?;
        if cfg!(target_os = "linux") {
            self.ground.symlink(Path::new("lib"), &self.path.join("lib64"), self.installed)?;
        }
        Ok(())
    }

    /// What `uv pip install` makes of one wheel.
    fn package(&mut self, wheel: &Unpacked<'_>) -> Result<(), Error> {
        let distribution = wheel.distribution();
        let site = self.path.join(&self.site);
        let mut record = BTreeSet::new();
        for row in &wheel.rows {
            let scheme = Scheme { scripts: BIN, python: &self.python };
            let Some(target) = data_target(&row.path, &scheme, &distribution) else { continue };
            let (to, recorded) = match target.base {
                Base::SitePackages => (site.join(&target.path), row.path.clone()),
                Base::Root => (self.path.join(&target.path), format!("{}{}", self.up, target.path.display())),
            };
            record.insert(row.at(recorded).line());
            if self.plan.edited.contains(&row.path) {
                let text = content::module(&row.path) + "\n\nDEBUG = True  # edited here\n";
                let edited = Time(self.installed.0 + (self.ground.ago(0.0).0 - self.installed.0) / 2);
                self.ground.write(&to, text.as_bytes(), 0o644, edited)?;
            } else {
                let from = wheel.entry.join(&row.path);
                self.ground.link(&from, &to, Mode::from(self.plan.mode), self.installed)?;
            }
        }
        for name in &wheel.wheel.programs {
            let python = self.path.join(BIN).join("python");
            let text = format!(
                "#!{}\nimport sys\nfrom {distribution}.cli import main\n\nsys.exit(main())\n",
                python.display()
            );
            self.write(&format!("{BIN}/{name}"), &text, 0o755)?;
            record.insert(Row::new(format!("{}{BIN}/{name}", self.up), text.as_bytes()).line());
        }
        self.own_files(wheel, record)
    }

    /// The files of a `.dist-info` that uv writes anew in each environment, `RECORD` last.
    fn own_files(&mut self, wheel: &Unpacked<'_>, mut record: BTreeSet<String>) -> Result<(), Error> {
        let mut own = vec![("INSTALLER", "uv".to_owned()), ("REQUESTED", String::new())];
        own.extend(wheel.direct_url(self.ground.root()).map(|url| ("direct_url.json", url.to_string())));
        if wheel.is_local() {
            let time = self.ground.ago(wheel.wheel.days + 1.0).0;
            let (seconds, nanoseconds) = (time.div_euclid(1_000_000_000), time.rem_euclid(1_000_000_000));
            let stamp = json!({ "secs_since_epoch": seconds, "nanos_since_epoch": nanoseconds });
            let text =
                json!({ "timestamp": stamp, "commit": null, "tags": null, "env": {}, "directories": {} });
            own.push(("uv_cache.json", text.to_string()));
        }
        if wheel.is_built() {
            own.push(("uv_build.json", "{}".to_owned()));
        }
        let directory = self.site.join(&wheel.dist_info);
        for (name, text) in own {
            let path = format!("{}/{name}", wheel.dist_info);
            record.insert(Row::new(path, text.as_bytes()).line());
            self.ground.write(
                &self.path.join(&directory).join(name),
                text.as_bytes(),
                0o644,
                self.installed,
            )?;
        }
        record.insert(format!("{}/RECORD,,", wheel.dist_info));
        let text = content::lines(record);
        self.ground.write(&self.path.join(&directory).join("RECORD"), text.as_bytes(), 0o644, self.installed)
    }

    /// What makes the environment what it is: its project, its receipt, or what leads to it in the cache.
    fn surroundings(&mut self, version: &str, interpreter: &Path) -> Result<(), Error> {
        match self.plan.kind {
            Kind::Project => self.project(version, interpreter),
            Kind::Tool => self.receipt(),
            Kind::Command => {
                self.ground.refresh_at_end(self.path.join("CACHEDIR.TAG"));
                let directory = format!("environments-v2/{}", content::hex16(&self.python));
                let name = content::hex16(&self.plan.path);
                let lock = self.ground.cache().join(&directory).join(format!("{name}.lock"));
                self.ground.write(&lock, b"", 0o666, self.installed)?;
                cache::link(&directory, &name, &content::id(&self.plan.path), self.installed, self.ground)
            }
            Kind::Script => Ok(()),
        }
    }

    fn project(&mut self, version: &str, interpreter: &Path) -> Result<(), Error> {
        let Some(project) = self.path.parent().map(Path::to_owned) else { return Ok(()) };
        let name = project.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let packages = content::lines(self.plan.packages.iter().map(|it| format!("    \"{it}\",")));
        let text = format!(
            "[project]\nname = \"{name}\"\nversion = \"0.1.0\"\nrequires-python = \">={}\"\ndependencies = [\n{packages}]\n",
            minor(version)
        );
        self.ground.write(&project.join("pyproject.toml"), text.as_bytes(), 0o644, self.installed)?;
        if project.starts_with(self.ground.home()) {
            let path = self.path.clone();
            cache::interpreter_record(&path, interpreter, version, self.installed, self.ground)?;
        }
        Ok(())
    }

    fn receipt(&mut self) -> Result<(), Error> {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = format!("[tool]\nrequirements = [{{ name = \"{name}\" }}]\n");
        self.write("uv-receipt.toml", &text, 0o644)
    }
}
