//! Random numbers that depend on nothing but what they are for.
//!
//! Every random choice of this crate comes from a ChaCha stream (8 rounds, 64-bit counter and
//! 64-bit nonce as in Bernstein's paper) keyed by its purpose, so that no choice depends on how
//! many were made before it, by which thread or on which machine:
//!
//! | key bytes | what, little-endian |
//! |---|---|
//! | 0..8 | the seed |
//! | 8..16 | the purpose in ASCII, zero-padded: `order`, `augment`, `pattern`, `train`, `test` |
//! | 16..24 | the epoch (0 where there is none) |
//! | 24..32 | 0 |
//!
//! | purpose | nonce | draws |
//! |---|---|---|
//! | `order` | 0 | the Fisher–Yates shuffle of the epoch, see [`shuffled`] |
//! | `augment` | the sample's index in its set | what the augmentations of this sample draw, in their order |
//! | `pattern` | the class | the pattern of a class of the synthetic set |
//! | `train`, `test` | the sample's index | the noise of a sample of the synthetic set |
//!
//! The block counter starts at 0. Derived numbers use integer arithmetic, or floating-point
//! additions, multiplications and divisions alone, which IEEE 754 defines to the bit.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// One keyed stream of random numbers.
#[derive(Debug, Clone)]
pub struct Stream(ChaCha8Rng);

impl Stream {
    /// The stream for `purpose` (at most 8 ASCII characters; more are ignored), keyed as the module
    /// says.
    pub fn new(seed: u64, purpose: &str, epoch: u64, nonce: u64) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        for (to, from) in key[8..16].iter_mut().zip(purpose.bytes()) {
            *to = from;
        }
        key[16..24].copy_from_slice(&epoch.to_le_bytes());
        let mut rng = ChaCha8Rng::from_seed(key);
        rng.set_stream(nonce);
        Self(rng)
    }

    /// A whole number below `bound`: ⌊x · bound / 2⁶⁴⌋ for one 64-bit x; 0 if `bound` is 0.
    ///
    /// One draw whatever comes out. The bias is below bound / 2⁶⁴, which no experiment can see.
    pub fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.0.next_u64()) * bound as u128) >> 64) as usize
    }

    /// A number in [0, 1): a multiple of 2⁻²⁴, from one 32-bit draw.
    pub fn unit(&mut self) -> f32 {
        (self.0.next_u32() >> 8) as f32 / (1 << 24) as f32
    }

    /// Heads or tails: the top bit of one 32-bit draw.
    pub fn coin(&mut self) -> bool {
        self.0.next_u32() >> 31 == 1
    }

    /// Fills `bytes` with the stream's next bytes.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }
}

/// The numbers below `len` in the order of `epoch`: for i from len − 1 down to 1, swap places i and
/// [`below(i + 1)`](Stream::below).
pub fn shuffled(len: u32, seed: u64, epoch: u64) -> Vec<u32> {
    let mut order: Vec<u32> = (0..len).collect();
    let mut stream = Stream::new(seed, "order", epoch, 0);
    for i in (1..order.len()).rev() {
        order.swap(i, stream.below(i + 1));
    }
    order
}
