//! Users that are no environments, places that cannot be read, and things that are away and not gone: what real uv has in
//! its cache stays for each of them.

mod buckets;
mod links;
mod memory;
mod mounted;
mod moved;

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::loopdev::Mounted;
use crate::support::not_run;
use crate::support::text;
use crate::support::uv::{Sandbox, ran};
use crate::support::wheel::Wheel;

/// The package that has no user.
const UNUSED: &str = "demo-unused";

/// A sandbox whose cache has each of these packages and [`UNUSED`], and an environment of copies that is used for nothing.
fn scene(base: &Path, packages: &[&'static str]) -> Option<Sandbox> {
    let sandbox = Sandbox::new(base)?;
    let links = sandbox.path("links");
    std::fs::create_dir_all(&links).unwrap();
    let keep = "demo-keep";
    for name in packages.iter().chain(&[UNUSED, keep]) {
        Wheel::new(name, "1.0").save(&links);
    }
    install(&sandbox, "roots/keep", "copy", &[keep]);
    let all: Vec<&str> = packages.iter().chain(&[UNUSED]).copied().collect();
    install(&sandbox, "seed", "copy", &all);
    // A user who has no record in the cache is to be found: uv's records of interpreters would name environments.
    std::fs::remove_dir_all(sandbox.path("seed")).unwrap();
    Some(sandbox)
}

/// Installs into an environment at `relative`, which is made where it is not there.
fn install(sandbox: &Sandbox, relative: &str, mode: &str, packages: &[&str]) -> PathBuf {
    let environment = sandbox.path(relative);
    if !environment.exists() {
        sandbox.run_uv(&["venv", "--quiet", environment.to_str().unwrap()]);
    }
    let python = environment.join("bin/python");
    install_by(sandbox, mode, &["--python", python.to_str().unwrap()], packages);
    environment
}

fn install_by(sandbox: &Sandbox, mode: &str, whereto: &[&str], packages: &[&str]) {
    let links = sandbox.path("links");
    let mut arguments =
        vec!["pip", "install", "--quiet", "--no-index", "--find-links", links.to_str().unwrap()];
    arguments.extend(["--link-mode", mode]);
    arguments.extend(whereto);
    arguments.extend(packages);
    sandbox.run_uv(&arguments);
}

/// What `list` says of a package; nothing where no entry is one of it.
fn listed(sandbox: &Sandbox, name: &str) -> Value {
    let output = sandbox.cachetui(&["list", "--json"]).output().unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let entries = answer["entries"].as_array().unwrap();
    entries.iter().find(|entry| entry["name"] == name).cloned().unwrap_or_default()
}

/// The directory of a package's entry.
fn entry(sandbox: &Sandbox, name: &str) -> PathBuf {
    sandbox.cache().join("archive-v0").join(listed(sandbox, name)["id"].as_str().unwrap())
}

/// Prunes what has no user, as if a day had passed.
fn prune(sandbox: &Sandbox, more: &[&str]) -> Output {
    let unused = ["prune", "--unused", "--grace", "0h", "--yes", "--allow", "most,no-environments,gone"];
    sandbox.cachetui(&unused).args(more).output().unwrap()
}

fn site(environment: &Path) -> PathBuf {
    let lib = environment.join("lib");
    let python = std::fs::read_dir(lib).unwrap().next().unwrap().unwrap().path();
    python.join("site-packages")
}

fn folder(path: PathBuf) -> PathBuf {
    std::fs::create_dir_all(&path).unwrap();
    path
}

/// One way to use an entry without an environment of its own.
struct Way {
    package: &'static str,
    /// Makes the user, and answers with a file that is read through it.
    make: fn(&Sandbox, &Path) -> PathBuf,
}

/// The module of a package that the wheels of the tests have.
fn module(package: &str) -> PathBuf {
    Path::new(&package.replace('-', "_")).join("__init__.py")
}

const WAYS: &[Way] = &[
    Way {
        package: "target-by-symlinks",
        make: |sandbox, _| {
            let target = sandbox.roots().join("target");
            install_by(sandbox, "symlink", &["--target", target.to_str().unwrap()], &["target-by-symlinks"]);
            target.join(module("target-by-symlinks"))
        },
    },
    Way {
        package: "prefix-by-symlinks",
        make: |sandbox, _| {
            let prefix = sandbox.roots().join("prefix");
            install_by(sandbox, "symlink", &["--prefix", prefix.to_str().unwrap()], &["prefix-by-symlinks"]);
            site(&prefix).join(module("prefix-by-symlinks"))
        },
    },
    Way {
        package: "copied-site-packages",
        make: |sandbox, _| {
            let made = install(sandbox, "made", "symlink", &["copied-site-packages"]);
            let copy = sandbox.roots().join("backup/site-packages");
            folder(sandbox.roots().join("backup"));
            ran(Command::new("cp").arg("-a").arg(site(&made)).arg(&copy));
            std::fs::remove_dir_all(made).unwrap();
            copy.join(module("copied-site-packages"))
        },
    },
    Way {
        package: "link-to-an-entry",
        make: |sandbox, entry| {
            let link = sandbox.roots().join("link-to-an-entry");
            symlink(entry, &link).unwrap();
            link.join(module("link-to-an-entry"))
        },
    },
    Way {
        package: "link-to-a-directory",
        make: |sandbox, entry| {
            let link = folder(sandbox.roots().join("deep/er")).join("link");
            symlink(entry.join("link_to_a_directory"), &link).unwrap();
            link.join("__init__.py")
        },
    },
    Way {
        package: "link-to-a-file",
        make: |sandbox, entry| {
            let link = sandbox.roots().join("link-to-a-file.py");
            symlink(entry.join(module("link-to-a-file")), &link).unwrap();
            link
        },
    },
    Way {
        package: "relative-link",
        make: |sandbox, entry| {
            let link = sandbox.roots().join("relative-link");
            let id = entry.file_name().unwrap();
            symlink(Path::new("../cache/archive-v0").join(id).join(module("relative-link")), &link).unwrap();
            link
        },
    },
    Way {
        package: "chain-of-links",
        make: |sandbox, entry| {
            let (first, second) = (sandbox.path("first"), sandbox.path("second"));
            symlink(entry, &first).unwrap();
            symlink(&first, &second).unwrap();
            let link = sandbox.roots().join("chain-of-links");
            symlink(&second, &link).unwrap();
            link.join(module("chain-of-links"))
        },
    },
    Way {
        package: "link-through-a-pointer",
        make: |sandbox, entry| {
            let pointers = Command::new("find").arg(sandbox.cache()).args(["-type", "l"]).output().unwrap();
            let text = String::from_utf8(pointers.stdout).unwrap();
            let pointer =
                text.lines().find(|path| Path::new(path).canonicalize().is_ok_and(|it| it == entry));
            let link = sandbox.roots().join("link-through-a-pointer");
            symlink(pointer.unwrap(), &link).unwrap();
            link.join(module("link-through-a-pointer"))
        },
    },
    Way {
        package: "path-file",
        make: |sandbox, entry| {
            std::fs::write(
                site(&sandbox.path("roots/keep")).join("names.pth"),
                format!("{}\n", entry.display()),
            )
            .unwrap();
            entry.join(module("path-file"))
        },
    },
    Way {
        package: "path-file-of-python",
        make: |sandbox, entry| {
            let line = format!("import site; site.addsitedir('{}')\n", entry.display());
            std::fs::write(site(&sandbox.path("roots/keep")).join("runs.pth"), line).unwrap();
            entry.join(module("path-file-of-python"))
        },
    },
    Way {
        package: "path-file-behind-a-link",
        make: |sandbox, entry| {
            let elsewhere = sandbox.path("elsewhere.pth");
            std::fs::write(&elsewhere, format!("# a comment\n\n{}\n", entry.display())).unwrap();
            symlink(&elsewhere, site(&sandbox.path("roots/keep")).join("linked.pth")).unwrap();
            entry.join(module("path-file-behind-a-link"))
        },
    },
    Way {
        package: "path-file-outside",
        make: |sandbox, entry| {
            let place = folder(sandbox.roots().join("user/lib/python3.11/site-packages"));
            let through = place.join("through");
            symlink(entry.parent().unwrap(), &through).unwrap();
            let id = entry.file_name().unwrap().to_str().unwrap();
            std::fs::write(place.join("names.pth"), format!("through/{id}\n")).unwrap();
            through.join(id).join(module("path-file-outside"))
        },
    },
    Way {
        package: "target-on-a-path",
        make: |sandbox, _| {
            let target = sandbox.path("libraries");
            install_by(sandbox, "symlink", &["--target", target.to_str().unwrap()], &["target-on-a-path"]);
            let line = format!("{}\n", target.display());
            std::fs::write(site(&sandbox.path("roots/keep")).join("libraries.pth"), line).unwrap();
            target.join(module("target-on-a-path"))
        },
    },
    Way {
        package: "package-on-a-path",
        make: |sandbox, entry| {
            let sources = folder(sandbox.path("sources"));
            symlink(entry.join("package_on_a_path"), sources.join("package_on_a_path")).unwrap();
            let line = format!("{}\n", sources.display());
            std::fs::write(site(&sandbox.path("roots/keep")).join("sources.pth"), line).unwrap();
            sources.join(module("package-on-a-path"))
        },
    },
    Way {
        package: "path-file-on-a-path",
        make: |sandbox, entry| {
            let more = folder(sandbox.path("more"));
            std::fs::write(more.join("further.pth"), format!("{}\n", entry.display())).unwrap();
            let line = format!("import site; site.addsitedir('{}')\n", more.display());
            std::fs::write(site(&sandbox.path("roots/keep")).join("more.pth"), line).unwrap();
            entry.join(module("path-file-on-a-path"))
        },
    },
    Way {
        package: "folder-of-links",
        make: |sandbox, entry| {
            let kept = folder(sandbox.path("patched/folder_of_links"));
            symlink(entry.join(module("folder-of-links")), kept.join("__init__.py")).unwrap();
            let package = site(&sandbox.path("roots/keep")).join("folder_of_links");
            symlink(&kept, &package).unwrap();
            package.join("__init__.py")
        },
    },
    Way {
        package: "folder-in-a-folder",
        make: |sandbox, entry| {
            let inner = folder(sandbox.path("inner"));
            symlink(entry.join("folder_in_a_folder"), inner.join("real")).unwrap();
            let outer = folder(sandbox.path("outer/more"));
            symlink(&inner, outer.join("inner")).unwrap();
            let link = sandbox.path("roots/keep/share/outer");
            folder(sandbox.path("roots/keep/share"));
            symlink(sandbox.path("outer"), &link).unwrap();
            link.join("more/inner/real/__init__.py")
        },
    },
    Way {
        package: "link-in-node-modules",
        make: |sandbox, entry| {
            let link = folder(sandbox.roots().join("web/node_modules/.cache")).join("link");
            symlink(entry, &link).unwrap();
            link.join(module("link-in-node-modules"))
        },
    },
    Way {
        package: "dist-info-alone",
        make: |sandbox, entry| {
            let link = folder(sandbox.roots().join("listed")).join("dist_info_alone-1.0.dist-info");
            symlink(entry.join("dist_info_alone-1.0.dist-info"), &link).unwrap();
            link.join("METADATA")
        },
    },
    Way {
        package: "project-behind-a-link",
        make: |sandbox, _| {
            let environment =
                install(sandbox, "elsewhere/project/.venv", "symlink", &["project-behind-a-link"]);
            symlink(sandbox.path("elsewhere/project"), sandbox.roots().join("project")).unwrap();
            forget(sandbox);
            site(&environment).join(module("project-behind-a-link"))
        },
    },
    Way {
        package: "environment-in-the-cache",
        make: |sandbox, _| {
            let environment = install(sandbox, "cache/venvs/app", "symlink", &["environment-in-the-cache"]);
            forget(sandbox);
            site(&environment).join(module("environment-in-the-cache"))
        },
    },
    Way {
        package: "environment-as-part",
        make: |sandbox, _| {
            let environment = install(sandbox, "cache/venv", "symlink", &["environment-as-part"]);
            forget(sandbox);
            site(&environment).join(module("environment-as-part"))
        },
    },
    Way {
        package: "target-in-the-cache",
        make: |sandbox, _| {
            let target = sandbox.cache().join("site");
            install_by(sandbox, "symlink", &["--target", target.to_str().unwrap()], &["target-in-the-cache"]);
            target.join(module("target-in-the-cache"))
        },
    },
    Way {
        package: "prefix-in-the-cache",
        make: |sandbox, _| {
            let prefix = folder(sandbox.cache().join("tools")).join("prefix");
            install_by(sandbox, "symlink", &["--prefix", prefix.to_str().unwrap()], &["prefix-in-the-cache"]);
            site(&prefix).join(module("prefix-in-the-cache"))
        },
    },
    Way {
        package: "link-in-the-cache",
        make: |sandbox, entry| {
            let link = sandbox.cache().join("current");
            symlink(entry, &link).unwrap();
            link.join(module("link-in-the-cache"))
        },
    },
    Way {
        package: "folder-called-as-a-bucket",
        make: |sandbox, entry| {
            let folder = folder(sandbox.roots().join("models/archive-v0/latest"));
            symlink(entry, folder.join("weights")).unwrap();
            folder.join("weights").join(module("folder-called-as-a-bucket"))
        },
    },
    Way {
        package: "base-of-an-environment",
        make: |sandbox, _| {
            // An interpreter outside of what is searched, as an environment with `--system-site-packages` sees it.
            let base = sandbox.path("elsewhere/python");
            let made = install(sandbox, "elsewhere/made", "symlink", &["base-of-an-environment"]);
            let python = made.join("lib").read_dir().unwrap().next().unwrap().unwrap().file_name();
            let library = folder(base.join("lib"));
            std::fs::rename(made.join("lib").join(&python), library.join(&python)).unwrap();
            std::fs::remove_dir_all(made).unwrap();
            folder(base.join("bin"));
            let environment = folder(sandbox.roots().join("sees/.venv"));
            let bin = base.join("bin");
            let cfg = format!("home = {}\ninclude-system-site-packages = true\n", bin.display());
            std::fs::write(environment.join("pyvenv.cfg"), cfg).unwrap();
            folder(environment.join("lib").join(python).join("site-packages"));
            site(&base).join(module("base-of-an-environment"))
        },
    },
];

/// Takes away what uv recorded of interpreters, from which an environment would be known.
fn forget(sandbox: &Sandbox) {
    for part in std::fs::read_dir(sandbox.cache()).unwrap().flatten() {
        if part.file_name().to_str().unwrap().starts_with("interpreter-v") {
            std::fs::remove_dir_all(part.path()).unwrap();
        }
    }
}

#[test]
fn whatever_leads_into_an_entry_keeps_it() {
    let base = tempfile::tempdir().unwrap();
    let packages: Vec<&str> = WAYS.iter().map(|way| way.package).collect();
    let Some(sandbox) = scene(base.path(), &packages) else { return };
    let mut read = Vec::new();
    for way in WAYS {
        let entry = entry(&sandbox, way.package);
        read.push((way.make)(&sandbox, &entry));
    }
    forget(&sandbox);
    for (way, path) in WAYS.iter().zip(&read) {
        assert!(path.is_file(), "{}: {}", way.package, path.display());
        assert_eq!(listed(&sandbox, way.package)["state"], "protected", "{}", way.package);
    }
    let done = prune(&sandbox, &[]);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done));
    for (way, path) in WAYS.iter().zip(&read) {
        assert!(path.is_file(), "{} is broken: {}", way.package, text(&done));
    }
    assert_eq!(listed(&sandbox, UNUSED), Value::Null, "what has no user goes: {}", text(&done));
    // Neither by name.
    for way in WAYS {
        let kept = sandbox.cachetui(&["prune", "--package", way.package, "--yes"]).output().unwrap();
        assert!(read.iter().all(|path| path.is_file()), "{}: {}", way.package, text(&kept));
        assert!(text(&kept).contains("would break"), "{}: {}", way.package, text(&kept));
    }
    let why = sandbox.cachetui(&["why", "link-to-a-file"]).output().unwrap();
    let said = text(&why);
    assert!(said.contains("roots/link-to-a-file.py` leads into it and would break"), "{said}");
    let rows = &listed(&sandbox, "path-file-outside")["linked_from"];
    assert!(rows[0]["path"].as_str().unwrap().ends_with("names.pth"), "{rows}");
    assert_eq!(rows[0]["form"], "path-file");
}

