//! Programs in their text and their JSON form: what parses prints and is read back as the same program in both forms; it can
//! be analysed, drawn and counted; and all that in a time that grows with its length.

#![no_main]

use dtrp_core::analysis::analyse;
use dtrp_core::costs::Load;
use dtrp_core::schedule::{Op, Program};
use dtrp_core::trace::Timeline;
use dtrp_fuzz::{choice, computed};
use libfuzzer_sys::fuzz_target;
use std::num::NonZeroUsize;
use std::time::Duration;

/// Actions of a program that was made long, and the time in which it must be read, analysed and printed (by far longer than
/// it takes, by far shorter than a quadratic time).
const LONG: usize = 40_000;
const MOST: Duration = Duration::from_secs(3);

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let program = if text.trim_start().starts_with('{') {
        Program::from_json(text).ok()
    } else {
        text.parse().ok()
    };
    let Some(program) = program else {
        return;
    };
    through(&program);
    let chosen = choice(bytes, 64);
    if chosen < 2 && !program.is_empty() && program.batches > 0 {
        let long = long(&program, chosen == 1);
        let before = computed();
        through(&long);
        let took = computed() - before;
        assert!(took < MOST, "{LONG} actions took {took:?}");
    }
});

fn through(program: &Program) {
    let text = program.to_string();
    assert_eq!(text.parse().as_ref(), Ok(program), "text form:\n{text}");
    let json = program.to_json();
    assert_eq!(Program::from_json(&json).unwrap(), *program, "JSON form:\n{json}");
    let right = analyse(program, NonZeroUsize::MIN).is_ok();
    let _ = analyse(program, NonZeroUsize::MAX);
    assert!(!right || Load::of(program).is_ok(), "no load of\n{text}");
    // One row a slot and one column a worker: of many workers only a little is drawn.
    if program.modules() < 100 {
        let _ = program.table();
        let timeline = Timeline::planned(program);
        let _ = timeline.to_chrome();
        let _ = timeline.to_svg();
    }
}

/// The program made long: again and again, each time on the batches after the last; or by as many workers as have so much to
/// do together.
fn long(program: &Program, wide: bool) -> Program {
    let times = (LONG / program.len()) as u32;
    let mut long = program.clone();
    if wide {
        long.workers = program
            .workers
            .iter()
            .cycle()
            .take(times as usize * program.modules())
            .cloned()
            .collect();
        return long;
    }
    for actions in &mut long.workers {
        let once = actions.clone();
        let updates = once.iter().filter(|action| action.op == Op::Update).count() as u32;
        for time in 1..times {
            actions.extend(once.iter().map(|action| {
                let mut action = *action;
                action.unit.batch = action
                    .unit
                    .batch
                    .wrapping_add(time.wrapping_mul(program.batches))
                    .max(1);
                if !action.op.is_message() {
                    action.version = action.version.wrapping_add(time.wrapping_mul(updates));
                }
                action
            }));
        }
    }
    long.batches = program.batches.saturating_mul(times.max(1));
    long
}
