//! How parameters start. Every value is drawn from a stream keyed by the run's seed and the parameter's name, so a network
//! starts the same however it is cut.

use super::block::ParamSpec;
use crate::random;
use crate::torch::TorchError;
use rand_chacha::rand_core::Rng;

/// The distribution that a parameter starts from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Init {
    /// The same value everywhere.
    Constant(f64),
    /// Normal with mean 0 and this standard deviation. He et al., 2015: √(2 / fan) for layers before a ReLU.
    Normal {
        /// Standard deviation.
        std: f64,
    },
    /// Uniform in ±`bound`. PyTorch's default for linear layers: 1/√fan_in.
    Uniform {
        /// Half the width.
        bound: f64,
    },
}

impl Init {
    /// He's normal initialisation with gain √2 for `fan` connections.
    pub fn he_normal(fan: i64) -> Self {
        Init::Normal {
            std: (2.0 / fan as f64).sqrt(),
        }
    }
}

/// The starting values of a parameter.
///
/// # Errors
///
/// When there is no room for them.
pub(super) fn values(spec: &ParamSpec, seed: u64) -> Result<Vec<f64>, TorchError> {
    let count = spec.len();
    let mut values: Vec<f64> = Vec::new();
    // Two at a time are drawn below. A vector that grows without asking would abort the program.
    values.try_reserve_exact(count.saturating_add(1)).map_err(|_| {
        let bytes = count as u128 * 8;
        TorchError::Libtorch {
            what: "initial values",
            message: format!("{}: you tried to allocate {bytes} bytes", spec.name),
        }
    })?;
    let mut stream = random::stream(seed, &["parameter", &spec.name]);
    // 53 random bits: every value that a double in [0, 1) with equal spacing can have.
    let mut uniform = || (stream.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
    match spec.init {
        Init::Constant(value) => values.resize(count, value),
        Init::Uniform { bound } => values.extend((0..count).map(|_| bound * (2.0 * uniform() - 1.0))),
        Init::Normal { std } => {
            while values.len() < count {
                // Box and Muller, 1958; 1 − u is in (0, 1], so the logarithm is finite.
                let radius = (-2.0 * (1.0 - uniform()).ln()).sqrt() * std;
                let angle = std::f64::consts::TAU * uniform();
                values.extend([radius * angle.cos(), radius * angle.sin()]);
            }
            values.truncate(count);
        }
    }
    Ok(values)
}