#[test]
fn a_link_that_names_the_cache_by_the_path_of_a_container_keeps_the_entry() {
    let base = tempfile::tempdir().unwrap();
    let Some(sandbox) = scene(base.path(), &["demo-a"]) else { return };
    let id = listed(&sandbox, "demo-a")["id"].as_str().unwrap().to_owned();
    symlink(format!("/in/a/container/archive-v0/{id}"), sandbox.roots().join("link")).unwrap();
    assert_eq!(listed(&sandbox, "demo-a")["state"], "protected");
    prune(&sandbox, &[]);
    assert!(listed(&sandbox, "demo-a").is_object() && listed(&sandbox, UNUSED).is_null());
}

#[test]
fn a_copy_of_the_cache_and_links_that_a_killed_uv_left_use_nothing() {
    let base = tempfile::tempdir().unwrap();
    let Some(sandbox) = scene(base.path(), &["demo-a", "demo-b"]) else { return };
    ran(Command::new("cp").arg("-a").arg(sandbox.cache()).arg(sandbox.roots().join("copy")));
    let left = site(&sandbox.path("roots/keep"));
    std::fs::hard_link(entry(&sandbox, "demo-a").join(module("demo-a")), left.join(".tmpAbC123")).unwrap();
    symlink(entry(&sandbox, "demo-b").join(module("demo-b")), left.join(".tmpXyZ789")).unwrap();
    for name in ["demo-a", "demo-b", UNUSED] {
        assert_eq!(listed(&sandbox, name)["state"], "unused", "{name}");
    }
    let done = prune(&sandbox, &[]);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done));
    assert!(["demo-a", "demo-b", UNUSED].iter().all(|name| listed(&sandbox, name).is_null()));
}

