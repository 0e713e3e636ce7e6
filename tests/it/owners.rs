//! Root works for another user: what it makes is that user's, and that user's uv and cachetui go on as before. What a file has
//! and its replacement would lack stays.

mod attributes;
mod probe;

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::support::loopdev::Mounted;
use crate::support::not_run;
use crate::support::uv::{Sandbox, ran};
use crate::support::wheel::Wheel;

/// The user whose cache and environments they are.
const USER: u32 = 5_001;

/// A home, a cache and environments of [`USER`], filled by that user's uv.
struct Scene {
    sandbox: Sandbox,
    links: String,
    directory: Option<TempDir>,
}

fn chown(owner: &str, path: &Path) {
    ran(Command::new("chown").args(["-hR", owner]).arg(path));
}

impl Scene {
    fn new() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let mut scene = Self::at(directory.path())?;
        scene.directory = Some(directory);
        Some(scene)
    }

    /// In an existing directory.
    fn at(base: &Path) -> Option<Self> {
        std::fs::set_permissions(base, std::fs::Permissions::from_mode(0o755)).unwrap();
        let mut sandbox = Sandbox::new(base)?;
        sandbox.use_python_for_all()?;
        let links = sandbox.path("wheels");
        for version in ["1.0", "2.0"] {
            Wheel::new("one", version)
                .entry_point()
                .program("one/run.sh", "#!/bin/sh\necho run\n")
                .file("one/core.py", "CORE = True\n")
                .file("one/deep/inner.py", "DEEP = True\n")
                .save(&links);
        }
        Wheel::new("two", "1.0").file("two/core.py", "TWO = True\n").save(&links);
        let links = links.to_str().unwrap().to_owned();
        let scene = Self { sandbox, links, directory: None };
        let path = scene.sandbox.path("");
        chown(&format!("{USER}:{USER}"), &path);
        scene.sandbox.by(USER, &scene.sandbox.command("true"))?;
        Some(scene)
    }

    fn app(&self) -> PathBuf {
        self.sandbox.roots().join("app/.venv")
    }

    fn site(&self) -> PathBuf {
        let mut versions = self.app().join("lib").read_dir().unwrap();
        versions.next().unwrap().unwrap().path().join("site-packages")
    }

    /// The user's uv, which has to succeed.
    fn uv(&self, arguments: &[&str]) -> Output {
        ran(&mut self.sandbox.by(USER, &self.sandbox.uv(arguments)).unwrap())
    }

    fn install(&self, mode: &str, packages: &[&str]) {
        let (app, links) = (self.app(), &self.links);
        if !app.exists() {
            self.uv(&["venv", "--quiet", app.to_str().unwrap()]);
        }
        let install = ["pip", "install", "--quiet", "--link-mode", mode, "--python", app.to_str().unwrap()];
        self.uv(&[&install[..], &["--no-index", "--find-links", links], packages].concat());
    }

    /// cachetui by root, which keeps the user's home as `sudo -E` does.
    fn root(&self, arguments: &[&str]) -> Command {
        let mut command = self.sandbox.command(env!("CARGO_BIN_EXE_cachetui"));
        command.args(arguments).arg("--cache-dir").arg(self.sandbox.cache());
        command.arg("--root").arg(self.sandbox.roots());
        command
    }

    /// cachetui by the user.
    fn user(&self, arguments: &[&str]) -> Command {
        self.sandbox.by(USER, &self.root(arguments)).unwrap()
    }

    /// Everything there belongs to the user.
    fn is_the_users(&self, when: &str) {
        let foreign: Vec<String> = walkdir::WalkDir::new(self.sandbox.path(""))
            .into_iter()
            .map(Result::unwrap)
            .filter_map(|item| {
                let stat = item.path().symlink_metadata().unwrap();
                let owner = (stat.uid(), stat.gid());
                (owner != (USER, USER)).then(|| format!("{owner:?} {}", item.path().display()))
            })
            .collect();
        assert_eq!(foreign, Vec::<String>::new(), "{when}");
    }

    /// The user's own uv and cachetui do what they did before.
    fn works(&self, when: &str) {
        self.is_the_users(when);
        let app = self.app();
        let app = app.to_str().unwrap();
        for version in ["one==2.0", "one==1.0"] {
            self.install("hardlink", &[version, "two"]);
            self.uv(&["pip", "uninstall", "--quiet", "--python", app, "one", "two"]);
            self.install("copy", &[version, "two"]);
        }
        self.uv(&["pip", "check", "--python", app]);
        ran(&mut self.user(&["list"]));
        ran(self.user(&["prune", "one==2.0", "--trash", "--yes"]).args(ALLOW));
        ran(&mut self.user(&["undo"]));
        ran(self.user(&["prune", "one==2.0", "--trash", "--yes"]).args(ALLOW));
        ran(&mut self.user(&["trash", "purge", "--yes"]));
        self.uv(&["cache", "prune", "--quiet"]);
        self.install("hardlink", &["one==2.0"]);
        self.uv(&["cache", "clean", "--quiet"]);
        self.install("hardlink", &["one==1.0", "two"]);
        self.is_the_users(when);
    }
}

