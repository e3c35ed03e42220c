//! What runs have for each figure.

use super::What;
use super::bars::{Bars, Row};
use super::curves::{Curve, Curves};
use super::palette::{Colour, series};
use crate::history::{Axis, Group, History, Of, Point, mean_of, thinned};
use dtrp_text::units::{bytes, percent};
use dtrp_train::{EpochReport, StepReport, WorkerSummary};

/// The most points of a curve: more than can be told apart.
const MOST: usize = 400;

/// The curves of a number over time, one for each group; `None` for what is no curve.
pub(crate) fn curves_of(groups: &[Group<'_>], what: What, axis: Option<Axis>, log: bool) -> Option<Curves> {
    let share = |epoch: &EpochReport| Some(100.0 * epoch.test_accuracy);
    let (of, name, usual): (Of<'_>, &str, Axis) = match what {
        What::Loss => (
            Of::Steps(&|step: &StepReport| Some(step.loss)),
            "train loss",
            Axis::Step,
        ),
        What::Lr => (
            Of::Steps(&|step: &StepReport| Some(step.lr)),
            "learning rate",
            Axis::Step,
        ),
        What::TestLoss => (
            Of::Epochs(&|epoch: &EpochReport| Some(epoch.test_loss)),
            "test loss",
            Axis::Epoch,
        ),
        What::Accuracy => (Of::Epochs(&share), "test accuracy (%)", Axis::Epoch),
        What::Rate => (
            Of::Epochs(&|epoch: &EpochReport| Some(epoch.images_per_second)),
            "images per second",
            Axis::Epoch,
        ),
        What::Gantt | What::Busy | What::Memory | What::Gain => return None,
    };
    let axis = axis.unwrap_or(usual);
    let curve = |(index, group): (usize, &Group<'_>)| Curve {
        name: group.label(),
        colour: series(index),
        points: thinned(&mean_of(group, &of, axis), MOST),
    };
    Some(Curves {
        title: None,
        x: axis_name(axis).to_owned(),
        y: name.to_owned(),
        log,
        from_zero: matches!(what, What::Rate | What::Lr),
        ceiling: (what == What::Accuracy && !log).then_some(100.0),
        reference: None,
        curves: groups.iter().enumerate().map(curve).collect(),
        legend: true,
    })
}

fn axis_name(axis: Axis) -> &'static str {
    match axis {
        Axis::Step => "step",
        Axis::Epoch => "epoch",
        Axis::Seconds => "time (s)",
    }
}

