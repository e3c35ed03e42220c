//! Timelines of plans and of runs, and their Chrome JSON: nothing is lost, nothing overlaps, every message has one arrow.

mod chrome_format;
mod common;

use dtrp_core::costs::ModuleCosts;
use dtrp_core::engine::{self, EngineOptions, Executor, Stage};
use dtrp_core::schedule::{Action, Dtrp, Gpipe, Op, Program, Slots, Unit};
use dtrp_core::simulate::{self, Links};
use dtrp_core::trace::{Event, Message, Recording, TimeUnit, Timeline, Trace};
use proptest::prelude::*;
use serde_json::Value;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

#[test]
fn chrome_json_of_a_small_plan() {
    let program = Dtrp::new(2).batches(2).program().unwrap();
    insta::assert_snapshot!("chrome-dtrp", Timeline::planned(&program).to_chrome());
    let program = Gpipe::new(2).batches(1).micro_batches(2).program().unwrap();
    insta::assert_snapshot!("chrome-gpipe", Timeline::planned(&program).to_chrome());
}

fn sends(program: &Program) -> usize {
    let workers = 1..=program.modules();
    workers
        .map(|k| program.count(k, Op::SendY) + program.count(k, Op::SendD))
        .sum()
}

/// What every timeline of a program must be, wherever its times come from.
fn check(timeline: &Timeline, program: &Program) -> Result<(), TestCaseError> {
    for (events, actions) in timeline.workers().iter().zip(&program.workers) {
        let ran: Vec<Action> = events.iter().map(|e| e.action).collect();
        prop_assert_eq!(&ran, actions);
        prop_assert!(events.iter().all(|e| e.begin <= e.end));
        let overlap = events.windows(2).find(|pair| pair[0].end > pair[1].begin);
        prop_assert!(overlap.is_none(), "{overlap:?}");
    }
    let messages = timeline.messages();
    prop_assert_eq!(messages.len(), sends(program));
    for message in messages {
        let (send, receive) = ends(timeline, message);
        prop_assert_eq!(send.action.op.counterpart(), Some(receive.action.op));
        prop_assert_eq!(send.action.unit, receive.action.unit);
        prop_assert!(send.begin <= receive.end, "{send:?} {receive:?}");
    }
    check_chrome(timeline, program)
}

fn ends(timeline: &Timeline, message: Message) -> (Event, Event) {
    let event = |worker: usize, index: usize| timeline.workers()[worker - 1][index];
    (event(message.from, message.send), event(message.to, message.receive))
}

/// Reads the JSON back and compares it with the program and the events.
fn check_chrome(timeline: &Timeline, program: &Program) -> Result<(), TestCaseError> {
    let text = timeline.to_chrome();
    let json: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    prop_assert_eq!(chrome_format::faults(&json), Vec::<String>::new());
    let records = json["traceEvents"].as_array().unwrap();
    let of_phase = |phase: &str| -> Vec<&Value> { records.iter().filter(|r| r["ph"] == phase).collect() };
    let expected = program.workers.iter().flatten();
    let names = of_phase("X");
    prop_assert_eq!(names.len(), program.len());
    for (record, action) in names.iter().zip(expected) {
        prop_assert_eq!(record["name"].as_str().unwrap(), action.to_string());
        let args = &record["args"];
        prop_assert_eq!(&args["op"], action.op.json_name());
        prop_assert_eq!(&args["batch"], action.unit.batch);
        prop_assert_eq!(args.get("micro").is_some(), action.unit.micro > 0);
        prop_assert_eq!(args.get("version").is_none(), action.op.is_message());
        let horizon = args.get("horizon").and_then(Value::as_u64);
        prop_assert_eq!(horizon, action.horizon.map(u64::from));
    }
    let by_id = |phase| -> BTreeMap<u64, &Value> {
        let arrows = of_phase(phase).into_iter();
        arrows.map(|r| (r["id"].as_u64().unwrap(), r)).collect()
    };
    let (starts, finishes) = (by_id("s"), by_id("f"));
    prop_assert_eq!(of_phase("s").len(), starts.len(), "an id is used twice");
    prop_assert_eq!(of_phase("f").len(), finishes.len(), "an id is used twice");
    prop_assert_eq!(starts.len(), sends(program));
    for (id, start) in &starts {
        let Some(finish) = finishes.get(id) else {
            return Err(TestCaseError::fail(format!("arrow {id} does not end")));
        };
        prop_assert_eq!(&start["name"], &finish["name"]);
        let (from, to) = (start["ts"].as_f64().unwrap(), finish["ts"].as_f64().unwrap());
        prop_assert!(from <= to, "{start} {finish}");
    }
    Ok(())
}

