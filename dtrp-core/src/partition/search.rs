//! Dynamic programming over contiguous partitions, from the last module down.
//!
//! A table holds, for module k and block i, the best that modules k..K can do with the blocks from i on:
//!
//! ```text
//! best(K−1, i) = cost(K−1, i..n)
//! best(k, i)   = the least over j of join(cost(k, i..j), best(k+1, j))      i < j ≤ n − (K−1−k)
//! ```

use std::ops::Range;

/// What is cut, and into how many modules: at least one, and not more than there are blocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) blocks: usize,
    pub(super) modules: usize,
}

impl Limits {
    /// Where module `k`, from 0, can end if it starts at block `start`.
    fn ends(self, k: usize, start: usize) -> std::ops::RangeInclusive<usize> {
        let above = self.modules - 1 - k;
        let first = if above == 0 { self.blocks } else { start + 1 };
        first..=self.blocks - above
    }

    /// Where module `k` can start.
    fn starts(self, k: usize) -> Range<usize> {
        let end = self.blocks - (self.modules - 1 - k);
        if k == 0 { 0..1 } else { k..end }
    }
}

/// The least cost of the costliest module; `None` if whatever the cuts some module is not allowed. `cost` gives the cost of
/// module `k`, from 0, with these blocks, `None` where that is not allowed.
pub(super) fn cheapest(limits: Limits, cost: impl Fn(usize, Range<usize>) -> Option<u128>) -> Option<u128> {
    best(limits, cost, u128::max)[0][0].map(|(cost, _)| cost)
}

/// The partition with the least sum of squared costs; of several the one whose cuts lie lowest. Empty if there is none.
pub(super) fn evenest(limits: Limits, cost: impl Fn(usize, Range<usize>) -> Option<u128>) -> Vec<Range<usize>> {
    let square = |k: usize, range: Range<usize>| cost(k, range).map(|c| c.saturating_mul(c));
    let table = best(limits, square, u128::saturating_add);
    let mut start = 0;
    let mut ranges = Vec::with_capacity(limits.modules);
    for row in &table {
        let Some((_, end)) = row[start] else {
            return Vec::new();
        };
        ranges.push(start..end);
        start = end;
    }
    ranges
}

/// A best value, and where the module that it starts with ends.
type Entry = Option<(u128, usize)>;

/// The table, by module and first block.
fn best(
    limits: Limits,
    cost: impl Fn(usize, Range<usize>) -> Option<u128>,
    join: fn(u128, u128) -> u128,
) -> Vec<Vec<Entry>> {
    let mut table: Vec<Vec<Entry>> = vec![vec![None; limits.blocks + 1]; limits.modules];
    for k in (0..limits.modules).rev() {
        for start in limits.starts(k) {
            let mut entry: Entry = None;
            for end in limits.ends(k, start) {
                let above = match table.get(k + 1) {
                    Some(row) => row[end].map(|(value, _)| value),
                    None => Some(0),
                };
                let (Some(above), Some(own)) = (above, cost(k, start..end)) else {
                    continue;
                };
                let value = join(own, above);
                // Only a better one replaces it, so of equals the one that ends lowest stays.
                if entry.is_none_or(|(least, _)| value < least) {
                    entry = Some((value, end));
                }
            }
            table[k][start] = entry;
        }
    }
    table
}
