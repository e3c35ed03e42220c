//! Dropout whose mask depends on the run's seed, the block and the batch alone: the same in both forwards of a batch, in
//! whatever order and on whatever device they run, and however the network is cut.

use super::tally;
use dtrp_core::torch::{Pass, Vars};
use tch::{Device, Kind, TchError, Tensor};

/// The increment and the multipliers of SplitMix64 (Steele, Lea and Flood, 2014), a counter-based generator: element i of a
/// stream is [`mix`] of key + i · [`GAMMA`].
const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;
const MULTIPLIERS: [u64; 2] = [0xbf58_476d_1ce4_e5b9, 0x94d0_49bb_1331_11eb];

/// Bits of each draw that are compared with the rate; the rate is rounded to as many.
const BITS: u32 = 24;

/// Sets elements to zero with probability `rate` and divides the rest by 1 − `rate` (Srivastava et al., 2014); in
/// evaluation it does nothing.
pub struct Dropout {
    rate: f64,
    layer: u64,
}

impl Dropout {
    /// `rate` is in 0..1; `layer` tells apart the dropouts of one block.
    pub fn new(rate: f64, layer: u64) -> Self {
        Self { rate, layer }
    }

    /// Same shape as the input.
    ///
    /// # Errors
    ///
    /// Those of libtorch.
    pub fn forward(&self, _: &Vars<'_>, x: Tensor, pass: &Pass) -> Result<Tensor, TchError> {
        if self.rate == 0.0 {
            return Ok(x);
        }
        if !pass.training() {
            // Nothing is drawn, but training will keep a mask.
            tally::keeps_bytes((x.numel() * x.kind().elt_size_in_bytes()) as u64);
            return Ok(x);
        }
        let mask = dropout_mask(&x.size(), self.rate, pass, self.layer, (x.kind(), x.device()))?;
        x.f_mul(&mask)
    }
}

/// The mask of one layer in one pass: 0 with probability `rate`, else 1 / (1 − `rate`).
///
/// Elements are counted with the channels last (as activations usually lie in memory), whatever the layout of the
/// activation.
///
/// # Errors
///
/// Those of libtorch.
pub fn dropout_mask(
    shape: &[i64],
    rate: f64,
    pass: &Pass,
    layer: u64,
    options: (Kind, Device),
) -> Result<Tensor, TchError> {
    kept_mask(shape, rate, pass, layer, options)?.f_mul_scalar(1.0 / (1.0 - rate))
}

/// The same, with 1 for what is kept.
pub(crate) fn kept_mask(
    shape: &[i64],
    rate: f64,
    pass: &Pass,
    layer: u64,
    (kind, device): (Kind, Device),
) -> Result<Tensor, TchError> {
    let words = [pass.seed, pass.block as u64, pass.batch, layer];
    let key = words
        .iter()
        .fold(0, |key: u64, word| mix(key.wrapping_add(GAMMA) ^ *word));
    let threshold = (rate * f64::from(1 << BITS)).round() as i64;
    let count = shape.iter().product::<i64>();
    let kept = if device == Device::Cpu {
        drawn_here(key, count, threshold)?
    } else {
        drawn_there(key, count, threshold, device)?
    };
    let mask = kept.f_to_kind(kind)?;
    match *shape {
        [samples, channels, height, width] => mask.f_view([samples, height, width, channels])?.f_permute([0, 3, 1, 2]),
        _ => mask.f_view(shape),
    }
}

/// One pass over memory, on the host.
fn drawn_here(key: u64, count: i64, threshold: i64) -> Result<Tensor, TchError> {
    let draw = |i: i64| mix(key.wrapping_add((i as u64).wrapping_mul(GAMMA))) >> (64 - BITS);
    let kept: Vec<bool> = (0..count).map(|i| draw(i) as i64 >= threshold).collect();
    Tensor::f_from_slice(&kept)
}

