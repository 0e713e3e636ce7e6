//! A command that is named comes from where the package came: every origin with every damage and in every link mode, and
//! afterwards everything is as it was, the right place was asked, and nothing else has changed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::index::Index;
use crate::support::uv::{RELEASES, Sandbox, ran};
use crate::support::wheel::{Wheel, project, sdist};

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
                // It says where to look, as the answer was asked for.
                assert!(rest.contains(&"--no-remember") && rest.contains(&"--root"), "{rest:?}");
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
                let path = item.path().strip_prefix(&site).unwrap().to_owned();
                (path, std::fs::read(item.path()).ok().map(without_its_time))
            })
            .collect()
    }
}

/// A file without the row that changes with the time of the wheel.
fn without_its_time(bytes: Vec<u8>) -> Vec<u8> {
    let Ok(text) = String::from_utf8(bytes.clone()) else { return bytes };
    let lines = text.split_inclusive('\n').filter(|line| !line.contains("/uv_cache.json,"));
    lines.collect::<String>().into_bytes()
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
        // uv notes that it took a wheel from this machine: no index is spoken of.
        assert!(origin != "files" || words.iter().all(|word| word != "--index"), "{case}: {words:?}");
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

/// What `repair` names for one environment, in order.
fn named_for(world: &World, environment: &Path) -> (Vec<Vec<String>>, Value) {
    named_by(world, &["repair", environment.to_str().unwrap(), "--dry-run"])
}

fn named_by(world: &World, arguments: &[&str]) -> (Vec<Vec<String>>, Value) {
    let (told, _) = world.cachetui(arguments);
    let lefts = told["plan"]["kept"].as_array().unwrap().iter();
    let commands = lefts.flat_map(|left| left["commands"].as_array().unwrap()).map(|command| {
        command.as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect()
    });
    (commands.collect(), told)
}

#[test]
fn a_directory_of_wheels_that_the_settings_name_is_found_again_by_the_file_that_it_has() {
    for version in RELEASES {
        let directory = tempfile::tempdir().unwrap();
        let Some(mut world) = World::new(directory.path()) else { return };
        if world.sandbox.use_release(version).is_none() {
            continue;
        }
        // The clocks of files are coarse; what is in the other directory was made at another time.
        std::thread::sleep(std::time::Duration::from_millis(50));
        wheel(&world.sandbox.path("files"), "1.0", "files");
        let environment = world.install("app", "copy", &world.arguments("files"));
        let before = World::content(&environment);
        let [files, other] = ["files", "single"].map(|name| world.sandbox.path(name));
        let settings = format!("find-links = [{other:?}, {files:?}]\n");
        std::fs::write(environment.parent().unwrap().join("uv.toml"), settings).unwrap();
        world.sandbox.run_uv(&["cache", "clean", "--quiet"]);
        std::fs::remove_file(World::site(&environment).join("demo_x/part.py")).unwrap();
        let (commands, told) = named_for(&world, &environment);
        assert_eq!(commands.len(), 1, "{version}: {told:#}");
        let place = commands[0].iter().position(|word| word == "--find-links").unwrap();
        assert_eq!(commands[0][place + 1], files.to_str().unwrap(), "{version}: {told:#}");
        // Another file of the same name may be another wheel, even with the same content.
        let wheel = files.join("demo_x-1.0-py3-none-any.whl");
        let bytes = std::fs::read(&wheel).unwrap();
        std::fs::write(&wheel, bytes).unwrap();
        let (blank, told) = named_for(&world, &environment);
        assert!(blank[0].contains(&"<DIRECTORY>".to_owned()), "{version}: {told:#}");
        assert!(told.to_string().contains("stands for the directory of this machine"), "{told:#}");
        world.run(&commands[0], &BTreeMap::new());
        assert_eq!(World::content(&environment), before, "{version}");
    }
}

#[test]
fn a_namesake_that_came_from_elsewhere_later_does_not_say_where_another_came_from() {
    for (mine, theirs) in [
        ("index", "settings"),
        ("files", "settings"),
        ("files", "index"),
        ("settings", "files"),
        ("index", "files"),
    ] {
        for mode in ["copy", "hardlink", "symlink"] {
            let directory = tempfile::tempdir().unwrap();
            let Some(world) = World::new(directory.path()) else { return };
            let case = format!("{mine}, then {theirs}, {mode}");
            let environment = world.install("app", mode, &world.arguments(mine));
            let before = World::content(&environment);
            world.sandbox.run_uv(&["cache", "clean", "--quiet"]);
            let other = world.install("other", mode, &world.arguments(theirs));
            let untouched = World::content(&other);
            for file in ["part.py", "other.py"] {
                std::fs::remove_file(World::site(&environment).join("demo_x").join(file)).unwrap();
            }
            let (commands, told) = named_for(&world, &environment);
            let words = commands.concat();
            let theirs_is_named = match theirs {
                "settings" => words.contains(&world.public.simple()),
                "index" => words.contains(&world.private.simple()),
                _ => words.contains(&world.sandbox.path("files").display().to_string()),
            };
            assert!(!theirs_is_named && words.iter().any(|word| word.contains('<')), "{case}: {told:#}");
            for words in &commands {
                let index = if mine == "index" { &world.private } else { &world.public };
                let blanks = BTreeMap::from([
                    ("https://<INDEX-URL>", index.simple()),
                    ("<DIRECTORY>", world.sandbox.path("files").display().to_string()),
                ]);
                world.run(words, &blanks);
            }
            assert_eq!(
                World::content(&environment)[Path::new("demo_x/part.py")],
                before[Path::new("demo_x/part.py")],
                "{case}"
            );
            assert_eq!(World::content(&other), untouched, "{case}");
        }
    }
}

/// Makes a repository, with a project in a subdirectory of it; answers its URL.
fn repository(world: &World) -> String {
    let path = world.sandbox.path("re po");
    project(&path.join("inner"), "demo-x", "1.0");
    let run = |arguments: &[&str]| {
        let mut command = world.sandbox.command("git");
        command.args([
            "-c",
            "user.name=demo",
            "-c",
            "user.email=demo@example.org",
            "-c",
            "commit.gpgsign=false",
        ]);
        ran(command.args(arguments).current_dir(&path));
    };
    for arguments in [&["init", "--quiet"][..], &["add", "."], &["commit", "--quiet", "--message", "demo"]] {
        run(arguments);
    }
    // What was installed is not the newest.
    format!("file://{}", path.display()).replace(' ', "%20")
}

fn newer(world: &World) {
    let path = world.sandbox.path("re po");
    std::fs::write(path.join("inner/demo_x/__init__.py"), "NAME = 'newer'\n").unwrap();
    let mut command = world.sandbox.command("git");
    command.args(["-c", "user.name=demo", "-c", "user.email=demo@example.org", "-c", "commit.gpgsign=false"]);
    ran(command.args(["commit", "--quiet", "--all", "--message", "newer"]).current_dir(&path));
}

#[test]
fn what_came_with_a_fragment_or_a_query_comes_with_it_again_by_the_command_to_the_letter() {
    let digest = |path: &Path| {
        let bytes = <sha2::Sha256 as sha2::Digest>::digest(std::fs::read(path).unwrap());
        data_encoding::HEXLOWER.encode(&bytes)
    };
    let cases = [
        "git",
        "git with egg",
        "git with query",
        "archive",
        "archive with hash",
        "wheel with hash",
        "directory with egg",
    ];
    for case in cases {
        for target in [false, true] {
            let directory = tempfile::tempdir().unwrap();
            let Some(world) = World::new(directory.path()) else { return };
            let repository = repository(&world);
            let inner = world.sandbox.path("re po/inner");
            let packed = world.sandbox.path("private/packed.tar.gz");
            ran(world
                .sandbox
                .command("tar")
                .arg("-czf")
                .arg(&packed)
                .arg("-C")
                .arg(world.sandbox.path(""))
                .arg("re po"));
            let url = world.private.file("packed.tar.gz");
            let wheel = world.sandbox.path("single/demo_x-1.0-py3-none-any.whl");
            let wanted = match case {
                "git" => format!("demo-x @ git+{repository}#subdirectory=inner"),
                "git with egg" => format!("git+{repository}#egg=demo-x&subdirectory=inner"),
                "git with query" => format!("demo-x @ git+{repository}?a=b#subdirectory=inner"),
                "archive" => format!("demo-x @ {url}#subdirectory=inner"),
                "archive with hash" => {
                    format!("demo-x @ {url}#sha256={}&subdirectory=inner", digest(&packed))
                }
                "wheel with hash" => format!("demo-x @ file://{}#sha256={}", wheel.display(), digest(&wheel)),
                _ => format!("demo-x @ file://{}#egg=demo-x", inner.display()).replace("re po", "re%20po"),
            };
            let place = if target {
                let place = world.sandbox.roots().join("lambda/libs");
                world.sandbox.run_uv(&[
                    "pip",
                    "install",
                    "--quiet",
                    "--link-mode",
                    "copy",
                    "--target",
                    place.to_str().unwrap(),
                    &wanted,
                ]);
                place
            } else {
                World::site(&world.install("app", "copy", &[wanted]))
            };
            let module = place.join("demo_x/__init__.py");
            let before = std::fs::read(&module).unwrap();
            world.sandbox.run_uv(&["cache", "clean", "--quiet"]);
            std::fs::remove_file(&module).unwrap();
            if case.starts_with("git") {
                newer(&world);
            }
            let at = place.display().to_string();
            // What has no link to the cache is looked at where it is named.
            let named: &[&str] = if target { &["--target", &at] } else { &[] };
            let (commands, told) = named_by(&world, &[&["repair", "--all", "--dry-run"], named].concat());
            assert!(!commands.is_empty(), "{case}: {told:#}");
            for words in &commands {
                world.run(words, &BTreeMap::new());
            }
            assert_eq!(std::fs::read(&module).ok(), Some(before), "{case}, {target}: {commands:#?}");
            let (told, code) = world.cachetui(&[&["verify", "--all"], named].concat());
            assert_eq!(code, 0, "{case}, {target}: {told:#}");
        }
    }
}

#[test]
fn a_command_sends_no_variable_of_whoever_runs_it_to_a_server() {
    let directory = tempfile::tempdir().unwrap();
    let Some(world) = World::new(directory.path()) else { return };
    let environment = world.install("app", "copy", &world.arguments("url"));
    let info = World::site(&environment).join("demo_x-1.0.dist-info/direct_url.json");
    let url = world.private.file("demo_x-1.0-py3-none-any.whl");
    // A place that only somebody with the variable would ask for.
    std::fs::create_dir_all(world.sandbox.path("private")).unwrap();
    let hostile = url.replace("demo_x-1.0", "${LEAKED}_x-1.0");
    std::fs::write(&info, format!("{{\"url\": {hostile:?}, \"archive_info\": {{}}}}")).unwrap();
    world.sandbox.run_uv(&["cache", "clean", "--quiet"]);
    let module = World::site(&environment).join("demo_x/part.py");
    std::fs::remove_file(&module).unwrap();
    let (commands, told) = named_for(&world, &environment);
    assert_eq!(commands.len(), 1, "{told:#}");
    let rest: Vec<&str> = commands[0][1..].iter().map(String::as_str).collect();
    let output = world.sandbox.uv(&rest).env("LEAKED", "demo").output().unwrap();
    // With the variable put in its place it would have been found.
    assert!(!output.status.success() && !module.exists(), "{commands:?}: {output:?}");
    let (told, _) = world.cachetui(&["repair", "--all", "--with-uv", "--dry-run"]);
    assert!(told["plan"]["steps"].as_array().unwrap().is_empty(), "{told:#}");
}

#[test]
fn what_the_lock_file_says_is_from_pypi_is_asked_for_by_its_name_unless_it_came_from_this_machine() {
    for (origin, bare) in [("settings", true), ("files", false)] {
        let directory = tempfile::tempdir().unwrap();
        let Some(world) = World::new(directory.path()) else { return };
        let environment = world.install("app", "symlink", &world.arguments(origin));
        let before = World::content(&environment);
        let lock = "version = 1\nrevision = 3\n\n[[package]]\nname = \"demo-x\"\nversion = \"1.0\"\n\
                    source = { registry = \"https://pypi.org/simple\" }\n";
        std::fs::write(environment.parent().unwrap().join("uv.lock"), lock).unwrap();
        world.sandbox.run_uv(&["cache", "clean", "--quiet"]);
        let (commands, told) = named_for(&world, &environment);
        assert_eq!(commands.len(), 1, "{told:#}");
        let asks = commands[0].iter().any(|word| word == "--index" || word == "--find-links");
        assert_eq!(!asks, bare, "{told:#}");
        // The index of the settings stands for PyPI here.
        let files = world.sandbox.path("files").display().to_string();
        world.run(&commands[0], &BTreeMap::from([("<DIRECTORY>", files)]));
        assert_eq!(World::content(&environment), before, "{commands:?}");
    }
}

#[test]
fn what_nothing_tells_the_source_of_is_never_built_for_a_repair() {
    let directory = tempfile::tempdir().unwrap();
    let Some(world) = World::new(directory.path()) else { return };
    let environment = world.install("app", "symlink", &world.arguments("index"));
    world.sandbox.run_uv(&["cache", "clean", "--quiet"]);
    // The index of the settings has a source distribution of that name, which says when it is built.
    for item in std::fs::read_dir(world.sandbox.path("public")).unwrap() {
        std::fs::remove_file(item.unwrap().path()).unwrap();
    }
    let source = world.sandbox.path("public/demo_x-1.0");
    let built = world.sandbox.path("built.txt");
    project(&source, "demo-x", "1.0");
    let backend = std::fs::read_to_string(source.join("backend.py")).unwrap();
    std::fs::write(
        source.join("backend.py"),
        format!("open({:?}, 'w').close()\n{backend}", built.to_str().unwrap()),
    )
    .unwrap();
    ran(world
        .sandbox
        .command("tar")
        .args(["-czf", "demo_x-1.0.tar.gz", "demo_x-1.0"])
        .current_dir(world.sandbox.path("public")));
    std::fs::remove_dir_all(&source).unwrap();
    let uv = world.sandbox.uv(&[]);
    let mut repair =
        world.sandbox.cachetui(&["repair", environment.to_str().unwrap(), "--with-uv", "--yes", "--json"]);
    let output = repair.env_remove("UV_FIND_LINKS").env("UV", uv.get_program()).output().unwrap();
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["plan"]["steps"][0]["action"], "fetch", "{told:#}");
    assert_eq!(told["report"]["outcomes"][0]["state"], "failed", "{told:#}");
    assert!(!built.exists(), "its code was run: {told:#}");
    // uv alone would have: the control.
    let target = world.sandbox.path("target").display().to_string();
    world.sandbox.run_uv(&["pip", "install", "--quiet", "--target", &target, "demo-x==1.0"]);
    assert!(built.exists());
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
    // What is removed in the very moment of the installation cannot be told from what was never there.
    std::thread::sleep(std::time::Duration::from_millis(20));
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

#[test]
fn an_entry_that_others_reach_by_symlinks_stays_the_one_that_uv_installs_from() {
    for version in RELEASES {
        for origin in ["settings", "index", "url"] {
            for by in ["verify", "repair"] {
                let directory = tempfile::tempdir().unwrap();
                let Some(mut world) = World::new(directory.path()) else { return };
                if world.sandbox.use_release(version).is_none() {
                    continue;
                }
                let case = format!("{version}, {origin}, {by}");
                let environment = world.install("app", "copy", &world.arguments(origin));
                let held = world.install("held", "symlink", &world.arguments(origin));
                let edit = || {
                    let file = World::site(&environment).join("demo_x/part.py");
                    std::fs::remove_file(&file).unwrap();
                    std::fs::write(file, "EDITED\n").unwrap();
                };
                let before = [&environment, &held].map(|it| World::content(it));
                edit();
                if by == "repair" {
                    // What it cannot put back: that a person has changed the file.
                    std::fs::remove_file(World::site(&environment).join("demo_x/other.py")).unwrap();
                }
                let (commands, told) = match by {
                    "verify" => world.named(),
                    _ => named_for(&world, &environment),
                };
                assert_eq!(commands.len(), 1, "{case}: {told:#}");
                assert!(commands[0].iter().any(|word| word == "--offline"), "{case}: {told:#}");
                run_all(&world, origin, &case, &environment, &commands, &told);
                world.sandbox.run_uv(&["cache", "prune", "--quiet"]);
                assert_eq!([&environment, &held].map(|it| World::content(it)), before, "{case}");
                // Without the answer of the index there is nothing to be had offline.
                let answers = world.sandbox.cache().read_dir().unwrap().map(|it| it.unwrap().path());
                let is_simple =
                    |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with("simple-");
                answers.filter(is_simple).for_each(|path| std::fs::remove_dir_all(path).unwrap());
                edit();
                let (commands, told) = world.named();
                let is_offline = commands[0].iter().any(|word| word == "--offline");
                assert_eq!(is_offline, origin == "url", "{case}: {told:#}");
            }
        }
    }
}
