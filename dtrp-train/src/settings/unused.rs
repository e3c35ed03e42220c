//! Settings that a run would not use: whoever set one is told, not left to wonder.

use super::{OptimizerName, OptimizerSettings, ScheduleName, Settings};
use crate::assembly::Length;
use dtrp_core::schedule::{Op, Program};
use dtrp_predictors::{Context, OptimizerState, Rule};

/// A setting without effect, or without that of its whole value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unused {
    /// Its path, such as `method.auxiliary`.
    pub key: &'static str,
    /// Why it has none.
    pub why: String,
    /// Whether its value differs from the default: then somebody must have set it.
    pub set: bool,
    /// Whether it has some effect, but not the one that its value promises.
    pub partly: bool,
}

impl std::fmt::Display for Unused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Unused { key, why, partly, .. } = self;
        if *partly {
            write!(f, "{key}: {why}")
        } else {
            write!(f, "{key} has no effect: {why}")
        }
    }
}

/// What a run is made of, as far as it decides which settings mean something.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts<'a> {
    /// A program that shows the steady state.
    pub(crate) program: &'a Program,
    /// Of each module, in updates.
    pub(crate) staleness: &'a [u32],
    /// How long it is.
    pub(crate) length: &'a Length,
    /// Blocks of the network.
    pub(crate) blocks: usize,
    /// Samples that there are, whatever the limit: to train and to test on.
    pub(crate) samples: [usize; 2],
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
        of_run(&mut list, facts);
        of_data(&mut list, facts);
        of_method(&mut list, facts);
        of_delays(&mut list, facts);
        of_optimizer(&mut list, facts);
        of_schedule(&mut list, facts);
        list.unused
    }
}

fn of_run(list: &mut List<'_>, facts: Facts<'_>) {
    let run = &list.settings.run;
    let Length {
        steps,
        batches_per_epoch,
        ..
    } = *facts.length;
    let all = run.epochs.saturating_mul(batches_per_epoch.into());
    match run.max_steps {
        Some(most) if most > all => {
            let why = format!("the {} epochs of the run are over after {steps} steps", run.epochs);
            list.add("run.max_steps", why, |s| s.run.max_steps);
        }
        Some(most) if most < all => {
            let why = format!("run.max_steps ends the run after {steps} steps, before that");
            list.add("run.epochs", why, |s| s.run.epochs);
        }
        _ => {}
    }
}

fn of_data(list: &mut List<'_>, facts: Facts<'_>) {
    let data = &list.settings.data;
    let [train, test] = facts.samples;
    for (key, limit, samples) in [
        ("data.limit", data.limit, train),
        ("data.test_limit", data.test_limit, test),
    ] {
        if limit.is_some_and(|limit| limit >= samples) {
            list.note(key, false, format!("there are {samples} samples"));
        }
    }
    if data.threads == 0 {
        let why = "with data.threads: 0 nothing is loaded ahead".to_owned();
        list.add("data.prefetch", why, |s| s.data.prefetch);
    }
    let samples = train.min(data.limit.unwrap_or(usize::MAX));
    if data.batch_size > samples {
        list.note(
            "data.batch_size",
            true,
            format!("there are {samples} samples: they are one batch"),
        );
    }
}

fn of_method(list: &mut List<'_>, facts: Facts<'_>) {
    let Facts { program, .. } = facts;
    let section = &list.settings.method;
    let name = &program.method;
    let modules = program.modules();
    let actions = || program.workers.iter().flatten();
    let alone = modules == 1;
    let of_one = || "there is one module only".to_owned();
    let local = !alone && !actions().any(|action| action.op == Op::RecvD);
    if !actions().any(|action| action.horizon.is_some()) {
        let why = || format!("{name} on {modules} modules predicts no weights");
        list.add("method.predictor", why(), |s| s.method.predictor.clone());
        list.add("method.probe_every", why(), |s| s.method.probe_every);
    } else if !actions().any(|action| action.horizon.is_some_and(|horizon| horizon > 0)) {
        let why =
            || format!("no update of {name} comes between the forwards of a batch, so there is nothing to predict");
        list.add("method.predictor", why(), |s| s.method.predictor.clone());
        list.add("method.probe_every", why(), |s| s.method.probe_every);
    } else if !facts.own_optimizer && predicts_nothing(list.settings) {
        let why = "without momentum the optimizer keeps no direction to go on in: the weights are predicted to stay"
            .to_owned();
        list.note("method.predictor", false, why);
    }
    if !local {
        let why = format!("{name} has no local losses");
        list.add("method.auxiliary", why, |s| s.method.auxiliary.clone());
    }
    if alone {
        list.add("method.cuts", of_one(), |s| s.method.cuts.clone());
        list.add("method.order", of_one(), |s| {
            s.method.order.filter(|order| *order != program.order)
        });
    } else if facts.blocks == modules {
        let why = format!("the network has {modules} blocks: there is one way to cut it into as many modules");
        list.add("method.cuts", why, |s| s.method.cuts.clone());
    }
    if !section.batch_compensation.fill {
        let why = "method.batch_compensation.fill is false".to_owned();
        list.add("method.batch_compensation.rate", why, |s| {
            s.method.batch_compensation.rate
        });
    }
    let batches = facts.length.batches_per_epoch;
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
    } else if section.accumulate > batches {
        let why = format!("an epoch has {batches} batches: there is one update for all of them");
        list.note("method.accumulate", true, why);
    }
}

