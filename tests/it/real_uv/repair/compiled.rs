//! What a wheel brings compiled, as numpy 2.2.6 does: uv links it like the rest; what Python compiles anew is its own.

use super::*;

const COMPILED: &str = "demo_a/__pycache__/shipped.cpython-311.pyc";

/// A sandbox with a wheel that brings a compiled file.
fn scene(base: &Path) -> Option<(Sandbox, String)> {
    let sandbox = Sandbox::new(base)?;
    let links = sandbox.path("links");
    std::fs::create_dir_all(&links).unwrap();
    Wheel::new("demo-a", "1.0").file(COMPILED, "compiled\n").entry_point().save(&links);
    Some((sandbox, links.to_str().unwrap().to_owned()))
}

fn install(sandbox: &Sandbox, links: &str, name: &str, mode: &str) -> PathBuf {
    sandbox.install(name, mode, &["--no-index", "--find-links", links, "demo-a"])
}

fn of_kind(sandbox: &Sandbox, command: &str, environment: &Path, more: &[&str], wanted: i32) -> String {
    let arguments = [&[command, environment.to_str().unwrap()], more].concat();
    ends(&mut sandbox.cachetui(&arguments), wanted)
}

#[test]
fn its_dead_link_is_broken_by_every_command_and_mended() {
    let base = tempfile::tempdir().unwrap();
    let Some((sandbox, links)) = scene(base.path()) else { return };
    let environment = install(&sandbox, &links, "app", "symlink");
    let compiled = site(&environment).join(COMPILED);
    assert!(compiled.is_symlink());
    sandbox.run_uv(&["cache", "clean", "--quiet"]);
    install(&sandbox, &links, "other", "copy");
    of_kind(&sandbox, "verify", &environment, &[], 3);
    of_kind(&sandbox, "repair", &environment, &["--yes"], 0);
    assert_eq!(std::fs::read(&compiled).unwrap(), b"compiled\n");
    is_whole(&sandbox, "cache", &environment);
    is_settled(&sandbox, "cache", &environment);
    of_kind(&sandbox, "verify", &environment, &[], 0);
    // Python makes it anew where it is missing.
    std::fs::remove_file(&compiled).unwrap();
    of_kind(&sandbox, "verify", &environment, &[], 0);
    is_settled(&sandbox, "cache", &environment);
}

#[test]
fn it_is_relinked_and_what_python_compiled_anew_stays() {
    let base = tempfile::tempdir().unwrap();
    let Some((sandbox, links)) = scene(base.path()) else { return };
    let environment = install(&sandbox, &links, "app", "symlink");
    let compiled = site(&environment).join(COMPILED);
    let relinked = |mode: &str| of_kind(&sandbox, "relink", &environment, &["--link-mode", mode, "--yes"], 0);
    let plan = |mode: &str| {
        let arguments = ["relink", environment.to_str().unwrap(), "--link-mode", mode, "--dry-run", "--json"];
        let (answer, _) = json(&mut sandbox.cachetui(&arguments[..5]));
        answer["plan"]["totals"]["steps"].clone()
    };
    for mode in ["copy", "hardlink", "symlink", "copy"] {
        let said = relinked(mode);
        assert!(compiled.is_symlink() == (mode == "symlink"), "{mode}: {said}");
        assert_eq!(plan(mode), 0, "{mode}: nothing is left to do");
    }
    assert_eq!(sandbox.json(&["list", "demo-a"])["entries"][0]["state"], "used");
    sandbox.run_uv(&["cache", "clean", "--quiet"]);
    install(&sandbox, &links, "other", "hardlink");
    assert_eq!(dangling(&environment), [] as [PathBuf; 0]);
    // As Python does: another file takes its place.
    let anew = compiled.with_extension("new");
    std::fs::write(&anew, "compiled anew\n").unwrap();
    std::fs::rename(&anew, &compiled).unwrap();
    relinked("hardlink");
    assert_eq!(std::fs::read(&compiled).unwrap(), b"compiled anew\n");
    assert_eq!(plan("hardlink"), 0);
    of_kind(&sandbox, "verify", &environment, &[], 0);
    let listed = sandbox.json(&["envs", environment.to_str().unwrap()]);
    assert_eq!(listed["environments"][0]["health"], "ok", "{listed:#}");
}

#[test]
fn a_generated_script_is_not_fetched() {
    let base = tempfile::tempdir().unwrap();
    let Some((sandbox, links)) = scene(base.path()) else { return };
    let environment = install(&sandbox, &links, "app", "copy");
    sandbox.run_uv(&["cache", "clean", "--quiet"]);
    std::fs::remove_file(environment.join("bin/demo-a")).unwrap();
    let (answer, ended) =
        json(&mut repair(&sandbox, "cache", &[environment.to_str().unwrap(), "--with-uv", "--dry-run"]));
    assert_eq!((ended, &answer["plan"]["totals"]["steps"]), (3, &0.into()), "{answer:#}");
    assert!(answer["plan"]["kept"][0]["reason"].as_str().unwrap().contains("an installer writes"));
}
