//! The messages between the rows.

use super::chart::{Chart, ROW};
use super::style::px;
use super::window::{Rows, Window};
use crate::schedule::Op;
use crate::trace::{Message, Timeline};
use std::collections::HashMap;
use std::fmt::Write;

/// The most arrows that an eye can follow.
const FEW: usize = 160;

/// A message that is drawn.
pub(super) struct Arrow {
    /// Class in the style sheet: `up` for an activation, `down` for a gradient.
    pub(super) class: &'static str,
    /// Pixels from the left end of the axis, and the row.
    from: (f64, usize),
    to: (f64, usize),
}

/// The messages to be drawn: between two rows of the picture, where one stretch of time shows both ends. None if there are
/// too many.
pub(super) fn choose(timeline: &Timeline, rows: &Rows, window: &Window) -> Vec<Arrow> {
    let row: HashMap<usize, usize> = rows.workers.iter().copied().zip(0..).collect();
    let arrow = |message: Message| {
        let send = &timeline.workers()[message.from - 1][message.send];
        let receive = &timeline.workers()[message.to - 1][message.receive];
        let (from_row, to_row) = (*row.get(&message.from)?, *row.get(&message.to)?);
        let (from, to) = window.both(send.begin, receive.end)?;
        let up = send.action.op == Op::SendY;
        Some(Arrow {
            class: if up { "up" } else { "down" },
            from: (from, from_row),
            to: (to, to_row),
        })
    };
    let messages = timeline.messages_between(|worker| row.contains_key(&worker));
    let chosen: Vec<_> = messages.into_iter().filter_map(arrow).collect();
    if chosen.len() > FEW {
        return Vec::new();
    }
    chosen
}

impl Chart<'_> {
    /// Draws the arrows through the gap between their rows.
    pub(super) fn arrows(&mut self) {
        for Arrow { class, from, to } in std::mem::take(&mut self.arrows) {
            let (upper, lower) = (from.1.min(to.1), from.1.max(to.1));
            let gap = (self.y(upper) + ROW, self.y(lower));
            let (y1, y2) = if from.1 < to.1 { gap } else { (gap.1, gap.0) };
            let [x1, x2] = [from, to].map(|(x, _)| px(self.origin.0 + x));
            let (y1, y2) = (px(y1), px(y2));
            let _ = writeln!(
                self.out,
                "<path class=\"{class}\" d=\"M{x1} {y1}L{x2} {y2}\" marker-end=\"url(#dtrp-{class})\"/>"
            );
        }
    }
}
