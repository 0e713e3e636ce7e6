//! What a file has and what would take its place has not: the file stays and is named, or its successor has it too.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{XattrFlags, lgetxattr, lsetxattr};
use serde_json::Value;

use super::{Scene, USER, chown, done};
use crate::support::loopdev::Mounted;
use crate::support::not_run;
use crate::support::uv::ran;

/// An access control list that lets user 5009 read.
fn acl() -> Vec<u8> {
    let entry = |tag: u16, bits: u16, id: u32| {
        [&tag.to_le_bytes()[..], &bits.to_le_bytes(), &id.to_le_bytes()].concat()
    };
    let nobody = u32::MAX;
    let entries = [
        entry(1, 6, nobody),
        entry(2, 4, 5_009),
        entry(4, 4, nobody),
        entry(16, 4, nobody),
        entry(32, 4, nobody),
    ];
    [2_u32.to_le_bytes().to_vec(), entries.concat()].concat()
}

/// `cap_net_raw+ep`.
fn capability() -> Vec<u8> {
    [0x0200_0001_u32, 1 << 13, 0, 0, 0].map(u32::to_le_bytes).concat()
}

fn attach(path: &Path, name: &str, value: &[u8]) {
    lsetxattr(path, name, value, XattrFlags::empty()).unwrap();
}

fn attached(path: &Path, name: &str) -> Option<Vec<u8>> {
    let mut value = vec![0; 1_024];
    let length = lgetxattr(path, name, &mut value[..]).ok()?;
    value.truncate(length);
    Some(value)
}

/// Everything of a file that a link would not have.
fn seen(path: &Path) -> String {
    let stat = path.symlink_metadata().unwrap();
    let names = ["system.posix_acl_access", "security.capability", "user.note", "trusted.note"];
    let attached: Vec<_> = names.iter().map(|name| attached(path, name)).collect();
    format!("{:o} {} {} {:?} {attached:?}", stat.mode(), stat.uid(), stat.gid(), stat.modified().unwrap())
}

/// Something that a file may have, by name; what is said of it; how it gets it.
type Trait = (&'static str, &'static str, fn(&Path));

fn bits(path: &Path, bits: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(bits)).unwrap();
}

const TRAITS: [Trait; 10] = [
    ("setuid", "mode 4755", |path| bits(path, 0o4755)),
    ("setgid", "mode 2755", |path| bits(path, 0o2755)),
    ("sticky", "mode 1644", |path| bits(path, 0o1644)),
    ("owner", "belongs to user 5007", |path| chown("5007", path)),
    ("group", "belongs to group 5008", |path| chown(":5008", path)),
    ("ACL", "access control list", |path| attach(path, "system.posix_acl_access", &acl())),
    ("capability", "capabilities", |path| attach(path, "security.capability", &capability())),
    ("attribute", "`user.note`", |path| attach(path, "user.note", b"mine")),
    ("attribute of root", "`trusted.note`", |path| attach(path, "trusted.note", b"mine")),
    ("closed", "mode 0600", |path| bits(path, 0o600)),
];

fn answer(command: &mut Command, codes: &[i32]) -> Value {
    serde_json::from_slice(&done(command, codes).stdout).unwrap()
}

/// The paths and reasons of what a plan keeps for what it has.
fn kept(answer: &Value) -> Vec<(String, String)> {
    let kept = answer["plan"]["kept"].as_array().unwrap().iter();
    let losing = kept.filter(|it| it["because"]["kind"] == "would-lose");
    losing.map(|it| (it["path"].as_str().unwrap().into(), it["reason"].as_str().unwrap().into())).collect()
}

/// The same of what a report says.
fn left(answer: &Value) -> Vec<(String, String)> {
    let outcomes = answer["report"]["outcomes"].as_array().unwrap().iter();
    let kept = outcomes.flat_map(|it| it["kept"].as_array().unwrap());
    kept.map(|it| (it["path"].as_str().unwrap().into(), it["why"].as_str().unwrap().into())).collect()
}

fn relink(scene: &Scene, mode: &str, more: &[&str]) -> Command {
    let mut command = scene.root(&["relink", "--all", "--link-mode", mode, "--json"]);
    command.args(more);
    command
}

fn copied() -> Option<(Scene, PathBuf)> {
    let scene = Scene::new()?;
    scene.install("copy", &["one==1.0", "two"]);
    let file = scene.site().join("one/core.py");
    Some((scene, file))
}

