//! Caches of untested releases of uv: a real cache under other numbers, whole or with one odd thing in it.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::fixture::Fixture;

/// The numbers of uv 0.13.9, and the ones that are put in their place.
const LATER: [(&str, &str); 5] = [
    ("wheels-v8", "wheels-v9"),
    ("sdists-v11", "sdists-v12"),
    ("environments-v2", "environments-v3"),
    ("interpreter-v5", "interpreter-v6"),
    ("flat-index-v7", "flat-index-v8"),
];

/// The shard of demo-a 2.0 in the sample, and that of its source distribution.
const DEMO_A: &str = "wheels-v9/index/a2f15db4e52e9daa/demo-a";
const SDIST: &str = "sdists-v12/index/c4b871378a779d5b/demo-sd/1.0";

/// The sample of uv 0.13.9, used by nothing but its cached environment.
struct Later {
    fixture: Fixture,
}

impl Later {
    /// With later numbers for some kinds of buckets.
    fn with(numbers: &[(&str, &str)]) -> Self {
        let fixture = Fixture::unpack("uv-0.13.9-cache");
        std::fs::remove_dir_all(fixture.root().join("app")).unwrap();
        for (known, later) in numbers {
            std::fs::rename(fixture.cache().join(known), fixture.cache().join(later)).unwrap();
        }
        Self { fixture }
    }

    fn new() -> Self {
        Self::with(&LATER)
    }

    fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.fixture.cache().join(relative)
    }

    fn put(&self, relative: &str, content: &[u8]) {
        let path = self.path(relative);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// What a link of the cache leads to.
    fn target(&self, link: &str) -> String {
        let text = std::fs::read_link(self.path(link)).unwrap();
        text.file_name().unwrap().to_str().unwrap().to_owned()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let root = self.fixture.root();
        let mut command = Command::new(env!("CARGO_BIN_EXE_cachetui"));
        command.args(arguments).arg("--cache-dir").arg(self.fixture.cache()).arg("--root").arg(&root);
        command.env_clear().env("HOME", &root).env("XDG_STATE_HOME", root.join("state")).arg("--no-remember");
        command.current_dir(&root).output().unwrap()
    }

    fn text(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[arguments, &["--json"]].concat());
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
    }

    fn entries(&self) -> usize {
        self.fixture.entries().len()
    }

    /// Removes what is not used, and answers the plan.
    fn prune(&self) -> Value {
        let arguments = ["prune", "--unused", "--cached-environments", "--unreferenced", "--grace", "0h"];
        self.json(&[&arguments[..], &["--yes", "--allow", "most,no-environments,other-owners,gone"]].concat())
    }
}

/// Everything is removed, with its pointers, and nothing is said to be odd.
fn is_pruned(later: &Later, what: &str) {
    let listed = later.json(&["list"]);
    assert_eq!(listed["problems"], serde_json::json!([]), "{what}");
    let answer = later.prune();
    let outcomes = answer["report"]["outcomes"].as_array().unwrap_or_else(|| panic!("{what}: {answer:#}"));
    assert!(outcomes.iter().all(|outcome| outcome["state"] == "done"), "{what}: {outcomes:#?}");
    assert_eq!(later.entries(), 0, "{what}: demo-a 2.0 goes with the environment that alone used it");
    let dead = later.json(&["links", "--state", "dangling,malformed"]);
    assert_eq!(dead["pointers"], serde_json::json!([]), "{what}");
}

#[test]
fn a_cache_with_later_numbers_and_the_same_forms_is_pruned() {
    is_pruned(&Later::with(&[]), "uv 0.13.9");
    is_pruned(&Later::new(), "every number");
    for number in LATER {
        is_pruned(&Later::with(&[number]), number.1);
    }
}

/// Something that is done to a later cache, and what it is.
type Change<'a> = (&'a str, &'a dyn Fn(&Later));

