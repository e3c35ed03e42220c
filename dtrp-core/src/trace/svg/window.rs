//! Which part of a timeline is drawn, and where on the page each time and worker stands.

use crate::schedule::Op;
use crate::trace::{TimeUnit, Timeline};
use std::time::Duration;

/// The width that a box needs to show its batch number.
const READABLE: f64 = 23.0;

/// The width of the mark where a part of the time is left out.
const BREAK: f64 = 44.0;

/// The width of the time axis at most, in pixels, and the workers drawn at most.
const MOST_WIDTH: f64 = 2000.0;
const MOST_WORKERS: usize = 24;

/// A stretch of time that is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Segment {
    /// In nanoseconds.
    pub(super) from: f64,
    /// In nanoseconds.
    pub(super) to: f64,
    /// The left end, in pixels from the left end of the axis.
    pub(super) x: f64,
}

/// The stretches of time that are drawn: all of it, or the beginning and the end.
#[derive(Debug)]
pub(super) struct Window {
    pub(super) segments: Vec<Segment>,
    /// Pixels a nanosecond.
    pub(super) scale: f64,
    /// Width of the axis in pixels.
    pub(super) width: f64,
}

impl Window {
    pub(super) fn of(timeline: &Timeline, rows: &Rows) -> Self {
        let most = MOST_WIDTH;
        let (begin, end) = (nanoseconds(timeline.begin()), nanoseconds(timeline.end()));
        let slot = nanoseconds(Timeline::SLOT);
        // Slots are drawn whole.
        let (begin, end) = match timeline.unit() {
            TimeUnit::Slots => ((begin / slot).floor() * slot, (end / slot).ceil() * slot),
            TimeUnit::Nanoseconds => (begin, end),
        };
        let length = end - begin;
        if length <= 0.0 {
            return Self {
                segments: Vec::new(),
                scale: 0.0,
                width: 320.0,
            };
        }
        let narrowest = (most / length).min(320.0 / length);
        let scale = (READABLE / typical(timeline, rows)).max(narrowest);
        let all = Segment {
            from: begin,
            to: end,
            x: 0.0,
        };
        if length * scale <= most * 1.001 {
            return Self {
                segments: vec![all],
                scale,
                width: length * scale,
            };
        }
        let (mut first, mut last) = (most * 2.0 / 3.0 / scale, most / 3.0 / scale);
        if timeline.unit() == TimeUnit::Slots {
            // Cut between slots.
            first = (first / slot).floor().max(1.0) * slot;
            last = (last / slot).floor().max(1.0) * slot;
        }
        let first = Segment {
            to: begin + first,
            ..all
        };
        let last = Segment {
            from: end - last,
            to: end,
            x: (first.to - first.from) * scale + BREAK,
        };
        if first.to >= last.from {
            return Self {
                segments: vec![all],
                scale,
                width: length * scale,
            };
        }
        Self {
            width: last.x + (last.to - last.from) * scale,
            segments: vec![first, last],
            scale,
        }
    }

    /// The pixels from `begin` to `end`, once for each segment that shows a part of it.
    pub(super) fn spans(&self, begin: Duration, end: Duration) -> impl Iterator<Item = (f64, f64)> {
        let (begin, end) = (nanoseconds(begin), nanoseconds(end));
        self.segments.iter().filter_map(move |segment| {
            let (from, to) = (begin.max(segment.from), end.min(segment.to));
            let x = |time: f64| segment.x + (time - segment.from) * self.scale;
            (from < to).then(|| (x(from), x(to)))
        })
    }

    /// The pixels of two times, if one segment shows both.
    pub(super) fn both(&self, a: Duration, b: Duration) -> Option<(f64, f64)> {
        let (a, b) = (nanoseconds(a), nanoseconds(b));
        let shows = |s: &&Segment| s.from <= a.min(b) && a.max(b) <= s.to;
        let segment = self.segments.iter().find(shows)?;
        let x = |time: f64| segment.x + (time - segment.from) * self.scale;
        Some((x(a), x(b)))
    }

    /// The stretch that is left out: from, to, and the middle of its mark in pixels.
    pub(super) fn omitted(&self) -> Option<(f64, f64, f64)> {
        let [first, last] = self.segments.as_slice() else {
            return None;
        };
        Some((first.to, last.from, last.x - BREAK / 2.0))
    }
}

/// The rows of the picture, in order.
#[derive(Debug)]
pub(super) struct Rows {
    /// Worker numbers from 1, ascending.
    pub(super) workers: Vec<usize>,
    /// How many rows stand before the mark of those left out.
    pub(super) before_break: usize,
    pub(super) omitted: usize,
}

impl Rows {
    pub(super) fn of(timeline: &Timeline) -> Self {
        let (all, most) = (timeline.workers().len(), MOST_WORKERS);
        if all <= most {
            return Self {
                workers: (1..=all).collect(),
                before_break: all,
                omitted: 0,
            };
        }
        let last = most / 3;
        let first = most - last;
        Self {
            workers: (1..=first).chain(all - last + 1..=all).collect(),
            before_break: first,
            omitted: all - most,
        }
    }
}

/// A duration, in nanoseconds, that nine tenths of the passes drawn reach. Updates are short by nature and stay out.
fn typical(timeline: &Timeline, rows: &Rows) -> f64 {
    let events = rows.workers.iter().flat_map(|k| &timeline.workers()[k - 1]);
    let passes = events.filter(|e| !e.action.op.is_message() && e.action.op != Op::Update);
    let mut durations: Vec<u128> = passes.map(|e| e.end.saturating_sub(e.begin).as_nanos()).collect();
    durations.sort_unstable();
    let typical = durations.get(durations.len() / 10).copied().unwrap_or(0);
    // Nothing but updates, or passes that take no time: the narrowest scale decides.
    if typical == 0 { f64::INFINITY } else { typical as f64 }
}

pub(super) fn nanoseconds(time: Duration) -> f64 {
    time.as_nanos() as f64
}