#[test]
fn a_copy_of_a_bucket_without_its_cache_is_no_installation() {
    let base = tempfile::tempdir().unwrap();
    let Some(sandbox) = scene(base.path(), &["demo-a"]) else { return };
    let backup = folder(sandbox.roots().join("backup"));
    ran(Command::new("cp").arg("-a").arg(sandbox.cache().join("archive-v0")).arg(&backup));
    forget(&sandbox);
    let envs = sandbox.json(&["envs"]);
    let below = |it: &&Value| it["path"].as_str().unwrap().starts_with(backup.to_str().unwrap());
    assert_eq!(envs["environments"].as_array().unwrap().iter().find(below), None);
    assert_eq!(listed(&sandbox, "demo-a")["state"], "unused");
}

#[test]
fn a_cache_in_an_environment_and_one_that_is_seen_twice_use_nothing_of_themselves() {
    let base = tempfile::tempdir().unwrap();
    let Some(sandbox) = Sandbox::new(base.path()) else { return };
    let links = sandbox.path("links");
    std::fs::create_dir_all(&links).unwrap();
    for name in ["demo-a", UNUSED] {
        Wheel::new(name, "1.0").save(&links);
    }
    let environment = sandbox.roots().join("app/.venv");
    sandbox.run_uv(&["venv", "--quiet", environment.to_str().unwrap()]);
    let cache = folder(environment.join("cache"));
    std::fs::remove_dir_all(sandbox.cache()).unwrap();
    symlink(&cache, sandbox.cache()).unwrap();
    let python = environment.join("bin/python");
    install_by(&sandbox, "symlink", &["--python", python.to_str().unwrap()], &["demo-a"]);
    install(&sandbox, "seed", "copy", &[UNUSED]);
    std::fs::remove_dir_all(sandbox.path("seed")).unwrap();
    let states = || ["demo-a", UNUSED].map(|name| listed(&sandbox, name)["state"].clone());
    assert_eq!(states(), ["protected", "unused"]);
    let envs = sandbox.json(&["envs"]);
    let files = envs["environments"][0]["files"].as_u64().unwrap();
    assert!(files < 60, "the cache is none of its files: {files}");
    let alias = folder(sandbox.roots().join("alias"));
    if rustix::process::geteuid().is_root()
        && Command::new("mount").arg("--bind").arg(&cache).arg(&alias).status().is_ok_and(|it| it.success())
    {
        let seen = states();
        ran(Command::new("umount").arg(&alias));
        assert_eq!(seen, ["protected", "unused"], "through another mount");
    } else {
        not_run("a bind mount needs root");
    }
    prune(&sandbox, &[]);
    assert!(listed(&sandbox, UNUSED).is_null());
    ran(Command::new(python).args(["-c", "import demo_a; demo_a.main()"]));
}

