//! What runs have for each figure.

use super::What;
use super::bars::{Bars, Row};
use super::curves::{Curve, Curves};
use super::gantt::{Gantt, Panel, begin_of, milliseconds};
use super::palette::{Colour, series};
use crate::history::{Axis, Group, History, Of, Point, mean_of, thinned};
use dtrp_core::costs::{BlockCost, Costs, ModuleCosts};
use dtrp_core::schedule::{Order, Program, Unit};
use dtrp_core::simulate::{SimulationOptions, simulate};
use dtrp_core::trace::{TimeUnit, Timeline};
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

/// Batches that are shown of a run.
const SHOWN: u32 = 5;

/// Some slots of a run that was traced with times, above what the simulator makes of the same program; and a sentence that says
/// over which costs, or why there is no simulation. `None` where there are no times.
pub(crate) fn gantt(run: &History) -> Option<(Gantt, String)> {
    let measured = run
        .timeline
        .as_ref()
        .filter(|timeline| timeline.unit() == TimeUnit::Nanoseconds)?;
    let program = program_of(run, measured);
    // From the middle, where the pipeline is full; the first batches also warm up caches.
    let first = (program.batches.saturating_sub(SHOWN) / 2 + 1).min(program.batches);
    let shown = SHOWN.min(program.batches);
    let span = |timeline: &Timeline| {
        let end = begin_of(timeline, first + shown).unwrap_or_else(|| timeline.end());
        Some(milliseconds(end.saturating_sub(begin_of(timeline, first)?)))
    };
    let length = span(measured).filter(|length| *length > 0.0)?;
    let mut panels = vec![Panel::of("measured", measured, first, length, 1.0)];
    let said = match simulated(run, &program) {
        Ok((timeline, true)) => {
            panels.push(Panel::of("simulated", &timeline, first, length, 1.0));
            format!(
                "Simulated over the run's own block costs ({}), without jitter.",
                crate::run::COSTS
            )
        }
        Ok((timeline, false)) => {
            let stretch = span(&timeline)
                .filter(|span| *span > 0.0)
                .map_or(1.0, |span| length / span);
            panels.push(Panel::of("simulated", &timeline, first, length, stretch));
            "Simulated over unit costs, as the run has not measured its blocks: a forward of each block takes 1, its backward \
             2, and the whole is stretched to the measured time for these batches."
                .to_owned()
        }
        Err(why) => format!("There is no simulation: {why}."),
    };
    let gantt = Gantt {
        title: None,
        panels,
        length,
    };
    Some((gantt, said))
}

/// The program that ran, as its trace has it.
fn program_of(run: &History, timeline: &Timeline) -> Program {
    let actions = |events: &Vec<dtrp_core::trace::Event>| events.iter().map(|event| event.action).collect();
    let units = || timeline.workers().iter().flatten().map(|event| event.action.unit);
    let settings = &run.config.settings.method;
    Program {
        method: settings.name.clone(),
        order: settings.order.unwrap_or(Order::Lockstep),
        batches: units().map(|unit: Unit| unit.batch).max().unwrap_or(0),
        micro_batches: units().map(|unit| unit.micro).max().unwrap_or(0).max(1),
        workers: timeline.workers().iter().map(actions).collect(),
    }
}

/// When the program would run, and whether over costs that were measured.
fn simulated(run: &History, program: &Program) -> Result<(Timeline, bool), String> {
    let modules = program.modules();
    let blocks: Option<Vec<usize>> = run.summary.as_ref().map(|summary| {
        let workers = summary.workers.iter();
        workers.map(|worker| worker.blocks.len()).collect()
    });
    let ranges = blocks.filter(|blocks| blocks.len() == modules).map(|blocks| {
        let mut next = 0;
        let range = |count: usize| {
            next += count;
            next - count..next
        };
        blocks.into_iter().map(range).collect::<Vec<_>>()
    });
    let measured = match (&run.costs, &ranges) {
        (Some(costs), Some(ranges)) => Some(costs.modules(ranges).map_err(|error| error.to_string())?),
        _ => None,
    };
    let of_units = || -> Vec<ModuleCosts> {
        let unit = BlockCost {
            forward_ns: 1_000_000,
            backward_ns: 2_000_000,
            ..BlockCost::default()
        };
        let ranges = ranges
            .clone()
            .unwrap_or_else(|| (0..modules).map(|module| module..module + 1).collect());
        let costs = Costs {
            batch_size: None,
            blocks: vec![unit; ranges.last().map_or(0, |last| last.end)],
        };
        costs.modules(&ranges).unwrap_or_default()
    };
    let known = measured.is_some();
    let options = SimulationOptions {
        timeline: true,
        ..SimulationOptions::default()
    };
    let simulation = simulate(program, &measured.unwrap_or_else(of_units), &options);
    let simulation = simulation.map_err(|error| error.to_string())?;
    let timeline = simulation
        .timeline
        .ok_or_else(|| "the simulator gives no times".to_owned())?;
    Ok((timeline, known))
}