const ALLOW: [&str; 4] = ["--grace", "0h", "--allow", "most,other-owners,no-environments,gone"];

fn done(command: &mut Command, codes: &[i32]) -> Output {
    let output = command.output().unwrap();
    let said = crate::support::text(&output);
    assert!(output.status.code().is_some_and(|code| codes.contains(&code)), "{command:?}: {said}");
    output
}

/// The first file of the entry of a package.
fn entry_of(scene: &Scene, package: &str) -> PathBuf {
    let archive = scene.sandbox.cache().read_dir().unwrap().map(|item| item.unwrap().path());
    let mut buckets =
        archive.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("archive-v"));
    let mut entries = buckets.next().unwrap().read_dir().unwrap().map(|item| item.unwrap().path());
    entries.find(|path| path.join(package).is_dir()).unwrap()
}

/// Something that root does, by name.
type Operation = (&'static str, fn(&Scene));

fn operations() -> Vec<Operation> {
    vec![
        ("list, which writes the registry", |scene| {
            ran(&mut scene.root(&["list"]));
        }),
        ("doctor", |scene| {
            done(&mut scene.root(&["doctor"]), &[0, 3]);
        }),
        ("prune", |scene| {
            ran(scene.root(&["prune", "one==2.0", "--yes"]).args(ALLOW));
        }),
        ("prune into the trash", |scene| {
            ran(scene.root(&["prune", "one==2.0", "--trash", "--yes"]).args(ALLOW));
            scene.is_the_users("the trash is there");
            // The user goes on with what root has put there.
            ran(&mut scene.user(&["undo"]));
            ran(scene.root(&["prune", "one==2.0", "--trash", "--yes"]).args(ALLOW));
            ran(&mut scene.user(&["trash", "purge", "--yes"]));
        }),
        ("undo where uv has removed the directories meanwhile", |scene| {
            ran(scene.root(&["prune", "one==2.0", "--trash", "--yes"]).args(ALLOW));
            for item in scene.sandbox.cache().read_dir().unwrap().map(|item| item.unwrap().path()) {
                if item.file_name().unwrap().to_str().unwrap().starts_with("wheels-v") {
                    std::fs::remove_dir_all(item).unwrap();
                }
            }
            done(&mut scene.root(&["undo"]), &[0, 1]);
        }),
        ("trash purge", |scene| {
            ran(scene.root(&["prune", "one==2.0", "--trash", "--yes"]).args(ALLOW));
            ran(&mut scene.root(&["trash", "purge", "--yes"]));
        }),
        ("relink to copies", |scene| relink(scene, "copy")),
        ("relink to symlinks", |scene| relink(scene, "symlink")),
        ("relink to hardlinks", |scene| {
            relink(scene, "copy");
            relink(scene, "hardlink");
        }),
        ("relink to clones", |scene| {
            relink(scene, "copy");
            relink(scene, "clone");
        }),
        ("repair", |scene| {
            std::fs::remove_dir_all(scene.site().join("one/deep")).unwrap();
            std::fs::remove_file(scene.site().join("one/core.py")).unwrap();
            for mode in ["copy", "symlink", "hardlink"] {
                std::fs::remove_file(scene.site().join("two/core.py")).unwrap();
                done(&mut scene.root(&["repair", "--all", "--yes", "--link-mode", mode]), &[0, 1]);
                assert!(
                    scene.site().join("two/core.py").is_file()
                        && scene.site().join("one/deep/inner.py").is_file()
                );
            }
        }),
        ("repair of the cache's links", |scene| {
            for item in walkdir::WalkDir::new(scene.sandbox.cache()).into_iter().map(Result::unwrap) {
                if item.path_is_symlink() {
                    std::fs::remove_file(item.path()).unwrap();
                }
            }
            done(&mut scene.root(&["repair", "--links", "--yes"]), &[0, 1]);
        }),
        ("verify --detach", |scene| {
            let file = scene.site().join("one/core.py");
            std::fs::write(&file, "CORE = False\n").unwrap();
            let app = scene.app();
            done(&mut scene.root(&["verify", "--detach", app.to_str().unwrap(), "--yes"]), &[0, 1, 3]);
        }),
        ("locks --clean", |scene| {
            ran(&mut scene.root(&["list"]));
            ran(scene.root(&["prune", "one==2.0", "--yes"]).args(ALLOW));
            ran(&mut scene.root(&["locks", "--clean", "--yes"]));
        }),
        ("a saved plan", |scene| {
            let plan = scene.sandbox.path("tmp/plan.json");
            ran(scene.root(&["prune", "one==2.0", "--save", plan.to_str().unwrap()]).args(ALLOW));
            ran(&mut scene.root(&["apply", plan.to_str().unwrap(), "--yes"]));
            std::fs::remove_file(plan).unwrap();
        }),
        ("a lock directory that is named and missing", |scene| {
            let locks = scene.sandbox.path("home/of/locks");
            let mut relink = scene.root(&["relink", "--all", "--link-mode", "copy", "--yes"]);
            done(relink.arg("--lock-dir").arg(&locks), &[0]);
            scene.is_the_users("the lock directory");
            let mut relink = scene.user(&["relink", "--all", "--link-mode", "hardlink", "--yes"]);
            let output = done(relink.arg("--lock-dir").arg(&locks), &[0]);
            assert!(!String::from_utf8_lossy(&output.stdout).contains("left out"));
            ran(scene.root(&["locks", "--clean", "--yes"]).arg("--lock-dir").arg(&locks));
        }),
        ("lock files that are missing", |scene| {
            for path in [scene.sandbox.cache().join(".lock"), scene.app().join(".lock")] {
                std::fs::remove_file(path).unwrap();
            }
            relink(scene, "copy");
        }),
    ]
}

fn relink(scene: &Scene, mode: &str) {
    done(&mut scene.root(&["relink", "--all", "--link-mode", mode, "--yes"]), &[0]);
}

fn furnished() -> Option<Scene> {
    let scene = Scene::new()?;
    // A version that is not used, and an environment.
    scene.install("hardlink", &["one==2.0", "two"]);
    scene.install("hardlink", &["one==1.0", "two"]);
    Some(scene)
}

#[test]
fn after_whatever_root_does_everything_is_the_users_and_the_users_uv_works() {
    for (name, operation) in operations() {
        let Some(scene) = furnished() else { return };
        scene.is_the_users("before");
        operation(&scene);
        scene.works(name);
    }
}

#[test]
fn roots_umask_does_not_close_what_it_makes_for_a_group() {
    let Some(scene) = furnished() else { return };
    // A cache for a group, as `umask 002` and set-group-ID directories make it.
    ran(Command::new("chmod").args(["-R", "g+rwX"]).arg(scene.sandbox.path("")));
    for item in walkdir::WalkDir::new(scene.sandbox.path("")).into_iter().map(Result::unwrap) {
        if item.file_type().is_dir() {
            ran(Command::new("chmod").arg("g+s").arg(item.path()));
        }
    }
    std::fs::remove_dir_all(scene.site().join("one/deep")).unwrap();
    let repair = scene.root(&["repair", "--all", "--yes", "--link-mode", "copy"]);
    let mut umask = scene.sandbox.command("sh");
    umask.args(["-c", "umask 077; exec \"$@\"", "sh"]).arg(repair.get_program()).args(repair.get_args());
    ran(&mut umask);
    let made = scene.site().join("one/deep").symlink_metadata().unwrap();
    assert_eq!((made.mode() & 0o7777, made.uid(), made.gid()), (0o2775, USER, USER));
    scene.works("after root with another umask");
}

#[test]
fn a_directory_gets_the_owner_of_the_one_it_lies_in_where_parts_have_several() {
    let Some(scene) = furnished() else { return };
    let other = USER + 1;
    let package = scene.site().join("one");
    chown(&format!("{other}:{other}"), &package);
    std::fs::remove_dir_all(package.join("deep")).unwrap();
    ran(&mut scene.root(&["repair", "--all", "--yes", "--link-mode", "copy"]));
    for path in [package.join("deep"), package.join("deep/inner.py")] {
        let stat = path.symlink_metadata().unwrap();
        assert_eq!((stat.uid(), stat.gid()), (other, other), "{}", path.display());
    }
}

#[test]
fn root_lets_no_uv_work_in_the_cache_of_a_user() {
    let Some(scene) = furnished() else { return };
    scene.uv(&["cache", "clean", "--quiet"]);
    std::fs::remove_file(scene.site().join("two/core.py")).unwrap();
    let mut repair = scene.root(&["repair", "--all", "--with-uv", "--yes"]);
    let uv = scene.sandbox.uv(&[]);
    repair.env("UV", uv.get_program());
    // uv works in the project's directory, whose settings count.
    let settings = scene.app().with_file_name("uv.toml");
    std::fs::write(&settings, format!("no-index = true\nfind-links = [{:?}]\n", scene.links)).unwrap();
    chown(&format!("{USER}:{USER}"), &settings);
    let output = done(&mut repair, &[1, 3]);
    let said = String::from_utf8_lossy(&output.stdout);
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("run `cachetui repair` as that user") && said.contains("5001"), "{said}");
    scene.is_the_users("root refused");
    let mut own = scene.sandbox.by(USER, &repair).unwrap();
    ran(&mut own);
    assert!(scene.site().join("two/core.py").is_file());
    scene.works("the user's own repair");
}

