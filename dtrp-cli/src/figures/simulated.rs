//! What a run did, and what the simulator makes of the same program.

use super::gantt::{Gantt, Panel, begin_of, milliseconds};
use crate::history::History;
use crate::run::COSTS;
use dtrp_core::costs::{BlockCost, Costs, ModuleCosts};
use dtrp_core::schedule::{Order, Program, Unit};
use dtrp_core::simulate::{SimulationOptions, simulate};
use dtrp_core::trace::{Event, TimeUnit, Timeline};

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
            format!("Simulated over the run's own block costs ({COSTS}), without jitter.")
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
    let actions = |events: &Vec<Event>| events.iter().map(|event| event.action).collect();
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
