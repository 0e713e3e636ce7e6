//! Single kinds of damage, and of what is none, each in every mode or installation that it may be met in.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::ground::{Ground, Installation, KINDS, Kind};
use super::ways::{mend, run_all};
use super::{ask, said, truth};
use crate::support::uv::VERSION;

/// Every command names what the test finds damaged; answers with the damaged files by their names.
fn agreed(ground: &Ground, installation: &Installation) -> Vec<String> {
    let found = ask(ground, installation, &said::snapshot(ground));
    assert!(found.is_empty(), "{}", found.join("\n"));
    let name = |path: PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    truth::of(installation).into_keys().map(name).collect()
}

/// An installation of each kind by copies, and an environment in each other mode.
fn every(release: &str) -> Option<Ground> {
    let kinds = KINDS.iter().map(|kind| (*kind, "copy"));
    let modes = ["hardlink", "symlink", "clone"].map(|mode| (Kind::Environment, mode));
    Ground::of("", release, &kinds.chain(modes).collect::<Vec<_>>())
}

fn module(installation: &Installation, path: &str) -> PathBuf {
    installation.root.join(&installation.site).join(path)
}

#[test]
fn nothing_is_said_of_what_is_whole_in_every_kind_of_installation() {
    let Some(ground) = every(VERSION) else { return };
    for installation in &ground.installations {
        assert_eq!(agreed(&ground, installation), [] as [&str; 0], "{installation:?}");
    }
}

#[test]
fn rows_that_lead_out_of_the_directory_of_distributions_are_the_installations_own() {
    let Some(ground) = every(VERSION) else { return };
    for installation in &ground.installations {
        for path in ["bin/demo-run", "bin/demo-files", "share/demo/data.txt"] {
            let path = installation.root.join(path);
            std::fs::rename(&path, path.with_extension("away")).unwrap();
        }
        assert_eq!(agreed(&ground, installation), ["demo-files", "demo-run", "data.txt"], "{installation:?}");
    }
}

#[test]
fn a_row_of_a_file_that_no_wheel_ever_had_is_no_damage() {
    let Some(ground) = every("0.9.30") else { return };
    for installation in &ground.installations {
        assert_eq!(agreed(&ground, installation), [] as [&str; 0], "{installation:?}");
        // What is missing beside it is.
        std::fs::remove_file(module(installation, "demo_files/other.py")).unwrap();
        assert_eq!(agreed(&ground, installation), ["other.py"], "{installation:?}");
    }
}

#[test]
fn a_file_is_there_by_its_name_and_not_by_its_inode() {
    let Some(ground) = every(VERSION) else { return };
    for installation in &ground.installations {
        let path = module(installation, "demo_files.pth");
        std::fs::rename(&path, path.with_extension("pth.disabled")).unwrap();
        let edited = module(installation, "demo_files/module.py");
        std::fs::rename(&edited, edited.with_extension("py.bak")).unwrap();
        std::fs::write(&edited, "VALUE = 2\n").unwrap();
        // Two that have each other's name.
        let (one, other) =
            (module(installation, "demo_plain/part.py"), module(installation, "demo_plain/same.py"));
        let aside = one.with_extension("aside");
        std::fs::rename(&one, &aside).unwrap();
        std::fs::rename(&other, &one).unwrap();
        std::fs::rename(&aside, &other).unwrap();
        let mut names = agreed(&ground, installation);
        names.sort();
        assert_eq!(names, ["demo_files.pth", "module.py", "part.py", "same.py"], "{installation:?}");
    }
}

#[test]
fn what_installers_note_about_an_installation_may_be_missing() {
    let Some(ground) = every(VERSION) else { return };
    for installation in &ground.installations {
        for name in ["INSTALLER", "REQUESTED", "uv_cache.json", "direct_url.json"] {
            std::fs::remove_file(module(installation, "demo_plain-2.0.dist-info").join(name)).ok();
        }
        assert_eq!(agreed(&ground, installation), [] as [&str; 0], "{installation:?}");
    }
}

/// What `repair` says stays broken, and its exit code.
fn kept(ground: &Ground, installation: &Installation) -> (Vec<Value>, i32) {
    let name = installation.root.to_str().unwrap();
    let (answer, code) = said::answer(ground, &["repair", name, "--dry-run"]).unwrap();
    (answer["plan"]["kept"].as_array().unwrap().clone(), code)
}

fn copied(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for item in from.read_dir().unwrap().map(Result::unwrap) {
        std::fs::copy(item.path(), to.join(item.file_name())).unwrap();
    }
}

#[test]
fn what_an_uninstall_has_left_goes_in_one_step_and_nothing_else_does() {
    let Some(ground) = every(VERSION) else { return };
    for installation in &ground.installations {
        let own = module(installation, "demo_plain-2.0.dist-info");
        // Empty, and of a package that is not installed; empty beside an installed one; and with all but RECORD.
        let empty = module(installation, "demo_gone-1.0.dist-info");
        let beside = module(installation, "demo_plain-1.0.dist-info");
        let lacking = module(installation, "demo_plain-1.5.dist-info");
        std::fs::create_dir(&empty).unwrap();
        std::fs::create_dir(&beside).unwrap();
        copied(&own, &lacking);
        std::fs::remove_file(lacking.join("RECORD")).unwrap();
        let (left, code) = kept(&ground, installation);
        let causes: Vec<_> = left.iter().map(|it| (&it["because"], &it["name"], &it["version"])).collect();
        let leftover = json!("leftover");
        let expected = [("demo-gone", "1.0"), ("demo-plain", "1.0"), ("demo-plain", "1.5")]
            .map(|(name, version)| (json!(name), json!(version)));
        let expected: Vec<_> = expected.iter().map(|(name, version)| (&leftover, name, version)).collect();
        assert_eq!((code, causes), (3, expected), "{installation:?}");
        for row in &left {
            let commands = row["commands"].as_array().unwrap();
            assert_eq!(commands.len(), 1, "{row}");
            assert_eq!(run_all(&ground.sandbox, commands), [] as [&str; 0]);
        }
        for gone in [&empty, &beside, &lacking] {
            assert!(!gone.exists(), "{}", gone.display());
        }
        assert_eq!(agreed(&ground, installation), [] as [&str; 0], "{installation:?}");
    }
}

