//! Long runs without walking through them: the walk recognises that it repeats itself, and skips the repetitions.
//!
//! **State.** After every batch that worker 1 is let through, all others have done what they can. Then the state is the
//! *times* of all workers and of everything in the links, and the *shape*: where each worker is, how many messages each link
//! holds. What comes next depends on nothing else.
//!
//! **What a batch does.** Every time is the later of two earlier ones, plus a cost. As long as each of these choices falls
//! out as it did before, a window of p batches maps the times to new times in a way that only copies and adds constants.
//!
//! **Proof of a repetition.** Two windows of p batches each are walked through, one after the other, with all choices
//! noted. If
//!
//! 1. every worker is inside the repeating section of its tape, and the shape moved on by whole blocks in both windows,
//! 2. no choice that fell one way in the first window fell the other way in the second,
//! 3. every time grew in the second window by exactly what it grew in the first,
//!
//! then the same map acted in both windows and maps that growth to itself. So every later window makes the times grow
//! by the same amounts and changes the two sides of every choice by the same amounts, *until a choice falls out
//! differently*; and when that happens first can be computed from the differences of the two sides and their change.
//! All windows before are skipped, exactly. All times are integers, so all this is decided by equality.
//!
//! If all times grow by the same amount, nothing ever changes: this is the steady state. Otherwise some workers are still
//! catching up with others, and the walk goes on after the skip.

use super::walk::{Observe, Walk};
use serde::Serialize;
use std::collections::HashMap;

/// The steady state of a run: what repeats itself, exactly, until the pipeline drains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Steady {
    /// Batches in a period.
    pub batches: u64,
    /// Length of a period, in nanoseconds.
    pub ns: u64,
    /// How long worker k = 1..K (at index k−1) computes in a period, in nanoseconds.
    pub busy_ns: Vec<u64>,
}

/// Choices noted at most, 8 bytes each: periods that have more are not looked for.
const MOST_CHOICES: usize = 1 << 24;

/// Looks for repetitions while a walk goes on.
pub(super) struct Finder {
    steady: Option<Steady>,
    skipped: u64,
    times: Vec<u64>,
    /// Growth in the last batch, as a hash → the batch after which it was last seen.
    seen: HashMap<u64, u64>,
    /// Periods up to this one are not tried before that batch.
    rejected: (u64, u64),
}

/// All choices of a window: by how much the second time is the later one.
#[derive(Default)]
struct Noted(Vec<i64>);

impl Observe for Noted {
    fn choice(&mut self, one: u64, other: u64) {
        // Times are below 2⁶³, see `SimulateError::Overflow`.
        self.0.push(other as i64 - one as i64);
    }
}

/// Compares the choices of a second window with those of the first.
struct Compared<'a> {
    first: &'a [i64],
    at: usize,
    /// How many windows later the first choice falls out differently, at the least.
    windows: u64,
}

impl Observe for Compared<'_> {
    fn choice(&mut self, one: u64, other: u64) {
        let now = other as i64 - one as i64;
        let Some(&before) = self.first.get(self.at) else {
            self.windows = 0;
            return;
        };
        self.at += 1;
        // With equal times either side can be taken to have been chosen.
        let sign = if now == 0 { before.signum() } else { now.signum() };
        if sign * before.signum() < 0 {
            self.windows = 0;
        }
        let change = now - before;
        if change != 0 && change.signum() == -sign {
            let until_equal = now.unsigned_abs() / change.unsigned_abs();
            self.windows = self.windows.min(until_equal);
        }
    }
}

impl Finder {
    /// Repetitions are skipped as soon as they are proved.
    pub(super) fn new() -> Self {
        Self {
            steady: None,
            skipped: 0,
            times: Vec::new(),
            seen: HashMap::new(),
            rejected: (0, 0),
        }
    }

    /// The steady state, if one was found.
    pub(super) fn into_steady(self) -> Option<Steady> {
        self.steady
    }

    /// Actions that were skipped, not walked through.
    pub(super) fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Whether there is nothing left to look for.
    pub(super) fn is_done(&self) -> bool {
        self.steady.is_some()
    }

    /// Looks at the state after a batch. If it may be a repetition, walks two windows on to prove it, and then skips.
    pub(super) fn look(&mut self, walk: &mut Walk<'_>, group: u32) {
        let Some(room) = walk.room() else {
            return;
        };
        let Some(period) = self.candidate(walk, u64::from(group)) else {
            return;
        };
        let blocks = period / u64::from(group);
        if room < 2 * blocks {
            return;
        }
        let after = walk.gate();
        if !self.prove(walk, period, blocks) {
            self.rejected = (period, after + 6 * period + 16);
        }
        self.seen.clear();
        self.times.clear();
    }

