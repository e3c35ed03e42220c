//! Settings that a run would not use: whoever set one is told, not left to wonder.

use super::{OptimizerName, ScheduleName, Settings};
use dtrp_core::schedule::{Op, Program};

/// A setting without effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unused {
    /// Its path, such as `method.auxiliary`.
    pub key: &'static str,
    /// Why it has none.
    pub why: String,
    /// Whether its value differs from the default: then somebody must have set it.
    pub set: bool,
}

impl std::fmt::Display for Unused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} has no effect: {}", self.key, self.why)
    }
}

/// What a run is made of, as far as it decides which settings mean something.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts<'a> {
    /// A program that shows the steady state.
    pub(crate) program: &'a Program,
    /// Of each module, in updates.
    pub(crate) staleness: &'a [u32],
    /// Epochs of the run, as far as its steps reach.
    pub(crate) epochs: f64,
    /// Whether it computes its losses by itself.
    pub(crate) own_loss: bool,
    /// Whether optimizers were given as objects.
    pub(crate) own_optimizer: bool,
}

impl Settings {
    /// The settings that have no effect in a run like this, whatever their values.
    pub(crate) fn unused(&self, facts: Facts<'_>) -> Vec<Unused> {
        let mut list = List {
            default: Settings::default(),
            settings: self,
            unused: Vec::new(),
        };
        of_method(&mut list, facts);
        of_optimizer(&mut list, facts);
        of_schedule(&mut list, facts);
        list.unused
    }
}

fn of_method(list: &mut List<'_>, facts: Facts<'_>) {
    let Facts { program, .. } = facts;
    let section = &list.settings.method;
    let name = &program.method;
    let modules = program.modules();
    let any = |op: Op| program.workers.iter().flatten().any(|action| action.op == op);
    let predicts = program.workers.iter().flatten().any(|action| action.horizon.is_some());
    let alone = modules == 1;
    let of_one = || "there is one module only".to_owned();
    let local = !alone && !any(Op::RecvD);
    if !predicts {
        let why = || format!("{name} on {modules} modules predicts no weights");
        list.add("method.predictor", why(), |s| s.method.predictor.clone());
        list.add("method.probe_every", why(), |s| s.method.probe_every);
    }
    if !local {
        let why = format!("{name} has no local losses");
        list.add("method.auxiliary", why, |s| s.method.auxiliary.clone());
    }
    if alone {
        list.add("method.cuts", of_one(), |s| s.method.cuts.clone());
        list.add("method.lr_shrink", of_one(), |s| s.method.lr_shrink);
    }
    if alone || local {
        let why = if alone {
            of_one()
        } else {
            format!("with {name} no gradient arrives from above")
        };
        list.add("method.gradient_shrink", why, |s| s.method.gradient_shrink);
    }
    if facts.staleness.iter().all(|updates| *updates == 0) {
        let why = || format!("no gradient of {name} on {modules} modules is late");
        list.add("method.spike", why(), |s| s.method.spike);
        list.add("method.rescale_epochs", why(), |s| s.method.rescale_epochs);
    }
    if !section.batch_compensation.fill {
        let why = "method.batch_compensation.fill is false".to_owned();
        list.add("method.batch_compensation.rate", why, |s| {
            s.method.batch_compensation.rate
        });
    }
    if section.program.is_some() {
        let why = || "the program comes from a file".to_owned();
        if section.name != *name {
            list.add("method.name", format!("the program is one of {name}"), |s| {
                s.method.name.clone()
            });
        }
        if section.order.is_some_and(|order| order != program.order) {
            list.add("method.order", why(), |s| s.method.order);
        }
        list.add("method.accumulate", why(), |s| s.method.accumulate);
    }
}

fn of_optimizer(list: &mut List<'_>, facts: Facts<'_>) {
    let name = list.settings.optimizer.name;
    if facts.own_loss {
        let why = "the loss was given as an object".to_owned();
        list.add("optimizer.label_smoothing", why, |s| s.optimizer.label_smoothing);
    }
    let own = facts.own_optimizer;
    let why = |what: &str| {
        if own {
            "the optimizers were given as objects".to_owned()
        } else {
            what.to_owned()
        }
    };
    if own || name != OptimizerName::Sgd {
        list.add("optimizer.momentum", why("it is of sgd"), |s| s.optimizer.momentum);
        list.add("optimizer.nesterov", why("it is of sgd"), |s| s.optimizer.nesterov);
    }
    if own || name == OptimizerName::Sgd {
        list.add("optimizer.betas", why("they are of adam and adamw"), |s| {
            s.optimizer.betas
        });
        list.add("optimizer.epsilon", why("it is of adam and adamw"), |s| {
            s.optimizer.epsilon
        });
    }
    if own {
        list.add("optimizer.name", why(""), |s| s.optimizer.name);
        list.add("optimizer.weight_decay", why(""), |s| s.optimizer.weight_decay);
    }
    if own || list.settings.optimizer.weight_decay == 0.0 {
        list.add(
            "optimizer.decay_bias_and_norm",
            why("optimizer.weight_decay is 0"),
            |s| s.optimizer.decay_bias_and_norm,
        );
    }
}

