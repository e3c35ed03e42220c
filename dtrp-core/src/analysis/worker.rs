//! One worker's list on its own: each unit's life, the weight versions, the horizons; and the numbers derived from them.

use super::fault::Fault;
use super::report::WorkerReport;
use crate::schedule::{Action, Op, Program, Unit};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// On which links gradients travel: index k−1 for the link between workers k and k+1. With local losses on none.
pub(super) fn gradient_links(program: &Program) -> Result<Vec<bool>, Fault> {
    let modules = program.modules();
    let mut links = vec![false; modules];
    for (k, actions) in (1..).zip(&program.workers) {
        for (index, action) in actions.iter().enumerate() {
            let Some(peer) = action.op.peer(k) else {
                continue;
            };
            if peer == 0 || peer > modules {
                let side = if peer == 0 { "below" } else { "above" };
                let message = format!("{action} has no partner: there is no worker {side} worker {k}");
                return Err(Fault::at(program, k, index, message));
            }
            if matches!(action.op, Op::SendD | Op::RecvD) {
                links[k.min(peer) - 1] = true;
            }
        }
    }
    Ok(links)
}

/// Where a unit is in its life at one module.
#[derive(Default)]
struct Life {
    received: bool,
    /// Index, version and kind of the first forward.
    forward: Option<(usize, u32)>,
    input_stored: bool,
    sent: bool,
    graph: Option<u32>,
    gradient: bool,
    backward: bool,
    gradient_sent: bool,
    applied: bool,
}

struct Examiner<'a> {
    program: &'a Program,
    worker: usize,
    gradients_above: bool,
    gradients_below: bool,
    lives: HashMap<Unit, Life>,
    /// Versions of live graphs and how many graphs use each.
    graphs: BTreeMap<u32, usize>,
    live_graphs: usize,
    inputs: usize,
    waiting: BTreeSet<Unit>,
    last_forward: Option<Unit>,
    report: WorkerReport,
}

/// Follows every unit through the worker's list.
pub(super) fn examine(program: &Program, worker: usize, links: &[bool]) -> Result<WorkerReport, Fault> {
    let mut examiner = Examiner {
        program,
        worker,
        gradients_above: links[worker - 1],
        gradients_below: worker > 1 && links[worker - 2],
        lives: HashMap::new(),
        graphs: BTreeMap::new(),
        live_graphs: 0,
        inputs: 0,
        waiting: BTreeSet::new(),
        last_forward: None,
        report: WorkerReport {
            weight_versions: 1,
            ..WorkerReport::default()
        },
    };
    let actions = &program.workers[worker - 1];
    for (index, action) in actions.iter().enumerate() {
        examiner
            .step(index, action)
            .map_err(|message| Fault::at(program, worker, index, message))?;
    }
    let end = examiner.end();
    end.map_err(|message| Fault::at(program, worker, actions.len(), message))?;
    Ok(examiner.report)
}