/// The same in tensor operations, on any device: the products of 64-bit integers wrap there too.
fn drawn_there(key: u64, count: i64, threshold: i64, device: Device) -> Result<Tensor, TchError> {
    // libtorch shifts signed numbers, which copies the sign downwards: clear those bits.
    let shift = |z: &Tensor, bits: u32| {
        z.f_bitwise_right_shift_tensor_scalar(i64::from(bits))?
            .f_bitwise_and((u64::MAX >> bits) as i64)
    };
    let mut z = Tensor::f_arange(count, (Kind::Int64, device))?
        .f_mul_scalar(GAMMA as i64)?
        .f_add_scalar(key as i64)?;
    for (bits, multiplier) in [30, 27].into_iter().zip(MULTIPLIERS) {
        z = z
            .f_bitwise_xor_tensor(&shift(&z, bits)?)?
            .f_mul_scalar(multiplier as i64)?;
    }
    shift(&z.f_bitwise_xor_tensor(&shift(&z, 31)?)?, 64 - BITS)?.f_ge(threshold)
}

/// SplitMix64's output function: a bijection of 64-bit numbers that scatters neighbours.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(MULTIPLIERS[0]);
    z = (z ^ (z >> 27)).wrapping_mul(MULTIPLIERS[1]);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dtrp_core::torch::Mode;

    const SHAPE: [i64; 4] = [8, 16, 12, 12];

    fn pass(seed: u64, block: usize, batch: u64) -> Pass {
        Pass {
            mode: Mode::Train,
            seed,
            batch,
            block,
        }
    }

    fn mask(rate: f64, pass: &Pass, layer: u64) -> Tensor {
        dropout_mask(&SHAPE, rate, pass, layer, (Kind::Double, Device::Cpu)).unwrap()
    }

    #[test]
    fn the_share_of_zeros_and_the_mean_are_right() {
        let count = SHAPE.iter().product::<i64>() as f64;
        for rate in [0.1, 0.3, 0.5, 0.9] {
            for seed in 0..4 {
                let mask = mask(rate, &pass(seed, 3, 7), 0);
                let zeros = mask.eq(0.0).sum(Kind::Double).double_value(&[]) / count;
                // Five standard deviations of a binomial share.
                let allowed = 5.0 * (rate * (1.0 - rate) / count).sqrt();
                assert!((zeros - rate).abs() < allowed, "{rate}: {zeros}");
                let largest = mask.max().double_value(&[]);
                assert_eq!(largest, 1.0 / (1.0 - rate));
                let mean = mask.mean(Kind::Double).double_value(&[]);
                assert!((mean - 1.0).abs() < allowed / (1.0 - rate), "{rate}: {mean}");
            }
        }
    }

    #[test]
    fn masks_of_other_seeds_blocks_batches_and_layers_are_independent() {
        let base = mask(0.5, &pass(1, 2, 3), 0);
        let others = [
            mask(0.5, &pass(2, 2, 3), 0),
            mask(0.5, &pass(1, 3, 3), 0),
            mask(0.5, &pass(1, 2, 4), 0),
            mask(0.5, &pass(1, 2, 3), 1),
            // The words' sum is the same.
            mask(0.5, &pass(1, 3, 2), 0),
            // Within one mask: neighbouring channels, columns and samples.
            base.roll([1], [1]),
            base.roll([1], [3]),
            base.roll([1], [0]),
        ];
        let count = SHAPE.iter().product::<i64>() as f64;
        for (index, other) in others.iter().enumerate() {
            let same = base.eq_tensor(other).sum(Kind::Double).double_value(&[]);
            let share = same / count;
            let allowed = 5.0 * (0.25 / count).sqrt();
            assert!((share - 0.5).abs() < allowed, "{index}: {share}");
        }
    }

    #[test]
    fn a_batch_has_one_mask() {
        let first = Pass {
            mode: Mode::TrainKeepingStatistics,
            ..pass(1, 2, 3)
        };
        assert!(mask(0.3, &first, 0).equal(&mask(0.3, &pass(1, 2, 3), 0)));
    }

    #[test]
    fn tensor_operations_draw_the_same() {
        for key in [0, 1, 0xdead_beef_0bad_cafe] {
            for threshold in [0, 1, 1 << 23, 1 << 24] {
                let here = drawn_here(key, 1000, threshold).unwrap();
                let there = drawn_there(key, 1000, threshold, Device::Cpu).unwrap();
                assert!(here.equal(&there), "{key:x} {threshold}");
            }
        }
    }

    #[test]
    fn splitmix64_is_the_published_one() {
        // The first outputs of the reference implementation started with 1234567.
        let stream: Vec<u64> = (1..=3u64)
            .map(|i| mix(1_234_567u64.wrapping_add(i.wrapping_mul(GAMMA))))
            .collect();
        let published = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
        ];
        assert_eq!(stream, published);
    }
}