#[test]
fn what_uv_leaves_lying_about_speaks_against_no_later_bucket() {
    let cases: [Change; 8] = [
        ("locks", &|later| {
            later.put(&format!("{DEMO_A}/3.0-py3-none-any.lock"), b"");
            later.put("wheels-v9/index/a2f15db4e52e9daa/.lock", b"");
            later.put("interpreter-v6/0123456789abcdef/0123456789abcdef.lock", b"");
            later.put("environments-v3/tool-0123456789abcdef.lock", b"");
        }),
        ("metadata of a wheel that was never unpacked", &|later| {
            later.put(&format!("{DEMO_A}/3.0-py3-none-any.msgpack"), b"\x91\x01");
        }),
        ("a temporary file beside a pointer", &|later| later.put(&format!("{DEMO_A}/.tmpAbCdEf"), b"\x95")),
        ("a temporary directory", &|later| {
            later.put("wheels-v9/.tmpAbCdEf/new/x.py", b"");
            later.put(&format!("{SDIST}/.tmpAbCdEf/pyproject.toml"), b"");
        }),
        ("an empty later bucket", &|later| std::fs::create_dir(later.path("wheels-v10")).unwrap()),
        ("an empty bucket of entries", &|later| std::fs::create_dir(later.path("archive-v1")).unwrap()),
        ("an empty bucket of an unknown kind", &|later| {
            std::fs::create_dir(later.path("runtimes-v0")).unwrap();
        }),
        ("sources with links and pointers of their own", &|later| {
            let revision = later.json(&["links"]);
            let link =
                revision["pointers"].as_array().unwrap().iter().find_map(|it| {
                    it["path"].as_str().filter(|path| path.starts_with(SDIST)).map(str::to_owned)
                });
            let source = Path::new(&link.unwrap()).with_file_name("src");
            later.put(source.join("odd.http").to_str().unwrap(), b"\x95");
            symlink("/nowhere", later.path(source.join("link"))).unwrap();
        }),
    ];
    for (what, change) in cases {
        let later = Later::new();
        change(&later);
        is_pruned(&later, what);
    }
}

#[test]
fn link_files_and_two_later_numbers_side_by_side_are_understood() {
    // As uv writes links on Windows.
    let later = Later::new();
    let link = format!("{DEMO_A}/2.0-py3-none-any");
    let id = later.target(&link);
    std::fs::remove_file(later.path(&link)).unwrap();
    later.put(&link, format!("archive-v0/{id}").as_bytes());
    is_pruned(&later, "a link file");

    let later = Later::new();
    let copied =
        Command::new("cp").arg("-a").args(["wheels-v9", "wheels-v10"]).current_dir(later.path("")).status();
    assert!(copied.unwrap().success());
    is_pruned(&later, "two later numbers");
}

#[test]
fn entries_of_a_later_bucket_that_links_lead_into_are_pruned_and_those_that_none_leads_to_stay() {
    for leads in [true, false] {
        let later = Later::new();
        let link = format!("{DEMO_A}/2.0-py3-none-any");
        let built = later.json(&["links"])["pointers"].as_array().unwrap().iter().find_map(|it| {
            it["path"]
                .as_str()
                .filter(|path| path.contains("demo-uni") && !path.contains(".rev"))
                .map(str::to_owned)
        });
        let uni = built.unwrap();
        std::fs::create_dir(later.path("archive-v1")).unwrap();
        for link in [&uni, &link] {
            let id = later.target(link);
            std::fs::rename(later.path("archive-v0").join(&id), later.path("archive-v1").join(&id)).unwrap();
            std::fs::remove_file(later.path(link)).unwrap();
            symlink(format!("../../../../archive-v1/{id}"), later.path(link)).unwrap();
        }
        if !leads {
            let rev = format!("{uni}.rev");
            std::fs::remove_file(later.path(&uni)).unwrap();
            std::fs::remove_file(later.path(&rev)).unwrap();
        }
        assert_eq!(later.json(&["list"])["problems"], serde_json::json!([]));
        let answer = later.prune();
        assert!(
            answer["report"]["outcomes"].as_array().unwrap().iter().all(|it| it["state"] == "done"),
            "{answer:#}"
        );
        let left = std::fs::read_dir(later.path("archive-v1")).unwrap().count();
        assert_eq!(left, usize::from(!leads), "demo-a 2.0 goes with the environment");
    }
}

