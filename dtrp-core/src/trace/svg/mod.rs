//! A Gantt chart as SVG: worker rows, a time axis, one colour a kind of action.

mod arrows;
mod axis;
mod chart;
mod style;
mod window;

use super::Timeline;
use chart::Chart;
use window::{Rows, Window};

impl Timeline {
    /// Draws the timeline as an SVG Gantt chart. Equal timelines give equal bytes.
    ///
    /// Workers are rows, the loss is at the bottom. A box is a computation, with the number of its batch where it fits;
    /// resting the mouse on it shows the full token and the times. The colours get darker in the order F, G, R, B, U, so
    /// that they can be told apart in grey. Where a row is empty, the worker waits. A timeline in real time also shows
    /// how much of it each worker computes. Messages are arrows, where there are no more than an eye can follow.
    ///
    /// Of what is wider than 2000 pixels, the first two thirds of that and the last third show the beginning and the end; of
    /// more than 24 workers likewise. A note says what is left out.
    pub fn to_svg(&self) -> String {
        let rows = Rows::of(self);
        let window = Window::of(self, &rows);
        Chart::new(self, rows, window).draw()
    }
}
