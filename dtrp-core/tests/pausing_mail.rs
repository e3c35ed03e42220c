//! What lies at the workers of a run that has paused, and what is refused as such.

#[path = "common/exact.rs"]
mod exact;

use dtrp_core::engine::{self, EngineError, EngineOptions, Mail, Pause, Paused, PausedError, Ran};
use dtrp_core::schedule::{Dtrp, Method, Plan, Program, Unit};
use exact::Exact;

fn eager(modules: usize, batches: u32) -> Program {
    Dtrp::new(modules).eager().batches(batches).program().unwrap()
}

fn pauses(ran: Result<Ran<Exact>, EngineError<exact::Failure>>) -> Paused<Exact> {
    match ran {
        Ok(Ran::Paused(paused)) => paused,
        other => panic!("{other:?}"),
    }
}

fn units<T>(list: &[(Unit, T)]) -> Vec<u32> {
    list.iter().map(|(unit, _)| unit.batch).collect()
}

/// A program of somebody's own, in which everything is sent late and received early, so that there is some of everything.
const DELAYED: &str = "dtrp-program 1 method own order eager modules 2 batches 4 micro-batches 1
worker 1
  G1@0 G2@0 >Y1 >Y2 G3@0 G4@0 <D1 <D2 B1@0 U1@1 >Y3 B2@0 U2@2 >Y4 <D3 <D4 B3@0 U3@3 B4@0 U4@4
worker 2
  <Y1 <Y2 G1@0 B1@0 U1@1 G2@1 B2@1 U2@2 >D1 >D2 <Y3 G3@2 B3@2 U3@3 <Y4 G4@3 B4@3 >D3 U4@4 >D4";

#[test]
fn the_mail_is_what_lies_at_the_workers() {
    let program: Program = DELAYED.parse().unwrap();
    let pause = Pause::new();
    let mut stages = Exact::network(2, None);
    let set = EngineOptions::default();
    pause.after(1);
    let paused = pauses(engine::start(&program, &mut stages, &set, &pause));
    assert_eq!(paused.positions(), [10, 10]);
    let [below, above] = paused.mail() else { panic!() };
    assert_eq!(
        (units(&below.arrived_down), units(&below.ready_up)),
        (vec![2], vec![3, 4])
    );
    assert!(above.arrived_up.is_empty() && above.ready_down.is_empty(), "{paused:?}");
    pause.after(2);
    let paused = pauses(engine::go_on(&program, &mut stages, paused, &set, &pause));
    // The activation of batch 3 was under way.
    assert_eq!(paused.positions(), [13, 10]);
    let [below, above] = paused.mail() else { panic!() };
    assert_eq!((units(&below.ready_up), units(&above.arrived_up)), (vec![4], vec![3]));
    pause.after(3);
    let paused = pauses(engine::go_on(&program, &mut stages, paused, &set, &pause));
    // Worker 1 wants the gradient of batch 4 before it goes back through batch 3, so worker 2 has come to its end.
    assert_eq!(paused.positions(), [18, 20]);
    let ran = engine::go_on(&program, &mut stages, paused, &set, &pause).unwrap();
    assert!(matches!(ran, Ran::Finished(_)));
    let mut reference = Exact::network(2, None);
    engine::run(&program, &mut reference, &set).unwrap();
    assert_eq!(stages, reference);
}

/// The gradients of programs in which none are sent are nobody's mail.
#[test]
fn gradients_that_nobody_wants_are_not_kept() {
    let plan = Plan::new(3, 6);
    let program = Method::named("local").unwrap().program(&plan).unwrap();
    let pause = Pause::new();
    pause.after(4);
    let mut stages = Exact::network(3, None);
    let paused = pauses(engine::start(&program, &mut stages, &EngineOptions::default(), &pause));
    assert!(
        paused.mail().iter().all(|mail| mail.ready_down.is_empty()),
        "{paused:?}"
    );
}

/// A pause after batch 2 of [`DELAYED`].
fn parts() -> (Program, Vec<Mail<Exact>>) {
    let program: Program = DELAYED.parse().unwrap();
    let pause = Pause::new();
    pause.after(2);
    let mut stages = Exact::network(2, None);
    let paused = pauses(engine::start(&program, &mut stages, &EngineOptions::default(), &pause));
    (program, paused.into_mail())
}

#[test]
fn mail_that_is_not_right_is_refused() {
    let refused = |batch: u32, change: &dyn Fn(&mut Vec<Mail<Exact>>), expected: &str| {
        let (program, mut mail) = parts();
        change(&mut mail);
        let error = Paused::<Exact>::new(&program, batch, mail).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    refused(
        2,
        &|mail| mail[1].arrived_up.clear(),
        "worker 2 lacks an activation from below of batch 3, which lies there when a run pauses after batch 2",
    );
    refused(
        2,
        &|mail| mail[0].ready_up.clear(),
        "worker 1 lacks an activation that it is to send of batch 4",
    );
    refused(
        2,
        &|mail| mail[0].arrived_down.push((Unit::batch(4), 0)),
        "worker 1 has a gradient from above of batch 4 too much",
    );
    refused(
        2,
        &|mail| mail[1].ready_down.push((Unit::micro(3, 1), 0)),
        "worker 2 has a gradient that it is to send of batch 3.1 too much",
    );
    refused(
        2,
        &|mail| mail[1].arrived_up.push((Unit::batch(3), 7)),
        "worker 2 has an activation from below of batch 3 too much",
    );
    refused(1, &|_| {}, "after batch 1");
    refused(5, &|_| {}, "after batch 5 of a program of 4 batches");
    refused(
        2,
        &|mail| drop(mail.pop()),
        "the program has 2 modules, but there is mail of 1",
    );
}

#[test]
fn a_run_goes_on_with_its_own_program_only() {
    let pause = Pause::new();
    let set = EngineOptions::default();
    let (program, mail) = parts();
    let other: Program = DELAYED
        .replace("<D3 <D4 B3@0", "<D3 B3@0")
        .replace("U3@3 B4@0", "U3@3 <D4 B4@0")
        .parse()
        .unwrap();
    let mut stages = Exact::network(2, None);
    // From a file: what matters is where it has paused.
    let paused = Paused::<Exact>::new(&eager(2, 4), 0, vec![Mail::default(), Mail::default()]).unwrap();
    assert!(matches!(
        engine::go_on(&other, &mut stages, paused, &set, &pause),
        Ok(Ran::Finished(_))
    ));
    let paused = Paused::<Exact>::new(&program, 2, mail).unwrap();
    let error = engine::go_on(&eager(2, 4), &mut stages, paused, &set, &pause).unwrap_err();
    assert!(matches!(error, EngineError::Paused(_)), "{error}");
    // In the same process: it is the same program.
    pause.after(2);
    let mut stages = Exact::network(2, None);
    let paused = pauses(engine::start(&program, &mut stages, &set, &pause));
    let error = engine::go_on(&other, &mut stages, paused, &set, &pause).unwrap_err();
    assert!(matches!(error, EngineError::Paused(PausedError::Program)), "{error}");
    assert_eq!(stages.len(), 2);
    let mut too_few = Exact::network(1, None);
    let (program, mail) = parts();
    let paused = Paused::<Exact>::new(&program, 2, mail).unwrap();
    let error = engine::go_on(&program, &mut too_few, paused, &set, &pause).unwrap_err();
    assert!(
        matches!(error, EngineError::Stages { stages: 1, modules: 2 }),
        "{error}"
    );
}