/// Puts something odd into a later cache: what it is called in the answers, and the words for it.
type Case = (&'static str, &'static str, &'static dyn Fn(&Later));

const CASES: [Case; 21] = [
    ("wheels-v9/index/a2f15db4e52e9daa/demo-a/2.0-py3-none-any.zst", "has an unknown form", &|later| {
        later.put(&format!("{DEMO_A}/2.0-py3-none-any.zst"), b"\x28\xb5");
    }),
    (
        "wheels-v9/index/a2f15db4e52e9daa/demo-a/2.0-py3-none-any.rev",
        "cannot be read as a pointer",
        &|later| {
            later.put(&format!("{DEMO_A}/2.0-py3-none-any.rev"), b"\x95");
        },
    ),
    (
        "wheels-v9/index/a2f15db4e52e9daa/demo-a/2.0-py3-none-any.rev",
        "disagrees with the link beside it",
        &|later| {
            let link = later.path(format!("{DEMO_A}/2.0-py3-none-any"));
            std::fs::remove_file(&link).unwrap();
            let other =
                later.fixture.entries().into_iter().find(|id| *id != later.target_of_environment()).unwrap();
            symlink(format!("../../../../archive-v0/{other}x"), link).unwrap();
        },
    ),
    (
        "wheels-v9/index/a2f15db4e52e9daa/demo-a/2.0-py3-none-any.rev",
        "disagrees with the link beside it",
        &|later| {
            std::fs::remove_file(later.path(format!("{DEMO_A}/2.0-py3-none-any"))).unwrap();
        },
    ),
    ("wheels-v9/index/a2f15db4e52e9daa/demo-a/2.0-py3-none-any", "leads to no entry", &|later| {
        let link = later.path(format!("{DEMO_A}/2.0-py3-none-any"));
        std::fs::remove_file(&link).unwrap();
        symlink("../somewhere/else", link).unwrap();
    }),
    ("wheels-v9/index/a2f15db4e52e9daa/demo-a/2.0-py3-none-any", "has an unknown form", &|later| {
        let link = later.path(format!("{DEMO_A}/2.0-py3-none-any"));
        let id = later.target(&format!("{DEMO_A}/2.0-py3-none-any"));
        std::fs::remove_file(&link).unwrap();
        symlink(format!("../../../../archive-v0/{id}/demo_a"), link).unwrap();
    }),
    ("wheels-v9/index/a2f15db4e52e9daa/demo-a/3.0-py3-none-any", "has an unknown form", &|later| {
        std::fs::create_dir(later.path(format!("{DEMO_A}/3.0-py3-none-any"))).unwrap();
    }),
    ("wheels-v9/index/a2f15db4e52e9daa/demo-a/3.0-py3-none-any", "has an unknown form", &|later| {
        later.put(&format!("{DEMO_A}/3.0-py3-none-any"), b"a link file of another kind");
    }),
    ("wheels-v9/oci", "has an unknown form", &|later| {
        std::fs::create_dir(later.path("wheels-v9/oci")).unwrap();
    }),
    ("wheels-v9/index.db", "has an unknown form", &|later| later.put("wheels-v9/index.db", b"")),
    ("sdists-v12/index/c4b871378a779d5b/demo-sd/1.0/manifest.json", "has an unknown form", &|later| {
        later.put(&format!("{SDIST}/manifest.json"), b"{}");
    }),
    (
        "sdists-v12/index/c4b871378a779d5b/demo-sd/1.0/revision.http",
        "cannot be read as a revision",
        &|later| {
            later.put(&format!("{SDIST}/revision.http"), b"\x95");
        },
    ),
    (
        "sdists-v12/index/c4b871378a779d5b/demo-sd/1.0/x/demo_sd-1.0-py3-none-any",
        "has an unknown form",
        &|later| {
            let built = format!("{SDIST}/x/demo_sd-1.0-py3-none-any");
            std::fs::create_dir_all(later.path(built)).unwrap();
        },
    ),
    ("environments-v3/7fe2c1040d4a8780/lock.json", "has an unknown form", &|later| {
        later.put("environments-v3/7fe2c1040d4a8780/lock.json", b"{}");
    }),
    ("interpreter-v6/0123456789abcdef/0123456789abcdef.msgpack", "cannot be read as the record", &|later| {
        later.put("interpreter-v6/0123456789abcdef/0123456789abcdef.msgpack", b"\x92\xc0\xc0");
    }),
    ("interpreter-v6/0123456789abcdef/0123456789abcdef.json", "has an unknown form", &|later| {
        later.put("interpreter-v6/0123456789abcdef/0123456789abcdef.json", b"{}");
    }),
    // A record in which what stands where the prefix belongs is no path.
    ("interpreter-v6/0123456789abcdef/0123456789abcdef.msgpack", "names no interpreter", &|later| {
        let record = b"\x92\xc0\x96\xc3\xa1a\xa1b\xa1c\xa1d\xa1e";
        later.put("interpreter-v6/0123456789abcdef/0123456789abcdef.msgpack", record);
    }),
    ("archive-v1/AbCdEfGhIjKlMnOp", "is neither a wheel nor an environment", &|later| {
        later.put("archive-v1/AbCdEfGhIjKlMnOp/layer.tar", b"");
    }),
    ("archive-v1", "holds entries to which no link leads", &|later| {
        later.put("archive-v1/AbCdEfGhIjKlMnOp/demo-1.0.dist-info/METADATA", b"");
    }),
    ("simple-v29/pypi/demo", "leads into an entry", &|later| {
        let id = later.target(&format!("{DEMO_A}/2.0-py3-none-any"));
        std::fs::create_dir_all(later.path("simple-v29/pypi")).unwrap();
        symlink(format!("../../archive-v0/{id}"), later.path("simple-v29/pypi/demo")).unwrap();
    }),
    ("runtimes-v0", "no bucket of that kind is known", &|later| later.put("runtimes-v0/pypy/x.bin", b"")),
];

impl Later {
    fn target_of_environment(&self) -> String {
        self.target("environments-v3/7fe2c1040d4a8780/3d3742567092b5f4")
    }
}

#[test]
fn one_odd_thing_in_a_later_bucket_keeps_everything_and_is_named_everywhere() {
    for (path, words, change) in CASES {
        let later = Later::new();
        change(&later);
        let bucket = path.split('/').next().unwrap();
        let sentence = |text: &str| {
            let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
            let known = text.contains("(known: `") || text.contains("(tested with uv 0.5.0 to ");
            text.contains(&format!("`{bucket}` is not understood:"))
                && (text.contains(&format!("`{path}` {words}"))
                    || bucket == "runtimes-v0" && text.contains(words))
                && known
        };
        let before = later.entries();
        let answer = later.prune();
        assert_eq!(answer["plan"]["steps"], serde_json::json!([]), "{path} {words}");
        let kept = answer["plan"]["kept"].as_array().unwrap();
        let by_it = |it: &&Value| {
            it["because"]["kind"] == "not-understood" && sentence(it["reason"].as_str().unwrap())
        };
        assert!(kept.iter().filter(by_it).count() >= 7, "{path} {words}: {kept:#?}");
        assert_eq!(later.entries(), before, "{path} {words}");
        let ask = ["prune", "--unused", "--grace", "0h", "--dry-run"];
        for arguments in [&ask[..], &["prune"], &["why", "demo-b"], &["list"], &["doctor", "--no-probe"]] {
            let said = later.text(arguments);
            assert!(sentence(&said), "{path} {words}, {arguments:?}: {said}");
        }
        let doctor = later.json(&["doctor", "--no-probe"]);
        let findings = doctor["doctor"]["cache"]["findings"].as_array().unwrap();
        let found: Vec<_> = findings.iter().filter(|it| it["kind"] == "not-understood").collect();
        assert_eq!(found.len(), 1, "{path} {words}: {findings:#?}");
        assert!(found[0]["path"].as_str().unwrap().ends_with(path), "{}", found[0]);
        let advised = findings.iter().filter(|it| it["advice"].as_str().unwrap().contains("uv cache clean"));
        assert_eq!(advised.count(), 0, "nothing is said to be damaged there: {findings:#?}");
        // Nor is it repaired.
        let repaired = later.json(&["repair", "--links", "--yes"]);
        assert_eq!(repaired["plan"]["steps"], serde_json::json!([]), "{path} {words}");
    }
}

#[test]
fn a_pointer_in_an_unknown_place_of_a_known_bucket_is_named_too() {
    let later = Later::with(&[]);
    later.put("wheels-v8/oci/demo/1.0.http", b"\x95");
    let reason = "`wheels-v8` is not understood: `wheels-v8/oci/demo/1.0.http` has an unknown form (known: `wheels-v3` to \
                  `wheels-v8`)";
    let answer = later.prune();
    assert_eq!(answer["plan"]["steps"], serde_json::json!([]));
    assert!(
        answer["plan"]["kept"].as_array().unwrap().iter().all(|kept| kept["reason"] == reason),
        "{answer:#}"
    );
    // What else a known bucket holds does not have to be proven.
    let later = Later::with(&[]);
    later.put("wheels-v8/notes.txt", b"");
    is_pruned(&later, "a note");
}

#[test]
fn other_files_of_a_later_store_keep_only_the_store() {
    let later = Later::new();
    later.put("files-v1/ab/objects.idx", b"");
    let reason =
        "`files-v1` is not understood: `files-v1/ab/objects.idx` has an unknown form (known: `files-v0`)";
    assert!(later.text(&["list", "-v"]).contains(reason));
    let answer = later.prune();
    assert_eq!((answer["plan"]["totals"]["entries"].as_u64(), later.entries()), (Some(9), 0), "{answer:#}");
}

#[test]
fn what_appears_after_a_plan_was_saved_is_judged_before_it_is_carried_out() {
    for odd in ["runtimes-v0/pypy/x.bin", "simple-v29/demo.rev", "wheels-v10/oci/x"] {
        let later = Later::new();
        let plan = later.fixture.root().join("plan.json");
        let ask = ["prune", "--unused", "--grace", "0h", "--allow", "most,no-environments,gone", "--save"];
        let saved = later.run(&[&ask[..], &[plan.to_str().unwrap()]].concat());
        assert!(saved.status.success(), "{}", String::from_utf8_lossy(&saved.stderr));
        later.put(odd, b"");
        let before = later.entries();
        let applied = later.run(&["apply", plan.to_str().unwrap(), "--yes", "--json"]);
        assert_eq!((applied.status.code(), later.entries()), (Some(1), before), "{odd}");
    }
}

#[test]
fn a_plan_that_was_edited_does_not_remove_the_newest_bucket() {
    let later = Later::new();
    let plan = later.fixture.root().join("plan.json");
    let ask = ["prune", "--unused", "--grace", "0h", "--allow", "most,no-environments,gone", "--save"];
    assert!(later.run(&[&ask[..], &[plan.to_str().unwrap()]].concat()).status.success());
    let mut saved: Value = serde_json::from_slice(&std::fs::read(&plan).unwrap()).unwrap();
    let watched =
        saved["watch"].as_array().unwrap().iter().find(|it| it["path"] == "wheels-v9").unwrap().clone();
    let mut step = saved["steps"][0].clone();
    step["action"] = "remove-bucket".into();
    step["path"] = "wheels-v9".into();
    step["class"] = "stale-buckets".into();
    step["expects"] = watched["print"].clone();
    step["pointers"] = serde_json::json!([]);
    saved["steps"] = serde_json::json!([step]);
    std::fs::write(&plan, saved.to_string()).unwrap();
    let applied = later.run(&["apply", plan.to_str().unwrap(), "--yes", "--json"]);
    let said = String::from_utf8_lossy(&applied.stdout).into_owned();
    assert!(!applied.status.success() && later.path("wheels-v9/index").is_dir(), "{said}");
}

#[test]
fn the_version_names_the_releases_of_uv_that_were_tested() {
    let output = Command::new(env!("CARGO_BIN_EXE_cachetui")).arg("--version").output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(said, format!("cachetui {version} (tested with {})\n", cachetui::uv::TESTED));
    assert!(cachetui::uv::TESTED.ends_with("0.13.9"), "the newest sample");
}