fn of_schedule(list: &mut List<'_>, facts: Facts<'_>) {
    let schedule = list.settings.optimizer.schedule.clone();
    let name = schedule.name;
    if name != ScheduleName::MultiStep {
        let why = || "it is of the schedule multi-step".to_owned();
        list.add("optimizer.schedule.milestones", why(), |s| {
            s.optimizer.schedule.milestones.clone()
        });
        list.add("optimizer.schedule.gamma", why(), |s| s.optimizer.schedule.gamma);
    }
    if name != ScheduleName::Cosine {
        list.add(
            "optimizer.schedule.final_lr",
            "it is of the schedule cosine".to_owned(),
            |s| s.optimizer.schedule.final_lr,
        );
    }
    if schedule.warmup_epochs == 0.0 {
        list.add(
            "optimizer.schedule.warmup_from",
            "there is no warm-up".to_owned(),
            |s| s.optimizer.schedule.warmup_from,
        );
    }
    let epochs = facts.epochs;
    if name == ScheduleName::MultiStep {
        let beyond: Vec<_> = schedule
            .milestones
            .iter()
            .filter(|at| **at >= epochs)
            .map(ToString::to_string)
            .collect();
        if !beyond.is_empty() {
            let (beyond, are) = (beyond.join(", "), if beyond.len() > 1 { "are" } else { "is" });
            let why = format!("{beyond} {are} beyond the {epochs} epochs of the run (milestones are epochs)");
            list.note("optimizer.schedule.milestones", why);
        }
    }
    if schedule.warmup_epochs > epochs {
        let why = format!("the run ends after {epochs} epochs, before the warm-up: lr is never reached");
        list.note("optimizer.schedule.warmup_epochs", why);
    }
}

struct List<'a> {
    settings: &'a Settings,
    default: Settings,
    unused: Vec<Unused>,
}

impl List<'_> {
    /// A setting that means nothing here.
    fn add<T: PartialEq>(&mut self, key: &'static str, why: String, value: impl Fn(&Settings) -> T) {
        let set = value(self.settings) != value(&self.default);
        self.unused.push(Unused { key, why, set });
    }

    /// A value that means nothing here, whoever set it.
    fn note(&mut self, key: &'static str, why: String) {
        self.unused.push(Unused { key, why, set: true });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(settings: &Settings, program: &Program, epochs: f64) -> Vec<&'static str> {
        let report = dtrp_core::analysis::analyse(program, std::num::NonZeroUsize::MIN).unwrap();
        let staleness: Vec<_> = report.workers.iter().map(|worker| worker.max_staleness()).collect();
        let facts = Facts {
            program,
            staleness: &staleness,
            epochs,
            own_loss: false,
            own_optimizer: false,
        };
        let unused = settings.unused(facts).into_iter();
        unused.filter(|unused| unused.set).map(|unused| unused.key).collect()
    }

    #[test]
    fn nothing_of_the_defaults_is_told() {
        let program = dtrp_core::schedule::Dtrp::new(2).batches(16).program().unwrap();
        assert_eq!(keys(&Settings::default(), &program, 40.0), Vec::<&str>::new());
    }

    #[test]
    fn what_a_method_does_not_use() {
        let program = |name: &str, modules| {
            let plan = dtrp_core::schedule::Plan::new(modules, 16);
            dtrp_core::schedule::Method::named(name)
                .unwrap()
                .program(&plan)
                .unwrap()
        };
        let mut settings = Settings::default();
        settings.method.auxiliary = "conv".to_owned();
        settings.method.gradient_shrink = 0.5;
        settings.method.predictor = "damped".into();
        settings.method.spike = true;
        assert_eq!(keys(&settings, &program("dtrp", 3), 40.0), ["method.auxiliary"]);
        assert_eq!(
            keys(&settings, &program("fdg", 3), 40.0),
            ["method.predictor", "method.auxiliary"]
        );
        let local = ["method.predictor", "method.gradient_shrink", "method.spike"];
        assert_eq!(keys(&settings, &program("local", 3), 40.0), local);
        let bp = ["method.predictor", "method.auxiliary", "method.spike"];
        assert_eq!(keys(&settings, &program("bp", 3), 40.0), bp);
    }

    #[test]
    fn what_a_schedule_does_not_use() {
        let program = dtrp_core::schedule::Dtrp::new(2).batches(16).program().unwrap();
        let mut settings = Settings::default();
        settings.optimizer.schedule.milestones = vec![3.0, 50.0];
        assert_eq!(keys(&settings, &program, 40.0), ["optimizer.schedule.milestones"]);
        settings.optimizer.schedule.name = ScheduleName::MultiStep;
        assert_eq!(keys(&settings, &program, 40.0), ["optimizer.schedule.milestones"]);
        assert_eq!(keys(&settings, &program, 60.0), Vec::<&str>::new());
        settings.optimizer.schedule.warmup_epochs = 61.0;
        assert_eq!(keys(&settings, &program, 60.0), ["optimizer.schedule.warmup_epochs"]);
    }
}
