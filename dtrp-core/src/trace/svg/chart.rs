//! Draws the chart.

use super::style::{self, LOOKS, escape, look, px, text_width};
use super::window::{Rows, Segment, Window, nanoseconds};
use super::{Arrows, SvgOptions};
use crate::schedule::Op;
use crate::trace::{Event, TimeUnit, Timeline};
use std::collections::HashMap;
use std::fmt::Write;

const MARGIN: f64 = 16.0;
const TITLE: f64 = 30.0;
const LEGEND: f64 = 26.0;
const ROW: f64 = 26.0;
/// From one row to the next, with arrows between them and without.
const PITCH: f64 = 42.0;
const TIGHT_PITCH: f64 = 32.0;
/// The space that says how many rows are left out.
const ROW_BREAK: f64 = 28.0;
const AXIS: f64 = 24.0;
/// From the start of a legend's text to the start of the next, less the text.
const LEGEND_GAP: f64 = 36.0;
/// The most arrows that an eye can follow.
const FEW: usize = 160;

pub(super) struct Chart<'a> {
    timeline: &'a Timeline,
    rows: Rows,
    window: Window,
    /// Arrows to be drawn: whether it goes up the network, from (x, row), to (x, row).
    arrows: Vec<(bool, (f64, usize), (f64, usize))>,
    pitch: f64,
    /// Left end of the axis and top of the first row.
    origin: (f64, f64),
    out: String,
}

impl<'a> Chart<'a> {
    pub(super) fn new(
        timeline: &'a Timeline,
        options: &SvgOptions,
        rows: Rows,
        window: Window,
    ) -> Self {
        let arrows = match options.arrows {
            Arrows::None => Vec::new(),
            Arrows::All => arrows(timeline, &rows, &window),
            Arrows::Few => Some(arrows(timeline, &rows, &window))
                .filter(|a| a.len() <= FEW)
                .unwrap_or_default(),
        };
        let labels = rows.workers.last().map_or(0.0, |k| text_width(&label(*k)));
        Self {
            pitch: if arrows.is_empty() {
                TIGHT_PITCH
            } else {
                PITCH
            },
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
        self.out.push_str(MARKERS);
        let _ = writeln!(
            self.out,
            "<rect width=\"{w}\" height=\"{h}\" fill=\"#ffffff\"/>"
        );
        self.text("title", MARGIN, MARGIN + 12.0, &title);
        self.legend();
        self.lanes();
        self.axis(bottom);
        for row in 0..self.rows.workers.len() {
            self.boxes(row);
        }
        self.draw_arrows();
        self.notes(bottom + AXIS);
        self.out.push_str("</svg>\n");
        self.out
    }

    fn text(&mut self, class: &str, x: f64, y: f64, escaped: &str) {
        let (x, y) = (px(x), px(y));
        let _ = writeln!(
            self.out,
            "<text class=\"{class}\" x=\"{x}\" y=\"{y}\">{escaped}</text>"
        );
    }

    /// Top of a row.
    fn y(&self, row: usize) -> f64 {
        let gap = if row >= self.rows.before_break {
            ROW_BREAK
        } else {
            0.0
        };
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
        let kinds = LOOKS
            .iter()
            .filter(|look| events().any(|e| e.action.op == look.op));
        let mut entries: Vec<_> = kinds.map(|look| (look.class, look.legend)).collect();
        let arrows = [(true, "up", "activation"), (false, "down", "gradient")];
        let drawn = arrows
            .iter()
            .filter(|(up, ..)| self.arrows.iter().any(|a| a.0 == *up));
        entries.extend(drawn.map(|(_, class, legend)| (*class, *legend)));
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
            let note = format!(
                "workers {} to {} are not drawn",
                n + 1,
                n + self.rows.omitted
            );
            let y = self.y(n) - (self.pitch - ROW + ROW_BREAK) / 2.0 + 4.0;
            self.text("note", self.origin.0, y, &note);
        }
    }

