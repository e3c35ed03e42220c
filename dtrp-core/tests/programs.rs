//! Programs as text and as JSON, and what the analysis says of programs that someone has tampered with.

mod common;

use dtrp_core::analysis::analyse;
use dtrp_core::schedule::{Action, Dtrp, Method, Op, Plan, Program, ScheduleError};
use proptest::prelude::*;
use proptest::sample::Index;
use std::num::NonZeroUsize;
use std::time::Instant;

/// A change that someone editing a program by hand could make.
#[derive(Debug, Clone)]
enum Mutation {
    Drop,
    Duplicate,
    SwapWithNext,
    Op(Op),
    Batch(u32),
    Version(u32),
    Horizon(Option<u32>),
}

fn mutations() -> impl Strategy<Value = Mutation> {
    prop_oneof![
        Just(Mutation::Drop),
        Just(Mutation::Duplicate),
        Just(Mutation::SwapWithNext),
        proptest::sample::select(&Op::ALL[..]).prop_map(Mutation::Op),
        (0u32..12).prop_map(Mutation::Batch),
        (0u32..12).prop_map(Mutation::Version),
        proptest::option::of(0u32..6).prop_map(Mutation::Horizon),
    ]
}

fn mutate(actions: &mut Vec<Action>, at: usize, mutation: &Mutation) {
    match mutation {
        Mutation::Drop => drop(actions.remove(at)),
        Mutation::Duplicate => actions.insert(at, actions[at]),
        Mutation::SwapWithNext => {
            let next = (at + 1).min(actions.len() - 1);
            actions.swap(at, next);
        }
        Mutation::Op(op) => actions[at].op = *op,
        Mutation::Batch(batch) => actions[at].unit.batch = *batch,
        Mutation::Version(version) => actions[at].version = *version,
        Mutation::Horizon(horizon) => actions[at].horizon = *horizon,
    }
}

