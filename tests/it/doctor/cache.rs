//! What may be wrong with a cache itself, and settings that bite.

use std::os::unix::fs::{PermissionsExt as _, lchown, symlink};
use std::path::Path;
use std::process::Command;

use super::{Clinic, Told, text};
use crate::support::loopdev::Mounted;
use crate::support::not_run;
use crate::support::uv::ran;
use crate::support::wheel::Wheel;

fn clinic() -> Option<(tempfile::TempDir, Clinic)> {
    let directory = tempfile::tempdir().unwrap();
    let clinic = Clinic::new(directory.path())?;
    Some((directory, clinic))
}

fn permit(path: &Path, bits: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(bits)).unwrap();
}

fn entry(clinic: &Clinic) -> std::path::PathBuf {
    clinic.cached_file().ancestors().nth(2).unwrap().to_owned()
}

#[test]
fn pointers_that_lead_nowhere_and_what_breaks_by_them_are_told() {
    let Some((_directory, clinic)) = clinic() else { return };
    let linked = clinic.sandbox.roots().join("linked/.venv");
    clinic.install(&linked, "symlink");
    let note = clinic.doctor(&[]);
    assert_eq!((note.code, &note.cause(&linked, "symlinked")["fault"]), (0, &false.into()));
    assert!(text(note.cause(&linked, "symlinked"), "cost").contains("prune"));
    std::fs::remove_dir_all(entry(&clinic)).unwrap();
    let told = clinic.doctor(&[]);
    assert_eq!(told.code, 3);
    let dangling = told.finding("dangling-pointers");
    assert_eq!(dangling["count"], 2, "the link and the `.rev` file: {dangling:#}");
    assert!(text(dangling, "advice").contains("`cachetui repair --links`"), "{dangling:#}");
    assert!(text(dangling, "advice").contains("(of demo-a)"), "{dangling:#}");
    let broken = told.finding("broken-environments");
    assert_eq!((&broken["count"], text(broken, "path")), (&1.into(), linked.display().to_string()));
    // What is advised helps: uv installs again where it failed before.
    let told = clinic.sandbox.cachetui(&["repair", "--links", "--dry-run", "--json"]).output().unwrap();
    let told: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap();
    let words = told["plan"]["kept"][0]["commands"][0].as_array().unwrap();
    let words: Vec<&str> = words.iter().map(|word| word.as_str().unwrap()).collect();
    assert_eq!((words[0], words.len()), ("rm", 5), "the link and the `.rev` file: {told:#}");
    crate::support::uv::ran(clinic.sandbox.command("rm").args(&words[1..]));
    let python = linked.join("bin/python");
    clinic.pip(&["--reinstall", "--python", python.to_str().unwrap()]);
    let told = clinic.doctor(&[]);
    assert_eq!((told.code, told.faults()), (0, Vec::new()), "{:#}", told.doctor);
}

#[test]
fn a_cache_that_was_moved_is_told_with_the_root_its_pointers_name() {
    let Some((_directory, clinic)) = clinic() else { return };
    let linked = clinic.sandbox.roots().join("linked/.venv");
    clinic.install(&linked, "symlink");
    let old = clinic.sandbox.path("before");
    let pointer = clinic.sandbox.cache().join("wheels-v7/pypi/moved");
    std::fs::create_dir_all(&pointer).unwrap();
    symlink(old.join("archive-v0/Moved67890123456"), pointer.join("1.0-py3-none-any")).unwrap();
    let module = linked.join("moved.py");
    symlink(old.join("archive-v0/Moved67890123456/moved.py"), &module).unwrap();
    let told = clinic.doctor(&[]);
    let foreign = told.finding("foreign-pointers");
    assert!(text(foreign, "text").contains(old.to_str().unwrap()), "{foreign:#}");
    assert_eq!((&foreign["count"], &foreign["fault"], told.code), (&1.into(), &true.into(), 3));
    let symlinks = told.finding("foreign-symlinks");
    assert!(text(symlinks, "text").contains(old.to_str().unwrap()), "{symlinks:#}");
    assert_eq!(text(symlinks, "path"), module.display().to_string());
}

#[test]
fn entries_on_another_mount_than_the_root_are_told_since_uv_cannot_add_any() {
    let Some((_directory, clinic)) = clinic() else { return };
    let Some(other) = Mounted::tmpfs("size=16m") else { return };
    let archive = clinic.sandbox.cache().join("archive-v0");
    let moved = other.path().join("archive-v0");
    ran(Command::new("cp").arg("-a").args([&archive, &moved]));
    std::fs::remove_dir_all(&archive).unwrap();
    symlink(&moved, &archive).unwrap();
    let told = clinic.doctor(&[]);
    let finding = told.finding("entries-elsewhere");
    assert_eq!((&finding["fault"], text(finding, "path")), (&true.into(), archive.display().to_string()));
    // What is tried is a file of an entry: one in the root would say nothing about the entries.
    let environment = clinic.sandbox.roots().join("healthy/.venv");
    told.cause(&environment, "different-device");
    let wheel = Wheel::new("demo-c", "1.0").save(&clinic.wheels);
    let python = environment.join("bin/python");
    let mut install = clinic.sandbox.uv(&["pip", "install", "--python", python.to_str().unwrap()]);
    let output = install.arg(wheel).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("cross-device"), "{said}");
}