    fn axis(&mut self, bottom: f64) {
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
        let width = slot * self.window.scale;
        let (first, last) = (
            (segment.from / slot).floor() as u64,
            (segment.to / slot).ceil() as u64,
        );
        let widest = text_width(&last.to_string()) + 6.0;
        let every = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]
            .into_iter()
            .find(|n| *n as f64 * width >= widest)
            .unwrap_or(10_000);
        let scale = self.window.scale;
        let at = |t: u64| segment.x + (t as f64 * slot - segment.from) * scale;
        for t in first..=last {
            if t % every == 0 || t == last {
                self.line(at(t), bottom);
            }
        }
        for t in first + 1..=last {
            if t % every == 0 || every == 1 {
                let x = self.origin.0 + at(t) - width / 2.0;
                self.text("mid", x, bottom + 18.0, &t.to_string());
            }
        }
        if segment.x == 0.0 {
            self.text("end note", self.origin.0 - 8.0, bottom + 18.0, "slot");
        }
    }

    /// Lines at round times, with the time under them.
    fn time_axis(&mut self, segment: Segment, bottom: f64) {
        let least = 70.0 / self.window.scale;
        let power = 10f64.powf(least.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0]
            .into_iter()
            .map(|n| n * power)
            .find(|s| *s >= least)
            .unwrap_or(least)
            .max(1.0);
        let mut tick = (segment.from / step).ceil();
        while tick * step <= segment.to + step * 1e-6 {
            let time = tick * step;
            let x = segment.x + (time - segment.from) * self.window.scale;
            self.line(x, bottom);
            let text = style::tick(time, step);
            self.text("mid", self.origin.0 + x, bottom + 18.0, &text);
            tick += 1.0;
        }
    }

    /// A vertical line of the grid.
    fn line(&mut self, x: f64, bottom: f64) {
        let (x, top, end) = (px(self.origin.0 + x), px(self.origin.1), px(bottom + 5.0));
        let _ = writeln!(self.out, "<path class=\"grid\" d=\"M{x} {top}V{end}\"/>");
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

    fn draw_arrows(&mut self) {
        for (up, from, to) in std::mem::take(&mut self.arrows) {
            let class = if up { "up" } else { "down" };
            let (top, bottom) = (from.1.min(to.1), from.1.max(to.1));
            let (upper, lower) = (self.y(top) + ROW, self.y(bottom));
            let (y1, y2) = if from.1 < to.1 {
                (upper, lower)
            } else {
                (lower, upper)
            };
            let (x1, x2) = (px(self.origin.0 + from.0), px(self.origin.0 + to.0));
            let (y1, y2) = (px(y1), px(y2));
            let _ = writeln!(
                self.out,
                "<path class=\"{class}\" d=\"M{x1} {y1}L{x2} {y2}\" marker-end=\"url(#dtrp-{class})\"/>"
            );
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

/// Arrow heads for activations and gradients.
const MARKERS: &str = "<defs>\
<marker id=\"dtrp-up\" viewBox=\"0 0 6 6\" refX=\"6\" refY=\"3\" markerWidth=\"6\" markerHeight=\"6\" orient=\"auto\">\
<path d=\"M0 0L6 3L0 6z\" fill=\"#4b6b8f\"/></marker>\
<marker id=\"dtrp-down\" viewBox=\"0 0 6 6\" refX=\"6\" refY=\"3\" markerWidth=\"6\" markerHeight=\"6\" orient=\"auto\">\
<path d=\"M0 0L6 3L0 6z\" fill=\"#b3541e\"/></marker></defs>\n";

fn label(worker: usize) -> String {
    format!("worker {worker}")
}

/// The messages between two rows that are both drawn, where one stretch of time shows both ends.
fn arrows(
    timeline: &Timeline,
    rows: &Rows,
    window: &Window,
) -> Vec<(bool, (f64, usize), (f64, usize))> {
    let row: HashMap<usize, usize> = rows.workers.iter().copied().zip(0..).collect();
    let arrow = |message: crate::trace::Message| {
        let send = &timeline.workers()[message.from - 1][message.send];
        let receive = &timeline.workers()[message.to - 1][message.receive];
        let rows = (*row.get(&message.from)?, *row.get(&message.to)?);
        let (from, to) = window.both(send.begin, receive.end)?;
        Some((send.action.op == Op::SendY, (from, rows.0), (to, rows.1)))
    };
    timeline.messages().into_iter().filter_map(arrow).collect()
}