#[test]
fn where_root_can_give_nothing_away_nothing_is_left_behind() {
    let Some(scene) = furnished() else { return };
    // In a user namespace that knows root alone, the user is somebody whose files root may not give away.
    let probe = Command::new("unshare").args(["--user", "--map-root-user", "true"]).status();
    if !probe.is_ok_and(|status| status.success()) {
        return not_run("user namespaces do not work here");
    }
    ran(Command::new("chmod").args(["-R", "a+rwX"]).arg(scene.sandbox.path("")));
    let mut inside = scene.sandbox.command("unshare");
    let prune = scene.root(&["prune", "one==2.0", "--trash", "--yes"]);
    inside.args(["--user", "--map-root-user"]).arg(prune.get_program()).args(prune.get_args()).args(ALLOW);
    let output = inside.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_ne!(output.status.code(), Some(0), "{said}");
    assert!(!scene.sandbox.cache().join(".cachetui-trash").exists(), "{said}");
    scene.is_the_users("nothing of it is there");
}

#[test]
fn what_root_makes_on_another_filesystem_is_the_users_too() {
    for kind in ["tmpfs", "xfs", "btrfs"] {
        let mounted = if kind == "tmpfs" { Mounted::tmpfs("size=64m") } else { Mounted::new(kind, 320) };
        let Some(mounted) = mounted else { continue };
        let Some(scene) = Scene::at(mounted.path()) else { return };
        scene.install("hardlink", &["one==2.0", "two"]);
        scene.install("hardlink", &["one==1.0", "two"]);
        ran(scene.root(&["prune", "one==2.0", "--trash", "--yes"]).args(ALLOW));
        ran(&mut scene.root(&["undo"]));
        for mode in ["copy", "clone", "symlink", "hardlink"] {
            relink(&scene, mode);
        }
        done(&mut scene.root(&["doctor"]), &[0, 3]);
        scene.works(kind);
    }
}