/// The prediction gain of each worker that predicts, over the epochs.
pub(crate) fn gain(groups: &[Group<'_>], axis: Option<Axis>, log: bool) -> Curves {
    let axis = axis.unwrap_or(Axis::Epoch);
    let mut curves: Vec<Curve> = Vec::new();
    for group in groups {
        for worker in 0..workers(group) {
            let of = |epoch: &EpochReport| epoch.workers.get(worker)?.prediction_gain;
            let points = mean_of(group, &Of::Epochs(&of), axis);
            if !points.is_empty() {
                let name = match groups.len() {
                    1 => format!("worker {}", worker + 1),
                    _ => format!("{}, worker {}", group.label(), worker + 1),
                };
                curves.push(Curve {
                    name,
                    colour: series(curves.len()),
                    points,
                });
            }
        }
    }
    Curves {
        title: None,
        x: axis_name(axis).to_owned(),
        y: "prediction gain".to_owned(),
        log,
        from_zero: true,
        ceiling: None,
        reference: (!curves.is_empty()).then_some(1.0),
        curves,
        legend: true,
    }
}

fn workers(group: &Group<'_>) -> usize {
    let epochs = group.runs.iter().flat_map(|run| &run.epochs);
    epochs.map(|epoch| epoch.workers.len()).max().unwrap_or(0)
}

/// How much of the training time each worker computes: over the whole run where that is known, else in the last epoch.
pub(crate) fn busy(groups: &[Group<'_>]) -> Bars {
    let share = |run: &History, worker: usize| {
        let whole = run
            .summary
            .as_ref()
            .and_then(|summary| summary.workers.get(worker)?.busy_share);
        whole.or_else(|| Some(run.epochs.last()?.workers.get(worker)?.busy_share))
    };
    let row = |name: String, colour: Colour, shares: &[f64]| {
        let Point { mean, deviation, .. } = Point::over(shares)?;
        let text = match deviation {
            Some(deviation) => format!("{:.0} ± {:.1} %", 100.0 * mean, 100.0 * deviation),
            None => percent(Some(mean), 0),
        };
        Some(Row {
            name,
            parts: vec![(100.0 * mean, colour)],
            deviation: deviation.map(|deviation| 100.0 * deviation),
            text,
        })
    };
    let mut rows = Vec::new();
    for (index, group) in groups.iter().enumerate() {
        for worker in 0..workers(group) {
            let shares: Vec<f64> = group.runs.iter().filter_map(|run| share(run, worker)).collect();
            rows.extend(row(row_name(groups, group, worker), series(index), &shares));
        }
    }
    Bars {
        title: None,
        x: "time that the worker computes (%)".to_owned(),
        ceiling: Some(100.0),
        rows,
        legend: Vec::new(),
    }
}

fn row_name(groups: &[Group<'_>], group: &Group<'_>, worker: usize) -> String {
    match groups.len() {
        1 => format!("worker {}", worker + 1),
        _ => format!("{} · {}", group.name, worker + 1),
    }
}

/// A kind of memory: its name, and how much of it a worker has held.
type Kind = (&'static str, fn(&WorkerSummary) -> Option<u64>);

/// In the order in which they stand beside each other. What live graphs hold is not counted anywhere.
const KINDS: [Kind; 4] = [
    ("weights, all versions", |worker| Some(worker.memory?.weight_bytes)),
    ("gradient and optimizer", |worker| Some(worker.memory?.optimizer_bytes)),
    ("predictions and probe", |worker| Some(worker.memory?.prediction_bytes)),
    ("stored inputs, most at once", |worker| {
        Some(worker.stored_input_peak_bytes)
    }),
];

/// What each worker held, by kind, of each group's first run that has ended.
pub(crate) fn memory(groups: &[Group<'_>]) -> Bars {
    let ended = |group: &Group<'_>| group.runs.iter().find_map(|run| run.summary.clone());
    let summaries: Vec<_> = groups.iter().map(ended).collect();
    let all = || summaries.iter().flatten().flat_map(|summary| &summary.workers);
    let whole = |worker: &WorkerSummary| KINDS.iter().filter_map(|(_, of)| of(worker)).sum::<u64>();
    let (size, unit) = match all().map(whole).max().unwrap_or(0) {
        most if most >= 1_000_000_000 => (1e9, "GB"),
        most if most >= 1_000_000 => (1e6, "MB"),
        _ => (1e3, "kB"),
    };
    let mut rows = Vec::new();
    for (group, summary) in groups.iter().zip(&summaries) {
        for (index, worker) in summary.iter().flat_map(|summary| &summary.workers).enumerate() {
            let parts = KINDS.iter().enumerate();
            let parts = parts.filter_map(|(kind, (_, of))| Some((of(worker)? as f64 / size, series(kind))));
            rows.push(Row {
                name: row_name(groups, group, index),
                parts: parts.collect(),
                deviation: None,
                text: bytes(whole(worker)),
            });
        }
    }
    let known = |of: fn(&WorkerSummary) -> Option<u64>| all().any(|worker| of(worker).is_some_and(|bytes| bytes > 0));
    let legend = KINDS.iter().enumerate().filter(|(_, (_, of))| known(*of));
    Bars {
        title: None,
        x: format!("memory ({unit})"),
        ceiling: None,
        rows,
        legend: legend
            .map(|(kind, (name, _))| ((*name).to_owned(), series(kind)))
            .collect(),
    }
}
