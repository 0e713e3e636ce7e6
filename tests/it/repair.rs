//! Plans to mend environments: what is linked how, what uv is asked for, what is named with which commands.

use std::path::PathBuf;

use cachetui::plan::repair::{Cause, Command, RepairWork, repair};
use cachetui::plan::{Action, Kept, Plan, Repair, Request, Step};
use cachetui::scan::repair::{
    BrokenFile, DistributionFacts, EnvironmentFacts, Facts, Lies, Poison, Source, Way, Why,
};
use cachetui::snapshot::{FilePrint, Identity, Mode, ModeCounts};
use cachetui::uv::distribution::DirectUrl;

use crate::support::told::told;

fn file(name: &str, source: Result<Source, Why>) -> BrokenFile {
    let path = PathBuf::from(format!("lib/python3.12/site-packages/{name}"));
    BrokenFile { path, lies: Lies::Missing, digest: Some([7; 32]), size: 10, source }
}

fn source(cache: usize, entry: &str, way: Way) -> Source {
    let entry_is = Identity { device: 1, inode: 2 };
    Source {
        owner: 0,
        cache,
        entry: PathBuf::from(format!("archive-v0/{entry}")),
        entry_is,
        path: "x.py".into(),
        way,
        hashed: None,
    }
}

fn distribution(name: &str, files: Vec<BrokenFile>) -> DistributionFacts {
    DistributionFacts {
        name: name.to_owned(),
        version: "1.0".to_owned(),
        dist_info: format!("lib/python3.12/site-packages/{name}-1.0.dist-info").into(),
        record: Some(FilePrint::default()),
        came: cachetui::snapshot::CameFrom::Pypi,
        files,
        ..DistributionFacts::default()
    }
}

fn facts(distributions: Vec<DistributionFacts>) -> Facts {
    let environment = EnvironmentFacts {
        path: "/code/app/.venv".into(),
        program: Some("/code/app/.venv/bin/python".into()),
        interpreter_alive: true,
        distributions,
        ..EnvironmentFacts::default()
    };
    Facts {
        cache: "/cache".into(),
        caches: vec!["/cache".into(), "/other".into()],
        environments: vec![environment],
        ..Facts::default()
    }
}

fn work(step: &Step) -> &RepairWork {
    step.repair().unwrap()
}

fn planned(facts: &Facts, with_uv: bool) -> Plan {
    repair(facts, &Repair { with_uv, ..Repair::default() })
}

/// The command that removes files of the cache.
fn take_away(paths: &[&str]) -> String {
    let start = if cfg!(windows) { "cmd /c del" } else { "rm -f --" };
    let joined = |path: &&str| std::path::Path::new(path).display().to_string();
    [vec![start.to_owned()], paths.iter().map(joined).collect()].concat().join(" ")
}

fn commands(plan: &Plan) -> Vec<String> {
    plan.kept.iter().flat_map(Kept::commands).map(Command::text).collect()
}

#[test]
fn a_distribution_has_a_step_for_each_entry_that_has_some_of_it_and_the_rest_is_named() {
    let facts = facts(vec![distribution(
        "demo",
        vec![
            file("a.py", Ok(source(0, "one", Way::Moved))),
            file("b.py", Ok(source(1, "two", Way::Digest))),
            file("c.py", Ok(source(0, "one", Way::Moved))),
            file("d.py", Err(Why::NoCandidate)),
            file("e.py", Err(Why::Private)),
        ],
    )]);
    let plan = planned(&facts, false);
    let steps: Vec<_> =
        plan.repairs().map(|(step, work)| (work.entry.as_ref().unwrap().text(), step.bytes.files)).collect();
    assert_eq!(steps, [("archive-v0/one", 2), ("archive-v0/two", 1)]);
    assert_eq!(work(&plan.steps[1]).cache.text(), "/other");
    let causes: Vec<Cause> = plan.kept.iter().filter_map(Kept::cause).collect();
    assert_eq!(causes, [Cause::NoCandidate, Cause::Private]);
    let totals = plan.totals;
    assert_eq!((totals.steps, totals.distributions, totals.kept), (2, 1, 2));
    assert_eq!((totals.bytes.files, totals.bytes.logical), (3, 30));
    let text = |plan: &Plan| serde_json::to_string(plan).unwrap();
    assert_eq!(text(&planned(&facts, false)), text(&plan), "the same facts give the same plan");
}

