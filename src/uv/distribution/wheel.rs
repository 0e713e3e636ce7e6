//! Wheel file names.

/// What a wheel's file name says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WheelFilename {
    /// The distribution's name as written there, usually with underscores.
    pub name: String,
    /// Its version as written there.
    pub version: String,
    /// The build number, where there is one.
    pub build: Option<String>,
    /// The tags, each as `py3-none-any`; compressed sets are written out.
    pub tags: Vec<String>,
}

/// The most tags a compressed set is written out to; real wheels have about a dozen.
const MOST_TAGS: usize = 256;

impl WheelFilename {
    /// Reads a file name that ends in `.whl`.
    pub fn parse(file_name: &str) -> Option<Self> {
        Self::parse_stem(file_name.strip_suffix(".whl")?)
    }

    /// Reads a file name from which `.whl` has been cut, as uv names its links.
    pub fn parse_stem(stem: &str) -> Option<Self> {
        let fields: Vec<&str> = stem.split('-').collect();
        let (name, version, build, tags) = match *fields.as_slice() {
            [name, version, python, abi, platform] => (name, version, None, [python, abi, platform]),
            [name, version, build, python, abi, platform] => {
                (name, version, Some(build), [python, abi, platform])
            }
            _ => return None,
        };
        let is_plain = |text: &str| !text.is_empty() && !text.contains(['/', '\\', '\0']);
        let is_built = build.is_none_or(|build| build.starts_with(|first: char| first.is_ascii_digit()));
        if !fields.iter().all(|field| is_plain(field)) || !is_built {
            return None;
        }
        Some(Self {
            name: name.to_owned(),
            version: version.to_owned(),
            build: build.map(str::to_owned),
            tags: written_out(tags),
        })
    }
}

/// Every combination of a compressed tag set.
fn written_out([python, abi, platform]: [&str; 3]) -> Vec<String> {
    let combinations = python.split('.').flat_map(|python| {
        abi.split('.').flat_map(move |abi| {
            platform.split('.').map(move |platform| format!("{python}-{abi}-{platform}"))
        })
    });
    combinations.take(MOST_TAGS).collect()
}
