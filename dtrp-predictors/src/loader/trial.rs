//! Trying a predictor out on arrays of the host's own, before it meets a network.

use super::{descriptor::Descriptor, library::Library};
use crate::{
    Context, Inputs, OptimizerState, PluginError, Predictor, PredictorError, Rule, Views,
    abi::{self, NativeTensor},
};

/// One instance for each number type it declares, a few updates seen, one forecast. A plug-in may refuse one of the two
/// families of optimizers, but not both.
pub(super) fn run(
    library: &'static Library,
    descriptor: &'static Descriptor,
    options: &str,
) -> Result<(), PredictorError> {
    if descriptor.linear || descriptor.dtypes & abi::dtype::F32 != 0 {
        try_out::<f32>(library, descriptor, options)?;
    }
    if !descriptor.linear && descriptor.dtypes & abi::dtype::F64 != 0 {
        try_out::<f64>(library, descriptor, options)?;
    }
    Ok(())
}

fn try_out<T: NativeTensor>(
    library: &'static Library,
    descriptor: &'static Descriptor,
    options: &str,
) -> Result<(), PredictorError> {
    let plugin = library.plugin(&descriptor.id);
    let mut refused = None;
    for optimizer in OPTIMIZERS {
        let mut predictor = library.instance(descriptor, options)?;
        let arrays = TrialArrays::<T>::new(67, 1.0);
        let context = Context {
            module: 1,
            modules: 2,
            update: 12,
            learning_rates: &[0.1, 0.1, 0.01],
            optimizer,
        };
        let seen = Context {
            learning_rates: &[0.1],
            ..context
        };
        let observed = if predictor.wants_observe() {
            predictor.observe(&seen, T::arrays(arrays.views()))
        } else {
            Ok(())
        };
        match observed.and_then(|()| guarded(&plugin, &mut predictor, &context, arrays.views())) {
            Ok(_) => return Ok(()),
            // In its own words, and orderly: perhaps it does not know this optimizer.
            Err(error @ PredictorError::Plugin(PluginError::Failed { .. })) => {
                refused.get_or_insert(error);
            }
            Err(error) => return Err(error),
        }
    }
    refused.map_or(Ok(()), Err)
}

/// One of each family.
pub(crate) const OPTIMIZERS: [OptimizerState; 2] = [
    OptimizerState::Sgd {
        momentum: 0.9,
        nesterov: false,
        weight_decay: 5e-4,
    },
    OptimizerState::Adam {
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-8,
        weight_decay: 0.01,
        decoupled: true,
    },
];

/// Inputs of one length, with content that depends on nothing but the length and `scale`.
pub(crate) struct TrialArrays<T> {
    weights: Vec<T>,
    direction: Vec<T>,
    gradient: Vec<T>,
    displacement: Vec<T>,
}

impl<T: NativeTensor> TrialArrays<T> {
    pub(crate) fn new(length: usize, scale: f64) -> Self {
        // A small linear congruential generator: numbers in [-1, 1), the same everywhere.
        let mut state = 0x2545_F491_4F6C_DD1D_u64;
        let mut array = || {
            let mut number = || {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                T::from_f64(scale * ((state >> 40) as f64 / f64::from(1 << 23) - 1.0))
            };
            (0..length).map(|_| number()).collect::<Vec<T>>()
        };
        let mut arrays = Self {
            weights: array(),
            direction: array(),
            gradient: array(),
            displacement: array(),
        };
        // A negative zero, which w + 0 would not give back.
        if let Some(weight) = arrays.weights.last_mut() {
            *weight = -T::ZERO;
        }
        arrays
    }

    pub(crate) fn views(&self) -> Views<'_, T> {
        Views {
            weights: &self.weights,
            direction: Some(&self.direction),
            gradient: Some(&self.gradient),
            displacement: Some(&self.displacement),
        }
    }

    /// The bits of everything, for comparing before and after.
    pub(crate) fn checksum(&self) -> u64 {
        // Opaque, since the compiler may take it that nobody writes to what is only lent.
        let all = std::hint::black_box([&self.weights, &self.direction, &self.gradient, &self.displacement]);
        all.into_iter().flatten().fold(0, |sum, x| {
            sum.rotate_left(5).wrapping_mul(0x9E37_79B9).wrapping_add(x.bits())
        })
    }
}

/// How many elements before and behind an output are watched.
const GUARD: usize = 1024;

/// One forecast, written between two guard zones into an output full of a NaN that nobody computes. Unlike
/// [`forecast`](trait@Predictor) it asks the predictor for horizon 0 too.
pub(crate) fn guarded<T: NativeTensor>(
    plugin: &str,
    predictor: &mut dyn Predictor,
    context: &Context<'_>,
    views: Views<'_, T>,
) -> Result<Vec<T>, PredictorError> {
    let Inputs {
        direction,
        gradient,
        displacement,
    } = predictor.inputs();
    let views = Views {
        weights: views.weights,
        direction: views.direction.filter(|_| direction),
        gradient: views.gradient.filter(|_| gradient),
        displacement: views.displacement.filter(|_| displacement),
    };
    let length = views.weights.len();
    let untouched = |x: &T| x.bits() == T::UNTOUCHED.bits();
    let mut buffer = vec![T::UNTOUCHED; length + 2 * GUARD];
    let out = &mut buffer[GUARD..GUARD + length];
    let result = match predictor.rule(context)? {
        Rule::Linear(coefficients) => {
            coefficients.apply(views, out);
            Ok(())
        }
        Rule::Custom => predictor.predict(context, T::arrays(views), T::output(out)),
    };
    let (plugin, dtype) = (|| plugin.to_owned(), T::NAME);
    let outside = |place| PluginError::WroteOutside {
        plugin: plugin(),
        length,
        dtype,
        place,
    };
    if !buffer[..GUARD].iter().all(untouched) {
        return Err(outside("before its start").into());
    }
    if !buffer[GUARD + length..].iter().all(untouched) {
        return Err(outside("behind its end").into());
    }
    // An element that was left as it was is not finite either, so this comes first.
    let unwritten = || buffer[GUARD..GUARD + length].iter().position(untouched);
    if matches!(
        result,
        Ok(()) | Err(PredictorError::Plugin(PluginError::NonFinite { .. }))
    ) && let Some(index) = unwritten()
    {
        return Err(PluginError::LeftUnwritten {
            plugin: plugin(),
            length,
            dtype,
            index,
        }
        .into());
    }
    result?;
    buffer.truncate(GUARD + length);
    let out = buffer.split_off(GUARD);
    match out.iter().position(|x| !x.is_finite()) {
        None => Ok(out),
        Some(index) => {
            let what = format!("parameter {index} of {length}");
            Err(PluginError::NonFinite {
                plugin: plugin(),
                value: out[index].into(),
                what,
            }
            .into())
        }
    }
}
