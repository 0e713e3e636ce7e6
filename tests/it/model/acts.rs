//! What happens to a world.

use cachetui::plan::Class;
use cachetui::snapshot::Mode;
use proptest::prelude::*;

use crate::support::made::Form;

/// One thing that happens. Numbers choose among what there is.
#[derive(Clone, Debug)]
pub(super) enum Act {
    /// uv unpacks a wheel.
    Unpack { name: usize, version: usize, forms: Vec<Form>, bucket: u32, shares: bool, young: bool },
    /// uv installs an entry.
    Install { environment: usize, entry: usize, mode: Mode },
    /// uv uninstalls a distribution.
    Uninstall { environment: usize, distribution: usize },
    /// Somebody deletes an environment.
    Delete { environment: usize },
    /// Somebody moves an environment.
    Move { environment: usize },
    /// Somebody makes a hardlink that nobody will find.
    LinkOutside { entry: usize },
    /// Somebody edits an installed file, as editors do.
    Edit { environment: usize, file: usize },
    /// Somebody deletes an installed file.
    Lose { environment: usize, file: usize },
    /// Somebody moves the cache.
    MoveCache,
    /// cachetui prunes.
    Prune { wish: Wish, how: How },
    /// cachetui puts the newest run back.
    Undo,
    /// cachetui empties the trash.
    Purge,
    /// cachetui links an environment otherwise.
    Relink { environment: usize, mode: Mode, stop: bool },
    /// cachetui mends all environments.
    Repair { mode: Option<Mode> },
}

/// What a prune is to remove.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    pub(super) classes: Vec<Class>,
    /// Entries, as numbers.
    pub(super) named: Vec<usize>,
    /// The size that the cache should have, in percent of what it has.
    pub(super) percent: Option<u64>,
    pub(super) grace: bool,
}

/// How a plan is carried out.
#[derive(Clone, Copy, Debug)]
pub(super) enum How {
    /// At once, and what was removed stays in the trash.
    Whole,
    /// At once, and the trash is emptied.
    Purged,
    /// Each step as a plan of its own.
    Stepwise,
    /// Stopped after some steps.
    Stopped { after: u64 },
}

const MODES: [Mode; 4] = [Mode::Clone, Mode::Hardlink, Mode::Symlink, Mode::Copy];

fn wish() -> impl Strategy<Value = Wish> {
    let classes = [Class::Unreferenced, Class::Unused, Class::Superseded, Class::StaleBuckets];
    let classes = prop::sample::subsequence(classes.to_vec(), 1..=4);
    let named = prop::collection::vec(0..8_usize, 0..3);
    (
        classes,
        prop_oneof![3 => Just(Vec::new()), 1 => named],
        prop::option::weighted(0.2, 0..100_u64),
        any::<bool>(),
    )
        .prop_map(|(classes, named, percent, grace)| Wish { classes, named, percent, grace })
}

fn how() -> impl Strategy<Value = How> {
    prop_oneof![
        2 => Just(How::Whole),
        2 => Just(How::Purged),
        2 => Just(How::Stepwise),
        1 => (0..3_u64).prop_map(|after| How::Stopped { after }),
    ]
}

/// Any act.
pub(super) fn act() -> impl Strategy<Value = Act> {
    let mode = || prop::sample::select(MODES.to_vec());
    let forms = prop::sample::subsequence(Form::ALL.to_vec(), 0..=3);
    let unpack = (0..4_usize, 0..3_usize, forms, 5..=7_u32, any::<bool>(), prop::bool::weighted(0.15));
    let unpack = unpack.prop_map(|(name, version, forms, bucket, shares, young)| Act::Unpack {
        name,
        version,
        forms,
        bucket,
        shares,
        young,
    });
    let install = (0..3_usize, 0..8_usize, mode());
    let install = install.prop_map(|(environment, entry, mode)| Act::Install { environment, entry, mode });
    let file = || (0..3_usize, 0..30_usize);
    prop_oneof![
        6 => unpack,
        6 => install,
        1 => file().prop_map(|(environment, distribution)| Act::Uninstall { environment, distribution }),
        1 => (0..3_usize).prop_map(|environment| Act::Delete { environment }),
        1 => (0..3_usize).prop_map(|environment| Act::Move { environment }),
        1 => (0..8_usize).prop_map(|entry| Act::LinkOutside { entry }),
        1 => file().prop_map(|(environment, file)| Act::Edit { environment, file }),
        1 => file().prop_map(|(environment, file)| Act::Lose { environment, file }),
        1 => Just(Act::MoveCache),
        5 => (wish(), how()).prop_map(|(wish, how)| Act::Prune { wish, how }),
        2 => Just(Act::Undo),
        1 => Just(Act::Purge),
        3 => (0..3_usize, mode(), prop::bool::weighted(0.1))
            .prop_map(|(environment, mode, stop)| Act::Relink { environment, mode, stop }),
        2 => prop::option::of(mode()).prop_map(|mode| Act::Repair { mode }),
    ]
}
