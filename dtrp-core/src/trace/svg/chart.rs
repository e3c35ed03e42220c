//! Draws the chart.

use super::arrows::{self, Arrow};
use super::style::{self, LOOKS, escape, look, px, text_width};
use super::window::{Rows, Window, nanoseconds};
use crate::schedule::Op;
use crate::trace::{Event, TimeUnit, Timeline};
use std::fmt::Write;

const MARGIN: f64 = 16.0;
const TITLE: f64 = 30.0;
const LEGEND: f64 = 26.0;
pub(super) const ROW: f64 = 26.0;
/// From one row to the next, with arrows between them and without.
const PITCH: f64 = 42.0;
const TIGHT_PITCH: f64 = 32.0;
/// The space that says how many rows are left out.
const ROW_BREAK: f64 = 28.0;
const AXIS: f64 = 24.0;
/// From the start of a legend's text to the start of the next, less the text.
const LEGEND_GAP: f64 = 36.0;

pub(super) struct Chart<'a> {
    pub(super) timeline: &'a Timeline,
    rows: Rows,
    pub(super) window: Window,
    pub(super) arrows: Vec<Arrow>,
    pitch: f64,
    /// Left end of the axis and top of the first row.
    pub(super) origin: (f64, f64),
    pub(super) out: String,
}

impl<'a> Chart<'a> {
    pub(super) fn new(timeline: &'a Timeline, rows: Rows, window: Window) -> Self {
        let arrows = arrows::choose(timeline, &rows, &window);
        let labels = rows.workers.last().map_or(0.0, |k| text_width(&label(*k)));
        Self {
            pitch: if arrows.is_empty() { TIGHT_PITCH } else { PITCH },
            origin: (MARGIN + labels + 10.0, MARGIN + TITLE + LEGEND),
            timeline,
            rows,
            window,
            arrows,
            out: String::new(),
        }
    }

    pub(super) fn draw(mut self) -> String {
        let title = escape(self.timeline.title());
        let legend = self.legend_width();
        let right = if self.shows_busy() { 52.0 } else { 0.0 };
        let plot = self.origin.0 + self.window.width + right;
        let heading = MARGIN + text_width(&title) * 1.45;
        let width = plot.max(legend).max(heading) + MARGIN;
        let bottom = self.bottom();
        let height = bottom + AXIS + self.note_height() + MARGIN / 2.0;
        let (w, h) = (px(width.ceil()), px(height.ceil()));
        let _ = write!(
            self.out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"dtrp\" width=\"{w}\" height=\"{h}\" \
             viewBox=\"0 0 {w} {h}\" role=\"img\">\n<title>{title}</title>\n<style>\n{}</style>\n",
            style::sheet()
        );
        if !self.arrows.is_empty() {
            self.out.push_str(&style::markers());
        }
        let _ = writeln!(self.out, "<rect width=\"{w}\" height=\"{h}\" fill=\"#ffffff\"/>");
        self.text("title", MARGIN, MARGIN + 12.0, &title);
        self.legend();
        self.lanes();
        self.axis(bottom);
        for row in 0..self.rows.workers.len() {
            self.boxes(row);
        }
        self.arrows();
        self.notes(bottom + AXIS);
        self.out.push_str("</svg>\n");
        self.out
    }

    pub(super) fn text(&mut self, class: &str, x: f64, y: f64, escaped: &str) {
        let (x, y) = (px(x), px(y));
        let class = match class {
            "" => String::new(),
            class => format!(" class=\"{class}\""),
        };
        let _ = writeln!(self.out, "<text{class} x=\"{x}\" y=\"{y}\">{escaped}</text>");
    }

    /// Top of a row.
    pub(super) fn y(&self, row: usize) -> f64 {
        let gap = if row >= self.rows.before_break { ROW_BREAK } else { 0.0 };
        self.origin.1 + row as f64 * self.pitch + gap
    }

    /// Below the last row.
    fn bottom(&self) -> f64 {
        match self.rows.workers.len() {
            0 => self.origin.1,
            n => self.y(n - 1) + ROW,
        }
    }

    fn shows_busy(&self) -> bool {
        self.timeline.unit() == TimeUnit::Nanoseconds && !self.window.segments.is_empty()
    }

    /// What the legend explains: the kinds that occur, and arrows if there are any.
    fn legend_entries(&self) -> Vec<(&'static str, &'static str)> {
        let rows = self.rows.workers.iter();
        let events = || rows.clone().flat_map(|k| &self.timeline.workers()[k - 1]);
        let kinds = LOOKS.iter().filter(|look| events().any(|e| e.action.op == look.op));
        let mut entries: Vec<_> = kinds.map(|look| (look.class, look.legend)).collect();
        for (class, legend) in [("up", "activation"), ("down", "gradient")] {
            let drawn = self.arrows.iter().any(|arrow| arrow.class == class);
            entries.extend(drawn.then_some((class, legend)));
        }
        entries
    }

    fn legend_width(&self) -> f64 {
        let entries = self.legend_entries();
        MARGIN
            + entries
                .iter()
                .map(|(_, text)| text_width(text) + LEGEND_GAP)
                .sum::<f64>()
    }

