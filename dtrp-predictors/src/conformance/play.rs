//! The script that a predictor plays, and what can be seen to go wrong in it.

use crate::{
    Context, OptimizerState, PluginError, Predictor, PredictorError, Probe,
    abi::{self, NativeTensor},
    loader::{
        Descriptor, Library,
        instance::Loaded,
        trial::{OPTIMIZERS, TrialArrays, guarded},
    },
};
use std::sync::Arc;

/// What is checked.
#[derive(Clone)]
pub(super) struct Subject {
    pub(super) library: &'static Library,
    pub(super) descriptor: &'static Descriptor,
    /// JSON, or empty.
    pub(super) options: Arc<str>,
}

impl Subject {
    pub(super) fn instance(&self) -> Result<Loaded, PredictorError> {
        self.library.instance(self.descriptor, &self.options)
    }
}

/// Which check failed, and how.
pub(super) struct FailedCheck {
    pub(super) check: &'static str,
    pub(super) message: String,
}

impl FailedCheck {
    pub(super) fn new(check: &'static str, message: String) -> Self {
        Self { check, message }
    }

    pub(super) fn of_create(error: PredictorError) -> Self {
        Self::new("create", error.to_string())
    }
}

impl From<PredictorError> for FailedCheck {
    fn from(error: PredictorError) -> Self {
        let check = match &error {
            PredictorError::Plugin(PluginError::WroteOutside { .. } | PluginError::LeftUnwritten { .. }) => "output",
            PredictorError::Plugin(PluginError::WroteInput { .. }) => "inputs",
            PredictorError::Plugin(PluginError::NonFinite { .. }) => "finite",
            _ => "calls succeed",
        };
        Self::new(check, error.to_string())
    }
}

/// Lengths of parameter arrays: none, one, not a multiple of any vector width, more than a page.
const LENGTHS: [usize; 5] = [0, 1, 7, 64, 4099];
const UPDATES: u64 = 6;
/// Learning rates of the longest horizon, with a milestone in it; shorter ones take the first of them.
const RATES: [f64; 8] = [0.1, 0.1, 0.1, 0.01, 0.01, 0.01, 0.01, 0.01];
const HORIZONS: [usize; 4] = [0, 1, 3, 8];

/// Everything once; the bits of all forecasts.
pub(super) fn script(subject: &Subject) -> Result<Vec<u64>, FailedCheck> {
    each_type(subject, |scene| {
        let mut bits = Vec::new();
        let mut instance = subject.instance()?;
        for update in 0..UPDATES {
            bits.extend(scene.play(&mut instance, update)?);
        }
        Ok(bits)
    })
}

/// Everything once more, saved and restored half-way: the second halves must agree.
pub(super) fn interrupted(subject: &Subject) -> Result<Vec<u64>, FailedCheck> {
    each_type(subject, |scene| {
        let (mut whole, mut restored) = (subject.instance()?, subject.instance()?);
        for update in 0..UPDATES / 2 {
            scene.play(&mut whole, update)?;
        }
        let state = whole.save();
        restored.load(&state)?;
        for update in UPDATES / 2..UPDATES {
            if scene.play(&mut whole, update)? != scene.play(&mut restored, update)? {
                let message = format!(
                    "restored from {} bytes, it forecasts other bits than the instance that went on ({scene})",
                    state.len()
                );
                return Err(FailedCheck::new("save and load", message).into());
            }
        }
        Ok(Vec::new())
    })
}

/// What must be refused, and with a reason.
pub(super) fn wrong_options(subject: &Subject) -> Result<Vec<u64>, FailedCheck> {
    let Subject {
        library, descriptor, ..
    } = subject;
    for (what, id, options) in [
        (
            "an option that does not exist",
            &*descriptor.id,
            r#"{"dtrp_no_such_option":1}"#,
        ),
        ("options that are not JSON", &*descriptor.id, "{"),
        ("an id that does not exist", "dtrp.no.such.predictor", ""),
    ] {
        let fail = |how: String| Err(FailedCheck::new("wrong options", format!("{what} ({options:?}) {how}")));
        match Loaded::create(library, descriptor, id, options) {
            Ok(_) => return fail("was accepted".into()),
            Err(PredictorError::Plugin(
                PluginError::Options { message, .. }
                | PluginError::Failed {
                    call: "create",
                    message,
                    ..
                },
            )) if message.starts_with("it does not say why") => {
                return fail("was refused without a reason; call host->set_error".into());
            }
            Err(PredictorError::Plugin(PluginError::Options { .. } | PluginError::Failed { call: "create", .. })) => {}
            Err(error) => return fail(format!("was not refused in an orderly way: {error}")),
        }
    }
    Ok(Vec::new())
}

