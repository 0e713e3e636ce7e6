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
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use world::World;

/// Acts in a row.
const ACTS: usize = 20;

fn run(acts: &[Act]) {
    let mut world = World::new();
    for act in acts {
        world.act(act);
    }
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
        run(&acts);
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
    run(&[
        Act::Unpack { name: 0, version: 0, forms, bucket: 5, shares: false, young: false },
        Act::Prune { wish, how: acts::How::Whole },
        Act::MoveCache,
        // Nothing may dangle afterwards that did not before.
        Act::Undo,
    ]);
}