#[test]
fn a_place_that_cannot_be_read_keeps_what_has_no_known_user() {
    let base = tempfile::tempdir().unwrap();
    let Some(sandbox) = scene(base.path(), &["demo-a", "demo-b"]) else { return };
    let secret = folder(sandbox.roots().join("projects/secret"));
    install_by(&sandbox, "symlink", &["--target", secret.join("lib").to_str().unwrap()], &["demo-a"]);
    let made = install(&sandbox, "roots/inside", "symlink", &["demo-keep"]);
    let within = folder(site(&made).join("hidden"));
    symlink(entry(&sandbox, "demo-b").join(module("demo-b")), within.join("link.py")).unwrap();
    forget(&sandbox);
    open_to_all(base.path());
    for place in [&secret, &within] {
        std::fs::set_permissions(place, std::fs::Permissions::from_mode(0o0)).unwrap();
        let plan = ["prune", "--unused", "--grace", "0h", "--yes", "--allow", "most,no-environments,gone"];
        let Some(mut command) = sandbox.unprivileged(sandbox.cachetui(&plan)) else { return };
        let done = command.output().unwrap();
        std::fs::set_permissions(place, std::fs::Permissions::from_mode(0o755)).unwrap();
        let said = text(&done);
        assert_eq!(done.status.code(), Some(1), "{said}");
        assert!(said.contains(place.file_name().unwrap().to_str().unwrap()), "the place is named: {said}");
        for name in ["demo-a", "demo-b", UNUSED] {
            assert!(listed(&sandbox, name).is_object(), "{name} went: {said}");
        }
    }
    let done = prune(&sandbox, &[]);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done));
    assert!(listed(&sandbox, "demo-a").is_object() && listed(&sandbox, "demo-b").is_object());
    assert!(listed(&sandbox, UNUSED).is_null());
}