/// What `doctor` finds, by its word.
fn findings(scene: &Scene) -> Vec<(String, serde_json::Value)> {
    let output = done(&mut scene.root(&["doctor", "--json"]), &[0, 3]);
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let all = answer["doctor"]["cache"]["findings"].as_array().unwrap().clone();
    all.into_iter().map(|it| (it["kind"].as_str().unwrap().to_owned(), it)).collect()
}

#[test]
fn an_environment_that_was_given_away_and_shares_the_caches_files_is_named_and_parted() {
    let Some(scene) = furnished() else { return };
    let other = USER + 1;
    let app = scene.app();
    let shared = walkdir::WalkDir::new(&app).into_iter().map(Result::unwrap);
    let shared = shared.filter(|item| item.file_type().is_file());
    let shared = shared.filter(|item| item.metadata().unwrap().nlink() > 1).count();
    chown(&format!("{other}:{other}"), &app);
    let found = findings(&scene);
    let named = found.iter().find(|(kind, _)| kind == "shared-with-environment");
    let (_, named) = named.unwrap_or_else(|| panic!("{found:#?}"));
    assert_eq!(
        (&named["path"], &named["count"]),
        (&app.to_str().unwrap().into(), &shared.into()),
        "{named:#}"
    );
    let advice = named["advice"].as_str().unwrap();
    assert!(!found.iter().any(|(kind, _)| kind == "foreign-owner"), "{found:#?}");
    let said = format!("{found:?}");
    assert!(!said.contains("sudo") && !said.contains("chown -R"), "{said}");

    // The way out that it names.
    let command = advice.split('`').find(|text| text.starts_with("cachetui relink")).unwrap();
    let words: Vec<&str> = command.split(' ').skip(1).chain(["--yes"]).collect();
    done(&mut scene.root(&words), &[0]);
    let left = findings(&scene);
    let (_, left) = left.iter().find(|(kind, _)| kind == "foreign-owner").unwrap();
    let advice = left["advice"].as_str().unwrap();
    assert!(!advice.contains("sudo"), "{advice}");
    let command = advice.split('`').find(|text| text.starts_with("chown")).unwrap();
    ran(Command::new("sh").args(["-c", command]));
    let kinds: Vec<String> = findings(&scene).into_iter().map(|(kind, _)| kind).collect();
    assert!(!kinds.iter().any(|kind| kind.contains("owner") || kind.contains("shared")), "{kinds:?}");
    for item in walkdir::WalkDir::new(&app).into_iter().map(Result::unwrap) {
        assert_eq!(item.path().symlink_metadata().unwrap().uid(), other, "{}", item.path().display());
    }
}

