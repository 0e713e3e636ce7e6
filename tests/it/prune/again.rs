//! What changes between a plan on the screen and its being carried out: the rest of the plan still is.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use cachetui::apply::{Report, State};
use cachetui::plan::{Allowance, Class, Plan, Prune, Request, plan};
use cachetui::snapshot::Mode;
use cachetui::worker::host::Means;
use cachetui::worker::rescan::Rescan;
use cachetui::worker::start_scan;
use cachetui::worker::task::{Done, Ground, Task, TaskEvent, start_task};

use crate::support::made::{self, Form, Made, SITE, Unpacked, put};

/// Two wheels that no environment uses, one that is used, and an environment that has nothing to do with them.
struct Screen {
    made: Made,
    one: Unpacked,
    other: Unpacked,
    _directory: tempfile::TempDir,
}

impl Screen {
    fn new() -> Self {
        let directory = made::directory();
        let made = Made::new(&directory.path().join("ground"));
        let wheel = |id: &str, name| Unpacked::new(id, name, "1.0");
        let (one, other) = (wheel("OneOneOneOneOneOneOne", "one"), wheel("TwoTwoTwoTwoTwoTwoTwo", "two"));
        let used = wheel("UsedUsedUsedUsedUsedU", "used");
        for unpacked in [&one, &other, &used] {
            made.unpack(unpacked);
            made.point(Form::Relative, 7, unpacked);
        }
        made.venv("app");
        made.install("app", &used, Mode::Symlink);
        made.venv("unrelated");
        std::fs::create_dir(made.cache().join("interpreter-v5")).unwrap();
        Self { made, one, other, _directory: directory }
    }

    fn site(&self) -> PathBuf {
        self.made.environment("unrelated").join(SITE)
    }

    fn plan(&self) -> Plan {
        let prune =
            Prune { classes: [Class::Unused].into(), allow: Allowance::ALL.into(), ..Prune::default() };
        let plan = plan(&self.made.scan(), &Request::Prune(prune));
        assert_eq!(plan.steps.len(), 2, "{plan:#?}");
        plan
    }

    /// Carries a plan out as the screen does.
    fn prune(&self, plan: Plan) -> Result<Report, String> {
        let request = self.made.scanning();
        let means = Means {
            locks: None,
            timeout: Duration::ZERO,
            clock: Instant::now,
            now: made::later,
            state: None,
        };
        let ground = Ground {
            cache: self.made.cache().to_owned(),
            means,
            uv: "uv".into(),
            temporary: self.made.base().to_owned(),
            rescan: Rescan::new(move || start_scan(request.clone(), None)),
            registry: None,
            program: None,
        };
        let job = start_task(Task::Remove(Box::new(plan)), Arc::new(self.made.scan()), ground);
        for event in job.events {
            match event {
                TaskEvent::Finished(Done::Removed(report)) => return Ok(report),
                TaskEvent::Failed(text) => return Err(text),
                TaskEvent::Finished(other) => panic!("{other:?}"),
                TaskEvent::Waiting { .. } | TaskEvent::Working(_) => {}
            }
        }
        panic!("the task has no end")
    }

    /// What became of the steps of both wheels after a change.
    fn after(&self, change: impl FnOnce(&Self)) -> Vec<(String, State, String)> {
        let plan = self.plan();
        change(self);
        let report = self.prune(plan).unwrap();
        let mut told: Vec<_> = report
            .outcomes
            .into_iter()
            .map(|it| (it.at.text().to_owned(), it.state, it.why.unwrap_or_default()))
            .collect();
        told.sort_by(|one, other| one.0.cmp(&other.0));
        told
    }

    fn is_there(&self, unpacked: &Unpacked) -> bool {
        self.made.entry(&unpacked.id).is_dir()
    }
}

