//! Caches and environments made by hand, as uv lays them out: small, made in a moment, and with nothing in them that the
//! test did not put there.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use cachetui::control::{Cancel, Progress};
use cachetui::scan::{self, Live, discover};
use cachetui::snapshot::{Mode, Snapshot};
use cachetui::uv::root::Root;
use data_encoding::BASE64URL_NOPAD;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

/// Where the distributions of an environment lie in it.
pub(crate) const SITE: &str = "lib/python3.11/site-packages";

/// A directory of its own, in memory where there is such a place: what is made here is small, and made thousands of times.
pub(crate) fn directory() -> TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.or_else(|_| tempfile::tempdir()).unwrap()
}

/// An unpacked wheel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unpacked {
    pub(crate) id: String,
    /// The name, without any character that would be normalized.
    pub(crate) name: String,
    pub(crate) version: String,
    /// What it has besides its `.dist-info`: paths and content.
    pub(crate) files: BTreeMap<String, Vec<u8>>,
}

impl Unpacked {
    /// One with two modules, of which one lies deeper.
    pub(crate) fn new(id: &str, name: &str, version: &str) -> Self {
        let files = ["core.py", "inner/more.py"].map(|file| {
            (format!("{name}/{file}"), format!("FILE = '{file} of {name} {version} {id}'\n").into_bytes())
        });
        Self { id: id.to_owned(), name: name.to_owned(), version: version.to_owned(), files: files.into() }
    }

    /// Its `.dist-info`.
    pub(crate) fn info(&self) -> String {
        format!("{}-{}.dist-info", self.name, self.version)
    }

    /// All that uv links into an environment: everything but `RECORD`.
    pub(crate) fn linked(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = self.files.clone();
        let metadata = format!("Metadata-Version: 2.1\nName: {}\nVersion: {}\n", self.name, self.version);
        files.insert(format!("{}/METADATA", self.info()), metadata.into_bytes());
        let wheel = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n";
        files.insert(format!("{}/WHEEL", self.info()), wheel.as_bytes().to_vec());
        files
    }

    fn record(&self) -> String {
        let mut record = String::new();
        for (path, content) in self.linked() {
            let digest = BASE64URL_NOPAD.encode(&Sha256::digest(&content));
            writeln!(record, "{path},sha256={digest},{}", content.len()).unwrap();
        }
        writeln!(record, "{}/RECORD,,", self.info()).unwrap();
        record
    }

    /// The permission bits of one of its files: `run.sh` may be run.
    pub(crate) fn bits(path: &str) -> u32 {
        if path.ends_with("run.sh") { 0o755 } else { 0o644 }
    }
}

/// How a pointer leads to its entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Form {
    /// A symlink as uv makes it since 0.11.17.
    Relative,
    /// A symlink as uv made it before.
    Absolute,
    /// A file as on Windows.
    LinkFile,
    /// A file of a wheel from an index.
    Http,
    /// A file of a wheel from a directory.
    Rev,
    /// A symlink beside a source distribution.
    Built,
}

impl Form {
    pub(crate) const ALL: [Self; 6] =
        [Self::Relative, Self::Absolute, Self::LinkFile, Self::Http, Self::Rev, Self::Built];
}

/// Writes a file and the directories above it.
pub(crate) fn put(path: &Path, content: &[u8], bits: u32) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
    if bits != 0o644 {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(bits)).unwrap();
    }
}

/// An archive inside a pointer file, as the release writes it that has this version of the bucket.
fn archive(bucket: u32, unpacked: &Unpacked) -> Vec<u8> {
    #[derive(Serialize)]
    struct Named<'a> {
        id: &'a str,
        hashes: Vec<(&'a str, &'a str)>,
        filename: &'a str,
        version: u8,
        size: Option<u64>,
    }
    let id = unpacked.id.as_str();
    let filename = format!("{}-{}-py3-none-any.whl", unpacked.name, unpacked.version);
    let no_hashes: Vec<(&str, &str)> = Vec::new();
    let packed = match bucket {
        7.. => rmp_serde::to_vec(&(id, no_hashes, filename, 0, 5)),
        6 => rmp_serde::to_vec_named(&Named {
            id,
            hashes: no_hashes,
            filename: &filename,
            version: 0,
            size: None,
        }),
        _ => rmp_serde::to_vec(&(id, no_hashes, filename, 0)),
    };
    packed.unwrap()
}

/// A cache, and beside it a directory `code` with environments.
#[derive(Debug)]
pub(crate) struct Made {
    base: PathBuf,
    cache: PathBuf,
}

impl Made {
    /// An empty one in a directory that is made.
    pub(crate) fn new(base: &Path) -> Self {
        std::fs::create_dir_all(base).unwrap();
        let base = base.canonicalize().unwrap();
        let cache = base.join("cache");
        put(&cache.join(".lock"), b"", 0o666);
        put(&cache.join("CACHEDIR.TAG"), b"Signature: 8a477f597d28d172789f06886806bc55", 0o644);
        for bucket in ["archive-v0", "wheels-v7"] {
            std::fs::create_dir_all(cache.join(bucket)).unwrap();
        }
        std::fs::create_dir_all(base.join("code")).unwrap();
        Self { base, cache }
    }

    /// The directory with everything in it.
    pub(crate) fn base(&self) -> &Path {
        &self.base
    }

    /// The cache's root.
    pub(crate) fn cache(&self) -> &Path {
        &self.cache
    }

    /// Gives the cache another name.
    pub(crate) fn move_cache(&mut self, name: &str) {
        let new = self.base.join(name);
        std::fs::rename(&self.cache, &new).unwrap();
        self.cache = new;
    }

    /// The directory that is searched for environments.
    pub(crate) fn code(&self) -> PathBuf {
        self.base.join("code")
    }

