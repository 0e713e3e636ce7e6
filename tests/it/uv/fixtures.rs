//! The sample caches, read completely.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use cachetui::uv::bucket::{Bucket, looks_like_cache};
use cachetui::uv::distribution::{
    DirectUrl, WheelFilename, installer, metadata_name_version, normalize, parse_dist_info, same_version,
    wheel_tags,
};
use cachetui::uv::environment::{self, Maker};
use cachetui::uv::interpreter;
use cachetui::uv::link::archive_target;
use cachetui::uv::link_file::{self, LinkFile};
use cachetui::uv::pointer::{Payload, parse_http, parse_rev, parse_revision};
use cachetui::uv::record::{Base, Location, Scheme, data_target, rows};
use cachetui::uv::shard::{Place, key_version, place};
use sha2::{Digest as _, Sha256};

use crate::support::fixture::{ALL, Fixture};

/// A pointer of a sample and the entry it names.
struct Named {
    path: PathBuf,
    id: String,
}

fn is_revision(path: &Path) -> bool {
    path.file_stem() == Some(OsStr::new("revision"))
}

fn archive_id(payload: Payload) -> String {
    match payload {
        Payload::Archive(archive) => archive.id,
        Payload::Revision { id } => panic!("revision `{id}` where an entry belongs"),
    }
}

/// Every pointer of a sample that names an entry.
fn pointers(fixture: &Fixture) -> Vec<Named> {
    let mut found = Vec::new();
    for path in fixture.cached_files("http").into_iter().filter(|path| !is_revision(path)) {
        let id = archive_id(parse_http(&fs::read(&path).unwrap()).unwrap());
        found.push(Named { path, id });
    }
    for path in fixture.cached_files("rev").into_iter().filter(|path| !is_revision(path)) {
        let id = archive_id(parse_rev(&fs::read(&path).unwrap()).unwrap());
        found.push(Named { path, id });
    }
    found.extend(links(fixture));
    found
}

/// Every symlink and link file of a sample.
fn links(fixture: &Fixture) -> Vec<Named> {
    let cache = fixture.cache();
    let mut found = Vec::new();
    for path in fixture.files() {
        let Ok(relative) = path.strip_prefix(&cache) else { continue };
        let kind = place(relative);
        let is_place =
            matches!(kind, Place::Wheel { .. } | Place::BuiltWheel { .. } | Place::CachedEnvironment);
        if !is_place
            || relative.extension().is_some_and(|extension| {
                ["http", "rev", "lock", "msgpack", "whl"].iter().any(|known| extension == *known)
            })
        {
            continue;
        }
        if path.is_symlink() {
            let target = archive_target(&fs::read_link(&path).unwrap()).unwrap();
            assert!(target.rest.as_os_str().is_empty());
            found.push(Named { path, id: target.id.into_string().unwrap() });
        } else if let Ok(LinkFile::Text(target)) = link_file::parse(&fs::read(&path).unwrap()) {
            found.push(Named { path, id: target.id });
        }
    }
    found
}