#[test]
fn a_file_with_what_a_link_would_lack_stays_and_is_named_before_and_after() {
    let Some((scene, file)) = copied() else { return };
    let (original, inner) = (std::fs::read(&file).unwrap(), scene.site().join("one/deep/inner.py"));
    for mode in ["hardlink", "symlink"] {
        for (name, said, give) in TRAITS {
            done(&mut relink(&scene, "copy", &["--yes"]), &[0]);
            std::fs::remove_file(&file).unwrap();
            std::fs::write(&file, &original).unwrap();
            chown(&format!("{USER}:{USER}"), &file);
            give(&file);
            let before = seen(&file);
            let inode = file.symlink_metadata().unwrap().ino();
            let planned = answer(&mut relink(&scene, mode, &["--dry-run"]), &[0]);
            let expected = file.to_str().unwrap();
            let told = kept(&planned);
            assert!(
                matches!(told.as_slice(), [(path, why)] if path == expected && why.contains(said)),
                "{name}, {mode}: {told:?}"
            );
            let files = planned["plan"]["totals"]["bytes"]["files"].as_u64().unwrap();
            let answered = answer(&mut relink(&scene, mode, &["--yes"]), &[0]);
            assert_eq!(kept(&answered), told, "{name}, {mode}");
            let told = left(&answered);
            assert!(
                matches!(told.as_slice(), [(path, why)] if path == expected && why.contains(said)),
                "{name}, {mode}: {told:?}"
            );
            assert_eq!(seen(&file), before, "{name}, {mode}");
            assert_eq!(file.symlink_metadata().unwrap().ino(), inode, "{name}, {mode}");
            let made =
                |it: &Value| it["made"].as_object().unwrap().values().filter_map(Value::as_u64).sum::<u64>();
            let outcomes = answered["report"]["outcomes"].as_array().unwrap().iter();
            assert_eq!(outcomes.map(made).sum::<u64>(), files, "{name}, {mode}: what was planned was made");
            let other = inner.symlink_metadata().unwrap();
            assert!(other.is_symlink() || other.nlink() > 1, "{name}, {mode}: the others are linked");
        }
    }
}

#[test]
fn the_reason_is_said_to_people_too() {
    let Some((scene, file)) = copied() else { return };
    bits(&file, 0o4755);
    let mut command = scene.root(&["relink", "--all", "--link-mode", "hardlink", "--dry-run"]);
    let output = ran(&mut command);
    let said = String::from_utf8_lossy(&output.stdout);
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("1 stays: it would lose its mode 4755") && said.contains("one/core.py"), "{said}");
    let mut command = scene.root(&["relink", "--all", "--link-mode", "hardlink", "--yes"]);
    let output = ran(&mut command);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("left alone, it would lose its mode 4755: "), "{said}");
}

#[test]
fn a_copy_keeps_all_that_the_file_had_whose_place_it_takes() {
    let Some((scene, file)) = copied() else { return };
    let beside = file.with_file_name("beside.txt");
    for mode in ["copy", "clone"] {
        for (name, _, give) in TRAITS {
            std::fs::remove_file(&beside).ok();
            give(&file);
            // Two names of one file in the environment: a copy takes the place of one.
            std::fs::hard_link(&file, &beside).unwrap();
            let before = seen(&file);
            answer(&mut relink(&scene, mode, &["--yes"]), &[0]);
            assert_eq!(seen(&file), before, "{name}, {mode}");
            assert_eq!(seen(&beside), before, "{name}, {mode}");
        }
    }
    assert_eq!(std::fs::read(&file).unwrap(), std::fs::read(&beside).unwrap());
}

#[test]
fn a_user_who_cannot_give_a_copy_what_a_file_has_leaves_the_file() {
    let Some((scene, file)) = copied() else { return };
    let beside = file.with_file_name("beside.txt");
    // Something else of the distribution is to be a copy.
    let inner = scene.site().join("one/deep/inner.py");
    std::fs::remove_file(&inner).unwrap();
    std::fs::hard_link(super::entry_of(&scene, "one").join("one/deep/inner.py"), &inner).unwrap();
    let users = |mode: &str, more: &[&str]| {
        let mut command = scene.user(&["relink", "--all", "--link-mode", mode, "--json"]);
        command.args(more);
        command
    };
    for (give, said) in [
        ((|path| chown("5007", path)) as fn(&Path), "belongs to user 5007"),
        (|path| attach(path, "security.capability", &capability()), "capabilities"),
    ] {
        std::fs::remove_file(&beside).ok();
        chown(&format!("{USER}:{USER}"), &file);
        give(&file);
        std::fs::hard_link(&file, &beside).unwrap();
        let before = seen(&file);
        for more in ["--dry-run", "--yes"] {
            let answered = answer(&mut users("copy", &[more]), &[0]);
            let told = kept(&answered);
            assert!(matches!(told.as_slice(), [(_, why)] if why.contains(said)), "{told:?}");
        }
        assert_eq!(seen(&file), before);
        assert_eq!(file.symlink_metadata().unwrap().nlink(), 2);
        std::fs::remove_file(&inner).unwrap();
        std::fs::hard_link(super::entry_of(&scene, "one").join("one/deep/inner.py"), &inner).unwrap();
    }
}