#[test]
fn a_distribution_that_has_lost_its_record_is_installed_again() {
    let Some(ground) = every(VERSION) else { return };
    for installation in &ground.installations {
        let record = module(installation, "demo_plain-2.0.dist-info/RECORD");
        std::fs::remove_file(&record).unwrap();
        let (left, code) = kept(&ground, installation);
        assert_eq!((code, left.len()), (3, 1), "{installation:?}: {left:?}");
        assert_eq!(left[0]["because"], "no-record");
        let failed = run_all(&ground.sandbox, left[0]["commands"].as_array().unwrap());
        assert_eq!(failed, [] as [&str; 0], "{installation:?}");
        assert!(record.is_file(), "{installation:?}");
        assert_eq!(agreed(&ground, installation), [] as [&str; 0], "{installation:?}");
    }
}

#[test]
fn what_is_damaged_in_the_cache_too_is_whole_after_the_commands_that_are_named() {
    let damages: [fn(&Path); 3] = [
        |path| std::fs::remove_file(path).unwrap(),
        |path| std::fs::write(path, "VALUE = 'edited in place'\n").unwrap(),
        |path| {
            let new = path.with_extension("new");
            std::fs::write(&new, "").unwrap();
            std::fs::rename(new, path).unwrap();
        },
    ];
    for damage in damages {
        let modes = ["hardlink", "symlink", "copy"].map(|mode| (Kind::Environment, mode));
        let Some(ground) = Ground::of("", VERSION, &modes) else { return };
        let archive = walkdir::WalkDir::new(ground.sandbox.cache().join("archive-v0"));
        let files = archive.into_iter().map(|it| it.unwrap().into_path());
        let cached: Vec<PathBuf> = files.filter(|it| it.ends_with("demo_files/module.py")).collect();
        assert_eq!(cached.len(), 1);
        for installation in &ground.installations {
            let path = module(installation, "demo_files/module.py");
            if !path.is_symlink() {
                damage(&path);
            }
        }
        if cached[0].is_file() {
            damage(&cached[0]);
        }
        let mut log = Vec::new();
        for installation in &ground.installations {
            log.extend(mend(&ground, installation));
        }
        for installation in &ground.installations {
            assert_eq!(
                agreed(&ground, installation),
                [] as [&str; 0],
                "{installation:?}\n{}",
                log.join("\n")
            );
        }
        assert!(!log.iter().any(|it| it.starts_with("WRONG")), "{}", log.join("\n"));
    }
}

#[test]
fn what_no_cache_has_any_more_is_copied_from_another_environment_that_still_has_the_bytes() {
    use std::os::unix::fs::MetadataExt as _;
    for mode in ["copy", "hardlink"] {
        let modes = [(Kind::Environment, mode); 3];
        let Some(ground) = Ground::of("", VERSION, &modes) else { return };
        ground.sandbox.run_uv(&["cache", "clean", "--quiet"]);
        let [broken, whole, edited] = &ground.installations[..] else { panic!("three were made") };
        // By hardlink all of them have one inode until it is replaced.
        let replace = |path: &Path, text: &str| {
            let new = path.with_extension("new");
            std::fs::write(&new, text).unwrap();
            std::fs::rename(new, path).unwrap();
        };
        replace(&module(edited, "demo_files/module.py"), "VALUE = 'edited'\n");
        let lost = ["demo_files/module.py", "demo_plain/part.py"].map(|path| module(broken, path));
        for path in &lost {
            std::fs::remove_file(path).unwrap();
        }
        let name = broken.root.to_str().unwrap();
        let (answer, code) = said::answer(&ground, &["repair", name, "--dry-run"]).unwrap();
        let steps = answer["plan"]["steps"].as_array().unwrap();
        assert_eq!((code, steps.len()), (0, 2), "{answer:#}");
        assert!(steps.iter().all(|it| it["way"] == "environment" && it["link_mode"] == "copy"), "{answer:#}");
        let (_, code) = said::answer(&ground, &["repair", name, "--yes"]).unwrap();
        assert_eq!(code, 0);
        assert_eq!(agreed(&ground, broken), [] as [&str; 0]);
        for path in &lost {
            assert_eq!(path.metadata().unwrap().nlink(), 1, "it is a file of the environment's own");
        }
        assert_eq!(agreed(&ground, whole), [] as [&str; 0], "what was read is as it was");
        assert_eq!(agreed(&ground, edited), ["module.py"]);

        // An edit is nobody's source.
        std::fs::remove_dir_all(&whole.root).unwrap();
        replace(&module(broken, "demo_files/module.py"), "VALUE = 'edited'\n");
        std::fs::remove_file(module(edited, "demo_files/module.py")).unwrap();
        let (left, code) = kept(&ground, edited);
        assert_eq!((code, &left[0]["because"]), (3, &json!("no-candidate")), "{left:?}");
    }
}
