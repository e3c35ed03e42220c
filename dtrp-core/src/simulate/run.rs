//! One simulated run, from a program to its result.

use super::error::SimulateError;
use super::memory;
use super::report::{Simulation, WorkerUse};
use super::steady::{Finder, Steady};
use super::tape::{Step, Tape};
use super::walk::{Nobody, Observe, Walk};
use super::{SimulationOptions, no_modules};
use crate::costs::{Memory, ModuleCosts};
use crate::schedule::{Action, Program};
use crate::trace::{Event, Timeline};
use std::time::Duration;

/// Checks what can be checked before a program is laid out.
pub(super) fn check(modules: usize, costs: &[ModuleCosts], options: &SimulationOptions) -> Result<(), SimulateError> {
    if modules == 0 {
        return Err(no_modules());
    }
    if costs.len() != modules {
        return Err(SimulateError::Modules {
            modules,
            costs: costs.len(),
        });
    }
    options.links.check()?;
    options.jitter.map_or(Ok(()), |jitter| jitter.check())
}

/// Refuses a program of so many actions if it would take too much memory.
pub(super) fn check_size(actions: u64, options: &SimulationOptions) -> Result<(), SimulateError> {
    // A list is twice in memory while it is made.
    let each = 2 * size_of::<Action>() + size_of::<Step>();
    let (each, what, advice) = if options.timeline {
        (
            each + size_of::<Event>(),
            "the program and its timeline",
            "take fewer batches, or no timeline",
        )
    } else {
        (each, "the program", "take fewer modules, batches or micro-batches")
    };
    limit(what, advice, u128::from(actions) * each as u128, options)
}

fn limit(
    what: &'static str,
    advice: &'static str,
    need: u128,
    options: &SimulationOptions,
) -> Result<(), SimulateError> {
    if need <= u128::from(options.memory_limit) {
        return Ok(());
    }
    Err(SimulateError::TooLarge {
        what,
        need_mib: u64::try_from(need >> 20).unwrap_or(u64::MAX),
        limit_mib: options.memory_limit >> 20,
        advice,
    })
}

/// Runs an analysed program, whose tapes these are, its repeating blocks `repeats` more times, which makes `batches`
/// batches.
pub(super) fn run(
    program: &Program,
    tapes: &[Tape],
    batches: u32,
    repeats: u64,
    costs: &[ModuleCosts],
    options: &SimulationOptions,
) -> Result<Simulation, SimulateError> {
    check_size(program.len() as u64, options)?;
    check_times(batches, program.micro_batches, costs, options)?;
    let units = u64::from(batches) * u64::from(program.micro_batches);
    // A link never holds more messages than there are.
    let capacity = (options.capacity.get() as u64).min(units.max(1));
    let places = u128::from(capacity) * 16 * costs.len() as u128;
    limit("the links", "take a smaller capacity", places, options)?;

    let group = tapes.iter().map(|t| t.section.map(|s| s.batches));
    let group = group.reduce(|a, b| if a == b { a } else { None }).flatten();
    let walk = || {
        let (links, jitter) = (&options.links, options.jitter);
        Walk::new(program, tapes, repeats, costs, links, capacity as usize, jitter)
    };
    let mut finder = Finder::new();
    let mut short = walk()?;
    find(&mut finder, &mut short, group.filter(|_| options.jitter.is_none()));
    let (walk, timeline, skipped) = if options.timeline {
        // Every event is wanted, so nothing may be skipped; only the steady state is taken over.
        let (mut whole, mut events) = (walk()?, Events::new(program));
        whole.until(u64::MAX, &mut events);
        let timeline = Timeline::simulated(program, events.workers);
        (whole, Some(timeline), 0)
    } else {
        (short, None, finder.skipped())
    };
    let steady = finder.into_steady();
    if let Some(worker) = walk.unfinished() {
        let done = walk.workers[worker].actions as usize;
        let action = program.workers[worker].get(done);
        return Err(SimulateError::Stuck {
            worker: worker + 1,
            action: action.map_or("the end of a slot".to_owned(), ToString::to_string),
        });
    }
    let memory = memory::memory(program, tapes, repeats, costs);
    let mut result = summary(program, batches, options, &walk, steady, memory);
    result.timeline = timeline;
    result.walked_actions = result.actions - skipped;
    Ok(result)
}