#[test]
fn root_says_before_that_an_environment_gets_files_of_another_user() {
    let Some(scene) = furnished() else { return };
    let other = USER + 1;
    let app = scene.app();
    for mode in ["copy", "hardlink"] {
        relink(&scene, "copy");
        chown(&format!("{other}:{other}"), &app);
        std::fs::remove_file(scene.site().join("two/core.py")).unwrap();
        let mut repair = scene.root(&["repair", "--all", "--dry-run", "--json", "--link-mode", mode]);
        let output = done(&mut repair, &[0]);
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let warnings = answer["plan"]["warnings"].to_string();
        let warned = warnings.contains("belongs to user 5002") && warnings.contains("files of user 5001");
        assert_eq!(warned, mode == "hardlink", "{warnings}");
        ran(&mut scene.root(&["repair", "--all", "--yes", "--link-mode", mode]));
        let owner = scene.site().join("two/core.py").metadata().unwrap().uid();
        assert_eq!(owner, if mode == "copy" { other } else { USER });
    }
}

#[test]
fn root_makes_nothing_where_a_user_could_have_led_it() {
    use cachetui::linker::{Missing, Root};
    let Some(scene) = Scene::new() else { return };
    let (roots, users) = (tempfile::tempdir().unwrap(), scene.sandbox.path("home"));
    let link = |name: &str, to: &Path, owner: u32| {
        let path = users.join(name);
        std::os::unix::fs::symlink(to, &path).unwrap();
        std::os::unix::fs::lchown(&path, Some(owner), Some(owner)).unwrap();
        path
    };
    let made = |path: &Path| Root::reach(&path.join("state/cachetui"), Missing::Create).map(drop);
    let owner = |path: &Path| path.symlink_metadata().unwrap().uid();
    // A symlink of the user's to a directory of root's, and one to the user's own.
    assert!(made(&link("out", roots.path(), USER)).is_err());
    assert_eq!(roots.path().read_dir().unwrap().count(), 0);
    let own = users.join("own");
    std::fs::create_dir(&own).unwrap();
    chown(&format!("{USER}:{USER}"), &own);
    made(&link("in", &own, USER)).unwrap();
    assert_eq!((owner(&own.join("state")), owner(&own.join("state/cachetui"))), (USER, USER));
    // A directory of root's in the user's, which the user may put another one in the place of.
    std::fs::create_dir(users.join("roots")).unwrap();
    assert!(made(&users.join("roots")).is_err());
    // Where no user has a say, root makes what is root's.
    made(roots.path()).unwrap();
    assert_eq!(owner(&roots.path().join("state/cachetui")), 0);
    let saved = users.join("plan.json");
    cachetui::linker::write_new(&saved, b"{}", 0o644).unwrap();
    assert_eq!((owner(&saved), saved.metadata().unwrap().mode() & 0o777), (USER, 0o644));
    assert!(cachetui::linker::write_new(&users.join("out/plan.json"), b"{}", 0o644).is_err());
}
