//! Plots, as SVG or PNG by the extension of the file's name: [`losses`] and other [`curves`] over the epochs, [`lines`] through
//! points, a curve with a [`band`] around it, [`decision_surface`]s, and [`confusion`] matrices. Needs the feature `plot`, and with it the standard library.
//!
//! ```no_run
//! use tuplenet::plot;
//! use tuplenet::prelude::*;
//!
//! type Xor = (Dense<2, 8, Tanh>, Dense<8, 1, Sigmoid>);
//! let inputs = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]];
//! let classes = [false, true, true, false];
//!
//! let mut trainer = Trainer::new(Xor::new(&mut seeded(0)), BinaryCrossEntropy, Adam::new(0.05), seeded(1));
//! let mut history = History::new();
//! trainer.fit(&inputs, &classes, &FitOptions { epochs: 200, ..FitOptions::default() }, &mut history)?;
//!
//! plot::losses(&history, "losses.svg")?;
//! plot::decision_surface(&trainer.network, &inputs, &classes, ["x", "y"], &["no", "yes"], "surface.png")?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Files are written atomically: a plot replaces an older one only when it is complete.
//!
//! An SVG is 700 pixels wide, a PNG twice as many, for screens with small pixels. The letters of a PNG (Latin, Greek
//! and Cyrillic ones) are part of the library, so that no font need be installed; an SVG is shown with the fonts of its
//! reader.

extern crate std;

mod confusion;
mod curves;
mod lines;
mod surface;

pub use confusion::confusion;
pub use curves::{curves, losses};
pub use lines::{band, lines, log_lines};
pub use surface::decision_surface;

use crate::error::Error;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use plotters::backend::{BitMapBackend, DrawingBackend, SVGBackend};
use plotters::chart::SeriesLabelPosition;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea};
use plotters::style::{BLACK, FontStyle, FontTransform, IntoTextStyle, RGBColor, TextStyle, WHITE, register_font};
use std::io;
use std::path::{Path, PathBuf};

/// Where a picture is drawn.
type Area<DB> = DrawingArea<DB, Shift>;
/// Whether that went well.
type Drawn<DB> = Result<(), DrawingAreaErrorKind<<DB as DrawingBackend>::ErrorType>>;

/// What can be drawn: `scale` pixels for each of an SVG's.
trait Picture {
    /// Width and height in pixels of an SVG.
    const SIZE: (u32, u32);

    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>, scale: u32) -> Drawn<DB>;
}

/// The first name is that of the font for PNG, and where an SVG's reader has it; the second what readers have.
const FONT: &str = "Noto Sans, sans-serif";

/// Text of that many pixels.
fn text(size: u32) -> TextStyle<'static> {
    (FONT, size).into_text_style(&(size, size)).color(&BLACK)
}

/// Text that is read from below.
fn upwards(size: u32) -> TextStyle<'static> {
    text(size).transform(FontTransform::Rotate270)
}

/// The colours of classes and curves, which people of any colour vision tell apart. (M. Okabe and K. Ito, 2008.)
fn color(index: usize) -> RGBColor {
    const COLORS: [RGBColor; 7] = [
        RGBColor(0, 114, 178),
        RGBColor(213, 94, 0),
        RGBColor(0, 158, 115),
        RGBColor(204, 121, 167),
        RGBColor(230, 159, 0),
        RGBColor(86, 180, 233),
        RGBColor(90, 90, 90),
    ];
    COLORS[index % COLORS.len()]
}

/// `color` for a `share` of 1, white for 0.
fn shade(RGBColor(r, g, b): RGBColor, share: f64) -> RGBColor {
    let mix = |part: u8| (255.0 - share * (255.0 - f64::from(part))).round() as u8;
    RGBColor(mix(r), mix(g), mix(b))
}

/// Draws the picture and writes the file.
fn save(picture: &impl Picture, path: &Path) -> Result<(), PlotError> {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    let (width, height) = size(picture, 1);
    let bytes = match ending.as_deref() {
        Some("svg") => {
            let mut text = String::new();
            draw(picture, SVGBackend::with_string(&mut text, (width, height)), 1, path)?;
            text.into_bytes()
        }
        Some("png") => {
            let (width, height) = size(picture, 2);
            let mut pixels = vec![0; 3 * width as usize * height as usize];
            draw(picture, BitMapBackend::with_buffer(&mut pixels, (width, height)), 2, path)?;
            png(&pixels, width, height).map_err(|problem| PlotError::Draw { path: path.into(), problem })?
        }
        _ => return Err(PlotError::Ending { path: path.into() }),
    };
    crate::io::file::save(path, &bytes).map_err(|problem| PlotError::File { path: path.into(), problem })
}

/// The bytes of a PNG with these pixels, three bytes each.
fn png(pixels: &[u8], width: u32, height: u32) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    let written = encoder.write_header().and_then(|mut writer| {
        writer.write_image_data(pixels)?;
        writer.finish()
    });
    written.map(|()| bytes).map_err(|error| error.to_string())
}

