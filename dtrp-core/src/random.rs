//! Random streams keyed by what they are for, so that results do not depend on the order of execution.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// The stream of a run's seed for one purpose, named by words.
///
/// The words are folded into a 256-bit ChaCha key with FNV-1a in four lanes: not cryptographic, but different for
/// different words.
pub(crate) fn stream(seed: u64, words: &[&str]) -> ChaCha8Rng {
    let mut key = [0; 32];
    for (lane, chunk) in (0u64..).zip(key.chunks_exact_mut(8)) {
        let mut hash = 0xcbf2_9ce4_8422_2325 ^ lane.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let separated = words.iter().flat_map(|word| word.bytes().chain([0xff]));
        for byte in seed.to_le_bytes().into_iter().chain(separated) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
            hash ^= hash >> 29;
        }
        chunk.copy_from_slice(&hash.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}
