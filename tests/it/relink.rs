//! Relinking without uv: what is planned and what is kept, and plans that somebody has changed.

use std::path::{Path, PathBuf};

use cachetui::apply::relink::{Change, RelinkOutcome, relink};
use cachetui::apply::report::State;
use cachetui::control::{Cancel, Progress};
use cachetui::disk::FileStat;
use cachetui::lock::{CacheShared, EnvironmentExclusive, Sign, Waiting};
use cachetui::plan::{At, KeptBecause, Plan, Relink, RelinkWork, Request, Step, Work, plan};
use cachetui::scan::{self, Live, discover};
use cachetui::snapshot::{
    Certainty, Distribution, DistributionState, EntryIndex, Environment, FilePrint, Mode, Snapshot,
};
use cachetui::uv::root::Root;

use crate::support::fixture::{Fixture, HERE};
use crate::support::sample;

fn requested(snapshot: &Snapshot, mode: Mode, packages: &[&str]) -> Plan {
    let environments = snapshot.environments.iter().map(|it| At::new(&it.path)).collect();
    let packages = packages.iter().map(ToString::to_string).collect();
    plan(snapshot, &Request::Relink(Relink { environments, mode, packages }))
}

fn is_copied(distribution: &Distribution) -> bool {
    distribution.files.modes.copy > 0 && distribution.state == DistributionState::Ok
}

/// The first distribution that was copied.
fn copied(snapshot: &mut Snapshot) -> &mut Distribution {
    let mut all = snapshot.environments.iter_mut().flat_map(|it| &mut it.distributions);
    all.find(|it| is_copied(it)).unwrap()
}

fn step<'a>(plan: &'a Plan, name: &str) -> Option<&'a Step> {
    plan.steps.iter().find(|step| step.name.as_deref() == Some(name))
}

#[test]
fn what_was_edited_is_named_in_the_plan() {
    let mut snapshot = sample::relinkable();
    let before = requested(&snapshot, Mode::Copy, &[]).warnings;
    let distribution = copied(&mut snapshot);
    distribution.files.modified += 2;
    let name = distribution.name.clone();
    for mode in [Mode::Copy, Mode::Hardlink] {
        let plan = requested(&snapshot, mode, &[&name]);
        let said = plan.warnings.last().unwrap();
        assert!(said.contains(&name) && said.contains("from RECORD and will stay so"), "{said}");
    }
    assert!(!before.iter().any(|text| text.contains(&name)), "{before:?}");
}

#[test]
fn what_came_of_it_says_in_which_direction_the_bytes_went() {
    let said = |predicted: i64, measured: i64| {
        let why = (predicted != measured).then(|| "why".to_owned());
        Change { predicted: predicted << 20, measured: Some(measured << 20), why }.sentence()
    };
    assert_eq!(said(16, 16), "16.0 MiB were freed, as planned.");
    assert_eq!(said(16, 8), "8.0 MiB were freed, where 16.0 MiB were planned: why.");
    assert_eq!(said(16, -8), "8.0 MiB were taken, where 16.0 MiB to be freed were planned: why.");
    assert_eq!(said(16, 0), "Nothing was freed, where 16.0 MiB to be freed were planned: why.");
    assert_eq!(said(-16, 8), "8.0 MiB were freed, where 16.0 MiB to be taken were planned: why.");
    assert_eq!(said(0, -8), "8.0 MiB were taken, where nothing was planned: why.");
}

#[test]
fn copies_give_back_what_they_take_and_copying_takes_what_was_linked() {
    let mut snapshot = sample::relinkable();
    let distribution = copied(&mut snapshot).clone();
    let plan = requested(&snapshot, Mode::Hardlink, &[&distribution.name]);
    let bytes = step(&plan, &distribution.name).unwrap().bytes;
    assert_eq!((bytes.reclaimable, bytes.needed), (distribution.bytes.copied, 0));
    assert_eq!(bytes.certainty, Certainty::Exact);
    assert!(plan.warnings[0].contains("editing it changes the cache"), "{:?}", plan.warnings);

    let plan = requested(&snapshot, Mode::Symlink, &[&distribution.name]);
    let bytes = step(&plan, &distribution.name).unwrap().bytes;
    assert_eq!(bytes.needed, distribution.files.modes.copy * 4096, "a block for each symlink on ext4");
    assert!(plan.warnings[0].contains("uv cache clean"), "{:?}", plan.warnings);

    let plan = requested(&snapshot, Mode::Copy, &[]);
    assert!(plan.warnings.is_empty());
    let linked: u64 = plan.steps.iter().map(|step| step.bytes.needed).sum();
    assert_eq!((plan.totals.bytes.needed, plan.totals.steps), (linked, plan.steps.len() as u64));
    assert!(linked > 0);
}