/// Computes nothing.
struct Idle {
    last: bool,
}

impl Stage for Idle {
    type Up = ();
    type Down = ();
    type Error = Infallible;

    fn input(&mut self, _: Unit) -> Result<(), Infallible> {
        Ok(())
    }
    fn forward(&mut self, _: Unit, (): (), _: Option<u32>) -> Result<(), Infallible> {
        Ok(())
    }
    fn forward_graph(&mut self, _: Unit, (): (), _: Option<u32>) -> Result<Option<()>, Infallible> {
        Ok((!self.last).then_some(()))
    }
    fn recompute(&mut self, _: Unit) -> Result<(), Infallible> {
        Ok(())
    }
    fn backward(&mut self, _: Unit, _: Option<()>) -> Result<Option<()>, Infallible> {
        Ok(Some(()))
    }
    fn update(&mut self, _: u32) -> Result<(), Infallible> {
        Ok(())
    }
}

fn run(program: &Program, executor: Executor, recording: Recording) -> Trace {
    let last = program.modules();
    let mut stages: Vec<_> = (1..=last).map(|k| Idle { last: k == last }).collect();
    let options = EngineOptions {
        executor,
        recording,
        ..EngineOptions::default()
    };
    let outcome = engine::run(program, &mut stages, &options);
    outcome.unwrap_or_else(|e| panic!("{e}\n{program}")).trace
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, ..ProptestConfig::default() })]

    #[test]
    fn plans((_, _, program) in common::programs(6, 12, 4)) {
        let timeline = Timeline::planned(&program);
        check(&timeline, &program)?;
        // Every event lies in its slot, and a message is there when it is received.
        let slots = Slots::of(&program);
        for (k, events) in (1..).zip(timeline.workers()) {
            for (index, event) in events.iter().enumerate() {
                let slot = slots.slot(k, index);
                prop_assert!(event.begin >= Timeline::SLOT * (slot - 1));
                prop_assert!(event.end <= Timeline::SLOT * slot);
            }
        }
        for message in timeline.messages() {
            let (send, receive) = ends(&timeline, message);
            prop_assert!(send.end <= receive.begin, "{send:?} {receive:?}");
        }
    }

    #[test]
    fn runs((_, _, program) in common::programs(4, 8, 3)) {
        for executor in [Executor::Threads, Executor::Sequential] {
            let trace = run(&program, executor, Recording::Timed);
            prop_assert_eq!(&trace.to_program(&program), &program);
            check(&trace.timeline(&program).unwrap(), &program)?;
        }
    }

    #[test]
    fn simulations(
        (_, _, program) in common::programs(5, 10, 3),
        times in prop::collection::vec((0..3000u64, 0..3000u64), 5),
        latency_ns in prop::sample::select(vec![0, 700]),
    ) {
        let costs = times[..program.modules()].iter();
        let costs: Vec<_> = costs.map(|(f, b)| ModuleCosts::times(*f, *b)).collect();
        let options = simulate::SimulationOptions {
            links: Links { latency_ns, ..Links::default() },
            timeline: true,
            ..simulate::SimulationOptions::default()
        };
        let simulation = simulate::simulate(&program, &costs, &options).unwrap();
        check(&simulation.timeline.unwrap(), &program)?;
    }

    /// A program with parts missing has arrows for what is left of its messages, and can be drawn.
    #[test]
    fn faulty_programs((_, _, mut program) in common::programs(4, 6, 3), at in any::<prop::sample::Index>()) {
        prop_assume!(!program.is_empty());
        let mut index = at.index(program.len());
        for actions in &mut program.workers {
            if index < actions.len() {
                actions.remove(index);
                break;
            }
            index -= actions.len();
        }
        let timeline = Timeline::planned(&program);
        prop_assert!(timeline.messages().len() <= sends(&program));
        prop_assert!(serde_json::from_str::<Value>(&timeline.to_chrome()).is_ok());
    }
}

