//! What figures are drawn on: `plotters`, into SVG or into a picture.

use super::palette::{AXIS, Colour, GRID, INK};
use super::ticks::Scale;
use crate::error::Error;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder, RgbImage, imageops};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontStyle, register_font};
use std::fmt::Display;

/// The name of the font in SVG. Verdana is as wide, where that is what there is.
const FONT: &str = "DejaVu Sans, Verdana, sans-serif";

/// The font itself, with which text is measured.
const FONT_FILE: &[u8] = include_bytes!("font/DejaVuSans.ttf");

/// plotters counts whole points, so a figure is drawn larger than it is, by so much.
const FINE: u32 = 4;

/// A part of a figure that is drawn on.
pub(super) type Area<'a, B> = DrawingArea<B, Shift>;

/// A plane with two axes.
pub(super) type Plane<'a, B> = ChartContext<'a, B, Cartesian2d<Scale, Scale>>;

/// Where on a figure an axis begins and ends, in the SVG's own coordinates.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Frame {
    pub(crate) left: i32,
    pub(crate) top: i32,
    pub(crate) right: i32,
    pub(crate) bottom: i32,
}

/// Sizes and words that all figures share.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pen {
    /// Points of the canvas for a pixel of the figure.
    unit: f64,
    /// How much lower text is written than it should stand, in parts of its size: plotters has it too high in pictures.
    lower: f64,
}

/// Something that can be drawn.
pub(super) trait Draw {
    /// Draws it, and says where its axes are.
    fn draw<B: DrawingBackend>(&self, area: &Area<'_, B>, pen: Pen) -> Result<Frame, Error>;
}

/// As SVG of this many pixels, without a ground of its own.
pub(super) fn svg(figure: &impl Draw, (width, height): (u32, u32), ground: bool) -> Result<(String, Frame), Error> {
    let size = (width * FINE, height * FINE);
    let mut text = String::new();
    let frame = {
        let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
        if ground {
            area.fill(&WHITE).map_err(bug)?;
        }
        let frame = draw(figure, &area, FINE, 0.0)?;
        area.present().map_err(bug)?;
        frame
    };
    let drawn = format!("width=\"{}\" height=\"{}\"", size.0, size.1);
    let shown = format!("width=\"{width}\" height=\"{height}\"");
    Ok((text.replacen(&drawn, &shown, 1), frame))
}

/// As PNG of `scale` times this many pixels.
pub(super) fn png(figure: &impl Draw, (width, height): (u32, u32), scale: u32) -> Result<Vec<u8>, Error> {
    // Drawn twice as large once more, so that edges are smooth.
    let unit = 2 * scale;
    let size = (width * unit, height * unit);
    let mut pixels = vec![255_u8; size.0 as usize * size.1 as usize * 3];
    {
        let area = BitMapBackend::with_buffer(&mut pixels, size).into_drawing_area();
        area.fill(&WHITE).map_err(bug)?;
        draw(figure, &area, unit, 0.13)?;
        area.present().map_err(bug)?;
    }
    let large =
        RgbImage::from_raw(size.0, size.1, pixels).ok_or_else(|| Error::Bug("a picture has no size".to_owned()))?;
    let small = imageops::resize(&large, size.0 / 2, size.1 / 2, imageops::FilterType::Triangle);
    encode_png(&small)
}

/// A picture as a PNG file.
pub(crate) fn encode_png(picture: &RgbImage) -> Result<Vec<u8>, Error> {
    let mut file = Vec::new();
    let (width, height) = picture.dimensions();
    let encoder = PngEncoder::new(&mut file);
    encoder
        .write_image(picture, width, height, ExtendedColorType::Rgb8)
        .map_err(bug)?;
    Ok(file)
}

fn draw<B: DrawingBackend>(figure: &impl Draw, area: &Area<'_, B>, unit: u32, lower: f64) -> Result<Frame, Error> {
    register_font(FONT, FontStyle::Normal, FONT_FILE).map_err(|_| Error::Bug("the font cannot be read".to_owned()))?;
    let unit = f64::from(unit);
    figure.draw(area, Pen { unit, lower })
}

/// What drawing into memory cannot come to.
pub(super) fn bug(error: impl Display) -> Error {
    Error::Bug(format!("a figure cannot be drawn: {error}"))
}

impl Pen {
    /// So many pixels in points of the canvas.
    pub(super) fn px(self, pixels: f64) -> i32 {
        (pixels * self.unit).round() as i32
    }

    /// A line of this width in pixels.
    pub(super) fn line(self, colour: Colour, pixels: f64) -> ShapeStyle {
        colour.rgb().stroke_width(self.px(pixels).unsigned_abs().max(1))
    }

    /// Text of this size in pixels.
    pub(super) fn text(self, pixels: f64, colour: Colour) -> TextStyle<'static> {
        // plotters takes 1.24 times the size of a font.
        TextStyle {
            font: (FONT, pixels * 1.24 * self.unit).into_font(),
            color: colour.rgb().to_backend_color(),
            pos: Pos::default(),
        }
    }

