//! A command that is named comes from where the package came: every origin with every damage and in every link mode, and
//! afterwards everything is as it was, the right place was asked, and nothing else has changed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::index::Index;
use crate::support::uv::{Sandbox, ran};
use crate::support::wheel::{Wheel, sdist};

/// Two indexes, a directory of wheels and single files, all with the same name and version and each with its own content.
struct World {
    sandbox: Sandbox,
    /// The one that is asked where nothing else is said.
    public: Index,
    private: Index,
}

const NAME: &str = "demo-x";

fn wheel(directory: &Path, version: &'static str, content: &str) -> PathBuf {
    Wheel::new(NAME, version)
        .file("demo_x/part.py", format!("FROM = {content:?}\n"))
        .file("demo_x/other.py", "OTHER = 1\n")
        .save(directory)
}

impl World {
    fn new(directory: &Path) -> Option<Self> {
        let sandbox = Sandbox::new(directory)?;
        for (place, version) in [("public", "1.0"), ("private", "1.0"), ("files", "1.0"), ("single", "1.0")] {
            wheel(&sandbox.path(place), version, place);
        }
        wheel(&sandbox.path("private"), "2.0", "private 2");
        wheel(&sandbox.path("public"), "2.0", "public 2");
        sdist(&sandbox.path("built"), "demo-s", "1.0");
        let (public, private) =
            (Index::serve(&sandbox.path("public")), Index::serve(&sandbox.path("private")));
        // A person's own settings name another index than the one that some of it comes from.
        let text = format!("index-url = {:?}\n", public.simple());
        std::fs::create_dir_all(sandbox.path("home/config/uv")).unwrap();
        std::fs::write(sandbox.path("home/config/uv/uv.toml"), text).unwrap();
        Some(Self { sandbox, public, private })
    }

    /// What installs from an origin.
    fn arguments(&self, origin: &str) -> Vec<String> {
        let it = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let path = |name: &str| self.sandbox.path(name).display().to_string();
        match origin {
            "settings" => it(&["demo-x==1.0"]),
            "index" => it(&["--index", &self.private.simple(), "demo-x==1.0"]),
            "files" => it(&["--no-index", "--find-links", &path("files"), "demo-x==1.0"]),
            "path" => it(&[&path("single/demo_x-1.0-py3-none-any.whl")]),
            "url" => it(&[&format!("demo-x @ {}", self.private.file("demo_x-1.0-py3-none-any.whl"))]),
            other => panic!("{other}"),
        }
    }

    fn install(&self, name: &str, mode: &str, arguments: &[String]) -> PathBuf {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        self.sandbox.install(name, mode, &arguments)
    }

    fn cachetui(&self, arguments: &[&str]) -> (Value, i32) {
        let mut command = self.sandbox.cachetui(arguments);
        let output = command.env_remove("UV_FIND_LINKS").arg("--json").output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        let answer = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {told}"));
        (answer, output.status.code().unwrap())
    }

    /// The commands that `verify` and `repair` name, in order, and everything they say.
    fn named(&self) -> (Vec<Vec<String>>, Value) {
        let (repair, _) = self.cachetui(&["repair", "--all", "--dry-run"]);
        let (verify, _) = self.cachetui(&["verify", "--all"]);
        let lefts = repair["plan"]["kept"].as_array().unwrap();
        // What `repair` names is enough where it names something.
        let advice = if lefts.is_empty() { verify["advice"].as_array().unwrap() } else { lefts };
        let mut all: Vec<Vec<String>> = Vec::new();
        for command in advice.iter().flat_map(|it| it["commands"].as_array().unwrap()) {
            let words =
                command.as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect();
            if !all.contains(&words) {
                all.push(words);
            }
        }
        (all, serde_json::json!([repair, verify]))
    }

    /// Runs one command, with blanks filled in.
    fn run(&self, words: &[String], blanks: &BTreeMap<&str, String>) {
        let fill =
            |word: &String| blanks.iter().fold(word.clone(), |word, (blank, text)| word.replace(blank, text));
        let words: Vec<String> = words.iter().map(fill).collect();
        let rest: Vec<&str> = words[1..].iter().map(String::as_str).collect();
        match words[0].as_str() {
            "uv" => drop(ran(&mut self.sandbox.uv(&rest))),
            "cachetui" => {
                let mut command = self.sandbox.command(env!("CARGO_BIN_EXE_cachetui"));
                command.args(["--no-remember", "--root"]).arg(self.sandbox.roots());
                for word in rest {
                    command.arg(word);
                    // Whoever reads the command says yes.
                    if word == "prune" || word == "repair" {
                        command.arg("--yes");
                    }
                }
                let output = command.output().unwrap();
                // What `repair` cannot do it names, and exits with 3.
                let names_more = words.iter().any(|word| word == "repair") && output.status.code() == Some(3);
                assert!(output.status.success() || names_more, "{words:?}: {output:?}");
            }
            "rm" => drop(ran(self.sandbox.command("rm").args(&rest))),
            other => panic!("`{other}` is named"),
        }
    }