#[test]
fn a_place_that_cannot_be_read_is_not_said_to_be_whole() {
    let base = tempfile::tempdir().unwrap();
    let Some(sandbox) = scene(base.path(), &["demo-a"]) else { return };
    // The other user need not be able to reach its interpreter.
    std::fs::remove_dir_all(sandbox.roots().join("keep")).unwrap();
    forget(&sandbox);
    let secret = folder(sandbox.roots().join("secret"));
    open_to_all(base.path());
    let elsewhere = folder(sandbox.roots().join("elsewhere"));
    let elsewhere = elsewhere.to_str().unwrap();
    let inside = secret.join("inside");
    let inside = inside.to_str().unwrap();
    // What is asked, whether it concerns that place, and what is said exactly if it does not.
    for (asked, concerned, whole) in [
        (&["repair", "--all"][..], true, "Nothing is broken"),
        (&["repair", "--links"], false, "Nothing is broken"),
        (&["verify", "--all"], true, "all as RECORD says"),
        (&["verify"], false, "all as RECORD says"),
        (&["relink", "--all", "--link-mode", "copy"], true, "There is nothing to relink"),
        (&["relink", "--all", "--under", inside, "--link-mode", "copy"], true, "There is nothing to relink"),
        (
            &["relink", "--all", "--under", elsewhere, "--link-mode", "copy"],
            false,
            "There is nothing to relink",
        ),
        (&["remove", "--broken"], true, "Nothing to remove."),
        (&["remove", "--idle", "1d"], true, "Nothing to remove."),
        (&["remove", "--orphaned", "--under", inside], true, "Nothing to remove."),
        (&["remove", "--orphaned", "--under", elsewhere], false, "Nothing to remove was found."),
    ] {
        let asks: &[&str] = if asked[0] == "verify" { &[] } else { &["--yes", "--dry-run"] };
        for asking in asks.iter().map(Some).chain([None]) {
            let mut words = asked.to_vec();
            words.extend(asking);
            let is_json = asking.is_none() && asked[0] != "verify";
            if is_json {
                words.extend(["--json", "--dry-run"]);
            }
            std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o0)).unwrap();
            let Some(mut command) = sandbox.unprivileged(sandbox.cachetui(&words)) else { return };
            let done = command.output().unwrap();
            std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o755)).unwrap();
            let said = text(&done);
            assert_eq!(done.status.code(), Some(i32::from(concerned)), "{words:?}: {said}");
            if concerned {
                assert!(said.contains(secret.to_str().unwrap()), "{words:?}: {said}");
            }
            if !is_json {
                assert_eq!(said.contains(whole), !concerned, "{words:?}: {said}");
            }
        }
    }
    // What is named and cannot be looked at is not said to be unknown.
    for asked in [&["envs"][..], &["remove", "--dry-run"], &["verify"]] {
        let words = [asked, &[inside]].concat();
        std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o0)).unwrap();
        let Some(mut command) = sandbox.unprivileged(sandbox.cachetui(&words)) else { return };
        let done = command.output().unwrap();
        std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o755)).unwrap();
        let said = text(&done);
        assert_eq!(done.status.code(), Some(1), "{words:?}: {said}");
        assert!(said.contains("Failed to look at `"), "{words:?}: {said}");
    }
}

