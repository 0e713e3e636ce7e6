//! Random caches, environments and requests: what must hold after every step, whatever came before.
//!
//! A world is made by random acts, some of uv's and some of cachetui's. What cachetui may remove is told by an [`oracle`]
//! that looks at the disk with `lstat` and reads whole files, and knows nothing of scans. Before and after each act of
//! cachetui the disk is read, and every environment has to have what it had.

mod acts;
mod changes;
mod oracle;
mod removals;
mod world;

use acts::{Act, act};
use cachetui::snapshot::Mode;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use world::World;

/// Acts in a row.
const ACTS: usize = 20;

fn run(acts: &[Act]) -> World {
    let mut world = World::new();
    for act in acts {
        world.act(act);
        if matches!(act, Act::Lose { .. } | Act::MoveCache | Act::Repair { .. }) {
            for mode in [None, Some(Mode::Hardlink)] {
                world.outlines(mode);
            }
        }
    }
    world
}

fn runs(cases: u32) {
    let config = ProptestConfig {
        cases,
        failure_persistence: None,
        max_shrink_iters: 400,
        ..ProptestConfig::default()
    };
    let acts = prop::collection::vec(act(), ACTS);
    let result = TestRunner::new(config).run(&acts, |acts| {
        drop(run(&acts));
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

#[test]
fn whatever_happens_no_environment_loses_anything_and_nothing_dangles() {
    runs(16);
}

#[test]
#[ignore = "some minutes: three hundred worlds"]
fn whatever_happens_no_environment_loses_anything_and_nothing_dangles_at_length() {
    runs(300);
}

#[test]
fn a_link_into_where_the_cache_was_does_not_come_back() {
    use crate::support::made::Form;
    use cachetui::plan::Class;
    let forms = vec![Form::Absolute];
    let wish = acts::Wish { classes: vec![Class::Unused], named: Vec::new(), percent: None, grace: false };
    drop(run(&[
        Act::Unpack { name: 0, version: 0, forms, bucket: 5, shares: false, young: false },
        Act::Prune { wish, how: acts::How::Whole },
        Act::MoveCache,
        // Nothing may dangle afterwards that did not before.
        Act::Undo,
    ]));
}

#[test]
fn an_environment_by_itself_tells_as_much_as_a_whole_scan() {
    let unpack =
        |name| Act::Unpack { name, version: 0, forms: Vec::new(), bucket: 5, shares: false, young: false };
    let install = |environment, entry, mode| Act::Install { environment, entry, mode };
    let world = run(&[
        unpack(0),
        unpack(1),
        install(0, 0, Mode::Symlink),
        install(0, 1, Mode::Symlink),
        install(1, 0, Mode::Hardlink),
        install(1, 1, Mode::Symlink),
        Act::Lose { environment: 0, file: 0 },
        Act::Lose { environment: 1, file: 0 },
        Act::MoveCache,
    ]);
    // Two distributions in the first, one in the second, of which nobody can tell how it is to be linked.
    assert_eq!(world.outlines(None), 2);
    assert_eq!(world.outlines(Some(Mode::Hardlink)), 4);
}

#[test]
fn what_the_trash_shares_with_the_cache_is_still_in_the_cache() {
    use crate::support::made::Form;
    use cachetui::plan::Class;
    let unpack =
        |version, forms, shares| Act::Unpack { name: 0, version, forms, bucket: 5, shares, young: false };
    let install = |entry| Act::Install { environment: 0, entry, mode: Mode::Clone };
    let prune = |percent, how| {
        let wish = acts::Wish { classes: vec![Class::Unused], named: Vec::new(), percent, grace: false };
        Act::Prune { wish, how }
    };
    let edit = || Act::Edit { environment: 0, file: 0 };
    drop(run(&[
        unpack(0, vec![Form::LinkFile, Form::Http], false),
        prune(None, acts::How::Whole),
        unpack(0, vec![Form::LinkFile, Form::Http], false),
        install(0),
        unpack(0, vec![Form::LinkFile], true),
        prune(None, acts::How::Stepwise),
        unpack(1, vec![Form::Http], false),
        edit(),
        install(0),
        install(2),
        install(0),
        edit(),
        // Planned again after the trash is emptied, nothing more has to go.
        prune(Some(50), acts::How::Purged),
    ]));
}
