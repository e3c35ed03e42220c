//! How parameters start. Every value is drawn from a stream keyed by the run's seed and the parameter's name, so a network
//! starts the same however it is cut.

use super::block::{ParamSpec, Start};
use crate::random;
use crate::torch::TorchError;
use rand_chacha::rand_core::Rng;
use std::fmt;
use std::sync::Arc;
use tch::{Kind, TchError, Tensor};

/// What a parameter starts from.
#[derive(Debug, Clone, PartialEq)]
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
    /// These values, whatever the seed.
    Given(Given),
}

/// Values that are given, such as those of a file. A copy shares them.
#[derive(Clone, PartialEq)]
pub struct Given {
    kind: Kind,
    bytes: Arc<[u8]>,
}

impl Given {
    /// Takes elements in row-major order, in this machine's order of bytes.
    pub fn new(kind: Kind, bytes: impl Into<Arc<[u8]>>) -> Self {
        let bytes = bytes.into();
        Self { kind, bytes }
    }

    /// As many of one value: floating-point numbers in the element type of the parameters, integers of this one, rounded down.
    pub fn filled(&self, value: f64) -> Start {
        if self.is_floating_point() {
            return Start::Constant(value);
        }
        let size = self.kind.elt_size_in_bytes();
        let element = (value as i64).to_le_bytes();
        let bytes: Vec<u8> = element[..size].repeat(self.bytes.len() / size);
        Start::Given(Self::new(self.kind, bytes))
    }

    /// Their element type.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether they are floating-point numbers.
    pub fn is_floating_point(&self) -> bool {
        matches!(self.kind, Kind::Half | Kind::Float | Kind::Double | Kind::BFloat16)
    }

    /// The elements in row-major order.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// A tensor of them on the host, with memory of its own.
    ///
    /// # Errors
    ///
    /// When there are fewer or more elements than `shape` has, and when there is no memory.
    pub fn tensor(&self, shape: &[i64]) -> Result<Tensor, TchError> {
        let elements = shape
            .iter()
            .try_fold(1usize, |all, n| all.checked_mul(usize::try_from(*n).ok()?));
        let wanted = elements.and_then(|n| n.checked_mul(self.kind.elt_size_in_bytes()));
        if wanted != Some(self.bytes.len()) {
            let (bytes, kind) = (self.bytes.len(), self.kind);
            let message = format!("{bytes} bytes are given, which is not {shape:?} of {kind:?}");
            return Err(TchError::Torch(message));
        }
        Tensor::f_from_data_size(&self.bytes, shape, self.kind)
    }
}

/// How many there are, not which.
impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Given({:?}, {} bytes)", self.kind, self.bytes.len())
    }
}

impl Init {
    /// He's normal initialisation with gain √2 for `fan` connections.
    pub fn he_normal(fan: i64) -> Self {
        Init::Normal {
            std: (2.0 / fan as f64).sqrt(),
        }
    }
}

/// The starting values of a parameter, on the host.
///
/// # Errors
///
/// When there is no room for them.
pub(super) fn tensor(spec: &ParamSpec, seed: u64) -> Result<Tensor, TorchError> {
    if let Init::Given(given) = &spec.init {
        return Ok(given.tensor(&spec.shape)?);
    }
    Ok(Tensor::f_from_slice(&drawn(spec, seed)?)?.f_view(spec.shape.as_slice())?)
}

fn drawn(spec: &ParamSpec, seed: u64) -> Result<Vec<f64>, TorchError> {
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
        Init::Given(_) => {}
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
