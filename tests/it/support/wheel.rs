//! Wheels and source distributions that the tests write themselves, so that a real cache can be filled offline.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest as _, Sha256};
use zip::write::SimpleFileOptions;

/// A wheel to be written.
#[derive(Clone, Debug)]
pub(crate) struct Wheel {
    name: &'static str,
    version: &'static str,
    files: Vec<(String, Vec<u8>, u32)>,
    /// Files for which `RECORD` states the digest of something else.
    wrong: Vec<String>,
    /// Lines of `RECORD` for files that it does not have.
    rows: Vec<String>,
    /// What it needs.
    requires: Vec<String>,
}

impl Wheel {
    /// A wheel with one module, which has its name.
    pub(crate) fn new(name: &'static str, version: &'static str) -> Self {
        let wheel = Self::empty(name, version);
        let module = format!("{}/__init__.py", wheel.module());
        let text =
            format!("NAME = {name:?}\nVERSION = {version:?}\n\n\ndef main():\n    print(NAME, VERSION)\n");
        wheel.file(&module, text)
    }

    /// A wheel without any module.
    pub(crate) fn empty(name: &'static str, version: &'static str) -> Self {
        Self { name, version, files: Vec::new(), wrong: Vec::new(), rows: Vec::new(), requires: Vec::new() }
    }

    fn module(&self) -> String {
        self.name.replace('-', "_")
    }

    /// Adds a file.
    pub(crate) fn file(mut self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        self.files.push((path.to_owned(), content.into(), 0o644));
        self
    }

    /// Adds a file for which `RECORD` states the digest of something else.
    pub(crate) fn wrong(mut self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        self.wrong.push(path.to_owned());
        self.file(path, content)
    }

    /// Adds a line to `RECORD`, for a file that it does not have.
    pub(crate) fn row(mut self, line: &str) -> Self {
        self.rows.push(line.to_owned());
        self
    }

    /// Adds what it needs.
    pub(crate) fn requires(mut self, dependency: &str) -> Self {
        self.requires.push(dependency.to_owned());
        self
    }

    /// Adds a file that may be executed.
    pub(crate) fn program(mut self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        self.files.push((path.to_owned(), content.into(), 0o755));
        self
    }

    /// Adds a file to a kind of the wheel's `.data` directory.
    pub(crate) fn data(self, path: &str, content: &str, mode: u32) -> Self {
        let path = format!("{}-{}.data/{path}", self.module(), self.version);
        let mut wheel = self.file(&path, content);
        wheel.files.last_mut().unwrap().2 = mode;
        wheel
    }

    /// Adds some KiB that cannot be compressed, different for each wheel and name.
    pub(crate) fn bulk(self, path: &str, kibibytes: usize) -> Self {
        let seed = format!("{} {} {path}", self.name, self.version);
        self.file(path, noise(&seed, kibibytes))
    }

    /// Adds a program that calls the module.
    pub(crate) fn entry_point(self) -> Self {
        let text = format!("[console_scripts]\n{} = {}:main\n", self.name, self.module());
        let path = format!("{}-{}.dist-info/entry_points.txt", self.module(), self.version);
        self.file(&path, text)
    }

    /// The file name the wheel has.
    pub(crate) fn file_name(&self) -> String {
        format!("{}-{}-py3-none-any.whl", self.module(), self.version)
    }