/// Lets another user work in a sandbox.
fn open_to_all(base: &Path) {
    ran(Command::new("chmod").args(["-R", "a+rwX"]).arg(base));
}

/// The program with a memory of its own.
fn remembering(sandbox: &Sandbox, arguments: &[&str]) -> Output {
    let mut command = sandbox.command(env!("CARGO_BIN_EXE_cachetui"));
    command
        .args(arguments)
        .arg("--cache-dir")
        .arg(sandbox.cache())
        .arg("--root")
        .arg(sandbox.path("keep-root"));
    command.env("XDG_STATE_HOME", sandbox.path("state")).output().unwrap()
}

const PRUNE: [&str; 7] =
    ["prune", "--unused", "--grace", "0h", "--yes", "--allow", "most,no-environments,gone"];

/// What has happened to the place an environment is in.
struct Away {
    what: &'static str,
    /// Whether uv's own record is all that is known of it.
    recorded_only: bool,
    /// Whether the environment is known to be gone afterwards.
    gone: bool,
    mount: fn(&Path, &Path) -> bool,
    /// Takes the place away.
    leave: fn(&Path, &Path),
}

fn bind(source: &Path, place: &Path) -> bool {
    Command::new("mount").arg("--bind").args([source, place]).status().is_ok_and(|it| it.success())
}

fn memory(_: &Path, place: &Path) -> bool {
    Command::new("mount").args(["-t", "tmpfs", "none"]).arg(place).status().is_ok_and(|it| it.success())
}

fn unmount(place: &Path) {
    ran(Command::new("umount").arg(place));
}

const AWAYS: &[Away] = &[
    Away {
        what: "a bind mount",
        recorded_only: false,
        gone: false,
        mount: bind,
        leave: |_, place| unmount(place),
    },
    Away {
        what: "a bind mount over a place that is not empty",
        recorded_only: false,
        gone: false,
        mount: |source, place| {
            std::fs::write(place.join("note"), b"not empty").unwrap();
            bind(source, place)
        },
        leave: |_, place| unmount(place),
    },
    Away {
        what: "a filesystem, and another one in its place",
        recorded_only: false,
        gone: false,
        mount: memory,
        leave: |source, place| {
            // The first one lives on elsewhere, as a disk does.
            let kept = folder(source.parent().unwrap().join("kept"));
            assert!(bind(place, &kept));
            unmount(place);
            assert!(memory(source, place));
            std::fs::write(place.join("other"), b"another disk").unwrap();
        },
    },
    Away {
        what: "a filesystem that only uv has seen",
        recorded_only: true,
        gone: false,
        mount: memory,
        leave: |source, place| {
            let kept = folder(source.parent().unwrap().join("kept"));
            assert!(bind(place, &kept));
            unmount(place);
        },
    },
    Away {
        what: "a project that was moved",
        recorded_only: false,
        gone: false,
        mount: |_, _| true,
        leave: |source, place| std::fs::rename(place.join("app"), source.join("moved")).unwrap(),
    },
    Away {
        what: "a deleted environment that only uv has seen",
        recorded_only: true,
        gone: true,
        mount: |_, _| true,
        leave: |_, place| std::fs::remove_dir_all(place.join("app/.venv")).unwrap(),
    },
    Away {
        what: "an environment that was deleted",
        recorded_only: false,
        gone: true,
        mount: |_, _| true,
        leave: |_, place| std::fs::remove_dir_all(place.join("app/.venv")).unwrap(),
    },
    Away {
        what: "an environment that was deleted on a bind mount",
        recorded_only: false,
        gone: true,
        mount: bind,
        leave: |_, place| std::fs::remove_dir_all(place.join("app/.venv")).unwrap(),
    },
];

#[test]
fn what_is_away_is_not_gone() {
    if !rustix::process::geteuid().is_root() {
        return not_run("mounts need root");
    }
    for away in AWAYS {
        let base = tempfile::tempdir().unwrap();
        let Some(sandbox) = scene(base.path(), &["demo-a"]) else { return };
        let (source, place) = (folder(sandbox.path("source")), folder(sandbox.path("place")));
        folder(sandbox.path("keep-root"));
        if !(away.mount)(&source, &place) {
            return not_run("nothing can be mounted here");
        }
        let _unmounted = Unmounted(vec![place.clone(), sandbox.path("kept")]);
        folder(place.join("app"));
        std::fs::write(place.join("app/pyproject.toml"), b"").unwrap();
        install(&sandbox, "place/app/.venv", "symlink", &["demo-a"]);
        if !away.recorded_only {
            let list = remembering(&sandbox, &["list"]);
            assert!(list.status.success(), "{}", text(&list));
            // From here on only the memory names it.
            forget(&sandbox);
        }
        (away.leave)(&source, &place);
        let done = remembering(&sandbox, &PRUNE);
        let said = text(&done);
        assert_eq!(listed(&sandbox, "demo-a").is_null(), away.gone, "{}: {said}", away.what);
        assert_eq!(listed(&sandbox, UNUSED).is_null(), away.gone, "{}: {said}", away.what);
        // It is not forgotten either.
        let again = remembering(&sandbox, &PRUNE);
        assert_eq!(listed(&sandbox, "demo-a").is_null(), away.gone, "{}: {}", away.what, text(&again));
    }
}

