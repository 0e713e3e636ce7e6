//! Plans of `relink`, `repair` and `verify --detach` that were saved: applied as they were, applied after a change, and changed
//! by somebody.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::text;
use crate::support::uv::{Sandbox, ran};
use crate::support::wheel::Wheel;

/// What somebody does to a step of a plan.
type Change<'a> = &'a dyn Fn(&mut Value);

const NAMES: [&str; 3] = ["demo-a", "demo-b", "demo-c"];

struct Scene {
    sandbox: Sandbox,
    _directory: tempfile::TempDir,
}

impl Scene {
    fn new() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::new(directory.path())?;
        for name in NAMES {
            let module = name.replace('-', "_");
            let wheel = Wheel::new(name, "1.0").bulk(&format!("{module}/bulk.bin"), 20);
            wheel.file(&format!("{module}/core.py"), "CORE = 1\n").save(&sandbox.path("links"));
        }
        Some(Self { sandbox, _directory: directory })
    }

    fn install(&self, name: &str, mode: &str) -> PathBuf {
        let links = self.sandbox.path("links");
        let places = ["--no-index", "--find-links", links.to_str().unwrap()];
        self.sandbox.install(name, mode, &[&places[..], &NAMES].concat())
    }

    /// The same again of one package, as uv does it.
    fn install_again(&self, environment: &Path, mode: &str, name: &str) {
        let links = self.sandbox.path("links");
        let python = environment.join("bin/python");
        let (links, python) = (links.to_str().unwrap(), python.to_str().unwrap());
        self.sandbox.run_uv(&[
            "pip",
            "install",
            "--quiet",
            "--offline",
            "--no-index",
            "--find-links",
            links,
            "--reinstall",
            "--link-mode",
            mode,
            "--python",
            python,
            name,
        ]);
    }

    /// Runs a command that writes a plan, and answers with the plan's file.
    fn save(&self, name: &str, arguments: &[&str], code: i32) -> PathBuf {
        let file = self.sandbox.path(name);
        let arguments = [arguments, &["--save", file.to_str().unwrap()]].concat();
        let output = self.sandbox.cachetui(&arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{}", text(&output));
        assert!(text(&output).contains("carries it out"), "{}", text(&output));
        file
    }

    /// What `apply` answers, which ends so.
    fn apply(&self, file: &Path, code: i32) -> Value {
        let arguments = ["apply", file.to_str().unwrap(), "--yes", "--json"];
        let output = self.sandbox.cachetui(&arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{}", text(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

fn site(environment: &Path) -> PathBuf {
    let mut versions = std::fs::read_dir(environment.join("lib")).unwrap();
    versions.next().unwrap().unwrap().path().join("site-packages")
}

fn links(environment: &Path, name: &str) -> u64 {
    std::fs::metadata(site(environment).join(name.replace('-', "_")).join("core.py")).unwrap().nlink()
}

/// Names of distributions by what became of them.
fn outcomes(answer: &Value, key: &str) -> Vec<(String, String)> {
    let list = if key.is_empty() { &answer["outcomes"] } else { &answer[key]["outcomes"] };
    let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let mut all: Vec<_> =
        list.as_array().unwrap().iter().map(|it| (word(&it["name"]), word(&it["state"]))).collect();
    all.sort();
    all
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, state)| ((*name).to_owned(), (*state).to_owned())).collect()
}

#[test]
fn a_saved_plan_to_relink_does_what_still_holds() {
    let Some(scene) = Scene::new() else { return };
    let app = scene.install("app", "copy");
    let relink = ["relink", app.to_str().unwrap(), "--link-mode", "hardlink"];
    let file = scene.save("relink.json", &relink, 0);
    assert!(NAMES.iter().all(|name| links(&app, name) == 1), "to save changes nothing");
    let again = scene.sandbox.cachetui(&[&relink[..], &["--save", file.to_str().unwrap()]].concat()).output();
    assert_eq!(again.unwrap().status.code(), Some(1), "never over a file");
    // One distribution is installed again meanwhile, and one is another environment's business.
    scene.install_again(&app, "copy", "demo-b");
    scene.install("other", "hardlink");
    let shown = ["apply", file.to_str().unwrap(), "--dry-run"];
    let said = text(&ran(&mut scene.sandbox.cachetui(&shown)));
    assert!(
        said.contains("left alone demo-b 1.0 in ") && said.contains("it has changed since the plan was made"),
        "{said}"
    );
    let done = scene.apply(&file, 1);
    let expected = pairs(&[("demo-a", "done"), ("demo-b", "stale"), ("demo-c", "done")]);
    assert_eq!(outcomes(&done, "report"), expected, "{done:#}");
    assert_eq!(NAMES.map(|name| links(&app, name)), [3, 1, 3]);
    // Nothing of it holds a second time.
    let stale = scene.apply(&file, 1);
    assert!(outcomes(&stale, "report").iter().all(|(_, state)| state == "stale"), "{stale:#}");
    let said = scene.sandbox.cachetui(&["apply", file.to_str().unwrap(), "--yes"]).output().unwrap();
    assert!(text(&said).contains("linked by hardlink already"), "{}", text(&said));
    // What the plan does not know is refused.
    let refused = scene.sandbox.cachetui(&["apply", file.to_str().unwrap(), "--trash", "--yes"]).output();
    assert_eq!(refused.unwrap().status.code(), Some(2));
}

#[test]
fn a_saved_plan_to_repair_does_what_still_holds() {
    let Some(scene) = Scene::new() else { return };
    let app = scene.install("app", "symlink");
    // The cache moves, and all links dangle; it is given by its new path.
    let moved = scene.sandbox.path("moved");
    std::fs::rename(scene.sandbox.cache(), &moved).unwrap();
    scene.install("warm", "hardlink");
    let from = moved.to_str().unwrap();
    let repair = ["repair", app.to_str().unwrap(), "--from", from, "--link-mode", "copy"];
    let file = scene.save("repair.json", &repair, 0);
    scene.install_again(&app, "copy", "demo-c");
    let done = scene.apply(&file, 1);
    let expected = pairs(&[("demo-a", "done"), ("demo-b", "done"), ("demo-c", "stale")]);
    assert_eq!(outcomes(&done, "report"), expected, "{done:#}");
    for name in NAMES {
        let core = site(&app).join(name.replace('-', "_")).join("core.py");
        assert_eq!(std::fs::read_to_string(core).unwrap(), "CORE = 1\n");
    }
    ran(&mut scene.sandbox.cachetui(&["repair", app.to_str().unwrap(), "--yes"]));
}

#[test]
fn a_saved_plan_for_links_of_the_cache_is_applied() {
    let Some(scene) = Scene::new() else { return };
    scene.install("app", "hardlink");
    let bucket = std::fs::read_dir(scene.sandbox.cache()).unwrap().map(|it| it.unwrap().path());
    let bucket =
        bucket.into_iter().find(|it| it.file_name().unwrap().to_string_lossy().starts_with("wheels-v"));
    let is_link = |it: &walkdir::DirEntry| it.path_is_symlink();
    let all = walkdir::WalkDir::new(bucket.unwrap()).into_iter().map(Result::unwrap);
    let gone: Vec<(PathBuf, PathBuf)> = all
        .filter(is_link)
        .map(|it| (it.path().to_owned(), std::fs::read_link(it.path()).unwrap()))
        .take(2)
        .collect();
    for (path, _) in &gone {
        std::fs::remove_file(path).unwrap();
    }
    let file = scene.save("links.json", &["repair", "--links"], 0);
    // One comes back by itself.
    std::os::unix::fs::symlink(&gone[0].1, &gone[0].0).unwrap();
    let done = scene.apply(&file, 1);
    let states: Vec<_> = outcomes(&done, "report").into_iter().map(|(_, state)| state).collect();
    assert!(states.contains(&"done".to_owned()) && states.contains(&"stale".to_owned()), "{done:#}");
    for (path, target) in gone {
        assert_eq!(std::fs::read_link(path).unwrap(), target);
    }
}

#[test]
fn a_saved_plan_to_detach_does_what_still_holds() {
    let Some(scene) = Scene::new() else { return };
    let (app, other) = (scene.install("app", "hardlink"), scene.install("other", "hardlink"));
    scene.install("copied", "copy");
    let core = |root: &Path, module: &str| site(root).join(module).join("core.py");
    for module in ["demo_a", "demo_b"] {
        std::fs::write(core(&app, module), "CORE = 2\n").unwrap();
    }
    let file = scene.save("detach.json", &["verify", "--detach", app.to_str().unwrap()], 0);
    std::fs::write(core(&app, "demo_b"), "CORE = 3 # again\n").unwrap();
    let done = scene.apply(&file, 1);
    let states: Vec<_> = outcomes(&done, "").into_iter().map(|(_, state)| state).collect();
    assert_eq!(states, ["done", "stale"], "{done:#}");
    let read = |path: PathBuf| std::fs::read_to_string(path).unwrap();
    assert_eq!(
        (read(core(&app, "demo_a")), read(core(&other, "demo_a"))),
        ("CORE = 2\n".into(), "CORE = 1\n".into())
    );
    assert_eq!(read(core(&other, "demo_b")), "CORE = 3 # again\n", "that edit was not agreed to");
}

/// Whatever somebody writes into a plan: only what would be planned now is done.
#[test]
fn a_saved_plan_that_was_changed_reaches_nothing_else() {
    let Some(scene) = Scene::new() else { return };
    let (app, other) = (scene.install("app", "copy"), scene.install("other", "copy"));
    let file = scene.save("plan.json", &["relink", app.to_str().unwrap(), "--link-mode", "hardlink"], 0);
    let good: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let changes: [(&str, Change<'_>); 5] = [
        ("path", &|step| step["path"] = other.to_str().unwrap().into()),
        ("entry", &|step| step["entry"]["path"] = "archive-v0/../../links".into()),
        ("dist_info", &|step| step["dist_info"]["path"] = "../x.dist-info".into()),
        ("mode", &|step| step["mode"] = "symlink".into()),
        ("action", &|step| step["action"] = "remove-entry".into()),
    ];
    for (what, change) in changes {
        let mut bad = good.clone();
        bad["steps"].as_array_mut().unwrap().iter_mut().for_each(change);
        std::fs::write(&file, serde_json::to_vec(&bad).unwrap()).unwrap();
        let arguments = ["apply", file.to_str().unwrap(), "--yes"];
        let output = scene.sandbox.cachetui(&arguments).output().unwrap();
        assert!(matches!(output.status.code(), Some(1 | 2)), "{what}: {}", text(&output));
        for root in [&app, &other] {
            assert!(NAMES.iter().all(|name| links(root, name) == 1), "{what}");
        }
    }
    std::fs::write(&file, serde_json::to_vec(&good).unwrap()).unwrap();
    scene.apply(&file, 0);
    assert_eq!(NAMES.map(|name| (links(&app, name), links(&other, name))), [(2, 1); 3]);
}
