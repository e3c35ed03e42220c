//! Bars: a row for each worker, in parts by kind.

use super::canvas::{Area, Draw, Frame, Pen, bug};
use super::palette::{Colour, INK};
use super::ticks::Scale;
use crate::error::Error;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

/// Rows of bars.
#[derive(Debug, Clone)]
pub(crate) struct Bars {
    pub(crate) title: Option<String>,
    /// What is measured, with its unit.
    pub(crate) x: String,
    /// The most that there can be.
    pub(crate) ceiling: Option<f64>,
    pub(crate) rows: Vec<Row>,
    /// The parts' names.
    pub(crate) legend: Vec<(String, Colour)>,
}

/// One bar.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) name: String,
    /// One beside the other.
    pub(crate) parts: Vec<(f64, Colour)>,
    /// Of the whole, over the seeds.
    pub(crate) deviation: Option<f64>,
    /// What is written behind it.
    pub(crate) text: String,
}

/// From one bar to the next, in pixels.
const PITCH: f64 = 26.0;

impl Bars {
    /// The height in which the bars have their usual width, in pixels.
    pub(crate) fn height(&self) -> u32 {
        let head = if self.title.is_some() { 26.0 } else { 0.0 } + 18.0 * (self.legend.len() as f64 / 2.0).ceil();
        (head + 72.0 + PITCH * self.rows.len() as f64) as u32
    }

    /// Whether there is anything to be drawn.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

impl Row {
    fn whole(&self) -> f64 {
        self.parts.iter().map(|(part, _)| part).sum()
    }
}

impl Draw for Bars {
    fn draw<B: DrawingBackend>(&self, area: &Area<'_, B>, pen: Pen) -> Result<Frame, Error> {
        let area = pen.head(area, self.title.as_deref(), &self.legend)?;
        let unit = f64::from(pen.px(1.0));
        let width = f64::from(area.dim_in_pixel().0) / unit;
        let widest =
            |texts: &mut dyn Iterator<Item = &String>| texts.map(|text| pen.width(text, 12.0)).fold(0.0, f64::max);
        let left = widest(&mut self.rows.iter().map(|row| &row.name)).min(width * 0.4) + 16.0;
        let right = widest(&mut self.rows.iter().map(|row| &row.text)) + 16.0;
        let ends = self.rows.iter().map(|row| row.whole() + row.deviation.unwrap_or(0.0));
        let mut x = Scale::linear(ends.chain(self.ceiling), true, ((width - left - right) / 60.0) as usize);
        x.high = self.ceiling.unwrap_or(x.high);
        let y = Scale::bare(self.rows.len().max(1) as f64);
        let mut plane = pen.plane(&area, (&x, &self.x), (&y, ""), (left, right))?;
        let count = self.rows.len() as f64;
        for (index, row) in self.rows.iter().enumerate() {
            let middle = count - index as f64 - 0.5;
            let mut from = 0.0;
            for (part, colour) in &row.parts {
                let corners = [(from, middle + 0.36), (from + part, middle - 0.36)];
                plane
                    .draw_series([Rectangle::new(corners, colour.rgb().filled())])
                    .map_err(bug)?;
                from += part;
            }
            if let Some(deviation) = row.deviation {
                let ends = [(from - deviation).max(0.0), from + deviation].map(|x| (x, middle));
                plane
                    .draw_series([PathElement::new(ends, pen.line(INK, 1.5))])
                    .map_err(bug)?;
            }
        }
        let frame = Pen::frame(&plane);
        let (across, down) = area.get_pixel_range();
        let pixels = |points: i32| f64::from(points) / unit;
        for (index, row) in self.rows.iter().enumerate() {
            let share = (index as f64 + 0.5) / count;
            let y = pixels(frame.top - down.start) + pixels(frame.bottom - frame.top) * share;
            let axis = pixels(frame.left - across.start);
            let name = pen.shortened(&row.name, left - 12.0, 12.0);
            pen.write(&area, &name, (axis - 8.0, y), (12.0, INK), (HPos::Right, VPos::Center))?;
            let end = (row.whole() + row.deviation.unwrap_or(0.0)) / x.high;
            let end = axis + pixels(frame.right - frame.left) * end.min(1.0);
            pen.write(
                &area,
                &row.text,
                (end + 6.0, y),
                (12.0, INK),
                (HPos::Left, VPos::Center),
            )?;
        }
        Ok(frame)
    }
}