    /// After how many batches the last batch's growth of all times came back; a whole number of groups.
    fn candidate(&mut self, walk: &mut Walk<'_>, group: u64) -> Option<u64> {
        let known = !self.times.is_empty();
        let mut hash = 0u64;
        let mut mix = |value: u64| {
            hash = (hash.rotate_left(5) ^ value).wrapping_mul(0x517c_c1b7_2722_0a95);
        };
        if known {
            for (old, new) in self.times.iter_mut().zip(walk.times()) {
                mix(new.wrapping_sub(*old));
                *old = *new;
            }
        } else {
            self.times.extend(walk.times().map(|t| *t));
        }
        if !known {
            return None;
        }
        let now = walk.gate();
        let before = self.seen.insert(hash, now)?;
        let distance = now - before;
        let period = (1..=group)
            .map(|factor| factor * distance)
            .find(|p| p.is_multiple_of(group))?;
        let (rejected, until) = self.rejected;
        (period > rejected || now >= until).then_some(period)
    }

    /// Walks through two windows; skips what is then proved to come. False if nothing is.
    fn prove(&mut self, walk: &mut Walk<'_>, period: u64, blocks: u64) -> bool {
        let start = Snapshot::of(walk);
        let mut noted = Noted::default();
        for _ in 0..period {
            walk.until(walk.gate() + 1, &mut noted);
            if noted.0.len() > MOST_CHOICES {
                return false;
            }
        }
        let middle = Snapshot::of(walk);
        let mut compared = Compared {
            first: &noted.0,
            at: 0,
            windows: u64::MAX,
        };
        for _ in 0..period {
            walk.until(walk.gate() + 1, &mut compared);
        }
        let end = Snapshot::of(walk);
        let moved: Vec<u64> = walk.block_actions().iter().map(|a| a * blocks).collect();
        let alike = compared.at == noted.0.len() && middle.follows(&start, &moved) && end.follows(&middle, &moved);
        let growth = end.growth(&middle);
        if !alike || compared.windows == 0 || growth != middle.growth(&start) {
            return false;
        }
        let busy = || end.busy.iter().zip(&middle.busy).map(|(b, a)| b - a);
        let uniform = growth.windows(2).all(|pair| pair[0] == pair[1]);
        if uniform && let Some(ns) = growth.first() {
            self.steady = Some(Steady {
                batches: period,
                ns: *ns,
                busy_ns: busy().collect(),
            });
        }
        let room = walk.room().unwrap_or(0) / blocks;
        let windows = compared.windows.min(room);
        walk.skip(windows * blocks, (period / blocks) as u32);
        for (time, growth) in walk.times().zip(&growth) {
            *time += windows * growth;
        }
        for (k, busy) in busy().enumerate() {
            walk.workers[k].busy += windows * busy;
            walk.workers[k].actions += windows * moved[k];
            self.skipped += windows * moved[k];
        }
        true
    }
}

/// A state, kept to compare later ones with.
struct Snapshot {
    times: Vec<u64>,
    shape: Vec<u64>,
    busy: Vec<u64>,
}

impl Snapshot {
    fn of(walk: &mut Walk<'_>) -> Self {
        Self {
            times: walk.times().map(|t| *t).collect(),
            shape: walk.shape(),
            busy: walk.workers.iter().map(|w| w.busy).collect(),
        }
    }

    /// Whether the shape is that of `earlier`, with each worker `moved` actions further.
    fn follows(&self, earlier: &Self, moved: &[u64]) -> bool {
        let moved = moved.iter().copied().chain(std::iter::repeat(0));
        let shapes = self.shape.iter().zip(&earlier.shape);
        shapes.zip(moved).all(|((now, before), by)| *now == before + by)
    }

    fn growth(&self, earlier: &Self) -> Vec<u64> {
        let times = self.times.iter().zip(&earlier.times);
        times.map(|(now, before)| now - before).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many windows can be skipped after two in which the second time was later by `before`, then by `now`.
    fn windows(before: i64, now: i64) -> u64 {
        let mut compared = Compared {
            first: &[before],
            at: 0,
            windows: u64::MAX,
        };
        compared.choice(1000, (1000 + now) as u64);
        compared.windows
    }

    #[test]
    fn a_choice_holds_until_its_sides_change_places() {
        let table = [
            // (before, now, windows)
            (5, 5, u64::MAX),
            (0, 0, u64::MAX),
            // Growing apart, or from equal.
            (5, 7, u64::MAX),
            (-5, -7, u64::MAX),
            (0, 3, u64::MAX),
            (0, -3, u64::MAX),
            // Coming together: equal is still the same choice, beyond is not.
            (10, 8, 4),
            (-10, -8, 4),
            (10, 7, 2),
            (-10, -7, 2),
            (10, 4, 0),
            // Equal by now, and about to change places.
            (3, 0, 0),
            (-3, 0, 0),
            // Changed places.
            (1, -1, 0),
            (-1, 1, 0),
        ];
        for (before, now, expected) in table {
            assert_eq!(windows(before, now), expected, "{before} → {now}");
        }
    }
}
