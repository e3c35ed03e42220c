//! Consistent cuts: where a program can be interrupted.

mod common;
#[path = "common/odd.rs"]
mod odd;

use dtrp_core::analysis::{Cuts, cut_after};
use dtrp_core::schedule::{Dtrp, Op, Program};
use proptest::prelude::*;
use std::time::Instant;

/// Whether these prefixes have every `B` and `U` up to the batch.
fn has_all(program: &Program, positions: &[usize], batch: u32) -> bool {
    let rest = |k: usize| program.workers[k].iter().skip(positions[k]);
    let due = |op: Op| matches!(op, Op::Backward | Op::Update);
    (0..positions.len()).all(|k| rest(k).all(|action| !due(action.op) || action.unit.batch > batch))
}

/// Whether these prefixes have the send of every message that they receive, by the messages' units.
fn is_closed(program: &Program, positions: &[usize]) -> bool {
    let prefix = |k: usize| program.workers[k].iter().take(positions[k]);
    (0..positions.len()).all(|k| {
        prefix(k).filter(|action| action.op.is_receive()).all(|action| {
            let (peer, send) = action.op.peer(k + 1).zip(action.op.counterpart()).unwrap();
            prefix(peer - 1).any(|other| other.op == send && other.unit == action.unit)
        })
    })
}

/// The least such prefixes, by trying all. (Where two are such, what they have in common is too.)
fn by_force(program: &Program, batch: u32) -> Vec<usize> {
    let mut least: Vec<_> = program.workers.iter().map(Vec::len).collect();
    let ends = least.clone();
    let mut positions = vec![0; ends.len()];
    loop {
        if has_all(program, &positions, batch) && is_closed(program, &positions) {
            let both = least.iter().zip(&positions).map(|(a, b)| *a.min(b));
            least = both.collect();
        }
        let Some(k) = (0..ends.len()).find(|k| positions[*k] < ends[*k]) else {
            return least;
        };
        positions[..k].fill(0);
        positions[k] += 1;
    }
}

fn check(program: &Program) -> Result<(), TestCaseError> {
    let mut before = vec![0; program.modules()];
    prop_assert_eq!(cut_after(program, 0), before.clone());
    let cuts: Vec<_> = Cuts::new(program).collect();
    prop_assert_eq!(cuts.len(), program.batches as usize);
    for (batch, cut) in (1..).zip(&cuts) {
        prop_assert_eq!(cut, &cut_after(program, batch));
        prop_assert!(
            has_all(program, cut, batch) && is_closed(program, cut),
            "{batch}: {cut:?}\n{program}"
        );
        prop_assert!(
            cut.iter().zip(&before).all(|(now, before)| now >= before),
            "{batch}\n{program}"
        );
        before.clone_from(cut);
    }
    let ends: Vec<_> = program.workers.iter().map(Vec::len).collect();
    prop_assert_eq!(&before, &ends);
    prop_assert_eq!(cut_after(program, u32::MAX), ends);
    Ok(())
}

fn is_least(program: &Program) -> Result<(), TestCaseError> {
    for (batch, cut) in (1..).zip(Cuts::new(program)) {
        prop_assert_eq!(cut, by_force(program, batch), "{}\n{}", batch, program);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn cuts_are_consistent_and_grow((_, _, program) in common::programs(7, 14, 4)) {
        check(&program)?;
    }

    #[test]
    fn cuts_of_odd_programs_are_consistent_and_grow(program in odd::programs(4, 7, 2)) {
        check(&program)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn cuts_are_the_least(
        small in prop_oneof![
            common::programs(2, 5, 2).prop_map(|(_, _, program)| program),
            common::programs(3, 3, 1).prop_map(|(_, _, program)| program),
            odd::programs(2, 5, 1),
            odd::programs(3, 3, 1),
        ]
    ) {
        is_least(&small)?;
    }
}

/// What is in flight stays in flight: a cut is not an end of the pipeline.
#[test]
fn a_cut_waits_for_nothing_else() {
    let program = Dtrp::new(4).eager().batches(20).program().unwrap();
    let cut = cut_after(&program, 10);
    let forwards = |k: usize, cut: usize| {
        let prefix = &program.workers[k][..cut];
        prefix.iter().filter(|action| action.op.is_first_forward()).count()
    };
    assert_eq!([0, 1, 2, 3].map(|k| forwards(k, cut[k])), [13, 12, 11, 10]);
    // Every worker stops right after its update.
    for (actions, cut) in program.workers.iter().zip(cut) {
        assert_eq!((actions[cut - 1].op, actions[cut - 1].unit.batch), (Op::Update, 10));
    }
}

/// Nobody can be kept busy by a text: of a program that is not right the cuts are within its lists.
#[test]
fn cuts_of_faulty_programs_are_within_them() {
    let text = "dtrp-program 1 method x order eager modules 2 batches 4294967295 micro-batches 1 \
                worker 1 <Y1 <D7 B4000000000@3 worker 2 >D7 <Y9 <D1 U2@1";
    let program: Program = text.parse().unwrap();
    assert_eq!(cut_after(&program, 1), [0, 0]);
    // The send that `<Y9` waits for is looked for up to the end.
    assert_eq!(cut_after(&program, 2), [3, 4]);
    assert_eq!(cut_after(&program, u32::MAX), [3, 4]);
    assert_eq!(Cuts::new(&program).take(3).last(), Some(vec![3, 4]));
}

/// Were each found from the beginning, all cuts of 10,000 batches would take thousands of times as long as the last one.
#[test]
fn all_cuts_take_not_much_longer_than_one() {
    let program = Dtrp::new(4).eager().batches(10_000).program().unwrap();
    let best = |body: &dyn Fn() -> Option<Vec<usize>>| {
        let time = |_| {
            let start = Instant::now();
            assert!(body().is_some());
            start.elapsed()
        };
        (0..3).map(time).min().unwrap()
    };
    let one = best(&|| Some(cut_after(&program, 10_000)));
    let all = best(&|| Cuts::new(&program).last());
    assert!(all < 50 * one, "{all:?} {one:?}");
}