#[test]
fn files_are_linked_as_most_of_the_environments_are_and_dead_symlinks_count() {
    let mut facts = facts(vec![distribution("demo", vec![file("a.py", Ok(source(0, "one", Way::Moved)))])]);
    let mut mode = |modes: ModeCounts, dangling: u64| {
        (facts.environments[0].modes, facts.environments[0].dangling) = (modes, dangling);
        work(&planned(&facts, false).steps[0]).link_mode
    };
    let none = ModeCounts::default();
    assert_eq!(mode(none, 0), Mode::Clone);
    assert_eq!(mode(none, 1), Mode::Symlink);
    assert_eq!(mode(ModeCounts { copy: 3, symlink: 2, ..none }, 2), Mode::Symlink);
    assert_eq!(mode(ModeCounts { hardlink: 5, symlink: 2, ..none }, 2), Mode::Hardlink);
    assert_eq!(
        mode(ModeCounts { hardlink: 4, symlink: 4, ..none }, 0),
        Mode::Hardlink,
        "what does not break"
    );
    let request = Repair { link_mode: Some(Mode::Copy), ..Repair::default() };
    assert_eq!(work(&repair(&facts, &request).steps[0]).link_mode, Mode::Copy);
}

#[test]
fn symlinks_into_another_cache_are_warned_about() {
    let mut facts = facts(vec![distribution("demo", vec![file("a.py", Ok(source(1, "one", Way::Digest)))])]);
    assert!(planned(&facts, false).warnings.is_empty());
    facts.environments[0].dangling = 1;
    assert!(planned(&facts, false).warnings[0].contains("`/other`"));
}

#[test]
fn uv_is_asked_by_version_or_by_where_it_came_from_and_never_for_a_directory() {
    let missing = || vec![file("a.py", Err(Why::NoCandidate))];
    let from = |direct: DirectUrl| {
        let it = DistributionFacts { direct_url: Some(direct), ..distribution("demo", missing()) };
        let plan = planned(&facts(vec![it]), true);
        plan.steps.first().map(|step| {
            assert_eq!(step.action, Action::Fetch);
            work(step).fetch.clone().unwrap().requirement
        })
    };
    let direct = |url: &str| DirectUrl { url: url.to_owned(), ..DirectUrl::default() };
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(from(direct("https://e.org/d.whl")), text("demo @ https://e.org/d.whl"));
    assert_eq!(from(direct("https://e.org/d.whl#sha256=ab")), text("demo @ https://e.org/d.whl#sha256=ab"));
    assert_eq!(from(direct("file:///w/d%20e.whl")), text("demo @ file:///w/d%20e.whl"));
    let git = DirectUrl {
        vcs: text("git"),
        commit: text("abc"),
        subdirectory: text("sub"),
        ..direct("https://e.org/d")
    };
    assert_eq!(from(git), text("demo @ git+https://e.org/d@abc#subdirectory=sub"));
    assert_eq!(from(DirectUrl { local_directory: true, ..direct("file:///d") }), None);
    assert_eq!(from(DirectUrl { editable: true, ..direct("file:///d") }), None);
    for hostile in [
        "https://e.org/${HOME}",
        "https://e.org/a b",
        "-r/etc/passwd",
        "/d.whl",
        "https://e.org/#${HOME}",
        "ftp://e",
    ] {
        assert_eq!(from(direct(hostile)), None, "{hostile}");
    }
    for (name, version) in [("-demo", "1.0"), ("demo", "1.0 --index-url x"), ("demo;x", "1"), ("demo", "")] {
        let it = DistributionFacts { version: version.to_owned(), ..distribution(name, missing()) };
        let plan = planned(&facts(vec![it]), true);
        assert!(plan.steps.is_empty() && plan.kept.len() == 1, "{name} {version}");
    }
    let plain = planned(&facts(vec![distribution("demo", missing())]), true);
    assert_eq!(work(&plain.steps[0]).fetch.as_ref().unwrap().requirement, "demo==1.0");
    assert_eq!(work(&plain.steps[0]).fetch.as_ref().unwrap().directory.text(), "/code/app");
}

/// A path of the cache as this system writes it.
fn in_cache(relative: &str) -> String {
    std::path::Path::new("/cache").join(relative).display().to_string()
}