/// Why a scene ended early.
pub(super) enum SceneEnd {
    /// A check failed.
    Failed(FailedCheck),
    /// The predictor refused, in its own words and orderly: perhaps it does not know the optimizer.
    Refused(PredictorError),
}

impl From<FailedCheck> for SceneEnd {
    fn from(problem: FailedCheck) -> Self {
        Self::Failed(problem)
    }
}

impl From<PredictorError> for SceneEnd {
    fn from(error: PredictorError) -> Self {
        match error {
            PredictorError::Plugin(PluginError::Failed { .. }) => Self::Refused(error),
            other => Self::Failed(other.into()),
        }
    }
}

/// One family of optimizers, one length.
pub(super) struct Scene {
    optimizer: OptimizerState,
    length: usize,
    double: bool,
}

impl std::fmt::Display for Scene {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}, {} parameters, {}",
            self.optimizer,
            self.length,
            if self.double { "f64" } else { "f32" }
        )
    }
}

/// Runs `work` for every number type, family of optimizers and length; one of the families may be refused.
fn each_type(subject: &Subject, work: impl Fn(&Scene) -> Result<Vec<u64>, SceneEnd>) -> Result<Vec<u64>, FailedCheck> {
    let mut bits = Vec::new();
    let declared = |bit| subject.descriptor.linear || subject.descriptor.dtypes & bit != 0;
    for (double, bit) in [(false, abi::dtype::F32), (true, abi::dtype::F64)] {
        if !declared(bit) {
            continue;
        }
        let mut refused = Vec::new();
        for optimizer in OPTIMIZERS {
            for length in LENGTHS {
                match work(&Scene {
                    optimizer,
                    length,
                    double,
                }) {
                    Ok(part) => bits.extend(part),
                    Err(SceneEnd::Refused(error)) => {
                        refused.push(error);
                        break;
                    }
                    Err(SceneEnd::Failed(problem)) => return Err(problem),
                }
            }
        }
        if refused.len() == OPTIMIZERS.len() {
            return Err(refused.swap_remove(0).into());
        }
    }
    Ok(bits)
}

impl Scene {
    /// Forecasts over all horizons, then one update seen and one probe heard.
    fn play(&self, predictor: &mut Loaded, update: u64) -> Result<Vec<u64>, SceneEnd> {
        if self.double {
            self.play_in::<f64>(predictor, update)
        } else {
            self.play_in::<f32>(predictor, update)
        }
    }

    fn play_in<T: NativeTensor>(&self, predictor: &mut Loaded, update: u64) -> Result<Vec<u64>, SceneEnd> {
        let plugin = predictor.plugin();
        let arrays = TrialArrays::<T>::new(self.length, 1.0 / (1.0 + update as f64));
        let before = arrays.checksum();
        let untouched = || {
            if arrays.checksum() == before {
                return Ok(());
            }
            let message = format!("an input has been written to ({self}, after {update} updates)");
            Err(FailedCheck::new("inputs", message))
        };
        // Before the first update there is nothing but the weights.
        let views = if update == 0 {
            crate::Views::of(arrays.views().weights)
        } else {
            arrays.views()
        };
        let context = Context {
            module: 2,
            modules: 4,
            update,
            learning_rates: &[],
            optimizer: self.optimizer,
        };
        let mut bits = Vec::new();
        for horizon in HORIZONS {
            let context = Context {
                learning_rates: &RATES[..horizon],
                ..context
            };
            let out = guarded(&plugin, predictor, &context, views)?;
            untouched()?;
            if horizon == 0 && !out.iter().zip(views.weights).all(|(a, b)| a.bits() == b.bits()) {
                let message = format!("the forecast for horizon 0 is not the weights ({self}, after {update} updates)");
                return Err(FailedCheck::new("horizon 0", message).into());
            }
            bits.extend(out.iter().map(|x| x.bits()));
        }
        if predictor.wants_observe() {
            let seen = Context {
                update: update + 1,
                learning_rates: &RATES[..1],
                ..context
            };
            predictor.observe(&seen, T::arrays(arrays.views()))?;
        }
        predictor.feedback(&Probe {
            horizon: 3,
            realised_dot_direction: 0.5 + update as f64,
            direction_norm2: 2.0,
            realised_norm2: 9.0,
            predicted_norm2: 1.0,
            predicted_dot_realised: 0.5,
            error_norm2: 4.0,
        });
        predictor.settle().map_err(PredictorError::from)?;
        untouched()?;
        Ok(bits)
    }
}
