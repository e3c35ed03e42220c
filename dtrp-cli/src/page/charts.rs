//! The figures of the page, each with what the script shows where the mouse rests.

use super::escape;
use super::html::{json, note, section};
use crate::error::Error;
use crate::figures::{Curves, Figure, Frame, Gantt, What, busy, curves_of, gain, gantt, memory};
use crate::history::Group;
use serde::Serialize;
use std::fmt::Write as _;

/// Width of a figure of which three stand beside each other, of bars, and of one that has a row of its own, in pixels.
const NARROW: u32 = 460;
const BARS: u32 = 440;
const WIDE: u32 = 1160;

/// Groups of which the page shows times; each is a figure of its own.
const MOST_GANTTS: usize = 4;

/// What the script knows of a figure.
#[derive(Serialize)]
struct Hover<'a> {
    /// Left, top, right and bottom of the axes, in the SVG's own coordinates.
    frame: [i32; 4],
    /// The ends of the axes.
    x: [f64; 2],
    y: [f64; 2],
    log: bool,
    names: [&'a str; 2],
    series: Vec<Series<'a>>,
}

#[derive(Serialize)]
struct Series<'a> {
    name: &'a str,
    colour: String,
    /// x, mean, and the deviation or null.
    points: Vec<(f64, f64, Option<f64>)>,
}

/// Curves over the run.
pub(super) fn curves(out: &mut String, groups: &[Group<'_>]) -> Result<(), Error> {
    section(out, "curves", "Training");
    out.push_str("<div class=\"grid\">\n");
    for (id, what, title) in [
        ("loss", What::Loss, "Train loss"),
        ("accuracy", What::Accuracy, "Test accuracy"),
        ("test-loss", What::TestLoss, "Test loss"),
        ("lr", What::Lr, "Learning rate"),
        ("rate", What::Rate, "Throughput"),
    ] {
        let logs: &[bool] = if matches!(what, What::Loss | What::TestLoss) {
            &[false, true]
        } else {
            &[false]
        };
        let forms: Vec<_> = logs
            .iter()
            .filter_map(|log| curves_of(groups, what, None, *log))
            .collect();
        card(out, id, title, &forms, true, "No epoch has ended yet.")?;
    }
    let gains = gain(groups, None, false);
    if !gains.is_empty() {
        card(out, "gain", "Prediction gain", &[gains], false, "")?;
    }
    out.push_str("</div></section>\n");
    Ok(())
}

/// A figure of curves, in one or two forms of which one is shown; `runs`: its colours are those of the groups.
fn card(out: &mut String, id: &str, title: &str, forms: &[Curves], runs: bool, none: &str) -> Result<(), Error> {
    let class = if runs { "card runs" } else { "card" };
    let _ = write!(
        out,
        "<figure class=\"{class}\" id=\"{id}\"><figcaption>{}",
        escape(title)
    );
    if forms.len() > 1 {
        out.push_str("<button class=\"log\" aria-pressed=\"false\">log</button>");
    }
    out.push_str("</figcaption>\n");
    let mut shown = false;
    for curves in forms {
        if curves.is_empty() {
            note(out, none);
            break;
        }
        let curves = Curves {
            legend: !runs,
            ..curves.clone()
        };
        let height = NARROW * 5 / 8
            + if runs {
                0
            } else {
                20 * curves.curves.len().div_ceil(3) as u32
            };
        let (svg, frame) = Figure::Curves(curves.clone()).svg((NARROW, height), false)?;
        let hidden = if shown { " hidden" } else { "" };
        let _ = write!(out, "<div class=\"plot\"{hidden}>{}", labelled(&svg, title));
        let _ = writeln!(
            out,
            "<script type=\"application/json\">{}</script></div>",
            json(&hover(&curves, frame))
        );
        shown = true;
    }
    out.push_str("</figure>\n");
    Ok(())
}

/// The SVG with a name for who cannot see it.
fn labelled(svg: &str, title: &str) -> String {
    svg.replacen(
        "<svg ",
        &format!("<svg role=\"img\" aria-label=\"{}\" ", escape(title)),
        1,
    )
}

fn hover(curves: &Curves, frame: Frame) -> Hover<'_> {
    let (x, y) = curves.scales(f64::from(NARROW));
    let point = |point: &crate::history::Point| (short(point.x), short(point.mean), point.deviation.map(short));
    let series = curves.curves.iter().map(|curve| Series {
        name: &curve.name,
        colour: curve.colour.css(),
        points: curve.points.iter().map(point).collect(),
    });
    Hover {
        frame: [frame.left, frame.top, frame.right, frame.bottom],
        x: [x.low, x.high],
        y: [y.low, y.high],
        log: curves.log,
        names: [&curves.x, &curves.y],
        series: series.collect(),
    }
}