fn size<P: Picture>(_: &P, scale: u32) -> (u32, u32) {
    (P::SIZE.0 * scale, P::SIZE.1 * scale)
}

fn draw<DB: DrawingBackend>(picture: &impl Picture, backend: DB, scale: u32, path: &Path) -> Result<(), PlotError> {
    let _ = register_font(FONT, FontStyle::Normal, include_bytes!("NotoSans-Regular.ttf"));
    let area = backend.into_drawing_area();
    area.fill(&WHITE)
        .and_then(|()| picture.draw(&area, scale))
        .and_then(|()| area.present())
        .map_err(|problem| PlotError::Draw { path: path.into(), problem: problem.to_string() })
}

/// A range that holds all finite numbers, with a margin around them; none if there are no finite values.
fn range_of(numbers: impl Iterator<Item = f64>, room: f64) -> Option<(f64, f64)> {
    let (low, high) = numbers
        .filter(|number| number.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), number| (low.min(number), high.max(number)));
    if low > high {
        return None;
    }
    // Beyond these the arithmetic of the axes overflows, or finds no ticks between.
    let (low, high) = (low.max(-1e300), high.min(1e300));
    let least = (low.abs().max(high.abs()) * 1e-6).max(1e-30);
    let span = high - low;
    let room = if span > least {
        span * room
    } else if least > 1e-30 {
        low.abs().max(high.abs()) * 0.5
    } else {
        1.0
    };
    Some((low - room, high + room))
}

/// A name in a legend, with a margin for the letters of another font, which may be wider.
fn legend(name: &str) -> String {
    format!("{name}   ")
}

/// The corner in which a legend with these names hides the fewest of the `points`, whose coordinates run from 0 to 1,
/// to the right and up.
fn emptiest_corner<'n>(
    names: impl Iterator<Item = &'n str> + Clone,
    points: impl Iterator<Item = (f64, f64)> + Clone,
) -> SeriesLabelPosition {
    // About the share of a picture that letters, lines and margins use.
    let width = 0.09 + 0.013 * names.clone().map(|name| name.chars().count()).max().unwrap_or(0) as f64;
    let height = 0.06 + 0.06 * names.count() as f64;
    let hidden = |right: bool, top: bool| {
        let is_hidden = |&(x, y): &(f64, f64)| {
            (if right { x > 1.0 - width } else { x < width }) && (if top { y > 1.0 - height } else { y < height })
        };
        points.clone().filter(is_hidden).count()
    };
    let corners = [
        (hidden(true, true), SeriesLabelPosition::UpperRight),
        (hidden(true, false), SeriesLabelPosition::LowerRight),
        (hidden(false, true), SeriesLabelPosition::UpperLeft),
        (hidden(false, false), SeriesLabelPosition::LowerLeft),
    ];
    // The first, if several are as empty.
    corners.into_iter().min_by_key(|corner| corner.0).map_or(SeriesLabelPosition::UpperRight, |corner| corner.1)
}

/// At most so many characters of a name.
fn cut(name: &str, length: usize) -> String {
    if name.chars().count() <= length {
        return name.into();
    }
    let start: String = name.chars().take(length - 1).collect();
    format!("{}…", start.trim_end())
}

/// Why a plot could not be drawn or written.
#[non_exhaustive]
pub enum PlotError {
    /// The file's name ends in neither `.svg` nor `.png`.
    Ending {
        /// The path of the file.
        path: PathBuf,
    },
    /// There was nothing to draw: no finite value.
    Nothing,
    /// The data do not fit together.
    Data(Error),
    /// The file could not be written.
    File {
        /// The path of the file.
        path: PathBuf,
        /// What is wrong.
        problem: io::Error,
    },
    /// The picture could not be drawn.
    Draw {
        /// The path of the file.
        path: PathBuf,
        /// The message of the drawing library.
        problem: String,
    },
}

crate::error::debug_is_display!(PlotError);

impl fmt::Display for PlotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PlotError::Ending { path } => {
                write!(f, "expected a file name that ends in .svg or .png, found `{}`", path.display())
            }
            PlotError::Nothing => f.write_str("expected at least one finite number to draw, found none"),
            PlotError::Data(error) => error.fmt(f),
            PlotError::File { path, problem } => {
                write!(f, "expected to write the picture `{}`, found: {problem}", path.display())
            }
            PlotError::Draw { path, problem } => {
                write!(f, "expected to draw the picture `{}`, found: {problem}", path.display())
            }
        }
    }
}

impl core::error::Error for PlotError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            PlotError::Data(error) => Some(error),
            PlotError::File { problem, .. } => Some(problem),
            _ => None,
        }
    }
}

impl From<Error> for PlotError {
    fn from(error: Error) -> Self {
        PlotError::Data(error)
    }
}