/// Unmounts what is mounted there when it is dropped.
struct Unmounted(Vec<PathBuf>);

impl Drop for Unmounted {
    fn drop(&mut self) {
        for path in &self.0 {
            while Command::new("umount").arg(path).output().is_ok_and(|output| output.status.success()) {}
        }
    }
}

#[test]
fn what_is_said_to_be_gone_keeps_nothing_any_more() {
    let base = tempfile::tempdir().unwrap();
    let Some(sandbox) = scene(base.path(), &["demo-a"]) else { return };
    folder(sandbox.path("keep-root"));
    install(&sandbox, "projects/app/.venv", "symlink", &["demo-a"]);
    assert!(remembering(&sandbox, &["list"]).status.success());
    // Further away than is looked.
    let away = folder(sandbox.path("far/away/from/here")).join("moved");
    std::fs::rename(sandbox.path("projects/app"), away).unwrap();
    let kept = remembering(&sandbox, &PRUNE);
    assert!(listed(&sandbox, "demo-a").is_object(), "{}", text(&kept));
    let environment = sandbox.path("projects/app/.venv");
    let way_out = format!("`cachetui envs --forget {}`", environment.display());
    assert!(text(&kept).replace('\n', " ").contains(&way_out), "{}", text(&kept));
    let problems = text(&remembering(&sandbox, &["envs", "-v"]));
    assert!(problems.contains("cachetui envs --forget"), "{problems}");
    let projects = sandbox.path("projects");
    let forgotten = remembering(&sandbox, &["envs", "--forget", projects.to_str().unwrap()]);
    assert!(forgotten.status.success(), "{}", text(&forgotten));
    let done = remembering(&sandbox, &PRUNE);
    assert!(listed(&sandbox, "demo-a").is_null(), "{}", text(&done));
    // What is found again counts again.
    install(&sandbox, "projects/app/.venv", "symlink", &["demo-a"]);
    let list = remembering(&sandbox, &["list"]);
    assert!(text(&list).contains("protected"), "{}", text(&list));
}

#[test]
fn a_mount_below_a_named_directory_is_searched_or_keeps_what_has_no_known_user() {
    if !rustix::process::geteuid().is_root() {
        return not_run("mounts need root");
    }
    let base = tempfile::tempdir().unwrap();
    let Some(sandbox) = scene(base.path(), &["demo-a"]) else { return };
    let place = folder(sandbox.roots().join("mounted"));
    if !memory(&place, &place) {
        return not_run("nothing can be mounted here");
    }
    let _unmounted = Unmounted(vec![place.clone()]);
    install_by(&sandbox, "symlink", &["--target", place.join("lib").to_str().unwrap()], &["demo-a"]);
    let kept = prune(&sandbox, &[]);
    assert!(
        listed(&sandbox, "demo-a").is_object() && listed(&sandbox, UNUSED).is_object(),
        "{}",
        text(&kept)
    );
    let done = prune(&sandbox, &["--cross-mounts"]);
    assert!(listed(&sandbox, "demo-a").is_object() && listed(&sandbox, UNUSED).is_null(), "{}", text(&done));
}

#[test]
fn a_deleted_project_of_hardlinks_keeps_nothing() {
    let base = tempfile::tempdir().unwrap();
    let Some(sandbox) = scene(base.path(), &["demo-a"]) else { return };
    folder(sandbox.path("keep-root"));
    install(&sandbox, "projects/app/.venv", "hardlink", &["demo-a"]);
    std::fs::write(sandbox.path("projects/other"), b"").unwrap();
    assert!(remembering(&sandbox, &["list"]).status.success());
    std::fs::remove_dir_all(sandbox.path("projects/app")).unwrap();
    let done = remembering(&sandbox, &PRUNE);
    assert!(listed(&sandbox, "demo-a").is_null(), "{}", text(&done));
}

#[test]
fn an_environment_on_a_disk_that_is_not_plugged_in_is_away() {
    let base = tempfile::tempdir().unwrap();
    let Some(sandbox) = scene(base.path(), &["demo-a"]) else { return };
    folder(sandbox.path("keep-root"));
    let Some(disk) = Mounted::new("ext4", 64) else { return };
    let place = folder(sandbox.path("place"));
    assert!(bind(disk.path(), &place));
    folder(place.join("app"));
    let _unmounted = Unmounted(vec![place.clone()]);
    install(&sandbox, "place/app/.venv", "symlink", &["demo-a"]);
    assert!(remembering(&sandbox, &["list"]).status.success());
    forget(&sandbox);
    unmount(&place);
    let done = remembering(&sandbox, &PRUNE);
    assert!(listed(&sandbox, "demo-a").is_object(), "{}", text(&done));
    assert!(text(&done).contains("kept") || text(&done).contains("Kept"), "{}", text(&done));
}

