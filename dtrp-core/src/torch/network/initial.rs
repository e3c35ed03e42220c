//! How parameters start. Every value is drawn from a stream keyed by the run's seed and the parameter's name, so a network
//! starts the same however it is cut.

use super::block::ParamSpec;
use crate::random;
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
pub(super) fn values(spec: &ParamSpec, seed: u64) -> Vec<f64> {
    let mut stream = random::stream(seed, &["parameter", &spec.name]);
    // 53 random bits: every value that a double in [0, 1) with equal spacing can have.
    let mut uniform = || (stream.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
    let count = spec.len();
    match spec.init {
        Init::Constant(value) => vec![value; count],
        Init::Uniform { bound } => (0..count).map(|_| bound * (2.0 * uniform() - 1.0)).collect(),
        Init::Normal { std } => {
            let mut values = Vec::with_capacity(count + 1);
            while values.len() < count {
                // Box and Muller, 1958; 1 − u is in (0, 1], so the logarithm is finite.
                let radius = (-2.0 * (1.0 - uniform()).ln()).sqrt() * std;
                let angle = std::f64::consts::TAU * uniform();
                values.extend([radius * angle.cos(), radius * angle.sin()]);
            }
            values.truncate(count);
            values
        }
    }
}
