//! A Gantt chart as SVG: worker rows, a time axis, one colour a kind of action.

mod arrows;
mod axis;
mod chart;
mod style;
mod window;

use super::Timeline;
use chart::Chart;
use window::{Rows, Window};

/// When messages are drawn as arrows between the rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Arrows {
    /// When the picture shows no more messages than an eye can follow (160).
    #[default]
    Few,
    /// Always.
    All,
    /// Never.
    None,
}

/// How a timeline is drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct SvgOptions {
    /// Arrows for messages.
    pub arrows: Arrows,
    /// Width of the time axis in pixels. Of a timeline that needs more, the first two thirds of this width and the
    /// last third show the beginning and the end; a note says what is left out.
    pub max_width: f64,
    /// The most workers drawn. Of more, the first two thirds and the last third are.
    pub max_workers: usize,
    /// Show everything on `max_width`, whatever becomes of short actions: for an overview of a long run.
    pub whole: bool,
}

impl Default for SvgOptions {
    /// Few arrows, 2000 pixels, 24 workers, the ends of what is longer.
    fn default() -> Self {
        Self {
            arrows: Arrows::Few,
            max_width: 2000.0,
            max_workers: 24,
            whole: false,
        }
    }
}

impl Timeline {
    /// Draws the timeline as an SVG Gantt chart, with the default [`SvgOptions`].
    ///
    /// Workers are rows, the loss is at the bottom. A box is a computation, with the number of its batch where it fits;
    /// resting the mouse on it shows the full token and the times. The colours get darker in the order F, G, R, B, U, so
    /// that they can be told apart in grey. Where a row is empty, the worker waits. A timeline in real time also shows
    /// how much of it each worker computes.
    pub fn to_svg(&self) -> String {
        self.to_svg_with(&SvgOptions::default())
    }

    /// Draws the timeline as an SVG Gantt chart. Equal timelines and options give equal bytes.
    pub fn to_svg_with(&self, options: &SvgOptions) -> String {
        let rows = Rows::of(self, options.max_workers);
        let window = Window::of(self, &rows, options);
        Chart::new(self, options, rows, window).draw()
    }
}
