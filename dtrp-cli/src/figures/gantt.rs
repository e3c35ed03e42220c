//! Some slots of a run as they were, and as the simulator has them.

use super::canvas::{Area, Draw, Frame, Pen, bug};
use super::palette::{Colour, INK, LANE, OPS};
use super::ticks::Scale;
use crate::error::Error;
use dtrp_core::schedule::Op;
use dtrp_core::trace::{Event, Timeline};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::time::Duration;

/// Stretches of timelines, one above the other, on one scale.
#[derive(Debug, Clone)]
pub(crate) struct Gantt {
    pub(crate) title: Option<String>,
    pub(crate) panels: Vec<Panel>,
    /// How long the stretches are, in milliseconds.
    pub(crate) length: f64,
}

/// A stretch of one timeline.
#[derive(Debug, Clone)]
pub(crate) struct Panel {
    pub(crate) name: String,
    /// Of each worker what it does, in milliseconds from the beginning of the stretch.
    pub(crate) workers: Vec<Vec<Computation>>,
}

/// A computation.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Computation {
    pub(crate) op: Op,
    pub(crate) begin: f64,
    pub(crate) end: f64,
    /// The number of its batch.
    pub(crate) batch: String,
    /// The whole action.
    pub(crate) token: String,
}

impl Panel {
    /// What happens in `length` milliseconds from when worker 1 begins with `batch`, with all times multiplied by `stretch`.
    pub(crate) fn of(name: &str, timeline: &Timeline, batch: u32, length: f64, stretch: f64) -> Self {
        let from = begin_of(timeline, batch).unwrap_or_else(|| timeline.begin());
        let at = |time: Duration| (milliseconds(time) - milliseconds(from)) * stretch;
        let shown = |event: &&Event| !event.action.op.is_message() && at(event.end) > 0.0 && at(event.begin) < length;
        let computation = |event: &Event| Computation {
            op: event.action.op,
            begin: at(event.begin).max(0.0),
            end: at(event.end).min(length),
            batch: event.action.unit.to_string(),
            token: event.action.to_string(),
        };
        let workers = timeline.workers().iter();
        Self {
            name: name.to_owned(),
            workers: workers
                .map(|events| events.iter().filter(shown).map(computation).collect())
                .collect(),
        }
    }
}

/// When worker 1 begins with a batch.
pub(crate) fn begin_of(timeline: &Timeline, batch: u32) -> Option<Duration> {
    let first = timeline.workers().first()?;
    let computes = |event: &&Event| !event.action.op.is_message() && event.action.op != Op::Update;
    let begins = first
        .iter()
        .filter(computes)
        .filter(|event| event.action.unit.batch == batch);
    begins.map(|event| event.begin).min()
}

/// A time as the axis has it.
pub(crate) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// A worker's row.
pub(crate) struct Line<'g> {
    /// The panel's name and the worker's number.
    pub(crate) name: String,
    /// How many rows from the top it begins.
    pub(crate) top: f64,
    pub(crate) boxes: &'g [Computation],
}

/// A row, and what is between two panels, in pixels.
const ROW: f64 = 28.0;
const BETWEEN: f64 = 14.0;

impl Gantt {
    /// The height in which rows have their usual width, in pixels.
    pub(crate) fn height(&self) -> u32 {
        let rows: usize = self.panels.iter().map(|panel| panel.workers.len()).sum();
        let head = if self.title.is_some() { 26.0 } else { 0.0 };
        (head + 86.0 + ROW * rows as f64 + BETWEEN * self.panels.len() as f64) as u32
    }

    /// Every row, and how many rows high all is.
    pub(crate) fn rows(&self) -> (Vec<Line<'_>>, f64) {
        let gap = BETWEEN / ROW;
        let mut rows = Vec::new();
        let mut top = 0.0;
        for panel in &self.panels {
            top += gap / 2.0;
            for (worker, boxes) in (1..).zip(&panel.workers) {
                rows.push(Line {
                    name: format!("{} {worker}", panel.name),
                    top,
                    boxes,
                });
                top += 1.0;
            }
            top += gap / 2.0;
        }
        (rows, top)
    }

    fn legend(&self) -> Vec<(String, Colour)> {
        let boxes = || self.panels.iter().flat_map(|panel| &panel.workers).flatten();
        let there = OPS.iter().filter(|(op, ..)| boxes().any(|one| one.op == *op));
        there.map(|(_, name, colour)| ((*name).to_owned(), *colour)).collect()
    }
}

impl Draw for Gantt {
    fn draw<B: DrawingBackend>(&self, area: &Area<'_, B>, pen: Pen) -> Result<Frame, Error> {
        let area = pen.head(area, self.title.as_deref(), &self.legend())?;
        let unit = f64::from(pen.px(1.0));
        let width = f64::from(area.dim_in_pixel().0) / unit;
        let (rows, all) = self.rows();
        let left = rows.iter().map(|row| pen.width(&row.name, 12.0)).fold(0.0, f64::max) + 16.0;
        let x = Scale::linear([0.0, self.length].into_iter(), true, (width / 90.0) as usize);
        let mut plane = pen.plane(&area, (&x, "time (ms)"), (&Scale::bare(all), ""), (left, 18.0))?;
        let frame = Pen::frame(&plane);
        let per_ms = f64::from(frame.right - frame.left) / unit / self.length;
        let (across, down) = area.get_pixel_range();
        for Line { name, top, boxes } in &rows {
            let (high, low) = (all - top - 0.08, all - top - 0.92);
            let lane = Rectangle::new([(0.0, high), (self.length, low)], LANE.rgb().filled());
            plane.draw_series([lane]).map_err(bug)?;
            for one in *boxes {
                let Some((_, _, colour)) = OPS.iter().find(|(op, ..)| *op == one.op) else {
                    continue;
                };
                // A hair of space between neighbours.
                let end = one.end - (0.6 / per_ms).min((one.end - one.begin) / 4.0);
                let corners = [(one.begin, high), (end, low)];
                plane
                    .draw_series([Rectangle::new(corners, colour.rgb().filled())])
                    .map_err(bug)?;
                if one.op != Op::Update && pen.width(&one.batch, 11.0) + 4.0 < (end - one.begin) * per_ms {
                    let pale = matches!(one.op, Op::Forward | Op::ForwardGraph);
                    let style = pen.text(11.0, INK).pos(Pos::new(HPos::Center, VPos::Center));
                    let style = style.color(if pale { &ON_PALE } else { &ON_DEEP });
                    let middle = ((one.begin + end) / 2.0, (low + high) / 2.0);
                    plane
                        .draw_series([Text::new(one.batch.clone(), middle, style)])
                        .map_err(bug)?;
                }
            }
            let y = f64::from(frame.top - down.start) + f64::from(frame.bottom - frame.top) * (top + 0.5) / all;
            let x = f64::from(frame.left - across.start) / unit - 8.0;
            pen.write(&area, name, (x, y / unit), (12.0, INK), (HPos::Right, VPos::Center))?;
        }
        Ok(frame)
    }
}

/// Numbers on boxes, whose colours are much the same on a dark ground.
const ON_PALE: RGBColor = RGBColor(0x10, 0x18, 0x20);
const ON_DEEP: RGBColor = RGBColor(0xff, 0xff, 0xff);
