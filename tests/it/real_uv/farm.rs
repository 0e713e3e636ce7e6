//! Random farms: environments of every shape on every filesystem, and whatever is done to their cache. Afterwards each
//! imports what it imported, uv works, and as much room is free as was promised.
//!
//! `CACHETUI_FARM=17` or `CACHETUI_FARM=0..300` with `cargo test --test it farms_at_length -- --ignored` says which farms are
//! made at length; what a failed farm did is printed, with its number.

mod acts;
mod checks;
mod ground;
pub(super) mod look;
mod users;

use std::collections::BTreeSet;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use ground::{Ground, Kind, Owner};
use look::{Read, Tree};
use users::{SHAPES, User, make};

use super::lab::MODES;
use crate::support::random::Random;
use crate::support::uv::VERSION;

/// What the farms lie on, which uv works in them, and who owns them. A farm has one of each, by its number.
const KINDS: [Kind; 7] = [
    Kind::Temporary,
    Kind::Disk("ext4"),
    Kind::Image,
    Kind::Disk("xfs"),
    Kind::Memory,
    Kind::Disk("btrfs"),
    Kind::Overlay,
];
const RELEASES: [&str; 4] = [VERSION, "0.13.9", "0.12.5", "0.9.30"];
const OWNERS: [Owner; 3] = [Owner::One, Owner::Other, Owner::Two];

fn modes() -> &'static [&'static str] {
    &MODES
}

/// A cache, who uses it, and what has been done to it.
struct Farm {
    ground: Ground,
    random: Random,
    users: Vec<User>,
    made: usize,
    /// The entries that ever were in the cache.
    known: BTreeSet<String>,
    /// Files that were edited, ever.
    edited: BTreeSet<PathBuf>,
    /// The cache as it was before the last removal into the trash, where nothing has changed it since.
    undoable: Option<Tree>,
    remembers: bool,
    /// Whether root has a home of its own.
    own_home: bool,
    log: Vec<String>,
}

impl Farm {
    fn new(seed: u64) -> Option<Self> {
        let number = usize::try_from(seed).unwrap();
        let (kind, owner) = (KINDS[number % KINDS.len()], OWNERS[number % OWNERS.len()]);
        let release = RELEASES[number % RELEASES.len()];
        let mut random = Random::new(seed + 1);
        let mut farm = Self {
            ground: Ground::new(kind, owner, release)?,
            users: Vec::new(),
            made: 0,
            known: BTreeSet::new(),
            edited: BTreeSet::new(),
            undoable: None,
            remembers: random.once_in(2),
            own_home: random.once_in(2),
            random,
            log: vec![format!("farm {seed}: {kind:?}, {owner:?}, uv {release}")],
        };
        let count = 3 + farm.random.below(5);
        for number in 0..count {
            if number == count / 2 {
                farm.ground.put_below()?;
            }
            // A mount lies on what is there for good.
            let steady = kind == Kind::Image && number < count / 2;
            farm.add(steady);
        }
        Some(farm)
    }

    /// Adds a user, of a shape that the farm does not have yet where there is one.
    fn add(&mut self, steady: bool) {
        let mounts = |shape: users::Shape| matches!(shape, users::Shape::Mounted | users::Shape::Bound);
        let fits: Vec<users::Shape> = SHAPES
            .into_iter()
            .filter(|shape| !(steady && mounts(*shape) || self.users.iter().any(|it| it.shape == *shape)))
            .collect();
        let shape = *self.random.pick(if fits.is_empty() { &SHAPES[..1] } else { &fits });
        let user = make(&self.ground, &mut self.random, self.made, shape);
        self.made += 1;
        self.log.push(format!("user {shape:?} at {}: {:?}", user.place.display(), user.imports));
        self.users.push(user);
    }
}

impl Drop for Farm {
    fn drop(&mut self) {
        for user in &self.users {
            user.unmount_all();
        }
        if std::thread::panicking() || std::env::var("CACHETUI_FARM").is_ok_and(|it| !it.contains("..")) {
            self.tell();
        }
    }
}

impl Farm {
    #[expect(clippy::print_stderr, reason = "what a farm did is to be seen when it fails")]
    fn tell(&self) {
        eprintln!("{}", self.log.join("\n  "));
    }
}

/// Makes farms and works in them; all of them, before the first failure is told.
fn farms(seeds: Range<u64>) {
    let run = |seed: &u64| {
        let work = || {
            if let Some(mut farm) = Farm::new(*seed) {
                let acts = 3 + farm.random.below(6);
                (0..acts).for_each(|_| farm.act());
                farm.end();
            }
        };
        catch_unwind(AssertUnwindSafe(work)).is_err()
    };
    let failed: Vec<u64> = seeds.filter(run).collect();
    assert!(failed.is_empty(), "these farms failed, see above: {failed:?}");
}

#[test]
fn farms_lose_nothing_and_free_what_was_promised_0() {
    farms(0..5);
}

#[test]
fn farms_lose_nothing_and_free_what_was_promised_1() {
    farms(5..10);
}

#[test]
fn farms_lose_nothing_and_free_what_was_promised_2() {
    farms(10..15);
}

#[test]
fn farms_lose_nothing_and_free_what_was_promised_3() {
    farms(15..20);
}

#[test]
#[ignore = "some minutes: three hundred farms"]
fn farms_at_length() {
    let asked = std::env::var("CACHETUI_FARM").unwrap_or_else(|_| "0..300".to_owned());
    let number = |text: &str| text.parse::<u64>().unwrap();
    let seeds = match asked.split_once("..") {
        Some((first, end)) => number(first)..number(end),
        None => number(&asked)..number(&asked) + 1,
    };
    farms(seeds);
}