/// To six figures.
fn short(number: f64) -> f64 {
    format!("{number:.5e}").parse().unwrap_or(number)
}

/// How busy the workers are, and what they hold.
pub(super) fn workers(out: &mut String, groups: &[Group<'_>]) -> Result<(), Error> {
    section(out, "workers", "Workers");
    out.push_str("<div class=\"grid two\">\n");
    let held = memory(groups);
    let with_kinds = groups
        .iter()
        .flat_map(|group| &group.runs)
        .filter_map(|run| run.summary.as_ref())
        .all(|summary| summary.workers.iter().all(|worker| worker.memory.is_some()));
    let mut said =
        "What live graphs and libtorch's own buffers hold is not counted. Of each group the first run that has ended."
            .to_owned();
    if !with_kinds {
        said.push_str(" Some runs are of a version that recorded nothing but stored inputs.");
    }
    for (id, title, bars, none, said) in [
        (
            "busy",
            "Share of the time that each worker computes",
            busy(groups),
            "No epoch has ended yet.",
            "",
        ),
        (
            "memory",
            "Memory by kind",
            held,
            "What workers hold is known when a run has ended.",
            said.as_str(),
        ),
    ] {
        let runs = if id == "busy" { " runs" } else { "" };
        let _ = writeln!(
            out,
            "<figure class=\"card{runs}\" id=\"{id}\"><figcaption>{title}</figcaption>"
        );
        if bars.is_empty() {
            note(out, none);
        } else {
            let figure = Figure::Bars(bars);
            let (svg, _) = figure.svg((BARS, figure.usual_height(BARS)), false)?;
            let _ = writeln!(out, "<div class=\"plot\">{}</div>", labelled(&svg, title));
            if !said.is_empty() {
                note(out, said);
            }
        }
        out.push_str("</figure>\n");
    }
    out.push_str("</div></section>\n");
    Ok(())
}

/// Measured times above simulated ones, of each group the first run that has them.
pub(super) fn gantts(out: &mut String, groups: &[Group<'_>]) -> Result<(), Error> {
    section(out, "slots", "When what ran");
    let traced = groups.iter().filter_map(|group| {
        let run = group.runs.iter().find(|run| run.timeline.is_some())?;
        Some((group, run, gantt(run)?))
    });
    let traced: Vec<_> = traced.collect();
    if traced.is_empty() {
        note(
            out,
            "No run has recorded the times of its actions: run.trace: timed does, and they are there when the first program has \
             run.",
        );
    }
    for (group, run, (chart, said)) in traced.iter().take(MOST_GANTTS) {
        let figure = Figure::Gantt(chart.clone());
        let (svg, frame) = figure.svg((WIDE, figure.usual_height(WIDE)), false)?;
        let title = match groups.len() {
            1 if group.runs.len() == 1 => "Some batches of the first program".to_owned(),
            _ => format!("Some batches of the first program of {}", run.name),
        };
        let _ = writeln!(
            out,
            "<figure class=\"card wide\"><figcaption>{}</figcaption><div class=\"scroll\"><div class=\"plot\">{}\
             <script type=\"application/json\">{}</script></div></div>",
            escape(&title),
            labelled(&svg, &title),
            json(&boxes(chart, frame)),
        );
        note(out, said);
        out.push_str("</figure>\n");
    }
    if traced.len() > MOST_GANTTS {
        note(
            out,
            &format!("The times of {} more groups are left out.", traced.len() - MOST_GANTTS),
        );
    }
    out.push_str("</section>\n");
    Ok(())
}

/// What the script knows of a chart of times.
#[derive(Serialize)]
struct Boxes {
    /// Left, top, right, bottom, and what is said.
    boxes: Vec<(i32, i32, i32, i32, String)>,
}

fn boxes(gantt: &Gantt, frame: Frame) -> Boxes {
    let (width, height) = (f64::from(frame.right - frame.left), f64::from(frame.bottom - frame.top));
    let (rows, all) = gantt.rows();
    let mut boxes = Vec::new();
    for row in rows {
        let y = |row: f64| frame.top + (height * row / all).round() as i32;
        for one in row.boxes {
            let x = |time: f64| frame.left + (width * time / gantt.length).round() as i32;
            let said = format!("{} · {} · {:.3} ms", one.token, row.name, one.end - one.begin);
            boxes.push((x(one.begin), y(row.top), x(one.end), y(row.top + 1.0), said));
        }
    }
    Boxes { boxes }
}