#[test]
fn islands_of_another_owner_are_told_in_a_cache_of_one_user() {
    let Some((_directory, clinic)) = clinic() else { return };
    if !rustix::process::geteuid().is_root() {
        return not_run("files of two users need root");
    }
    let entry = entry(&clinic);
    let mut expected = 0;
    for item in walkdir::WalkDir::new(&entry) {
        lchown(item.unwrap().path(), Some(65_534), None).unwrap();
        expected += 1;
    }
    let told = clinic.doctor(&[]);
    let island = told.finding("foreign-owner");
    assert_eq!((&island["count"], &island["fault"]), (&expected.into(), &true.into()));
    assert_eq!(text(island, "path"), entry.display().to_string(), "the top of the island is named");
    assert!(text(island, "text").contains("user 65534") && text(island, "advice").contains("chown -R 0"));
    // Where several users may write, several owners are as it should be, but all must be able to read and write.
    for item in walkdir::WalkDir::new(clinic.sandbox.cache()) {
        let item = item.unwrap();
        if item.file_type().is_dir() {
            permit(item.path(), 0o2775);
        } else if item.file_type().is_file() && item.file_name() != ".lock" {
            permit(item.path(), 0o664);
        }
    }
    let shared = clinic.doctor(&[]);
    assert_eq!(shared.faults(), Vec::<&str>::new());
    permit(&entry, 0o755);
    permit(&clinic.cached_file(), 0o600);
    permit(&clinic.sandbox.cache().join(".lock"), 0o644);
    let told = clinic.doctor(&[]);
    assert_eq!((&told.finding("closed-directories")["count"], told.code), (&1.into(), 3));
    assert_eq!(text(told.finding("closed-directories"), "path"), entry.display().to_string());
    assert_eq!(text(told.finding("closed-files"), "path"), clinic.cached_file().display().to_string());
    assert!(text(told.finding("lock-mode"), "text").contains("0644"));
    assert_eq!(told.finding("lock-mode")["fault"], true);
}

#[test]
fn what_is_left_lying_about_is_worth_knowing() {
    let Some((_directory, clinic)) = clinic() else { return };
    let cache = clinic.sandbox.cache();
    for name in [".tmpAbCdEf", ".tmpcachetui-probe-Xy12Zw", "notes", "archive-v0/Alone67890123456"] {
        std::fs::create_dir(cache.join(name)).unwrap();
    }
    permit(&cache.join(".lock"), 0o644);
    let told = clinic.doctor(&[]);
    assert_eq!((told.code, told.faults()), (0, Vec::new()), "{:#}", told.doctor);
    assert_eq!(told.finding("temporary")["count"], 2);
    assert_eq!(text(told.finding("strays"), "path"), cache.join("notes").display().to_string());
    assert_eq!(told.finding("entries-without-pointers")["count"], 1);
    assert_eq!(told.finding("lock-mode")["fault"], false, "nobody else has to lock a cache of one user");
}

#[test]
fn a_setting_that_copies_or_symlinks_everything_is_worth_knowing() {
    let Some((_directory, clinic)) = clinic() else { return };
    let copies = clinic.sandbox.roots().join("copies/.venv");
    clinic.install(&copies, "copy");
    for (mode, word) in [("copy", "Unset it"), ("symlink", "do not prune")] {
        let mut command = clinic.sandbox.cachetui(&["doctor", "--json"]);
        let told = Told::by(command.env("UV_LINK_MODE", mode));
        let setting = &told.doctor["settings"][0];
        assert!(
            text(setting, "text").contains(mode) && text(setting, "advice").contains(word),
            "{setting:#}"
        );
        assert_eq!(told.code, 0);
        let copied = &told.environment(&copies)["has"]["copied"];
        if copied.as_u64().unwrap() > 0 {
            assert_eq!(&told.cause(&copies, "copied")["bytes"], copied);
        }
    }
    let told = clinic.doctor(&[]);
    assert_eq!(told.doctor["settings"], serde_json::json!([]));
}

/// What happens to a file.
type Harm = fn(&Path);

/// Makes everything in an entry an hour old, as it is where something happens to it later.
fn age(entry: &Path) {
    for item in walkdir::WalkDir::new(entry).contents_first(true) {
        ran(Command::new("touch").args(["-h", "-d", "1 hour ago"]).arg(item.unwrap().path()));
    }
}

