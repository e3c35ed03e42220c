//! Methods as others see them: facts that hold of their programs, methods from outside, and names that nobody has.

use dtrp_core::analysis::{CAPACITY, analyse};
use dtrp_core::inventory;
use dtrp_core::schedule::{Action, Fdg, Method, Op, Order, Plan, Predict, Program, Schedule, ScheduleError, shapes};

fn program(method: &Method) -> Program {
    method.program(&Plan::new(3, 8)).unwrap()
}

fn all(program: &Program) -> impl Iterator<Item = &Action> {
    program.workers.iter().flatten()
}

// A worker is two batches ahead of its backward, whichever it is; the first forward is for the weights of the backward.
inventory::submit!(Method {
    micro_batches: true,
    predict: Predict::ToBackward,
    ..Method::new(
        "two-ahead",
        "every worker is two ahead",
        "these tests",
        &[Order::Eager],
        two_ahead
    )
});

fn two_ahead(plan: &Plan, _: Order) -> Vec<Vec<Action>> {
    let last = plan.modules;
    shapes::staggered(
        plan,
        shapes::Keep::Graph,
        |k| if k == last { 0 } else { 2 * (last - k) },
        |_| false,
    )
}

// Mistakes of somebody else's.
inventory::submit!(Method::new("no-order", "", "", &[], two_ahead));
inventory::submit!(Method::new("one-worker", "", "", &[Order::Eager], |_, _| vec![vec![]]));

/// But for those that are wrong.
fn right() -> Vec<&'static Method> {
    let mut methods = Method::all();
    methods.retain(|method| !["no-order", "one-worker"].contains(&method.name));
    methods
}

#[test]
fn those_from_outside_come_after_ours() {
    let names: Vec<_> = Method::all().iter().map(|method| method.name).collect();
    let ours = [
        "bp",
        "gpipe",
        "1f1b",
        "ddg",
        "features-replay",
        "fdg",
        "dsp",
        "dtrp",
        "pipedream",
        "spectrain",
        "local",
    ];
    assert_eq!(names[..11], ours);
    assert_eq!(names[11..], ["no-order", "one-worker", "two-ahead"]);
}

#[test]
fn a_method_from_outside_is_one_of_them() {
    let program = program(Method::named("two-ahead").unwrap());
    let report = analyse(&program, CAPACITY).unwrap();
    let staleness: Vec<_> = report.workers.iter().map(|worker| worker.max_staleness()).collect();
    assert_eq!(staleness, [4, 2, 0]);
    let ahead = all(&program).filter(|action| action.horizon == Some(4)).count();
    // All but the first ones, while the pipeline fills.
    assert_eq!(ahead, 4);
}

#[test]
fn facts_hold_of_programs() {
    let bp = program(Method::named("bp").unwrap());
    for method in right() {
        let (name, program) = (method.name, program(method));
        assert_eq!(method.gradients, all(&program).any(|a| a.op == Op::SendD), "{name}");
        assert_eq!(method.predicts(), all(&program).any(|a| a.horizon.is_some()), "{name}");
        // One that flushes is backpropagation where batches are not split, and has something to split.
        assert_eq!(
            method.flushes,
            method.micro_batches && program.workers == bp.workers,
            "{name}"
        );
        for worker in 1..=3 {
            assert_eq!(program.has_own_loss(worker), worker < 3 && !method.gradients, "{name}");
        }
    }
    let compensated: Vec<_> = right().into_iter().filter(|m| m.compensation).map(|m| m.name).collect();
    assert_eq!(compensated, ["dtrp"]);
}

#[test]
fn slips_are_understood() {
    let says = |name: &str| Method::named(name).unwrap_err().to_string();
    assert!(says("dtpr").starts_with("unknown method `dtpr` (did you mean `dtrp`?); the methods are bp, gpipe,"));
    assert!(says("xyzzy").starts_with("unknown method `xyzzy`; the methods are bp,"));
    let says = "lockstp".parse::<Order>().unwrap_err().to_string();
    let orders = "the orders are lockstep, eager, synchronous, sweep";
    assert_eq!(
        says,
        format!("unknown order `lockstp` (did you mean `lockstep`?); {orders}")
    );
    let text = Fdg::new(1).text().unwrap().replace("lockstep", "lockstp");
    let error = text.parse::<Program>().unwrap_err();
    assert!(error.to_string().contains("did you mean `lockstep`?"), "{error}");
}

#[test]
fn a_wrong_method_is_told_so() {
    let wrong = |name| {
        Method::named(name)
            .unwrap()
            .program(&Plan::new(3, 8))
            .unwrap_err()
            .to_string()
    };
    assert_eq!(wrong("no-order"), "method `no-order` is wrong: it has no order");
    assert_eq!(
        wrong("one-worker"),
        "method `one-worker` is wrong: it has laid out 1 workers for 3 modules"
    );
}

#[test]
fn a_schedule_is_a_builder_or_a_pair() {
    fn laid_out(schedule: &dyn Schedule) -> Result<Program, ScheduleError> {
        schedule.method()?.program(schedule.plan())
    }
    let builder = Fdg::new(3).accumulate(2);
    let pair = (Method::named("fdg").unwrap(), Plan::new(3, 6).accumulate(2));
    assert_eq!(laid_out(&builder).unwrap(), laid_out(&pair).unwrap());
}