impl Examiner<'_> {
    fn step(&mut self, index: usize, action: &Action) -> Result<(), String> {
        let &Action {
            op,
            unit,
            version,
            horizon,
        } = action;
        self.check_unit(op, unit)?;
        if horizon.is_some() && !op.is_first_forward() {
            return Err(format!("{action}: only F and G have a horizon"));
        }
        if op == Op::Update {
            return self.update(unit, version);
        }
        let updates = self.report.updates;
        let current = |what: &str| {
            let wrong = format!("{what}{unit} reads weight version {version}, but the current one is {updates}");
            if version == updates { Ok(()) } else { Err(wrong) }
        };
        let (above, below) = (self.worker < self.program.modules(), self.worker > 1);
        let life = self.lives.entry(unit).or_default();
        let once = |done: bool| {
            if done {
                Err(format!("{op} {unit} a second time", op = op.json_name()))
            } else {
                Ok(())
            }
        };
        match op {
            Op::RecvY => {
                once(life.received)?;
                life.received = true;
            }
            Op::Forward | Op::ForwardGraph => {
                if life.forward.is_some() {
                    return Err(format!("batch {unit} was forwarded before"));
                }
                if below && !life.received {
                    return Err(format!(
                        "the input of batch {unit} has not been received: <Y{unit} must come before"
                    ));
                }
                if self.worker == 1 && self.last_forward > Some(unit) {
                    return Err(
                        "worker 1 must forward the batches in order: they come from the loader that way".to_owned(),
                    );
                }
                current(op.token())?;
                self.last_forward = Some(unit);
                life.forward = Some((index, version));
                if op == Op::Forward {
                    life.input_stored = true;
                    self.inputs += 1;
                    if !above {
                        return Err("the last module computes the loss from its graph: use G instead of F".to_owned());
                    }
                } else {
                    self.open_graph(unit, version);
                }
            }
            Op::SendY => {
                once(life.sent)?;
                if life.forward.is_none() {
                    return Err(format!("there is no activation of batch {unit} to send yet"));
                }
                life.sent = true;
                self.report.messages += 1;
            }
            Op::Recompute => {
                if !life.input_stored {
                    return Err(format!(
                        "no input of batch {unit} is stored: F{unit} must come before, B{unit} after"
                    ));
                }
                if life.graph.is_some() {
                    return Err(format!("batch {unit} was recomputed before"));
                }
                current("R")?;
                self.check_horizon(unit, Op::Forward)?;
                self.open_graph(unit, version);
            }
            Op::RecvD => {
                once(life.gradient)?;
                life.gradient = true;
            }
            Op::Backward => {
                if life.backward {
                    return Err(format!("batch {unit} was back-propagated before"));
                }
                let Some(graph) = life.graph else {
                    return Err(format!(
                        "there is no graph of batch {unit}: G{unit} or R{unit} must come before"
                    ));
                };
                if version != graph {
                    return Err(format!(
                        "B{unit} names weight version {version}, but its graph was built on {graph}"
                    ));
                }
                if above && self.gradients_above && !life.gradient {
                    return Err(format!(
                        "the gradient of batch {unit} has not been received: <D{unit} must come before"
                    ));
                }
                if above && !life.sent {
                    return Err(format!(
                        "the activation of batch {unit} was never sent: >Y{unit} must come before"
                    ));
                }
                self.backward(unit)?;
            }
            Op::SendD => {
                once(life.gradient_sent)?;
                if !life.backward {
                    return Err(format!("there is no gradient of batch {unit} to send yet"));
                }
                life.gradient_sent = true;
                self.report.messages += 1;
            }
            Op::Update => {}
        }
        Ok(())
    }

    fn check_unit(&self, op: Op, unit: Unit) -> Result<(), String> {
        let (batches, micro) = (self.program.batches, self.program.micro_batches);
        if unit.batch == 0 || unit.batch > batches {
            return Err(format!("batch {} is not one of the program's {batches}", unit.batch));
        }
        match (op, micro, unit.micro) {
            (Op::Update, _, 0) | (_, 1, 0) => Ok(()),
            (Op::Update, ..) => Err("an update applies a whole batch".to_owned()),
            (_, 1, _) => Err("batches are not split into micro-batches here".to_owned()),
            (_, m, j) if (1..=m).contains(&j) => Ok(()),
            (_, m, _) => Err(format!("batches are split into micro-batches 1..{m} here")),
        }
    }

    fn open_graph(&mut self, unit: Unit, version: u32) {
        self.lives.entry(unit).or_default().graph = Some(version);
        *self.graphs.entry(version).or_default() += 1;
        self.live_graphs += 1;
        self.count();
    }

    fn backward(&mut self, unit: Unit) -> Result<(), String> {
        self.check_horizon(unit, Op::ForwardGraph)?;
        let updates = self.report.updates;
        let life = self.lives.entry(unit).or_default();
        life.backward = true;
        if let Some((_, version)) = life.forward {
            self.report.staleness.push((unit, updates - version));
        }
        if std::mem::take(&mut life.input_stored) {
            // The peak is what had to be held until now; counted before the input is let go.
            self.report.stored_inputs = self.report.stored_inputs.max(self.inputs);
            self.inputs -= 1;
        }
        if let Some(version) = life.graph
            && let Some(users) = self.graphs.get_mut(&version)
        {
            self.live_graphs -= 1;
            *users -= 1;
            if *users == 0 {
                self.graphs.remove(&version);
            }
        }
        self.waiting.insert(unit);
        Ok(())
    }

    fn update(&mut self, unit: Unit, version: u32) -> Result<(), String> {
        if !self.waiting.iter().any(|w| w.batch == unit.batch) {
            return Err(format!("there is no gradient of batch {} to apply", unit.batch));
        }
        let m = self.program.micro_batches;
        for batch in self.waiting.iter().map(|w| w.batch).collect::<BTreeSet<_>>() {
            let parts = self
                .waiting
                .range(Unit::batch(batch)..=Unit::micro(batch, u16::MAX))
                .count();
            if parts < usize::from(m) {
                return Err(format!(
                    "only {parts} of the {m} micro-batches of batch {batch} are back-propagated"
                ));
            }
        }
        let made = self.report.updates + 1;
        if version != made {
            return Err(format!(
                "U{} names weight version {version}, but it makes version {made}",
                unit.batch
            ));
        }
        for unit in std::mem::take(&mut self.waiting) {
            self.lives.entry(unit).or_default().applied = true;
        }
        self.report.updates = made;
        self.count();
        Ok(())
    }

    /// A predicted forward's horizon is the number of updates until its weights are needed again.
    fn check_horizon(&mut self, unit: Unit, opened_by: Op) -> Result<(), String> {
        let Some((index, version)) = self.lives.get(&unit).and_then(|life| life.forward) else {
            return Ok(());
        };
        let forward = self.program.workers[self.worker - 1][index];
        let Some(horizon) = forward.horizon.filter(|_| forward.op == opened_by) else {
            return Ok(());
        };
        let counted = self.report.updates - version;
        if horizon != counted {
            return Err(format!(
                "{forward} predicts {horizon} updates ahead, but {counted} are made by now"
            ));
        }
        self.report.horizons.push((unit, horizon));
        Ok(())
    }

    fn count(&mut self) {
        let report = &mut self.report;
        report.live_graphs = report.live_graphs.max(self.live_graphs);
        let current = usize::from(!self.graphs.contains_key(&report.updates));
        report.weight_versions = report.weight_versions.max(self.graphs.len() + current);
    }

    fn end(&self) -> Result<(), String> {
        let (above, below) = (self.worker < self.program.modules(), self.worker > 1);
        let missing = Life::default();
        for batch in 1..=self.program.batches {
            let micros = match self.program.micro_batches {
                1 => 0..=0,
                m => 1..=m,
            };
            for unit in micros.map(|micro| Unit::micro(batch, micro)) {
                let life = self.lives.get(&unit).unwrap_or(&missing);
                let wants = [
                    (life.forward.is_none(), "forwarded"),
                    (above && !life.sent, "sent up"),
                    (!life.backward, "back-propagated"),
                    (below && self.gradients_below && !life.gradient_sent, "sent down"),
                    (!life.applied, "applied by an update"),
                ];
                if let Some((_, what)) = wants.into_iter().find(|(missing, _)| *missing) {
                    return Err(format!("batch {unit} is never {what}"));
                }
            }
        }
        Ok(())
    }
}