/// What is made of late gradients.
fn of_delays(list: &mut List<'_>, facts: Facts<'_>) {
    let Facts { program, .. } = facts;
    let (name, modules) = (&program.method, program.modules());
    let alone = modules == 1;
    let of_one = || "there is one module only".to_owned();
    if alone {
        list.add("method.lr_shrink", of_one(), |s| s.method.lr_shrink);
        list.add("method.gradient_shrink", of_one(), |s| s.method.gradient_shrink);
    } else if !program.workers.iter().flatten().any(|action| action.op == Op::RecvD) {
        let why = format!("with {name} no gradient arrives from above");
        list.add("method.gradient_shrink", why, |s| s.method.gradient_shrink);
    }
    let latest = facts.staleness.iter().copied().max().unwrap_or(0);
    if facts.own_optimizer {
        let why = "the optimizers were given as objects".to_owned();
        list.add("method.spike", why, |s| s.method.spike);
    } else if latest == 0 {
        let why = format!("no gradient of {name} on {modules} modules is late");
        list.add("method.spike", why, |s| s.method.spike);
    }
    let rescale = list.settings.method.rescale_epochs;
    if latest <= 1 {
        let why = format!("no gradient of {name} on {modules} modules is more than {latest} updates late");
        list.add("method.rescale_epochs", why, |s| s.method.rescale_epochs);
    } else if rescale > 0.0 && facts.length.updates_in(rescale) == 0 {
        list.note(
            "method.rescale_epochs",
            false,
            "that is less than one update".to_owned(),
        );
    }
}

/// Whether the predictor goes by the optimizer's direction alone, and the optimizer has none.
fn predicts_nothing(settings: &Settings) -> bool {
    let OptimizerSettings {
        name,
        momentum,
        weight_decay,
        ..
    } = settings.optimizer;
    if name != OptimizerName::Sgd || momentum != 0.0 {
        return false;
    }
    let Ok(mut predictor) = dtrp_predictors::create(&settings.method.predictor.0) else {
        return false;
    };
    let context = Context {
        module: 1,
        modules: 2,
        update: 1,
        learning_rates: &[settings.optimizer.lr.max(1e-3)],
        optimizer: OptimizerState::Sgd {
            momentum,
            nesterov: false,
            weight_decay,
        },
    };
    let inputs = predictor.inputs();
    let of_direction = inputs.direction && !inputs.gradient && !inputs.displacement;
    let rule = predictor.rule(&context);
    of_direction && matches!(rule, Ok(Rule::Linear(rule)) if rule.weights == 1.0)
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
    let length = facts.length;
    let warming = length.updates_in(schedule.warmup_epochs);
    let only_warm = warming >= length.updates;
    let whole = || "the warm-up lasts to the end of the run".to_owned();
    if only_warm {
        list.add("optimizer.schedule.name", whole(), |s| s.optimizer.schedule.name);
    }
    if name != ScheduleName::MultiStep || only_warm {
        let why = || {
            if only_warm {
                whole()
            } else {
                "it is of the schedule multi-step".to_owned()
            }
        };
        list.add("optimizer.schedule.milestones", why(), |s| {
            s.optimizer.schedule.milestones.clone()
        });
        list.add("optimizer.schedule.gamma", why(), |s| s.optimizer.schedule.gamma);
    } else {
        of_milestones(list, length, &schedule.milestones);
    }
    if name != ScheduleName::Cosine || only_warm {
        let why = if only_warm {
            whole()
        } else {
            "it is of the schedule cosine".to_owned()
        };
        list.add("optimizer.schedule.final_lr", why, |s| s.optimizer.schedule.final_lr);
    }
    let key = "optimizer.schedule.warmup_epochs";
    if schedule.warmup_epochs > 0.0 && warming == 0 {
        list.note(key, false, "that is less than one update".to_owned());
    } else if warming > length.updates {
        let why = format!(
            "the run ends after {} epochs, before the warm-up: optimizer.lr is never reached",
            length.epochs()
        );
        list.note(key, true, why);
    }
    if warming == 0 {
        list.add(
            "optimizer.schedule.warmup_from",
            "there is no warm-up".to_owned(),
            |s| s.optimizer.schedule.warmup_from,
        );
    }
}

