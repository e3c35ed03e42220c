//! Curves with bands.

use super::canvas::{Area, Draw, Frame, Pen, bug};
use super::palette::{AXIS, Colour};
use super::ticks::Scale;
use crate::error::Error;
use crate::history::Point;
use plotters::prelude::*;

/// Of a number over time.
#[derive(Debug, Clone)]
pub(crate) struct Curves {
    pub(crate) title: Option<String>,
    /// What the axes are, with units.
    pub(crate) x: String,
    pub(crate) y: String,
    pub(crate) log: bool,
    /// Whether the axis begins at 0, unless it is logarithmic.
    pub(crate) from_zero: bool,
    /// The most that there can be.
    pub(crate) ceiling: Option<f64>,
    /// A number to compare with.
    pub(crate) reference: Option<f64>,
    pub(crate) curves: Vec<Curve>,
    /// Whether names and colours are explained.
    pub(crate) legend: bool,
}

/// One of them.
#[derive(Debug, Clone)]
pub(crate) struct Curve {
    pub(crate) name: String,
    pub(crate) colour: Colour,
    pub(crate) points: Vec<Point>,
}

/// So few points are marked each.
const FEW: usize = 40;

impl Curves {
    /// The two axes.
    pub(crate) fn scales(&self, width: f64) -> (Scale, Scale) {
        let points = || self.curves.iter().flat_map(|curve| &curve.points);
        let x = Scale::linear(points().map(|point| point.x), false, (width / 90.0) as usize);
        let ends = |point: &Point| {
            let deviation = point.deviation.unwrap_or(0.0);
            let low = point.mean - deviation;
            // On a logarithmic axis a band that reaches down to 0 would push everything else together.
            let low = if self.log { low.max(point.mean / 4.0) } else { low };
            [low, point.mean + deviation]
        };
        let numbers = points().flat_map(ends).chain(self.reference);
        let numbers = numbers.map(|number| self.ceiling.map_or(number, |ceiling| number.min(ceiling)));
        let y = if self.log {
            Scale::log(numbers).padded(None, None)
        } else {
            let floor = points().all(|point| point.mean >= 0.0).then_some(0.0);
            Scale::linear(numbers, self.from_zero, 5).padded(floor, self.ceiling)
        };
        (x, y)
    }

    /// Whether there is anything to be drawn.
    pub(crate) fn is_empty(&self) -> bool {
        self.curves.iter().all(|curve| curve.points.is_empty())
    }
}

impl Draw for Curves {
    fn draw<B: DrawingBackend>(&self, area: &Area<'_, B>, pen: Pen) -> Result<Frame, Error> {
        let legend: Vec<_> = self
            .curves
            .iter()
            .map(|curve| (curve.name.clone(), curve.colour))
            .collect();
        let area = pen.head(area, self.title.as_deref(), if self.legend { &legend } else { &[] })?;
        let width = f64::from(area.dim_in_pixel().0) / f64::from(pen.px(1.0));
        let (x, y) = self.scales(width);
        let widest = y.texts().iter().map(|text| pen.width(text, 12.0)).fold(0.0, f64::max);
        let mut plane = pen.plane(&area, (&x, &self.x), (&y, &self.y), (widest + 36.0, 18.0))?;
        let at = |x: f64, number: f64| (x, y.place(number).clamp(y.low, y.high));
        if let Some(number) = self.reference {
            let ends = [at(x.low, number), at(x.high, number)];
            plane
                .draw_series([PathElement::new(ends, pen.line(AXIS, 1.5))])
                .map_err(bug)?;
        }
        for curve in &self.curves {
            for band in bands(&curve.points) {
                let upper = band
                    .iter()
                    .map(|(point, deviation)| at(point.x, point.mean + deviation));
                let lower = band
                    .iter()
                    .rev()
                    .map(|(point, deviation)| at(point.x, point.mean - deviation));
                let outline: Vec<_> = upper.chain(lower).collect();
                plane
                    .draw_series([Polygon::new(outline, curve.colour.rgb().mix(0.18))])
                    .map_err(bug)?;
            }
        }
        for curve in &self.curves {
            let points: Vec<_> = curve.points.iter().map(|point| at(point.x, point.mean)).collect();
            let style = pen.line(curve.colour, 2.0);
            plane
                .draw_series([PathElement::new(points.clone(), style)])
                .map_err(bug)?;
            if points.len() <= FEW {
                let radius = if points.len() == 1 { 4.0 } else { 2.5 };
                let marks = points.into_iter();
                let marks = marks.map(|point| Circle::new(point, pen.px(radius), curve.colour.rgb().filled()));
                plane.draw_series(marks).map_err(bug)?;
            }
        }
        Ok(Pen::frame(&plane))
    }
}

/// The stretches in which there is a deviation.
fn bands(points: &[Point]) -> Vec<Vec<(Point, f64)>> {
    let stretches = points.chunk_by(|a, b| a.deviation.is_some() == b.deviation.is_some());
    let bands = stretches.map(|stretch| {
        let known = stretch.iter().filter_map(|point| Some((*point, point.deviation?)));
        known.collect::<Vec<_>>()
    });
    bands.filter(|band| band.len() > 1).collect()
}