#[test]
fn commands_clean_first_where_a_pointer_of_the_cache_would_make_uv_fail() {
    let missing = || vec![file("a.py", Err(Why::NoCandidate))];
    let mut facts = facts(vec![distribution("demo", missing()), distribution("other", missing())]);
    let reinstall = "uv pip install --python /code/app/.venv --reinstall --no-deps";
    assert_eq!(
        commands(&planned(&facts, false)),
        [format!("{reinstall} demo==1.0"), format!("{reinstall} other==1.0")]
    );
    let poison = Poison { path: "wheels-v7/x.rev".into(), print: FilePrint::default(), link: None };
    facts.poison.insert("demo".to_owned(), vec![poison]);
    facts.named = true;
    let plan = planned(&facts, false);
    let named = reinstall.replacen("uv ", "uv --cache-dir /cache ", 1);
    assert_eq!(
        commands(&plan),
        [
            take_away(&[&in_cache("wheels-v7/x.rev")]),
            format!("{named} demo==1.0"),
            format!("{named} other==1.0")
        ]
    );
    assert!(plan.kept[0].warning().is_some() && plan.kept[1].warning().is_none());
    let with_uv = planned(&facts, true);
    assert_eq!(work(&with_uv.steps[0]).fetch.as_ref().unwrap().pointers.len(), 1);
    assert!(work(&with_uv.steps[1]).fetch.as_ref().unwrap().pointers.is_empty());
}

#[test]
fn an_environment_that_is_an_entry_itself_is_left_to_uv() {
    let mut facts = facts(vec![distribution("demo", vec![file("a.py", Ok(source(0, "one", Way::Moved)))])]);
    facts.environments[0].stored = true;
    let plan = planned(&facts, true);
    assert!(plan.is_empty());
    assert_eq!(plan.kept[0].cause(), Some(Cause::Stored));
}

#[test]
fn links_of_the_cache_are_steps_of_the_same_list_and_what_nothing_names_is_left() {
    let facts = crate::support::sample::damaged_links();
    let plan = repair(&facts, &Repair { links: true, ..Repair::default() });
    let Request::Repair(request) = &plan.request else { panic!("it repairs") };
    assert_eq!(plan, repair(&facts, request), "the same facts give the same plan");
    let written = serde_json::to_value(&plan).unwrap();
    let step = &written["steps"][0];
    assert_eq!(step["action"], "restore-link");
    assert_eq!(told(step["text"]["path"].as_str().unwrap()), "../../../../archive-v0/First67890123456");
    assert_eq!((&step["form"], &step["replaces"]), (&"symlink".into(), &serde_json::Value::Null));
    assert_eq!((written["steps"].as_array().unwrap().len(), &written["totals"]["links"]), (1, &1.into()));
    let causes: Vec<Cause> = plan.kept.iter().filter_map(Kept::cause).collect();
    assert_eq!(causes, [Cause::NoEntry, Cause::NoEntry]);
    assert_eq!(
        commands(&plan),
        [take_away(&[&in_cache("wheels-v7/pypi/gone/1.0-py3-none-any.http")])],
        "a link alone poisons nothing"
    );
    assert!(plan.kept[0].reason.contains("builds again"), "{}", plan.kept[0].reason);
}

#[test]
fn a_link_is_written_as_its_neighbours_are() {
    use cachetui::plan::repair::LinkForm;
    use cachetui::scan::repair::links::Writing;
    let forms = [
        (Writing::Relative, LinkForm::Symlink, "../../../../archive-v0/First67890123456"),
        (Writing::Absolute("/x/uv".into()), LinkForm::Symlink, "/x/uv/archive-v0/First67890123456"),
        (Writing::LinkFile, LinkForm::LinkFile, "archive-v0/First67890123456"),
    ];
    for (writing, form, text) in forms {
        let mut facts = crate::support::sample::damaged_links();
        facts.links.damaged[1].writing = writing;
        let plan = repair(&facts, &Repair::default());
        let (_, link) = plan.links().next().unwrap();
        assert_eq!((link.form, told(link.text.text())), (form, text.to_owned()));
        // The separators of a link file are uv's, those of a symlink the system's.
        assert!(form == LinkForm::Symlink || link.text.text() == text);
    }
}
