//! The SVG chart: well-formed whatever it is made from, complete, and limited in size.

mod common;

use dtrp_core::schedule::{Action, Dtrp, Local, Method, Op, Plan, Program, ScheduleError, Unit};
use dtrp_core::trace::{Event, TimeUnit, Timeline};
use proptest::prelude::*;
use std::time::Duration;

#[test]
fn svg_of_a_small_plan() {
    let program = Dtrp::new(2).batches(2).program().unwrap();
    insta::assert_snapshot!("svg-dtrp", Timeline::planned(&program).to_svg());
}

/// Checks the part of XML that the charts use: tags that nest, quoted attributes, known entities. Returns the elements.
fn elements(xml: &str) -> Result<Vec<&str>, String> {
    let mut open = Vec::new();
    let mut elements = Vec::new();
    let mut rest = xml.trim_end();
    while !rest.is_empty() {
        let (text, tag) = rest.split_once('<').ok_or(format!("text at the end: {rest}"))?;
        if open.is_empty() && !text.is_empty() {
            return Err(format!("text outside: {text}"));
        }
        check_text(text)?;
        let (tag, after) = tag.split_once('>').ok_or(format!("unclosed tag: {tag}"))?;
        rest = after;
        if let Some(name) = tag.strip_prefix('/') {
            let expected = open.pop();
            if expected != Some(name) {
                return Err(format!("</{name}> closes {expected:?}"));
            }
            continue;
        }
        let (tag, closed) = match tag.strip_suffix('/') {
            Some(tag) => (tag, true),
            None => (tag, false),
        };
        let (name, mut attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        while !attributes.is_empty() {
            let bad = || format!("bad attribute in <{tag}>");
            let (_, value) = attributes.split_once("=\"").ok_or_else(bad)?;
            let (value, more) = value.split_once('"').ok_or_else(bad)?;
            check_text(value)?;
            attributes = more.trim_start();
        }
        elements.push(name);
        if !closed {
            open.push(name);
        }
    }
    if open.is_empty() {
        Ok(elements)
    } else {
        Err(format!("never closed: {open:?}"))
    }
}

fn check_text(text: &str) -> Result<(), String> {
    for (at, _) in text.match_indices('&') {
        let known = ["&amp;", "&lt;", "&gt;", "&quot;"];
        if !known.iter().any(|entity| text[at..].starts_with(entity)) {
            return Err(format!("bare & in {text}"));
        }
    }
    match text.chars().find(|c| c.is_control() && *c != '\n') {
        Some(c) => Err(format!("{c:?} in {text}")),
        None => Ok(()),
    }
}

#[test]
fn the_checker_finds_what_is_not_well_formed() {
    assert_eq!(elements("<a b=\"1\"><c/>x &lt; y</a>\n"), Ok(vec!["a", "c"]));
    for bad in [
        "<a>",
        "<a></b>",
        "<a b=1/>",
        "<a>x & y</a>",
        "<a>\u{1}</a>",
        "<a/>x",
        "<a",
    ] {
        assert!(elements(bad).is_err(), "{bad}");
    }
}

fn draw(timeline: &Timeline) -> String {
    let svg = timeline.to_svg();
    elements(&svg).unwrap_or_else(|e| panic!("{e}\n{svg}"));
    assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    svg
}

/// Boxes in a chart: each has a hover text, and so does the whole.
fn boxes(svg: &str) -> usize {
    svg.matches("<title>").count() - 1
}

fn computations(program: &Program) -> usize {
    let all = program.workers.iter().flatten();
    all.filter(|a| !a.op.is_message()).count()
}

/// Any events at all: overlapping, backwards, out of order, from the same instant to the end of the world.
fn events() -> impl Strategy<Value = Vec<Vec<Event>>> {
    let time = prop_oneof![0..5000u64, 0..u64::MAX, Just(u64::MAX), Just(1_000_000),];
    let event =
        (prop::sample::select(Op::ALL.to_vec()), 1..4u32, time.clone(), time).prop_map(|(op, batch, begin, end)| {
            Event {
                action: Action::new(op, Unit::batch(batch)),
                begin: Duration::from_nanos(begin),
                end: Duration::from_nanos(end),
            }
        });
    prop::collection::vec(prop::collection::vec(event, 0..8), 0..5)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    /// From programs that fit to those with more workers and more time than are drawn.
    #[test]
    fn charts_of_programs((_, _, program) in common::programs(30, 80, 4)) {
        let svg = draw(&Timeline::planned(&program));
        if !svg.contains("not drawn") {
            prop_assert_eq!(boxes(&svg), computations(&program));
        }
    }

    #[test]
    fn small_programs_are_drawn_whole((_, _, program) in common::programs(3, 4, 2)) {
        let svg = draw(&Timeline::planned(&program));
        prop_assert!(!svg.contains("not drawn"), "{}", svg);
        prop_assert_eq!(boxes(&svg), computations(&program));
    }

    #[test]
    fn charts_of_anything(workers in events(), title in any::<String>()) {
        for unit in [TimeUnit::Slots, TimeUnit::Nanoseconds] {
            let timeline = Timeline::new(title.clone(), unit, workers.clone());
            draw(&timeline);
            let json = serde_json::from_str::<serde_json::Value>(&timeline.to_chrome());
            prop_assert!(json.is_ok());
        }
    }
}

#[test]
fn empty_programs_have_charts() {
    for method in Method::all() {
        let program = method.program(&Plan::new(3, 0)).unwrap();
        let svg = draw(&Timeline::planned(&program));
        assert!(svg.contains("nothing happens"), "{svg}");
        assert_eq!(boxes(&svg), 0);
    }
}

#[test]
fn arrows_are_drawn_where_an_eye_can_follow_them() {
    let arrows = |program: Result<Program, ScheduleError>| {
        let svg = draw(&Timeline::planned(&program.unwrap()));
        // One of each kind is in the legend.
        svg.matches("marker-end").count().saturating_sub(2)
    };
    // Four messages a batch: up and down between three workers.
    assert_eq!(arrows(Dtrp::new(3).batches(5).program()), 20);
    assert_eq!(arrows(Local::new(20).batches(40).program()), 0, "too many to follow");
    assert!(arrows(Local::new(4).batches(40).program()) > 0);
}

#[test]
fn what_is_too_large_is_cut_and_says_so() {
    let program = Dtrp::new(40).batches(500).program().unwrap();
    let timeline = Timeline::planned(&program);
    let svg = draw(&timeline);
    assert!(svg.len() < 100_000, "{} bytes", svg.len());
    assert!(svg.contains("workers 17 to 32 are not drawn"), "{svg}");
    assert!(svg.contains("are not drawn</text>\n</svg>"), "{svg}");
    assert!(svg.contains(">577</text>") && !svg.contains(">300</text>"), "{svg}");
}