/// The first wheel stays for a reason that names `why`, the other goes.
fn only_one_stays(change: impl FnOnce(&Screen), why: &str) {
    let screen = Screen::new();
    let told = screen.after(change);
    assert_eq!(told[0].1, State::Stale, "{told:?}");
    assert!(told[0].2.contains(why), "{why}: {told:?}");
    assert_eq!(told[1].1, State::Done, "{told:?}");
    assert_eq!((screen.is_there(&screen.one), screen.is_there(&screen.other)), (true, false));
}

#[test]
fn an_unrelated_installation_anywhere_refuses_nothing() {
    let changes: [&dyn Fn(&Screen); 6] = [
        &|screen| put(&screen.site().join("some.py"), b"x", 0o644),
        &|screen| put(&screen.site().join("third-1.0.dist-info/METADATA"), b"Name: third\n", 0o644),
        // Of the same name in another version, and a symlink that leads nowhere near the cache.
        &|screen| put(&screen.site().join("one-2.0.dist-info/METADATA"), b"Name: one\n", 0o644),
        &|screen| symlink("/nowhere", screen.site().join("link")).unwrap(),
        &|screen| std::fs::remove_dir_all(screen.made.environment("unrelated")).unwrap(),
        &|screen| put(&screen.site().join("paths.pth"), b"/elsewhere\nimport os\n", 0o644),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let screen = Screen::new();
        let told = screen.after(change);
        assert!(told.iter().all(|it| it.1 == State::Done), "{number}: {told:?}");
        assert!(!screen.is_there(&screen.one) && !screen.is_there(&screen.other));
    }
}

#[test]
fn an_installation_by_symlink_keeps_that_entry_alone() {
    let link = |screen: &Screen, to: &Path| {
        let entry = screen.made.entry(&screen.one.id);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        symlink(entry.join("one/core.py"), to).unwrap();
        put(&screen.site().join("touched"), b"", 0o644);
    };
    only_one_stays(|screen| link(screen, &screen.site().join("core.py")), "uses it now");
    // Deeper in a package that was there, and a directory as a whole.
    only_one_stays(|screen| link(screen, &screen.site().join("a/b/core.py")), "uses it now");
    only_one_stays(
        |screen| symlink(screen.made.entry(&screen.one.id).join("one"), screen.site().join("one")).unwrap(),
        "uses it now",
    );
}

#[test]
fn an_installation_by_copy_or_a_path_into_the_entry_keeps_that_entry_alone() {
    only_one_stays(
        |screen| put(&screen.site().join("one-1.0.dist-info/METADATA"), b"Name: one\n", 0o644),
        "it was installed in",
    );
    only_one_stays(
        |screen| {
            let line = format!("{}\n", screen.made.entry(&screen.one.id).display());
            put(&screen.site().join("one.pth"), line.as_bytes(), 0o644);
        },
        "uses it now",
    );
}

#[test]
fn a_new_environment_that_uv_has_recorded_is_found_by_a_scan() {
    only_one_stays(
        |screen| {
            screen.made.venv("new");
            screen.made.install("new", &screen.one, Mode::Symlink);
            std::fs::create_dir(screen.made.cache().join("interpreter-v5/0123456789abcdef")).unwrap();
        },
        "new/.venv` uses it now",
    );
}

#[test]
fn a_hardlink_that_was_made_since_keeps_that_entry_alone() {
    only_one_stays(
        |screen| {
            let file = screen.made.entry(&screen.one.id).join("one/core.py");
            std::fs::hard_link(file, screen.site().join("core.py")).unwrap();
        },
        "hardlinks",
    );
}

#[test]
fn what_changed_and_cannot_be_followed_keeps_everything() {
    let screen = Screen::new();
    let away = screen.made.base().join("away");
    std::fs::create_dir(&away).unwrap();
    let told = screen.after(|screen| symlink(&away, screen.site().join("packages")).unwrap());
    assert!(told.iter().all(|it| it.1 == State::Stale && it.2.contains("could not be read")), "{told:?}");
    assert!(screen.is_there(&screen.one) && screen.is_there(&screen.other));
}