#[test]
fn a_clone_where_nothing_can_be_cloned_is_planned_as_the_hardlink_it_becomes() {
    let mut snapshot = sample::relinkable();
    let name = copied(&mut snapshot).name.clone();
    let (clone, hardlink) =
        (requested(&snapshot, Mode::Clone, &[]), requested(&snapshot, Mode::Hardlink, &[]));
    let names = |plan: &Plan| plan.steps.iter().map(|step| step.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&clone), names(&hardlink));
    assert!(clone.warnings[0].starts_with("Nothing can be cloned"));
    assert_eq!(step(&clone, &name).unwrap().relink().unwrap().mode, Mode::Clone, "it is still tried");
}

#[test]
fn what_is_not_to_be_changed_is_kept_with_the_reason() {
    type Change = fn(&mut Distribution);
    let because = |change: Change| {
        let mut snapshot = sample::relinkable();
        let has = |it: &Environment| it.distributions.iter().any(is_copied);
        let at = At::new(&snapshot.environments.iter().find(|it| has(it)).unwrap().path);
        let distribution = copied(&mut snapshot);
        change(distribution);
        let name = distribution.name.clone();
        let plan = requested(&snapshot, Mode::Hardlink, &[&name]);
        let kept = plan.kept.iter().find(|kept| kept.at == at && kept.name.as_deref() == Some(&name));
        kept.unwrap().because.clone()
    };
    assert_eq!(because(|it| it.editable = true), KeptBecause::Editable);
    assert_eq!(because(|it| it.state = DistributionState::Broken), KeptBecause::Broken);
    assert_eq!(because(|it| it.state = DistributionState::Unknown), KeptBecause::Unread);
    assert_eq!(because(|it| it.record = None), KeptBecause::Unread);
    assert_eq!(because(|it| it.entry = None), KeptBecause::NoEntry);
    assert_eq!(
        because(|it| it.record = Some(FilePrint { device: 2, ..FilePrint::default() })),
        KeptBecause::OtherFilesystem
    );
    assert_eq!(
        because(|it| (it.files.modes.hardlink, it.files.modes.copy) = (it.files.modes.copy, 0)),
        KeptBecause::AlreadySo { mode: "hardlink".to_owned() }
    );
}

#[test]
fn environments_of_the_cache_itself_and_such_as_nobody_knows_are_kept() {
    let mut snapshot = sample::relinkable();
    snapshot.environments[0].entry = Some(EntryIndex::new(0));
    let plan = requested(&snapshot, Mode::Copy, &[]);
    let first = At::new(&snapshot.environments[0].path);
    let kept: Vec<_> = plan.kept.iter().filter(|kept| kept.at == first).collect();
    assert_eq!((kept.len(), &kept[0].because), (1, &KeptBecause::InCache));
    assert!(plan.steps.iter().all(|step| step.at != first));
    let environments = vec![At::new(Path::new("/nowhere"))];
    let request = Relink { environments, mode: Mode::Copy, packages: Vec::new() };
    assert_eq!(plan_of(&snapshot, request).kept[0].because, KeptBecause::Unknown);
}

fn plan_of(snapshot: &Snapshot, request: Relink) -> Plan {
    plan(snapshot, &Request::Relink(request))
}

#[test]
fn a_plan_comes_back_as_it_was_written() {
    let plan = requested(&sample::relinkable(), Mode::Symlink, &[]);
    assert!(!plan.steps.is_empty() && !plan.kept.is_empty());
    let text = serde_json::to_string(&plan).unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let step = &value["steps"][0];
    assert_eq!(step["action"], "relink");
    for key in ["path", "reason", "bytes"] {
        assert!(!step[key].is_null(), "{key}");
    }
    let back = Plan::read(text.as_bytes()).unwrap();
    assert_eq!(back, plan);
    assert_eq!(serde_json::to_string(&back).unwrap(), text);
}