/// Walks to the end, past what is proved to be repetition.
///
/// `group` is the number of batches in a repeating block; `None` where no repetition is looked for.
fn find(finder: &mut Finder, walk: &mut Walk<'_>, group: Option<u32>) {
    if let Some(group) = group {
        walk.until(1, &mut Nobody);
        while walk.at_gate() && !finder.is_done() {
            finder.look(walk, group);
            walk.until(walk.gate() + 1, &mut Nobody);
        }
    }
    walk.until(u64::MAX, &mut Nobody);
}

fn summary(
    program: &Program,
    batches: u32,
    options: &SimulationOptions,
    walk: &Walk<'_>,
    steady: Option<Steady>,
    memory: Vec<Memory>,
) -> Simulation {
    let workers = &walk.workers;
    let makespan = workers.iter().map(|w| w.finish).max().unwrap_or(0);
    // Nobody is busy in a run that takes no time.
    let share = |busy: u64, whole: u64| {
        if whole == 0 { 0.0 } else { busy as f64 / whole as f64 }
    };
    let steady_share = |k: usize| {
        let steady = steady.as_ref()?;
        Some(share(steady.busy_ns[k], steady.ns))
    };
    let uses: Vec<WorkerUse> = (0..workers.len())
        .map(|k| WorkerUse {
            busy_ns: workers[k].busy,
            utilisation: share(workers[k].busy, makespan),
            steady_utilisation: steady_share(k),
            memory: memory[k],
        })
        .collect();
    let mean = |shares: f64| shares / workers.len() as f64;
    let utilisation = mean(uses.iter().map(|w| w.utilisation).sum());
    let batch_ns = match &steady {
        Some(steady) => steady.ns as f64 / steady.batches as f64,
        None => makespan as f64 / f64::from(batches.max(1)),
    };
    let batches_per_second = if batch_ns > 0.0 { 1e9 / batch_ns } else { 0.0 };
    let first_backwards = workers.iter().filter_map(|w| w.first_backward);
    Simulation {
        method: program.method.clone(),
        order: program.order,
        modules: program.modules(),
        batches,
        micro_batches: program.micro_batches,
        makespan_ns: makespan,
        batch_ns,
        batches_per_second,
        images_per_second: options.batch_size.map(|size| batches_per_second * f64::from(size)),
        fill_ns: first_backwards.max().unwrap_or(0),
        drain_ns: makespan - workers[0].last_forward,
        utilisation,
        bubble: 1.0 - utilisation,
        steady_utilisation: steady
            .is_some()
            .then(|| mean(uses.iter().filter_map(|w| w.steady_utilisation).sum())),
        actions: workers.iter().map(|w| w.actions).sum(),
        walked_actions: 0,
        workers: uses,
        steady,
        timeline: None,
    }
}

/// No time may reach 2⁶² ns, even if everything happened one after the other.
fn check_times(
    batches: u32,
    micro_batches: u16,
    costs: &[ModuleCosts],
    options: &SimulationOptions,
) -> Result<(), SimulateError> {
    let factor = options.jitter.map_or(1.0, |jitter| jitter.most());
    let m = u128::from(micro_batches);
    let mut batch = 0;
    for module in costs {
        let computed = module.most_ns();
        // A rounded time is at most half a nanosecond longer.
        let jittered = (computed as f64 * factor) as u128 + 6 * m;
        let transfer = options.links.transfer_ns(module.input_bytes);
        let transfer = u128::from(transfer.ok_or(SimulateError::Overflow)?) + m;
        batch += jittered + 2 * (transfer + m * u128::from(options.links.latency_ns));
    }
    if batch * u128::from(batches.max(1)) < 1 << 62 {
        Ok(())
    } else {
        Err(SimulateError::Overflow)
    }
}

/// Collects the events of a timeline.
struct Events<'a> {
    program: &'a Program,
    workers: Vec<Vec<Event>>,
}

impl<'a> Events<'a> {
    fn new(program: &'a Program) -> Self {
        let list = |actions: &Vec<Action>| Vec::with_capacity(actions.len());
        Self {
            program,
            workers: program.workers.iter().map(list).collect(),
        }
    }
}

impl Observe for Events<'_> {
    fn action(&mut self, worker: usize, begin: u64, end: u64) {
        let events = &mut self.workers[worker];
        events.push(Event {
            action: self.program.workers[worker][events.len()],
            begin: Duration::from_nanos(begin),
            end: Duration::from_nanos(end),
        });
    }
}