    fn legend(&mut self) {
        let (mut x, y) = (MARGIN, MARGIN + TITLE);
        for (class, legend) in self.legend_entries() {
            let (left, top) = (px(x), px(y - 10.0));
            let _ = if class == "up" || class == "down" {
                let (right, middle) = (px(x + 14.0), px(y - 4.0));
                writeln!(
                    self.out,
                    "<path class=\"{class}\" d=\"M{left} {middle}H{right}\" marker-end=\"url(#dtrp-{class})\"/>"
                )
            } else {
                writeln!(
                    self.out,
                    "<rect class=\"{class}\" x=\"{left}\" y=\"{top}\" width=\"14\" height=\"12\" rx=\"2\"/>"
                )
            };
            self.text("", x + 19.0, y, legend);
            x += text_width(legend) + LEGEND_GAP;
        }
    }

    /// The background of the rows, their labels, and how busy each worker is.
    fn lanes(&mut self) {
        let end = (nanoseconds(self.timeline.end()) - nanoseconds(self.timeline.begin())).max(1.0);
        let height = px(ROW);
        for row in 0..self.rows.workers.len() {
            let worker = self.rows.workers[row];
            let y = self.y(row);
            self.text("end", self.origin.0 - 8.0, y + 17.0, &label(worker));
            for segment in &self.window.segments {
                let width = (segment.to - segment.from) * self.window.scale;
                let (x, y, width) = (px(self.origin.0 + segment.x), px(y), px(width));
                let _ = writeln!(
                    self.out,
                    "<rect class=\"lane\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"/>"
                );
            }
            if self.shows_busy() {
                let busy = nanoseconds(self.timeline.busy(worker)) / end * 100.0;
                let x = self.origin.0 + self.window.width + 8.0;
                self.text("note", x, y + 17.0, &format!("{busy:.0} %"));
            }
        }
        if self.shows_busy() && !self.rows.workers.is_empty() {
            let x = self.origin.0 + self.window.width + 8.0;
            self.text("note", x, self.origin.1 - 6.0, "busy");
        }
        if self.rows.omitted > 0 {
            let n = self.rows.before_break;
            let note = format!("workers {} to {} are not drawn", n + 1, n + self.rows.omitted);
            let y = self.y(n) - (self.pitch - ROW + ROW_BREAK) / 2.0 + 4.0;
            self.text("note", self.origin.0, y, &note);
        }
    }

    /// The computations of one row.
    fn boxes(&mut self, row: usize) {
        let worker = self.rows.workers[row];
        let events: &'a [Event] = &self.timeline.workers()[worker - 1];
        let y = self.y(row);
        for event in events {
            let Some(look) = look(event.action.op) else {
                continue;
            };
            for (left, right) in self.window.spans(event.begin, event.end) {
                let width = right - left;
                // A hair of space between neighbours, where there is room for it.
                let gap = if width > 4.0 { 0.5 } else { 0.0 };
                let hover = escape(&self.hover(worker, event));
                let x = self.origin.0 + left;
                let _ = write!(
                    self.out,
                    "<g class=\"{}\"><title>{hover}</title><rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"2\"/>",
                    look.class,
                    px(x + gap),
                    px(y),
                    px((width - 2.0 * gap).max(0.6)),
                    px(ROW),
                );
                let label = event.action.unit.to_string();
                // An update is thin, and its batch is that of the backward before it.
                if look.op != Op::Update && text_width(&label) + 4.0 <= width {
                    let (x, y) = (px(x + width / 2.0), px(y + 17.0));
                    let _ = write!(self.out, "<text x=\"{x}\" y=\"{y}\">{label}</text>");
                }
                self.out.push_str("</g>\n");
            }
        }
    }

    /// `R3@2, worker 1, slot 5` or `R3@2, worker 1, 1.2 ms to 1.5 ms (0.3 ms)`.
    fn hover(&self, worker: usize, event: &Event) -> String {
        let action = event.action;
        let (begin, end) = (nanoseconds(event.begin), nanoseconds(event.end));
        match self.timeline.unit() {
            TimeUnit::Slots => {
                let slot = (begin / nanoseconds(Timeline::SLOT)).floor() + 1.0;
                format!("{action}, worker {worker}, slot {slot}")
            }
            TimeUnit::Nanoseconds => {
                let [begin, end, length] = [begin, end, end - begin].map(style::duration);
                format!("{action}, worker {worker}, {begin} to {end} ({length})")
            }
        }
    }

    fn note_height(&self) -> f64 {
        if self.window.omitted().is_some() || self.window.segments.is_empty() {
            18.0
        } else {
            0.0
        }
    }

    /// What is not in the picture.
    fn notes(&mut self, y: f64) {
        if self.window.segments.is_empty() {
            self.text("note", self.origin.0, y + 14.0, "nothing happens");
        }
        let Some((from, to, middle)) = self.window.omitted() else {
            return;
        };
        for row in 0..self.rows.workers.len() {
            let y = self.y(row) + 17.0;
            self.text("mid note", self.origin.0 + middle, y, "· · ·");
        }
        let slot = nanoseconds(Timeline::SLOT);
        let note = match self.timeline.unit() {
            TimeUnit::Slots => format!(
                "slots {} to {} are not drawn",
                (from / slot).round() + 1.0,
                (to / slot).round()
            ),
            TimeUnit::Nanoseconds => {
                let [from, to] = [from, to].map(style::duration);
                format!("{from} to {to} is not drawn")
            }
        };
        self.text("note", self.origin.0, y + 14.0, &note);
    }
}

fn label(worker: usize) -> String {
    format!("worker {worker}")
}