    /// Writes it into a directory.
    pub(crate) fn save(mut self, directory: &Path) -> PathBuf {
        std::fs::create_dir_all(directory).unwrap();
        let info = format!("{}-{}.dist-info", self.module(), self.version);
        let mut metadata = format!("Metadata-Version: 2.1\nName: {}\nVersion: {}\n", self.name, self.version);
        for dependency in &self.requires {
            writeln!(metadata, "Requires-Dist: {dependency}").unwrap();
        }
        self = self.file(&format!("{info}/METADATA"), metadata).file(
            &format!("{info}/WHEEL"),
            "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        );
        let mut record = String::new();
        for (path, content, _) in &self.files {
            let wrong = self.wrong.contains(path);
            let digest = BASE64URL_NOPAD.encode(&Sha256::digest(if wrong { &b"else"[..] } else { content }));
            let quoted = if path.contains([',', '"']) {
                format!("\"{}\"", path.replace('"', "\"\""))
            } else {
                path.clone()
            };
            writeln!(record, "{quoted},sha256={digest},{}", content.len()).unwrap();
        }
        for row in &self.rows {
            writeln!(record, "{row}").unwrap();
        }
        writeln!(record, "{info}/RECORD,,").unwrap();
        self = self.file(&format!("{info}/RECORD"), record);
        let path = directory.join(self.file_name());
        let mut archive = zip::ZipWriter::new(File::create(&path).unwrap());
        for (name, content, mode) in &self.files {
            let options = SimpleFileOptions::default()
                .compression_method(zip::CompressionMethod::Stored)
                .unix_permissions(*mode);
            archive.start_file(name.as_str(), options).unwrap();
            archive.write_all(content).unwrap();
        }
        archive.finish().unwrap();
        path
    }
}

/// Bytes that depend on nothing but `seed` and look random.
pub(crate) fn noise(seed: &str, kibibytes: usize) -> Vec<u8> {
    let mut state = u64::from_le_bytes(Sha256::digest(seed)[..8].try_into().unwrap()) | 1;
    let mut bytes = Vec::with_capacity(kibibytes * 1024);
    while bytes.len() < kibibytes * 1024 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes
}

const BACKEND: &str = r#"
import base64, hashlib, os, zipfile

NAME, MODULE, VERSION = "@NAME@", "@MODULE@", "@VERSION@"


def _write(directory, files):
    info = f"{MODULE}-{VERSION}.dist-info"
    files[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {NAME}\nVersion: {VERSION}\n".encode()
    files[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    rows = []
    for path, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        rows.append(f"{path},sha256={digest},{len(content)}\n")
    files[f"{info}/RECORD"] = ("".join(rows) + f"{info}/RECORD,,\n").encode()
    name = f"{MODULE}-{VERSION}-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(directory, name), "w") as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return name


def build_wheel(directory, config_settings=None, metadata_directory=None):
    with open(os.path.join(MODULE, "__init__.py"), "rb") as file:
        return _write(directory, {f"{MODULE}/__init__.py": file.read()})


def build_editable(directory, config_settings=None, metadata_directory=None):
    return _write(directory, {f"_{MODULE}_editable.pth": (os.getcwd() + "\n").encode()})
"#;

/// Writes a project that builds itself with a backend of its own, without any dependency.
pub(crate) fn project(directory: &Path, name: &str, version: &str) {
    let module = name.replace('-', "_");
    std::fs::create_dir_all(directory.join(&module)).unwrap();
    let text = format!(
        "[project]\nname = \"{name}\"\nversion = \"{version}\"\n\n[build-system]\nrequires = []\n\
         build-backend = \"backend\"\nbackend-path = [\".\"]\n"
    );
    std::fs::write(directory.join("pyproject.toml"), text).unwrap();
    let backend = BACKEND.replace("@NAME@", name).replace("@MODULE@", &module).replace("@VERSION@", version);
    std::fs::write(directory.join("backend.py"), backend).unwrap();
    std::fs::write(
        directory.join("PKG-INFO"),
        format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"),
    )
    .unwrap();
    // Larger than what btrfs stores inline, so that a reflink of it can be proven.
    let padding = "# padding\n".repeat(400);
    std::fs::write(directory.join(&module).join("__init__.py"), format!("NAME = \"{name}\"\n{padding}"))
        .unwrap();
}

/// Packs a project as a source distribution.
pub(crate) fn sdist(directory: &Path, name: &str, version: &str) -> PathBuf {
    let stem = format!("{}-{version}", name.replace('-', "_"));
    project(&directory.join(&stem), name, version);
    let path = directory.join(format!("{stem}.tar.gz"));
    super::uv::ran(Command::new("tar").arg("-czf").arg(&path).arg("-C").arg(directory).arg(&stem));
    std::fs::remove_dir_all(directory.join(&stem)).unwrap();
    path
}