#[test]
fn an_installation_with_programs_beside_its_distributions_is_healthy() {
    let base = tempfile::tempdir().unwrap();
    let Some(sandbox) = Sandbox::new(base.path()) else { return };
    let links = sandbox.path("links");
    std::fs::create_dir_all(&links).unwrap();
    Wheel::new("demo-p", "1.0").data("scripts/say-p", "#!/bin/sh\necho p\n", 0o755).save(&links);
    for mode in ["copy", "hardlink", "symlink"] {
        let prefix = sandbox.roots().join(mode);
        install_by(&sandbox, mode, &["--prefix", prefix.to_str().unwrap()], &["demo-p"]);
        assert!(prefix.join("bin/say-p").exists());
        let repair = sandbox.cachetui(&["repair", "--all", "--dry-run"]).output().unwrap();
        assert_eq!(repair.status.code(), Some(0), "{mode}: {}", text(&repair));
        let envs = sandbox.json(&["envs", site(&prefix).to_str().unwrap(), "--dists"]);
        let distribution = &envs["environments"][0]["distributions"][0];
        assert_eq!(distribution["state"], "ok", "{mode}: {distribution}");
    }
}

#[test]
fn an_environment_that_one_cache_knew_is_no_concern_of_another() {
    let base = tempfile::tempdir().unwrap();
    let Some(sandbox) = scene(base.path(), &["demo-a"]) else { return };
    folder(sandbox.path("keep-root"));
    install(&sandbox, "projects/app/.venv", "symlink", &["demo-a"]);
    assert!(remembering(&sandbox, &["list"]).status.success());
    // Another cache, whose uv has not seen that environment, has the package too.
    let second = sandbox.path("second");
    ran(Command::new("cp").arg("-a").arg(sandbox.cache()).arg(&second));
    forget(&sandbox);
    for record in std::fs::read_dir(&second).unwrap().flatten() {
        if record.file_name().to_str().unwrap().starts_with("interpreter-v") {
            std::fs::remove_dir_all(record.path()).unwrap();
        }
    }
    // Further away than is looked.
    let away = folder(sandbox.path("far/away/from/here")).join("moved");
    std::fs::rename(sandbox.path("projects/app"), away).unwrap();
    let prune = |cache: &Path| {
        let mut command = sandbox.command(env!("CARGO_BIN_EXE_cachetui"));
        command.args(PRUNE).arg("--cache-dir").arg(cache).arg("--root").arg(sandbox.path("keep-root"));
        text(&command.env("XDG_STATE_HOME", sandbox.path("state")).output().unwrap())
    };
    let done = prune(&second);
    assert!(done.contains("Removed 2 of 2"), "{done}");
    // The first one has not forgotten it.
    let kept = prune(&sandbox.cache());
    assert!(listed(&sandbox, "demo-a").is_object(), "{kept}");
}

#[test]
fn installations_whose_links_are_all_dead_are_broken_and_not_passed_over() {
    let base = tempfile::tempdir().unwrap();
    let Some(sandbox) = scene(base.path(), &["demo-a"]) else { return };
    let target = sandbox.roots().join("target");
    install_by(&sandbox, "symlink", &["--target", target.to_str().unwrap()], &["demo-a"]);
    sandbox.run_uv(&["cache", "clean", "--quiet"]);
    let envs = sandbox.cachetui(&["envs", "--json"]).output().unwrap();
    let answer: Value = serde_json::from_slice(&envs.stdout).unwrap();
    let environments = answer["environments"].as_array().unwrap();
    let found = environments.iter().find(|it| it["path"] == target.to_str().unwrap());
    assert_eq!(found.unwrap()["health"], "broken", "{answer:#}");
    let repair = sandbox.cachetui(&["repair", "--all", "--dry-run"]).output().unwrap();
    assert_eq!(repair.status.code(), Some(3), "{}", text(&repair));
    assert!(text(&repair).contains("demo-a"), "{}", text(&repair));
}

#[test]
fn a_copy_in_the_place_of_a_symlink_has_what_was_seen_through_it() {
    use std::os::unix::fs::MetadataExt as _;
    let base = tempfile::tempdir().unwrap();
    let Some(sandbox) = scene(base.path(), &["demo-a"]) else { return };
    let environment = install(&sandbox, "roots/app/.venv", "symlink", &["demo-a"]);
    let source = entry(&sandbox, "demo-a").join(module("demo-a"));
    std::fs::set_permissions(&source, std::fs::Permissions::from_mode(0o4755)).unwrap();
    let file = std::fs::File::open(&source).unwrap();
    let kept = rustix::fs::fsetxattr(&file, "user.note", b"mine", rustix::fs::XattrFlags::empty()).is_ok();
    let relink = sandbox.cachetui(&["relink", environment.to_str().unwrap(), "--link-mode", "copy", "--yes"]);
    let done = { relink }.output().unwrap();
    let copy = site(&environment).join(module("demo-a"));
    let metadata = std::fs::symlink_metadata(&copy).unwrap();
    assert!(metadata.is_file(), "{}", text(&done));
    assert_eq!(metadata.mode() & 0o7777, 0o4755, "{}", text(&done));
    let mut value = [0; 8];
    let read = rustix::fs::getxattr(&copy, "user.note", &mut value[..]);
    assert!(!kept || read.is_ok_and(|length| &value[..length] == b"mine"), "{}", text(&done));
}
