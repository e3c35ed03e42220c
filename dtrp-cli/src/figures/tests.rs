//! Figures of runs that exist in memory alone.

use super::*;
use crate::history::tests::run;
use crate::history::{Axis, Group, History, groups};
use dtrp_core::schedule::{Method, Plan};
use dtrp_core::trace::{Event, TimeUnit, Timeline};
use image::GenericImageView;

fn runs() -> Vec<History> {
    vec![run("a-s1", 1, &[3.0, 2.0, 1.0]), run("a-s2", 2, &[4.0, 2.5, 0.5]), {
        let mut other = run("b <&>", 1, &[2.0, f64::NAN, 1.0]);
        other.config.settings.optimizer.lr *= 2.0;
        other
    }]
}

/// The plan of a program as if it had run, a slot in a millisecond.
fn traced(method: &str, modules: usize, batches: u32) -> History {
    let mut run = run("traced", 1, &[1.0]);
    let program = Method::named(method)
        .unwrap()
        .program(&Plan::new(modules, batches))
        .unwrap();
    let planned = Timeline::planned(&program);
    run.config.settings.method.name = method.to_owned();
    run.config.settings.method.modules = modules;
    run.config.settings.method.order = Some(program.order);
    run.timeline = Some(Timeline::new("", TimeUnit::Nanoseconds, planned.workers().to_vec()));
    run
}

fn figures(groups: &[Group<'_>]) -> Vec<Figure> {
    let kinds = [What::Loss, What::TestLoss, What::Accuracy, What::Rate, What::Lr];
    let mut figures = Vec::new();
    for what in kinds {
        for log in [false, true] {
            for axis in [None, Some(Axis::Step), Some(Axis::Epoch), Some(Axis::Seconds)] {
                figures.push(Figure::Curves(curves_of(groups, what, axis, log).unwrap()));
            }
        }
    }
    figures.push(Figure::Curves(gain(groups, None, false)));
    figures.push(Figure::Bars(busy(groups)));
    figures
}

/// Every tag is closed in its place, every attribute in quotes.
fn well_formed(svg: &str) {
    let mut open = Vec::new();
    let mut rest = svg.trim();
    while let Some(start) = rest.find('<') {
        assert!(!rest[..start].contains('>'), "{}", &rest[..start]);
        let end = start + rest[start..].find('>').expect("an end of the tag");
        let tag = &rest[start + 1..end];
        assert!(!tag.contains('<'), "{tag}");
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name));
        } else if !tag.ends_with('/') {
            open.push(name);
        }
        rest = &rest[end + 1..];
    }
    assert!(open.is_empty() && rest.is_empty(), "{open:?} {rest}");
}

#[test]
fn every_figure_is_well_formed_and_fits() {
    let runs = runs();
    let groups = groups(&runs);
    for figure in figures(&groups) {
        for width in [200, 460, 1200] {
            let figure = figure
                .clone()
                .titled(Some("A <title> & more, that is too long for what is narrow"));
            let size = (width, figure.usual_height(width).max(160));
            let (svg, frame) = figure.svg(size, true).unwrap();
            well_formed(&svg);
            assert!(
                svg.contains(&format!("width=\"{}\" height=\"{}\" viewBox", size.0, size.1)),
                "{}",
                &svg[..120]
            );
            assert!(svg.contains("&lt;title&gt; &amp; more"));
            assert!(!svg.contains("NaN") && !svg.contains("inf"));
            assert!(
                frame.left > 0 && frame.left < frame.right && frame.top < frame.bottom,
                "{frame:?}"
            );
        }
    }
}

#[test]
fn a_picture_has_the_size_that_was_asked_for() {
    let runs = runs();
    let figure = Figure::Curves(curves_of(&groups(&runs), What::Loss, None, false).unwrap());
    for scale in [1, 3] {
        let png = figure.png((320, 200), scale).unwrap();
        let picture = image::load_from_memory(&png).unwrap();
        assert_eq!(picture.dimensions(), (320 * scale, 200 * scale));
        let blue = picture
            .pixels()
            .filter(|(_, _, pixel)| pixel.0[..3] == [0x00, 0x72, 0xb2])
            .count();
        assert!(blue > 50, "{blue}");
    }
}

#[test]
fn bands_are_one_deviation_wide() {
    let runs = runs();
    let groups = groups(&runs);
    let curves = curves_of(&groups, What::TestLoss, None, false).unwrap();
    let first = curves.curves[0].points[0];
    // Test losses 4 and 5.
    assert_eq!((first.mean, first.deviation), (4.5, Some(0.5_f64.sqrt())));
    let (svg, frame) = Figure::Curves(curves.clone()).svg((460, 300), false).unwrap();
    let (x, y) = curves.scales(460.0);
    let at = |number: f64| {
        let share = (number - y.low) / (y.high - y.low);
        f64::from(frame.bottom) + share * f64::from(frame.top - frame.bottom)
    };
    let band = svg.lines().find(|line| line.starts_with("<polygon")).unwrap();
    let points = band.split("points=\"").nth(1).unwrap();
    let top: f64 = points.split([',', ' ']).nth(1).unwrap().parse().unwrap();
    assert!((top - at(4.5 + 0.5_f64.sqrt())).abs() <= 1.0, "{top}");
    assert!(x.low == 1.0 && x.high == 3.0);
}

#[test]
fn measured_times_stand_above_simulated_ones() {
    for (method, modules) in [("dtrp", 3), ("bp", 1), ("pipedream", 2)] {
        let run = traced(method, modules, 12);
        let (chart, said) = gantt(&run).unwrap();
        assert!(said.contains("unit costs"), "{said}");
        let names: Vec<_> = chart
            .panels
            .iter()
            .map(|panel| (panel.name.as_str(), panel.workers.len()))
            .collect();
        assert_eq!(names, [("measured", modules), ("simulated", modules)]);
        for panel in &chart.panels {
            let boxes = panel.workers.iter().flatten();
            assert!(boxes.clone().count() > 0, "{method} {}", panel.name);
            for one in boxes {
                assert!(
                    one.begin >= 0.0 && one.begin <= one.end && one.end <= chart.length + 1e-9,
                    "{one:?}"
                );
            }
        }
        let figure = Figure::Gantt(chart);
        well_formed(&figure.svg((800, figure.usual_height(800)), true).unwrap().0);
    }
    // A program of one batch, and one without times.
    assert!(gantt(&traced("dtrp", 2, 1)).is_some());
    let mut empty = traced("bp", 1, 1);
    empty.timeline = Some(Timeline::new("", TimeUnit::Nanoseconds, vec![Vec::<Event>::new()]));
    assert!(gantt(&empty).is_none());
    empty.timeline = None;
    assert!(gantt(&empty).is_none());
}

#[test]
fn many_groups_have_colours_of_their_own() {
    let runs = (0..30).map(|index| {
        let mut run = run(&format!("run{index}"), 1, &[1.0]);
        run.config.settings.optimizer.lr = 0.01 * f64::from(index + 1);
        run
    });
    let runs: Vec<_> = runs.collect();
    let curves = curves_of(&groups(&runs), What::Loss, None, false).unwrap();
    let mut colours: Vec<_> = curves.curves.iter().map(|curve| curve.colour.css()).collect();
    colours.sort();
    colours.dedup();
    assert_eq!(colours.len(), 30);
}
