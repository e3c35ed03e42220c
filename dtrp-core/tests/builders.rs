//! The builders make what the registry makes, in one line.

use dtrp_core::schedule::{
    Bp, Ddg, Dsp, Dtrp, Fdg, FeaturesReplay, Gpipe, Local, Method, OneForwardOneBackward, Order, Pipedream, Plan,
    Program, ScheduleError, Spectrain,
};

fn check(built: Result<Program, ScheduleError>, method: &str, plan: Plan) {
    let expected = Method::named(method).unwrap().program(&plan).unwrap();
    assert_eq!(built.unwrap(), expected);
}

#[test]
fn builders_make_the_programs_of_the_registry() {
    let plan = Plan::new;
    check(Bp::new(3).program(), "bp", plan(3, 6));
    check(Ddg::new(3).batches(7).program(), "ddg", plan(3, 7));
    check(FeaturesReplay::new(2).program(), "features-replay", plan(2, 4));
    check(Local::new(4).program(), "local", plan(4, 8));
    check(
        Gpipe::new(4).batches(2).micro_batches(4).program(),
        "gpipe",
        plan(4, 2).micro_batches(4),
    );
    check(
        OneForwardOneBackward::new(2).micro_batches(3).program(),
        "1f1b",
        plan(2, 4).micro_batches(3),
    );
    check(
        Fdg::new(3).accumulate(2).micro_batches(2).program(),
        "fdg",
        plan(3, 6).accumulate(2).micro_batches(2),
    );
    check(Dtrp::new(3).program(), "dtrp", plan(3, 6));
    check(
        Dtrp::new(3).eager().micro_batches(2).program(),
        "dtrp",
        plan(3, 6).order(Order::Eager).micro_batches(2),
    );
    check(
        Dsp::new(3).lockstep().program(),
        "dsp",
        plan(3, 6).order(Order::Lockstep),
    );
    check(Pipedream::new(3).program(), "pipedream", plan(3, 6));
    check(
        Spectrain::new(3).micro_batches(2).program(),
        "spectrain",
        plan(3, 6).micro_batches(2),
    );
}

#[test]
fn the_forms_of_a_builder_are_those_of_its_program() {
    let builder = Dtrp::new(3).batches(5).eager();
    let program = builder.program().unwrap();
    assert_eq!(builder.table().unwrap(), program.table());
    assert_eq!(builder.text().unwrap(), program.to_string());
    assert_eq!(builder.plan(), &Plan::new(3, 5).order(Order::Eager));
}

#[test]
fn what_cannot_be_is_an_error() {
    let zero = |what| Err(ScheduleError::Zero { what });
    assert_eq!(Dtrp::new(0).program(), zero("the number of modules"));
    assert_eq!(
        Gpipe::new(2).micro_batches(0).program(),
        zero("the number of micro-batches")
    );
    assert_eq!(
        Fdg::new(2).accumulate(0).program(),
        zero("the number of accumulated batches")
    );
    assert!(Bp::new(2).batches(0).program().unwrap().is_empty());
}