const SITE: &str = if cfg!(windows) { "Lib/site-packages" } else { "lib/python3.11/site-packages" };

/// A distribution in the sample of this system, and one of its modules.
const DIST_INFO: &str = if cfg!(windows) { "demo_a-1.0.dist-info" } else { "demo_c-1.0.dist-info" };
const MODULE: &str = if cfg!(windows) { "demo_a/core.py" } else { "demo_ns/c/more.py" };

/// A cache of uv's with an environment that has a copy of one of its distributions.
struct Ground {
    fixture: Fixture,
}

impl Ground {
    fn new() -> Self {
        let fixture = Fixture::unpack(HERE);
        let ground = Self { fixture };
        let site = ground.site();
        let entry = ground.entry();
        for item in walkdir::WalkDir::new(&entry).into_iter().map(Result::unwrap) {
            let to = site.join(item.path().strip_prefix(&entry).unwrap());
            if item.file_type().is_dir() {
                std::fs::create_dir_all(to).unwrap();
            } else {
                std::fs::copy(item.path(), to).unwrap();
            }
        }
        std::fs::write(ground.root().join("pyvenv.cfg"), "home = /usr/bin\nuv = 0.13.8\n").unwrap();
        ground
    }

    fn root(&self) -> PathBuf {
        self.fixture.root().join("code/proj/.venv")
    }

    fn site(&self) -> PathBuf {
        self.root().join(SITE)
    }

    /// The entry of the distribution.
    fn entry(&self) -> PathBuf {
        let archive = self.fixture.cache().join("archive-v0");
        let entries = self.fixture.entries().into_iter().map(|id| archive.join(id));
        let mut fits = entries.filter(|entry| entry.join(DIST_INFO).is_dir());
        fits.next().expect("the sample has it")
    }

    fn plan(&self) -> Plan {
        let plan = self.planned();
        assert_eq!(plan.steps.len(), 1, "{:#?}", plan.kept);
        plan
    }

    /// The same, whatever there is to do.
    fn planned(&self) -> Plan {
        let request = scan::Request {
            cache: Root { path: self.fixture.cache(), found_by: "--cache-dir".to_owned() },
            absent: scan::Absent::Refused,
            places: vec![discover::named(self.fixture.root().join("code"))],
            targets: Vec::new(),
            remembered: Vec::new(),
            problems: Vec::new(),
            symlinks: false,
            sources: Vec::new(),
            wanted: Vec::new(),
            cross_mounts: false,
            options: Vec::new(),
            threads: 2,
            started: jiff::Timestamp::now(),
            clock: std::time::Instant::now,
        };
        let snapshot =
            scan::scan(&request, &Live::default(), &Cancel::default(), &Progress::default()).unwrap();
        let environments = vec![At::new(&self.root())];
        plan_of(&snapshot, Relink { environments, mode: Mode::Hardlink, packages: Vec::new() })
    }

    fn apply(&self, plan: &Plan) -> RelinkOutcome {
        let cache = CacheShared::acquire(&self.fixture.cache(), None, &Waiting::Never).unwrap();
        let lock =
            EnvironmentExclusive::acquire(&self.root(), Sign::PyvenvCfg, &cache, None, &Waiting::Never)
                .unwrap();
        let mut outcomes = relink(plan, &lock, &cache, &Cancel::default(), &Progress::default());
        assert_eq!(outcomes.len(), 1);
        outcomes.remove(0)
    }

    /// Inodes of everything in the environment but its lock.
    fn inodes(&self) -> Vec<(PathBuf, u64)> {
        let walk = walkdir::WalkDir::new(self.root()).sort_by_file_name().into_iter().map(Result::unwrap);
        let files = walk.filter(|item| item.file_name() != ".lock");
        files.map(|item| (item.path().to_owned(), FileStat::of(item.path()).unwrap().inode)).collect()
    }
}