/// Milestones that the run never comes to.
fn of_milestones(list: &mut List<'_>, length: &Length, milestones: &[f64]) {
    let beyond = |at: &&f64| length.updates_in(**at) >= length.updates;
    let beyond: Vec<_> = milestones.iter().filter(beyond).map(ToString::to_string).collect();
    if !beyond.is_empty() {
        let (names, are) = (beyond.join(", "), if beyond.len() > 1 { "are" } else { "is" });
        let epochs = length.epochs();
        let why = format!("{names} {are} beyond the {epochs} epochs of the run (milestones are epochs)");
        list.note("optimizer.schedule.milestones", beyond.len() < milestones.len(), why);
    }
    if beyond.len() == milestones.len() {
        let why = "there is no milestone in the run, so the rate stays".to_owned();
        list.add("optimizer.schedule.gamma", why, |s| s.optimizer.schedule.gamma);
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
        self.unused.push(Unused {
            key,
            why,
            set,
            partly: false,
        });
    }

    /// A value that means nothing here, or less than it says, whoever set it.
    fn note(&mut self, key: &'static str, partly: bool, why: String) {
        self.unused.push(Unused {
            key,
            why,
            set: true,
            partly,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(settings: &Settings, program: &Program, epochs: f64) -> Vec<&'static str> {
        let report = dtrp_core::analysis::analyse(program, std::num::NonZeroUsize::MIN).unwrap();
        let staleness: Vec<_> = report.workers.iter().map(|worker| worker.max_staleness()).collect();
        let steps = (epochs * 10.0) as u64;
        let length = Length {
            batches_per_epoch: 10,
            steps,
            updates_per_epoch: 10,
            updates: steps,
        };
        let facts = Facts {
            program,
            staleness: &staleness,
            length: &length,
            blocks: 10,
            samples: [1000, 100],
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
        // PipeMare's rule divides by the staleness, which is 1 where it is least.
        settings = Settings::default();
        settings.method.rescale_epochs = 1.0;
        assert_eq!(keys(&settings, &program("dtrp", 2), 40.0), ["method.rescale_epochs"]);
        assert_eq!(keys(&settings, &program("dtrp", 3), 40.0), Vec::<&str>::new());
    }

    #[test]
    fn a_predictor_without_a_direction_says_so() {
        let program = dtrp_core::schedule::Dtrp::new(3).batches(16).program().unwrap();
        let mut settings = Settings::default();
        settings.optimizer.momentum = 0.0;
        for (predictor, nothing) in [
            ("momentum", true),
            ("damped", true),
            ("adaptive", true),
            ("difference", false),
            ("none", false),
        ] {
            settings.method.predictor = predictor.into();
            let told = keys(&settings, &program, 40.0);
            assert_eq!(told.contains(&"method.predictor"), nothing, "{predictor}: {told:?}");
        }
        // With weight decay the weights shrink, which `decayed` foresees.
        settings.method.predictor = "decayed".into();
        assert_eq!(keys(&settings, &program, 40.0), Vec::<&str>::new());
        settings.optimizer.weight_decay = 0.0;
        assert!(keys(&settings, &program, 40.0).contains(&"method.predictor"));
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
        let told = [
            "optimizer.schedule.name",
            "optimizer.schedule.milestones",
            "optimizer.schedule.warmup_epochs",
        ];
        assert_eq!(keys(&settings, &program, 60.0), told);
        settings.optimizer.schedule.milestones = vec![70.0];
        settings.optimizer.schedule.gamma = 0.5;
        settings.optimizer.schedule.warmup_epochs = 0.01;
        let told = [
            "optimizer.schedule.milestones",
            "optimizer.schedule.gamma",
            "optimizer.schedule.warmup_epochs",
        ];
        assert_eq!(keys(&settings, &program, 60.0), told);
    }

    #[test]
    fn what_data_and_length_leave_unused() {
        let program = dtrp_core::schedule::Dtrp::new(2).batches(16).program().unwrap();
        let mut settings = Settings::default();
        (settings.data.threads, settings.data.prefetch) = (0, 8);
        (settings.data.limit, settings.data.test_limit) = (Some(1000), Some(99));
        assert_eq!(keys(&settings, &program, 40.0), ["data.limit", "data.prefetch"]);
        settings = Settings::default();
        (settings.run.epochs, settings.run.max_steps) = (7, Some(69));
        assert_eq!(keys(&settings, &program, 6.9), ["run.epochs"]);
        settings.run.max_steps = Some(71);
        assert_eq!(keys(&settings, &program, 7.0), ["run.max_steps"]);
        settings.data.batch_size = 2000;
        assert_eq!(keys(&settings, &program, 7.0), ["run.max_steps", "data.batch_size"]);
    }
}
