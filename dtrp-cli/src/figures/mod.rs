//! Figures of runs: what `dtrp plot` writes, and what the page of `dtrp report` is made of.
//!
//! ```text
//! runs ── of (What) ──> Figure: Curves, Bars, Gantt ──> svg, png       drawn by `plotters`
//! ```

mod bars;
mod canvas;
mod curves;
mod gantt;
mod palette;
mod simulated;
mod sources;
mod ticks;

pub(crate) use bars::Bars;
pub(crate) use canvas::{Frame, encode_png};
pub(crate) use curves::Curves;
pub(crate) use gantt::Gantt;
pub(crate) use palette::{all, series};
pub(crate) use simulated::gantt;
pub(crate) use sources::{busy, curves_of, gain, memory};

use crate::error::Error;
use dtrp_text::words;

/// What a figure shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    Loss,
    TestLoss,
    Accuracy,
    Rate,
    Lr,
    Gantt,
    Busy,
    Memory,
    Gain,
}

words!(What, "figure", [
    Loss "loss", TestLoss "test-loss", Accuracy "accuracy", Rate "rate", Lr "lr",
    Gantt "gantt", Busy "busy", Memory "memory", Gain "gain",
]);

/// A figure that can be drawn.
#[derive(Debug, Clone)]
pub(crate) enum Figure {
    Curves(Curves),
    Bars(Bars),
    Gantt(Gantt),
}

impl Figure {
    /// As SVG of so many pixels, on white where it has a `ground`; and where on it the axes are.
    pub(crate) fn svg(&self, size: (u32, u32), ground: bool) -> Result<(String, Frame), Error> {
        match self {
            Figure::Curves(curves) => canvas::svg(curves, size, ground),
            Figure::Bars(bars) => canvas::svg(bars, size, ground),
            Figure::Gantt(gantt) => canvas::svg(gantt, size, ground),
        }
    }

    /// As PNG of `scale` times so many pixels.
    pub(crate) fn png(&self, size: (u32, u32), scale: u32) -> Result<Vec<u8>, Error> {
        match self {
            Figure::Curves(curves) => canvas::png(curves, size, scale),
            Figure::Bars(bars) => canvas::png(bars, size, scale),
            Figure::Gantt(gantt) => canvas::png(gantt, size, scale),
        }
    }

    /// The height that suits it, in pixels.
    pub(crate) fn usual_height(&self, width: u32) -> u32 {
        match self {
            Figure::Curves(_) => width * 5 / 8,
            Figure::Bars(bars) => bars.height(),
            Figure::Gantt(gantt) => gantt.height(),
        }
    }

    /// Puts a title over it.
    pub(crate) fn titled(mut self, title: Option<&str>) -> Self {
        let place = match &mut self {
            Figure::Curves(curves) => &mut curves.title,
            Figure::Bars(bars) => &mut bars.title,
            Figure::Gantt(gantt) => &mut gantt.title,
        };
        *place = title.map(str::to_owned);
        self
    }
}

#[cfg(test)]
mod tests;