#[test]
fn a_plan_is_carried_out_and_what_was_edited_since_is_told() {
    let ground = Ground::new();
    let plan = ground.plan();
    let edited = ground.site().join(MODULE);
    std::fs::write(&edited, "edited = True\n").unwrap();
    let outcome = ground.apply(&plan);
    let modified: Vec<PathBuf> = outcome.modified.iter().map(At::path).collect();
    assert_eq!((outcome.state, modified), (State::Stale, vec![edited.clone()]));
    assert!(outcome.made.hardlink > 0);
    assert_eq!(std::fs::read_to_string(&edited).unwrap(), "edited = True\n");
}

#[test]
fn what_was_installed_or_unpacked_anew_since_is_stale() {
    let ground = Ground::new();
    let plan = ground.plan();
    let before = ground.inodes();
    let record = ground.site().join(DIST_INFO).join("RECORD");
    let text = std::fs::read(&record).unwrap();
    std::fs::write(&record, &text).unwrap();
    assert_eq!(ground.apply(&plan).state, State::Stale);
    let plan = ground.plan();
    std::fs::write(ground.entry().join(MODULE), "longer than before, and never equal\n").unwrap();
    assert_eq!(ground.apply(&plan).state, State::Stale);
    assert_eq!(ground.inodes(), before);
}

#[test]
fn hardlinks_that_others_make_meanwhile_do_not_make_a_plan_stale() {
    let ground = Ground::new();
    let plan = ground.plan();
    let other = ground.fixture.root().join("other.py");
    std::fs::hard_link(ground.entry().join(MODULE), other).unwrap();
    assert_eq!(ground.apply(&plan).state, State::Done);
}

#[test]
fn a_plan_that_somebody_has_changed_reaches_nothing_else() {
    let ground = Ground::new();
    let victim = ground.fixture.root().join("victim");
    std::fs::create_dir_all(victim.join(DIST_INFO)).unwrap();
    std::fs::write(victim.join(DIST_INFO).join("RECORD"), "x\n").unwrap();
    let before = ground.inodes();
    let good = ground.plan();
    let at = |text: &str| At::new(Path::new(text));
    let victim = victim.join(DIST_INFO);
    let changes: [&dyn Fn(&mut RelinkWork); 8] = [
        &|step| step.dist_info = at(&format!("../../victim/{DIST_INFO}")),
        &|step| step.dist_info = At::new(&victim),
        &|step| step.dist_info = At::new(&Path::new(SITE).join(MODULE.split_once('/').unwrap().0)),
        &|step| step.entry = at("archive-v0/../../victim"),
        &|step| step.entry = At::new(&victim),
        &|step| step.entry = at("wheels-v7/S-OK9lY4v3cWBBoK"),
        &|step| step.entry = at("archive-v0"),
        &|step| step.expects.entry.inode += 1,
    ];
    for (number, change) in changes.iter().enumerate() {
        let mut plan = good.clone();
        let Work::Relink(work) = &mut plan.steps[0].work else { panic!("it relinks") };
        change(work);
        let outcome = ground.apply(&plan);
        assert!(outcome.state != State::Done && outcome.made.total() == 0, "{number}: {outcome:?}");
    }
    let mut plan = good.clone();
    plan.cache = at("/another/cache");
    assert_eq!(ground.apply(&plan).state, State::Failed);
    assert_eq!(ground.inodes(), before);
    assert_eq!(ground.apply(&good).state, State::Done);
    assert_ne!(ground.inodes(), before);
}

#[cfg(unix)]
#[test]
fn a_file_that_was_given_other_permissions_keeps_them() {
    use std::os::unix::fs::PermissionsExt as _;
    let ground = Ground::new();
    let file = ground.site().join(MODULE);
    let bits = || std::fs::metadata(&file).unwrap().permissions().mode() & 0o777;
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o711)).unwrap();
    let plan = ground.plan();
    let outcome = ground.apply(&plan);
    let kept: Vec<At> = outcome.kept.into_iter().map(|it| it.at).collect();
    assert_eq!((outcome.state, kept), (State::Done, vec![At::new(&file)]));
    assert_eq!((outcome.made.hardlink, bits()), (plan.steps[0].bytes.files, 0o711));
    // There is nothing more to do, however often somebody asks.
    assert_eq!(ground.planned().steps, []);
}
