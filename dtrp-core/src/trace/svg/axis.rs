//! The time axis: slots or round times.

use super::chart::Chart;
use super::style::{self, px, text_width};
use super::window::{Segment, nanoseconds};
use crate::trace::{TimeUnit, Timeline};
use std::fmt::Write;

impl Chart<'_> {
    /// The lines and numbers of all stretches of time that are drawn.
    pub(super) fn axis(&mut self, bottom: f64) {
        let unit = self.timeline.unit();
        for segment in self.window.segments.clone() {
            match unit {
                TimeUnit::Slots => self.slot_axis(segment, bottom),
                TimeUnit::Nanoseconds => self.time_axis(segment, bottom),
            }
        }
    }

    /// Lines between the slots, numbers under them.
    fn slot_axis(&mut self, segment: Segment, bottom: f64) {
        let slot = nanoseconds(Timeline::SLOT);
        let scale = self.window.scale;
        let at = |t: u64| segment.x + (t as f64 * slot - segment.from) * scale;
        let (first, last) = ((segment.from / slot) as u64, (segment.to / slot) as u64);
        let least = (text_width(&last.to_string()) + 6.0) / (slot * scale);
        let every = style::round_up(least).max(1.0) as u64;
        self.line(at(first), bottom);
        let next = first / every * every + every;
        for t in (next..=last).step_by(every as usize) {
            self.line(at(t), bottom);
            let x = self.origin.0 + at(t) - slot * scale / 2.0;
            self.text("mid", x, bottom + 18.0, &t.to_string());
        }
        if segment.x == 0.0 {
            self.text("end note", self.origin.0 - 8.0, bottom + 18.0, "slot");
        }
    }

    /// Lines at round times, with the time under them.
    fn time_axis(&mut self, segment: Segment, bottom: f64) {
        let step = style::round_up(70.0 / self.window.scale).max(1.0);
        let ticks = (segment.to - segment.from) / step;
        let first = (segment.from / step).ceil();
        // Counted, so that it ends even where the times are so large that adding a step changes nothing.
        for n in 0..=ticks as u32 {
            let time = (first + f64::from(n)) * step;
            if time > segment.to {
                break;
            }
            let x = segment.x + (time - segment.from) * self.window.scale;
            self.line(x, bottom);
            let text = style::tick(time, step);
            self.text("mid", self.origin.0 + x, bottom + 18.0, &text);
        }
    }

    /// A vertical line of the grid.
    fn line(&mut self, x: f64, bottom: f64) {
        let (x, top, end) = (px(self.origin.0 + x), px(self.origin.1), px(bottom + 5.0));
        let _ = writeln!(self.out, "<path class=\"grid\" d=\"M{x} {top}V{end}\"/>");
    }
}