#[test]
fn files_that_are_gone_from_an_entry_emptied_or_of_another_size_are_told() {
    let Some((_directory, clinic)) = clinic() else { return };
    let file = clinic.cached_file();
    let original = std::fs::read(&file).unwrap();
    let absent = |told: &Told| {
        let findings = told.doctor["cache"]["findings"].as_array().unwrap();
        !findings.iter().any(|finding| finding["kind"] == "damaged-entries")
    };
    age(&entry(&clinic));
    assert!(absent(&clinic.doctor(&[])), "nothing is wrong yet");
    let harms: [(&str, Harm); 4] = [
        ("gone", |file| std::fs::remove_file(file).unwrap()),
        ("gone with its directory", |file| std::fs::remove_dir_all(file.parent().unwrap()).unwrap()),
        ("emptied, with its old time", |file| {
            std::fs::write(file, "").unwrap();
            ran(Command::new("touch").args(["-d", "1 hour ago"]).arg(file));
        }),
        ("longer", |file| std::fs::write(file, "longer than it was before\n".repeat(20)).unwrap()),
    ];
    for (what, harm) in harms {
        let place = entry(&clinic);
        let whole = clinic.sandbox.path("whole");
        ran(Command::new("cp").arg("-a").args([&place, &whole]));
        harm(&file);
        let told = clinic.doctor(&[]);
        let finding = told.finding("damaged-entries");
        assert_eq!((&finding["count"], &finding["fault"], told.code), (&1.into(), &true.into(), 3), "{what}");
        assert_eq!(text(finding, "path"), place.display().to_string(), "{what}");
        assert!(text(finding, "advice").contains("(of demo-a==1.0)"), "{what}: {finding:#}");
        // What the advice names says which file it is.
        let verify = clinic.sandbox.cachetui(&["verify"]).output().unwrap();
        let said = String::from_utf8_lossy(&verify.stdout).into_owned();
        assert_eq!(verify.status.code(), Some(3), "{what}: {said}");
        assert!(said.contains("demo_a"), "{what}: {said}");
        std::fs::remove_dir_all(&place).unwrap();
        std::fs::rename(&whole, &place).unwrap();
    }
    assert_eq!(std::fs::read(&file).unwrap(), original);
    assert!(absent(&clinic.doctor(&[])), "all is as it was");
}

#[test]
fn a_wheel_that_lists_what_it_never_had_is_no_damage() {
    let Some((_directory, clinic)) = clinic() else { return };
    let place = entry(&clinic);
    let record = place.join("demo_a-1.0.dist-info/RECORD");
    let mut rows = std::fs::read_to_string(&record).unwrap();
    rows.push_str("demo_a/never.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,12\n");
    std::fs::write(&record, rows).unwrap();
    age(&place);
    let told = clinic.doctor(&[]);
    let findings = told.doctor["cache"]["findings"].as_array().unwrap();
    assert!(!findings.iter().any(|finding| finding["kind"] == "damaged-entries"), "{findings:#?}");
}

#[test]
fn entries_with_the_same_files_are_told_with_the_bytes_and_what_avoids_it() {
    let Some((_directory, clinic)) = clinic() else { return };
    let found = |told: &Told| {
        let findings = told.doctor["cache"]["findings"].as_array().unwrap();
        findings.iter().find(|finding| finding["kind"] == "same-contents").cloned()
    };
    assert_eq!(found(&clinic.doctor(&[])), None, "different wheels are not the same");
    // The same wheels in another directory: uv keeps them apart.
    let other = clinic.sandbox.path("other-wheels");
    ran(Command::new("cp").arg("-a").args([&clinic.wheels, &other]));
    let environment = clinic.sandbox.roots().join("second/.venv");
    clinic.sandbox.run_uv(&["venv", "--quiet", environment.to_str().unwrap()]);
    let python = environment.join("bin/python");
    clinic.sandbox.run_uv(&[
        "pip",
        "install",
        "--quiet",
        "--no-index",
        "--link-mode",
        "hardlink",
        "--python",
        python.to_str().unwrap(),
        "--find-links",
        other.to_str().unwrap(),
        "demo-a",
    ]);
    let told = clinic.doctor(&[]);
    let same = found(&told).unwrap_or_else(|| panic!("{:#}", told.doctor));
    assert_eq!((&same["count"], &same["fault"]), (&2.into(), &false.into()), "{same:#}");
    assert!(text(&same, "text").contains("2 entries have the same files, "), "{same:#}");
    assert!(
        text(&same, "advice").contains("one place only") && text(&same, "advice").contains("demo-a==1.0")
    );
    // Both are in the list, and can be told apart there.
    let list = clinic.sandbox.cachetui(&["list", "demo-a"]).output().unwrap();
    let list = String::from_utf8_lossy(&list.stdout).into_owned();
    let rows: Vec<&str> = list.lines().filter(|line| line.starts_with("demo-a")).collect();
    assert_eq!(rows.len(), 2, "{list}");
    assert!(list.contains("WHICH") && rows[0] != rows[1], "{list}");
}