    fn site(environment: &Path) -> PathBuf {
        environment.join("lib").read_dir().unwrap().next().unwrap().unwrap().path().join("site-packages")
    }

    /// Every file of an environment with its content, symlinks followed; a dead one has none.
    fn content(environment: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
        let site = Self::site(environment);
        walkdir::WalkDir::new(&site)
            .into_iter()
            .map(Result::unwrap)
            .filter(|item| !item.file_type().is_dir())
            .filter(|item| !item.path().to_string_lossy().contains("__pycache__"))
            // When it was installed.
            .filter(|item| item.file_name() != "uv_cache.json")
            .map(|item| {
                (item.path().strip_prefix(&site).unwrap().to_owned(), std::fs::read(item.path()).ok())
            })
            .collect()
    }
}

/// A damage, done to an environment and the cache.
type Damage = (&'static str, fn(&World, &Path));

fn entry_of(world: &World, version: &str) -> PathBuf {
    let listed = world.sandbox.json(&["list", &format!("demo-x=={version}")]);
    let id = listed["entries"][0]["id"].as_str().unwrap().to_owned();
    world.sandbox.cache().join("archive-v0").join(id)
}

const DAMAGES: [Damage; 4] = [
    ("an edited file", |_, environment| {
        std::fs::write(World::site(environment).join("demo_x/part.py"), "EDITED\n").unwrap();
    }),
    ("a file that is gone from both", |world, environment| {
        let entry = entry_of(world, "1.0");
        std::fs::remove_file(World::site(environment).join("demo_x/part.py")).unwrap();
        std::fs::remove_file(entry.join("demo_x/part.py")).ok();
    }),
    ("an entry that is gone", |world, environment| {
        let entry = entry_of(world, "1.0");
        std::fs::remove_dir_all(entry).unwrap();
        std::fs::remove_file(World::site(environment).join("demo_x/part.py")).unwrap();
    }),
    ("a cache that was cleaned", |world, environment| {
        world.sandbox.run_uv(&["cache", "clean", "--quiet", "demo-x"]);
        std::fs::remove_file(World::site(environment).join("demo_x/part.py")).unwrap();
    }),
];

/// Runs all that is named, with blanks filled in, after it was shown that nothing happens where they are not.
fn run_all(
    world: &World,
    origin: &str,
    case: &str,
    environment: &Path,
    commands: &[Vec<String>],
    told: &Value,
) {
    let blanks = BTreeMap::from([
        (
            "https://<INDEX-URL>",
            if origin == "settings" { world.public.simple() } else { world.private.simple() },
        ),
        ("<DIRECTORY>", world.sandbox.path("files").display().to_string()),
    ]);
    // What did not come from PyPI is never asked for by name and version alone; PyPI is on no machine of these tests.
    for words in commands.iter().filter(|words| words.iter().any(|word| word.starts_with("demo-x=="))) {
        assert!(words.iter().any(|word| word == "--index" || word == "--find-links"), "{case}: {words:?}");
        let is_blank = words.iter().any(|word| word.contains('<'));
        assert!(!is_blank || told.to_string().contains("stands for"), "{case}: {words:?}");
        if is_blank {
            // As it stands, uv refuses it and changes nothing.
            let now = World::content(environment);
            let rest: Vec<&str> = words[1..].iter().map(String::as_str).collect();
            assert!(!world.sandbox.uv(&rest).output().unwrap().status.success(), "{case}: {words:?}");
            assert_eq!(World::content(environment), now, "{case}");
        }
    }
    for words in commands {
        let beside = words.iter().any(|word| word == "demo-x==2.0");
        if beside {
            let private = BTreeMap::from([("https://<INDEX-URL>", world.private.simple())]);
            world.run(words, &private);
            continue;
        }
        if origin == "files" && words.iter().any(|word| word == "https://<INDEX-URL>") {
            // A person knows that it was a directory.
            let mut words = words.clone();
            let at = words.iter().position(|word| word == "--index").unwrap();
            words.splice(
                at..at + 2,
                ["--no-index", "--find-links", blanks["<DIRECTORY>"].as_str()].map(str::to_owned),
            );
            world.run(&words, &blanks);
            continue;
        }
        world.run(words, &blanks);
    }
}

/// One origin, one damage, one mode.
fn one(origin: &str, (damage, harm): Damage, mode: &str) {
    let directory = tempfile::tempdir().unwrap();
    let Some(world) = World::new(directory.path()) else { return };
    let case = format!("{origin}, {damage}, {mode}");
    let environment = world.install("app", mode, &world.arguments(origin));
    // Another version of the same package, which other symlinks reach.
    let beside = world.install(
        "beside",
        "symlink",
        &["--index".to_owned(), world.private.simple(), "demo-x==2.0".to_owned()],
    );
    let (before, other) = (World::content(&environment), World::content(&beside));
    harm(&world, &environment);
    let mut commands = Vec::new();
    for round in 0..3 {
        let (named, told) = world.named();
        if round == 0 && named.is_empty() {
            // What may be the last copy, and is needed by symlinks, is not named to be removed.
            assert_eq!((origin, mode), ("files", "symlink"), "{case}: {told:#}");
            assert!(told.to_string().contains("No command is named"), "{case}: {told:#}");
            return;
        }
        run_all(&world, origin, &case, &environment, &named, &told);
        commands.extend(named);
    }
    assert_eq!(World::content(&environment), before, "{case}: {commands:#?}");
    assert_eq!(World::content(&beside), other, "{case}: {commands:#?}");
    let (told, code) = world.cachetui(&["verify", "--all"]);
    assert_eq!(code, 0, "{case}: {told:#}");
}

fn with_each_damage_and_mode(origin: &str) {
    for damage in DAMAGES {
        for mode in ["hardlink", "copy", "symlink"] {
            one(origin, damage, mode);
        }
    }
}

#[test]
fn what_came_from_the_index_of_the_settings_comes_from_there_again() {
    with_each_damage_and_mode("settings");
}

#[test]
fn what_came_from_another_index_never_comes_from_that_of_the_settings() {
    with_each_damage_and_mode("index");
}

#[test]
fn what_came_from_a_directory_of_wheels_comes_from_such_a_directory_again() {
    with_each_damage_and_mode("files");
}

#[test]
fn what_came_from_a_path_comes_from_that_path_again() {
    with_each_damage_and_mode("path");
}

#[test]
fn what_came_from_a_url_comes_from_that_url_again() {
    with_each_damage_and_mode("url");
}

#[test]
fn credentials_are_in_no_answer_and_in_no_argument() {
    let directory = tempfile::tempdir().unwrap();
    let Some(world) = World::new(directory.path()) else { return };
    let secret = "s3cr3t-t0ken";
    let environment = world.install("app", "hardlink", &world.arguments("url"));
    let info = World::site(&environment).join("demo_x-1.0.dist-info/direct_url.json");
    let urls = [
        format!("https://me:{secret}@127.0.0.1:9/demo_x-1.0-py3-none-any.whl"),
        format!("https://{secret}@127.0.0.1:9/demo_x-1.0-py3-none-any.whl"),
        format!("https://127.0.0.1:9/demo_x-1.0-py3-none-any.whl?token={secret}"),
        format!("https://127.0.0.1:9/demo_x-1.0-py3-none-any.whl#token={secret}"),
    ];
    std::fs::remove_file(World::site(&environment).join("demo_x/part.py")).unwrap();
    std::fs::remove_file(entry_of(&world, "1.0").join("demo_x/part.py")).ok();
    for url in urls {
        for more in ["\"archive_info\": {}", "\"vcs_info\": {\"vcs\": \"git\", \"commit_id\": \"abc\"}"] {
            std::fs::write(&info, format!("{{\"url\": {url:?}, {more}}}")).unwrap();
            for arguments in [
                &["list"][..],
                &["envs"],
                &["links"],
                &["why", "demo-x"],
                &["verify", "--all"],
                &["repair", "--all", "--dry-run"],
                &["repair", "--all", "--with-uv", "--dry-run"],
                &["doctor", "--no-probe"],
                &["prune", "--unused", "--dry-run"],
            ] {
                for json in [&[][..], &["--json"]] {
                    let output =
                        world.sandbox.cachetui(&[arguments, json].concat()).arg("-v").output().unwrap();
                    let text = [output.stdout, output.stderr].concat();
                    let text = String::from_utf8_lossy(&text);
                    assert!(!text.contains(secret), "{url} {more} {arguments:?}: {text}");
                }
            }
            let (told, _) = world.cachetui(&["repair", "--all", "--with-uv", "--dry-run"]);
            assert!(
                told["plan"]["steps"].as_array().unwrap().iter().all(|step| step["action"] != "fetch"),
                "{told:#}"
            );
            let said = told.to_string();
            assert!(said.contains("fill it in"), "{url}: {told:#}");
        }
    }
}
