//! [`confusion`]: the plot of a confusion matrix.

use super::{Area, Drawn, Picture, PlotError, color, cut, save, shade, text, upwards};
use crate::metrics::ConfusionMatrix;
use alloc::string::{String, ToString};
use plotters::backend::DrawingBackend;
use plotters::element::{Rectangle, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{BLACK, Color, FontTransform, TextStyle, WHITE};
use std::path::Path;

extern crate std;

/// Plots a confusion matrix: a row for each true class, a column for each predicted one, in each cell the count, the
/// darker the larger its share of the row. `names` are those of the classes; long ones are truncated.
///
/// # Errors
///
/// If the file's name ends in neither `.svg` nor `.png`, if it can't be written, or if nothing was counted.
///
/// # Examples
///
/// ```
/// use tuplenet::metrics::ConfusionMatrix;
///
/// let confusion = ConfusionMatrix::<2>::from_classes(&[0u8, 1, 1], &[0u8, 1, 0])?;
/// # let confusion_svg = std::env::temp_dir().join(format!("{}-confusion.svg", std::process::id()));
/// tuplenet::plot::confusion(&confusion, &["cat", "dog"], &confusion_svg)?;
/// assert!(std::fs::read_to_string(&confusion_svg)?.contains("dog"));
/// # std::fs::remove_file(confusion_svg)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn confusion<const CLASSES: usize>(
    matrix: &ConfusionMatrix<CLASSES>,
    names: &[impl AsRef<str>; CLASSES],
    path: impl AsRef<Path>,
) -> Result<(), PlotError> {
    if matrix.total() == 0 {
        return Err(PlotError::Nothing);
    }
    let names = names.each_ref().map(|name| cut(name.as_ref(), 16));
    save(&Confusion { matrix, names }, path.as_ref())
}

/// Text with its middle where it is drawn.
fn center(style: TextStyle) -> TextStyle {
    style.pos(Pos::new(HPos::Center, VPos::Center))
}

struct Confusion<'a, const CLASSES: usize> {
    matrix: &'a ConfusionMatrix<CLASSES>,
    names: [String; CLASSES],
}

impl<const CLASSES: usize> Picture for Confusion<'_, CLASSES> {
    const SIZE: (u32, u32) = (700, 560);

    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>, scale: u32) -> Drawn<DB> {
        let pixels = |count: usize| (count * scale as usize) as i32;
        let (width, height) = area.dim_in_pixel();
        let (width, height) = (width as i32, height as i32);
        let count = CLASSES as i32;
        let names_style = text(if CLASSES <= 12 { 16 } else { 11 } * scale);
        let mut longest = 0;
        for name in &self.names {
            longest = longest.max(area.estimate_text_size(name, &names_style)?.0 as i32);
        }
        // The axis' label, the names, and then the cells.
        let left = pixels(48) + longest + pixels(10);
        let cell_width = (width - left - pixels(16)) / count;
        // Names that are wider than their column stand upright.
        let upright = longest > cell_width - pixels(6);
        let names_height = if upright { longest + pixels(6) } else { pixels(26) };
        let top = pixels(16);
        let cell_height = (height - top - names_height - pixels(44)) / count;
        let (right, bottom) = (left + count * cell_width, top + count * cell_height);

        let digits = 12 * cell_width / (4 * pixels(10).max(1));
        let cell_text = (cell_height / 2).min(pixels(20)).min(pixels(digits.max(0) as usize)).max(pixels(7)) as u32;
        for truth in 0..CLASSES {
            let row: usize = (0..CLASSES).map(|predicted| self.matrix.count(truth, predicted)).sum();
            let y = top + truth as i32 * cell_height;
            let style = names_style.pos(Pos::new(HPos::Right, VPos::Center));
            area.draw(&Text::new(self.names[truth].clone(), (left - pixels(8), y + cell_height / 2), style))?;
            for predicted in 0..CLASSES {
                let number = self.matrix.count(truth, predicted);
                let share = if row == 0 { 0.0 } else { number as f64 / row as f64 };
                let x = left + predicted as i32 * cell_width;
                let corners = [(x, y), (x + cell_width, y + cell_height)];
                area.draw(&Rectangle::new(corners, shade(color(0), share).filled()))?;
                area.draw(&Rectangle::new(corners, BLACK.mix(0.25).stroke_width(scale)))?;
                let ink = if share > 0.55 { WHITE } else { BLACK };
                let (middle, here) = (x + cell_width / 2, y + cell_height / 2);
                let style = center(text(cell_text)).color(&ink);
                area.draw(&Text::new(number.to_string(), (middle, here), style))?;
            }
        }
        for (predicted, name) in self.names.iter().enumerate() {
            let middle = left + predicted as i32 * cell_width + cell_width / 2;
            if upright {
                let style = names_style.transform(FontTransform::Rotate270);
                let style = style.pos(Pos::new(HPos::Right, VPos::Center));
                area.draw(&Text::new(name.clone(), (middle, bottom + pixels(6)), style))?;
            } else {
                let style = center(names_style.clone());
                area.draw(&Text::new(name.clone(), (middle, bottom + pixels(16)), style))?;
            }
        }
        let below = (left.midpoint(right), height - pixels(22));
        area.draw(&Text::new("predicted class", below, center(text(18 * scale))))?;
        let beside = (pixels(22), top.midpoint(bottom));
        area.draw(&Text::new("true class", beside, center(upwards(18 * scale))))
    }
}