#[test]
fn a_run_without_times_has_a_logical_trace_but_no_timeline() {
    let program = Dtrp::new(3).batches(4).eager().program().unwrap();
    let trace = run(&program, Executor::Threads, Recording::Logical);
    assert_eq!(trace.to_program(&program), program);
    assert!(trace.timeline(&program).is_none());
}

#[test]
fn titles_say_what_is_shown() {
    let program = Gpipe::new(4).batches(1).micro_batches(4).program().unwrap();
    let planned = Timeline::planned(&program);
    assert_eq!(
        planned.title(),
        "gpipe, synchronous: 4 modules, 1 batch of 4 micro-batches, planned"
    );
    let program = Dtrp::new(1).batches(2).program().unwrap();
    let simulated = Timeline::simulated(&program, vec![Vec::new()]);
    assert_eq!(
        (simulated.title(), simulated.unit()),
        ("dtrp, lockstep: 1 module, 2 batches, simulated", TimeUnit::Nanoseconds)
    );
}

#[test]
fn what_is_not_in_the_format_is_found() {
    let program = Dtrp::new(2).batches(2).program().unwrap();
    let right: Value = serde_json::from_str(&Timeline::planned(&program).to_chrome()).unwrap();
    assert_eq!(chrome_format::faults(&right), [""; 0]);
    let phase = |phase: &str| {
        let mut records = right["traceEvents"].as_array().unwrap().iter();
        records.position(|record| record["ph"] == phase).unwrap()
    };
    for (of, field, value) in [
        ("X", "ts", Value::Null),
        ("X", "dur", (-1).into()),
        ("X", "pid", "one".into()),
        ("X", "tid", 9.into()),
        ("X", "ph", "Y".into()),
        ("X", "duration", 1.into()),
        ("f", "bp", "x".into()),
        ("s", "id", Value::Null),
        ("s", "ts", 1e9.into()),
        ("M", "name", "colour".into()),
    ] {
        let mut wrong = right.clone();
        wrong["traceEvents"][phase(of)][field] = value;
        assert!(!chrome_format::faults(&wrong).is_empty(), "{of} {field}");
    }
}

#[test]
fn times_in_chrome_json_are_exact() {
    let event = |token: &str, begin, end| Event {
        action: token.parse().unwrap(),
        begin: Duration::from_nanos(begin),
        end: Duration::from_nanos(end),
    };
    let events = vec![event("G1@0", 1, 1_002_003), event("B1@0", 1_002_003, 2_000_000)];
    let timeline = Timeline::new("\"quoted\" \\ \u{1}", TimeUnit::Nanoseconds, vec![events]);
    let text = timeline.to_chrome();
    assert!(
        text.contains("\"ts\":0.001,\"dur\":1002.002,\"name\":\"G1@0\""),
        "{text}"
    );
    assert!(
        text.contains("\"ts\":1002.003,\"dur\":997.997,\"name\":\"B1@0\""),
        "{text}"
    );
    let json: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["otherData"]["title"], timeline.title());
    assert_eq!(timeline.busy(1), Duration::from_nanos(1_999_999));
}