#[test]
fn an_immutable_or_append_only_file_stays_and_is_named() {
    let Some((scene, file)) = copied() else { return };
    for (flag, said) in [("i", "immutable"), ("a", "append-only")] {
        let set = |sign: &str| Command::new("chattr").arg(format!("{sign}{flag}")).arg(&file).output();
        if !set("+").is_ok_and(|output| output.status.success()) {
            return not_run("`chattr` does not work here");
        }
        let mut answers = Vec::new();
        for mode in ["hardlink", "symlink"] {
            for more in ["--dry-run", "--yes"] {
                answers.push(relink(&scene, mode, &[more]).output().unwrap());
            }
        }
        set("-").unwrap();
        for output in answers {
            assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
            let told = kept(&serde_json::from_slice(&output.stdout).unwrap());
            assert!(matches!(told.as_slice(), [(_, why)] if why.contains(said)), "{told:?}");
        }
        done(&mut relink(&scene, "copy", &["--yes"]), &[0]);
    }
}

#[test]
fn what_other_filesystems_keep_stays_there_too() {
    for kind in ["xfs", "btrfs"] {
        let Some(mounted) = Mounted::new(kind, 320) else { continue };
        let Some(scene) = Scene::at(mounted.path()) else { return };
        scene.install("copy", &["one==1.0", "two"]);
        let file = scene.site().join("one/core.py");
        attach(&file, "system.posix_acl_access", &acl());
        attach(&file, "user.note", b"mine");
        attach(&file, "security.capability", &capability());
        let before = seen(&file);
        for mode in ["hardlink", "symlink", "clone", "copy"] {
            answer(&mut relink(&scene, mode, &["--yes"]), &[0]);
            assert_eq!(seen(&file), before, "{mode} on {kind}");
        }
    }
}

#[test]
fn detaching_keeps_what_each_file_has() {
    let Some(scene) = Scene::new() else { return };
    scene.install("hardlink", &["one==1.0", "two"]);
    let other = scene.sandbox.roots().join("other/.venv");
    let (app, links) = (scene.app(), scene.links.clone());
    scene.uv(&["venv", "--quiet", other.to_str().unwrap()]);
    let install = ["pip", "install", "--quiet", "--link-mode", "copy", "--python", other.to_str().unwrap()];
    scene.uv(&[&install[..], &["--no-index", "--find-links", &links, "one==1.0"]].concat());
    let file = scene.site().join("one/core.py");
    bits(&file, 0o640);
    attach(&file, "user.note", b"mine");
    std::fs::write(&file, "CORE = False\n").unwrap();
    let cached = super::entry_of(&scene, "one").join("one/core.py");
    assert_eq!(file.metadata().unwrap().ino(), cached.metadata().unwrap().ino());
    let (mode, owner) = (cached.metadata().unwrap().mode(), cached.metadata().unwrap().uid());
    ran(&mut scene.root(&["verify", "--detach", app.to_str().unwrap(), "--yes"]));
    assert_eq!(std::fs::read(&file).unwrap(), b"CORE = False\n");
    assert_eq!(std::fs::read(&cached).unwrap(), b"CORE = True\n");
    for path in [&file, &cached] {
        let stat = path.metadata().unwrap();
        assert_eq!((stat.mode(), stat.uid()), (mode, owner), "{}", path.display());
        assert_eq!(attached(path, "user.note").as_deref(), Some(&b"mine"[..]), "{}", path.display());
    }
    scene.is_the_users("after detaching");
}

#[test]
fn a_persons_own_symlink_that_names_no_cache_is_no_damage() {
    let Some(scene) = Scene::new() else { return };
    scene.install("hardlink", &["one==1.0", "two"]);
    let file = scene.site().join("one/core.py");
    for text in ["/mnt/absent/core.py", "../elsewhere/core.py", "core.py"] {
        std::fs::remove_file(&file).unwrap();
        symlink(text, &file).unwrap();
        let mut repair = scene.root(&["repair", "--all", "--yes", "--json"]);
        let answered = answer(&mut repair, &[0, 3]);
        assert_eq!(std::fs::read_link(&file).unwrap(), Path::new(text), "{answered:#}");
        let steps = answered["plan"]["steps"].as_array().unwrap();
        assert!(steps.is_empty(), "{text}: {steps:#?}");
    }
    // One that names a cache is damage.
    std::fs::remove_file(&file).unwrap();
    symlink("/mnt/absent/archive-v0/AAAAAAAAAAAAAAAAAAAAA/one/core.py", &file).unwrap();
    ran(&mut scene.root(&["repair", "--all", "--yes"]));
    assert_eq!(std::fs::read(&file).unwrap(), b"CORE = True\n");
}