#[test]
fn every_sample_is_a_cache_of_known_buckets() {
    for name in ALL {
        let fixture = Fixture::unpack(name);
        let names: Vec<_> =
            fs::read_dir(fixture.cache()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(looks_like_cache(names.iter().map(OsString::as_os_str)), "{name}");
        for bucket in
            names.iter().filter(|name| !name.as_encoded_bytes().starts_with(b".") && *name != "CACHEDIR.TAG")
        {
            assert!(Bucket::parse(bucket).is_some_and(Bucket::is_known), "{name}: {}", bucket.display());
        }
        let project: Vec<_> =
            fs::read_dir(fixture.root()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(!looks_like_cache(project.iter().map(OsString::as_os_str)), "{name}");
    }
}

#[test]
fn every_pointer_names_an_entry_and_every_entry_is_named() {
    // Pointer files and links of each sample; the first count the entries, all of which are reached.
    let counts = ALL.map(|name| {
        let fixture = Fixture::unpack(name);
        let entries: BTreeSet<String> = fixture.entries().into_iter().collect();
        let pointers = pointers(&fixture);
        for pointer in &pointers {
            assert!(
                entries.contains(&pointer.id),
                "{name}: `{}` names `{}`",
                pointer.path.display(),
                pointer.id
            );
        }
        let reached: BTreeSet<String> = pointers.iter().map(|pointer| pointer.id.clone()).collect();
        assert_eq!(reached, entries, "{name}");
        (name, entries.len(), pointers.len() - links(&fixture).len(), links(&fixture).len())
    });
    // On Linux nine entries: seven wheels with a pointer file each, one built wheel and one environment with a link only.
    assert_eq!(
        counts,
        [
            ("uv-0.5.0-cache", 9, 7, 9),
            ("uv-0.6.0-cache", 9, 7, 9),
            ("uv-0.9.30-cache", 9, 7, 9),
            ("uv-0.12.5-cache", 9, 7, 9),
            ("uv-0.13.8-cache", 9, 7, 9),
            ("uv-0.13.9-cache", 9, 7, 9),
            ("uv-0.13.8-windows-cache", 4, 3, 4),
        ]
    );
}

#[test]
fn a_pointer_file_and_the_link_beside_it_agree() {
    for name in ALL {
        let fixture = Fixture::unpack(name);
        let links = links(&fixture);
        for pointer in pointers(&fixture).iter().filter(|pointer| {
            pointer.path.extension().is_some_and(|extension| extension == "http" || extension == "rev")
        }) {
            let beside = links.iter().find(|link| link.path == pointer.path.with_extension("")).unwrap();
            assert_eq!(beside.id, pointer.id, "{name}: `{}`", pointer.path.display());
        }
    }
}

#[test]
fn a_pointer_tells_the_distribution_in_its_entry() {
    for name in ALL {
        let fixture = Fixture::unpack(name);
        for pointer in pointers(&fixture) {
            let (package, version) = match place(pointer.path.strip_prefix(fixture.cache()).unwrap()) {
                Place::Wheel { package, key, .. } => {
                    let version = key_version(&key, &package).unwrap();
                    (package, version)
                }
                Place::BuiltWheel { package, version, .. } => (package.unwrap(), version.unwrap()),
                _ => continue,
            };
            let entry = fixture.cache().join("archive-v0").join(&pointer.id);
            let names = fs::read_dir(entry).unwrap().map(|entry| entry.unwrap().file_name());
            let found = names.into_iter().find_map(|name| parse_dist_info(&name)).unwrap();
            assert_eq!(normalize(&found.name), normalize(&package), "{name}");
            assert!(same_version(&found.version, &version), "{name}: {} and {version}", found.version);
        }
    }
}

#[test]
fn revisions_name_the_directory_beside_them() {
    let mut found = 0;
    for name in ALL {
        let fixture = Fixture::unpack(name);
        let files = [fixture.cached_files("http"), fixture.cached_files("rev")].concat();
        for path in files.into_iter().filter(|path| is_revision(path)) {
            let Ok(Payload::Revision { id }) = parse_revision(&fs::read(&path).unwrap()) else {
                panic!("{name}: `{}` holds no revision", path.display())
            };
            assert!(path.with_file_name(id).is_dir(), "{name}");
            found += 1;
        }
    }
    assert_eq!(found, 6);
}

#[test]
fn pointer_files_tell_the_wheel_where_their_release_records_it() {
    let fixture = Fixture::unpack("uv-0.13.8-cache");
    let path = fixture
        .cached_files("http")
        .into_iter()
        .find(|path| path.to_string_lossy().contains("demo-c"))
        .unwrap();
    let Ok(Payload::Archive(archive)) = parse_http(&fs::read(path).unwrap()) else { panic!("no archive") };
    let wheel = WheelFilename::parse(archive.filename.as_deref().unwrap()).unwrap();
    assert_eq!((wheel.name.as_str(), wheel.version.as_str(), archive.size), ("demo_c", "1.0", Some(1039)));
    assert_eq!(
        archive.hashes,
        [(
            "Sha256".to_owned(),
            "b324d7bb11b06e478967c17a15dd10b214307ca2cf4e8ae112b42ff5b2273454".to_owned()
        )]
    );
}

#[test]
fn interpreter_records_name_environments() {
    let prefixes = ALL.map(|name| {
        let fixture = Fixture::whole(name);
        let records = fixture
            .cached_files("msgpack")
            .into_iter()
            .filter(|path| path.to_string_lossy().contains("interpreter-v"));
        let records = records.map(|path| interpreter::parse(&fs::read(path).unwrap()).unwrap());
        let environments = records.filter(interpreter::InterpreterRecord::is_environment);
        let mut prefixes: Vec<_> =
            environments.map(|record| record.prefix.into_os_string().into_string().unwrap()).collect();
        prefixes.sort();
        prefixes
    });
    for linux in &prefixes[..6] {
        let [project, cached] = &linux[..] else { panic!("{linux:?}") };
        assert_eq!(project, "/srv/demo/app/.venv");
        assert!(cached.starts_with("/srv/demo/cache/archive-v0/"), "{cached}");
    }
    assert_eq!(prefixes[6], ["C:\\uvcache\\archive-v0\\yQlJIUx3OriAyD64", "C:\\v1", "C:\\v9"]);
}

#[test]
fn every_environment_was_made_by_its_uv() {
    for name in ALL {
        let fixture = Fixture::unpack(name);
        let configurations: Vec<_> =
            fixture.files().into_iter().filter(|path| path.ends_with("pyvenv.cfg")).collect();
        assert!(configurations.len() >= 2, "{name}");
        for path in configurations {
            let cfg = environment::parse(&fs::read(&path).unwrap());
            assert_eq!((cfg.maker(), cfg.implementation.as_deref()), (Maker::Uv, Some("CPython")));
            assert!(name.contains(cfg.uv.as_deref().unwrap()), "{name}");
            assert_eq!(
                cfg.relocatable,
                path.components().any(|part| part.as_os_str() == "archive-v0"),
                "{name}"
            );
            assert!(cfg.home.is_some() && cfg.version.unwrap().starts_with("3.11."), "{name}");
        }
    }
}

/// The `.dist-info` directories of a sample.
fn dist_infos(fixture: &Fixture) -> Vec<PathBuf> {
    let records = fixture.files().into_iter().filter(|path| path.ends_with("RECORD"));
    records.map(|path| path.parent().unwrap().to_path_buf()).collect()
}

fn is_unpacked(dist_info: &Path) -> bool {
    dist_info.parent().unwrap().parent().unwrap().file_name() == Some(OsStr::new("archive-v0"))
}

#[test]
fn every_distribution_says_the_same_in_all_its_files() {
    for name in ALL {
        let fixture = Fixture::unpack(name);
        for dist_info in dist_infos(&fixture) {
            let named = parse_dist_info(dist_info.file_name().unwrap()).unwrap();
            let (metadata_name, version) =
                metadata_name_version(&fs::read(dist_info.join("METADATA")).unwrap());
            assert_eq!(normalize(&named.name), normalize(&metadata_name.unwrap()), "{name}");
            assert!(same_version(&named.version, &version.unwrap()), "{name}");
            assert_eq!(wheel_tags(&fs::read(dist_info.join("WHEEL")).unwrap()), ["py3-none-any"], "{name}");
            let installed = fs::read(dist_info.join("INSTALLER")).ok().and_then(|bytes| installer(&bytes));
            assert_eq!(installed.as_deref(), (!is_unpacked(&dist_info)).then_some("uv"), "{name}");
        }
    }
}

#[test]
fn every_record_describes_the_files_that_are_there() {
    for name in ALL {
        let fixture = Fixture::unpack(name);
        for dist_info in dist_infos(&fixture) {
            let site_packages = dist_info.parent().unwrap();
            for row in rows(&fs::read(dist_info.join("RECORD")).unwrap()).map(Result::unwrap) {
                let location = Location::parse(&row.path).unwrap();
                let base = site_packages.ancestors().nth(location.ups).unwrap();
                let Ok(bytes) = fs::read(base.join(&location.rest)) else {
                    // The Windows sample was packed without its programs.
                    assert!(
                        name.contains("windows") && location.rest.extension() == Some(OsStr::new("exe")),
                        "{name}: {row:?}"
                    );
                    continue;
                };
                assert!(row.size.is_none_or(|size| size == bytes.len() as u64), "{name}: {row:?}");
                let digest: [u8; 32] = Sha256::digest(&bytes).into();
                assert!(row.digest.is_none_or(|expected| expected == digest), "{name}: {row:?}");
            }
        }
    }
}

#[test]
fn every_file_of_an_entry_is_found_where_uv_installed_it() {
    let mut found = 0;
    for name in &ALL[..6] {
        let fixture = Fixture::unpack(name);
        let root = fixture.root().join("app/.venv");
        let site_packages = root.join("lib/python3.11/site-packages");
        for dist_info in dist_infos(&fixture).into_iter().filter(|dist_info| is_unpacked(dist_info)) {
            if !site_packages.join(dist_info.file_name().unwrap()).is_dir() {
                continue;
            }
            let distribution = parse_dist_info(dist_info.file_name().unwrap()).unwrap().name;
            let scheme = Scheme { scripts: "bin", python: "python3.11" };
            for row in rows(&fs::read(dist_info.join("RECORD")).unwrap()).map(Result::unwrap) {
                let target = data_target(&row.path, &scheme, &distribution).unwrap();
                let base = if target.base == Base::Root { &root } else { &site_packages };
                let installed = fs::read(base.join(&target.path)).unwrap();
                let is_equal =
                    installed == fs::read(dist_info.parent().unwrap().join(row.path.as_ref())).unwrap();
                let is_own = target.may_be_rewritten || target.path.ends_with("RECORD");
                assert!(is_equal || is_own, "{name}: {row:?}");
                found += usize::from(target.base == Base::Root);
            }
        }
    }
    assert_eq!(found, 6 * 5, "three scripts, a header and a data file in each sample");
}

#[test]
fn direct_urls_name_their_sources() {
    for name in &ALL[..6] {
        let fixture = Fixture::unpack(name);
        let files = fixture.files().into_iter().filter(|path| path.ends_with("direct_url.json"));
        let mut urls: Vec<String> =
            files.map(|path| DirectUrl::parse(&fs::read(path).unwrap()).unwrap().url).collect();
        urls.sort();
        assert_eq!(
            urls,
            [
                "file:///srv/demo/wheels/demo_pth-1.0-py3-none-any.whl",
                "http://127.0.0.1:8931/demo_c-1.0-py3-none-any.whl"
            ],
            "{name}"
        );
    }
}