/// An independent, much simpler judge: plays the program in any order that the messages allow and checks the rules of the
/// contract by brute force.
fn plays(program: &Program) -> bool {
    let modules = program.modules();
    let units = |op: Op, k: usize| {
        let mut units: Vec<_> = program.workers[k - 1]
            .iter()
            .filter(|a| a.op == op)
            .map(|a| a.unit)
            .collect();
        units.sort();
        units
    };
    let all: Vec<_> = (1..=program.batches).map(dtrp_core::schedule::Unit::batch).collect();
    (1..=modules).all(|k| {
        let mut first: Vec<_> = units(Op::Forward, k)
            .into_iter()
            .chain(units(Op::ForwardGraph, k))
            .collect();
        first.sort();
        let sends_up = if k < modules { all.clone() } else { vec![] };
        first == all
            && units(Op::Backward, k) == all
            && units(Op::Recompute, k) == units(Op::Forward, k)
            && units(Op::SendY, k) == sends_up
            && (k == modules || units(Op::RecvY, k + 1) == sends_up)
            && (k == modules || units(Op::RecvD, k) == units(Op::SendD, k + 1))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn every_generated_program_is_right((_, _, program) in common::programs(6, 12, 4)) {
        for capacity in [1, 3] {
            let capacity = NonZeroUsize::new(capacity).unwrap();
            if let Err(fault) = analyse(&program, capacity) {
                return Err(TestCaseError::fail(format!("{fault}\n{program}")));
            }
        }
    }

    #[test]
    fn text_and_json_are_the_identity((_, _, program) in common::programs(5, 8, 3)) {
        let text = program.to_string();
        prop_assert_eq!(&text.parse::<Program>().unwrap(), &program);
        prop_assert_eq!(text.parse::<Program>().unwrap().to_string(), text);
        prop_assert_eq!(&Program::from_json(&program.to_json()).unwrap(), &program);
    }

    #[test]
    fn tampered_programs_are_valid_or_rejected_at_the_place(
        (_, _, program) in common::programs(4, 8, 1),
        worker in any::<Index>(),
        at in any::<Index>(),
        mutation in mutations(),
    ) {
        let mut tampered = program.clone();
        let k = worker.index(program.modules());
        if program.workers[k].is_empty() {
            return Ok(());
        }
        let at = at.index(program.workers[k].len());
        mutate(&mut tampered.workers[k], at, &mutation);
        match analyse(&tampered, NonZeroUsize::MIN) {
            Ok(_) => prop_assert!(plays(&tampered), "accepted:\n{tampered}"),
            Err(fault) => {
                prop_assert_ne!(&tampered, &program);
                prop_assert!((1..=program.modules()).contains(&fault.worker));
                prop_assert!(fault.index <= tampered.workers[fault.worker - 1].len());
                // A fault in a worker's own list is found at the worker; a message may be missed by its neighbour.
                prop_assert!((fault.worker - 1).abs_diff(k) <= 1, "{mutation:?} at worker {} {at}: {fault}", k + 1);
                prop_assert!(fault.around.contains('^'));
            }
        }
        // Tables and texts of faulty programs can be shown too.
        let _ = tampered.table();
        let _ = tampered.to_string();
    }

    #[test]
    fn the_parsers_survive_anything(text in any::<String>(), bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = text.parse::<Program>();
        let _ = text.parse::<Action>();
        let _ = Program::from_json(&text);
        let bytes = String::from_utf8_lossy(&bytes);
        let _ = bytes.parse::<Program>();
    }

    #[test]
    fn the_parser_survives_a_changed_text(
        (_, _, program) in common::programs(3, 4, 2), at in any::<Index>(), with in "[ -~\n]{0,3}"
    ) {
        let mut text = program.to_string();
        let at = at.index(text.len());
        text.replace_range(at..=at, &with);
        if let Ok(read) = text.parse::<Program>() {
            prop_assert_eq!(read.to_string().parse::<Program>().unwrap(), read);
        }
    }
}

fn check_text(change: impl Fn(&str) -> String, expected: &str) {
    let program = Method::named("dtrp").unwrap().program(&Plan::new(2, 2)).unwrap();
    let error = change(&program.to_string()).parse::<Program>().unwrap_err();
    assert!(error.to_string().contains(expected), "{error}");
}

#[test]
fn errors_in_texts_name_the_place() {
    check_text(
        |t| t.replace("dtrp-program 1", "dtrp-program 9"),
        "line 1, column 14: this is version 9",
    );
    check_text(
        |t| t.replace("order lockstep", "order sideways"),
        "the orders are lockstep, eager",
    );
    check_text(|t| t.replace("F2@0", "F2@0x"), "`F2@0x+1` is not an action");
    check_text(
        |t| t.replace("G1@0", "G1junk@0"),
        "is not an action: the batch must be a whole number",
    );
    check_text(|t| t.replace("worker 2", "worker 3"), "expected worker 2 here");
    check_text(|t| format!("{t}worker 3\n"), "there are only 2 workers");
    check_text(
        |t| t.replace("modules 2", "modules 99999999999"),
        "`modules` must be a whole number",
    );
    check_text(
        |t| t.replace("modules 2", "modules 99999999"),
        "`modules` must be from 1",
    );
}

fn check_fault(change: impl Fn(&mut Program), expected: &str) {
    let mut program = Method::named("dtrp").unwrap().program(&Plan::new(2, 3)).unwrap();
    change(&mut program);
    let fault = analyse(&program, NonZeroUsize::MIN).unwrap_err();
    assert!(fault.to_string().contains(expected), "{fault}\n{program}");
}

#[test]
fn faults_say_what_is_wrong() {
    let at = |program: &Program, k: usize, token: &str| {
        program.workers[k - 1]
            .iter()
            .position(|a| a.to_string() == token)
            .unwrap_or_else(|| panic!("{token}\n{program}"))
    };
    let drop_one = |k: usize, token: &'static str| {
        move |p: &mut Program| {
            let index = at(p, k, token);
            p.workers[k - 1].remove(index);
        }
    };
    check_fault(
        drop_one(1, "U2@2"),
        "R3 reads weight version 2, but the current one is 1",
    );
    check_fault(
        drop_one(1, "U3@3"),
        "worker 1, action 18: batch 3 is never applied by an update",
    );
    check_fault(drop_one(2, ">D2"), "batch 2 is never sent down");
    check_fault(drop_one(1, "<D2"), "the gradient of batch 2 has not been received");
    check_fault(drop_one(1, "R2@1"), "there is no graph of batch 2");
    check_fault(drop_one(2, "<Y1"), "the input of batch 1 has not been received");
    check_fault(
        |p| p.workers[0][..4].rotate_left(2),
        "worker 1 must forward the batches in order",
    );
    check_fault(
        |p| {
            let (a, b) = (at(p, 1, ">Y1"), at(p, 1, ">Y2"));
            p.workers[0].swap(a, b);
        },
        "there is no activation of batch 2 to send yet",
    );
    check_fault(
        |p| {
            let index = at(p, 1, "F3@1+1");
            p.workers[0][index].horizon = Some(4);
        },
        "F3@1+4 predicts 4 updates ahead, but 1 are made by now",
    );
    check_fault(
        |p| {
            // Worker 1 wants its first gradient before it has sent what that gradient depends on.
            let index = at(p, 1, "<D1");
            let receive = p.workers[0].remove(index);
            p.workers[0].insert(0, receive);
        },
        "the workers wait for one another (worker 1 at <D1, worker 2 at <Y1)",
    );
    check_fault(
        |p| p.workers[1].retain(|a| a.op != Op::SendD),
        "batch 1 is never sent down",
    );
}

/// What one form takes the other can say: the name is one word, and there are no more workers.
#[test]
fn both_forms_take_the_same_programs() {
    let json = |method: &str, modules: usize| {
        let workers = vec!["[]"; modules].join(",");
        let method = serde_json::to_string(method).unwrap();
        let head = r#"{"format": 1, "order": "eager", "batches": 0"#;
        Program::from_json(&format!(
            r#"{head}, "method": {method}, "modules": {modules}, "workers": [{workers}]}}"#
        ))
    };
    for method in ["", " ", "a b", "a\n", "\u{2028}a", "a#b", "#"] {
        let error = json(method, 1).unwrap_err().to_string();
        assert!(
            error.starts_with("method: ") && error.contains("a single word"),
            "{method:?}: {error}"
        );
    }
    let program = json("worker", 3).unwrap();
    assert_eq!(program.to_string().parse().as_ref(), Ok(&program));
    let error = json("mine", (1 << 20) + 1).unwrap_err().to_string();
    assert_eq!(error, "modules: must be from 1 to 1048576");
}

/// A line may be as long as somebody likes. Were the place of each word counted from the start of its line, 20,000 batches in
/// one line would take a hundred times as long as in many.
#[test]
fn a_long_line_is_read_as_fast_as_many_short_ones() {
    let program = Dtrp::new(2).batches(20_000).program().unwrap();
    let lines = program.to_string();
    let one_each = lines.replace("\n  ", " ");
    let time = |text: &str| {
        let start = Instant::now();
        assert_eq!(text.parse::<Program>().unwrap(), program);
        start.elapsed()
    };
    let best = |text: &str| (0..3).map(|_| time(text)).min().unwrap();
    let (short, long) = (best(&lines), best(&one_each));
    assert!(long < 10 * short, "{long:?} {short:?}");
    // The place of an error is still told in characters.
    let wrong = one_each.replacen("U20000@20000", "É U20000@20000", 1);
    let error = wrong.parse::<Program>().unwrap_err();
    let line = wrong.lines().nth(error.line - 1).unwrap();
    assert_eq!(line.chars().nth(error.column - 1), Some('É'), "{error}");
}

/// Slots, with which every program is printed, take a time that grows with the program, also where it is faulty: with many
/// workers that wait for messages which nobody sends, or many messages before one computation.
#[test]
fn a_faulty_program_is_printed_as_fast_as_a_right_one() {
    let read = |workers: Vec<String>| {
        let workers: String = (1..).zip(&workers).map(|(k, w)| format!("worker {k}\n{w}\n")).collect();
        let modules = workers.matches("worker").count();
        let head = "dtrp-program 1\nmethod mine\norder eager\nmodules";
        let text = format!("{head} {modules}\nbatches 1\nmicro-batches 1\n{workers}");
        text.parse::<Program>().unwrap()
    };
    let waiting = |workers| read(vec!["<Y2 G1@0 >Y1 <D1 B1@0 U1@1".to_owned(); workers]);
    let sends: fn(u32) -> String = |batch| format!("G{batch}@0 >Y{batch} ");
    let receives: fn(u32) -> String = |batch| format!("<Y{batch} ");
    let gathering = |batches| {
        read(
            [sends, receives]
                .map(|each| (1..=batches).map(each).collect::<String>() + "G1@0")
                .to_vec(),
        )
    };
    let time = |program: &Program| {
        let once = || {
            let start = Instant::now();
            assert_eq!(program.to_string().parse().as_ref(), Ok(program));
            start.elapsed()
        };
        (0..3).map(|_| once()).min().unwrap()
    };
    for (short, long) in [(waiting(200), waiting(10_000)), (gathering(200), gathering(10_000))] {
        let (short, long) = (time(&short), time(&long));
        // 50 times as long; 2,500 times where it grew with the square.
        assert!(long < 500 * short, "{long:?} {short:?}");
    }
}

#[test]
fn plans_that_are_too_large_are_refused() {
    let start = Instant::now();
    for method in Method::all() {
        for plan in [
            Plan::new(usize::MAX, 6),
            Plan::new(1 << 20, 6),
            Plan::new(3, u32::MAX),
            Plan::new(10_000, 10_000),
        ] {
            let error = method.program(&plan).unwrap_err();
            assert!(
                matches!(error, ScheduleError::TooMany { .. }),
                "{}: {error}",
                method.name
            );
        }
        if method.micro_batches {
            let error = method
                .program(&Plan::new(2, 200_000).micro_batches(u16::MAX))
                .unwrap_err();
            assert!(
                error
                    .to_string()
                    .contains("micro-batches is 26214000000, but can be at most"),
                "{error}"
            );
        }
        if method.accumulate {
            assert!(method.program(&Plan::new(2, 6).accumulate(u32::MAX)).is_ok());
        }
    }
    assert!(start.elapsed().as_secs() < 10);
}