    /// The width of a text in pixels.
    pub(super) fn width(self, text: &str, pixels: f64) -> f64 {
        let size = self.text(pixels, INK).font.box_size(text);
        size.map_or(0.0, |(width, _)| f64::from(width) / self.unit)
    }

    /// Writes at a place in pixels; `anchor` says which point of the text is there.
    pub(super) fn write<B: DrawingBackend>(
        self,
        area: &Area<'_, B>,
        text: &str,
        (x, y): (f64, f64),
        (size, colour): (f64, Colour),
        (across, down): (HPos, VPos),
    ) -> Result<(), Error> {
        let style = self.text(size, colour).pos(Pos::new(across, down));
        area.draw(&Text::new(
            text.to_owned(),
            (self.px(x), self.px(y + size * self.lower)),
            style,
        ))
        .map_err(bug)
    }

    /// A text that has room in so many pixels.
    pub(super) fn shortened(self, text: &str, room: f64, size: f64) -> String {
        let mut shown = text.to_owned();
        while self.width(&shown, size) > room && shown.pop().is_some() {
            shown.truncate(shown.trim_end_matches('…').len());
            shown.pop();
            shown.push('…');
        }
        shown
    }

    /// Fills a rectangle between two corners in pixels.
    pub(super) fn fill<B: DrawingBackend>(
        self,
        area: &Area<'_, B>,
        corners: [(f64, f64); 2],
        colour: Colour,
    ) -> Result<(), Error> {
        let corners = corners.map(|(x, y)| (self.px(x), self.px(y)));
        area.draw(&Rectangle::new(corners, colour.rgb().filled())).map_err(bug)
    }

    /// Title and legend at the top. Returns what is left of the area.
    pub(super) fn head<B: DrawingBackend>(
        self,
        area: &Area<'_, B>,
        title: Option<&str>,
        legend: &[(String, Colour)],
    ) -> Result<Area<'static, B>, Error> {
        let width = f64::from(area.dim_in_pixel().0) / self.unit;
        let mut y = 6.0;
        if let Some(title) = title {
            let size = (16.0_f64).min(16.0 * (width - 24.0) / self.width(title, 16.0).max(1.0));
            self.write(area, title, (12.0, y + 10.0), (size, INK), (HPos::Left, VPos::Center))?;
            y += 26.0;
        }
        let mut x = 12.0;
        for (index, (text, colour)) in legend.iter().enumerate() {
            let wide = self.width(text, 12.0) + 22.0;
            if index > 0 && x + wide > width - 12.0 {
                (x, y) = (12.0, y + 18.0);
            }
            self.fill(area, [(x, y + 4.0), (x + 14.0, y + 14.0)], *colour)?;
            self.write(area, text, (x + 19.0, y + 9.0), (12.0, INK), (HPos::Left, VPos::Center))?;
            x += wide + 16.0;
        }
        if !legend.is_empty() {
            y += 22.0;
        }
        let (_, rest) = area.split_vertically(self.px(y));
        Ok(rest)
    }

    /// A plane with its axes, grid and numbers, and so much room at its left and right side, in pixels.
    pub(super) fn plane<'a, B: DrawingBackend>(
        self,
        area: &'a Area<'_, B>,
        (x, x_name): (&Scale, &str),
        (y, y_name): (&Scale, &str),
        (left, right): (f64, f64),
    ) -> Result<Plane<'a, B>, Error> {
        let mut plane = ChartBuilder::on(area)
            .margin_top(self.px(8.0))
            .margin_right(self.px(right))
            .margin_bottom(self.px(4.0))
            .margin_left(self.px(8.0))
            .x_label_area_size(self.px(44.0))
            .y_label_area_size(self.px(left))
            .build_cartesian_2d(x.clone(), y.clone())
            .map_err(bug)?;
        plane
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(self.line(GRID, 1.0))
            .axis_style(self.line(AXIS, 1.0))
            .label_style(self.text(12.0, INK))
            .axis_desc_style(self.text(13.0, INK))
            .x_desc(x_name)
            .y_desc(y_name)
            .x_labels(x.ticks.len().max(1))
            .y_labels(y.ticks.len().max(1))
            .x_label_formatter(&|tick| x.text(*tick))
            .y_label_formatter(&|tick| y.text(*tick))
            .set_all_tick_mark_size(self.px(4.0))
            .draw()
            .map_err(bug)?;
        Ok(plane)
    }

    /// Where a plane's axes are.
    pub(super) fn frame<B: DrawingBackend>(plane: &Plane<'_, B>) -> Frame {
        let (x, y) = plane.plotting_area().get_pixel_range();
        Frame {
            left: x.start,
            top: y.start,
            right: x.end,
            bottom: y.end,
        }
    }
}