    /// The root of an environment.
    pub(crate) fn environment(&self, name: &str) -> PathBuf {
        self.code().join(name).join(".venv")
    }

    /// An entry.
    pub(crate) fn entry(&self, id: &str) -> PathBuf {
        self.cache.join("archive-v0").join(id)
    }

    /// Unpacks a wheel into an entry.
    pub(crate) fn unpack(&self, unpacked: &Unpacked) {
        let entry = self.entry(&unpacked.id);
        for (path, content) in unpacked.linked() {
            put(&entry.join(&path), &content, Unpacked::bits(&path));
        }
        put(&entry.join(unpacked.info()).join("RECORD"), unpacked.record().as_bytes(), 0o644);
    }

    /// Makes a pointer to an entry in a bucket of this version; answers with its path relative to the cache's root.
    pub(crate) fn point(&self, form: Form, bucket: u32, unpacked: &Unpacked) -> PathBuf {
        let (name, key) = (&unpacked.name, format!("{}-py3-none-any", unpacked.version));
        let of_index = format!("wheels-v{bucket}/index/c4b871378a779d5b/{name}/{key}");
        let relative = match form {
            Form::Relative | Form::Absolute | Form::LinkFile => of_index,
            Form::Http => format!("wheels-v{bucket}/pypi/{name}/{key}.http"),
            Form::Rev => format!("{of_index}.rev"),
            Form::Built => format!(
                "sdists-v{}/pypi/{name}/{}/Xe39dW4vJcWBBoKa/{name}-{key}",
                bucket + 3,
                unpacked.version
            ),
        };
        let path = self.cache.join(&relative);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        if path.symlink_metadata().is_ok() {
            std::fs::remove_file(&path).unwrap();
        }
        let ups = relative.matches('/').count();
        let inside = format!("archive-v0/{}", unpacked.id);
        match form {
            Form::Relative | Form::Built => symlink("../".repeat(ups) + &inside, &path).unwrap(),
            Form::Absolute => symlink(self.cache.join(inside), &path).unwrap(),
            Form::LinkFile => put(&path, inside.as_bytes(), 0o644),
            Form::Http => {
                let mut bytes = archive(bucket, unpacked);
                bytes.extend_from_slice(b"\0\0policy\0\0\0\0\0\0\0\0");
                put(&path, &bytes, 0o644);
            }
            Form::Rev => {
                let stamp = rmp_serde::to_vec(&(1_795_233_365_u32, 590_436_724_u32)).unwrap();
                put(&path, &[b"\x92".to_vec(), stamp, archive(bucket, unpacked)].concat(), 0o644);
            }
        }
        PathBuf::from(relative)
    }

    /// Makes an environment without anything in it.
    pub(crate) fn venv(&self, name: &str) -> PathBuf {
        let root = self.environment(name);
        put(&root.join("pyvenv.cfg"), b"home = /usr/bin\nuv = 0.13.8\nversion_info = 3.11.7\n", 0o644);
        std::fs::create_dir_all(root.join(SITE)).unwrap();
        root
    }

    /// Installs an entry into an environment, as uv does.
    pub(crate) fn install(&self, name: &str, unpacked: &Unpacked, mode: Mode) {
        let (root, entry) = (self.environment(name), self.entry(&unpacked.id));
        for (path, content) in unpacked.linked() {
            let (from, to) = (entry.join(&path), root.join(SITE).join(&path));
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            match mode {
                Mode::Hardlink => std::fs::hard_link(from, to).unwrap(),
                Mode::Symlink => symlink(from, to).unwrap(),
                Mode::Copy | Mode::Clone => put(&to, &content, Unpacked::bits(&path)),
            }
        }
        let info = root.join(SITE).join(unpacked.info());
        put(&info.join("INSTALLER"), b"uv", 0o644);
        let record = format!(
            "{}{}/INSTALLER,sha256=5hhM4Q4mYTT9z6QB6PGpUAW81PGNFrYrdXMj4oM_6ak,2\n",
            unpacked.record(),
            unpacked.info()
        );
        put(&info.join("RECORD"), record.as_bytes(), 0o644);
    }

    /// What a scan finds that takes place some days from now, when everything is old that was made a moment ago.
    pub(crate) fn scan(&self) -> Snapshot {
        let request = self.request(vec![discover::named(self.code())]);
        scan::scan(&request, &Live::default(), &Cancel::default(), &Progress::default()).unwrap()
    }

    /// What a scan is asked for that finds everything here.
    pub(crate) fn scanning(&self) -> scan::Request {
        self.request(vec![discover::named(self.code())])
    }

    /// Reads environments by themselves, where that can be done.
    pub(crate) fn outline(&self, roots: &[PathBuf]) -> Option<Snapshot> {
        let request = self.request(roots.iter().cloned().map(discover::environment).collect());
        scan::outline::outline(&request, &Cancel::default(), &Progress::default())
    }

    fn request(&self, places: Vec<discover::Place>) -> scan::Request {
        scan::Request {
            cache: Root { path: self.cache.clone(), found_by: "--cache-dir".to_owned() },
            absent: scan::Absent::Empty,
            places,
            targets: Vec::new(),
            remembered: Vec::new(),
            problems: Vec::new(),
            symlinks: false,
            sources: Vec::new(),
            wanted: Vec::new(),
            cross_mounts: false,
            options: Vec::new(),
            threads: 1,
            started: later(),
            clock: std::time::Instant::now,
        }
    }
}

/// A time some days from now.
pub(crate) fn later() -> jiff::Timestamp {
    jiff::Timestamp::from_second(jiff::Timestamp::now().as_second() + 10 * 86_400).unwrap()
}
